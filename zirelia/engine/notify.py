"""Tells a person: by a command, by a webhook, and in the log.

    tell = Notifier(settings.notify, log)
    tell("held", "post 7 of mira is held: identity failed", post=post)
    tell.close(5.0)

Whoever tells never waits and never fails: a thread of its own sends, a full queue drops the oldest message and says so in the
log. The same message is sent once an hour at most. The webhook's URL is a secret. Knows nothing of why somebody is told.
"""

from __future__ import annotations

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

from zirelia.domain.post import Post
from zirelia.settings.tree import NotifySettings

TRIES = 3
AGAIN_SECONDS = 3600.0
_ROOM = 200


class Notifier:
    def __init__(self, settings: NotifySettings, log: Callable[..., None]) -> None:
        self._settings = settings
        self._log = log
        self._told: dict[tuple[str, str], float] = {}
        self._waiting: queue.Queue[dict[str, object] | None] = queue.Queue(_ROOM)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        if self._sends:
            self._thread.start()

    @property
    def _sends(self) -> bool:
        return self._settings.command is not None or self._settings.url is not None

    def __call__(self, kind: str, message: str, *, post: Post | None = None) -> None:
        with self._lock:
            now = time.monotonic()
            self._told = {key: at for key, at in self._told.items() if now - at < AGAIN_SECONDS}
            if (kind, message) in self._told:
                return
            self._told[kind, message] = now
        self._log(message, level="warning", kind=kind)
        if not self._sends:
            return
        body: dict[str, object] = {
            "kind": kind,
            "message": message,
            "post": post.id if post else None,
            "persona": post.persona if post else None,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        while True:
            try:
                self._waiting.put_nowait(body)
                return
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._waiting.get_nowait()
                    self._log("a message to a person was dropped: too many wait", level="warning")

    def close(self, timeout: float) -> None:
        """Sends what waits, for as many seconds at most."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=timeout)
            self._thread.join(timeout)

    def _run(self) -> None:
        while (body := self._waiting.get()) is not None:
            text = json.dumps(body, ensure_ascii=False)
            if self._settings.command is not None:
                self._by_command(self._settings.command, text)
            if self._settings.url is not None:
                self._by_webhook(self._settings.url.get_secret_value(), text)

    def _by_command(self, command: str, text: str) -> None:
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own program, run without a shell
                shlex.split(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._log("the notify command cannot be run", level="warning", problem=str(error))
            return
        try:
            process.communicate(text.encode(), timeout=self._settings.timeout_s)
            if process.returncode:
                self._log("the notify command failed", level="warning", exit_code=process.returncode)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            self._log("the notify command took too long", level="warning", seconds=self._settings.timeout_s)

    def _by_webhook(self, url: str, text: str) -> None:
        import httpx

        problem = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(random.uniform(0.5, 1.5) * 2 ** (attempt - 1))  # noqa: S311 - jitter, not a secret
            try:
                answer = httpx.post(
                    url, content=text.encode(), headers={"Content-Type": "application/json"}, timeout=self._settings.timeout_s
                )
            except httpx.HTTPError as error:
                problem = type(error).__name__
                continue
            if answer.is_success:
                return
            problem = f"HTTP {answer.status_code}"
            if answer.status_code < 500 and answer.status_code != 429:
                break
        self._log("the notify webhook was not reached", level="warning", problem=problem)
