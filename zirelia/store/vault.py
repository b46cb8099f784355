"""Seals what the database must not show: AES-256 in GCM, bound to the row that it lies in.

    vault = Vault([key])                       # a new one: new_key()
    sealed = vault.seal(b"token", bound_to="zirelia connection 4f… x mira")
    vault.open(sealed, bound_to="…")           # another row's text, another key or a changed byte: ConfigurationError

The first key seals, all of them open. A sealed value names its key by four bytes of a hash. Knows nothing of what is sealed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from zirelia.errors import ConfigurationError

SETTING = "ZIRELIA_TOKEN_KEY"
_FORM = b"z1"
_MARK, _NONCE, _BYTES = 4, 12, 32


def new_key() -> str:
    """32 random bytes, as they are written into .env."""
    return base64.urlsafe_b64encode(os.urandom(_BYTES)).decode()


class Vault:
    """Args:
    keys: as `new_key` writes them, the present one first.

    Raises ConfigurationError for a text that is no key; it is not repeated.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [_key(text) for text in keys]
        if not self._keys:
            raise ConfigurationError("there is no key for tokens", hint=f"set {SETTING}")

    def __repr__(self) -> str:
        return f"Vault({len(self._keys)} keys)"

    def seal(self, plain: bytes, *, bound_to: str) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key, nonce = self._keys[0], os.urandom(_NONCE)
        return _FORM + _mark(key) + nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode())

    def open(self, sealed: bytes, *, bound_to: str) -> bytes:
        """Raises ConfigurationError; nothing is changed by that."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        start = len(_FORM) + _MARK
        mark, nonce, rest = sealed[len(_FORM) : start], sealed[start : start + _NONCE], sealed[start + _NONCE :]
        keys = [key for key in self._keys if _mark(key) == mark]
        if not keys:
            raise ConfigurationError(
                f"the stored token is sealed with key {mark.hex()}, and {SETTING} is another one",
                hint=f"set the old {SETTING} again, or name it in {SETTING}S; or connect anew",
            )
        try:
            return AESGCM(keys[0]).decrypt(nonce, rest, bound_to.encode())
        except (InvalidTag, ValueError):
            # without its cause: nothing of it helps
            raise ConfigurationError(
                "the stored token is damaged, or was taken from another row", hint="restore a backup, or connect anew"
            ) from None

    def is_old(self, sealed: bytes) -> bool:
        """Whether it is sealed with another key than the present one."""
        return sealed[len(_FORM) : len(_FORM) + _MARK] != _mark(self._keys[0])


def _key(text: str) -> bytes:
    try:
        # as `openssl rand -base64 32` writes one, too
        plain = text.strip().replace("+", "-").replace("/", "_").encode("ascii", "replace")
        key = base64.b64decode(plain, altchars=b"-_", validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _BYTES:
        raise ConfigurationError(
            f"{SETTING} is no key of {_BYTES} bytes in base64", hint="zirelia connect makes one when none is set"
        )
    return key


def _mark(key: bytes) -> bytes:
    """Names a key, and tells nothing of it."""
    return hashlib.sha256(b"zirelia token key" + key).digest()[:_MARK]
