"""Accounts are connected, listed and forgotten by commands, against platforms on loopback; the browser is a real process."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

import zirelia as package
from zirelia.domain.connection import Secrets
from zirelia.domain.post import PostState
from zirelia.domain.publication import AccountLimits
from zirelia.engine.work import Worker
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.store.vault import Vault, new_key
from zirelia.studio import SilentWatcher, open_studio
from zirelia.testing.meta_tokens import MetaServer
from zirelia.testing.peer_process import free_port
from zirelia.testing.x_tokens import XAccountServer

NAMES = ("instagram", "threads", "facebook", "x")
AGREES = "import sys, httpx; httpx.get(sys.argv[1], follow_redirects=True)"


@pytest.fixture
def key():
    return new_key()


@pytest.fixture
def server(request):
    with XAccountServer() if request.param == "x" else MetaServer() as made:
        made.name = request.param
        yield made


@pytest.fixture
def env(home, key, write_env, monkeypatch):
    """The settings with that platform's app; the browser agrees, and follows where it is sent."""
    agrees = home / "agrees.py"
    agrees.write_text(AGREES)
    monkeypatch.setenv("BROWSER", f"{sys.executable} {agrees} %s")

    def write(server, **more):
        app = server.app("")
        names = {
            "ZIRELIA_TOKEN_KEY": key,
            f"ZIRELIA_CHANNELS_{server.name.upper()}_URL": server.url,
            f"ZIRELIA_CONNECT_{'X_CLIENT' if server.name == 'x' else server.name.upper() + '_APP'}_ID": app["id"],
            f"ZIRELIA_CONNECT_{'X_CLIENT' if server.name == 'x' else server.name.upper() + '_APP'}_SECRET": app[
                "secret"
            ].get_secret_value(),
            "ZIRELIA_CONNECT_REDIRECT_URL": f"http://127.0.0.1:{free_port()}/callback",
        }
        write_env(**(names | more))

    return write


def stored(home, key, channel):
    with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as store:
        connection, sealed = store.connection("mira", channel)
        return connection, Secrets.read(Vault([key]).open(sealed, bound_to=connection.bound_to))


@pytest.mark.parametrize("server", NAMES, indirect=True)
def test_by_a_browser_on_this_machine(home, key, env, server, zirelia):
    env(server)
    said = zirelia("connect", server.name)
    assert said.code == 0, said.err
    assert f"mira is connected to {server.name} as " in said.out
    assert f"add {server.name} to 'channels'" in said.out
    connection, secrets = stored(home, key, server.name)
    assert secrets.access.get_secret_value() == server.current
    listed = zirelia("connect", "--list")
    assert re.search(rf"mira +{server.name} +.* works", listed.out)
    (shape,) = zirelia("connect", "--list", "--json").json
    assert (shape["account"], shape["state"]) == (connection.account, "ok")
    assert "sealed" not in shape
    assert zirelia("disconnect", server.name).code == 2  # nobody is there to ask
    assert zirelia("disconnect", server.name, "--yes").code == 0
    assert zirelia("disconnect", server.name, "--yes").code == 2
    assert "Nothing is connected" in zirelia("connect", "--list").out


@pytest.mark.parametrize("server", ["instagram", "x"], indirect=True)
def test_by_an_address_that_is_pasted(home, key, env, server, zirelia, monkeypatch):
    """On a machine without a browser; and where the platform sends only to https, as Instagram does."""
    env(server, ZIRELIA_CONNECT_REDIRECT_URL="https://localhost:8751/callback" if server.name == "instagram" else "")
    process = subprocess.Popen(
        [sys.executable, "-m", "zirelia.cli", "connect", server.name, "--no-browser"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home,
        env={**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])},
    )  # fmt: skip
    with process:
        url = next(line for line in iter(process.stderr.readline, "") if line.startswith(server.url)).strip()
        out, err = process.communicate(httpx.get(url).headers["location"] + "\n", timeout=60)
    assert process.returncode == 0, err
    assert "mira is connected" in out
    assert stored(home, key, server.name)[1].access.get_secret_value() == server.current


@pytest.mark.parametrize("server", ["x"], indirect=True)
def test_a_person_who_says_no_leaves_the_old_account(home, key, env, server, zirelia):
    env(server)
    assert zirelia("connect", "x").code == 0
    before = stored(home, key, "x")
    server.denies = True
    said = zirelia("connect", "x")
    assert said.code == 8
    assert "access was not given: access_denied" in said.err
    assert stored(home, key, "x") == before


@pytest.mark.parametrize("server", ["facebook"], indirect=True)
def test_of_several_pages_one_is_named(home, key, env, server, zirelia):
    env(server)
    server.pages["200"] = "Other"
    said = zirelia("connect", "facebook")
    assert (said.code, "Mira Z. (100000000000000), Other (200)" in said.err) == (2, True)
    said = zirelia("connect", "facebook", "--account", "Other")
    assert (said.code, "as Other" in said.out) == (0, True)
    assert "you are told 14, 7 and 1 days before" in said.out
    assert stored(home, key, "facebook")[0].account == "200"
    assert "there is no account Third" in zirelia("connect", "facebook", "--account", "Third").err


@pytest.mark.parametrize("server", ["x"], indirect=True)
def test_posts_that_waited_for_the_account_go_on(home, key, env, server, zirelia, stored):
    """Once, and with no others."""
    env(server)
    for number in range(1, 4):
        stored(PostState.APPROVED, number=number)
    with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as store:
        for post_id, account in ((1, "x"), (2, None), (3, "x")):
            store.bury(post_id, "x: the token has expired or was revoked", account=account)
    said = zirelia("connect", "x")
    assert "2 posts that waited for this account go on: 1, 3" in said.out
    assert [one["post"] for one in zirelia("status", "--json").json["given_up"]] == [2]
    with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as store:
        store.bury(3, "x: the token has expired or was revoked", account="x")
    assert zirelia("connect", "x", "--json").json["revived"] == [3]
    assert "go on" not in zirelia("connect", "x").out


def worked(post_id):
    """The daemon publishes the post on X; its job afterwards."""
    with open_studio() as studio:
        subject = studio.subject()
        subject = replace(subject, persona=subject.persona.model_copy(update={"channels": ("x",)}))

        class Roster:
            def desk(self, name, watcher):
                return studio.kit(subject), subject

        Worker(
            studio.store,
            Roster(),
            limits=AccountLimits(daily=9, gap_minutes=0),
            late=timedelta(days=9999),
            policy="postpone",
            now=lambda: datetime.now(UTC),
            paused=lambda _: None,
            watcher=lambda *_: SilentWatcher(),
            tell=lambda *_, **__: None,
        ).publish(post_id)
        return studio.store.job(post_id)


@pytest.mark.parametrize("server", ["x"], indirect=True)
@pytest.mark.parametrize("account", ["never connected", "revoked"])
def test_a_post_that_waited_for_its_account_goes_out_once(env, server, zirelia, stored, account):
    env(server)
    stored(PostState.APPROVED)
    if account == "revoked":
        zirelia("connect", "x")
        server.revoke()
        assert worked(1).account == "x"  # the token is not taken, and the next try asks for another one
    waiting = worked(1)
    assert (waiting.dead, waiting.account) == (account == "revoked", "x")
    assert "1 post that waited for this account goes on: 1" in zirelia("connect", "x").out
    assert worked(1) is None
    assert len(server.published) == 1
    assert "goes on" not in zirelia("connect", "x").out
    assert zirelia("show", 1, "--json").json["state"] == "published"


class TestMistakes:
    def test_no_channel(self, zirelia):
        said = zirelia("connect")
        assert (said.code, "name a channel" in said.err) == (2, True)
        assert zirelia("connect", "myspace").code == 2

    def test_no_key_and_nobody_there(self, home, zirelia):
        said = zirelia("connect", "x")
        assert said.code == 2
        assert "ZIRELIA_TOKEN_KEY=$(openssl rand -base64 32)" in said.err
        assert not (home / ".env").exists()

    def test_no_app(self, key, write_env, zirelia):
        write_env(ZIRELIA_TOKEN_KEY=key)
        said = zirelia("connect", "instagram")
        assert (said.code, "ZIRELIA_CONNECT_INSTAGRAM_APP_ID" in said.err) == (2, True)

    def test_offline(self, key, write_env, zirelia):
        write_env(ZIRELIA_TOKEN_KEY=key, ZIRELIA_OFFLINE=1, BLUESKY_APP_PASSWORD="abcd-efgh-ijkl-mnop")
        assert zirelia("connect", "bluesky", "--handle", "mira.bsky.social").code == 5

    @pytest.mark.parametrize("server", ["x"], indirect=True)
    def test_a_wrong_key_is_said_and_wipes_nothing(self, home, key, env, server, zirelia):
        env(server)
        zirelia("connect", "x")
        before = stored(home, key, "x")
        env(server, ZIRELIA_TOKEN_KEY="short")
        said = zirelia("connect", "x")
        assert (said.code, "no key of 32 bytes" in said.err) == (2, True)
        assert stored(home, key, "x") == before
        assert "short" not in said.err


def test_a_key_is_made_when_a_person_agrees(home):
    """On a terminal: the key goes into .env, which is its owner's alone; nothing of it is shown."""
    (home / ".env").write_text("# mine\nZIRELIA_TOKEN_KEY=\nZIRELIA_CONNECT_X_CLIENT_ID=a\nZIRELIA_OFFLINE=1\n")
    (home / ".env").chmod(0o644)
    said = _on_a_terminal(["connect", "x"], "y\nhttps://nothing/\n", home)
    lines = (home / ".env").read_text().splitlines()
    assert lines[:3] == ["# mine", "ZIRELIA_CONNECT_X_CLIENT_ID=a", "ZIRELIA_OFFLINE=1"]
    made = lines[3].removeprefix("ZIRELIA_TOKEN_KEY=")
    Vault([made])
    assert stat.S_IMODE((home / ".env").stat().st_mode) == 0o600
    assert made not in said
    assert "Keep a copy" in said


def _on_a_terminal(arguments, typed, home):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "zirelia.cli", *arguments, "--no-browser"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=home,
        env={**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])},
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, typed.encode())
    shown = io.BytesIO()
    while select.select([ours], [], [], 60)[0]:
        try:
            shown.write(os.read(ours, 4096))
        except OSError:
            break
    process.wait()
    os.close(ours)
    return shown.getvalue().decode()


@pytest.mark.parametrize("server", NAMES, indirect=True)
def test_planted_secrets_are_in_nothing_that_is_written_or_shown(home, key, env, server, zirelia):
    """Not in the output of any command, not in a log, not in the bytes of the database and its side files, nor in a backup."""
    env(server)
    shown = []
    for arguments in (
        ["connect", server.name],
        ["connect", server.name, "--json"],
        ["connect", "--list"],
        ["connect", "--list", "--json"],
        ["status"],
        ["status", "--json"],
        ["doctor", "--offline", "--settings"],
        ["doctor", "--offline", "--json"],
        ["backup", home / "copy"],
    ):
        said = zirelia(*arguments)
        shown += [said.out, said.err]
    _, secrets = stored(home, key, server.name)
    planted = [one.get_secret_value() for one in (secrets.access, secrets.refresh) if one is not None]
    planted += [server.app("")["secret"].get_secret_value(), key]
    files = [path for path in home.rglob("*") if path.is_file() and path.name != ".env"]
    assert any(path.name == "zirelia.db" for path in files)
    for one in planted:
        assert not [text for text in shown if one in text]
        assert not [path for path in files if one.encode() in path.read_bytes()]


class TestWhatNeedsAPerson:
    @pytest.fixture
    def troubled(self, home, key, env, zirelia):
        with MetaServer() as server:
            server.name = "facebook"
            env(server)
            server.consents_until = datetime.now(UTC) + timedelta(days=6)
            zirelia("connect", "facebook")
        return home / "home" / "zirelia.db"

    def test_status_and_the_list_say_what_ends_soon(self, troubled, zirelia):
        for said in (zirelia("status").out, zirelia("connect", "--list").out):
            assert re.search(r"ends \d\d \w{3} \d{4}: zirelia connect facebook --persona mira", said)

    def test_and_what_has_ended(self, troubled, zirelia):
        with sqlite3.connect(troubled) as database:
            database.execute(
                'UPDATE connections SET body = replace(replace(body, \'"state":"ok"\', \'"state":"needs_person"\'), '
                '\'"problem":null\', \'"problem":"was revoked"\')'
            )
        database.close()
        for said in (zirelia("status").out, zirelia("connect", "--list").out):
            assert "needs you: was revoked; zirelia connect facebook --persona mira" in said
        said = zirelia("doctor", "--offline")
        assert "facebook needs a person: was revoked" in said.out
        assert said.code == 2
