"""Nodes that are to be killed: `zirelia up` with models that cost nothing, the folder channel and a platform on loopback.

    python tests/engine/crashing_node.py      # orders are JSON lines on standard input: {"name": "one", "home": …, "log": …, …}

Each order forks a node, which takes no second to start because all modules are there, and is answered with its pid. The node's
own words go to its log, a JSON object a line.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apscheduler.schedulers.background
import dbos
import httpx
import psycopg
from crashing_parts import STORED, Content, Death, MortalFolder, MortalStore, PaidChat, PaidImages
from loopback_channel import LoopbackChannel

import zirelia.channels.folder
from zirelia.critic.panel import CriticPanel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.personas import load_persona
from zirelia.domain.persona import Persona
from zirelia.engine import durable, work
from zirelia.engine.logs import LogWatcher
from zirelia.engine.nodes import Node
from zirelia.ports import Watcher
from zirelia.provenance.sealer import JpegSealer
from zirelia.settings import Settings
from zirelia.settings.tree import ChannelSettings, EngineSettings
from zirelia.store.media import MediaStore
from zirelia.store.migrate import migrate
from zirelia.workflow import publish
from zirelia.workflow.kit import Kit, Subject

LOADED = (apscheduler.schedulers.background, dbos, httpx, psycopg, zirelia.channels.folder, migrate)
"""What a node imports when it is needed is here before the fork."""

CHANNELS = ("folder", "loopback")
AGENTS = functools.cache(lambda: {name: load_agent(name) for name in agent_names()})
MIRA = functools.cache(lambda: load_persona("mira").persona)


@dataclass(frozen=True)
class Order:
    """One node. database: a file or URL. platform: the platform's address. share: of the moments at which it dies by itself.
    books: where deaths and paid calls are written down.
    """

    name: str
    home: str
    database: str
    platform: str
    log: str
    seed: int
    share: float = 0.0
    fence: float = 1.0
    books: str = ""
    clock: str = ""

    def now(self) -> datetime:
        """The time, shifted by the seconds that the file `clock` holds."""
        shift = Path(self.clock).read_text() if self.clock and Path(self.clock).exists() else ""
        return datetime.now(UTC) + timedelta(seconds=float(shift or 0))


class OneRoster:
    """mira on both channels, whatever she is asked for."""

    def __init__(self, order: Order, store: MortalStore, media: MediaStore, death: Death) -> None:
        home = Path(order.home)
        self._death, self._paid = death, Path(order.books) / "paid.jsonl"
        self._persona = MIRA().model_copy(update={"channels": CHANNELS, "lora": None})
        self._kit = {
            "store": store,
            "media": media,
            "panel": CriticPanel([Content()], time_limit=30.0),
            "channels": {
                "folder": MortalFolder(home / "outbox", death),
                "loopback": LoopbackChannel(order.platform, answered=lambda: death.at(STORED)),
            },
            "sealer": JpegSealer(),
            "agents": AGENTS(),
            "now": order.now,
        }

    def names(self) -> Sequence[str]:
        return ("mira",)

    def persona(self, name: str) -> Persona:
        return self._persona

    def desk(self, name: str, watcher: Watcher) -> tuple[Kit, Subject]:
        chat, images = PaidChat(self._death, self._paid), PaidImages(self._death, self._paid)
        kit = Kit(**self._kit, chat=chat, images=images, watcher=watcher)
        return kit, Subject(persona=self._persona, lora=None, references=())

    def draws_here(self, name: str) -> bool:
        return True


def settings_for(order: Order) -> Settings:
    return Settings(
        home=Path(order.home),
        engine=EngineSettings(
            node=order.name, tick_s=0.1, undecided="auto_approve", stop_s=5.0, lead_hours=1.0, publish_tries=100
        ),
        channels=ChannelSettings(daily_limit=1000, min_gap_minutes=0),
    )


def log(event: str, **fields: object) -> None:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stdout.write(json.dumps({"at": at, "event": event, "pid": os.getpid(), **fields}, default=str) + "\n")
    sys.stdout.flush()


def run(order: Order) -> None:
    durable.POLL_SECONDS = 0.1
    work.BUSY = timedelta(seconds=1)
    publish.FENCE_SECONDS = order.fence
    death = Death(Path(order.books) / "deaths.jsonl", share=order.share, seed=order.seed)
    media = MediaStore(Path(order.home) / "media")
    with MortalStore(order.database, media, death) as store:
        node = Node(
            store,
            OneRoster(order, store, media, death),
            settings_for(order),
            roles=("clock", "work", "gpu"),
            workers=2,
            tell=lambda kind, message, post=None: log("told", kind=kind, message=message),
            log=log,
            watcher=lambda post_id, persona: LogWatcher(log, post_id, persona),
            device=order.name,
            now=order.now,
        )
        with node:
            node.wait()


def fork(order: Order) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        words = os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(words, 1)
        os.dup2(words, 2)
        run(order)
        code = 0
    except BaseException:
        with contextlib.suppress(OSError):  # a full disk
            log("ended", problem=traceback.format_exc())
    finally:
        os._exit(code)


def serve() -> None:
    # nobody waits for them: the kernel takes the dead away
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    AGENTS(), MIRA()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        pid = fork(Order(**json.loads(line)))
        os.write(1, f"{pid}\n".encode())


def told(order: Order) -> str:
    return json.dumps(asdict(order)) + "\n"


if __name__ == "__main__":
    serve()
