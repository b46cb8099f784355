"""`zirelia calendar`: the weeks ahead of a persona by its own clock, and which slots a post has taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from zirelia.cli import terminal
from zirelia.domain.cadence import Cadence, Slot
from zirelia.domain.cadence_weeks import CalendarDay, days_ahead
from zirelia.domain.post import Post
from zirelia.domain.value import printable
from zirelia.studio import open_studio

if TYPE_CHECKING:
    from rich.text import Text

_NEWEST = 1_000
"""So many posts are looked through for the slots they took; an older one's slot shows as taken."""


@click.command()
@click.argument("persona", required=False)
@click.option("--weeks", default=2, show_default=True, type=click.IntRange(1, 53), help="How many weeks.")
@click.option(
    "--from",
    "first",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The first day; today, by the persona's clock, when left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def calendar(persona: str | None, weeks: int, first: datetime | None, as_json: bool) -> None:
    """Show the weeks ahead: slots in local time, occasions, and the posts that took them."""
    with open_studio() as studio:
        who = studio.persona(persona)
        rule = who.cadence
        start = first.date() if first else datetime.now(UTC).astimezone(rule.zone).date()
        days = days_ahead(rule, who.name, start, weeks)
        taken = studio.store.taken_slots(who.name)
        drawn = {slot.id for day in days for slot in day.slots}
        posts = {post.slot_id: post for post in studio.store.posts(persona=who.name, limit=_NEWEST)}
    # taken in these days, before the pack, or the zone, was changed
    left = [post for post in posts.values() if post.slot_id not in drawn and _within(post, days)]
    left.sort(key=lambda post: post.due)
    if as_json:
        terminal.print_json(_shape(who.name, rule, days, taken, posts, left))
        return
    click.echo(f"{who.name} · {rule.timezone} · {_rule(rule)}")
    _table(rule, days, taken, posts)
    if left:
        click.echo("\nTaken, but no longer in the cadence:")
    for post in left:
        click.echo(f"  {post.due.astimezone(rule.zone):%a %d %b %H:%M}  {_post(post)}  {printable(post.slot_id)}")


def _within(post: Post, days: Sequence[CalendarDay]) -> bool:
    """Whether the post's slot is of these days; its id says the day, whatever zone it was drawn in."""
    day = post.slot_id.split(":")[1:2]
    return bool(day) and days[0].day.isoformat() <= day[0] <= days[-1].day.isoformat()


def _rule(rule: Cadence) -> str:
    """The posting rule in a line."""
    posts = str(rule.min_daily) if rule.min_daily == rule.max_daily else f"{rule.min_daily}-{rule.max_daily}"
    parts = [f"{posts} {'post' if posts == '1' else 'posts'} a day"]
    if rule.min_gap_minutes:
        parts.append(f"{rule.min_gap_minutes} min apart")
    if rule.country:
        most = rule.holiday_max_daily
        parts.append(f"holidays of {rule.country}" + ("" if most is None else f" ({most} at most)"))
    return " · ".join(parts)


def _offset(moment: datetime) -> str:
    """UTC offset as +05:45."""
    return moment.isoformat()[-6:]


def _notes(day: CalendarDay) -> str:
    said = [day.closed or "", day.occasion or ""]
    if day.clock_shift:
        minutes = abs(day.clock_shift)
        by = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
        said.append(f"clocks {'forward' if day.clock_shift > 0 else 'back'} {by}")
    return printable(" · ".join(filter(None, said)))


def _post(post: Post) -> str:
    return f"#{post.id} {str(post.state).replace('_', ' ')}"


def _taker(slot: Slot, taken: frozenset[str], posts: Mapping[str, Post]) -> Text:
    from rich.text import Text

    if slot.id in posts:
        post = posts[slot.id]
        return Text(_post(post), style=terminal.STATE_COLOURS.get(post.state, "white"))
    return Text("taken") if slot.id in taken else Text("free", style="dim")


def _rows(
    rule: Cadence, day: CalendarDay, taken: frozenset[str], posts: Mapping[str, Post]
) -> Iterator[tuple[str | Text, ...]]:
    """The day's slots, its date and notes at the first of them; one empty row on a day without any."""
    from rich.text import Text

    date_shown, notes = f"{day.day:%a %d %b}", Text(_notes(day))
    if not day.slots:
        yield Text(date_shown, style="dim"), Text("–", style="dim"), "", "", "", notes
    for slot in day.slots:
        local = slot.at.astimezone(rule.zone)
        yield (
            date_shown,
            Text(f"{local:%H:%M}", style="bold"),
            Text(_offset(local), style="dim"),
            slot.window,
            _taker(slot, taken, posts),
            notes,
        )
        date_shown, notes = "", Text()


def _table(rule: Cadence, days: Sequence[CalendarDay], taken: frozenset[str], posts: Mapping[str, Post]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", padding=(0, 1))
    for heading in ("day", "local", "UTC"):
        table.add_column(heading, no_wrap=True)
    table.add_column("window", no_wrap=True, overflow="ellipsis", max_width=20)
    table.add_column("post", no_wrap=True)
    table.add_column("occasion", overflow="fold")
    week: tuple[int, int] | None = None
    for day in days:
        year, number, _ = day.day.isocalendar()
        if week != (year, number):
            if week is not None:
                table.add_row()
            week = (year, number)
            table.add_row(Text(f"{year} W{number:02}", style="dim"))
        for row in _rows(rule, day, taken, posts):
            table.add_row(*row)
    Console().print(table)


def _shape(
    name: str,
    rule: Cadence,
    days: Sequence[CalendarDay],
    taken: frozenset[str],
    posts: Mapping[str, Post],
    left: Sequence[Post],
) -> dict[str, Any]:
    def slot_shape(slot: Slot) -> dict[str, Any]:
        local = slot.at.astimezone(rule.zone)
        post = posts.get(slot.id)
        return {
            "id": slot.id,
            "window": slot.window,
            "at": slot.at.isoformat(),
            "local": local.isoformat(),
            "offset": _offset(local),
            "taken": slot.id in taken,
            "post": {"id": post.id, "state": str(post.state)} if post else None,
        }

    return {
        "persona": name,
        "timezone": rule.timezone,
        "first": days[0].day.isoformat(),
        "last": days[-1].day.isoformat(),
        "days": [
            {
                "day": day.day.isoformat(),
                "closed": day.closed,
                "occasion": day.occasion,
                "clock_shift_minutes": day.clock_shift,
                "slots": [slot_shape(slot) for slot in day.slots],
            }
            for day in days
        ],
        "no_longer_in_the_cadence": [
            {"id": post.slot_id, "at": post.due.isoformat(), "post": {"id": post.id, "state": str(post.state)}} for post in left
        ],
    }
