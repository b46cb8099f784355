"""Posts, attempts and pictures for the store's tests, which run on SQLite and on a real PostgreSQL.

A test of one of them says so: @pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.post import Brief, Draft, Event, Post
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, Provenance, Shot
from zirelia.domain.verdict import Criterion, Finding, Outcome, Repair, RepairKind, Rubric, Verdict, fold
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
SHOT = Shot(scene="roof", outfit="coat", expression="calm", framing=Framing.HALF_BODY, light="dusk")


def encoded(colour: object = "teal", kind: str = "PNG", size: tuple[int, int] = (24, 16), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind)
    return buffer.getvalue()


def new_post(slot: str = "mira:2026-10-25:morning", persona: str = "mira") -> Post:
    return Post(
        persona=persona,
        slot_id=slot,
        due=NOW + timedelta(hours=3),
        brief=Brief(topic="tea", angle="ritual", activity="drinks tea", scene="roof", light="dusk"),
        created=NOW,
        updated=NOW,
    )


def first_event(post: Post) -> Event:
    return Event(post_id=0, at=post.created, actor="planner", before=None, after=post.state)


def verdict(count: int = 3) -> Verdict:
    criteria = tuple(Criterion)
    findings = tuple(
        Finding(
            criterion=criteria[i % len(criteria)],
            outcome=tuple(Outcome)[i % 3],
            instrument="looks",
            explanation=f"remark {i}",
            score=0.1 * i,
            threshold=0.62,
            repair=Repair(kind=RepairKind.NEW_SEED, because="too far away"),
            cost_usd=0.0000015,
        )
        for i in range(count)
    )
    return fold(findings, Rubric())


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "home" / "media")


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(request: pytest.FixtureRequest, backend: str, tmp_path: Path) -> str | Path:
    """Where the database is: a file, or a URL."""
    if backend == "sqlite":
        return tmp_path / "home" / "zirelia.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(place: str | Path, media: MediaStore) -> Iterator[SqlStore]:
    with SqlStore(place, media) as opened:
        yield opened


@pytest.fixture(name="encoded")
def _encoded() -> Callable[..., bytes]:
    return encoded


@pytest.fixture(name="new_post")
def _new_post() -> Callable[..., Post]:
    return new_post


@pytest.fixture(name="first_event")
def _first_event() -> Callable[[Post], Event]:
    return first_event


@pytest.fixture(name="verdict")
def _verdict() -> Callable[..., Verdict]:
    return verdict


@pytest.fixture
def draft() -> Draft:
    return Draft(caption="Tea, again. ☕", hashtags=("lisbon", "tea"), alt_text="A woman with a cup")


@pytest.fixture
def stored(store: SqlStore) -> Post:
    post = new_post()
    return store.add_post(post, first_event(post))


@pytest.fixture
def attempt(media: MediaStore) -> Callable[..., Attempt]:
    def make(number: int = 1, judged: Verdict | None = None, colour: object = "teal") -> Attempt:
        return Attempt(
            number=number,
            shot=SHOT,
            image=media.put(encoded(colour), "image/png"),
            provenance=Provenance(
                backend="flux",
                model="pocket",
                prompt=ImagePrompt(text="mira_zr, roof", seed=42, width=256, height=256),
                seconds=1.25,
                cost_usd=0.07,
                made_at=NOW,
            ),
            verdict=judged,
        )

    return make


@pytest.fixture
def call() -> Callable[..., LedgerEntry]:
    def make(call_id: str = "post-1-image-1", state: LedgerState = LedgerState.INTENT, **fields: object) -> LedgerEntry:
        return LedgerEntry.model_validate(
            {
                "id": call_id,
                "at": NOW,
                "persona": "mira",
                "post_id": 1,
                "role": "image",
                "provider": "replicate",
                "model": "flux",
                "state": state,
                "estimate_usd": 0.04,
                **fields,
            }
        )

    return make
