"""One `zirelia up` with models that cost nothing and a platform that is one file: for tests that kill it at any moment.

    python tests/engine/crashing_node.py HOME DATABASE NAME SEED

The platform posts whatever it is given, twice if it is asked twice; it is slow, and now and then it answers nothing after it
has posted. Says "up" when it is.
"""

from __future__ import annotations

import functools
import json
import os
import random
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from zirelia.critic.panel import CriticPanel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.personas import load_persona
from zirelia.domain.persona import Persona
from zirelia.domain.publication import Receipt
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.engine import durable
from zirelia.engine.logs import LogWatcher
from zirelia.engine.nodes import Node
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.ports import BackendFacts, Capabilities, Exhibit, Plan, Sending, Uncertain, Watcher
from zirelia.provenance.sealer import JpegSealer
from zirelia.settings import Settings
from zirelia.settings.tree import ChannelSettings, EngineSettings
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.kit import Kit, Subject

JUDGED = frozenset({Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.SUBJECTS, Criterion.BRIEF})
AGENTS = functools.cache(lambda: {name: load_agent(name) for name in agent_names()})


class FilePlatform:
    """A post is a line of the file; nothing keeps anybody from posting twice."""

    name = "file"
    settles_after = 0.5

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._draw = random.Random(seed)

    def facts(self) -> BackendFacts:
        return BackendFacts("file", "test", local=True, paid=False)

    def capabilities(self) -> Capabilities:
        return Capabilities(2200, 30, 1000, 8_000_000, ai_label=True)

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:
        time.sleep(self._draw.uniform(0, 0.1))
        line = {"publication": plan.publication_id, "id": uuid.uuid4().hex, "at": datetime.now(UTC).isoformat()}
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(handle, (json.dumps(line) + "\n").encode())
        os.fsync(handle)
        os.close(handle)
        time.sleep(self._draw.uniform(0, 0.1))
        if self._draw.random() < 0.2:
            return Uncertain("no answer came")
        return self._receipt(line)

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:
        posts = self._path.read_text().splitlines() if self._path.exists() else []
        found = [line for line in map(json.loads, posts) if line["publication"] == plan.publication_id]
        return self._receipt(found[0]) if found else None

    def _receipt(self, line: dict[str, str]) -> Receipt:
        return Receipt(platform_id=line["id"], url=f"file:///{line['id']}", at=datetime.fromisoformat(line["at"]))


class Content:
    """An instrument that is content with everything."""

    name = "content"
    criteria = JUDGED

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        return [
            Finding(
                criterion=one, outcome=Outcome.PASSED, instrument=self.name, explanation="looked at", score=0.9, threshold=0.8
            )
            for one in sorted(self.criteria)
        ]


class Slow(ScriptedChat):
    def ask(self, *args, **options):
        time.sleep(0.02)
        return super().ask(*args, **options)


class OneRoster:
    """mira on the file platform, whatever she is asked for."""

    def __init__(self, home: Path, store: SqlStore, media: MediaStore, seed: int) -> None:
        pack = load_persona("mira").persona
        self._persona = pack.model_copy(update={"channels": ("file",), "lora": None})
        self._kit = {
            "store": store,
            "media": media,
            "panel": CriticPanel([Content()], time_limit=30.0),
            "channels": {"file": FilePlatform(home / "platform.jsonl", seed)},
            "sealer": JpegSealer(),
            "agents": AGENTS(),
            "now": lambda: datetime.now(UTC),
        }

    def names(self) -> Sequence[str]:
        return ("mira",)

    def persona(self, name: str) -> Persona:
        return self._persona

    def desk(self, name: str, watcher: Watcher) -> tuple[Kit, Subject]:
        images = FakeImageMaker(vocabulary=shot_vocabulary(), size=(96, 96))
        kit = Kit(**self._kit, chat=Slow(), images=images, watcher=watcher)
        return kit, Subject(persona=self._persona, lora=None, references=())

    def draws_here(self, name: str) -> bool:
        return True


def settings_for(home: Path, name: str) -> Settings:
    return Settings(
        home=home,
        engine=EngineSettings(node=name, tick_s=0.1, undecided="auto_approve", stop_s=5.0, lead_hours=1.0),
        channels=ChannelSettings(daily_limit=1000, min_gap_minutes=0),
    )


def main(home: Path, database: str, name: str, seed: int) -> None:
    durable.POLL_SECONDS = 0.1
    media = MediaStore(home / "media")
    with SqlStore(database, media) as store:
        roster = OneRoster(home, store, media, seed)

        def log(event: str, **fields: object) -> None:
            sys.stdout.write(json.dumps({"event": event, **fields}, default=str) + "\n")
            sys.stdout.flush()

        node = Node(
            store,
            roster,
            settings_for(home, name),
            roles=("clock", "work", "gpu"),
            workers=2,
            tell=lambda kind, message, post=None: log("told", kind=kind, message=message),
            log=log,
            watcher=lambda post_id, persona: LogWatcher(lambda *_, **__: None, post_id, persona),
            device=name,
        )
        with node:
            node.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
