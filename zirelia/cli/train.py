"""`zirelia train`: train a persona's LoRA, go on with it, watch it, end it, or write it down for another trainer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zirelia.cli import terminal, training_views
from zirelia.cli.training_choice import PRESETS, PROFILES, TOOLS, Chosen, plan_of
from zirelia.errors import NotFound, TrainingError
from zirelia.studio import open_studio

if TYPE_CHECKING:
    from zirelia.domain.dataset import Dataset
    from zirelia.studio import Studio

_LOOK_EVERY = 1.0
_STOP_WITHIN = 900.0
"""Seconds: the step at work, and the writing of the file."""


class _TrainGroup(click.Group):
    """A group whose first word may be a persona: that trains it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *ctx.help_option_names}
        if args and not known & set(args[:1]):
            args = ["start", *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "PERSONA [OPTIONS]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = (each for each in start.params if isinstance(each, click.Option))
        records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
        with formatter.section("Options of a training"):
            formatter.write_dl(records)
        super().format_options(ctx, formatter)


_EXAMPLES = """\b
Examples:
  zirelia train mira                        train as the settings say
  zirelia train mira --where replicate      train at Replicate
  zirelia train mira --show-script kohya    print the same training for another trainer
  zirelia train start list                  train a persona whose name is a command's
"""


@click.group(cls=_TrainGroup, epilog=_EXAMPLES)
def train() -> None:
    """Train a persona's LoRA from its dataset, go on with it, watch it, end it."""


@train.command(hidden=True)
@click.argument("persona")
@click.option("--preset", type=click.Choice(PRESETS), help="What is learnt; as the base needs it when left out.")
@click.option("--where", type=click.Choice(["here", "replicate"]), help="On this machine or at Replicate.")
@click.option("--profile", type=click.Choice(PROFILES), help="Memory of the card, when the finding out is wrong.")
@click.option("--steps", type=click.IntRange(1, 100_000), help="Instead of the preset's.")
@click.option("--rank", type=click.IntRange(1, 256), help="Instead of the preset's.")
@click.option("--rate", type=click.FloatRange(0, 1, min_open=True), help="Learning rate, instead of the preset's.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Instead of the preset's.")
@click.option("--resolution", type=click.IntRange(32, 2048), help="Side in pixels, a multiple of 16.")
@click.option("--anew", is_flag=True, help="Begin again; an earlier training is kept under another name.")
@click.option("--show-script", "tool", type=click.Choice(TOOLS), help="Print it for another trainer and train nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def start(
    persona: str,
    preset: str | None,
    where: str | None,
    profile: str | None,
    tool: str | None,
    anew: bool,
    yes: bool,
    as_json: bool,
    **changes: Any,
) -> None:
    """Train the persona's LoRA."""
    changes = {name: value for name, value in changes.items() if value is not None}
    with open_studio(None if as_json else training_views.TrainingWatcher()) as studio:
        dataset = _dataset(studio, persona)
        kind, base = studio.training_base()
        plan = plan_of(preset or ("pocket" if kind == "pocket" else "person"), len(dataset.references), changes)
        if tool is not None:
            out = studio.training_folder(persona)
            pictures = studio.dataset_folder(persona).path
            noun = studio.persona(persona).look.noun
            click.echo(_script(tool, plan, dataset, pictures, out, kind, base, profile, noun), nl=False)
            return
        chosen, folder = Chosen(plan=plan, where=where, profile=profile), studio.training_folder(persona)
        if anew:
            _set_aside(folder)
        elif (before := Chosen.read(folder)) is not None and before != chosen:
            raise TrainingError(
                f"another training of '{persona}' lies in {folder}",
                hint=f"go on with it: zirelia train resume {persona}; or begin again and keep it aside: --anew",
            )
        _run(studio, persona, dataset, chosen, yes=yes, as_json=as_json)


@train.command()
@click.argument("persona")
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def resume(persona: str, yes: bool, as_json: bool) -> None:
    """Go on with the training that was begun last, with its own plan."""
    with open_studio(None if as_json else training_views.TrainingWatcher()) as studio:
        chosen = Chosen.read(studio.training_folder(persona))
        if chosen is None:
            raise NotFound(f"no training of '{persona}' was begun", hint=f"zirelia train {persona}")
        _run(studio, persona, _dataset(studio, persona), chosen, yes=yes, as_json=as_json)


@train.command()
@click.argument("persona")
@click.option("--json", "as_json", is_flag=True, help="Print one look as JSON and end.")
def watch(persona: str, as_json: bool) -> None:
    """Follow a training that runs in another process, until it ends."""
    from zirelia.training.status import read_status

    with open_studio() as studio:
        run = training_views.run_folder(studio.training_folder(persona), persona)
    status = read_status(run)
    if as_json:
        terminal.print_json(status.model_dump(mode="json"))
        return
    shown = training_views.StatusView(persona)
    while status.running:
        shown.show(status)
        time.sleep(_LOOK_EVERY)
        status = read_status(run)
    shown.end(status)
    if status.state != "done":
        raise TrainingError(
            f"the training of '{persona}' {training_views.ending(status)}", hint=f"zirelia train resume {persona}"
        )


@train.command()
@click.argument("persona")
@click.option("--yes", is_flag=True, help="Do not ask before a hosted training is cancelled.")
def stop(persona: str, yes: bool) -> None:
    """End a training well: its LoRA so far is written. A hosted one is cancelled."""
    with open_studio() as studio:
        out = studio.training_folder(persona)
        if _stop_hosted(studio, persona, out, yes=yes):
            return
        run = training_views.run_folder(out, persona)
    from zirelia.training.status import read_status
    from zirelia.training.stopping import request_stop

    request_stop(run)
    click.echo("asked to stop; waiting for the step at work …", err=True)
    given_up = time.monotonic() + _STOP_WITHIN
    while (status := read_status(run)).running:
        if time.monotonic() > given_up:
            raise TrainingError(
                f"the training of '{persona}' has not stopped yet (process {status.pid})",
                hint=f"it will after its next step; zirelia train watch {persona} tells",
            )
        time.sleep(_LOOK_EVERY)
    click.echo(f"{training_views.ending(status)} after step {status.step} of {status.steps}")


@train.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List the trainings of all personas."""
    from zirelia.definitions.personas import persona_names

    with open_studio() as studio:
        rows = [row for name in persona_names() if (row := training_views.row(name, studio.training_folder(name)))]
    if as_json:
        terminal.print_json(rows)
    elif rows:
        training_views.table(rows)
    else:
        click.echo("No trainings yet.")


def _dataset(studio: Studio, persona: str) -> Dataset:
    studio.persona(persona)  # a wrong name is said before anything else
    dataset: Dataset | None = studio.dataset_folder(persona).dataset()
    if dataset is None:
        raise NotFound(f"'{persona}' has no finished dataset", hint=f"zirelia dataset build {persona}")
    return dataset


def _run(studio: Studio, persona: str, dataset: Dataset, chosen: Chosen, *, yes: bool, as_json: bool) -> None:
    from zirelia.ports import TrainingOrder
    from zirelia.workflow.train import check_order
    from zirelia.workflow.train import train as train_persona

    out = studio.training_folder(persona)
    order = TrainingOrder(dataset=dataset, pictures=studio.dataset_folder(persona).path, out=out)
    kit = studio.train_kit(persona, chosen.plan, where=chosen.where, profile=chosen.profile)
    check_order(kit, studio.persona(persona), order)
    facts = kit.trainer.facts()
    estimate = kit.trainer.estimate_usd(order) if facts.paid else 0.0
    if not as_json:
        training_views.preflight(persona, dataset, chosen.plan, facts, estimate)
    if estimate > 0 and not yes:
        terminal.agree(f"This may cost ${estimate:.2f}. Train?")
    chosen.write(out)
    if facts.local:
        training_views.quiet_libraries()
    try:
        checkpoints = train_persona(kit, studio.persona(persona), order)
    except KeyboardInterrupt:
        training_views.interrupted(persona, hosted=facts.paid)
        raise
    if as_json:
        terminal.print_json({"persona": persona, "checkpoints": [each.model_dump(mode="json") for each in checkpoints]})
    else:
        training_views.finished(persona, checkpoints)


def _set_aside(folder: Path) -> None:
    """Gives an earlier training another name. Raises TrainingError while it runs, or when the folder cannot be moved."""
    from zirelia.training.status import read_status

    if not folder.is_dir():
        return
    for run in folder.glob("*.run"):
        if (run / "status.json").is_file() and read_status(run).running:
            raise TrainingError(f"the training in {folder} is running", hint="stop it first: zirelia train stop")
    number = 1
    while (aside := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    try:
        folder.rename(aside)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be moved to {aside}: {error.strerror}") from error
    click.secho(f"the earlier training is kept in {aside}", dim=True, err=True)


def _stop_hosted(studio: Studio, persona: str, out: Path, *, yes: bool) -> bool:
    """Whether a hosted training was under way, and is cancelled now."""
    from zirelia.training.replicate_record import Record
    from zirelia.workflow.train import Stoppable

    record, chosen = Record.read(out), Chosen.read(out)
    if record is None or chosen is None or record.training is None or record.sha256 is not None:
        return False
    if not yes:
        terminal.agree(f"Training {record.training} is paid by the second and leaves nothing when cancelled. Cancel it?")
    trainer = studio.train_kit(persona, chosen.plan, where="replicate", profile=chosen.profile).trainer
    stopped = trainer.stop(out) if isinstance(trainer, Stoppable) else None
    click.echo(f"training {stopped} is cancelled" if stopped else "there was nothing to cancel")
    return True


def _script(
    tool: str,
    plan: Any,
    dataset: Dataset,
    pictures: Path,
    out: Path,
    kind: str,
    base: str | None,
    profile: str | None,
    noun: str,
) -> str:
    from zirelia.training.exports import BaseKind, ScriptOrder, show_script
    from zirelia.training.profiles import profile as profile_named

    memory = profile if profile in {"40gb", "24gb", "16gb", "12gb", "8gb"} else None
    return show_script(
        tool,
        ScriptOrder(
            plan=profile_named(memory).fit(plan) if memory else plan,
            dataset=dataset,
            pictures=pictures,
            out=out,
            family=BaseKind.FLUX if kind == "pocket" else BaseKind(kind),
            base=base,
            memory=memory,  # type: ignore[arg-type]
            noun=noun,
        ),
    )
