"""The store's promises: one transaction each, optimistic versions, unique slots, history that follows the domain's table."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event as listen
from sqlalchemy import text

from zirelia.domain.decision import Decision, DecisionKind
from zirelia.domain.ledger import LedgerState
from zirelia.domain.post import Event, Post, PostState, move
from zirelia.domain.publication import Publication, PublicationState, Receipt
from zirelia.domain.shot import MediaRef
from zirelia.errors import Conflict, IllegalTransition, MediaError, NotFound, StoreError
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
sqlite_only = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def _drafted(post: Post, draft=None) -> tuple[Post, Event]:
    moved, event = move(post, PostState.DRAFTED, at=NOW, actor="drafter")
    return moved.model_copy(update={"draft": draft}), event


def _count(store: SqlStore, table: str) -> int:
    with store._database.reading() as session:
        return session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608


# ---- posts ---------------------------------------------------------------------------------------------------------------


def test_a_post_comes_back_equal(store: SqlStore, stored: Post):
    assert stored.id == 1
    assert store.get_post(1) == stored
    assert store.events(1) == (Event(post_id=1, at=NOW, actor="planner", before=None, after=PostState.BRIEFED),)
    assert store.taken_slots("mira") == {stored.slot_id}
    assert store.taken_slots("luna") == frozenset()


def test_a_slot_is_taken_once(store: SqlStore, stored: Post, new_post, first_event):
    again = new_post()
    with pytest.raises(Conflict, match="already taken"):
        store.add_post(again, first_event(again))
    assert [_count(store, table) for table in ("posts", "events", "slots", "personas")] == [1, 1, 1, 1]


def test_a_slot_goes_to_one_of_many_writers(store: SqlStore, place: str | Path, new_post, first_event):
    outcomes: list[str] = []

    def grab() -> None:
        with SqlStore(place, store.media) as other:
            try:
                outcomes.append(str(other.add_post(new_post(), first_event(new_post())).id))
            except Conflict:
                outcomes.append("conflict")

    threads = [threading.Thread(target=grab) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["1"] + ["conflict"] * 5


def test_the_persona_is_written_once(store: SqlStore, new_post, first_event):
    for slot in ("a", "b"):
        store.add_post(new_post(slot), first_event(new_post(slot)))
    assert _count(store, "personas") == 1


@pytest.mark.parametrize(
    ("change", "event_change"), [({"id": 3}, {}), ({}, {"before": PostState.BRIEFED}), ({}, {"after": PostState.APPROVED})]
)
def test_a_new_post_begins_at_its_beginning(store: SqlStore, new_post, first_event, change, event_change):
    post = new_post()
    with pytest.raises(StoreError):
        store.add_post(post.model_copy(update=change), first_event(post).model_copy(update=event_change))
    assert _count(store, "posts") == 0


def test_everything_of_a_change_is_saved_together(store: SqlStore, stored: Post, draft):
    moved, event = _drafted(stored, draft)
    decision = Decision(kind=DecisionKind.EDIT, by="ana", at=NOW, changes={"caption": ("a", "b")})
    publication = Publication(post_id=1, channel="folder", state=PublicationState.SENDING, at=NOW)
    store.save_post(moved, expected_version=0, events=[event], decision=decision, publication=publication)
    assert store.get_post(1) == moved
    assert store.events(1)[1:] == (event,)
    assert store.decisions(1) == (decision,)
    assert store.publication("pub-1-folder") == publication
    assert store.publications(1) == (publication,)
    assert store.publication("pub-2-folder") is None


def test_two_writers_of_one_version_are_one_too_many(store: SqlStore, stored: Post, draft):
    moved, event = _drafted(stored, draft)
    store.save_post(moved, expected_version=0, events=[event])
    rejected, why = move(stored, PostState.REJECTED, at=NOW, actor="ana")
    decision = Decision(kind=DecisionKind.REJECT, by="ana", at=NOW, because="dull")
    with pytest.raises(Conflict, match="changed meanwhile"):
        store.save_post(rejected, expected_version=0, events=[why], decision=decision)
    assert store.get_post(1) == moved
    assert len(store.events(1)) == 2
    assert store.decisions(1) == ()


def test_a_refused_publication_takes_the_whole_change_back(store: SqlStore, stored: Post):
    receipt = Receipt(platform_id="1", url="file:///1", at=NOW)
    done = Publication(post_id=1, channel="folder", state=PublicationState.PUBLISHED, at=NOW, receipt=receipt)
    store.save_publication(done)
    store.save_publication(done)
    moved, event = _drafted(stored)
    again = done.model_copy(update={"state": PublicationState.SENDING, "receipt": None})
    with pytest.raises(Conflict, match="already published"):
        store.save_post(moved, expected_version=0, events=[event], publication=again)
    with pytest.raises(Conflict):
        store.save_publication(again)
    assert store.get_post(1) == stored
    assert store.publication("pub-1-folder") == done


def test_history_must_follow_the_domain(store: SqlStore, stored: Post):
    moved, event = _drafted(stored)
    jump = event.model_copy(update={"after": PostState.PUBLISHED})
    published = moved.model_copy(update={"state": PostState.PUBLISHED})
    cases = [
        (moved, [], StoreError),
        (published, [jump], IllegalTransition),
        (moved, [event.model_copy(update={"post_id": 2})], StoreError),
        (moved, [event, event], StoreError),
        (moved.model_copy(update={"version": 0}), [event], StoreError),
        (moved.model_copy(update={"slot_id": "other"}), [event], StoreError),
    ]
    for post, events, error in cases:
        with pytest.raises(error):
            store.save_post(post, expected_version=0, events=events)
    assert store.get_post(1) == stored
    assert len(store.events(1)) == 1


def test_a_change_without_a_new_state_may_have_an_event(store: SqlStore, stored: Post):
    edited = stored.model_copy(update={"version": 1, "disclosure": "Made with AI."})
    event = Event(post_id=1, at=NOW, actor="ana", before=PostState.BRIEFED, after=PostState.BRIEFED, because="edited")
    store.save_post(edited, expected_version=0, events=[event])
    assert store.get_post(1) == edited


def test_what_does_not_exist_is_not_found(store: SqlStore, new_post, attempt):
    publication = Publication(post_id=9, channel="folder", state=PublicationState.SENDING, at=NOW)
    ghost = new_post().model_copy(update={"id": 9, "version": 1})
    for action in (
        lambda: store.get_post(9),
        lambda: store.save_post(ghost, expected_version=0),
        lambda: store.add_attempt(9, attempt()),
        lambda: store.save_publication(publication),
    ):
        with pytest.raises(NotFound):
            action()
    assert store.events(9) == store.decisions(9) == store.publications(9) == ()


def test_posts_are_listed_newest_first(store: SqlStore, new_post, first_event):
    for slot, persona in (("a", "mira"), ("b", "luna"), ("c", "mira")):
        store.add_post(new_post(slot, persona), first_event(new_post(slot, persona)))
    moved, event = _drafted(store.get_post(1))
    store.save_post(moved, expected_version=0, events=[event])
    assert [post.id for post in store.posts()] == [3, 2, 1]
    assert [post.id for post in store.posts(persona="mira")] == [3, 1]
    assert [post.id for post in store.posts(states=frozenset({PostState.DRAFTED, PostState.HELD}))] == [1]
    assert [post.id for post in store.posts(persona="luna", states=frozenset({PostState.BRIEFED}))] == [2]
    assert store.posts(states=frozenset()) == ()
    assert [post.id for post in store.posts(limit=2)] == [3, 2]


# ---- attempts ------------------------------------------------------------------------------------------------------------


def test_attempts_come_back_with_their_findings(store: SqlStore, stored: Post, attempt, verdict):
    first, second = attempt(1, verdict(9)), attempt(2)
    store.add_attempt(1, second)
    store.add_attempt(1, first)
    post = store.get_post(1)
    assert post.attempts == (first, second)
    assert post.version == stored.version
    assert store.posts() == (post,)
    with store._database.reading() as session:
        row = session.execute(text("SELECT criterion, outcome, score, cost FROM findings WHERE position = 1")).one()
        assert tuple(row) == ("subjects", "failed", 0.1, 2)
        assert session.execute(text("SELECT cost FROM attempts WHERE number = 1")).scalar_one() == 70_000


def test_an_attempt_is_written_once(store: SqlStore, stored: Post, attempt, verdict):
    store.add_attempt(1, attempt(1))
    with pytest.raises(Conflict, match="already has an attempt 1"):
        store.add_attempt(1, attempt(1, verdict()))
    assert _count(store, "findings") == 0


def test_a_saved_post_adds_attempts_and_verdicts_but_loses_none(store: SqlStore, stored: Post, attempt, verdict):
    moved, event = _drafted(stored)
    store.save_post(moved.model_copy(update={"attempts": (attempt(1),)}), expected_version=0, events=[event])
    judged = store.get_post(1).model_copy(update={"attempts": (attempt(1, verdict()), attempt(2)), "version": 2, "chosen": 1})
    store.save_post(judged, expected_version=1)
    assert store.get_post(1) == judged
    for attempts in ((), (attempt(1, verdict()),), (attempt(1), attempt(2)), (attempt(1, verdict(5)), attempt(2))):
        with pytest.raises(Conflict):
            store.save_post(judged.model_copy(update={"attempts": attempts, "version": 3}), expected_version=2)
    assert store.get_post(1) == judged


def test_an_attempt_needs_its_picture(store: SqlStore, stored: Post, attempt):
    lost = attempt(1).model_copy(update={"image": MediaRef(sha256="a" * 64, media_type="image/png", width=1, height=1)})
    with pytest.raises(MediaError, match="missing"):
        store.add_attempt(1, lost)
    assert store.get_post(1).attempts == ()


# ---- ledger --------------------------------------------------------------------------------------------------------------


def test_a_call_is_remembered_before_it_is_paid(store: SqlStore, place: str | Path, call):
    opened = store.open_call(call())
    assert opened.external_id is None
    opened.created("prediction-7")
    assert opened.external_id == "prediction-7"
    with SqlStore(place, store.media) as later:
        assert later.open_call(call()).external_id == "prediction-7"
    done = call(state=LedgerState.DONE, cost_usd=0.035, seconds=2.5, tokens_in=3, note="fine")
    store.close_call(done)
    store.close_call(done)
    assert store.ledger() == (done.model_copy(update={"external_id": "prediction-7"}),)
    with pytest.raises(Conflict, match="already done"):
        store.open_call(call())
    with pytest.raises(Conflict, match="already done"):
        store.close_call(call(state=LedgerState.FAILED))


def test_a_replaced_external_id_is_not_lost(store: SqlStore, call):
    opened = store.open_call(call())
    opened.created("first")
    opened.created("first")
    opened.created("second")
    store.close_call(call(state=LedgerState.DONE, note="ok"))
    assert (store.ledger()[0].external_id, store.ledger()[0].note) == ("second", "replaces first; ok")


def test_an_unknown_outcome_is_looked_at_again(store: SqlStore, call):
    store.open_call(call()).created("p")
    store.close_call(call(state=LedgerState.UNKNOWN))
    assert store.open_call(call()).external_id == "p"
    assert store.ledger()[0].state is LedgerState.INTENT


def test_a_failed_call_that_cost_nothing_starts_anew(store: SqlStore, call):
    store.open_call(call()).created("p")
    store.close_call(call(state=LedgerState.FAILED))
    assert store.open_call(call(at=NOW + timedelta(minutes=1))).external_id is None
    assert store.ledger()[0].note == "replaces p"
    store.close_call(call(state=LedgerState.FAILED, cost_usd=0.01))
    with pytest.raises(Conflict):
        store.open_call(call())


def test_the_ledger_refuses_nonsense(store: SqlStore, call):
    with pytest.raises(StoreError):
        store.open_call(call(state=LedgerState.DONE))
    with pytest.raises(NotFound):
        store.close_call(call(state=LedgerState.DONE))
    store.open_call(call())
    with pytest.raises(StoreError):
        store.close_call(call())
    with pytest.raises(StoreError, match="no time zone"):
        store.ledger(since=datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_ledger_is_filtered(store: SqlStore, call):
    store.open_call(call("a", at=NOW + timedelta(hours=1)))
    store.open_call(call("b", persona="luna", post_id=None))
    store.open_call(call("c", post_id=2, estimate_usd=0.0000004))
    assert [entry.id for entry in store.ledger()] == ["b", "c", "a"]
    assert [entry.id for entry in store.ledger(persona="mira")] == ["c", "a"]
    assert [entry.id for entry in store.ledger(post_id=1)] == ["a"]
    assert [entry.id for entry in store.ledger(since=NOW + timedelta(hours=1))] == ["a"]
    assert store.ledger(post_id=2)[0].estimate_usd == 0.000001


# ---- what goes wrong -----------------------------------------------------------------------------------------------------


def _with_pragma(store: SqlStore, pragma: str) -> None:
    """Makes the present and all future connections of the store suffer a real limit of SQLite."""
    listen.listen(store._database.engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA {pragma}"))


@sqlite_only
@pytest.mark.parametrize(
    ("pragma", "message"), [("max_page_count=1", "the disk is full"), ("query_only=ON", "cannot be written")]
)
def test_a_full_or_readonly_disk_is_a_store_error(store: SqlStore, stored: Post, draft, pragma, message):
    _with_pragma(store, pragma)
    moved, event = _drafted(stored, draft.model_copy(update={"caption": "long " * 40_000}))
    with pytest.raises(StoreError, match=message):
        store.save_post(moved, expected_version=0, events=[event])
    assert store.get_post(1) == stored


@sqlite_only
def test_a_busy_database_is_a_store_error(store: SqlStore, stored: Post, tmp_path: Path):
    _with_pragma(store, "busy_timeout=1")
    other = sqlite3.connect(tmp_path / "home" / "zirelia.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    moved, event = _drafted(stored)
    with pytest.raises(StoreError, match="busy"):
        store.save_post(moved, expected_version=0, events=[event])
    assert store.get_post(1) == stored
    other.close()


def test_a_stored_value_that_no_longer_fits_is_a_store_error(store: SqlStore, stored: Post):
    with store._database.writing() as session:
        session.execute(text("""UPDATE posts SET brief = '{"topic": 1}'"""))
    with pytest.raises(StoreError, match="Brief cannot be read"):
        store.get_post(1)


@sqlite_only
def test_problems_are_found(store: SqlStore, stored: Post):
    assert store.problems() == ()
    with store._database.raw_sqlite() as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("DELETE FROM slots")
        connection.execute("PRAGMA foreign_keys=ON")
    assert store.problems() == ("table posts, row 1: its slots row is missing",)


@sqlite_only
def test_a_newer_database_can_be_reopened(store: SqlStore, stored: Post, tmp_path: Path):
    store.close()
    assert store.get_post(1) == stored
    with SqlStore(f"sqlite:///{tmp_path}/home/zirelia.db", MediaStore(tmp_path / "home" / "media")) as again:
        assert again.get_post(1) == stored


def test_what_is_remembered(store: SqlStore, stored: Post, new_post, first_event, attempt, verdict, draft):
    store.add_attempt(stored.id, attempt(1, verdict()))
    store.add_attempt(stored.id, attempt(2, verdict(), "red"))
    drafted, event = _drafted(store.get_post(stored.id), draft)
    drafted = drafted.model_copy(update={"chosen": 2})
    store.save_post(drafted, expected_version=stored.version, events=[event])
    other = store.add_post(new_post("b"), first_event(new_post("b")))
    gone = store.add_post(new_post("c"), first_event(new_post("c")))
    rejected, event = move(gone, PostState.REJECTED, at=NOW, actor="ana", because="no")
    store.save_post(rejected, expected_version=gone.version, events=[event])

    first, second = store.remembered("mira", but=gone.id, limit=5)

    assert (first.id, first.attempts) == (other.id, ())
    assert second.draft == draft
    assert second.chosen_attempt == store.get_post(stored.id).attempts[1].model_copy(update={"verdict": None})
    assert [post.id for post in store.remembered("mira", but=stored.id, limit=5)] == [other.id]
    assert store.remembered("luna", but=0, limit=5) == ()
