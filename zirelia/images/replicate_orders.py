"""One prediction from order to end: found again or created, its id stored, looked at until it is over, cancelled when late.

    orders = Orders(client, terms)
    prediction = orders.order(choose, call)          # call.created(id) has been told when this returns
    finished = orders.finish(prediction, progress)

Knows Replicate's predictions and files; what the inputs mean is the caller's.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from zirelia.errors import BadAnswer, ConfigurationError, ProviderError, ProviderRefused, ProviderTimeout, RateLimited
from zirelia.images.hosted import Patience, is_refusal, to_data_url
from zirelia.images.replicate_inputs import FLUX_LORA, Schema, schema_of
from zirelia.network import call_with_retry, cleaned
from zirelia.network.replicate import PROVIDER, Missing, Reference, ask
from zirelia.ports import PaidCall, Progress

_INLINE_BYTES = 256_000
"""Replicate's own advice: larger files are uploaded, smaller ones go along as data URLs."""
_TWIN_AGE = timedelta(minutes=50)
"""Replicate removes outputs after an hour."""
_FILE_LIFE = timedelta(hours=1)
"""An uploaded file must live so much longer to be used again; Replicate removes it a day after its upload."""
_OVER = frozenset({"succeeded", "failed", "canceled"})


@dataclass(frozen=True)
class Terms:
    """What to order and how long to wait; see `ReplicateImageMaker` for the meaning of each."""

    reference: Reference
    timeout: float
    patience: Patience
    attempts: int
    retry_base: float


Upload = Callable[[bytes, str], str]
"""Encoded picture and its media type → what an input takes: a data URL, or the address of an uploaded file."""

Choose = Callable[[Schema, Upload], dict[str, Any]]
"""The model's schema and a way to hand over pictures → the inputs of one prediction."""


class Orders:
    """The predictions of one call, over one connected client."""

    def __init__(self, client: Any, terms: Terms) -> None:
        self._client = client
        self._terms = terms
        self._latest: str | None = None

    def order(self, choose: Choose, call: PaidCall) -> Any:
        """Finds or creates the prediction, and stores its id at once."""
        inputs = choose(self._again(self._schema), self._upload)
        prediction = self._again(lambda: self._twin(inputs)) or self._create(inputs)
        call.created(prediction.id)
        return prediction

    def look(self, external_id: str) -> Any:
        return self._again(lambda: ask(lambda: self._client.predictions.get(external_id)))

    def finish(self, prediction: Any, progress: Progress) -> Any:
        """Looks at the prediction until it is over. Cancels it at the deadline, and when `progress` raises."""
        patience, pause = self._terms.patience, self._terms.patience.first
        deadline = patience.clock() + self._terms.timeout
        while prediction.status not in _OVER:
            try:
                progress(*_progress_of(prediction))
            except Exception:
                self._cancel(prediction.id)
                raise
            left = deadline - patience.clock()
            if left <= 0:
                prediction = self._give_up(prediction)
                break
            patience.sleep(min(pause, left))
            pause = min(pause * patience.factor, patience.longest)
            prediction = self.look(prediction.id)
        return _succeeded(prediction)

    def _give_up(self, prediction: Any) -> Any:
        """Cancels; a prediction that finished in that very moment is paid and therefore used."""
        last = self._cancel(prediction.id)
        if last is not None and last.status == "succeeded":
            return last
        raise ProviderTimeout(
            f"prediction {prediction.id} was not over after {self._terms.timeout:g} s and was cancelled",
            provider=PROVIDER,
            hint="a cold model can take minutes: raise the time-out, or try again now that it is warm",
        )

    def _cancel(self, prediction_id: str) -> Any | None:
        # the reason for cancelling is what must reach the caller; a prediction that cannot be cancelled ends by itself
        with suppress(ProviderError):
            return ask(lambda: self._client.predictions.cancel(prediction_id))
        return None

    def _again(self, question: Any) -> Any:
        return call_with_retry(question, attempts=self._terms.attempts, base=self._terms.retry_base)

    def _schema(self) -> Schema:
        reference = self._terms.reference
        if reference.model is None:
            return FLUX_LORA
        if reference.version is not None:
            from replicate.version import Versions

            known, versions = reference.version, Versions(self._client, model=reference.model)
            version = ask(lambda: versions.get(known))
            return schema_of(version.openapi_schema)
        model = ask(lambda: self._client.models.get(reference.model))
        if model.latest_version is None:
            raise ConfigurationError(f"{reference.model} has no version on Replicate yet", hint="push or train one first")
        self._latest = model.latest_version.id
        return schema_of(model.latest_version.openapi_schema)

    def _upload(self, data: bytes, media_type: str) -> str:
        """The same bytes give the same text as long as the file lives, so that an equal prediction is found again."""
        if len(data) <= _INLINE_BYTES:
            return to_data_url(data, media_type)
        digest = hashlib.sha256(data).hexdigest()
        stored = self._again(lambda: self._stored(digest))
        if stored is None:
            name = f"{digest[:16]}.{media_type.removeprefix('image/')}"
            stored = self._again(
                lambda: ask(lambda: self._client.files.create(io.BytesIO(data), filename=name, content_type=media_type))
            )
        url = (stored.urls or {}).get("get")
        if not url:
            raise BadAnswer("the upload has no address", provider=PROVIDER, raw=cleaned(stored.urls))
        return str(url)

    def _stored(self, digest: str) -> Any | None:
        """The file of the same content that was uploaded before and does not expire soon."""
        soon = datetime.now(UTC) + _FILE_LIFE
        for file in ask(lambda: self._client.files.list()):
            expires = getattr(file, "expires_at", None)
            if (file.checksums or {}).get("sha256") == digest and (expires is None or _moment(expires) > soon):
                return file
        return None

    def _create(self, inputs: dict[str, Any]) -> Any:
        outcome = self._again(lambda: self._create_once(inputs))
        if isinstance(outcome, ProviderTimeout):
            raise outcome
        return outcome

    def _create_once(self, inputs: dict[str, Any]) -> Any:
        """A lost answer does not mean that nothing was created: look first, and after a time-out never order again."""
        try:
            return self._post(inputs)
        except (ProviderRefused, RateLimited):
            raise
        except ProviderError as error:
            found = self._twin(inputs)
            if found is None and isinstance(error, ProviderTimeout):
                return error  # as a value, so that it is not tried again here
            if found is None:
                raise
            return found

    def _post(self, inputs: dict[str, Any]) -> Any:
        reference = self._terms.reference
        if reference.version is not None:
            return ask(lambda: self._client.predictions.create(version=reference.version, input=inputs))
        try:
            return ask(lambda: self._client.models.predictions.create(reference.model, inputs))
        except Missing:
            # only official models are run by name; a trained one is run by its version
            return ask(lambda: self._client.predictions.create(version=self._latest, input=inputs))

    def _twin(self, inputs: dict[str, Any]) -> Any | None:
        """The newest prediction of the same model with the same inputs, young enough that its file is still there."""
        reference, oldest = self._terms.reference, datetime.now(UTC) - _TWIN_AGE
        for candidate in ask(lambda: self._client.predictions.list()).results:
            known = candidate.input or {}
            same_model = candidate.version in {reference.version, self._latest} or (
                reference.model is not None and candidate.model == reference.model
            )
            if (
                same_model
                and candidate.status not in {"failed", "canceled"}
                and all(known.get(name) == value for name, value in inputs.items())
                and _moment(candidate.created_at) > oldest
            ):
                return candidate
        return None


def _moment(text: str | None) -> datetime:
    """A prediction without a readable time counts as old."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _progress_of(prediction: Any) -> tuple[float, str]:
    if prediction.status == "starting":
        return 0.0, "waiting for the hosted model to start"
    told = prediction.progress
    if told is None or not told.total:
        return 0.0, "the hosted model is drawing"
    return min(1.0, told.current / told.total), f"step {told.current} of {told.total}"


def _succeeded(prediction: Any) -> Any:
    if prediction.status == "succeeded":
        return prediction
    said = cleaned(prediction.error or "no reason given")
    if prediction.status == "failed" and is_refusal(prediction.error):
        raise ProviderRefused(
            f"prediction {prediction.id} was refused: {said}", provider=PROVIDER, hint="word the prompt more safely"
        )
    raise ProviderError(
        f"prediction {prediction.id} {'was canceled' if prediction.status == 'canceled' else 'failed'}: {said}",
        provider=PROVIDER,
        hint=f"its log is on https://replicate.com/p/{prediction.id}",
    )
