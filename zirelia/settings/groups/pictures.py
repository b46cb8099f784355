"""Pictures made, edited and judged, and the training of a face."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from zirelia.settings.groups.base import Dollars, Group, ReplicateVersion, Seconds, Side, Url, known_as


class ReplicateSettings(Group):
    """Hosted images at replicate.com."""

    api_token: SecretStr | None = known_as("REPLICATE_API_TOKEN", None, "token from the account's API page")
    model_version: ReplicateVersion | None = known_as(
        "REPLICATE_MODEL_VERSION", None, "your trained model: owner/name, owner/name:version or a 64-digit version"
    )
    base_url: Url | None = known_as("REPLICATE_BASE_URL", None, "another address of the API, without /v1 (for tests)")


class ImageSettings(Group):
    """The model that makes pictures."""

    backend: Literal["auto", "pocket", "flux", "replicate", "openai"] = Field(
        default="auto", description="auto: replicate with token and version, flux with a model, else pocket"
    )
    model: str | None = Field(
        default=None, min_length=1, description="for flux a hub name or a folder; for openai a model name"
    )
    revision: str | None = Field(default=None, min_length=1, description="commit or tag of the hub model")
    pipeline: str | None = Field(
        default=None, pattern=r"^[A-Z][A-Za-z0-9]*Pipeline$", description="diffusers class, when it is not the model's own"
    )
    profile: Literal["auto", "cpu", "8gb", "12gb", "16gb", "24gb", "40gb"] = Field(
        default="auto", description="memory profile: sets dtype, offload, quantisation and steps that are left on auto"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="cuda also means ROCm")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(default="auto", description="number format of the weights")
    offload: Literal["auto", "none", "model", "sequential"] = Field(default="auto", description="what waits in main memory")
    quantisation: Literal["auto", "none", "int8", "nf4", "fp8"] = Field(default="auto", description="smaller weights")
    steps: int | None = Field(default=None, ge=1, le=200, description="denoising steps; empty: the profile's")
    guidance: float | None = Field(default=None, ge=0, le=30, description="guidance scale; empty: the profile's")
    width: Side | None = Field(default=None, description="pixels, a multiple of 8; empty: the backend's")
    height: Side | None = Field(default=None, description="pixels, a multiple of 8; empty: the backend's")
    timeout_s: Seconds = Field(default=600.0, description="seconds to wait for one hosted picture")


class EditSettings(Group):
    """The model that makes new pictures of a character from given ones: for datasets, and for identity by references."""

    backend: Literal["auto", "pocket", "kontext", "klein", "qwen-edit", "replicate", "openai"] = Field(
        default="auto", description="auto: replicate or openai with a model and a key, else pocket"
    )
    model: str | None = Field(
        default=None, min_length=1, description="hub name or folder, or the hosted model; empty: the backend's own"
    )
    over_generation: float = Field(default=2.0, ge=1, le=5, description="pictures made for each picture of a dataset")


class TrainingSettings(Group):
    """Where and how a LoRA is trained."""

    where: Literal["here", "replicate"] = Field(default="here", description="on this machine, or by Replicate's trainer")
    base: str | None = Field(
        default=None, min_length=1, description="folder of the base model here; empty: the image model, or the pocket one"
    )
    profile: Literal["auto", "cpu", "8gb", "12gb", "16gb", "24gb", "40gb"] = Field(
        default="auto", description="memory profile: sets what of the base is made smaller"
    )
    tensorboard: bool = Field(default=False, description="1 writes event files for TensorBoard beside each training")
    trainer_version: str | None = Field(
        default=None, pattern=r"^[\w.-]+/[\w.-]+:[0-9a-f]{64}$", description="Replicate's trainer: owner/name:version"
    )
    destination: str | None = Field(
        default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="Replicate model that receives the LoRA: owner/name"
    )


class CriticSettings(Group):
    """The judge of every picture."""

    attempts: int = Field(default=3, ge=1, le=3, description="pictures made for one post at most; then it is held")
    identity: Literal["auto", "looks", "dlib", "auraface", "dinov2"] = Field(
        default="auto",
        description="what measures the face; auto: looks for drawings, auraface with its folder, else dlib for photographs",
    )
    auraface: Path | None = Field(default=None, description="folder with AuraFace's ONNX files, for photographs")
    dinov2: str | None = Field(
        default=None, min_length=1, description="hub name or folder of a DINOv2, for drawings of a world of your own"
    )
    siglip: str | None = Field(
        default=None,
        min_length=1,
        description="hub name or folder of a SigLIP, for scene, clothes and light without a vision model",
    )
    impostors: Path | None = Field(
        default=None, description="folder with pictures of other people, from whom a photographed persona is told apart"
    )
    together: bool = Field(default=False, description="1 asks the vision model all questions of a picture in one call")
    picture_usd: Dollars | None = Field(
        default=None, description="US dollars that the questions about one picture may cost; what is left is not checked"
    )
