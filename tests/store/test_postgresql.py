"""What is PostgreSQL's own: processes that meet on one server, a server that goes away, errors that keep secrets."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

import zirelia
from zirelia.domain.post import Post
from zirelia.errors import ConfigurationError, Conflict, StoreError
from zirelia.store.database import Database
from zirelia.store.locks import held
from zirelia.store.media import MediaStore
from zirelia.store.migrate import HEAD, downgrade, migrate
from zirelia.store.sql import SqlStore
from zirelia.store.tables import Base
from zirelia.testing.postgres_server import PostgresServer, binaries

FOLDER = Path("unused")


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def own_server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """One that may be killed; it asks for a password with an @ in it."""
    with PostgresServer(durable=True, password="hunter@2") as server:
        yield server


# ---- transactions --------------------------------------------------------------------------------------------------------


def test_readers_see_one_moment_and_write_nothing(postgres_url: str):
    database = Database(postgres_url)
    with database.writing() as session:
        session.execute(text("INSERT INTO personas (name, first_seen) VALUES ('mira', now())"))
    with database.reading() as reader:
        assert reader.scalar(text("SELECT count(*) FROM personas")) == 1
        with database.writing() as session:
            session.execute(text("INSERT INTO personas (name, first_seen) VALUES ('noor', now())"))
        assert reader.scalar(text("SELECT count(*) FROM personas")) == 1
    with pytest.raises(StoreError, match="cannot be written"), database.reading() as reader:
        reader.execute(text("DELETE FROM personas"))
    with database.writing() as session:
        assert session.scalar(text("SELECT current_setting('transaction_isolation')")) == "read committed"
    database.close()


def test_a_row_that_another_keeps_is_not_waited_for_without_end(postgres_url: str):
    database = Database(postgres_url)
    with database.writing() as session:
        session.execute(text("INSERT INTO personas (name, first_seen) VALUES ('mira', now())"))
    with database.writing() as session:
        session.execute(text("UPDATE personas SET first_seen = now()"))
        with pytest.raises(StoreError, match="busy"), database.writing() as second:
            second.execute(text("SELECT set_config('lock_timeout', '50', true); UPDATE personas SET first_seen = now()"))
    database.close()


def test_no_detail_of_a_row_is_told(postgres_url: str):
    database = Database(postgres_url)

    def add() -> None:
        with database.writing() as session:
            session.execute(text("INSERT INTO personas (name, first_seen) VALUES ('mira', now())"))

    add()
    with pytest.raises(Conflict, match="another writer was first") as caught:
        add()
    assert "DETAIL" not in str(caught.value)
    database.close()


# ---- migrations ----------------------------------------------------------------------------------------------------------


def test_two_processes_may_migrate_at_once(empty: str):
    script = (
        "import sys; from zirelia.store.database import Database; from zirelia.store.migrate import migrate\n"
        "sys.stdin.readline(); migrate(Database(sys.argv[1])); print('done')"
    )
    root = Path(zirelia.__file__).parents[1]
    processes = [
        subprocess.Popen([sys.executable, "-c", script, empty], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [(process.communicate()[0], process.returncode) for process in processes] == [(b"done\n", 0)] * 3


def test_migrations_go_up_and_down_and_make_what_the_models_say(empty: str):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = Database(empty)
    for _ in range(2):
        migrate(database)
        with database.reading() as session:
            context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
        downgrade(database, "base")
    database.close()


def test_tables_of_other_schemas_are_not_looked_at(empty: str):
    database = Database(empty)
    with database.writing() as session:
        session.execute(text("CREATE SCHEMA dbos"))
        session.execute(text("CREATE TABLE dbos.workflow_status (id int)"))
    migrate(database)
    with database.reading() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == HEAD
    database.close()


def test_another_programs_database_is_refused(empty: str):
    database = Database(empty)
    with database.writing() as session:
        session.execute(text("CREATE TABLE songs (id int)"))
    with pytest.raises(StoreError, match="another program"):
        migrate(database)
    database.close()


def test_the_workflow_engines_tables_do_not_disturb_on_sqlite(tmp_path: Path):
    from dbos._migration import sqlite_migrations

    with contextlib.closing(sqlite3.connect(tmp_path / "zirelia.db")) as connection:
        connection.execute("CREATE TABLE dbos_migrations (version INTEGER)")
        for migration in sqlite_migrations:
            connection.executescript(migration)
    database = Database(tmp_path / "zirelia.db")
    with database.reading() as session:
        theirs = set(inspect(session.connection()).get_table_names())
    assert {"workflow_status", "operation_outputs"} < theirs
    migrate(database)
    with database.reading() as session:
        assert theirs < set(inspect(session.connection()).get_table_names())
    database.close()


# ---- named locks ---------------------------------------------------------------------------------------------------------


def test_a_lock_is_the_databases_own(postgres_url: str, empty: str):
    one, other = Database(postgres_url), Database(empty)
    with held(one, FOLDER, "daemon"), held(other, FOLDER, "daemon"), held(one, FOLDER, "gpu"):
        with pytest.raises(Conflict, match=f"pid {os.getpid()} on {socket.gethostname()[:30]}"), held(one, FOLDER, "daemon"):
            pass
        with one.reading() as session:
            assert session.scalar(text("SELECT 1")) == 1
    with held(one, FOLDER, "daemon"):
        pass
    assert not FOLDER.exists()
    one.close()
    other.close()


# ---- a server that goes away ---------------------------------------------------------------------------------------------


def test_a_server_that_dies_and_comes_back(own_server: PostgresServer, media: MediaStore, new_post, first_event):
    with SqlStore(own_server.new_database(), media) as store:
        post = store.add_post(new_post(), first_event(new_post()))
        with store.lock("daemon"):
            own_server.kill()
            with pytest.raises(StoreError) as refused:
                store.get_post(post.id)
        with pytest.raises(StoreError, match="no server answers") as again, store.lock("daemon"):
            pass
        for error in (refused, again):
            assert "hunter" not in f"{error.value} {error.value.hint}"
        own_server.start()
        assert store.get_post(post.id) == post
        with store.lock("daemon"):
            pass


def test_a_server_that_ends_in_a_transaction_keeps_nothing(own_server: PostgresServer, media: MediaStore):
    database = Database(own_server.new_database())
    migrate(database)

    def interrupted() -> None:
        with database.writing() as session:
            session.execute(text("INSERT INTO personas (name, first_seen) VALUES ('mira', now())"))
            own_server.stop()

    with pytest.raises(StoreError, match="the server went away"):
        interrupted()
    own_server.start()
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM personas")) == 0
    database.close()


def test_who_may_not_come_in_is_told_why(own_server: PostgresServer, media: MediaStore):
    right = own_server.url()
    own_server.run("CREATE ROLE guest NOLOGIN PASSWORD 'hunter3'")
    for url, message in (
        (right.replace("hunter%402", "hunter3"), "refuses this user"),
        (right.replace(":hunter%402", ""), "wants a password"),
        (right.replace("zirelia:hunter%402", "guest:hunter3"), "refuses this user"),
        (own_server.url("nosuch"), "no such database"),
    ):
        with pytest.raises(StoreError, match=message) as caught:
            SqlStore(url, media)
        assert "hunter" not in f"{caught.value} {caught.value.hint}"
    database = Database(right)
    with database.reading() as session:
        assert session.scalar(text("SELECT 1")) == 1
    database.close()


def test_nobody_answers(media: MediaStore):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listened to: refused
        url = f"postgresql://ana:hunter2@127.0.0.1:{taken.getsockname()[1]}/zirelia?sslpassword=hunter4"
        with pytest.raises(StoreError, match="no server answers") as caught:
            SqlStore(url, media)
    assert "hunter" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint


@pytest.mark.parametrize("url", ["postgresql://ana:hunt@er2@db/zirelia", "postgresql://ana:hunt@er:2@db/zirelia"])
def test_a_password_that_breaks_the_url_is_not_shown(url: str, media: MediaStore):
    with pytest.raises(ConfigurationError) as caught:
        SqlStore(url, media)
    assert "er2" not in str(caught.value)
    assert "%40" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (psycopg.errors.DiskFull, "disk is full"),
        (psycopg.errors.TooManyConnections, "no more connections"),
        (psycopg.errors.DeadlockDetected, "in each other's way"),
        (psycopg.errors.InsufficientPrivilege, "may not do that"),
        (psycopg.errors.AdminShutdown, "went away"),
    ],
)
def test_what_a_server_says_is_explained(kind: type[psycopg.Error], message: str):
    database = Database("postgresql://ana:hunter2@db/zirelia")
    with pytest.raises(StoreError, match=message) as caught, database.explained():
        raise OperationalError("INSERT …", {}, kind("no"))
    assert caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_the_url_takes_what_others_write(media: MediaStore):
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        database = Database(f"{scheme}://ana:hun%40ter@db:5433/zirelia?sslmode=require")
        assert database.plain_url == "postgresql+psycopg://ana:hun%40ter@db:5433/zirelia?sslmode=require"
        assert database.name == "postgresql+psycopg://ana:***@db:5433/zirelia"
    assert Database(media.root.parent / "z.db").plain_url == f"sqlite:///{media.root.parent}/z.db"


# ---- the server for tests ------------------------------------------------------------------------------------------------


def test_what_was_acknowledged_survives_a_kill(own_server: PostgresServer, media: MediaStore, new_post, first_event):
    url = own_server.new_database()
    kept: list[Post] = []
    for turn in range(3):
        with SqlStore(url, media) as store:
            kept += [store.add_post(new_post(f"{turn}-{n}"), first_event(new_post(f"{turn}-{n}"))) for n in range(5)]
            own_server.kill()
        own_server.start()
    with SqlStore(url, media) as store:
        assert sorted(post.slot_id for post in store.posts()) == sorted(post.slot_id for post in kept)


def test_a_server_leaves_nothing(postgres: PostgresServer):
    assert binaries() is not None
    with PostgresServer() as server:
        folder = server.folder
        assert server.running
        server.start()
    assert not server.running
    assert not folder.exists()
