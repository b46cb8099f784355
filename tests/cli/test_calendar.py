"""The calendar: local times with their offsets, occasions, closed days, taken slots, at the width of a terminal."""

from __future__ import annotations

import re

import pytest

from zirelia.domain.post import Event, PostState
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

MORE = """\
  rest_days: [3]
  holiday_max_daily: 1
  min_gap_minutes: 90
  spread: { shape: triangular, width: 0.5 }
  events:
    - { name: book-fair, day: 2027-03-25, topic: the book fair in the park, start: 15:00, end: 16:00 }
  blackouts:
    - { start: 2027-03-26, end: 2027-03-27, because: "[bold]moving[/bold] house" }
"""


@pytest.fixture
def busy(home, zirelia):
    """A pack of the caller's own that uses every key, in a zone whose clocks change on 28 March 2027."""
    assert zirelia("persona", "new", "noor").code == 0
    path = home / "persona" / "noor" / "persona.yaml"
    text = path.read_text().replace("  timezone: UTC\n", "  timezone: Europe/Lisbon\n  country: PT\n")
    path.write_text(text.replace("  windows:\n", MORE + "  windows:\n", 1))
    return "noor"


@pytest.mark.parametrize("width", [80, 100, 120])
def test_two_weeks_at_every_width(zirelia, busy, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    said = zirelia("calendar", busy, "--from", "2027-03-22")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0] == "noor · Europe/Lisbon · 1 post a day · 90 min apart · holidays of PT (1 at most)"
    rows = {line[1:11]: line for line in lines if re.match(r" [A-Z][a-z]{2} \d\d ", line)}
    assert len(rows) == 14
    assert "rest day" in rows["Wed 24 Mar"]
    assert "blackout: [bold]moving[/bold]" in rows["Fri 26 Mar"]
    assert "blackout: [bold]moving[/bold] house · Good Friday" in " ".join(said.out.split())
    assert "+00:00" in rows["Thu 25 Mar"]
    assert "+01:00" in rows["Sun 28 Mar"]
    assert "Easter Sunday · clocks forward 1 h" in " ".join(said.out.split())
    assert [line for line in lines if "book-fair" in line and "+00:00" in line]
    assert "the book fair in the park" in rows["Thu 25 Mar"]
    assert [line.strip() for line in lines if "W1" in line] == ["2027 W12", "2027 W13"]


def test_json_says_the_same(zirelia, busy):
    said = zirelia("calendar", busy, "--from", "2027-03-22", "--weeks", 1, "--json").json
    assert (said["persona"], said["timezone"], said["first"], said["last"]) == (
        "noor",
        "Europe/Lisbon",
        "2027-03-22",
        "2027-03-28",
    )
    days = {day["day"]: day for day in said["days"]}
    assert days["2027-03-24"] == {
        "day": "2027-03-24", "closed": "rest day", "occasion": None, "clock_shift_minutes": 0, "slots": [],
    }  # fmt: skip
    assert days["2027-03-28"]["clock_shift_minutes"] == 60
    (slot,) = days["2027-03-28"]["slots"]
    assert slot["id"].startswith("noor:2027-03-28:")
    assert (slot["offset"], slot["local"][-6:], slot["at"][-6:]) == ("+01:00", "+01:00", "+00:00")
    assert (slot["taken"], slot["post"]) == (False, None)
    assert "book-fair" in [slot["window"] for slot in days["2027-03-25"]["slots"]]


def test_a_slot_says_which_post_took_it_and_a_post_that_lost_its_slot_is_named(zirelia, home, stored):
    free = zirelia("calendar", "mira", "--from", "2026-11-21", "--json").json["days"][0]["slots"][0]
    waiting = stored(PostState.AWAITING_REVIEW)  # in a window that mira does not have
    with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as store:
        first = Event(post_id=0, at=waiting.created, actor="studio", before=None, after=PostState.BRIEFED)
        post = waiting.model_copy(update={"id": 0, "version": 0, "slot_id": free["id"], "state": PostState.BRIEFED})
        store.add_post(post, first)
    said = zirelia("calendar", "mira", "--from", "2026-11-21", "--json").json
    taken = [slot for day in said["days"] for slot in day["slots"] if slot["taken"]]
    assert [(slot["id"], slot["post"]) for slot in taken] == [(free["id"], {"id": 2, "state": "briefed"})]
    assert [one["id"] for one in said["no_longer_in_the_cadence"]] == ["mira:2026-11-21:w1"]
    shown = zirelia("calendar", "mira", "--from", "2026-11-21")
    assert "#2 briefed" in shown.out
    assert "Taken, but no longer in the cadence:\n  Sat 21 Nov 09:00  #1 awaiting review  mira:2026-11-21:w1" in shown.out
    later = zirelia("calendar", "mira", "--from", "2026-11-22", "--json").json
    assert later["no_longer_in_the_cadence"] == []


def test_the_zone_of_the_settings_counts(zirelia, write_env):
    write_env(TIMEZONE="Asia/Kathmandu")
    said = zirelia("calendar", "mira", "--weeks", 1)
    assert said.out.startswith("mira · Asia/Kathmandu · 1-2 posts a day")
    assert "+05:45" in said.out
    assert len(zirelia("calendar", "--json").json["days"]) == 14


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["mirra"], 3, "did you mean 'mira'"),
        (["--from", "2027-02-29"], 2, "'2027-02-29' does not match the format '%Y-%m-%d'"),
        (["--weeks", "0"], 2, "not in the range"),
        (["--weeks", "54"], 2, "not in the range"),
    ],
)
def test_mistakes(zirelia, arguments, code, says):
    said = zirelia("calendar", *arguments)
    assert said.code == code
    assert says in said.err
