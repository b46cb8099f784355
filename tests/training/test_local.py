"""The port's trainer on this machine."""

from __future__ import annotations

from pathlib import Path

from zirelia.domain.dataset import Dataset
from zirelia.ports import Trainer, TrainingOrder
from zirelia.training.local import LocalTrainer
from zirelia.training.lora_file import read_lora
from zirelia.training.plan import TrainingPlan
from zirelia.training.trainer import forget_run


class Unpaid:
    """A ledger row that nobody writes to."""

    external_id = None

    def created(self, external_id: str) -> None:
        raise AssertionError("nothing is created at a provider")


def test_it_answers_every_checkpoint(base: Path, dataset: Dataset, pictures: Path, plan: TrainingPlan, tmp_path: Path) -> None:
    trainer: Trainer = LocalTrainer(base, plan, base_model="micro flux", device="cpu")
    order = TrainingOrder(dataset, pictures, tmp_path / "lora")
    assert trainer.estimate_usd(order) == 0
    facts = trainer.facts()
    assert (facts.model, facts.local, facts.paid, facts.details["steps"]) == ("micro flux", True, False, "10")
    told: list[tuple[float, str]] = []
    kept = trainer.train(order, call=Unpaid(), progress=lambda fraction, note: told.append((fraction, note)))
    assert [checkpoint.step for checkpoint in kept] == [4, 8, 10]
    assert {checkpoint.lora.trigger for checkpoint in kept} == {dataset.trigger}
    assert all(Path(checkpoint.lora.path).is_relative_to(order.out) for checkpoint in kept)
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    out = order.out / "mira.safetensors"
    assert out.is_file()

    told.clear()
    assert trainer.train(order, call=Unpaid(), progress=lambda *given: told.append(given)) == kept
    assert told == [], "a finished training is answered at once"
    forget_run(out)
    again = trainer.train(order, call=Unpaid(), progress=lambda *_: None)
    assert [(checkpoint.step, checkpoint.lora) for checkpoint in again] == [(10, read_lora(out)[0])]
