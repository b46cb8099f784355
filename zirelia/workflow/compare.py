"""Ways to carry a face, side by side: the same scenes and seeds with each, and one instrument that scores them all.

    shown = compare(kit, subject, identity, [own_lora(subject), bare_base(subject)])
    shown.of("LoRA").scores.median, shown.real.median

A way is an image model with a LoRA or without: the persona's own LoRA, another person's, references in its place, the bare
base. Nothing is stored and no budget is counted, so paid models are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zirelia.domain.judgement import Spread
from zirelia.domain.lora import Lora, LoraChoice, WornLora
from zirelia.domain.persona import Persona
from zirelia.domain.post import Brief
from zirelia.domain.prompt import compose, seed_for
from zirelia.domain.shot import Framing, ImagePrompt, Shot, ShotVocabulary
from zirelia.domain.verdict import Criterion
from zirelia.errors import ConfigurationError
from zirelia.ports import Exhibit, ImageMaker, Instrument
from zirelia.workflow.gallery import Unpaid
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.shoot import decoded

if TYPE_CHECKING:
    from PIL.Image import Image

SCENES = 8
FEWEST_REFERENCES = 3
OWN, BASE, REFERENCES = "LoRA", "bare base", "references"


@dataclass(frozen=True)
class Way:
    """One way to carry a face.

    lora: the weights that are worn, None for none; beside: further ones worn with them. says: how prompts name the subject: a
    trigger word, or None for the look in words. images: the model that draws; None for the kit's own.
    """

    name: str
    lora: Lora | None = None
    says: LoraChoice | None = None
    images: ImageMaker | None = None
    beside: tuple[WornLora, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """The pictures of one way with their scores, in the instrument's unit, in the order of the shots."""

    way: Way
    pictures: tuple[Image, ...]
    scores: Spread


@dataclass(frozen=True)
class Comparison:
    """Every way, the references among themselves, and the threshold that the instrument holds scores against."""

    shots: tuple[Shot, ...]
    drawn: tuple[Drawn, ...]
    real: Spread
    threshold: float | None

    def of(self, name: str) -> Drawn:
        """Raises KeyError."""
        return {each.way.name: each for each in self.drawn}[name]


def own_lora(subject: Subject) -> Way:
    """The persona's LoRA at the pack's scale, with the styles that she wears.

    Raises ConfigurationError when there are no weights on this machine.
    """
    if subject.lora is None or subject.persona.lora is None:
        raise ConfigurationError(
            f"{subject.persona.name} has no LoRA weights on this machine to compare with the base",
            hint="train one first, or name its file under 'lora' in the pack",
        )
    return Way(OWN, lora=subject.lora, says=subject.persona.lora, beside=subject.beside)


def bare_base(subject: Subject) -> Way:
    """The same prompts without any weights; the look in words where the persona has no trigger word."""
    return Way(BASE, says=subject.persona.lora)


def others_lora(name: str, lora: Lora, *, scale: float = 1.0) -> Way:
    """Another person's LoRA, called by its own trigger word."""
    return Way(name, lora=lora, says=LoraChoice(trigger=lora.trigger, scale=scale))


def by_references(images: ImageMaker) -> Way:
    """A model that is given the references with every prompt; the look is said in words."""
    return Way(REFERENCES, images=images)


def compare(kit: Kit, subject: Subject, identity: Instrument, ways: Sequence[Way], *, scenes: int = SCENES) -> Comparison:
    """Makes a picture a scene and way, and scores it. Needs at least three references and unpaid image models."""
    persona = subject.persona
    _check(kit, subject, ways)
    vocabulary = kit.images.vocabulary()
    shots = scene_shots(persona, vocabulary, scenes)
    drawn, threshold = [], None
    for way in ways:
        kit.watcher.step("compare", f"{scenes} scenes: {way.name}")
        pictures, scores = [], []
        for number, shot in enumerate(shots):
            picture, prompt = _drawn(kit, persona, way, shot, number, scenes)
            score, threshold = _score(identity, _exhibit(persona, shot, prompt, picture, subject.references))
            pictures.append(picture)
            scores.append(score)
        drawn.append(Drawn(way, tuple(pictures), Spread(values=tuple(scores))))
        kit.watcher.done(f"identity {drawn[-1].scores.median:.2f}")
    real = _real(identity, persona, shots[0], prompt, subject.references)
    return Comparison(shots=shots, drawn=tuple(drawn), real=Spread(values=real), threshold=threshold)


def _check(kit: Kit, subject: Subject, ways: Sequence[Way]) -> None:
    if not ways:
        raise ConfigurationError("there is nothing to compare")
    names = [way.name for way in ways]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigurationError(f"two ways are called '{twice[0]}'")
    if len(subject.references) < FEWEST_REFERENCES:
        raise ConfigurationError(
            f"{subject.persona.name} has {len(subject.references)} references; comparing needs {FEWEST_REFERENCES} or more"
        )
    for facts in ((way.images or kit.images).facts() for way in ways):
        if facts.paid:
            raise ConfigurationError(
                f"comparing makes many pictures, and {facts.backend} ({facts.model}) is paid",
                hint="choose a local image backend for it",
            )


def _drawn(kit: Kit, persona: Persona, way: Way, shot: Shot, number: int, total: int) -> tuple[Image, ImagePrompt]:
    images = way.images or kit.images
    width, height = images.size()
    prompt = compose(
        shot,
        persona.look,
        lora=way.says,
        seed=seed_for(f"compare:{persona.name}", number),
        width=width,
        height=height,
        steps=kit.image_steps if way.images is None else None,
        vocabulary=images.vocabulary(),
    )

    def tell(fraction: float, note: str) -> None:
        kit.watcher.progress((number + fraction) / total, note)

    return decoded(images.make(prompt, lora=way.lora, beside=way.beside, call=Unpaid(), progress=tell).data), prompt


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
