"""`zirelia persona`: check, show, make, import packs; draw the contact sheet that shows how well a LoRA carries the face."""

from __future__ import annotations

import re
from pathlib import Path

import click

from zirelia.cli import terminal
from zirelia.definitions import cards, personas, scaffold

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def persona() -> None:
    """Check, show, make or import persona packs; draw a contact sheet."""


@persona.command()
@click.argument("name", required=False)
@_json
def check(name: str | None, as_json: bool) -> None:
    """Check one pack, or all of them: schema, files, consent."""
    names = [name] if name else list(personas.persona_names())
    shapes = []
    missing_any = False
    for each in names:
        loaded = personas.load_persona(each)
        missing = loaded.missing_files()
        missing_any = missing_any or bool(missing)
        shapes.append({"persona": each, "folder": str(loaded.folder), "missing": [str(path) for path in missing]})
        if not as_json:
            mark = click.style("✗", fg="red") if missing else click.style("✓", fg="green")
            click.echo(f"{mark} {each}: {loaded.folder}")
            for path in missing:
                click.echo(f"    missing {path}")
    if as_json:
        terminal.print_json(shapes)
    if missing_any:
        raise click.exceptions.Exit(2)


@persona.command("list")
@_json
def list_packs(as_json: bool) -> None:
    """List the packs that are found by name."""
    names = personas.persona_names()
    if as_json:
        terminal.print_json(list(names))
    else:
        click.echo("\n".join(names))


@persona.command("show")
@click.argument("name")
@_json
def show_pack(name: str, as_json: bool) -> None:
    """Show a pack as it is understood, with what the settings override."""
    from zirelia.studio import open_studio

    with open_studio() as studio:
        pack = studio.persona(name)
        if as_json:
            terminal.print_json(pack.model_dump(mode="json"))
            return
        import yaml

        click.echo(yaml.safe_dump(pack.model_dump(mode="json"), sort_keys=False, allow_unicode=True), nl=False)


@persona.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("persona"),
    show_default=True,
    help="Folder of packs.",
)
def new(name: str, into: Path) -> None:
    """Make a new pack to fill in."""
    path = scaffold.new_persona(name, into / name)
    click.echo(f"{path}\nFill it in, then: zirelia persona check {name}")


@persona.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", help="Name of the new pack; made from the card's own when left out.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("persona"),
    show_default=True,
    help="Folder of packs.",
)
def import_card(file: Path, name: str | None, into: Path) -> None:
    """Import a character card (V2 or V3, JSON or PNG) or an eliza character as a pack."""
    imported = cards.import_card(file)
    name = scaffold.checked_name(name or imported.name)
    target = into / name
    # the pack's own name is its folder's, or it would not load by name
    scaffold.write_pack(re.sub(r"(?m)^name: .*$", f"name: {name}", imported.yaml, count=1), target)
    click.echo(str(target / personas.FILE))
    for line in imported.unmapped:
        click.echo(f"  not mapped: {line}")
    for line in imported.to_fill:
        click.echo(f"  to fill in: {line}")


@persona.command()
@click.argument("name", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("sheet.png"),
    show_default=True,
    help="The PNG to write.",
)
@click.option("--scenes", default=8, show_default=True, type=click.IntRange(1, 24), help="How many scenes.")
@_json
def sheet(name: str | None, out: Path, scenes: int, as_json: bool) -> None:
    """Draw the persona in several scenes, with the LoRA and with the bare base, and score the likeness."""
    from zirelia.cli import compare as comparison
    from zirelia.files import whole_file
    from zirelia.studio import open_studio
    from zirelia.workflow.compare import bare_base, compare, own_lora

    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        subject = studio.subject(name)
        ways = [own_lora(subject), bare_base(subject)]
        shown = compare(studio.kit(), subject, studio.identity(subject.persona), ways, scenes=scenes)
    with whole_file(out) as part:
        part.write_bytes(comparison.picture(shown, subject.persona.display_name))
    if as_json:
        terminal.print_json({"sheet": str(out)} | comparison.shape(shown))
        return
    comparison.say(shown)
    click.echo(str(out))
