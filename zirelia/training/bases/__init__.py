"""What differs between the families of image models, behind one face.

    base = open_base(pipeline_dir, plan, device)
    model = base.load_model()
    noised = base.noised(clean, generator)
    loss = mse_loss(base.predict(model, noised, spoken, size), noised.target)

The loop, the caches, the samples and the validation know a `Base` only. Here is torch; what needs none is in `families`.
"""

from __future__ import annotations

from pathlib import Path

import torch

from zirelia.training.bases.base import Base, Noised, Tensors
from zirelia.training.bases.flux import FluxBase
from zirelia.training.bases.unet import UNetBase
from zirelia.training.families import family_of
from zirelia.training.plan import TrainingPlan

__all__ = ["Base", "Noised", "Tensors", "open_base"]


def open_base(pipeline_dir: Path, plan: TrainingPlan, device: torch.device) -> Base:
    """Raises TrainingError for a folder whose family is not known."""
    family = family_of(pipeline_dir)
    kind = FluxBase if family.name == "flux" else UNetBase
    return kind(family, pipeline_dir, plan, device)
