"""A named lock that one process holds at a time and that the kernel releases when the process dies.

    with held(home / "locks", "produce-mira"):
        ...

A second holder is refused at once. Knows nothing of what is protected. One machine only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from zirelia.errors import Conflict, StoreError
from zirelia.files import alone, make_private_folder


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Holds the lock. Raises Conflict when another holds it (this process included), StoreError when it cannot exist."""
    path = folder / f"{quote(name, safe='')}.lock"

    def busy(holder: str) -> Conflict:
        return Conflict(f"'{name}' is in progress in another process (pid {holder})", hint="wait for it to end, then try again")

    with contextlib.ExitStack() as stack:
        try:
            make_private_folder(folder)
            stack.enter_context(alone(path, busy=busy))
        except OSError as error:
            raise StoreError(f"the lock {path} cannot be taken: {error.strerror}") from error
        yield
