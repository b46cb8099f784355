"""What a draft says twice, or says again: its own sentences, the example posts, and what recent posts said.

    repetition(draft, recent, examples)       # () when everything is new

Compared by words, by shingles of four words, and by the likeness of meaning that somebody measured. Knows no embedder.
"""

from __future__ import annotations

from collections.abc import Sequence

from zirelia.domain.post import Draft
from zirelia.domain.text_plain import plain, sentences, words
from zirelia.domain.text_remark import Remark, TextCriterion
from zirelia.domain.verdict import Outcome

SHINGLE = 4
NEAR = 0.5
"""Share of a caption's shingles that one earlier caption may hold; different posts of one voice share 0.14 at most."""
ALIKE = 0.77
"""Cosine from which two captions say the same; by WordLlama different posts reach 0.48, the same in other words 0.83."""
OPENING = 5
"""Words that two posts in a row may not open with alike."""
LATELY = 3


def repetition(
    draft: Draft,
    recent: Sequence[Draft],
    examples: Sequence[str],
    *,
    likeness: Sequence[float] = (),
    usual_tags: Sequence[str] = (),
) -> tuple[Remark, ...]:
    """The failures only. recent: newest first; likeness: the cosine of the caption to each of them, empty when nobody measured.
    usual_tags: hashtags that the persona always sets.
    """
    caption = draft.caption
    found = [_remark(f"do not repeat '{sentence}'") for sentence in repeated_sentences(caption)]
    if plain(caption) in {plain(other.caption) for other in recent}:
        found.append(_remark("this caption was posted before; write another one"))
    else:
        nearest = max((overlap(caption, other.caption) for other in recent), default=0.0)
        if nearest > NEAR:
            told = f"{nearest:.0%} of this caption was posted before; write another one"
            found.append(_remark(told, nearest, NEAR))
        elif likeness and max(likeness) > ALIKE:
            earlier = recent[max(range(len(likeness)), key=likeness.__getitem__)].caption
            told = f"this was said before in other words: '{_begin(earlier)}'; write about something else"
            found.append(_remark(told, round(max(likeness), 3), ALIKE))
    opening = words(caption)[:OPENING]
    if len(opening) == OPENING and any(words(other.caption)[:OPENING] == opening for other in recent[:LATELY]):
        found.append(_remark(f"begin with other words than '{' '.join(opening)}'"))
    copied = {plain(s) for s in sentences(caption)} & {plain(s) for e in examples for s in sentences(e)}
    if copied:
        found.append(_remark("do not copy the example posts; write something of your own"))
    return (*found, *_same_tags(draft, recent, usual_tags))


def _same_tags(draft: Draft, recent: Sequence[Draft], usual: Sequence[str]) -> tuple[Remark, ...]:
    """Advice only: a tiny model does not choose its hashtags, and no reader is deceived by them."""
    always = {tag.lower() for tag in usual}
    own, *earlier = ({tag.lower() for tag in one.hashtags} - always for one in (draft, *recent[:LATELY]))
    if not own or len(earlier) < LATELY or any(other != own for other in earlier):
        return ()
    told = f"choose other hashtags than in the last {LATELY} posts"
    return (_remark(told).model_copy(update={"advisory": True}),)


def overlap(text: str, other: str) -> float:
    """Share of the text's shingles that the other holds too, 0 to 1; 0 for a text too short to have any."""
    own = _shingles(text)
    return len(own & _shingles(other)) / len(own) if own else 0.0


def repeated_sentences(text: str) -> tuple[str, ...]:
    """Sentences that the text says more than once, in order of appearance."""
    said = sentences(text)
    seen: dict[str, int] = {}
    for sentence in said:
        seen[plain(sentence)] = seen.get(plain(sentence), 0) + 1
    first = {plain(sentence): sentence for sentence in reversed(said)}
    return tuple(first[key] for key, count in seen.items() if count > 1)


def _shingles(text: str) -> set[tuple[str, ...]]:
    said = words(text)
    return {said[at : at + SHINGLE] for at in range(len(said) - SHINGLE + 1)}


def _begin(text: str) -> str:
    return text if len(text) <= 60 else text[:60].rsplit(" ", 1)[0] + " …"


def _remark(told: str, score: float | None = None, threshold: float | None = None) -> Remark:
    outcome = Outcome.FAILED
    return Remark(criterion=TextCriterion.REPETITION, outcome=outcome, explanation=told, score=score, threshold=threshold)
