"""What groups of settings are made of: the kinds of their values, and names that users know already."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Any

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValueError(f"is not a URL ({error})") from error
    if url.scheme not in ("http", "https") or not url.host or any(character.isspace() for character in text):
        raise ValueError("is not a URL such as http://127.0.0.1:11434/v1")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("must be a plain URL, without user, query or fragment")
    return text.rstrip("/")


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"'{name}' is not an IANA time zone such as Europe/Lisbon") from error
    return name


Url = Annotated[str, AfterValidator(_url)]
Zone = Annotated[str, AfterValidator(_zone)]
ReplicateVersion = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(:[0-9a-f]{64})?|[0-9a-f]{64})$"),
]
Seconds = Annotated[float, Field(gt=0, le=7200)]
Dollars = Annotated[float, Field(ge=0, le=1_000_000)]
Side = Annotated[int, Field(ge=64, le=2048, multiple_of=8)]


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def known_as(name: str, default: Any, description: str) -> Any:
    """A field whose name in the environment is one that users know already."""
    return Field(default=default, description=description, json_schema_extra={"env": name})
