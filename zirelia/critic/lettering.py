"""Writing in a picture that nobody asked for: captions, watermarks and signatures that an image model makes up.

    LetteringInstrument().examine(exhibit)     # finds "SALE" laid over a portrait, and where it stands

Two small PP-OCR networks find lines and read them; their weights travel in the wheel `rapidocr`, of which only the
files are used. Score: 1 minus how sure the reader is of the surest line. What was read is text from outside: it is quoted as
plain letters and digits only, and nothing acts upon it. It does not know what the writing means.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zirelia.critic.words import says
from zirelia.domain.box import Box
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind
from zirelia.errors import MissingExtra
from zirelia.ports import Exhibit

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

PACKAGE = "rapidocr"
FINDER, READER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"

LONG_SIDE, STRIDE = 320, 32
"""Pixels to which the longer side is brought for finding lines, and what the finder's sizes are multiples of."""
INK, LINE = 0.3, 0.5
"""How sure the finder is of a pixel, and on average of a line."""
SPREAD = 1.6
"""The finder marks the core of a line; its ends lie so much of the core's area over its outline further out."""
MOST_LINES = 4
HEIGHT, WIDEST = 48, 480
"""Pixels of a line for the reader."""
SURE, SURE_OF_TWO = 0.88, 0.95
"""How sure of three or more letters, and of two: shelves and windows of drawings were read with up to .79 and .85."""
QUOTED = 40
ASKED_FOR = ("sign", "writing", "lettering", "poster", "text", "billboard", "banner", "menu", "newspaper", "label", "logo")


_loading = threading.Lock()


@dataclass(frozen=True)
class Line:
    """A line of writing: what was read (untrusted), how sure of it, 0 to 1, and where it stands."""

    text: str
    certainty: float
    box: Box

    @property
    def legible(self) -> bool:
        """Whether it is writing beyond doubt."""
        letters = sum(character.isalnum() for character in self.text)
        return letters >= 2 and self.certainty >= (SURE if letters > 2 else SURE_OF_TWO)


class LetteringInstrument:
    """Implements `ports.Instrument`: one TECHNICAL finding with aspect `lettering`. Its networks are loaded once a process.

    Where the shot asks for something that carries writing, such as a sign, what is read is not held against the picture.
    """

    name = "lettering"
    criteria = frozenset({Criterion.TECHNICAL})

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        """Raises MissingExtra without the package, ValueError for a network whose numbers are not finite."""
        shot = exhibit.shot
        if any(says(text, word) for text in (shot.scene, shot.props, shot.outfit) for word in ASKED_FOR):
            return (self._finding(Outcome.PASSED, "the shot asks for something that carries writing", None, None),)
        lines = self.lines(exhibit.image)
        surest = max((line for line in lines if line.legible), key=lambda line: line.certainty, default=None)
        if surest is None:
            return (self._finding(Outcome.PASSED, "no writing in the picture", 1.0, None),)
        letters = "".join(character for character in surest.text if character.isalnum() or character == " ")[:QUOTED]
        seen = f"writing in the picture, read as '{letters}' ({surest.certainty:.2f} sure)"
        return (self._finding(Outcome.FAILED, seen, 1.0 - surest.certainty, surest.box),)

    def lines(self, image: Image) -> Sequence[Line]:
        """Up to MOST_LINES lines, the surest place first, read; legible or not. Raises MissingExtra without the package."""
        finder, reader, letters = self._loaded()
        image = image.convert("RGB")
        return [Line(*_read(reader, letters, _cut(image, box)), box) for box in _places(finder, image)]

    def _finding(self, outcome: Outcome, seen: str, score: float | None, region: Box | None) -> Finding:
        failed = outcome is Outcome.FAILED
        return Finding(
            criterion=Criterion.TECHNICAL,
            aspect="lettering",
            outcome=outcome,
            instrument=self.name,
            explanation=seen,
            score=score,
            threshold=None if score is None else 1.0 - SURE,
            region=region,
            repair=Repair(kind=RepairKind.NEW_SEED, because=seen) if failed else None,
        )

    def _loaded(self) -> tuple[Any, Any, list[str]]:
        with _loading:
            return _load(PACKAGE)


@lru_cache(maxsize=1)
def _load(package: str) -> tuple[Any, Any, list[str]]:
    # the package is found but not imported: only its weights are wanted, not what it imports
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("embedded", "the lettering instrument")
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("embedded", "the lettering instrument") from error
    folder = Path(spec.submodule_search_locations[0]) / "models"
    if not (folder / FINDER).is_file() or not (folder / READER).is_file():
        raise MissingExtra("embedded", "the lettering instrument")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    finder, reader = (
        onnxruntime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])
        for name in (FINDER, READER)
    )
    known = reader.get_modelmeta().custom_metadata_map["character"].splitlines()
    return finder, reader, ["", *known, " "]  # the first class stands for "no letter"


def _places(finder: Any, image: Image) -> list[Box]:
    """Where lines of writing may stand, the surest first."""
    from PIL import Image as Pillow
    from scipy import ndimage

    scale = LONG_SIDE / max(image.size)
    width, height = (max(STRIDE, round(length * scale / STRIDE) * STRIDE) for length in image.size)
    ink = _run(finder, image.resize((width, height), Pillow.Resampling.BICUBIC))[0]
    labels, _ = ndimage.label(ink > INK)
    found: list[tuple[float, Box]] = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        core = labels[rows, columns] == number
        certainty = float(ink[rows, columns][core].mean())
        if min(core.shape) < 3 or certainty < LINE:
            continue
        margin = core.sum() * SPREAD / (2 * sum(core.shape))
        box = Box(
            left=max(0.0, (columns.start - margin) / width),
            top=max(0.0, (rows.start - margin) / height),
            right=min(1.0, (columns.stop + margin) / width),
            bottom=min(1.0, (rows.stop + margin) / height),
        )
        found.append((certainty, box))
    found.sort(key=lambda entry: -entry[0])
    return [box for _, box in found[:MOST_LINES]]


def _cut(image: Image, box: Box) -> Image:
    """The line, laid flat when it stands upright."""
    width, height = image.size
    edges = (int(box.left * width), int(box.top * height), int(np.ceil(box.right * width)), int(np.ceil(box.bottom * height)))
    line = image.crop(edges)
    return line.rotate(90, expand=True) if line.height > 1.5 * line.width else line


def _read(reader: Any, letters: list[str], line: Image) -> tuple[str, float]:
    """The likeliest letters, repeats and gaps left away, and the mean certainty of those kept."""
    from PIL import Image as Pillow

    width = min(WIDEST, max(16, round(line.width * HEIGHT / line.height)))
    odds = _run(reader, line.resize((width, HEIGHT), Pillow.Resampling.BICUBIC))
    best = odds.argmax(axis=-1)
    kept = (best != 0) & np.concatenate(([True], best[1:] != best[:-1]))
    if not kept.any():
        return "", 0.0
    return "".join(letters[index] for index in best[kept]), float(odds.max(axis=-1)[kept].mean())


def _run(network: Any, image: Image) -> NDArray[np.float32]:
    """What a network says of one picture; both take blue, green, red from -1 to 1."""
    levels = np.asarray(image, dtype=np.float32)[..., ::-1] / 127.5 - 1.0
    (answer,) = network.run(None, {network.get_inputs()[0].name: levels.transpose(2, 0, 1)[None]})
    said: NDArray[np.float32] = answer[0]
    # what is not a number is above no threshold, and would read as a picture without writing
    if not np.isfinite(said).all():
        raise ValueError("the network's numbers are not finite")
    return said
