"""`zirelia database move`: from the file in the home to a PostgreSQL server."""

from __future__ import annotations

import click

from zirelia.cli import terminal
from zirelia.errors import ConfigurationError
from zirelia.studio import DATABASE, open_studio


@click.group()
def database() -> None:
    """Move what is stored to PostgreSQL."""


@database.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def move(as_json: bool) -> None:
    """Copy everything from the file in the home to ZIRELIA_DATABASE_URL, or nothing.

    The server's database must be empty, and the daemon must be stopped. The file is kept as it is, and not used while
    ZIRELIA_DATABASE_URL is set; pictures stay in the home.
    """
    from zirelia.store.moving import move_home

    with open_studio() as studio:
        url, file = studio.settings.database_url, studio.settings.home / DATABASE
        if url is None:
            raise ConfigurationError(
                "ZIRELIA_DATABASE_URL is not set", hint="set it to postgresql://user:password@host/name, then the same again"
            )
        moved = {}
        for table, rows in move_home(file, url.get_secret_value()):
            moved[table] = rows
            if not as_json:
                click.echo(f"{rows:>9}  {table}")
    if as_json:
        terminal.print_json({"from": str(file), "rows": moved})
    else:
        click.echo(f"{sum(moved.values())} rows moved; {file} is kept, and not used any more")
