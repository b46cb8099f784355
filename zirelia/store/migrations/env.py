"""Alembic's entry: runs the revisions on the connection that `store.migrate` hands over, or prints SQL offline.

Example: `alembic.command.upgrade(configuration(connection), "0001")`. Knows nothing of settings; there is no alembic.ini.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from zirelia.store.tables import Base


def _run_online(connection: Connection) -> None:
    # SQLite's DDL is transactional once the driver does not commit by itself, which Database sees to
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


def _run_offline() -> None:
    context.configure(
        dialect_name=context.config.get_main_option("dialect", "sqlite"), target_metadata=Base.metadata, literal_binds=True
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    _run_offline()
else:
    _run_online(context.config.attributes["connection"])
