"""One database: its connections, its transactions, and what its failures mean.

    database = Database(home / "zirelia.db")             # or "postgresql://user:password@host/name"
    with database.writing() as session:
        session.add(row)                     # committed at the end, or nothing of it

SQLite runs in WAL with synchronous=FULL, so that what was committed survives a power cut; a write transaction takes its lock
at the start (BEGIN IMMEDIATE). On PostgreSQL writers are READ COMMITTED and lock the rows that they change; readers see one
moment (REPEATABLE READ, READ ONLY). Every failure leaves as StoreError or Conflict. Knows nothing of the tables.
"""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import URL, Connection, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session

from zirelia.errors import ConfigurationError, Conflict, StoreError
from zirelia.files import make_private_folder
from zirelia.store.causes import first_line, postgresql_cause, sqlite_cause

_BUSY_MILLISECONDS = 10_000
_KEEPALIVES = {"tcp_keepalives_idle": "20", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "4"}
_OPTIONS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
    "client_encoding": "utf8",
}
_POOL = 10


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
        options: dict[str, Any] = {}
        if not self.is_sqlite:
            options = {"pool_pre_ping": True, "pool_size": _POOL, "max_overflow": _POOL, "connect_args": _options(self.url)}
        try:
            self.engine = create_engine(self.url, **options)
        except (ArgumentError, ImportError, NoSuchModuleError) as error:
            raise ConfigurationError(f"no driver for the database {self.name} is installed: {error}") from error
        if self.is_sqlite:
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            self._reader = self.engine
            self._writer = self.engine.execution_options(zirelia_writes=True)
        else:
            event.listen(self.engine, "connect", _configure_postgresql)
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writer = self.engine.execution_options(isolation_level="READ COMMITTED")

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The place as people may see it, without a password."""
        # without the query: libpq takes a password there too
        return self.url.database or "" if self.is_sqlite else self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def plain_url(self) -> str:
        """The URL with its password, for the workflow engine. Not to be shown."""
        return self.url.render_as_string(hide_password=False)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A consistent view; nothing is written."""
        with self.explained(), Session(self._reader) as session, session.begin():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: all of it or nothing. Writers wait for each other."""
        with self.explained(), Session(self._writer) as session, session.begin():
            yield session

    @contextmanager
    def writing_schema(self) -> Iterator[Connection]:
        """One transaction on a bare connection, for migrations."""
        with self.explained(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def own_connection(self) -> Iterator[Connection]:
        """A connection outside of the pool, and of any transaction, that ends with the block: for locks of a session. Not for
        SQLite. What fails when it is closed is no error: the session is over either way.
        """
        with self.explained():
            engine = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=_options(self.url))
            event.listen(engine, "connect", _configure_postgresql)
            connection = engine.connect()
        try:
            yield connection
        finally:
            with suppress(SQLAlchemyError):
                connection.close()

    @contextmanager
    def raw_sqlite(self) -> Iterator[sqlite3.Connection]:
        """A connection of the driver, outside of any transaction, for backup and checks. SQLite only."""
        if not self.is_sqlite:
            raise StoreError(f"{self.name} is not SQLite", hint="use the tools of that database instead")
        with self.explained():
            pooled = self.engine.raw_connection()
            try:
                driver = pooled.driver_connection
                assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - it is what SQLAlchemy's dialect makes
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
    def explained(self) -> Iterator[None]:
        """Turns what the driver raises inside the block into StoreError or Conflict."""
        try:
            yield
        except IntegrityError as error:
            raise Conflict(
                f"{self.name}: another writer was first ({first_line(error.orig)})",
                hint="look at the present state, then try again",
            ) from error
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self._explain(error) from error
        except ValidationError as error:
            raise StoreError(
                f"{self.name}: a stored {error.title} cannot be read: {error.errors()[0]['msg']}",
                hint="the database was written by another version, or is damaged: restore a backup",
            ) from error

    def _explain(self, error: SQLAlchemyError | sqlite3.Error) -> StoreError:
        known = sqlite_cause(error) if self.is_sqlite else postgresql_cause(error)
        if known is None:
            return StoreError(f"database {self.name}: {first_line(error.orig if isinstance(error, DBAPIError) else error)}")
        meaning, hint = known
        return StoreError(f"database {self.name}: {meaning}", hint=hint)


def _url(place: str | Path) -> URL:
    if isinstance(place, Path) or "://" not in place:
        return URL.create("sqlite", database=str(Path(place).absolute()))
    unreadable = ConfigurationError(
        "the database URL cannot be read",
        hint="write postgresql://user:password@host/name, where an @ in the password is %40, or sqlite:////path, or a path",
    )
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        # ValueError is about the port, and may quote what follows an @ in the password
        raise unreadable from None
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    if "@" in (url.host or ""):
        raise unreadable
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


def _options(url: URL) -> dict[str, Any]:
    """What libpq is told, but for what the URL says itself. A dead peer is noticed after 40 seconds, not after hours."""
    name = f"zirelia pid {os.getpid()} on {socket.gethostname()[:30]}"
    return {key: told for key, told in {**_OPTIONS, "application_name": name}.items() if key not in url.query}


def _configure_postgresql(connection: Any, _record: object) -> None:
    # the server's side of the same: without it a machine that lost its power keeps its row locks and named locks for hours.
    # Not by the option `options`, which connection poolers refuse.
    settings = {**_KEEPALIVES, "lock_timeout": str(_BUSY_MILLISECONDS)}
    connection.execute("SELECT " + ", ".join(f"set_config('{name}', '{told}', false)" for name, told in settings.items()))
    connection.commit()
