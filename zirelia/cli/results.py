"""`zirelia results`: what became of the posts, and what that says of topics, scenes and hours."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zirelia.cli import terminal
from zirelia.domain.value import printable
from zirelia.studio import open_studio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zirelia.domain.preference import Feature, Taste

_BAR = 20


@click.command()
@click.argument("persona", required=False)
@click.option("--now", "at_once", is_flag=True, help="Ask the platforms now for what is due, as the daemon does.")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with plots there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def results(persona: str | None, at_once: bool, page: Path | None, as_json: bool) -> None:
    """Show what became of the posts: which topics, scenes and hours do better, and how sure that is."""
    from zirelia.domain.results import rewards
    from zirelia.workflow.results import LEARNT_FROM, learned, measure_due

    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        who, now = studio.persona(persona), datetime.now(UTC)
        if at_once:
            measure_due(studio.store, studio.channels_of, now=now, watcher=studio.watcher)
        found = studio.store.results(who.name, now - LEARNT_FROM)
        tastes, ranks = learned(studio.store, who, now), rewards(found)
        posts = {post.id: post for post, _ in studio.store.decided(who.name, now - LEARNT_FROM)}
    if as_json:
        terminal.print_json(
            {
                "persona": who.name,
                "results": [result.model_dump(mode="json") for result in found],
                "ranks": ranks,
                "beliefs": [
                    {"feature": feature, "value": value, "mean": taste.mean, "spread": taste.spread, "posts": taste.outcomes}
                    for (feature, value), taste in sorted(tastes.items())
                ],
            }
        )
        return
    if not tastes:
        click.echo(f"{who.name}: nothing to learn from yet; {len(found)} looks at publications")
    _show(tastes)
    if page is not None:
        from zirelia.files import whole_file
        from zirelia.reports.results import results_page

        with whole_file(page) as part:
            text = results_page(who.display_name, found, tastes, ranks, posts)
            part.write_text(text, encoding="ascii", errors="xmlcharrefreplace")
        click.echo(f"page: {page}")


def _show(tastes: Mapping[Feature, Taste]) -> None:
    from zirelia.reports.results import beliefs

    for title, feature in (("topic", "topic"), ("scene", "scene"), ("hour", "hour")):
        for number, one in enumerate(beliefs(tastes, feature)):
            low, high, middle = (round(_BAR * share) for share in (one.low, one.high, one.mean))
            bar = "".join("●" if n == middle else "─" if low <= n <= high else " " for n in range(_BAR + 1))
            posts = f"{one.posts} post{'' if one.posts == 1 else 's'}"
            click.echo(f"{title if number == 0 else '':6} {printable(one.name):34.34} {one.mean:.2f} |{bar}| {posts}")
