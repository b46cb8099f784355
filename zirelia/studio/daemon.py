"""One process of the daemon, wired: settings → studio → node, with its log and its messages.

run(("clock", "work", "gpu"), device="0")      # until SIGTERM or SIGINT
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

from zirelia.engine.logs import LogWatcher, configure_logs, logger
from zirelia.engine.masking import Masking
from zirelia.engine.nodes import Node
from zirelia.engine.notify import Notifier
from zirelia.engine.roster import Roster
from zirelia.settings import Settings, load_settings
from zirelia.store.sql import SqlStore
from zirelia.studio import Studio, open_studio
from zirelia.studio.accounts import keeper
from zirelia.studio.hosting import sweep
from zirelia.studio.roster import StudioRoster
from zirelia.workflow.connections import Told, upkeep
from zirelia.workflow.reply import listen
from zirelia.workflow.results import measure_due

FLUSH_SECONDS = 5.0
HOSTED_WORKERS = 8


class Serving(Protocol):
    """What the role `web` does, for as long as the block lasts. It stands above this module, so it is handed in."""

    def __call__(
        self, node: Node, store: SqlStore, roster: Roster, settings: Settings, log: Callable[..., None]
    ) -> AbstractContextManager[object]: ...


def workers(studio: Studio) -> int:
    """Turns written at a time: one where the chat model needs this machine's cores."""
    said = studio.settings.engine.workers
    return said or (1 if studio.choices["chat"].backend == "embedded" else HOSTED_WORKERS)


def run(roles: tuple[str, ...], *, device: str, serving: Serving | None = None) -> None:
    """Runs one node until it is told to stop. Raises Conflict when its place is taken, ConfigurationError, StoreError.

    Args:
        serving: the role `web`.
    """
    settings = load_settings()
    configure_logs(settings)
    log = logger()
    with open_studio(settings=settings) as studio:
        roster = StudioRoster(studio)
        notifier = Notifier(settings.notify, log, mask=Masking(settings).text)

        def beside(node: Node) -> AbstractContextManager[object]:
            if serving is None or "web" not in roles:
                return contextlib.nullcontext()
            return serving(node, studio.store, roster, settings, log)

        try:
            with Node(
                studio.store,
                roster,
                settings,
                roles=roles,
                workers=workers(studio),
                tell=notifier,
                log=log,
                watcher=lambda post_id, persona: LogWatcher(log, post_id, persona),
                device=device,
                beside=beside,
                chores={
                    "measure": lambda: _measure(studio, log),
                    "mentions": lambda: _listen(studio, roster, log),
                    "tokens": lambda: _tend(studio, notifier, log),
                    "hosted": lambda: sweep(settings, datetime.now(UTC)),
                },
            ) as node:
                node.wait()
        finally:
            notifier.close(FLUSH_SECONDS)
        if node.durable.handed_back:
            _end()


def _end() -> None:
    """At once. Threads that still draw or wait for a model would keep the process, for minutes, with work that is others' now;
    to take the models and the database away from under them would count as failed tries.
    """
    logging.shutdown()
    os._exit(0)


def _measure(studio: Studio, log: Callable[..., None]) -> None:
    """What platforms count of the posts that are of an age to be looked at."""
    measure_due(studio.store, studio.channels_of, now=datetime.now(UTC), watcher=LogWatcher(log, 0, ""))


def _tend(studio: Studio, tell: Told, log: Callable[..., None]) -> None:
    """Renews tokens that nobody uses, and warns of those that end."""
    upkeep(keeper(studio), tell=tell, note=lambda text: log("token not renewed", level="warning", problem=text))


def _listen(studio: Studio, roster: StudioRoster, log: Callable[..., None]) -> None:
    """Drafts answers to new mentions, for personas on a channel that lets them be read."""
    for name in roster.names():
        if any(hasattr(channel, "mentions") for channel in studio.channels_of(name).values()):
            listen(*roster.desk(name, LogWatcher(log, 0, name)))
