"""`zirelia queue` and `zirelia show`: what waits, and one post with everything that is known of it."""

from __future__ import annotations

from typing import Any

import click

from zirelia.cli import terminal
from zirelia.domain.post import IN_QUEUE, Post, PostState
from zirelia.domain.value import printable
from zirelia.errors import ZireliaError
from zirelia.studio import Studio, open_studio


@click.command()
@click.option("--persona", help="Only this persona.")
@click.option("--state", type=click.Choice([str(state) for state in PostState]), multiple=True, help="Only these states.")
@click.option("--all", "everything", is_flag=True, help="Published and rejected posts too.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def queue(persona: str | None, state: tuple[str, ...], everything: bool, limit: int, as_json: bool) -> None:
    """List the posts that wait."""
    states = frozenset(map(PostState, state)) or (None if everything else IN_QUEUE)
    with open_studio() as studio:
        posts = studio.store.posts(persona=persona, states=states, limit=limit)
        if as_json:
            terminal.print_json([terminal.post_shape(post, studio.media.path) for post in posts])
        elif posts:
            terminal.queue_table(posts)
        else:
            click.echo("The queue is empty. `zirelia produce` makes a post.")


@click.command()
@click.argument("post_id", type=click.IntRange(1))
@click.option("--open", "open_picture", is_flag=True, help="Open the picture in the system's viewer.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(post_id: int, open_picture: bool, as_json: bool) -> None:
    """Show one post with its picture, verdict, attempts and history."""
    with open_studio() as studio:
        post = studio.store.get_post(post_id)
        ledger = studio.store.ledger(post_id=post_id)
        texts = _texts(studio, post)
        events, publications = studio.store.events(post_id), studio.store.publications(post_id)
        if as_json:
            shape = terminal.post_shape(post, studio.media.path)
            shape["events"] = [event.model_dump(mode="json") for event in events]
            shape["decisions"] = [decision.model_dump(mode="json") for decision in studio.store.decisions(post_id)]
            shape["publications"] = [publication.model_dump(mode="json") for publication in publications]
            shape["texts"] = texts
            shape["ledger"] = [row.model_dump(mode="json") for row in ledger]
            terminal.print_json(shape)
        else:
            terminal.card(post, ledger, studio.media.path)
            for text in texts:
                _say(text)
            terminal.history(events, publications)
        attempt = post.chosen_attempt
        if open_picture and attempt:
            click.launch(str(studio.media.path(attempt.image)))


def _texts(studio: Studio, post: Post) -> list[dict[str, Any]]:
    """The text as each of her channels takes it, with what it leaves out; or why it cannot be said."""
    from zirelia.workflow.connections import reconnect
    from zirelia.workflow.publish import text_for

    if post.draft is None or post.state is PostState.REJECTED:
        return []
    try:
        persona = studio.persona(post.persona)
    except ZireliaError:
        return []  # a post may outlive its pack
    channels, shown = studio.channels_of(post.persona), []
    for name in persona.channels:
        one: dict[str, Any] = {"channel": name}
        if name not in channels:
            shown.append(one | {"problem": f"not connected: {reconnect(persona.name, name)}"})
            continue
        try:
            text, _ = text_for(persona, post, channels[name])
        except ZireliaError as error:
            shown.append(one | {"problem": error.message})
            continue
        shown.append(one | {"caption": text.caption, "alt_text": text.alt_text, "left_out": list(text.left_out)})
    return shown


def _say(text: dict[str, Any]) -> None:
    heading = click.style(f"  {text['channel']}:", bold=True)
    if "problem" in text:
        click.echo(f"{heading} {click.style(printable(text['problem']), fg='yellow')}")
        return
    click.echo(heading)
    for line in printable(text["caption"]).splitlines():
        click.echo(f"    {line}")
    if text["left_out"]:
        click.secho(f"    left out: {printable('; '.join(text['left_out']))}", fg="yellow")
