"""The wanted picture: the art director turns brief and text into a shot, within what the image model can draw.

    shot, remark = direct(kit, subject, post)     # the remark says whether it was there before, and what was done about it

The scene and the light of the brief stand; outfit, expression, framing and pose are chosen, unlike the recent ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from zirelia.definitions.answers import shot_answer
from zirelia.domain.novelty import POSES, changed, in_short, novelty, seen_before
from zirelia.domain.persona import Persona
from zirelia.domain.post import Brief, Post
from zirelia.domain.shot import Framing, Shot, ShotVocabulary
from zirelia.domain.text_remark import Remark
from zirelia.domain.verdict import Repair
from zirelia.errors import ConfigurationError
from zirelia.ports import ChatRequest
from zirelia.workflow.accounts import ask
from zirelia.workflow.kit import Kit, Subject

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
    recent = _recent_shots(kit, post)
    allowed = _allowed(vocabulary, persona, brief.scene, brief.light, recent) if vocabulary else None
    kit.watcher.step("direct")
    said = [note.phrase for note in notes]
    asked: list[Shot] = []
    for turn in range(1 + REDIRECTIONS):
        asked.append(_asked(kit, persona, post, brief, allowed, recent, said, turn))
        repeated = seen_before(asked[-1], recent)
        if repeated is None:
            break
        again = f"{in_short(repeated)} was shown lately; choose another outfit, framing or pose"
        kit.watcher.note(again)
        said = [*(note.phrase for note in notes), again]
    shot = _changed(asked[-1], allowed, persona, recent)
    remark = novelty(asked, shot, recent)
    if len(asked) > 1:
        kit.watcher.note(remark.explanation)
    kit.watcher.done(f"{shot.framing}, {shot.outfit}, {shot.expression}, {shot.scene}, {shot.light}")
    return shot, remark


def _asked(
    kit: Kit,
    persona: Persona,
    post: Post,
    brief: Brief,
    allowed: ShotVocabulary | None,
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
            "wardrobe": list(persona.look.wardrobe) or None,
            "choices": _choices(allowed) if allowed else None,
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
    answer = ask(kit, post, "art_director", request, shot_answer(allowed), turn=turn + 1)
    return answer.value.shot().model_copy(update={"scene": brief.scene, "light": brief.light})


def _changed(shot: Shot, allowed: ShotVocabulary | None, persona: Persona, recent: Sequence[Shot]) -> Shot:
    """The shot itself when it is new, else with what the image model can draw: a small world draws no poses."""
    if allowed is None:
        return changed(shot, recent, persona.look.wardrobe, tuple(Framing), POSES)
    return changed(shot, recent, allowed.outfits, allowed.framings)


def _allowed(vocabulary: ShotVocabulary, persona: Persona, scene: str, light: str, recent: Sequence[Shot]) -> ShotVocabulary:
    """The model's words narrowed to the brief, to her own clothes, and to outfits not worn in the last pictures."""
    worn = {shot.outfit for shot in recent[:3]}
    own = [outfit for outfit in vocabulary.outfits if outfit in persona.look.wardrobe] or list(vocabulary.outfits)
    fresh = [outfit for outfit in own if outfit not in worn] or own
    return vocabulary.model_copy(update={"scenes": (scene,), "lights": (light,), "outfits": tuple(fresh)})


def _choices(allowed: ShotVocabulary) -> list[str]:
    return [
        "outfit: " + ", ".join(allowed.outfits),
        "expression: " + ", ".join(allowed.expressions),
        "framing: " + ", ".join(allowed.framings),
    ]


def _recent_shots(kit: Kit, post: Post) -> tuple[Shot, ...]:
    posts = kit.store.remembered(post.persona, but=post.id, limit=RECENT_SHOTS)
    return tuple(other.shot for other in posts if other.shot is not None)
