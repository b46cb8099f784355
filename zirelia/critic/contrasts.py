"""What a wanted phrase is held against when a model says which of several fits a picture best.

    of_shot(shot, persona)                  # scene, outfit, light, expression, framing: each with its contrasts
    of_trait(trait, "woman")                # "long wavy teal hair" against "blonde", "short hair"

A contrast may fail a picture only when it surely is something else than what was wanted: the persona's own other scenes and
clothes, the look's contradictions, and of our plain lists only where the wanted words name an entry of the list. Pure words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zirelia.critic.words import says
from zirelia.domain.persona import Persona, Trait
from zirelia.domain.shot import Framing, Shot

MOST = 12
"""Contrasts of one phrase: more only split what is like each other."""

# The phrase that stands for a group → the words by which a brief names the group.
LIGHTS = {
    "bright daylight": ("daylight", "noon", "sunny", "sunlight", "morning light", "overcast", "day"),
    "golden sunset light": ("golden hour", "golden", "sunset", "sunrise", "dusk", "evening light"),
    "night, dark": ("night", "dark", "moonlight", "midnight"),
    "neon light": ("neon",),
}
EXPRESSIONS = {
    "a smile": ("smiling", "smile", "grin", "laughing", "laugh", "happy", "cheerful"),
    "a serious face": ("serious", "neutral", "calm", "thoughtful", "stern"),
    "a sad face": ("sad", "crying", "melancholic"),
    "a surprised face": ("surprised", "astonished", "shocked"),
    "an angry face": ("angry", "furious"),
}
SCENES = {
    "kitchen": ("kitchen",),
    "beach": ("beach", "seaside", "shore"),
    "forest": ("forest", "woods"),
    "city street": ("street", "city"),
    "cafe": ("cafe", "coffee shop"),
    "bedroom": ("bedroom",),
    "office": ("office",),
}
OUTFITS = {
    "dress": ("dress", "gown"),
    "hoodie": ("hoodie",),
    "suit": ("suit", "blazer"),
    "t-shirt": ("t-shirt", "tee"),
    "coat": ("coat", "parka"),
    "swimsuit": ("swimsuit", "bikini"),
}
FRAMINGS = {
    Framing.CLOSE_UP: "a close-up portrait, face and shoulders fill the picture",
    Framing.HALF_BODY: "a half body portrait, from the waist up",
    Framing.FULL_BODY: "a full body picture, from head to feet",
}


@dataclass(frozen=True)
class Comparison:
    """One question. aspect: of the finding. said: the wanted words; others: what they stand against, in short.

    phrases: whole sentences for the model, the wanted one first, then one for each of `others`. rivals: those of `others`
    that cannot be true of a picture that is as wanted.
    """

    aspect: str
    said: str
    others: tuple[str, ...]
    phrases: tuple[str, ...]
    rivals: frozenset[str]


def of_shot(shot: Shot, persona: Persona) -> tuple[Comparison, ...]:
    """Scene, outfit, light, expression and framing, in this order."""
    noun = persona.look.noun
    scenes = [scene for entry in persona.routine for scene in entry.scenes]
    lights = [entry.light for entry in persona.routine if entry.light]
    expression = "a picture of a {noun} with this expression: {said}"
    return (
        _compare("scene", shot.scene, scenes, SCENES, f"a picture of a {noun}, the place is: {{said}}"),
        _compare("outfit", shot.outfit, persona.look.wardrobe, OUTFITS, f"a picture of a {noun} wearing {{said}}"),
        _compare("light", shot.light, lights, LIGHTS, "a picture in this light: {said}", own_rivals=False),
        _compare("expression", shot.expression, (), EXPRESSIONS, expression.replace("{noun}", noun)),
        _framing(shot.framing),
    )


def of_trait(trait: Trait, noun: str) -> Comparison | None:
    """None for a trait without contradictions, and for one that says what is not there: the models read no "no"."""
    denied = any(says(f"{trait.value} {trait.phrase}", word) for word in ("no", "none", "without", "never"))
    others = tuple(dict.fromkeys(word for word in trait.contradictions if not _alike(word, trait.phrase)))[:MOST]
    if denied or not others:
        return None
    last = trait.feature.split()[-1]
    head = last if says(trait.phrase, last) else next((word for word in trait.feature.split() if says(trait.phrase, word)), "")
    whole = [word if not head or says(word, head) else f"{word} {head}" for word in others]
    phrases = tuple(_fill("a picture of a {noun}, {said}".replace("{noun}", noun), text) for text in (trait.phrase, *whole))
    return Comparison(trait.feature, trait.phrase, others, phrases, frozenset(others))


def _framing(wanted: Framing) -> Comparison:
    others = tuple(framing for framing in Framing if framing is not wanted)
    phrases = tuple(FRAMINGS[framing] for framing in (wanted, *others))
    return Comparison("framing", str(wanted), tuple(map(str, others)), phrases, frozenset(map(str, others)))


def _compare(
    aspect: str,
    wanted: str,
    own: Iterable[str],
    groups: Mapping[str, Sequence[str]],
    sentence: str,
    *,
    own_rivals: bool = True,
) -> Comparison:
    """`own` are the persona's other words of this kind; with `own_rivals` they exclude the wanted ones."""
    named = {group for group, words in groups.items() if any(says(wanted, word) for word in words)}
    mine = [text for text in dict.fromkeys(own) if not _alike(text, wanted) and not _shares(text, named, groups)]
    plain = [group for group in groups if group not in named and not _alike(group, wanted)]
    others = tuple(dict.fromkeys([*mine[: MOST // 2], *plain]))[:MOST]
    # a list can only be trusted to exclude the wanted words when it knows them: "blue hour" is none of our lights
    rivals = frozenset([*(mine if own_rivals else ()), *(plain if len(named) == 1 else ())])
    return Comparison(aspect, wanted, others, tuple(_fill(sentence, text) for text in (wanted, *others)), rivals)


def _shares(text: str, named: set[str], groups: Mapping[str, Sequence[str]]) -> bool:
    return any(says(text, word) for group in named for word in groups[group])


def _alike(one: str, other: str) -> bool:
    return says(one, other) or says(other, one)


def _fill(sentence: str, said: str) -> str:
    # not str.format: the words come from outside and may hold braces
    return sentence.replace("{said}", said)
