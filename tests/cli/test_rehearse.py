"""`zirelia rehearse`: what it refuses before anything is drawn. A whole one runs in tests/end_to_end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from zirelia.studio.rehearsal import Wanted, keep

START = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--speed", "fast"), "'fast' is neither max nor a number from 1"),
        (("--speed", "0.5"), "'0.5' is neither max nor a number from 1"),
        (("--speed", "nan"), "'nan' is neither max nor a number from 1"),
        (("--days", "0"), "0 is not in the range"),
        (("--decide", "everything"), "'everything' is not one of"),
        (("--most-usd", "3"), "--most-usd is for --real"),
        (("--personas", "nobody-here"), "nobody-here"),
    ],
)
def test_nonsense_is_refused(zirelia, home, options, complaint):
    said = zirelia("rehearse", "--days", "1", *options)
    assert said.code in {2, 3}
    assert complaint in said.err
    assert not (home / "rehearsal.html").exists()


def test_a_real_home_is_never_filled_with_rehearsed_posts(zirelia, home):
    assert zirelia("queue").code == 0
    for folder in (home / "home", "home"):
        said = zirelia("rehearse", "--days", "1", "--home", folder)
        assert said.code == 2
        assert "is a real home" in said.err
    assert not (home / "home" / "rehearsal.json").exists()


@pytest.mark.parametrize("other", [("--days", "3"), ("--from", "2026-12-01"), ("--decide", "nobody")])
def test_a_home_takes_one_rehearsal(zirelia, home, other):
    keep(
        home / "week",
        Wanted(name="r1", personas=("mira",), start=START, until=START.replace(month=12, day=2), at=START),
    )
    before = (home / "week" / "rehearsal.json").read_bytes()
    said = zirelia("rehearse", "--days", "2", *other, "--home", "week")
    assert said.code == 2
    assert "holds another rehearsal: mira from 2026-11-30 to 2026-12-02, approve" in said.err
    assert (home / "week" / "rehearsal.json").read_bytes() == before


def test_a_broken_notebook_is_named(zirelia, home):
    (home / "week").mkdir()
    (home / "week" / "rehearsal.json").write_text('{"personas": 3}')
    said = zirelia("rehearse", "--days", "1", "--home", "week")
    assert said.code == 2
    assert "rehearsal.json is no notebook of a rehearsal" in said.err
