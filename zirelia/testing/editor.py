"""A fake editor of pictures: deterministic, about a millisecond each, no model; for tests and demos of a dataset's making.

    editor = FakeImageEditor(price=0.04)
    made = editor.edit(Edit(prompt=prompt, cell=cell, references=(photo,)), call=call, progress=progress)
    editor.edited                   # the edits that were made
    editor.paid                     # how often money was taken
    editor.failures = [RateLimited("later", provider="fake")]      # raised by the next calls, first one first

Equal edits give equal bytes; another instruction, seed, reference or garment gives others. It shows no face.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from zirelia.domain.shot import ShotVocabulary
from zirelia.errors import MediaError, ZireliaError
from zirelia.pictures import open_picture
from zirelia.ports import BackendFacts, Edit, MadeImage, PaidCall, Progress
from zirelia.testing.images import FakeImageMaker


class FakeImageEditor:
    """`ports.ImageEditor` without a model.

    Args:
        price: US dollars a picture; above 0 it behaves like a paid provider: `created` is told an id, and a call that already
            has one draws that picture again without paying.
        failures: errors that the next calls raise, before anything is paid.
        most_references: pictures that one call takes.
    """

    def __init__(
        self,
        *,
        vocabulary: ShotVocabulary | None = None,
        size: tuple[int, int] = (256, 256),
        price: float = 0.0,
        failures: list[ZireliaError] | None = None,
        most_references: int = 4,
        licence: str = "CC0-1.0",
    ) -> None:
        self._maker = FakeImageMaker(vocabulary=vocabulary, size=size, price=price, failures=failures)
        self._most_references, self._licence = most_references, licence
        self.edited: list[Edit] = []

    @property
    def failures(self) -> list[ZireliaError]:
        return self._maker.failures

    @failures.setter
    def failures(self, errors: list[ZireliaError]) -> None:
        self._maker.failures = errors

    @property
    def paid(self) -> int:
        return self._maker.paid

    def facts(self) -> BackendFacts:
        return replace(self._maker.facts(), model="edited rectangles")

    def vocabulary(self) -> ShotVocabulary | None:
        return self._maker.vocabulary()

    def size(self) -> tuple[int, int]:
        return self._maker.size()

    def most_references(self) -> int:
        return self._most_references

    def licence(self) -> str:
        return self._licence

    def estimate_usd(self, edit: Edit) -> float:
        return self._maker.estimate_usd(edit.prompt)

    def edit(self, edit: Edit, *, call: PaidCall, progress: Progress) -> MadeImage:
        """Raises MediaError for no references, too many, or one that is no picture, before anything is paid."""
        if not 1 <= len(edit.references) <= self._most_references:
            raise MediaError(f"the fake editor takes 1 to {self._most_references} references, not {len(edit.references)}")
        for number, reference in enumerate(edit.references, start=1):
            open_picture(reference, what=f"reference {number}")
        parents = tuple(hashlib.sha256(reference).hexdigest() for reference in edit.references)
        drawn = edit.prompt.model_copy(update={"text": f"{edit.prompt.text}\x1f{edit.cell.id}\x1f{' '.join(parents)}"})
        made = self._maker.make(drawn, lora=None, call=call, progress=progress)
        self.edited.append(edit)
        told = {"prompt": edit.prompt, "parents": parents, "model": self.facts().model}
        return replace(made, provenance=made.provenance.model_copy(update=told))
