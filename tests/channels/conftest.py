"""Accounts that every channel's contract is tested on: one case a channel.

A new adapter adds a case here: how to open the account (again), and how to count what is published on it.
"""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from zirelia.channels.folder import FolderChannel
from zirelia.domain.post import Draft, Post, PostState
from zirelia.domain.publication import publication_id
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, MediaRef, Provenance, Shot
from zirelia.ports import Channel, Plan, Sending

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Account:
    """One account on a real peer. `open` is a new process's view of it; `fingerprint` names all that is published."""

    open: Callable[[], Channel]
    fingerprint: Callable[[], dict[str, object]]


def beside(name: str) -> ModuleType:
    """A helper module of this folder, which is not a package."""
    known = f"channels_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[known] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[known]


@contextmanager
def _folder(tmp_path: Path) -> Iterator[Account]:
    outbox = tmp_path / "outbox"

    def fingerprint() -> dict[str, object]:
        if not outbox.exists():
            return {}
        files = [path for path in outbox.iterdir() if path.name != ".lock"]
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    yield Account(open=lambda: FolderChannel(outbox, now=lambda: NOW), fingerprint=fingerprint)


def _emulated(name: str) -> Callable[[Path], AbstractContextManager[Account]]:
    @contextmanager
    def case(_: Path) -> Iterator[Account]:
        with beside("meta_accounts").staged(name, lambda: NOW) as stage:
            yield Account(open=stage.open, fingerprint=lambda: {one["id"]: dict(one) for one in stage.server.published})

    return case


@contextmanager
def _bluesky(_: Path) -> Iterator[Account]:
    with beside("bluesky_accounts").staged(lambda: NOW) as stage:
        yield Account(open=stage.open, fingerprint=lambda: {one["id"]: dict(one) for one in stage.door.published})


CASES: dict[str, Callable[[Path], AbstractContextManager[Account]]] = {
    "folder": _folder,
    "bluesky": _bluesky,
    **{name: _emulated(name) for name in ("instagram", "threads", "facebook", "mastodon", "x")},
}


@pytest.fixture(params=sorted(CASES))
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Account]:
    with CASES[request.param](tmp_path) as opened:
        yield opened


@dataclass
class Envelope:
    """What is stored of one publication on its way: a second `sending()` knows what the first had the platform make."""

    begun: datetime = NOW
    created: str | None = None

    def sending(self) -> Sending:
        return Sending(begun=self.begun, created=self.created, keep=self._keep)

    def _keep(self, created: str) -> None:
        self.created = created


@pytest.fixture
def envelope() -> Callable[..., Envelope]:
    return Envelope


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
