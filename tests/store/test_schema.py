"""Migrations and models agree; opening is safe whatever lies there."""

from __future__ import annotations

import io
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from zirelia.errors import ConfigurationError, StoreError
from zirelia.store.columns import UtcDateTime, micro_usd
from zirelia.store.database import Database
from zirelia.store.media import MediaStore
from zirelia.store.migrate import HEAD, configuration, downgrade, migrate
from zirelia.store.sql import SqlStore
from zirelia.store.tables import Base


@pytest.fixture
def database(tmp_path: Path):
    opened = Database(tmp_path / "zirelia.db")
    yield opened
    opened.close()


def _shape(database: Database) -> dict[str, object]:
    with database.reading() as session:
        view = inspect(session.connection())
        return {
            table: (
                [(c["name"], str(c["type"]), c["nullable"], c["primary_key"]) for c in view.get_columns(table)],
                sorted(map(str, view.get_indexes(table))),
                sorted(map(str, view.get_foreign_keys(table))),
                sorted(map(str, view.get_unique_constraints(table))),
            )
            for table in view.get_table_names()
        }


def test_models_and_migrations_agree(database: Database, tmp_path: Path):
    migrate(database)
    with database.reading() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    made = Database(tmp_path / "made.db")
    with made.writing_schema() as connection:
        Base.metadata.create_all(connection)
    by_models, by_migrations = _shape(made), _shape(database)
    made.close()
    by_migrations.pop("alembic_version")
    assert by_migrations == by_models


def test_up_down_up_round_trips(database: Database):
    migrate(database)
    first = _shape(database)
    downgrade(database, "base")
    assert set(_shape(database)) == {"alembic_version"}
    migrate(database)
    assert _shape(database) == first


def test_the_head_is_the_newest_revision():
    assert ScriptDirectory.from_config(configuration()).get_current_head() == HEAD


def test_the_same_migrations_speak_postgresql():
    config = configuration()
    config.set_main_option("dialect", "postgresql")
    config.output_buffer = io.StringIO()
    command.upgrade(config, "head", sql=True)
    sql = config.output_buffer.getvalue()
    assert "TIMESTAMP WITH TIME ZONE" in sql
    assert "SERIAL" in sql
    for table in Base.metadata.tables:
        assert f"CREATE TABLE {table} (" in sql


def test_a_failed_migration_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch):
    from alembic import op

    def refuse(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", refuse)
        with pytest.raises(StoreError, match="power cut"):
            migrate(database)
    assert _shape(database) == {}
    migrate(database)
    assert "posts" in _shape(database)


def test_a_new_home_is_private_and_durable(tmp_path: Path, media: MediaStore):
    path = tmp_path / "new" / "home" / "zirelia.db"
    with SqlStore(path, media) as store, store._database.raw_sqlite() as connection:
        pragmas = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        assert {p.stat().st_mode & 0o777 for p in path.parent.iterdir() if p.is_file()} == {0o600}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


def _newer(path: Path) -> None:
    with SqlStore(path, MediaStore(path.parent / "media")) as store, store._database.raw_sqlite() as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()


def _smashed(path: Path) -> None:
    with SqlStore(path, MediaStore(path.parent / "media")) as store, store._database.raw_sqlite() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4000)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: path.write_bytes(b"not a database " * 100), "not a database"),
        (_smashed, "damaged"),
        (_newer, "newer than this Zirelia"),
        (_foreign, "another program"),
        (lambda path: path.mkdir(), "cannot be opened"),
    ],
    ids=["garbage", "smashed", "newer", "foreign", "folder"],
)
def test_what_cannot_be_opened_says_so(tmp_path: Path, media: MediaStore, prepare, message):
    path = tmp_path / "odd.db"
    prepare(path)
    kept = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=message):
        SqlStore(path, media)
    assert (path.read_bytes() if path.is_file() else b"") == kept


@pytest.mark.parametrize("place", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory", "://", "nosuch://x/y"])
def test_a_url_that_cannot_be_used_is_a_configuration_error(place: str, media: MediaStore):
    with pytest.raises(ConfigurationError):
        SqlStore(place, media)


def test_a_password_is_never_shown(media: MediaStore):
    with pytest.raises(ConfigurationError) as caught:
        SqlStore("postgresql+nosuchdriver://ana:hunter2@db/zirelia", media)
    assert "hunter2" not in str(caught.value)


def test_moments_are_utc_and_never_naive():
    column, dialect = UtcDateTime(), None
    lisbon = datetime(2026, 10, 25, 1, 30, tzinfo=timezone(timedelta(hours=1)))
    assert column.process_bind_param(lisbon, dialect) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert column.process_result_value(datetime(2026, 10, 25, 0, 30), dialect) == lisbon  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        column.process_bind_param(datetime(2026, 10, 25, 0, 30), dialect)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("usd", "micro"), [(0.0, 0), (0.07, 70_000), (0.0000001, 1), (1.1, 1_100_000), (0.29, 290_000), (123456.789, 123456789000)]
)
def test_money_is_whole_micro_dollars_and_never_forgotten(usd: float, micro: int):
    assert micro_usd(usd) == micro
