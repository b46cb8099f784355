"""Posts of her account that Zirelia did not publish: what was there before it, or was made in the platform's app.

    past = PastPost(channel="instagram", code="C0ffee", url=..., caption="Rain since six. #rain", at=..., hashtags=("rain",))
    own_words(past.caption)                     # "Rain since six.": what her voice is measured by
    memories_of([past, ...])[0].line()          # '"rain, since" (an earlier post) #rain': all that a planner sees
    next_look(last, dry=False, now=now)         # when the account may be looked at again; None for now

A caption is data from the web. To a planner it is a few single words in alphabetical order, which can say what a post was about
and cannot tell anybody to do anything. Knows no platform and no table.
"""

from __future__ import annotations

import collections
import re
import unicodedata
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from zirelia.domain.memory import Memory
from zirelia.domain.text_plain import plain
from zirelia.domain.value import Instant, Slug, Text, Value, printable

LONGEST_CAPTION = 5_000
"""Characters that are kept; Instagram takes 2,200."""
MOST_HASHTAGS = 30
REST = timedelta(hours=24)
"""Between two looks at one account."""
LEAST_WORDS = 3
"""With fewer a caption says nothing of how she writes."""

_TOLD = 6
"""Words that stand for a caption."""
_TAG = re.compile(r"#\w+")
_ADDRESS = re.compile(r"https?://\S+|www\.\S+|@[\w.]+")
_WORD = re.compile(r"[^\W\d_]{4,20}")
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Scripts that put no space between words: a piece of such a text would be a sentence."""


def _seen(said: object) -> object:
    return printable(said) if isinstance(said, str) else said


class PastPost(Value):
    """code: the platform's short id, as it stands in the address. likes, comments: None where the platform hides them."""

    channel: Slug
    code: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    url: Text
    caption: Annotated[str, BeforeValidator(_seen)] = Field(default="", max_length=LONGEST_CAPTION)
    at: Instant
    likes: int | None = Field(default=None, ge=0)
    comments: int | None = Field(default=None, ge=0)
    is_video: bool = False
    hashtags: tuple[Text, ...] = Field(default=(), max_length=MOST_HASHTAGS)


class Snapshot(Value):
    """One look at the persona's own account. dry: no post was read. followers, posts: as it shows them, once it was read."""

    persona: Slug
    channel: Slug
    handle: Text
    at: Instant
    dry: bool = False
    followers: int | None = Field(default=None, ge=0)
    posts: int | None = Field(default=None, ge=0)


def next_look(last: Snapshot | None, *, dry: bool, now: datetime) -> datetime | None:
    """When the account may be looked at again; None: now. A whole look may follow a dry one."""
    if last is None or (last.dry and not dry):
        return None
    until = last.at + REST
    return until if now < until else None


def own_words(caption: str) -> str:
    """The caption without addresses, mentions and the hashtags at its end; a hashtag inside a sentence stays as its word."""
    lines = (" ".join(line.split()) for line in _ADDRESS.sub(" ", caption).splitlines())
    # people part their hashtags from the text by lines with nothing but a dot
    text = "\n".join(line for line in lines if any(sign.isalnum() for sign in line))
    return re.sub(r"(?:\s?#\w+)+$", "", text).replace("#", "").strip()


def spoken(past: Sequence[PastPost]) -> tuple[str, ...]:
    """The own words of those posts that have any to speak of, in their order."""
    said = (own_words(one.caption) for one in past)
    return tuple(text for text in said if len(text.split()) >= LEAST_WORDS)


def memories_of(past: Sequence[PastPost], *, constant: Collection[str] = ()) -> tuple[Memory, ...]:
    """What is remembered of them, in their order; a post that says nothing is left out.

    constant: hashtags that say nothing. Of each caption the words that the fewest of her captions have are kept.
    """
    usual = {plain(tag) for tag in constant}
    spoken_by = {one.code: _words(one.caption) for one in past}
    common = collections.Counter(word for words in spoken_by.values() for word in words)
    found = []
    for one in past:
        telling = sorted(spoken_by[one.code], key=lambda word: (common[word], -len(word), word))[:_TOLD]
        tags = tuple(tag for tag in one.hashtags if plain(tag) not in usual)
        title = ", ".join(sorted(telling)) or ", ".join(tags[:_TOLD])
        if title:
            found.append(Memory(post_id=one.code, title=title, hashtags=tags))
    return tuple(found)


def _words(caption: str) -> frozenset[str]:
    text = _TAG.sub(" ", _ADDRESS.sub(" ", unicodedata.normalize("NFKC", caption).casefold()))
    return frozenset(word for word in _WORD.findall(text) if not _WITHOUT_SPACES.search(word))
