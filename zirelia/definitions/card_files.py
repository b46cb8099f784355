"""Character card files → the JSON object inside: plain JSON, or a PNG with a `ccv3` or `chara` text chunk.

    card = read_card(Path("ada.png"))      # {"spec": "chara_card_v2", "data": {...}}

Everything in such a file was written by a stranger: sizes are limited, checksums are checked, nothing is executed. Knows the
containers, not the meaning.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zirelia.errors import DefinitionError

LARGEST_FILE = 20_000_000
LARGEST_CARD = 2_000_000
"""Bytes; cards with a whole lore book stay below one megabyte."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORDS = ("ccv3", "chara")


def read_card(path: Path) -> dict[str, Any]:
    """The object in the file. Raises DefinitionError when there is none that can be read."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise DefinitionError(f"is larger than {LARGEST_FILE} bytes", path=path)
        raw = path.read_bytes()
    except OSError as error:
        raise DefinitionError(f"cannot be read: {error.strerror or error}", path=path) from error
    return decode_card(raw, path)


def decode_card(raw: bytes, path: Path) -> dict[str, Any]:
    """The object in the bytes; `path` is for messages."""
    text = _from_png(raw, path) if raw.startswith(_SIGNATURE) else raw
    if len(text) > LARGEST_CARD:
        raise DefinitionError(f"the card is larger than {LARGEST_CARD} bytes", path=path)
    try:
        card = json.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DefinitionError("the card is neither a PNG nor UTF-8 JSON", path=path) from error
    except json.JSONDecodeError as error:
        line = None if raw.startswith(_SIGNATURE) else error.lineno
        raise DefinitionError(f"the card is not valid JSON: {error.msg}", path=path, line=line) from error
    except (RecursionError, ValueError) as error:
        raise DefinitionError("the card's JSON cannot be read: too deep, or a number too long", path=path) from error
    if not isinstance(card, dict):
        raise DefinitionError("the card is not a JSON object", path=path)
    return card


def _from_png(raw: bytes, path: Path) -> bytes:
    found: dict[str, bytes] = {}
    for kind, body in _chunks(raw, path):
        keyword, separator, text = body.partition(b"\0")
        name = keyword.decode("latin-1").lower()
        if kind == b"tEXt" and separator and name in _KEYWORDS:
            found.setdefault(name, text)
    encoded = next((found[name] for name in _KEYWORDS if name in found), None)
    if encoded is None:
        raise DefinitionError("the PNG carries no character card (no chunk 'chara' or 'ccv3')", path=path)
    if len(encoded) > LARGEST_CARD * 2:
        raise DefinitionError(f"the card is larger than {LARGEST_CARD} bytes", path=path)
    try:
        return base64.b64decode(b"".join(encoded.split()), validate=True)
    except binascii.Error as error:
        raise DefinitionError("the card in the PNG is not valid base64", path=path) from error


def _chunks(raw: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(raw):
        length, kind = int.from_bytes(raw[at : at + 4], "big"), raw[at + 4 : at + 8]
        body, checksum = raw[at + 8 : at + 8 + length], raw[at + 8 + length : at + 12 + length]
        if len(checksum) < 4 or len(body) < length:
            raise DefinitionError("the PNG is cut off", path=path)
        if kind == b"tEXt" and zlib.crc32(kind + body) != int.from_bytes(checksum, "big"):
            raise DefinitionError("the PNG is damaged: a checksum is wrong", path=path)
        yield kind, body
        if kind == b"IEND":
            return
        at += 12 + length
