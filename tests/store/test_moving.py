"""A move carries everything or nothing, and the server goes on where the file ended."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from zirelia.domain.cadence import Slot
from zirelia.domain.calibration import Calibration
from zirelia.domain.connection import Connection
from zirelia.domain.decision import Decision, DecisionKind
from zirelia.domain.history import PastPost, Snapshot
from zirelia.domain.post import PostState, move
from zirelia.domain.publication import Publication, PublicationState
from zirelia.domain.reply import Mention, Reply
from zirelia.domain.results import Counts, Result
from zirelia.errors import Conflict, NotFound, StoreError
from zirelia.ports import KeptAnswer
from zirelia.store import moving
from zirelia.store.database import Database
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.store.tables import Base

NOW = datetime(2026, 10, 25, 0, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "zirelia.db"


@pytest.fixture
def lived_in(file: Path, media: MediaStore, new_post, first_event, attempt, verdict, draft, call) -> Iterator[SqlStore]:
    """A home with something in every table."""
    with SqlStore(file, media) as store:
        for number in range(3):
            post = store.add_post(new_post(f"slot-{number}"), first_event(new_post(f"slot-{number}")))
            store.add_attempt(post.id, attempt(1, verdict(9)))
            moved, event = move(store.get_post(post.id), PostState.DRAFTED, at=NOW, actor="drafter", because="\u2615 'tis; --")
            store.save_post(
                moved.model_copy(update={"draft": draft}),
                expected_version=post.version,
                events=[event],
                decision=Decision(kind=DecisionKind.EDIT, by="ana", at=NOW, changes={"caption": ("a", "b")}),
                publication=Publication(post_id=post.id, channel="folder", state=PublicationState.SENDING, at=NOW),
            )
            store.open_call(call(f"call-{number}", post_id=post.id, estimate_usd=0.0000015))
        store.keep_answer("k", KeptAnswer("eyes", "one person?", "yes", 0.0015))
        hours = [NOW + timedelta(hours=n) for n in range(moving.BATCH + 7)]
        slots = [Slot(persona="mira", day=at.date(), window=f"w{at.hour}", at=at) for at in hours]
        far = NOW + timedelta(days=90)
        store.plan_slots("mira", slots, until=far, cadence_sha256="c" * 64, lead=timedelta(hours=1), at=NOW)
        store.keep_calibration("c", "mira", Calibration(embedder="dlib 19", threshold=0.9, n=8))
        store.keep_inbox_cursor("mira", "folder", "7")
        mention = Mention(id="m1", channel="folder", persona="mira", author="ana", text="Nice!", at=NOW)
        store.add_reply(Reply(mention=mention, text="Thank you!", updated=NOW))
        store.add_result(
            Result(post_id=1, channel="folder", publication="pub-1-folder", hours=24, at=NOW, counts=Counts(likes=3))
        )
        connection = Connection(persona="mira", channel="x", id="0" * 32, account="7", connected_at=NOW, given_at=NOW)
        store.add_connection(connection, b"z1\x00\xffsealed")
        store.add_past("mira", PastPost(channel="instagram", code="C0ffee", url="https://i.example/p/C0ffee/", at=NOW), at=NOW)
        store.keep_past_vectors("mira", "e", {"C0ffee": b"\x00\xff" * 9})
        store.keep_snapshot(Snapshot(persona="mira", channel="instagram", handle="mira.zr", at=NOW))
        store.register("node-1", name="node", roles=("clock",), host="here", pid=1)
        with store._database.writing() as session:
            session.execute(
                text("INSERT INTO memories VALUES (1, 'mira', '2026-10-25 00:30:00.000000', 'e', :v)"), {"v": b"\x00\xff" * 9}
            )
        yield store


def _everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.reading() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def test_everything_arrives_and_counting_goes_on(lived_in: SqlStore, file: Path, postgres_url: str, new_post, first_event):
    told = dict(moving.move_home(file, postgres_url))
    assert set(told) == set(Base.metadata.tables)
    assert told["slots"] == moving.BATCH + 10
    assert told["findings"] == 27
    assert min(told.values()) == 1
    with SqlStore(postgres_url, lived_in.media) as store:
        assert _everything(store._database) == _everything(lived_in._database)
        assert store.get_post(2) == lived_in.get_post(2)
        assert store.events(2) == lived_in.events(2)
        new = store.add_post(new_post("new"), first_event(new_post("new")))
        assert new.id == 4
        assert len(store.events(4)) == 1


def test_a_move_back_works_too(lived_in: SqlStore, file: Path, postgres_url: str, tmp_path: Path, new_post, first_event):
    list(moving.move_home(file, postgres_url))
    server = Database(postgres_url)
    with SqlStore(tmp_path / "again" / "zirelia.db", lived_in.media) as again:
        list(moving.move(server, again._database))
        assert _everything(again._database) == _everything(lived_in._database)
        assert again.add_post(new_post("new"), first_event(new_post("new"))).id == 4
    server.close()


def test_what_holds_anything_is_no_target(lived_in: SqlStore, file: Path, postgres_url: str, new_post, first_event):
    with SqlStore(postgres_url, lived_in.media) as store:
        store.add_post(new_post(), first_event(new_post()))
        before = _everything(store._database)
        with pytest.raises(Conflict, match=r"not empty: it has .*posts") as caught:
            list(moving.move_home(file, postgres_url))
        assert "empty" in str(caught.value.hint)
        assert _everything(store._database) == before


def test_a_move_that_is_broken_off_leaves_nothing(lived_in: SqlStore, file: Path, postgres_url: str):
    going = moving.move_home(file, postgres_url)
    with contextlib.closing(going):
        assert dict(itertools.islice(going, 9)).keys() < set(Base.metadata.tables)
    with lived_in._database.writing() as session:
        session.execute(text("UPDATE posts SET brief = '{\"topic\": 1}' WHERE id = 2"))
    with pytest.raises(StoreError, match="Brief cannot be read"):
        list(moving.move_home(file, postgres_url))
    target = Database(postgres_url)
    assert not any(_everything(target).values())
    target.close()


def test_nothing_moves_while_a_daemon_runs(lived_in: SqlStore, file: Path, postgres_url: str):
    with lived_in.lock("daemon"), pytest.raises(Conflict, match="'daemon' is in progress"):
        list(moving.move_home(file, postgres_url))
    assert dict(moving.move_home(file, postgres_url))["posts"] == 3


def test_what_is_not_there_or_the_same_is_not_moved(file: Path, postgres_url: str, lived_in: SqlStore, tmp_path: Path):
    with pytest.raises(NotFound, match=r"no database .*nowhere\.db"):
        list(moving.move_home(tmp_path / "nowhere.db", postgres_url))
    with pytest.raises(Conflict, match="to itself"):
        list(moving.move(lived_in._database, lived_in._database))
