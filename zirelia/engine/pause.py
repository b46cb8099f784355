"""The pause switch: a file, or a setting. While it is on nothing is begun and nothing is sent; what runs may end.

    pauses = Pauses(settings)
    pauses.pause("mira", because="on holiday", by="ana")     # home/PAUSED.mira
    pauses.reason("mira")                                    # "on holiday (ana, 2026-11-28 09:00 UTC)"

`home/PAUSED` pauses everybody. Any file of that name does, also an empty one that somebody touched. Nodes on many machines
share the home, and so the switch.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from zirelia.domain.value import printable
from zirelia.errors import StoreError
from zirelia.files import make_private_folder, write_atomically
from zirelia.settings import Settings

NAME = "PAUSED"
_MOST = 300


class Pauses:
    """Reads the switch anew at each question, so that every process sees it at once."""

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._by_setting = settings.engine.paused

    def reason(self, persona: str | None = None) -> str | None:
        """Why nothing is done for the persona, or for anybody (None); None when it is not paused."""
        if self._by_setting:
            return "ZIRELIA_ENGINE_PAUSED is set"
        for path in (self._file(None), *([self._file(persona)] if persona else [])):
            said = _read(path)
            if said is not None:
                return said
        return None

    def personas(self) -> frozenset[str]:
        """Those that are paused one by one."""
        return frozenset(path.name.removeprefix(f"{NAME}.") for path in self._home.glob(f"{NAME}.*"))

    def pause(self, persona: str | None, *, because: str, by: str) -> None:
        """Raises StoreError."""
        text = f"{printable(because)} ({printable(by)}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC)"
        try:
            make_private_folder(self._home)
            write_atomically(self._file(persona), text.encode(), temporary_folder=self._home)
        except OSError as error:
            raise StoreError(
                f"{self._file(persona)} cannot be written: {error.strerror}", hint="touch it by hand, or stop the daemon"
            ) from error

    def resume(self, persona: str | None) -> bool:
        """Takes the file away; False when there was none. A pause by the setting stays. Raises StoreError."""
        try:
            self._file(persona).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"{self._file(persona)} cannot be removed: {error.strerror}") from error
        return True

    def _file(self, persona: str | None) -> Path:
        return self._home / (NAME if persona is None else f"{NAME}.{persona}")


def _read(path: Path) -> str | None:
    try:
        return printable(path.read_text(encoding="utf-8", errors="replace")).strip()[:_MOST] or f"{path.name} is there"
    except FileNotFoundError:
        return None
    except OSError as error:
        # a switch that cannot be read is on: nobody said that it is off
        return f"{path} cannot be read: {error.strerror}"
