"""Which change a failed finding asks of the next attempt, where that depends on the prompt that made the picture.

    look_repair(exhibit, trait, because)      # remove "blonde" from the prompt, or raise what carries the trait

Each repair changes something that `domain.prompt` can change: words that a LoRA carries are left out of prompts, so emphasising
them would change nothing. It measures nothing.
"""

from __future__ import annotations

from zirelia.critic.words import says
from zirelia.domain.persona import Trait
from zirelia.domain.prompt import MAX_LORA_SCALE
from zirelia.domain.shot import Framing
from zirelia.domain.verdict import Repair, RepairKind
from zirelia.ports import Exhibit

STRAINED_LORA = 1.2
"""Above this scale a LoRA begins to spoil the picture; then other changes come first."""


def identity_repair(exhibit: Exhibit, because: str, *, near: bool) -> Repair:
    """For a wrong face: another seed when it was nearly right, else a stronger LoRA, else a closer look."""
    carried = exhibit.prompt.trigger is not None and exhibit.prompt.lora_scale < STRAINED_LORA
    if near:
        kind = RepairKind.NEW_SEED
    elif carried:
        kind = RepairKind.RAISE_LORA_SCALE
    elif exhibit.shot.framing is not Framing.CLOSE_UP:
        kind = RepairKind.CLOSER_FRAMING
    else:
        kind = RepairKind.NEW_SEED
    return Repair(kind=kind, because=because)


def look_repair(exhibit: Exhibit, trait: Trait, because: str) -> Repair:
    """For a constant that the picture contradicts: remove the words that asked for it, else raise what carries it."""
    for word in trait.contradictions:
        if says(exhibit.prompt.text, word):
            return Repair(kind=RepairKind.REMOVE_WORDS, because=because, phrase=word)
    if exhibit.prompt.trigger is None:
        return Repair(kind=RepairKind.EMPHASISE, because=because, phrase=trait.phrase)
    if exhibit.prompt.lora_scale < MAX_LORA_SCALE:
        return Repair(kind=RepairKind.RAISE_LORA_SCALE, because=because, phrase=trait.phrase)
    return Repair(kind=RepairKind.NEW_SEED, because=because, phrase=trait.phrase)
