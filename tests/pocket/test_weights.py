from __future__ import annotations

from pathlib import Path

import pytest

from zirelia.errors import ConfigurationError
from zirelia.pocket import weights


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "model.bin").write_bytes(b"one")
    (tmp_path / "base.txt").write_bytes(b"two")
    weights.seal(tmp_path)
    return tmp_path


def test_what_was_sealed_is_found_whole(sealed: Path) -> None:
    weights.verify(sealed)
    weights.verify(sealed, "base")


def test_a_changed_file_is_named(sealed: Path) -> None:
    (sealed / "base" / "model.bin").write_bytes(b"ONE")
    with pytest.raises(ConfigurationError, match=r"model\.bin is not the file"):
        weights.verify(sealed, "base")
    weights.verify(sealed, "base.txt")


def test_a_missing_file_is_named(sealed: Path) -> None:
    (sealed / "base.txt").unlink()
    with pytest.raises(ConfigurationError, match=r"base\.txt is missing"):
        weights.verify(sealed)


def test_a_name_that_never_shipped_is_refused(sealed: Path) -> None:
    with pytest.raises(ConfigurationError, match="not among the shipped"):
        weights.verify(sealed, "lora/nobody")


def test_no_manifest_no_weights(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"manifest\.json"):
        weights.verify(tmp_path)


def test_the_shipped_weights_are_whole_and_small() -> None:
    weights.verify(weights.weights_dir())
    for path in (weights.pipeline_dir() / "model_index.json", weights.looks_path()):
        assert path.is_file()
    size = sum(path.stat().st_size for path in weights.weights_dir().rglob("*") if path.is_file())
    assert size < 30e6
