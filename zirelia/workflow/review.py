"""What a person does with a post that waits: approve, edit, reject, ask for changes.

    approve(kit, 7, by="ana")

Each is one transaction: decision, state and event together. Two people deciding at once: the second gets Conflict.
"""

from __future__ import annotations

from zirelia.definitions.disclosure import unlabelled_advertising
from zirelia.domain.decision import Decision, DecisionKind
from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft, Event, Post, PostState, move
from zirelia.domain.verdict import Repair, RepairKind
from zirelia.errors import IllegalTransition
from zirelia.workflow.kit import Kit
from zirelia.workflow.wording import judge_edit

APPROVABLE = frozenset({PostState.AWAITING_REVIEW, PostState.HELD})
EDITABLE = frozenset({PostState.AWAITING_REVIEW, PostState.APPROVED, PostState.HELD})
_NOT_EDITED = {"voice", "remarks"}


def approve(kit: Kit, post_id: int, *, by: str, because: str | None = None) -> Post:
    """Approves. A held post needs a reason, which is kept as an override. Raises IllegalTransition."""
    post = kit.store.get_post(post_id)
    if post.state not in APPROVABLE:
        raise IllegalTransition(
            f"post {post_id} is {post.state} and cannot be approved", hint="approvable: " + ", ".join(sorted(APPROVABLE))
        )
    if post.draft is not None and (phrase := unlabelled_advertising(post.draft)):
        raise IllegalTransition(
            f"post {post_id} reads like an advertisement ('{phrase}') and has no label that says so",
            hint=f"name who pays: zirelia edit {post_id} --sponsored BRAND; or take the words out of the text",
        )
    override = post.state is PostState.HELD
    if override and not because:
        raise IllegalTransition(
            f"post {post_id} is held: {post.held_because}", hint="to approve it all the same, say why with --because"
        )
    return _decide(kit, post, DecisionKind.APPROVE, PostState.APPROVED, by=by, because=because, override=override)


def reject(kit: Kit, post_id: int, *, by: str, because: str) -> Post:
    return _decide(kit, kit.store.get_post(post_id), DecisionKind.REJECT, PostState.REJECTED, by=by, because=because)


def request_changes(kit: Kit, post_id: int, *, by: str, because: str) -> Post:
    """Sends the post back to be shot anew with the note; `produce.resume` does the work."""
    post = kit.store.get_post(post_id)
    if post.draft is None:
        raise IllegalTransition(f"post {post_id} has no text to make a picture for", hint=f"zirelia retry {post_id}")
    return _decide(kit, post, DecisionKind.REQUEST_CHANGES, PostState.DRAFTED, by=by, because=because)


def edit(kit: Kit, persona: Persona, post_id: int, draft: Draft, *, by: str, because: str | None = None) -> Post:
    """Replaces the text, with what the text critic says of it. An approval is void after it, and the change is remembered as a
    decision. Raises IllegalTransition for a text that a channel would refuse, and for a sponsor that is taken away without a
    reason; what else is wrong with it only warns.
    """
    post = kit.store.get_post(post_id)
    if post.state not in EDITABLE or post.draft is None:
        raise IllegalTransition(
            f"post {post_id} is {post.state} and cannot be edited", hint="editable: " + ", ".join(sorted(EDITABLE))
        )
    before, after = post.draft.model_dump(exclude=_NOT_EDITED), draft.model_dump(exclude=_NOT_EDITED)
    changes = {field: (_shown(before[field]), _shown(after[field])) for field in before if before[field] != after[field]}
    if not changes:
        return post
    if post.draft.sponsor is not None and draft.sponsor is None and not (because and because.strip()):
        raise IllegalTransition(
            f"post {post_id} is sponsored by {post.draft.sponsor.brand}: its label stays",
            hint="if that was a mistake, say why with --because",
        )
    draft = judge_edit(kit, persona, post, draft)
    now = kit.now()
    decision = Decision(kind=DecisionKind.EDIT, by=by, at=now, because=because, changes=changes)
    edited = post.model_copy(update={"draft": draft})
    if post.state is PostState.APPROVED:
        edited, event = move(edited, PostState.AWAITING_REVIEW, at=now, actor=by, because="edited after the approval")
    else:
        edited = edited.model_copy(update={"updated": now, "version": post.version + 1})
        event = Event(
            post_id=post.id, at=now, actor=by, before=post.state, after=post.state, because="edited " + ", ".join(changes)
        )
    kit.store.save_post(edited, expected_version=post.version, events=[event], decision=decision)
    return edited


def notes_for(kit: Kit, post: Post) -> tuple[Repair, ...]:
    """The latest request for changes as repairs for the next attempt."""
    asked = [d for d in kit.store.decisions(post.id) if d.kind is DecisionKind.REQUEST_CHANGES]
    if not asked or not asked[-1].because:
        return ()
    note = asked[-1].because
    return (Repair(kind=RepairKind.NOTE, phrase=note, because=f"{asked[-1].by} asked: {note}"),)


def _decide(
    kit: Kit, post: Post, kind: DecisionKind, to: PostState, *, by: str, because: str | None, override: bool = False
) -> Post:
    now = kit.now()
    moved, event = move(post, to, at=now, actor=by, because=because)
    decision = Decision(kind=kind, by=by, at=now, because=because, override=override)
    kit.store.save_post(moved, expected_version=post.version, events=[event], decision=decision)
    return moved


def _shown(field: object) -> str:
    if isinstance(field, dict):
        return f"{field['label']} ({field['relation']})"
    return " ".join(map(str, field)) if isinstance(field, tuple | list) else str(field)
