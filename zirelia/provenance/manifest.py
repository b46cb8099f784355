"""What a picture's C2PA manifest says: made by a trained algorithm, by which one, and not for training on.

    manifest(post, LoraFacts(name="mira", sha256=..., base_model="flux"))

The prompt and the person behind it are not in it: of the prompt only its hash. Knows no certificate and no file.
"""

from __future__ import annotations

import hashlib
from datetime import UTC
from pathlib import PurePath
from typing import Any

from zirelia import __version__
from zirelia.domain.post import Post
from zirelia.domain.shot import Attempt
from zirelia.domain.value import Sha256, Text, Value
from zirelia.provenance.xmp import CREATOR_TOOL, MADE_BY_AI

ACTIONS, TRAINING, LINEAGE = "c2pa.actions.v2", "cawg.training-mining", "org.zirelia.lineage"
_USES = ("cawg.ai_generative_training", "cawg.ai_training", "cawg.data_mining", "cawg.ai_inference")


class LoraFacts(Value):
    """What is known of a LoRA beside its weights. dataset_sha256: of the dataset that it was trained on."""

    sha256: Sha256
    name: Text | None = None
    base_model: Text | None = None
    dataset_sha256: Sha256 | None = None
    step: int | None = None


def manifest(post: Post, lora: LoraFacts | None = None) -> dict[str, Any]:
    """The definition that is signed; what is made of it is embedded in the picture."""
    attempt = post.chosen_attempt
    agent = {"name": CREATOR_TOOL, "version": __version__}
    created: dict[str, Any] = {"action": "c2pa.created", "digitalSourceType": MADE_BY_AI, "softwareAgent": agent}
    assertions: list[dict[str, Any]] = [{"label": ACTIONS, "data": {"actions": [created]}, "created": True}]
    if attempt is not None:
        created["when"] = attempt.provenance.made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        assertions.append({"label": LINEAGE, "data": lineage(attempt, lora), "created": True})
    assertions.append({"label": TRAINING, "data": {"entries": {use: {"use": "notAllowed"} for use in _USES}}})
    return {
        "claim_version": 2,
        "claim_generator_info": [agent],
        "title": f"{post.persona}-{post.id}",
        "format": "image/jpeg",
        "assertions": assertions,
    }


def lineage(attempt: Attempt, lora: LoraFacts | None = None) -> dict[str, Any]:
    """Which weights drew the picture, from what, with which seed; keys without an answer are left out."""
    made = attempt.provenance
    worn = lora or (LoraFacts(sha256=made.lora_sha256) if made.lora_sha256 else None)
    said = {
        "backend": made.backend,
        "model": public_name(made.model),
        "revision": public_name(made.revision) if made.revision else None,
        "lora": None if worn is None else _without_gaps(worn.model_dump() | {"scale": made.prompt.lora_scale}),
        "beside": [each.model_dump() for each in made.beside] or None,
        "seed": made.prompt.seed,
        "prompt_sha256": hashlib.sha256(made.prompt.text.encode()).hexdigest(),
        "steps": made.steps,
        "parents": list(made.parents) or None,
        "drawn_sha256": attempt.image.sha256,
    }
    return _without_gaps(said)


def public_name(model: str) -> str:
    """A model's name; of a folder on this machine only its last part, because the rest may name a person."""
    path = PurePath(model)
    return path.name if path.is_absolute() or model.startswith("~") else model


def _without_gaps(said: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value is not None}
