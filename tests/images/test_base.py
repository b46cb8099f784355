"""What is said when a pipeline cannot be loaded. Loading itself is tried with the pocket weights in test_pocket.py."""

from __future__ import annotations

import pytest

from zirelia.errors import ConfigurationError, MissingExtra
from zirelia.images import base
from zirelia.images.profiles import PROFILES


@pytest.fixture
def load(monkeypatch, tmp_path):
    (tmp_path / "model_index.json").write_text("{}")

    def call(error: BaseException, *, without: str = "", local_only: bool = False):
        def refuse(*_, **__):
            raise error

        import diffusers

        there = base._has
        monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", refuse)
        monkeypatch.setattr(base, "_has", lambda package: package != without and there(package))
        base._load(base.BaseKey(str(tmp_path), None, PROFILES["cpu"]), local_only=local_only, token=None)

    return call


@pytest.mark.parametrize(
    ("error", "options", "hint"),
    [
        # what transformers does where torchvision is missing
        (AttributeError("'NoneType' object has no attribute 'from_pretrained'"), {"without": "torchvision"}, "torchvision"),
        (ImportError("Qwen2VLImageProcessor requires the Torchvision library"), {}, "install the torchvision"),
        (OSError("401 Client Error: gated repo"), {}, "accept the model's licence"),
        (OSError("not found"), {"local_only": True}, "download it beforehand"),
        (ValueError("no such thing"), {}, "a folder needs model_index.json"),
    ],
)
def test_what_the_libraries_raise_becomes_a_hint(load, tmp_path, error, options, hint):
    with pytest.raises(ConfigurationError, match="cannot be loaded") as refused:
        load(error, **options)
    assert str(tmp_path) in refused.value.message
    assert hint in refused.value.hint


def test_quantised_weights_name_their_extra(monkeypatch):
    monkeypatch.setattr(base, "_has", lambda package: package != "bitsandbytes")
    with pytest.raises(MissingExtra, match="nf4 needs the extra 'quantised'"):
        base._quantisation(PROFILES["vram12"], "m", {})
