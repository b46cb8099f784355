"""A daemon for many personas with models that cost nothing: what bench/engine.py measures.

    side = Side(100, server.new_database(), folder)
    side.plan(); side.open(100); side.finish()

The personas are copies of the shipped one with three slots a day and no lead time, so that a slot that opens is written, shot,
approved by the policy and published at once. The time is the side's own and jumps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from zirelia.channels.folder import FolderChannel
from zirelia.critic.panel import CriticPanel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.personas import load_persona
from zirelia.domain.persona import Persona
from zirelia.domain.publication import AccountLimits
from zirelia.domain.verdict import Finding, Outcome
from zirelia.engine.clock import SEND, WORK, Clock
from zirelia.engine.durable import Durable
from zirelia.engine.work import Worker
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.ports import Exhibit, Watcher
from zirelia.provenance.sealer import JpegSealer
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.studio import SilentWatcher
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.kit import Kit, Subject

SLOTS_A_DAY = 3
PATIENCE = 600.0
WORKERS = 4
LEAD, LATE = timedelta(0), timedelta(days=1)
_PICTURE = (64, 64)
_LOOK = 0.05


def crowd(count: int) -> dict[str, Persona]:
    """So many personas; the shorter list is the beginning of the longer."""
    shipped = load_persona("mira").persona
    cadence = shipped.cadence.model_copy(update={"min_daily": SLOTS_A_DAY, "max_daily": SLOTS_A_DAY})
    one = shipped.model_copy(update={"cadence": cadence, "channels": ("folder",), "lora": None})
    return {name: one.model_copy(update={"name": name}) for name in (f"p{number:05}" for number in range(count))}


class Content:
    """An instrument that is content with everything."""

    name = "content"

    def __init__(self, persona: Persona) -> None:
        self.criteria = frozenset(persona.rubric.must_check)
        self._findings = [
            Finding(criterion=one, outcome=Outcome.PASSED, instrument=self.name, explanation="fine", score=1.0, threshold=0.5)
            for one in sorted(self.criteria)
        ]

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:  # noqa: ARG002 - the port's signature
        return self._findings


class Crowd:
    """A roster of personas in memory; their pictures are made elsewhere, as many at a time as there are workers."""

    def __init__(self, count: int, store: SqlStore, media: MediaStore, folder: Path, now: Callable[[], datetime]) -> None:
        self._personas = crowd(count)
        one = next(iter(self._personas.values()))
        self._kit = Kit(
            store=store,
            media=media,
            chat=ScriptedChat(),
            images=FakeImageMaker(vocabulary=shot_vocabulary(), size=_PICTURE),
            panel=CriticPanel([Content(one)], time_limit=30.0),
            channels={"folder": FolderChannel(folder / "outbox")},
            sealer=JpegSealer(),
            agents={name: load_agent(name) for name in agent_names()},
            now=now,
            watcher=SilentWatcher(),
        )

    def names(self) -> Sequence[str]:
        return tuple(self._personas)

    def persona(self, name: str) -> Persona:
        return self._personas[name]

    def desk(self, name: str, watcher: Watcher) -> tuple[Kit, Subject]:  # noqa: ARG002 - the port's signature
        return self._kit, Subject(persona=self._personas[name], lora=None, references=())

    def draws_here(self, name: str) -> bool:  # noqa: ARG002 - the port's signature
        return False


class NeverPaused:
    def reason(self, persona: str | None = None) -> str | None:  # noqa: ARG002 - the switch's signature
        return None

    def personas(self) -> frozenset[str]:
        return frozenset()


def quiet(*_: object, **__: object) -> None:
    """A log, and a messenger, that says nothing."""


class Side:
    """One crowd with its database."""

    def __init__(self, count: int, url: str, folder: Path) -> None:
        self.count = count
        self.folder = folder
        self.time = datetime.now(UTC)
        media = MediaStore(folder / "media")
        self.store = SqlStore(url, media)
        self.roster = Crowd(count, self.store, media, folder, lambda: self.time)
        self._numbers = iter(range(1_000_000))
        self._worker = Worker(
            self.store,
            self.roster,
            limits=AccountLimits(daily=1000, gap_minutes=0),
            late=LATE,
            policy="auto_approve",
            now=lambda: self.time,
            paused=lambda _: None,
            watcher=lambda *_: SilentWatcher(),
            tell=quiet,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.store.close()

    def engine(self, stack: ExitStack, *, listens: bool) -> Clock:
        """A clock on an engine that lives as long as the stack; one that listens works, too."""
        everything = {WORK: WORKERS, SEND: WORKERS}
        durable = Durable(
            self.store.engine_url,
            executor=f"bench-{self.count}-{next(self._numbers)}",
            queues=everything if listens else {},
            all_queues=everything,
            work=self._worker.all(),
        )
        stack.callback(durable.close)
        durable.launch()
        return self.clock(durable)

    def clock(self, durable: Durable) -> Clock:
        return Clock(
            self.store,
            self.roster,
            durable,
            lead=LEAD,
            late=LATE,
            tries=3,
            now=lambda: self.time,
            pauses=NeverPaused(),
            tell=quiet,
            log=quiet,
        )

    def next_opening(self, count: int) -> None:
        """Moves the time to where so many slots are due."""
        found = self.store.planned(limit=count)
        if len(found) < count:
            raise SystemExit(f"{self.count} personas have {len(found)} slots left: fewer --rounds, or a smaller --sample")
        self.time = found[-1].opens

    def finish(self, clock: Clock) -> None:
        """Until everything that was opened is published."""
        end = time.monotonic() + PATIENCE
        while self.store.next_due() is not None and self.store.jobs(dead=False, limit=1):
            # one whose account another post holds comes again, and is no failed try
            failed = next((job.problem for job in self.store.jobs(limit=1000) if job.problem and job.tries), None)
            if failed or time.monotonic() > end:
                raise SystemExit(f"not done: {self.store.count_posts()}, {failed}")
            clock.tick()
            time.sleep(_LOOK)
        states = self.store.count_posts()
        if set(states) != {"published"}:
            raise SystemExit(f"not all was published: {states}, {self.store.jobs(limit=3)}")
