"""A consistent copy of database and media, taken while others may write.

    for name, size in copy_all(database, media, target):
        ...                      # "zirelia.db", then "media/ab/cd/….png", last "backup.json"

`backup.json` is written last: a folder without it is not a whole backup. Every picture is checked against its hash. To
restore, put the copies where database and media folder were. Knows nothing of what the tables hold but the pictures' hashes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from zirelia.errors import StoreError
from zirelia.files import make_private_folder, to_disk, write_atomically
from zirelia.store.database import Database
from zirelia.store.media import MediaStore

MANIFEST = "backup.json"


def copy_all(database: Database, media: MediaStore, target: Path) -> Iterator[tuple[str, int]]:
    """Copies everything into the new or empty folder; yields (name within it, bytes) after each file.

    Raises StoreError at once when `target` cannot be used; while copying, when the disk fails; at the end, naming them, when
    pictures are damaged or missing. Everything else has been copied by then, but the manifest is not written.
    """
    if database.path is None:
        raise StoreError(f"{database.name} is not a file", hint="back it up with the tools of that database")
    target = target.absolute()
    if target.is_relative_to(media.root.absolute()):
        raise StoreError(f"a backup cannot lie inside the media folder {media.root}", hint="choose another folder")
    try:
        make_private_folder(target)
        occupied = any(target.iterdir())
    except OSError as error:
        raise StoreError(f"backup folder {target} cannot be used: {error.strerror}") from error
    if occupied:
        raise StoreError(f"backup folder {target} is not empty", hint="name a new or an empty folder")
    return _copies(database, database.path.name, media, target)


def _copies(database: Database, name: str, media: MediaStore, target: Path) -> Iterator[tuple[str, int]]:
    try:
        wanted = _copy_database(database, target / name)
        files = {name: _described(target / name)}
        yield name, (target / name).stat().st_size
        bad = []
        for source in media.files():
            wanted.discard(source.stem)
            data = source.read_bytes()
            if hashlib.sha256(data).hexdigest() != source.stem:
                bad.append(f"{source} is damaged")
                continue
            copy = target / "media" / source.relative_to(media.root)
            make_private_folder(copy.parent)
            write_atomically(copy, data, temporary_folder=copy.parent)
            relative = str(copy.relative_to(target))
            files[relative] = _described(copy)
            yield relative, len(data)
        bad += [f"{sha256} is missing" for sha256 in sorted(wanted)]
        if bad:
            raise StoreError(
                f"{len(bad)} pictures could not be backed up: {', '.join(bad[:3])}",
                hint=f"the rest is in {target}; restore these from an older backup, then back up again",
            )
        manifest = json.dumps({"format": 1, "database": name, "files": files}, indent=1, sort_keys=True).encode()
        write_atomically(target / MANIFEST, manifest, temporary_folder=target)
        yield MANIFEST, len(manifest)
    except OSError as error:
        raise StoreError(f"backup into {target} failed: {error.strerror}", hint="check its free space") from error


def _copy_database(database: Database, path: Path) -> set[str]:
    """The database as one file, and the hashes of the pictures that it names. Written before the pictures are listed, so
    that every picture that it names is already there.
    """
    with database.raw_sqlite() as source, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        found = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
        if found != ["ok"]:
            raise StoreError(f"database {database.name} is damaged: {found[0]}", hint="restore an older backup")
        wanted = {row[0] for row in copy.execute("SELECT image_sha256 FROM attempts")}
    path.chmod(0o600)
    to_disk(path.parent)
    return wanted


def _described(path: Path) -> dict[str, int | str]:
    """Size and hash as they are read back from the copy."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
