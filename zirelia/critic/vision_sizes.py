"""How large a picture a vision model really looks at, and how many tokens that costs: sending more is paid for or thrown away.

    sent_size(1024, 1536, "gpt-4o")                  # (683, 1024): four tiles instead of six, 11 % smaller
    sent_size(2048, 3072, "claude-opus-4-1")         # (896, 1344), what the server would scale it to
    picture_tokens(896, 1344, "claude-opus-4-1")     # 1536

The rules are the providers' published ones: OpenAI, "Images and vision" (tiles of 512 after fitting into 2048 and a short
side of 768; patches of 32, at most 1536, for the small models); Anthropic, "Vision" (long side 1568, at most 1568 cells of
28 pixels); Google, "Understand and count tokens" and "Image understanding" (tiles of 768, 258 tokens each, one up to 384
pixels). For models on one's own server: Gemma 3 sees a square of 896, Llama 3.2 up to four tiles of 560, Pixtral 1024,
Qwen-VL cells of 28; for others 896 is enough to see fingers and little enough for a slow machine. The token counts are for
estimates: the bill comes with the answer.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

SMALLER_IS_FINE = 0.85
"""A picture may shrink to this share of its sides when that saves a row or a column of tiles."""


@dataclass(frozen=True)
class Sight:
    """What one family of models looks at.

    kind: "tiles" are counted whole, "cells" are counted and limited, "crops" are Google's, "square" is one fixed size.
    long_side, short_side: pixels at most. cell: side of a tile or cell. cells: how many at most. base, each: tokens of a
    picture and of one cell.
    """

    kind: Literal["tiles", "cells", "crops", "square"]
    long_side: int
    short_side: int
    cell: int
    cells: int = 10_000
    base: float = 0.0
    each: float = 1.0


FAMILIES: tuple[tuple[str, Sight], ...] = (
    (r"gpt-4\.1-nano|gpt-5(\.\d)?-nano", Sight("cells", 2048, 2048, 32, 1536, each=2.46)),
    (r"gpt-4\.1-mini|gpt-5(\.\d)?-mini", Sight("cells", 2048, 2048, 32, 1536, each=1.62)),
    (r"o4-mini", Sight("cells", 2048, 2048, 32, 1536, each=1.72)),
    (r"gpt-4o-mini", Sight("tiles", 2048, 768, 512, base=2833, each=5667)),
    (r"gpt-5", Sight("tiles", 2048, 768, 512, base=70, each=140)),
    (r"\bo[13]\b", Sight("tiles", 2048, 768, 512, base=75, each=150)),
    (r"gpt-4|chatgpt", Sight("tiles", 2048, 768, 512, base=85, each=170)),
    (r"claude", Sight("cells", 1568, 1568, 28, 1568)),
    (r"gemini", Sight("crops", 1536, 1152, 768, each=258)),
    (r"gemma", Sight("square", 896, 896, 896, base=256)),
    (r"llama-?(3\.2|4)", Sight("tiles", 1120, 1120, 560, 4, each=1601)),
    (r"pixtral|mistral", Sight("cells", 1024, 1024, 16, 4096)),
    (r"qwen", Sight("cells", 1280, 1280, 28, 1280)),
)
DEFAULT = Sight("cells", 896, 896, 28, 1024)


def sight_of(model: str) -> Sight:
    """The family's rule by the model's name, whoever serves it ("openai/gpt-4o" too); DEFAULT for a name that nobody knows."""
    name = model.lower()
    return next((sight for pattern, sight in FAMILIES if re.search(pattern, name)), DEFAULT)


def sent_size(width: int, height: int, model: str) -> tuple[int, int]:
    """Width and height to send: never larger than the picture, of the same shape to the pixel, each side at least 1.

    Raises ValueError for a picture without pixels.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} has no pixels")
    sight = sight_of(model)
    scale = min(1.0, sight.long_side / max(width, height), sight.short_side / min(width, height))
    if sight.kind == "cells":
        scale = _fewer_cells(width, height, sight, scale)
    elif sight.kind == "tiles":
        scale = _fuller_tiles(width, height, sight, scale)
    return _scaled(width, height, scale)


def picture_tokens(width: int, height: int, model: str) -> int:
    """What a picture of that size costs the model's reader, in tokens, as far as its maker has said."""
    sight = sight_of(model)
    if sight.kind == "square":
        return round(sight.base)
    if sight.kind == "crops":
        if max(width, height) <= 384:
            return round(sight.each)
        unit = max(1, math.floor(min(width, height) / 1.5))
        return round(sight.each * math.ceil(width / unit) * math.ceil(height / unit))
    return math.ceil(sight.base + sight.each * _count(width, height, sight.cell))


def _count(width: int, height: int, cell: int) -> int:
    return math.ceil(width / cell) * math.ceil(height / cell)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))


def _fewer_cells(width: int, height: int, sight: Sight, scale: float) -> float:
    """The largest scale at which no more cells are covered than the model takes."""
    if _count(*_scaled(width, height, scale), sight.cell) <= sight.cells:
        return scale
    # the area sets the bound; a row of cells is given up at a time until the rounded-up count fits as well
    scale = min(scale, math.sqrt(sight.cells / (width * height)) * sight.cell)
    while _count(*_scaled(width, height, scale), sight.cell) > sight.cells:
        longest = max(width, height) * scale
        scale *= max(0.5, (longest - 1) / longest)
    return scale


def _fuller_tiles(width: int, height: int, sight: Sight, scale: float) -> float:
    """A slightly smaller scale that ends on a whole tile, where that saves tiles; the most tiles that the model takes."""
    sides = (width, height)
    ends = [math.floor(side * scale / sight.cell) * sight.cell / side for side in sides]
    choices = [scale, *(end for end in ends if scale * SMALLER_IS_FINE <= end < scale)]
    while all(_count(*_scaled(width, height, choice), sight.cell) > sight.cells for choice in choices):
        choices = [choices[-1] * SMALLER_IS_FINE]
    return min(choices, key=lambda choice: (_count(*_scaled(width, height, choice), sight.cell), -choice))
