"""A text as a channel takes it: hashtags go first, then whole sentences; the disclosure line and the first sentence never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.adapted import adapted
from zirelia.domain.post import Draft
from zirelia.domain.text_length import length
from zirelia.domain.text_remark import ChannelLimits
from zirelia.errors import ConfigurationError

LINE = "Made with AI."


def limits(caption: int = 300, hashtags: int = 30, alt_text: int = 100, **more) -> ChannelLimits:
    return ChannelLimits(channel="test", caption=caption, hashtags=hashtags, alt_text=alt_text, **more)


def draft(caption: str, *hashtags: str, alt_text: str = "A woman with tea") -> Draft:
    return Draft(caption=caption, hashtags=hashtags, alt_text=alt_text)


@pytest.mark.parametrize(
    ("caption", "hashtags", "limit", "said", "left_out"),
    [
        ("Tea.", ("tea", "rain"), limits(), "Tea.\n\n#tea #rain\n\nMade with AI.", ()),
        ("Tea.", ("tea", "rain"), limits(hashtags=1), "Tea.\n\n#tea\n\nMade with AI.", ("#rain",)),
        ("Tea.", ("tea", "rain"), limits(25), "Tea.\n\n#tea\n\nMade with AI.", ("#rain",)),
        ("Tea.", ("tea", "rain"), limits(20), "Tea.\n\nMade with AI.", ("#tea", "#rain")),
        ("Tea. It rains.", ("tea",), limits(24), "Tea.\n\nMade with AI.", ("#tea", "It rains.")),
        ('She said "no." Then tea.', (), limits(35), 'She said "no."\n\nMade with AI.', ("Then tea.",)),
        ("One\nTwo", (), limits(20), "One\n\nMade with AI.", ("Two",)),
        ("お茶。雨です。", (), limits(19), "お茶。\n\nMade with AI.", ("雨です。",)),
        ("3.5 cups. Tea.", (), limits(25), "3.5 cups.\n\nMade with AI.", ("Tea.",)),
        ("é" * 3 + ". Tea.", (), limits(300, caption_bytes=23), "ééé.\n\nMade with AI.", ("Tea.",)),
    ],
)
def test_what_has_no_room(caption, hashtags, limit, said, left_out):
    text = adapted(draft(caption, *hashtags), LINE, limit)
    assert (text.caption, text.left_out) == (said, left_out)


def test_a_first_sentence_that_does_not_fit_is_for_a_person():
    with pytest.raises(ConfigurationError, match="its first sentence alone is longer"):
        adapted(draft("A sentence that goes on and on. Tea."), LINE, limits(30))


def test_an_alt_text_ends_with_a_word():
    text = adapted(draft("Tea.", alt_text="A woman with tea on a roof"), LINE, limits(alt_text=13))
    assert text.alt_text == "A woman with…"
    assert text.left_out == ("the end of the alt text",)


@given(
    caption=st.text(st.characters(exclude_categories=("C",)), min_size=1).filter(str.strip),
    hashtags=st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), max_size=8, unique=True),
    most=st.integers(20, 200),
    counts=st.sampled_from(["graphemes", "characters", "bytes", "utf-16", "x-weighted"]),
)
def test_whatever_is_written_fits_or_is_refused(caption, hashtags, most, counts):
    limit = limits(most, counts=counts, caption_bytes=300)
    try:
        text = adapted(draft(caption, *hashtags), LINE, limit)
    except ConfigurationError:
        return
    assert length(text.caption, counts) <= most
    assert length(text.caption, "bytes") <= 300
    assert text.caption.endswith(LINE)
    assert text.hashtags == tuple(hashtags[: len(text.hashtags)])
    if not text.left_out:
        assert text.caption == draft(caption, *hashtags).for_reader(LINE)
