"""What a picture says of its origin, and whether that holds: C2PA manifest, IPTC source type, XMP.

    seen = examine(Path("pub-1-folder.jpg").read_bytes(), known=[certificate.chain])
    seen.state              # trusted, valid (signed by somebody unknown), invalid, none
    seen.lineage["lora"]    # which weights drew it, in a picture of ours

Nothing is fetched. Every word in a file is somebody's claim: only the signature says whose, and for whom that is known.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import Field

from zirelia.domain.value import Value, printable
from zirelia.errors import MediaError
from zirelia.provenance.jpeg import read_provenance
from zirelia.provenance.manifest import LINEAGE, TRAINING
from zirelia.provenance.signing import OFFLINE
from zirelia.provenance.xmp import MADE_BY_AI, EmbeddedProvenance

MOST_BYTES = 100_000_000
_FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_UNKNOWN_SIGNER = "signingCredential.untrusted"
_IN_WORDS = {
    "assertion.dataHash.mismatch": "the picture was changed after it was signed",
    "assertion.hashedURI.mismatch": "a statement was changed after it was signed",
    "assertion.missing": "a statement that was signed is missing",
    "claimSignature.mismatch": "the signature does not fit what it signs",
    "claimSignature.missing": "the signature is missing",
    "signingCredential.expired": "the certificate had ended when it signed",
    "signingCredential.invalid": "the certificate is not one that may sign",
}


class SignatureState(StrEnum):
    """valid: nothing was changed, the signer is unknown here; trusted: and the signer is known."""

    NONE = "none"
    INVALID = "invalid"
    VALID = "valid"
    TRUSTED = "trusted"


class Action(Value):
    """What was done with the picture, as its manifest says."""

    action: str
    when: str | None = None
    agent: str | None = None
    source_type: str | None = None


class Examined(Value):
    """Everything that one picture says. problems: why the signature does not hold. notes: what could not be looked at.

    training: use → "allowed", "notAllowed" or "constrained". lineage: only Zirelia writes it.
    """

    state: SignatureState
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    signer: str | None = None
    signed_at: str | None = None
    generator: str | None = None
    actions: tuple[Action, ...] = ()
    training: dict[str, str] = Field(default_factory=dict)
    lineage: dict[str, Any] | None = None
    xmp: EmbeddedProvenance | None = None

    @property
    def says_made_by_ai(self) -> bool:
        """Whether it calls itself made by a trained algorithm, signed or not."""
        signed = self.state is not SignatureState.INVALID and any(one.source_type == MADE_BY_AI for one in self.actions)
        return signed or (self.xmp is not None and self.xmp.made_by_ai)


def examine(data: bytes, *, known: Sequence[str] = ()) -> Examined:
    """What a JPEG, PNG or WebP says of itself.

    Args:
        known: certificates in PEM whose signatures are trusted.

    Raises MediaError for what is no such picture.
    """
    from c2pa import C2paError, Context, Reader

    form = _format_of(data)
    notes: list[str] = []
    try:
        xmp = read_provenance(data)
    except MediaError as error:
        xmp = None
        notes.append(error.message)
    trust = {"trust": {"user_anchors": "\n".join(known)}} if known else {}
    try:
        with Context.from_dict(OFFLINE | trust) as context:
            reader = Reader.try_create(form, io.BytesIO(data), context=context)
            if reader is None:
                return Examined(state=SignatureState.NONE, xmp=xmp, notes=tuple(notes))
            with reader:
                report, found = json.loads(reader.json()), reader.get_validation_state()
    except C2paError as error:
        told = printable(str(error))
        if told.startswith("Remote"):
            notes.append("its manifest lies elsewhere, and is not fetched")
            return Examined(state=SignatureState.NONE, xmp=xmp, notes=tuple(notes))
        problems = (f"the manifest cannot be read: {told}",)
        return Examined(state=SignatureState.INVALID, problems=problems, xmp=xmp, notes=tuple(notes))
    return _told(report, str(found), xmp, notes)


def _format_of(data: bytes) -> str:
    from PIL import Image

    if len(data) > MOST_BYTES:
        raise MediaError(f"the file has {len(data)} bytes, above {MOST_BYTES}")
    try:
        with Image.open(io.BytesIO(data), formats=list(_FORMATS)) as image:
            return _FORMATS[str(image.format)]
    except Exception as error:  # Pillow's parsers raise almost anything on hostile bytes; all of it means the same
        raise MediaError(f"{len(data)} bytes are not a JPEG, PNG or WebP picture") from error


def _told(report: dict[str, Any], found: str, xmp: EmbeddedProvenance | None, notes: Sequence[str]) -> Examined:
    """The active manifest in our own words. An unknown word of the reader's is never taken for valid."""
    active = report.get("manifests", {}).get(report.get("active_manifest"), {})
    failures = report.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    problems = tuple(_in_words(one) for one in failures if one.get("code") != _UNKNOWN_SIGNER)
    state = {"Valid": SignatureState.VALID, "Trusted": SignatureState.TRUSTED}.get(found, SignatureState.INVALID)
    assertions = {one.get("label"): one.get("data") for one in active.get("assertions", [])}
    signature = active.get("signature_info") or {}
    entries = _mapping(_mapping(assertions.get(TRAINING)).get("entries"))
    lineage = _clean(assertions.get(LINEAGE))
    return Examined(
        state=state,
        problems=problems or (("the manifest does not hold",) if state is SignatureState.INVALID else ()),
        notes=tuple(notes),
        signer=_said(" · ".join(str(signature[key]) for key in ("common_name", "issuer") if signature.get(key))),
        signed_at=_said(signature.get("time")),
        generator=_agent(next(iter(active.get("claim_generator_info") or ()), None)),
        actions=tuple(_actions(assertions)),
        training={printable(str(use)): printable(str(_mapping(one).get("use"))) for use, one in entries.items()},
        lineage=lineage if isinstance(lineage, dict) else None,
        xmp=xmp,
    )


def _actions(assertions: dict[str, Any]) -> list[Action]:
    told = []
    for label, data in assertions.items():
        if str(label).startswith("c2pa.actions"):
            for one in _mapping(data).get("actions") or ():
                said = _mapping(one)
                told.append(
                    Action(
                        action=_said(said.get("action")) or "unnamed",
                        when=_said(said.get("when")),
                        agent=_agent(said.get("softwareAgent")),
                        source_type=_said(said.get("digitalSourceType")),
                    )
                )
    return told


def _in_words(failure: dict[str, Any]) -> str:
    code = printable(str(failure.get("code")))
    return _IN_WORDS.get(code) or f"{code}: {printable(str(failure.get('explanation', '')))}"


def _agent(agent: object) -> str | None:
    if isinstance(agent, str):
        return _said(agent)
    told = _mapping(agent)
    return _said(" ".join(str(told[key]) for key in ("name", "version") if told.get(key)))


def _said(text: object) -> str | None:
    return printable(str(text)).strip() or None if text else None


def _mapping(given: object) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _clean(given: object) -> object:
    """The same shape with text that can drive no terminal."""
    if isinstance(given, dict):
        return {printable(str(key)): _clean(one) for key, one in given.items()}
    if isinstance(given, list):
        return [_clean(one) for one in given]
    return printable(given) if isinstance(given, str) else given
