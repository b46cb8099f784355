"""One hosted model of one Replicate account: from chosen inputs to a checked picture with its provenance, paid once.

    account = Account(token, "black-forest-labs/flux-kontext-pro", price=0.04)
    made = account.made(prompt, lambda schema, upload: {...}, parents=(), call=call, progress=progress)

A resumed call polls the prediction it knows. Between the provider's creation and our storing of the id there is a moment in
which a crash or a lost answer hides a paid prediction; so an equal recent one is looked for before a new one is made.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from zirelia.domain.shot import ImagePrompt, Provenance
from zirelia.errors import ProviderError
from zirelia.images.hosted import Fetching, Patience
from zirelia.images.replicate_orders import Choose, Orders, Terms
from zirelia.network import cleaned, is_loopback_url
from zirelia.network.replicate import PROVIDER, checked_base_url, connected, parse_reference
from zirelia.pictures import accepted_form
from zirelia.ports import MadeImage, PaidCall, Progress


class Account:
    """See `ReplicateImageMaker` for the meaning of each argument."""

    def __init__(
        self,
        token: SecretStr,
        version: str,
        *,
        base_url: str | None,
        price: float,
        timeout: float,
        answer_timeout: float,
        patience: Patience | None,
        attempts: int,
        retry_base: float,
    ) -> None:
        self._token = token
        self.reference = parse_reference(version)
        self.address = checked_base_url(base_url)
        self._price = price
        self._answer_timeout = answer_timeout
        self._terms = Terms(self.reference, timeout, patience or Patience(), attempts, retry_base)
        self._fetching = Fetching(PROVIDER, self.address, answer_timeout, attempts, retry_base)

    @property
    def local(self) -> bool:
        return is_loopback_url(self.address)

    def made(
        self, prompt: ImagePrompt, choose: Choose, *, parents: tuple[str, ...], call: PaidCall, progress: Progress
    ) -> MadeImage:
        """One picture. `choose` is asked for the inputs unless the call knows its prediction already."""
        began = time.monotonic()
        what = "making pictures on Replicate"
        with connected(self._token, self.address, timeout=self._answer_timeout, what=what) as client:
            orders = Orders(client, self._terms)
            if call.external_id is None:
                progress(0.0, "reading the model's inputs")
                prediction = orders.order(choose, call)
            else:
                prediction = orders.look(call.external_id)
            finished = orders.finish(prediction, progress)
        data, media_type = accepted_form(self.fetched(finished), what=f"the picture of prediction {finished.id}")
        return MadeImage(
            data=data,
            media_type=media_type,
            provenance=Provenance(
                backend=PROVIDER,
                model=self.reference.model or finished.model or str(self.reference),
                revision=finished.version or self.reference.version or "",
                prompt=prompt,
                steps=_steps(finished.input),
                seconds=time.monotonic() - began,
                cost_usd=self._price,
                external_id=finished.id,
                parents=parents,
                made_at=datetime.now(UTC),
            ),
        )

    def fetched(self, prediction: Any) -> bytes:
        """The prediction's first file, with limits."""
        url = _first_url(prediction.output)
        if url is None:
            raise ProviderError(
                f"prediction {prediction.id} succeeded without a picture ({cleaned(prediction.output)})",
                provider=PROVIDER,
                hint="its outputs may have expired: Replicate keeps them for an hour",
            )
        return self._fetching.picture(url)


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
