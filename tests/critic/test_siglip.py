"""SigLIP: the model's own code with tiny random weights, and the judging with a matcher of known answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zirelia.critic.checkpoints import Source
from zirelia.critic.contrasts import of_shot, of_trait
from zirelia.critic.siglip import SiglipEncoder, SiglipInstrument
from zirelia.domain.persona import Trait
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.verdict import Criterion, Outcome, RepairKind

PICTURE = Image.new("RGB", (40, 60), (200, 90, 20))
BEACH = Shot(scene="beach", outfit="red hoodie", expression="smiling", framing=Framing.HALF_BODY, light="daylight")


class Sees:
    """A matcher that finds `words` in every picture."""

    def __init__(self, *words: str, strength: float = 9.0) -> None:
        self.words, self.strength = words, strength

    def match(self, images: Sequence[Image.Image], phrases: Sequence[str]) -> np.ndarray:
        row = [self.strength * any(word in phrase for word in self.words) for phrase in phrases]
        return np.array([row] * len(images), dtype=np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipImageProcessorPil, SiglipModel

    where = tmp_path_factory.mktemp("siglip")
    torch.manual_seed(0)
    words = ["<pad>", "<unk>", "a", "picture", "of", "the", "beach", "kitchen", "light"]
    tokens = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    tokens.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokens, pad_token="<pad>", unk_token="<unk>").save_pretrained(where)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = SiglipConfig(
        text_config={**small, "vocab_size": len(words), "max_position_embeddings": 16, "projection_size": 16},
        vision_config={**small, "image_size": 32, "patch_size": 16},
    )
    SiglipModel(config).save_pretrained(where)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(where)
    return where


def test_the_model_answers_as_its_own_forward_does(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoImageProcessor, AutoTokenizer, SiglipModel

    phrases = ["a picture of a beach", "the kitchen", "A picture of a beach", "word " * 40]
    pictures = [PICTURE, PICTURE.convert("L"), Image.new("RGB", (500, 20))]
    got = SiglipEncoder(Source(str(folder)), batch=2).match(pictures, phrases)
    model = SiglipModel.from_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(folder)(
        [phrase.lower() for phrase in phrases], padding="max_length", max_length=16, truncation=True, return_tensors="pt"
    )
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    pixels = processor(images=[picture.convert("RGB") for picture in pictures], return_tensors="pt")
    with torch.inference_mode():
        out = model(input_ids=tokens["input_ids"], pixel_values=pixels["pixel_values"])
    assert got.shape == (3, 4)
    assert np.allclose(got, (out.logits_per_image - model.logit_bias).detach().numpy(), atol=1e-4)
    assert np.allclose(got[:, 0], got[:, 2])


def test_phrases_are_kept_and_nothing_asked_is_nothing_answered(folder: Path) -> None:
    encoder = SiglipEncoder(Source(str(folder)))
    assert encoder.match([], ["a"]).shape == (0, 1)
    first = encoder.match([PICTURE], ["beach", "kitchen"])
    assert np.array_equal(first, encoder.match([PICTURE], ["beach", "kitchen"]))
    assert list(encoder._phrases) == ["beach", "kitchen"]


def test_an_untrained_model_is_sure_of_nothing(folder: Path, exhibit) -> None:
    findings = SiglipInstrument(SiglipEncoder(Source(str(folder)))).examine(exhibit(PICTURE, shot=BEACH))
    assert len(findings) == 8
    assert all(finding.aspect for finding in findings)
    assert {finding.outcome for finding in findings} <= {Outcome.NOT_CHECKED, Outcome.FAILED, Outcome.PASSED}


@pytest.mark.parametrize(
    ("seen", "aspect", "outcome", "repair"),
    [
        ("beach", "scene", Outcome.PASSED, None),
        ("kitchen", "scene", Outcome.FAILED, RepairKind.EMPHASISE),
        ("nothing of the kind", "scene", Outcome.NOT_CHECKED, None),
        ("night, dark", "light", Outcome.FAILED, RepairKind.EMPHASISE),
        ("swimsuit", "outfit", Outcome.FAILED, RepairKind.EMPHASISE),
        ("full body", "framing", Outcome.FAILED, RepairKind.NAME_FRAMING),
        ("half body", "framing", Outcome.PASSED, None),
        ("a sad face", "expression", Outcome.FAILED, RepairKind.EMPHASISE),
    ],
)
def test_the_brief(exhibit, seen: str, aspect: str, outcome: Outcome, repair: RepairKind | None) -> None:
    findings = SiglipInstrument(Sees(seen)).examine(exhibit(PICTURE, shot=BEACH))
    (finding,) = [finding for finding in findings if finding.aspect == aspect]
    assert finding.outcome is outcome
    assert (finding.repair.kind if finding.repair else None) is repair
    assert finding.criterion is (Criterion.FRAMING if aspect == "framing" else Criterion.BRIEF)


def test_words_that_no_list_knows_never_fail_against_a_list(exhibit) -> None:
    shot = BEACH.model_copy(update={"light": "blue hour", "scene": "space station"})
    findings = {f.aspect: f for f in SiglipInstrument(Sees("night, dark", "kitchen")).examine(exhibit(PICTURE, shot=shot))}
    assert findings["light"].outcome is Outcome.NOT_CHECKED
    assert findings["scene"].outcome is Outcome.NOT_CHECKED
    # but the persona's own other scene does
    own = {f.aspect: f for f in SiglipInstrument(Sees("cafe")).examine(exhibit(PICTURE, shot=shot))}
    assert own["scene"].outcome is Outcome.FAILED


def test_a_trait_is_judged_only_where_the_references_show_it(exhibit) -> None:
    class ByColour(Sees):
        def match(self, images: Sequence[Image.Image], phrases: Sequence[str]) -> np.ndarray:
            wanted = ["teal" if image.getpixel((0, 0)) == (200, 90, 20) else "blonde" for image in images]
            return np.array([[9.0 * (word in phrase) for phrase in phrases] for word in wanted], dtype=np.float32)

    other = Image.new("RGB", (40, 60))

    def hair(image: Image.Image, against: tuple[Image.Image, ...]) -> Outcome:
        findings = SiglipInstrument(ByColour()).examine(exhibit(image, shot=BEACH, against=against))
        (finding,) = [finding for finding in findings if finding.criterion is Criterion.LOOK and finding.aspect == "hair"]
        return finding.outcome

    assert hair(PICTURE, (PICTURE, PICTURE)) is Outcome.PASSED
    assert hair(other, (PICTURE, PICTURE)) is Outcome.FAILED
    assert hair(other, (other, other)) is Outcome.NOT_CHECKED
    assert hair(other, ()) is Outcome.NOT_CHECKED


def test_contrasts(persona) -> None:
    scene, *_, framing = of_shot(BEACH.model_copy(update={"scene": "a {sunny} beach"}), persona)
    assert scene.phrases[0].endswith("a {sunny} beach")
    assert "beach" not in scene.others
    assert len(scene.others) + 1 == len(scene.phrases)
    assert len(framing.others) == 2
    hair, glasses, height = persona.look.traits
    compared = of_trait(hair, "woman")
    assert compared is not None
    assert compared.phrases[1:] == ("a picture of a woman, blonde hair", "a picture of a woman, short hair")
    assert of_trait(glasses, "woman") is None
    assert of_trait(height, "woman") is None
    bald = Trait(feature="beard", value="none", phrase="no beard", contradictions=("bearded",))
    assert of_trait(bald, "man") is None


@pytest.mark.parametrize("sure", [0.5, 1.0, float("nan")])
def test_sureness_has_bounds(sure: float) -> None:
    with pytest.raises(ValueError, match="share"):
        SiglipInstrument(Sees(), sure=sure)
