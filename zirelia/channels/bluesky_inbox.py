"""What people said to a Bluesky account, and what an answer to it refers to.

    heard = hear(repo, channel="bluesky", persona="mira", cursor=None)      # Heard: mentions, and where to go on
    answering(repo, "at://did:plc:…/app.bsky.feed.post/3m4…", provider="bluesky")     # {"root": …, "parent": …}

Notifications come from the network's view, newest first; a server without one hears nothing. What people wrote is data.
Knows no sending.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from zirelia.channels.bluesky_repo import Repo, moment
from zirelia.domain.reply import LONGEST_MENTION, Mention
from zirelia.domain.value import printable
from zirelia.errors import ProviderRefused
from zirelia.ports import Heard

_TOLD = frozenset({"mention", "reply"})
_FIRST = 20
"""How many mentions are heard of the time before."""
_PAGES = 20
_URI = re.compile(r"at://[\w.:%-]{1,250}/[\w.-]{1,100}/[\w.:~-]{1,100}", re.ASCII)


def hear(repo: Repo, *, channel: str, persona: str, cursor: str | None) -> Heard:
    """What was said since the cursor, oldest first; the latest few for None. Raises ProviderError."""
    newest, found = cursor, []
    for entry in _since(repo, cursor, channel):
        if newest is cursor:
            newest = f"{entry['indexedAt']} {entry['uri']}"
        if entry.get("reason") not in _TOLD:
            continue
        mention = _mention(repo, entry, channel, persona)
        if mention is not None:
            found.append(mention)
    return Heard(tuple(reversed(found[:_FIRST] if cursor is None else found)), newest)


def answering(repo: Repo, said: str, *, provider: str) -> dict[str, Any]:
    """The reference of an answer to the post `said`. Raises ProviderRefused when that is there no more."""
    answer = repo.view("app.bsky.feed.getPosts", {"uris": said}) or {}
    post = next(iter(answer.get("posts") or ()), None)
    if post is None:
        raise ProviderRefused("what it answers is not there any more", provider=provider)
    parent = {"uri": said, "cid": post.get("cid")}
    root = ((post.get("record") or {}).get("reply") or {}).get("root")
    return {"root": {"uri": root.get("uri"), "cid": root.get("cid")} if isinstance(root, dict) else parent, "parent": parent}


def _since(repo: Repo, cursor: str | None, channel: str) -> Iterator[Mapping[str, Any]]:
    """Notifications, newest first, without those that were there at the cursor; a page of them for None."""
    until, _, known = (cursor or "").partition(" ")
    last: datetime | None = moment(until, channel) if until else None
    asked = {"limit": "100"}
    for _ in range(_PAGES if last else 1):
        answer = repo.view("app.bsky.notification.listNotifications", asked)
        if answer is None:
            return
        for entry in answer.get("notifications") or ():
            if last is not None and moment(entry.get("indexedAt"), channel) < last:
                return
            # another one of the same moment may have come later
            if entry.get("uri") != known:
                yield entry
        page = answer.get("cursor")
        if not page:
            return
        asked = {**asked, "cursor": str(page)}


def _mention(repo: Repo, entry: Mapping[str, Any], channel: str, persona: str) -> Mention | None:
    """None for what has no words, and for the account's own."""
    author, uri = entry.get("author") or {}, str(entry.get("uri", ""))
    record = entry.get("record") or {}
    text = printable(str(record.get("text", "")))[:LONGEST_MENTION].strip()
    if not text or author.get("did") == repo.did:
        return None
    handle = author.get("handle")
    # the network's word for a handle that does not lead back to its account
    name = str(author.get("did", "")) if handle in {None, "handle.invalid"} else str(handle)
    return Mention(
        id=uri,
        channel=channel,
        persona=persona,
        author=name,
        text=text,
        at=moment(entry.get("indexedAt"), channel),
        url=f"https://bsky.app/profile/{name}/post/{uri.rpartition('/')[2]}",
        answers=_answered(record.get("reply")),
    )


def _answered(reply: object) -> tuple[str, ...]:
    """What a post says that it answers: the post above it, and the one at which the conversation began."""
    ends = (reply.get(name) for name in ("parent", "root")) if isinstance(reply, Mapping) else ()
    found = (str(end.get("uri")) for end in ends if isinstance(end, Mapping))
    return tuple(dict.fromkeys(uri for uri in found if _URI.fullmatch(uri)))
