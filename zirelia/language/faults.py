"""Whatever a LangChain model raises → the ProviderError that says whether trying again may help.

    except Exception as error:
        raise provider_fault(error, "openai", secret=key) from error

Works by the HTTP answer that the error or one of its causes carries, else by LangChain's own error kinds, else by the transport
below. Providers that repeat the key in their complaint do not get it into a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from zirelia.errors import ProviderError, ProviderRefused, ProviderTimeout, RateLimited, ZireliaError
from zirelia.network import map_http_error, map_transport_error

_DEEPEST = 8


def provider_fault(error: Exception, provider: str, *, secret: str = "") -> ZireliaError:
    """An error of our own tree comes back as it is. `secret` stands in no message of the others."""
    if isinstance(error, ZireliaError):
        return error
    fault = _fault(error, provider)
    if secret and secret in fault.message:
        fault.message = fault.message.replace(secret, "[secret]")
        fault.args = (fault.message,)
    return fault


def tells(error: BaseException, secret: str) -> bool:
    """Whether the secret stands in the words of the error or of what caused it, so that nobody may see them."""
    return bool(secret) and any(secret in f"{one} {one!r}" for one in _chain(error))


def _fault(error: Exception, provider: str) -> ZireliaError:
    responses = (getattr(one, "response", None) for one in _chain(error))
    response: Any = next((one for one in responses if getattr(one, "status_code", 0) >= 300), None)
    if response is not None:
        # httpx or httpx2: the same attributes are read
        fault = map_http_error(response, provider)
        if fault.retryable and fault.retry_after is None:
            fault.retry_after = _retry_delay(response)
        return fault
    if isinstance(error, IndexError):
        return ProviderError("answered without any choice", provider=provider, retryable=True)
    if isinstance(error, KeyError | TypeError | ValueError | AttributeError) and not isinstance(error, OSError):
        return _malformed(error, provider)
    mapped = map_transport_error(error, provider)
    if isinstance(mapped, ProviderError) and not mapped.retryable:
        return _by_kind(error, provider) or mapped
    return mapped


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it."""
    current: BaseException | None = error
    for _ in range(_DEEPEST):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _retry_delay(response: Any) -> float | None:
    """Seconds that Google asks to wait in the body: error.details[].retryDelay, such as "3.5s"; None when it does not."""
    try:
        details = response.json()["error"]["details"]
        said = next(str(one["retryDelay"]) for one in details if isinstance(one, dict) and "retryDelay" in one)
    except (ValueError, KeyError, TypeError, StopIteration, RuntimeError):
        return None
    return float(said[:-1]) if re.fullmatch(r"\d{1,6}(\.\d{1,9})?s", said) else None


def _by_kind(error: Exception, provider: str) -> ProviderError | None:
    from langchain_core import exceptions as kinds

    said = f"{type(error).__name__}: {error}"[:300]
    if isinstance(error, kinds.ModelRateLimitError):
        return RateLimited(said, provider=provider)
    if isinstance(error, kinds.ModelTimeoutError):
        return ProviderTimeout(said, provider=provider)
    if isinstance(error, kinds.ModelError) and error.is_retryable:
        return ProviderError(said, provider=provider, retryable=True)
    return None


def _malformed(error: Exception, provider: str) -> ProviderError:
    """The server answered 200 with something else than a chat completion (a login page, another kind of server)."""
    return ProviderRefused(
        f"the answer is not a chat completion ({type(error).__name__})",
        provider=provider,
        hint="check that the base URL is that of an OpenAI-compatible server (most end in /v1)",
    )
