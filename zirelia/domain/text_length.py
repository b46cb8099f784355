"""How long a text is, as the platform that takes it counts.

    length("👩‍🚀 go", "graphemes")      # 4: the astronaut is one
    length("👩‍🚀 go", "utf-16")         # 8
    length("👩‍🚀 go", "x-weighted")     # 5: an emoji is two, whatever it is made of
    length("👩‍🚀 go", "emoji-bytes")    # 14: an emoji is as many as it has bytes in UTF-8, as Threads counts
    length("https://x.org/a", "links-23")     # 23, as Mastodon counts a link; the rest are graphemes

`x-weighted` are the published rules of twitter-text 3, on composed characters: a link is 23; an emoji, a CJK character and
what else lies outside a few ranges is 2; the rest 1. A link behind https:// is believed whatever its ending. A bare host name
is 23, or its own length where that is more and its ending is not surely a link's: X alone knows all endings, and the higher
count is the one that is not refused there. Knows no platform.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping

import regex

from zirelia.errors import ConfigurationError

X_LINK = 23
_SCHEME = regex.compile("https?://", regex.IGNORECASE)
_X_SINGLE = ((0, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))
"""Code points that X counts once."""

_PATH = r"[A-Za-z0-9!*';:=+,.$/%#\[\]\-_~@|&?()\u00c0-\u024f\u0400-\u04ff]*[A-Za-z0-9=_#/+\-\u00c0-\u024f\u0400-\u04ff]"
_TAIL = rf"(?:[/?](?:{_PATH})?)?"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?"
# letters of other scripts make a host name only behind https://
_ANY_LABEL = r"[\p{L}\p{N}\p{S}](?:[\p{L}\p{M}\p{N}\p{S}_-]*[\p{L}\p{M}\p{N}\p{S}])?"
_JOINED = r"[A-Za-z0-9_\u00c0-\u024f@＠$\#＃./-]"
_SURE = r"com|org|net|edu|gov|info|biz|app|dev|art|shop|blog|online|site|store|xyz"
_X_PIECE = regex.compile(
    rf"""
    (?P<link>
        (?<![A-Za-z0-9@＠$\#＃])https?://
        (?:t\.co/[A-Za-z0-9]{{1,40}} | (?:{_ANY_LABEL}\.){{1,20}}\p{{L}}[\p{{L}}\p{{M}}\p{{N}}-]+(?::[0-9]+)?{_TAIL})
      | (?<!{_JOINED})
        (?:(?:{_LABEL}\.){{1,20}}(?:(?:{_SURE})(?![A-Za-z0-9_@-]){_TAIL} | [A-Za-z]{{2}}/{_PATH}))
    )
  | (?P<perhaps>(?<!{_JOINED})(?:{_LABEL}\.){{1,20}}[A-Za-z]{{2,}}(?![A-Za-z0-9_@-]){_TAIL})
  | (?P<emoji>
        \p{{RI}}{{2}} | [\#*0-9]\ufe0f?\u20e3
      | (?![©®](?!\ufe0f))\p{{ExtPict}}(?:\ufe0f|\p{{EMod}})?[\U000e0020-\U000e007f]*
        (?:\u200d\p{{ExtPict}}(?:\ufe0f|\p{{EMod}})?)*
    )
  | (?P<other>.)
    """,
    regex.VERBOSE | regex.DOTALL | regex.IGNORECASE,
)


def _x_weighted(text: str) -> int:
    total = 0
    for piece in _X_PIECE.finditer(unicodedata.normalize("NFC", text)):
        if piece["link"] is not None:
            total += X_LINK
        elif piece["perhaps"] is not None:
            total += max(X_LINK, sum(map(_x_weight, piece["perhaps"])))
        elif piece["emoji"] is not None:
            total += 2
        else:
            total += _x_weight(piece["other"])
    return total


def _x_weight(character: str) -> int:
    return 1 if any(first <= ord(character) <= last for first, last in _X_SINGLE) else 2


def _emoji_bytes(text: str) -> int:
    return sum(len(piece[0].encode() if piece["emoji"] else piece[0]) for piece in _X_PIECE.finditer(text))


def _links_23(text: str) -> int:
    plain = _X_PIECE.sub(lambda piece: "x" * X_LINK if _SCHEME.match(piece["link"] or "") else piece[0], text)
    return len(regex.findall(r"\X", plain))


def has_link(text: str) -> bool:
    """Whether X may take a part of it for a link: also a host name whose ending only X knows."""
    return any(piece["link"] or piece["perhaps"] for piece in _X_PIECE.finditer(text))


_COUNTERS: Mapping[str, Callable[[str], int]] = {
    "graphemes": lambda text: len(regex.findall(r"\X", text)),
    "characters": len,
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "x-weighted": _x_weighted,
    "emoji-bytes": _emoji_bytes,
    "links-23": _links_23,
}


def length(text: str, counts: str) -> int:
    """The length in that unit. Raises ConfigurationError for a unit that nobody knows here."""
    counter = _COUNTERS.get(counts)
    if counter is None:
        raise ConfigurationError(f"texts are not counted in '{counts}'", hint=f"known units: {', '.join(_COUNTERS)}")
    return counter(text)
