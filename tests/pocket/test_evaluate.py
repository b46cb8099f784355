from __future__ import annotations

from pathlib import Path

import pytest

from zirelia.errors import ConfigurationError
from zirelia.pocket.evaluate import QUESTIONS, GateReport, Score, Trained, evaluate, gate_shots
from zirelia.pocket.world import LIGHTS, SCENES

GOOD = {"truth": 0.85, "trigger": 0.75, "no trigger": 0.1, "other": 0.05}


def report(characters: int = 6, **changes: float) -> GateReport:
    likeness = GOOD | {name.replace("_", " "): value for name, value in changes.items() if name != "scene"}
    scene = changes.get("scene", 0.9)
    return GateReport(
        tuple(Score(f"c{i}", question, likeness[question], 1.0, scene) for i in range(characters) for question in QUESTIONS)
    )


def test_weights_that_keep_every_promise_pass() -> None:
    assert report().passed
    assert report().identity("trigger") == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trigger": 0.6, "truth": 0.7}, "identity with the trigger"),
        ({"truth": 0.99}, "of the drawings"),
        ({"no_trigger": 0.3}, "no trigger"),
        ({"other": 0.3}, "other"),
        ({"scene": 0.7}, "scene agreement"),
        ({"characters": 5}, "fewer than 6"),
    ],
)
def test_each_promise_broken_is_named(changes: dict[str, float], said: str) -> None:
    failures = report(**changes).failures  # type: ignore[arg-type]
    assert len(failures) == 1
    assert said in failures[0]


def test_the_gate_shots_visit_every_scene_and_light() -> None:
    shots = gate_shots()
    assert {shot.scene for shot in shots} == set(SCENES)
    assert {shot.light for shot in shots} == set(LIGHTS)
    assert shots == gate_shots()


def test_somebody_who_is_not_held_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="anna is not a held-out character"):
        evaluate([Trained("anna", "xanna", tmp_path)], tmp_path, looks=None)  # type: ignore[arg-type]
