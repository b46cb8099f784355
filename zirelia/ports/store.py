"""The tables and the media files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from zirelia.domain.budget import Cap, Spent
from zirelia.domain.decision import Decision
from zirelia.domain.ledger import LedgerEntry
from zirelia.domain.post import Event, Post, PostState
from zirelia.domain.publication import Publication
from zirelia.domain.reply import Reply, ReplyState
from zirelia.domain.results import Result
from zirelia.domain.shot import Attempt, MediaRef
from zirelia.ports.calls import PaidCall
from zirelia.ports.history import History


class Media(Protocol):
    """Content-addressed files."""

    def put(self, data: bytes, media_type: str) -> MediaRef:
        """Stores once; the same bytes give the same ref. Raises MediaError when they are not that kind of picture."""
        ...

    def read(self, ref: MediaRef) -> bytes: ...

    def path(self, ref: MediaRef) -> Path: ...


@dataclass(frozen=True)
class PlannedSlot:
    """A slot that waits for its time; work on it begins at `opens`."""

    id: str
    persona: str
    due: datetime
    opens: datetime


@dataclass(frozen=True)
class Measurable:
    """A publication that is out. measured: the ages, in hours, at which it was looked at."""

    persona: str
    publication: Publication
    measured: frozenset[int]


class Store(History, Protocol):
    """The tables. Each method is one transaction; writes of a post check its version and raise Conflict."""

    def add_post(self, post: Post, event: Event) -> Post:
        """Stores a new post (id 0) and its slot; the answer carries the id. Raises Conflict when the slot is taken."""
        ...

    def get_post(self, post_id: int) -> Post:
        """Raises NotFound."""
        ...

    def save_post(
        self,
        post: Post,
        *,
        expected_version: int,
        events: Sequence[Event] = (),
        decision: Decision | None = None,
        publication: Publication | None = None,
        slot: str | None = None,
    ) -> None:
        """Writes post, events, decision and publication together, and the job that the new state asks for. `slot` is a planned
        one that the post moves to. Raises Conflict when the stored version is not `expected_version` or the slot is planned no
        more, and NotFound.
        """
        ...

    def next_planned(self, persona: str, after: datetime) -> PlannedSlot | None:
        """The persona's first slot later than `after` for which nothing was begun."""
        ...

    def posts(
        self, *, persona: str | None = None, states: frozenset[PostState] | None = None, limit: int = 100
    ) -> tuple[Post, ...]:
        """Newest first."""
        ...

    def remembered(self, persona: str, *, but: int, limit: int) -> tuple[Post, ...]:
        """What is remembered of the persona's other posts, rejected ones left out, newest first: each with its chosen
        attempt alone, without verdicts. `but` is the id of the post at work.
        """
        ...

    def unremembered(self, persona: str, embedder: str, *, limit: int) -> tuple[Post, ...]:
        """Published posts of which no vector of that embedder is kept, newest first, without their attempts."""
        ...

    def remember(self, embedder: str, vectors: Sequence[tuple[int, bytes]], *, at: datetime) -> None:
        """Keeps a vector a post (float32, little-endian, length 1), in place of another embedder's; one that is kept already
        stays. Raises StoreError for a post that is not published, and NotFound; then nothing is kept.
        """
        ...

    def memories(self, persona: str, embedder: str, *, limit: int) -> tuple[tuple[int, bytes], ...]:
        """Post ids and vectors that this embedder made, newest first."""
        ...

    def recalled(self, ids: Sequence[int]) -> tuple[Post, ...]:
        """The posts of those ids, in their order, without their attempts; an unknown id is left out."""
        ...

    def story(self, persona: str, *, but: int) -> tuple[Post, ...]:
        """All posts that tell a part of a story, rejected ones left out, oldest first, without their attempts."""
        ...

    def add_reply(self, reply: Reply) -> Reply | None:
        """Stores the answer to a mention (id 0); None when that mention has one already."""
        ...

    def reply(self, reply_id: int) -> Reply: ...

    def replies(
        self, *, persona: str | None = None, states: frozenset[ReplyState] | None = None, limit: int = 100
    ) -> tuple[Reply, ...]:
        """Newest first."""
        ...

    def save_reply(self, reply: Reply, *, expected_version: int) -> None:
        """Raises Conflict when somebody else changed it meanwhile."""
        ...

    def inbox_cursor(self, persona: str, channel: str) -> str | None: ...

    def keep_inbox_cursor(self, persona: str, channel: str, cursor: str) -> None: ...

    def post_sent_as(self, channel: str, platform_id: str) -> int | None:
        """The post whose publication on that channel has that id of the platform."""
        ...

    def to_measure(self, since: datetime) -> tuple[Measurable, ...]:
        """All that went out since then, on any channel."""
        ...

    def add_result(self, result: Result) -> None:
        """Keeps a look; a second one at the same age changes nothing."""
        ...

    def results(self, persona: str, since: datetime) -> tuple[Result, ...]:
        """Looks at her publications since then, oldest first."""
        ...

    def decided(self, persona: str, since: datetime) -> tuple[tuple[Post, tuple[Decision, ...]], ...]:
        """Her posts with a brief since then, oldest first, without their attempts, each with what people decided."""
        ...

    def add_attempt(self, post_id: int, attempt: Attempt) -> None:
        """Appends an attempt with its findings; the same number twice is a Conflict."""
        ...

    def events(self, post_id: int) -> tuple[Event, ...]: ...

    def decisions(self, post_id: int) -> tuple[Decision, ...]: ...

    def taken_slots(self, persona: str) -> frozenset[str]: ...

    def publication(self, publication_id: str) -> Publication | None: ...

    def publications(self, post_id: int) -> tuple[Publication, ...]: ...

    def save_publication(self, publication: Publication) -> None: ...

    def sent(self, persona: str, channel: str, since: datetime) -> tuple[datetime, ...]:
        """When the persona's account on the channel was sent something, or may have been; oldest first."""
        ...

    def open_call(self, entry: LedgerEntry, caps: Sequence[Cap] = ()) -> PaidCall:
        """Writes the intent row (or finds the unfinished one with the same id) before anything is paid. In the same transaction
        it raises BudgetExceeded when the call would go beyond one of the caps.
        """
        ...

    def close_call(self, entry: LedgerEntry) -> None:
        """Writes the outcome, with the answer if there is one; keeps the external id that `created` stored."""
        ...

    def paid_answer(self, call_id: str) -> str | None:
        """What was answered, for a call that is done."""
        ...

    def spent(self, *, persona: str | None = None, post_id: int | None = None, since: datetime | None = None) -> Spent:
        """What was charged or may have been, as the ledger has it; `since` is inclusive."""
        ...

    def ledger(
        self, *, persona: str | None = None, post_id: int | None = None, since: datetime | None = None
    ) -> tuple[LedgerEntry, ...]: ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Held by one process at a time, released when it dies. Raises Conflict at once when another holds it."""
        ...

    def backup(self, target: Path) -> Iterator[tuple[str, int]]:
        """A consistent copy of database and media into the new or empty folder `target`; yields (name, bytes)."""
        ...
