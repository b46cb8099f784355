"""`zirelia verify`: what a picture says of its origin, whether that was changed, and who signed it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zirelia.errors import MediaError

if TYPE_CHECKING:
    from zirelia.provenance.reading import Examined

CHANGED, UNSIGNED = 12, 13
"""Exit codes: the signature does not hold; there is none."""


@click.command(
    epilog=f"Exit codes: 0 the signature holds, {CHANGED} it does not, {UNSIGNED} there is none, 9 no picture. "
    "Nothing is fetched: a signer is trusted when it is yours, this home's, or named by ZIRELIA_PROVENANCE_KNOWN."
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(file: Path, as_json: bool) -> None:
    """Say what a picture carries: its C2PA signature, who gave it, and its AI label."""
    from zirelia.cli import terminal
    from zirelia.provenance.reading import SignatureState, examine
    from zirelia.settings import load_settings
    from zirelia.studio.sealing import trusted

    try:
        data = file.read_bytes()
    except OSError as error:
        raise MediaError(f"{file} cannot be read: {error.strerror}") from error
    seen = examine(data, known=trusted(load_settings()))
    if as_json:
        terminal.print_json({"file": str(file)} | seen.model_dump(mode="json") | {"says_made_by_ai": seen.says_made_by_ai})
    else:
        for line in told(seen):
            click.echo(line)
    code = {SignatureState.INVALID: CHANGED, SignatureState.NONE: UNSIGNED}.get(seen.state, 0)
    if code:
        raise click.exceptions.Exit(code)


def told(seen: Examined) -> list[str]:
    """The findings, a line each."""
    from zirelia.provenance.reading import SignatureState

    verdict = {
        SignatureState.TRUSTED: ("✓", "green", "signed, unchanged since, by a signer that is known here"),
        SignatureState.VALID: ("✓", "yellow", "signed, unchanged since, by a signer that is not known here"),
        SignatureState.INVALID: ("✗", "red", "signed, but the signature does not hold: trust nothing of what it says"),
        SignatureState.NONE: ("–", "yellow", "not signed (no C2PA manifest): anybody may have written what it says"),
    }
    mark, colour, words = verdict[seen.state]
    lines = [f"{click.style(mark, fg=colour)} {words}"]
    lines += [_row("problem", problem) for problem in seen.problems]
    lines += [_row("note", note) for note in seen.notes]
    lines += [_row(name, said) for name, said in (("signer", seen.signer), ("made with", seen.generator)) if said]
    if seen.signed_at:
        lines.append(_row("signed", seen.signed_at))
    for action in seen.actions:
        parts = (action.action.removeprefix("c2pa."), action.when, action.agent, _short(action.source_type))
        lines.append(_row("action", " · ".join(part for part in parts if part)))
    refused = sorted(use.split(".")[-1] for use, answer in seen.training.items() if answer == "notAllowed")
    if refused:
        lines.append(_row("not allowed", ", ".join(refused).replace("_", " ")))
    lines += [_row(f"lineage {name}", said) for name, said in _flat(seen.lineage or {})]
    if seen.xmp is not None:
        labels = {"digital_source_type": "IPTC source", "ai_system": "AI system", "ai_system_version": "AI system version"}
        for name, said in seen.xmp.model_dump(exclude_none=True).items():
            shown = _short(said) if name == "digital_source_type" else said
            lines.append(_row(labels.get(name, name.replace("_", " ")), shown or ""))
    lines.append(_row("AI", "it calls itself made by AI" if seen.says_made_by_ai else "it does not say that AI made it"))
    return lines


def _row(name: str, said: str) -> str:
    from zirelia.domain.value import printable

    return f"  {name:22} {' '.join(printable(said).split())}"


def _short(source_type: str | None) -> str | None:
    return source_type.rsplit("/", 1)[-1] if source_type else None


def _flat(lineage: dict[str, object], before: str = "") -> list[tuple[str, str]]:
    found = []
    for name, said in lineage.items():
        if isinstance(said, dict):
            found += _flat(said, f"{before}{name} ")
        else:
            found.append((f"{before}{name}", ", ".join(map(str, said)) if isinstance(said, list) else str(said)))
    return found
