"""Rules about written text: what a draft must not be. Pure; measured in the words that a person would use to correct it.

    problems(draft, persona, caption_limit=2200, recent=())   # () when there is nothing to correct

Knows nothing of models and channels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft

_PLACEHOLDER = re.compile(r"\{\{|\}\}|<[a-z_ ]+>|\[(your|insert|name)\b", re.IGNORECASE)


def problems(draft: Draft, persona: Persona, *, caption_limit: int, recent: Sequence[str]) -> tuple[str, ...]:
    """What is wrong with the draft, each as one instruction to the writer; empty when it may be shown to a person.

    recent: captions of recent posts, which must not be repeated word for word.
    """
    caption = draft.caption
    found = []
    if len(caption) > caption_limit:
        found.append(f"write at most {caption_limit} characters; the caption has {len(caption)}")
    for word in (*persona.voice.avoid, *persona.boundaries.topics):
        if mentions(caption, word) or mentions(draft.alt_text, word):
            found.append(f"do not mention '{word}'")
    if _PLACEHOLDER.search(caption):
        found.append("leave no placeholders in the caption")
    if plain(caption) in {plain(other) for other in recent}:
        found.append("this caption was posted before; write another one")
    for sentence in repeated_sentences(caption):
        found.append(f"do not repeat '{sentence}'")
    copied = {plain(s) for s in sentences(caption)} & {plain(s) for e in persona.voice.examples for s in sentences(e)}
    if copied:
        found.append("do not copy the example posts; write something of your own")
    return tuple(found)


def mentions(text: str, phrase: str) -> bool:
    """Whether the text says the phrase as whole words, whatever the case and the accents."""
    return re.search(rf"(?<!\w){re.escape(plain(phrase))}(?!\w)", plain(text)) is not None


def plain(text: str) -> str:
    """Lower case, no accents, no fancy letters, single spaces: for comparing, never for showing."""
    # decomposed before and after: a fancy capital is a capital only then, and folding may compose again
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text that are longer than a few letters."""
    return tuple(s.strip() for s in re.split(r"(?<=[.!?…])\s+|\n+", text) if len(s.strip()) > 8)


def repeated_sentences(text: str) -> tuple[str, ...]:
    """Sentences that the text says more than once, in order of appearance."""
    said = sentences(text)
    seen: dict[str, int] = {}
    for sentence in said:
        seen[plain(sentence)] = seen.get(plain(sentence), 0) + 1
    first = {plain(sentence): sentence for sentence in reversed(said)}
    return tuple(first[key] for key, count in seen.items() if count > 1)
