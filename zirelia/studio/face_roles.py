"""What the making of a face would use, for the doctor: the editor, the recogniser and the place of training, each tried.

    edit(studio, call)          # "128x128 from up to 16 references in 1.2 s; pictures under Apache-2.0"
    see(studio)                 # "sees the subject in 12 of 12 references; one person from 0.81 on"

Trains nothing and stores nothing. It does not know how it is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from zirelia.domain.persona import Kind
from zirelia.errors import ConfigurationError, MissingExtra, ZireliaError
from zirelia.settings import is_installed
from zirelia.studio import face_adapters

if TYPE_CHECKING:
    from zirelia.ports import PaidCall
    from zirelia.studio import Studio

_STEPS = 2
_NEEDED = ("torch", "diffusers", "peft")


def edit(studio: Studio, call: PaidCall) -> str:
    """One edit of the persona's references, of two steps; without references, whether the editor can be built."""
    from zirelia.domain.prompt import compose
    from zirelia.workflow.compare import scene_shots

    editor = face_adapters.editor(studio.settings, studio.choices["edit"])
    terms = f"pictures under {editor.licence()}"
    subject = studio.subject()
    if not subject.references:
        return f"{subject.persona.name} has no references, so nothing was edited; {terms}"
    images, look = studio.reference_maker(subject), subject.persona.look
    words = images.vocabulary()
    shot = scene_shots(subject.persona, words, 1)[0]
    width, height = images.size()
    prompt = compose(shot, look, lora=None, seed=1, width=width, height=height, steps=_STEPS, vocabulary=words)
    made = images.make(prompt, lora=None, call=call, progress=lambda fraction, note: None)  # noqa: ARG005
    return f"{width}x{height} from up to {editor.most_references()} references in {made.provenance.seconds:.1f} s; {terms}"


def eyes(studio: Studio) -> tuple[str, str, str]:
    """Backend and model of the recogniser that tells the persona from others, and why it is this one."""
    try:
        kind = studio.persona().kind
    except ZireliaError as error:
        return "none", "", error.message
    return (
        ("faces", "dlib", f"a {kind} persona") if kind is Kind.PHOTOGRAPHIC else ("looks", "pocket looks", f"an {kind} persona")
    )


def see(studio: Studio) -> str:
    """How many of the persona's references it recognises somebody in. Raises ConfigurationError when in none."""
    subject = studio.subject()
    recogniser = face_adapters.recogniser(subject.persona.kind)
    line = f"one person from {recogniser.threshold:.2f} on"
    if not subject.references:
        return f"{subject.persona.name} has no references to look at; {line}"
    seen = recogniser.see(subject.references)
    found = sum(each.embedding is not None for each in seen)
    if not found:
        raise ConfigurationError(
            f"it sees nobody in the {len(seen)} references of {subject.persona.name}", hint="bring pictures that show the face"
        )
    return f"sees the subject in {found} of {len(seen)} references; {line}"


def place(studio: Studio) -> tuple[str, str, str]:
    """Where trainings run, of which base or by which trainer, and why."""
    training, image = studio.settings.training, studio.choices["image"]
    if training.where == "replicate":
        return "replicate", training.trainer_version or face_adapters.TRAINER, "ZIRELIA_TRAINING_WHERE=replicate"
    if training.base is not None:
        return "here", training.base, "ZIRELIA_TRAINING_BASE is set"
    if image.backend == "flux":
        return "here", image.model, "no ZIRELIA_TRAINING_BASE: the base of the image model"
    return "here", "pocket", "no ZIRELIA_TRAINING_BASE: the embedded pocket Flux"


def hindrance(studio: Studio) -> str:
    """What is missing before anything could be trained there, and how to get it; empty when nothing is."""
    extra: MissingExtra | None = None
    where, base, _ = place(studio)
    if where == "replicate":
        extra = None if is_installed("replicate") else MissingExtra("replicate", "training on Replicate")
    elif not all(map(is_installed, _NEEDED)):
        extra = MissingExtra("embedded" if base == "pocket" else "local", "training on this machine")
    elif base != "pocket" and not Path(base).is_dir():
        return f"{base} is no folder on this machine: set ZIRELIA_TRAINING_BASE to one, or train with --where replicate"
    return f"{extra.message}: {extra.hint}" if extra else ""


def readiness(studio: Studio) -> str:
    """What a training would begin with. Raises TrainingError for a base whose family is not known."""
    training = studio.settings.training
    if training.where == "replicate":
        return f"its LoRAs go to {training.destination}"
    family, _ = studio.training_base()
    return f"family {family}, memory profile {training.profile}"
