"""The processes of `zirelia up`: who they are, and when each was last alive, by the database's clock.

    store.register("laptop-4711", name="laptop", roles=("clock", "work"), host="laptop", pid=4711)
    store.beat("laptop-4711")          # False: another node has declared this one gone
    store.silent(30)                   # ids of nodes that did not sign off and are not heard of any more

One clock for all, so that machines whose own clocks differ judge each other alike. Knows nothing of what nodes do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from zirelia.store.database import Database
from zirelia.store.tables import NodeRow

SILENCE = timedelta(seconds=30)
"""How long a node may be silent before its work is taken over."""


@dataclass(frozen=True)
class NodeFacts:
    """One process. `age`: seconds since its last beat; `stopped`: it ended, or was declared gone."""

    id: str
    name: str
    roles: tuple[str, ...]
    host: str
    pid: int
    started: datetime
    age: float
    stopped: bool

    @property
    def alive(self) -> bool:
        return not self.stopped and self.age < SILENCE.total_seconds()


class NodeTables:
    """Part of `SqlStore`, which opens the database."""

    _database: Database

    def register(self, node_id: str, *, name: str, roles: Sequence[str], host: str, pid: int) -> None:
        with self._database.writing() as session:
            now = self._now(session)
            session.add(
                NodeRow(id=node_id, name=name, roles=",".join(roles), host=host, pid=pid, started=now, beat=now, stopped=None)
            )

    def beat(self, node_id: str) -> bool:
        """False when the node is not, or no more, counted among the living."""
        with self._database.writing() as session:
            query = update(NodeRow).where(NodeRow.id == node_id, NodeRow.stopped.is_(None)).values(beat=self._now(session))
            return bool(session.execute(query).rowcount)  # type: ignore[attr-defined]

    def register_again(self, node_id: str) -> None:
        """A node that was declared gone, and lives: it was stopped for long."""
        with self._database.writing() as session:
            session.execute(update(NodeRow).where(NodeRow.id == node_id).values(stopped=None, beat=self._now(session)))

    def sign_off(self, node_id: str) -> bool:
        """The node has ended, or is declared gone; True for the one caller who said so first."""
        with self._database.writing() as session:
            query = update(NodeRow).where(NodeRow.id == node_id, NodeRow.stopped.is_(None)).values(stopped=self._now(session))
            return bool(session.execute(query).rowcount)  # type: ignore[attr-defined]

    def silent(self, seconds: float) -> tuple[str, ...]:
        with self._database.reading() as session:
            before = self._now(session) - timedelta(seconds=seconds)
            query = select(NodeRow.id).where(NodeRow.stopped.is_(None), NodeRow.beat < before).order_by(NodeRow.id)
            return tuple(session.scalars(query))

    def living(self, *, but: str = "") -> tuple[str, ...]:
        """Ids of the nodes that have not ended, heard of or not."""
        with self._database.reading() as session:
            return tuple(session.scalars(select(NodeRow.id).where(NodeRow.stopped.is_(None), NodeRow.id != but)))

    def nodes(self, *, ended: bool = False) -> tuple[NodeFacts, ...]:
        """Newest first."""
        query = select(NodeRow).order_by(NodeRow.started.desc(), NodeRow.id)
        if not ended:
            query = query.where(NodeRow.stopped.is_(None))
        with self._database.reading() as session:
            now = self._now(session)
            return tuple(
                NodeFacts(
                    id=row.id,
                    name=row.name,
                    roles=tuple(row.roles.split(",")),
                    host=row.host,
                    pid=row.pid,
                    started=row.started,
                    age=max(0.0, (now - row.beat).total_seconds()),
                    stopped=row.stopped is not None,
                )
                for row in session.scalars(query)
            )

    def forget_nodes(self, days: int) -> int:
        """Removes those that ended longer ago."""
        with self._database.writing() as session:
            query = delete(NodeRow).where(NodeRow.stopped < self._now(session) - timedelta(days=days))
            return int(session.execute(query).rowcount)  # type: ignore[attr-defined]

    def _now(self, session: Session) -> datetime:
        """The database's clock; SQLite has none but this machine's."""
        if self._database.is_sqlite:
            return datetime.now(UTC)
        return session.execute(select(func.clock_timestamp())).scalar_one().astimezone(UTC)  # type: ignore[no-any-return]
