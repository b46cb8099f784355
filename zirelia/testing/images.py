"""A fake maker of pictures: deterministic, about a millisecond each, no model; for tests, demos of the flow and the bench.

    maker = FakeImageMaker(price=0.02)
    made = maker.make(prompt, lora=None, call=call, progress=progress)
    maker.made            # the prompts that were drawn
    maker.failures = [ProviderTimeout("slow", provider="fake")]     # raised by the next calls, first one first

The picture is a pattern of rectangles in colours drawn from the prompt, the LoRAs and the start picture, so equal wishes give
equal bytes and different ones different bytes. It shows no face: judges of identity will rightly fail it.
"""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Sequence
from datetime import UTC, datetime

from zirelia.domain.box import Box
from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.shot import Beside, ImagePrompt, Provenance, ShotVocabulary
from zirelia.errors import ConfigurationError, MediaError, ZireliaError
from zirelia.ports import BackendFacts, MadeImage, PaidCall, Progress

_SHAPES = 24


class FakeImageMaker:
    """`ports.ImageMaker` without a model.

    Args:
        price: US dollars a picture; above 0 it behaves like a paid provider: `created` is told an id, and a call that
            already has one draws that picture again without paying.
        inpaints: whether it says that it draws parts anew; `parts` then holds those that it was given.
        failures: errors that the next calls raise, before anything is paid.
    """

    def __init__(
        self,
        *,
        vocabulary: ShotVocabulary | None = None,
        size: tuple[int, int] = (256, 256),
        price: float = 0.0,
        failures: list[ZireliaError] | None = None,
        inpaints: bool = False,
    ) -> None:
        self._vocabulary = vocabulary
        self._size = size
        self._price = price
        self._inpaints = inpaints
        self.parts: list[Box] = []
        self.failures = failures if failures is not None else []
        self.made: list[ImagePrompt] = []
        self.paid = 0

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="fake", model="rectangles", local=True, paid=self._price > 0)

    def vocabulary(self) -> ShotVocabulary | None:
        return self._vocabulary

    def size(self) -> tuple[int, int]:
        return self._size

    def estimate_usd(self, prompt: ImagePrompt) -> float:  # noqa: ARG002 - the port's signature
        return self._price

    def can_inpaint(self) -> bool:
        return self._inpaints

    def make(
        self,
        prompt: ImagePrompt,
        *,
        lora: Lora | None,
        beside: Sequence[WornLora] = (),
        start_from: bytes | None = None,
        within: Box | None = None,
        call: PaidCall,
        progress: Progress,
    ) -> MadeImage:
        progress(0.0, "drawing rectangles")
        if self.failures:
            raise self.failures.pop(0)
        if within is not None and (start_from is None or not self._inpaints):
            raise ConfigurationError("the fake was asked for a part that it cannot draw", hint="FakeImageMaker(inpaints=True)")
        if start_from is not None:
            _check_start(start_from)
        wish = hashlib.sha256(
            "\x1f".join(
                (
                    prompt.model_dump_json(),
                    lora.sha256 if lora else "",
                    *sorted(f"{each.lora.sha256} {each.scale}" for each in beside),
                    hashlib.sha256(start_from).hexdigest() if start_from else "",
                    *((within.model_dump_json(),) if within else ()),
                )
            ).encode()
        ).hexdigest()
        external_id = self._pay(call, wish) if self._price > 0 else None
        data = _draw(prompt, wish)
        if within is not None and start_from is not None:
            data = _within(start_from, data, within)
            self.parts.append(within)
        self.made.append(prompt)
        progress(1.0, "drawn")
        return MadeImage(
            data=data,
            media_type="image/png",
            provenance=Provenance(
                backend="fake",
                model="rectangles",
                prompt=prompt,
                lora_sha256=lora.sha256 if lora else None,
                beside=tuple(Beside(sha256=each.lora.sha256, scale=each.scale) for each in beside),
                steps=prompt.steps,
                seconds=0.0,
                cost_usd=self._price,
                external_id=external_id,
                parents=(hashlib.sha256(start_from).hexdigest(),) if start_from else (),
                made_at=datetime.now(UTC),
            ),
        )

    def _pay(self, call: PaidCall, wish: str) -> str:
        if call.external_id is not None:
            return call.external_id
        self.paid += 1
        external_id = f"fake-{self.paid}-{wish[:12]}"
        call.created(external_id)
        return external_id


def _check_start(start_from: bytes) -> None:
    from PIL import Image

    try:
        Image.open(io.BytesIO(start_from)).verify()
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError(f"the start picture cannot be read: {error}") from error


def _within(start_from: bytes, drawn: bytes, within: Box) -> bytes:
    """The start picture, with the part taken from the drawn one."""
    from PIL import Image

    new = Image.open(io.BytesIO(drawn))
    mended = Image.open(io.BytesIO(start_from)).convert("RGB").resize(new.size)
    corners = (
        round(within.left * new.width),
        round(within.top * new.height),
        round(within.right * new.width),
        round(within.bottom * new.height),
    )
    mended.paste(new.crop(corners), corners[:2])
    buffer = io.BytesIO()
    mended.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _draw(prompt: ImagePrompt, wish: str) -> bytes:
    from PIL import Image, ImageDraw

    dice = random.Random(wish)  # noqa: S311 - a pattern, not a secret

    def colour() -> tuple[int, int, int]:
        return dice.randrange(256), dice.randrange(256), dice.randrange(256)

    image = Image.new("RGB", (prompt.width, prompt.height), colour())
    brush = ImageDraw.Draw(image)
    for _ in range(_SHAPES):
        left, top = dice.randrange(prompt.width), dice.randrange(prompt.height)
        brush.rectangle(
            (
                left,
                top,
                left + dice.randrange(8, 8 + prompt.width // 2),
                top + dice.randrange(8, 8 + prompt.height // 2),
            ),
            fill=colour(),
        )
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
