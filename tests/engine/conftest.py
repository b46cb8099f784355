"""A clock on a real store, with a roster of personas made up here and an engine that only writes down what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zirelia.definitions.personas import load_persona
from zirelia.domain.persona import Persona
from zirelia.engine.clock import Clock
from zirelia.errors import ConfigurationError
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

MIRA = load_persona("mira").persona


@dataclass
class Time:
    at: datetime

    def __call__(self) -> datetime:
        return self.at


@dataclass
class People:
    """A roster of packs."""

    packs: dict[str, Persona] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def names(self) -> Sequence[str]:
        return tuple(self.packs)

    def persona(self, name: str) -> Persona:
        if name in self.broken:
            raise ConfigurationError(f"{name}: line 3: cadence: nonsense")
        return self.packs[name]

    def draws_here(self, name: str) -> bool:
        return True


@dataclass
class Ledger:
    """An engine that starts nothing."""

    started: list[tuple[str, str, int, str]] = field(default_factory=list)
    flying: set[str] = field(default_factory=set)

    def enqueue(self, session: object, name: str, workflow: str, *, post_id: int, queue: str) -> None:
        self.started.append((name, workflow, post_id, queue))

    def in_flight(self, workflows: Sequence[str]) -> frozenset[str]:
        return frozenset(workflows) & self.flying


@dataclass
class Switch:
    everything: str | None = None
    some: set[str] = field(default_factory=set)

    def reason(self, persona: str | None = None) -> str | None:
        return self.everything or ("paused" if persona in self.some else None)

    def personas(self) -> frozenset[str]:
        return frozenset(self.some)


@dataclass
class Bench:
    store: SqlStore
    time: Time
    people: People
    engine: Any
    switch: Switch
    told: list[tuple[str, str]] = field(default_factory=list)

    def clock(self, store: SqlStore | None = None, **changes: Any) -> Clock:
        given: dict[str, Any] = {
            "lead": timedelta(hours=12),
            "late": timedelta(hours=2),
            "tries": 8,
            "now": self.time,
            "pauses": self.switch,
            "tell": lambda kind, message, post=None: self.told.append((kind, message)),
            "log": lambda *_, **__: None,
        }
        return Clock(store or self.store, self.people, self.engine, **given | changes)


@pytest.fixture
def pack() -> Callable[..., Persona]:
    def make(name: str = "mira", zone: str = "Europe/Lisbon", **cadence: Any) -> Persona:
        said = MIRA.cadence.model_dump() | {"timezone": zone, "country": None} | cadence
        return MIRA.model_copy(update={"name": name, "cadence": type(MIRA.cadence).model_validate(said)})

    return make


@pytest.fixture
def bench(tmp_path: Path, now: datetime, pack: Callable[..., Persona]):
    with SqlStore(tmp_path / "zirelia.db", MediaStore(tmp_path / "media")) as store:
        yield Bench(store, Time(now), People({"mira": pack()}), Ledger(), Switch())
