"""The card of a LoRA in the library: whose face, for which base, where it came from, under which terms, how well it does.

    card = LibraryCard(name="mira", trigger="mirelo", base_model="pocket", rank=16, sha256=..., created=now, trained=run)
    card.metadata()["modelspec.trigger_phrase"]       # "mirelo"

No document of a consent and no path is kept here. Knows no files.
"""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field, model_validator

from zirelia.domain.choice import Fit
from zirelia.domain.lora import Scale, TriggerWord
from zirelia.domain.persona import Consent
from zirelia.domain.value import Instant, Sha256, Slug, Text, Value


class Trained(Value):
    """A training of this house. plan: its settings as JSON; run: the name of the run, as the file's metadata has it."""

    dataset_sha256: Sha256
    images: int = Field(ge=1)
    step: int = Field(ge=1)
    plan: Text
    run: str = ""


class Brought(Value):
    """A file of somebody else: its name and hash as it came, and what was changed or left out."""

    file: Text
    sha256: Sha256
    changes: tuple[Text, ...] = ()


class ConsentSummary(Value):
    """Whose likeness it is and until when; the document itself stays with the dataset."""

    fictional: bool
    person: Text | None = None
    scope: Text | None = None
    expires: date | None = None

    @classmethod
    def of(cls, consent: Consent) -> Self:
        return cls(fictional=consent.fictional, person=consent.person, scope=consent.scope, expires=consent.expires)


class CardScores(Value):
    """What the judging measured of it, see `choice.Measured`; real: likeness of real pictures among themselves."""

    scale: Scale
    identity: float
    tenth: float
    real: float | None = None
    agreement: float | None = None
    leaked: float | None = None
    diversity: float | None = None
    memorised: float | None = None
    fit: Fit
    passed: bool
    because: Text
    recogniser: str = ""


class LibraryCard(Value):
    """name: what a person calls it; several versions may share it. base_model: as the file or the trainer names it.

    licences, generators: of the pictures that it was trained on, and of the file itself; they bind whoever uses it.
    """

    name: Slug
    persona: Slug | None = None
    trigger: TriggerWord | None = None
    base_model: Text
    rank: int = Field(ge=1)
    sha256: Sha256
    created: Instant
    licences: tuple[Text, ...] = ()
    generators: tuple[Text, ...] = ()
    consent: ConsentSummary | None = None
    trained: Trained | None = None
    brought: Brought | None = None
    scores: CardScores | None = None

    @model_validator(mode="after")
    def _of_one_origin(self) -> Self:
        if (self.trained is None) == (self.brought is None):
            raise ValueError("a card has one origin: 'trained' or 'brought'")
        return self

    @property
    def folder(self) -> str:
        """The name of its folder in the library."""
        return f"{self.name}-{self.sha256[:12]}"

    def metadata(self) -> dict[str, str]:
        """What a file that leaves the library says of itself, in the keys that other tools show."""
        known = {
            "modelspec.sai_model_spec": "1.0.0",
            "modelspec.title": self.name,
            "modelspec.trigger_phrase": self.trigger,
            "modelspec.license": "; ".join(self.licences),
            "modelspec.date": self.created.isoformat(timespec="seconds"),
            "ss_network_dim": str(self.rank),
            "ss_network_alpha": str(self.rank),
            "ss_output_name": self.name,
            "zirelia.base_model": self.base_model,
            "zirelia.sha256": self.sha256,
            "zirelia.card": self.model_dump_json(exclude_none=True),
        }
        return {key: value for key, value in known.items() if value}
