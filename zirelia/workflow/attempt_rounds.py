"""The rounds of a post's attempts: each request for a picture gives its attempts anew, and a crash none.

    post, first = begun(kit, post)        # the attempts from number `first` on belong to this round

A round is told by the order of events and the numbers of attempts, never by the time: clocks are set back. Judges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zirelia.domain.post import Event, Post, PostState
from zirelia.workflow.kit import Kit

_ACTOR = "studio"
_DIRECTED = "directed anew"
_FROM = re.compile(r"attempts from (\d+)")


def begun(kit: Kit, post: Post) -> tuple[Post, int]:
    """The post and the number of the round's first attempt.

    A later round is written into the history before its first attempt; the first one of a post needs no such line. A retry
    takes up a picture that nobody judged, for it is paid for; a person who asks for changes does not want it.
    """
    since = _since_drafted(kit.store.events(post.id))
    if since is None:
        return post, 1
    if number := next(filter(None, map(_first_of, since)), None):
        return post, number
    first = len(post.attempts) + 1
    if post.attempts and post.attempts[-1].verdict is None and _retried(kit.store.events(post.id)):
        first = post.attempts[-1].number
    event = _line(kit, post, f"attempts from {first}")
    after = post.model_copy(update={"version": post.version + 1, "updated": event.at})
    kit.store.save_post(after, expected_version=post.version, events=[event])
    return after, first


def directed(kit: Kit, post: Post) -> bool:
    """Whether the shot that a person wanted changed was directed anew in this round."""
    since = _since_drafted(kit.store.events(post.id)) or ()
    return any(event.because == _DIRECTED and not _is(event, entering=True) for event in since)


def direction(kit: Kit, post: Post) -> Event:
    """The line in the history by which `directed` knows it; stored with the shot."""
    return _line(kit, post, _DIRECTED)


def _line(kit: Kit, post: Post, because: str) -> Event:
    drafted = PostState.DRAFTED
    return Event(post_id=post.id, at=kit.now(), actor=_ACTOR, before=drafted, after=drafted, because=because)


def _since_drafted(events: Sequence[Event]) -> Sequence[Event] | None:
    """What happened since the post was last sent to be shot; None when that was the first time."""
    starts = [n for n, event in enumerate(events) if _is(event, entering=True)]
    return events[starts[-1] + 1 :] if len(starts) > 1 else None


def _retried(events: Sequence[Event]) -> bool:
    """Whether it was the studio that last sent the post to be shot."""
    return next(event.actor for event in reversed(events) if _is(event, entering=True)) == _ACTOR


def _first_of(event: Event) -> int | None:
    said = _FROM.fullmatch(event.because or "") if _is(event, entering=False) and event.actor == _ACTOR else None
    return int(said[1]) if said else None


def _is(event: Event, *, entering: bool) -> bool:
    return event.after is PostState.DRAFTED and (event.before is not PostState.DRAFTED) is entering
