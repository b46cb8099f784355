"""A named lock that one process holds at a time and that the kernel releases when the process dies.

    with held(home / "locks", "produce-mira"):
        ...

A second holder is refused at once. Knows nothing of what is protected. One machine only.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from zirelia.errors import Conflict, StoreError
from zirelia.store.files import make_private_folder


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Holds the lock. Raises Conflict when another holds it (this process included), StoreError when it cannot exist."""
    path = folder / f"{quote(name, safe='')}.lock"
    try:
        make_private_folder(folder)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"the lock {path} cannot be opened: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode("ascii", "replace").strip() or "unknown"
            raise Conflict(
                f"'{name}' is in progress in another process (pid {holder})", hint="wait for it to end, then try again"
            ) from None
        except OSError as error:
            raise StoreError(f"the lock {path} cannot be taken: {error.strerror}") from error
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        # the file stays: removing it would let two processes lock two files of the same name
        yield
    finally:
        os.close(handle)
