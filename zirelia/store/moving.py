"""Carries everything that is stored from one database to another, in one transaction of the second.

    for table, rows in move(Database(home / "zirelia.db"), Database("postgresql://zirelia:…@host/zirelia")):
        ...                              # ("personas", 1), ("slots", 7), …; nothing is there before the last one

The first database stays as it is. Pictures are files and stay where they are; what the workflow engine noted of workflows that
run does not come along, so the engine begins them anew. Knows nothing of what the rows mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, insert, literal, select

from zirelia.errors import Conflict, NotFound, StoreError
from zirelia.store.database import Database
from zirelia.store.locks import held
from zirelia.store.migrate import migrate
from zirelia.store.tables import Base

BATCH = 500


def move_home(file: Path, url: str) -> Iterator[tuple[str, int]]:
    """Moves the home's database file to the server, while no daemon works on it. Both get the newest schema first.

    Raises NotFound when there is no such file; Conflict when a daemon runs, or when the target is not empty; StoreError.
    """
    if not file.is_file():
        raise NotFound(f"there is no database {file}", hint="there is nothing to move: a new database is made when it is used")
    source, target = Database(file), Database(url)
    try:
        migrate(source)
        migrate(target)
        with held(source, file.parent / "locks", "daemon"):
            yield from move(source, target)
    finally:
        source.close()
        target.close()


def move(source: Database, target: Database) -> Iterator[tuple[str, int]]:
    """Copies every table and yields (table, rows) after each. Both have the newest schema.

    Nobody else writes to the source meanwhile, nor to the target. Raises Conflict when the target holds anything, and
    StoreError when a row cannot be read or does not arrive; the target is empty then.
    """
    if source.url == target.url:
        raise Conflict(f"{source.name} cannot be moved to itself", hint="name another database")
    # the source's writers wait: what they wrote after its rows were read would be lost
    with source.writing() as reading, target.writing() as writing:
        there, here = reading.connection(), writing.connection()
        _claim(here, target)
        for table in Base.metadata.sorted_tables:
            count = sum(_copy(here, table, batch) for batch in _batches(source, there, table))
            wanted, arrived = _count(there, table), _count(here, table)
            if not count == wanted == arrived:
                raise StoreError(f"{table.name}: {arrived} of {wanted} rows arrived in {target.name}")
            if not target.is_sqlite:
                _go_on_counting(here, table)
            yield table.name, count


def _claim(connection: Connection, target: Database) -> None:
    """Lets nobody else write to the target, and makes sure that nobody has."""
    tables = Base.metadata.sorted_tables
    if not target.is_sqlite:
        names = ", ".join(table.name for table in tables)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
    filled = [table.name for table in tables if connection.scalar(select(literal(1)).select_from(table).limit(1))]
    if filled:
        raise Conflict(f"{target.name} is not empty: it has {', '.join(filled)}", hint="name a new, empty database")


def _batches(source: Database, connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    query = select(table).order_by(*table.primary_key)
    with source.explained():
        rows = connection.execute(query, execution_options={"yield_per": BATCH})
        for batch in rows.mappings().partitions():
            yield [dict(row) for row in batch]


def _copy(connection: Connection, table: Table, batch: list[dict[str, Any]]) -> int:
    connection.execute(insert(table), batch)
    return len(batch)


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _go_on_counting(connection: Connection, table: Table) -> None:
    """PostgreSQL's counters do not see numbers that were given: the next row would get a number that is taken."""
    for column in table.primary_key:
        counter = connection.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
        last = connection.scalar(select(func.max(column)))
        if counter is not None and last is not None:
            connection.execute(select(func.setval(counter, last)))
