"""Trains the LoRA of one persona from its finished dataset, here or at a provider, and counts what it costs.

    checkpoints = train(kit, persona, TrainingOrder(dataset, pictures, out))

The same call again goes on where the last one stopped: the trainer keeps what it has in `out`, and the ledger row keeps the
provider's id. Knows no trainer; `studio` chooses it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from zirelia.domain.captions import times_said
from zirelia.domain.dataset import Dataset
from zirelia.domain.duration import duration
from zirelia.domain.lora import Checkpoint
from zirelia.domain.persona import Persona
from zirelia.errors import ConsentRequired, ProviderError, TrainingError, ZireliaError
from zirelia.ports import PaidCall, Progress, Store, Trainer, TrainingOrder, Usage, Watcher
from zirelia.workflow.accounts import Account, counted
from zirelia.workflow.consent import check_consent
from zirelia.workflow.kit import Budget

Complaints = Callable[[str], tuple[str, ...]]
"""What speaks against a trigger word, in words; see `domain.trigger.trigger_complaints`."""

_SHOWN = 3
_TELLING = 0.01
"""The share of the work after which the time left can be told."""


@runtime_checkable
class Stoppable(Protocol):
    """A trainer whose training goes on elsewhere, and can be ended from here."""

    def stop(self, out: Path) -> str | None:
        """The id of the training under way for that folder, cancelled now; None when there is none."""
        ...


@dataclass(frozen=True)
class TrainKit:
    """Everything that a training may touch.

    recipe: names the plan; another recipe is another training with a ledger row of its own.
    complaints: what speaks against the dataset's trigger; the default finds nothing.
    """

    store: Store
    trainer: Trainer
    now: Callable[[], datetime]
    watcher: Watcher
    recipe: str
    budget: Budget = field(default_factory=Budget)
    complaints: Complaints = lambda trigger: ()  # noqa: ARG005 - the shape of the real one


def train(kit: TrainKit, persona: Persona, order: TrainingOrder) -> tuple[Checkpoint, ...]:
    """Every checkpoint, earliest first.

    Raises ConsentRequired, BudgetExceeded, TrainingError for a dataset that would train badly or a training that went wrong,
    and ProviderError.
    """
    check_order(kit, persona, order)
    facts = kit.trainer.facts()
    account = Account(persona=persona.name, name=f"train/{persona.name}")
    estimate = kit.trainer.estimate_usd(order) if facts.paid else 0.0
    kit.watcher.step("train", f"{len(order.dataset.references)} pictures with {facts.backend} {facts.model}")
    try:
        with counted(kit, account, "train", facts, key=_key(kit, order), estimate=estimate) as call:
            noticed = _Noticed(call.paid)
            try:
                checkpoints = kit.trainer.train(order, call=noticed, progress=_Pace(kit.watcher.progress))
            except ProviderError as error:
                call.cost = error.usage.cost_usd if isinstance(error.usage, Usage) else 0.0
                raise
            # a finished order is answered from its folder: nothing was ordered then, and its row is closed already
            if facts.paid and (call.resumed or noticed.ordered):
                call.cost = _cost(kit.trainer, order, estimate)
            if not checkpoints:
                raise TrainingError(
                    f"the training of '{persona.name}' ended without a file", hint="look at the disk; train again"
                )
    except ZireliaError as error:
        kit.watcher.failed(error.message)
        raise
    kit.watcher.done(f"{len(checkpoints)} checkpoint{'s' if len(checkpoints) > 1 else ''}, trigger {order.dataset.trigger}")
    return checkpoints


def check_order(kit: TrainKit, persona: Persona, order: TrainingOrder) -> None:
    """What must be right before a step is taken or a cent is paid. Raises ConsentRequired or TrainingError."""
    check_consent(kit, persona)
    dataset = order.dataset
    if not dataset.consent.valid_on(kit.now().astimezone(persona.cadence.zone).date()):
        raise ConsentRequired(
            f"the consent in the dataset of '{persona.name}' ended on {dataset.consent.expires}",
            hint="record a consent that is valid today, and build the dataset again with it",
        )
    if dataset.persona != persona.name:
        raise TrainingError(
            f"the dataset is of '{dataset.persona}', not of '{persona.name}'", hint="build one: zirelia dataset build"
        )
    _check_captions(dataset)
    if said := kit.complaints(dataset.trigger):
        raise TrainingError(
            f"the trigger '{dataset.trigger}' {'; '.join(said)}",
            hint="choose another trigger in persona.yaml and caption again",
        )


def _check_captions(dataset: Dataset) -> None:
    if not dataset.references:
        raise TrainingError(f"the dataset of '{dataset.persona}' has no pictures", hint="zirelia dataset build")
    wrong = [reference for reference in dataset.references if times_said(dataset.trigger, reference.caption) != 1]
    if wrong:
        shown = ", ".join(reference.path for reference in wrong[:_SHOWN]) + (" …" if len(wrong) > _SHOWN else "")
        raise TrainingError(
            f"{len(wrong)} of {len(dataset.references)} captions do not hold the trigger '{dataset.trigger}' exactly once: "
            f"{shown}",
            hint=f"zirelia dataset caption {dataset.persona}",
        )


def _key(kit: TrainKit, order: TrainingOrder) -> str:
    """Names the training within the persona's account: another dataset or plan is another one."""
    said = order.dataset.model_dump_json() + kit.trainer.facts().model + kit.recipe
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _cost(trainer: Trainer, order: TrainingOrder, estimate: float) -> float:
    known = trainer.cost_usd(order)
    return estimate if known is None else known


class _Noticed:
    """A paid call that notices whether something was ordered in it."""

    def __init__(self, call: PaidCall) -> None:
        self._call = call
        self.ordered = False

    @property
    def external_id(self) -> str | None:
        return self._call.external_id

    def created(self, external_id: str) -> None:
        self.ordered = True
        self._call.created(external_id)


class _Pace:
    """Adds the time that is left, by the speed of this process: a resumed training did not begin at zero."""

    def __init__(self, told: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._told, self._clock = told, clock
        self._began: tuple[float, float] | None = None

    def __call__(self, fraction: float, note: str) -> None:
        if self._began is None or fraction < self._began[0]:
            self._began = (fraction, self._clock())
        start, began = self._began
        done = fraction - start
        if done < _TELLING or "left" in note:
            self._told(fraction, note)
            return
        left = (self._clock() - began) * (1 - fraction) / done
        self._told(fraction, f"{note}, {duration(left)} left")


__all__ = ["Complaints", "Stoppable", "TrainKit", "check_order", "train"]
