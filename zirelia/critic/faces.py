"""Tells people in photographs apart by their faces: dlib's detector, its landmarks and its recognition network.

    reader = FaceRecogniser()
    a, b = reader.see([photograph, another])
    float(a.embedding @ b.embedding) >= reader.threshold      # the same person
    [face.yaw for face in reader.faces(group)]                # everybody, the largest face first

dlib compares descriptors of length 1.35 to 1.47 by their distance; here they are brought to length 1 and compared by their
cosine. The two agree as cosine = 1 - distance² / (2 x 1.42²): two pictures of one person lie within a distance of .43 (cosine
.95), two people beyond .625 (.90), and the line between is .55 (.925). It finds no faces in flat illustrations, few in
profile and none from behind, and knows nothing of hair or clothes.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zirelia.critic.yaw import yaw
from zirelia.domain.box import Box
from zirelia.errors import MissingExtra
from zirelia.ports import BackendFacts, Face, Sighting

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

THRESHOLD = 0.925
DETECTED = 0.3
"""The detector's score from which something is a face; below lie folds of cloth and leaves."""
SIDES = (1024, 2048)
"""The longer side, in pixels, at which faces are looked for; the second where the first shows none. A face needs 80 pixels."""
_NETWORK = "dlib_face_recognition_resnet_model_v1"
_LANDMARKS = "shape_predictor_5_face_landmarks"
_POSE = "shape_predictor_68_face_landmarks"


class FaceRecogniser:
    """Implements `ports.FaceReader` and `ports.Recogniser` for photographs; the models are loaded at the first picture, from
    their package only. May be shared by threads: one of them reads at a time.
    """

    def __init__(self) -> None:
        self._models: _Models | None = None
        self._loading = threading.Lock()
        self._reading = threading.Lock()

    @property
    def threshold(self) -> float:
        return THRESHOLD

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend="dlib",
            model=_NETWORK,
            local=True,
            paid=False,
            details={"threshold": f"{THRESHOLD}", "reads": "photographs"},
        )

    def see(self, images: Sequence[Image]) -> Sequence[Sighting]:
        """One sighting a picture; the face and the embedding are those of the largest face. Raises MissingExtra."""
        return tuple(_sighting(self.faces(image)) for image in images)

    def faces(self, image: Image) -> Sequence[Face]:
        """Every face, the largest first. Raises MissingExtra."""
        models = self._loaded()
        with self._reading:
            return models.read(image)

    def _loaded(self) -> _Models:
        with self._loading:
            if self._models is None:
                self._models = _Models()
            return self._models


class _Models:
    def __init__(self) -> None:
        # the package of models is not imported: its module needs a setuptools that is long gone
        package = find_spec("face_recognition_models")
        if find_spec("dlib") is None or package is None or not package.submodule_search_locations:
            raise MissingExtra("faces", "the recogniser of faces")
        folder = Path(package.submodule_search_locations[0]) / "models"
        dlib: Any = importlib.import_module("dlib")
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(folder / f"{_LANDMARKS}.dat"))
        self._pose = dlib.shape_predictor(str(folder / f"{_POSE}.dat"))
        self._network = dlib.face_recognition_model_v1(str(folder / f"{_NETWORK}.dat"))

    def read(self, image: Image) -> tuple[Face, ...]:
        for side in SIDES:
            pixels = _at(image, side)
            found, scores, _ = self._detector.run(pixels, 0, DETECTED)
            if len(found):
                ordered = sorted(zip(found, scores, strict=True), key=lambda face: int(face[0].area()), reverse=True)
                return tuple(self._face(pixels, face, float(score)) for face, score in ordered)
        return ()

    def _face(self, pixels: NDArray[np.uint8], face: Any, score: float) -> Face:
        points = self._pose(pixels, face).parts()
        turned = yaw(np.array([(point.x, point.y) for point in points], dtype=np.float64))
        return Face(box=_box(face, pixels), embedding=self._embedding(pixels, face), yaw=turned, certainty=score)

    def _embedding(self, pixels: NDArray[np.uint8], face: Any) -> NDArray[np.float32]:
        descriptor = np.array(self._network.compute_face_descriptor(pixels, self._landmarks(pixels, face)), dtype=np.float32)
        unit: NDArray[np.float32] = descriptor / np.linalg.norm(descriptor)
        return unit


def _sighting(faces: Sequence[Face]) -> Sighting:
    if not faces:
        return Sighting(subjects=0, face=None, embedding=None)
    return Sighting(subjects=len(faces), face=faces[0].box, embedding=faces[0].embedding)


def _at(image: Image, side: int) -> NDArray[np.uint8]:
    """The picture with a longer side of `side` pixels: reduced, or enlarged up to twice, so that small faces are found."""
    from PIL import Image as Pillow

    scale = min(side / max(image.size), 1.0 if side == SIDES[0] else 2.0)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # most of the way by whole pixels: ten times faster than one fine step, and faces do not mind
    rough = image.convert("RGB").reduce(max(1, int(1 / scale)))
    return np.asarray(rough.resize(size, Pillow.Resampling.BILINEAR))


def _box(face: Any, pixels: NDArray[np.uint8]) -> Box:
    """In shares of the picture; a face that is cut off ends at the picture's edge."""
    height, width = pixels.shape[:2]
    left, right = (min(1.0, max(0.0, edge / width)) for edge in (face.left(), face.right() + 1))
    top, bottom = (min(1.0, max(0.0, edge / height)) for edge in (face.top(), face.bottom() + 1))
    return Box(left=left, top=top, right=right, bottom=bottom)
