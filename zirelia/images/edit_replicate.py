"""Edits by a model hosted on Replicate, paid once: Kontext, FLUX.2, Qwen-Image-Edit and any other whose schema takes pictures.

    editor = ReplicateImageEditor(token, "black-forest-labs/flux-kontext-pro", price_per_image=0.04)
    made = editor.edit(Edit(prompt=prompt, cell=cell, references=(photo,)), call=call, progress=progress)

The schema is read first: a list of pictures, numbered inputs or a single one. A second reference for a model of a single one is
set beside the first. Knows nothing of budgets or the ledger.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import SecretStr

from zirelia.images.edit_models import known
from zirelia.images.edit_pictures import Opened, opened, side_by_side
from zirelia.images.hosted import Hosted, Patience
from zirelia.images.replicate_account import Account
from zirelia.images.replicate_inputs import Schema, Slots, choose_edit_inputs, reference_slots
from zirelia.images.replicate_orders import Upload
from zirelia.network.replicate import PROVIDER
from zirelia.ports import BackendFacts, Edit, MadeImage, PaidCall, Progress


class ReplicateImageEditor(Hosted):
    """`ports.ImageEditor` over Replicate's predictions API.

    Args:
        version: `owner/name` (official models; else its latest version) or `owner/name:version`.
        most: references that one call takes, for models that `edit_models` does not know; the schema has the last word.
        licence: the terms of the pictures, likewise.
        The others are those of `ReplicateImageMaker`.
    """

    def __init__(
        self,
        token: SecretStr,
        version: str,
        *,
        base_url: str | None = None,
        price_per_image: float = 0.0,
        size: tuple[int, int] = (1024, 1024),
        most: int | None = None,
        licence: str | None = None,
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
        self._model = str(self._account.reference)
        self._most = most or known(self._model).most
        self._licence = licence or known(self._model).licence

    def __repr__(self) -> str:
        return f"ReplicateImageEditor({self._model!r})"

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend=PROVIDER,
            model=self._model,
            local=self._account.local,
            paid=True,
            details=self._details(self._account.address) | {"licence": self._licence},
        )

    def most_references(self) -> int:
        return self._most

    def licence(self) -> str:
        return self._licence

    def edit(self, edit: Edit, *, call: PaidCall, progress: Progress) -> MadeImage:
        """One picture. An error raised by `progress` cancels the prediction and comes through."""
        pictures = opened(edit.references, most=self._most)

        def choose(schema: Schema, upload: Upload) -> dict[str, Any]:
            slots = reference_slots(schema)
            handed = [upload(*picture.encoded()) for picture in _fitted(pictures, slots)]
            return choose_edit_inputs(schema, edit.prompt, slots, handed)

        parents = tuple(hashlib.sha256(reference).hexdigest() for reference in edit.references)
        return self._account.made(edit.prompt, choose, parents=parents, call=call, progress=progress)


def _fitted(pictures: list[Opened], slots: Slots) -> list[Opened]:
    if slots.most != 1 or len(pictures) == 1:
        return pictures
    return [Opened(side_by_side([one.image for one in pictures]), lossy=any(one.lossy for one in pictures))]
