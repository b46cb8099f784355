from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zirelia.critic.panel import CriticPanel
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind, Rubric, fold
from zirelia.errors import BudgetExceeded, ConfigurationError, ProviderError
from zirelia.ports import Exhibit

BARE = Exhibit(Image.new("RGB", (2, 2)), *[None] * 4, ())  # type: ignore[arg-type]
IDENTITY, SAFETY = Criterion.IDENTITY, Criterion.SAFETY
STRICT = Rubric(must_check=frozenset({IDENTITY, SAFETY}))


def finding(criterion: Criterion = IDENTITY, outcome: Outcome = Outcome.PASSED, **more: object) -> Finding:
    return Finding.model_validate(
        {"criterion": criterion, "outcome": outcome, "instrument": "probe", "explanation": "seen", **more}
    )


class Probe:
    """An instrument that does what the test says."""

    def __init__(self, act: Callable[[], object], *criteria: Criterion, name: str = "probe") -> None:
        self.name = name
        self.criteria = frozenset(criteria or {IDENTITY, SAFETY})
        self._act = act

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        return self._act()  # type: ignore[return-value]


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


@pytest.fixture
def any_exhibit(exhibit: Callable[..., Exhibit]) -> Exhibit:
    return exhibit(Image.new("RGB", (8, 8)))


@pytest.mark.parametrize(
    ("act", "named"),
    [
        (raising(RuntimeError("token sk-secret")), "RuntimeError"),
        (raising(MemoryError()), "MemoryError"),
        (raising(SystemExit(3)), "SystemExit"),
        (raising(BudgetExceeded("the budget of mira is spent")), "BudgetExceeded: the budget of mira is spent"),
        (raising(ProviderError("no answer", provider="vision")), "ProviderError: vision: no answer"),
        (lambda: None, "NoneType"),
        (lambda: "passed", "str instead of findings"),
        (lambda: {"passed": True}, "dict"),
        (lambda: 1.0, "float"),
        (lambda: ["passed"], "a str is no finding"),
        (lambda: [finding(Criterion.LOOK)], "look is not its criterion"),
        (lambda: [finding(SAFETY).model_copy(update={"score": float("nan")}), finding()], "score"),
        (lambda: [finding(SAFETY).model_copy(update={"cost_usd": -1.0}), finding()], "cost_usd"),
        (lambda: [finding(SAFETY).model_copy(update={"cost_usd": float("inf")}), finding()], "cost_usd"),
        (lambda: [finding(SAFETY).model_copy(update={"outcome": "fine"}), finding()], "outcome"),
        (lambda: [finding(SAFETY).model_copy(update={"explanation": ""}), finding()], "explanation"),
        (lambda: [Finding.model_construct(criterion=SAFETY), finding()], "outcome"),
        (lambda: [finding(SAFETY, explanation="a" * 1_000_000), finding()], "1000000 characters"),
        (lambda: [finding(SAFETY, raw="a" * 1_000_000), finding()], "1000000 characters"),
        (lambda: [finding(SAFETY, instrument="panel"), finding()], "speaks for the panel"),
        (lambda: [finding(), finding(SAFETY)] * 200, "400 findings"),
        (lambda: [finding(cost_usd=3.0), finding(SAFETY, cost_usd=2.5)], "cost $5.50"),
        (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
        (raising(GeneratorExit()), "GeneratorExit"),
        (raising(RecursionError()), "RecursionError"),
    ],
)
def test_an_error_is_not_checked_and_never_passes(act: Callable[[], object], named: str, any_exhibit: Exhibit) -> None:
    findings = CriticPanel([Probe(act)], expected=frozenset()).examine(any_exhibit)
    assert {(f.criterion, f.outcome) for f in findings} == {
        (IDENTITY, Outcome.NOT_CHECKED),
        (SAFETY, Outcome.NOT_CHECKED),
    }
    assert all(named in f.explanation and f.explanation.startswith("probe ") for f in findings)
    assert not any("sk-secret" in f.explanation for f in findings)
    assert not fold(findings, STRICT).passed


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_an_instrument_that_hangs_is_left_behind_and_not_started_again(gate: threading.Event, any_exhibit: Exhibit) -> None:
    calls = []

    def hang() -> object:
        calls.append(1)
        gate.wait()
        return [finding(), finding(SAFETY)]

    panel = CriticPanel([Probe(hang)], time_limits={"probe": 0.02})
    first = panel.examine(any_exhibit)
    assert "gave no answer within 0.02 s" in first[0].explanation
    assert first[0].seconds > 0
    assert not fold(first, STRICT).passed
    second = panel.examine(any_exhibit)
    assert sum(one.seconds for one in second) == 0
    assert "still busy with an earlier picture" in second[0].explanation
    assert not fold(second, STRICT).passed
    assert calls == [1]


def test_the_first_answer_may_take_longer(any_exhibit: Exhibit) -> None:
    """Models are loaded and strangers measured with it; a picture was paid for by then."""
    slow = threading.Event()
    told = [lambda: slow.wait(0.1), lambda: slow.wait(0.1)]

    def act() -> object:
        told.pop()()
        return [finding(), finding(SAFETY)]

    panel = CriticPanel([Probe(act)], time_limit=0.02, warm_up={"probe": 20.0})
    assert fold(panel.examine(any_exhibit), STRICT).passed
    assert "gave no answer within 0.02 s" in panel.examine(any_exhibit)[0].explanation
    slow.set()


@pytest.mark.parametrize("act", [raising(RuntimeError()), lambda: threading.Event().wait(0.2)])
def test_what_gave_no_answer_is_taken_to_have_cost_something(act: Callable[[], object], any_exhibit: Exhibit) -> None:
    panel = CriticPanel([Probe(act)], time_limit=0.02, unanswered_usd={"probe": 0.06}, expected=frozenset())
    assert sum(one.cost_usd for one in panel.examine(any_exhibit)) == pytest.approx(0.06)


def test_two_pictures_at_once_are_both_judged(any_exhibit: Exhibit) -> None:
    both = threading.Barrier(2, timeout=20)

    def act() -> object:
        both.wait()
        return [finding(), finding(SAFETY)]

    panel = CriticPanel([Probe(act)])
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(panel.examine, [any_exhibit, any_exhibit]))
    assert [fold(one, STRICT).passed for one in said] == [True, True]


class Endless(Sequence[Finding]):
    """Says that it is short and never ends."""

    def __init__(self, gate: threading.Event) -> None:
        self._gate = gate

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: object) -> Finding:  # type: ignore[override]
        if self._gate.wait(0.001):
            raise IndexError
        return finding()


def test_an_answer_that_never_ends_is_left_behind_too(gate: threading.Event, any_exhibit: Exhibit) -> None:
    findings = CriticPanel([Probe(lambda: Endless(gate))], time_limit=0.05).examine(any_exhibit)
    assert "gave no answer within 0.05 s" in findings[0].explanation
    assert not fold(findings, STRICT).passed


def test_what_too_much_cost_is_not_forgotten_and_its_failure_counts(any_exhibit: Exhibit) -> None:
    answer = [finding(IDENTITY, Outcome.FAILED, cost_usd=1.0), finding(SAFETY, cost_usd=2.0)]
    findings = CriticPanel([Probe(lambda: answer)], expected=frozenset(), cost_limit=2.5).examine(any_exhibit)
    assert sum(f.cost_usd for f in findings) == pytest.approx(3.0)
    assert Outcome.PASSED not in {f.outcome for f in findings}
    assert [f.criterion for f in findings if f.outcome is Outcome.FAILED] == [IDENTITY]


def test_no_instrument_sees_what_another_painted(any_exhibit: Exhibit) -> None:
    seen = []

    class Painter(Probe):
        def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
            seen.append(exhibit.image.tobytes())
            exhibit.image.paste((255, 255, 255), (0, 0, 8, 8))
            return super().examine(exhibit)

    before = any_exhibit.image.tobytes()
    painters = [Painter(lambda: [finding()], IDENTITY, name=name) for name in ("one", "two")]
    CriticPanel(painters).examine(any_exhibit)
    assert seen == [before, before]
    assert any_exhibit.image.tobytes() == before


def test_what_an_instrument_says_of_itself_is_asked_once(any_exhibit: Exhibit) -> None:
    probe = Probe(raising(OSError()))
    panel = CriticPanel([probe], expected=frozenset())
    probe.criteria = frozenset()
    assert {f.criterion for f in panel.examine(any_exhibit)} == {IDENTITY, SAFETY}
    assert panel.instruments == {"probe"}


def test_a_failure_inside_nonsense_still_counts_and_its_passes_do_not(any_exhibit: Exhibit) -> None:
    answer = [finding(IDENTITY, Outcome.FAILED), finding(SAFETY), "nonsense"]
    findings = CriticPanel([Probe(lambda: answer)], expected=frozenset()).examine(any_exhibit)
    verdict = fold(findings, Rubric(must_check=frozenset()))
    assert [f.criterion for f in verdict.failed] == [IDENTITY]
    assert Outcome.PASSED not in {f.outcome for f in findings}


def test_silence_and_missing_instruments_are_said_aloud(any_exhibit: Exhibit) -> None:
    panel = CriticPanel([Probe(lambda: [finding()])], expected=frozenset({SAFETY, Criterion.ANATOMY}))
    said = {f.criterion: f for f in panel.examine(any_exhibit)}
    assert said[SAFETY].explanation == "probe said nothing of safety"
    assert said[Criterion.ANATOMY].instrument == "panel"
    assert said[Criterion.ANATOMY].outcome is Outcome.NOT_CHECKED
    assert set(said) == {IDENTITY, SAFETY, Criterion.ANATOMY}


def test_seconds_are_recorded_and_own_times_are_kept(any_exhibit: Exhibit) -> None:
    untimed = Probe(lambda: [finding(), finding(SAFETY)], name="untimed")
    timed = Probe(lambda: [finding(seconds=7.0, cost_usd=0.5)], IDENTITY, name="timed")
    findings = CriticPanel([untimed, timed], expected=frozenset()).examine(any_exhibit)
    assert findings[0].seconds == findings[1].seconds > 0
    assert (findings[2].seconds, findings[2].cost_usd) == (7.0, 0.5)


@pytest.mark.parametrize(
    ("instruments", "settings", "message"),
    [
        ([Probe(list), Probe(list)], {}, "the same name"),
        ([Probe(list)], {"time_limit": 0}, "above zero"),
        ([Probe(list)], {"cost_limit": 0}, "above zero"),
        ([Probe(list)], {"cost_limit": float("nan")}, "above zero"),
        ([Probe(list)], {"time_limit": float("nan")}, "above zero"),
        ([Probe(list)], {"time_limits": {"prove": 3.0}}, "names no instrument: prove"),
    ],
)
def test_a_wrong_panel_is_refused(instruments: list[Probe], settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CriticPanel(instruments, **settings)  # type: ignore[arg-type]


acts = st.one_of(
    st.just("raise"),
    st.just("nonsense"),
    st.lists(st.tuples(st.sampled_from(Criterion), st.sampled_from([*Outcome, "nan"])), max_size=6),
)


@given(
    behaviours=st.lists(st.tuples(st.frozensets(st.sampled_from(Criterion), min_size=1), acts), max_size=4),
    must=st.frozensets(st.sampled_from(Criterion)),
    advisory=st.frozensets(st.sampled_from(Criterion)),
)
def test_only_a_checked_and_unfailed_picture_passes(
    behaviours: list[tuple[frozenset[Criterion], object]], must: frozenset[Criterion], advisory: frozenset[Criterion]
) -> None:
    def act(plan: object) -> Callable[[], object]:
        if plan == "raise":
            return raising(OSError())
        if plan == "nonsense":
            return lambda: [object()]
        assert isinstance(plan, list)
        repair = Repair(kind=RepairKind.NEW_SEED, because="seen")
        return lambda: [
            finding(criterion).model_copy(update={"score": float("nan")})
            if outcome == "nan"
            else finding(criterion, outcome, repair=repair if outcome is Outcome.FAILED else None)
            for criterion, outcome in plan
        ]

    probes = [Probe(act(plan), *criteria, name=f"probe{i}") for i, (criteria, plan) in enumerate(behaviours)]
    findings = CriticPanel(probes).examine(BARE)
    verdict = fold(findings, Rubric(must_check=must, advisory=advisory - must))
    outcomes = {c: {f.outcome for f in findings if f.criterion is c} for c in Criterion}
    assert all(outcomes[c] for c in Criterion)
    for probe, (criteria, plan) in zip(probes, behaviours, strict=True):
        if plan in ("raise", "nonsense"):
            mine = [f for f in findings if f.instrument == probe.name]
            assert {f.criterion for f in mine} == criteria
            assert {f.outcome for f in mine} == {Outcome.NOT_CHECKED}
    if verdict.passed:
        assert all(Outcome.PASSED in outcomes[c] for c in must)
        assert not any(Outcome.FAILED in outcomes[c] for c in set(Criterion) - (advisory - must))
