"""docs/cli.md, made from the commands themselves, so that no command or option can lack its line.

    Path("docs/cli.md").write_text(cli_page())

Knows click's help, not what the commands do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

_WIDTH = 100


def cli_page() -> str:
    """Every command with its usage, arguments and options, as `--help` shows them, and the exit codes."""
    from zirelia.cli import cli

    parts = ["# Commands\n", "Generated from the commands by `make docs`; do not edit.\n"]
    parts += ["| command | what it does |", "|---|---|"]
    found = list(commands(cli, "zirelia"))
    parts += [f"| [`{name}`](#{name.replace(' ', '-')}) | {command.get_short_help_str(200)} |" for name, command in found]
    parts.append("\nExit codes: " + exit_codes() + "\n")
    for name, command in found:
        # as the command line itself calls it: click keeps the help option of the first context that asks for it
        context = click.Context(
            command,
            info_name=name,
            max_content_width=_WIDTH,
            terminal_width=_WIDTH,
            help_option_names=cli.context_settings["help_option_names"],
        )
        parts += [f"## {name}\n", f"```\n{command.get_help(context).rstrip()}\n```\n"]
    return "\n".join(line.rstrip() for line in "\n".join(parts).splitlines()) + "\n"


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """All commands below the group with their full names, groups before their members."""
    context = click.Context(group, info_name=name)
    for short in group.list_commands(context):
        command = group.get_command(context, short)
        if command is None or command.hidden:
            continue
        yield f"{name} {short}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {short}")


def exit_codes() -> str:
    """The sentence of the command line's own docstring, so that it is written once."""
    from zirelia import cli

    match = re.search(r"Exit codes: (.*?)\.\s*$", " ".join((cli.__doc__ or "").split()))
    return f"{match[1]}." if match else "see `zirelia.errors`."
