"""`zirelia lora`: the library of LoRAs: list, cards, bring files in, hand them out, choose a training's checkpoint."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zirelia.cli import terminal
from zirelia.domain.value import printable
from zirelia.errors import TrainingError

if TYPE_CHECKING:
    from zirelia.domain.choice import Choice, Measured
    from zirelia.store.loras import KeptLora, LoraLibrary
    from zirelia.studio import Studio

LAYOUTS = ("diffusers", "comfyui", "kohya", "ai-toolkit")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def lora() -> None:
    """Choose, list, show, import and export LoRAs."""


def _library(studio: Studio) -> LoraLibrary:
    from zirelia.store.loras import LoraLibrary

    return LoraLibrary(studio.settings.home / "loras")


@lora.command("list")
@click.option("--verify", is_flag=True, help="Hash every file and name those that have changed.")
@_json
def list_loras(verify: bool, as_json: bool) -> None:
    """List the library, newest first, and who wears what; name files that are damaged."""
    from zirelia.studio import open_studio
    from zirelia.studio.loras import in_use, known_packs

    with open_studio() as studio:
        library = _library(studio)
        kept, wrong, worn = library.all(), library.verify(hashes=verify), in_use(known_packs())
    if as_json:
        shapes = [_shape(each) | {"in_use_by": worn.get(each.card.sha256, ())} for each in kept]
        terminal.print_json({"loras": shapes, "damaged": wrong})
    elif kept:
        _print_table(kept, worn)
    elif not wrong:
        click.echo("No LoRAs yet. Train one with zirelia train, or bring one in with zirelia lora import.")
    if wrong and not as_json:
        for line in wrong:
            click.secho(f"damaged: {printable(line)}", fg="red", err=True)
        click.secho("  restore the file, or delete its folder and bring the LoRA in again", dim=True, err=True)
    if wrong:
        raise click.exceptions.Exit(10)


def _print_table(kept: tuple[KeptLora, ...], worn: dict[str, tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", padding=(0, 1))
    for heading in ("name", "hash", "trigger", "base"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rank", "scale", "identity", "leaked"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("in use by")
    for each in kept:
        card, scores = each.card, each.card.scores
        table.add_row(
            card.name,
            card.sha256[:8],
            card.trigger or "–",
            Text(card.base_model),
            str(card.rank),
            f"{scores.scale:g}" if scores else "–",
            f"{scores.identity:.3f}" if scores else "–",
            f"{scores.leaked:.0%}" if scores and scores.leaked is not None else "–",
            ", ".join(worn.get(card.sha256, ())) or "–",
        )
    Console().print(table)


@lora.command("card")
@click.argument("name")
@click.option("--md", "as_markdown", is_flag=True, help="Print the page in Markdown.")
@_json
def show_card(name: str, as_markdown: bool, as_json: bool) -> None:
    """Show the card of a LoRA: NAME, or the beginning of its hash."""
    from zirelia.store.lora_page import card_lines, card_page
    from zirelia.studio import open_studio

    with open_studio() as studio:
        kept = _library(studio).find(name)
    if as_json:
        terminal.print_json(_shape(kept))
    elif as_markdown:
        click.echo(card_page(kept.card), nl=False)
    else:
        for key, value in [*card_lines(kept.card), ("file", str(kept.weights))]:
            click.echo(f"{click.style(f'{key:>29}', dim=True)}  {printable(value)}")


@lora.command("import")
@click.argument("file", type=_file)
@click.option("--name", help="Name in the library; made from the file's title or name when left out.")
@click.option("--trigger", help="The word that calls it up; the file's own when left out.")
@click.option("--base", "base_model", help="The base model that it was trained for: a name, or a pipeline's folder.")
@click.option("--licence", help="The terms under which it may be used; the file's own when left out.")
@_json
def import_lora(file: Path, as_json: bool, **given: str | None) -> None:
    """Bring in a LoRA of diffusers, kohya, ComfyUI, ai-toolkit or XLabs, checked and converted."""
    from zirelia.studio import open_studio
    from zirelia.studio.loras import base_in_use, bring_in

    with open_studio() as studio:
        base = base_in_use(studio.choices["image"])
        brought = bring_in(_library(studio), file, now=datetime.now(UTC), base=base, **given)
    if as_json:
        terminal.print_json(_shape(brought.kept) | {"notes": brought.notes})
        return
    card = brought.kept.card
    click.echo(f"{card.name}  {card.sha256[:12]}  rank {card.rank}  for {card.base_model}\n{brought.kept.weights}")
    for note in brought.notes:
        click.echo(f"  {printable(note)}")


@lora.command("export")
@click.argument("name")
@click.option("--layout", type=click.Choice(LAYOUTS), default="diffusers", show_default=True, help="Whose names and cuts.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The .safetensors to write.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@_json
def export_lora(name: str, layout: str, out: Path, force: bool, as_json: bool) -> None:
    """Write a LoRA for another tool, with its card in the metadata."""
    from zirelia.files import sha256_of
    from zirelia.studio import open_studio
    from zirelia.studio.loras import hand_out

    if out.suffix != ".safetensors":
        raise click.UsageError(f"--out is a .safetensors file, not {out.name}")
    if out.exists() and not force:
        raise click.UsageError(f"{out} is there already; --force replaces it")
    with open_studio() as studio:
        kept = _library(studio).find(name)
        hand_out(kept, layout, out)
    if as_json:
        terminal.print_json({"file": str(out), "layout": layout, "sha256": sha256_of(out), "name": kept.card.name})
    else:
        click.echo(str(out))


@lora.command("choose")
@click.argument("persona")
@click.option(
    "--checkpoints",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the run; the persona's own training when left out.",
)
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write the page with grids and curves.")
@click.option("--use/--no-use", default=False, show_default=True, help="Put the chosen one into the persona pack.")
@click.option("--anyway", is_flag=True, help="Use it though no checkpoint keeps the floors.")
@_json
def choose_checkpoint(
    persona: str, checkpoints: Path | None, report: Path | None, use: bool, anyway: bool, as_json: bool
) -> None:
    """Judge every checkpoint of a training, keep the best one with its card, and use it."""
    from zirelia.definitions.personas import load_persona
    from zirelia.studio import open_studio
    from zirelia.studio.loras import keep_chosen, put_to_use

    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        judged = studio.judge_checkpoints(persona, checkpoints)
        if report:
            studio.write_judgement_report(judged, report, checkpoints=checkpoints)
        kept = keep_chosen(_library(studio), judged, now=datetime.now(UTC))
        choice = judged.judgement.choice
        fit_to_wear = choice.passed or anyway
        worn = put_to_use(load_persona(persona), kept, scale=choice.scale) if use and fit_to_wear else None
    refused = use and not fit_to_wear
    if as_json and not refused:
        shape: dict[str, Any] = {
            "step": choice.step,
            "scale": choice.scale,
            "passed": choice.passed,
            "because": choice.because,
            "fit": choice.fit,
            "fit_because": choice.fit_because,
            "report": str(report) if report else None,
            "in_use": worn.model_dump(mode="json") if worn else None,
        }
        terminal.print_json(shape | {"lora": _shape(kept)})
    elif not as_json:
        _print_choice(choice)
        click.echo(f"{kept.weights}")
        if report:
            click.echo(f"{report}")
    if refused:
        raise TrainingError(
            f"no checkpoint of '{persona}' keeps the floors, so none was put into the pack: {choice.because}",
            hint=f"{kept.weights} is kept; look at the report (--report page.html) and train again, "
            "or use it all the same with --use --anyway",
        )
    if not use and not as_json:
        click.secho(f"  next: zirelia lora choose {persona} --use", dim=True, err=True)


def _print_choice(choice: Choice) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="dim", padding=(0, 1))
    for heading in ("step", "scale", "identity", "10th", "agrees", "leaked", "diverse", "memory"):
        table.add_column(heading, justify="right")
    table.add_column("")

    def row(each: Measured) -> None:
        shares = [f"{each.identity:.3f}", f"{each.tenth:.3f}"]
        for share in (each.agreement, each.leaked, each.diversity, each.memorised):
            shares.append("–" if share is None else f"{share:.2f}")
        table.add_row(str(each.step), f"{each.scale:g}", *shares, "← chosen" if each == choice.chosen else "")

    for each in sorted(choice.measured, key=lambda each: (each.step, each.scale)):
        row(each)
    Console().print(table)
    mark = click.style("✓", fg="green") if choice.passed else click.style("✗", fg="red")
    click.echo(f"{mark} step {choice.step} at scale {choice.scale:g}: {choice.because}")
    click.echo(f"  {choice.fit}: {choice.fit_because}")


def _shape(kept: KeptLora) -> dict[str, Any]:
    return kept.card.model_dump(mode="json") | {"file": str(kept.weights)}
