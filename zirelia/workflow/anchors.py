"""From words: pictures of a face that does not exist yet, of which a person picks the one that everything is made from.

    anchors = make_anchors(kit, persona)                       # anchors/anchor-1.png ... anchor-16.png
    build_dataset(kit, persona, Anchor(7), load_shot_list("30"))

The first ones share a seed and vary the words a little; the others keep the words and vary the seed. Made again, nothing is
made twice.
"""

from __future__ import annotations

from functools import partial

from zirelia.domain.dataset import Candidate
from zirelia.domain.persona import Persona
from zirelia.domain.prompt import seed_for
from zirelia.domain.shot import Framing, ImagePrompt, Shot, ShotVocabulary
from zirelia.domain.shotlist import Cell
from zirelia.domain.wording import description
from zirelia.errors import ConfigurationError
from zirelia.ports import ImageMaker, MadeImage, PaidCall, Progress
from zirelia.workflow.accounts import Account, settle_kept
from zirelia.workflow.consent import check_consent
from zirelia.workflow.dataset_kit import DatasetKit
from zirelia.workflow.making import Making, candidate_of

ANCHORS = 16
SAME_SEED = 4
"""Anchors that share the first one's seed."""

CELL = "anchor"
_EXPRESSIONS: tuple[str, ...] = ("neutral, looking into the camera", "smiling, looking into the camera")
_LIGHTS: tuple[str, ...] = ("soft daylight", "warm lamp light")


def anchor_prompt(kit: DatasetKit, persona: Persona, number: int) -> ImagePrompt:
    """The prompt of one anchor (1-based). Raises ConfigurationError without an image model."""
    if kit.images is None:
        raise ConfigurationError("a dataset from words needs an image model for its anchors", hint="choose an image backend")
    vocabulary = kit.images.vocabulary()
    cell = Cell(id=CELL, shot=_shot(persona, vocabulary, number))
    width, height = kit.images.size()
    seed = seed_for(f"dataset/{persona.name}/{CELL}", max(1, number - SAME_SEED + 1))
    words = description(cell, persona.look, vocabulary)
    return ImagePrompt(text=words, seed=seed, width=width, height=height, shot=cell.shot)


def anchors_usd(kit: DatasetKit, persona: Persona, count: int = ANCHORS) -> float:
    """What the anchors that are not there yet will cost."""
    there = {one.number for one in kit.folder.anchors()}
    images = kit.images
    missing = (number for number in range(1, count + 1) if number not in there)
    return sum(images.estimate_usd(anchor_prompt(kit, persona, number)) for number in missing) if images else 0.0


def make_anchors(kit: DatasetKit, persona: Persona, *, count: int = ANCHORS) -> tuple[Candidate, ...]:
    """All anchors of the folder, made where they are missing. Raises ConsentRequired, BudgetExceeded and what models raise."""
    check_consent(kit, persona)
    if kit.images is None:
        raise ConfigurationError("a dataset from words needs an image model for its anchors", hint="choose an image backend")
    images, facts = kit.images, kit.images.facts()
    account = Account(persona=persona.name, name=f"dataset/{persona.name}/{CELL}")
    with kit.folder.writing():
        there = {one.number: one for one in kit.folder.anchors()}
        settle_kept(kit, account, {str(number): one.cost_usd for number, one in there.items()})
        missing = [number for number in range(1, count + 1) if number not in there]
        kit.watcher.step("anchors", f"{len(missing)} of {count} to make")
        making = Making(kit, account, len(missing))
        for number in missing:
            prompt = anchor_prompt(kit, persona, number)
            making.one(
                key=str(number),
                facts=facts,
                estimate=images.estimate_usd(prompt),
                make=partial(_drawn, images, prompt),
                keep=partial(_kept, kit, number),
            )
        kit.watcher.done(f"{making.made} made for ${making.spent:.2f}")
        return kit.folder.anchors()


def _drawn(images: ImageMaker, prompt: ImagePrompt, call: PaidCall, progress: Progress) -> MadeImage:
    return images.make(prompt, lora=None, call=call, progress=progress)


def _kept(kit: DatasetKit, number: int, made: MadeImage) -> None:
    origin = f"made from words: {made.provenance.prompt.text}"
    record = candidate_of(made, folder="anchors", cell=CELL, number=number, origin=origin, licence=kit.images_licence)
    kit.folder.add_anchor(record, made.data)


def _shot(persona: Persona, vocabulary: ShotVocabulary | None, number: int) -> Shot:
    """A plain portrait; the first anchors vary its expression and light."""
    turn = number - 1 if number <= SAME_SEED else 0
    if vocabulary is None:
        outfit = persona.look.wardrobe[0] if persona.look.wardrobe else "plain t-shirt"
        expressions, lights, scene = _EXPRESSIONS, _LIGHTS, "in front of a plain light wall"
    else:
        worn = [outfit for outfit in persona.look.wardrobe if outfit in vocabulary.outfits]
        outfit = (worn or vocabulary.outfits)[0]
        expressions, lights, scene = vocabulary.expressions, vocabulary.lights, vocabulary.scenes[0]
    framing = Framing.CLOSE_UP if vocabulary is None else vocabulary.framings[0]
    return Shot(
        scene=scene,
        outfit=outfit,
        expression=expressions[turn % len(expressions)],
        framing=framing,
        light=lights[turn // 2 % len(lights)],
    )
