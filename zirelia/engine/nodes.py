"""One process of `zirelia up`: its roles, its heartbeat, its end; and the work of those that died.

    with Node(store, roster, settings, roles=("clock", "work", "gpu"), tell=notifier, log=log) as node:
        node.wait()            # until SIGTERM or SIGINT

On SQLite there is one such process, which the lock `daemon` sees to; on PostgreSQL as many as wanted. Each has an id of its
own, and what one has begun when it dies is put back into its queue by whoever notices first: after 30 s without a heartbeat, or
at once by the process that takes its place. Knows no use case.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any, Self

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from zirelia.domain.publication import AccountLimits
from zirelia.engine.clock import GPU, SEND, WORK, Clock
from zirelia.engine.durable import Durable
from zirelia.engine.pause import Pauses
from zirelia.engine.roster import Roster
from zirelia.engine.work import Told, Worker
from zirelia.errors import ConfigurationError, Conflict, ZireliaError
from zirelia.ports import Watcher
from zirelia.settings import Settings
from zirelia.store.nodes import SILENCE
from zirelia.store.sql import SqlStore

ROLES = ("clock", "work", "gpu", "web")
SENDERS = 4
"""Publications and decisions at a time, for one process."""

PURGE_AFTER = timedelta(days=14)
_PLAN_SECONDS = 60
_SQLITE_BEAT_SECONDS = 5
_LOOK_SECONDS = 0.25
_QUEUES_OF = {"work": (WORK, SEND), "gpu": (GPU,)}


class Node:
    """Args:
    roles: which of `ROLES` this process has. workers: turns written at a time. device: names the card of the role `gpu`; one
    process a device. now: the clock that slots are held against. beside: what runs from when the node has its place until its
    work has ended: the web server of the role `web`. chores: what a node with the role clock does once an hour, by name; two
    nodes may do it at once.

    beaten: when the heart last beat, by time.monotonic(), whether or not the database heard it. rounds: what is done again and
    again → when it last went well, in seconds since 1970.
    """

    def __init__(
        self,
        store: SqlStore,
        roster: Roster,
        settings: Settings,
        *,
        roles: tuple[str, ...],
        workers: int,
        tell: Told,
        log: Callable[..., None],
        watcher: Callable[[int, str], Watcher],
        device: str = "0",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        beside: Callable[[Node], AbstractContextManager[object]] = lambda _node: contextlib.nullcontext(),
        chores: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        unknown = [role for role in roles if role not in ROLES]
        if unknown or not roles:
            raise ConfigurationError(f"there is no role '{', '.join(unknown)}'", hint="roles: " + ", ".join(ROLES))
        self.name = settings.engine.node or socket.gethostname()
        if "gpu" in roles and device != "0":
            # processes of two cards are two nodes: what the one has begun is not the other's
            self.name += f"-{device}"
        self.id = f"{self.name}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.roles = roles
        self.launched = threading.Event()
        self.stopping = threading.Event()
        self.beaten = time.monotonic()
        self.rounds: dict[str, float] = {}
        self._store = store
        self._settings = settings
        self._tell = tell
        self._log = log
        self._device = device
        self._beside = beside
        self._chores = chores or {}
        self._stack = ExitStack()
        engine, pauses = settings.engine, Pauses(settings)
        worker = Worker(
            store,
            roster,
            limits=AccountLimits(daily=settings.channels.daily_limit, gap_minutes=settings.channels.min_gap_minutes),
            late=timedelta(minutes=engine.late_minutes),
            policy=engine.undecided,
            now=now,
            paused=pauses.reason,
            watcher=watcher,
            tell=tell,
        )
        at_a_time = {WORK: workers, GPU: 1, SEND: SENDERS}
        mine = {queue: at_a_time[queue] for role in roles for queue in _QUEUES_OF.get(role, ())}
        self.durable = Durable(store.engine_url, executor=self.id, queues=mine, all_queues=at_a_time, work=worker.all())
        self.clock = Clock(
            store,
            roster,
            self.durable,
            lead=timedelta(hours=engine.lead_hours),
            late=timedelta(minutes=engine.late_minutes),
            tries=engine.publish_tries,
            now=now,
            pauses=pauses,
            tell=tell,
            log=log,
        )
        self._heart = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
        self._scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(5)}, timezone=UTC)

    def __enter__(self) -> Self:
        """Raises Conflict when this place is taken, StoreError when the database cannot be used."""
        try:
            # from the first moment on: one who stops a node that is starting means an end in good order, too
            self._stack.enter_context(_signals(self.stopping))
            self._take_place()
            self._stack.enter_context(self._beside(self))
            self._store.register(self.id, name=self.name, roles=self.roles, host=socket.gethostname(), pid=os.getpid())
            self._stack.callback(self._sign_off)
            # it beats until the work has ended, or others would take that over in the meantime
            self._start_heart()
            self._stack.callback(self._close_engine)
            self.durable.launch()
            self._take_over_own()
            if "clock" in self.roles:
                self._adopt()
            self._schedule()
            self.launched.set()
        except BaseException:
            self._stack.close()
            raise
        self._log("up", node=self.id, roles=",".join(self.roles), database=self._store.name)
        return self

    def __exit__(self, *exception: object) -> None:
        if not self.stopping.is_set():
            self.stopping.set()
        self._log("stopping", node=self.id, running=self.durable.running(), seconds=self._settings.engine.stop_s)
        self._stack.close()
        self._log("down", node=self.id, handed_back=self.durable.handed_back)

    def wait(self) -> None:
        """Returns at SIGTERM or SIGINT, or when the node was declared gone by others."""
        # by looking: a signal just before an endless wait, or one that another thread got, would not be seen until the next one
        while not self.stopping.is_set():
            time.sleep(_LOOK_SECONDS)

    def _adopt(self) -> None:
        try:
            adopted = self._store.adopt()
        except Conflict:
            return  # a node that started at the same moment did it
        if adopted:
            self._log("posts found without a job", posts=adopted)

    # ---- its place -------------------------------------------------------------------------------------------------------

    def _take_place(self) -> None:
        """On SQLite the whole database is one process's; anywhere one process has a device."""
        if self._store.is_sqlite:
            hint = "stop it, or set ZIRELIA_DATABASE_URL: PostgreSQL takes many"
            self._hold("daemon", "another `zirelia up` works on this home", hint)
        if "gpu" in self.roles:
            device = f"gpu-{socket.gethostname()}-{self._device}"
            self._hold(device, f"another process has the role gpu on device {self._device}", "name another one with --device")
        place = f"node-{self.name}-{'-'.join(self.roles)}-{self._device}"
        self._hold(place, f"a node {self.name} with these roles is up", "set ZIRELIA_ENGINE_NODE to another name")

    def _hold(self, lock: str, taken: str, hint: str) -> None:
        try:
            self._stack.enter_context(self._store.lock(lock))
        except Conflict as error:
            raise Conflict(f"{taken}: {error.message}", hint=hint) from error

    def _take_over_own(self) -> None:
        """The lock on this place is ours, so its former holders are dead, however fresh their heartbeat is."""
        for node in self._store.nodes():
            same = self._store.is_sqlite or (node.name == self.name and node.roles == self.roles)
            if node.id != self.id and same:
                self._take_over(node.id)

    def _take_over(self, node_id: str) -> None:
        # first the work, then the name: a death in between leaves both to the next who looks
        count = self.durable.take_over([node_id])
        if self._store.sign_off(node_id):
            self._log("took over", node=node_id, workflows=count)
            self._tell("node_gone", f"node {node_id} is gone; {count} of its workflows go on elsewhere")

    def _close_engine(self) -> None:
        try:
            self.durable.close(within=round(self._settings.engine.stop_s))
        except Exception as error:  # the database may be away: what was begun is taken over after the silence
            self._log("not closed in good order", problem=type(error).__name__, level="warning")

    def _sign_off(self) -> None:
        try:
            self._store.sign_off(self.id)
        except ZireliaError as error:
            self._log("not signed off", problem=error.message)

    # ---- its rhythm ------------------------------------------------------------------------------------------------------

    def _start_heart(self) -> None:
        beat = _SQLITE_BEAT_SECONDS if self._store.is_sqlite else 1
        self._every(beat, "beat", self._beat, by=self._heart)
        self._heart.start()
        self._stack.callback(self._heart.shutdown, wait=True)

    def _schedule(self) -> None:
        engine = self._settings.engine
        self._every(10, "watch nodes", self._watch)
        if "clock" in self.roles:
            self._every(engine.tick_s, "tick", self.clock.tick)
            self._every(_PLAN_SECONDS, "plan", self.clock.plan)
            self._every(6 * 3600, "purge", self._purge, first=600)
            self._every(60, "stuck", self._stuck, first=60)
            for name, do in self._chores.items():
                self._every(3600, name, do, first=90)
        self._scheduler.start()
        self._stack.callback(self._scheduler.shutdown, wait=True)

    def _every(
        self, seconds: float, name: str, do: Callable[[], Any], *, first: float = 0.0, by: BackgroundScheduler | None = None
    ) -> None:
        (by or self._scheduler).add_job(
            self._guarded(name, do),
            "interval",
            seconds=seconds,
            id=name,
            next_run_time=datetime.now(UTC) + timedelta(seconds=first),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    def _guarded(self, name: str, do: Callable[[], Any]) -> Callable[[], None]:
        """A round that fails is told of, and the next one comes: the database may be back by then."""

        def run() -> None:
            try:
                do()
                self.rounds[name] = time.time()
            except ZireliaError as error:
                self._log(f"{name} failed", problem=error.message, level="warning")
            except Exception as error:
                self._log(f"{name} failed", problem=f"defect: {type(error).__name__}", level="error", exc_info=True)

        return run

    def _beat(self) -> None:
        try:
            if not self._store.beat(self.id) and not self.stopping.is_set():
                # others took it for dead: it was stopped, or cut off, for long. Locks guard what it runs
                self._log("declared gone by another node", node=self.id, level="warning")
                self._store.register_again(self.id)
        finally:
            self.beaten = time.monotonic()

    def _watch(self) -> None:
        for node_id in self._store.silent(SILENCE.total_seconds()):
            if node_id != self.id:
                self._take_over(node_id)

    def _purge(self) -> None:
        before = datetime.now(UTC) - PURGE_AFTER
        self.durable.purge(round(before.timestamp() * 1000))
        self._store.forget_nodes(PURGE_AFTER.days)

    def _stuck(self) -> None:
        for post_id, persona, state, since in self._store.stuck(datetime.now(UTC), self._settings.engine.stuck_minutes):
            self._tell("stuck", f"post {post_id} of {persona} is {state} without progress since {since:%d %b %H:%M} UTC")


@contextlib.contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT end the node in good order; the second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before: Mapping[int, Any] = {one: signal.signal(one, ask) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
