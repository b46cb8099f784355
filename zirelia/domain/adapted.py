"""A post's text as one channel takes it: what a person approved, shortened where the platform takes less.

    text = adapted(draft, "Made with AI.", limits)
    text.caption, text.hashtags, text.alt_text, text.left_out       # "…", ("tea",), "…", ("#lisbon",)

Hashtags go first, the last one first; then whole sentences, from the end. The disclosure line never goes, no sentence is cut in
two. Knows no platform.
"""

from __future__ import annotations

from pydantic import Field

from zirelia.domain.post import Draft
from zirelia.domain.text_length import length
from zirelia.domain.text_remark import ChannelLimits
from zirelia.domain.value import Text, Value
from zirelia.errors import ConfigurationError

_ENDS = ".!?…。！？"
_CLOSING = "\"')]”’»"


class Adapted(Value):
    """caption: words, hashtags and disclosure, as a reader sees them. left_out: what the channel has no room for."""

    caption: Text
    hashtags: tuple[Text, ...]
    alt_text: Text
    left_out: tuple[Text, ...] = Field(default=())


def adapted(draft: Draft, disclosure: str | None, limits: ChannelLimits) -> Adapted:
    """Raises ConfigurationError when not even the first sentence fits beside the disclosure line."""
    kept, words = list(draft.hashtags), draft.caption
    dropped = kept[limits.hashtags :]
    kept = kept[: limits.hashtags]
    while kept and not _fits(draft, words, kept, disclosure, limits):
        dropped.insert(0, kept.pop())
    cut = ""
    while not _fits(draft, words, kept, disclosure, limits):
        shorter = _without_last_sentence(words)
        if not shorter:
            raise ConfigurationError(
                f"the caption has {length(draft.caption, limits.counts)} {limits.counts}; {limits.channel} takes "
                f"{limits.caption} with the disclosure line, and its first sentence alone is longer",
                hint="shorten it with zirelia edit",
            )
        words, cut = shorter, draft.caption[len(shorter) :].strip()
    alt_text = _cut_words(draft.alt_text, limits)
    left_out = [f"#{tag}" for tag in dropped] + ([cut] if cut else [])
    if alt_text != draft.alt_text:
        left_out.append("the end of the alt text")
    return Adapted(
        caption=_whole(draft, words, kept, disclosure), hashtags=tuple(kept), alt_text=alt_text, left_out=tuple(left_out)
    )


def _whole(draft: Draft, words: str, hashtags: list[str], disclosure: str | None) -> str:
    return draft.model_copy(update={"caption": words, "hashtags": tuple(hashtags)}).for_reader(disclosure)


def _fits(draft: Draft, words: str, hashtags: list[str], disclosure: str | None, limits: ChannelLimits) -> bool:
    whole = _whole(draft, words, hashtags, disclosure)
    in_bytes = limits.caption_bytes is None or length(whole, "bytes") <= limits.caption_bytes
    return in_bytes and length(whole, limits.counts) <= limits.caption


def _without_last_sentence(words: str) -> str:
    """The text up to the end of the sentence before the last one; "" when there is only one."""
    text = words.rstrip()
    for place in range(len(text) - 2, 0, -1):
        ends = text[place] in _ENDS or (text[place] in _CLOSING and text[place - 1] in _ENDS)
        if ends and (text[place + 1].isspace() or text[place] in "。！？"):
            return text[: place + 1]
        if text[place] == "\n" and text[place + 1] != "\n":
            return text[:place].rstrip()
    return ""


def _cut_words(text: str, limits: ChannelLimits) -> str:
    """The alt text up to the last word that fits, with an ellipsis."""
    if length(text, limits.counts) <= limits.alt_text:
        return text
    words = text.split()
    while words and length(f"{' '.join(words)}…", limits.counts) > limits.alt_text:
        words.pop()
    return f"{' '.join(words)}…" if words else text[: limits.alt_text]
