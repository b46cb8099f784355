"""AuraFace's code around small ONNX networks of the same inputs and outputs: the detector sees red squares as faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zirelia.critic.auraface import DETECTOR, NETWORK, AuraFace, yaw_of
from zirelia.errors import ConfigurationError, MissingExtra

onnx: Any = pytest.importorskip("onnx")


def _model(
    path: Path, nodes: list[Any], constants: dict[str, np.ndarray], shape: list[Any], outputs: dict[str, list[Any]]
) -> None:
    h = onnx.helper
    graph = h.make_graph(
        nodes,
        "small",
        [h.make_tensor_value_info("input.1", onnx.TensorProto.FLOAT, shape)],
        [h.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims) for name, dims in outputs.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path.write_bytes(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8).SerializeToString())


def _heads(stride: int) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Score, box and points of one stride: high where a cell is red; boxes of 2 strides to each side, an upright face in it."""
    node, s = onnx.helper.make_node, str(stride)
    face = np.array([[-0.6, -0.6], [0.6, -0.6], [0.0, 0.0], [-0.5, 0.7], [0.5, 0.7]], dtype=np.float32)
    weights = {"score": np.zeros((2, 3, 1, 1)), "bbox": np.zeros((8, 3, 1, 1)), "kps": np.zeros((20, 3, 1, 1))}
    weights["score"][0, :, 0, 0] = (10, -10, -10)  # red: (1, -1, -1) after the detector's own scaling
    bias = {"score": np.full(2, -25.0), "bbox": np.full(8, 2.0), "kps": np.tile(face.ravel(), 2)}
    nodes = [node("AveragePool", ["input.1"], [f"pool{s}"], kernel_shape=[stride] * 2, strides=[stride] * 2)]
    constants: dict[str, np.ndarray] = {}
    for kind, width in (("score", 1), ("bbox", 4), ("kps", 10)):
        name = f"{kind}{s}"
        constants |= {f"w{name}": weights[kind].astype(np.float32), f"b{name}": bias[kind].astype(np.float32)}
        constants[f"shape{name}"] = np.array([-1, width], dtype=np.int64)
        nodes += [
            node("Conv", [f"pool{s}", f"w{name}", f"b{name}"], [f"c{name}"]),
            node("Transpose", [f"c{name}"], [f"t{name}"], perm=[0, 2, 3, 1]),
            node("Reshape", [f"t{name}", f"shape{name}"], [f"r{name}"]),
            node("Sigmoid" if kind == "score" else "Identity", [f"r{name}"], [name]),
        ]
    return nodes, constants


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("auraface")
    nodes: list[Any] = []
    constants: dict[str, np.ndarray] = {}
    for stride in (8, 16, 32):
        more, values = _heads(stride)
        nodes += more
        constants |= values
    widths = (("score", 1), ("bbox", 4), ("kps", 10))
    outputs = {f"{kind}{stride}": [f"n{kind}{stride}", width] for kind, width in widths for stride in (8, 16, 32)}
    _model(where / DETECTOR, nodes, constants, [1, 3, "h", "w"], outputs)
    node = onnx.helper.make_node
    weights = np.random.default_rng(0).normal(size=(3 * 7 * 7, 512)).astype(np.float32)
    recogniser = [
        node("AveragePool", ["input.1"], ["pool"], kernel_shape=[16, 16], strides=[16, 16]),
        node("Flatten", ["pool"], ["flat"]),
        node("MatMul", ["flat", "weights"], ["out"]),
    ]
    _model(where / NETWORK, recogniser, {"weights": weights}, ["n", 3, 112, 112], {"out": ["n", 512]})
    (where / "genderage.onnx").write_bytes(b"never opened")
    return where


def picture(*squares: tuple[int, int, int], size: tuple[int, int] = (640, 640)) -> Image.Image:
    image = Image.new("RGB", size, (0, 60, 60))
    for left, top, side in squares:
        image.paste((255, 0, 0), (left, top, left + side, top + side))
    return image


@pytest.fixture
def faces(folder: Path) -> AuraFace:
    pytest.importorskip("insightface", exc_type=ImportError)
    return AuraFace(folder, threads=1)


def test_finds_nobody_one_and_two(faces: AuraFace) -> None:
    assert faces.faces(picture()) == ()
    (one,) = faces.faces(picture((304, 304, 8)))
    assert one.box.left < 308 / 640 < one.box.right
    assert one.yaw == pytest.approx(0, abs=1)
    assert one.certainty > 0.5
    assert one.embedding.shape == (512,)
    assert float(np.linalg.norm(one.embedding)) == pytest.approx(1, abs=1e-5)
    many = faces.faces(picture((80, 80, 8), (480, 480, 32)))
    assert len(many) >= 2
    areas = [(face.box.right - face.box.left) * (face.box.bottom - face.box.top) for face in many]
    assert areas == sorted(areas, reverse=True)


def test_the_same_pixels_are_the_same_person_and_sightings_follow(faces: AuraFace) -> None:
    same = picture((304, 304, 8))
    (one,), (two,) = faces.faces(same), faces.faces(same.convert("RGBA"))
    assert float(one.embedding @ two.embedding) == pytest.approx(1, abs=1e-5)
    nobody, somebody = faces.see([picture(size=(300, 200)), same])
    assert (nobody.subjects, nobody.embedding) == (0, None)
    assert (somebody.subjects, somebody.face) == (1, one.box)
    assert 0 < faces.threshold < 1
    assert faces.facts().local


@pytest.mark.parametrize("name", [DETECTOR, NETWORK])
def test_a_missing_file_is_named_with_its_source(folder: Path, tmp_path: Path, name: str) -> None:
    for file in {DETECTOR, NETWORK} - {name}:
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    with pytest.raises(ConfigurationError, match=name) as raised:
        AuraFace(tmp_path).faces(picture())
    assert "huggingface.co/fal/AuraFace-v1" in (raised.value.hint or "")


def test_other_networks_are_refused(folder: Path, tmp_path: Path, faces: AuraFace) -> None:
    (tmp_path / DETECTOR).write_bytes((folder / NETWORK).read_bytes())
    (tmp_path / NETWORK).write_bytes((folder / NETWORK).read_bytes())
    with pytest.raises(ConfigurationError, match="another network"):
        AuraFace(tmp_path).faces(picture())
    (tmp_path / DETECTOR).write_bytes(b"<html>not found</html>")
    with pytest.raises(ConfigurationError, match="no ONNX network"):
        AuraFace(tmp_path).faces(picture())


def test_without_insightface_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zirelia.critic.auraface.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="auraface"):
        AuraFace(folder).faces(picture())


def _turned(yaw: float, roll: float = 0.0) -> np.ndarray:
    """Five points of a head with a nose as far before the eyes as half their distance."""
    points = np.array([[-1, 0, 0], [1, 0, 0], [0, 0.7, 1], [-0.8, 1.9, 0], [0.8, 1.9, 0]], dtype=np.float64)
    angle, tilt = np.radians(yaw), np.radians(roll)
    flat = np.stack([points[:, 0] * np.cos(angle) + points[:, 2] * np.sin(angle), points[:, 1]], axis=1)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return (100 + 30 * flat @ turn.T).astype(np.float32)


@pytest.mark.parametrize("yaw", [-90, -45, -10, 0, 20, 60, 90])
@pytest.mark.parametrize("roll", [-30, 0, 30])
def test_yaw(yaw: float, roll: float) -> None:
    assert yaw_of(_turned(yaw, roll)) == pytest.approx(yaw, abs=0.5)


def test_points_that_are_no_face_have_no_yaw() -> None:
    assert yaw_of(np.zeros((5, 2), dtype=np.float32)) is None
    assert yaw_of(np.full((5, 2), np.nan, dtype=np.float32)) is None
