"""Mentions on Mastodon: what people said to an account, as text, and how an answer to one is written.

    heard = hear(api, account="109774", persona="mira", cursor=None)       # the latest few; then on from heard.cursor
    body = answering(api, reply)                                           # seen by those who saw the question, no more

Knows nothing of what the persona says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from zirelia.channels.mastodon_api import Api, identity, is_address, moment, words_of
from zirelia.domain.reply import LONGEST_MENTION, Mention, Reply
from zirelia.domain.value import printable
from zirelia.ports import Heard

_FIRST_LOOK, _PER_PAGE, _PAGES = 20, 40, 5
_VISIBILITIES = frozenset({"public", "unlisted", "private", "direct"})
_AUTHOR = re.compile(r"[\w.-]+(@[\w.:-]+)?")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def hear(api: Api, *, account: str, persona: str, cursor: str | None) -> Heard:
    """Mentions since the cursor, oldest first; the latest few for None. Raises ProviderError."""
    found: list[Mention] = []
    for _ in range(_PAGES):
        since = {"limit": str(_FIRST_LOOK)} if cursor is None else {"limit": str(_PER_PAGE), "min_id": cursor}
        page = api.listed("/api/v1/notifications", **{"types[]": "mention"}, **since)
        heard = (_mention(api, account, persona, one) for one in reversed(page))
        found += [mention for mention in heard if mention is not None]
        first, cursor = cursor is None, identity(page[0], api.name) if page else cursor
        if first or len(page) < _PER_PAGE:
            break
    return Heard(mentions=tuple(found), cursor=cursor)


def answering(api: Api, reply: Reply) -> dict[str, str]:
    """What is posted. Raises ProviderRefused when what it answers is there no more."""
    # what somebody said to few is not answered before all
    said = api.get(f"/api/v1/statuses/{reply.mention.id}").get("visibility")
    seen_by = said if said in _VISIBILITIES else "direct"
    return {"status": addressed(reply), "in_reply_to_id": reply.mention.id, "visibility": seen_by}


def addressed(reply: Reply) -> str:
    """The answer with the author's name in front: without it nobody is told."""
    return f"@{reply.mention.author} {reply.text}"


def _mention(api: Api, account: str, persona: str, entry: Mapping[str, Any]) -> Mention | None:
    """None for what cannot be answered: no words, the account's own, an author without a name that can be written."""
    status, author = entry.get("status") or {}, entry.get("account") or {}
    words = (str(status.get("spoiler_text") or ""), words_of(status.get("content")))
    text = printable("\n\n".join(part for part in words if part)).strip()[:LONGEST_MENTION].strip()
    name, url = str(author.get("acct") or ""), str(status.get("url") or "")
    if not text or author.get("id") == account or not _AUTHOR.fullmatch(name):
        return None
    answered = str(status.get("in_reply_to_id") or "")
    return Mention(
        id=identity(status, api.name),
        channel=api.name,
        persona=persona,
        author=name,
        text=text,
        at=moment(status.get("created_at"), api.name),
        url=url if is_address(url) else None,
        answers=(answered,) if _ID.fullmatch(answered) else (),
    )
