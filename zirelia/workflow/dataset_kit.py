"""What the making of a dataset works with: models behind their ports, the folder, and the money.

    kit = DatasetKit(store=store, folder=folder, curator=curator, now=now, watcher=watcher, editor=editor)
    build_dataset(kit, persona, Photos.read([photo]), load_shot_list("30"))

`studio` builds it. Nothing here chooses an adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from zirelia.definitions.agents import Agent
from zirelia.domain.dataset import Build, Candidate, StartPicture
from zirelia.domain.shotlist import ShotList
from zirelia.ports import Chat, Curator, DatasetFolder, ImageEditor, ImageMaker, Store, Watcher
from zirelia.workflow.kit import Budget


class BuildFolder(DatasetFolder, Protocol):
    """A dataset folder with what a build keeps beside the pictures."""

    def writing(self) -> AbstractContextManager[None]:
        """Held by one process; ends first what a killed one left. Raises Conflict when another holds it."""
        ...

    def build(self) -> Build | None: ...

    def begin(self, build: Build, pictures: Sequence[bytes]) -> None: ...

    def start_picture(self, picture: StartPicture) -> bytes: ...

    def shots(self) -> ShotList | None: ...

    def save_shots(self, wanted: ShotList) -> None: ...

    def caption(self, candidate: Candidate) -> str | None:
        """What stands in the caption file beside the picture."""
        ...

    def anchors(self) -> tuple[Candidate, ...]: ...

    def add_anchor(self, candidate: Candidate, data: bytes) -> None: ...


@dataclass(frozen=True)
class DatasetKit:
    """Everything that the making of a dataset may touch.

    editor: makes pictures of the subject of others; not needed for a folder that exists.
    images, images_licence: makes the anchors from words, under these terms.
    side: shortest side that the training needs, pixels; None takes the editor's size, or any size without an editor.
    vision, captioner, vision_estimate_usd: who looks at pictures for captions, what it is asked, and what a look may cost.
    known_words, other_triggers: what the trigger word must not be; see `domain.trigger`.
    """

    store: Store
    folder: BuildFolder
    curator: Curator
    now: Callable[[], datetime]
    watcher: Watcher
    editor: ImageEditor | None = None
    images: ImageMaker | None = None
    images_licence: str = "not stated"
    side: int | None = None
    budget: Budget = field(default_factory=Budget)
    vision: Chat | None = None
    captioner: Agent | None = None
    vision_estimate_usd: float = 0.0
    known_words: frozenset[str] = frozenset()
    other_triggers: tuple[str, ...] = ()

    def shortest_side(self) -> int:
        if self.side is not None:
            return self.side
        return min(self.editor.size()) if self.editor is not None else 1
