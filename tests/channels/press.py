"""The real publish() around one channel: a store with approved posts, a clock that the channel and its platform share."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from zirelia.critic.panel import CriticPanel
from zirelia.definitions.personas import load_persona
from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft, Event, Post, PostState
from zirelia.domain.publication import Publication, PublicationState
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, Provenance, Shot
from zirelia.errors import NotYet, ProviderError
from zirelia.provenance.sealer import JpegSealer
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.publish import publish

ROUNDS = 30
PAUSES = (61, 301, 901)
"""Seconds after the first tries, as the daemon waits; after all others as after the last of these."""


@dataclass
class Clock:
    at: datetime

    def __call__(self) -> datetime:
        return self.at

    def passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Quiet:
    """A watcher that keeps every word, so that a test can look for what must not stand there."""

    words: list[str] = field(default_factory=list)

    def step(self, name: str, note: str = "") -> None:
        self.words.append(note)

    def progress(self, fraction: float, note: str) -> None: ...

    def note(self, text: str) -> None:
        self.words.append(text)

    def done(self, note: str = "") -> None:
        self.words.append(note)

    def failed(self, note: str) -> None:
        self.words.append(note)


@dataclass
class Press:
    store: SqlStore
    media: MediaStore
    clock: Clock
    watcher: Quiet = field(default_factory=Quiet)
    errors: list[ProviderError] = field(default_factory=list)

    def approved(self, channel: str, caption: str) -> Post:
        number = len(self.store.posts(limit=1000)) + 1
        buffer = io.BytesIO()
        Image.new("RGB", (64, 80), (number * 7 % 256, number * 31 % 256, 90)).save(buffer, "PNG")
        attempt = Attempt(
            number=1,
            shot=Shot(scene="roof", outfit="coat", expression="calm", framing=Framing.HALF_BODY, light="dusk"),
            image=self.media.put(buffer.getvalue(), "image/png"),
            provenance=Provenance(
                backend="flux",
                model="pocket",
                prompt=ImagePrompt(text="mira_zr, roof", seed=42, width=64, height=64),
                seconds=1,
                made_at=self.clock(),
            ),
        )
        post = Post(
            id=0,
            persona="mira",
            slot_id=f"mira:{channel}:{number}",
            due=self.clock(),
            state=PostState.APPROVED,
            draft=Draft(caption=caption, alt_text="A woman with tea", hashtags=("tea",)),
            attempts=(attempt,),
            chosen=1,
            disclosure="Virtual character, made with AI.",
            created=self.clock(),
            updated=self.clock(),
        )
        event = Event(post_id=0, at=self.clock(), actor="ana", before=None, after=PostState.APPROVED)
        return self.store.add_post(post, event)

    def send(
        self, post: Post, open_channel: Callable[[], Any], *, healed: Callable[[int], None] = lambda _: None
    ) -> Publication:
        """Publishes as the daemon does, again and again, each time by a new process's view of the account.

        healed: told the number of each round before it, to take a fault away.
        """
        channel = open_channel()
        document = load_persona("mira").persona.model_dump(mode="json") | {"channels": [channel.name]}
        subject = Subject(persona=Persona.model_validate(document), lora=None, references=())
        for number in range(ROUNDS):
            healed(number)
            channel = open_channel()
            kit = Kit(
                store=self.store,
                media=self.media,
                chat=ScriptedChat(),
                images=FakeImageMaker(),
                panel=CriticPanel([], time_limit=1.0),
                channels={channel.name: channel},
                sealer=JpegSealer(),
                agents={},
                now=self.clock,
                watcher=self.watcher,
            )
            try:
                if publish(kit, subject, post.id).state is PostState.PUBLISHED:
                    break
            except NotYet as wait:
                self.clock.at = max(self.clock.at, wait.until or self.clock.at)
            except ProviderError as error:
                self.errors.append(error)
            self.clock.passes(PAUSES[min(number, len(PAUSES) - 1)])
        (publication,) = self.store.publications(post.id)
        self.told(publication)
        return publication

    def told(self, publication: Publication) -> None:
        """What is not published says why."""
        if publication.state is not PublicationState.PUBLISHED:
            assert publication.note


@contextmanager
def press_in(folder: Path, at: datetime) -> Iterator[Press]:
    media = MediaStore(folder / "media")
    with SqlStore(folder / "zirelia.db", media) as store:
        yield Press(store, media, Clock(at))
