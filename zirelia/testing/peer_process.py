"""What the peers that are programs of their own share: a free loopback port, a folder, a start that is waited for, an end.

    class Moto(PeerProcess):
        name, hint = "moto_server", "pip install 'moto[server]'"

        def command(self) -> Sequence[str]:
            return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

        def answers(self) -> bool:
            return httpx.get(f"{self.url}/moto-api/data.json", timeout=5.0, trust_env=False).status_code == 200

    with Moto() as peer:
        httpx.put(f"{peer.url}/pictures")

Knows no protocol. PostgreSQL is not one of them: it is ended and started again on the same data (`postgres_server`).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, cast

import httpx

from zirelia.errors import ZireliaError

_STARTS = 3
_shared: dict[tuple[object, ...], PeerProcess] = {}


class PeerProcess(ABC):
    """A program for one `with` block. `port` and `url` are its address; it sees nothing of this process's environment.

    name, hint: what it is called when it does not start, and what to do then.
    patience: seconds in which it must answer. grace: seconds in which it may end by itself.

    Raises ZireliaError with the end of what it wrote, when it does not start.
    """

    name: str
    hint: str | None = None
    patience = 60.0
    grace = 10.0

    def __init__(self) -> None:
        self.port = 0
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program and its words for `port`, which is another one when it is tried again."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is ready, and the one that answers. Asked until it is; OSError and httpx.HTTPError mean no."""

    def environment(self) -> Mapping[str, str]:
        """What it gets beside PATH, HOME and TMPDIR."""
        return {}

    def working_folder(self) -> Path:
        return self.folder

    @classmethod
    def shared(cls, **options: Any) -> Self:
        """The one of this process with these options: started by whoever asks first, ended with the process."""
        key = (cls, *sorted(options.items()))
        if key not in _shared:
            _shared[key] = peer = cls(**options).__enter__()
            atexit.register(peer.close)
        return cast("Self", _shared[key])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        """Its HOME; goes with it."""
        if self._folder is None:
            raise RuntimeError("the peer is not running: use it in a with block")
        return self._folder

    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log").read_text(errors="replace")

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it and removes its folder; does nothing when it does not run."""
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        try:
            if process is not None:
                _end(process, self.grace)
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _start(self) -> None:
        for _ in range(_STARTS):
            self.close()
            # another program may take the port before this one does
            self.port, self._folder = free_port(), Path(tempfile.mkdtemp(prefix="zirelia-peer-"))
            self._process = process = self._spawn()
            if self._comes_up(process):
                return
            if process.poll() is None or not self._port_was_taken():
                break
        code = process.poll()
        why = f"no answer in {self.patience:g} s" if code is None else f"it ended with {code}"
        raise ZireliaError(f"{self.name} does not start, {why}: {self.log()[-600:].strip()}", hint=self.hint)

    def _spawn(self) -> subprocess.Popen[bytes]:
        usual = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        command = self.command()
        with (self.folder / "log").open("wb") as log:
            try:
                return subprocess.Popen(  # noqa: S603
                    command,
                    cwd=self.working_folder(),
                    env={**usual, **self.environment()},
                    # ends with this process, for a program that looks
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    # Ctrl-C in a terminal does not reach it before the tests have ended
                    start_new_session=True,
                )
            except OSError as error:
                raise ZireliaError(f"{self.name} does not start: {error}", hint=self.hint) from error

    def _comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        end = time.monotonic() + self.patience
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError, httpx.HTTPError):
                # cheaper than most questions, and it is on its way for seconds
                socket.create_connection(("127.0.0.1", self.port), timeout=5.0).close()
                if self.answers():
                    # False: what answered is somebody else's server
                    return process.poll() is None
            time.sleep(0.05)
        return False

    def _port_was_taken(self) -> bool:
        # whoever took it may be gone again, so that only the log tells
        said = self.log().lower()
        if "address already in use" in said or "eaddrinuse" in said:
            return True
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError:
                return True
        return False


def free_port() -> int:
    """One of loopback that nobody listens on; another program may take it at any moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end(process: subprocess.Popen[bytes], grace: float) -> None:
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        # with what it started
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
