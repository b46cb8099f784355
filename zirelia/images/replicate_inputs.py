"""Chooses the names and values of a hosted model's inputs by reading its schema, so that any image model can be called.

    inputs = choose_inputs(schema_of(version.openapi_schema), prompt, start=None, lora_scale_input="lora_scale", strength=0.6)
    inputs = choose_edit_inputs(schema, prompt, reference_slots(schema), [url_of_her, url_of_the_dress])

Pure: knows the shape of Cog's OpenAPI schemas and opens no connection.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zirelia.domain.shot import ImagePrompt
from zirelia.errors import ConfigurationError

_START_NAMES = ("image", "input_image", "init_image", "image_prompt", "img", "start_image", "input_images", "image_input")
_LIST_NAMES = ("input_images", "image_input", "images", "reference_images", "image", "input_image")
_NUMBERED = re.compile(r"^(input_image|image|reference_image|img)(?:_?([0-9]{1,2}))?$")
_STEP_NAMES = ("num_inference_steps", "steps", "num_steps")
_STRENGTH_NAMES = ("prompt_strength", "strength")
_COUNT_NAMES = ("num_outputs", "num_images", "number_of_images")
_FORMATS = ("png", "jpg", "jpeg", "webp")
_GRID = 16


@dataclass(frozen=True)
class Input:
    """One input of the model: its JSON type, its choices where it has some, its range, and of a list its longest length."""

    kind: str = "string"
    choices: tuple[Any, ...] = ()
    minimum: float = -math.inf
    maximum: float = math.inf
    most: int | None = None
    required: bool = False


Schema = Mapping[str, Input]

FLUX_LORA: Schema = {
    "prompt": Input(),
    "image": Input(),
    "prompt_strength": Input("number", minimum=0, maximum=1),
    "aspect_ratio": Input(choices=("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21", "custom")),
    "width": Input("integer", minimum=256, maximum=1440),
    "height": Input("integer", minimum=256, maximum=1440),
    "num_outputs": Input("integer", minimum=1, maximum=4),
    "num_inference_steps": Input("integer", minimum=1, maximum=50),
    "seed": Input("integer"),
    "output_format": Input(choices=("webp", "jpg", "png")),
    "lora_scale": Input("number", minimum=-1, maximum=3),
}
"""What Replicate's FLUX LoRA trainer gives its models; used for a bare version, whose schema cannot be asked for."""


def schema_of(openapi: Mapping[str, Any]) -> Schema:
    """The inputs that an OpenAPI description of a Cog model declares. Raises ConfigurationError when it declares none."""
    schemas = _mapping(_mapping(openapi.get("components")).get("schemas"))
    declared = _mapping(schemas.get("Input"))
    properties = _mapping(declared.get("properties"))
    if not properties:
        raise ConfigurationError(
            "the hosted model declares no inputs", hint="is the model version complete? open its page and run it there once"
        )
    required = _list(declared.get("required"))
    return {name: _input(_mapping(entry), schemas, required=name in required) for name, entry in properties.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _input(entry: Mapping[str, Any], schemas: Mapping[str, Any], *, required: bool) -> Input:
    """Cog writes choices as `allOf: [{$ref: "#/components/schemas/<name>"}]`, others write `enum` in place."""
    merged = dict(entry)
    options = (*_list(entry.get("allOf")), *_list(entry.get("anyOf")), entry)
    for option in options:
        reference = _mapping(option).get("$ref")
        target = _mapping(schemas.get(str(reference).rsplit("/", 1)[-1])) if reference else _mapping(option)
        if target.get("type") != "null":
            merged = {**target, **merged}
    return Input(
        kind=str(merged.get("type", "string")),
        choices=tuple(_list(merged.get("enum"))),
        minimum=_number(merged.get("minimum"), -math.inf),
        maximum=_number(merged.get("maximum"), math.inf),
        most=int(longest) if math.isfinite(longest := _number(merged.get("maxItems"), math.inf)) else None,
        required=required,
    )


def _number(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def start_name(schema: Schema) -> str | None:
    """The input that takes a start picture."""
    return next((name for name in _START_NAMES if name in schema), None)


def choose_inputs(
    schema: Schema, prompt: ImagePrompt, *, start: str | None, lora_scale_input: str, strength: float
) -> dict[str, Any]:
    """The inputs for one picture. `start` is a URL or data URL.

    Raises ConfigurationError when the model takes no prompt, or no start picture though one is given.
    """
    chosen = _common(schema, prompt)
    _put(chosen, schema, (lora_scale_input,), prompt.lora_scale)
    if start is not None:
        chosen |= _start(schema, start, strength)
    return chosen


@dataclass(frozen=True)
class Slots:
    """Where references go: one list, or inputs of one picture each. `most`, `least`: how many; None is no limit told."""

    names: tuple[str, ...]
    listed: bool
    most: int | None
    least: int


def reference_slots(schema: Schema) -> Slots:
    """The inputs for references, whatever the model calls them.

    Raises ConfigurationError when there are none, or when the picture is one that the model paints over.
    """
    name = next((name for name in _LIST_NAMES if name in schema and schema[name].kind == "array"), None)
    if name is not None:
        return Slots((name,), listed=True, most=schema[name].most, least=1)
    numbered: dict[str, list[tuple[int, str]]] = {}
    for name in schema:
        if match := _NUMBERED.match(name):
            numbered.setdefault(match[1], []).append((int(match[2] or 1), name))
    if not numbered:
        raise ConfigurationError(
            f"the hosted model takes no pictures (its inputs: {', '.join(sorted(schema)[:12])})", hint="choose an edit model"
        )
    if any(name in schema for name in _STRENGTH_NAMES):
        raise ConfigurationError(
            "the hosted model paints over a start picture; it cannot draw its subject anew",
            hint="choose an edit model, such as black-forest-labs/flux-kontext-pro or qwen/qwen-image-edit-plus",
        )
    series = max(numbered.values(), key=len)
    found = tuple(name for _, name in sorted(series))
    return Slots(found, listed=False, most=len(found), least=max(1, sum(schema[name].required for name in found)))


def choose_edit_inputs(schema: Schema, prompt: ImagePrompt, slots: Slots, references: Sequence[str]) -> dict[str, Any]:
    """The inputs for one edit. `references` are URLs or data URLs, the subject first.

    Raises ConfigurationError when the model takes no prompt, or another number of references.
    """
    count = len(references)
    if count < slots.least or (slots.most is not None and count > slots.most):
        wanted = f"{slots.least}" if slots.most == slots.least else f"{slots.least} to {slots.most or 'any number of'}"
        raise ConfigurationError(
            f"the hosted model takes {wanted} references, and the edit has {count}",
            hint="give another number of them, or choose another edit model",
        )
    given = {slots.names[0]: list(references)} if slots.listed else dict(zip(slots.names, references, strict=False))
    return _common(schema, prompt) | given


def _common(schema: Schema, prompt: ImagePrompt) -> dict[str, Any]:
    if "prompt" not in schema:
        raise ConfigurationError(
            f"the hosted model takes no prompt (its inputs: {', '.join(sorted(schema)[:12])})",
            hint="choose a text-to-image model",
        )
    chosen: dict[str, Any] = {"prompt": prompt.text}
    if prompt.negative and "negative_prompt" in schema:
        chosen["negative_prompt"] = prompt.negative
    _put(chosen, schema, ("seed",), prompt.seed % 2**31)  # Cog's integers are signed
    _put(chosen, schema, _COUNT_NAMES, 1)
    if prompt.steps is not None:
        _put(chosen, schema, _STEP_NAMES, prompt.steps)
    if "output_format" in schema and (found := _first_of(schema["output_format"].choices, _FORMATS)):
        chosen["output_format"] = found
    return chosen | _size(schema, prompt)


def _put(chosen: dict[str, Any], schema: Schema, names: tuple[str, ...], value: float) -> None:
    """Sets the first of `names` that the model has, brought into its range and type."""
    name = next((name for name in names if name in schema), None)
    if name is None:
        return
    wanted = schema[name]
    bounded = min(max(value, wanted.minimum), wanted.maximum)
    chosen[name] = int(bounded) if isinstance(value, int) and wanted.kind != "number" else bounded


def _first_of(choices: tuple[Any, ...], preferred: tuple[str, ...]) -> str | None:
    return next((name for name in preferred if name in choices), None)


def _size(schema: Schema, prompt: ImagePrompt) -> dict[str, Any]:
    """Exact sides where the model has them (some want aspect_ratio "custom" beside them), else the nearest aspect ratio."""
    ratios = schema["aspect_ratio"].choices if "aspect_ratio" in schema else ()
    if "width" in schema and "height" in schema and (not ratios or "custom" in ratios):
        sides = {name: _side(schema[name], getattr(prompt, name)) for name in ("width", "height")}
        return ({"aspect_ratio": "custom"} if ratios else {}) | sides
    if nearest := _nearest_ratio(ratios, prompt.width / prompt.height):
        return {"aspect_ratio": nearest}
    return {}


def _side(wanted: Input, side: int) -> int:
    offered = [int(choice) for choice in wanted.choices if str(choice).isdecimal()]
    if offered:
        return min(offered, key=lambda choice: abs(choice - side))
    bounded = min(max(side, wanted.minimum), wanted.maximum)
    return int(bounded) // _GRID * _GRID


def _nearest_ratio(choices: tuple[Any, ...], wanted: float) -> str | None:
    def distance(choice: str) -> float:
        width, height = choice.split(":")
        return abs(math.log(float(width) / float(height) / wanted))

    ratios = [choice for choice in choices if isinstance(choice, str) and _is_ratio(choice)]
    return min(ratios, key=distance, default=None)


def _is_ratio(choice: str) -> bool:
    parts = choice.split(":")
    return len(parts) == 2 and all(part.isdigit() and int(part) > 0 for part in parts)


def _start(schema: Schema, start: str, strength: float) -> dict[str, Any]:
    name = start_name(schema)
    if name is None:
        raise ConfigurationError(
            "the hosted model takes no start picture", hint="leave the start picture out, or choose an image-to-image model"
        )
    chosen: dict[str, Any] = {name: [start] if schema[name].kind == "array" else start}
    _put(chosen, schema, _STRENGTH_NAMES, strength)
    return chosen
