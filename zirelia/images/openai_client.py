"""The genuine OpenAI client on an images API: one request, its picture, and every failure as one of our errors.

    api = ImagesAPI(key, "gpt-image-2", base_url=None)
    made = api.made(prompt, api.options(prompt, form=False), parents=(), price=0.04, progress=progress)

The API answers with the picture itself, so there is no id to poll: a call whose answer was lost cannot be taken up again, and
asking again by itself might pay twice, so it is reported instead. Knows nothing of LoRAs, references or budgets.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from zirelia.domain.shot import ImagePrompt, Provenance
from zirelia.errors import (
    BadAnswer,
    ConfigurationError,
    MissingExtra,
    OfflineViolation,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
)
from zirelia.images.hosted import Fetching, decoded, is_refusal
from zirelia.images.openai_sizes import is_gpt_image, is_openai_model, size_for
from zirelia.network import call_with_retry, cleaned, is_loopback_url, map_http_error, map_transport_error
from zirelia.pictures import accepted_form
from zirelia.ports import MadeImage, Progress

PROVIDER = "openai-images"
DEFAULT_URL = "https://api.openai.com/v1"
_REFUSAL_CODES = frozenset({"moderation_blocked", "content_policy_violation", "image_generation_user_error"})


class ImagesAPI:
    """One model behind one address; see `OpenAIImageMaker` for the meaning of each argument."""

    def __init__(
        self,
        api_key: SecretStr,
        model: str,
        *,
        base_url: str | None,
        quality: str | None,
        timeout: float,
        attempts: int,
        retry_base: float,
    ) -> None:
        self._key = _checked_key(api_key)
        self.model = model
        self.address = (base_url or DEFAULT_URL).rstrip("/")
        self._quality = quality
        self._timeout = timeout
        self._attempts = attempts
        self._retry_base = retry_base
        self._fetching = Fetching(PROVIDER, self.address, timeout, attempts, retry_base)

    @property
    def local(self) -> bool:
        return is_loopback_url(self.address)

    def paid(self, price: float) -> bool:
        return price > 0 or self.address == DEFAULT_URL

    def options(self, prompt: ImagePrompt, *, form: bool) -> dict[str, Any]:
        """What every request says. `form`: an edit is a form, whose fields are text."""
        options: dict[str, Any] = {
            "model": self.model,
            "prompt": prompt.text,
            "n": 1,
            "size": size_for(self.model, prompt.width, prompt.height),
        }
        if self._quality is not None:
            options["quality"] = self._quality
        if is_gpt_image(self.model):
            options["output_format"] = "png"
        else:
            options["response_format"] = "b64_json"
        if not is_openai_model(self.model):
            # what vLLM-Omni and its like read beside the standard fields
            extra: dict[str, Any] = {"seed": prompt.seed}
            if prompt.negative:
                extra["negative_prompt"] = prompt.negative
            if prompt.steps is not None:
                extra["num_inference_steps"] = prompt.steps
            options["extra_body"] = {name: str(value) for name, value in extra.items()} if form else extra
        return options

    def made(
        self, prompt: ImagePrompt, options: Mapping[str, Any], *, parents: tuple[str, ...], price: float, progress: Progress
    ) -> MadeImage:
        """One picture: an edit when `options` has an `image`, else a generation."""
        began = time.monotonic()
        progress(0.0, f"asking {self.model}")
        with self._connected() as client:
            outcome = call_with_retry(lambda: self._ask(client, options), attempts=self._attempts, base=self._retry_base)
        if isinstance(outcome, ProviderError):
            raise outcome
        data, media_type = accepted_form(self._picture(outcome), what=f"the picture of {self.model}")
        progress(1.0, "received")
        return MadeImage(
            data=data,
            media_type=media_type,
            provenance=Provenance(
                backend=PROVIDER,
                model=self.model,
                prompt=prompt,
                steps=None if is_openai_model(self.model) else prompt.steps,
                seconds=time.monotonic() - began,
                cost_usd=price,
                parents=parents,
                made_at=datetime.now(UTC),
            ),
        )

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        if importlib.util.find_spec("openai") is None:
            raise MissingExtra("openai", "making pictures through the OpenAI images API")
        from openai import OpenAI

        with OpenAI(
            api_key=self._key.get_secret_value(), base_url=self.address, max_retries=0, timeout=self._timeout
        ) as client:
            yield client

    def _ask(self, client: Any, options: Mapping[str, Any]) -> Any:
        """The answer; a lost one comes back as an error value, because asking again might pay twice."""
        import openai

        try:
            return (client.images.edit if "image" in options else client.images.generate)(**options)
        except openai.APIStatusError as error:
            raise self._status_error(error) from error
        except openai.APIConnectionError as error:
            failure = map_transport_error(error, PROVIDER)
            if isinstance(failure, OfflineViolation):
                raise failure from error
            return self._unanswered(error, failure)
        except OfflineViolation:
            raise
        except (openai.OpenAIError, ValueError, TypeError) as error:
            raise BadAnswer("the answer is not what the images API describes", provider=PROVIDER, raw=cleaned(error)) from error

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
                f"no connection to {self.address}",
                provider=PROVIDER,
                retryable=True,
                hint="is the server up and the URL right?",
            ) from error
        return ProviderError(
            "the connection broke before the answer came; the picture may have been charged",
            provider=PROVIDER,
            retryable=True,
        )

    def _status_error(self, error: Any) -> ProviderError:
        code, said = str(error.code or ""), cleaned(error.message, secret=self._key.get_secret_value())
        if error.status_code in {400, 403, 422} and (code in _REFUSAL_CODES or is_refusal(said)):
            return ProviderRefused(
                f"the prompt was refused by the safety system: {said}",
                provider=PROVIDER,
                hint="word the prompt more safely",
            )
        # openai 3 answers with httpx2's response, openai 2 with httpx's: the mapping reads the latter
        headers = {
            name: value
            for name, value in error.response.headers.items()
            if name.lower() not in {"content-encoding", "content-length", "transfer-encoding"}
        }
        return map_http_error(httpx.Response(error.status_code, headers=headers, content=error.response.content), PROVIDER)

    def _picture(self, answer: Any) -> bytes:
        """The bytes of the first picture, from base64 or from its address."""
        pictures = getattr(answer, "data", None)
        first = pictures[0] if isinstance(pictures, list) and pictures else None
        text, url = getattr(first, "b64_json", None), getattr(first, "url", None)
        if isinstance(text, str) and text:
            return decoded(text, provider=PROVIDER)
        if not isinstance(url, str) or not url:
            raise BadAnswer("the answer holds no picture", provider=PROVIDER, raw=cleaned(answer))
        return self._fetching.picture(url)


def _checked_key(api_key: SecretStr) -> SecretStr:
    """Raises ConfigurationError for an empty key, which the client would read from the environment instead."""
    if not api_key.get_secret_value().strip():
        raise ConfigurationError("the images API needs a key", hint="set OPENAI_API_KEY; for a server without keys write none")
    return api_key
