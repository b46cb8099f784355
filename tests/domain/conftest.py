"""Ready values for the domain's tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from zirelia.domain.post import Draft, Post
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, MediaRef, Provenance, Shot


@pytest.fixture
def persona_fields() -> dict[str, Any]:
    """The least that a persona pack says."""
    return {
        "name": "mira",
        "display_name": "Mira",
        "kind": "illustrated",
        "bio": "Draws strangers on trams.",
        "age": 24,
        "voice": {"tone": ["warm"], "style": "short sentences"},
        "look": {
            "noun": "woman",
            "traits": [
                {"feature": "hair", "value": "teal", "phrase": "teal hair", "contradictions": ["Blonde", "short HAIR"]},
                {"feature": "eyes", "value": "brown", "phrase": "brown eyes"},
            ],
        },
        "consent": {"fictional": True},
        "routine": [{"name": "day", "start_hour": 6, "end_hour": 24, "activities": ["drawing"], "scenes": ["cafe"]}],
        "interests": [{"topic": "sketching"}],
        "cadence": {"timezone": "Europe/Lisbon", "windows": [{"name": "noon", "start": "12:00", "end": "13:00"}]},
    }


@pytest.fixture
def attempt(now: datetime) -> Attempt:
    prompt = ImagePrompt(text="mirelo woman, in a cafe", trigger="mirelo", seed=7, width=256, height=256)
    return Attempt(
        number=1,
        shot=Shot(scene="cafe", outfit="hoodie", expression="smiling", framing=Framing.HALF_BODY, light="daylight"),
        image=MediaRef(sha256="ab" * 32, media_type="image/png", width=256, height=256),
        provenance=Provenance(backend="flux", model="pocket", prompt=prompt, seconds=0.5, made_at=now),
    )


@pytest.fixture
def post(now: datetime) -> Post:
    """Stored, briefed, with nothing made yet."""
    return Post(id=1, persona="mira", slot_id="mira:2026-11-21:noon", due=now, created=now, updated=now)


@pytest.fixture
def finished(post: Post, attempt: Attempt) -> Post:
    """With a text and a chosen picture, still in its first state."""
    draft = Draft(caption="One good detail a day.", hashtags=("sketchbook", "lisbon"), alt_text="Mira in a cafe.")
    return post.model_copy(update={"draft": draft, "attempts": (attempt,), "chosen": 1, "disclosure": "Made with AI."})
