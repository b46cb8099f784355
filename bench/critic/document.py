"""Puts figures into a page between two markers, and leaves everything else as it was written.

put(page, "recall", table)      # between <!-- recall --> and <!-- /recall -->
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zirelia.errors import DefinitionError
from zirelia.files import whole_file


def put(page: Path, name: str, text: str) -> None:
    """Raises DefinitionError when the page lacks the markers, or has them twice."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    written = page.read_text("utf-8")
    if written.count(start) != 1 or written.count(end) != 1 or written.index(start) > written.index(end):
        raise DefinitionError(f"needs the line {start}, and below it {end}, once each", path=page)
    before, rest = written.split(start)
    after = rest.split(end)[1]
    with whole_file(page) as part:
        part.write_text(f"{before}{start}\n{text.strip()}\n{end}{after}", encoding="utf-8")


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
