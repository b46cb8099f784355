"""Pictures from the OpenAI images API, or any server that speaks it (vLLM-Omni and others).

    maker = OpenAIImageMaker(key, "gpt-image-2", price_per_image=0.04)
    maker = OpenAIImageMaker(SecretStr("none"), "Qwen/Qwen-Image", base_url="http://127.0.0.1:8000/v1")

Knows nothing of budgets or the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pydantic import SecretStr

from zirelia.domain.box import Box
from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.shot import ImagePrompt
from zirelia.images.hosted import Hosted, refuse_local_lora, refuse_part
from zirelia.images.openai_client import PROVIDER, ImagesAPI
from zirelia.pictures import encode_png, prepare_start
from zirelia.ports import BackendFacts, MadeImage, PaidCall, Progress


class OpenAIImageMaker(Hosted):
    """`ports.ImageMaker` over `/images/generations` and, with a start picture, `/images/edits`.

    Args:
        model: sent as it is; OpenAI's own names decide which sizes and options are sent.
        base_url: with /v1; pictures given as loopback URLs are fetched only when it is loopback itself.
        quality: `low`, `medium`, `high`, `auto` and others that the model knows; None leaves it to the server.
        price_per_image: US dollars, for estimates and provenance; 0 for a server of one's own.
        timeout: seconds for one answer.
        attempts, retry_base: of calls that fail in a way that may pass (see `network.call_with_retry`).
    """

    def __init__(
        self,
        api_key: SecretStr,
        model: str,
        *,
        base_url: str | None = None,
        quality: str | None = None,
        price_per_image: float = 0.0,
        size: tuple[int, int] = (1024, 1024),
        timeout: float = 180.0,
        attempts: int = 4,
        retry_base: float = 0.5,
    ) -> None:
        super().__init__(price=price_per_image, size=size)
        self._api = ImagesAPI(
            api_key,
            model,
            base_url=base_url,
            quality=quality,
            timeout=timeout,
            attempts=attempts,
            retry_base=retry_base,
        )

    def __repr__(self) -> str:
        return f"OpenAIImageMaker({self._api.model!r}, {self._api.address!r})"

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend=PROVIDER,
            model=self._api.model,
            local=self._api.local,
            paid=self._api.paid(self._price),
            details=self._details(self._api.address),
        )

    def can_inpaint(self) -> bool:
        return False

    def make(
        self,
        prompt: ImagePrompt,
        *,
        lora: Lora | None,
        beside: Sequence[WornLora] = (),
        start_from: bytes | None = None,
        within: Box | None = None,
        call: PaidCall,  # noqa: ARG002 - this API has nothing that could be taken up again
        progress: Progress,
    ) -> MadeImage:
        """One picture. OpenAI's own models ignore seed, steps and LoRA scale; provenance still records what was asked."""
        refuse_local_lora(lora, beside, backend=PROVIDER)
        refuse_part(within, backend=PROVIDER)
        options = self._api.options(prompt, form=start_from is not None)
        if start_from is not None:
            start = encode_png(prepare_start(start_from, width=prompt.width, height=prompt.height))
            options["image"] = ("start.png", start, "image/png")
        parents = () if start_from is None else (hashlib.sha256(start_from).hexdigest(),)
        return self._api.made(prompt, options, parents=parents, price=self._price, progress=progress)
