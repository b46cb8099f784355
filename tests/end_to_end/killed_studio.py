"""Finishes what is unfinished, then produces posts until it is killed. Fakes that cost nothing around a real store and panel.

Example: echo go | python killed_studio.py HOME. Run by test_killed.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from zirelia.channels.folder import FolderChannel
from zirelia.critic.panel import CriticPanel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.personas import load_persona
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.ports import Exhibit
from zirelia.provenance.sealer import JpegSealer
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.produce import produce, resume, unfinished

CRITERIA = frozenset({Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.SUBJECTS})


class EveryOther:
    """Fails the first of every two pictures, so that retries are cut short too."""

    name = "every-other"
    criteria = CRITERIA

    def __init__(self) -> None:
        self._count = 0

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        self._count += 1
        outcome = Outcome.FAILED if self._count % 2 else Outcome.PASSED
        return [Finding(criterion=c, outcome=outcome, instrument=self.name, explanation="counted") for c in sorted(CRITERIA)]


class Silent:
    def step(self, name: str, note: str = "") -> None: ...

    def progress(self, fraction: float, note: str) -> None: ...

    def note(self, text: str) -> None: ...

    def done(self, note: str = "") -> None: ...

    def failed(self, note: str) -> None: ...


def kit_at(home: Path, store: SqlStore) -> Kit:
    return Kit(
        store=store,
        media=store.media,
        chat=ScriptedChat(),
        # a hosted, paid model, so that the ledger's rows matter
        images=FakeImageMaker(vocabulary=shot_vocabulary(), size=(64, 64), price=0.001),
        panel=CriticPanel([EveryOther()]),
        channels={"folder": FolderChannel(home / "outbox")},
        sealer=JpegSealer(),
        agents={name: load_agent(name) for name in agent_names()},
        now=lambda: datetime.now(UTC),
        watcher=Silent(),
    )


def say(*words: object) -> None:
    # one write: with PYTHONUNBUFFERED set, print makes several, and a kill between them would leave half a line
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main(home: Path, posts: int) -> None:
    with SqlStore(home / "zirelia.db", MediaStore(home / "media")) as store:
        kit = kit_at(home, store)
        subject = Subject(persona=load_persona("mira").persona, lora=None, references=())
        for post in unfinished(kit, "mira"):
            resume(kit, subject, post.id)
        say("resumed")
        for _ in range(posts):
            produce(kit, subject)
            say("produced")


if __name__ == "__main__":
    # each turn runs in a fork of this warm process, so that a kill costs no start of Python
    for asked in sys.stdin:
        child = os.fork()
        if child == 0:
            say("pid", os.getpid())
            main(Path(sys.argv[1]), int(asked))
            os._exit(0)
        say("end", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
