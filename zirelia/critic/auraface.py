"""Tells people in photographs apart by AuraFace: an SCRFD detector and a ResNet-100, two ONNX files run by insightface.

    faces = AuraFace(folder)                 # the files of https://huggingface.co/fal/AuraFace-v1, fetched by a person
    largest, *others = faces.faces(photograph)
    float(largest.embedding @ other.embedding) >= faces.threshold

Only the two named files are opened: insightface's own model packs are for research only, and the parts of insightface that
fetch them are never called. The code around the networks is tested with small networks of the same inputs and outputs; the
real weights have never run here, so THRESHOLD is unmeasured. It knows nothing of hair or clothes, and finds no faces in flat
illustrations.
"""

from __future__ import annotations

import importlib
import math
import threading
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zirelia.domain.box import Box
from zirelia.errors import ConfigurationError, MediaError, MissingExtra
from zirelia.ports import BackendFacts, Face, Sighting

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

THRESHOLD = 0.28
"""From insightface's example for its ResNets: below .20 two people, from .28 one person. AuraFace's card publishes accuracies
but no threshold; the calibration of each persona raises this floor where impostors lie above it."""
DETECTED = 0.5
"""The detector's score from which something is a face: insightface's own default."""
SIDES = ((128, 128), (640, 640))
"""The sizes at which faces are looked for, in pixels; the small one finds faces that fill the picture."""
DETECTOR, NETWORK = "scrfd_10g_bnkps.onnx", "glintr100.onnx"
SOURCE = "https://huggingface.co/fal/AuraFace-v1"
NOSE = 1.0
"""How far the tip of the nose stands before the eyes, in halves of their distance: about 32 mm each in adults."""


class AuraFace:
    """Implements `ports.FaceReader` and `ports.Recogniser`; the networks are loaded at the first picture.

    Args:
        folder: holds DETECTOR and NETWORK; nothing is ever downloaded.
        threads: of the processor, for one network; 0 leaves it to the runtime.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self._folder = folder
        self._threads = threads
        self._models: _Models | None = None
        self._turn = threading.Lock()

    @property
    def threshold(self) -> float:
        return THRESHOLD

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend="insightface",
            model="AuraFace-v1",
            local=True,
            paid=False,
            details={"threshold": f"{THRESHOLD} (unmeasured here)", "reads": "photographs", "folder": str(self._folder)},
        )

    def faces(self, image: Image) -> Sequence[Face]:
        """All faces, the largest first. Raises MissingExtra, ConfigurationError for files that are missing or no such
        networks, and MediaError for a face that gives no embedding.
        """
        with self._turn:  # the alignment hushes warnings, which is a setting of the whole process
            if self._models is None:
                self._models = _Models(self._folder, self._threads)
            found = self._models.faces(image)
        return tuple(sorted(found, key=lambda face: face.box.area, reverse=True))

    def see(self, images: Sequence[Image]) -> Sequence[Sighting]:
        """One sighting a picture; the face and the embedding are those of the largest face. Raises as `faces`."""
        return tuple(_sighting(self.faces(image)) for image in images)


class _Models:
    def __init__(self, folder: Path, threads: int) -> None:
        paths = [folder / name for name in (DETECTOR, NETWORK)]
        for path in paths:
            if not path.is_file():
                raise ConfigurationError(f"AuraFace needs {path}, which is no file", hint=f"get {path.name} from {SOURCE}")
        if find_spec("insightface") is None or find_spec("onnxruntime") is None:
            raise MissingExtra("auraface", "AuraFace")
        detector, network = (_session(path, threads) for path in paths)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's own imports and files of older tools
            zoo: Any = importlib.import_module("insightface.model_zoo.scrfd")
            arc: Any = importlib.import_module("insightface.model_zoo.arcface_onnx")
            self._align: Any = importlib.import_module("insightface.utils.face_align").norm_crop
            _check(paths[0], detector, outputs=9, shape=(3, None, None))
            _check(paths[1], network, outputs=1, shape=(3, 112, 112))
            self._detector = zoo.SCRFD(model_file=str(paths[0]), session=detector)
            self._detector.prepare(-1, input_size=list(SIDES), det_thresh=DETECTED)
            self._network = arc.ArcFaceONNX(model_file=str(paths[1]), session=network)

    def faces(self, image: Image) -> list[Face]:
        # insightface reads blue, green, red
        pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])
        boxes, points = self._detector.detect(pixels)
        return [
            Face(
                box=_box(edges, image.size),
                embedding=self._embedding(pixels, landmarks),
                yaw=yaw_of(landmarks),
                certainty=float(edges[4]),
            )
            for edges, landmarks in zip(boxes, points, strict=True)
        ]

    def _embedding(self, pixels: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # scikit-image renamed what insightface calls
            aligned = self._align(pixels, landmark=landmarks, image_size=112)
        vector = np.asarray(self._network.get_feat(aligned), dtype=np.float32).ravel()
        length = float(np.linalg.norm(vector))
        if not math.isfinite(length) or length < 1e-6:
            raise MediaError("AuraFace found a face that it cannot measure", hint="check that the two ONNX files are whole")
        unit: NDArray[np.float32] = vector / np.float32(length)
        return unit


def yaw_of(landmarks: NDArray[np.float32]) -> float | None:
    """Degrees that a head is turned, positive towards the picture's right, from eyes, nose and corners of the mouth, [5, 2].

    Takes the nose to stand NOSE before the eyes and measures across the line from eyes to mouth, so that a tilted head does not
    count as turned. None for points that make no face. An estimate: some ten degrees either way.
    """
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    down = mouth - eyes
    length = float(np.hypot(*down))
    if not math.isfinite(length) or length < 1e-3:
        return None
    across = np.array((down[1], -down[0])) / length
    half = float((landmarks[1] - landmarks[0]) @ across) / 2
    nose = float((landmarks[2] - eyes) @ across)
    if not (math.isfinite(half) and math.isfinite(nose)) or abs(half) + abs(nose) < 1e-3:
        return None
    return math.degrees(math.atan2(nose, NOSE * half))


def _session(path: Path, threads: int) -> Any:
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no common class of their own
        raise ConfigurationError(f"{path} is no ONNX network that can be run: {error}", hint=f"get it from {SOURCE}") from error


def _check(path: Path, session: Any, *, outputs: int, shape: tuple[int | None, ...]) -> None:
    inputs = session.get_inputs()
    given = tuple(inputs[0].shape[1:]) if inputs else ()
    fits = len(given) == len(shape) and all(want is None or want == side for want, side in zip(shape, given, strict=True))
    if len(inputs) != 1 or not fits or len(session.get_outputs()) != outputs:
        raise ConfigurationError(
            f"{path} is another network than AuraFace's: it takes {given} and gives {len(session.get_outputs())} outputs",
            hint=f"get {path.name} from {SOURCE}",
        )


def _box(edges: NDArray[np.float32], size: tuple[int, int]) -> Box:
    """In shares of the picture; a face that is cut off ends at the picture's edge."""
    width, height = size
    left, top, right, bottom = (
        float(min(1.0, max(0.0, edge / side))) for edge, side in zip(edges[:4], (width, height) * 2, strict=True)
    )
    return Box(left=left, top=top, right=right, bottom=bottom)


def _sighting(faces: Sequence[Face]) -> Sighting:
    if not faces:
        return Sighting(subjects=0, face=None, embedding=None)
    return Sighting(subjects=len(faces), face=faces[0].box, embedding=faces[0].embedding)
