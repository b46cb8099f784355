"""The shipped LoRA judged for real: the embedded model draws, the looks encoder looks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import zirelia as package
from zirelia.definitions.personas import load_persona
from zirelia.domain.lora import Checkpoint
from zirelia.workflow.choose import judge_checkpoints
from zirelia.workflow.judging import Effort
from zirelia.workflow.kit import Subject

PACK = Path(package.__file__).parents[1] / "persona" / "mira"


class Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


@pytest.mark.slow
def test_the_shipped_lora_is_her_and_the_base_is_not(tmp_path):
    from PIL import Image

    from zirelia.critic.sightings import LooksRecogniser
    from zirelia.pocket.looks import LooksEncoder
    from zirelia.pocket.weights import looks_path
    from zirelia.reports.judgement import judgement_page
    from zirelia.settings import load_settings, resolve_backends
    from zirelia.studio import adapters

    settings = load_settings()
    encoder = LooksEncoder.load(looks_path())
    choice = {str(role): each for role, each in resolve_backends(settings).items()}["image"]
    kit: Any = SimpleNamespace(images=adapters.images(settings, choice, "mirelo"), watcher=Silent(), image_steps=None)
    references = tuple(Image.open(path).convert("RGB") for path in sorted((PACK / "references").glob("*.png")))
    trained = [Image.open(path).convert("RGB") for path in sorted((PACK / "dataset").glob("*.png"))]
    judgement = judge_checkpoints(
        kit,
        Subject(persona=load_persona("mira").persona, lora=None, references=references),
        [Checkpoint(step=300, lora=adapters.lora(PACK / "lora" / "mira.safetensors", "mirelo"))],
        recogniser=LooksRecogniser(encoder, heads={name: encoder.heads[name] for name in ("scene", "light", "framing")}),
        trained=trained,
        folder=tmp_path / "judged",
        effort=Effort(prompts=4, seeds=1, scales=(1.0,), coarse=None, sweep=()),
    )
    chosen = judgement.choice.chosen
    assert judgement.choice.passed
    assert chosen.identity > 0.8 * judgement.real.median
    assert judgement.base.median < 0.3 * judgement.real.median
    assert (chosen.leaked, len(chosen.leaks)) == (0.0, 2)
    assert chosen.agreement is not None
    assert chosen.agreement >= 0.7
    page = judgement_page(judgement, picture=lambda name: Image.open(tmp_path / "judged" / name))
    assert page.count("<img ") == len(judgement.pictures)
