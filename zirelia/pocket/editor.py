"""The embedded editor: reads who is in a drawing of the pocket world, and draws the same person in another shot.

    editor = PocketEditor(LooksEncoder.load(looks_path()))
    editor.edit(Edit(prompt=prompt, cell=cell, references=(photo,)), call=call, progress=progress).data

Who it is, `reading` finds out, once for the same references. It knows only people that this world could draw.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from zirelia.domain.shot import Framing, Provenance, Shot, ShotVocabulary
from zirelia.domain.shotlist import Yaw
from zirelia.errors import ConfigurationError
from zirelia.pictures import encode_png
from zirelia.pocket import world
from zirelia.pocket.drawing import render
from zirelia.pocket.reading import read_person
from zirelia.ports import BackendFacts, Edit, MadeImage, PaidCall, Progress

if TYPE_CHECKING:
    from zirelia.pocket.looks import LooksEncoder

SIZE = 128
MOST_REFERENCES = 16
LICENCE = "Apache-2.0"


class PocketEditor:
    """Implements `ports.ImageEditor` with the renderer of the pocket world. The same edit gives the same bytes."""

    def __init__(self, encoder: LooksEncoder, *, size: int = SIZE) -> None:
        self._encoder, self._size = encoder, size
        self._read = lru_cache(maxsize=8)(partial(read_person, encoder))

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="pocket", model="pocket world", local=True, paid=False)

    def vocabulary(self) -> ShotVocabulary:
        """Every word of the world: the renderer, unlike the model that learnt from it, confuses no garments."""
        return ShotVocabulary(
            scenes=world.SCENES,
            outfits=tuple(f"{cloth} {garment}" for garment in world.GARMENTS for cloth in world.CLOTHS),
            expressions=world.EXPRESSIONS,
            framings=tuple(Framing(framing) for framing in world.FRAMINGS),
            lights=world.LIGHTS,
        )

    def size(self) -> tuple[int, int]:
        return self._size, self._size

    def most_references(self) -> int:
        return MOST_REFERENCES

    def licence(self) -> str:
        return LICENCE

    def estimate_usd(self, edit: Edit) -> float:  # noqa: ARG002 - the port's signature
        return 0.0

    def edit(self, edit: Edit, *, call: PaidCall, progress: Progress) -> MadeImage:  # noqa: ARG002 - nothing is paid
        began = time.monotonic()
        if edit.prompt.width != edit.prompt.height:
            raise ConfigurationError("the pocket world draws square pictures", hint="give width and height the same value")
        shot = _world_shot(edit)
        progress(0.0, "reading the references")
        reading = self._read(edit.references[:MOST_REFERENCES])
        data = encode_png(render(reading.character, shot, edit.prompt.width))
        progress(1.0, "drawn")
        return MadeImage(
            data=data,
            media_type="image/png",
            provenance=Provenance(
                backend="pocket",
                model="pocket world",
                prompt=edit.prompt,
                seconds=time.monotonic() - began,
                parents=tuple(hashlib.sha256(reference).hexdigest() for reference in edit.references[:MOST_REFERENCES]),
                made_at=datetime.now(UTC),
            ),
        )


def _world_shot(edit: Edit) -> world.WorldShot:
    """The wish in the world's words. Raises ConfigurationError for one that it has no word for."""
    shot: Shot = edit.cell.shot
    if edit.cell.yaw is not Yaw.FRONT:
        raise ConfigurationError(
            f"cell '{edit.cell.id}' asks for yaw '{edit.cell.yaw}'; the pocket world draws faces from the front only",
            hint="fit the shot list to the backend's vocabulary, or choose another edit backend",
        )
    if edit.cell.garment is not None or edit.cell.instruction is not None:
        raise ConfigurationError(
            f"cell '{edit.cell.id}' has a garment picture or an instruction of its own, which the pocket world cannot follow",
            hint="take them out of the shot list, or choose another edit backend",
        )
    cloth, _, garment = shot.outfit.partition(" ")
    words = {
        "scene": (shot.scene, world.SCENES),
        "light": (shot.light, world.LIGHTS),
        "expression": (shot.expression, world.EXPRESSIONS),
        "framing": (str(shot.framing), world.FRAMINGS),
        "outfit colour": (cloth, world.CLOTHS),
        "outfit": (garment, world.GARMENTS),
    }
    for field, (word, known) in words.items():
        if word not in known:
            raise ConfigurationError(
                f"cell '{edit.cell.id}': the pocket world has no {field} '{word}'", hint=f"one of: {', '.join(known)}"
            )
    return world.WorldShot(
        garment=garment,
        cloth=cloth,
        expression=shot.expression,
        scene=shot.scene,
        light=shot.light,
        framing=str(shot.framing),
        seed=edit.prompt.seed,
    )
