"""A disk that is full at the n-th file: a clear error, nothing lost, nothing half-written, and the same call goes on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest


class Disk:
    """Takes so many files below a folder; of the next it takes half."""

    def __init__(self, monkeypatch, below):
        self.written, self.room = 0, None
        whole = Path.write_bytes

        def write(path, data):
            if below in path.parents:
                self.written += 1
                if self.room is not None and self.written > self.room:
                    whole(path, data[: len(data) // 2])
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            return whole(path, data)

        monkeypatch.setattr(Path, "write_bytes", write)


@pytest.mark.parametrize("room", range(0, 20, 3))
def test_a_disk_that_is_full_while_a_dataset_is_built(judged, desk, monkeypatch, room):
    disk = Disk(monkeypatch, desk.pack)
    disk.room = room
    judged(lambda d: [*d.build, "--from", d.photo()], 10, ["No space left on device", "check the disk"])
    made = {path.name: path.stat().st_mtime_ns for path in desk.dataset.rglob("*-1.png")}
    disk.room = None
    said = judged(lambda d: [*d.build, "--from", d.photo(), "--json"], 0, [])
    assert (said.json["kept"], said.json["missing"]) == (3, [])
    # what was there is not made again, but for a picture whose record found no room
    after = {path.name: path.stat().st_mtime_ns for path in desk.dataset.glob("*-1.png")}
    assert sum(after[name] != written for name, written in made.items()) <= 1
    assert len(list(desk.dataset.glob("*-1.png"))) == len(list(desk.dataset.glob("*-1.txt"))) == 3


def test_a_disk_that_is_full_when_a_lora_is_brought_in(judged, desk, monkeypatch):
    def given(d):
        path = d.put("good.safetensors", d.good_lora())
        Disk(monkeypatch, d.home / "home" / "loras").room = 0
        monkeypatch.setattr("shutil.copyfile", lambda _, to: Path(to).write_bytes(b"weights"))
        return ["lora", "import", path]

    judged(given, 10, ["the LoRA library", "No space left on device", "check its disk"])
    assert not list((desk.home / "home" / "loras").glob("*/*"))


def test_a_folder_that_may_not_be_written(judged, desk, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "dataset")

    def given(d):
        command = [*d.build, "--from", d.photo()]
        monkeypatch.setattr(Path, "mkdir", forbidden)
        return command

    judged(given, 10, ["Permission denied", "permissions"])


def test_a_disk_that_is_full_for_a_sheet(judged, monkeypatch):
    """The last file of all, which no store keeps."""

    def given(d):
        d.finished(d, "dataset")
        Disk(monkeypatch, d.home).room = 0
        return ["dataset", "sheet", "luna", "--out", d.home / "new.png"]

    judged(given, 10, ["No space left on device", "check the disk's space"])
