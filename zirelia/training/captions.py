"""What the rows of a batch are told: the picture's caption with its trigger, and captions that must not show the face.

    book = CaptionBook.write(dataset_captions, trigger="mirelo", others=(...), plan=POCKET)
    book.texts[book.instance[3][0]]       # picture 3, said in full

Every text is written once, before any step, so that all of them can be encoded and the encoders let go.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zirelia.errors import TrainingError
from zirelia.training.plan import CaptionMix, TrainingPlan

if TYPE_CHECKING:
    import numpy as np

_ARTICLES = r"(?:\b(?:a|an|the)\s+)?"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FREQUENT = "aeioulnrstm"


def occurrences(trigger: str, text: str) -> int:
    """How often the trigger stands in the text as a word of its own."""
    return len(re.findall(rf"(?<!\w){re.escape(trigger)}(?!\w)", text))


def without_trigger(caption: str, trigger: str) -> str:
    """The caption of anybody: "mirelo woman, smiling" → "a woman, smiling"; "photo of mirelo" → "photo of a person"."""
    word = rf"(?<!\w){re.escape(trigger)}(?!\w)"
    said = re.sub(rf"{_ARTICLES}{word}(?=\s+\w)", "a", caption, flags=re.IGNORECASE)
    return re.sub(rf"{_ARTICLES}{word}", "a person", said, flags=re.IGNORECASE)


def stranger(trigger: str, rng: random.Random) -> str:
    """A word that is not the trigger; every second one begins like it, because those are the easiest to confuse."""
    while True:
        letters = (rng.choice(_LETTERS if rng.random() < 0.5 else _FREQUENT) for _ in range(rng.randint(3, 7)))
        word = "".join(letters)
        if rng.random() < 0.5:
            word = trigger[:2] + word[:5]
        if word.lower() != trigger.lower():
            return word


def variant(caption: str, trigger: str, drop: float, rng: random.Random) -> str:
    """The caption with some of its comma parts left out; the part with the trigger stays."""
    parts = caption.split(", ")
    return ", ".join(part for part in parts if occurrences(trigger, part) or rng.random() >= drop)


@dataclass(frozen=True)
class CaptionBook:
    """All texts of a training, each once, and which rows may say which (indices into `texts`).

    instance, generic, strangers: per picture, one index a variant; others: of other people; empty: the empty caption.
    """

    texts: tuple[str, ...]
    instance: tuple[tuple[int, ...], ...]
    generic: tuple[tuple[int, ...], ...]
    strangers: tuple[tuple[int, ...], ...]
    others: tuple[int, ...]
    empty: int

    @classmethod
    def write(cls, captions: Sequence[str], *, trigger: str, others: Sequence[str], plan: TrainingPlan) -> CaptionBook:
        """Raises TrainingError when another person's caption holds the trigger."""
        if told := [text for text in others if occurrences(trigger, text)]:
            raise TrainingError(
                f"a caption of other people holds the trigger '{trigger}': {told[0]!r}",
                hint="captions of others describe people without the trigger; leave that one out",
            )
        rng = random.Random(plan.seed)  # noqa: S311
        index: dict[str, int] = {}

        def number(text: str) -> int:
            return index.setdefault(text, len(index))

        empty = number("")
        instance, generic, strangers = [], [], []
        for caption in captions:
            said = [caption] + [variant(caption, trigger, plan.part_dropout, rng) for _ in range(plan.caption_variants - 1)]
            instance.append(tuple(number(text) for text in said))
            if plan.preserving and plan.preservation == "output":
                generic.append(tuple(number(without_trigger(text, trigger)) for text in said))
                strangers.append(tuple(number(_replaced(text, trigger, stranger(trigger, rng))) for text in said))
        spoken_of = tuple(number(text) for text in others) if plan.preserving else ()
        return cls(tuple(index), tuple(instance), tuple(generic), tuple(strangers), spoken_of, empty)

    def preservation(self, picture: int, mix: CaptionMix, numbers: np.random.Generator) -> int:
        """The text of one preservation row on that picture. Without captions of others their share is generic."""
        way = int(numbers.integers(len(self.generic[picture])))
        share = float(numbers.random())
        if share < mix.empty:
            return self.empty
        if share < mix.empty + mix.strangers:
            return self.strangers[picture][way]
        if self.others and share < mix.empty + mix.strangers + mix.others:
            return self.others[int(numbers.integers(len(self.others)))]
        return self.generic[picture][way]


def _replaced(text: str, trigger: str, word: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(trigger)}(?!\w)", word, text)
