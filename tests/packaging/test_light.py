"""What stays out of memory: `zirelia --help` answers without a model library, a web framework or a database."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = [
    "torch", "diffusers", "transformers", "peft", "numpy", "PIL", "langchain", "langchain_core", "openai", "replicate",
    "sqlalchemy", "alembic", "httpx", "pydantic", "yaml", "rich", "holidays", "xllamacpp", "onnxruntime",
]  # fmt: skip


def loaded_after(script: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after the script."""
    code = f"{script}\nimport sys, json; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("script", "kept_out"),
    [
        ("import zirelia", HEAVY),
        ("from zirelia.cli import run\nassert run(['--help']) == 0", HEAVY),
        ("from zirelia.cli import run\nassert run(['--version']) == 0", HEAVY),
        ("import zirelia.domain.post, zirelia.domain.prompt, zirelia.domain.cadence", ["torch", "numpy", "httpx", "holidays"]),
        ("import zirelia.ports, zirelia.workflow.produce", ["torch", "diffusers", "sqlalchemy", "langchain", "httpx"]),
        ("import zirelia.network", ["httpx", "tenacity", "torch"]),
        ("import zirelia.studio", ["torch", "diffusers", "transformers", "xllamacpp"]),
    ],
)
def test_kept_out(script: str, kept_out: list[str]) -> None:
    assert loaded_after(script) & set(kept_out) == set()
