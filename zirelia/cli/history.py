"""`zirelia import`: posts of her own account from before Zirelia, for her memory and her voice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from zirelia.cli import terminal
from zirelia.domain.value import printable
from zirelia.studio import open_studio

if TYPE_CHECKING:
    from zirelia.workflow.history import Taken

_SHOWN = 10
_persona = click.option("--persona", help="Whose account it is; the persona of the settings when left out.")


@click.group(name="import")
def imports() -> None:
    """Bring in her own earlier posts: the planner does not repeat them, and her voice is measured by them."""


@imports.command()
@click.argument("handle")
@_persona
@click.option(
    "--limit",
    type=click.IntRange(1, 500),
    default=50,
    show_default=True,
    help="Newest posts that are looked at; each takes 4 s.",
)
@click.option("--dry-run", is_flag=True, help="Read the list of posts, none of the posts, and keep nothing of them.")
@click.option(
    "--again", is_flag=True, help="Look although the last time was less than a day ago, to finish what was broken off."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def instagram(handle: str, persona: str | None, limit: int, dry_run: bool, again: bool, as_json: bool) -> None:
    """Read captions, likes and comments of her own public account HANDLE, slowly and without logging in.

    Only her own account: what other people wrote is not hers to learn from. Instagram restricts automated reading in its terms;
    whether to do it is for you to decide. Needs the extra 'snapshot'.
    """
    from zirelia.studio.history import instagram as accounts
    from zirelia.workflow.history import import_past

    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        name = studio.persona(persona).name
        taken = import_past(
            studio.store,
            accounts(),
            name,
            handle,
            limit=limit,
            now=lambda: datetime.now(UTC),
            watcher=studio.watcher,
            again=again,
            dry_run=dry_run,
        )
    if as_json:
        terminal.print_json(
            {
                "account": taken.snapshot.model_dump(mode="json"),
                "new": [post.model_dump(mode="json") for post in taken.new],
                "would_read": list(taken.open),
                "known": taken.known,
                "left": [{"code": code, "because": because} for code, because in taken.left],
            }
        )
        return
    _show(taken)


@imports.command()
@_persona
@click.option("--channel", default="instagram", show_default=True, help="Of which platform.")
def forget(persona: str | None, channel: str) -> None:
    """Take earlier posts away again, such as those of a wrong account."""
    with open_studio() as studio:
        name = studio.persona(persona).name
        count = studio.store.forget_past(name, channel)
    click.echo(f"{count} earlier posts of {name} forgotten")


def _show(taken: Taken) -> None:
    account = taken.snapshot
    click.echo(f"@{account.handle}: {_told(account.posts)} posts, {_told(account.followers)} followers")
    for post in taken.new[:_SHOWN]:
        likes, comments = _told(post.likes), _told(post.comments)
        said = " ".join(printable(post.caption).split())
        click.echo(f"  {post.at:%d %b %Y}  {likes:>6} ♥ {comments:>5} comments  {said if len(said) < 70 else said[:69] + '…'}")
    for code in taken.open[:_SHOWN]:
        click.echo(f"  would read https://www.instagram.com/p/{code}/")
    more = len(taken.new) + len(taken.open) - _SHOWN
    if more > 0:
        click.echo(f"  and {more} more")
    for code, because in taken.left:
        click.echo(f"  left out {code}: {because}")
    kept = f"{len(taken.open)} would be read" if account.dry else f"{len(taken.new)} kept"
    click.echo(f"{kept}, {taken.known} known already")


def _told(number: int | None) -> str:
    return "?" if number is None else str(number)
