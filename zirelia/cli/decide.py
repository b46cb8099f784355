"""What a person decides: approve, edit, reject, request changes, post. Every one is idempotent or refuses clearly."""

from __future__ import annotations

import getpass

import click

from zirelia.cli import terminal
from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft, Post, PostState, Relation, Sponsor
from zirelia.domain.text_remark import instructions
from zirelia.errors import ConfigurationError, IllegalTransition
from zirelia.studio import Studio, open_studio
from zirelia.workflow import produce as production
from zirelia.workflow import publish as publishing
from zirelia.workflow import review

_by = click.option("--by", default=getpass.getuser, show_default="your user name", help="Who decides.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_post_id = click.argument("post_id", type=click.IntRange(1))


@click.command()
@_post_id
@click.option("--because", help="Needed to approve a held post.")
@_by
@_json
def approve(post_id: int, because: str | None, by: str, as_json: bool) -> None:
    """Approve a post, so that it may be published."""
    with open_studio() as studio:
        if studio.store.get_post(post_id).state is PostState.APPROVED:
            _say(studio, studio.store.get_post(post_id), "is approved already; nothing changed", as_json)
            return
        post = review.approve(studio.kit(), post_id, by=by, because=because)
        _say(studio, post, f"approved; `zirelia post {post_id}` publishes it", as_json)


@click.command()
@_post_id
@click.option("--because", required=True, help="Why; remembered for the next drafts.")
@_by
@_json
def reject(post_id: int, because: str, by: str, as_json: bool) -> None:
    """Reject a post for good, with a reason."""
    with open_studio() as studio:
        _say(studio, review.reject(studio.kit(), post_id, by=by, because=because), "rejected", as_json)


@click.command("request-changes")
@_post_id
@click.option("--because", "-m", required=True, help="What to change in the picture.")
@_by
@_json
def request_changes(post_id: int, because: str, by: str, as_json: bool) -> None:
    """Have the picture made anew with your note."""
    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        subject = studio.subject(studio.store.get_post(post_id).persona)
        kit = studio.kit(subject)
        review.request_changes(kit, post_id, by=by, because=because)
        post = production.resume(kit, subject, post_id)
        if not as_json:
            terminal.card(post, studio.store.ledger(post_id=post_id), studio.media.path)
        _say(studio, post, f"is {post.state.replace('_', ' ')} with a new attempt", as_json)


@click.command()
@_post_id
@click.option("--caption", help="The new caption.")
@click.option("--hashtags", help="The new hashtags, separated by spaces or commas.")
@click.option("--alt-text", help="The new description of the picture.")
@click.option("--sponsored", metavar="BRAND", help="Who pays for the post; puts the ad label above the caption.")
@click.option("--relation", type=click.Choice([str(one) for one in Relation]), help="What the brand gives.  [default: paid]")
@click.option("--not-sponsored", is_flag=True, help="Takes the ad label away; say why with --because.")
@click.option("--because", help="Why; remembered with the change.")
@_by
@_json
def edit(
    post_id: int,
    caption: str | None,
    hashtags: str | None,
    alt_text: str | None,
    sponsored: str | None,
    relation: str | None,
    not_sponsored: bool,
    because: str | None,
    by: str,
    as_json: bool,
) -> None:
    """Change the text of a waiting post; an approval is void after it.

    Without options, opens the text in your editor.
    """
    if sponsored is not None and not_sponsored:
        raise click.UsageError("--sponsored and --not-sponsored contradict each other")
    if relation is not None and sponsored is None:
        raise click.UsageError("--relation needs --sponsored BRAND")
    with open_studio() as studio:
        post = studio.store.get_post(post_id)
        if post.draft is None:
            raise IllegalTransition(f"post {post_id} has no text yet", hint=f"zirelia retry {post_id}")
        persona = studio.persona(post.persona)
        if caption is None and hashtags is None and alt_text is None and sponsored is None and not not_sponsored:
            draft = _edited(post.draft)
        else:
            draft = post.draft.model_copy(
                update={
                    "caption": caption if caption is not None else post.draft.caption,
                    "hashtags": _tags(hashtags) if hashtags is not None else post.draft.hashtags,
                    "alt_text": alt_text if alt_text is not None else post.draft.alt_text,
                    "sponsor": None if not_sponsored else _sponsor(persona, sponsored, relation) or post.draft.sponsor,
                }
            )
        after = review.edit(studio.kit(), persona, post_id, _checked(draft), by=by, because=because)
        if after.version == post.version:
            note = "nothing changed"
        elif post.state is PostState.APPROVED:
            note = "edited; its approval is void"
        else:
            note = "edited"
        _say(studio, after, note, as_json)
        if after.draft is not None and after.version != post.version and not as_json:
            for told in instructions(after.draft.remarks):
                click.echo(f"all the same: {told}")


@click.command()
@_post_id
@_json
def post(post_id: int, as_json: bool) -> None:
    """Publish an approved post now."""
    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        _publish(studio, studio.store.get_post(post_id), as_json)


@click.command("approve-and-post")
@_post_id
@click.option("--because", help="Needed to approve a held post.")
@_by
@_json
def approve_and_post(post_id: int, because: str | None, by: str, as_json: bool) -> None:
    """Approve a post and publish it now."""
    with open_studio(terminal.watcher(quiet=as_json)) as studio:
        waiting = studio.store.get_post(post_id)
        if waiting.state in {PostState.AWAITING_REVIEW, PostState.HELD}:
            waiting = review.approve(studio.kit(), post_id, by=by, because=because)
        _publish(studio, waiting, as_json)


def _publish(studio: Studio, post: Post, as_json: bool) -> None:
    before = post.state
    after = publishing.publish(studio.kit(), studio.subject(post.persona), post.id)
    receipts = [p.receipt.url for p in studio.store.publications(post.id) if p.receipt]
    where = ", ".join(receipts)
    if before is PostState.PUBLISHED:
        _say(studio, after, f"was published already: {where}; nothing changed", as_json)
    elif after.state is PostState.PUBLISHED:
        _say(studio, after, f"published: {where}", as_json)
    else:
        _say(studio, after, f"is {after.state}: `zirelia show {post.id}` says why", as_json)
        raise click.exceptions.Exit(8)


def _say(studio: Studio, post: Post, note: str, as_json: bool) -> None:
    if as_json:
        shape = terminal.post_shape(post, studio.media.path) | {"note": note}
        shape["publications"] = [p.model_dump(mode="json") for p in studio.store.publications(post.id)]
        terminal.print_json(shape)
    else:
        click.echo(f"post {post.id} {note}")


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag.lstrip("#") for tag in text.replace(",", " ").split() if tag.lstrip("#"))


def _sponsor(persona: Persona, brand: str | None, relation: str | None) -> Sponsor | None:
    from pydantic import ValidationError

    from zirelia.definitions.disclosure import disclosure_words

    if brand is None:
        return None
    try:
        return disclosure_words(persona.voice.language).sponsor(brand, Relation(relation or Relation.PAID))
    except ValidationError as error:
        raise ConfigurationError(f"'{brand}' is no brand's name", hint="one line of at most 80 characters") from error


def _checked(draft: Draft) -> Draft:
    from pydantic import ValidationError

    try:
        return Draft.model_validate(draft.model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", hint="nothing was changed") from error


_MARKS = ("# caption", "# hashtags", "# alt text")


def _edited(draft: Draft) -> Draft:
    text = "\n".join(
        f"{mark}\n{value}\n"
        for mark, value in zip(_MARKS, (draft.caption, " ".join(f"#{t}" for t in draft.hashtags), draft.alt_text), strict=True)
    )
    changed = click.edit(text, extension=".md")
    if changed is None:
        return draft
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in changed.splitlines():
        if line.strip().lower() in _MARKS:
            current = parts.setdefault(line.strip().lower(), [])
        else:
            current.append(line)
    missing = [mark for mark in _MARKS if mark not in parts]
    if missing:
        raise ConfigurationError(f"the heading '{missing[0]}' is missing", hint="keep the three headings; nothing was changed")
    caption, tags, alt_text = ("\n".join(parts[mark]).strip() for mark in _MARKS)
    return draft.model_copy(update={"caption": caption, "hashtags": _tags(tags), "alt_text": alt_text})
