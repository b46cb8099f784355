"""Pictures drawn while a training runs, to look at: the same words and seeds each time, by the real pipeline.

    draw_samples(base, model, texts, prompts=(7, 8), empty=0, folder=samples_folder(run, 100), plan=plan)

    run/samples/step-000100/00.png ...     one a prompt, in their order; the folder appears when all of them are drawn

The words were encoded before the training, so no encoder is loaded. The noise comes from generators of its own, and the
training's randomness follows from its steps: a run with samples ends with the very weights of one without.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from zirelia.files import whole_folder
from zirelia.pictures import encode_png

if TYPE_CHECKING:
    from zirelia.training.bases import Base
    from zirelia.training.latents import Encoded
    from zirelia.training.plan import TrainingPlan


def samples_folder(run: Path, done: int) -> Path:
    return run / "samples" / f"step-{done:06d}"


def draw_samples(
    base: Base, model: Any, texts: Encoded, *, prompts: Sequence[int], empty: int, folder: Path, plan: TrainingPlan
) -> None:
    """Draws one picture a prompt. `prompts` and `empty` are numbers of texts. The model is left in training mode."""
    model.eval()
    painter = base.painter(model)
    blank = texts.rows([empty])
    with whole_folder(folder) as part:
        for number, prompt in enumerate(prompts):
            pixels = base.draw(painter, texts.rows([prompt]), blank, plan.sample_seed + number)
            image = Image.fromarray((pixels * 255).round().astype("uint8"))
            (part / f"{number:02d}.png").write_bytes(encode_png(image))
    model.train()
