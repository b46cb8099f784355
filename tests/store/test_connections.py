"""Accounts and their sealed secrets on both databases; a seal opens with its key, in its row, and nowhere else."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from zirelia.domain.connection import Connection, ConnectionState, new_id
from zirelia.errors import ConfigurationError, Conflict, NotFound
from zirelia.store.vault import Vault, new_key

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
SECRET = b"EAABplantedSecret0123456789"


def connection(channel="x", persona="mira"):
    return Connection(persona=persona, channel=channel, id=new_id(), account="7", connected_at=NOW, given_at=NOW)


def test_a_row_keeps_connection_and_secret_together(store):
    assert store.connection("mira", "x") is None
    first = connection()
    store.add_connection(first, b"one")
    store.add_connection(connection("threads"), b"three")
    store.add_connection(connection(persona="ana"), b"two")
    assert store.connection("mira", "x") == (first, b"one")
    assert [(one.persona, one.channel) for one in store.connections()] == [("ana", "x"), ("mira", "threads"), ("mira", "x")]
    assert [one.channel for one in store.connections("mira")] == ["threads", "x"]
    changed = store.save_connection(first.model_copy(update={"problem": "slow"}), expected_version=0)
    assert store.connection("mira", "x") == (changed, b"one")
    again = store.save_connection(changed, expected_version=1, sealed=b"new")
    assert store.connection("mira", "x") == (again, b"new")
    assert again.version == 2


def test_the_second_writer_and_the_wrong_row_are_told(store):
    first = connection()
    with pytest.raises(NotFound):
        store.save_connection(first, expected_version=0)
    store.add_connection(first, b"one")
    store.save_connection(first.model_copy(update={"state": ConnectionState.STALE}), expected_version=0)
    with pytest.raises(Conflict):
        store.save_connection(first, expected_version=0, sealed=b"late")
    anew = connection()
    store.add_connection(anew, b"anew")
    with pytest.raises(Conflict):
        store.save_connection(first, expected_version=0, sealed=b"of the older account")
    assert store.connection("mira", "x") == (anew, b"anew")


def test_it_is_forgotten_on_request(store):
    store.add_connection(connection(), b"one")
    assert store.drop_connection("mira", "x")
    assert not store.drop_connection("mira", "x")
    assert store.connections() == ()


def test_a_seal_opens_in_its_row_only():
    vault, mine, other = Vault([new_key()]), connection(), connection("threads")
    sealed = vault.seal(SECRET, bound_to=mine.bound_to)
    assert SECRET not in sealed
    assert vault.open(sealed, bound_to=mine.bound_to) == SECRET
    assert vault.seal(SECRET, bound_to=mine.bound_to) != sealed
    for bound_to in (other.bound_to, connection().bound_to, ""):
        with pytest.raises(ConfigurationError, match="another row"):
            vault.open(sealed, bound_to=bound_to)


def test_any_changed_byte_is_noticed():
    vault = Vault([new_key()])
    sealed = vault.seal(SECRET, bound_to="row")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        if place < 2:
            continue  # the form's name decides nothing yet
        with pytest.raises(ConfigurationError):
            vault.open(bytes(changed), bound_to="row")
    for short in (b"", b"z1", sealed[:20]):
        with pytest.raises(ConfigurationError):
            vault.open(short, bound_to="row")


def test_an_older_key_still_opens_and_the_present_one_seals():
    old, new = new_key(), new_key()
    sealed = Vault([old]).seal(SECRET, bound_to="row")
    both = Vault([new, old])
    assert both.open(sealed, bound_to="row") == SECRET
    assert both.is_old(sealed)
    assert not both.is_old(both.seal(SECRET, bound_to="row"))
    with pytest.raises(ConfigurationError, match="sealed with key") as error:
        Vault([new]).open(sealed, bound_to="row")
    assert "ZIRELIA_TOKEN_KEYS" in error.value.hint
    assert old not in str(error.value)
    assert new not in str(error.value)


@pytest.mark.parametrize("text", ["", "hunter2", "A" * 43, "é" * 44, base64.urlsafe_b64encode(bytes(range(29))).decode()])
def test_what_is_no_key_is_not_repeated(text):
    with pytest.raises(ConfigurationError, match="no key of 32 bytes") as error:
        Vault([text])
    assert not text or text not in str(error.value)
    assert repr(Vault([new_key()])) == "Vault(1 keys)"
