"""Training on Replicate, paid once: dataset up, order, wait, weights down, verified.

    trainer = ReplicateTrainer(token, "ostris/flux-dev-lora-trainer:<version>", "ada/mira", person(24))
    trainer.train(order, call=call, progress=progress)      # the same call again goes on waiting

Under the order's folder it keeps `replicate.json` and `step-002400/lora.safetensors`. Knows no ledger and no settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from zirelia.domain.lora import Checkpoint
from zirelia.errors import ConfigurationError, ProviderError, TrainingError
from zirelia.files import alone, sha256_of, sweep, whole_file
from zirelia.network import call_with_retry, fetch_bytes, is_loopback_url
from zirelia.network.replicate import PROVIDER, Missing, checked_base_url, connected, parse_reference
from zirelia.ports import BackendFacts, PaidCall, Progress, TrainingOrder
from zirelia.training.fingerprints import fingerprint
from zirelia.training.lora_file import dataset_sha256, read_lora
from zirelia.training.plan import TrainingPlan
from zirelia.training.preflight import check_dataset
from zirelia.training.replicate_inputs import choose_inputs, pictures_input, training_schema
from zirelia.training.replicate_package import package
from zirelia.training.replicate_record import Record
from zirelia.training.replicate_runs import Patience, Runs, Terms, seconds_of
from zirelia.training.replicate_weights import LARGEST, lora_bytes, write_checked

_MEDIA = frozenset(
    {"application/x-tar", "application/tar", "application/octet-stream", "binary/octet-stream", "application/gzip"}
)
_DOWNLOAD_SECONDS = 1800.0
_SENT = {"steps", "rank", "learning_rate", "batch", "resolution", "caption_dropout", "seed"}


class ReplicateTrainer:
    """`ports.Trainer` over Replicate's trainings API.

    Args:
        trainer: `owner/name:version`, or `owner/name` for its latest version.
        destination: `owner/name` of the private model that receives the weights; made when it is not there.
        plan: steps, rank, rate, resolution and what else the trainer has an input for.
        base_model: what the LoRA is said to belong to.
        price_per_second: US dollars; seconds_per_step, seconds_to_start: what is expected, for the estimate.
        timeout: seconds after which waiting ends; the training goes on and the same call waits for it again.
        now: the present, for the record and for the day of the consent.
    """

    def __init__(
        self,
        token: SecretStr,
        trainer: str,
        destination: str,
        plan: TrainingPlan,
        *,
        base_model: str = "FLUX.1-dev",
        base_url: str | None = None,
        price_per_second: float = 0.001525,
        seconds_per_step: float = 0.9,
        seconds_to_start: float = 240.0,
        hardware: str = "gpu-t4",
        timeout: float = 4 * 3600.0,
        answer_timeout: float = 30.0,
        patience: Patience | None = None,
        attempts: int = 4,
        retry_base: float = 0.5,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        reference = parse_reference(trainer)
        if reference.model is None:
            raise ConfigurationError(f"the trainer {trainer} has no owner and name", hint="write owner/name:version")
        wanted = parse_reference(destination)
        if wanted.model is None or wanted.version is not None:
            raise ConfigurationError(f"{destination} cannot receive a training", hint="write owner/name of a model of your own")
        self._token, self._plan, self._base_model, self._now = token, plan, base_model, now
        self._base_url = checked_base_url(base_url)
        self._answer_timeout = answer_timeout
        self._seconds_per_step, self._seconds_to_start = seconds_per_step, seconds_to_start
        self._terms = Terms(
            trainer=reference,
            destination=wanted.model,
            hardware=hardware,
            price_per_second=price_per_second,
            steps=plan.steps,
            timeout=timeout,
            attempts=attempts,
            retry_base=retry_base,
            patience=patience or Patience(),
        )

    def __repr__(self) -> str:
        return f"ReplicateTrainer({str(self._terms.trainer)!r}, {self._terms.destination!r})"

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend=PROVIDER,
            model=str(self._terms.trainer),
            local=is_loopback_url(self._base_url),
            paid=True,
            details={
                "address": self._base_url,
                "destination": self._terms.destination,
                "price per second": f"${self._terms.price_per_second:.6f}",
                "keeps others": "nothing: this trainer has no preservation, so the face may leak",
                "expected": f"{self.expected_seconds() / 60:.0f} min",
            },
        )

    def expected_seconds(self) -> float:
        return self._seconds_to_start + self._plan.steps * self._seconds_per_step

    def estimate_usd(self, order: TrainingOrder) -> float:
        """Nothing for an order whose LoRA is here already."""
        return 0.0 if self._finished(order) else self.expected_seconds() * self._terms.price_per_second

    def cost_usd(self, order: TrainingOrder) -> float | None:
        """What the finished training of that order cost; None before its end."""
        record = Record.read(order.out)
        return record.cost_usd if record and record.identity == self._identity(order) else None

    def train(self, order: TrainingOrder, *, call: PaidCall, progress: Progress) -> tuple[Checkpoint, ...]:
        check_dataset(order.dataset, order.pictures, self._plan, today=self._now().date())
        order.out.mkdir(parents=True, exist_ok=True)
        with alone(order.out / "lock", busy=lambda holder: _busy(order.out, holder)):
            sweep(order.out)
            if finished := self._finished(order):
                return finished
            with connected(self._token, self._base_url, timeout=self._answer_timeout, what="training on Replicate") as client:
                runs = Runs(client, self._terms)
                training = self._training(runs, order, call, progress)
                ended = runs.finish(training, progress)
                return (self._received(runs, order, ended, progress),)

    def stop(self, out: Path) -> str | None:
        """Cancels the training that is under way for that folder; its id, or None when there is none."""
        record = Record.read(out)
        if record is None or record.training is None or record.sha256 is not None:
            return None
        with connected(self._token, self._base_url, timeout=self._answer_timeout, what="training on Replicate") as client:
            Runs(client, self._terms).cancel(record.training)
        return record.training

    def _training(self, runs: Runs, order: TrainingOrder, call: PaidCall, progress: Progress) -> Any:
        """The training of the order: the one that is known, the one whose answer was lost, or a new one."""
        if call.external_id is not None:
            try:
                return runs.look(call.external_id)
            except Missing as error:
                raise ProviderError(
                    f"training {call.external_id} is not known there any more",
                    provider=PROVIDER,
                    hint="is it the same account? the next try orders anew",
                ) from error
        identity = self._identity(order)
        record = Record.read(order.out)
        earlier = record if record is not None and record.identity == identity else None
        if earlier is not None:
            found = runs.usable(earlier.training) if earlier.training else runs.twin(earlier)
            if found is not None:
                call.created(found.id)
                earlier.model_copy(update={"training": found.id}).write(order.out)
                return found
        progress(0.0, "reading the trainer's inputs")
        version = runs.version()
        schema = training_schema(version.openapi_schema)
        inputs, missing = choose_inputs(schema, self._plan, trigger=order.dataset.trigger)
        if missing:
            progress(0.0, f"the trainer has no input for {', '.join(missing)}")
        runs.ensure_destination()
        record = self._uploaded(runs, order, earlier, identity, inputs, pictures_input(schema), progress)
        training = runs.order(record, version.id)
        call.created(training.id)
        record.model_copy(update={"training": training.id}).write(order.out)
        return training

    def _uploaded(
        self,
        runs: Runs,
        order: TrainingOrder,
        earlier: Record | None,
        identity: str,
        inputs: dict[str, Any],
        name: str,
        progress: Progress,
    ) -> Record:
        """The record of the order that is about to be sent, with the dataset at the provider."""
        if earlier is not None and name in earlier.inputs and runs.uploaded(earlier.upload):
            upload, url = earlier.upload, earlier.inputs[name]
        else:
            progress(0.0, f"sending {len(order.dataset.references)} pictures")
            upload, url = runs.upload(package(order.dataset, order.pictures, side=max(1024, self._plan.resolution)))
        return Record(identity=identity, upload=upload, inputs={**inputs, name: url}, ordered_at=self._now()).write(order.out)

    def _received(self, runs: Runs, order: TrainingOrder, training: Any, progress: Progress) -> Checkpoint:
        progress(0.99, "fetching the weights")
        downloaded = self._fetch(training)
        path = self._path(order.out)
        try:
            lora = write_checked(path, lora_bytes(downloaded), self._metadata(order, training))
        except TrainingError as error:
            kept = order.out / f"{_plain(training.id)}.download"
            with whole_file(kept) as part:
                part.write_bytes(downloaded)
            raise TrainingError(
                f"training {training.id} left weights that are not used: {error.message}",
                hint=f"they were paid for and are kept as {kept}; another tool may read them",
            ) from error
        record = Record.read(order.out)
        if record is None or record.identity != self._identity(order):
            # the folder was cleaned while the ledger knew the training
            record = Record(identity=self._identity(order), upload="", inputs={}, ordered_at=self._now())
        ended = {
            "training": training.id,
            "seconds": seconds_of(training),
            "cost_usd": runs.cost_of(training),
            "sha256": lora.sha256,
        }
        record.model_copy(update=ended).write(order.out)
        return Checkpoint(step=self._plan.steps, lora=lora)

    def _fetch(self, training: Any) -> bytes:
        url = _weights_url(training.output)
        if url is None:
            raise ProviderError(
                f"training {training.id} succeeded without weights",
                provider=PROVIDER,
                hint=f"look at https://replicate.com/p/{training.id}",
            )
        return call_with_retry(
            lambda: fetch_bytes(
                url,
                provider=PROVIDER,
                limit=LARGEST,
                media_types=_MEDIA,
                allow_loopback=is_loopback_url(self._base_url),
                timeout=_DOWNLOAD_SECONDS,
            ),
            attempts=self._terms.attempts,
            base=self._terms.retry_base,
        )

    def _finished(self, order: TrainingOrder) -> tuple[Checkpoint, ...]:
        """The checkpoint of an earlier call of the same order, verified; () when there is none."""
        record, path = Record.read(order.out), self._path(order.out)
        if record is None or record.identity != self._identity(order) or record.sha256 is None or not path.is_file():
            return ()
        if sha256_of(path) != record.sha256:
            return ()
        return (Checkpoint(step=self._plan.steps, lora=read_lora(path)[0]),)

    def _path(self, out: Path) -> Path:
        return out / f"step-{self._plan.steps:06d}" / "lora.safetensors"

    def _identity(self, order: TrainingOrder) -> str:
        """Names the order by all that a hosted trainer is told, so that another setting for here orders nothing anew."""
        said = self._plan.model_dump(mode="json", include=_SENT)
        return fingerprint(said, dataset_sha256(order.dataset), str(self._terms.trainer), self._terms.destination)

    def _metadata(self, order: TrainingOrder, training: Any) -> dict[str, str]:
        dataset, plan = order.dataset, self._plan
        return {
            "format": "pt",
            "modelspec.sai_model_spec": "1.0.0",
            "modelspec.architecture": "flux-1-dev/lora",
            "modelspec.implementation": "https://github.com/black-forest-labs/flux",
            "modelspec.title": dataset.persona,
            "modelspec.trigger_phrase": dataset.trigger,
            "modelspec.license": "; ".join(sorted({reference.licence for reference in dataset.references})),
            "modelspec.resolution": f"{plan.resolution}x{plan.resolution}",
            "ss_network_dim": str(plan.rank),
            "ss_network_alpha": str(plan.rank),
            "ss_base_model_version": "flux1",
            "ss_num_train_images": str(len(dataset.references)),
            "ss_steps": str(plan.steps),
            "zirelia.base_model": self._base_model,
            "zirelia.dataset_sha256": dataset_sha256(dataset),
            "zirelia.plan": plan.model_dump_json(),
            "zirelia.run": self._identity(order),
            "zirelia.trainer": str(self._terms.trainer),
            "zirelia.training": _plain(training.id),
        }


def _weights_url(output: Any) -> str | None:
    """The address of the weights in what trainers answer: {"weights": url}, or a url."""
    if isinstance(output, dict):
        output = output.get("weights") or output.get("lora") or output.get("lora_weights")
    if isinstance(output, list):
        output = next((url for url in output if isinstance(url, str)), None)
    return output if isinstance(output, str) and output.startswith(("https://", "http://")) else None


def _plain(text: object) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "", str(text))[:64] or "training"


def _busy(out: Path, holder: str) -> TrainingError:
    return TrainingError(f"another process ({holder}) waits for the training in {out}", hint="zirelia train watch shows it")
