"""Each real offline instrument sabotaged in each way, through produce() to the post's state: held, never passed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zirelia.critic import lettering
from zirelia.critic.lettering import LetteringInstrument
from zirelia.critic.panel import CriticPanel
from zirelia.critic.photographs import PhotographsInstrument
from zirelia.domain.box import Box
from zirelia.domain.persona import Kind
from zirelia.domain.post import PostState
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.errors import ProviderError
from zirelia.ports import BackendFacts, Exhibit, Face, Instrument
from zirelia.testing.chat import ScriptedChat
from zirelia.workflow.kit import Budget

PHOTOGRAPHS = Path(__file__).parents[1] / "critic" / "photographs"
needs_dlib = pytest.mark.skipif(
    find_spec("dlib") is None or find_spec("face_recognition_models") is None, reason="the extra 'faces' is not installed"
)
DRAWN = ("looks", "technical", "lettering", "opennsfw", "duplicates")
PHOTOGRAPHED = ("photographs", "technical", "lettering", "opennsfw", "duplicates")


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


@pytest.fixture(params=[Kind.ILLUSTRATED, pytest.param(Kind.PHOTOGRAPHIC, marks=needs_dlib)])
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def shown(kind, mira, collins) -> dict[str, Any]:
    """What a turn shows that passes when nothing is spoilt."""
    if kind is Kind.ILLUSTRATED:
        return {"subject": mira}
    return {"subject": collins, "show": lambda _: (PHOTOGRAPHS / "collins.jpg").read_bytes(), "size": (384, 384)}


def spoilt(real: dict[str, Instrument], name: str, way: Callable[[Exhibit, Instrument], object]) -> CriticPanel:
    panel = [Sabotaged(one, way) if one.name == name else one for one in real.values()]
    # long enough for the real ones, so short that hanging is over soon
    return CriticPanel(panel, time_limit=20.0, time_limits={name: 0.05} if way is WAYS["hangs"] else {})


def test_unspoilt_they_pass(turn, real, kind, shown):
    assert tuple(real(kind)) == (DRAWN if kind is Kind.ILLUSTRATED else PHOTOGRAPHED)
    post, _ = turn(real(kind).values(), **shown)
    assert post.state is PostState.AWAITING_REVIEW, post.held_because


# what both kinds of persona share is spoilt once
SPOILT = [
    *((Kind.ILLUSTRATED, name) for name in DRAWN),
    pytest.param(Kind.PHOTOGRAPHIC, "photographs", marks=needs_dlib),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("kind", "name"), SPOILT)
def test_a_spoilt_instrument_holds_the_post(turn, real, kind, shown, name, way):
    instrument = real(kind)[name]
    post, _ = turn(spoilt(real(kind), name, WAYS[way]), **shown)
    assert post.state is PostState.HELD
    verdict = post.attempts[0].verdict
    assert verdict is not None
    assert not verdict.passed
    own = [finding for finding in verdict.findings if finding.instrument == name]
    assert {finding.criterion for finding in own if finding.outcome is Outcome.NOT_CHECKED} == instrument.criteria
    assert all(finding.outcome is not Outcome.PASSED for finding in own)
    assert all(c in (post.held_because or "") for c in instrument.criteria & shown["subject"].persona.rubric.must_check)


def test_what_failed_once_is_tried_again_and_nothing_is_passed_unseen(turn, real, mira):
    looked: list[int] = []

    def once(exhibit: Exhibit, instrument: Instrument) -> object:
        looked.append(1)
        if len(looked) == 1:
            raise RuntimeError("broken")
        return instrument.examine(exhibit)

    post, _ = turn(spoilt(real(Kind.ILLUSTRATED), "opennsfw", once), attempts=3)
    assert (post.state, len(post.attempts), len(looked)) == (PostState.AWAITING_REVIEW, 1, 2)


def test_one_that_hangs_for_good_is_never_waited_for_again(turn, real, kind, shown):
    started: list[int] = []

    def hangs(exhibit: Exhibit, instrument: Instrument) -> object:
        started.append(1)
        return GATE.wait()

    panel = CriticPanel(
        [Sabotaged(one, hangs) if one.name == "lettering" else one for one in real(kind).values()],
        time_limit=20.0,
        time_limits={"lettering": 0.05},
    )
    for _ in range(2):
        post, _ = turn(panel, attempts=3, **shown)
        assert post.state is PostState.HELD
        assert "technical" in post.held_because
    assert len(started) == 1


def test_a_painter_among_them_changes_nothing_for_the_others(turn, real, kind, shown):
    def paints(exhibit: Exhibit, instrument: Instrument) -> object:
        exhibit.image.paste((0, 0, 0), (0, 0, *exhibit.image.size))
        return passing(instrument)

    name = next(iter(real(kind)))
    assert turn(spoilt(real(kind), name, paints), **shown)[0].state is PostState.AWAITING_REVIEW


def test_eyes_that_cannot_be_paid_hold_the_post(turn, real):
    panel = list(real(Kind.ILLUSTRATED).values())
    post, _ = turn(panel, vision=ScriptedChat(), vision_estimate_usd=0.5, budget=Budget(post_usd=0.1))
    assert post.state is PostState.HELD
    assert "$0.10" in (post.held_because or "")
    assert post.attempts[0].verdict is None


class Broken:
    """A network of onnxruntime that fails as it is told."""

    def __init__(self, real: Any, spoil: Callable[[Any], Any]) -> None:
        self._real, self._spoil = real, spoil

    def get_inputs(self) -> Any:
        return self._real.get_inputs()

    def run(self, outputs: Any, inputs: Any) -> Any:
        return self._spoil(self._real.run(outputs, inputs))


def explodes(_: Any) -> Any:
    raise RuntimeError("the graph is damaged")


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "raises": explodes,
    "answers NaN": lambda said: [np.full_like(said[0], np.nan)],
    "answers nothing": lambda said: [],
    "answers without a shape": lambda said: [np.float32(0)],
    "answers endlessly": lambda said: [np.full_like(said[0], np.inf)],
}


@pytest.mark.parametrize("network", [0, 1], ids=["finder", "reader"])
@pytest.mark.parametrize("way", NETWORKS)
def test_lettering_over_a_network_that_fails(turn, real, monkeypatch, way, network):
    instrument = LetteringInstrument()
    parts = list(instrument._loaded())
    parts[network] = Broken(parts[network], NETWORKS[way])
    if network == 1:  # a finder that sees a line somewhere, so that the reader is asked
        parts[0] = Broken(
            parts[0], lambda said: [np.pad(np.ones((1, 1, 40, 200), np.float32), ((0, 0), (0, 0), (9, 271), (9, 111)))]
        )
    monkeypatch.setattr(lettering, "_load", lambda _: tuple(parts))
    post, _ = turn([instrument if one.name == "lettering" else one for one in real(Kind.ILLUSTRATED).values()])
    assert post.state is PostState.HELD
    (found,) = (f for f in post.attempts[0].verdict.findings if f.instrument == "lettering")
    assert found.outcome is Outcome.NOT_CHECKED


def test_lettering_without_its_weights(turn, real, monkeypatch):
    monkeypatch.setattr(lettering, "PACKAGE", "no_such_package")
    panel = [LetteringInstrument() if one.name == "lettering" else one for one in real(Kind.ILLUSTRATED).values()]
    post, _ = turn(panel)
    assert post.state is PostState.HELD
    assert any("MissingExtra" in f.explanation for f in post.attempts[0].verdict.findings)


class Reader:
    """A reader of faces that answers as told: sensibly for the references, then what `later` says of the real answer."""

    threshold = 0.925

    def __init__(self, later: Callable[[tuple[Face, ...]], object], *, sooner: bool = False) -> None:
        self._later, self._looks, self._sooner = later, 0, sooner
        self._face = Face(
            box=Box(left=0.3, top=0.1, right=0.6, bottom=0.4), embedding=np.eye(128, dtype=np.float32)[0], yaw=0.0
        )

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="told", model="1", local=True, paid=False)

    def faces(self, image: Image.Image) -> Any:
        self._looks += 1
        good = (self._face,)
        return self._later(good) if self._sooner or self._looks > 1 else good


def raises(_: Any) -> Any:
    raise RuntimeError("the landmarks are missing")


def face(good: tuple[Face, ...], **changes: Any) -> tuple[Face, ...]:
    return (Face(**{**vars(good[0]), **changes}),)


READERS: dict[str, Callable[[tuple[Face, ...]], object]] = {
    "raises": raises,
    "hangs": lambda good: GATE.wait(),
    "nothing": lambda good: None,
    "nobody": lambda good: (),
    "a word": lambda good: "mira",
    "NaN": lambda good: face(good, embedding=np.full(128, np.nan, np.float32)),
    "zeros": lambda good: face(good, embedding=np.zeros(128, np.float32)),
    "too long a vector": lambda good: face(good, embedding=good[0].embedding * 40),
    "another length": lambda good: face(good, embedding=np.ones(7, np.float32)),
    "a crowd": lambda good: good + face(good, embedding=-good[0].embedding) * 3,
    "turned away": lambda good: face(good, yaw=170.0),
    "no direction": lambda good: face(good, yaw=float("nan")),
    "another person": lambda good: face(good, embedding=np.eye(128, dtype=np.float32)[5]),
}


@pytest.mark.parametrize(
    ("way", "sooner"),
    [(way, sooner) for way in READERS for sooner in (False, True) if not (sooner and way == "another person")],
)
def test_photographs_by_a_reader_that_fails(turn, collins, way, sooner):
    instrument = PhotographsInstrument(Reader(READERS[way], sooner=sooner))
    post, _ = turn(
        CriticPanel([instrument], time_limit=0.1 if way == "hangs" else 20.0),
        subject=collins,
        show=lambda _: (PHOTOGRAPHS / "collins.jpg").read_bytes(),
        size=(384, 384),
    )
    assert post.state is PostState.HELD
    said = {f.criterion: f.outcome for f in post.attempts[0].verdict.findings if f.instrument == "photographs"}
    wrong = Criterion.SUBJECTS if way == "a crowd" else Criterion.IDENTITY
    assert said[wrong] is not Outcome.PASSED
