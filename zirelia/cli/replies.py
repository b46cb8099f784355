"""`zirelia replies`: answers to those who mention the persona, drafted in her voice, sent when a person approved."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from zirelia.cli import terminal
from zirelia.domain.reply import Reply, ReplyState
from zirelia.domain.value import printable
from zirelia.studio import open_studio

if TYPE_CHECKING:
    from zirelia.studio import Studio
    from zirelia.workflow.kit import Kit, Subject

_OPEN = frozenset({ReplyState.WAITING, ReplyState.HELD, ReplyState.APPROVED, ReplyState.SENDING, ReplyState.UNKNOWN})
_COLOURS = {ReplyState.WAITING: "cyan", ReplyState.HELD: "yellow", ReplyState.SENT: "green", ReplyState.UNKNOWN: "red"}
_SHOWN = 80
_by = click.option("--by", default=getpass.getuser, show_default="your user name", help="Who says so.")
_number = click.argument("reply_id", type=click.IntRange(1))


@click.group(invoke_without_command=True)
@click.option("--persona", help="Only this persona.")
@click.option("--all", "everything", is_flag=True, help="Also those that are sent or rejected.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def replies(ctx: click.Context, persona: str | None, everything: bool, as_json: bool) -> None:
    """Answer those who mention the persona: read, look, approve, send."""
    if ctx.invoked_subcommand is not None:
        return
    with open_studio() as studio:
        found = studio.store.replies(persona=persona, states=None if everything else _OPEN)
        if as_json:
            terminal.print_json([reply.model_dump(mode="json") for reply in found])
            return
        if not found:
            click.echo("No answers wait. New mentions: zirelia replies read")
        for reply in reversed(found):
            _show(studio, reply)


@replies.command()
@click.option("--persona", help="Whose mentions; the one of the settings when left out.")
def read(persona: str | None) -> None:
    """Read new mentions, and draft an answer to each."""
    from zirelia.workflow.reply import listen

    with open_studio(terminal.watcher(quiet=False)) as studio:
        kit, subject = _desk(studio, persona)
        drafted = listen(kit, subject)
        for reply in drafted:
            _show(studio, reply)
    click.echo(f"{len(drafted)} new" if drafted else "Nothing new.")


@replies.command()
@_number
@_by
def approve(reply_id: int, by: str) -> None:
    """Approve an answer and send it now."""
    from zirelia.workflow.reply import approve_reply, send_reply

    with open_studio(terminal.watcher(quiet=False)) as studio:
        reply = studio.store.reply(reply_id)
        kit, subject = _desk(studio, reply.mention.persona)
        if reply.state in {ReplyState.WAITING, ReplyState.HELD}:
            approve_reply(kit, reply_id, by=by)
        _show(studio, send_reply(kit, subject, reply_id))


@replies.command()
@_number
@click.option("--text", required=True, help="The new text.")
@_by
def edit(reply_id: int, text: str, by: str) -> None:
    """Write the answer yourself; it waits until it is approved."""
    from zirelia.workflow.reply import edit_reply

    with open_studio() as studio:
        kit, subject = _desk(studio, studio.store.reply(reply_id).mention.persona)
        _show(studio, edit_reply(kit, subject.persona, reply_id, text, by=by))


@replies.command()
@_number
@click.option("--because", required=True, help="Why.")
@_by
def reject(reply_id: int, because: str, by: str) -> None:
    """Do not answer."""
    from zirelia.workflow.reply import reject_reply

    with open_studio() as studio:
        kit, _ = _desk(studio, studio.store.reply(reply_id).mention.persona)
        _show(studio, reject_reply(kit, reply_id, by=by, because=because))


def _desk(studio: Studio, persona: str | None) -> tuple[Kit, Subject]:
    subject = studio.subject(persona)
    return studio.kit(subject), subject


def _show(studio: Studio, reply: Reply) -> None:
    mention = reply.mention
    state = click.style(f"{reply.state!s:8}", fg=_COLOURS.get(reply.state, "white"))
    click.echo(f"{reply.id:>4}  {state}  {mention.channel} · {printable(mention.author)}: {printable(mention.text)}")
    if mention.post_id is not None:
        click.echo(f"                {click.style(_about(studio, mention.post_id), dim=True)}")
    said = reply.text or reply.because or ""
    click.echo(f"                {click.style('→', dim=True)} {printable(said)}")
    if reply.text and reply.because:
        click.echo(f"                  {click.style(printable(reply.because), dim=True)}")
    if reply.receipt is not None:
        click.echo(f"                  {printable(reply.receipt.url)}")


def _about(studio: Studio, post_id: int) -> str:
    """The post under which it was said."""
    draft = studio.store.get_post(post_id).draft
    caption = " ".join(printable(draft.caption).split()) if draft is not None else ""
    shown = caption if len(caption) <= _SHOWN else f"{caption[:_SHOWN]}…"
    return f"under post {post_id}: {shown}"
