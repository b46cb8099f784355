"""Fences around every test: no network but loopback, an own home folder, none of the developer's settings, a fixed clock.

A test that needs the time takes `now` (and `later`); nothing in a test reads the wall clock or sleeps.
"""

from __future__ import annotations

import itertools
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from zirelia.network import connections_outside
from zirelia.testing import postgres_server

# before anything imports torch or numpy: CI has two cores, and a thread for each core of the host is slower there
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "2")

_REPOSITORY = Path(__file__).resolve().parent.parent
_FOREIGN_PREFIXES = ("OPENAI_", "REPLICATE_", "ZIRELIA_", "ANTHROPIC_", "LANGSMITH_", "LANGCHAIN_", "HF_", "XDG_", "PG")
_FOREIGN = {
    "LORA_TRIGGER_WORD",
    "MIN_DAILY_POSTS",
    "MAX_DAILY_POSTS",
    "TIMEZONE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
}
_SWITCHED_OFF = {
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_homes = itertools.count(1)

# no deadline: the machine may be busy, and time is what benches measure
settings.register_profile(
    "dev", deadline=None, database=DirectoryBasedExampleDatabase(_REPOSITORY / ".hypothesis" / "examples")
)
settings.register_profile(
    "ci", deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Puts the process's logging back as it was: a handler that a test leaves behind writes to a stream that is closed."""
    import structlog

    from zirelia.engine.logs import QUIET

    loggers = [logging.getLogger(), *map(logging.getLogger, QUIET)]
    before = [(one, one.handlers, one.level, one.propagate) for one in loggers]
    hook = threading.excepthook
    yield
    logging.captureWarnings(False)
    threading.excepthook = hook
    structlog.reset_defaults()
    for one, handlers, level, propagate in before:
        one.handlers, one.level, one.propagate = handlers, level, propagate


@pytest.fixture(scope="session")
def _home_of_homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, _home_of_homes: Path) -> Path:
    """An empty folder that is HOME and the working folder; no setting of the developer's shell or .env is seen."""
    for name in list(os.environ):
        if name.upper().startswith(_FOREIGN_PREFIXES) or name.upper() in _FOREIGN:
            monkeypatch.delenv(name)
    for name, setting in _SWITCHED_OFF.items():
        monkeypatch.setenv(name, setting)
    folder = _home_of_homes / str(next(_homes))
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def _network_off() -> Iterator[None]:
    """Loopback only: a real peer in a test runs on this machine."""
    with connections_outside(allowed=False):
        yield


@pytest.fixture(scope="session")
def _schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database file with the newest schema, made by the real migrations."""
    from zirelia.store.database import Database
    from zirelia.store.migrate import migrate

    path = tmp_path_factory.mktemp("schema") / "zirelia.db"
    database = Database(path)
    migrate(database)
    database.close()
    return path


@pytest.fixture(autouse=True)
def _schema_at_hand(monkeypatch: pytest.MonkeyPatch, _schema: Path) -> None:
    """A store that is opened in this process on a new file finds the schema there: migrating takes a tenth of a second, and
    hundreds of tests open one. `store.migrate` itself, and other processes, migrate as ever.
    """
    from zirelia.store import sql
    from zirelia.store.database import Database

    migrate = sql.migrate

    def migrated(database: Database) -> None:
        if database.path is not None and database.path.stat().st_size == 0:
            with closing(sqlite3.connect(_schema)) as ready, closing(sqlite3.connect(database.path)) as new:
                ready.backup(new)
        migrate(database)

    monkeypatch.setattr(sql, "migrate", migrated)


@pytest.fixture
def now() -> datetime:
    """A Saturday morning."""
    return datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def later(now: datetime) -> datetime:
    """An hour after `now`."""
    return now + timedelta(hours=1)


@pytest.fixture(scope="session")
def until() -> Callable[[IO[str], str], list[str]]:
    """Reads what another process says: the lines before `last`; fails when the stream ends without it."""

    def read(stream: IO[str], last: str) -> list[str]:
        lines = []
        for line in iter(stream.readline, last):
            assert line, f"ended without {last!r} after {lines}"
            lines.append(line)
        return lines

    return read


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.PostgresServer]:
    """A real server, started when the first test asks for it. One test that stops it starts it again."""
    if postgres_server.binaries() is None:
        reason = "there is no PostgreSQL on this machine: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with postgres_server.PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def _migrated(postgres: postgres_server.PostgresServer) -> str:
    """The name of a database with the newest schema, to copy."""
    from zirelia.store.database import Database
    from zirelia.store.migrate import migrate

    url = postgres.new_database()
    database = Database(url)
    migrate(database)
    database.close()
    return postgres_server.name_of(url)


@pytest.fixture
def postgres_url(postgres: postgres_server.PostgresServer, _migrated: str) -> Iterator[str]:
    """An empty database with the newest schema."""
    url = postgres.new_database(_migrated)
    yield url
    postgres.drop_database(url)
