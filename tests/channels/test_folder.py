"""The folder: three files, the receipt last; a crash anywhere is finished by a repeat."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zirelia.channels.folder import FolderChannel
from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderError, ProviderRefused
from zirelia.ports import Sending, Uncertain

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
SENDING = Sending(begun=NOW)
FILES = ["pub-1-folder.jpg", "pub-1-folder.json", "pub-1-folder.receipt.json"]


@pytest.fixture
def channel(tmp_path: Path) -> FolderChannel:
    return FolderChannel(tmp_path / "outbox", now=lambda: NOW)


def _visible(channel: FolderChannel) -> list[str]:
    return sorted(path.name for path in channel.outbox.iterdir() if not path.name.startswith("."))


def test_the_files_say_everything(channel: FolderChannel, plan):
    wanted = plan()
    receipt = channel.submit(wanted, SENDING)
    assert receipt == Receipt(platform_id="pub-1-folder", url=(channel.outbox / FILES[0]).as_uri(), at=NOW)
    assert _visible(channel) == FILES
    assert (channel.outbox / FILES[0]).read_bytes() == wanted.image
    card = json.loads((channel.outbox / FILES[1]).read_text())
    assert card["caption"] == "Tea, again. ☕\n\nVirtual character, made with AI."
    assert (card["alt_text"], card["disclosure"]) == ("A woman with tea", "Virtual character, made with AI.")
    assert (card["ai_generated"], card["persona"], card["post_id"]) == (True, "mira", 1)
    assert (card["provenance"]["model"], card["provenance"]["prompt"]["seed"]) == ("pocket", 42)
    assert card["more"] == {"lineage": {"lora": "mira-3"}}
    assert card["image"]["sha256"] == hashlib.sha256(wanted.image).hexdigest()
    proof = json.loads((channel.outbox / FILES[2]).read_text())
    for name, digest in proof["sha256"].items():
        assert hashlib.sha256((channel.outbox / name).read_bytes()).hexdigest() == digest
    assert channel.outbox.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_crash_before_the_receipt_published_nothing_and_a_repeat_finishes(channel, plan, writes, monkeypatch):
    real, done = Path.replace, []

    def dies(self: Path, target: Path) -> Path:
        if len(done) == writes:
            raise SystemExit(137)
        done.append(target)
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dies)
        with pytest.raises(SystemExit):
            channel.submit(plan(colour="red"), SENDING)
    assert _visible(channel) == FILES[:writes]
    (channel.outbox / ".part-left").write_bytes(b"half")  # what a killed writer leaves
    assert channel.reconcile(plan(), SENDING) is None
    assert isinstance(channel.submit(plan(), SENDING), Receipt)
    assert (channel.outbox / FILES[0]).read_bytes() == plan().image
    assert _visible(channel) == FILES
    assert not list(channel.outbox.glob(".part-*"))


def test_many_writers_publish_once(channel: FolderChannel, plan):
    receipts: list[object] = []

    def post(number: int) -> None:
        own = FolderChannel(channel.outbox, now=lambda: NOW.replace(second=number))
        receipts.append(own.submit(plan(colour=("red", "blue", "green", "black")[number]), SENDING))

    threads = [threading.Thread(target=post, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(receipts) == 4
    assert all(receipt == receipts[0] for receipt in receipts)
    proof = json.loads((channel.outbox / FILES[2]).read_text())
    for name, digest in proof["sha256"].items():
        assert hashlib.sha256((channel.outbox / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b'{"receipt": {"url": 1}}', b"\xff"])
def test_a_damaged_receipt_is_for_a_person(channel: FolderChannel, plan, damage: bytes):
    channel.submit(plan(), SENDING)
    (channel.outbox / FILES[2]).write_bytes(damage)
    with pytest.raises(ProviderError, match="not a receipt"):
        channel.reconcile(plan(), SENDING)
    assert isinstance(channel.submit(plan(), SENDING), Uncertain)
    assert (channel.outbox / FILES[2]).read_bytes() == damage


def test_an_outbox_that_cannot_be_written_published_nothing(tmp_path: Path, plan):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProviderError, match="cannot be written"):
        FolderChannel(tmp_path / "file" / "outbox").submit(plan(), SENDING)


def test_a_receipt_that_may_not_be_durable_is_uncertain(channel: FolderChannel, plan, monkeypatch):
    real = FolderChannel._write

    def unsynced(self: FolderChannel, name: str, data: bytes) -> None:
        real(self, name, data)
        if name.endswith(".receipt.json"):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(FolderChannel, "_write", unsynced)
    assert isinstance(channel.submit(plan(), SENDING), Uncertain)
    assert channel.reconcile(plan(), SENDING) is not None


@pytest.mark.parametrize("identity", ["", "../x", "a/b", "A", ".lock", "x" * 101, "a\n", "a\0"])
def test_an_id_is_a_safe_file_name(channel: FolderChannel, plan, identity: str):
    with pytest.raises(ProviderRefused):
        channel.submit(replace(plan(), publication_id=identity), SENDING)
    with pytest.raises(ProviderRefused):
        channel.reconcile(replace(plan(), publication_id=identity), SENDING)


def test_a_sidecar_that_is_no_json_is_refused(channel: FolderChannel, plan):
    for value in (object(), float("nan")):
        with pytest.raises(ProviderRefused, match="JSON"):
            channel.submit(replace(plan(), sidecar={"x": value}), SENDING)
    assert not channel.outbox.exists()
