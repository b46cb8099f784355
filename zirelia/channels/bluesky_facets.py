"""Which parts of a text are hashtags, mentions and links: Bluesky reads none of them out of the text itself.

    facets_of("Tee ☕ #tee", resolve=repo.resolve)
    # [{"index": {"byteStart": 8, "byteEnd": 12}, "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "tee"}]}]

Places are counted in bytes of UTF-8. A mention whose handle leads to nobody stays plain text. Knows no network. Protocol:
https://docs.bsky.app/docs/advanced-guides/post-richtext.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import regex

_LONGEST_TAG = 64
_LINK = regex.compile(r"(?<![\w@/])https?://[^\s<>\"\p{Cf}]+", regex.IGNORECASE)
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_MENTION = regex.compile(rf"(?<![^\s(])@((?:{_LABEL}\.)+(?=[a-zA-Z]){_LABEL})")
# a # that an emoji is made of begins none
_TAG = regex.compile(r"(?<!\S)[#＃](?!\ufe0f|\u20e3)(\S+)")
_AFTER = ".,;:!?'\"…”’»"
_PAIRS = {")": "(", "]": "["}
_NAMES = {"uri": "link", "tag": "tag", "did": "mention"}


def facets_of(text: str, *, resolve: Callable[[str], str | None]) -> list[dict[str, Any]]:
    """In the order of the text; none lies within another one.

    Args:
        resolve: handle → the DID behind it, None when there is none.
    """
    found: list[dict[str, Any]] = []
    end = 0
    for first, last, kind, word in sorted(_spans(text)):
        about = resolve(word.lower()) if kind == "did" else word
        if first < end or about is None:
            continue
        end = last
        place = {"byteStart": len(text[:first].encode()), "byteEnd": len(text[:last].encode())}
        found.append({"index": place, "features": [{"$type": f"app.bsky.richtext.facet#{_NAMES[kind]}", kind: about}]})
    return found


def _spans(text: str) -> Iterator[tuple[int, int, str, str]]:
    """First and last sign, the kind by the field that it fills, the word."""
    for match in _LINK.finditer(text):
        link = _without_end(match[0])
        if not link.endswith("/") or link.count("/") > 2:
            yield match.start(), match.start() + len(link), "uri", link
    for match in _TAG.finditer(text):
        tag = _without_end(match[1])
        if len(tag) <= _LONGEST_TAG and regex.search(r"[^\d\p{P}]", tag):
            yield match.start(), match.start(1) + len(tag), "tag", tag
    for match in _MENTION.finditer(text):
        yield match.start(), match.end(), "did", match[1]


def _without_end(word: str) -> str:
    """The word without what belongs to the sentence around it: "(https://a.example/b)." ends behind the b."""
    while word and (word[-1] in _AFTER or (word[-1] in _PAIRS and word.count(_PAIRS[word[-1]]) < word.count(word[-1]))):
        word = word[:-1]
    return word
