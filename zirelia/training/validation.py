"""The loss on pictures held out, with the same noise at the same times every time: a number that can be compared.

    measured = validation_loss(base, model, material, plan)
    enough([.412, .371, .369, .370, .372], patience=2)

The training loss jumps with what a step happens to draw. Here every picture is held against five fixed shares of noise, so
the number falls only when the model knows more. Held-out pictures of the same person get worse when it learns by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zirelia.training.bases import Base
    from zirelia.training.loop import Material
    from zirelia.training.plan import TrainingPlan

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""How far each picture is taken towards noise."""
WINDOW = 3
"""So many validations are averaged before they are compared."""
LEAST_GAIN = 1e-3
"""An improvement is at least this share of the best so far."""


def validation_loss(base: Base, model: Any, material: Material, plan: TrainingPlan) -> float:
    """The mean squared error over the held-out pictures under their whole captions. The model is left in training mode."""
    import torch
    from torch.nn.functional import mse_loss

    model.eval()
    losses = []
    with torch.no_grad():
        for picture in material.held_out:
            clean = material.pictures.rows([picture])["latents"].to(base.device, torch.float32)
            spoken = material.texts.rows([material.book.instance[picture][0]])
            for number, share in enumerate(SHARES):
                generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + picture * 101 + number)
                noised = base.noised_at(clean, generator, share)
                predicted = base.predict(model, noised, spoken, material.sizes[picture]).float()
                losses.append(float(mse_loss(predicted, noised.target)))
    model.train()
    return sum(losses) / len(losses)


def enough(losses: Sequence[float], patience: int) -> bool:
    """Whether the last `patience` validations brought no improvement.

    What is compared is the mean of the last three validations; better means lower by a thousandth of the best so far.
    """
    best, since = float("inf"), 0
    for last in range(1, len(losses) + 1):
        window = losses[max(0, last - WINDOW) : last]
        smoothed = sum(window) / len(window)
        if smoothed < best * (1 - LEAST_GAIN):
            best, since = smoothed, 0
        else:
            since += 1
    return since >= patience
