"""The wheel: it carries the data folders, nothing private, and finds them where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import zirelia

ROOT = Path(zirelia.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the real backend in another process, because it works in the folder that it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files where an installer would put them."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(folder)
    return folder


def in_installation(installed: Path, script: str) -> str:
    """What the script prints when zirelia comes from the wheel and not from this checkout."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_wheel_carries_what_the_program_reads(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("agents", "config", "persona"):
        wanted = {
            f"zirelia/{path.relative_to(ROOT).as_posix()}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert wanted
        assert wanted <= names
    assert "zirelia/py.typed" in names
    assert any(name.startswith("zirelia/pocket/weights/") and name.endswith(".safetensors") for name in names)


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"zirelia", f"zirelia-{zirelia.__version__}.dist-info"}
    wrong = (".env", ".pyc", ".pkl", ".pt", ".bin", ".ckpt", ".db", ".log")
    assert [name for name in names if name.endswith(wrong) or "__pycache__" in name] == []


def test_the_wheel_says_who_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        said = Parser().parsestr(files.read(f"zirelia-{zirelia.__version__}.dist-info/METADATA").decode())
        scripts = files.read(f"zirelia-{zirelia.__version__}.dist-info/entry_points.txt").decode()
    assert (said["Name"], said["Version"], said["License-Expression"]) == ("zirelia", zirelia.__version__, "Apache-2.0")
    assert said["Requires-Python"] == ">=3.11"
    assert {"local", "embedded", "replicate", "openai", "dev", "all"} <= set(said.get_all("Provides-Extra") or [])
    assert "zirelia = zirelia.cli:main" in scripts


@pytest.mark.parametrize("folder", ["agents", "config", "persona"])
def test_an_installation_finds_its_folders(folder: str, installed: Path) -> None:
    found = in_installation(installed, f"from zirelia.resources import folder; print(folder({folder!r}))")
    assert Path(found) == (installed / "zirelia" / folder).resolve()


def test_an_installation_reads_its_persona(installed: Path) -> None:
    script = "from zirelia.definitions.personas import load_persona; print(load_persona('mira').persona.display_name)"
    assert in_installation(installed, script) == "Mira"
