"""Signs the final JPEG: a C2PA manifest is embedded, and any later change of the file shows.

    signer = Signer(lambda: own_certificate(home / "provenance"))
    signed = signer.sign(jpeg, manifest(post))

The last thing that is ever done to the bytes. No thumbnail, no network. Salts and the signature differ at every call, so that
the same picture signed twice is two files with the same pixels. Knows nothing of posts.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from zirelia.errors import ConfigurationError, MediaError
from zirelia.provenance.certificate import Certificate

OFFLINE: dict[str, Any] = {
    "version": 1,
    # the native library has sockets of its own, which the offline switch of this process does not see
    "core": {"allowed_network_hosts": []},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}
_MANIFEST_BYTES = 6_144
"""Assertions, claim, signature and padding; the certificates come on top. Measured: see docs/provenance.md."""


class Signer:
    """Args: certificate: asked for when the first picture is signed, so that looking at a queue makes no key."""

    def __init__(self, certificate: Callable[[], Certificate]) -> None:
        self._given = certificate

    @cached_property
    def certificate(self) -> Certificate:
        return self._given()

    @property
    def room(self) -> int:
        """Bytes to keep free for what signing adds."""
        return _MANIFEST_BYTES + len(self.certificate.chain)

    def sign(self, jpeg: bytes, manifest: dict[str, Any]) -> bytes:
        """The same picture with the manifest in it.

        Raises ConfigurationError for a certificate that is over or that C2PA refuses, MediaError for what cannot be signed.
        """
        from c2pa import Builder, C2paError, C2paSignerInfo, Context
        from c2pa import Signer as Native

        certificate = self.certificate
        if datetime.now(UTC) > certificate.until:  # the native library reads the machine's clock, too
            raise ConfigurationError(
                f"the signing certificate {certificate.name} ended on {certificate.until:%Y-%m-%d}",
                hint="set ZIRELIA_PROVENANCE_CERTIFICATE and ZIRELIA_PROVENANCE_KEY to a new one; see docs/provenance.md",
            )
        key = certificate.key.get_secret_value()
        try:
            info = C2paSignerInfo(certificate.algorithm.encode(), certificate.chain.encode(), key.encode(), None)
            with (
                Context.from_dict(OFFLINE, signer=Native.from_info(info)) as context,
                Builder(manifest, context=context) as builder,
            ):
                signed = io.BytesIO()
                builder.sign("image/jpeg", io.BytesIO(jpeg), signed)
        except C2paError as error:
            told = str(error)
            if any(word in told.lower() for word in ("certificate", "cose", "credential", "key")):
                raise ConfigurationError(
                    f"{certificate.name} cannot sign pictures: {told}",
                    hint="what C2PA asks of a certificate is in docs/provenance.md",
                ) from error
            raise MediaError(f"the picture could not be signed: {told}") from error
        return signed.getvalue()
