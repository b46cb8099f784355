"""DINOv2 with tiny random weights of the same class: embeddings, the line, and every way in which loading fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zirelia.critic.checkpoints import Source
from zirelia.critic.dinov2 import DinoEncoder, DinoInstrument
from zirelia.domain.verdict import Criterion, Outcome
from zirelia.errors import ConfigurationError, OfflineViolation, ZireliaError

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BitImageProcessorPil, Dinov2Config, Dinov2Model

    where = tmp_path_factory.mktemp("dino")
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        mlp_ratio=2,
        patch_size=32,
        image_size=224,
        initializer_range=1.0,
    )
    Dinov2Model(config).save_pretrained(where)
    BitImageProcessorPil(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]).save_pretrained(where)
    return where


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (60, 90)) -> Image.Image:
    return Image.new("RGB", size, colour)


def test_embeddings_are_unit_vectors_whatever_size_mode_and_batch(folder: Path) -> None:
    pictures = [plain((200, 30, 30)), plain((20, 30, 230), (300, 40)), plain((9, 200, 30)).convert("L"), plain((1, 2, 3))]
    one, many = (DinoEncoder(Source(str(folder)), batch=batch).embed(pictures) for batch in (1, 3))
    assert one.shape == (4, 16)
    assert one.dtype == np.float32
    assert np.allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
    assert np.allclose(one, many, atol=1e-5)
    assert DinoEncoder(Source(str(folder))).embed([]).shape[0] == 0


def test_the_top_of_a_portrait_counts(folder: Path) -> None:
    bare, crowned = plain((90, 90, 90), (60, 120)), plain((90, 90, 90), (60, 120))
    crowned.paste((255, 0, 0), (0, 0, 60, 12))
    a, b = DinoEncoder(Source(str(folder))).embed([bare, crowned])
    assert float(a @ b) < 0.999


def test_a_smaller_dtype_and_a_cut_subject(folder: Path) -> None:
    half = DinoEncoder(Source(str(folder), dtype="bfloat16"), subject=lambda image: image.crop((0, 0, 10, 10)))
    assert half.embed([plain((1, 200, 3))]).dtype == np.float32


def test_the_instrument_draws_a_line_between_the_references_and_strangers(folder: Path, exhibit) -> None:
    rng = np.random.default_rng(1)

    def noisy(colour: tuple[int, int, int]) -> Image.Image:
        return Image.fromarray(np.clip(np.array(colour) + rng.normal(0, 6, (64, 64, 3)), 0, 255).astype(np.uint8))

    own = tuple(noisy((220, 40, 40)) for _ in range(6))
    strangers = [noisy((20, 40, 200 + n)) for n in range(24)]
    instrument = DinoInstrument(DinoEncoder(Source(str(folder))), strangers=strangers)
    (same,) = instrument.examine(exhibit(noisy((220, 40, 40)), against=own))
    (other,) = instrument.examine(exhibit(strangers[0], against=own))
    assert (same.outcome, other.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert (other.criterion, other.aspect) == (Criterion.IDENTITY, "character")
    assert other.repair is not None
    assert instrument.calibration(exhibit(own[0], against=own)).n == 6


class Kept(dict):
    """Calibrations by key, as the store keeps them."""

    def calibration(self, key: str) -> object:
        return self.get(key)

    def keep_calibration(self, key: str, persona: str, calibration: object) -> None:
        self[key] = calibration


def test_a_kept_calibration_spares_the_strangers(folder: Path, exhibit) -> None:
    own = (plain((220, 40, 40)), plain((215, 44, 40)))
    strangers = [plain((20, 40, 200 + n)) for n in range(20)]
    memory, shown = Kept(), exhibit(own[0], against=own)
    first = DinoInstrument(DinoEncoder(Source(str(folder))), strangers=strangers, memory=memory).calibration(shown)
    again = DinoInstrument(DinoEncoder(Source(str(folder))), strangers=strangers, memory=memory)
    assert again.calibration(shown) == first
    assert again._impostors is None
    other = DinoInstrument(DinoEncoder(Source(str(folder))), strangers=[*strangers[:-1], plain((0, 0, 0))], memory=memory)
    other.calibration(shown)
    assert len(memory) == 2


@pytest.mark.parametrize(("references", "strangers", "word"), [(1, 30, "references"), (3, 5, "others"), (0, 0, "references")])
def test_too_few_pictures_draw_no_line(folder: Path, exhibit, references: int, strangers: int, word: str) -> None:
    own = tuple(plain((n, 0, 0)) for n in range(references))
    instrument = DinoInstrument(DinoEncoder(Source(str(folder))), strangers=[plain((0, n, 0)) for n in range(strangers)])
    (finding,) = instrument.examine(exhibit(plain((0, 0, 0)), against=own))
    assert finding.outcome is Outcome.NOT_CHECKED
    assert word in finding.explanation


def test_weights_that_cannot_be_loaded(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (pickled / name).write_bytes((folder / name).read_bytes())
    (pickled / "pytorch_model.bin").write_bytes(b"never opened")
    cases: list[tuple[Source, type[ZireliaError]]] = [
        (Source(str(tmp_path / "empty")), ConfigurationError),
        (Source(str(pickled)), ConfigurationError),
        (Source("nobody/no-such-model", offline=True), OfflineViolation),
        (Source(str(folder), device="cuda:7"), ConfigurationError),
    ]
    for source, error in cases:
        with pytest.raises(error) as raised:
            DinoEncoder(source).embed([plain((0, 0, 0))])
        assert raised.value.hint
    with pytest.raises(ConfigurationError, match="dtype"):
        Source("x", dtype="int4")
    with pytest.raises(ConfigurationError, match="folder or a name"):
        Source("")


def test_a_checkpoint_without_some_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    weights = load_file(folder / "model.safetensors")
    save_file({name: weights[name] for name in sorted(weights)[:-2]}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match="lacks"):
        DinoEncoder(Source(str(tmp_path))).embed([plain((0, 0, 0))])


def test_broken_weights_are_named(folder: Path) -> None:
    encoder = DinoEncoder(Source(str(folder)))
    encoder.embed([plain((0, 0, 0))])
    model, processor = encoder._loaded()
    with torch.no_grad():
        model.layernorm.weight.fill_(float("nan"))
    assert processor is not None
    with pytest.raises(ConfigurationError, match="no numbers"):
        encoder.embed([plain((0, 0, 0))])
