"""What reads the public page of the persona's own account. Only `zirelia import` asks for it; the daemon reads no such page.

    import_past(studio.store, instagram(), "mira", "@mira.zr", ...)

Knows no persona.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zirelia.ports import PublicAccounts


def instagram() -> PublicAccounts:
    """Instagram as a visitor sees it; the library that reads it is loaded at the first visit."""
    from zirelia.channels.snapshot import InstagramSnapshot

    return InstagramSnapshot()
