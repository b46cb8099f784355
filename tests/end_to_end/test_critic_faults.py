"""Each real instrument sabotaged in each way, through produce() to the post's state: held, never passed."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from zirelia.channels.folder import FolderChannel
from zirelia.critic.panel import CriticPanel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.personas import load_persona
from zirelia.domain.cadence import Slot
from zirelia.domain.persona import Kind
from zirelia.domain.post import Post, PostState
from zirelia.domain.verdict import Criterion, Finding, Outcome, Rubric
from zirelia.errors import ProviderError
from zirelia.pictures import load_picture
from zirelia.pocket.drawing import render
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.pocket.world import CLOTHS, EXPRESSIONS, FRAMINGS, GARMENTS, HELD_OUT, LIGHTS, SCENES, WorldShot
from zirelia.ports import Exhibit, Instrument, MadeImage
from zirelia.provenance.sealer import JpegSealer
from zirelia.settings import Settings
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.studio import SilentWatcher, instruments
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.kit import Budget, Kit, Subject
from zirelia.workflow.produce import produce

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SIDE = 256


class Painter(FakeImageMaker):
    """Draws mira as the prompt says."""

    def make(self, prompt: Any, **options: Any) -> MadeImage:
        def first(words: Sequence[str]) -> str:
            return next((word for word in words if word in prompt.text), words[0])

        made = super().make(prompt, **options)
        shot = WorldShot(
            garment=first(GARMENTS), cloth=first(CLOTHS), expression=first(EXPRESSIONS), scene=first(SCENES),
            light=first(LIGHTS), framing=first(FRAMINGS), seed=5,
        )  # fmt: skip
        buffer = io.BytesIO()
        render(HELD_OUT["mira"], shot, SIDE).save(buffer, "PNG")
        return replace(made, data=buffer.getvalue())


REAL: dict[str, Instrument] = {one.name: one for one in instruments.offline(Settings(), Kind.ILLUSTRATED)}
CRITERIA = frozenset(criterion for one in REAL.values() for criterion in one.criteria)


class Sabotaged:
    """A real instrument whose answer is spoilt."""

    def __init__(self, real: Instrument, spoil: Callable[[Exhibit, Instrument], object]) -> None:
        self.name, self.criteria, self._real, self._spoil = real.name, real.criteria, real, spoil

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        return self._spoil(exhibit, self._real)  # type: ignore[return-value]


def raising(error: BaseException) -> Callable[[Exhibit, Instrument], object]:
    def spoil(exhibit: Exhibit, real: Instrument) -> object:
        raise error

    return spoil


def passing(real: Instrument, **changes: object) -> list[Finding]:
    """Praise for everything, with something wrong in it."""
    return [
        Finding(criterion=criterion, outcome=Outcome.PASSED, instrument=real.name, explanation="fine").model_copy(
            update=changes
        )
        for criterion in sorted(real.criteria)
    ]


GATE = threading.Event()
WAYS: dict[str, Callable[[Exhibit, Instrument], object]] = {
    "raises": raising(RuntimeError("broken")),
    "no memory": raising(MemoryError()),
    "exits": raising(SystemExit(0)),
    "interrupts": raising(KeyboardInterrupt()),
    "provider": raising(ProviderError("gone", provider="x")),
    "hangs": lambda exhibit, real: GATE.wait(),
    "nothing": lambda exhibit, real: None,
    "empty": lambda exhibit, real: (),
    "a word": lambda exhibit, real: "passed",
    "strings": lambda exhibit, real: ["passed"],
    "NaN": lambda exhibit, real: passing(real, score=float("nan")),
    "another criterion": lambda exhibit, real: passing(real, criterion=Criterion.ANATOMY),
    "a negative cost": lambda exhibit, real: passing(real, cost_usd=-1.0),
    "too dear": lambda exhibit, real: passing(real, cost_usd=99.0),
    "huge": lambda exhibit, real: passing(real, explanation="x" * 2_000_000),
    "too many": lambda exhibit, real: passing(real) * 1000,
}


@pytest.fixture(scope="module")
def kept() -> dict[tuple[str, bytes], Sequence[Finding]]:
    """What the real instruments said of a picture: they say the same again."""
    return {}


@pytest.fixture(scope="module")
def subject() -> Subject:
    loaded = load_persona("mira")
    # of the brief, the encoder cannot read every expression
    rubric = Rubric(must_check=CRITERIA - {Criterion.BRIEF})
    persona = loaded.persona.model_copy(update={"rubric": rubric})
    return Subject(persona=persona, lora=None, references=tuple(map(load_picture, loaded.reference_paths())))


@pytest.fixture
def made(tmp_path, subject, kept):
    def make(panel: Sequence[Instrument], **changes: Any) -> tuple[Post, SqlStore]:
        media = MediaStore(tmp_path / "media")
        with SqlStore(tmp_path / "zirelia.db", media) as store:
            chat = ScriptedChat()
            chat.values = {"outfit": "red blazer", "framing": "half body"}
            kit = Kit(
                **{
                    "store": store,
                    "media": media,
                    "chat": chat,
                    "images": Painter(vocabulary=shot_vocabulary(), size=(SIDE, SIDE)),
                    # long enough for the real ones, so short that hanging is over soon
                    "panel": CriticPanel(panel, time_limit=20.0, time_limits={one.name: 0.05 for one in panel if _hangs(one)}),
                    "channels": {"folder": FolderChannel(tmp_path / "outbox")},
                    "sealer": JpegSealer(),
                    "agents": {name: load_agent(name) for name in agent_names()},
                    "now": lambda: NOW,
                    "watcher": SilentWatcher(),
                    "attempts": 1,
                }
                | changes
            )
            slot = Slot(persona="mira", day=NOW.date(), window="evening", at=NOW)
            return produce(kit, subject, slot), store

    return make


def _hangs(one: Instrument) -> bool:
    return isinstance(one, Sabotaged) and one._spoil is WAYS["hangs"]


class Remembering:
    """A real instrument that looks at the same picture once only."""

    def __init__(self, real: Instrument, kept: dict[tuple[str, bytes], Sequence[Finding]]) -> None:
        self.name, self.criteria, self._real, self._kept = real.name, real.criteria, real, kept

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        key = (self.name, exhibit.image.tobytes())
        if key not in self._kept:
            self._kept[key] = self._real.examine(exhibit)
        return self._kept[key]


def test_unspoilt_they_pass(made, kept):
    post, _ = made([Remembering(one, kept) for one in REAL.values()])
    assert post.state is PostState.AWAITING_REVIEW, post.held_because


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", REAL)
def test_a_spoilt_instrument_holds_the_post(made, kept, name, way):
    panel = [Sabotaged(one, WAYS[way]) if one.name == name else Remembering(one, kept) for one in REAL.values()]
    post, _ = made(panel)
    assert post.state is PostState.HELD
    verdict = post.attempts[0].verdict
    assert verdict is not None
    assert not verdict.passed
    own = [finding for finding in verdict.findings if finding.instrument == name]
    assert {finding.criterion for finding in own if finding.outcome is Outcome.NOT_CHECKED} == REAL[name].criteria
    assert all(finding.outcome is not Outcome.PASSED for finding in own)
    assert all(criterion in (post.held_because or "") for criterion in REAL[name].criteria)


def test_a_painter_among_them_changes_nothing_for_the_others(made, kept, subject):
    def paints(exhibit: Exhibit, real: Instrument) -> object:
        exhibit.image.paste((0, 0, 0), (0, 0, SIDE, SIDE))
        return passing(real)

    first, *others = REAL.values()
    post, _ = made([Sabotaged(first, paints), *(Remembering(one, kept) for one in others)])
    assert post.state is PostState.AWAITING_REVIEW


def test_eyes_that_cannot_be_paid_hold_the_post(made, kept):
    eyes = ScriptedChat()
    panel = [Remembering(one, kept) for one in REAL.values()]
    post, _ = made(panel, vision=eyes, vision_estimate_usd=0.5, budget=Budget(post_usd=0.1))
    assert post.state is PostState.HELD
    assert "$0.10" in (post.held_because or "")
    assert post.attempts[0].verdict is None
