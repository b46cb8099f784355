"""The certificate that signs: the user's own, or one that Zirelia makes for itself, once a home.

    read_certificate(Path("chain.pem"), Path("key.pem"))
    own_certificate(home / "provenance")        # made at the first call, the same ever after

A made one is issued by a made authority whose key is thrown away at once. It proves that pictures come from the same home, and
nothing more: who does not know it says "unknown signer". Knows nothing of pictures.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from zirelia.errors import ConfigurationError, StoreError
from zirelia.files import make_private_folder, write_atomically

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

SECRET, PUBLIC = "signer.pem", "certificate.pem"
"""In the home: key and chain, for this machine alone; and the chain, for whoever wants to know this signer."""

ORGANISATION = "Zirelia (self-signed)"
_YEARS_VALID = 10
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True)
class Certificate:
    """chain: PEM, the signing certificate first. algorithm: how the key signs, as C2PA calls it. until: its end."""

    chain: str
    key: SecretStr
    algorithm: str
    until: datetime

    @property
    def name(self) -> str:
        """Who it says it is."""
        from cryptography import x509

        return x509.load_pem_x509_certificates(self.chain.encode())[0].subject.rfc4514_string()


def read_certificate(chain: Path, key: Path) -> Certificate:
    """The user's certificate. Raises ConfigurationError for files that are not there, or do not belong together."""
    return _certificate(_text(chain), _text(key), where=str(chain))


def own_certificate(folder: Path) -> Certificate:
    """The certificate of this home; the first of several processes makes it.

    Raises StoreError for a folder that cannot be used, ConfigurationError for a file that was damaged.
    """
    secret = folder / SECRET
    try:
        if not secret.exists():
            make_private_folder(folder)
            _put_once(secret, _made(datetime.now(UTC)))
        pem = secret.read_text("ascii")
        certificates = pem[pem.index("-----BEGIN CERTIFICATE") :]
        if not (folder / PUBLIC).exists():
            write_atomically(folder / PUBLIC, certificates.encode(), temporary_folder=folder)
    except OSError as error:
        raise StoreError(f"{error.filename or secret}: {error.strerror}", hint="check the folder's rights and space") from error
    except ValueError as error:
        raise _unreadable(secret, "it holds no certificate") from error
    return _certificate(certificates, pem, where=str(secret))


def _unreadable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be used: {why}", hint="restore it from a backup, or move it away to have a new one made"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", hint="see docs/provenance.md") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not a PEM file", hint="convert it with openssl; see docs/provenance.md") from error


def _certificate(chain: str, key: str, *, where: str) -> Certificate:
    """Checks what would else show only when the first picture goes out."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    except ValueError as error:
        raise ConfigurationError(
            f"{where} holds no certificate in PEM", hint="the signing one first, then its issuers"
        ) from error
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except TypeError as error:
        raise ConfigurationError(
            f"the key of {where} is encrypted", hint="store it without a password, in a file that only you can read"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"the key of {where} is no private key in PEM", hint="see docs/provenance.md") from error
    public = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_key().public_bytes(*public) != private.public_key().public_bytes(*public):
        raise ConfigurationError(
            f"the key is not that of the first certificate in {where}", hint="the signing certificate comes first"
        )
    algorithm = _algorithm(private, where)
    # the signing library takes PKCS #8 alone, and nothing beside it
    plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Certificate(chain=chain, key=SecretStr(plain), algorithm=algorithm, until=leaf.not_valid_after_utc)


def _algorithm(key: PrivateKeyTypes, where: str) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "ps256"
    raise ConfigurationError(
        f"C2PA does not sign with the kind of key in {where}",
        hint="take P-256, P-384, P-521, Ed25519, or RSA from 2048 bits on",
    )


def _put_once(path: Path, data: bytes) -> None:
    """Writes the file whole, mode 0600, unless another process was first."""
    handle, part = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError:
        return
    finally:
        Path(part).unlink()


def _made(now: datetime) -> bytes:
    """Key, certificate and authority in PEM."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _signed("Authority of one home", authority_key, "Authority of one home", authority_key, now)
    leaf = _signed("Zirelia home", key, "Authority of one home", authority_key, now)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + leaf.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)


def _signed(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    """As C2PA's profile asks: an authority signs certificates and nothing else, a signer signs and nothing else."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    authority = key is issuer_key
    builder = (
        x509.CertificateBuilder()
        .subject_name(_called(name))
        .issuer_name(_called(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a reader's clock may be behind
        .not_valid_after(now + timedelta(days=365 * _YEARS_VALID))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(_usage(authority=authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        # C2PA's own usage is for issuers that it has listed
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _called(name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
