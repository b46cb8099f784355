"""The text critic at work: gathers what it needs from the kit, and judges a draft or a person's edit.

    remarks = judge_text(kit, subject.persona, post, draft)
    draft = judge_edit(kit, subject.persona, post, draft)     # with its remarks; refuses what no channel takes

Changes nothing and pays for nothing: the chat model is asked by `workflow.text_critic`, once, when the text is written. What
it said stays with the text while caption and hashtags do. An identifier of languages and an embedder are asked when there are
any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

from zirelia.definitions.claims import load_claims
from zirelia.definitions.disclosure import line_for
from zirelia.definitions.voices import load_voices
from zirelia.domain.claims import leaning
from zirelia.domain.history import spoken
from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft, Post, PostState
from zirelia.domain.text import Measured, criticise, failed, instructions, sentences
from zirelia.domain.text_remark import HARD, ChannelLimits, Remark, TextCriterion, by_critic, by_phrases_only, together
from zirelia.domain.verdict import Outcome
from zirelia.domain.voice import Sound, drift
from zirelia.domain.voice_style import style
from zirelia.errors import ConfigurationError, IllegalTransition, ProviderError
from zirelia.ports import Capabilities
from zirelia.workflow.kit import Kit

RECENT_TEXTS = 30
OF_ALT_TEXT = frozenset({TextCriterion.ALT_TEXT, TextCriterion.BOUNDARIES, TextCriterion.CLAIMS})
"""What an alt text can break. The rest is judged when the caption is written: posts that came since must not hold it."""
HERS = frozenset({PostState.APPROVED, PostState.PUBLISHING, PostState.PUBLISHED})


@dataclass(frozen=True)
class Measures:
    """What costs something to compute and is the same for all drafts of a post: read it once.

    recent: drafts of recent posts, newest first. own: captions that a person let pass, those of posts from before Zirelia, and
    the pack's examples.
    """

    recent: tuple[Draft, ...]
    own: tuple[str, ...]


def measures(kit: Kit, persona: Persona, post: Post) -> Measures:
    others = kit.store.remembered(post.persona, but=post.id, limit=RECENT_TEXTS)
    recent = tuple(other.draft for other in others if other.draft is not None)
    approved = tuple(other.draft.caption for other in others if other.draft is not None and other.state in HERS)
    earlier = spoken(kit.store.past(persona.name, limit=RECENT_TEXTS))
    return Measures(recent=recent, own=(*persona.voice.examples, *approved, *earlier))


def limits_of(kit: Kit, persona: Persona) -> tuple[ChannelLimits, ...]:
    """The limits of the persona's channels that are there."""
    known = [(name, kit.channels[name].capabilities()) for name in persona.channels if name in kit.channels]
    return tuple(channel_limits(name, capabilities) for name, capabilities in known)


def channel_limits(name: str, capabilities: Capabilities) -> ChannelLimits:
    return ChannelLimits(
        channel=name,
        caption=capabilities.caption_limit,
        hashtags=capabilities.hashtag_limit,
        alt_text=capabilities.alt_text_limit,
        counts=capabilities.counts,
        caption_bytes=capabilities.caption_bytes,
    )


def line_beside(kit: Kit, persona: Persona, post: Post) -> str | None:
    """The disclosure line that stands under the caption on at least one of her channels."""
    labels = [kit.channels[name].capabilities().ai_label for name in persona.channels if name in kit.channels]
    return line_for(persona, post.disclosure, ai_label=all(labels))


def judge_text(
    kit: Kit,
    persona: Persona,
    post: Post,
    draft: Draft,
    *,
    known: Measures | None = None,
) -> tuple[Remark, ...]:
    """All remarks about the draft. `known` saves reading the store again."""
    known = known or measures(kit, persona, post)
    return criticise(
        draft,
        persona,
        limits_of(kit, persona),
        known.recent,
        claims=load_claims(persona.voice.language),
        disclosure=line_beside(kit, persona, post),
        measured=_measured(kit, persona, draft, known),
    )


def judge_edit(kit: Kit, persona: Persona, post: Post, draft: Draft) -> Draft:
    """A person's draft with its remarks, by rules alone: a change of the caption or the hashtags is shown to no chat model, and
    says so. Raises IllegalTransition for what a channel would refuse; the rest only warns.
    """
    remarks = judge_text(kit, persona, post, draft)
    refused = [remark.explanation for remark in failed(remarks) if remark.criterion in HARD]
    if refused:
        raise IllegalTransition(f"post {post.id} cannot say that: {'; '.join(refused)}", hint="shorten it and edit again")
    before = post.draft
    if before is not None and (before.caption, before.hashtags) == (draft.caption, draft.hashtags):
        opinion = by_critic(before.remarks)
    else:
        opinion = (by_phrases_only("a person's own words are not sent to the chat model"),)
    return draft.model_copy(update={"remarks": (*together(opinion, remarks), *_of_the_shot(post))})


def with_alt_text(kit: Kit, persona: Persona, post: Post, alt_texts: Sequence[str]) -> tuple[Draft, tuple[str, ...]]:
    """The post's draft, judged again with the first alt text that breaks no rule, or the last; and what it now breaks that it
    did not break before. Raises ConfigurationError for a post without a text.
    """
    if post.draft is None:
        raise ConfigurationError(f"post {post.id} has no text to describe a picture for")
    known = measures(kit, persona, post)
    before = set(instructions(post.draft.remarks))
    for alt_text in alt_texts:
        described = post.draft.model_copy(update={"alt_text": alt_text})
        remarks = judge_text(kit, persona, post, described, known=known)
        said = instructions(remark for remark in remarks if remark.criterion in OF_ALT_TEXT)
        broken = tuple(told for told in said if told not in before)
        judged = described.model_copy(
            update={"remarks": (*together(by_critic(post.draft.remarks), remarks), *_of_the_shot(post))}
        )
        if not broken:
            break
        kit.watcher.note(f"alt text: {'; '.join(broken)}")
    return judged, broken


def with_novelty(draft: Draft, remark: Remark) -> Draft:
    """The draft with what was found of its shot, in place of what was found of an earlier one."""
    others = tuple(one for one in draft.remarks if one.criterion is not TextCriterion.NOVELTY)
    return draft.model_copy(update={"remarks": (*others, remark)})


def _of_the_shot(post: Post) -> tuple[Remark, ...]:
    """Remarks that no text can change."""
    return tuple(one for one in post.draft.remarks if one.criterion is TextCriterion.NOVELTY) if post.draft else ()


def _measured(kit: Kit, persona: Persona, draft: Draft, known: Measures) -> Measured:
    """What the identifier and the embedder say; without them it is not checked, or checked by less."""
    voices, claims = load_voices(persona.voice.language), load_claims(persona.voice.language)
    said = sentences(draft.caption)
    caption, past, own, others, one_by_one, claimed, harmless = _embedded(
        kit,
        [draft.caption],
        [other.caption for other in known.recent],
        known.own,
        voices.posts if voices else (),
        said,
        claims.claimed if claims else (),
        claims.harmless if claims else (),
    )
    leans = [leaning(vector, claimed, harmless) for vector in one_by_one]
    if voices is None:
        voice = _unheard(persona)
    else:
        hers = [Sound(style(text, voices.pronouns), vector) for text, vector in zip(known.own, own, strict=True)]
        theirs = [Sound(style(text, voices.pronouns), vector) for text, vector in zip(voices.posts, others, strict=True)]
        voice = drift(Sound(style(draft.caption, voices.pronouns), caption[0]), hers, theirs)
    return Measured(
        language=kit.identifier.identify(draft.caption) if kit.identifier else None,
        # a tiny model has no voice to keep: it is shown, and sends nothing back
        voice=voice.model_copy(update={"advisory": kit.short_voice and voice.outcome is Outcome.FAILED}),
        likeness=tuple(sum(map(mul, caption[0], one)) for one in past),
        suspect=tuple((sentence, lean) for sentence, lean in zip(said, leans, strict=True) if lean > 0),
    )


def _embedded(kit: Kit, *groups: Sequence[str]) -> list[list[list[float]]]:
    """A vector for each text of each group, all empty where nothing embeds."""
    texts = [text for group in groups for text in group]
    rows: list[list[float]] = [[] for _ in texts]
    if kit.embedder is not None:
        try:
            rows = kit.embedder.embed(texts).tolist()
        except ProviderError as error:
            kit.watcher.note(f"voice and near repeats are judged by their words alone: {error.message}")
    ends = [sum(map(len, groups[: at + 1])) for at in range(len(groups))]
    return [rows[end - len(group) : end] for end, group in zip(ends, groups, strict=True)]


def _unheard(persona: Persona) -> Remark:
    why = f"there is no file config/voices for '{persona.voice.language}'"
    return Remark(criterion=TextCriterion.VOICE, outcome=Outcome.NOT_CHECKED, explanation=why)
