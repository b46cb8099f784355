"""What a node that is to be killed works with: paid models, two channels, a store, each of which may die at its worst moment.

    death = Death(home / "deaths.jsonl", share=0.02, seed=7)
    store = MortalStore(database, media, death)
    chat = PaidChat(death, home / "paid.jsonl")

A death is written down before it strikes. A paid call is written down, with the id of its ledger row, before it is answered.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from zirelia.channels.folder import FolderChannel
from zirelia.domain.budget import Cap
from zirelia.domain.ledger import LedgerEntry
from zirelia.domain.publication import Publication, PublicationState, Receipt
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.ports import Exhibit, PaidCall, Plan, Sending, Uncertain
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.images import FakeImageMaker

JUDGED = frozenset({Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.SUBJECTS, Criterion.BRIEF})

INTENT_PAID = "a paid call is about to be made"
PAID = "a call is paid and not answered"
ANSWERED = "the answer is stored"
INTENT_SENT = "a publication is about to be sent"
STORED = "the platform has posted, nobody knows it"
FILES = "some files of the folder are written"
RECEIPT = "the receipt is stored, the post is not"
POINTS = (INTENT_PAID, PAID, ANSWERED, INTENT_SENT, STORED, FILES, RECEIPT)

_row = threading.local()


def write_down(path: Path, **what: object) -> None:
    """One line that survives whatever comes next."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, (json.dumps(what) + "\n").encode())
        os.fsync(handle)
    finally:
        os.close(handle)


class Death:
    """SIGKILL to the own process, at a share of the moments at which it may come."""

    def __init__(self, book: Path, *, share: float, seed: int) -> None:
        self._book, self._share = book, share
        self._draw = random.Random(seed)

    def at(self, point: str) -> None:
        if self._draw.random() < self._share:
            write_down(self._book, point=point)
            os.kill(os.getpid(), signal.SIGKILL)


class MortalStore(SqlStore):
    def __init__(self, place: str, media: MediaStore, death: Death) -> None:
        super().__init__(place, media)
        self._death = death

    def open_call(self, entry: LedgerEntry, caps: Sequence[Cap] = ()) -> PaidCall:
        call = super().open_call(entry, caps)
        _row.id = entry.id
        self._death.at(INTENT_PAID)
        return call

    def close_call(self, entry: LedgerEntry) -> None:
        super().close_call(entry)
        self._death.at(ANSWERED)

    def save_post(self, post, *, publication: Publication | None = None, **more) -> None:
        super().save_post(post, publication=publication, **more)
        if publication is not None:
            self._death.at(INTENT_SENT)

    def save_publication(self, publication: Publication) -> None:
        super().save_publication(publication)
        if publication.state is PublicationState.SENDING:
            self._death.at(INTENT_SENT)
        elif publication.state is PublicationState.PUBLISHED:
            self._death.at(RECEIPT)


class MortalFolder(FolderChannel):
    def __init__(self, outbox: Path, death: Death) -> None:
        super().__init__(outbox)
        self._death = death

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        answer = super().submit(plan, sending)
        self._death.at(STORED)
        return answer

    def _write(self, name: str, data: bytes) -> None:
        super()._write(name, data)
        self._death.at(FILES)


class PaidChat(ScriptedChat):
    def __init__(self, death: Death, book: Path) -> None:
        super().__init__(cost=0.001)
        self._death, self._book = death, book

    def ask(self, *args, **options):
        time.sleep(0.02)
        answer = super().ask(*args, **options)
        write_down(self._book, row=_row.id)
        self._death.at(PAID)
        return answer


class PaidImages(FakeImageMaker):
    """A picture is ordered, which is paid, and fetched after that."""

    def __init__(self, death: Death, book: Path) -> None:
        super().__init__(vocabulary=shot_vocabulary(), size=(96, 96), price=0.02)
        self._death, self._book = death, book

    def _pay(self, call: PaidCall, wish: str) -> str:
        if call.external_id is None:
            write_down(self._book, row=_row.id)
            self._death.at(PAID)
        known = super()._pay(call, wish)
        self._death.at(ANSWERED)
        time.sleep(0.05)
        return known


class Content:
    """An instrument that is content with everything."""

    name = "content"
    criteria = JUDGED

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        return [
            Finding(
                criterion=one, outcome=Outcome.PASSED, instrument=self.name, explanation="looked at", score=0.9, threshold=0.8
            )
            for one in sorted(self.criteria)
        ]
