"""`zirelia compare`: LoRA, references, other people's LoRAs and the bare base side by side, scored by one instrument."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zirelia.cli import terminal
from zirelia.errors import ConfigurationError

if TYPE_CHECKING:
    from zirelia.domain.judgement import Spread
    from zirelia.workflow.compare import Comparison, Way

_SIDE = 192


def _page_or_picture(_: click.Context, __: click.Parameter, outs: tuple[Path, ...]) -> tuple[Path, ...]:
    for out in outs:
        if out.suffix.lower() not in {".png", ".html"}:
            raise click.BadParameter(f"'{out.name}' ends neither in .png nor in .html")
    return outs or (Path("compare.png"),)


@click.command()
@click.argument("name", required=False)
@click.option(
    "--with-lora",
    "others",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Another person's LoRA file, called by its own trigger word; may be given several times.",
)
@click.option("--references", is_flag=True, help="Also a model that is given the references in place of a LoRA.")
@click.option("--scenes", default=8, show_default=True, type=click.IntRange(1, 24), help="How many scenes.")
@click.option(
    "--out",
    "outs",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_page_or_picture,
    help="The .png or .html to write; may be given twice for both. [default: compare.png]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(
    name: str | None, others: tuple[Path, ...], references: bool, scenes: int, outs: tuple[Path, ...], as_json: bool
) -> None:
    """Set LoRA, references, others' LoRAs and the bare base side by side on the same prompts and seeds."""
    from zirelia.files import whole_file
    from zirelia.studio import open_studio
    from zirelia.workflow import compare as comparing

    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        subject = studio.subject(name)
        ways: list[Way] = []
        if subject.lora is not None or not references:
            ways.append(comparing.own_lora(subject))
        if references:
            ways.append(comparing.by_references(studio.reference_maker(subject)))
        ways += [_other(path) for path in others]
        ways.append(comparing.bare_base(subject))
        shown = comparing.compare(studio.kit(), subject, studio.identity(subject.persona), ways, scenes=scenes)
        facts = studio.images.facts()
    display = subject.persona.display_name
    for out in outs:
        html = out.suffix.lower() == ".html"
        with whole_file(out) as part:
            part.write_bytes(page(shown, display, f"{facts.backend}/{facts.model}") if html else picture(shown, display))
    if as_json:
        terminal.print_json({"out": [str(out) for out in outs]} | shape(shown))
        return
    say(shown)
    click.echo("\n".join(map(str, outs)))


def _other(path: Path) -> Way:
    """A LoRA file as a way; its trigger word stands in its metadata."""
    from zirelia.safetensors_header import read_header
    from zirelia.studio import adapters
    from zirelia.workflow.compare import others_lora

    trigger = read_header(path).metadata.get("modelspec.trigger_phrase", "").split(",")[0].strip()
    if not trigger:
        raise ConfigurationError(
            f"{path} does not say its trigger word", hint="import it with its trigger first: zirelia lora import"
        )
    return others_lora(path.stem, adapters.lora(path, trigger))


def shape(shown: Comparison) -> dict[str, Any]:
    """The numbers of a comparison for `--json`."""

    def scores(spread: Spread) -> dict[str, Any]:
        return {"median": spread.median, "tenth": spread.tenth, "values": spread.values}

    identity = {each.way.name: scores(each.scores) for each in shown.drawn}
    return {"threshold": shown.threshold, "identity": identity | {"real pairs": scores(shown.real)}}


def say(shown: Comparison) -> None:
    """The numbers of a comparison, a line each."""
    from zirelia.domain.value import printable

    lines = [(each.way.name, each.scores) for each in shown.drawn]
    width = max(11, *(len(name) for name, _ in lines))
    for name, scores in (*lines, ("real pairs", shown.real)):
        median, tenth = f"{scores.median:.3f}", f"{scores.tenth:.3f}"
        click.echo(f"  {printable(name):{width}} identity median {median}, 10th percentile {tenth}")
    if shown.threshold is not None:
        click.echo(f"  {'threshold':{width}} {shown.threshold:.3f}")


def picture(shown: Comparison, display: str) -> bytes:
    """One row a way, one column a scene, the score under each picture."""
    from zirelia.sheets import Row, contact_sheet

    rows = [
        Row(
            f"{each.way.name}: identity {each.scores.median:.2f}",
            each.pictures,
            [f"{score:.2f}" for score in each.scores.values],
        )
        for each in shown.drawn
    ]
    columns = [f"{shot.scene}, {shot.light}" for shot in shown.shots]
    title = f"{display}: real pictures {shown.real.median:.2f}"
    return contact_sheet(rows, side=_SIDE, title=title, columns=columns)


def page(shown: Comparison, display: str, model: str) -> bytes:
    """Scenes down, ways across."""
    from zirelia.reports.sheet import Cell, Figure, Line, Table, cell, sheet_page

    def of(way: int, scene: int) -> Cell:
        drawn = shown.drawn[way]
        score = drawn.scores.values[scene]
        tone = "" if shown.threshold is None else "good" if score >= shown.threshold else "bad"
        shot = shown.shots[scene]
        return cell(drawn.pictures[scene], f"{score:.2f}", alt=f"{drawn.way.name}: {shot.scene}, {shot.light}", tone=tone)

    rows = [
        Line(f"{shot.scene}, {shot.light}", [of(way, scene) for way in range(len(shown.drawn))])
        for scene, shot in enumerate(shown.shots)
    ]
    figures = [
        Figure(each.way.name, f"{each.scores.median:.2f}", f"10th percentile {each.scores.tenth:.2f}") for each in shown.drawn
    ]
    figures.append(Figure("real pictures", f"{shown.real.median:.2f}", "each against the others"))
    facts = [("pictures made by", model)]
    if shown.threshold is not None:
        facts.append(("threshold for the same person", f"{shown.threshold:.3f}"))
    facts += [(each.way.name, f"{each.way.lora.trigger}, {each.way.lora.sha256}") for each in shown.drawn if each.way.lora]
    intro = "The same scenes and seeds in every column; under each picture its likeness to the references."
    tables = [Table("Scene by scene", [each.way.name for each in shown.drawn], rows)]
    return sheet_page(display, intro, eyebrow="ways to carry a face", tables=tables, figures=figures, facts=facts).encode(
        "ascii"
    )
