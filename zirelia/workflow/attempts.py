"""What the next attempt at a post's picture will be: its shot, its prompt, and what it changes because of the one before.

    wanted = next_try(kit, subject, post, shot, number=2, made=made, notes=())

The same stored attempts give the same answer, so that a crash takes up the same order. Draws and judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zirelia.domain.box import Box
from zirelia.domain.post import Post
from zirelia.domain.prompt import compose, repair_shot, seed_for
from zirelia.domain.repairs import next_repairs
from zirelia.domain.shot import Attempt, ImagePrompt, MediaRef, Shot
from zirelia.domain.verdict import Repair, RepairKind
from zirelia.workflow.kit import Kit, Subject

_PASSING = frozenset({RepairKind.NOTE, RepairKind.NEW_SEED, RepairKind.INPAINT})
"""Repairs that act in one attempt only; all others stay in force for those after it."""


@dataclass(frozen=True)
class Try:
    """One attempt before it is drawn. start, within: the picture whose part is drawn anew, for an INPAINT."""

    number: int
    shot: Shot
    prompt: ImagePrompt
    repairs: tuple[Repair, ...]
    start: MediaRef | None = None
    within: Box | None = None


def next_try(
    kit: Kit, subject: Subject, post: Post, shot: Shot, *, number: int, made: Sequence[Attempt], notes: tuple[Repair, ...]
) -> Try:
    """The next attempt. `made` are this round's attempts, the last one judged; `notes` are a person's wishes for the first."""
    if not made or made[-1].verdict is None:
        return Try(number, shot, _composed(kit, subject, post, shot, number, (), None), notes)
    last, verdict = made[-1], made[-1].verdict
    tried = [repair for attempt in made for repair in attempt.repairs]
    force = [repair for repair in tried if repair.kind not in _PASSING]
    vocabulary, look = kit.images.vocabulary(), subject.persona.look
    steps = kit.image_steps or made[0].provenance.steps

    def after(repairs: Sequence[Repair]) -> tuple[Shot, ImagePrompt]:
        then = repair_shot(last.shot, repairs, look, attempt=number, vocabulary=vocabulary)
        # what was raised before belongs to the setting that is given up
        given_up = any(repair.kind is RepairKind.OTHER_SETTING for repair in repairs)
        kept = [repair for repair in force if not (given_up and repair.kind is RepairKind.EMPHASISE)]
        return then, _composed(kit, subject, post, then, number, [*kept, *repairs], steps)

    unchanged = after(())[1]
    repairs = next_repairs(
        verdict,
        tried,
        felt=lambda repair: _felt(after((repair,))[1], unchanged),
        can_inpaint=kit.images.can_inpaint(),
    ) or (Repair(kind=RepairKind.NEW_SEED, because="no instrument named a repair"),)
    then, prompt = after(repairs)
    part = next((repair.region for repair in repairs if repair.kind is RepairKind.INPAINT), None)
    return Try(number, then, prompt, repairs, last.image if part else None, part)


def _felt(changed: ImagePrompt, unchanged: ImagePrompt) -> bool:
    return changed.model_copy(update={"notes": ()}) != unchanged.model_copy(update={"notes": ()})


def _composed(
    kit: Kit, subject: Subject, post: Post, shot: Shot, number: int, repairs: Sequence[Repair], steps: int | None
) -> ImagePrompt:
    width, height = kit.images.size()
    more = any(repair.kind is RepairKind.MORE_STEPS for repair in repairs)
    return compose(
        shot,
        subject.persona.look,
        lora=subject.persona.lora_in_force,
        seed=seed_for(post.slot_id, number),
        width=width,
        height=height,
        steps=steps if more else kit.image_steps,
        repairs=repairs,
        vocabulary=kit.images.vocabulary(),
    )
