"""What a killed process left half written goes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from zirelia.files import sweep, sweep_file

OWN = ".luna.41.part.safetensors"
OTHERS = (".luna.2.41.part.safetensors", ".luna-2.41.part.safetensors", ".luna.part.safetensors", ".luna.41.part.json")
WHOLE = ("luna.safetensors", "luna.41.part.safetensors", ".lock")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (OWN, *OTHERS, *WHOLE):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".step-000004.41.part").mkdir()
    return tmp_path


def test_a_folder_is_swept_of_every_part(folder: Path):
    sweep(folder)
    assert {path.name for path in folder.iterdir()} == set(WHOLE)
    sweep(folder / "absent")


def test_one_file_is_swept_of_its_own_parts_only(folder: Path):
    sweep_file(folder / "luna.safetensors")
    assert {path.name for path in folder.iterdir()} == {*OTHERS, *WHOLE, ".step-000004.41.part"}
    sweep_file(folder / "absent/luna.safetensors")
