"""`zirelia grid`: the same prompts with every persona's LoRA at every scale, as one picture or one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zirelia.cli import terminal

if TYPE_CHECKING:
    from zirelia.workflow.grid import Grid, Wearer

_MOST_SIDE = 256


def _names(_: click.Context, __: click.Parameter, given: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))
    if not names:
        raise click.BadParameter("names no persona; write names with commas between them, such as mira,leo")
    return names


def _scales(_: click.Context, __: click.Parameter, given: str) -> tuple[float, ...]:
    try:
        scales = tuple(dict.fromkeys(float(part) for part in given.split(",") if part.strip()))
    except ValueError:
        raise click.BadParameter(f"'{given}' is no list of numbers such as 0.6,0.8,1.0") from None
    if not scales or not all(0 <= scale <= 2 for scale in scales):
        raise click.BadParameter("a LoRA is worn at scales of 0 to 2")
    return scales


def _page_or_picture(_: click.Context, __: click.Parameter, out: Path) -> Path:
    if out.suffix.lower() not in {".png", ".html"}:
        raise click.BadParameter(f"'{out.name}' ends neither in .png nor in .html")
    return out


@click.command()
@click.option("--personas", required=True, callback=_names, help="Whose LoRAs: names with commas between them.")
@click.option(
    "--prompts",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Free prompts, one a line; {trigger} is optional, # begins a comment.",
)
@click.option("--scales", default="0.6,0.8,1.0", show_default=True, callback=_scales, help="How strongly each LoRA is worn.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Gives each prompt a seed of its own.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("grid.png"),
    show_default=True,
    callback=_page_or_picture,
    help="The .png or .html to write.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def grid(personas: tuple[str, ...], prompts: Path, scales: tuple[float, ...], seed: int, out: Path, as_json: bool) -> None:
    """Draw prompt x LoRA x weight: the same prompts and seeds with every persona's LoRA at every scale."""
    from zirelia.definitions.prompt_lines import read_prompts
    from zirelia.files import whole_file
    from zirelia.studio import open_studio
    from zirelia.workflow.compare import own_lora
    from zirelia.workflow.grid import Wearer, draw_grid

    lines = read_prompts(prompts)
    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        wearers = []
        for subject in map(studio.subject, personas):
            lora = own_lora(subject).lora
            if lora is not None:
                wearers.append(Wearer(subject.persona.display_name, lora))
        drawn = draw_grid(studio.kit(), wearers, lines, scales=scales, seed=seed)
        facts = studio.images.facts()
    written = _page(drawn, f"{facts.backend}/{facts.model}") if out.suffix.lower() == ".html" else _picture(drawn)
    with whole_file(out) as part:
        part.write_bytes(written)
    if as_json:
        terminal.print_json(
            {
                "out": str(out),
                "pictures": len(drawn.pictures),
                "seconds": drawn.seconds,
                "scales": drawn.scales,
                "prompts": _prompts_shape(drawn),
                "loras": [{"name": w.name, "trigger": w.lora.trigger, "sha256": w.lora.sha256} for w in drawn.wearers],
            }
        )
    else:
        click.echo(f"{out}\n  {len(drawn.pictures)} pictures in {drawn.seconds:.0f} s")


def _prompts_shape(drawn: Grid) -> list[dict[str, object]]:
    """Each prompt with its line in the file and its seed, for `--json`."""
    seeded = zip(drawn.prompts, drawn.seeds, strict=True)
    return [{"line": prompt.line, "text": prompt.text, "seed": seed} for prompt, seed in seeded]


def _picture(drawn: Grid) -> bytes:
    """One row a prompt, one column a LoRA and scale."""
    from zirelia.sheets import Row, contact_sheet

    places = [(w, s) for w in range(len(drawn.wearers)) for s in range(len(drawn.scales))]
    columns = [_heading(drawn.wearers[w], drawn.scales[s]) for w, s in places]
    rows = [
        Row(line.text, [drawn.picture(prompt=number, wearer=w, scale=s) for w, s in places])
        for number, line in enumerate(drawn.prompts)
    ]
    side = min(_MOST_SIDE, max(drawn.pictures[0].size))
    return contact_sheet(rows, side=side, title="prompt x LoRA x weight", columns=columns)


def _page(drawn: Grid, model: str) -> bytes:
    """One table a LoRA: prompts down, scales across."""
    from zirelia.reports.sheet import Line, Table, cell, sheet_page

    def line_of(w: int, wearer: Wearer, n: int) -> Line:
        prompt, said = drawn.prompts[n], f"seed {drawn.seeds[n]}"
        alt = prompt.worn(wearer.lora.trigger)
        pictures = [drawn.picture(prompt=n, wearer=w, scale=s) for s in range(len(drawn.scales))]
        return Line(prompt.text, [cell(picture, said, alt=alt) for picture in pictures])

    columns = [f"scale {scale:g}" for scale in drawn.scales]
    tables = [
        Table(wearer.name, columns, [line_of(w, wearer, n) for n in range(len(drawn.prompts))])
        for w, wearer in enumerate(drawn.wearers)
    ]
    facts = [("pictures made by", model), ("time", f"{drawn.seconds:.0f} s")]
    facts += [(f"LoRA of {w.name}", f"{w.lora.trigger}, rank {w.lora.rank}, {w.lora.sha256}") for w in drawn.wearers]
    names = " and ".join(wearer.name for wearer in drawn.wearers)
    intro = "Each row has one prompt and one seed, so that what differs between its pictures is the LoRA and its scale alone."
    return sheet_page(names, intro, eyebrow="prompt x LoRA x weight", tables=tables, facts=facts).encode("ascii")


def _heading(wearer: Wearer, scale: float) -> str:
    return f"{wearer.name} {scale:g}"
