"""Draws checkpoints on the fixed prompts and turns what the recogniser sees into what is measured of each.

    known = know(recogniser, references)
    with gallery:
        judging = Judging(kit, persona, gallery, known, prompts, trained, trigger="mirelo", effort=Effort())
        judging.measure([(checkpoint, 0.8)], prompts, seeds=2, what="candidates")

Diversity and the likeness to training pictures are told of the few pictures that every checkpoint has, so that they compare.
It chooses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zirelia.domain.choice import Measured
from zirelia.domain.judgement import BARE_BASE, JudgedPicture, JudgedPrompt, Question, Spread
from zirelia.domain.lora import Checkpoint, WornLora
from zirelia.domain.persona import Persona
from zirelia.domain.shot import ImagePrompt, Shot
from zirelia.domain.text import mentions, plain
from zirelia.errors import ConfigurationError
from zirelia.ports import Recogniser
from zirelia.workflow.gallery import Gallery, Seen, Wish
from zirelia.workflow.judged_prompts import FEWEST, asked, seed_of, some
from zirelia.workflow.kit import Kit
from zirelia.workflow.layout import diversity, nearest, thumbnail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SCALES = (0.8, 1.0)
SWEEP = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
FEWEST_REFERENCES = 3


@dataclass(frozen=True)
class Effort:
    """How many pictures are made.

    prompts: 3 or more; of twelve, eight are of the face. seeds: of each prompt. coarse: prompts of the first stage, with
    one seed; None gives every checkpoint all of them at once. sweep: scales at which the chosen one is drawn, on
    `sweep_prompts` prompts with one seed; none to leave it out.

    Six checkpoints at one scale with `Effort(seeds=1, scales=(1.0,), coarse=None, sweep=())` are 72 pictures and 8 of the base.
    """

    prompts: int = 12
    seeds: int = 2
    scales: tuple[float, ...] = SCALES
    coarse: int | None = 6
    sweep: tuple[float, ...] = SWEEP
    sweep_prompts: int = 6

    def __post_init__(self) -> None:
        if self.seeds < 1 or not self.scales or min(self.prompts, self.sweep_prompts, self.coarse or self.prompts) < FEWEST:
            raise ValueError("judging needs three prompts or more, a seed and a scale")


@dataclass(frozen=True)
class Known:
    """The persona as the recogniser knows her: the middle of the references, each of them against the middle of the others,
    and the recogniser's own threshold.
    """

    middle: NDArray[np.float32]
    real: Spread
    threshold: float


def know(recogniser: Recogniser, references: Sequence[Image]) -> Known:
    """Raises ConfigurationError when it finds a subject in fewer than three of them, or no two are alike."""
    import numpy as np

    found = [seen.embedding for seen in recogniser.see(references) if seen.embedding is not None]
    if len(found) < FEWEST_REFERENCES:
        raise ConfigurationError(f"the recogniser finds a subject in {len(found)} of {len(references)} references only")
    stack = np.stack(found).astype(np.float32)
    real = [float(own @ _unit(np.delete(stack, n, axis=0).mean(axis=0))) for n, own in enumerate(stack)]
    return Known(_unit(stack.mean(axis=0)), Spread(values=tuple(real)), recogniser.threshold)


class Judging:
    """Draws and measures checkpoints; remembers every picture that it saw. `beside` are styles worn with each checkpoint."""

    def __init__(
        self,
        kit: Kit,
        persona: Persona,
        gallery: Gallery,
        known: Known,
        prompts: Sequence[JudgedPrompt],
        trained: Sequence[Image],
        *,
        trigger: str,
        effort: Effort,
        beside: Sequence[WornLora] = (),
    ) -> None:
        self._kit, self._persona, self._gallery, self._known = kit, persona, gallery, known
        self._trigger, self.prompts, self._beside = trigger, prompts, tuple(beside)
        self._trained = [thumbnail(image) for image in trained]
        self._common = {each.number for each in some(prompts, effort.coarse or effort.prompts)}
        self._thumbnails: dict[str, NDArray[np.float32]] = {}
        turns = range(effort.seeds)
        self._seeds = {(each.number, turn): seed_of(persona.name, each, turn) for each in prompts for turn in turns}
        self.pictures: dict[tuple[int, float, int, int], JudgedPicture] = {}

    def base(self) -> Spread:
        """The bare base on the prompts of the face, with the first seed."""
        faces = [each for each in self.prompts if each.question is Question.FACE]
        return Spread(values=tuple(each.identity for each in self._draw([(None, 1.0)], faces, 1, "bare base")))

    def measure(
        self, places: Sequence[tuple[Checkpoint, float]], prompts: Sequence[JudgedPrompt], seeds: int, what: str
    ) -> list[Measured]:
        """Each checkpoint at its scale, from all its pictures of these prompts and seeds."""
        self._draw(places, prompts, seeds, what)
        return [self._measured(checkpoint.step, scale, prompts, seeds) for checkpoint, scale in places]

    def _draw(
        self, places: Sequence[tuple[Checkpoint | None, float]], prompts: Sequence[JudgedPrompt], seeds: int, what: str
    ) -> list[JudgedPicture]:
        wanted = [(at, scale, prompt, turn) for at, scale in places for prompt in prompts for turn in range(seeds)]
        wishes = [
            Wish(
                prompt=self._prompt(prompt, scale, turn),
                lora=at.lora if at else None,
                shot=prompt.shot,
                beside=self._beside if at else (),
            )
            for at, scale, prompt, turn in wanted
        ]
        drawn = []
        for (at, scale, prompt, _), wish, seen in zip(wanted, wishes, self._gallery.show(wishes, what), strict=True):
            step = at.step if at else BARE_BASE
            picture = self._judged(step, scale, prompt, wish.prompt.seed, seen)
            self.pictures[step, scale, prompt.number, wish.prompt.seed] = picture
            drawn.append(picture)
        return drawn

    def _prompt(self, prompt: JudgedPrompt, scale: float, turn: int) -> ImagePrompt:
        return asked(
            prompt,
            self._persona.look,
            trigger=self._trigger,
            scale=scale,
            seed=self._seeds[prompt.number, turn],
            size=self._kit.images.size(),
            steps=self._kit.image_steps,
            vocabulary=self._kit.images.vocabulary(),
        )

    def _judged(self, step: int, scale: float, prompt: JudgedPrompt, seed: int, seen: Seen) -> JudgedPicture:
        self._thumbnails[seen.file] = seen.layout
        embedding = seen.sighting.embedding
        agreement = shown_share(prompt.shot, seen.sighting.attributes, limited=self._kit.images.vocabulary() is not None)
        return JudgedPicture(
            step=step,
            scale=scale,
            prompt=prompt.number,
            seed=seed,
            file=seen.file,
            identity=0.0 if embedding is None else float(embedding @ self._known.middle),
            agreement=seen.agreement if agreement is None else agreement,
            memorised=nearest(seen.layout, self._trained) if prompt.question is Question.FACE else None,
            faulty=seen.faulty,
        )

    def _measured(self, step: int, scale: float, prompts: Sequence[JudgedPrompt], seeds: int) -> Measured:
        own = [(p, self.pictures[step, scale, p.number, self._seeds[p.number, turn]]) for p in prompts for turn in range(seeds)]
        faces = [picture for prompt, picture in own if prompt.question is Question.FACE]
        others = [picture.identity for prompt, picture in own if prompt.question is not Question.FACE]
        first = {self._seeds[number, 0] for number in self._common}
        common = [picture for picture in faces if picture.seed in first]
        return Measured(
            step=step,
            scale=scale,
            identities=tuple(picture.identity for picture in faces),
            agreement=_mean([picture.agreement for _, picture in own]),
            leaks=tuple(others),
            leaked=_mean([float(score >= self._known.threshold) for score in others]),
            diversity=diversity([self._thumbnails[picture.file] for picture in common]),
            memorised=max((picture.memorised for picture in common if picture.memorised is not None), default=None),
            artefacts=_mean([None if picture.faulty is None else float(picture.faulty) for _, picture in own]),
        )


def shown_share(shot: Shot, attributes: Mapping[str, tuple[str, float]], *, limited: bool) -> float | None:
    """The share of what was asked that the recogniser reads in the picture; None when it reads none of it.

    Attribute → field of the shot: scene, light, expression and framing are those of that name; outfit, garment and cloth are
    said by the outfit. Words are compared only where the image model draws from a list of words (`limited`), which the
    recogniser then knows too; the framing always.
    """
    wanted = {
        "framing": str(shot.framing),
        "scene": shot.scene,
        "light": shot.light,
        "expression": shot.expression,
        "outfit": shot.outfit,
        "garment": shot.outfit,
        "cloth": shot.outfit,
    }
    read = [name for name in wanted if name in attributes and (limited or name == "framing")]
    right = [name for name in read if plain(attributes[name][0]) and mentions(wanted[name], attributes[name][0])]
    return len(right) / len(read) if read else None


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length < 1e-6:
        raise ConfigurationError("the references have no middle: the recogniser tells them apart as different people")
    unit: NDArray[np.float32] = (vector / length).astype(np.float32)
    return unit


def _mean(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None
