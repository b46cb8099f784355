"""`zirelia costs`, `backup` and `completion`."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click

from zirelia.cli import terminal
from zirelia.domain.budget import Period, beginning, dollars
from zirelia.errors import ZireliaError
from zirelia.studio import Studio, open_studio


@click.command()
@click.option("--persona", help="Only this persona.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def costs(persona: str | None, as_json: bool) -> None:
    """Show what calls to models have cost, and what is left of today and this month."""
    with open_studio() as studio:
        rows = studio.store.ledger(persona=persona)
        if as_json:
            terminal.print_json([row.model_dump(mode="json") for row in rows])
            return
        sums: dict[tuple[str, str, str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0])
        zones = {name: _zone(studio, name) for name in sorted({row.persona for row in rows})}
        for row in rows:
            entry = sums[f"{row.at.astimezone(zones[row.persona]):%Y-%m}", row.persona, row.role, f"{row.provider} {row.model}"]
            entry[0] += 1
            entry[1] += row.charged_usd
            entry[2] += row.seconds
            entry[3] += row.tokens_in + row.tokens_out
        if not sums:
            click.echo("No calls yet.")
            return
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, header_style="dim", padding=(0, 2))
        for heading in ("month", "persona", "role", "model"):
            table.add_column(heading)
        for heading in ("calls", "US$", "seconds", "tokens"):
            table.add_column(heading, justify="right")
        for key, (calls, usd, seconds, tokens) in sorted(sums.items()):
            table.add_row(*key, f"{calls:.0f}", f"{usd:.4f}", f"{seconds:.1f}", f"{tokens:.0f}")
        left = Table(box=None, header_style="dim", padding=(0, 2))
        for heading in ("persona", "when", "US$", "pictures"):
            left.add_column(heading, justify="right" if heading in {"US$", "pictures"} else "left")
        for name, zone in zones.items():
            for line in _standing(studio, name, zone):
                left.add_row(name, *line)
        Console().print(table, "", left)


def _zone(studio: Studio, name: str) -> tzinfo:
    """Where the persona's days begin; a persona whose pack is gone has those of UTC."""
    try:
        return studio.persona(name).cadence.zone
    except ZireliaError:
        return UTC


def _standing(studio: Studio, name: str, zone: tzinfo) -> list[tuple[str, str, str]]:
    """Today and this month: what was spent, beside what may be."""
    now, limits = datetime.now(UTC), studio.settings.budget
    lines = []
    for when, period, usd, images in (
        ("today", Period.DAY, limits.day_usd, limits.day_images),
        ("this month", Period.MONTH, limits.month_usd, limits.month_images),
    ):
        spent = studio.store.spent(persona=name, since=beginning(period, now, zone))
        money = dollars(spent.usd) + ("" if usd is None else f" of {dollars(usd)}")
        lines.append((when, money, f"{spent.images}" + ("" if images is None else f" of {images}")))
    return lines


@click.command()
@click.argument("target", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backup(target: Path, as_json: bool) -> None:
    """Copy the database and all pictures to a folder, consistently.

    The keys that sign pictures and open tokens are not copied: it says which there are, for you to keep apart.
    """
    with open_studio() as studio:
        files = 0
        size = 0
        for _, count in studio.store.backup(target):
            files, size = files + 1, size + count
        keys = _keys(studio)
    if as_json:
        terminal.print_json({"target": str(target), "files": files, "bytes": size, "keys_left_out": list(keys)})
        return
    click.echo(f"{files} files, {size / 1e6:.1f} MB in {target}")
    if keys:
        click.echo("Not in it, so that nobody can act as her who finds it; keep a copy elsewhere:")
    for name, loss in keys.items():
        click.echo(f"  {name}: {loss}")


def _keys(studio: Studio) -> dict[str, str]:
    """Each key that this home works with → what a restored home is without it."""
    from zirelia.studio.sealing import key_file

    signing, keys = key_file(studio.settings), {}
    if signing is not None:
        keys[str(signing)] = "it signs the pictures; without it they are signed by another certificate"
    if studio.store.connections():
        where = "the token key in the system's keyring" if studio.settings.token_key is None else "ZIRELIA_TOKEN_KEY"
        keys[where] = "it opens the tokens of accounts; without it each is to be connected anew"
    return keys


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell completion script.

    For bash: zirelia completion bash > ~/.local/share/bash-completion/completions/zirelia
    """
    from click.shell_completion import get_completion_class

    from zirelia.cli import cli

    maker = get_completion_class(shell)
    if maker is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(maker(cli, {}, "zirelia", "_ZIRELIA_COMPLETE").source())
