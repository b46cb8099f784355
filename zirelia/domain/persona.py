"""Who the character is: voice, look, routine, boundaries. Loaded from persona/<name>/persona.yaml by `definitions`.

    persona.look.identity_words()   # what a prompt says when no LoRA carries the face
    persona.look.contradictions()   # what a prompt must not say

Knows nothing of files, models or prompts.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from zirelia.domain.arc import Arc
from zirelia.domain.cadence import Cadence
from zirelia.domain.lora import LoraChoice, Scale
from zirelia.domain.value import Sha256, Slug, Text, Value
from zirelia.domain.verdict import Rubric


class Kind(StrEnum):
    """How the persona is drawn; chooses the identity instrument."""

    ILLUSTRATED = "illustrated"
    PHOTOGRAPHIC = "photographic"


class Identity(StrEnum):
    """What carries the face into a picture: trained weights (or words, where there are none), or the pictures themselves."""

    LORA = "lora"
    REFERENCES = "references"


class Voice(Value):
    """How she writes. `examples` are whole posts in her voice; `avoid` are words or habits that she never uses."""

    tone: tuple[Text, ...] = Field(min_length=1)
    style: Text
    catchphrases: tuple[Text, ...] = ()
    avoid: tuple[Text, ...] = ()
    examples: tuple[Text, ...] = ()
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    emoji: Literal["none", "few", "many"] = "few"
    hashtags: tuple[Text, ...] = ()


class Trait(Value):
    """One constant of the look.

    feature: "hair colour"; value: "teal"; phrase: how a prompt says it ("long wavy teal hair");
    synonyms: other ways to say the same; contradictions: words that a prompt must not use.
    """

    feature: Text
    value: Text
    phrase: Text
    synonyms: tuple[Text, ...] = ()
    contradictions: tuple[Text, ...] = ()


class Look(Value):
    """How she appears. `noun` is what the prompt calls her ("woman"); `style` closes every prompt."""

    noun: Text
    traits: tuple[Trait, ...] = Field(min_length=1)
    style: str = ""
    wardrobe: tuple[Text, ...] = ()

    def identity_words(self) -> tuple[str, ...]:
        """The phrases of all constants, in the pack's order."""
        return tuple(trait.phrase for trait in self.traits)

    def contradictions(self) -> dict[str, Trait]:
        """Word or phrase (lower case) that contradicts the look → the trait that it contradicts."""
        return {word.lower(): trait for trait in self.traits for word in trait.contradictions}


class Style(Value):
    """A LoRA of a way of drawing, worn beside the face: `weights` as in `LoraChoice`, `scale` 0-2."""

    weights: Text
    scale: Scale = 0.6


class Routine(Value):
    """What she does at a time of day, in her own zone: `activities` at `scenes` between two whole hours (0-24)."""

    name: Slug
    start_hour: int = Field(ge=0, le=23)
    end_hour: int = Field(ge=1, le=24)
    activities: tuple[Text, ...] = Field(min_length=1)
    scenes: tuple[Text, ...] = Field(min_length=1)
    light: Text | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end_hour <= self.start_hour:
            raise ValueError("end_hour must be later than start_hour; split an entry that crosses midnight in two")
        return self


class Interest(Value):
    """A topic and how often it is chosen, relative to the others."""

    topic: Text
    weight: float = Field(default=1.0, gt=0, le=100)


class Boundaries(Value):
    """What she never writes about or shows. `topics` are matched in text; `images` are given to the vision critic."""

    topics: tuple[Text, ...] = ()
    images: tuple[Text, ...] = ()


class Disclosure(Value):
    """How a post says that it is made by an AI. A pack that says nothing gets the line of its language.

    Opting out of the visible line is recorded: because (why), by (who), since (when). It counts only on channels that have
    an AI label of their own.
    """

    visible_line: Text | None = "Virtual character, made with AI."
    because: Text | None = None
    by: Text | None = None
    since: date | None = None

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.visible_line is None and None in (self.because, self.by, self.since):
            raise ValueError(
                "an opt-out of the visible line needs a reason in 'because', who decided it in 'by', the day in 'since'"
            )
        return self

    @property
    def opted_out(self) -> str | None:
        """The record of an opt-out, as the history of every post begun under it shows it."""
        return None if self.visible_line else f"without the visible line: {self.because} ({self.by}, {self.since})"


class Consent(Value):
    """Whose face this is: a fictional one, or a person's with a signed document (its hash) and an expiry."""

    fictional: bool
    person: Text | None = None
    scope: Text | None = None
    expires: date | None = None
    document_sha256: Sha256 | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        named = (self.person, self.scope, self.expires, self.document_sha256)
        if self.fictional and any(field is not None for field in named):
            raise ValueError("a fictional character has no person, scope, expires or document_sha256")
        if not self.fictional and any(field is None for field in named):
            raise ValueError("a real person's likeness needs person, scope, expires and document_sha256")
        return self

    def valid_on(self, day: date) -> bool:
        return self.fictional or (self.expires is not None and day <= self.expires)


class Persona(Value):
    """The whole pack. `references` are paths relative to the pack's folder."""

    name: Slug
    display_name: Text
    kind: Kind
    bio: Text
    age: int = Field(ge=18, le=120, description="she is an adult; children's characters come with the book features")
    voice: Voice
    look: Look
    identity: Identity = Identity.LORA
    lora: LoraChoice | None = None
    styles: tuple[Style, ...] = Field(default=(), max_length=4)
    references: tuple[Text, ...] = ()
    consent: Consent
    routine: tuple[Routine, ...] = Field(min_length=1)
    interests: tuple[Interest, ...] = Field(min_length=1)
    arcs: tuple[Arc, ...] = Field(default=(), max_length=50)
    cadence: Cadence
    boundaries: Boundaries = Boundaries()
    channels: tuple[Slug, ...] = Field(default=("folder",), min_length=1)
    disclosure: Disclosure = Disclosure()
    rubric: Rubric = Rubric()

    @model_validator(mode="after")
    def _recognisable(self) -> Self:
        if self.identity is Identity.REFERENCES and not self.references:
            raise ValueError("identity 'references' needs at least one picture under 'references'")
        return self

    @property
    def lora_in_force(self) -> LoraChoice | None:
        """The LoRA that prompts are written for: none while the references carry the face, even when there is one."""
        return self.lora if self.identity is Identity.LORA else None
