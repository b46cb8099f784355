"""What the failures of SQLite and PostgreSQL mean, and what a person can do about them.

    postgresql_cause(error)      # ("the server's disk is full", "free some space there and try again; …"), or None

Knows no URL, so that no password is in what it says.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

_SQLITE = (
    ("SQLITE_FULL", "the disk is full", "free some space and try again; nothing was half written"),
    ("SQLITE_READONLY", "it cannot be written", "check the owner and the permissions of the file and its folder"),
    ("SQLITE_CANTOPEN", "it cannot be opened", "check the owner and the permissions of the file and its folder"),
    ("SQLITE_NOTADB", "the file is not a database, or is damaged", "restore a backup"),
    ("SQLITE_CORRUPT", "the database is damaged", "restore a backup"),
    ("SQLITE_BUSY", "another process keeps it busy", "wait for the other process to end, then try again"),
    ("SQLITE_IOERR", "the disk does not read or write", "check the disk and its free space"),
)
_STATES = (
    ("53100", "the server's disk is full", "free some space there and try again; nothing was half written"),
    ("53300", "the server takes no more connections", "raise its max_connections, or stop another program"),
    ("53", "the server is short of memory or other means", "see the server's log, then try again"),
    ("55P03", "another process keeps it busy", "wait for the other process to end, then try again"),
    ("40", "two writers stood in each other's way", "try again; nothing was half written"),
    ("42501", "this user may not do that", "make the user the owner of the database, or grant it the rights"),
    ("25006", "it cannot be written", "the server is a standby, or read only: name the primary in ZIRELIA_DATABASE_URL"),
    ("28", "the server refuses this user", "check user and password in ZIRELIA_DATABASE_URL, and the server's pg_hba.conf"),
    ("3D", "the server has no such database", "make it with: createdb"),
)
"""By the beginning of the SQLSTATE."""

_WORDS = (
    ("the database system", "the server is not ready", "wait a moment, then try again"),
    ("authentication failed", "the server refuses this user", "check user and password in ZIRELIA_DATABASE_URL"),
    ("no password supplied", "the server wants a password", "write it into ZIRELIA_DATABASE_URL"),
    ("pg_hba.conf", "the server refuses this user", "the server's pg_hba.conf does not let it in from here"),
    ("not permitted to log in", "the server refuses this user", "allow it with: ALTER ROLE … LOGIN"),
    ("role ", "the server refuses this user", "check the user in ZIRELIA_DATABASE_URL"),
    ("database ", "the server has no such database", "make it with: createdb"),
    ("connection slots", "the server takes no more connections", "raise its max_connections, or stop another program"),
    ("too many clients", "the server takes no more connections", "raise its max_connections, or stop another program"),
    ("Connection refused", "no server answers there", "start the server, or correct host and port in ZIRELIA_DATABASE_URL"),
    ("resolve host", "there is no such host", "correct the host in ZIRELIA_DATABASE_URL"),
    ("timeout expired", "the server does not answer", "check the way to it (network, firewall), then try again"),
)
"""What libpq says of a connection that could not be made, which has no SQLSTATE."""

_GONE = ("the server went away", "look at the present state when it is back; nothing was half written")


def sqlite_cause(error: SQLAlchemyError | sqlite3.Error) -> tuple[str, str] | None:
    """(Meaning, hint); None for what is in no list."""
    code: str = getattr(_driver_error(error), "sqlite_errorname", "") or ""
    return next(((meaning, hint) for sign, meaning, hint in _SQLITE if code.startswith(sign)), None)


def postgresql_cause(error: SQLAlchemyError | sqlite3.Error) -> tuple[str, str] | None:
    """(Meaning, hint); None for what is in no list."""
    cause = _driver_error(error)
    state: str = getattr(cause, "sqlstate", None) or ""
    # 08: connections; 57P0x: the server is being ended
    if state.startswith(("08", "57P")) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return _GONE
    if state:
        return next(((meaning, hint) for sign, meaning, hint in _STATES if state.startswith(sign)), None)
    # the words before FATAL hold names of host and user
    said = str(cause).partition("FATAL:")[2] or str(cause)
    return next(((meaning, hint) for sign, meaning, hint in _WORDS if sign in said), None)


def first_line(cause: object) -> str:
    """Without PostgreSQL's details, which quote the row."""
    return str(cause).partition("\n")[0]


def _driver_error(error: SQLAlchemyError | sqlite3.Error) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error
