"""`zirelia database move`, and every command on PostgreSQL afterwards."""

from __future__ import annotations

import pytest

from zirelia.domain.post import PostState
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.postgres_server import PostgresServer


@pytest.fixture
def server(postgres: PostgresServer):
    url = postgres.new_database()
    yield url.replace("zirelia@", "zirelia:hunter2@")
    postgres.drop_database(url)


def test_a_home_moves_and_goes_on(zirelia, stored, write_env, server: str, home):
    stored(PostState.AWAITING_REVIEW)
    stored(PostState.APPROVED, number=2)
    before = zirelia("queue", "--all", "--json").json
    write_env(ZIRELIA_DATABASE_URL=server)
    assert zirelia("queue", "--all", "--json").json == []
    said = zirelia("database", "move")
    assert said.code == 0, said
    assert "        2  posts\n" in said.out
    assert f"rows moved; {home / 'home' / 'zirelia.db'} is kept" in said.out
    assert zirelia("queue", "--all", "--json").json == before
    assert zirelia("post", 2, "--json").json["state"] == "published"
    again = zirelia("database", "move")
    assert (again.code, "not empty" in again.err) == (4, True)
    assert "hunter2" not in said.out + said.err + again.err


def test_a_move_in_json(zirelia, stored, write_env, server: str):
    stored()
    write_env(ZIRELIA_DATABASE_URL=server)
    assert zirelia("database", "move", "--json").json["rows"]["posts"] == 1


def test_a_move_needs_a_server_a_file_and_no_daemon(zirelia, home, stored, write_env, server: str):
    unset = zirelia("database", "move")
    assert (unset.code, "ZIRELIA_DATABASE_URL is not set" in unset.err) == (2, True)
    write_env(ZIRELIA_DATABASE_URL=server)
    nothing = zirelia("database", "move")
    assert (nothing.code, "there is no database" in nothing.err) == (3, True)
    stored()
    with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as store, store.lock("daemon"):
        busy = zirelia("database", "move")
    assert (busy.code, "'daemon' is in progress" in busy.err) == (4, True)


def test_a_server_that_is_not_there_is_told_without_the_password(zirelia, write_env):
    write_env(ZIRELIA_DATABASE_URL="postgresql://ana:hunter2@127.0.0.1:1/zirelia")
    said = zirelia("queue")
    assert said.code == 10
    assert "no server answers there" in said.err
    assert "hunter2" not in said.out + said.err
