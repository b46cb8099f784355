"""Brings a database to the schema that this code knows.

    migrate(database)        # a new file gets all tables; a database of a newer Zirelia is refused

One transaction: a process killed in the middle leaves the old schema; a second process waits for the first. The workflow
engine's tables may lie beside ours. Knows nothing of what the tables hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from zirelia.errors import StoreError
from zirelia.store.database import Database
from zirelia.store.locks import advisory_key

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0009"
"""The newest revision in migrations/versions; kept here so that opening an up-to-date database loads no Alembic."""

_FOLDER = Path(__file__).parent / "migrations"
_ENGINE_TABLES = frozenset(
    {"application_versions", "event_dispatch_kv", "notifications", "operation_outputs", "queues", "streams"}
)
"""DBOS's, with those that begin with `workflow_` or `dbos_`. On PostgreSQL they lie in a schema of their own."""


def configuration(connection: Connection | None = None) -> Config:
    """What Alembic needs; with a connection, migrations run inside its transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(database: Database, to: str = HEAD) -> None:
    """Upgrades to `to`. Raises StoreError for a newer schema, or for a database that is not Zirelia's."""
    with database.reading() as session:
        found = _revision(session.connection(), database.name)
    database.use_write_ahead_log()
    if found == to:
        return
    from alembic import command
    from alembic.script import ScriptDirectory

    with database.writing_schema() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": advisory_key("migrate")})
        found = _revision(connection, database.name)  # again: another process may have been first
        config = configuration(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise StoreError(
                f"database {database.name} has schema {found}, which is newer than this Zirelia knows ({HEAD})",
                hint="update Zirelia, or open the backup that was made before the update",
            )
        if found != to:
            command.upgrade(config, to)


def downgrade(database: Database, to: str) -> None:
    """Goes back to revision `to`; "base" removes every table. For tests and for people who know what they lose."""
    from alembic import command

    with database.writing_schema() as connection:
        command.downgrade(configuration(connection), to)


def _revision(connection: Connection, name: str) -> str | None:
    """The stored revision, None for an empty database."""
    # of the default schema only: what other schemas hold is none of our business
    names = inspect(connection).get_table_names()
    tables = [name for name in names if name not in _ENGINE_TABLES and not name.startswith(("workflow_", "dbos_"))]
    if "alembic_version" in tables:
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        if revision is not None or tables == ["alembic_version"]:
            return revision
    if tables:
        raise StoreError(
            f"database {name} belongs to another program: it has the tables {', '.join(sorted(tables)[:5])}",
            hint="choose another file, or another database",
        )
    return None
