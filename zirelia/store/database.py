"""One database: its connections, its transactions, and what its failures mean.

    database = Database(home / "zirelia.db")
    with database.writing() as session:
        session.add(row)                     # committed at the end, or nothing of it

SQLite runs in WAL with synchronous=FULL, so that what was committed survives a power cut; a write transaction takes its lock
at the start (BEGIN IMMEDIATE). Every failure leaves as StoreError or Conflict. Knows nothing of the tables.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session

from zirelia.errors import ConfigurationError, Conflict, StoreError
from zirelia.files import make_private_folder

_BUSY_MILLISECONDS = 10_000
_CAUSES = (
    ("SQLITE_FULL", "the disk is full", "free some space and try again; nothing was half written"),
    ("SQLITE_READONLY", "it cannot be written", "check the owner and the permissions of the file and its folder"),
    ("SQLITE_CANTOPEN", "it cannot be opened", "check the owner and the permissions of the file and its folder"),
    ("SQLITE_NOTADB", "the file is not a database, or is damaged", "restore a backup"),
    ("SQLITE_CORRUPT", "the database is damaged", "restore a backup"),
    ("SQLITE_BUSY", "another process keeps it busy", "wait for the other process to end, then try again"),
    ("SQLITE_IOERR", "the disk does not read or write", "check the disk and its free space"),
)


class Database:
    """Connections to one database.

    Args:
        place: a file path, or a database URL. SQLite in memory is refused: it would forget everything.

    Raises:
        ConfigurationError: the URL cannot be used. StoreError: the file cannot be opened.
    """

    def __init__(self, place: str | Path) -> None:
        self.url = _url(place)
        self.path = Path(self.url.database) if self.url.database and self.is_sqlite else None
        if self.path is not None:
            _prepare_file(self.path)
        try:
            self.engine = create_engine(self.url, pool_pre_ping=not self.is_sqlite)
        except (ArgumentError, ImportError, NoSuchModuleError) as error:
            raise ConfigurationError(f"no driver for the database {self.name} is installed: {error}") from error
        if self.is_sqlite:
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writer = self.engine.execution_options(zirelia_writes=True)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The place as people may see it, without a password."""
        return self.url.database or "" if self.is_sqlite else self.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A consistent view; nothing is written."""
        with self._explained(), Session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: all of it or nothing. Writers wait for each other."""
        with self._explained(), Session(self._writer) as session, session.begin():
            yield session

    @contextmanager
    def writing_schema(self) -> Iterator[Connection]:
        """One transaction on a bare connection, for migrations."""
        with self._explained(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def raw_sqlite(self) -> Iterator[sqlite3.Connection]:
        """A connection of the driver, outside of any transaction, for backup and checks. SQLite only."""
        with self._explained():
            pooled = self.engine.raw_connection()
            try:
                driver = pooled.driver_connection
                if not isinstance(driver, sqlite3.Connection):
                    raise StoreError(f"{self.name} is not SQLite", hint="use the tools of that database instead")
                yield driver
            finally:
                pooled.close()

    def use_write_ahead_log(self) -> None:
        """Sets the journal of a SQLite file, once it is known to be ours; the file remembers it."""
        if not self.is_sqlite:
            return
        with self.raw_sqlite() as connection:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(
                f"database {self.name}: its file system has no write-ahead log (got '{mode}')",
                hint="keep the database on a local disk",
            )

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise Conflict(
                f"{self.name}: another writer was first ({error.orig})", hint="look at the present state, then try again"
            ) from error
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._explain(error) from error
        except ValidationError as error:
            raise StoreError(
                f"{self.name}: a stored {error.title} cannot be read: {error.errors()[0]['msg']}",
                hint="the database was written by another version, or is damaged: restore a backup",
            ) from error

    def _explain(self, error: SQLAlchemyError | sqlite3.Error) -> StoreError:
        cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorname", "") or ""
        for prefix, meaning, hint in _CAUSES:
            if code.startswith(prefix):
                return StoreError(f"database {self.name}: {meaning}", hint=hint)
        return StoreError(f"database {self.name}: {cause}")


def _url(place: str | Path) -> URL:
    if isinstance(place, Path) or "://" not in place:
        return URL.create("sqlite", database=str(Path(place).absolute()))
    try:
        url = make_url(place)
    except ArgumentError as error:
        raise ConfigurationError("the database URL cannot be read", hint="write sqlite:////path or a file path") from error
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise ConfigurationError("a SQLite database needs a file", hint="write sqlite:////path or a file path")
        return url.set(database=str(Path(url.database).absolute()))
    return url


def _prepare_file(path: Path) -> None:
    """Creates folder and file for their owner only; SQLite gives its side files the same mode."""
    try:
        make_private_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(
            f"database {path}: it cannot be opened: {error.strerror}",
            hint="check the owner and the permissions of the file and its folder",
        ) from error


def _configure_sqlite(connection: Any, _record: object) -> None:
    # None: the driver never begins a transaction by itself; _begin_sqlite does
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("zirelia_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
