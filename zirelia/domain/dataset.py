"""Training material: pictures with origin, licence, consent and caption."""

from __future__ import annotations

from zirelia.domain.lora import TriggerWord
from zirelia.domain.persona import Consent
from zirelia.domain.value import Sha256, Slug, Text, Value


class Reference(Value):
    """One picture of the character. `origin` says who or what made it; `path` is relative to the dataset's folder."""

    path: Text
    sha256: Sha256
    origin: Text
    licence: Text
    caption: Text


class Dataset(Value):
    """What a training reads. Training refuses a dataset whose consent is not valid."""

    persona: Slug
    trigger: TriggerWord
    consent: Consent
    references: tuple[Reference, ...]
