"""The order for one try at a cell: instruction, seed, size, pictures of the person, and a garment where the cell has one.

    edit = edit_for(editor, persona, begun, wanted.cell("face-smile"), number=2)

The seed comes from build, cell and number, so that a try that is made anew is the same try.
"""

from __future__ import annotations

from pathlib import Path

from zirelia.domain.persona import Persona
from zirelia.domain.prompt import seed_for
from zirelia.domain.shot import ImagePrompt
from zirelia.domain.shotlist import Cell
from zirelia.domain.wording import instruction
from zirelia.errors import MediaError
from zirelia.ports import Edit, ImageEditor
from zirelia.workflow.starts import Begun, normalised


def edit_for(editor: ImageEditor, persona: Persona, begun: Begun, cell: Cell, number: int) -> Edit:
    """Raises MediaError for a garment picture that cannot be read."""
    garments = (_garment(cell),) if cell.garment else ()
    people = begun.references[: max(1, editor.most_references() - len(garments))]
    width, height = editor.size()
    prompt = ImagePrompt(
        text=instruction(cell, persona.look.noun, references=len(people)),
        seed=seed_for(f"dataset/{persona.name}/{begun.build.name}/{cell.id}", number),
        width=width,
        height=height,
        shot=cell.shot,
    )
    return Edit(prompt=prompt, cell=cell, references=(*people, *garments))


def _garment(cell: Cell) -> bytes:
    path = Path(cell.garment or "")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"the garment picture {path} of cell '{cell.id}' cannot be read: {error.strerror}") from error
    return normalised(data, what=f"the garment picture {path.name}")
