"""What is known of edit models by their names: under which terms their pictures stand, and how many references they take.

    known("black-forest-labs/FLUX.2-klein-4B").licence     # "Apache-2.0"
    known("gpt-image-2").most                              # 16

From the models' own pages (November 2026). The terms matter because a picture that a model made may become training material.
Knows no provider and loads nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DEV = (
    "{} Non-Commercial License: the model is for non-commercial use, and its pictures may not be used to train a model that "
    "competes with it"
)
_BFL = "Black Forest Labs' terms of service: pictures may not be used to train a model that competes with theirs"
_OPENAI = "OpenAI's terms of use: pictures are yours, and may not be used to develop models that compete with OpenAI"
_UNKNOWN = "unknown: read the model's own terms before you train on its pictures"


@dataclass(frozen=True)
class EditModel:
    """licence: the terms in one sentence. most: references in one call; of Kontext's two the second is set beside the first."""

    licence: str
    most: int = 1


_KNOWN: tuple[tuple[str, EditModel], ...] = (
    (r"kontext-(pro|max)", EditModel(_BFL, 2)),
    (r"kontext", EditModel(_DEV.format("FLUX.1 [dev]"), 2)),
    (r"flux[.-]?2-?klein.*9b", EditModel(_DEV.format("FLUX.2 [klein] 9B"), 4)),
    (r"flux[.-]?2-?klein.*4b", EditModel("Apache-2.0", 4)),
    (
        r"flux[.-]?2-?klein",
        EditModel("FLUX.2 [klein]: Apache-2.0 for the 4B weights; for the 9B weights the " + _DEV.format("FLUX"), 4),
    ),
    (r"flux[.-]?2-(pro|flex|max)", EditModel(_BFL, 8)),
    (r"flux[.-]?2", EditModel(_DEV.format("FLUX.2 [dev]"), 4)),
    (r"qwen-?image-?edit-?(plus|25\d\d)", EditModel("Apache-2.0", 3)),
    (r"qwen-?image-?edit", EditModel("Apache-2.0", 1)),
    (r"gpt-image", EditModel(_OPENAI, 16)),
    (r"dall-e", EditModel(_OPENAI, 1)),
)
"""Searched in lower-case names, the first that fits counts."""


def known(*names: str) -> EditModel:
    """By the first of the names (a hub name, a hosted model's, a pipeline's class) that says something."""
    for name in names:
        for pattern, model in _KNOWN:
            if re.search(pattern, name.lower()):
                return model
    return EditModel(_UNKNOWN)
