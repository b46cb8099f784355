"""Every error that Zirelia raises on purpose.

    ZireliaError                     exit  what the caller can do
    ├── ConfigurationError             2   correct .env, config/*.toml or the environment
    │   ├── MissingExtra               2   pip install 'zirelia[...]'
    │   ├── NotConnected               2   zirelia connect CHANNEL
    │   └── DefinitionError            2   correct the persona pack or the agent file (file, line and key are named)
    ├── NotFound                       3   a wrong id or name
    ├── IllegalTransition              4   the post is in a state that does not allow this
    │   ├── Conflict                   4   somebody else changed it meanwhile: look again
    │   └── NotYet                     4   its time has not come; `until` says when
    ├── OfflineViolation               5   ZIRELIA_OFFLINE=1 forbids the connection
    ├── BudgetExceeded                 6   raise the budget or wait for the next period
    ├── ConsentRequired                7   record a consent first
    ├── ProviderError                  8   a model or platform failed; `retryable` says whether trying again may help
    │   ├── ProviderTimeout            8
    │   ├── RateLimited                8   carries retry_after
    │   ├── ProviderRefused            8   a bad key, a bad request, content refused: do not retry
    │   │   └── TokenRefused           8   the platform does not take an account's token any more, or none can be used
    │   └── BadAnswer                  8   the model's answer did not fit its schema, asked again as often as allowed
    ├── MediaError                     9   a picture that cannot be read, is too large, or is not what it says
    ├── StoreError                    10   the database or the media folder
    └── TrainingError                 11   a training that cannot start or went wrong

Exit code 1 is a defect in Zirelia itself, 0 is success. Messages say what, where and how to fix it, and never hold a secret.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


class ZireliaError(Exception):
    """Base of all errors that are reported to a person without a traceback.

    Args:
        message: what happened and where.
        hint: how to fix it, one sentence; shown on its own line.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class ConfigurationError(ZireliaError):
    exit_code = 2


class MissingExtra(ConfigurationError):
    """A backend was chosen whose packages are not installed."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}', which is not installed", hint=f"pip install 'zirelia[{extra}]'")
        self.extra = extra


class NotConnected(ConfigurationError):
    """The persona posts on a channel for which she has no account."""

    def __init__(self, message: str, *, channel: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.channel = channel


class DefinitionError(ConfigurationError):
    """A persona pack or an agent file that cannot be used; names file, line (1-based) and key where known."""

    def __init__(
        self, message: str, *, path: Path, line: int | None = None, key: str | None = None, hint: str | None = None
    ) -> None:
        where = str(path) if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {key + ': ' if key else ''}{message}", hint=hint)
        self.path = path
        self.line = line
        self.key = key


class NotFound(ZireliaError):
    exit_code = 3


class IllegalTransition(ZireliaError):
    exit_code = 4


class Conflict(IllegalTransition):
    """The row changed between reading and writing (optimistic version check)."""


class NotYet(IllegalTransition):
    """Nothing is wrong; it may be done at `until` (an aware datetime), or when a person takes a pause away (None)."""

    def __init__(self, message: str, *, until: datetime | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.until = until


class OfflineViolation(ZireliaError):
    exit_code = 5


class BudgetExceeded(ZireliaError):
    exit_code = 6


class ConsentRequired(ZireliaError):
    exit_code = 7


class ProviderError(ZireliaError):
    """A call to a model or a platform failed.

    Args:
        provider: short name shown to people, such as "replicate".
        retryable: whether the same call may succeed later.
        usage: what the failed call took all the same (`ports.Usage`), set by the adapter that knows it.
        retry_after: seconds that the provider asked to wait, if it did.
    """

    exit_code = 8

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        retryable: bool = False,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(f"{provider}: {message}", hint=hint)
        self.provider = provider
        self.retryable = retryable
        self.retry_after = retry_after
        self.usage: object | None = None


class ProviderTimeout(ProviderError):
    def __init__(self, message: str, *, provider: str, hint: str | None = None) -> None:
        super().__init__(message, provider=provider, retryable=True, hint=hint)


class RateLimited(ProviderError):
    def __init__(self, message: str, *, provider: str, retry_after: float | None = None) -> None:
        super().__init__(message, provider=provider, retryable=True, retry_after=retry_after)


class ProviderRefused(ProviderError):
    """The provider will answer the same to the same request."""


class TokenRefused(ProviderRefused):
    """The account's token has expired or was revoked, or there is none that can be used; nothing was done. `provider` is the
    channel. `retryable` when a new one will be had.
    """


class BadAnswer(ProviderError):
    """The model answered, but not in the form that was asked for; `raw` keeps the last answer for a person to see."""

    def __init__(self, message: str, *, provider: str, raw: str) -> None:
        super().__init__(message, provider=provider)
        self.raw = raw


class MediaError(ZireliaError):
    exit_code = 9


class StoreError(ZireliaError):
    exit_code = 10


class TrainingError(ZireliaError):
    exit_code = 11
