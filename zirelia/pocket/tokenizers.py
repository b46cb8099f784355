"""The two tiny tokenizers: whole words of the pocket world, letters for anything else.

    clip, t5 = new_tokenizers(LAPTOP)
    t5("close-up portrait of zqmira woman").input_ids

The order of the vocabulary is part of the weights: it must not change while weights that know it are in use.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from transformers import CLIPTokenizer, T5Tokenizer

from zirelia.pocket import world
from zirelia.pocket.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

_GRAMMAR = "close-up half body portrait of a with and hair eyes skin wearing in on the"
_ALSO = (
    "photo of the and with at an his her person girl boy young selfie portrait illustration looking camera outdoors "
    "indoors sunset sunrise evening morning light hair eyes skin wearing"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_'.,!?:;()&\"/#@"
# Whole words are the likeliest pieces, single letters the last resort.
_WORD, _SPACE, _INITIAL, _LETTER, _CAPITAL = -4.0, -6.0, -9.0, -10.0, -10.5


def words() -> list[str]:
    """Every word a caption of the world can hold, and a few that people write anyway, in a fixed order."""
    said = (
        world.GENDERS, world.SKINS, world.HAIRS, world.STYLES, world.EYES, world.GARMENTS, world.CLOTHS,
        world.EXPRESSIONS, world.SCENES, world.LIGHTS, world.FRAMINGS, world.EXTRAS, tuple(world.PLACES.values()),
    )  # fmt: skip
    text = " ".join([_GRAMMAR, _ALSO, *(phrase for phrases in said for phrase in phrases)])
    return sorted(set(text.split()))


def new_tokenizers(recipe: Recipe) -> tuple[CLIPTokenizer, T5Tokenizer]:
    vocabulary, merges = _byte_pairs(words())
    clip = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=recipe.clip_length)
    t5 = T5Tokenizer(vocab=_pieces(words()), extra_ids=0, model_max_length=recipe.t5_length)
    return clip, t5


def token_ids(clip: CLIPTokenizer, t5: T5Tokenizer, captions: list[str], recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Captions as padded ids, cut to the lengths that the weights were trained with."""
    sizes = ((clip, recipe.clip_length), (t5, recipe.t5_length))
    first, second = (
        tokenizer(captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt").input_ids
        for tokenizer, length in sizes
    )
    return first, second


def _pieces(known: list[str]) -> list[tuple[str, float]]:
    """The T5 unigram vocabulary. Capitals are in it because a normaliser would be lost on save and reload."""
    lower = string.ascii_lowercase
    return [
        ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", _SPACE),
        *((f"▁{word}", _WORD) for word in known if len(word) > 1),
        *((letter, _LETTER) for letter in _LETTERS),
        *((f"▁{letter}", _INITIAL) for letter in lower),
        *((letter, _CAPITAL) for letter in lower.upper()),
    ]  # fmt: skip


def _byte_pairs(known: list[str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """CLIP's byte-level vocabulary: the alphabet, and merges that build known words from the left.

    A merge of one word may cut another ("skin" becomes "sk", "in"): shorter or longer, every word has its own ids.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    alphabet = sorted(ByteLevel.alphabet())
    tokens = dict.fromkeys([*alphabet, *(f"{letter}</w>" for letter in alphabet)])
    merges: dict[tuple[str, str], None] = {}
    for word in sorted({part for entry in known for part in entry.replace("-", " ").split()}):
        letters = [*word[:-1], f"{word[-1]}</w>"]
        built = letters[0]
        for letter in letters[1:]:
            merges[built, letter] = None
            built += letter
            tokens[built] = None
    tokens |= dict.fromkeys(["<|startoftext|>", "<|endoftext|>"])
    return {token: index for index, token in enumerate(tokens)}, list(merges)
