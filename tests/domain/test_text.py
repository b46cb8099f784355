"""What a draft must not be, in the words that the writer is asked again with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft
from zirelia.domain.text import criticise, instructions, mentions, plain, repeated_sentences
from zirelia.domain.text_boundaries import says
from zirelia.domain.text_length import length
from zirelia.domain.text_remark import ChannelLimits
from zirelia.errors import ConfigurationError

LIMITS = (ChannelLimits(channel="folder", caption=120, hashtags=2, alt_text=60),)
MADE = "AI."
COPIED = "do not copy the example posts; write something of your own"


@pytest.fixture
def mira(persona_fields: dict[str, Any]) -> Persona:
    voice = {**persona_fields["voice"], "avoid": ["link in bio"], "examples": ["Ran to the tree."]}
    return Persona.model_validate({**persona_fields, "voice": voice, "boundaries": {"topics": ["élections"]}})


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("One good detail a day.", ()),
        ("Link  in BIO!", ("do not mention 'link in bio'",)),
        ("The elections again.", ("do not mention 'élections'",)),
        ("Selections of tea.", ()),
        ("x" * 121, ("write at most 115 graphemes; the caption has 121 (folder)",)),
        ("Hello {{name}}", ("leave no placeholders in the caption",)),
        ("Hello <your name>", ("leave no placeholders in the caption",)),
        ("Hello [insert city]", ("leave no placeholders in the caption",)),
        ("3 < 4 and 5 > 2", ()),
        ("Rain, AGAIN.", ("this caption was posted before; write another one",)),
        ("The tea is cold. The tea is cold.", ("do not repeat 'The tea is cold.'",)),
        ("ran to the tree.", (COPIED,)),
        ("Tea first. RAN to the tree. Then more tea.", (COPIED,)),
        ("I ran to the tree and back.", ()),
    ],
)
def test_problems(caption: str, found: tuple[str, ...], mira: Persona) -> None:
    draft = Draft(caption=caption, alt_text="Mira in a cafe.")
    recent = (Draft(caption="Rain, again.", alt_text="Rain."),)
    assert instructions(criticise(draft, mira, LIMITS, recent, disclosure=MADE)) == found


def test_the_alt_text_keeps_the_boundaries_too(mira: Persona) -> None:
    draft = Draft(caption="Tea.", alt_text="A poster of the Élections.")
    assert instructions(criticise(draft, mira, LIMITS, disclosure=MADE)) == ("do not mention 'élections'",)


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("Très CHIC", "tres chic", True),
        ("a cat", "cat", True),
        ("catalogue", "cat", False),
        ("so 𝐁𝐥𝐞𝐬𝐬𝐞𝐝", "blessed", True),
        ("ＯＢＳＥＳＳＥＤ", "obsessed", True),
        ("c++ code", "c++", True),
        ("must-have", "must-have", True),
        ("musthave", "must-have", False),
    ],
)
def test_mentions(text: str, phrase: str, expected: bool) -> None:
    assert mentions(text, phrase) is expected


@given(st.text())
@example("ᴬ")
@example("İ")
@example("ͅ")
def test_plain_text_is_plain_already(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(st.text())
def test_no_text_breaks_the_search_for_repetitions(text: str) -> None:
    assert len(repeated_sentences(f"{text} {text}")) >= 0
    assert repeated_sentences("Short. Short.") == ()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\x1b[2Jb", "a[2Jb"),
        ("\x07 bell \x7f", "bell"),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("c1 \x9b31m", "c1 31m"),
        ("Olá ☕", "Olá ☕"),
    ],
)
def test_no_text_can_drive_a_terminal(given, kept):
    assert Draft(caption=given, alt_text="A cup.").caption == kept


def test_a_text_of_control_characters_says_nothing():
    with pytest.raises(ValidationError):
        Draft(caption="\x1b\x07 ", alt_text="A cup.")


@pytest.mark.parametrize(
    ("text", "topic", "expected"),
    [
        ("p0litics", "politics", True),
        ("p o l i t i c s", "politics", True),
        ("p.o.l.i.t.i.c.s", "politics", True),
        ("p\u043elitics", "politics", True),
        ("po\u200blitics", "politics", True),
        ("so political", "politics", True),
        ("two ELECTIONS", "election", True),
        ("Selections of tea", "election", False),
        ("#WeightLoss", "weight loss", True),
        ("weight-loss", "weight loss", True),
        ("cr*pto", "crypto", True),
        ("cr1sp toast", "crypto", False),
        ("w4r!", "war", True),
        ("a warm day", "war", False),
        ("in 1984 and 2024", "war", False),
        ("I gamble", "gambling", True),
        ("two parties", "party", True),
        ("dietary", "diet", False),
    ],
)
def test_topics_are_found_however_they_are_written(text: str, topic: str, expected: bool) -> None:
    assert says(text, topic) is expected


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_text_and_no_topic_breaks_the_search(text: str, topic: str) -> None:
    assert says(text, topic) in {True, False}


@given(st.sampled_from(["politics", "election", "crypto"]), st.sampled_from(["", " ", "!", "\n"]))
def test_a_topic_is_found_between_any_marks(topic: str, mark: str) -> None:
    assert says(f"tea {mark}{topic.upper()}{mark} tea", topic)


@pytest.mark.parametrize(("counts", "expected"), [("graphemes", 4), ("characters", 6), ("utf-16", 8), ("bytes", 14)])
def test_lengths_are_counted_as_the_platform_counts(counts: str, expected: int) -> None:
    assert length("\U0001f469\u200d\U0001f680 go", counts) == expected


def test_an_unknown_unit_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="not counted in 'ells'"):
        length("a", "ells")


def test_the_whole_post_counts_and_what_is_unchecked_says_so(mira: Persona) -> None:
    draft = Draft(caption="x" * 110, hashtags=("one", "two", "three"), alt_text="y" * 61)
    remarks = {str(r.criterion): r for r in criticise(draft, mira, LIMITS)}
    assert remarks["length"].score == 110 + len("\n\n#one #two")
    failing = [name for name in ("hashtags", "alt_text", "disclosure") if remarks[name].outcome == "failed"]
    assert failing == ["hashtags", "alt_text", "disclosure"]
    assert [name for name in remarks if remarks[name].outcome == "not_checked"] == ["claims", "language", "voice"]


def test_a_channel_that_takes_fewer_hashtags_than_another_leaves_some_out(mira: Persona) -> None:
    narrow = ChannelLimits(channel="threads", caption=120, hashtags=1, alt_text=60)
    draft = Draft(caption="x" * 90, hashtags=("one", "two"), alt_text="y")
    remarks = {str(r.criterion): r.outcome for r in criticise(draft, mira, (*LIMITS, narrow), disclosure=MADE)}
    assert (remarks["length"], remarks["hashtags"]) == ("passed", "passed")
    assert "give at most 1 hashtags" in " ".join(instructions(criticise(draft, mira, (narrow,), disclosure=MADE)))
