"""Brings a database to the schema that this code knows.

    migrate(database)        # a new file gets all tables; a database of a newer Zirelia is refused

One transaction: a process killed in the middle leaves the old schema. Knows nothing of what the tables hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from zirelia.errors import StoreError
from zirelia.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The newest revision in migrations/versions; kept here so that opening an up-to-date database loads no Alembic."""

_FOLDER = Path(__file__).parent / "migrations"


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
        found = _revision(connection, database.name)  # again: another process may have been first
        config = configuration(connection)
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise StoreError(
                f"database {database.name} has schema {found}, which is newer than this Zirelia knows ({HEAD})",
                hint="update Zirelia, or open the backup that was made before the update",
            )
        command.upgrade(config, to)


def downgrade(database: Database, to: str) -> None:
    """Goes back to revision `to`; "base" removes every table. For tests and for people who know what they lose."""
    from alembic import command

    with database.writing_schema() as connection:
        command.downgrade(configuration(connection), to)


def _revision(connection: Connection, name: str) -> str | None:
    """The stored revision, None for an empty database."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        if revision is not None or tables == ["alembic_version"]:
            return revision
    if tables:
        raise StoreError(
            f"database {name} belongs to another program: it has the tables {', '.join(sorted(tables)[:5])}",
            hint="choose another file",
        )
    return None
