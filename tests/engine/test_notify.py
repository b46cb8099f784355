"""Telling a person: a real program, a real webhook on loopback, and what goes wrong with both."""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from zirelia.domain.post import Post
from zirelia.engine import notify
from zirelia.engine.masking import MASK, Masking
from zirelia.engine.notify import MOST, Notifier
from zirelia.settings import Settings
from zirelia.settings.tree import NotifySettings

PATIENCE = 30.0
KEY = "c1c2c3c4d5"


@dataclass
class Hook:
    """A webhook that answers with the statuses that it is given, then with 204."""

    statuses: list[int] = field(default_factory=list)
    got: list[dict] = field(default_factory=list)
    wait: threading.Event | None = None
    url: str = ""

    def serve(self) -> Iterator[Hook]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.wait is not None:
                    hook.wait.wait(PATIENCE)
                status = hook.statuses.pop(0) if hook.statuses else 204
                hook.got.append(json.loads(body) | {"type": self.headers["Content-Type"], "path": self.path})
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "1000000000")  # more than anybody would wait for
                self.end_headers()

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/services/{KEY}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield self
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    yield from Hook().serve()


@pytest.fixture
def said():
    return []


@pytest.fixture
def open_notifier(said):
    opened = []

    def make(*, command=None, url=None, timeout_s=10.0, **more) -> Notifier:
        settings = NotifySettings(command=command, url=SecretStr(url) if url else None, timeout_s=timeout_s)
        opened.append(Notifier(settings, lambda event, **fields: said.append((event, fields)), **more))
        return opened[-1]

    yield make
    for one in opened:
        one.close(0.1)


def program(code: str) -> str:
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def appending(path) -> str:
    return program(f"import sys; open({str(path)!r}, 'a', encoding='utf-8').write(sys.stdin.read())")


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def until(holds) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def a_post(now) -> Post:
    return Post(id=7, persona="mira", slot_id="mira:2026-11-21:noon", due=now, created=now, updated=now)


def test_both_ways_get_the_same_message(open_notifier, hook, said, tmp_path, now):
    tell = open_notifier(command=appending(tmp_path / "told"), url=hook.url)
    tell("held", "post 7 of mira is held: olá", post=a_post(now))
    tell("node_gone", "node b is gone")
    tell.close(PATIENCE)
    by_command = lines(tmp_path / "told")
    assert [{key: one[key] for key in one if key not in {"type", "path"}} for one in hook.got] == by_command
    assert {key: by_command[0][key] for key in ("kind", "message", "post", "persona", "left_out")} == {
        "kind": "held", "message": "post 7 of mira is held: olá", "post": 7, "persona": "mira", "left_out": 0,
    }  # fmt: skip
    assert (by_command[1]["post"], by_command[1]["persona"]) == (None, None)
    assert by_command[0]["at"].endswith("+00:00")
    assert {(one["type"], one["path"]) for one in hook.got} == {("application/json", f"/services/{KEY}")}
    assert [event for event, _ in said] == ["post 7 of mira is held: olá", "node b is gone"]


def test_without_a_way_it_is_in_the_log_alone(open_notifier, said):
    tell = open_notifier()
    tell("dead", "post 7 needs a person")
    tell.close(1)
    assert said == [("post 7 needs a person", {"level": "warning", "kind": "dead"})]


def test_the_same_message_once_an_hour(open_notifier, said, tmp_path):
    clock = [0.0]
    tell = open_notifier(command=appending(tmp_path / "told"), now=lambda: clock[0])
    for clock[0] in (0.0, 60.0, 3599.0, 3600.0, 3700.0):
        tell("stuck", "post 7 is stuck")
    tell("held", "post 7 is stuck")
    tell.close(PATIENCE)
    assert [one["kind"] for one in lines(tmp_path / "told")] == ["stuck", "stuck", "held"]
    assert len(said) == 3


def test_a_flood_is_bounded_and_says_so(open_notifier, hook, said):
    clock = [0.0]
    tell = open_notifier(url=hook.url, now=lambda: clock[0])
    began = time.monotonic()
    for n in range(5000):
        tell("dead", f"post {n} needs a person")
    took = time.monotonic() - began
    until(lambda: len(hook.got) == MOST)
    clock[0] = 61.0
    tell("dead", "one more")
    tell.close(PATIENCE)
    assert len(hook.got) == MOST + 1
    assert (hook.got[-1]["message"], hook.got[-1]["left_out"]) == ("one more", 5000 - MOST)
    assert len([event for event, fields in said if fields.get("kind")]) == 5001
    assert took < 2.0


def test_nobody_waits_for_a_way_that_hangs(open_notifier, hook):
    hook.wait = threading.Event()
    clock = [0.0]
    tell = open_notifier(url=hook.url, now=lambda: clock[0])
    began = time.monotonic()
    for n in range(300):
        clock[0] += 10.0  # no flood: what waits is what is bounded
        tell("dead", f"post {n} needs a person")
    assert time.monotonic() - began < 2.0
    hook.wait.set()
    until(lambda: len(hook.got) >= 100)
    clock[0] += 10.0
    tell("dead", "last")
    tell.close(PATIENCE)
    assert hook.got[-1]["message"] == "last"
    # each that was left out is told of once, by whichever message found room after it
    assert sum(one["left_out"] for one in hook.got) == 301 - len(hook.got) > 150


@pytest.mark.parametrize(
    ("statuses", "calls", "problem"),
    [
        ([500], 2, None),
        ([503, 429], 3, None),
        ([500, 502, 503], 3, "HTTP 503"),
        ([404], 1, "HTTP 404"),
        ([302], 1, "HTTP 302"),
    ],
)
def test_a_webhook_that_fails_is_asked_again_where_that_helps(open_notifier, hook, said, monkeypatch, statuses, calls, problem):
    monkeypatch.setattr(notify.random, "uniform", lambda *_: 0.01)
    hook.statuses = statuses
    tell = open_notifier(url=hook.url)
    tell("dead", "post 7")
    tell.close(PATIENCE)
    assert len(hook.got) == calls
    assert [fields.get("problem") for event, fields in said if "webhook" in event] == ([problem] if problem else [])


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://hooks.example/services/x", "http://[::1", "nonsense"])
def test_a_webhook_that_cannot_be_reached_ends_nothing(open_notifier, said, tmp_path, monkeypatch, url):
    monkeypatch.setattr(notify.random, "uniform", lambda *_: 0.01)
    tell = open_notifier(command=appending(tmp_path / "told"), url=url)
    tell("dead", "one")
    tell("dead", "two")
    tell.close(PATIENCE)
    assert [one["message"] for one in lines(tmp_path / "told")] == ["one", "two"]
    assert len([event for event, _ in said if "webhook" in event or "could not be told" in event]) == 2
    assert url not in str(said)


def test_a_webhook_that_answers_too_late_is_given_up(open_notifier, hook, said, monkeypatch):
    monkeypatch.setattr(notify.random, "uniform", lambda *_: 0.01)
    hook.wait = threading.Event()
    tell = open_notifier(url=hook.url, timeout_s=0.1)
    tell("dead", "post 7")
    until(lambda: len(said) == 2)
    hook.wait.set()
    assert said[1] == ("the notify webhook was not reached", {"level": "warning", "problem": "ReadTimeout"})


def test_a_command_that_takes_too_long_is_ended_with_its_children(open_notifier, said, tmp_path):
    child = tmp_path / "child"
    code = (
        f"import subprocess, time; open({str(child)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid)); time.sleep(60)"
    )
    tell = open_notifier(command=program(code), timeout_s=1.0)
    tell("dead", "post 7")
    until(lambda: len(said) == 2)
    assert said[1] == ("the notify command took too long", {"level": "warning", "seconds": 1.0})
    until(lambda: not _runs(int(child.read_text())))


def test_a_stop_waits_for_no_command(open_notifier, tmp_path):
    started = tmp_path / "started"
    code = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    tell = open_notifier(command=program(code), timeout_s=60.0)
    tell("dead", "post 7")
    until(lambda: started.exists() and started.read_text())
    began = time.monotonic()
    tell.close(0.2)
    assert time.monotonic() - began < 5.0
    assert not _runs(int(started.read_text()))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("command", "event"),
    [
        ("/no/such/program", "the notify command cannot be run"),
        ("'unbalanced", "the notify command cannot be run"),
        ("  ", "a person could not be told"),
        ("false", "the notify command failed"),
    ],
)
def test_a_command_that_is_wrong_is_logged(open_notifier, said, command, event):
    tell = open_notifier(command=command)
    tell("dead", "post 7")
    tell.close(PATIENCE)
    assert [told for told, _ in said] == ["post 7", event]


def test_no_shell_reads_the_message_or_the_command(open_notifier, tmp_path):
    evil = f"$(touch {tmp_path}/a) `touch {tmp_path}/b`; touch {tmp_path}/c & | > {tmp_path}/d '\" \n--version"
    tell = open_notifier(command=f"{appending(tmp_path / 'told')} ; touch {tmp_path}/e && $(touch {tmp_path}/f)")
    tell("held", evil)
    tell.close(PATIENCE)
    assert [one["message"] for one in lines(tmp_path / "told")] == [evil]
    assert [path.name for path in tmp_path.iterdir()] == ["told"]


def test_no_secret_in_message_log_or_environment(open_notifier, hook, said, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("PGPASSWORD", "environment")
    monkeypatch.setenv("OWN_SETTING", "stays")
    hook.statuses = [404]
    mask = Masking(Settings(notify=NotifySettings(url=SecretStr(hook.url)))).text
    code = f"import json, os; open({str(tmp_path / 'env')!r}, 'w').write(json.dumps(dict(os.environ)))"
    tell = open_notifier(command=program(code), url=hook.url, mask=mask)
    tell("dead", f"POST {hook.url} and /services/{KEY} failed\x1b[2J", post=None)
    tell.close(PATIENCE)
    assert hook.got[0]["message"] == f"POST {MASK} and {MASK} failed[2J"
    environment = json.loads((tmp_path / "env").read_text())
    assert (environment["OWN_SETTING"], environment["PATH"]) == ("stays", os.environ["PATH"])
    assert not {"OPENAI_API_KEY", "PGPASSWORD"} & environment.keys()
    # the log masks by itself; what is logged about the sending holds no URL in the first place
    assert KEY not in str(said[1:])


def test_a_message_has_an_end(open_notifier, hook):
    tell = open_notifier(url=hook.url)
    tell("dead", "x" * 100_000 + "\ud800")
    tell.close(PATIENCE)
    assert len(hook.got[0]["message"]) == 2000
