"""A shot list in the words of a small world: the same cells, said so that the model can draw them.

    fitted(load_shot_list("30"), editor.vocabulary(), keep_out=frozenset({("gym", "night")}))

Words are dealt like cards: each cell gets those that were used least, alone and together, so that no outfit and no scene
comes more often than the list allows. The same list and words give the same cells. Knows no particular world.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from typing import TypeVar

from zirelia.domain.shot import Framing, Shot, ShotVocabulary
from zirelia.domain.shotlist import Cell, ShotList, Yaw
from zirelia.errors import ConfigurationError

_Card = TypeVar("_Card", bound=Hashable)


def fitted(wanted: ShotList, vocabulary: ShotVocabulary, *, keep_out: frozenset[tuple[str, str]] = frozenset()) -> ShotList:
    """The list with every cell in words of the vocabulary: faces to the front, no pose, no props, no instruction.

    A framing that the model draws is kept, the others are spread. Cells are named anew, after their framing.

    Args:
        keep_out: settings (scene, light) that must not appear, such as those that a LoRA is measured on later.

    Raises ConfigurationError when the vocabulary has too few words to keep the list's limit.
    """
    settings = [pair for pair in product(vocabulary.scenes, vocabulary.lights) if pair not in keep_out]
    _check(wanted, vocabulary, {scene for scene, _ in settings})
    framings = _framings(wanted.cells, vocabulary.framings)
    used: Counter[Hashable] = Counter()
    numbers: Counter[Framing] = Counter()
    cells = []
    for framing in framings:
        marks = {pair: (pair[0], pair[1], pair, (framing, pair[1]), (framing, pair[0])) for pair in settings}
        scene, light = _dealt(marks, used)
        faces = {word: (word, (framing, word), (light, word), (scene, word)) for word in vocabulary.expressions}
        expression = _dealt(faces, used)
        outfit = _dealt({word: _outfit_marks(word, scene) for word in vocabulary.outfits}, used)
        numbers[framing] += 1
        cells.append(
            Cell(
                id=f"{framing.replace(' ', '-')}-{numbers[framing]:02}",
                shot=Shot(scene=scene, outfit=outfit, expression=expression, framing=framing, light=light),
                yaw=Yaw.FRONT,
            )
        )
    return wanted.model_copy(update={"cells": tuple(cells)})


def _outfit_marks(outfit: str, scene: str) -> tuple[Hashable, ...]:
    """What is spread for clothes: the whole, then its garment (the last word) and its colours, then where it is worn."""
    *colours, garment = outfit.split() or [outfit]
    return (("outfit", outfit), ("garment", garment), *(("colour", colour) for colour in colours), (scene, garment))


def _dealt(cards: Mapping[_Card, tuple[Hashable, ...]], used: Counter[Hashable]) -> _Card:
    """The card whose marks were used least, the first mark counting most; its marks are noted as used."""
    best = min(cards, key=lambda card: tuple(used[mark] for mark in cards[card]))
    used.update(cards[best])
    return best


def _framings(cells: Sequence[Cell], known: Sequence[Framing]) -> list[Framing]:
    """The cells' own framings where they are known; for each other cell the known one that is used least by then."""
    used = Counter(cell.shot.framing for cell in cells if cell.shot.framing in known)
    dealt = []
    for cell in cells:
        framing = cell.shot.framing
        if framing not in known:
            framing = min(known, key=lambda one: used[one])
            used[framing] += 1
        dealt.append(framing)
    return dealt


def _check(wanted: ShotList, vocabulary: ShotVocabulary, scenes: set[str]) -> None:
    allowed = wanted.most_allowed
    needed = -(-len(wanted.cells) // allowed)
    there = {
        "scenes": (len(scenes), needed),
        "outfits": (len(set(vocabulary.outfits)), needed),
        "expressions": (len(vocabulary.expressions), 1),
        "framings": (len(vocabulary.framings), 1),
    }
    for field, (count, least) in there.items():
        if count < least:
            raise ConfigurationError(
                f"the image model knows {count} {field}; the shot list '{wanted.name}' of {len(wanted.cells)} cells needs "
                f"{least}",
                hint="choose a shorter list, raise its most_of_one, keep fewer settings out, or choose another edit backend",
            )


def left_unseen(vocabulary: ShotVocabulary, count: int) -> frozenset[tuple[str, str]]:
    """Settings (scene, light) that a dataset leaves out, so that a LoRA can be measured on what it has not seen.

    Two scenes or so are left out whole, which is the hardest test; of the others one light each, in turn. At most nine in
    twenty of all settings; the same words and count give the same settings.
    """
    whole = vocabulary.scenes[1::7]
    settings = [(scene, light) for scene in whole for light in vocabulary.lights]
    others = [scene for scene in vocabulary.scenes if scene not in whole]
    lights = vocabulary.lights
    settings += [(scene, lights[number % len(lights)]) for number, scene in enumerate(others)]
    most = len(vocabulary.scenes) * len(lights) * 9 // 20
    return frozenset(settings[: min(count, most)])
