"""`zirelia pocket`: make the demo model anew, train a character of its world, hold the model against its gate."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zirelia.cli import terminal

if TYPE_CHECKING:
    from zirelia.pocket.progress import Progress
    from zirelia.training.progress import Heartbeat

_folder = click.Path(path_type=Path, file_okay=False)


class _Steps:
    """Shows stages of long work: one line a stage, the latest figures on it."""

    def __init__(self) -> None:
        self._watcher = terminal.TerminalWatcher()
        self._stage = ""

    def show(self, stage: str, done: int, total: int, note: str) -> None:
        if stage != self._stage:
            if self._stage:
                self._watcher.done()
            self._watcher.step(stage, f"{total} steps")
            self._stage = stage
        self._watcher.progress(done / total if total else 0.0, note)

    def end(self) -> None:
        if self._stage:
            self._watcher.done()


@click.group()
def pocket() -> None:
    """Build and measure the embedded illustrated demo model."""
    _quiet_libraries()


def _quiet_libraries() -> None:
    """Keeps the model libraries' notices and bars off the terminal; errors are still raised."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


@pocket.command()
@click.option(
    "--recipe", type=click.Choice(["laptop", "workstation"]), default="laptop", show_default=True, help="Sizes and steps."
)
@click.option("--out", type=_folder, required=True, help="Where the finished weights go.")
@click.option("--work", type=_folder, default=Path("pocket-work"), show_default=True, help="Snapshots; kept to resume from.")
@click.option("--init", type=_folder, help="Weights to start from instead of noise.")
def build(recipe: str, out: Path, work: Path, init: Path | None) -> None:
    """Render the world and train the demo model from nothing; interrupted, it goes on where it stopped."""
    from zirelia.pocket.build import build as build_weights
    from zirelia.pocket.recipe import LAPTOP, WORKSTATION

    steps = _Steps()

    def report(progress: Progress) -> None:
        loss = "" if progress.loss is None else f"loss {progress.loss:.4f}, "
        steps.show(progress.stage, progress.done, progress.total, f"{loss}{progress.rate:.1f}/s")

    chosen = {"laptop": LAPTOP, "workstation": WORKSTATION}[recipe]
    build_weights(chosen, out=out, work=work, init=init, progress=report)
    steps.end()
    click.echo(str(out))


@pocket.command()
@click.argument("name")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("picture.png"), show_default=True, help="The PNG."
)
@click.option("--size", default=512, show_default=True, type=click.IntRange(64, 2048), help="Side in pixels.")
@click.option("--seed", default=3, show_default=True, type=click.IntRange(0), help="Which picture.")
def draw(name: str, out: Path, size: int, seed: int) -> None:
    """Draw one picture of a character that the model has never seen: a photo to start a dataset from."""
    import random

    from zirelia.files import whole_file
    from zirelia.pocket.drawing import render
    from zirelia.pocket.world import HELD_OUT, random_shot

    if name not in HELD_OUT:
        raise click.BadParameter(f"'{name}' is not held out; there are {', '.join(HELD_OUT)}")
    with whole_file(out) as part:
        render(HELD_OUT[name], random_shot(random.Random(seed)), size).save(part, format="PNG")  # noqa: S311
    click.echo(str(out))


@pocket.command()
@click.argument("name")
@click.option("--pack", type=_folder, help="The persona pack that receives the pictures and the LoRA; persona/NAME otherwise.")
@click.option("--pictures", default=36, show_default=True, type=click.IntRange(4, 60), help="Drawn to train on.")
@click.option("--steps", type=click.IntRange(1, 5000), help="Training steps; the measured recipe's when left out.")
@click.option("--seed", default=42, show_default=True, type=click.IntRange(0), help="Of the training.")
@click.option("--base", type=_folder, help="Other weights than the shipped ones.")
def character(name: str, pack: Path | None, pictures: int, steps: int | None, seed: int, base: Path | None) -> None:
    """Draw a character of the world, train its LoRA with the trainer that real LoRAs use, and put both into a pack."""
    from zirelia.pocket.characters import character_dataset, draw_references, other_captions, other_pictures
    from zirelia.pocket.weights import pipeline_dir
    from zirelia.pocket.world import SCENES
    from zirelia.training.plan import POCKET
    from zirelia.training.trainer import train_lora

    pack = pack or Path("persona") / name
    pictured, lora = pack / "dataset", pack / "lora" / f"{name}.safetensors"
    for folder in (pictured, lora.parent):
        folder.mkdir(parents=True, exist_ok=True)
    dataset = character_dataset(name, pictured, count=pictures, scenes=SCENES)
    # the critic's references are other pictures than those the LoRA learnt, so that likeness is not memory
    draw_references(name, pack / "references")
    others = lora.with_suffix(".others")
    others.mkdir(exist_ok=True)
    plan = POCKET.model_copy(update={"seed": seed, "steps": steps or POCKET.steps})
    shown = _Steps()

    def hear(beat: Heartbeat) -> None:
        loss = "" if beat.loss is None else f"loss {beat.loss:.4f}, "
        shown.show(beat.stage, beat.step, beat.steps, f"{loss}{beat.rate or 0:.1f}/s")

    trained = train_lora(
        base or pipeline_dir(),
        dataset,
        pictured,
        plan,
        lora,
        other_captions(),
        hear,
        base_model="pocket-flux",
        other_pictures=other_pictures(others),
    )
    shown.end()
    for folder in (others, lora.with_suffix(".run")):
        shutil.rmtree(folder)
    click.echo(f"{trained.path}\n  trigger {trained.trigger}, rank {trained.rank}, sha256 {trained.sha256}")


@pocket.command()
@click.argument("loras", nargs=-1, required=True, metavar="NAME=LORA...")
@click.option("--base", type=_folder, help="Other weights than the shipped ones.")
@click.option("--sheets", type=_folder, help="Write a contact sheet for each character here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def gate(loras: tuple[str, ...], base: Path | None, sheets: Path | None, as_json: bool) -> None:
    """Hold the model against its shipping gate with the LoRAs of six or more held-out characters."""
    from zirelia.pocket.characters import TRIGGERS
    from zirelia.pocket.evaluate import QUESTIONS, Trained, evaluate
    from zirelia.pocket.looks import LooksEncoder
    from zirelia.pocket.weights import looks_path, pipeline_dir

    trained = []
    for given in loras:
        name, _, path = given.partition("=")
        if name not in TRIGGERS or not path:
            raise click.BadParameter(f"'{given}' is not NAME=LORA; names: {', '.join(TRIGGERS)}")
        trained.append(Trained(character=name, trigger=TRIGGERS[name], lora=Path(path)))
    report = evaluate(trained, base or pipeline_dir(), LooksEncoder.load(looks_path()), sheets=sheets)
    if as_json:
        terminal.print_json({"passed": report.passed, "failures": report.failures, "scores": list(map(str, report.scores))})
    else:
        for question in QUESTIONS:
            click.echo(f"  {question:12} identity {report.identity(question):.3f}  scene {report.scene(question):.2f}")
        for failure in report.failures:
            click.secho(f"  ✗ {failure}", fg="red")
    if not report.passed:
        raise click.exceptions.Exit(11)


@pocket.command()
@click.argument("name")
@click.argument("lora", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--trigger", help="The word that calls up the face; the one that the LoRA's file names when left out.")
@click.option("--scale", type=click.FloatRange(0, 2), help="How strongly it is worn; as the pack says, or 1.")
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Write the pictures as a PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prove(name: str, lora: Path | None, trigger: str | None, scale: float | None, sheet: Path | None, as_json: bool) -> None:
    """Hold a LoRA, or the one in the character's pack, against drawings of the true character, in settings that its dataset
    left out.
    """
    from zirelia.files import whole_file
    from zirelia.pocket.looks import LooksEncoder
    from zirelia.pocket.proof import prove as proven
    from zirelia.pocket.weights import looks_path, pipeline_dir
    from zirelia.safetensors_header import read_header
    from zirelia.sheets import Row, contact_sheet

    if lora is None:
        lora, scale = _worn_by(name, scale)
    word = trigger or read_header(lora).metadata.get("modelspec.trigger_phrase", "")
    if not word:
        raise click.BadParameter("the file names no trigger word; give it with --trigger")
    proof = proven(name, word, lora, pipeline_dir(), LooksEncoder.load(looks_path()), scale=1.0 if scale is None else scale)
    if sheet is not None:
        across = len(proof.settings)
        rows = [
            Row(f"{line.name}: {line.median:.2f}", line.images[:across], [f"{score:.2f}" for score in line.scores[:across]])
            for line in proof.lines
        ]
        columns = [f"{scene}, {light}" for scene, light in proof.settings]
        with whole_file(sheet) as part:
            part.write_bytes(contact_sheet(rows, side=112, title=f"{name}: settings never seen", columns=columns))
    if as_json:
        lines = {line.name: {"median": line.median, "tenth": line.tenth, "scores": line.scores} for line in proof.lines}
        told = {"share_of_real": proof.share, "leaked": proof.leaked, "threshold": proof.threshold, "identity": lines}
        terminal.print_json(told)
        return
    for line in proof.lines:
        taken = f"{line.above(proof.threshold):.0%} taken for {name}"
        click.echo(f"  {line.name:12}  identity median {line.median:.3f}, 10th percentile {line.tenth:.3f}, {taken}")
    click.echo(f"  {proof.share:.0%} of real pictures; {proof.leaked:.0%} leaked without the trigger word")


def _worn_by(name: str, scale: float | None) -> tuple[Path, float]:
    """The weights in the character's pack, and the scale at which they are worn."""
    from zirelia.definitions.personas import load_persona
    from zirelia.errors import NotFound

    pack = load_persona(name)
    path, worn = pack.lora_path(), pack.persona.lora
    if path is None or worn is None or not path.is_file():
        raise NotFound(f"the pack of '{name}' has no LoRA", hint=f"zirelia lora choose {name} --use, or name the file")
    return path, worn.scale if scale is None else scale
