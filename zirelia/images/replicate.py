"""Pictures from a model hosted on Replicate, paid once: the prediction's id is stored before anything else happens.

    maker = ReplicateImageMaker(token, "owner/name:version", price_per_image=0.03, trigger="zrmira")
    made = maker.make(prompt, lora=None, call=call, progress=progress)

Knows nothing of personas, budgets or the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from zirelia.domain.box import Box
from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.shot import ImagePrompt
from zirelia.errors import ConfigurationError
from zirelia.images.hosted import Hosted, Patience, refuse_local_lora, refuse_part
from zirelia.images.replicate_account import Account
from zirelia.images.replicate_inputs import Schema, choose_inputs
from zirelia.images.replicate_orders import Upload
from zirelia.network.replicate import PROVIDER
from zirelia.pictures import encode_png, prepare_start
from zirelia.ports import BackendFacts, MadeImage, PaidCall, Progress


class ReplicateImageMaker(Hosted):
    """`ports.ImageMaker` over Replicate's predictions API.

    Args:
        version: `owner/name:version`, a bare version, or `owner/name` (official models; else its latest version).
        base_url: another address of the API, with or without /v1; files from loopback are accepted only when it is loopback.
        trigger: the word that the hosted LoRA answers to; a prompt without it is refused, because it would be wasted money.
        lora_scale_input: name of the input that scales the built-in LoRA.
        price_per_image: US dollars, for estimates and provenance.
        timeout: seconds until a prediction is cancelled.
        answer_timeout: seconds for one answer of the API.
        strength: image-to-image: how far from the start picture, (0, 1].
        attempts, retry_base: of calls that fail in a way that may pass (see `network.call_with_retry`).
    """

    def __init__(
        self,
        token: SecretStr,
        version: str,
        *,
        base_url: str | None = None,
        trigger: str | None = None,
        lora_scale_input: str = "lora_scale",
        price_per_image: float = 0.0,
        size: tuple[int, int] = (1024, 1024),
        strength: float = 0.6,
        timeout: float = 600.0,
        answer_timeout: float = 30.0,
        patience: Patience | None = None,
        attempts: int = 4,
        retry_base: float = 0.5,
    ) -> None:
        super().__init__(price=price_per_image, size=size)
        self._account = Account(
            token,
            version,
            base_url=base_url,
            price=price_per_image,
            timeout=timeout,
            answer_timeout=answer_timeout,
            patience=patience,
            attempts=attempts,
            retry_base=retry_base,
        )
        self._trigger = trigger
        self._lora_scale_input = lora_scale_input
        self._strength = strength

    def __repr__(self) -> str:
        return f"ReplicateImageMaker({str(self._account.reference)!r})"

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend=PROVIDER,
            model=str(self._account.reference),
            local=self._account.local,
            paid=True,
            details=self._details(self._account.address),
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
        call: PaidCall,
        progress: Progress,
    ) -> MadeImage:
        """One picture. An error raised by `progress` cancels the prediction and comes through."""
        refuse_local_lora(lora, beside, backend=PROVIDER)
        refuse_part(within, backend=PROVIDER)
        self._check_trigger(prompt)
        start = None
        if start_from is not None:
            start = encode_png(prepare_start(start_from, width=prompt.width, height=prompt.height))

        def choose(schema: Schema, upload: Upload) -> dict[str, Any]:
            return choose_inputs(
                schema,
                prompt,
                start=None if start is None else upload(start, "image/png"),
                lora_scale_input=self._lora_scale_input,
                strength=self._strength,
            )

        parents = () if start_from is None else (hashlib.sha256(start_from).hexdigest(),)
        return self._account.made(prompt, choose, parents=parents, call=call, progress=progress)

    def _check_trigger(self, prompt: ImagePrompt) -> None:
        if self._trigger is not None and self._trigger not in prompt.text.replace(",", " ").split():
            raise ConfigurationError(
                f"the hosted model answers to '{self._trigger}', and the prompt does not say it",
                hint="set the same word in persona.yaml (lora.trigger) and LORA_TRIGGER_WORD",
            )
