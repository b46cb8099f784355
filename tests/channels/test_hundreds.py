"""Publications with up to three faults each, at places drawn by chance, on every channel: each ends as exactly one.

    make faults FAULTS=300

Through the real publish(): reconcile, then send again only what certainly is not there.
"""

from __future__ import annotations

import errno
import json
import os
import random
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from zirelia.channels import folder
from zirelia.domain.publication import PublicationState

from .conftest import NOW, beside

meta, bluesky, presses = beside("meta_accounts"), beside("bluesky_accounts"), beside("press")
NAMES = ("folder", "bluesky", *meta.NAMES)
MANY = int(os.environ.get("ZIRELIA_TEST_FAULTS", "84"))
TABLE = os.environ.get("ZIRELIA_FAULT_TABLE")
"""Read here, because tests see no setting of the shell."""
KINDS = ({"silent": True}, {"status": 500}, {"status": 503}, {"status": 429})


class Disk:
    """The folder's files, of which the next one of a kind is not written, or is written and not safe."""

    def __init__(self, outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outbox = outbox
        self._faults: dict[str, deque[bool]] = {}
        self._real = folder.write_atomically
        monkeypatch.setattr(folder, "write_atomically", self._write)

    def fail(self, place: str, *, after: bool = False, times: int = 1, **_: Any) -> None:
        self._faults.setdefault(place, deque()).extend([after] * times)

    def forgive(self) -> None:
        self._faults.clear()

    @property
    def published(self) -> list[dict[str, Any]]:
        proven = sorted(self.outbox.glob("*.receipt.json"))
        cards = [json.loads(path.with_name(path.name.replace(".receipt", "")).read_bytes()) for path in proven]
        return [{"id": card["publication_id"], "text": card["caption"]} for card in cards]

    def _write(self, path: Path, data: bytes, **options: Any) -> None:
        waiting = self._faults.get(path.name.partition(".")[2])
        after = waiting.popleft() if waiting else None
        if after is False:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        self._real(path, data, **options)
        if after:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))


@contextmanager
def staged(name: str, press: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any, list[str]]]:
    """The peer, what opens the channel, and the places at which it may fail, likelier ones more than once."""
    if name == "folder":
        outbox = tmp_path / "outbox"
        yield Disk(outbox, monkeypatch), lambda: folder.FolderChannel(outbox, now=press.clock), ["jpg", "json", "receipt.json"]
    elif name == "bluesky":
        with bluesky.staged(press.clock) as stage:
            yield stage.door, stage.open, ["getRecord", "getSession", "uploadBlob", "putRecord", "putRecord"]
    else:
        with meta.staged(name, press.clock) as stage:
            yield stage.server, stage.open, [*stage.before, stage.publish, stage.publish, stage.look]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_hundreds_of_faulted_publications(name, tmp_path, monkeypatch):
    chance = random.Random(f"2026 {name}")
    ended: Counter[str] = Counter()
    faults = 0
    with presses.press_in(tmp_path, NOW) as press, staged(name, press, tmp_path, monkeypatch) as (peer, opened, places):
        for number in range(-(-MANY // len(NAMES))):
            peer.forgive()
            peer.forgets = chance.random() < 0.5
            peer.ahead = timedelta(minutes=chance.choice((0, 0, 10, -10)))
            peer.hides = chance.choice((0.0, 0.0, 120.0))
            for _ in range(chance.randint(1, 3)):
                kind, times = chance.choice(KINDS), chance.randint(1, 2)
                after = chance.random() < 0.5 and kind.get("status") != 429  # who refuses has not done it
                peer.fail(chance.choice(places), after=after, times=times, **kind)
                faults += times
            words = f"Number {number} of {name}, said once."
            publication = press.send(press.approved(name, words), opened)
            there = [one for one in peer.published if words in one["text"]]
            ended[publication.state] += 1
            ended["twice"] += len(there) > 1
            ended["lost"] += not there and publication.state is not PublicationState.UNKNOWN
            if publication.receipt is not None:
                assert [one["id"] for one in there] == [publication.receipt.platform_id]
            press.clock.passes(7200)
    if TABLE is not None:
        with Path(TABLE).open("a", encoding="utf-8") as table:
            numbers = (number + 1, faults, *(ended[key] for key in ("published", "unknown", "lost", "twice")))
            table.write(f"| {name} | {' | '.join(map(str, numbers))} |\n")
    assert +ended == {PublicationState.PUBLISHED: number + 1}
