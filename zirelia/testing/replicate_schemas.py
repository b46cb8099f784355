"""What hosted models declare as their inputs, as Cog writes it: for the emulated account and for tests of the reading.

    ReplicateServer(png, schema=KONTEXT_SCHEMA, model="black-forest-labs/flux-kontext-pro", official=True)

After the models' pages of 2026, shortened to what a caller can choose.
"""

from __future__ import annotations

from typing import Any

_RATIOS = ["1:1", "16:9", "9:16", "4:5", "5:4", "2:3", "3:2", "custom"]
FLUX_SCHEMA: dict[str, Any] = {
    "openapi": "3.0.2",
    "info": {"title": "Cog", "version": "0.1.0"},
    "paths": {},
    "components": {
        "schemas": {
            "Input": {
                "type": "object",
                "title": "Input",
                "required": ["prompt"],
                "properties": {
                    "prompt": {"type": "string", "x-order": 0},
                    "image": {"type": "string", "format": "uri"},
                    "prompt_strength": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.8},
                    "aspect_ratio": {"allOf": [{"$ref": "#/components/schemas/aspect_ratio"}], "default": "1:1"},
                    "width": {"type": "integer", "minimum": 256, "maximum": 1440},
                    "height": {"type": "integer", "minimum": 256, "maximum": 1440},
                    "num_outputs": {"type": "integer", "minimum": 1, "maximum": 4, "default": 1},
                    "num_inference_steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 28},
                    "seed": {"type": "integer"},
                    "output_format": {"allOf": [{"$ref": "#/components/schemas/output_format"}], "default": "webp"},
                    "lora_scale": {"type": "number", "minimum": -1, "maximum": 3, "default": 1},
                },
            },
            "aspect_ratio": {"type": "string", "enum": _RATIOS},
            "output_format": {"type": "string", "enum": ["webp", "jpg", "png"]},
        }
    },
}
"""The inputs of a model made by Replicate's FLUX LoRA trainer."""


def _edit_schema(pictures: dict[str, Any], required: list[str], **more: Any) -> dict[str, Any]:
    properties = {
        "prompt": {"type": "string", "x-order": 0},
        **pictures,
        "aspect_ratio": {"allOf": [{"$ref": "#/components/schemas/aspect_ratio"}], "default": "match_input_image"},
        "seed": {"type": "integer", "nullable": True},
        "output_format": {"allOf": [{"$ref": "#/components/schemas/output_format"}], "default": "png"},
        **more,
    }
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {
            "schemas": {
                "Input": {"type": "object", "title": "Input", "required": ["prompt", *required], "properties": properties},
                "aspect_ratio": {
                    "type": "string",
                    "enum": ["match_input_image", "custom", *_RATIOS] if more else ["match_input_image", *_RATIOS[:-1]],
                },
                "output_format": {"type": "string", "enum": ["jpg", "png"]},
            }
        },
    }


_PICTURE = {"type": "string", "format": "uri"}
_SIDES = {name: {"type": "integer", "minimum": 256, "maximum": 2048} for name in ("width", "height")}


def _list_of_pictures(**limit: int) -> dict[str, Any]:
    return {"type": "array", "items": _PICTURE, **limit}


KONTEXT_SCHEMA = _edit_schema({"input_image": _PICTURE}, [])
"""black-forest-labs/flux-kontext-pro: one picture."""

TWO_KONTEXT_SCHEMA = _edit_schema({"input_image_1": _PICTURE, "input_image_2": _PICTURE}, ["input_image_1", "input_image_2"])
"""flux-kontext-apps/multi-image-kontext-pro: exactly two."""

QWEN_EDIT_SCHEMA = _edit_schema({"image": _list_of_pictures()}, ["image"])
"""qwen/qwen-image-edit-plus: a list, of no told length, under the name of one picture."""

FLUX_2_SCHEMA = _edit_schema({"input_images": _list_of_pictures(maxItems=8)}, [], **_SIDES)
"""black-forest-labs/flux-2-pro: up to eight, and exact sides."""
