"""The text of a post in the persona's voice: drafted, checked against the rules, the best of several kept.

    post = draft(kit, subject, post)      # drafted, stored

A draft that breaks a rule, or that the chat model finds a claim in, is asked for again with what is wrong, at most twice; then
the post is held, not posted half-right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zirelia.definitions.answers import DraftAnswer, ShortDraftAnswer
from zirelia.domain.arc import told_by
from zirelia.domain.persona import Persona
from zirelia.domain.post import Brief, Draft, Post, PostState, move
from zirelia.domain.prompt import place
from zirelia.domain.text import instructions
from zirelia.domain.text_length import length
from zirelia.domain.text_remark import ChannelLimits, together
from zirelia.errors import BadAnswer, ConfigurationError
from zirelia.ports import ChatRequest
from zirelia.workflow.accounts import ask
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.text_critic import ask_critic
from zirelia.workflow.wording import Measures, judge_text, limits_of, line_beside, measures

REWRITES = 2
ROUNDS = 1 + REWRITES
NEAR = 0.7
"""Similarity to the brief above which nearer is not better, in cosine."""
LEAST_CAPTION, DEFAULT_CAPTION_LIMIT = 40, 2200
MOST_HASHTAGS, NEW_HASHTAGS, A_HASHTAG = 8, 5, "x" * 12
"""Hashtags of a draft, those among them that the writer adds, and one of usual length for when none has been seen."""
LATELY = 3


def draft(kit: Kit, subject: Subject, post: Post) -> Post:
    """Writes the text and moves the post to `drafted`, with what the text critic found in it. Raises BadAnswer with the
    remarks of the last round when no draft keeps the rules.
    """
    persona, brief = subject.persona, post.brief
    if brief is None:
        raise ConfigurationError(f"post {post.id} has no brief to write about")
    known = measures(kit, persona, post)
    recent = tuple(other.caption for other in known.recent)
    tags = usual_hashtags(persona, known.recent)
    kit.watcher.step("draft")
    kept: list[Draft] = []
    complaints: tuple[str, ...] = ()
    for round_number in range(ROUNDS):
        for candidate in range(kit.candidates):
            turn = round_number * kit.candidates + candidate + 1
            try:
                limit = caption_limit(limits_of(kit, persona), tags, line_beside(kit, persona, post))
                written, raw = _write(kit, persona, post, brief, complaints, limit, turn)
            except BadAnswer as error:
                # one of several drafts that misses its form is one draft fewer; the only one is the model's failure
                if kit.candidates == 1:
                    raise
                complaints, raw = (error.message,), error.raw
                continue
            tags = written.hashtags
            judged = _judged(kit, persona, post, written, known, turn)
            found = instructions(judged.remarks)
            if not found:
                kept.append(judged)
            else:
                complaints = found
            kit.watcher.progress(turn / (ROUNDS * kit.candidates), f"draft {turn}")
        if kept:
            break
        again = f"; written again ({round_number + 1} of {REWRITES})" if round_number < REWRITES else ""
        kit.watcher.note("; ".join(complaints) + again)
    if not kept:
        raise BadAnswer("no draft kept the rules: " + "; ".join(complaints), provider=kit.chat.facts().backend, raw=raw)
    return _stored(kit, post, _best(kit, kept, brief, recent))


def _judged(kit: Kit, persona: Persona, post: Post, written: Draft, known: Measures, turn: int) -> Draft:
    """With its remarks. The chat model is only asked about what keeps the rules: it costs, and they do not."""
    remarks = judge_text(kit, persona, post, written, known=known)
    if not instructions(remarks):
        remarks = together(ask_critic(kit, persona, post, written, turn=turn), remarks)
    return written.model_copy(update={"remarks": remarks})


def _stored(kit: Kit, post: Post, draft: Draft) -> Post:
    drafted, event = move(post.model_copy(update={"draft": draft}), PostState.DRAFTED, at=kit.now(), actor="drafter")
    kit.store.save_post(drafted, expected_version=post.version, events=[event])
    kit.watcher.done(draft.caption.splitlines()[0][:80])
    return drafted


def _write(
    kit: Kit, persona: Persona, post: Post, brief: Brief, complaints: Sequence[str], limit: int, turn: int
) -> tuple[Draft, str]:
    if kit.short_voice:
        return _write_short(kit, persona, post, brief, turn)
    agent, voice = kit.agents["drafter"], persona.voice
    tone = f"{', '.join(voice.tone)}. {voice.style} Language: {voice.language}. Emoji: {voice.emoji}."
    if voice.catchphrases:
        tone += f" She sometimes says: {'; '.join(voice.catchphrases)}."
    system, user = agent.render(
        {
            "name": persona.display_name,
            "voice": tone,
            "examples": list(voice.examples) or None,
            "brief": _brief_lines(persona, brief),
            "avoid": [*voice.avoid, *persona.boundaries.topics] or None,
            "limits": f"at most {limit} characters",
            "note": "; ".join(complaints) or None,
        }
    )
    request = ChatRequest(
        system=system,
        user=user,
        temperature=agent.temperature,
        max_tokens=agent.max_tokens,
        seed=post.id * 100 + turn,
    )
    answer = ask(kit, post, "drafter", request, DraftAnswer, turn=turn)
    tags = [*persona.voice.hashtags, *answer.value.hashtags]
    unique = {tag.lower(): tag for tag in reversed(tags)}
    hashtags = tuple(dict.fromkeys(unique[tag.lower()] for tag in tags))[:MOST_HASHTAGS]
    return Draft(
        caption=answer.value.caption, hashtags=hashtags, alt_text=answer.value.alt_text, voice=answer.model
    ), answer.raw


def _write_short(kit: Kit, persona: Persona, post: Post, brief: Brief, turn: int) -> tuple[Draft, str]:
    """By a tiny model: two sentences of its own; hashtags and alt text are read off the brief."""
    agent = kit.agents["short_drafter"]
    part = told_by(persona.arcs, brief)
    thought = part.beat.tells if part else f"She thinks of {brief.topic}."
    scene = f"{persona.display_name} {brief.activity}, {place(brief.scene)}, {brief.light}. {thought}"
    system, user = agent.render({"name": persona.display_name, "bio": persona.bio.split(".")[0], "scene": scene})
    request = ChatRequest(
        system=system,
        user=user,
        temperature=agent.temperature,
        max_tokens=agent.max_tokens,
        seed=post.id * 100 + turn,
    )
    answer = ask(kit, post, "drafter", request, ShortDraftAnswer, turn=turn)
    words = [word for word in re.findall(r"[a-z]+", f"{brief.topic} {brief.scene}".lower()) if len(word) > 3]
    hashtags = tuple(dict.fromkeys([*persona.voice.hashtags, *words]))[:5]
    alt_text = f"{persona.display_name}, {place(brief.scene)}, {brief.light}."
    return Draft(caption=answer.value.spelt(), hashtags=hashtags, alt_text=alt_text, voice=answer.model), answer.raw


def _brief_lines(persona: Persona, brief: Brief) -> list[str]:
    lines = [f"topic: {brief.topic}", f"today: {brief.angle}", f"she {brief.activity}", f"place: {brief.scene}"]
    if brief.occasion:
        lines.append(f"occasion: {brief.occasion}")
    part = told_by(persona.arcs, brief)
    if part is not None:
        lines += [f"told in earlier posts: {told}" for told in part.so_far()]
        lines.append(f"the story goes on, tell this: {part.beat.tells}")
    return lines


def _best(kit: Kit, drafts: Sequence[Draft], brief: Brief, recent: Sequence[str]) -> Draft:
    """The draft closest to the brief and farthest from recent posts, by embeddings where there are any."""
    if len(drafts) == 1 or kit.embedder is None:
        return drafts[0]
    asked = f"{brief.topic}. {brief.angle} {brief.activity}, {brief.scene}"
    vectors = kit.embedder.embed([asked, *(d.caption for d in drafts), *recent])
    wish, written, past = vectors[0], vectors[1 : 1 + len(drafts)], vectors[1 + len(drafts) :]
    # beyond NEAR a draft only says the brief again
    scores = (written @ wish).clip(max=NEAR)
    if len(past):
        scores = scores - 0.5 * (written @ past.T).max(axis=1)
    return drafts[int(scores.argmax())]


def usual_hashtags(persona: Persona, recent: Sequence[Draft]) -> tuple[str, ...]:
    """The hashtags that a draft will have, as far as one can know before it is written: the longest ones of her last posts,
    else her own and as many more as the writer is asked for.

    recent: newest first.
    """
    own = persona.voice.hashtags
    lately = [one.hashtags for one in recent[:LATELY] if one.hashtags]
    more = min(NEW_HASHTAGS, MOST_HASHTAGS - len(own))
    return max(lately, key=lambda tags: len("".join(tags)) + 2 * len(tags), default=(*own, *[A_HASHTAG] * max(more, 0)))


def caption_limit(limits: Sequence[ChannelLimits], hashtags: Sequence[str], disclosure: str | None) -> int:
    """What is left for the caption on the tightest channel, in that channel's unit, beside these hashtags and the disclosure
    line; never less than a draft must have.
    """

    def left(one: ChannelLimits) -> int:
        beside = Draft(caption=".", hashtags=tuple(hashtags)[: one.hashtags], alt_text=".").for_reader(disclosure)
        return one.caption - length(beside, one.counts) + length(".", one.counts)

    return max(LEAST_CAPTION, min([*map(left, limits), DEFAULT_CAPTION_LIMIT]))
