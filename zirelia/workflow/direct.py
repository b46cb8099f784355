"""The wanted picture: the art director turns brief and text into a shot, within what the image model can draw.

    shot, remark = direct(kit, subject, post)     # the remark says whether it was there before, and what was done about it

The scene and the light of the brief stand; outfit, expression, framing and pose are chosen, unlike the recent ones. Outfits and
poses take turns (`domain.rotation`), unless a person asked for something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zirelia.definitions.answers import shot_answer
from zirelia.domain.novelty import POSES, changed, in_short, novelty, seen_before
from zirelia.domain.persona import Persona
from zirelia.domain.post import Brief, Post
from zirelia.domain.rotation import LEFT, rested, turned
from zirelia.domain.shot import Framing, Shot, ShotVocabulary
from zirelia.domain.text_plain import mentions
from zirelia.domain.text_remark import Remark
from zirelia.domain.verdict import Repair
from zirelia.errors import ConfigurationError
from zirelia.ports import ChatRequest
from zirelia.workflow.accounts import ask
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.memory import LOOKED_BACK

RECENT_SHOTS = 6
REDIRECTIONS = 2
"""How often a shot that was there before is asked for again."""


def direct(kit: Kit, subject: Subject, post: Post, notes: Sequence[Repair] = ()) -> tuple[Shot, Remark]:
    """One shot for the post, not one of the recent ones: asked again at most twice, then another pose, framing or outfit is
    taken. The remark says what was changed and why. Raises what the chat model raises.
    """
    persona, brief = subject.persona, post.brief
    if brief is None or post.draft is None:
        raise ConfigurationError(f"post {post.id} has no brief and text to make a picture for")
    vocabulary = kit.images.vocabulary()
    shown = _recent_shots(kit, post)
    recent = shown[:RECENT_SHOTS]
    said = [note.phrase for note in notes]
    turns = _turns(vocabulary, persona, shown, said)
    allowed = vocabulary and vocabulary.model_copy(
        update={"scenes": (brief.scene,), "lights": (brief.light,), "outfits": turns.outfits}
    )
    kit.watcher.step("direct")
    asked: list[Shot] = []
    for turn in range(1 + REDIRECTIONS):
        wanted = _asked(kit, persona, post, brief, allowed, turns, recent, said, turn)
        asked.append(wanted if notes else turns.kept(wanted))
        repeated = seen_before(asked[-1], recent)
        if repeated is None:
            break
        again = f"{in_short(repeated)} was shown lately; choose another outfit, framing or pose"
        kit.watcher.note(again)
        said = [*(note.phrase for note in notes), again]
    shot = _changed(asked[-1], allowed, turns, recent)
    remark = novelty(asked, shot, recent)
    if len(asked) > 1:
        kit.watcher.note(remark.explanation)
    kit.watcher.done(f"{shot.framing}, {shot.outfit}, {shot.expression}, {shot.scene}, {shot.light}")
    return shot, remark


@dataclass(frozen=True)
class _Turns:
    """Whose turn it is: outfits and poses to choose from now, out of all that fit, and what was shown lately, newest first."""

    outfits: tuple[str, ...]
    poses: tuple[str, ...]
    wardrobe: tuple[str, ...]
    shown: tuple[Shot, ...]

    def kept(self, shot: Shot) -> Shot:
        """The shot, with the outfit or pose of which it is the turn in place of one that was used lately."""
        outfit = turned(shot.outfit, self.wardrobe, [other.outfit for other in self.shown])
        pose = turned(shot.pose, POSES[1:] if self.poses else (), [other.pose for other in self.shown if other.pose])
        return shot.model_copy(update={"outfit": outfit, "pose": pose})


def _turns(vocabulary: ShotVocabulary | None, persona: Persona, shown: tuple[Shot, ...], said: Sequence[str]) -> _Turns:
    """Of the model's words only her own clothes count, if it can draw any; a small world draws no poses. An outfit that a
    person names stays, whenever it was worn.
    """
    own = persona.look.wardrobe
    if vocabulary is not None:
        own = tuple(outfit for outfit in vocabulary.outfits if outfit in own) or vocabulary.outfits
    turn = rested(own, [shot.outfit for shot in shown], at_least=LEFT)
    named = [outfit for outfit in own if any(mentions(phrase, outfit) for phrase in said)]
    poses = () if vocabulary else rested(POSES[1:], [shot.pose for shot in shown if shot.pose], at_least=LEFT)
    return _Turns(outfits=tuple(dict.fromkeys((*turn, *named))), poses=poses, wardrobe=own, shown=shown)


def _asked(
    kit: Kit,
    persona: Persona,
    post: Post,
    brief: Brief,
    allowed: ShotVocabulary | None,
    turns: _Turns,
    recent: Sequence[Shot],
    said: Sequence[str],
    turn: int,
) -> Shot:
    """The art director's shot, in the scene and the light of the brief."""
    agent = kit.agents["art_director"]
    system, user = agent.render(
        {
            "name": persona.display_name,
            "brief": [f"{brief.activity} ({brief.topic})", f"scene: {brief.scene}", f"light: {brief.light}"],
            "caption": post.draft.caption if post.draft else brief.angle,
            "wardrobe": list(turns.outfits) or None,
            "choices": _choices(allowed) if allowed else ["pose: " + ", ".join(turns.poses)],
            "never": list(persona.boundaries.images) or None,
            "recent": [in_short(shot) for shot in recent] or None,
            "note": "; ".join(said) or None,
        }
    )
    request = ChatRequest(
        system=system,
        user=user,
        temperature=agent.temperature,
        max_tokens=agent.max_tokens,
        seed=post.id * 100 + len(post.attempts) + 10 * turn,
    )
    # after a crash another outfit's turn may have come: the answer that was paid for is taken, and then turned
    ever = allowed and allowed.model_copy(update={"outfits": turns.wardrobe})
    answer = ask(kit, post, "art_director", request, shot_answer(allowed), turn=turn + 1, kept_as=shot_answer(ever))
    return answer.value.shot().model_copy(update={"scene": brief.scene, "light": brief.light})


def _changed(shot: Shot, allowed: ShotVocabulary | None, turns: _Turns, recent: Sequence[Shot]) -> Shot:
    """The shot itself when it is new, else with what the image model can draw: a small world draws no poses."""
    if allowed is None:
        return changed(shot, recent, (*turns.outfits, *turns.wardrobe), tuple(Framing), (*turns.poses, *POSES))
    return changed(shot, recent, allowed.outfits, allowed.framings)


def _choices(allowed: ShotVocabulary) -> list[str]:
    return [
        "outfit: " + ", ".join(allowed.outfits),
        "expression: " + ", ".join(allowed.expressions),
        "framing: " + ", ".join(allowed.framings),
    ]


def _recent_shots(kit: Kit, post: Post) -> tuple[Shot, ...]:
    posts = kit.store.remembered(post.persona, but=post.id, limit=LOOKED_BACK)
    return tuple(other.shot for other in posts if other.shot is not None)
