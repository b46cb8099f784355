"""Writes the pages of the docs that are made from the code, and holds all pages against it.

    python scripts/docs.py            # write docs/cli.md, docs/settings.md and .env.example
    python scripts/docs.py --check    # change nothing; exit 1 and say what is out of date or broken

A check also follows every relative link and picture of README.md and docs/, and wants each command and setting explained.
It does not know what the pages written by hand should say.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def pages() -> dict[Path, str]:
    """Path → the text that the code makes for it."""
    from zirelia.cli.pages import cli_page
    from zirelia.settings import env_example, settings_page

    return {
        ROOT / "docs" / "cli.md": cli_page(),
        ROOT / "docs" / "settings.md": settings_page(),
        ROOT / ".env.example": env_example(),
    }


def unexplained() -> Iterator[str]:
    """Commands, options and arguments without a help text."""
    from zirelia.cli import cli
    from zirelia.cli.pages import commands

    for name, command in commands(cli, "zirelia"):
        if not (command.help or "").strip():
            yield f"{name}: no help"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.help and not parameter.hidden:
                yield f"{name} {parameter.opts[0]}: no help"


def broken_links() -> Iterator[str]:
    """Relative links and pictures that lead nowhere, and headings that do not exist."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = _CODE.sub("", page.read_text(encoding="utf-8"))
        for target in _LINK.findall(text):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                yield f"{page.relative_to(ROOT)}: {target} does not exist"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                yield f"{page.relative_to(ROOT)}: {target} names no heading"


def anchors(page: Path) -> set[str]:
    """The names that links to the page's headings use."""
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def main(arguments: list[str]) -> int:
    """Writes or checks; answers the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"{__doc__}")
        return 2
    stale = {path: text for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text}
    if not arguments:
        for path, text in stale.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
        return 0
    wrong = [f"{path.relative_to(ROOT)} is out of date: make docs" for path in stale]
    wrong += [*unexplained(), *broken_links()]
    sys.stdout.write("".join(f"{line}\n" for line in wrong) or "docs: generated pages are current, links lead somewhere\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
