"""What a draft must not be, in the words that the writer is asked again with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft
from zirelia.domain.text import mentions, plain, problems, repeated_sentences

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
        ("x" * 121, ("write at most 120 characters; the caption has 121",)),
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
    assert problems(draft, mira, caption_limit=120, recent=("Rain, again.",)) == found


def test_the_alt_text_keeps_the_boundaries_too(mira: Persona) -> None:
    draft = Draft(caption="Tea.", alt_text="A poster of the Élections.")
    assert problems(draft, mira, caption_limit=120, recent=()) == ("do not mention 'élections'",)


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
