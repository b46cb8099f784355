"""One look at a time, shared by all who ask: however many ask, and however long the database is silent, one thread looks.

    counts = Fresh(lambda: store.figures(now()), seconds=5.0, patience=8.0)
    await counts.get()                  # a look that is at most 5 s old; None when there is none

Knows nothing of what is looked at.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Fresh(Generic[T]):
    """Args:
    seconds: for how long a look counts. patience: how many seconds an asker waits for a new one. stale: how old, in seconds, it
    may be for somebody who waited in vain. failed: is told of a look that failed.
    """

    def __init__(
        self,
        look: Callable[[], T],
        *,
        seconds: float,
        patience: float,
        stale: float = 0.0,
        failed: Callable[[Exception], None] = lambda _error: None,
    ) -> None:
        self._look = look
        self._seconds = seconds
        self._patience = patience
        self._stale = stale
        self._failed = failed
        self._lock = threading.Lock()
        self._seen: tuple[float, T] | None = None
        self._flight: Future[T | None] | None = None

    async def get(self) -> T | None:
        """None when the look failed, or takes too long."""
        with self._lock:
            if self._seen is not None and time.monotonic() - self._seen[0] < self._seconds:
                return self._seen[1]
            flight = self._flight or self._begin()
        try:
            # shielded: one asker who goes away does not end the look of the others
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(flight)), self._patience)
        except TimeoutError:
            with self._lock:
                fresh = self._seen is not None and time.monotonic() - self._seen[0] < self._stale
                return self._seen[1] if fresh and self._seen is not None else None

    def _begin(self) -> Future[T | None]:
        flight: Future[T | None] = Future()
        flight.set_running_or_notify_cancel()
        self._flight = flight
        # not of a pool: a look that hangs must not keep the process from ending
        threading.Thread(target=self._run, args=(flight,), name="look", daemon=True).start()
        return flight

    def _run(self, flight: Future[T | None]) -> None:
        began, seen, problem = time.monotonic(), None, None
        try:
            seen = self._look()
        except Exception as error:
            problem = error
        with self._lock:
            self._flight = None
            if seen is not None:
                self._seen = (began, seen)
        if problem is not None:
            self._failed(problem)
        flight.set_result(seen)
