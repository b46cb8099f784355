"""Pictures from the OpenAI images API, or any server that speaks it (vLLM-Omni and others).

    maker = OpenAIImageMaker(key, "gpt-image-2", price_per_image=0.04)
    maker = OpenAIImageMaker(SecretStr("none"), "Qwen/Qwen-Image", base_url="http://127.0.0.1:8000/v1")

The API answers with the picture itself, so there is no id to poll: a call whose answer was lost cannot be taken up again, and
asking again by itself might pay twice, so it is reported instead. Knows nothing of budgets or the ledger.
"""

from __future__ import annotations

import hashlib
import importlib.util
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from zirelia.domain.lora import Lora
from zirelia.domain.shot import ImagePrompt, Provenance, ShotVocabulary
from zirelia.errors import (
    BadAnswer,
    ConfigurationError,
    MissingExtra,
    OfflineViolation,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
)
from zirelia.images.hosted import (
    MEDIA,
    cleaned,
    data_url_bytes,
    decoded,
    is_loopback_url,
    is_refusal,
    refuse_local_lora,
)
from zirelia.images.openai_sizes import is_gpt_image, is_openai_model, size_for
from zirelia.images.pictures import MAX_BYTES, accepted_form, encode_png, prepare_start
from zirelia.network import call_with_retry, fetch_bytes, map_http_error, map_transport_error
from zirelia.ports import BackendFacts, MadeImage, PaidCall, Progress

_PROVIDER = "openai-images"
_DEFAULT_URL = "https://api.openai.com/v1"
_REFUSAL_CODES = frozenset({"moderation_blocked", "content_policy_violation", "image_generation_user_error"})


class OpenAIImageMaker:
    """`ports.ImageMaker` over `/images/generations` and, with a start picture, `/images/edits`.

    Args:
        model: sent as it is; OpenAI's own names decide which sizes and options are sent.
        base_url: with /v1; pictures given as loopback URLs are fetched only when it is loopback itself.
        quality: `low`, `medium`, `high`, `auto` and others that the model knows; None leaves it to the server.
        price_per_image: US dollars, for estimates and provenance; 0 for a server of one's own.
        timeout: seconds for one answer.
        attempts, retry_base: of calls that fail in a way that may pass (see `network.call_with_retry`).
    """

    def __init__(
        self,
        api_key: SecretStr,
        model: str,
        *,
        base_url: str | None = None,
        quality: str | None = None,
        price_per_image: float = 0.0,
        size: tuple[int, int] = (1024, 1024),
        timeout: float = 180.0,
        attempts: int = 4,
        retry_base: float = 0.5,
    ) -> None:
        self._key = _checked_key(api_key)
        self._model = model
        self._base_url = (base_url or _DEFAULT_URL).rstrip("/")
        self._quality = quality
        self._price = price_per_image
        self._size = size
        self._timeout = timeout
        self._attempts = attempts
        self._retry_base = retry_base

    def __repr__(self) -> str:
        return f"OpenAIImageMaker({self._model!r}, {self._base_url!r})"

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend=_PROVIDER,
            model=self._model,
            local=is_loopback_url(self._base_url),
            paid=self._price > 0 or self._base_url == _DEFAULT_URL,
            details={"address": self._base_url, "price per image": f"${self._price:.4f}"},
        )

    def vocabulary(self) -> ShotVocabulary | None:
        return None

    def size(self) -> tuple[int, int]:
        return self._size

    def estimate_usd(self, prompt: ImagePrompt) -> float:  # noqa: ARG002 - the port's signature
        return self._price

    def make(
        self,
        prompt: ImagePrompt,
        *,
        lora: Lora | None,
        start_from: bytes | None = None,
        call: PaidCall,  # noqa: ARG002 - this API has nothing that could be taken up again
        progress: Progress,
    ) -> MadeImage:
        """One picture. OpenAI's own models ignore seed, steps and LoRA scale; provenance still records what was asked."""
        refuse_local_lora(lora, backend=_PROVIDER)
        began = time.monotonic()
        progress(0.0, f"asking {self._model}")
        start = None
        if start_from is not None:
            start = encode_png(prepare_start(start_from, width=prompt.width, height=prompt.height))
        with self._connected() as client:
            outcome = call_with_retry(lambda: self._ask(client, prompt, start), attempts=self._attempts, base=self._retry_base)
        if isinstance(outcome, ProviderError):
            raise outcome
        data, media_type = accepted_form(self._picture(outcome), what=f"the picture of {self._model}")
        progress(1.0, "received")
        return MadeImage(
            data=data,
            media_type=media_type,
            provenance=Provenance(
                backend=_PROVIDER,
                model=self._model,
                prompt=prompt,
                steps=None if is_openai_model(self._model) else prompt.steps,
                seconds=time.monotonic() - began,
                cost_usd=self._price,
                parents=() if start_from is None else (hashlib.sha256(start_from).hexdigest(),),
                made_at=datetime.now(UTC),
            ),
        )

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        if importlib.util.find_spec("openai") is None:
            raise MissingExtra("openai", "making pictures through the OpenAI images API")
        from openai import OpenAI

        with OpenAI(
            api_key=self._key.get_secret_value(), base_url=self._base_url, max_retries=0, timeout=self._timeout
        ) as client:
            yield client

    def _options(self, prompt: ImagePrompt, *, edit: bool) -> dict[str, Any]:
        options: dict[str, Any] = {
            "model": self._model,
            "prompt": prompt.text,
            "n": 1,
            "size": size_for(self._model, prompt.width, prompt.height),
        }
        if self._quality is not None:
            options["quality"] = self._quality
        if is_gpt_image(self._model):
            options["output_format"] = "png"
        else:
            options["response_format"] = "b64_json"
        if not is_openai_model(self._model):
            # what vLLM-Omni and its like read beside the standard fields; an edit is a form, whose fields are text
            extra: dict[str, Any] = {"seed": prompt.seed}
            if prompt.negative:
                extra["negative_prompt"] = prompt.negative
            if prompt.steps is not None:
                extra["num_inference_steps"] = prompt.steps
            options["extra_body"] = {name: str(value) for name, value in extra.items()} if edit else extra
        return options

    def _ask(self, client: Any, prompt: ImagePrompt, start: bytes | None) -> Any:
        """The answer; a lost one comes back as an error value, because asking again might pay twice."""
        import openai

        options = self._options(prompt, edit=start is not None)
        try:
            if start is None:
                return client.images.generate(**options)
            return client.images.edit(image=("start.png", start, "image/png"), **options)
        except openai.APIStatusError as error:
            raise self._status_error(error) from error
        except openai.APIConnectionError as error:
            failure = map_transport_error(error, _PROVIDER)
            if isinstance(failure, OfflineViolation):
                raise failure from error
            return self._unanswered(error, failure)
        except OfflineViolation:
            raise
        except (openai.OpenAIError, ValueError, TypeError) as error:
            raise BadAnswer(
                "the answer is not what the images API describes", provider=_PROVIDER, raw=cleaned(error)
            ) from error

    def _unanswered(self, error: BaseException, failure: ProviderError) -> ProviderError:
        """Raises what may be tried again: no connection was made. Answers what may not: the request was on its way.

        openai 3 fails with httpx2's errors, openai 2 with httpx's; both libraries name them alike.
        """
        names: set[str] = set()
        cause: BaseException | None = error
        while cause is not None:
            names |= {kind.__name__ for kind in type(cause).__mro__}
            cause = cause.__cause__ or cause.__context__
        if isinstance(failure, ProviderTimeout) or "TransportError" not in names or "UnsupportedProtocol" in names:
            return failure
        if "ConnectError" in names:
            raise ProviderError(
                f"no connection to {self._base_url}",
                provider=_PROVIDER,
                retryable=True,
                hint="is the server up and the URL right?",
            ) from error
        return ProviderError(
            "the connection broke before the answer came; the picture may have been charged",
            provider=_PROVIDER,
            retryable=True,
        )

    def _status_error(self, error: Any) -> ProviderError:
        code, said = str(error.code or ""), cleaned(error.message, secret=self._key.get_secret_value())
        if error.status_code in {400, 403, 422} and (code in _REFUSAL_CODES or is_refusal(said)):
            return ProviderRefused(
                f"the prompt was refused by the safety system: {said}",
                provider=_PROVIDER,
                hint="word the prompt more safely",
            )
        # openai 3 answers with httpx2's response, openai 2 with httpx's: the mapping reads the latter
        headers = {
            name: value
            for name, value in error.response.headers.items()
            if name.lower() not in {"content-encoding", "content-length", "transfer-encoding"}
        }
        return map_http_error(httpx.Response(error.status_code, headers=headers, content=error.response.content), _PROVIDER)

    def _picture(self, answer: Any) -> bytes:
        """The bytes of the first picture, from base64 or from its address."""
        pictures = getattr(answer, "data", None)
        first = pictures[0] if isinstance(pictures, list) and pictures else None
        text, url = getattr(first, "b64_json", None), getattr(first, "url", None)
        if isinstance(text, str) and text:
            return decoded(text, provider=_PROVIDER)
        if not isinstance(url, str) or not url:
            raise BadAnswer("the answer holds no picture", provider=_PROVIDER, raw=cleaned(answer))
        if url.startswith("data:"):
            return data_url_bytes(url, provider=_PROVIDER)
        return call_with_retry(
            lambda: fetch_bytes(
                url,
                provider=_PROVIDER,
                limit=MAX_BYTES,
                media_types=MEDIA,
                allow_loopback=is_loopback_url(self._base_url),
                timeout=self._timeout,
            ),
            attempts=self._attempts,
            base=self._retry_base,
        )


def _checked_key(api_key: SecretStr) -> SecretStr:
    """Raises ConfigurationError for an empty key, which the client would read from the environment instead."""
    if not api_key.get_secret_value().strip():
        raise ConfigurationError("the images API needs a key", hint="set OPENAI_API_KEY; for a server without keys write none")
    return api_key
