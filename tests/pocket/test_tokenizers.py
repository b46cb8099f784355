from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("transformers")

from transformers import CLIPTokenizer, T5Tokenizer

from zirelia.pocket import weights
from zirelia.pocket.recipe import LAPTOP
from zirelia.pocket.tokenizers import new_tokenizers, token_ids, words
from zirelia.pocket.world import HELD_OUT, WorldShot, caption

SHOT = WorldShot("t-shirt", "purple", "serious", "city street", "golden hour", "close-up")
PROMPTS = [caption(HELD_OUT["luna"], SHOT), caption(HELD_OUT["theo"], SHOT, trigger="Zatheo_7"), ""]


def test_every_word_of_the_world_is_one_piece_for_t5() -> None:
    _, t5 = new_tokenizers(LAPTOP)
    assert {word: t5.tokenize(word) for word in words() if len(word) > 1} == {w: [f"▁{w}"] for w in words() if len(w) > 1}


def test_clip_gives_back_what_it_was_given() -> None:
    clip, _ = new_tokenizers(LAPTOP)
    for prompt in PROMPTS:
        assert clip.decode(clip(prompt).input_ids, skip_special_tokens=True).replace(" ", "") == prompt.lower().replace(" ", "")


def test_clip_ends_a_text_with_its_own_end_token() -> None:
    clip, _ = new_tokenizers(LAPTOP)
    assert clip("beard").input_ids[-1] == clip.eos_token_id != 2


def test_no_prompt_holds_an_unknown_piece() -> None:
    _, t5 = new_tokenizers(LAPTOP)
    for prompt in PROMPTS:
        assert t5.unk_token_id not in t5(prompt).input_ids


def test_the_longest_caption_fits() -> None:
    clip, t5 = new_tokenizers(LAPTOP)
    assert len(t5(PROMPTS[0]).input_ids) <= LAPTOP.t5_length
    assert len(clip(PROMPTS[0]).input_ids) <= LAPTOP.clip_length


def test_saving_and_loading_changes_nothing(tmp_path: Path) -> None:
    clip, t5 = new_tokenizers(LAPTOP)
    clip.save_pretrained(tmp_path / "clip")
    t5.save_pretrained(tmp_path / "t5")
    again = CLIPTokenizer.from_pretrained(tmp_path / "clip"), T5Tokenizer.from_pretrained(tmp_path / "t5")
    for before, after in zip(token_ids(clip, t5, PROMPTS, LAPTOP), token_ids(*again, PROMPTS, LAPTOP), strict=True):
        assert before.tolist() == after.tolist()


def test_the_shipped_weights_were_trained_with_this_vocabulary() -> None:
    clip, t5 = new_tokenizers(LAPTOP)
    base = weights.weights_dir() / "base"
    assert CLIPTokenizer.from_pretrained(base / "tokenizer").get_vocab() == clip.get_vocab()
    assert T5Tokenizer.from_pretrained(base / "tokenizer_2").get_vocab() == t5.get_vocab()
