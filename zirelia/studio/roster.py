"""Whom the daemon works for: the packs that the settings name, read anew when they change on disk.

    roster = StudioRoster(studio)
    roster.names()                      # ("mira",), or every pack that is found
    kit, subject = roster.desk("mira", watcher)

Implements engine.roster.Roster for one Studio, which several threads share.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from zirelia.definitions.personas import persona_names
from zirelia.domain.persona import Identity, Persona
from zirelia.ports import Watcher
from zirelia.workflow.kit import Kit, Subject

if TYPE_CHECKING:
    from zirelia.studio import Studio

_HERE = {"pocket", "flux", "kontext", "klein", "qwen-edit"}
"""Image and edit backends that need this machine's device."""

MOST_DESKS = 32
"""Personas whose kit and decoded references are kept at hand; with thousands of accounts, those of the last jobs."""


class StudioRoster:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._lock = threading.RLock()
        self._seen: dict[str, float] = {}
        self._desks: OrderedDict[str, tuple[Kit, Subject]] = OrderedDict()

    def names(self) -> Sequence[str]:
        said = self._studio.settings.engine.personas
        if said is None:
            return (self._studio.persona().name,)
        if said.strip() == "all":
            return tuple(persona_names())
        return tuple(name.strip() for name in said.split(",") if name.strip())

    def persona(self, name: str) -> Persona:
        with self._lock:
            self._look(name)
            return self._studio.persona(name)

    def desk(self, name: str, watcher: Watcher) -> tuple[Kit, Subject]:
        with self._lock:
            self._look(name)
            if name not in self._desks:
                subject = self._studio.subject(name)
                self._desks[name] = self._studio.kit(subject), subject
            self._desks.move_to_end(name)
            while len(self._desks) > MOST_DESKS:
                self._desks.popitem(last=False)
            kit, subject = self._desks[name]
            return replace(kit, watcher=watcher), subject

    def draws_here(self, name: str) -> bool:
        persona = self.persona(name)
        role = "edit" if persona.identity is Identity.REFERENCES else "image"
        return self._studio.choices[role].backend in _HERE

    def _look(self, name: str) -> None:
        """Forgets a pack whose file was changed since it was read."""
        try:
            changed = (self._studio.pack_folder(name) / "persona.yaml").stat().st_mtime
        except OSError:
            changed = 0.0
        if self._seen.get(name, changed) != changed:
            self._studio.forget_pack(name)
            self._desks.pop(name, None)
        self._seen[name] = changed
