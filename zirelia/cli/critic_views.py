"""The critic's tables for people. Text from models is printed as text, never as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from zirelia.cli.terminal import MARKS
from zirelia.domain.calibration import Calibration
from zirelia.domain.repairs import Standing, never_helped
from zirelia.domain.track_record import InstrumentRecord, PassRates
from zirelia.domain.tuning import Rate, Tuned
from zirelia.domain.value import printable
from zirelia.domain.verdict import Criterion, Outcome, Verdict, outcome_of

if TYPE_CHECKING:
    from zirelia.workflow.replay import Replay

_GAPS = "panel"
"""Under this name stands what no instrument checks."""
_NUMBER = re.compile(r"-?[0-9.]+")


def replayed(again: Replay) -> None:
    """Old and new verdict side by side, and what changed."""
    rows = [
        (str(criterion), _mark(again.before, criterion), _mark(again.after, criterion))
        for criterion in Criterion
        if outcome_of(criterion, again.after.findings) is not Outcome.NOT_CHECKED or _mark(again.before, criterion) != "–"
    ]
    click.echo(f"post {again.post_id}, attempt {again.attempt}")
    _table(("", "then", "now"), [("verdict", _outcome(again.before), _outcome(again.after)), *rows])
    click.echo(f"then: {printable(again.before.explanation) if again.before else 'no verdict was stored'}")
    click.echo(f"now:  {printable(again.after.explanation)}")
    for change in again.changes:
        before = change.before.replace("_", " ") if change.before else "no verdict"
        click.echo(f"  {change.criterion}: {before} → {change.after.replace('_', ' ')}: {printable(change.because)}")
    if again.remembered:
        click.echo(f"taken from the store, not asked: {', '.join(map(printable, again.remembered))}")
    click.echo(f"{again.why}; nothing was changed")


def tuned(found: Sequence[Tuned]) -> None:
    for one in found:
        present = ", ".join(f"{value:.3g}" for value in one.present[:4]) + (" …" if len(one.present) > 4 else "")
        click.secho(
            printable(" ".join(part for part in dict.fromkeys((one.instrument, one.criterion, one.aspect)) if part)), bold=True
        )
        side = (one.side or "unclear").replace("_", " ")
        click.echo(f"  {one.count} measured, passes {side} {present}; pictures approved {one.approved}, refused {one.refused}")
        rows = [
            (
                "as it was" if tried.threshold is None else f"{tried.threshold:.4g}",
                str(tried.findings),
                str(tried.verdicts),
                _rate(tried.agreement),
                _rate(tried.false_rejects),
                _rate(tried.false_accepts),
            )
            for tried in one.tried
        ]
        if rows:
            _table(("threshold", "findings flip", "verdicts flip", "agrees", "false rejects", "false accepts"), rows)
        advice = "no suggestion" if one.suggestion is None else f"suggested: {one.suggestion:.4g}"
        click.echo(f"  {advice}: {one.because}")


def stats(instruments: Sequence[InstrumentRecord], rates: Sequence[PassRates], repairs: Sequence[Standing]) -> None:
    _table(
        ("instrument", "asked", "failed", "not checked", "median ms", "p95 ms", "US$"),
        [
            (
                one.instrument,
                str(one.asked),
                str(one.failed),
                str(one.not_checked),
                f"{one.median_ms:.0f}",
                f"{one.p95_ms:.0f}",
                f"{one.cost_usd:.4f}",
            )
            for one in instruments
            if one.instrument != _GAPS
        ],
    )
    for one in instruments:
        who = "" if one.instrument == _GAPS else f" by {printable(one.instrument)}"
        for reason, count in one.reasons:
            click.echo(f"  not checked {count} x{who}: {printable(reason)}")
    click.echo()
    if repairs:
        _table(
            ("repair", "for", "applied", "gone", "stayed", "unknown"),
            [
                (str(one.kind), _about(one), str(one.applied), str(one.gone), str(one.stayed), str(one.unknown))
                for one in repairs
            ],
        )
        for useless in never_helped(repairs):
            click.secho(f"  {useless.kind} for {_about(useless)} never helped in {useless.applied} uses", fg="yellow")
        click.echo()
    _table(
        ("persona", "first attempt", "within three"),
        [(one.persona, _rate(one.first), _rate(one.within_three)) for one in rates],
    )


def calibrations(persona: str, found: Sequence[Calibration]) -> None:
    click.echo(persona)
    for one in found:
        note = "" if one.separates else "; it cannot tell this persona from others"
        click.echo(
            f"  {printable(one.embedder)}: from {one.threshold:.3f} on it is {persona} "
            f"(for people in general {one.floor:.3f}){note}"
        )
        others = f"{_count(one.impostors, 'impostor')}, {_share(one.false_accept)} of them accepted"
        click.echo(
            f"    {_count(one.n, 'reference')}, {_share(one.false_reject)} of them refused; "
            f"{others if one.impostors else 'no impostors to tell from'}"
        )
        for turned in one.turned:
            source = _count(turned.n, "reference") if turned.n else "assumed, none was measured"
            click.echo(f"    head turned by {turned.yaw:.0f}° or more: {turned.threshold:.3f} ({source})")


def _about(one: Standing) -> str:
    return f"{one.criterion} {one.aspect}".strip()


def _mark(verdict: Verdict | None, criterion: Criterion) -> str:
    return MARKS[outcome_of(criterion, verdict.findings)][0] if verdict else "–"


def _outcome(verdict: Verdict | None) -> str:
    if verdict is None:
        return "none"
    return "held" if verdict.hold else "passed" if verdict.passed else "failed"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _share(share: float | None) -> str:
    return "an unknown share" if share is None else f"{share:.1%}"


def _rate(rate: Rate) -> str:
    if not rate.of:
        return "–"
    low, high = rate.interval
    return f"{rate.hits}/{rate.of} ({low:.0%}-{high:.0%})"


def _table(headings: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", padding=(0, 2))
    rows = list(rows)
    for place, heading in enumerate(headings):
        numbers = all(_NUMBER.fullmatch(row[place]) for row in rows)
        table.add_column(heading, justify="right" if numbers else "left")
    for row in rows:
        cells: list[Any] = [Text(printable(cell)) for cell in row]
        table.add_row(*cells)
    Console().print(table)
