"""A user's mistakes: one clear message, the documented exit code, never a traceback; and what --json says instead."""

from __future__ import annotations

import json

import pytest

from zirelia.domain.post import PostState

WRONG = [
    ("show 99", 3, "there is no post 99"),
    ("show abc", 2, "abc"),
    ("show 0", 2, "0"),
    ("approve 99", 3, "there is no post 99"),
    ("approve 2", 4, "is held"),
    ("approve 3 --because no", 4, "cannot be approved"),
    ("approve-and-post 2", 4, "is held"),
    ("approve-and-post 3", 4, "not approved"),
    ("post 1", 4, "not approved"),
    ("post 99", 3, "there is no post"),
    ("reject 1", 2, "--because"),
    ("reject 99 --because x", 3, "there is no post"),
    ("request-changes 1", 2, "--because"),
    ("retry 1", 4, "only a held post"),
    ("retry 99", 3, "there is no post"),
    ("edit 1 --caption=", 2, "caption"),
    ("edit 99 --caption x", 3, "there is no post"),
    ("edit 3 --caption x", 4, "cannot be edited"),
    ("queue --state nowhere", 2, "nowhere"),
    ("queue --limit 0", 2, "0"),
    ("produce --persona nobody", 3, "there is no persona 'nobody'"),
    ("produce --count 0", 2, "0"),
    ("persona check nobody", 3, "there is no persona 'nobody'"),
    ("persona show mirra", 3, "did you mean 'mira'"),
    ("persona new Mira", 2, "cannot be a persona's name"),
    ("persona import card.json --name ../up", 2, "cannot be a persona's name"),
    ("persona import nowhere.json", 2, "nowhere.json"),
    ("persona import .env", 2, ".env"),
    ("completion powershell", 2, "powershell"),
    ("backup .env", 2, ".env"),
    ("pocket gate mira", 2, "NAME=LORA"),
    ("produce --nonsense", 2, "--nonsense"),
]


@pytest.fixture
def _three_posts(write_env, chat, stored, home):
    (home / "card.json").write_text('{"name": "Ada", "description": "She counts."}')
    write_env(OPENAI_BASE_URL=chat.base_url, ZIRELIA_EMBEDDINGS_BACKEND="none")
    stored()
    stored(PostState.HELD, number=2)
    stored(PostState.BRIEFED, number=3)


@pytest.mark.usefixtures("_three_posts")
@pytest.mark.parametrize(("call", "code", "words"), WRONG, ids=[call for call, _, _ in WRONG])
def test_a_wrong_call(zirelia, call, code, words):
    said = zirelia(*call.split())
    assert said.code == code, said
    assert words in said.err
    assert "Traceback" not in said.out + said.err
    assert "defect" not in said.err
    assert said.out == ""


@pytest.mark.usefixtures("_three_posts")
@pytest.mark.parametrize("call", [call for call, code, _ in WRONG if code in {3, 4} and "check" not in call])
def test_a_wrong_call_in_json(zirelia, call):
    said = zirelia(*call.split(), "--json")
    assert said.err == ""
    shape = json.loads(said.out)
    assert shape["exit_code"] == said.code
    assert set(shape) == {"error", "message", "hint", "exit_code"}


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"ZIRELIA_CHAT_MODLE": "x"}, "did you mean 'ZIRELIA_CHAT_MODEL'"),
        ({"OPENAI_BASE_URL": "nonsense"}, ".env:1: OPENAI_BASE_URL"),
        ({"MIN_DAILY_POSTS": 5, "MAX_DAILY_POSTS": 2}, "MIN_DAILY_POSTS (5) is above MAX_DAILY_POSTS (2)"),
        ({"TIMEZONE": "Lisboa"}, "Europe/Lisbon"),
        ({"ZIRELIA_PERSONA": "nobody"}, "there is no persona 'nobody'"),
        ({"ZIRELIA_CHAT_BACKEND": "openai"}, "needs OPENAI_API_KEY"),
    ],
)
@pytest.mark.parametrize("command", ["produce", "doctor --offline"])
def test_wrong_settings(zirelia, write_env, command, env, words):
    write_env(**env)
    said = zirelia(*command.split())
    assert said.code in {2, 3}
    assert words in said.err + said.out
    assert "defect" not in said.err


def test_a_damaged_store_is_said(zirelia, home):
    (home / "home").mkdir()
    (home / "home" / "zirelia.db").write_bytes(b"not a database at all, just some words" * 99)
    said = zirelia("queue")
    assert said.code == 10
    assert "zirelia.db" in said.err


def test_an_interruption_is_no_defect(zirelia, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zirelia.cli.queue.open_studio", interrupted)
    said = zirelia("queue")
    assert (said.code, "what was finished is kept" in said.err) == (130, True)


def test_a_defect_is_said_and_logged(zirelia, monkeypatch, tmp_path):
    def broken(*_, **__):
        raise RuntimeError("with sk-a-secret in it")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("zirelia.cli.queue.open_studio", broken)
    said = zirelia("queue")
    assert said.code == 1
    assert "defect: RuntimeError inside Zirelia" in said.err
    assert "sk-a-secret" not in said.err + said.out
    (log,) = tmp_path.glob("zirelia-*.log")
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
