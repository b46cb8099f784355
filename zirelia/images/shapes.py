"""The layers of a base model that a LoRA can change, and their sizes: of a loaded pipeline, or of one that lies on the disk.

    layer_shapes(pipeline)                  # {"transformer.norm_out.linear": (192, 192), ...}: component.layer → (out, in)
    shapes_in(Path("base"))                 # the same from its config.json, without reading a weight

Knows no LoRA.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zirelia.errors import ConfigurationError

_COMPONENTS = ("transformer", "unet")


def layer_shapes(pipeline: Any) -> dict[str, tuple[int, int]]:
    """The layers of all components of a loaded pipeline that take LoRAs."""
    shapes: dict[str, tuple[int, int]] = {}
    for component in getattr(pipeline, "_lora_loadable_modules", ()):
        model = getattr(pipeline, component, None)
        if model is not None:
            shapes |= _layers(component, model)
    return shapes


def shapes_in(folder: Path) -> dict[str, tuple[int, int]]:
    """The layers of the picture model of a pipeline folder. Raises ConfigurationError when it is none."""
    import diffusers
    import torch

    index = folder / "model_index.json"
    try:
        named = json.loads(index.read_text(encoding="utf-8"))
        component = next(each for each in _COMPONENTS if each in named)
        kind = getattr(diffusers, named[component][1])
        config = json.loads((folder / component / "config.json").read_text(encoding="utf-8"))
        with torch.device("meta"):
            model = kind.from_config(config)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, StopIteration) as error:
        raise ConfigurationError(f"{folder} is no diffusers pipeline whose layers can be known: {error}") from error
    return _layers(component, model)


def _layers(component: str, model: Any) -> dict[str, tuple[int, int]]:
    shapes: dict[str, tuple[int, int]] = {}
    for name, module in model.named_modules():
        plain = f"{component}.{name}".removesuffix(".base_layer")
        if ".lora_" in plain:
            continue
        own = vars(module)  # not hasattr: a model answers for its config, with a deprecation warning
        if "in_features" in own and "out_features" in own:
            shapes[plain] = (module.out_features, module.in_features)
        elif "in_channels" in own and "kernel_size" in own:
            shapes[plain] = (module.out_channels, module.in_channels)
    return shapes
