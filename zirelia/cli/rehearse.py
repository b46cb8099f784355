"""`zirelia rehearse`: days of the daemon in minutes, into a throw-away home, ending in a page."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zirelia.cli import terminal
from zirelia.domain.post import Post, PostState
from zirelia.domain.value import printable
from zirelia.studio import open_studio

if TYPE_CHECKING:
    from zirelia.settings import Settings
    from zirelia.studio.rehearsal import Deciding, Progress, Wanted

_BAR = 24


def _speed(_: click.Context, __: click.Parameter, given: str) -> float | None:
    if given == "max":
        return None
    try:
        speed = float(given)
    except ValueError:
        speed = 0.0
    if not 1 <= speed <= 1e6:
        raise click.BadParameter(f"'{given}' is neither max nor a number from 1 to 1000000")
    return speed


def _names(_: click.Context, __: click.Parameter, given: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in (given or "").split(",") if part.strip()))


@click.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 62), help="How many days.")
@click.option("--personas", callback=_names, help="Whose: names with commas between; those of the daemon when left out.")
@click.option(
    "--from",
    "first",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The first day, by the first persona's clock; tomorrow when left out.",
)
@click.option(
    "--speed",
    default="max",
    show_default=True,
    callback=_speed,
    help="Simulated seconds a real one, at most, such as 3600; max jumps to whatever comes next.",
)
@click.option(
    "--decide",
    type=click.Choice(["approve", "nobody"]),
    default="approve",
    show_default=True,
    help="Who decides: a stand-in who approves what the critic passed, or nobody.",
)
@click.option("--real", is_flag=True, help="With the models of your settings, which may cost money, not the embedded ones.")
@click.option("--most-usd", type=click.FloatRange(0), help="With --real: what each persona may spend on it at most.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the home there; an interrupted rehearsal goes on with it. Thrown away when left out.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("rehearsal.html"),
    show_default=True,
    help="The page to write.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def rehearse(
    days: int,
    personas: tuple[str, ...],
    first: datetime | None,
    speed: float | None,
    decide: Deciding,
    real: bool,
    most_usd: float | None,
    home: Path | None,
    page: Path,
    quiet: bool,
) -> None:
    """Rehearse days of the daemon in minutes: the real way, into a throw-away home; writes a page with the feed."""
    from zirelia.settings import load_settings
    from zirelia.studio.rehearsal import keep, notebook, rehearse, rehearsed, wanted
    from zirelia.studio.rehearsal_page import book, purse, write_rehearsal_page

    if most_usd is not None and not real:
        raise click.UsageError("--most-usd is for --real: the embedded models cost nothing")
    settings = load_settings()
    folder = (home or Path(tempfile.mkdtemp(prefix="zirelia-rehearsal-"))).resolve()
    _refuse_real_home(folder, settings)
    with ExitStack() as stack:
        if home is None:
            stack.callback(_throw_away, folder)
        studio = stack.enter_context(open_studio(settings=rehearsed(settings, folder), embedded=not real))
        plan = wanted(studio, personas, days=days, first=first, decide=decide)
        before = notebook(folder)
        if before is not None:
            plan = _go_on(before, plan, first is None, folder)
        keep(folder, plan)
        books = stack.enter_context(open_studio(settings=settings)) if real else None
        try:
            with _interrupted(folder):
                rehearse(
                    studio,
                    plan,
                    speed=speed,
                    purse=purse(books, plan.personas, most_usd) if books else None,
                    seen=_Lines(studio.persona(plan.personas[0]).cadence.zone) if not quiet else lambda _: None,
                )
        finally:
            if books is not None:
                book(books, studio, plan)
        write_rehearsal_page(studio, plan, page)
        counted = studio.store.count_posts()
    click.echo(", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(counted.items())) or "no posts")
    click.echo(f"page: {page}" + (f"   home: {home}" if home else ""))


def _throw_away(folder: Path) -> None:
    """Nothing was begun in it, or all of it is on the page; one that was interrupted stays."""
    from zirelia.studio.rehearsal import is_open

    if not is_open(folder):
        shutil.rmtree(folder)


def _refuse_real_home(folder: Path, settings: Settings) -> None:
    """A rehearsal publishes to its folder and fills its home with posts of days that have not come."""
    from zirelia.errors import ConfigurationError
    from zirelia.studio import DATABASE
    from zirelia.studio.rehearsal import NOTEBOOK

    used = (folder / DATABASE).exists() and not (folder / NOTEBOOK).exists()
    if used or folder == settings.home.resolve():
        raise ConfigurationError(f"{folder} is a real home", hint="give --home an empty folder, or leave it out")


def _go_on(before: Wanted, plan: Wanted, anyday: bool, folder: Path) -> Wanted:
    """The rehearsal in that home. Raises ConfigurationError when another one is asked for."""
    from zirelia.errors import ConfigurationError

    if anyday:
        plan = plan.model_copy(update={"start": before.start, "until": before.start + (plan.until - plan.start)})
    if not plan.is_same(before):
        raise ConfigurationError(
            f"{folder} holds another rehearsal: {', '.join(before.personas)} from {before.start:%Y-%m-%d} "
            f"to {before.until:%Y-%m-%d}, {before.decide}",
            hint="ask for the same days, personas and --decide, or give another --home",
        )
    return before


@contextmanager
def _interrupted(folder: Path) -> Iterator[None]:
    """Says how to go on."""
    from zirelia.studio.rehearsal import is_open

    try:
        yield
    except BaseException:
        if is_open(folder):
            click.echo(f"\nit goes on with the same options and --home {folder}", err=True)
        raise


class _Lines:
    """One line for each post that comes to the queue, to rest, or out; below them how far it is."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._live = sys.stderr.isatty()
        self._began = time.monotonic()
        self._at_first: int | None = None
        self._said: dict[int, PostState] = {}

    def __call__(self, progress: Progress) -> None:
        if self._live:
            click.echo("\r\x1b[2K", nl=False, err=True)
        for post in progress.changed:
            if self._said.get(post.id) is not post.state:
                self._line(progress.at, post)
            self._said[post.id] = post.state
        if self._at_first is None:
            self._at_first = progress.done
        if self._live:
            click.echo(self._bar(progress), nl=False, err=True)

    def _line(self, at: datetime, post: Post) -> None:
        said = post.held_because or (post.draft.caption if post.draft else "")
        state = click.style(f"{str(post.state).replace('_', ' '):<10}", fg=terminal.STATE_COLOURS.get(post.state, "white"))
        room = max(20, shutil.get_terminal_size((100, 24)).columns - 46)
        words = printable(" ".join(said.split()))
        words = words if len(words) <= room else words[: room - 1] + "…"
        click.echo(
            f"{at.astimezone(self._zone):%a %d %b %H:%M}  {printable(post.persona)} {post.id:>3}  {state}  {words}", err=True
        )

    def _bar(self, progress: Progress) -> str:
        fraction = progress.done / progress.planned if progress.planned else 1.0
        filled = round(_BAR * fraction)
        new, elapsed = progress.done - (self._at_first or 0), time.monotonic() - self._began
        rate = elapsed / new if new else None
        left = f" · {rate:.0f} s a post · {rate * (progress.planned - progress.done) / 60:.0f} min left" if rate else ""
        return f"{'━' * filled}{'╌' * (_BAR - filled)} {progress.done} of {progress.planned} slots{left}"
