"""Who is in an illustrated picture, for characters that no encoder of ours was trained on: DINOv2's embedding.

    dino = DinoInstrument(DinoEncoder(Source("facebook/dinov2-small")), strangers=pictures_of_others)
    dino.examine(exhibit)

DINOv2 was trained to tell pictures apart, not characters: scene, clothes and style weigh in its embedding, so the line is
always measured per persona against strangers, and without enough of them identity is `not_checked`. The code is tested with a
small random model of the same class; the real weights have never run here.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zirelia.critic.calibration import calibrate, centroid
from zirelia.critic.checkpoints import Source, load
from zirelia.critic.kept import Kept
from zirelia.critic.kept_lines import fingerprint, kept_line
from zirelia.critic.repairs import identity_repair
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.errors import ConfigurationError
from zirelia.ports import BackendFacts, CriticMemory, Exhibit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from zirelia.domain.calibration import Calibration

SIDE = 224
BATCH = 16
STRANGERS = 20
"""Fewer pictures of others draw no line."""
REFERENCES = 2
"""A single reference cannot show how much the persona's own pictures differ."""
NEARLY = 0.95
"""Share of the threshold from which a picture counts as nearly right: these cosines lie close together."""
KEPT_CALIBRATIONS = 32
_GREY = (124, 116, 104)  # the mean that the processor subtracts: padding that carries no signal


def whole(image: Image) -> Image:
    """The picture as it is: the subject of an illustration is found by nobody here."""
    return image


class DinoEncoder:
    """Embeds pictures of characters; the weights are loaded at the first one. About 90 MB in float32 for the small model.

    Args:
        source: which weights. subject: cuts the subject out of a picture, where somebody can. batch: pictures at a time.
    """

    def __init__(self, source: Source, *, subject: Callable[[Image], Image] = whole, batch: int = BATCH) -> None:
        if batch < 1:
            raise ValueError(f"a batch holds at least one picture, not {batch}")
        self._source, self._subject, self._batch = source, subject, batch
        self._parts: tuple[Any, ...] | None = None
        self._loading = threading.Lock()

    @property
    def threshold(self) -> float:
        """0: DINOv2 publishes no line between characters; all of it comes from the calibration."""
        return 0.0

    @property
    def embedder(self) -> str:
        """Name and revision, as calibrations carry them."""
        return f"dinov2:{self._source.model}@{self._source.revision or 'newest'}:{self._source.dtype}"

    def facts(self) -> BackendFacts:
        details = {"revision": self._source.revision or "newest", "device": self._source.device, "reads": "illustrations"}
        return BackendFacts(backend="dinov2", model=self._source.model, local=True, paid=False, details=details)

    def embed(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Unit vectors, [len(images), dimension]. Raises as `checkpoints.load`, and ConfigurationError for broken weights."""
        rows = [self._rows(images[start : start + self._batch]) for start in range(0, len(images), self._batch)]
        return np.concatenate(rows) if rows else np.zeros((0, 1), dtype=np.float32)

    def _rows(self, images: Sequence[Image]) -> NDArray[np.float32]:
        import torch

        model, processor = self._loaded()
        squares = [_square(self._subject(image)) for image in images]
        pixels = processor(images=squares, do_resize=False, do_center_crop=False, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            seen = model(pixel_values=pixels.to(model.device, model.dtype)).pooler_output.float().cpu().numpy()
        lengths = np.linalg.norm(seen, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or (lengths < 1e-6).any():
            raise ConfigurationError(
                f"{self._source.model} gives embeddings that are no numbers",
                hint="use dtype float32, or fetch the weights anew",
            )
        unit: NDArray[np.float32] = (seen / lengths).astype(np.float32)
        return unit

    def _loaded(self) -> tuple[Any, ...]:
        with self._loading:
            if self._parts is None:
                self._parts = load(self._source, "Dinov2Model", "AutoImageProcessor")
            return self._parts


class DinoInstrument:
    """Implements `ports.Instrument` for illustrated personas.

    Args:
        encoder: see above. strangers: pictures of other characters in the same style, STRANGERS or more. memory: keeps
        calibrations, so that the strangers are embedded once and not once a run.
    """

    name = "dinov2"
    criteria = frozenset({Criterion.IDENTITY})

    def __init__(self, encoder: DinoEncoder, *, strangers: Sequence[Image], memory: CriticMemory | None = None) -> None:
        self._encoder = encoder
        self._memory = memory
        self._strangers = strangers
        self._impostors: NDArray[np.float32] | None = None
        self._known: Kept[tuple[NDArray[np.float32], Calibration]] = Kept(KEPT_CALIBRATIONS)

    def calibration(self, exhibit: Exhibit) -> Calibration:
        """The measured line for this persona's references. Raises ValueError without references."""
        return self._learn(exhibit)[1]

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        if len(exhibit.references) < REFERENCES:
            return (self._unchecked(f"{len(exhibit.references)} references; {REFERENCES} are needed to measure a line"),)
        if len(self._strangers) < STRANGERS:
            return (self._unchecked(f"{len(self._strangers)} pictures of others; {STRANGERS} are needed to draw a line"),)
        middle, line = self._learn(exhibit)
        if not line.separates:
            return (self._unchecked(f"the encoder refuses {line.false_reject:.0%} of the persona's own references"),)
        score = float(self._encoder.embed([exhibit.image])[0] @ middle)
        passed = score >= line.threshold
        said = f"likeness to {line.n} references {score:.2f}, this persona's threshold {line.threshold:.2f}"
        near = score >= NEARLY * line.threshold
        return (
            Finding(
                criterion=Criterion.IDENTITY,
                aspect="character",
                outcome=Outcome.PASSED if passed else Outcome.FAILED,
                instrument=self.name,
                explanation=said,
                score=score,
                threshold=line.threshold,
                repair=None if passed else identity_repair(exhibit, said, near=near),
            ),
        )

    def _learn(self, exhibit: Exhibit) -> tuple[NDArray[np.float32], Calibration]:
        """Measures the references once, and again when they change."""

        def measured() -> tuple[NDArray[np.float32], Calibration]:
            own = self._encoder.embed(exhibit.references)
            return centroid(own), self._line(exhibit, own)

        return self._known.get(fingerprint(exhibit.references), measured)

    def _line(self, exhibit: Exhibit, own: NDArray[np.float32]) -> Calibration:
        parts = (self._encoder.embedder, fingerprint(exhibit.references), fingerprint(self._strangers))
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return kept_line(self._memory, key, exhibit.persona.name, lambda: self._measure(own))

    def _measure(self, own: NDArray[np.float32]) -> Calibration:
        if self._impostors is None:
            self._impostors = self._encoder.embed(self._strangers)
        return calibrate(own, self._impostors, floor=self._encoder.threshold, embedder=self._encoder.embedder)

    def _unchecked(self, reason: str) -> Finding:
        return Finding(
            criterion=Criterion.IDENTITY,
            aspect="character",
            outcome=Outcome.NOT_CHECKED,
            instrument=self.name,
            explanation=reason,
        )


def _square(image: Image) -> Image:
    """The whole picture in a square: the processor's own crop would cut off heads of portraits."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    return ImageOps.pad(image.convert("RGB"), (SIDE, SIDE), method=Pillow.Resampling.BICUBIC, color=_GREY)
