"""Accounts that every channel's contract is tested on: one case a channel.

A new adapter adds a case here: how to open the account (again), and how to count what is published on it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from zirelia.channels.folder import FolderChannel
from zirelia.domain.post import Draft, Post, PostState
from zirelia.domain.publication import publication_id
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, MediaRef, Provenance, Shot
from zirelia.ports import Channel, Plan

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Account:
    """One account on a real peer. `open` is a new process's view of it; `fingerprint` names all that is published."""

    open: Callable[[], Channel]
    fingerprint: Callable[[], dict[str, object]]


def _folder(tmp_path: Path) -> Account:
    outbox = tmp_path / "outbox"

    def fingerprint() -> dict[str, object]:
        if not outbox.exists():
            return {}
        files = [path for path in outbox.iterdir() if path.name != ".lock"]
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    return Account(open=lambda: FolderChannel(outbox, now=lambda: NOW), fingerprint=fingerprint)


CASES: dict[str, Callable[[Path], Account]] = {"folder": _folder}


@pytest.fixture(params=sorted(CASES))
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Account:
    return CASES[request.param](tmp_path)


@pytest.fixture
def plan() -> Callable[..., Plan]:
    def make(post_id: int = 1, channel: str = "folder", caption: str = "Tea, again. ☕", colour: str = "teal") -> Plan:
        buffer = io.BytesIO()
        Image.new("RGB", (32, 24), colour).save(buffer, "JPEG")
        shot = Shot(scene="roof", outfit="coat", expression="calm", framing=Framing.HALF_BODY, light="dusk")
        attempt = Attempt(
            number=1,
            shot=shot,
            image=MediaRef(sha256="a" * 64, media_type="image/png", width=32, height=24),
            provenance=Provenance(
                backend="flux",
                model="pocket",
                prompt=ImagePrompt(text="mira_zr, roof", seed=42, width=64, height=64),
                seconds=1,
                made_at=NOW,
            ),
        )
        post = Post(
            id=post_id,
            persona="mira",
            slot_id=f"mira:{post_id}",
            due=NOW,
            state=PostState.PUBLISHING,
            draft=Draft(caption=caption, alt_text="A woman with tea"),
            attempts=(attempt,),
            chosen=1,
            disclosure="Virtual character, made with AI.",
            created=NOW,
            updated=NOW,
        )
        return Plan(
            publication_id=publication_id(post_id, channel),
            post=post,
            caption=post.caption_for_reader(),
            alt_text="A woman with tea",
            image=buffer.getvalue(),
            media_type="image/jpeg",
            sidecar={"lineage": {"lora": "mira-3"}},
        )

    return make
