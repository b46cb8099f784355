"""The whole turn through the command line, configured by .env alone: chat and eyes over HTTP, pictures from Replicate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zirelia.provenance.jpeg import read_provenance
from zirelia.testing.chat_server import fails


def test_from_an_env_file_to_a_publication(zirelia, env, chat, replicate, home):
    made = zirelia("produce", "--json")
    assert made.code == 0, made
    (post,) = made.json
    assert post["state"] == "awaiting_review"
    (attempt,) = post["attempts"]
    assert attempt["provenance"]["backend"] == "replicate"
    assert attempt["provenance"]["prompt"]["text"].startswith("mirelo woman, half body portrait")
    judged = {(f["criterion"], f["instrument"]): f["outcome"] for f in attempt["verdict"]["findings"]}
    assert judged["identity", "looks"] == judged["anatomy", "vision"] == judged["safety", "vision"] == "passed"
    assert {q.body["model"] for q in chat.requests} == {"writer", "eyes"}
    assert replicate.paid == 1
    assert replicate.predictions[0]["input"]["prompt"] == attempt["provenance"]["prompt"]["text"]
    assert Path(post["picture"]).read_bytes() == replicate.picture

    assert "awaiting review" in zirelia("queue").out
    shown = zirelia("show", 1)
    assert "Sketch 2" in shown.out or post["draft"]["caption"][:20] in shown.out
    assert "briefed → drafted" in shown.out

    posted = zirelia("approve-and-post", 1, "--by", "ana")
    assert posted.code == 0, posted
    assert "post 1 published: file://" in posted.out
    outbox = home / "home" / "outbox"
    label = read_provenance((outbox / "pub-1-folder.jpg").read_bytes())
    assert label is not None
    assert label.made_by_ai
    card = json.loads((outbox / "pub-1-folder.json").read_text())
    assert card["caption"] == post["reader_caption"]

    before = {path.name: path.read_bytes() for path in outbox.iterdir()}
    again = zirelia("approve-and-post", 1, "--by", "ana")
    assert again.code == 0
    assert "was published already" in again.out
    assert "nothing changed" in again.out
    assert {path.name: path.read_bytes() for path in outbox.iterdir()} == before
    history = zirelia("show", 1, "--json").json
    assert [event["after"] for event in history["events"]].count("published") == 1
    assert [decision["by"] for decision in history["decisions"]] == ["ana"]

    costs = zirelia("costs", "--json").json
    assert {row["role"] for row in costs} == {
        "planner",
        "drafter",
        "text_critic",
        "art_director",
        "image",
        "vision",
        "captioner",
    }
    assert all(row["state"] == "done" for row in costs)


def test_changes_edits_and_a_rejection(zirelia, env, replicate, home):
    zirelia("produce", "--quiet")
    changed = zirelia("request-changes", 1, "--because", "wear a blue blazer", "--json")
    assert changed.code == 0
    assert [a["number"] for a in changed.json["attempts"]] == [1, 2]
    assert "ana asked" not in changed.out
    assert replicate.paid == 2
    assert zirelia("approve", 1).code == 0
    assert "nothing changed" in zirelia("approve", 1).out
    edited = zirelia("edit", 1, "--caption", "One good detail: nobody listens, everybody hums.", "--json").json
    assert (edited["state"], edited["note"]) == ("awaiting_review", "edited; its approval is void")
    refused = zirelia("post", 1)
    assert (refused.code, "not approved" in refused.err) == (4, True)
    assert zirelia("reject", 1, "--because", "dull").code == 0
    assert zirelia("queue").out.startswith("The queue is empty")
    assert not (home / "home" / "outbox").exists()


def test_in_a_process_of_its_own(env, home):
    done = subprocess.run(
        [sys.executable, "-m", "zirelia.cli", "produce", "--json", "--quiet"],
        capture_output=True, text=True, timeout=120, cwd=home, env={**os.environ}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["state"] == "awaiting_review"


@pytest.mark.parametrize("what", ["a good turn", "a refused key", "a server that repeats the key"])
def test_no_secret_leaves_the_env_file(zirelia, env, chat, replicate, home, what):
    if what == "a server that repeats the key":
        chat.script(fails(401, f"Incorrect API key provided: {env['OPENAI_API_KEY']}"))
    if what == "a refused key":
        replicate.token = "r8_another"
    said = [zirelia("produce"), zirelia("approve-and-post", 1, "--because", "test"), zirelia("retry", 1)]
    for command in ("queue", "show 1", "costs", "doctor --spend --settings", "persona show mira", "persona check"):
        said += [zirelia(*command.split()), zirelia(*command.split(), "--json")]
    said.append(zirelia("backup", home / "copy"))
    secrets = [str(env[name]) for name in ("OPENAI_API_KEY", "REPLICATE_API_TOKEN", "ANTHROPIC_API_KEY")]
    for secret in secrets:
        for one in said:
            assert secret not in one.out + one.err
        for path in home.rglob("*"):
            if path.is_file() and path.name != ".env":
                assert secret.encode() not in path.read_bytes(), path
