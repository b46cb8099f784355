"""The base of all domain values: frozen, closed, comparable, JSON in and out.

    class Trait(Value):
        feature: str

    Trait.model_validate_json(trait.model_dump_json()) == trait

Knows nothing of what the values mean.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, StringConstraints


class Value(BaseModel):
    """A frozen value. An unknown field is an error, so that no key is ever silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Instant = AwareDatetime
"""A moment with a time zone; naive datetimes are refused."""

_CONTROL = dict.fromkeys({*range(0x20), 0x7F, *range(0x80, 0xA0)} - {ord("\n"), ord("\t")})


def printable(text: str) -> str:
    """The text without control characters, so that no model, file or platform can drive a terminal or hide a word."""
    return text.translate(_CONTROL)


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    BeforeValidator(lambda said: printable(said) if isinstance(said, str) else said),
]
"""Text that says something, in characters that show."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""A name that is safe in a path, an id and a URL."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
