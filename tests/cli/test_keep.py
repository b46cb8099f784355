"""What a backup leaves out, and says so: the keys with which somebody else could act as her."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from zirelia.domain.connection import Connection, new_id
from zirelia.provenance.certificate import SECRET, own_certificate
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.store.vault import new_key

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)


@pytest.fixture
def connected(home):
    with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as store:
        one = Connection(persona="mira", channel="x", id=new_id(), account="7", connected_at=NOW, given_at=NOW)
        store.add_connection(one, b"sealed")


def test_a_home_without_keys_has_none_to_keep(zirelia, home, stored):
    stored()
    said = zirelia("backup", home / "copy")
    assert len(said.out.splitlines()) == 1
    assert zirelia("backup", home / "again", "--json").json["keys_left_out"] == []


@pytest.mark.parametrize("token_key", [new_key(), None], ids=["with a key", "without"])
def test_the_keys_are_named_and_not_copied(zirelia, home, stored, connected, write_env, token_key):
    stored()
    write_env(**({"ZIRELIA_TOKEN_KEY": token_key} if token_key else {}))
    own_certificate(home / "home" / "provenance")
    signer = home / "home" / "provenance" / SECRET
    said = zirelia("backup", home / "copy")
    assert f"{signer}: it signs the pictures" in said.out
    where = "ZIRELIA_TOKEN_KEY" if token_key else "the token key in the system's keyring"
    assert f"{where}: it opens the tokens of accounts" in said.out
    copied = [path.read_bytes() for path in (home / "copy").rglob("*") if path.is_file()]
    key = signer.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0]
    assert b"PRIVATE KEY" in key
    for secret in (key, signer.read_bytes().splitlines()[1], *([token_key.encode()] if token_key else [])):
        assert secret not in said.out.encode()
        assert not [data for data in copied if secret in data]
    assert zirelia("backup", home / "again", "--json").json["keys_left_out"] == [str(signer), where]


def test_a_certificate_of_ones_own_has_its_key_elsewhere(zirelia, home, stored, write_env):
    stored()
    own_certificate(home / "mine")
    write_env(ZIRELIA_PROVENANCE_CERTIFICATE=home / "mine" / "certificate.pem", ZIRELIA_PROVENANCE_KEY=home / "mine" / SECRET)
    assert f"{home / 'mine' / SECRET}: it signs the pictures" in zirelia("backup", home / "copy").out
