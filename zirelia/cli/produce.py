"""`zirelia demo`, `produce` and `retry`: one turn, shown while it happens, ending in a card."""

from __future__ import annotations

import click

from zirelia.cli import terminal
from zirelia.domain.post import Post, PostState
from zirelia.studio import Studio, open_studio
from zirelia.workflow import produce as production

_quiet = click.option("--quiet", is_flag=True, help="Show no progress.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON; progress is not shown.")


@click.command()
@_quiet
@_json
def demo(quiet: bool, as_json: bool) -> None:
    """Run one whole turn for the shipped persona, with the embedded models.

    A turn that was cut short is finished instead.
    """
    with open_studio(terminal.watcher(quiet=quiet or as_json), embedded=True) as studio:
        subject = studio.subject("mira")
        kit = studio.kit(subject)
        cut_short = production.unfinished(kit, subject.persona.name)
        post = production.resume(kit, subject, cut_short[0].id) if cut_short else production.produce(kit, subject)
        _finish(studio, post, as_json)
        if not as_json:
            click.echo(f"\nNext:  zirelia show {post.id} --open   ·   zirelia approve-and-post {post.id}   ·   zirelia queue")


@click.command()
@click.option("--persona", help="Which persona; the one of the settings when left out.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 100), help="How many posts.")
@_quiet
@_json
def produce(persona: str | None, count: int, quiet: bool, as_json: bool) -> None:
    """Plan, draft, shoot and judge a post; leave it in the queue.

    A turn that a crash cut short is finished first.
    """
    with open_studio(terminal.watcher(quiet=quiet or as_json)) as studio:
        subject = studio.subject(persona)
        kit = studio.kit(subject)
        posts = [production.resume(kit, subject, post.id) for post in production.unfinished(kit, subject.persona.name)]
        while len(posts) < count:
            posts.append(production.produce(kit, subject))
        if as_json:
            terminal.print_json([terminal.post_shape(post, studio.media.path) for post in posts])
        else:
            for post in posts:
                _finish(studio, post, as_json=False)
        if any(post.state is PostState.HELD for post in posts):
            raise click.exceptions.Exit(8)


@click.command()
@click.argument("post_id", type=click.IntRange(1))
@_quiet
@_json
def retry(post_id: int, quiet: bool, as_json: bool) -> None:
    """Try a held post again, from the part that failed; or what the daemon gave up on."""
    with open_studio(terminal.watcher(quiet=quiet or as_json)) as studio:
        post = studio.store.get_post(post_id)
        job = studio.store.job(post_id)
        if post.state is not PostState.HELD and job is not None and (job.dead or job.tries):
            studio.store.revive(post_id, studio.kit().now())
            if as_json:
                terminal.print_json(terminal.post_shape(post, studio.media.path))
            else:
                click.echo(f"post {post_id}: the daemon tries again to {job.kind} it, at once")
            return
        subject = studio.subject(post.persona)
        post = production.retry(studio.kit(subject), subject, post_id)
        _finish(studio, post, as_json)
        if post.state is PostState.HELD:
            raise click.exceptions.Exit(8)


def _finish(studio: Studio, post: Post, as_json: bool) -> None:
    if as_json:
        terminal.print_json(terminal.post_shape(post, studio.media.path))
    else:
        terminal.card(post, studio.store.ledger(post_id=post.id), studio.media.path)
