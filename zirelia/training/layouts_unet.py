"""Names of the layers of a UNet (Stable Diffusion 1.5, SDXL) in kohya's files, and in diffusers.

    unet_names(["input_blocks_4_1_transformer_blocks_0_attn1_to_q"])
    # {"input_blocks_4_1_transformer_blocks_0_attn1_to_q": "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"}

diffusers' own converter knows the names; it is asked with empty tensors. Knows no files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import SimpleNamespace

from zirelia.errors import ConfigurationError

KOHYA = re.compile(
    r"(down_blocks|mid_block|up_blocks|input_blocks|middle_block|output_blocks|conv_in|conv_out|time_embed|label_emb|out_2)(_|$)"
)
"""What a layer of a UNet begins with in kohya's naming, after lora_unet_."""

_LAYERS_PER_BLOCK = 2
_PROCESSOR = re.compile(r"\.processor\.(to_q|to_k|to_v|to_out)$")


def unet_names(kohya: Sequence[str]) -> dict[str, str]:
    """Kohya's name → diffusers' name, without prefixes. Raises ConfigurationError for names that no UNet has."""
    import torch
    from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_lora_to_diffusers as convert
    from diffusers.loaders.lora_conversion_utils import _maybe_map_sgm_blocks_to_diffusers as renumber
    from diffusers.utils import convert_unet_state_dict_to_peft

    # each tensor carries the place of its name, so that the answer can be read back
    asked = {
        f"lora_unet_{name}.lora_{side}.weight": torch.tensor([place])
        for place, name in enumerate(kohya)
        for side in ("down", "up")
    }
    try:
        renumbered = renumber(asked, SimpleNamespace(layers_per_block=_LAYERS_PER_BLOCK))
        converted, _ = convert(renumbered)
        answered = convert_unet_state_dict_to_peft({name.removeprefix("unet."): place for name, place in converted.items()})
    except (ValueError, KeyError, IndexError) as error:
        raise ConfigurationError(
            f"the LoRA names layers that no UNet of Stable Diffusion has: {' '.join(str(error).split())[:200]}"
        ) from error
    names = {kohya[int(place)]: name.partition(".lora_")[0] for name, place in answered.items()}
    if lost := [name for name in kohya if name not in names]:
        raise ConfigurationError(f"the LoRA names {len(lost)} layers twice or of no UNet, such as {lost[0]}")
    return names


def own_name(name: str) -> str:
    """A layer as diffusers names it today: older files name the attention processor instead."""
    return _PROCESSOR.sub(lambda match: f".{match[1]}{'.0' if match[1] == 'to_out' else ''}", name)
