"""The wanted picture: the art director turns brief and text into a shot, within what the image model can draw.

The scene and the light of the brief stand; outfit, expression and framing are chosen, unlike the recent ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from zirelia.definitions.answers import shot_answer
from zirelia.domain.persona import Persona
from zirelia.domain.post import Post
from zirelia.domain.shot import Shot, ShotVocabulary
from zirelia.domain.verdict import Repair
from zirelia.errors import ConfigurationError
from zirelia.ports import ChatRequest
from zirelia.workflow.accounts import ask
from zirelia.workflow.kit import Kit, Subject

RECENT_SHOTS = 6


def direct(kit: Kit, subject: Subject, post: Post, notes: Sequence[Repair] = ()) -> Shot:
    """One shot for the post. Raises what the chat model raises."""
    persona, brief = subject.persona, post.brief
    if brief is None or post.draft is None:
        raise ConfigurationError(f"post {post.id} has no brief and text to make a picture for")
    vocabulary = kit.images.vocabulary()
    recent = _recent_shots(kit, post)
    allowed = _allowed(vocabulary, persona, brief.scene, brief.light, recent) if vocabulary else None
    agent = kit.agents["art_director"]
    kit.watcher.step("direct")
    system, user = agent.render(
        {
            "name": persona.display_name,
            "brief": [f"{brief.activity} ({brief.topic})", f"scene: {brief.scene}", f"light: {brief.light}"],
            "caption": post.draft.caption,
            "wardrobe": list(persona.look.wardrobe) or None,
            "choices": _choices(allowed) if allowed else None,
            "never": list(persona.boundaries.images) or None,
            "recent": [f"{shot.outfit}, {shot.scene}, {shot.framing}" for shot in recent] or None,
            "note": "; ".join(note.phrase for note in notes) or None,
        }
    )
    request = ChatRequest(
        system=system,
        user=user,
        temperature=agent.temperature,
        max_tokens=agent.max_tokens,
        seed=post.id * 100 + len(post.attempts),
    )
    answer = ask(kit, post, "art_director", request, shot_answer(allowed))
    shot = answer.value.shot().model_copy(update={"scene": brief.scene, "light": brief.light})
    kit.watcher.done(f"{shot.framing}, {shot.outfit}, {shot.expression}, {shot.scene}, {shot.light}")
    return shot


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
