"""The base of all domain values: frozen, closed, comparable, JSON in and out.

    class Trait(Value):
        feature: str

    Trait.model_validate_json(trait.model_dump_json()) == trait

Knows nothing of what the values mean.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, StringConstraints


class Value(BaseModel):
    """A frozen value. An unknown field is an error, so that no key is ever silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Instant = AwareDatetime
"""A moment with a time zone; naive datetimes are refused."""

_TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROL: dict[int, str | None] = dict.fromkeys({*range(0x20), 0x7F, *range(0x80, 0xA0), *_TURNS} - {ord("\n"), ord("\t")})
_CONTROL |= {0x2028: "\n", 0x2029: "\n"}
# a flag of a region is written with letters that nobody sees; elsewhere they are a hidden text
_UNSEEN = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{3,6}\U000e007f)|[\U000e0000-\U000e007f]+")


def printable(text: str) -> str:
    """The text without control characters, without those that turn its direction, and without unseen letters, so that no
    model, file or platform can drive a terminal or hide a word.
    """
    return _UNSEEN.sub(lambda found: found[1] or "", text.translate(_CONTROL))


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1),
    BeforeValidator(lambda said: printable(said) if isinstance(said, str) else said),
]
"""Text that says something, in characters that show."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""A name that is safe in a path, an id and a URL."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
