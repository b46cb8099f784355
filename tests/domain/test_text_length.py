"""Lengths as X counts them: twitter-text's own cases of lengths, and what a caption may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.text_length import has_link, length

CASES = [
    ("", 0),
    ("This is a test.", 15),
    ("http://test.com", 23),
    ("HTTPS://test.com", 23),
    ("test.com", 23),
    ("Test https://test.com test https://test.com test.com test", 86),
    ("https://example.com/path/to/resource?search=foo&lang=en", 23),
    ("example.com/path/to/a/resource?search=foo", 23),
    ("Read it: https://example.com/a. Then rest.", 9 + 23 + 12),
    ("(https://example.com)", 25),
    ("http://☃.net/", 23),
    ("https://t.co/abcのテキスト", 23 + 10),
    ("日本語example.comです", 6 + 23 + 4),
    ("foo.co.jp/a", 23),
    # no links: an address, a hashtag, a number, an abbreviation, a name without an ending
    ("me@example.com", 14),
    ("#tag.com", 8),
    ("3.5 km", 6),
    ("e.g. this", 9),
    ("http://localhost/x", 18),
    # may be links: the higher count
    ("foo.jp", 23),
    ("On the tram.The end", 7 + 23 + 4),
    ("a-host-name-that-is-long.example", 32),
    # emoji are two, whatever they are made of
    ("H\U0001f431☺", 5),
    ("👩‍🚀 go", 5),
    ("👨‍👩‍👧‍👦", 2),
    ("👍🏽👍", 4),
    ("🇵🇹", 2),
    ("1️⃣", 2),
    ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 2),
    ("❤️", 2),
    ("☺\ufe0e", 4),
    ("© ™", 4),
    ("©️", 2),
    # scripts and marks
    ("저찀쯿쿿", 8),
    ("日本語", 6),
    ("Привет", 6),
    ("שלום", 4),
    ("\U00010000\U0010ffff", 4),
    ("cafe\u0301 café", 9),
    ("“So” — ‘it’ …", 14),
    ("a\nb", 3),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_x_counts(text: str, expected: int) -> None:
    assert length(text, "x-weighted") == expected


@given(st.text(max_size=200))
def test_no_text_breaks_the_count(text: str) -> None:
    assert 0 <= length(text, "x-weighted") <= 23 * max(1, len(text)) + 2


@given(st.lists(st.sampled_from(["http://", "a.", "a-", "_", "com", "/", "(", "👩\u200d", ".", "é"]), max_size=40))
def test_pieces_of_links_are_counted(pieces: list[str]) -> None:
    assert length("".join(pieces), "x-weighted") >= 0


def test_a_long_text_is_counted_in_time() -> None:
    """Each of these would take minutes with a pattern that goes back and forth."""
    for piece in ("a.", "a-", "http://", "a_", "👩\u200d", "https://x.co/("):
        assert length(piece * 20_000, "x-weighted") > 0


@pytest.mark.parametrize(
    ("text", "expected"), [("Tea", 3), ("Grüße", 5), ("日本語", 3), ("☕", 3), ("👩‍🚀 go", 14), ("1️⃣", 7), ("©", 1)]
)
def test_threads_counts_an_emoji_by_its_bytes(text: str, expected: int) -> None:
    assert length(text, "emoji-bytes") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://x.org/a", 23),
        ("HTTPS://X.ORG/A, and", 28),
        ("https://lisbon.example/a/very/long/path?of=tea 👩‍🚀", 25),
        ("lisbon.example", 14),
        ("", 0),
    ],
)
def test_mastodon_counts_a_link_as_23(text: str, expected: int) -> None:
    assert length(text, "links-23") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Tea at 3.5 km", False), ("Tea. Again.", False), ("", False), ("at https://a.de/b", True), ("at lisbon.tea", True)],
)
def test_a_link_is_seen(text: str, expected: bool) -> None:
    assert has_link(text) is expected
