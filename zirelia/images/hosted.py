"""What makers of pictures on other people's machines share: words made safe to show, pictures taken from an answer.

    cleaned(text)                                       # one line, bounded, no control characters
    data, media_type = picture_from(output, fetch)      # a URL, a data: URL or base64 → checked PNG or JPEG

Knows no provider's protocol and opens no connection itself.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from zirelia.errors import BadAnswer, ConfigurationError
from zirelia.images.pictures import MAX_BYTES, MEDIA_TYPES

MEDIA = frozenset(MEDIA_TYPES.values())
_SHOWN = 300
_REFUSAL = re.compile(
    r"nsfw|content[ _]policy|moderation|safety (system|filter|checker)|flagged as (sensitive|unsafe)|\bE005\b"
    r"|sensitive content",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Patience:
    """How often a prediction is looked at, in seconds: `first`, then `factor` times longer each time, at most `longest`.

    sleep, clock: replaced in tests; the clock is monotonic.
    """

    first: float = 0.5
    factor: float = 1.5
    longest: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def cleaned(text: object, *, secret: str = "") -> str:
    """A provider's words on one line: no control characters, no secret, no query of a URL, at most 300 characters."""
    line = str(text)
    if secret:
        line = line.replace(secret, "[secret]")
    line = re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", line)
    line = " ".join("".join(c if c.isprintable() or c.isspace() else " " for c in line).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def is_refusal(text: object) -> bool:
    """Whether a provider's words say that its safety filter refused, rather than that something broke."""
    return bool(_REFUSAL.search(str(text)))


def is_loopback_url(url: str | None) -> bool:
    return url is not None and (urlsplit(url).hostname or "") in {"127.0.0.1", "::1", "localhost"}


def decoded(text: str, *, provider: str) -> bytes:
    """The bytes of base64 text. Raises BadAnswer when it is none or is larger than a picture may be."""
    if len(text) > MAX_BYTES * 4 // 3 + 4:
        raise BadAnswer(f"the picture is larger than {MAX_BYTES:,} bytes", provider=provider, raw=text[:_SHOWN])
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadAnswer("the picture is not valid base64", provider=provider, raw=text[:_SHOWN]) from error


def data_url_bytes(url: str, *, provider: str) -> bytes:
    """The picture inside a `data:image/...;base64,` URL. Raises BadAnswer for any other kind."""
    head, _, body = url.partition(",")
    media_type, _, coding = head.removeprefix("data:").partition(";")
    if media_type not in MEDIA or coding != "base64":
        raise BadAnswer(f"the output is {cleaned(head[:80])}, not a picture", provider=provider, raw=url[:_SHOWN])
    return decoded(body, provider=provider)


def to_data_url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def refuse_local_lora(lora: object | None, *, backend: str) -> None:
    """A hosted model cannot wear weights of this machine; drawing somebody else instead would be worse than an error."""
    if lora is not None:
        raise ConfigurationError(
            f"the LoRA is a file on this machine and the image backend {backend} cannot use it",
            hint="leave lora.weights out in persona.yaml (the hosted model has the face built in), or use the flux backend",
        )
