"""`--show-script`: a training as text for another trainer, to read, edit and run elsewhere.

    order = ScriptOrder(plan=person(24), dataset=dataset, pictures=Path("dataset"), out=Path("lora"))
    print(show_script(Tool.KOHYA, order))

A script is one text that can be pasted: kohya and diffusers as shell, ai-toolkit as YAML. What the plan has and the other
trainer has not is said at the top. It runs nothing and reads no picture.
"""

from __future__ import annotations

from dataclasses import replace

from zirelia.errors import TrainingError
from zirelia.training.exports_ai_toolkit import ai_toolkit_config
from zirelia.training.exports_diffusers import diffusers_script
from zirelia.training.exports_kohya import kohya_script
from zirelia.training.exports_order import BaseKind, ScriptOrder, Tool

__all__ = ["BaseKind", "ScriptOrder", "Tool", "show_script"]

_WRITERS = {Tool.KOHYA: kohya_script, Tool.AI_TOOLKIT: ai_toolkit_config, Tool.DIFFUSERS: diffusers_script}


def show_script(tool: Tool | str, order: ScriptOrder) -> str:
    """The text, ending in a newline. Raises TrainingError for a dataset without pictures."""
    if not order.dataset.references:
        raise TrainingError(
            f"the dataset of '{order.dataset.persona}' has no pictures",
            hint="build or add pictures first: zirelia dataset build",
        )
    # the script is run in another folder than this one
    return _WRITERS[Tool(tool)](replace(order, pictures=order.pictures.absolute(), out=order.out.absolute()))
