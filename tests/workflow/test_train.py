"""A training as a use case: what is refused before it starts, what the ledger says, and what a kill leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from zirelia.domain.dataset import Dataset, Reference
from zirelia.domain.duration import duration
from zirelia.domain.ledger import LedgerState
from zirelia.domain.lora import Checkpoint, Lora
from zirelia.domain.persona import Consent
from zirelia.errors import BudgetExceeded, ConsentRequired, ProviderError, TrainingError, ZireliaError
from zirelia.ports import BackendFacts, PaidCall, Progress, TrainingOrder, Usage
from zirelia.workflow.kit import Budget
from zirelia.workflow.train import TrainKit, _Pace, train

TRIGGER = "mirelo"


@dataclass
class Hosted:
    """A paid trainer of one account: remembers what was ordered, and keeps the file in the order's folder."""

    fails: BaseException | None = None
    killed_after: str = ""
    paid: bool = True
    estimate: float = 2.0
    cost: float = 1.5
    ordered: list[str] = field(default_factory=list)
    files: dict[Path, Checkpoint] = field(default_factory=dict)

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="replicate" if self.paid else "here", model="trainer", local=not self.paid, paid=self.paid)

    def estimate_usd(self, order: TrainingOrder) -> float:
        return 0.0 if order.out in self.files else self.estimate

    def cost_usd(self, order: TrainingOrder) -> float | None:
        return self.cost if order.out in self.files else None

    def train(self, order: TrainingOrder, *, call: PaidCall, progress: Progress) -> tuple[Checkpoint, ...]:
        if order.out in self.files:
            return (self.files[order.out],)
        if self.fails is not None:
            raise self.fails
        if call.external_id is None and self.paid:
            self.ordered.append(f"t{len(self.ordered) + 1}")
            if self.killed_after == "ordering":
                raise KeyboardInterrupt
            call.created(self.ordered[-1])
        progress(0.5, "step 1 of 2")
        if self.killed_after == "storing":
            raise KeyboardInterrupt
        lora = Lora(path=str(order.out / "l.safetensors"), sha256="0" * 64, trigger=TRIGGER, base_model="b", rank=4)
        self.files[order.out] = Checkpoint(step=2, lora=lora)
        if self.killed_after == "writing":
            raise KeyboardInterrupt
        return (self.files[order.out],)


def dataset(*captions: str, **changes: Any) -> Dataset:
    references = tuple(
        Reference(path=f"{n}.png", sha256=f"{n:064x}", origin="noise", licence="CC0-1.0", caption=caption)
        for n, caption in enumerate(captions or (f"{TRIGGER} woman", f"{TRIGGER} woman, smiling"))
    )
    made: dict[str, Any] = {"persona": "mira", "trigger": TRIGGER, "consent": Consent(fictional=True), "references": references}
    return Dataset(**made | changes)


@pytest.fixture
def hosted() -> Hosted:
    return Hosted()


@pytest.fixture
def run(desk, hosted) -> Callable[..., tuple[Checkpoint, ...]]:
    def call(set_: Dataset | None = None, **changes: Any) -> tuple[Checkpoint, ...]:
        made: dict[str, Any] = {
            "store": desk.store,
            "trainer": hosted,
            "now": desk.clock,
            "watcher": desk.diary,
            "recipe": "plan",
        }
        order = TrainingOrder(set_ or dataset(), desk.home / "pictures", desk.home / "lora")
        return train(TrainKit(**made | changes), desk.subject.persona, order)

    return call


def rows(desk) -> list[tuple[LedgerState, float | None, str | None]]:
    return [(row.state, row.cost_usd, row.external_id) for row in desk.store.ledger(persona="mira")]


def test_a_training_is_counted_with_what_it_cost(desk, run):
    (checkpoint,) = run()
    assert checkpoint.step == 2
    assert rows(desk) == [(LedgerState.DONE, 1.5, "t1")]
    (row,) = desk.store.ledger(persona="mira")
    assert (row.role, row.provider, row.estimate_usd, row.post_id) == ("train", "replicate", 2.0, None)
    assert "2 pictures" in desk.diary.said("step")
    assert "1 checkpoint, trigger mirelo" in desk.diary.said("done")


def test_here_it_costs_nothing_but_is_counted(desk, run, hosted):
    hosted.paid = False
    run()
    assert rows(desk) == [(LedgerState.DONE, 0.0, None)]


def test_a_second_call_pays_nothing(desk, run, hosted):
    run()
    run()
    assert hosted.ordered == ["t1"]
    assert [(state, cost) for state, cost, _ in rows(desk)].count((LedgerState.DONE, 1.5)) == 1
    assert sum(row.charged_usd for row in desk.store.ledger(persona="mira")) == 1.5


@pytest.mark.parametrize("moment", ["storing", "writing"])
def test_a_kill_is_gone_on_from_and_paid_once(desk, run, hosted, moment):
    hosted.killed_after = moment
    with pytest.raises(KeyboardInterrupt):
        run()
    (row,) = desk.store.ledger(persona="mira")
    assert row.state is LedgerState.UNKNOWN
    assert row.charged_usd == 2.0
    assert row.external_id == "t1"
    hosted.killed_after = ""
    run()
    assert hosted.ordered == ["t1"]
    assert rows(desk) == [(LedgerState.DONE, 1.5, "t1")]


def test_a_failed_training_is_charged_for_its_time(desk, run, hosted):
    error = ProviderError("training t1 failed", provider="replicate")
    error.usage = Usage(cost_usd=0.7)
    hosted.fails = error
    with pytest.raises(ProviderError):
        run()
    assert rows(desk) == [(LedgerState.FAILED, 0.7, None)]
    assert "training t1 failed" in desk.diary.said("failed")


def test_the_budget_is_asked_first(desk, run, hosted):
    with pytest.raises(BudgetExceeded):
        run(budget=Budget(month_usd=1.99))
    assert hosted.ordered == []
    run(budget=Budget(month_usd=2.0))


def test_another_plan_has_a_row_of_its_own(desk, run, hosted):
    run()
    hosted.files.clear()
    run(recipe="another")
    assert hosted.ordered == ["t1", "t2"]
    assert len({row.id for row in desk.store.ledger(persona="mira")}) == 2


def test_no_file_is_a_failure(desk, run, hosted, monkeypatch):
    monkeypatch.setattr(Hosted, "train", lambda *_, **__: ())
    with pytest.raises(TrainingError, match="without a file"):
        run()


EXPIRED = Consent(fictional=False, person="Ada", scope="all", expires=date(2026, 11, 20), document_sha256="0" * 64)
WRONG: list[tuple[Callable[[], Dataset], type[ZireliaError], str]] = [
    (lambda: dataset(consent=EXPIRED), ConsentRequired, "ended on 2026-11-20"),
    (lambda: dataset(references=()), TrainingError, "no pictures"),
    (lambda: dataset(persona="leo"), TrainingError, "is of 'leo'"),
    (lambda: dataset("a woman"), TrainingError, "1 of 1 captions"),
    (lambda: dataset(f"{TRIGGER} and {TRIGGER}", f"{TRIGGER} woman"), TrainingError, "1 of 2 captions.*0.png"),
    (lambda: dataset(*["a woman"] * 9), TrainingError, "9 of 9 captions.*…"),
    (lambda: dataset(f"{TRIGGER}x woman"), TrainingError, "exactly once"),
]


@pytest.mark.parametrize(("made", "kind", "words"), WRONG)
def test_what_would_train_badly_is_refused_before_anything_is_paid(desk, run, hosted, made, kind, words):
    with pytest.raises(kind, match=words):
        run(made())
    assert hosted.ordered == []
    assert rows(desk) == []


def test_a_persona_whose_consent_ended_is_not_trained(desk, run, hosted):
    desk.as_persona(consent=EXPIRED.model_dump(mode="json"))
    with pytest.raises(ConsentRequired):
        run()
    assert hosted.ordered == []


def test_a_bad_trigger_is_refused(run, hosted):
    with pytest.raises(TrainingError, match="is a word that models know"):
        run(complaints=lambda word: ("is a word that models know",))
    assert hosted.ordered == []


def test_the_time_left_is_told_by_the_speed_of_this_process():
    told, at = [], [0.0]
    pace = _Pace(lambda fraction, note: told.append(note), clock=lambda: at[0])
    for fraction, seconds in [(0.5, 0.0), (0.505, 1.0), (0.6, 100.0), (0.75, 250.0)]:
        at[0] = seconds
        pace(fraction, "step")
    pace(0.8, "step, 3 min left")
    assert told == ["step", "step", "step, 7 min left", "step, 4 min left", "step, 3 min left"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3540, "59 min"), (3600, "1 h 00 min"), (7500, "2 h 05 min")]
)
def test_durations(seconds, said):
    assert duration(seconds) == said
