"""Edits through the OpenAI images API: several references in one form, the first one the subject.

    editor = OpenAIImageEditor(key, "gpt-image-2", price_per_image=0.08)
    made = editor.edit(Edit(prompt=prompt, cell=cell, references=(photo, dress)), call=call, progress=progress)

Also any server that speaks that API (vLLM-Omni with Qwen-Image-Edit and others). Knows nothing of budgets or the ledger.
"""

from __future__ import annotations

import hashlib

from pydantic import SecretStr

from zirelia.images.edit_models import known
from zirelia.images.edit_pictures import Opened, opened
from zirelia.images.hosted import Hosted
from zirelia.images.openai_client import PROVIDER, ImagesAPI
from zirelia.images.openai_sizes import takes_fidelity
from zirelia.ports import BackendFacts, Edit, MadeImage, PaidCall, Progress

_Part = tuple[str, bytes, str]


class OpenAIImageEditor(Hosted):
    """`ports.ImageEditor` over `/images/edits`.

    Args:
        most: references that one call takes, for models that `edit_models` does not know.
        licence: the terms of the pictures, likewise.
        The others are those of `OpenAIImageMaker`.
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
        most: int | None = None,
        licence: str | None = None,
        timeout: float = 300.0,
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
        self._most = most or known(model).most
        self._licence = licence or known(model).licence

    def __repr__(self) -> str:
        return f"OpenAIImageEditor({self._api.model!r}, {self._api.address!r})"

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend=PROVIDER,
            model=self._api.model,
            local=self._api.local,
            paid=self._api.paid(self._price),
            details=self._details(self._api.address) | {"licence": self._licence},
        )

    def most_references(self) -> int:
        return self._most

    def licence(self) -> str:
        return self._licence

    def edit(
        self,
        edit: Edit,
        *,
        call: PaidCall,  # noqa: ARG002 - this API has nothing that could be taken up again
        progress: Progress,
    ) -> MadeImage:
        """One picture. OpenAI's own models ignore the seed; provenance still records what was asked."""
        pictures = opened(edit.references, most=self._most)
        options = self._api.options(edit.prompt, form=True)
        parts = [_part(picture, number) for number, picture in enumerate(pictures, start=1)]
        options["image"] = parts if len(parts) > 1 else parts[0]
        if takes_fidelity(self._api.model):
            options["input_fidelity"] = "high"
        parents = tuple(hashlib.sha256(reference).hexdigest() for reference in edit.references)
        return self._api.made(edit.prompt, options, parents=parents, price=self._price, progress=progress)


def _part(picture: Opened, number: int) -> _Part:
    data, media_type = picture.encoded()
    return f"reference-{number}.{media_type.removeprefix('image/')}", data, media_type
