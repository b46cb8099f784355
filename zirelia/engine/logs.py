"""The daemon's log: one line an event on standard error, readable on a terminal, JSON elsewhere, without any secret.

    configure_logs(settings)
    log = logger()
    log("slot opened", slot="mira:2026-11-28:noon", post=7)

Other packages' logs come through the same door, from WARNING on. Whatever a secret's value is, it is replaced wherever it turns
up, in a traceback too. Texts of models are data: they cannot drive a terminal. Knows nothing of what is logged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from zirelia.engine.masking import Masking
from zirelia.settings import Settings

QUIET = ("dbos", "apscheduler", "httpx", "httpcore", "uvicorn", "sqlalchemy", "alembic", "PIL", "urllib3")
_INSIDE = ("_record", "_from_structlog")
_FIRST = ("time", "level", "event")
_MANY_LINES = ("exception", "stack", "stack_info")


class _Masked:
    """A processor: every field of an event without secrets, and such that JSON can hold it."""

    def __init__(self, settings: Settings) -> None:
        self._mask = Masking(settings)

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        clean = {self._mask.text(key): self._mask.field(key, value) for key, value in event.items() if key not in _INSIDE}
        first = {key: clean.pop(key) for key in _FIRST if key in clean}
        return {**first, **clean, **{key: event[key] for key in _INSIDE if key in event}}


class _Door(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Of a record that cannot be written, its place alone is told: its parts have not been masked."""
        with contextlib.suppress(Exception):
            told = {"level": "error", "event": "a log record could not be written", "at": f"{record.name}:{record.lineno}"}
            self.stream.write(json.dumps(told) + "\n")


def configure_logs(settings: Settings) -> None:
    """Sets up the process's logging; may be called again."""
    console = settings.logs.format == "console" or (settings.logs.format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        _Masked(settings),
    ]
    last: tuple[Any, ...] = (structlog.processors.JSONRenderer(ensure_ascii=not _writes_unicode(sys.stderr)),)
    if console:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            timestamp_key="time",
            pad_event_to=24,
            # tracebacks are words already: they had to be masked
            exception_formatter=structlog.dev.plain_traceback,
        )
        last = (_one_line, renderer)
    handler = _Door(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in QUIET:
        quiet = logging.getLogger(name)
        quiet.setLevel(max(logging.WARNING, root.level))
        # a handler of its own: a package that finds none when it is loaded makes one, past this door
        quiet.handlers, quiet.propagate = [handler], False
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(True)
    threading.excepthook = _thread_died


def _writes_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def _one_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """On a terminal a text with line breaks could pass for lines of the log."""
    for key, value in event.items():
        if isinstance(value, str) and key not in _MANY_LINES:
            event[key] = " ⏎ ".join(value.splitlines())
    return event


def _thread_died(died: threading.ExceptHookArgs) -> None:
    if died.exc_type is not SystemExit:
        name = died.thread.name if died.thread is not None else "?"
        told = (died.exc_type, died.exc_value, died.exc_traceback)
        logger()("a thread died", level="error", thread=name, exc_info=told)


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
