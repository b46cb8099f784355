"""Help, names and pages: what a person reads before anything runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import zirelia as package
from zirelia import errors
from zirelia.cli import COMMANDS, cli
from zirelia.cli.pages import cli_page, commands, exit_codes

ALL = dict(commands(cli, "zirelia"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_short_help_is_the_commands_own_first_line(name):
    command = cli.get_command(click.Context(cli), name)
    assert command.help.splitlines()[0] == COMMANDS[name][1]
    assert command.name == name


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_option_explains_itself(zirelia, name):
    said = zirelia(*name.split()[1:], "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: {name} ")
    assert said.err == ""
    assert [p.opts for p in ALL[name].params if isinstance(p, click.Option) and not p.help] == []


def test_the_page_is_current():
    page = Path(package.__file__).parents[1] / "docs" / "cli.md"
    assert page.read_text(encoding="utf-8") == cli_page(), "make docs"


def test_every_exit_code_is_on_the_page():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ZireliaError)]
    assert len(kinds) > 15
    said = f", {exit_codes()}"
    for code in {0, 130, *(kind.exit_code for kind in kinds)}:
        assert f", {code} " in said


@pytest.mark.parametrize(
    ("wrong", "right"), [("prodcue", "produce"), ("aprove", "approve"), ("aprove-and-post", "approve-and-post")]
)
def test_a_near_miss_is_named(zirelia, wrong, right):
    said = zirelia(wrong)
    assert said.code == 2
    assert f"Did you mean '{right}'?" in said.err


def test_a_far_miss_is_not(zirelia):
    said = zirelia("frobnicate")
    assert (said.code, "Did you mean" in said.err) == (2, False)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(zirelia, shell):
    said = zirelia("completion", shell)
    assert said.code == 0
    assert "_ZIRELIA_COMPLETE" in said.out


def test_completion_knows_the_commands():
    environment = {**os.environ, "_ZIRELIA_COMPLETE": "bash_complete", "COMP_WORDS": "zirelia approve", "COMP_CWORD": "1"}
    script = "from zirelia.cli import cli; cli.main(prog_name='zirelia', complete_var='_ZIRELIA_COMPLETE')"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split() == ["plain,approve", "plain,approve-and-post"]


def test_help_without_an_argument_says_how_to_begin(zirelia):
    said = zirelia()
    assert said.code == 2
    assert "Commands:" in said.err
