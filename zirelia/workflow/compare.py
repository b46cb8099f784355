"""How well the LoRA carries the face: the same scenes with the LoRA, with the bare base, and the references among themselves.

    likeness = compare(kit, subject, identity)
    likeness.lora.median, likeness.base.median, likeness.real.median

One instrument gives every score, so the three lines are one unit. Nothing is stored and no budget is touched by local models;
a paid backend is counted by the caller's ledger as any other call would be, so it is refused here.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zirelia.domain.persona import Persona
from zirelia.domain.post import Brief
from zirelia.domain.prompt import compose, seed_for
from zirelia.domain.shot import Framing, ImagePrompt, Shot, ShotVocabulary
from zirelia.domain.verdict import Criterion
from zirelia.errors import ConfigurationError
from zirelia.ports import Exhibit, Instrument
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.shoot import decoded

if TYPE_CHECKING:
    from PIL.Image import Image

SCENES = 8


class _Unpaid:
    """A local call creates nothing at a provider."""

    external_id = None

    def created(self, external_id: str) -> None:
        raise ConfigurationError(f"a local image model created '{external_id}' at a provider")


@dataclass(frozen=True)
class Scores:
    """Identity scores of one kind of picture, in the instrument's unit."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def tenth(self) -> float:
        """The 10th percentile; the lowest value when there are fewer than ten."""
        return sorted(self.values)[len(self.values) // 10]


@dataclass(frozen=True)
class Likeness:
    """The three lines of a comparison, the threshold they are held against, and the pictures with their shots."""

    lora: Scores
    base: Scores
    real: Scores
    threshold: float | None
    shots: tuple[Shot, ...]
    with_lora: tuple[Image, ...]
    without: tuple[Image, ...]


def compare(kit: Kit, subject: Subject, identity: Instrument, *, scenes: int = SCENES) -> Likeness:
    """Makes two pictures a scene and scores them. Needs a LoRA, at least three references and an unpaid image model."""
    persona = subject.persona
    if subject.lora is None:
        raise ConfigurationError(f"{persona.name} has no LoRA weights on this machine to compare with the base")
    if len(subject.references) < 3:
        raise ConfigurationError(f"{persona.name} has {len(subject.references)} references; comparing needs three or more")
    if kit.images.facts().paid:
        raise ConfigurationError("comparing makes many pictures; choose a local image backend for it")
    shots = scene_shots(persona, kit.images.vocabulary(), scenes)
    width, height = kit.images.size()
    made: dict[bool, list[Image]] = {True: [], False: []}
    scored: dict[bool, list[float]] = {True: [], False: []}
    threshold: float | None = None
    kit.watcher.step("compare", f"{scenes} scenes with the LoRA and with the bare base")
    for number, shot in enumerate(shots):
        prompt = compose(
            shot,
            persona.look,
            lora=persona.lora,
            seed=seed_for(f"compare:{persona.name}", number),
            width=width,
            height=height,
            steps=kit.image_steps,
            vocabulary=kit.images.vocabulary(),
        )
        for with_lora in (True, False):
            image = kit.images.make(
                prompt, lora=subject.lora if with_lora else None, call=_Unpaid(), progress=kit.watcher.progress
            )
            picture = decoded(image.data)
            score, threshold = _score(identity, _exhibit(persona, shot, prompt, picture, subject.references))
            made[with_lora].append(picture)
            scored[with_lora].append(score)
        kit.watcher.note(f"{shot.scene}: {scored[True][-1]:.2f} with the LoRA, {scored[False][-1]:.2f} without")
    real = _real(identity, persona, shots[0], prompt, subject.references)
    kit.watcher.done()
    return Likeness(
        lora=Scores(tuple(scored[True])),
        base=Scores(tuple(scored[False])),
        real=Scores(real),
        threshold=threshold,
        shots=shots,
        with_lora=tuple(made[True]),
        without=tuple(made[False]),
    )


def scene_shots(persona: Persona, vocabulary: ShotVocabulary | None, count: int) -> tuple[Shot, ...]:
    """Different scenes with varied clothes, light, expression and framing; the same ones every time."""
    scenes = list(dict.fromkeys(scene for entry in persona.routine for scene in entry.scenes))
    lights: Sequence[str] = vocabulary.lights if vocabulary else ("daylight", "golden hour", "night")
    expressions: Sequence[str] = vocabulary.expressions if vocabulary else ("smiling", "laughing", "serious")
    framings: Sequence[Framing] = vocabulary.framings if vocabulary else tuple(Framing)
    known = [scene for scene in (vocabulary.scenes if vocabulary else ()) if scene not in scenes]
    scenes = [scene for scene in scenes if vocabulary is None or scene in vocabulary.scenes] + known
    outfits = [o for o in persona.look.wardrobe if vocabulary is None or o in vocabulary.outfits]
    outfits = outfits or list(vocabulary.outfits if vocabulary else ("plain t-shirt",))
    return tuple(
        Shot(
            scene=scenes[n % len(scenes)],
            outfit=outfits[n % len(outfits)],
            expression=expressions[n % len(expressions)],
            framing=framings[(n + 1) % len(framings)],
            light=lights[(n // 2) % len(lights)],
        )
        for n in range(count)
    )


def _exhibit(persona: Persona, shot: Shot, prompt: ImagePrompt, image: Image, references: tuple[Image, ...]) -> Exhibit:
    brief = Brief(topic="comparison", angle="comparison", activity="posing", scene=shot.scene, light=shot.light)
    return Exhibit(image=image, shot=shot, brief=brief, persona=persona, prompt=prompt, references=references)


def _real(
    identity: Instrument, persona: Persona, shot: Shot, prompt: ImagePrompt, references: tuple[Image, ...]
) -> tuple[float, ...]:
    """Each reference against all the others."""
    return tuple(
        _score(identity, _exhibit(persona, shot, prompt, image, references[:n] + references[n + 1 :]))[0]
        for n, image in enumerate(references)
    )


def _score(identity: Instrument, exhibit: Exhibit) -> tuple[float, float | None]:
    for finding in identity.examine(exhibit):
        if finding.criterion is Criterion.IDENTITY and finding.score is not None:
            return finding.score, finding.threshold
    raise ConfigurationError(f"the instrument '{identity.name}' gave no identity score")
