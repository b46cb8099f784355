"""`zirelia critic`: what people see, in words and in JSON, and that nothing stored is touched."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from zirelia.domain.post import PostState
from zirelia.store.media import MediaStore


@pytest.fixture
def rows(home: Path):
    def dump() -> list[str]:
        with sqlite3.connect(home / "home" / "zirelia.db") as connection:
            said = list(connection.iterdump())
        connection.close()
        return said

    return dump


def test_a_replay_shows_both_verdicts_and_changes_nothing(zirelia, stored, rows):
    stored()
    before = rows()
    said = zirelia("critic", "replay", 1)
    assert said.code == 0, said.err
    for words in ("post 1, attempt 1", "then", "now", "taken from the store, not asked: judge", "nothing was changed"):
        assert words in said.out
    shape = zirelia("critic", "replay", 1, "--json").json
    assert shape["before"]["passed"] is True
    assert shape["remembered"] == ["judge"]
    assert rows() == before


def test_a_replay_by_another_rubric(zirelia, stored, home):
    stored(PostState.HELD)
    lax = home / "lax.toml"
    lax.write_text('must_check = []\nadvisory = ["identity", "technical", "brief", "framing", "look", "subjects", "safety"]\n')
    shape = zirelia("critic", "replay", 1, "--rubric", lax, "--json").json
    assert (shape["before"]["passed"], shape["by_rubric"]) == (False, True)


@pytest.mark.parametrize(
    ("name", "text", "code", "words"),
    [
        ("a.yaml", "must_check: [identity]\nadvisorry: []\n", 2, "a.yaml:2: advisorry: unknown key; did you mean 'advisory'?"),
        ("a.yaml", "must_check: [beauty]\n", 2, "a.yaml:1: must_check[0]"),
        ("a.yaml", "must_check: [look]\nadvisory: [look]\n", 2, "look: advisory"),
        ("a.yaml", "", 2, "is empty"),
        ("a.toml", 'must_check = ["identity"]\n\nhold = ["look"]\n', 2, "a.toml:3: hold: unknown key; did you mean 'hold_on'?"),
        ("a.toml", "must_check = [\n", 2, "is not valid TOML"),
    ],
)
def test_a_wrong_rubric_is_named(zirelia, stored, home, name, text, code, words):
    stored()
    (home / name).write_text(text)
    said = zirelia("critic", "replay", 1, "--rubric", home / name)
    assert said.code == code
    assert words in said.err


def test_what_is_not_there_is_named(zirelia, stored):
    stored()
    assert zirelia("critic", "replay", 9).code == 3
    assert "it has: 1" in zirelia("critic", "replay", 1, "--attempt", 4).err


def test_tune_and_stats_count_what_is_stored(zirelia, stored):
    assert "No stored finding" in zirelia("critic", "tune").out
    assert "No picture" in zirelia("critic", "stats").out
    stored()
    stored(PostState.HELD, number=2)
    zirelia("reject", 1, "--because", "dull")
    zirelia("approve", 2, "--because", "she looks like herself")
    assert "too few decisions: 1 approved and 1 refused" in zirelia("critic", "tune", "--threshold", 0.8).out
    (line,) = [one for one in zirelia("critic", "tune", "--json").json if one["criterion"] == "safety"]
    assert (line["approved"], line["refused"], line["present"]) == (1, 1, [0.6])
    assert zirelia("critic", "tune", "--instrument", "nobody", "--json").json == []
    (judge,) = zirelia("critic", "stats", "--json").json["instruments"]
    assert (judge["asked"], judge["failed"]) == (2, 1)
    assert "1/2" in zirelia("critic", "stats").out
    assert zirelia("critic", "stats", "--persona", "noor", "--json").json["personas"] == []


def test_stats_names_who_could_not_check_and_no_panel(zirelia, stored):
    stored()
    said = zirelia("critic", "stats").out
    assert "judge" in said
    assert "panel" not in said


def test_calibrate_measures_for_real_and_again_only_when_told(zirelia, home):
    said = zirelia("critic", "calibrate", "mira")
    assert said.code == 0, said.err
    assert "12 references, 0.0% of them refused; 120 impostors" in said.out
    first = zirelia("critic", "calibrate", "mira", "--json").json
    again = zirelia("critic", "calibrate", "mira", "--again", "--json").json
    assert first == again
    assert [line["separates"] for line in again] == [True]
    assert zirelia("critic", "calibrate", "nobody").code == 3


def test_replay_of_a_lost_picture_says_how_to_mend_it(zirelia, stored, home):
    post = stored()
    MediaStore(home / "home" / "media").path(post.attempts[0].image).unlink()
    said = zirelia("critic", "replay", 1)
    assert said.code not in {0, 1}
    assert "is missing" in said.err
    assert "backup" in said.err
    assert "Traceback" not in said.err
