"""Every way in which a chat server and Replicate go wrong: a clear state, an exit code, nothing lost, a retry that works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from zirelia.testing.chat_server import (
    cuts_off,
    fails,
    no_choices,
    not_a_completion,
    rate_limited,
    refuses,
    says,
    slow,
    truncated,
    withholds,
    wrong_schema,
)

# behaviour, how often until it is given up, words of the reason
CHAT = [
    pytest.param(says("no JSON at all"), 3, "do not fit", id="garbage"),
    pytest.param(says(""), 3, "it is empty", id="empty"),
    pytest.param(wrong_schema(), 3, "do not fit", id="another form"),
    pytest.param(truncated(), 3, "cut off after", id="cut short"),
    pytest.param(rate_limited(0.0), 3, "", id="429"),
    pytest.param(fails(500), 3, "500", id="500"),
    pytest.param(fails(401), 1, "401", id="401"),
    pytest.param(slow(30), 3, "", id="time-out"),
    pytest.param(cuts_off(20), 3, "", id="a cut line"),
    pytest.param(refuses(), 1, "refused", id="a refusal"),
    pytest.param(withholds(), 1, "refused", id="a filter"),
    pytest.param(no_choices(), 3, "", id="no choices"),
    pytest.param(not_a_completion(), 1, "", id="a web page"),
]


@pytest.fixture
def _impatient(request, env, write_env):
    """No eyes, and little patience where it is tried, so that the chat is what fails and fails soon."""
    env |= {"ZIRELIA_CHAT_TIMEOUT_S": 0.3 if "time-out" in request.node.callspec.id else 20, "ZIRELIA_VISION_MODEL": ""}
    write_env(env)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(("behaviour", "times", "reason"), CHAT)
def test_a_chat_server_that_fails(zirelia, write_env, env, chat, replicate, behaviour, times, reason):
    chat.script(*[behaviour] * times)
    made = zirelia("produce", "--json")
    assert made.code == 8
    (post,) = made.json
    assert post["state"] == "held"
    assert reason in post["held_because"]
    assert post["held_because"].startswith("openai")
    assert "held" in zirelia("queue").out
    write_env(env | {"ZIRELIA_CHAT_TIMEOUT_S": 20})
    if times == 1:  # not worth a second try within one question: held again, and said so
        chat.script(behaviour)
        again = zirelia("retry", 1, "--json")
        assert (again.code, again.json["state"]) == (8, "held")
    again = zirelia("retry", 1, "--json")
    assert (again.code, again.json["state"]) == (0, "awaiting_review")
    assert replicate.paid == 1
    assert zirelia("retry", 1).code == 4


def test_eyes_that_fail_pass_nothing_that_only_they_can_judge(zirelia, env, chat, home):
    pack = home / "persona" / "mira"
    assert zirelia("persona", "show", "mira").code == 0
    from zirelia import resources

    shipped = (resources.folder("persona") / "mira" / "persona.yaml").read_text()
    pack.mkdir(parents=True)
    for name in ("references", "lora"):
        (pack / name).symlink_to(resources.folder("persona") / "mira" / name)
    (pack / "persona.yaml").write_text(shipped.replace("[identity, safety, technical, subjects]", "[identity, anatomy]"))
    blind = fails(503)
    writer = chat._default
    chat._default = lambda question: blind(question) if question.images else writer(question)
    made = zirelia("produce", "--json")
    assert made.code == 8
    assert "not checked though required" in made.json[0]["held_because"]
    assert "anatomy" in made.json[0]["held_because"]
    chat._default = writer
    assert zirelia("retry", 1, "--json").json["state"] == "awaiting_review"


REPLICATE = [
    pytest.param({"place": "schema", "status": 401}, 0, "401", id="a bad token"),
    pytest.param({"place": "create", "status": 422}, 0, "422", id="a bad input"),
    pytest.param({"place": "create", "status": 402}, 0, "402", id="no credit"),
    pytest.param({"place": "create", "status": 500, "times": 9}, 0, "", id="500 at creation"),
    pytest.param({"place": "get", "status": 500, "times": 4}, 1, "", id="500 while waiting"),
    pytest.param({"place": "file", "status": 404}, 1, "", id="no file"),
    pytest.param({"place": "file", "status": 200, "body": b"<html>", "media_type": "text/html"}, 1, "", id="no picture"),
    pytest.param({"place": "create", "silent": True, "after": True, "times": 1}, 1, None, id="a lost answer"),
]


@pytest.mark.parametrize(("fault", "paid", "reason"), REPLICATE)
def test_replicate_that_fails(zirelia, env, replicate, fault, paid, reason):
    replicate.fail(**fault)
    made = zirelia("produce", "--json", "--quiet")
    (post,) = made.json
    if reason is None:  # found again without a person
        assert (made.code, post["state"]) == (0, "awaiting_review")
        assert replicate.paid == paid
        return
    assert (made.code, post["state"]) == (8, "held")
    assert post["held_because"].startswith("replicate")
    assert reason in post["held_because"]
    assert replicate.paid == paid
    replicate._faults.clear()
    again = zirelia("retry", 1, "--json")
    assert again.json["state"] == "awaiting_review", again.json["held_because"]
    assert replicate.paid == 1


def test_a_prediction_that_fails_is_ordered_anew_by_a_retry(zirelia, env, replicate):
    replicate.ending = "failed"
    made = zirelia("produce", "--json").json[0]
    assert made["state"] == "held"
    assert "CUDA out of memory" in made["held_because"]
    replicate.ending = "succeeded"
    assert zirelia("retry", 1, "--json").json["state"] == "awaiting_review"
    assert replicate.paid == 2


def test_a_prediction_that_never_ends_is_cancelled_and_ordered_anew_by_a_retry(zirelia, env, write_env, replicate):
    write_env(env | {"ZIRELIA_IMAGE_TIMEOUT_S": 1})
    replicate.ending = "never"
    made = zirelia("produce", "--json").json[0]
    assert made["state"] == "held"
    assert "was not over after 1 s and was cancelled" in made["held_because"]
    assert replicate.predictions[0]["status"] == "canceled"
    replicate.ending = "succeeded"
    assert zirelia("retry", 1, "--json").json["state"] == "awaiting_review"
    assert replicate.paid == 2
    (row, *others) = [row for row in zirelia("costs", "--json").json if row["role"] == "image"]
    assert not others
    assert f"replaces {replicate.predictions[0]['id']}" in row["note"]


def test_a_kill_between_order_and_picture_pays_once(zirelia, env, replicate, home):
    replicate.ending = "never"
    command = [sys.executable, "-m", "zirelia.cli", "produce", "--quiet"]
    process = subprocess.Popen(command, cwd=home, env={**os.environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while not any(request.path.startswith("/v1/predictions/") for request in replicate.requests):
            assert process.poll() is None
            assert time.monotonic() < deadline
            process_waits(process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    assert replicate.paid == 1
    replicate.ending = "succeeded"
    made = zirelia("produce", "--json")
    assert made.code == 0
    (post,) = made.json
    assert post["id"] == 1
    assert replicate.paid == 1
    assert post["attempts"][0]["provenance"]["external_id"] == replicate.predictions[0]["id"]
    assert len(zirelia("queue", "--json").json) == 1


def process_waits(process: subprocess.Popen[bytes]) -> None:
    """Lets the process work for a moment; answers at once when it ends."""
    try:
        process.wait(0.02)
    except subprocess.TimeoutExpired:
        return


def test_a_budget_stops_before_the_order(zirelia, env, write_env, replicate):
    write_env(env | {"ZIRELIA_BUDGET_POST_USD": 0.01, "ZIRELIA_PRICES_IMAGE_USD": 0.03})
    made = zirelia("produce", "--json")
    assert made.code == 8
    assert "the next call may cost $0.0" in made.json[0]["held_because"]
    assert replicate.paid == 0
    write_env(env)
    assert zirelia("retry", 1, "--json").json["state"] == "awaiting_review"
