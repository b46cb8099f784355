"""The certificate: made once, private, and refused with a reason before the first picture needs it."""

from __future__ import annotations

import multiprocessing
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import PrivateFormat

from zirelia.errors import ConfigurationError, StoreError
from zirelia.provenance.certificate import PUBLIC, SECRET, own_certificate, read_certificate


def test_a_home_makes_its_certificate_once_and_keeps_it_to_itself(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "provenance"
    first = own_certificate(folder)
    assert own_certificate(folder) == first
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / SECRET).stat().st_mode) == 0o600
    public = (folder / PUBLIC).read_text()
    assert public == first.chain
    assert "PRIVATE" not in public
    assert first.key.get_secret_value() not in repr(first)
    assert not list(folder.glob(".part-*"))


def test_the_authoritys_key_is_kept_nowhere(tmp_path: Path) -> None:
    made = own_certificate(tmp_path)
    leaf, authority = x509.load_pem_x509_certificates(made.chain.encode())
    assert leaf.issuer == authority.subject
    leaf.verify_directly_issued_by(authority)
    assert (tmp_path / SECRET).read_text().count("PRIVATE KEY-----\n") == 2  # one key: its beginning and its end
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def _own(folder: Path, said: multiprocessing.Queue[str]) -> None:
    said.put(own_certificate(folder).chain)


def test_processes_that_begin_at_once_have_the_same_certificate(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    said = context.Queue()
    processes = [context.Process(target=_own, args=(tmp_path / "provenance", said)) for _ in range(4)]
    for process in processes:
        process.start()
    chains = {said.get(timeout=30) for _ in processes}
    for process in processes:
        process.join(30)
    assert chains == {own_certificate(tmp_path / "provenance").chain}


def test_a_damaged_file_is_named_and_not_replaced(tmp_path: Path) -> None:
    own_certificate(tmp_path)
    (tmp_path / SECRET).write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"signer\.pem cannot be used"):
        own_certificate(tmp_path)
    assert (tmp_path / SECRET).read_text() == "nothing"
    (tmp_path / SECRET).unlink()
    (tmp_path / SECRET).mkdir()
    with pytest.raises(StoreError, match=r"signer\.pem"):
        own_certificate(tmp_path)


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("p-256", "es256"), ("p-384", "es384"), ("ed25519", "ed25519"), ("rsa", "ps256")]
)
def test_a_brought_certificate_is_read(kind: str, algorithm: str, brought: Callable[..., tuple[Path, Path]]) -> None:
    certificate = read_certificate(*brought(kind))
    assert certificate.algorithm == algorithm
    assert certificate.name == "CN=Ana,O=Ana Ltd"


def test_an_old_form_of_key_is_taken(brought: Callable[..., tuple[Path, Path]]) -> None:
    old = read_certificate(*brought(form=PrivateFormat.TraditionalOpenSSL))
    assert old.key.get_secret_value().startswith("-----BEGIN PRIVATE KEY")


def test_what_does_not_fit_is_refused_with_the_reason(brought: Callable[..., tuple[Path, Path]], tmp_path: Path) -> None:
    chain, key = brought()
    other = tmp_path / "other.key"
    other.write_bytes(brought("ed25519")[1].read_bytes())
    junk = tmp_path / "junk.pem"
    junk.write_bytes(b"\xff\xfe")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for pair, says in (
        ((chain, other), "not that of the first certificate"),
        ((tmp_path / "nowhere.pem", key), "cannot be read"),
        ((junk, key), "not a PEM file"),
        ((empty, key), "holds no certificate"),
        ((chain, empty), "no private key"),
        (brought("secp256k1"), "does not sign with the kind of key"),
        (brought("p-384", password=b"secret"), "is encrypted"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            read_certificate(*pair)
