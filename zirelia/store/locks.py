"""A named lock that one process holds at a time and that is released when the process dies.

    with held(database, home / "locks", "produce-mira"):
        ...

A second holder is refused at once. Beside a SQLite file it is a file that the kernel unlocks: one machine only. On PostgreSQL
it is an advisory lock of a connection of its own, for all machines: the server lets go when that connection ends, a minute
after the power of the holder's machine fails, and also when the server itself is started anew: the holder is not told of that.
Knows nothing of what is protected.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from zirelia.errors import Conflict, StoreError
from zirelia.files import alone, make_private_folder
from zirelia.store.database import Database

_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_RELEASE = text("SELECT pg_advisory_unlock(:key)")
_HOLDER = text(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = :high AND objid::bigint = :low AND objsubid = 1"
)


def held(database: Database, folder: Path, name: str) -> AbstractContextManager[None]:
    """Holds the lock. Raises Conflict when another holds it (this process included), StoreError when it cannot exist.

    Args:
        folder: where the lock files of a SQLite database lie.
    """
    return _file(folder, name) if database.is_sqlite else _advisory(database, name)


def advisory_key(name: str) -> int:
    """64 bits with a sign, which is what PostgreSQL locks by."""
    return int.from_bytes(hashlib.sha256(f"zirelia {name}".encode()).digest()[:8], "big", signed=True)


@contextmanager
def _file(folder: Path, name: str) -> Iterator[None]:
    path = folder / f"{quote(name, safe='')}.lock"

    with contextlib.ExitStack() as stack:
        try:
            make_private_folder(folder)
            stack.enter_context(alone(path, busy=lambda holder: _busy(name, f"pid {holder}")))
        except OSError as error:
            raise StoreError(f"the lock {path} cannot be taken: {error.strerror}") from error
        yield


@contextmanager
def _advisory(database: Database, name: str) -> Iterator[None]:
    key = advisory_key(name)
    with database.own_connection() as connection:
        with database.explained():
            if not connection.execute(_TAKE, {"key": key}).scalar_one():
                raise _busy(name, _holder(connection, key))
        try:
            yield
        finally:
            # said aloud, because the server notices the end of a connection only some time after it
            with contextlib.suppress(SQLAlchemyError):
                connection.execute(_RELEASE, {"key": key})


def _holder(connection: Connection, key: int) -> str:
    bits = key & 0xFFFF_FFFF_FFFF_FFFF
    told = connection.execute(_HOLDER, {"high": bits >> 32, "low": bits & 0xFFFF_FFFF}).scalars().first()
    return str(told or "unknown").removeprefix("zirelia ")


def _busy(name: str, holder: str) -> Conflict:
    return Conflict(f"'{name}' is in progress in another process ({holder})", hint="wait for it to end, then try again")
