"""Brings in the posts of her account from before Zirelia: for the memory that the planner avoids, and the measure of her voice.

    taken = import_past(store, accounts, "mira", "@mira.zr", limit=50, now=clock, watcher=watcher)
    taken.new                   # posts that were kept now; a call that was broken off goes on where it stopped
    taken.open                  # with dry_run: codes of posts that would be read

One look a day: the mark is stored before the first request, so that a refusal counts too. Each post is kept as it arrives; one
that is kept, or was published here, is not asked for again. What comes of it: `workflow.memory`, `workflow.wording`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from zirelia.domain.history import PastPost, Snapshot, next_look
from zirelia.errors import Conflict, NotYet

if TYPE_CHECKING:
    from zirelia.ports import PublicAccount, PublicAccounts, Store, Watcher

_ADDRESS = re.compile(r"/(?:p|reel|tv)/([A-Za-z0-9_-]+)")


@dataclass(frozen=True)
class Taken:
    """snapshot: the account as it was seen. open: codes of posts that a dry run would have read. known: how many are kept, or
    were published here. left: codes of others, with the reason.
    """

    snapshot: Snapshot
    new: tuple[PastPost, ...] = ()
    open: tuple[str, ...] = ()
    known: int = 0
    left: tuple[tuple[str, str], ...] = ()


def import_past(
    store: Store,
    accounts: PublicAccounts,
    persona: str,
    handle: str,
    *,
    limit: int,
    now: Callable[[], datetime],
    watcher: Watcher,
    again: bool = False,
    dry_run: bool = False,
) -> Taken:
    """Keeps the newest `limit` posts of the persona's own account that are not kept yet.

    Args:
        again: looks although it is not a day since the last time.
        dry_run: reads the list of posts, and none of them.

    Raises NotYet before anything is asked; Conflict for another account than before; ProviderError, and then what was read
    stays kept.
    """
    name = accounts.handle(handle)
    with store.lock(f"import-{persona}-{accounts.name}"):
        _allow(store, persona, accounts.name, name, dry=dry_run, now=now(), again=again)
        visit = accounts.visit(name)  # asks nothing yet
        snapshot = Snapshot(persona=persona, channel=accounts.name, handle=name, at=now(), dry=dry_run)
        store.keep_snapshot(snapshot)
        watcher.step("look", f"@{name} on {accounts.name}, as a visitor")
        try:
            with visit as account:
                snapshot = snapshot.model_copy(update={"followers": account.followers, "posts": account.posts})
                store.keep_snapshot(snapshot)
                taken = _read(store, account, snapshot, limit=limit, now=now, watcher=watcher)
        except BaseException:
            watcher.failed("broken off; what was read is kept")
            raise
        watcher.done(f"{len(taken.new)} new, {taken.known} known")
    return taken


def _allow(store: Store, persona: str, channel: str, handle: str, *, dry: bool, now: datetime, again: bool) -> None:
    last = store.last_snapshot(persona, channel)
    if last is not None and last.handle != handle and store.known_codes(persona, channel):
        raise Conflict(
            f"the earlier posts of {persona} are @{last.handle}'s, not @{handle}'s",
            hint=f"only her own account is read; if it was renamed or mistaken: zirelia import forget --persona {persona}",
        )
    until = next_look(last, dry=dry, now=now)
    if until is not None and last is not None and not again:
        raise NotYet(
            f"@{last.handle} was looked at {last.at:%d %b %H:%M} UTC; nothing was asked now",
            until=until,
            hint=f"once a day is enough: from {until:%d %b %H:%M} UTC on, or with --again to finish what was broken off",
        )


def _read(
    store: Store, account: PublicAccount, snapshot: Snapshot, *, limit: int, now: Callable[[], datetime], watcher: Watcher
) -> Taken:
    persona, channel = snapshot.persona, snapshot.channel
    known = store.known_codes(persona, channel) | _codes(store.published_urls(persona, channel))
    new: list[PastPost] = []
    seen = 0
    unread: list[str] = []
    left: list[tuple[str, str]] = []
    count = min(limit, account.posts or limit)
    for shown in account.shown(limit=limit, wanted=lambda code: not snapshot.dry and code not in known):
        seen += 1
        if shown.post is not None:
            if store.add_past(persona, shown.post, at=now()):
                new.append(shown.post)
        elif snapshot.dry and shown.code not in known:
            unread.append(shown.code)
        elif shown.code not in known:
            left.append((shown.code, shown.because))
        watcher.progress(min(1.0, seen / count), f"post {seen} of {count}")
    return Taken(
        snapshot=snapshot,
        new=tuple(new),
        open=tuple(unread),
        known=seen - len(new) - len(unread) - len(left),
        left=tuple(left),
    )


def _codes(urls: Iterable[str]) -> frozenset[str]:
    """Of posts, by their addresses."""
    return frozenset(found[1] for url in urls if (found := _ADDRESS.search(url)))
