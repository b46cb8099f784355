"""A backup is whole or says that it is not; a lock has one holder and dies with it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import zirelia
from zirelia.domain.post import Post
from zirelia.errors import Conflict, StoreError
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

sqlite_only = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@sqlite_only
def test_a_backup_can_be_opened_where_it_lies(store: SqlStore, stored: Post, attempt, verdict, tmp_path: Path):
    for number, colour in enumerate(("red", "blue", "green"), start=1):
        store.add_attempt(1, attempt(number, verdict(), colour))
    target = tmp_path / "backups" / "first"
    told = dict(store.backup(target))
    found = {str(path.relative_to(target)): path.stat().st_size for path in target.rglob("*") if path.is_file()}
    assert told == found
    assert next(iter(told)) == "zirelia.db"
    assert list(told)[-1] == "backup.json"
    assert len(told) == 5
    manifest = json.loads((target / "backup.json").read_text())
    for name, facts in manifest["files"].items():
        assert facts["sha256"] == hashlib.sha256((target / name).read_bytes()).hexdigest()
    assert target.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_nlink == 1 for path in target.rglob("*") if path.is_file())
    media = MediaStore(target / "media")
    with SqlStore(target / "zirelia.db", media) as copy:
        assert copy.get_post(1) == store.get_post(1)
        assert [media.read(each.image) for each in copy.get_post(1).attempts] == [
            store.media.read(each.image) for each in store.get_post(1).attempts
        ]


@sqlite_only
def test_a_backup_is_consistent_while_others_write(
    store: SqlStore, stored: Post, attempt, tmp_path: Path, new_post, first_event
):
    copies = store.backup(tmp_path / "backup")
    next(copies)
    store.add_attempt(1, attempt(1))
    store.add_post(new_post("later"), first_event(new_post("later")))
    list(copies)
    with SqlStore(tmp_path / "backup" / "zirelia.db", MediaStore(tmp_path / "backup" / "media")) as copy:
        assert copy.posts() == (stored,)


@sqlite_only
@pytest.mark.parametrize("loss", ["damaged", "missing"])
def test_a_lost_picture_is_named_and_the_backup_is_not_whole(store, stored, attempt, tmp_path: Path, loss: str):
    store.add_attempt(1, attempt(1, colour="red"))
    store.add_attempt(1, attempt(2, colour="blue"))
    path = store.media.path(store.get_post(1).attempts[0].image)
    path.write_bytes(b"rot") if loss == "damaged" else path.unlink()
    with pytest.raises(StoreError, match=f"1 pictures could not be backed up: .*{path.stem}.* is {loss}"):
        list(store.backup(tmp_path / "backup"))
    names = [path.name for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    assert "backup.json" not in names
    assert len(names) == 2


@sqlite_only
def test_a_backup_never_overwrites(store: SqlStore, tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for target, message in (
        (tmp_path / "full", "not empty"),
        (tmp_path / "file", "cannot be used"),
        (store.media.root / "backup", "inside the media folder"),
    ):
        with pytest.raises(StoreError, match=message):
            store.backup(target)
    assert (tmp_path / "full" / "diary").read_text() == "mine"


def test_a_lock_has_one_holder(store: SqlStore):
    mine = store.lock("post:1")
    with mine, store.lock("post:2"), pytest.raises(Conflict, match=f"pid {os.getpid()}"), store.lock("post:1"):
        pass
    with store.lock("post:1"):
        pass


@sqlite_only
def test_any_name_is_a_safe_file(store: SqlStore, tmp_path: Path):
    with store.lock("../../etc/passwd"), store.lock(".."):
        pass
    assert {path.parent for path in tmp_path.rglob("*.lock")} == {tmp_path / "home" / "locks"}


def test_a_backup_of_a_server_is_made_by_its_own_tools(store: SqlStore, backend: str, tmp_path: Path):
    if backend == "postgresql":
        with pytest.raises(StoreError, match="is not a file"):
            store.backup(tmp_path / "backup")
        assert store.problems() == ()


def test_a_killed_holder_lets_go(store: SqlStore, backend: str, place: str | Path, tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from zirelia.store.locks import held\n"
        "from zirelia.store.database import Database\n"
        "with held(Database(sys.argv[1]), Path(sys.argv[2]), 'studio'):\n print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(place), str(tmp_path / "home" / "locks")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(zirelia.__file__).parents[1],
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(Conflict, match=f"pid {process.pid}"), store.lock("studio"):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        _taken_soon(store, "studio", tries=1 if backend == "sqlite" else 200)


def _taken_soon(store: SqlStore, name: str, tries: int) -> None:
    """The server learns of the death by the connection's end, a moment later than the kernel."""
    for _ in range(tries - 1):
        try:
            with store.lock(name):
                return
        except Conflict:
            threading.Event().wait(0.05)
    with store.lock(name):
        pass
