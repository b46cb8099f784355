"""The ledger: an intent row before every paid call, the provider's id as soon as there is one, then the outcome.

    call = ledger.open(entry)            # committed before anything is paid
    call.created("prediction-7")         # committed before it is polled
    ledger.close(entry_with_its_cost)

A process that dies in between finds its row, and its id, again. Knows nothing of budgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.errors import Conflict, NotFound, StoreError
from zirelia.store.database import Database
from zirelia.store.rows import fill_ledger, ledger_row, to_ledger
from zirelia.store.tables import LedgerRow

_UNFINISHED = frozenset({LedgerState.INTENT.value, LedgerState.UNKNOWN.value})


class OpenCall:
    """Implements ports.PaidCall: the row of the call in progress."""

    def __init__(self, database: Database, entry_id: str, external_id: str | None) -> None:
        self._database = database
        self._entry_id = entry_id
        self._external_id = external_id

    @property
    def external_id(self) -> str | None:
        return self._external_id

    def created(self, external_id: str) -> None:
        """Commits the provider's id. A different one than before replaces it; the note keeps the old one."""
        with self._database.writing() as session:
            row = session.get(LedgerRow, self._entry_id, with_for_update=True)
            if row is None:
                raise NotFound(f"the ledger has no call '{self._entry_id}'")
            if row.external_id is not None and row.external_id != external_id:
                row.note = _joined(row.note, f"replaces {row.external_id}")
            row.external_id = external_id
        self._external_id = external_id


class Ledger:
    """The ledger's table; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, entry: LedgerEntry) -> OpenCall:
        """Writes the intent, or finds the unfinished row of that id with what it had created.

        A failed call that cost nothing may be opened again under its id and starts anew. Raises Conflict for a call that is
        done, or that failed and was charged: its row is history.
        """
        if entry.state is not LedgerState.INTENT:
            raise StoreError(f"call '{entry.id}' must be opened as an intent, not as {entry.state}")
        with self._database.writing() as session:
            row = session.get(LedgerRow, entry.id, with_for_update=True)
            if row is None:
                session.add(ledger_row(entry))
                return OpenCall(self._database, entry.id, entry.external_id)
            if row.state in _UNFINISHED:
                row.state = LedgerState.INTENT.value
            elif row.state == LedgerState.FAILED.value and not row.cost:
                if row.external_id is not None:
                    row.note = _joined(row.note, f"replaces {row.external_id}")
                row.state, row.external_id, row.cost = LedgerState.INTENT.value, None, None
                row.at, row.estimate = entry.at, entry.estimate_usd
            else:
                raise Conflict(f"call '{entry.id}' is already {row.state}", hint="open a call with a new id")
            return OpenCall(self._database, entry.id, row.external_id)

    def close(self, entry: LedgerEntry) -> None:
        """Writes the outcome once; again with the same outcome changes nothing. Raises NotFound, Conflict, StoreError."""
        if entry.state is LedgerState.INTENT:
            raise StoreError(f"call '{entry.id}' cannot end as an intent")
        with self._database.writing() as session:
            row = session.get(LedgerRow, entry.id, with_for_update=True)
            if row is None:
                raise NotFound(f"the ledger has no call '{entry.id}'", hint="open it before it is paid")
            if row.state not in _UNFINISHED:
                if (row.state, row.cost) == (entry.state.value, to_ledger(ledger_row(entry)).cost_usd):
                    return
                raise Conflict(f"call '{entry.id}' is already {row.state}")
            note = _joined(row.note, entry.note)
            fill_ledger(row, entry)
            row.note = note
            row.external_id = row.external_id or entry.external_id

    def entries(
        self, *, persona: str | None = None, post_id: int | None = None, since: datetime | None = None
    ) -> tuple[LedgerEntry, ...]:
        """Oldest first; `since` is inclusive."""
        query = select(LedgerRow).order_by(LedgerRow.at, LedgerRow.id)
        if persona is not None:
            query = query.where(LedgerRow.persona == persona)
        if post_id is not None:
            query = query.where(LedgerRow.post_id == post_id)
        if since is not None:
            query = query.where(LedgerRow.at >= since)
        with self._database.reading() as session:
            rows: Sequence[LedgerRow] = session.scalars(query).all()
            return tuple(map(to_ledger, rows))


def _joined(*notes: str | None) -> str | None:
    """The notes that say something new, in order."""
    return "; ".join(dict.fromkeys(note for note in notes if note)) or None
