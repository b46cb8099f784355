"""Hosted trainings over one connected client: ordered once, looked at until they are over.

    runs = Runs(client, terms)
    training = runs.order(record, told=call.created)
    finished = runs.finish(training, progress)

Between the provider's creation and our storing of its id lies a moment in which a kill or a lost answer hides a paid training;
so trainings with the very same inputs are looked for before another is ordered. Knows no datasets and no files of ours.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from zirelia.errors import BadAnswer, ConfigurationError, ProviderError, ProviderRefused, ProviderTimeout, RateLimited
from zirelia.network import call_with_retry, cleaned
from zirelia.network.replicate import PROVIDER, Exists, Missing, Reference, ask
from zirelia.ports import Progress, Usage
from zirelia.training.replicate_record import Record

_OVER = frozenset({"succeeded", "failed", "canceled"})
_CLOCKS_APART = timedelta(minutes=10)
_MOST_PAGES = 20
_LAST_LINES = 6
_LOSS = re.compile(r"loss:\s*([0-9.]+(?:e[+-]?\d+)?)")


@dataclass(frozen=True)
class Patience:
    """How often a training is looked at, in seconds: `first`, then `factor` times longer each time, at most `longest`.

    sleep, clock: replaced in tests; the clock is monotonic.
    """

    first: float = 5.0
    factor: float = 1.3
    longest: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Terms:
    """Whom to ask and how long to wait; see `ReplicateTrainer`."""

    trainer: Reference
    destination: str
    hardware: str
    price_per_second: float
    steps: int
    timeout: float
    attempts: int
    retry_base: float
    patience: Patience


class Runs:
    def __init__(self, client: Any, terms: Terms) -> None:
        self._client, self._terms = client, terms

    def version(self) -> Any:
        """The trainer's version with its schema; the latest one where none is named."""
        reference = self._terms.trainer
        if reference.version is not None:
            from replicate.version import Versions

            versions, known = Versions(self._client, model=reference.model), reference.version
            return self._again(lambda: versions.get(known))
        model = self._again(lambda: self._client.models.get(reference.model))
        if model.latest_version is None:
            raise ConfigurationError(f"{reference.model} has no version on Replicate", hint="choose another trainer")
        return model.latest_version

    def ensure_destination(self) -> None:
        """Makes the private model that receives the weights, unless it is there. Raises ConfigurationError for a public one."""
        owner, name = self._terms.destination.split("/")
        try:
            model = self._again(lambda: self._client.models.get(self._terms.destination))
        except Missing:
            try:
                model = self._again(
                    lambda: self._client.models.create(
                        owner=owner, name=name, visibility="private", hardware=self._terms.hardware
                    )
                )
            except Exists:
                # made by a try whose answer was lost
                model = self._again(lambda: self._client.models.get(self._terms.destination))
        if model.visibility != "private":
            raise ConfigurationError(
                f"the model {self._terms.destination} on Replicate is public: everybody could draw this face",
                hint="make it private on its settings page, or name another destination",
            )

    def upload(self, data: bytes) -> tuple[str, str]:
        """The file's id and its address."""
        stored = self._again(
            lambda: self._client.files.create(io.BytesIO(data), filename="dataset.zip", content_type="application/zip")
        )
        url = (stored.urls or {}).get("get")
        if not url:
            raise BadAnswer("the upload has no address", provider=PROVIDER, raw=cleaned(stored.urls))
        return str(stored.id), str(url)

    def uploaded(self, file_id: str) -> bool:
        """Whether an earlier upload is still there; they are removed after a day."""
        try:
            self._again(lambda: self._client.files.get(file_id))
        except Missing:
            return False
        return True

    def twin(self, record: Record) -> Any | None:
        """The training that this very order made earlier, unless it failed."""
        oldest = record.ordered_at - _CLOCKS_APART
        page = self._again(lambda: self._client.trainings.list())
        for _ in range(_MOST_PAGES):
            for candidate in page.results:
                if _moment(candidate.created_at) < oldest:
                    return None
                if candidate.status not in {"failed", "canceled"} and self._is_of(candidate, record):
                    return candidate
            if not page.next:
                return None
            page = self._again(partial(self._client.trainings.list, page.next))
        return None

    def _is_of(self, candidate: Any, record: Record) -> bool:
        known = candidate.input or {}
        elsewhere = candidate.destination not in {None, self._terms.destination}
        return not elsewhere and all(known.get(name) == value for name, value in record.inputs.items())

    def order(self, record: Record, version: str) -> Any:
        """Creates the training. A lost answer does not mean that nothing was created: looks first, and after a time-out
        never orders again in this call.
        """
        outcome = call_with_retry(
            lambda: self._order_once(record, version), attempts=self._terms.attempts, base=self._terms.retry_base
        )
        if isinstance(outcome, ProviderTimeout):
            raise outcome
        return outcome

    def _order_once(self, record: Record, version: str) -> Any:
        try:
            return ask(
                lambda: self._client.trainings.create(
                    model=self._terms.trainer.model,
                    version=version,
                    input=dict(record.inputs),
                    destination=self._terms.destination,
                )
            )
        except (ProviderRefused, RateLimited):
            raise
        except ProviderError as error:
            found = self.twin(record)
            if found is None and isinstance(error, ProviderTimeout):
                return error  # as a value, so that it is not tried again here
            if found is None:
                raise
            return found

    def usable(self, training_id: str) -> Any | None:
        """The training, unless it is unknown there or ended badly."""
        try:
            training = self.look(training_id)
        except Missing:
            return None
        return None if training.status in {"failed", "canceled"} else training

    def look(self, training_id: str) -> Any:
        return self._again(lambda: self._client.trainings.get(training_id))

    def cancel(self, training_id: str) -> Any:
        return self._again(lambda: self._client.trainings.cancel(training_id))

    def finish(self, training: Any, progress: Progress) -> Any:
        """Looks at the training until it is over. An error of `progress`, or Ctrl-C, leaves it running."""
        patience, pause = self._terms.patience, self._terms.patience.first
        deadline = patience.clock() + self._terms.timeout
        while training.status not in _OVER:
            progress(*progress_of(training.status, training.logs, self._terms.steps))
            left = deadline - patience.clock()
            if left <= 0:
                raise ProviderTimeout(
                    f"training {training.id} was not over after {self._terms.timeout / 3600:.1f} h; it goes on there",
                    provider=PROVIDER,
                    hint="the same command waits for it again and pays nothing twice; its page is "
                    f"https://replicate.com/p/{training.id}",
                )
            patience.sleep(min(pause, left))
            pause = min(pause * patience.factor, patience.longest)
            training = self.look(training.id)
        return self._succeeded(training)

    def _succeeded(self, training: Any) -> Any:
        if training.status == "succeeded":
            return training
        lines = [line for raw in (training.logs or "").splitlines() if (line := cleaned(raw.rsplit("\r", 1)[-1]))]
        said = cleaned(training.error) if training.error else "no reason given"
        ended = "was canceled" if training.status == "canceled" else f"failed: {said}"
        error = ProviderError(
            f"training {training.id} {ended}",
            provider=PROVIDER,
            hint="; ".join([f"its log is on https://replicate.com/p/{training.id}", *lines[-_LAST_LINES:]]),
        )
        error.usage = Usage(cost_usd=self.cost_of(training), seconds=seconds_of(training))
        raise error

    def cost_of(self, training: Any) -> float:
        return seconds_of(training) * self._terms.price_per_second

    def _again(self, question: Callable[[], Any]) -> Any:
        return call_with_retry(lambda: ask(question), attempts=self._terms.attempts, base=self._terms.retry_base)


def progress_of(status: str, logs: str | None, steps: int) -> tuple[float, str]:
    """Fraction and note from the trainer's own bar, told from other bars by its total."""
    if status == "starting":
        return 0.0, "waiting for a machine"
    lines = re.split(r"[\r\n]", (logs or "")[-20_000:])
    for line in reversed(lines):
        if found := re.search(rf"(?<!\d)(\d{{1,7}})/{steps}(?!\d)", line):
            done = min(int(found[1]), steps)
            loss = _LOSS.search(line)
            return done / steps, f"step {done} of {steps}" + (f", loss {float(loss[1]):.4f}" if loss else "")
    return 0.0, "the machine gets ready"


def seconds_of(training: Any) -> float:
    """What is paid for: from start to end, which the API also calls predict_time (the client does not pass that on)."""
    began, ended = training.started_at, training.completed_at
    if not began or not ended:
        return 0.0
    return max(0.0, (_moment(ended) - _moment(began)).total_seconds())


def _moment(text: str | None) -> datetime:
    """A training without a readable time counts as old."""
    try:
        # nanoseconds are more than Python reads
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text or ""))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
