"""`zirelia doctor`: which backend every role would use, why, and whether it works."""

from __future__ import annotations

import click

from zirelia.cli import terminal
from zirelia.settings import load_settings, masked
from zirelia.studio import open_studio
from zirelia.studio.doctor import examine, machine

_MARKS = {"works": ("✓", "green"), "fails": ("✗", "red"), "not called": ("–", "yellow"), "none": ("–", "yellow")}


@click.command()
@click.option("--offline", is_flag=True, help="Make no calls; say only what would be used.")
@click.option("--spend", is_flag=True, help="Make the calls that cost money too.")
@click.option("--settings", "show_settings", is_flag=True, help="List every setting, secrets masked.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(offline: bool, spend: bool, show_settings: bool, as_json: bool) -> None:
    """Say which backend every role would use, why, and whether it works."""
    settings = load_settings()
    with open_studio(settings=settings) as studio:
        reports = []
        for report in examine(studio, call=not offline, spend=spend):
            reports.append(report)
            if not as_json:
                mark, colour = _MARKS[report.health]
                name = f"{report.backend} {report.model}".strip()
                click.echo(f"{click.style(mark, fg=colour)} {report.role:11} {click.style(name, bold=True)}")
                click.secho(f"              {report.why}", dim=True)
                if report.note:
                    seconds = f"  {report.seconds:.1f} s" if report.health == "works" else ""
                    click.echo(f"              {report.note}{seconds}")
        facts = machine(settings.home)
        if as_json:
            terminal.print_json({"roles": [vars(r) for r in reports], "machine": facts, "settings": masked(settings)})
        else:
            click.echo()
            for name, value in facts.items():
                click.echo(f"  {name:12} {value}")
            if show_settings:
                click.echo()
                for name, value in masked(settings).items():
                    click.echo(f"  {name:36} {value}")
    if any(report.health == "fails" for report in reports):
        raise click.exceptions.Exit(2)
