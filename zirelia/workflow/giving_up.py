"""A person gives a post up, or says what became of one whose outcome nobody knew.

    cancel(kit, 7, by="ana", because="the shop has closed")
    cancel(kit, 8, by="ana", because="looked", went_out="https://example.social/@mira/1")

Knows nothing of jobs: the post's new state ends them.
"""

from __future__ import annotations

from zirelia.domain.decision import Decision, DecisionKind
from zirelia.domain.post import Post, PostState, move
from zirelia.domain.publication import PublicationState, Receipt
from zirelia.errors import IllegalTransition
from zirelia.workflow.kit import Kit

_UNSURE = {PublicationState.SENDING, PublicationState.UNKNOWN}


def cancel(kit: Kit, post_id: int, *, by: str, because: str, went_out: str | None = None, not_out: bool = False) -> Post:
    """Rejects the post. One of unknown outcome becomes published with the given address, or is rejected when it is not out.

    Raises IllegalTransition for an unknown outcome of which nothing is said, for one that is known, and for a final post;
    Conflict when another process is at work on it.
    """
    with kit.store.lock(f"publish-{post_id}"), kit.store.lock(f"produce-{post_id}"):
        post = kit.store.get_post(post_id)
        unknown = post.state in {PostState.UNKNOWN, PostState.PUBLISHING}
        if unknown and went_out is None and not not_out:
            raise IllegalTransition(
                f"nobody knows whether post {post_id} is out", hint="look at the account, then add --went-out URL or --not-out"
            )
        if not unknown and (went_out is not None or not_out):
            raise IllegalTransition(f"post {post_id} is {post.state}; its outcome is known")
        if not unknown:
            return _rejected(kit, post, by=by, because=because)
        post = _told(kit, post, by=by, because=because, went_out=went_out)
        return post if post.state is PostState.PUBLISHED else _rejected(kit, post, by=by, because=because)


def _told(kit: Kit, post: Post, *, by: str, because: str, went_out: str | None) -> Post:
    now = kit.now()
    for one in kit.store.publications(post.id):
        if one.state in _UNSURE:
            receipt = Receipt(platform_id=f"told by {by}", url=went_out, at=now) if went_out else None
            state = PublicationState.PUBLISHED if went_out else PublicationState.NOT_PUBLISHED
            note = f"{by}: {because}"
            kit.store.save_publication(one.model_copy(update={"state": state, "at": now, "receipt": receipt, "note": note}))
    version, events = post.version, []
    if post.state is PostState.PUBLISHING:
        post, event = move(post, PostState.UNKNOWN, at=now, actor=by, because=because)
        events.append(event)
    to = PostState.PUBLISHED if went_out else PostState.APPROVED
    post, event = move(post, to, at=now, actor=by, because=because)
    kit.store.save_post(post, expected_version=version, events=[*events, event])
    return post


def _rejected(kit: Kit, post: Post, *, by: str, because: str) -> Post:
    now = kit.now()
    moved, event = move(post, PostState.REJECTED, at=now, actor=by, because=because)
    decision = Decision(kind=DecisionKind.REJECT, by=by, at=now, because=because)
    kit.store.save_post(moved, expected_version=post.version, events=[event], decision=decision)
    return moved
