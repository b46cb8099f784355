"""What a cell of a shot list is in words: for an edit model, for a text-to-image model, and as a caption.

    instruction(cell, "woman")          # "Show the same woman as in the first picture, in the same style: close-up ..."
    description(cell, look)             # "a woman with long wavy teal hair, ..., close-up portrait, smiling, ..."
    caption(cell.shot, look, "mirelo")  # "mirelo woman, close-up portrait, smiling, wearing a red blazer, in a kitchen, night"

Descriptions and captions are the sentences that `prompt.compose` writes: a picture is trained with the words it is asked for
with. Knows nothing of models but their vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

from zirelia.domain.lora import LoraChoice
from zirelia.domain.persona import Look
from zirelia.domain.prompt import compose, place
from zirelia.domain.shot import Shot, ShotVocabulary
from zirelia.domain.shotlist import Cell, Yaw

_TURNED = {
    Yaw.FRONT: "",
    Yaw.THREE_QUARTER_LEFT: "head turned three quarters to the left",
    Yaw.THREE_QUARTER_RIGHT: "head turned three quarters to the right",
    Yaw.PROFILE_LEFT: "in profile, facing left",
    Yaw.PROFILE_RIGHT: "in profile, facing right",
    Yaw.BACK: "seen from behind",
}
_ANY_SIDE = 64  # compose asks for a size and a seed; words depend on neither


def turned(cell: Cell) -> Shot:
    """The cell's shot with the turn of the head said in its pose; from behind there is no expression to see."""
    said = _TURNED[cell.yaw]
    if cell.yaw is Yaw.BACK:
        return cell.shot.model_copy(update={"expression": said})
    pose = ", ".join(filter(None, (said, cell.shot.pose)))
    return cell.shot.model_copy(update={"pose": pose})


def instruction(cell: Cell, noun: str, references: int = 1) -> str:
    """What an edit model is told.

    Args:
        noun: what the persona's look calls the subject ("woman").
        references: pictures of the subject that are sent, at least 1; a garment picture, if the cell has one, comes after.
    """
    source = "the first picture" if references == 1 else f"the first {references} pictures"
    parts = [_keeping(noun, source)]
    if cell.instruction:
        wish = cell.instruction.rstrip(" .")
        parts.insert(0, f"{wish[:1].upper()}{wish[1:]}. Change nothing else in {source}.")
    else:
        parts.insert(0, f"Show the same {noun} as in {source}, in the same style: {_shown(cell)}.")
    if cell.garment:
        parts.append("The last picture shows clothes only: copy their cut, colour and pattern, and nothing else from it.")
    return " ".join([*parts, "One person, no text."])


def _keeping(noun: str, source: str) -> str:
    return f"Keep face, hair, skin and build of the {noun} exactly as in {source}."


def _shown(cell: Cell) -> str:
    shot = turned(cell)
    said = {
        "pose": shot.pose,
        "holding": shot.props,
        "clothes": "those of the last picture" if cell.garment else shot.outfit,
        "place": place(shot.scene),
        "light": shot.light,
    }
    return "; ".join((f"{shot.framing}, {shot.expression}", *(f"{field}: {value}" for field, value in said.items() if value)))


def description(cell: Cell, look: Look, vocabulary: ShotVocabulary | None = None) -> str:
    """What a text-to-image model without a LoRA is told."""
    return _composed(turned(cell), look, None, vocabulary)


def caption(
    shot: Shot,
    look: Look,
    trigger: str,
    *,
    constants: bool = False,
    also: Sequence[str] = (),
    vocabulary: ShotVocabulary | None = None,
) -> str:
    """The caption of a picture that shows the shot: the trigger, and what varies; with `constants` the look as well.

    also: further words for the look that must not be said, as a leak check found them.
    """
    lora = LoraChoice(trigger=trigger)
    first, *rest = look.traits
    looked = look.model_copy(update={"traits": (first.model_copy(update={"synonyms": (*first.synonyms, *also)}), *rest)})
    said = _composed(shot, looked, lora, vocabulary)
    if not constants:
        return said
    subject, comma, varies = said.partition(",")
    return f"{subject} with {', '.join(look.identity_words())}{comma}{varies}"


def _composed(shot: Shot, look: Look, lora: LoraChoice | None, vocabulary: ShotVocabulary | None) -> str:
    return compose(shot, look, lora=lora, seed=0, width=_ANY_SIDE, height=_ANY_SIDE, vocabulary=vocabulary).text
