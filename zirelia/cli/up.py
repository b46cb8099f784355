"""`zirelia up`, `pause`, `resume` and `cancel`: the daemon, its switch, and what a person says of a post that it gave up on."""

from __future__ import annotations

import getpass

import click

from zirelia.studio import open_studio

_by = click.option("--by", default=getpass.getuser, show_default="your user name", help="Who says so.")


@click.command()
@click.option(
    "--roles",
    default="clock,work,gpu,web",
    show_default=True,
    help="What this process does: clock (starts what is due), work (texts, publications), gpu (pictures), web (/healthz, "
    "/readyz, /metrics).",
)
@click.option("--device", default="0", show_default=True, help="Names the card of the role gpu; one process a device.")
def up(roles: str, device: str) -> None:
    """Run the daemon: posts are made ahead of their slots, wait for a person, and go out when approved.

    Ends in good order at Ctrl-C or SIGTERM; work that takes longer than ZIRELIA_ENGINE_STOP_S is handed back and goes on at
    the next start. One process on SQLite; any number on PostgreSQL.
    """
    from zirelia.studio.daemon import run
    from zirelia.web.server import serving

    run(tuple(role.strip() for role in roles.split(",") if role.strip()), device=device, serving=serving)


@click.command()
@click.argument("persona", required=False)
@click.option("--because", default="by hand", show_default=True, help="Why; shown wherever the pause is.")
@_by
def pause(persona: str | None, because: str, by: str) -> None:
    """Begin nothing and send nothing, for one persona or for all; what runs may end."""
    from zirelia.engine.pause import Pauses

    with open_studio() as studio:
        if persona is not None:
            studio.persona(persona)
        Pauses(studio.settings).pause(persona, because=because, by=by)
    click.echo(f"{persona or 'everything'} is paused; `zirelia resume{f' {persona}' if persona else ''}` goes on")


@click.command()
@click.argument("persona", required=False)
def resume(persona: str | None) -> None:
    """Take a pause away."""
    from zirelia.engine.pause import Pauses

    with open_studio() as studio:
        pauses = Pauses(studio.settings)
        gone = pauses.resume(persona)
        still = pauses.reason(persona)
    if still is not None:
        click.echo(f"still paused: {still}")
        raise click.exceptions.Exit(4)
    click.echo(f"{persona or 'everything'} {'goes on' if gone else 'was not paused'}")


@click.command()
@click.argument("post_id", type=click.IntRange(1))
@click.option("--because", required=True, help="Why; kept in the post's history.")
@click.option("--went-out", metavar="URL", help="For a post of unknown outcome: it is out, at this address.")
@click.option("--not-out", is_flag=True, help="For a post of unknown outcome: it is certainly not out.")
@_by
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cancel(post_id: int, because: str, went_out: str | None, not_out: bool, by: str, as_json: bool) -> None:
    """Give up a post: it is rejected. Of one whose outcome is unknown, say first whether it is out."""
    from zirelia.cli.decide import _say
    from zirelia.workflow import giving_up

    if went_out is not None and not_out:
        raise click.UsageError("it is either out or not: give one of --went-out and --not-out")
    with open_studio() as studio:
        post = giving_up.cancel(studio.kit(), post_id, by=by, because=because, went_out=went_out, not_out=not_out)
        _say(studio, post, f"is {post.state.replace('_', ' ')}", as_json)
