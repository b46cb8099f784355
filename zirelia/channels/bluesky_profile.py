"""Says on a Bluesky account's profile that a machine runs it: the label `bot`, which apps show beside the name.

    with connected(line) as wire:
        declare_bot(wire, did)          # True: it was added; False: it was there

Everything else on the profile stays as it is. An account sets this label itself, for the whole account; there is none for a
single post or for AI. https://docs.bsky.app/docs/starter-templates/bots
"""

from __future__ import annotations

from typing import Any

from zirelia.channels.bluesky_repo import Repo, Taken
from zirelia.channels.wire import Wire

_PROFILE, _KEY = "app.bsky.actor.profile", "self"
_LABELS = "com.atproto.label.defs#selfLabels"
_BOT = "bot"
_TRIES = 3


def declare_bot(wire: Wire, did: str) -> bool:
    """Whether the label had to be added. Raises ProviderError."""
    repo = Repo(wire, did)
    for left in reversed(range(_TRIES)):
        there = repo.record(_PROFILE, _KEY)
        profile: dict[str, Any] = dict(there.value) if there is not None else {"$type": _PROFILE}
        labels = profile.get("labels")
        values = list(labels.get("values") or ()) if isinstance(labels, dict) else []
        if any(isinstance(one, dict) and one.get("val") == _BOT for one in values):
            return False
        profile["labels"] = {"$type": _LABELS, "values": [*values, {"val": _BOT}]}
        try:
            repo.put(_PROFILE, _KEY, profile, replaces=there.cid if there is not None else None)
        except Taken:
            # somebody edited the profile meanwhile
            if not left:
                raise
        else:
            return True
    return False
