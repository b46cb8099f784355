"""A failed call → the ProviderError that says whether trying again may help; and the trying again.

    response = client.post(url, json=body)
    if response.is_error:
        raise map_http_error(response, "replicate")

    answer = call_with_retry(ask, attempts=3)     # sleeps between 0 and 0.5, 1, 2 ... seconds, at most `cap`

Knows HTTP, not any provider's protocol. Never puts a key into a message.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from zirelia.errors import OfflineViolation, ProviderError, ProviderRefused, ProviderTimeout, RateLimited

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

Answer = TypeVar("Answer")

_SECRET = re.compile(r"(?i)(bearer\s+|token\s+|key[=:]\s*)?\b(?:sk|r8|hf|xai|gsk|ghp|pat)[-_][\w*-]{6,}|bearer\s+\S+")
_QUERY = re.compile(r"(https?://[^\s?]+)\?\S+")
_LONGEST_BODY = 65_536
_SHOWN = 300
_RETRYABLE = frozenset({425, 500, 502, 503, 504, *range(520, 530), 529})
_HINTS = {
    401: "the key is wrong, expired or missing: check it in .env",
    402: "the account has no credit left: check its billing page",
    403: "the key may not do this: check its permissions and the model's licence page",
    404: "check the model's name or version, and the base URL",
    413: "the request is too large: send a smaller picture or a shorter text",
}
_NO_CREDIT = re.compile(r"insufficient_quota|billing_hard_limit|credit balance|exceeded your current quota", re.I)


def call_with_retry(
    fn: Callable[[], Answer],
    *,
    attempts: int = 3,
    base: float = 0.5,
    cap: float = 20.0,
    longest_wait: float = 60.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """What `fn` answers, tried again while it raises a ProviderError that is retryable.

    Args:
        attempts: how often `fn` is called at most, from 1.
        base: upper bound in seconds of the first wait; it doubles with every attempt (full jitter: drawn from 0 to bound).
        cap: largest bound in seconds.
        longest_wait: a provider that asks to wait longer than this (seconds) is not waited for; its error is raised.
        sleep: replaced in tests.

    Raises the last error of `fn` itself; errors that are not retryable come through at once.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    jitter = wait_random_exponential(multiplier=base, max=cap)

    def wait(state: RetryCallState) -> float:
        return max(jitter(state), _asked_to_wait(state.outcome.exception() if state.outcome else None))

    def worth_trying(error: BaseException) -> bool:
        return isinstance(error, ProviderError) and error.retryable and _asked_to_wait(error) <= longest_wait

    retrying = Retrying(
        stop=stop_after_attempt(attempts),
        wait=wait,
        retry=retry_if_exception(worth_trying),
        sleep=sleep,
        reraise=True,
    )
    return retrying(fn)


def _asked_to_wait(error: BaseException | None) -> float:
    return (error.retry_after or 0.0) if isinstance(error, ProviderError) else 0.0


def map_http_error(response: httpx.Response, provider: str) -> ProviderError:
    """The error that an answer with status 300 or above stands for.

    429 → RateLimited, unless the account is out of credit; 408 → ProviderTimeout; 425 and 5xx → retryable ProviderError;
    the rest → ProviderRefused. A body that was not read yet is read when possible.
    """
    status, said = response.status_code, _said(response)
    message = f"HTTP {status}" + (f": {said}" if said else "")
    wait = _retry_after(response)
    if status == 429 and _NO_CREDIT.search(said):
        return ProviderRefused(message, provider=provider, hint=_HINTS[402])
    if status == 429:
        return RateLimited(message, provider=provider, retry_after=wait)
    if status == 408:
        return ProviderTimeout(message, provider=provider)
    if status in _RETRYABLE:
        return ProviderError(message, provider=provider, retryable=True, retry_after=wait)
    return ProviderRefused(message, provider=provider, hint=_HINTS.get(status))


def map_transport_error(exc: BaseException, provider: str) -> ProviderError | OfflineViolation:
    """The error that a failed connection stands for, whichever library raised it and however deep its cause lies.

    An OfflineViolation or ProviderError among the causes comes back as it is; time-outs → ProviderTimeout; a refused or
    broken connection → retryable ProviderError; anything else (a bad URL, a bad certificate) → ProviderRefused.
    """
    import ssl

    import httpx

    chain = _causes(exc)
    for error in chain:
        if isinstance(error, OfflineViolation | ProviderError):
            return error
    text = _safe(f"{type(exc).__name__}: {next((str(e) for e in chain if str(e)), 'no further word')}")
    if any(isinstance(error, httpx.TimeoutException | TimeoutError) for error in chain) or "Timeout" in type(exc).__name__:
        return ProviderTimeout(f"no answer in time ({text})", provider=provider)
    if any(isinstance(error, ssl.SSLCertVerificationError) for error in chain):
        return ProviderRefused(f"its certificate is not trusted ({text})", provider=provider)
    if any(isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL) for error in chain):
        return ProviderRefused(f"the address cannot be used ({text})", provider=provider, hint="check the base URL")
    if any(isinstance(error, httpx.TransportError | OSError) for error in chain):
        return ProviderError(
            f"the connection failed ({text})", provider=provider, retryable=True, hint="is the server up and the URL right?"
        )
    return ProviderRefused(f"the call failed ({text})", provider=provider)


def _causes(exc: BaseException) -> list[BaseException]:
    """The error and what caused it, outermost first; each once."""
    chain: list[BaseException] = []
    current: BaseException | None = exc
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds from `retry-after-ms` or `Retry-After` (a number or an HTTP date); None without a readable one."""
    try:
        if milliseconds := response.headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        said = response.headers.get("retry-after")
        if not said:
            return None
        if re.fullmatch(r"\d+(\.\d+)?", said.strip()):
            return float(said)
        moment = email.utils.parsedate_to_datetime(said)
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _said(response: httpx.Response) -> str:
    """The provider's own words, one line, at most 300 characters, without secrets."""
    import httpx

    try:
        text = _beginning(response).decode("utf-8", "replace")
    except (httpx.StreamError, httpx.HTTPError, RuntimeError):
        return response.reason_phrase
    try:
        text = _innermost(json.loads(text)) or text
    except (ValueError, RecursionError):
        text = re.sub(r"<[^>]*>", " ", text)
    return _safe(text)


def _beginning(response: httpx.Response) -> bytes:
    """At most about _LONGEST_BODY bytes of the body: whoever fails may also send without end."""
    if response.is_closed:
        return response.content[:_LONGEST_BODY]
    received = bytearray()
    for chunk in response.iter_bytes(4096):
        received += chunk
        if len(received) >= _LONGEST_BODY:
            break
    return bytes(received)


def _innermost(body: Any) -> str:
    """The message in {"error": {"message": ...}}, {"detail": ...}, {"error": "..."} and their like."""
    while isinstance(body, dict):
        body = next((body[key] for key in ("error", "message", "detail", "title") if body.get(key)), None)
    return body if isinstance(body, str) else ""


def cleaned(text: object, *, secret: str = "") -> str:
    """A provider's words made safe to show: one line, no control characters, no secret, no query of a URL, at most 300
    characters. `secret` is a key that must not stand there whatever it looks like.
    """
    line = str(text)
    if secret:
        line = line.replace(secret, "[secret]")
    line = _QUERY.sub(r"\1", line)
    return _safe("".join(letter if letter.isprintable() or letter.isspace() else " " for letter in line))


def _safe(text: str) -> str:
    line = " ".join(_SECRET.sub("[secret]", text).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
