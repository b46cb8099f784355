"""What a person sees of a training: what is about to be done, its progress here or in another process, and what it left."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zirelia.cli.terminal import TerminalWatcher
from zirelia.domain.duration import duration
from zirelia.domain.value import printable
from zirelia.errors import NotFound, TrainingError

if TYPE_CHECKING:
    from zirelia.domain.dataset import Dataset
    from zirelia.domain.lora import Checkpoint
    from zirelia.ports import BackendFacts
    from zirelia.training.plan import TrainingPlan
    from zirelia.training.status import RunStatus

_BAR = 24
_COLOURS = {"done": "green", "failed": "red", "stopped": "yellow"}


def bar(fraction: float) -> str:
    filled = round(_BAR * min(1.0, max(0.0, fraction)))
    return "━" * filled + "╌" * (_BAR - filled)


def redraw(line: str) -> None:
    click.echo(f"\r\x1b[2K  {line}", nl=False, err=True)


class TrainingWatcher(TerminalWatcher):
    """The note of a training tells the time left itself: by the speed of now, not of what an earlier process did."""

    def progress(self, fraction: float, note: str) -> None:
        if self._live:
            redraw(f"{bar(fraction)} {fraction:4.0%} {printable(note)}")


def quiet_libraries() -> None:
    """Keeps the model libraries' notices and bars off the terminal, where they are installed; errors are still raised."""
    if any(importlib.util.find_spec(name) is None for name in ("diffusers", "transformers")):
        return
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def preflight(persona: str, dataset: Dataset, plan: TrainingPlan, facts: BackendFacts, estimate: float) -> None:
    """One table before anything starts, on stderr: results alone go to stdout."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", justify="right")
    rows.add_column(overflow="fold")
    ways = {"output": "yes, by the base's own pictures of them", "class images": "yes, by pictures of them"}
    preserved = ways[plan.preservation] if plan.preserving else "no: the face will leak"
    # what a profile made of the plan is the trainer's to say
    details = {"steps": str(plan.steps), "rank": str(plan.rank), "resolution": str(plan.resolution)} | facts.details
    sizes = f"{details.pop('steps')} steps, rank {details.pop('rank')}, {details.pop('resolution')} px"
    said = {
        "with": f"{facts.backend} {facts.model}",
        "pictures": f"{len(dataset.references)}, trigger {dataset.trigger}",
        "keeps others": preserved,
        "checkpoints": f"every {min(plan.snapshot_every, plan.steps)} steps" if facts.local else "the last one",
        **details,
        "plan": f"{plan.name}: {sizes}, rate {plan.learning_rate:g}",
        "cost": f"about ${estimate:.2f}" if estimate else "nothing",
    }
    for name, words in said.items():
        rows.add_row(name, Text(printable(words)))
    console = Console(stderr=True)
    console.width = min(100, console.width)
    console.print(Panel(rows, title=f"training of {persona}", border_style="cyan"))


def finished(persona: str, checkpoints: Sequence[Checkpoint]) -> None:
    """The files on stdout, what to do next on stderr."""
    for each in checkpoints:
        click.echo(f"{each.lora.path}  step {each.step}, rank {each.lora.rank}")
    click.secho(f"  next: zirelia lora choose {persona}", dim=True, err=True)


def interrupted(persona: str, *, hosted: bool) -> None:
    click.echo(err=True)
    if hosted:
        click.secho("the training goes on at the provider, and so does its price", fg="yellow", err=True)
        click.secho(f"  wait for it again: zirelia train resume {persona}", dim=True, err=True)
        click.secho(f"  cancel it:         zirelia train stop {persona}", dim=True, err=True)
    else:
        click.secho(f"  go on: zirelia train resume {persona}", dim=True, err=True)


class StatusView:
    """Redraws the status of another process where the terminal can; else a line whenever a tenth is done."""

    def __init__(self, persona: str) -> None:
        self._persona, self._live, self._tenth = persona, sys.stderr.isatty(), -1

    def show(self, status: RunStatus) -> None:
        fraction = status.step / status.steps if status.steps else 0.0
        line = f"{bar(fraction)} {fraction:4.0%} {described(status)}"
        if self._live:
            redraw(line)
        elif (tenth := int(fraction * 10)) != self._tenth:
            self._tenth = tenth
            click.echo(f"{self._persona}: {described(status)}", err=True)

    def end(self, status: RunStatus) -> None:
        if self._live:
            click.echo("\r\x1b[2K", nl=False, err=True)
        if status.state == "done":
            click.secho(f"{self._persona}: {described(status)}", fg="green", err=True)
            click.secho(f"  next: zirelia lora choose {self._persona}", dim=True, err=True)


def described(status: RunStatus) -> str:
    """One line: what it does, step, loss, speed, time left."""
    said = [f"{status.state} {status.step}/{status.steps}"]
    loss = status.smoothed if status.smoothed is not None else status.loss
    if loss is not None:
        said.append(f"loss {loss:.4f}")
    if status.validation is not None:
        said.append(f"validation {status.validation:.4f}")
    if status.seconds_per_step is not None:
        said.append(f"{status.seconds_per_step:.2f} s/step")
    if status.seconds_left is not None:
        said.append(f"{duration(status.seconds_left)} left")
    return ", ".join(said)


def ending(status: RunStatus) -> str:
    words = {"done": "is done", "failed": "failed", "stopped": "stopped"}.get(status.state, status.state)
    return words + (f": {printable(status.message)}" if status.message else "")


def run_folder(out: Path, persona: str) -> Path:
    """The folder of the run that beat last. Raises NotFound when none was ever there."""
    found = sorted(out.glob("**/status.json"), key=lambda path: path.stat().st_mtime)
    if not found and (out / "replicate.json").is_file():
        raise NotFound(
            f"the training of '{persona}' runs at Replicate, not here", hint=f"zirelia train resume {persona} waits for it"
        )
    if not found:
        raise NotFound(f"no training of '{persona}' was begun here", hint=f"zirelia train {persona}")
    return found[-1].parent


def row(persona: str, out: Path) -> dict[str, Any] | None:
    """What `zirelia train list` says of one persona; None when nothing was trained."""
    from zirelia.training.replicate_record import Record
    from zirelia.training.status import read_status

    checkpoints = len([*out.glob("**/lora.safetensors")]) if out.is_dir() else 0
    said = {"persona": persona, "where": "here", "checkpoints": checkpoints, "folder": str(out)}
    try:
        status = read_status(run_folder(out, persona))
    except NotFound:
        try:
            record = Record.read(out)
        except TrainingError as error:
            return said | {"where": "replicate", "state": "damaged", "note": error.message}
        if record is None:
            return None
        state = "done" if record.sha256 else "ordered"
        return said | {"where": "replicate", "state": state, "note": record.training or ""}
    except TrainingError as error:
        return said | {"state": "damaged", "note": error.message}
    return said | {"state": status.state, "note": described(status), "step": status.step, "steps": status.steps}


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, header_style="dim", padding=(0, 1))
    for heading in ("persona", "where", "state", "checkpoints", ""):
        shown.add_column(heading, overflow="fold")
    for each in rows:
        state = Text(str(each["state"]), style=_COLOURS.get(str(each["state"]), "cyan"))
        shown.add_row(each["persona"], each["where"], state, str(each["checkpoints"]), Text(printable(each["note"])))
    Console().print(shown)
