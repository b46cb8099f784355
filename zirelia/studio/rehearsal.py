"""`zirelia rehearse`, wired: days of the daemon in a home of their own, where nothing can reach a platform.

    with open_studio(settings=rehearsed(settings, home), embedded=True) as studio:
        past = rehearse(studio, wanted, settings, seen=terminal)
        write_rehearsal_page(studio, past, Path("week.html"))

The posts are made, judged, decided and published as by `zirelia up`; every channel is the folder in that home. The notebook in
the home says how far it came, so that an interrupted rehearsal goes on.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Literal

from zirelia.channels.folder import FolderChannel
from zirelia.domain.cadence import slots_between
from zirelia.domain.persona import Persona
from zirelia.domain.post import Post, PostState
from zirelia.domain.publication import AccountLimits
from zirelia.domain.value import Instant, Slug, Value
from zirelia.engine.clock import GPU, SEND, WORK, Clock
from zirelia.engine.durable import Durable
from zirelia.engine.pause import Pauses
from zirelia.engine.rehearsal import Rehearsal, SimulatedTime
from zirelia.engine.work import Worker
from zirelia.errors import ConfigurationError
from zirelia.files import make_private_folder, write_atomically
from zirelia.ports import Watcher
from zirelia.settings import Settings
from zirelia.studio import SilentWatcher, Studio
from zirelia.studio.roster import StudioRoster
from zirelia.workflow import review
from zirelia.workflow.kit import Budget, Kit, Subject

NOTEBOOK = "rehearsal.json"
MOST_POSTS = 2_000
BY = "rehearsal"
AT_REST = frozenset({PostState.PUBLISHED, PostState.HELD, PostState.REJECTED, PostState.UNKNOWN})
Deciding = Literal["approve", "nobody"]


class Wanted(Value):
    """What is rehearsed. decide: "approve" stands in for a person who approves what the critic passed; "nobody" never decides.

    at: how far it came; the start, in a new one. name: what its calls are booked under.
    """

    name: Slug
    personas: tuple[Slug, ...]
    start: Instant
    until: Instant
    decide: Deciding = "approve"
    at: Instant

    def is_same(self, other: Wanted) -> bool:
        """Whether one goes on with the other."""
        return self.model_dump(exclude={"at", "name"}) == other.model_dump(exclude={"at", "name"})


@dataclass(frozen=True)
class Progress:
    """Where the rehearsal is. planned: slots within its days; done: posts of those slots that came to rest."""

    at: datetime
    done: int
    planned: int
    changed: tuple[Post, ...]


def rehearsed(settings: Settings, home: Path) -> Settings:
    """The settings with that home, without PostgreSQL and without anybody being told."""
    changes = {
        "home": home,
        "database_url": None,
        "channels": settings.channels.model_copy(update={"folder_outbox": None}),
        "notify": type(settings.notify)(),
        "engine": settings.engine.model_copy(update={"paused": False}),
    }
    return settings.model_copy(update=changes)


def wanted(studio: Studio, personas: Sequence[str] | None, *, days: int, first: datetime | None, decide: Deciding) -> Wanted:
    """From the first persona's midnight on; tomorrow's when no day is given. Raises what loading the packs raises."""
    names = tuple(personas or StudioRoster(studio).names())
    zone = next(iter([studio.persona(name) for name in names])).cadence.zone
    day = first.date() if first is not None else (datetime.now(UTC).astimezone(zone) + timedelta(days=1)).date()
    start = datetime.combine(day, time(), zone).astimezone(UTC)
    until = datetime.combine(day + timedelta(days=days), time(), zone).astimezone(UTC)
    return Wanted(name=f"r{uuid.uuid4().hex[:8]}", personas=names, start=start, until=until, decide=decide, at=start)


def notebook(home: Path) -> Wanted | None:
    """What is rehearsed in that home; None where nothing is."""
    path = home / NOTEBOOK
    try:
        return Wanted.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ConfigurationError(f"{path} is no notebook of a rehearsal", hint="give another --home") from error


def keep(home: Path, plan: Wanted) -> None:
    """Writes the notebook."""
    make_private_folder(home)
    write_atomically(home / NOTEBOOK, plan.model_dump_json().encode(), temporary_folder=home)


def is_open(home: Path) -> bool:
    """Whether a rehearsal was begun there and has not come to its end."""
    plan = notebook(home)
    return plan is not None and plan.start < plan.at < plan.until


class RehearsalRoster(StudioRoster):
    """The personas on the folder channel, in the rehearsal's time."""

    def __init__(self, studio: Studio, names: Sequence[str], moment: SimulatedTime, purse: Mapping[str, Budget]) -> None:
        super().__init__(studio)
        self._names = tuple(names)
        self._moment = moment
        self._purse = purse
        folder = FolderChannel(studio.settings.outbox, now=moment)
        self._channels = {folder.name: folder}

    def names(self) -> Sequence[str]:
        return self._names

    def persona(self, name: str) -> Persona:
        return super().persona(name).model_copy(update={"channels": tuple(self._channels)})

    def desk(self, name: str, watcher: Watcher) -> tuple[Kit, Subject]:
        kit, subject = super().desk(name, watcher)
        persona = subject.persona.model_copy(update={"channels": tuple(self._channels)})
        changes: dict[str, object] = {
            "channels": self._channels,
            "now": self._moment,
            "budget": self._purse.get(name, kit.budget),
        }
        return replace(kit, **changes), replace(subject, persona=persona)  # type: ignore[arg-type]


def rehearse(
    studio: Studio,
    plan: Wanted,
    *,
    speed: float | None = None,
    purse: Mapping[str, Budget] | None = None,
    seen: Callable[[Progress], None],
) -> None:
    """Runs the days of `plan`, or what is left of them, and keeps the notebook. Raises Conflict when the home is in use.

    Args:
        speed: simulated seconds a real one, at most. purse: what a persona may spend in place of the settings' caps.
    """
    store, settings, moment = studio.store, studio.settings, SimulatedTime(plan.at)
    roster = RehearsalRoster(studio, plan.personas, moment, purse or {})
    with ExitStack() as stack:
        stack.enter_context(store.lock("daemon"))
        durable = _engine(stack, studio, roster, moment)
        clock = Clock(
            store,
            roster,
            durable,
            lead=timedelta(hours=settings.engine.lead_hours),
            late=timedelta(minutes=settings.engine.late_minutes),
            tries=settings.engine.publish_tries,
            now=moment,
            pauses=Pauses(settings),
            tell=_told,
            log=_logged,
        )
        Rehearsal(
            clock,
            durable,
            store,
            moment,
            until=plan.until,
            decide=lambda: plan.decide == "approve" and _approve(studio, roster, plan),
            seen=_look(studio, roster, plan, seen),
            speed=speed,
        ).run()


def _engine(stack: ExitStack, studio: Studio, roster: RehearsalRoster, moment: SimulatedTime) -> Durable:
    """The workflow engine, launched, with what an interrupted process had begun back in its queues."""
    store, settings = studio.store, studio.settings
    pauses = Pauses(settings)
    worker = Worker(
        store,
        roster,
        limits=AccountLimits(daily=settings.channels.daily_limit, gap_minutes=settings.channels.min_gap_minutes),
        late=timedelta(minutes=settings.engine.late_minutes),
        policy=settings.engine.undecided,
        now=moment,
        paused=pauses.reason,
        watcher=lambda *_: SilentWatcher(),
        tell=_told,
    )
    executor = f"{BY}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    queues = {WORK: 1, GPU: 1, SEND: 1}
    durable = Durable(store.engine_url, executor=executor, queues=queues, all_queues=queues, work=worker.all())
    store.register(executor, name=BY, roles=(BY,), host=socket.gethostname(), pid=os.getpid())
    stack.callback(store.sign_off, executor)
    stack.callback(durable.close, within=round(settings.engine.stop_s))
    durable.launch()
    for node in store.nodes():
        if node.id != executor:
            durable.take_over([node.id])
            store.sign_off(node.id)
    return durable


def _approve(studio: Studio, roster: RehearsalRoster, plan: Wanted) -> bool:
    """A stand-in for the person; whether there was anything to approve."""
    approved = False
    for name in plan.personas:
        for post in studio.store.posts(persona=name, states=frozenset({PostState.AWAITING_REVIEW})):
            kit, _ = roster.desk(name, SilentWatcher())
            review.approve(kit, post.id, by=BY, because="rehearsed: the critic passed it")
            approved = True
    return approved


def _look(
    studio: Studio, roster: RehearsalRoster, plan: Wanted, seen: Callable[[Progress], None]
) -> Callable[[datetime], None]:
    planned = {
        slot.id for name in plan.personas for slot in slots_between(roster.persona(name).cadence, name, plan.start, plan.until)
    }
    known: dict[int, int] = {}

    def look(at: datetime) -> None:
        posts = studio.store.posts(limit=MOST_POSTS)
        changed = tuple(post for post in reversed(posts) if known.get(post.id) != post.version)
        known.update({post.id: post.version for post in posts})
        done = sum(post.slot_id in planned and post.state in AT_REST for post in posts)
        keep(studio.settings.home, plan.model_copy(update={"at": at}))
        seen(Progress(at, done, len(planned), changed))

    return look


def _told(kind: str, message: str, *, post: Post | None = None) -> None:
    """What a person would be told of stands on the page."""


def _logged(event: str, **fields: object) -> None:
    """As above."""
