"""The making of a face: settings → what the dataset, training and choosing commands work with.

    kit = making.dataset_kit(studio, "luna")
    build_dataset(kit, making.trainee(studio, "luna"), Photos.read([photo]), load_shot_list("30"))

Functions over a Studio. They choose adapters, like everything in this package; the rules stand in `workflow`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zirelia.definitions.agents import load_agent
from zirelia.definitions.pack_edit import set_references
from zirelia.definitions.personas import load_persona, persona_names
from zirelia.definitions.scaffold import trigger_for
from zirelia.definitions.words import english_words
from zirelia.domain.dataset import Dataset
from zirelia.domain.lora import Checkpoint, LoraChoice
from zirelia.domain.persona import Kind, Persona
from zirelia.domain.trigger import trigger_complaints
from zirelia.errors import ConfigurationError, NotFound, ZireliaError
from zirelia.files import sweep, whole_file
from zirelia.settings import Settings
from zirelia.store.datasets import DatasetFiles
from zirelia.store.loras import LoraLibrary
from zirelia.studio import adapters, face_adapters
from zirelia.studio.loras import Judged
from zirelia.workflow.aside import held_aside
from zirelia.workflow.dataset_kit import DatasetKit
from zirelia.workflow.kit import Budget, Subject
from zirelia.workflow.train import TrainKit

if TYPE_CHECKING:
    from PIL.Image import Image

    from zirelia.ports import ImageEditor, ImageMaker, Trainer
    from zirelia.studio import Studio
    from zirelia.training.plan import TrainingPlan
    from zirelia.workflow.dataset import Built

Where = Literal["here", "replicate"]
POCKET_SCALES = (0.9, 1.0)
"""Scales at which checkpoints of the pocket model are judged: at .8 its LoRAs have lost the face already."""


def trainee(studio: Studio, name: str) -> Persona:
    """The persona with a trigger word: the pack's, else one made from the name."""
    persona = studio.persona(name)
    if persona.lora is not None:
        return persona
    return persona.model_copy(update={"lora": LoraChoice(trigger=trigger_for(persona.name))})


def dataset_folder(studio: Studio, name: str) -> DatasetFiles:
    """The dataset in the persona's pack."""
    return DatasetFiles(studio.pack_folder(name) / "dataset")


def library(studio: Studio) -> LoraLibrary:
    return LoraLibrary(studio.settings.home / "loras")


def budget(settings: Settings, persona: Persona) -> Budget:
    """The settings' caps, by the persona's own calendar."""
    return Budget(**settings.budget.model_dump(), zone=persona.cadence.zone)


def dataset_kit(studio: Studio, name: str, *, backend: str | None = None, with_words: bool = False) -> DatasetKit:
    """What a dataset of that persona is made with.

    Args:
        backend: of the editor, in place of the settings' own. Where these lead to the pocket world and the persona is
            photographic, there is no editor: her pictures are brought, examined and captioned without one.
        with_words: also the image model, for anchors.
    """
    settings = studio.settings
    persona = studio.persona(name)
    choice = face_adapters.editor_choice(settings, backend)
    if backend is not None:
        refuse_photographic_pocket(persona, backend)
    unfit = persona.kind is Kind.PHOTOGRAPHIC and choice.backend == "pocket"
    editor = None if unfit else face_adapters.editor(settings, choice)
    return DatasetKit(
        store=studio.store,
        folder=dataset_folder(studio, name),
        curator=face_adapters.curator(persona.kind),
        now=lambda: datetime.now(UTC),
        watcher=studio.watcher,
        editor=editor,
        images=studio.images if with_words else None,
        images_licence=face_adapters.images_licence(studio.choices["image"]),
        side=_side(studio, editor),
        budget=budget(settings, persona),
        vision=studio.vision,
        captioner=load_agent("dataset_captioner"),
        vision_estimate_usd=adapters.vision_estimate_usd(settings, studio.choices["vision"]) if studio.vision else 0.0,
        known_words=english_words(),
        other_triggers=other_triggers(studio, name),
    )


def keep_references(studio: Studio, name: str, built: Built) -> tuple[str, ...]:
    """Puts good pictures that the training does not see into the pack as references, when it has none of its own.

    Returns their names within the pack; () when the pack keeps its own.
    """
    pack = studio.pack_folder(name)
    if studio.persona(name).references:
        return ()
    folder = dataset_folder(studio, name)
    names = []
    with folder.writing():
        sweep(pack)
        sweep(pack / "references")
        for one in held_aside(built.rejected):
            # the candidate's own name: made again after a kill it is the same, and no picture of somebody's has it
            target = f"references/{Path(one.path).name}"
            with whole_file(pack / target) as part:
                part.write_bytes(folder.read(one))
            names.append(target)
        if names:
            set_references(pack / "persona.yaml", names)
            studio.forget_pack(name)
    return tuple(names)


def other_triggers(studio: Studio, name: str) -> tuple[str, ...]:
    """The trigger words of all other personas and of the library's other LoRAs."""
    own = studio.persona(name).name
    packs = []
    for other in persona_names():
        try:
            packs.append(load_persona(other).persona)
        except ZireliaError:  # a pack that does not load takes no word; `zirelia persona check` names it
            continue
    words = [pack.lora.trigger for pack in packs if pack.lora is not None and pack.name != own]
    return tuple(dict.fromkeys([*words, *library(studio).triggers(but=own)]))


def _side(studio: Studio, editor: ImageEditor | None) -> int:
    """The side that a training will look at, but no more than the editor makes."""
    kind, _ = training_base(studio)
    looked_at = 128 if kind == "pocket" else 1024
    return looked_at if editor is None else min(*editor.size(), looked_at)


def training_base(studio: Studio) -> tuple[str, str | None]:
    """Family of the base that is trained here (pocket, flux, sdxl, sd15), and its folder or hub name; None for the pocket's."""
    base = studio.settings.training.base
    choice = studio.choices["image"]
    if base is None and choice.backend == "flux":
        base = choice.model
    if base is None:
        return "pocket", None
    return face_adapters.base_family(base), base


def training_folder(studio: Studio, name: str) -> Path:
    """Where a persona's training keeps its files."""
    return studio.settings.home / "training" / studio.persona(name).name


def train_kit(
    studio: Studio, name: str, plan: TrainingPlan, *, where: Where | None = None, profile: str | None = None
) -> TrainKit:
    """What a training works with. Raises ConfigurationError when it cannot run there."""
    settings = studio.settings
    persona = studio.persona(name)
    own = persona.name
    others = other_triggers(studio, name)
    trainer: Trainer
    if (where or settings.training.where) == "replicate":
        trainer = face_adapters.replicate_trainer(settings, plan)
    else:
        kind, base = training_base(studio)
        trainer = face_adapters.local_trainer(
            plan,
            kind=kind,
            base=base,
            profile=profile or settings.training.profile,
            scratch=training_folder(studio, name),
            samples=_samples(trainee(studio, own)) if plan.sample_every else (),
            tensorboard=settings.training.tensorboard,
        )
    return TrainKit(
        store=studio.store,
        trainer=trainer,
        now=lambda: datetime.now(UTC),
        watcher=studio.watcher,
        recipe=plan.model_dump_json(),
        budget=budget(settings, persona),
        complaints=lambda word: trigger_complaints(word, english_words(), others),
    )


def _samples(persona: Persona) -> tuple[str, ...]:
    """Prompts of the pictures that a training draws on its way."""
    word = persona.lora.trigger if persona.lora else ""
    noun = persona.look.noun
    return (
        f"{word} {noun}, close-up portrait, smiling, wearing a red t-shirt, in a cafe, daylight",
        f"{word} {noun}, half body portrait, serious, wearing a black blazer, on the beach, golden hour",
        f"a {noun}, close-up portrait, smiling, wearing a red t-shirt, in a cafe, daylight",
    )


def dataset_of(studio: Studio, name: str) -> Dataset:
    """Raises NotFound without a finished dataset."""
    studio.persona(name)
    dataset = dataset_folder(studio, name).dataset()
    if dataset is None:
        raise NotFound(f"'{name}' has no finished dataset", hint=f"zirelia dataset build {name}")
    return dataset


def judge_checkpoints(studio: Studio, name: str, checkpoints: Path | None = None) -> Judged:
    """Judges the checkpoints of the persona's training, or those in a folder, against her references.

    Raises NotFound without checkpoints, and what `workflow.choose.judge_checkpoints` raises.
    """
    from zirelia.critic.technical import TechnicalInstrument
    from zirelia.workflow.choose import judge_checkpoints as judge
    from zirelia.workflow.judging import Effort

    folder = dataset_folder(studio, name)
    dataset, shots = folder.dataset(), folder.shots()
    run = checkpoints or run_folder(studio, name)
    found = _checkpoints(run, name)
    persona = trainee(studio, name).model_copy(update={"lora": LoraChoice(trigger=found[0].lora.trigger)})
    # not studio.subject: the weights that the pack wears now may be lost, and are not what is judged
    subject = Subject(persona=persona, lora=None, references=studio.references(name))
    cells = {cell.id: cell.shot for cell in shots.cells} if shots else {}
    references = dataset.references if dataset else ()
    judgement = judge(
        studio.kit(),
        subject,
        found,
        recogniser=face_adapters.recogniser(persona.kind),
        trained=[_picture(folder.path / reference.path, inside=folder.path) for reference in references],
        folder=run / "judged",
        shown=[cells[reference.cell] for reference in references if reference.cell in cells],
        instruments=[TechnicalInstrument()],
        effort=Effort(scales=POCKET_SCALES) if studio.choices["image"].backend == "pocket" else None,
    )
    return Judged(judgement=judgement, checkpoints=found, dataset=dataset)


def run_folder(studio: Studio, name: str) -> Path:
    return training_folder(studio, name) / f"{studio.persona(name).name}.run"


def _checkpoints(run: Path, name: str) -> tuple[Checkpoint, ...]:
    from zirelia.training.snapshots import checkpoints

    found = checkpoints(run) if run.is_dir() else ()
    if not found:
        raise NotFound(f"there are no checkpoints in {run}", hint=f"train first: zirelia train {name}")
    return found


def write_judgement_report(studio: Studio, judged: Judged, report: Path, *, checkpoints: Path | None = None) -> None:
    """The page with the verdict, curves and pictures, as one file that opens offline."""
    from zirelia.reports.judgement import judgement_page

    folder = (checkpoints or run_folder(studio, judged.judgement.persona)) / "judged"
    facts = [("dataset", f"{len(judged.dataset.references)} pictures")] if judged.dataset else []
    if judged.dataset:
        facts.append(("licence of the pictures", "; ".join(sorted({one.licence for one in judged.dataset.references}))))
    page = judgement_page(judged.judgement, picture=lambda file: _picture(folder / file), training=facts)
    with whole_file(report) as part:
        part.write_text(page, encoding="ascii", errors="xmlcharrefreplace")


def reference_maker(studio: Studio, subject: Subject) -> ImageMaker:
    """An image maker whose subject is given by the persona's references. Raises ConfigurationError without any."""
    from zirelia.images.references import ReferenceImageMaker
    from zirelia.pictures import encode_png

    refuse_photographic_pocket(subject.persona, studio.choices["edit"].backend)
    editor = face_adapters.editor(studio.settings, studio.choices["edit"])
    return ReferenceImageMaker(editor, [encode_png(image) for image in subject.references])


def _picture(path: Path, *, inside: Path | None = None) -> Image:
    from zirelia.pictures import load_picture

    return load_picture(path, inside=inside)


def refuse_photographic_pocket(persona: Persona, backend: str) -> None:
    """The pocket world draws illustrated people only."""
    if persona.kind is Kind.PHOTOGRAPHIC and backend == "pocket":
        raise ConfigurationError(
            f"'{persona.name}' is photographic, and the embedded edit backend draws illustrations only",
            hint="choose klein, kontext, qwen-edit, replicate or openai with --backend or ZIRELIA_EDIT_BACKEND",
        )
