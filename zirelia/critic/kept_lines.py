"""A persona's line, from the memory of an earlier run or else measured, as every judge of identity asks for it.

    key = fingerprint(references)
    line = kept_line(memory, key, "mira", lambda: calibrate(own, strangers, embedder="looks 3"))

A memory that cannot be read or written costs time and never a judgement: what it holds can always be measured again. The key is
a hash of everything that decides the line; nothing here knows what that is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from zirelia.domain.calibration import Calibration
from zirelia.errors import ZireliaError
from zirelia.ports import CriticMemory

if TYPE_CHECKING:
    from PIL.Image import Image


def fingerprint(pictures: Sequence[Image]) -> str:
    """A hash of the pixels, in order."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.mode}{picture.size}".encode())
        digest.update(picture.tobytes())
    return digest.hexdigest()


def kept_line(memory: CriticMemory | None, key: str, persona: str, measure: Callable[[], Calibration]) -> Calibration:
    """The kept calibration, or a new one, which is kept. Raises what `measure` raises."""
    if memory is None:
        return measure()
    with suppress(ZireliaError):  # a damaged row, or one of another version, is as good as none
        kept = memory.calibration(key)
        if kept is not None:
            return kept
    line = measure()
    with suppress(ZireliaError):  # a full disk makes the line no worse
        memory.keep_calibration(key, persona, line)
    return line
