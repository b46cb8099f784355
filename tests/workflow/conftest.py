"""A kit of real parts around fakes that cost nothing: real store, media, panel, sealer and folder; scripted chat and judge."""

from __future__ import annotations

import functools
import io
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from zirelia.channels.folder import FolderChannel
from zirelia.critic.panel import CriticPanel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.personas import load_persona
from zirelia.domain.cadence import Slot
from zirelia.domain.persona import Persona
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.ports import Exhibit, MadeImage
from zirelia.provenance.sealer import JpegSealer
from zirelia.store.datasets import DatasetFiles
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.curation import FakeCurator
from zirelia.testing.editor import FakeImageEditor
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.dataset_kit import DatasetKit
from zirelia.workflow.kit import Kit, Subject

JUDGED = frozenset({Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.SUBJECTS, Criterion.BRIEF})


@dataclass
class Clock:
    """Moves on by a second whenever it is read."""

    at: datetime

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


class ClockedMaker(FakeImageMaker):
    """The shipped fake, by the test's clock."""

    clock: Clock

    def make(self, *args: Any, **options: Any) -> MadeImage:
        made = super().make(*args, **options)
        return replace(made, provenance=made.provenance.model_copy(update={"made_at": self.clock()}))


@dataclass
class Judge:
    """An instrument that says what it is told: for each picture the criteria that fail, and the repairs they ask for."""

    verdicts: list[Mapping[Criterion, Repair | None] | BaseException] = field(default_factory=list)
    seen: list[Exhibit] = field(default_factory=list)
    name: str = "judge"
    criteria: frozenset[Criterion] = JUDGED
    score: float = 0.4

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        self.seen.append(exhibit)
        said = self.verdicts.pop(0) if self.verdicts else {}
        if isinstance(said, BaseException):
            raise said
        return [
            Finding(
                criterion=criterion,
                outcome=Outcome.FAILED if criterion in said else Outcome.PASSED,
                instrument=self.name,
                explanation=f"{criterion} looked at",
                score=self.score if criterion in said else 0.9,
                threshold=0.8,
                repair=said.get(criterion),
            )
            for criterion in sorted(self.criteria)
        ]


@dataclass
class Diary:
    """A watcher that remembers."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def step(self, name: str, note: str = "") -> None:
        self.lines.append(("step", f"{name} {note}"))

    def progress(self, fraction: float, note: str) -> None: ...

    def note(self, text: str) -> None:
        self.lines.append(("note", text))

    def done(self, note: str = "") -> None:
        self.lines.append(("done", note))

    def failed(self, note: str) -> None:
        self.lines.append(("failed", note))

    def said(self, kind: str) -> str:
        return "\n".join(text for what, text in self.lines if what == kind)


AGENTS = functools.cache(lambda: {name: load_agent(name) for name in agent_names()})
MIRA = functools.cache(lambda: load_persona("mira").persona)


@dataclass
class Desk:
    """Everything on one desk. `kit()` makes a kit of the parts as they are now; `again()` opens the store anew."""

    home: Path
    store: SqlStore
    media: MediaStore
    chat: ScriptedChat
    images: ClockedMaker
    judge: Judge
    clock: Clock
    diary: Diary
    folder: FolderChannel
    subject: Subject
    changes: dict[str, Any] = field(default_factory=dict)

    def kit(self, **changes: Any) -> Kit:
        made: dict[str, Any] = {
            "store": self.store,
            "media": self.media,
            "chat": self.chat,
            "images": self.images,
            "panel": CriticPanel([self.judge], time_limit=5.0),
            "channels": {"folder": self.folder},
            "sealer": JpegSealer(),
            "agents": AGENTS(),
            "now": self.clock,
            "watcher": self.diary,
        }
        return Kit(**made | self.changes | changes)

    def as_persona(self, **changes: Any) -> Subject:
        """The subject with parts of its pack replaced, checked as a pack is."""
        document = self.subject.persona.model_dump(mode="json") | changes
        self.subject = replace(self.subject, persona=Persona.model_validate(document))
        return self.subject

    def states(self, post_id: int) -> list[str]:
        return [str(event.after) for event in self.store.events(post_id)]


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database: copying it is faster than migrating for every test."""
    home = tmp_path_factory.mktemp("blank")
    SqlStore(home / "zirelia.db", MediaStore(home / "media")).close()
    return home / "zirelia.db"


@pytest.fixture
def desk(tmp_path: Path, now: datetime, blank: Path) -> Iterator[Desk]:
    shutil.copy(blank, tmp_path / "zirelia.db")
    media = MediaStore(tmp_path / "media")
    clock = Clock(now)
    images = ClockedMaker(vocabulary=shot_vocabulary(), size=(96, 96))
    images.clock = clock
    with SqlStore(tmp_path / "zirelia.db", media) as store:
        yield Desk(
            home=tmp_path,
            store=store,
            media=media,
            chat=ScriptedChat(),
            images=images,
            judge=Judge(),
            clock=clock,
            diary=Diary(),
            folder=FolderChannel(tmp_path / "outbox", now=clock),
            subject=Subject(persona=MIRA(), lora=None, references=()),
        )


@dataclass
class Lab:
    """A desk for datasets: the real folder and store around fakes. `kit()` makes a kit of the parts as they are now."""

    desk: Desk
    folder: DatasetFiles
    editor: FakeImageEditor
    curator: FakeCurator
    photo: bytes
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def persona(self) -> Persona:
        return self.desk.subject.persona

    @property
    def diary(self) -> Diary:
        return self.desk.diary

    def kit(self, **changes: Any) -> DatasetKit:
        made: dict[str, Any] = {
            "store": self.desk.store,
            "folder": self.folder,
            "curator": self.curator,
            "now": self.desk.clock,
            "watcher": self.desk.diary,
            "editor": self.editor,
            "images": self.desk.images,
        }
        return DatasetKit(**made | self.changes | changes)

    def rows(self) -> dict[str, tuple[str, float | None]]:
        """Ledger row → (state, cost)."""
        return {row.id: (str(row.state), row.cost_usd) for row in self.desk.store.ledger(persona="mira")}


def painted(seed: int, *, side: int = 64, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(side * side * 3)).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def lab(desk: Desk) -> Lab:
    editor = FakeImageEditor(vocabulary=shot_vocabulary(), size=(64, 64), price=0.04)
    return Lab(desk, DatasetFiles(desk.home / "dataset"), editor, FakeCurator(), painted(7))


@pytest.fixture
def paint() -> Callable[..., bytes]:
    return painted


@pytest.fixture
def slot() -> Callable[..., Slot]:
    def make(window: str = "evening", hour: int = 18, day: int = 21) -> Slot:
        at = datetime(2026, 11, day, hour, 40, tzinfo=UTC)
        return Slot(persona="mira", day=at.date(), window=window, at=at)

    return make


@pytest.fixture
def repair() -> Callable[..., Repair]:
    def make(kind: RepairKind, because: str = "seen by the judge", phrase: str = "") -> Repair:
        return Repair(kind=kind, because=because, phrase=phrase)

    return make
