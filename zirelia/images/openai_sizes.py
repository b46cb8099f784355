"""Which size an images API is asked for, when a picture of some width and height is wanted.

    size_for("gpt-image-1.5", 832, 1216)     # "1024x1536": that model knows three sizes
    size_for("gpt-image-2", 832, 1216)       # "832x1216": any multiple of 16 up to a ratio of 1:3
    size_for("Qwen/Qwen-Image", 832, 1216)   # "832x1216": servers of one's own draw what is asked

From the API reference of openai 3.54 (November 2026). Pure.
"""

from __future__ import annotations

import math

_FIXED: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("dall-e-2", ((256, 256), (512, 512), (1024, 1024))),
    ("dall-e-3", ((1024, 1024), (1792, 1024), (1024, 1792))),
    ("gpt-image-1", ((1024, 1024), (1536, 1024), (1024, 1536))),
    ("chatgpt-image", ((1024, 1024), (1536, 1024), (1024, 1536))),
)
_GRID = 16
_LONGEST = 3840
_SHORTEST = 256
_RATIO = 3.0


def is_gpt_image(model: str) -> bool:
    """Models that always answer base64 and refuse `response_format`."""
    return model.startswith(("gpt-image-", "chatgpt-image"))


def is_openai_model(model: str) -> bool:
    """Models of OpenAI itself, which know no seed and no steps; servers of one's own do."""
    return is_gpt_image(model) or model.startswith("dall-e-")


def takes_fidelity(model: str) -> bool:
    """Models that keep a face only when asked to (`input_fidelity`): later ones always do, the mini one never does."""
    return model.startswith("gpt-image-1") and not model.startswith("gpt-image-1-mini")


def size_for(model: str, width: int, height: int) -> str:
    """The size nearest in shape, then in area, that the model draws."""
    for prefix, sizes in _FIXED:
        if model.startswith(prefix):
            best = min(sizes, key=lambda size: (_away(size, width, height), abs(size[0] * size[1] - width * height)))
            return f"{best[0]}x{best[1]}"
    if is_gpt_image(model):
        width, height = _within_limits(width, height)
    return f"{width}x{height}"


def _away(size: tuple[int, int], width: int, height: int) -> float:
    return round(abs(math.log(size[0] / size[1]) - math.log(width / height)), 6)


def _within_limits(width: int, height: int) -> tuple[int, int]:
    if width > height * _RATIO:
        width = int(height * _RATIO)
    if height > width * _RATIO:
        height = int(width * _RATIO)
    scale = min(1.0, _LONGEST / max(width, height))
    return _on_grid(width * scale), _on_grid(height * scale)


def _on_grid(side: float) -> int:
    return max(_SHORTEST, int(side) // _GRID * _GRID)
