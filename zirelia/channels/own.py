"""Finds a publication among what an account shows, for platforms that know no id of ours.

    found = found_among(shown, plan.caption, since=earliest(sending.begun, wire.skew), provider="x")    # Seen, or None

By text and time, never "the newest". Texts are compared as letters, digits and symbols, because platforms change spaces, line
ends and quotation marks. Two that fit are one too many: a person must look. Knows no platform.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from zirelia.errors import ProviderError

_ROUNDING = timedelta(minutes=2)
_UNKNOWN_CLOCK = timedelta(minutes=15)
_TELLING = 20
"""Signs from which the beginning of a text stands for the whole."""
_LOOK = "look at the account; zirelia cancel takes --went-out URL or --not-out"


@dataclass(frozen=True)
class Seen:
    """Something that the account shows. text: None where it was published without one."""

    id: str
    text: str | None
    at: datetime


def earliest(begun: datetime, skew: timedelta | None) -> datetime:
    """From when on, by the platform's clock, something can be what was begun then by ours. skew: theirs minus ours."""
    return begun - _UNKNOWN_CLOCK if skew is None else begun + skew - _ROUNDING


def found_among(shown: Iterable[Seen], text: str, *, since: datetime, provider: str) -> Seen | None:
    """The only one with that text since then, None when there is none. Raises ProviderError when it cannot be told."""
    wanted = _signs(text)
    fits: dict[str, Seen] = {}
    for one in shown:
        if one.at < since:
            continue
        signs = _signs(one.text or "")
        if signs == wanted:
            fits[one.id] = one
        elif (one.text or "").rstrip().endswith(("…", "...")) and len(signs) >= _TELLING and wanted.startswith(signs):
            raise ProviderError(f"{one.id} begins like this post, but is not shown whole", provider=provider, hint=_LOOK)
    if len(fits) > 1:
        raise ProviderError(f"{len(fits)} posts with this text: {', '.join(sorted(fits))}", provider=provider, hint=_LOOK)
    return next(iter(fits.values()), None)


def _signs(text: str) -> str:
    plain = unicodedata.normalize("NFKC", html.unescape(text)).casefold()
    return "".join(sign for sign in plain if unicodedata.category(sign)[0] in "LNS") or plain.strip()
