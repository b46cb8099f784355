"""What a try leaves is read by the next one as it is stored; a step is waited for with pauses, not longer."""

from __future__ import annotations

import pytest

from zirelia.channels.containers import _STEPS as CONTAINERS
from zirelia.channels.mastodon import _STEPS as MASTODON
from zirelia.channels.tries import Left, Steps, looks


@pytest.mark.parametrize(
    ("created", "left"),
    [
        (None, Left()),
        ("", Left()),
        ("container:17:5e1c0d", Left(made="17", source="5e1c0d")),
        ("container:17", Left(made="17")),
        ("container::5e1c0d", Left(source="5e1c0d")),
        ("media:18", Left(out="18")),
        ("media:", Left()),
        ("post:19", Left()),
        ("17", Left()),
    ],
)
def test_what_is_stored_is_read(created, left):
    assert Steps(first="container", last="media").read(created) == left


def test_the_stored_words_are_those_that_databases_hold():
    assert (CONTAINERS.made("17", source="5e1c0d"), CONTAINERS.out("18")) == ("container:17:5e1c0d", "media:18")
    assert (MASTODON.made("17", source="5e1c0d"), MASTODON.out("18")) == ("media:17:5e1c0d", "status:18")


@pytest.mark.parametrize("steps", [CONTAINERS, MASTODON])
def test_what_is_written_is_read_back(steps):
    assert steps.read(steps.made("17", source="5e1c0d")) == Left(made="17", source="5e1c0d")
    assert steps.read(steps.out("18")) == Left(out="18")


def test_there_is_a_look_before_the_first_pause_and_one_after_the_last():
    seen = []
    for _ in looks(seen.append):
        seen.append("look")
    assert seen[0] == seen[-1] == "look"
    assert seen[::2] == ["look"] * 11
    assert 60 < sum(seen[1::2]) < 120
    early = []
    for _ in looks(early.append):
        break
    assert early == []
