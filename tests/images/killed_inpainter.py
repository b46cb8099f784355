"""One turn whose second picture is a part drawn anew for money, in a process that kills itself where it is told.

Example: python killed_inpainter.py HOME MOMENT, where MOMENT is "never" or one of MOMENTS. Run by test_inpaint_killed.py.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zirelia.channels.folder import FolderChannel
from zirelia.critic.panel import CriticPanel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.definitions.personas import load_persona
from zirelia.domain.box import Box
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.ports import Exhibit, MadeImage
from zirelia.provenance.sealer import JpegSealer
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.studio import SilentWatcher
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.produce import produce, resume, unfinished

MOMENTS = ("ordered", "drawn", "kept")
CRITERIA = frozenset({Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.SUBJECTS, Criterion.ANATOMY})
FACE = Box(left=0.3, top=0.1, right=0.6, bottom=0.5)


class Pointing:
    """Says that the face is melted in every whole picture, and that all is well in one with a mended part."""

    name, criteria = "pointing", CRITERIA

    def __init__(self, home: Path) -> None:
        self._first = home / "first.rgb"

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        seen = exhibit.image.tobytes()
        if not self._first.exists():
            self._first.write_bytes(seen)
        melted = self._first.read_bytes() == seen
        return [
            Finding(
                criterion=criterion,
                aspect="face",
                outcome=Outcome.FAILED if melted and criterion is Criterion.ANATOMY else Outcome.PASSED,
                instrument=self.name,
                explanation="melted" if melted else "whole",
                region=FACE,
            )
            for criterion in sorted(CRITERIA)
        ]


class Hosted(FakeImageMaker):
    """A paid model that draws parts anew; every payment is a line in a file that outlives the process."""

    def __init__(self, home: Path, moment: str) -> None:
        super().__init__(vocabulary=shot_vocabulary(), size=(96, 96), price=0.05, inpaints=True)
        self._till, self._moment = home / "payments.txt", moment

    def make(self, prompt: Any, **options: Any) -> MadeImage:
        self._part = options.get("within") is not None
        made = super().make(prompt, **options)
        self.reached("drawn")
        return made

    def _pay(self, call: Any, wish: str) -> str:
        if call.external_id is None:
            with self._till.open("a") as till:
                till.write(f"{'part' if self._part else 'whole'}\n")
        paid = super()._pay(call, wish)
        self.reached("ordered")
        return paid

    def reached(self, moment: str) -> None:
        if self._part and moment == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


def main(home: Path, moment: str) -> None:
    images = Hosted(home, moment)
    with SqlStore(home / "zirelia.db", MediaStore(home / "media")) as store:
        add = store.add_attempt

        def adding(post_id: int, attempt: Any) -> None:
            add(post_id, attempt)
            images.reached("kept")

        store.add_attempt = adding  # type: ignore[method-assign]
        kit = Kit(
            store=store,
            media=store.media,
            chat=ScriptedChat(),
            images=images,
            panel=CriticPanel([Pointing(home)], time_limit=20.0),
            channels={"folder": FolderChannel(home / "outbox")},
            sealer=JpegSealer(),
            agents={name: load_agent(name) for name in agent_names()},
            now=lambda: datetime.now(UTC),
            watcher=SilentWatcher(),
        )
        subject = Subject(persona=load_persona("mira").persona, lora=None, references=())
        begun = unfinished(kit, "mira")
        for post in begun:
            resume(kit, subject, post.id)
        if not begun:
            produce(kit, subject)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
