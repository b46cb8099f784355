"""What makers of pictures on other people's machines share: pictures taken from an answer, refusals told from failures.

    Fetching("replicate", address).picture(url)     # the bytes behind a URL or inside a data: URL

Knows no provider's protocol.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zirelia.domain.box import Box
from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.shot import ShotVocabulary
from zirelia.errors import BadAnswer, ConfigurationError
from zirelia.network import call_with_retry, cleaned, fetch_bytes, is_loopback_url
from zirelia.pictures import MAX_BYTES, MEDIA_TYPES

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


class Hosted:
    """What every hosted maker and editor answers alike.

    Args:
        price: US dollars a picture, for estimates and provenance; 0 for a server of one's own.
        size: width and height that are asked for.
    """

    def __init__(self, *, price: float, size: tuple[int, int]) -> None:
        self._price = price
        self._size = size

    def vocabulary(self) -> ShotVocabulary | None:
        return None

    def size(self) -> tuple[int, int]:
        return self._size

    def estimate_usd(self, asked: object) -> float:  # noqa: ARG002 - every picture costs the same
        return self._price

    def _details(self, address: str) -> dict[str, str]:
        return {"address": address, "price per image": f"${self._price:.4f}"}


@dataclass(frozen=True)
class Fetching:
    """How a provider's pictures are fetched. Loopback files are taken only from a provider that is on loopback itself.

    address: of the provider's API. timeout: seconds for one file. attempts, retry_base: as in `network.call_with_retry`.
    """

    provider: str
    address: str
    timeout: float = 30.0
    attempts: int = 4
    retry_base: float = 0.5

    def picture(self, url: str) -> bytes:
        """Encoded, not yet checked. Raises ProviderError, or BadAnswer for a data URL of another kind."""
        if url.startswith("data:"):
            return data_url_bytes(url, provider=self.provider)
        return call_with_retry(
            lambda: fetch_bytes(
                url,
                provider=self.provider,
                limit=MAX_BYTES,
                media_types=MEDIA,
                allow_loopback=is_loopback_url(self.address),
                timeout=max(self.timeout, 1.0),
            ),
            attempts=self.attempts,
            base=self.retry_base,
        )


def is_refusal(text: object) -> bool:
    """Whether a provider's words say that its safety filter refused, rather than that something broke."""
    return bool(_REFUSAL.search(str(text)))


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


def refuse_local_lora(lora: Lora | None, beside: Sequence[WornLora], *, backend: str) -> None:
    """A hosted model cannot wear weights of this machine; drawing somebody else instead would be worse than an error."""
    if lora is not None:
        raise ConfigurationError(
            f"the LoRA is a file on this machine and the image backend {backend} cannot use it",
            hint="leave lora.weights out in persona.yaml (the hosted model has the face built in), or use the flux backend",
        )
    if beside:
        raise ConfigurationError(
            f"the LoRAs worn beside the face ({len(beside)}) are files on this machine and the image backend {backend} cannot "
            "use them",
            hint="leave styles out in persona.yaml, or use the flux backend",
        )


def refuse_part(within: Box | None, *, backend: str) -> None:
    """A whole picture in place of a mended part would be paid for and change what had passed."""
    if within is not None:
        raise ConfigurationError(
            f"the image backend {backend} draws whole pictures, not parts of them", hint="ask `can_inpaint` first"
        )
