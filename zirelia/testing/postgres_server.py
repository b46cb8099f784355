"""A real PostgreSQL on a free loopback port, from the binaries of this machine, with a folder of its own that goes with it.

    with PostgresServer() as server:
        store = SqlStore(server.new_database(), media)
        server.kill()                 # as a crash does it
        server.start()                # on what is on the disk

The server refuses to run as root; started by root it runs as `postgres` or `nobody`. Knows nothing of Zirelia's tables.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from zirelia.errors import StoreError
from zirelia.testing.peer_process import free_port

_STARTS = 3
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest where there are several; None when there is none."""
    found = shutil.which("initdb")
    if found is not None and shutil.which("postgres") is not None:
        # through the link: initdb looks for its own neighbours
        return Path(found).resolve().parent
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(debian, key=lambda folder: float(folder.parent.name), default=None)


class PostgresServer:
    """One server. Everybody on this machine may connect, unless there is a password.

    Args:
        durable: what is committed survives a power cut of the machine too; the default is faster and survives `kill`.
        password: of the user `zirelia`; without one all are trusted.

    Raises:
        StoreError: there are no binaries, or the server does not start.
    """

    user = "zirelia"

    def __init__(self, *, durable: bool = False, password: str | None = None) -> None:
        found = binaries()
        if found is None:
            raise StoreError("no PostgreSQL on this machine", hint="on Debian: apt-get install postgresql")
        self._binaries = found
        self._durable = durable
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="zirelia-postgres-"))
        self._as_user: dict[str, Any] = _unprivileged()
        if self._as_user:
            os.chown(self.folder, self._as_user["user"], self._as_user["group"])
        try:
            self._make_cluster()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def url(self, database: str = "postgres") -> str:
        secret = f":{quote(self._password, safe='')}" if self._password else ""
        return f"postgresql://{self.user}{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it and waits until it answers; does nothing when it runs."""
        if self.running:
            return
        for _ in range(_STARTS):
            self._process = self._spawn()
            if self._answers():
                return
            # another program may have taken the port in the meantime; URLs that were given out are void then
            self.port = free_port()
        raise StoreError(f"PostgreSQL does not start: {self.log()[-600:]}")

    def stop(self) -> None:
        """Ends it in good order, and every connection to it. The data stay."""
        if self._process is not None:
            # SIGINT is the fast shutdown, which waits for no client
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def kill(self) -> None:
        """Ends it and all of its processes as kill -9 does. The data stay, as far as they were written."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """Stops it and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self, template: str = "template1") -> str:
        """The URL of a new database: an empty one, or a copy of another to which nobody is connected."""
        name = f"zirelia_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Ends every connection to it, too."""
        self.run(f"DROP DATABASE IF EXISTS {name_of(url)} WITH (FORCE)")

    def run(self, sql: str) -> None:
        """Runs SQL as the owner of the server, outside of any transaction."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True, connect_timeout=10) as connection:
            connection.execute(sql.encode())

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _make_cluster(self) -> None:
        secret = self.folder / "secret"
        command = [
            str(self._binaries / "initdb"),
            "-D",
            str(self.folder / "data"),
            "-U",
            self.user,
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        if self._password is None:
            command.append("--auth=trust")
        else:
            secret.write_text(self._password)
            if self._as_user:
                os.chown(secret, self._as_user["user"], self._as_user["group"])
            command += ["--auth=scram-sha-256", f"--pwfile={secret}"]
        made = subprocess.run(  # noqa: S603
            command, cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False, **self._as_user
        )
        secret.unlink(missing_ok=True)
        if made.returncode != 0:
            raise StoreError(f"initdb failed: {made.stderr.strip()[-600:]}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "120",
            "shared_buffers": "32MB",
            **({} if self._durable else _FAST),
        }
        told = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            # a session of its own, so that Ctrl-C in a terminal does not reach it before the tests have ended
            return subprocess.Popen(  # noqa: S603
                [self._binaries / "postgres", "-D", self.folder / "data", *told],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user,
            )

    def _answers(self) -> bool:
        import psycopg

        end = time.monotonic() + _READY_SECONDS
        while self.running and time.monotonic() < end:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return self.running  # False: what answered is somebody else's server
        self.kill()
        return False

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)}


def name_of(url: str) -> str:
    """The database in a URL that the server gave out."""
    return url.rpartition("/")[2]


def _unprivileged() -> dict[str, Any]:
    """Whom root starts it as, in the words of subprocess; nothing for anybody else."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise StoreError("PostgreSQL does not run as root", hint="make a user 'postgres'")
