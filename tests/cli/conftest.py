"""Runs commands in this process, on an .env that needs no model; some tests add a chat server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from zirelia.cli import run
from zirelia.domain.post import Brief, Draft, Event, Post, PostState, move
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, Provenance, Shot
from zirelia.domain.verdict import Criterion, Finding, Outcome, Rubric, fold
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.chat_server import ChatServer

AT = datetime(2026, 11, 21, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def zirelia(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    monkeypatch.setenv("COLUMNS", "160")  # as wide as tables need to keep a caption on one line

    def call(*arguments: object) -> Said:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Said(code, *capfd.readouterr())

    return call


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def write_env(home: Path) -> Callable[..., None]:
    def write(**names: object) -> None:
        (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in names.items()))

    return write


@pytest.fixture
def stored(home: Path) -> Callable[..., Post]:
    """Puts a post into the store in the state asked for, without any model."""
    from PIL import Image

    def put(state: PostState = PostState.AWAITING_REVIEW, *, caption: str = "One good detail a day.", number: int = 1) -> Post:
        import io

        buffer = io.BytesIO()
        Image.radial_gradient("L").resize((96, 96)).convert("RGB").save(buffer, "PNG")
        media = MediaStore(home / "home" / "media")
        with SqlStore(home / "home" / "zirelia.db", media) as store:
            shot = Shot(scene="park", outfit="red hoodie", expression="smiling", framing=Framing.HALF_BODY, light="daylight")
            prompt = ImagePrompt(text="mirelo woman, half body portrait, in a park", seed=1, width=96, height=96)
            passed = state is not PostState.HELD
            verdict = fold(
                [
                    Finding(
                        criterion=criterion,
                        outcome=Outcome.PASSED if passed or criterion is not Criterion.IDENTITY else Outcome.FAILED,
                        instrument="judge",
                        explanation=f"{criterion} looked at",
                        score=0.7,
                        threshold=0.6,
                    )
                    for criterion in Criterion
                ],
                Rubric(),
            )
            attempt = Attempt(
                number=1,
                shot=shot,
                image=media.put(buffer.getvalue(), "image/png"),
                provenance=Provenance(backend="fake", model="m", prompt=prompt, seconds=1.0, made_at=AT),
                verdict=verdict,
            )
            post = Post(
                persona="mira",
                slot_id=f"mira:2026-11-21:w{number}",
                due=AT,
                brief=Brief(topic="trams", angle="He hums.", activity="draws", scene="park", light="daylight"),
                draft=Draft(caption=caption, hashtags=("tram",), alt_text="A woman draws in a park."),
                shot=shot,
                attempts=(attempt,),
                chosen=1,
                disclosure="Made with AI.",
                created=AT,
                updated=AT,
            )
            first = Event(post_id=0, at=AT, actor="studio", before=None, after=PostState.BRIEFED)
            post = store.add_post(post, first)
            ways = {
                PostState.BRIEFED: (),
                PostState.HELD: (PostState.DRAFTED, PostState.SHOT, PostState.HELD),
                PostState.AWAITING_REVIEW: (PostState.DRAFTED, PostState.SHOT, PostState.AWAITING_REVIEW),
                PostState.APPROVED: (PostState.DRAFTED, PostState.SHOT, PostState.AWAITING_REVIEW, PostState.APPROVED),
            }
            for to in ways[state]:
                moved, event = move(post, to, at=AT, actor="test", because="the face is another one")
                store.save_post(moved, expected_version=post.version, events=[event])
                post = moved
        return post

    return put
