"""What a person sees: progress of a turn, the card of a post, tables. Text from models is printed as text, never as markup."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from zirelia.domain.ledger import LedgerEntry
from zirelia.domain.post import Event, Post, PostState
from zirelia.domain.publication import Publication
from zirelia.domain.shot import Attempt
from zirelia.domain.value import printable
from zirelia.domain.verdict import Finding, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zirelia.domain.shot import MediaRef

MARKS = {
    Outcome.PASSED: ("✓", "green"),
    Outcome.FAILED: ("✗", "red"),
    Outcome.NOT_CHECKED: ("–", "yellow"),
}
STATE_COLOURS = {
    PostState.AWAITING_REVIEW: "cyan",
    PostState.APPROVED: "green",
    PostState.PUBLISHED: "green",
    PostState.HELD: "yellow",
    PostState.REJECTED: "red",
    PostState.UNKNOWN: "red",
}
_LABEL = 9


class TerminalWatcher:
    """Shows each step of a turn on stderr: one line a step, a live bar inside it where the terminal can redraw a line."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._started = time.monotonic()
        self._name = ""

    def step(self, name: str, note: str = "") -> None:
        self._clear()
        self._name, self._started = name, time.monotonic()
        if note:
            self._line("·", "blue", name, printable(note))

    def progress(self, fraction: float, note: str) -> None:
        if self._live:
            filled = round(24 * min(1.0, max(0.0, fraction)))
            elapsed = time.monotonic() - self._started
            left = f"{elapsed / fraction - elapsed:.0f} s left" if fraction > 0.05 else ""
            click.echo(f"\r\x1b[2K  {'':{_LABEL}} {'━' * filled}{'╌' * (24 - filled)} {note}  {left}", nl=False, err=True)

    def note(self, text: str) -> None:
        self._clear()
        self._line(" ", "yellow", "", printable(text))

    def done(self, note: str = "") -> None:
        self._end("✓", "green", note)

    def failed(self, note: str) -> None:
        self._end("✗", "red", note)

    def _end(self, mark: str, colour: str, note: str) -> None:
        self._clear()
        self._line(
            mark, colour, self._name, f"{printable(note)}  {click.style(f'{time.monotonic() - self._started:.1f} s', dim=True)}"
        )

    def _line(self, mark: str, colour: str, name: str, note: str) -> None:
        click.echo(f"{click.style(mark, fg=colour)} {name:{_LABEL}} {note}", err=True)

    def _clear(self) -> None:
        if self._live:
            click.echo("\r\x1b[2K", nl=False, err=True)


def watcher(*, quiet: bool) -> TerminalWatcher | None:
    """None for `--quiet` and for machines: the studio then tells nobody."""
    return None if quiet else TerminalWatcher()


def agree(question: str) -> None:
    """Asks a person before money is spent; where none sits, the answer must come with the call."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody is there to answer: add --yes")
    click.confirm(question, abort=True, err=True)


def print_json(shape: object) -> None:
    click.echo(json.dumps(shape, indent=2, ensure_ascii=False, default=str))


def post_shape(post: Post, path_of: Callable[[MediaRef], Path]) -> dict[str, Any]:
    """A post for `--json`: the stored value, plus the picture's path and the caption as a reader sees it."""
    attempt = post.chosen_attempt
    return post.model_dump(mode="json") | {
        "picture": str(path_of(attempt.image)) if attempt else None,
        "reader_caption": post.caption_for_reader(),
    }


def card(post: Post, ledger: Sequence[LedgerEntry], path_of: Callable[[MediaRef], Path]) -> None:
    """The post as one card: text, picture, verdict line by line, attempts, time and cost."""
    from rich.console import Console, Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", justify="right")
    rows.add_column(overflow="fold")
    rows.add_row("state", Text(str(post.state).replace("_", " "), style=STATE_COLOURS.get(post.state, "white")))
    if post.held_because:
        rows.add_row("held", Text(post.held_because, style="yellow"))
    rows.add_row("slot", f"{post.due:%a %d %b %Y %H:%M} UTC")
    if post.brief:
        rows.add_row("brief", Text(f"{post.brief.topic}: {post.brief.angle}"))
    if post.draft:
        rows.add_row("caption", Text(post.draft.caption, style="bold"))
        rows.add_row("hashtags", Text(" ".join(f"#{tag}" for tag in post.draft.hashtags)))
        rows.add_row("alt text", Text(post.draft.alt_text))
        rows.add_row("voice", Text(post.draft.voice))
        for remark in post.draft.remarks:
            if remark.outcome is Outcome.FAILED or (remark.advisory and remark.outcome is Outcome.NOT_CHECKED):
                rows.add_row(str(remark.criterion).replace("_", " "), Text(remark.explanation, style="yellow"))
        if post.draft.sponsor:
            rows.add_row("sponsored", Text(f"{post.draft.sponsor.label} ({post.draft.sponsor.relation})", style="magenta"))
    rows.add_row("disclosure", Text(post.disclosure or "none where the platform has an AI label; the history says why"))
    attempt = post.chosen_attempt
    if attempt:
        rows.add_row("picture", Text(str(path_of(attempt.image))))
        rows.add_row("prompt", Text(attempt.provenance.prompt.text))
    console = Console()
    console.width = min(110, console.width)
    parts: list[Any] = [rows]
    if attempt and attempt.verdict:
        parts += [Text(), _verdict(attempt)]
    if post.attempts:
        parts += [Text(), _attempts(post)]
    seconds = sum(row.seconds for row in ledger)
    cost = sum(row.charged_usd for row in ledger)
    checked = sum(f.seconds for a in post.attempts if a.verdict for f in a.verdict.findings)
    footer = f"{len(post.attempts)} attempts · {seconds + checked:.1f} s of model time · ${cost:.4f}"
    console.print(Panel(Group(*parts), title=f"post {post.id} · {post.persona}", subtitle=footer, border_style="cyan"))


def _verdict(attempt: Attempt) -> Any:
    """One line a criterion: the failed finding where there is one, else the one that came closest to failing."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1))
    findings = attempt.verdict.findings if attempt.verdict else ()
    for criterion in dict.fromkeys(finding.criterion for finding in findings):
        own = [finding for finding in findings if finding.criterion is criterion]
        telling = min(own, key=_telling)
        mark, colour = MARKS[telling.outcome]
        number = "" if telling.score is None else f"{telling.score:.2f}"
        if telling.threshold is not None and telling.score is not None:
            number += f" / {telling.threshold:.2f}"
        more = f"  (+{len(own) - 1} more)" if len(own) > 1 else ""
        table.add_row(
            Text(mark, style=colour),
            str(criterion),
            Text(number, style="dim"),
            Text.assemble(telling.explanation, (more, "dim")),
        )
    return table


def _telling(finding: Finding) -> tuple[int, float]:
    order = {Outcome.FAILED: 0, Outcome.PASSED: 1, Outcome.NOT_CHECKED: 2}[finding.outcome]
    if finding.score is None or not finding.threshold:
        return order, 1e9
    return order, finding.score / finding.threshold


def _attempts(post: Post) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", padding=(0, 1))
    for heading in ("attempt", "verdict", "took", "what changed"):
        table.add_column(heading)
    for attempt in post.attempts:
        verdict = attempt.verdict
        passed = verdict is not None and verdict.passed
        chosen = " ←" if attempt.number == post.chosen else ""
        why = "passed" if passed else verdict.explanation if verdict else "no verdict"
        table.add_row(
            f"{attempt.number}{chosen}", Text(why, style="green" if passed else "red"), _took(verdict), Text(_changed(attempt))
        )
    return table


def _took(verdict: Verdict | None) -> str:
    """Time and money of one verdict."""
    findings = verdict.findings if verdict else ()
    cost = sum(finding.cost_usd for finding in findings)
    return f"{sum(finding.seconds for finding in findings):.1f} s" + (f" ${cost:.4f}" if cost else "")


def _changed(attempt: Attempt) -> str:
    """What the attempt changed, and whether that helped."""
    mends = {(mend.kind, mend.aspect): mend.gone for mend in attempt.verdict.mends} if attempt.verdict else {}
    said = {True: "it helped", False: "it did not help", None: ""}
    changes = [
        f"{repair.kind.replace('_', ' ')}: {repair.because}" + (f" ({helped})" if helped else "")
        for repair in attempt.repairs
        for helped in [said[mends.get((repair.kind, repair.aspect))]]
    ]
    return "; ".join(changes) or "first attempt"


def queue_table(posts: Sequence[Post]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", padding=(0, 1), expand=True)
    table.add_column("id", justify="right")
    table.add_column("persona", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("due (UTC)", no_wrap=True)
    table.add_column("tries", justify="right")
    table.add_column("caption", ratio=1)
    for post in posts:
        text = post.draft.caption if post.draft else (post.held_because or "")
        table.add_row(
            str(post.id),
            post.persona,
            Text(str(post.state).replace("_", " "), style=STATE_COLOURS.get(post.state, "white")),
            f"{post.due:%d %b %H:%M}",
            str(len(post.attempts)),
            Text(text if len(text) < 90 else text[:87] + "…"),
        )
    Console().print(table)


def history(events: Sequence[Event], publications: Sequence[Publication]) -> None:
    for event in events:
        because = f"  {event.because}" if event.because else ""
        before = f"{event.before} → " if event.before else ""
        click.echo(f"  {click.style(f'{event.at:%d %b %H:%M:%S}', dim=True)}  {before}{event.after}  by {event.actor}{because}")
    for publication in publications:
        where = publication.receipt.url if publication.receipt else publication.note or ""
        click.echo(f"  {publication.channel}: {publication.state}  {where}")
