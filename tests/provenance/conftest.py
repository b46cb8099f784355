"""A post with a picture, a certificate of a home, and certificates as a person may bring them."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from zirelia.definitions.personas import load_persona
from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft, Post
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, MediaRef, Provenance, Shot
from zirelia.ports import Capabilities
from zirelia.provenance.certificate import Certificate, own_certificate

LORA = "5e1c" * 16


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return own_certificate(tmp_path_factory.mktemp("home") / "provenance")


@pytest.fixture
def picture() -> bytes:
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((96, 96)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def mira() -> Persona:
    return load_persona("mira").persona


@pytest.fixture
def limits() -> Capabilities:
    return Capabilities(2200, 30, 1000, 8_000_000, ai_label=True)


@pytest.fixture
def post(now: datetime) -> Post:
    shot = Shot(scene="park", outfit="red hoodie", expression="smiling", framing=Framing.HALF_BODY, light="daylight")
    made = Provenance(
        backend="flux",
        model="/home/ana/models/flux-dev",
        revision="1",
        prompt=ImagePrompt(text="mirelo woman with a secret plan", seed=7, width=96, height=96, trigger="mirelo"),
        lora_sha256=LORA,
        steps=16,
        seconds=1.0,
        made_at=now,
    )
    image = MediaRef(sha256="ab" * 32, media_type="image/png", width=96, height=96)
    return Post(
        id=7,
        persona="mira",
        slot_id="mira:1",
        due=now,
        draft=Draft(caption="Tea again.", alt_text="A woman with tea", hashtags=("tea",)),
        attempts=(Attempt(number=1, shot=shot, image=image, provenance=made),),
        chosen=1,
        disclosure="Made with AI.",
        created=now,
        updated=now,
    )


_KEYS: dict[str, Callable[[], ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey]] = {
    "p-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.fixture
def brought(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Writes a certificate, its issuer and its key, as an authority would hand them out: (chain, key)."""

    def make(
        kind: str = "p-256",
        *,
        usage: bool = True,
        days: int = 30,
        password: bytes | None = None,
        form: PrivateFormat = PrivateFormat.PKCS8,
    ) -> tuple[Path, Path]:
        issuer_key, key = _KEYS["p-256"](), _KEYS[kind]()
        now = datetime.now(UTC)

        def name(common: str) -> x509.Name:
            return x509.Name(
                [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ana Ltd"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
            )

        def signed(common: str, own: object, *, authority: bool) -> x509.Certificate:
            may = dict.fromkeys(
                (
                    "content_commitment",
                    "key_encipherment",
                    "data_encipherment",
                    "key_agreement",
                    "encipher_only",
                    "decipher_only",
                ),
                False,
            )
            builder = (
                x509.CertificateBuilder()
                .subject_name(name(common))
                .issuer_name(name("Authority"))
                .public_key(own.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - timedelta(days=60))
                .not_valid_after(now + timedelta(days=days))
                .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
                .add_extension(
                    x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **may),
                    critical=True,
                )
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            )
            if not authority and usage:
                builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
            return builder.sign(issuer_key, hashes.SHA256())

        chain, secret = tmp_path / f"{kind}.pem", tmp_path / f"{kind}.key"
        parts = (signed("Ana", key, authority=False), signed("Authority", issuer_key, authority=True))
        chain.write_bytes(b"".join(part.public_bytes(Encoding.PEM) for part in parts))
        locked = BestAvailableEncryption(password) if password else NoEncryption()
        secret.write_bytes(key.private_bytes(Encoding.PEM, form, locked))
        return chain, secret

    return make
