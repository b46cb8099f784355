"""The wanted picture, the tries at it, and where each came from.

Shot → ImagePrompt (by `domain.prompt`) → Attempt with its Provenance.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from zirelia.domain.lora import Scale, TriggerWord
from zirelia.domain.value import Instant, Sha256, Text, Value
from zirelia.domain.verdict import Repair, Verdict


class Framing(StrEnum):
    CLOSE_UP = "close-up"
    HALF_BODY = "half body"
    FULL_BODY = "full body"


class Shot(Value):
    """What the picture shows; identity is not part of it."""

    scene: Text
    outfit: Text
    pose: str = ""
    expression: Text
    framing: Framing
    light: Text
    props: str = ""


class ShotVocabulary(Value):
    """What an image model of a small world can draw; None from a model that is not limited. Exact words, lower case."""

    scenes: tuple[Text, ...]
    outfits: tuple[Text, ...]
    expressions: tuple[Text, ...]
    framings: tuple[Framing, ...]
    lights: tuple[Text, ...]


class ImagePrompt(Value):
    """Everything that decides the pixels of one attempt, but the model itself.

    shot: what the text was composed from, for models that read fields instead of words; None for a text of other origin.
    """

    text: Text
    negative: str = ""
    trigger: TriggerWord | None = None
    lora_scale: float = Field(default=1.0, ge=0.0, le=2.0)
    seed: int = Field(ge=0, lt=2**32)
    width: int = Field(ge=64, le=4096)
    height: int = Field(ge=64, le=4096)
    steps: int | None = Field(default=None, ge=1, le=200, description="None: the profile's own")
    notes: tuple[Text, ...] = ()
    shot: Shot | None = None


class MediaRef(Value):
    """A file of the media store, named by its content."""

    sha256: Sha256
    media_type: Text
    width: int = Field(ge=1)
    height: int = Field(ge=1)

    @property
    def suffix(self) -> str:
        return {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}[self.media_type]


class Beside(Value):
    """A LoRA that was worn beside the persona's own: its hash and scale."""

    sha256: Sha256
    scale: Scale


class Provenance(Value):
    """Where a picture came from, complete enough to make it again."""

    backend: Text
    model: Text
    revision: str = ""
    prompt: ImagePrompt
    lora_sha256: Sha256 | None = None
    beside: tuple[Beside, ...] = ()
    steps: int | None = None
    guidance: float | None = None
    seconds: float = Field(ge=0)
    cost_usd: float = Field(default=0.0, ge=0)
    external_id: str | None = None
    parents: tuple[Sha256, ...] = ()
    made_at: Instant


class Attempt(Value):
    """One try, 1-based within its post; `repairs` are the changes that this attempt made because of the one before."""

    number: int = Field(ge=1)
    shot: Shot
    image: MediaRef
    provenance: Provenance
    verdict: Verdict | None = None
    repairs: tuple[Repair, ...] = ()
