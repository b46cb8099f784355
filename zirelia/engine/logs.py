"""The daemon's log: one line an event on standard error, readable on a terminal, JSON elsewhere, without any secret.

    configure_logs(settings)
    log = logger()
    log("slot opened", slot="mira:2026-11-28:noon", post=7)

Other packages' logs come through the same door, from WARNING on. Whatever a secret's value is, it is replaced wherever it turns
up, in a traceback too. Texts of models are data: they cannot drive a terminal. Knows nothing of what is logged.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import structlog
from pydantic import BaseModel, SecretStr

from zirelia.domain.value import printable
from zirelia.settings import Settings

MASK = "••••"
_QUIET = ("dbos", "apscheduler", "httpx", "httpcore", "uvicorn", "sqlalchemy", "alembic", "PIL", "urllib3")
# what carries a secret by its form, whoever wrote it
_FORMS = (
    (re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"), MASK),
    (re.compile(r"(?i)\b(bearer|token|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"(?i)\b(api[_-]?key|access[_-]?token|token|secret|password)=[^&\s\"']+"), rf"\1={MASK}"),
)
_SHORTEST = 4


class Masking:
    """A processor that takes secrets out of every string of an event."""

    def __init__(self, settings: Settings) -> None:
        found = {secret.get_secret_value() for secret in _secrets(settings)}
        # the longest first: one may hold another
        self._values = sorted((value for value in found if len(value) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            event[key] = self._clean(value)
        return event

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._clean(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(one) for one in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))

    def text(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, MASK)
        for form, mask in _FORMS:
            text = form.sub(mask, text)
        return printable(text)


def _secrets(value: object) -> Iterator[SecretStr]:
    if isinstance(value, SecretStr):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, dict):
        for one in value.values():
            yield from _secrets(one)


def configure_logs(settings: Settings) -> None:
    """Sets up the process's logging; may be called again."""
    console = settings.logs.format == "console" or (settings.logs.format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        Masking(settings),
    ]
    last: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time", pad_event_to=24)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger(name).propagate = True
        logging.getLogger(name).handlers = []
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def logger(name: str = "zirelia") -> Callable[..., None]:
    """log(event, level="info", **fields)."""
    bound = structlog.stdlib.get_logger(name)

    def log(event: str, *, level: str = "info", **fields: Any) -> None:
        getattr(bound, level)(event, **fields)

    return log


class LogWatcher:
    """Implements ports.Watcher: the steps of a turn as log lines with the post that they belong to."""

    def __init__(self, log: Callable[..., None], post_id: int, persona: str) -> None:
        self._log = log
        self._of = {"post": post_id, "persona": persona} if persona else {"post": post_id}
        self._step = ""

    def step(self, name: str, note: str = "") -> None:
        self._step = name
        self._log(name, **self._of, **({"note": note} if note else {}))

    def progress(self, fraction: float, note: str) -> None: ...

    def note(self, text: str) -> None:
        self._log(f"{self._step}: remark", **self._of, note=text)

    def done(self, note: str = "") -> None:
        self._log(f"{self._step}: done", **self._of, note=note)

    def failed(self, note: str) -> None:
        self._log(f"{self._step or 'job'}: failed", level="warning", **self._of, note=note)
