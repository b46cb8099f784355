"""The text critic: what a draft must not be, each as one typed remark that tells the writer what to change. Pure.

    remarks = criticise(draft, persona, limits, recent, claims=load_claims("en"), disclosure="Made with AI.")
    instructions(remarks)                 # () when it may be shown to a person

What could not be checked says so. Knows nothing of models and channels: what they measure comes as `Measured`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zirelia.domain.claims import Claims, claims_in
from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft
from zirelia.domain.text_boundaries import says
from zirelia.domain.text_length import length
from zirelia.domain.text_plain import mentions, plain, sentences, words
from zirelia.domain.text_remark import ChannelLimits, Remark, TextCriterion, failed, instructions
from zirelia.domain.text_repeats import repeated_sentences, repetition
from zirelia.domain.verdict import Outcome

__all__ = ["Measured", "criticise", "failed", "instructions", "mentions", "plain", "repeated_sentences", "sentences"]

LEAST_WORDS, LEAST_CERTAINTY = 4, 0.7
"""A shorter text, or a guess less sure, says nothing about the language. Measured: see docs/text.md."""

_PLACEHOLDER = re.compile(r"\{\{|\}\}|<[a-z_ ]+>|\[(your|insert|name)\b", re.IGNORECASE)
_C = TextCriterion


@dataclass(frozen=True)
class Measured:
    """What models say of the draft.

    language: code and certainty, 0 to 1. voice: the remark of `domain.voice`. likeness: cosine to each recent caption.
    suspect: sentences that may be claims though no phrase says so, with how far they lean (`claims.leaning`).
    """

    language: tuple[str, float] | None = None
    voice: Remark | None = None
    likeness: tuple[float, ...] = ()
    suspect: tuple[tuple[str, float], ...] = ()


def criticise(
    draft: Draft,
    persona: Persona,
    limits: Sequence[ChannelLimits],
    recent: Sequence[Draft] = (),
    *,
    claims: Claims | None = None,
    disclosure: str | None = None,
    measured: Measured = Measured(),
) -> tuple[Remark, ...]:
    """Every criterion's remarks: one `passed` or `not_checked`, or its failures.

    limits: of all channels that the post goes to. recent: drafts of recent posts, newest first. Raises ConfigurationError for
    a channel that counts in an unknown unit.
    """
    if limits:
        found = [
            *_judged(_C.LENGTH, _too_long(draft, limits, disclosure), "fits every channel"),
            *_judged(_C.HASHTAGS, _too_many(draft, limits), "fit every channel"),
            *_judged(_C.ALT_TEXT, _alt_text(draft, limits), "fits every channel"),
        ]
    else:
        found = [_unchecked(one, "no channel is known") for one in (_C.LENGTH, _C.HASHTAGS, _C.ALT_TEXT)]
    said = (draft.caption, draft.alt_text, " ".join(f"#{tag}" for tag in draft.hashtags))
    topics = (*persona.voice.avoid, *persona.boundaries.topics)
    broken = [f"do not mention '{t}'" for t in topics if any(says(text, t, persona.voice.language) for text in said)]
    blanks = ["leave no placeholders in the caption"] if _PLACEHOLDER.search(draft.caption) else []
    return (
        *found,
        *_judged(_C.BOUNDARIES, _simple(_C.BOUNDARIES, broken), "no forbidden topic"),
        *_claims(draft, claims, persona, measured.suspect),
        *_judged(_C.REPETITION, _repeats(draft, persona, recent, measured), "repeats nothing"),
        *_judged(_C.PLACEHOLDERS, _simple(_C.PLACEHOLDERS, blanks), "none"),
        _disclosed(persona, disclosure),
        _language(draft, persona, measured.language),
        measured.voice or _unchecked(_C.VOICE, "nobody measured the voice"),
    )


def _judged(criterion: TextCriterion, wrong: Sequence[Remark], fine: str) -> Sequence[Remark]:
    return wrong or (Remark(criterion=criterion, outcome=Outcome.PASSED, explanation=fine),)


def _unchecked(criterion: TextCriterion, why: str) -> Remark:
    return Remark(criterion=criterion, outcome=Outcome.NOT_CHECKED, explanation=why)


def _simple(criterion: TextCriterion, told: Sequence[str]) -> list[Remark]:
    return [Remark(criterion=criterion, outcome=Outcome.FAILED, explanation=one) for one in told]


def _over(criterion: TextCriterion, told: str, score: float, threshold: float) -> Remark:
    return Remark(criterion=criterion, outcome=Outcome.FAILED, explanation=told, score=score, threshold=threshold)


def _too_long(draft: Draft, limits: Sequence[ChannelLimits], disclosure: str | None) -> list[Remark]:
    found = []
    for limit in limits:
        # as `adapted` would leave it
        taken = draft.model_copy(update={"hashtags": draft.hashtags[: limit.hashtags]})
        whole, own = length(taken.for_reader(disclosure), limit.counts), length(draft.caption, limit.counts)
        if whole > limit.caption:
            most = limit.caption - (whole - own)
            told = f"write at most {max(most, 0)} {limit.counts}; the caption has {own} ({limit.channel})"
            found.append(_over(_C.LENGTH, told, whole, limit.caption))
    return found


def _too_many(draft: Draft, limits: Sequence[ChannelLimits]) -> list[Remark]:
    """Only what no channel takes: one that takes fewer than another leaves the last ones out."""
    count, most = len(draft.hashtags), max(limits, key=lambda limit: limit.hashtags)
    if count <= most.hashtags:
        return []
    told = f"give at most {most.hashtags} hashtags; there are {count} ({most.channel})"
    return [_over(_C.HASHTAGS, told, count, most.hashtags)]


def _alt_text(draft: Draft, limits: Sequence[ChannelLimits]) -> list[Remark]:
    found = []
    for limit in limits:
        size = length(draft.alt_text, limit.counts)
        if size > limit.alt_text:
            told = f"write an alt text of at most {limit.alt_text} {limit.counts}; it has {size} ({limit.channel})"
            found.append(_over(_C.ALT_TEXT, told, size, limit.alt_text))
    return found


def _claims(draft: Draft, claims: Claims | None, persona: Persona, suspect: Sequence[tuple[str, float]]) -> Sequence[Remark]:
    if claims is None:
        return (_unchecked(_C.CLAIMS, f"there is no file config/claims for '{persona.voice.language}'"),)
    found = claims_in(f"{draft.caption}\n{draft.alt_text}", claims)
    told = list(dict.fromkeys(f"{one.claim.say}: '{one.sentence}'" for one in found))
    if told:
        return _simple(_C.CLAIMS, told)
    maybe = [
        _over(_C.CLAIMS, f"may claim what a virtual character must not: '{sentence}'", round(leans, 3), 0.0)
        for sentence, leans in suspect
    ]
    advice = [one.model_copy(update={"advisory": True}) for one in maybe]
    return _judged(_C.CLAIMS, advice, "claims nothing that a virtual character may not")


def _repeats(draft: Draft, persona: Persona, recent: Sequence[Draft], measured: Measured) -> tuple[Remark, ...]:
    voice = persona.voice
    return repetition(draft, recent, voice.examples, likeness=measured.likeness, usual_tags=voice.hashtags)


def _disclosed(persona: Persona, disclosure: str | None) -> Remark:
    if disclosure or persona.disclosure.visible_line is None:
        why = "the line is there" if disclosure else f"opted out: {persona.disclosure.because}"
        return Remark(criterion=_C.DISCLOSURE, outcome=Outcome.PASSED, explanation=why)
    told = f"the post needs the line '{persona.disclosure.visible_line}'"
    return Remark(criterion=_C.DISCLOSURE, outcome=Outcome.FAILED, explanation=told)


def _language(draft: Draft, persona: Persona, guess: tuple[str, float] | None) -> Remark:
    if guess is None:
        return _unchecked(_C.LANGUAGE, "there is no language identifier")
    code, sure = guess
    if len(words(draft.caption)) < LEAST_WORDS or sure < LEAST_CERTAINTY:
        return _unchecked(_C.LANGUAGE, f"too short or too unsure ({code}, {sure:.2f})")
    right = code == persona.voice.language.split("-")[0]
    told = f"reads as '{code}'" if right else f"write in '{persona.voice.language}', not in '{code}'"
    outcome = Outcome.PASSED if right else Outcome.FAILED
    return Remark(criterion=_C.LANGUAGE, outcome=outcome, explanation=told, score=sure, threshold=LEAST_CERTAINTY)
