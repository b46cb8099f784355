"""Text that shows what it says: nothing that drives a terminal, turns the direction of reading or stays unseen."""

from __future__ import annotations

import pytest

from zirelia.domain.value import printable

HIDDEN = "".join(chr(0xE0000 + ord(letter)) for letter in "approve")
ENGLAND = "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbeng") + "\U000e007f"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tea\nand\ttoast", "tea\nand\ttoast"),
        ("\x1b[31mred\x07\x9b", "[31mred"),
        ("refused \u202edevorppa\u202c", "refused devorppa"),
        ("a\u2066b\u2069c\u202ad", "abcd"),
        ("one\u2028two\u2029three", "one\ntwo\nthree"),
        (f"tea{HIDDEN}", "tea"),
        (f"cup {ENGLAND}!", f"cup {ENGLAND}!"),
        (f"\U0001f3f4{HIDDEN}", "\U0001f3f4"),
        ("family \U0001f468\u200d\U0001f469\u200d\U0001f467 \u05e9\u05dc\u05d5\u05dd\u200f", None),
    ],
)
def test_what_is_shown(text: str, shown: str | None) -> None:
    assert printable(text) == (text if shown is None else shown)
