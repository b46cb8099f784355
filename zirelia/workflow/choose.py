"""Judges every checkpoint of a training on the fixed prompts and chooses one.

    judgement = judge_checkpoints(kit, subject, checkpoints, recogniser=looks, trained=pictures, folder=run / "judged")
    judgement.choice.step, judgement.choice.because

Two stages: few pictures of every checkpoint at every scale, then all prompts and seeds for those within two standard errors of
the best, until the best and the chosen one are among them. Killed, it goes on with the pictures that are there. It knows no
model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from zirelia.domain.choice import Choice, Floors, Measured, choose
from zirelia.domain.judgement import Judgement, Question
from zirelia.domain.lora import Checkpoint
from zirelia.domain.persona import Persona
from zirelia.domain.post import Brief
from zirelia.domain.shot import ImagePrompt, Shot
from zirelia.errors import ConfigurationError, TrainingError
from zirelia.files import whole_file
from zirelia.ports import Exhibit, Instrument, Recogniser
from zirelia.workflow.gallery import Gallery, refuse_paid
from zirelia.workflow.judged_prompts import fixed_prompts, some
from zirelia.workflow.judging import FEWEST_REFERENCES, Effort, Judging, know
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.layout import likeness, thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "judgement.json"
WITHIN_ERRORS = 2.0
"""Standard errors below the best identity up to which a checkpoint may still turn out best, and is looked at in full."""
_DOUBT = 0.1
"""How much agreement may still rise when all pictures are there."""
_SAME = 0.9995
"""Layout likeness from which a reference is a training picture."""


def judge_checkpoints(
    kit: Kit,
    subject: Subject,
    checkpoints: Sequence[Checkpoint],
    *,
    recogniser: Recogniser,
    trained: Sequence[Image],
    folder: Path,
    shown: Collection[Shot] = (),
    instruments: Sequence[Instrument] = (),
    floors: Floors | None = None,
    effort: Effort | None = None,
) -> Judgement:
    """The judgement, also written to `folder`/judgement.json beside the pictures.

    Args:
        subject: its references are what identity is held against; those that were trained on are left out. Its styles are
            worn with every checkpoint, as they will be later.
        trained: the training pictures. shown: their shots, where known, so that prompts can ask for other settings.
        instruments: further unpaid ones (a local vision model, the technical check); see `Gallery`.

    Raises TrainingError without checkpoints or with checkpoints of different trainings, ConfigurationError with a paid image
    model or with fewer than three references of their own, Conflict when another process judges in the folder.
    """
    refuse_paid(kit, "judging checkpoints")
    first = _one_training(checkpoints)
    effort, floors, started = effort or Effort(), floors or Floors(), monotonic()
    references = _held_out(kit, subject, trained)
    prompts = fixed_prompts(
        subject.persona, kit.images.vocabulary(), trigger=first.lora.trigger, shown=shown, count=effort.prompts
    )
    gallery = Gallery(folder, kit, recogniser, instruments=instruments, exhibit=_exhibits(subject.persona, references))
    with gallery:
        known = know(recogniser, references)
        judging = Judging(
            kit,
            subject.persona,
            gallery,
            known,
            prompts,
            trained,
            trigger=first.lora.trigger,
            effort=effort,
            beside=subject.beside,
        )
        base = judging.base()
        choice = _staged(judging, sorted(checkpoints, key=lambda each: each.step), floors, effort, known.real.median)
        chosen = next(each for each in checkpoints if each.step == choice.step)
        sweep = [(chosen, scale) for scale in effort.sweep]
        swept = judging.measure(sweep, some(prompts, effort.sweep_prompts), 1, "sweep") if sweep else []
        facts, eyes = kit.images.facts(), recogniser.facts()
        judgement = Judgement(
            persona=subject.persona.name,
            trigger=first.lora.trigger,
            base_model=first.lora.base_model,
            image_model=f"{facts.backend}/{facts.model}",
            recogniser=f"{eyes.backend}/{eyes.model}",
            threshold=recogniser.threshold,
            floors=floors,
            prompts=prompts,
            pictures=tuple(judging.pictures.values()),
            loras={each.step: each.lora.sha256 for each in checkpoints},
            real=known.real,
            base=base,
            choice=choice,
            sweep=tuple(swept),
            seconds=monotonic() - started,
        )
        with whole_file(folder / FILE) as part:
            part.write_text(judgement.model_dump_json(indent=1), encoding="utf-8")
    return judgement


def read_judgement(folder: Path) -> Judgement | None:
    """What an earlier judging left in the folder, None without one. Raises TrainingError when it is damaged."""
    path = folder / FILE
    try:
        return Judgement.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise TrainingError(f"{path} is damaged", hint="delete it and judge again; pictures that are there are kept") from error


def _staged(judging: Judging, checkpoints: Sequence[Checkpoint], floors: Floors, effort: Effort, real: float) -> Choice:
    """The first stage for all, the second for those that may be best or chosen, until both are known from all pictures."""
    prompts = judging.prompts
    places = {(each.step, scale): each for each in checkpoints for scale in effort.scales}
    coarse = effort.coarse is not None and (effort.coarse < len(prompts) or effort.seeds > 1)
    few, seeds = (some(prompts, effort.coarse or 0), 1) if coarse else (prompts, effort.seeds)
    measured = {
        (each.step, each.scale): each
        for each in judging.measure([(at, scale) for (_, scale), at in places.items()], few, seeds, "checkpoints")
    }
    full = set() if coarse else set(measured)
    leaks = effort.seeds * sum(prompt.question is not Question.FACE for prompt in prompts)
    while True:
        choice = choose(list(measured.values()), floors, real=real)
        able = [each for place, each in measured.items() if _may_pass(each, floors, leaks if place not in full else None)]
        hopeful = _near_best(able or list(measured.values())) | {(choice.step, choice.scale)}
        if hopeful <= full:
            return choice
        new = sorted(hopeful - full)
        for each in judging.measure([(places[place], place[1]) for place in new], prompts, effort.seeds, "candidates"):
            measured[each.step, each.scale] = each
        full.update(new)


def _may_pass(each: Measured, floors: Floors, leaks: int | None) -> bool:
    """Whether it keeps the floors, or may keep them once all its pictures are there: `leaks` of them show others, None says
    that it has them all.
    """
    if leaks is None or each.leaked is None:
        return not floors.missed(each)
    at_best = each.leaked * len(each.leaks) / leaks
    return at_best <= floors.leaked and (each.agreement is None or each.agreement >= floors.agreement - _DOUBT)


def _near_best(measured: Sequence[Measured]) -> set[tuple[int, float]]:
    best = max(measured, key=lambda each: each.mean)
    line = best.mean - WITHIN_ERRORS * best.error
    return {(each.step, each.scale) for each in measured if each.mean >= line}


def _one_training(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    if not checkpoints:
        raise TrainingError("there is no checkpoint to judge", hint="train first; snapshots are kept while a training runs")
    steps = [each.step for each in checkpoints]
    if len(set(steps)) < len(steps):
        raise TrainingError(f"two checkpoints are of the same step: {sorted(steps)}")
    kinds = {(each.lora.trigger, each.lora.base_model) for each in checkpoints}
    if len(kinds) > 1:
        raise TrainingError(f"the checkpoints are of different trainings: {sorted(kinds)}")
    return checkpoints[0]


def _held_out(kit: Kit, subject: Subject, trained: Sequence[Image]) -> list[Image]:
    """The references that are no training picture, because memory of one is not likeness."""
    known = [thumbnail(image) for image in trained]
    own = [image for image in subject.references if all(likeness(thumbnail(image), one) < _SAME for one in known)]
    left_out = len(subject.references) - len(own)
    if left_out:
        kit.watcher.note(f"{left_out} of {len(subject.references)} references were trained on and are left out")
    if len(own) < FEWEST_REFERENCES:
        raise ConfigurationError(
            f"{subject.persona.name} has {len(own)} references that were not trained on; "
            f"judging needs {FEWEST_REFERENCES} or more",
            hint="keep some pictures out of the dataset and name them under 'references' in the pack",
        )
    return own


def _exhibits(persona: Persona, references: Sequence[Image]) -> Callable[[Image, Shot, ImagePrompt], Exhibit]:
    def make(image: Image, shot: Shot, prompt: ImagePrompt) -> Exhibit:
        brief = Brief(topic="judging", angle="judging", activity="posing", scene=shot.scene, light=shot.light)
        return Exhibit(image=image, shot=shot, brief=brief, persona=persona, prompt=prompt, references=tuple(references))

    return make
