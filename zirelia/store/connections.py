"""Accounts on platforms, each with its sealed secrets: a row a persona and channel.

    store.add_connection(connection, sealed)                    # in place of an older one
    connection, sealed = store.connection("mira", "x")
    store.save_connection(renewed, sealed=new, expected_version=connection.version)

Each method is one transaction, so that a token and what is known of it change together. What is sealed is bytes here: this
module knows no key.
"""

from __future__ import annotations

from sqlalchemy import select

from zirelia.domain.connection import Connection
from zirelia.errors import Conflict, NotFound
from zirelia.store.database import Database
from zirelia.store.tables import ConnectionRow


class ConnectionTables:
    """Part of `SqlStore`, which opens the database."""

    _database: Database

    def add_connection(self, connection: Connection, sealed: bytes) -> None:
        """Stores it, in place of what the persona had on that channel."""
        with self._database.writing() as session:
            session.merge(
                ConnectionRow(
                    persona=connection.persona,
                    channel=connection.channel,
                    id=connection.id,
                    state=connection.state.value,
                    version=connection.version,
                    body=connection,
                    sealed=sealed,
                )
            )

    def connection(self, persona: str, channel: str) -> tuple[Connection, bytes] | None:
        with self._database.reading() as session:
            row = session.get(ConnectionRow, (persona, channel))
            return None if row is None else (row.body, row.sealed)

    def connections(self, persona: str | None = None) -> tuple[Connection, ...]:
        """By persona and channel."""
        query = select(ConnectionRow.body).order_by(ConnectionRow.persona, ConnectionRow.channel)
        if persona is not None:
            query = query.where(ConnectionRow.persona == persona)
        with self._database.reading() as session:
            return tuple(session.scalars(query))

    def save_connection(self, connection: Connection, *, expected_version: int, sealed: bytes | None = None) -> Connection:
        """Writes it, with new secrets or with those that are there; the answer has its new version. Raises Conflict when it was
        changed or connected anew meanwhile, NotFound.
        """
        with self._database.writing() as session:
            row = session.get(ConnectionRow, (connection.persona, connection.channel), with_for_update=True)
            if row is None:
                raise NotFound(f"{connection.persona} is not connected to {connection.channel}", hint="zirelia connect --list")
            if (row.id, row.version) != (connection.id, expected_version):
                raise Conflict(f"the connection of {connection.persona} to {connection.channel} was changed meanwhile")
            stored = connection.model_copy(update={"version": expected_version + 1})
            row.state, row.version, row.body = stored.state.value, stored.version, stored
            if sealed is not None:
                row.sealed = sealed
            return stored

    def drop_connection(self, persona: str, channel: str) -> bool:
        """Forgets it with its secrets; whether there was one."""
        with self._database.writing() as session:
            row = session.get(ConnectionRow, (persona, channel), with_for_update=True)
            if row is None:
                return False
            session.delete(row)
            return True
