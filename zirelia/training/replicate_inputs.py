"""A plan as the inputs of a hosted trainer, whose names are read from its own schema: no two trainers agree on them.

    inputs, missing = choose_inputs(training_schema(version.openapi_schema), plan, trigger="zqmira")

A value that the trainer would not take is an error before anything is paid, never brought into range silently. Nothing that
looks like a key or a token is ever filled in. Pure; opens no connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zirelia.errors import ConfigurationError
from zirelia.network import cleaned
from zirelia.training.plan import TrainingPlan

Schema = Mapping[str, Any]

_PICTURES = ("input_images", "training_images", "images", "instance_data", "image_zip", "dataset", "data")
_STEPS = ("steps", "training_steps", "max_train_steps", "num_train_steps")
_OPTIONAL: dict[str, tuple[str, ...]] = {
    "trigger": ("trigger_word", "trigger", "token_string"),
    "rank": ("lora_rank", "rank", "network_dim"),
    "learning rate": ("learning_rate", "lr", "unet_learning_rate"),
    "batch": ("batch_size", "train_batch_size"),
    "resolution": ("resolution", "image_resolution"),
    "caption dropout": ("caption_dropout_rate", "caption_dropout"),
    "seed": ("seed",),
}
_FIXED: dict[str, Any] = {"autocaption": False, "auto_caption": False, "lora_type": "subject"}
"""Captions are ours; a trainer that knows styles and subjects is told which."""
_SIGNED = 2**31


def training_schema(openapi: Mapping[str, Any]) -> Schema:
    """The training inputs that a Cog model's OpenAPI description declares, references resolved.

    Answers {"properties": ..., "required": [...]}. Raises ConfigurationError for a model that cannot be trained.
    """
    schemas = _mapping(_mapping(_mapping(openapi).get("components")).get("schemas"))
    declared = _mapping(schemas.get("TrainingInput"))
    properties = _mapping(declared.get("properties"))
    if not properties:
        raise ConfigurationError(
            "the hosted model declares no training inputs: it cannot be trained",
            hint="choose a trainer, such as ostris/flux-dev-lora-trainer or replicate/fast-flux-trainer",
        )
    required = declared.get("required")
    return {
        "properties": {str(name): _resolved(_mapping(entry), schemas) for name, entry in properties.items()},
        "required": [str(name) for name in required] if isinstance(required, list) else [],
    }


def pictures_input(schema: Schema) -> str:
    """The name of the input that takes the zip. Raises ConfigurationError when none is known."""
    name = _first(_PICTURES, schema["properties"])
    if name is None:
        raise ConfigurationError(
            f"the hosted trainer has no input for pictures that is known here ({_names(schema)})", hint="choose another trainer"
        )
    return name


def choose_inputs(schema: Schema, plan: TrainingPlan, *, trigger: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """All inputs but the pictures, and the words for what the trainer has no input for.

    Raises ConfigurationError when it has no input for steps, refuses a value, or wants something that is not known here.
    """
    properties = schema["properties"]
    wanted: dict[str, Any] = {
        "trigger": trigger,
        "rank": plan.rank,
        "learning rate": plan.learning_rate,
        "batch": plan.batch,
        "resolution": plan.resolution,
        "caption dropout": plan.caption_dropout,
        "seed": plan.seed % _SIGNED,
    }
    steps = _first(_STEPS, properties)
    if steps is None:
        raise ConfigurationError(
            f"the hosted trainer does not say how many steps it takes ({_names(schema)}), so its price is unknown",
            hint="choose another trainer",
        )
    chosen = {steps: _fitting(steps, properties[steps], plan.steps)}
    missing = []
    for meaning, names in _OPTIONAL.items():
        name = _first(names, properties)
        if name is None:
            missing.append(meaning)
        else:
            chosen[name] = _fitting(name, properties[name], wanted[meaning])
    chosen |= {name: _fitting(name, properties[name], value) for name, value in _FIXED.items() if name in properties}
    if unknown := sorted(set(schema["required"]) - {*chosen, pictures_input(schema)}):
        raise ConfigurationError(
            f"the hosted trainer wants inputs that are not known here: {cleaned(', '.join(unknown))}",
            hint="choose another trainer",
        )
    return chosen, tuple(missing)


def _fitting(name: str, declared: Mapping[str, Any], value: Any) -> Any:
    """The value in the input's type, or ConfigurationError when it lies outside its range or choices."""
    kind = declared.get("type")
    if kind == "string" and not isinstance(value, str):
        value = str(value)
    elif kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    choices = declared.get("enum")
    if isinstance(choices, list) and choices and value not in choices:
        raise _refused(name, value, f"one of {', '.join(map(str, choices))}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    low, high = declared.get("minimum"), declared.get("maximum")
    if (isinstance(low, int | float) and value < low) or (isinstance(high, int | float) and value > high):
        raise _refused(name, value, f"{'-∞' if low is None else low} to {'∞' if high is None else high}")
    return value


def _refused(name: str, value: object, taken: str) -> ConfigurationError:
    return ConfigurationError(
        f"the hosted trainer takes {cleaned(name)} of {cleaned(taken)}, the plan has {value}",
        hint="change the plan (--steps, --rank, --rate, --resolution), or choose another trainer",
    )


def _resolved(entry: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """Cog writes choices as `allOf: [{$ref: "#/components/schemas/<name>"}]`."""
    merged = dict(entry)
    for key in ("allOf", "anyOf"):
        for option in entry[key] if isinstance(entry.get(key), list) else []:
            reference = _mapping(option).get("$ref")
            target = _mapping(schemas.get(str(reference).rsplit("/", 1)[-1])) if reference else _mapping(option)
            if target.get("type") != "null":
                merged = {**target, **merged}
    return merged


def _first(names: tuple[str, ...], properties: Mapping[str, Any]) -> str | None:
    return next((name for name in names if name in properties), None)


def _names(schema: Schema) -> str:
    return cleaned(", ".join(sorted(schema["properties"])[:20]))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
