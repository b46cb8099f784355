"""`zirelia dataset`: from one photo, from words or from a folder to the pictures that a face is learnt from."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zirelia.cli import terminal
from zirelia.errors import MediaError

if TYPE_CHECKING:
    from zirelia.domain.dataset import Candidate
    from zirelia.domain.persona import Persona
    from zirelia.domain.shotlist import ShotList
    from zirelia.workflow.captions import CaptionReport
    from zirelia.workflow.dataset import Built, Cost
    from zirelia.workflow.dataset_kit import DatasetKit
    from zirelia.workflow.starts import Start

BACKENDS = ("pocket", "kontext", "klein", "qwen-edit", "replicate", "openai")
UNSEEN = 12
_COLUMNS = 10
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_photo = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def dataset() -> None:
    """Make, check and caption the pictures that a face is learnt from."""


@dataset.command()
@click.argument("persona")
@click.option("--from", "photos", multiple=True, type=_photo, help="A photo of the person; several may be given.")
@click.option("--from-words", is_flag=True, help="Invent the face: pictures from the pack's look, of which you pick one.")
@click.option("--pick", type=click.IntRange(1), help="The number of the picture that you picked.")
@click.option(
    "--from-folder",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Curate pictures that exist: with .txt captions, metadata.jsonl or kohya's dataset.toml.",
)
@click.option("--licence", default="not stated", show_default=True, help="The terms of the folder's pictures.")
@click.option("--shots", help="15, 25, 30 or 50 pictures, or a shot list of your own (YAML).  [default: 30]")
@click.option("--backend", type=click.Choice(BACKENDS), help="The edit model; the settings' own when left out.")
@click.option("--factor", type=click.FloatRange(1, 5), help="Pictures made for each one wanted; the settings' own.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 10), help="How often empty cells are tried.")
@click.option(
    "--unseen",
    default=UNSEEN,
    show_default=True,
    type=click.IntRange(0, 100),
    help="Settings of a small world that are left out, to measure the LoRA by.",
)
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@_json
def build(
    persona: str,
    photos: tuple[Path, ...],
    from_words: bool,
    pick: int | None,
    folder: Path | None,
    licence: str,
    shots: str | None,
    backend: str | None,
    factor: float | None,
    rounds: int,
    unseen: int,
    yes: bool,
    as_json: bool,
) -> None:
    """Make a dataset, or go on with one: more pictures than wanted, the gate, and again for what stayed empty."""
    from zirelia.studio import making, open_studio
    from zirelia.workflow.dataset import build_dataset, estimate
    from zirelia.workflow.rounds import Effort

    if sum((bool(photos), from_words, folder is not None)) > 1:
        raise click.UsageError("--from, --from-words and --from-folder exclude each other")
    if pick is not None and not from_words:
        raise click.UsageError("--pick chooses one of the pictures of --from-words")
    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        who = making.trainee(studio, persona)
        kit = making.dataset_kit(studio, persona, backend=backend, with_words=from_words)
        if from_words and pick is None:
            pick = _anchors(kit, who, yes=yes, as_json=as_json)
            if pick is None:
                return
        start = _start(photos, pick if from_words else None, folder, licence)
        wanted = _wanted(kit, shots)
        out = _left_out(kit, unseen)
        effort = Effort(factor=factor or studio.settings.edit.over_generation, rounds=rounds)
        cost = estimate(kit, who, start, wanted, effort=effort, keep_out=out)
        if not as_json:
            _say_cost(cost)
        if cost.most_usd > 0 and not yes:
            terminal.agree(f"This costs ${cost.usd:.2f}, at most ${cost.most_usd:.2f}. Go on?")
        built = build_dataset(kit, who, start, wanted, effort=effort, keep_out=out)
        aside = making.keep_references(studio, persona, built)
        sheet = _write_sheet(kit, persona)
    _say_built(persona, built, aside, sheet, as_json=as_json)
    if not built.kept:
        raise click.exceptions.Exit(MediaError.exit_code)


@dataset.command()
@click.argument("persona")
@_json
def check(persona: str, as_json: bool) -> None:
    """Examine every picture again, rejected ones too, and look for leaks in the captions; makes no picture."""
    from zirelia.studio import making, open_studio
    from zirelia.workflow.captions import check_captions
    from zirelia.workflow.dataset import check_dataset

    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        who = making.trainee(studio, persona)
        kit = making.dataset_kit(studio, persona)
        built = check_dataset(kit, who)
        captions = check_captions(kit, who) if built.dataset else None
        sheet = _write_sheet(kit, persona)
    if not as_json and captions:
        _say_captions(captions, only_leaks=True)
    _say_built(persona, built, (), sheet, as_json=as_json)


@dataset.command()
@click.argument("persona")
@click.option(
    "--style",
    type=click.Choice(["varying", "constants"]),
    default="varying",
    show_default=True,
    help="Say what varies and leave the face to the trigger word, or say the constants as well.",
)
@click.option("--look", is_flag=True, help="Have the vision model look at every picture, instead of the template.")
@_json
def caption(persona: str, style: str, look: bool, as_json: bool) -> None:
    """Write every caption anew: trigger word first, and no constant that would bind the face to another word."""
    from zirelia.domain.captions import CaptionStyle
    from zirelia.studio import making, open_studio
    from zirelia.workflow.captions import caption_dataset

    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        who = making.trainee(studio, persona)
        kit = making.dataset_kit(studio, persona)
        report = caption_dataset(kit, who, style=CaptionStyle(style), looking=look)
    if as_json:
        terminal.print_json([{"path": one.path, "caption": one.caption, "leaks": one.leaks} for one in report.captions])
    else:
        _say_captions(report, only_leaks=False)


@dataset.command()
@click.argument("persona")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The PNG; dataset/sheet.png when left out.")
def sheet(persona: str, out: Path | None) -> None:
    """Draw the contact sheet: what each cell has, and which ones are empty."""
    from zirelia.studio import making, open_studio

    with open_studio() as studio:
        making.dataset_of(studio, persona)
        kit = making.dataset_kit(studio, persona)
        click.echo(str(_write_sheet(kit, persona, out)))


def _start(photos: tuple[Path, ...], pick: int | None, folder: Path | None, licence: str) -> Start | None:
    from zirelia.store.brought import read_brought
    from zirelia.workflow.starts import Anchor, Folder, Photos

    if photos:
        return Photos.read(photos)
    if pick is not None:
        return Anchor(pick)
    return Folder(read_brought(folder), licence) if folder is not None else None


def _wanted(kit: DatasetKit, shots: str | None) -> ShotList | None:
    """The list that was asked for; the usual one for a new dataset, and a begun dataset's own."""
    from zirelia.definitions.shotlists import load_shot_list

    if shots is None and kit.folder.shots() is not None:
        return None
    return load_shot_list(shots or "30")


def _left_out(kit: DatasetKit, unseen: int) -> frozenset[tuple[str, str]]:
    from zirelia.domain.fitting import left_unseen

    words = kit.editor.vocabulary() if kit.editor else None
    return left_unseen(words, unseen) if words else frozenset()


def _anchors(kit: DatasetKit, who: Persona, *, yes: bool, as_json: bool) -> int | None:
    """Makes the pictures from words and asks which one it is; None when nobody is there to say."""
    from zirelia.files import whole_file
    from zirelia.pictures import load_picture
    from zirelia.sheets import Row, contact_sheet
    from zirelia.workflow.anchors import anchors_usd, make_anchors

    usd = anchors_usd(kit, who)
    if usd > 0 and not yes:
        terminal.agree(f"The pictures to choose from cost ${usd:.2f}. Go on?")
    made = make_anchors(kit, who)
    images = [load_picture(kit.folder.path / one.path) for one in made]
    names = [f"{one.number}" for one in made]
    rows = [Row("", images[at : at + 4], names[at : at + 4]) for at in range(0, len(images), 4)]
    out = kit.folder.path / "anchors.png"
    with whole_file(out) as part:
        part.write_bytes(contact_sheet(rows, title=f"{who.display_name}: which one is it?"))
    if as_json or not sys.stdin.isatty():
        again = f"zirelia dataset build {who.name} --from-words --pick NUMBER"
        if as_json:
            terminal.print_json({"sheet": str(out), "anchors": [one.path for one in made], "next": again})
        else:
            click.echo(str(out))
            click.secho(f"  next: {again}", dim=True, err=True)
        return None
    click.echo(str(out))
    return int(click.prompt("Which one is it", type=click.IntRange(1, len(made)), err=True))


def _say_cost(cost: Cost) -> None:
    if not cost.pictures:
        return
    from zirelia.domain.value import printable

    price = f"${cost.usd:.2f}, at most ${cost.most_usd:.2f}" if cost.most_usd else "nothing"
    said = f"{cost.cells} cells, {cost.pictures} pictures with {cost.backend} {cost.model}; costs {price}"
    click.echo(printable(said), err=True)
    click.secho(f"  pictures under {printable(cost.licence)}", dim=True, err=True)


def _write_sheet(kit: DatasetKit, persona: str, out: Path | None = None) -> Path:
    """Every cell with its picture, or an empty frame; somebody's own pictures in the order of their names."""
    from zirelia.files import whole_file
    from zirelia.pictures import load_picture
    from zirelia.sheets import Row, contact_sheet

    kept = {one.cell: one for one in kit.folder.candidates() if one.kept}
    shots = kit.folder.shots()
    if shots is not None and kept:
        shown = [
            (
                load_picture(kit.folder.path / kept[cell.id].path) if cell.id in kept else None,
                f"{cell.shot.scene}, {cell.shot.light}",
            )
            for cell in shots.cells
        ]
    else:
        dataset = kit.folder.dataset()
        references = dataset.references if dataset else ()
        shown = [(load_picture(kit.folder.path / one.path), Path(one.path).stem) for one in references]
    rows = [
        Row("", [image for image, _ in shown[at : at + _COLUMNS]], [said for _, said in shown[at : at + _COLUMNS]])
        for at in range(0, len(shown), _COLUMNS)
    ]
    there = sum(image is not None for image, _ in shown)
    out = out or kit.folder.path / "sheet.png"
    with whole_file(out) as part:
        part.write_bytes(contact_sheet(rows, side=128, title=f"{Path(persona).name}: {there} of {len(shown)} pictures"))
    return out


def _say_built(persona: str, built: Built, aside: tuple[str, ...], sheet: Path, *, as_json: bool) -> None:
    reasons = _reasons(built.rejected)
    if as_json:
        terminal.print_json(
            {
                "persona": persona,
                "kept": len(built.kept),
                "rejected": reasons,
                "missing": built.coverage.missing,
                "references": aside,
                "spent_usd": built.spent_usd,
                "sheet": str(sheet),
                "notes": built.notes,
            }
        )
        return
    for note in built.notes:
        click.echo(f"  {note}")
    mark = click.style("✗", fg="red") if built.coverage.missing or not built.kept else click.style("✓", fg="green")
    refused = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "none"
    click.echo(f"{mark} {len(built.kept)} pictures kept; not kept: {refused}")
    if built.coverage.missing:
        click.echo(f"  empty: {', '.join(built.coverage.missing)}")
    if aside:
        click.echo(f"  {len(aside)} more are kept aside as references, to measure by")
    click.echo(str(sheet))
    if built.rejected:
        click.secho(f"  why not the others: {sheet.parent / 'rejected' / 'report.txt'}", dim=True, err=True)
    if built.kept:
        click.secho(f"  next: zirelia train {persona}", dim=True, err=True)


def _reasons(rejected: tuple[Candidate, ...]) -> dict[str, int]:
    counted: Counter[str] = Counter(str(fault.kind) for one in rejected for fault in one.faults[:1])
    return dict(counted.most_common())


def _say_captions(report: CaptionReport, *, only_leaks: bool) -> None:
    from zirelia.domain.value import printable

    said: Any = report.leaking if only_leaks else report.captions
    for one in said:
        click.echo(f"{one.path}: {printable(one.caption)}")
        if one.leaks:
            click.secho(f"    leaks: {', '.join(one.leaks)}", fg="yellow")
