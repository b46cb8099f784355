"""A maker of pictures whose subject is given by pictures instead of a LoRA: any edit model, seen as an image maker.

    maker = ReferenceImageMaker(editor, [first.read_bytes(), second.read_bytes()])
    made = maker.make(compose(shot, look, lora=None, ...), lora=None, call=call, progress=progress)

So a character can be posted today and trained later. Knows nothing of which editor it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zirelia.domain.box import Box
from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.shot import ImagePrompt, ShotVocabulary
from zirelia.domain.shotlist import Cell
from zirelia.errors import ConfigurationError
from zirelia.ports import BackendFacts, Edit, ImageEditor, MadeImage, PaidCall, Progress

_CELL = "post"


class ReferenceImageMaker:
    """`ports.ImageMaker` over an `ports.ImageEditor`. As deterministic as the editor is.

    Args:
        references: encoded pictures of the one subject, the clearest first; as many are used as the editor takes.
    """

    def __init__(self, editor: ImageEditor, references: Sequence[bytes]) -> None:
        if not references:
            raise ConfigurationError(
                "identity 'references' needs at least one picture of the character",
                hint="list pictures under 'references' in persona.yaml",
            )
        self._editor = editor
        self._references = tuple(references[: editor.most_references()])

    def __repr__(self) -> str:
        return f"ReferenceImageMaker({self._editor!r}, {len(self._references)} references)"

    def facts(self) -> BackendFacts:
        facts = self._editor.facts()
        return replace(facts, details=facts.details | {"identity": f"{len(self._references)} references"})

    def vocabulary(self) -> ShotVocabulary | None:
        return self._editor.vocabulary()

    def size(self) -> tuple[int, int]:
        return self._editor.size()

    def estimate_usd(self, prompt: ImagePrompt) -> float:
        return self._editor.estimate_usd(self._edit(prompt))

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
        """One picture of the references' subject. Its provenance keeps `prompt`; `instruction` says what was sent for it."""
        if within is not None:
            raise ConfigurationError("an edit model draws whole pictures", hint="leave `within` out, or set 'identity: lora'")
        if lora is not None or beside:
            raise ConfigurationError(
                "the references carry the face, and an edit model wears no LoRA beside them",
                hint="leave styles out in persona.yaml, or set 'identity: lora'",
            )
        if start_from is not None:
            raise ConfigurationError(
                "the references take the place of a start picture", hint="leave it out, or set 'identity: lora'"
            )
        made = self._editor.edit(self._edit(prompt), call=call, progress=progress)
        return replace(made, provenance=made.provenance.model_copy(update={"prompt": prompt}))

    def _edit(self, prompt: ImagePrompt) -> Edit:
        if prompt.shot is None:
            raise ConfigurationError(
                "the prompt does not say which shot it was made from, which edit models of a small world read",
                hint="make it with zirelia.domain.prompt.compose",
            )
        sent = prompt.model_copy(update={"text": instruction(prompt.text, pictures=len(self._references))})
        return Edit(prompt=sent, cell=Cell(id=_CELL, shot=prompt.shot), references=self._references)


def instruction(text: str, *, pictures: int) -> str:
    """What an edit model is told: whose picture is wanted, and that only the face and the body are to be taken over.

    Args:
        text: the composed prompt, which names the looks in words as well: they hold the model where a reference is unclear.
        pictures: how many references go along.
    """
    shown = "the reference picture" if pictures == 1 else f"all {pictures} reference pictures"
    return (
        f"A new picture of the same person as in {shown}, with exactly the same face, hair, skin and build; new pose, clothes, "
        f"place and light as described here: {text}"
    )
