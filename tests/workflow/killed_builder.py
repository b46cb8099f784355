"""Builds a dataset until it is killed or done; each picture that is paid for leaves a line in HOME/paid.

Example: echo go | python killed_builder.py HOME. Run by test_dataset_killed.py.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from zirelia.definitions.personas import load_persona
from zirelia.definitions.shotlists import load_shot_list
from zirelia.domain.dataset import FaultKind
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.ports import Edit, MadeImage, Opinion, PaidCall, Progress, Submission
from zirelia.store.datasets import DatasetFiles
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.curation import FakeCurator, good, refused
from zirelia.testing.editor import FakeImageEditor
from zirelia.workflow.dataset import build_dataset
from zirelia.workflow.dataset_kit import DatasetKit
from zirelia.workflow.rounds import Effort
from zirelia.workflow.starts import Photos

NOW = datetime(2026, 11, 21, tzinfo=UTC)
CELLS = 8


class Watcher:
    def step(self, name: str, note: str = "") -> None: ...
    def progress(self, fraction: float, note: str) -> None: ...
    def note(self, text: str) -> None: ...
    def done(self, note: str = "") -> None: ...
    def failed(self, note: str) -> None: ...


class PaidEditor(FakeImageEditor):
    """The provider's own books: one line for each picture that it charged."""

    def __init__(self, books: Path) -> None:
        super().__init__(vocabulary=shot_vocabulary(), size=(64, 64), price=0.04)
        self._books = books

    def edit(self, edit: Edit, *, call: PaidCall, progress: Progress) -> MadeImage:
        before = self.paid
        made = super().edit(edit, call=call, progress=progress)
        if self.paid > before:
            with self._books.open("a") as book:
                book.write(f"{edit.cell.id} {edit.prompt.seed}\n")
        return made


def rule(one: Submission) -> Opinion:
    """Some first tries fail, so that there is a second round; the others differ in likeness."""
    if one.name.startswith(("close-up-02", "half-body-01")) and one.name.endswith(("-1.png", "-2.png")):
        return refused(FaultKind.BLURRED)
    return Opinion(faults=(), identity=0.5 + len(one.name) % 3 / 10) if one.cell else good(one)


def build(home: Path) -> None:
    wanted = load_shot_list("15")
    wanted = wanted.model_copy(update={"cells": wanted.cells[:CELLS]})
    with SqlStore(home / "zirelia.db", MediaStore(home / "media")) as store:
        kit = DatasetKit(
            store=store,
            folder=DatasetFiles(home / "dataset"),
            curator=FakeCurator(rule),
            now=lambda: NOW,
            watcher=Watcher(),
            editor=PaidEditor(home / "paid"),
        )
        start = Photos((("me.png", (home / "me.png").read_bytes()),))
        build_dataset(kit, load_persona("mira").persona, start, wanted, effort=Effort(factor=2.0, rounds=3))


def say(words: str) -> None:
    # one write, so that a kill leaves no half line
    os.write(1, f"{words}\n".encode())


if __name__ == "__main__":
    # each turn runs in a fork of this warm process, so that a kill costs no start of Python
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            build(Path(sys.argv[1]))
            os._exit(0)
        say(f"began {child}")
        _, status = os.waitpid(child, 0)
        say(f"end {os.waitstatus_to_exitcode(status)}")
