"""Days of the daemon in minutes: the same clock, queues and work, with a time that jumps to whatever comes next.

    moment = SimulatedTime(start)
    Rehearsal(clock, durable, store, moment, until=start + timedelta(days=7), decide=person, seen=print).run()

Only the time is pretended: slots open at their lead time, jobs run as workflows, posts go out when they are due. While work
runs, the time stands still. Knows no persona and no model.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from zirelia.engine.clock import Clock
from zirelia.engine.durable import Durable
from zirelia.store.sql import SqlStore

LONGEST_JUMP = timedelta(hours=6)
"""The time moves by so much at most, so that slots are planned on the way."""

_LOOK_SECONDS = 0.1
_MOST_JOBS = 1_000


class SimulatedTime:
    """A clock that is told what time it is."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class Rehearsal:
    """Args:
    moment: what `clock` and the work hold slots against; moved here.
    decide: what a person does with the posts that wait, asked after each moment; whether anything was decided.
    seen: told the time after everything that was due at it is done.
    speed: simulated seconds a real one, at most; None is as fast as the work allows.
    """

    def __init__(
        self,
        clock: Clock,
        durable: Durable,
        store: SqlStore,
        moment: SimulatedTime,
        *,
        until: datetime,
        decide: Callable[[], bool],
        seen: Callable[[datetime], None],
        speed: float | None = None,
    ) -> None:
        self._clock = clock
        self._durable = durable
        self._store = store
        self._now = moment
        self._until = until
        self._decide = decide
        self._seen = seen
        self._speed = speed
        self._stopped = threading.Event()

    def run(self) -> None:
        """Until the last moment of the rehearsal, or `stop`."""
        while not self._stopped.is_set():
            self._clock.plan()
            self._moment()
            self._seen(self._now.at)
            if self._now.at >= self._until:
                return
            upcoming = self._store.next_due() or self._until
            # what could not be done now, for the same reason a moment later, must not hold the time
            step = max(upcoming, self._now.at + timedelta(seconds=1))
            self._go_to(min(step, self._now.at + LONGEST_JUMP, self._until))

    def stop(self) -> None:
        """Ends after what runs now."""
        self._stopped.set()

    def _moment(self) -> None:
        """Everything that is due now, and what follows from it at once."""
        while not self._stopped.is_set():
            began = self._clock.tick()
            self._settle()
            if not self._decide() and began == 0:
                return

    def _settle(self) -> None:
        """Waits for what was begun."""
        while True:
            jobs = self._store.jobs(dead=False, limit=_MOST_JOBS)
            if not self._durable.in_flight([job.workflow for job in jobs if job.workflow is not None]):
                return
            time.sleep(_LOOK_SECONDS)

    def _go_to(self, moment: datetime) -> None:
        if self._speed is not None:
            self._stopped.wait((moment - self._now.at).total_seconds() / self._speed)
        self._now.at = moment
