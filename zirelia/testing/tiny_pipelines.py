"""Edit pipelines of the genuine diffusers classes, a few hundred kilobytes each, with random weights: for tests.

    folder = save_tiny("FluxKontext", tmp_path / "kontext")      # or "Flux2Klein"
    pipeline = tiny("QwenImageEditPlus")                         # in memory: its processor is read back only with torchvision

Every part is real (text encoder, tokenizer, autoencoder, transformer, scheduler), only small, so a picture takes a fraction
of a second on one core; it shows noise. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

SIDE = 64
"""Width and height that the tiny pipelines draw quickly."""

_WIDTH = 16
_CHAT_TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }} {{ m['content'] }}<|im_end|>{% endfor %}"
_END = "<|endoftext|>"
_SPECIAL = (
    _END,
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def tiny(kind: str) -> Any:
    """The same weights every time. Raises KeyError for a kind that is not built here."""
    import torch

    build = _BUILDERS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


def save_tiny(kind: str, folder: Path) -> Path:
    """Writes the pipeline into the new `folder`, weights as safetensors, and answers the folder."""
    tiny(kind).save_pretrained(folder)
    return folder


def _scheduler() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=True)


def _letters() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def _kontext() -> Any:
    from diffusers import AutoencoderKL, FluxKontextPipeline, FluxTransformer2DModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, T5Config, T5EncoderModel, T5Tokenizer

    letters = _letters()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    clip = CLIPTokenizer(vocab={token: place for place, token in enumerate(tokens)}, merges=[], model_max_length=32)
    pieces = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("▁", -2.0),
        *((letter, -3.0) for letter in "abcdefghijklmnopqrst"),
    ]
    t5 = T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=32)
    return FluxKontextPipeline(
        scheduler=_scheduler(),
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            latent_channels=4,
            layers_per_block=1,
            use_quant_conv=False,
            use_post_quant_conv=False,
            shift_factor=0.0,
            scaling_factor=1.0,
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokens),
                hidden_size=_WIDTH,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=32,
                bos_token_id=len(tokens) - 2,
                eos_token_id=len(tokens) - 1,
                pad_token_id=len(tokens) - 1,
            )
        ),
        tokenizer=clip,
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(pieces), d_model=_WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        ),
        tokenizer_2=t5,
        transformer=FluxTransformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=1,
            joint_attention_dim=_WIDTH,
            pooled_projection_dim=_WIDTH,
            axes_dims_rope=(4, 6, 6),
            guidance_embeds=True,
        ),
    )


def _qwen_tokenizer() -> tuple[Any, int]:
    from transformers import Qwen2Tokenizer

    letters = _letters()
    tokenizer = Qwen2Tokenizer(vocab={token: place for place, token in enumerate(letters)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": list(_SPECIAL)})
    tokenizer.pad_token = tokenizer.eos_token = _END
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer, len(tokenizer)


def _klein() -> Any:
    from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer, words = _qwen_tokenizer()
    return Flux2KleinPipeline(
        scheduler=_scheduler(),
        vae=AutoencoderKLFlux2(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            latent_channels=4,
            layers_per_block=1,
        ),
        text_encoder=Qwen3ForCausalLM(
            Qwen3Config(
                vocab_size=words,
                hidden_size=_WIDTH,
                intermediate_size=32,
                num_hidden_layers=28,  # the pipeline reads layers 9, 18 and 27
                num_attention_heads=2,
                num_key_value_heads=1,
                head_dim=8,
            )
        ),
        tokenizer=tokenizer,
        transformer=Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=1,
            joint_attention_dim=3 * _WIDTH,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        is_distilled=True,
    )


def _qwen_edit() -> Any:
    from diffusers import AutoencoderKLQwenImage, QwenImageEditPlusPipeline, QwenImageTransformer2DModel
    from transformers import Qwen2_5_VLForConditionalGeneration

    tokenizer, _ = _qwen_tokenizer()
    return QwenImageEditPlusPipeline(
        scheduler=_scheduler(),
        vae=AutoencoderKLQwenImage(
            base_dim=4,
            z_dim=4,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(_qwen_vl_config(tokenizer)),
        tokenizer=tokenizer,
        processor=_qwen_processor(tokenizer),
        transformer=QwenImageTransformer2DModel(
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=1,
            joint_attention_dim=_WIDTH,
            axes_dims_rope=(4, 6, 6),
        ),
    )


def _qwen_processor(tokenizer: Any) -> Any:
    """Without the part for videos, which alone needs torchvision and is never called here."""
    from transformers import Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    processor = Qwen2VLProcessor.__new__(Qwen2VLProcessor)
    processor.image_processor = Qwen2VLImageProcessorPil(
        patch_size=4, merge_size=2, temporal_patch_size=2, min_pixels=64, max_pixels=1024
    )
    processor.tokenizer = tokenizer
    processor.chat_template = _CHAT_TEMPLATE
    for name in ("image", "video"):
        setattr(processor, f"{name}_token", f"<|{name}_pad|>")
        setattr(processor, f"{name}_token_id", tokenizer.convert_tokens_to_ids(f"<|{name}_pad|>"))
    return processor


def _qwen_vl_config(tokenizer: Any) -> Any:
    from transformers import Qwen2_5_VLConfig

    ids = {
        name: tokenizer.convert_tokens_to_ids(f"<|{name}|>")
        for name in ("vision_start", "vision_end", "image_pad", "video_pad")
    }
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": _WIDTH,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": _WIDTH,
            "patch_size": 4,
            "spatial_patch_size": 4,
            "window_size": 16,
            "fullatt_block_indexes": [0],
        },
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
    )


_BUILDERS: dict[str, Callable[[], Any]] = {
    "FluxKontext": _kontext,
    "Flux2Klein": _klein,
    "QwenImageEditPlus": _qwen_edit,
}
