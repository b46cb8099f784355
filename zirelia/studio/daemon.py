"""One process of the daemon, wired: settings → studio → node, with its log and its messages.

run(("clock", "work", "gpu"), device="0")      # until SIGTERM or SIGINT
"""

from __future__ import annotations

from zirelia.engine.logs import LogWatcher, configure_logs, logger
from zirelia.engine.masking import Masking
from zirelia.engine.nodes import Node
from zirelia.engine.notify import Notifier
from zirelia.settings import load_settings
from zirelia.studio import Studio, open_studio
from zirelia.studio.roster import StudioRoster

FLUSH_SECONDS = 5.0
HOSTED_WORKERS = 8


def workers(studio: Studio) -> int:
    """Turns written at a time: one where the chat model needs this machine's cores."""
    said = studio.settings.engine.workers
    return said or (1 if studio.choices["chat"].backend == "embedded" else HOSTED_WORKERS)


def run(roles: tuple[str, ...], *, device: str) -> None:
    """Runs one node until it is told to stop. Raises Conflict when its place is taken, ConfigurationError, StoreError."""
    settings = load_settings()
    configure_logs(settings)
    log = logger()
    with open_studio(settings=settings) as studio:
        notifier = Notifier(settings.notify, log, mask=Masking(settings).text)
        try:
            with Node(
                studio.store,
                StudioRoster(studio),
                settings,
                roles=roles,
                workers=workers(studio),
                tell=notifier,
                log=log,
                watcher=lambda post_id, persona: LogWatcher(log, post_id, persona),
                device=device,
            ) as node:
                node.wait()
        finally:
            notifier.close(FLUSH_SECONDS)
