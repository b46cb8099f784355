"""The log as it is written: JSON a line or readable, nothing past the door, no secret, no text that drives a terminal."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from zirelia.engine.logs import LogWatcher, configure_logs, logger
from zirelia.settings import Settings
from zirelia.settings.tree import LogSettings, OpenAISettings

KEY = "kq9-Zx_71vPw"


class Written(io.TextIOWrapper):
    """Standard error of a daemon, in the encoding asked for."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="backslashreplace", newline="\n", write_through=True)

    def text(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def logs(monkeypatch, own_logging):
    """Sets the process's logging up as asked and gives what is written."""

    def set_up(form="json", level="INFO", encoding="utf-8") -> Written:
        written = Written(encoding)
        monkeypatch.setattr(sys, "stderr", written)
        key = OpenAISettings(api_key=SecretStr(KEY))
        configure_logs(Settings(logs=LogSettings(format=form), log_level=level, openai=key))
        return written

    return set_up


def test_an_event_is_one_json_object_with_its_time_and_level(logs):
    written = logs()
    logger()("slot opened", slot="mira:2026-11-28:noon", post=7, note="olá ✓")
    (line,) = written.lines()
    assert line.pop("time").endswith("Z")
    assert line == {"event": "slot opened", "level": "info", "slot": "mira:2026-11-28:noon", "post": 7, "note": "olá ✓"}
    assert "olá ✓" in written.text()


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_a_secret_reaches_no_line_wherever_it_lies(logs, form, level):
    written = logs(form)
    log, other = logger(), logging.getLogger("somebody.else")
    try:
        raise ValueError(f"401 for {KEY}") from RuntimeError(f"also {KEY}")
    except ValueError:
        log(f"failed with {KEY}", level=level, exc_info=True, nested={"a": [KEY, {"b": (KEY,)}]}, **{f"x{KEY}": KEY})
        other.error("got %s", KEY, exc_info=True, stack_info=True, extra={"more": {KEY: KEY}})
    warnings.showwarning(UserWarning(f"warned of {KEY}"), UserWarning, "a.py", 1)
    assert KEY not in written.text()
    for told in ("ValueError", "RuntimeError", "got ", "warned of", "Traceback"):
        assert told in written.text()


@given(before=st.text(), after=st.text())
def test_json_is_whole_whatever_is_said(before, after):
    written = Written()
    handlers, stderr = logging.getLogger().handlers, sys.stderr
    hook = threading.excepthook
    try:
        sys.stderr = written
        configure_logs(Settings(logs=LogSettings(format="json"), openai=OpenAISettings(api_key=SecretStr(KEY))))
        logger()(before + KEY + after, note=after, odd={before: float("nan")})
    finally:
        sys.stderr, logging.getLogger().handlers, threading.excepthook = stderr, handlers, hook
        logging.captureWarnings(False)
        structlog.reset_defaults()
    assert written.text().count("\n") == 1
    assert KEY not in written.text()
    assert {"event", "note", "odd", "time", "level"} == written.lines()[0].keys()


def test_no_text_can_drive_a_terminal_or_pass_for_another_line(logs):
    written = logs("console")
    logger()("noted", note="fine\n2026-11-28T09:00:00Z [info     ] approved by ana\x1b[2J", other="a\rb\x9b31m")
    assert written.text().count("\n") == 1
    assert not {"\x1b", "\r", "\x9b"} & set(written.text())
    assert "fine ⏎ 2026" in written.text()


def test_a_traceback_keeps_its_lines_on_a_terminal(logs):
    written = logs("console")
    try:
        raise ValueError("no\x1b[31m")
    except ValueError:
        logger()("failed", level="error", exc_info=True)
    assert written.text().splitlines()[-1] == "ValueError: no[31m"
    assert "Traceback (most recent call last):\n  File" in written.text()


def test_an_ascii_stream_gets_json_too(logs):
    written = logs(encoding="ascii")
    logger()("olá ✓ \ud800")
    assert written.lines()[0]["event"] == "olá ✓ ?"


def test_a_broken_record_of_another_package_tells_its_place_alone(logs):
    written = logs()
    logging.getLogger("somebody.else").error("%d", KEY)
    (line,) = written.lines()
    assert (line["level"], line["event"]) == ("error", "a log record could not be written")
    assert line["at"].startswith("somebody.else:")


def test_a_thread_that_dies_is_told_of(logs):
    written = logs()

    def die():
        raise ValueError(f"with {KEY}")

    thread = threading.Thread(target=die, name="poller")
    thread.start()
    thread.join()
    (line,) = written.lines()
    assert (line["event"], line["thread"], line["level"]) == ("a thread died", "poller", "error")
    assert "ValueError: with ••••" in line["exception"]


@pytest.mark.parametrize("name", ["dbos", "apscheduler.scheduler", "uvicorn.error", "httpx"])
def test_other_packages_come_through_the_same_door_from_warning_on(logs, name):
    written = logs()
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("of %s", KEY)
    assert [line["event"] for line in written.lines()] == ["of ••••"]


def test_the_workflow_engine_makes_no_door_of_its_own(logs):
    from dbos._logger import init_logger

    written = logs()
    init_logger()
    logging.getLogger("dbos").warning("late")
    assert [line["event"] for line in written.lines()] == ["late"]


@pytest.mark.parametrize(("level", "shown"), [("WARNING", ["w", "q"]), ("ERROR", [])])
def test_the_level_counts_for_everybody(logs, level, shown):
    written = logs(level=level)
    logger()("i")
    logger()("w", level="warning")
    logging.getLogger("httpx").warning("q")
    assert [line["event"] for line in written.lines()] == shown


def test_setting_up_again_writes_each_line_once(logs):
    logs()
    written = logs()
    logger()("once")
    assert len(written.lines()) == 1


def test_the_steps_of_a_turn_carry_their_post(logs):
    written = logs()
    watcher = LogWatcher(logger(), 7, "mira")
    watcher.step("draft", "first")
    watcher.note("it says 'journey'")
    watcher.done("2 s")
    watcher.failed("no answer")
    LogWatcher(logger(), 8, "").failed("gone")
    lines = written.lines()
    assert [line["event"] for line in lines] == ["draft", "draft: remark", "draft: done", "draft: failed", "job: failed"]
    assert [(line["post"], line.get("persona")) for line in lines] == [(7, "mira")] * 4 + [(8, None)]
    assert [line["level"] for line in lines] == ["info"] * 3 + ["warning"] * 2
