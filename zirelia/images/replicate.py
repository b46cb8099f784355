"""Pictures from a model hosted on Replicate, paid once: the prediction's id is stored before anything else happens.

    maker = ReplicateImageMaker(token, "owner/name:version", price_per_image=0.03, trigger="zrmira")
    made = maker.make(prompt, lora=None, call=call, progress=progress)

A resumed call polls the prediction it knows. Between the provider's creation and our storing of the id there is a moment in
which a crash or a lost answer hides a paid prediction; so an equal recent one is looked for before a new one is made.
Knows nothing of personas, budgets or the ledger.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from zirelia.domain.lora import Lora
from zirelia.domain.shot import ImagePrompt, Provenance, ShotVocabulary
from zirelia.errors import ConfigurationError, ProviderError
from zirelia.images.hosted import MEDIA, Patience, cleaned, data_url_bytes, is_loopback_url, refuse_local_lora
from zirelia.images.pictures import MAX_BYTES, accepted_form
from zirelia.images.replicate_client import PROVIDER, checked_base_url, connected, parse_reference
from zirelia.images.replicate_orders import Orders, Terms
from zirelia.network import call_with_retry, fetch_bytes
from zirelia.ports import BackendFacts, MadeImage, PaidCall, Progress


class ReplicateImageMaker:
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
        attempts, retry_base: of calls that fail in a way that may pass (see `netorders.call_with_retry`).
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
        self._token = token
        self._reference = parse_reference(version)
        self._terms = Terms(
            reference=self._reference,
            lora_scale_input=lora_scale_input,
            strength=strength,
            timeout=timeout,
            patience=patience or Patience(),
            attempts=attempts,
            retry_base=retry_base,
        )
        self._base_url = checked_base_url(base_url)
        self._trigger = trigger
        self._price = price_per_image
        self._size = size
        self._answer_timeout = answer_timeout
        self._attempts = attempts
        self._retry_base = retry_base

    def __repr__(self) -> str:
        return f"ReplicateImageMaker({str(self._reference)!r})"

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend=PROVIDER,
            model=str(self._reference),
            local=is_loopback_url(self._base_url),
            paid=True,
            details={"address": self._base_url, "price per image": f"${self._price:.4f}"},
        )

    def vocabulary(self) -> ShotVocabulary | None:
        return None

    def size(self) -> tuple[int, int]:
        return self._size

    def estimate_usd(self, prompt: ImagePrompt) -> float:  # noqa: ARG002 - the port's signature
        return self._price

    def make(
        self,
        prompt: ImagePrompt,
        *,
        lora: Lora | None,
        start_from: bytes | None = None,
        call: PaidCall,
        progress: Progress,
    ) -> MadeImage:
        """One picture. An error raised by `progress` cancels the prediction and comes through."""
        refuse_local_lora(lora, backend=PROVIDER)
        self._check_trigger(prompt)
        began = time.monotonic()
        with connected(self._token, self._base_url, timeout=self._answer_timeout) as client:
            orders = Orders(client, self._terms)
            if call.external_id is None:
                progress(0.0, "reading the model's inputs")
                prediction = orders.order(prompt, start_from, call)
            else:
                prediction = orders.look(call.external_id)
            finished = orders.finish(prediction, progress)
        data, media_type = accepted_form(self._fetch(finished), what=f"the picture of prediction {finished.id}")
        return MadeImage(
            data=data,
            media_type=media_type,
            provenance=Provenance(
                backend=PROVIDER,
                model=self._reference.model or finished.model or str(self._reference),
                revision=finished.version or self._reference.version or "",
                prompt=prompt,
                steps=_steps(finished.input),
                seconds=time.monotonic() - began,
                cost_usd=self._price,
                external_id=finished.id,
                parents=() if start_from is None else (hashlib.sha256(start_from).hexdigest(),),
                made_at=datetime.now(UTC),
            ),
        )

    def _check_trigger(self, prompt: ImagePrompt) -> None:
        if self._trigger is not None and self._trigger not in prompt.text.replace(",", " ").split():
            raise ConfigurationError(
                f"the hosted model answers to '{self._trigger}', and the prompt does not say it",
                hint="set the same word in persona.yaml (lora.trigger) and LORA_TRIGGER_WORD",
            )

    def _fetch(self, prediction: Any) -> bytes:
        url = _first_url(prediction.output)
        if url is None:
            raise ProviderError(
                f"prediction {prediction.id} succeeded without a picture ({cleaned(prediction.output)})",
                provider=PROVIDER,
                hint="its outputs may have expired: Replicate keeps them for an hour",
            )
        if url.startswith("data:"):
            return data_url_bytes(url, provider=PROVIDER)
        return call_with_retry(
            lambda: fetch_bytes(
                url,
                provider=PROVIDER,
                limit=MAX_BYTES,
                media_types=MEDIA,
                allow_loopback=is_loopback_url(self._base_url),
                timeout=max(self._answer_timeout, 1.0),
            ),
            attempts=self._attempts,
            base=self._retry_base,
        )


def _first_url(output: Any) -> str | None:
    """The first file of an output, which models give as text, a list, a mapping or the client's file object."""
    if isinstance(output, str):
        return output if output.startswith(("https://", "http://", "data:")) else None
    if isinstance(output, dict):
        output = list(output.values())
    if isinstance(output, list | tuple):
        return next((url for url in map(_first_url, output) if url), None)
    url = getattr(output, "url", None)
    return url if isinstance(url, str) else None


def _steps(inputs: Any) -> int | None:
    steps = (inputs or {}).get("num_inference_steps")
    return steps if isinstance(steps, int) else None
