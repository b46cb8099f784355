"""Tells a person: by a command, by a webhook, and in the log.

    tell = Notifier(settings.notify, log, mask=Masking(settings).text)
    tell("held", "post 7 of mira is held: identity failed", post=post)
    tell.close(5.0)

Whoever tells never waits and never fails: a thread of its own sends. The same message is sent once an hour at most, and `MOST`
messages a minute; what is more is in the log, and the next message says how many were left out. The webhook's URL is a secret.
Knows nothing of why somebody is told.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import random
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from zirelia.domain.post import Post
from zirelia.network.certificates import trusted
from zirelia.settings.tree import NotifySettings, leaves

TRIES = 3
AGAIN_SECONDS = 3600.0
MOST = 30
"""Messages that are sent in a minute."""

_MINUTE = 60.0
_ROOM = 100
_REMEMBERED = 1000
_LONGEST = 2000


class Notifier:
    """mask: takes secrets out of a text. now: seconds of a clock that never goes back."""

    def __init__(
        self,
        settings: NotifySettings,
        log: Callable[..., None],
        *,
        mask: Callable[[str], str] = str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._log = log
        self._mask = mask
        self._now = now
        self._told: collections.OrderedDict[tuple[str, str], float] = collections.OrderedDict()
        self._recent: collections.deque[float] = collections.deque(maxlen=MOST)
        self._left_out = 0
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(_ROOM)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        if self._sends:
            self._thread.start()

    @property
    def _sends(self) -> bool:
        return self._settings.command is not None or self._settings.url is not None

    def __call__(self, kind: str, message: str, *, post: Post | None = None) -> None:
        if not self._is_new(kind, message):
            return
        self._log(message, level="warning", kind=kind)
        if not self._sends:
            return
        body = {
            "kind": kind,
            "message": self._mask(message)[:_LONGEST],
            "post": post.id if post else None,
            "persona": post.persona if post else None,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with self._lock:
            now = self._now()
            if len(self._recent) == MOST and now - self._recent[0] < _MINUTE:
                self._left_out += 1
                return
            try:
                self._waiting.put_nowait(body | {"left_out": self._left_out})
            except queue.Full:
                self._left_out += 1
            else:
                self._recent.append(now)
                self._left_out = 0

    def _is_new(self, kind: str, message: str) -> bool:
        with self._lock:
            now, key = self._now(), (kind, message)
            if now - self._told.get(key, now - AGAIN_SECONDS) < AGAIN_SECONDS:
                return False
            self._told[key] = now
            self._told.move_to_end(key)
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
            return True

    def close(self, timeout: float) -> None:
        """Sends what waits, for as many seconds at most; a command that still runs then is ended."""
        if not self._thread.is_alive():
            return
        end = time.monotonic() + timeout
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=timeout)
        self._thread.join(max(0.0, end - time.monotonic()))
        if (process := self._process) is not None:
            _kill(process)

    def _run(self) -> None:
        while (body := self._waiting.get()) is not None:
            text = json.dumps(body, ensure_ascii=False)
            for way in (self._by_command, self._by_webhook):
                try:
                    way(text)
                except Exception as error:  # whatever one message met, the next one is sent
                    # its words may quote the URL
                    self._log("a person could not be told", level="error", problem=type(error).__name__)

    def _by_command(self, text: str) -> None:
        if self._settings.command is None:
            return
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own program, run without a shell
                shlex.split(self._settings.command),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=_without_our_secrets(),
            )
        except (OSError, ValueError) as error:
            self._log("the notify command cannot be run", level="warning", problem=str(error))
            return
        self._process = process
        try:
            process.communicate(f"{text}\n".encode(), timeout=self._settings.timeout_s)
            if process.returncode:
                self._log("the notify command failed", level="warning", exit_code=process.returncode)
        except subprocess.TimeoutExpired:
            _kill(process)
            self._log("the notify command took too long", level="warning", seconds=self._settings.timeout_s)
        finally:
            self._process = None

    def _by_webhook(self, text: str) -> None:
        if self._settings.url is None:
            return
        import httpx

        url, problem = self._settings.url.get_secret_value(), ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(random.uniform(0.5, 1.5) * 2 ** (attempt - 1))  # noqa: S311 - jitter, not a secret
            try:
                # the answer's body is not read: it may be of any length
                with httpx.stream(
                    "POST",
                    url,
                    content=text.encode(),
                    headers={"Content-Type": "application/json"},
                    timeout=self._settings.timeout_s,
                    verify=trusted(),
                ) as answer:
                    status = answer.status_code
            except httpx.HTTPError as error:
                problem = type(error).__name__
                continue
            if 200 <= status < 300:
                return
            problem = f"HTTP {status}"
            if status < 500 and status != 429:
                break
        self._log("the notify webhook was not reached", level="warning", problem=problem)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The program with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _without_our_secrets() -> dict[str, str]:
    ours = {leaf.env for leaf in leaves() if leaf.secret} | {"PGPASSWORD"}
    return {name: value for name, value in os.environ.items() if name.upper() not in ours}
