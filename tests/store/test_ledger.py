"""The ledger's sums and caps on both databases: what counts, and that two workers do not slip under a cap together."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from zirelia.domain.budget import Cap, Period, Unit
from zirelia.domain.ledger import LOST, LedgerState
from zirelia.errors import BudgetExceeded
from zirelia.store.sql import SqlStore

DONE, FAILED, UNKNOWN, INTENT = LedgerState.DONE, LedgerState.FAILED, LedgerState.UNKNOWN, LedgerState.INTENT


def day_cap(limit: float, since, unit: Unit = Unit.USD) -> Cap:
    return Cap(period=Period.DAY, unit=unit, limit=limit, since=since)


def closed(store: SqlStore, entry, state, cost=None):
    store.open_call(entry)
    if state is not INTENT:
        store.close_call(entry.model_copy(update={"state": state, "cost_usd": cost}))


@pytest.mark.parametrize(
    ("state", "cost", "role", "usd", "images"),
    [
        (INTENT, None, "image", 0.04, 1),
        (UNKNOWN, None, "image", 0.04, 1),
        (DONE, 0.03, "image", 0.03, 1),
        (DONE, 0.0, "image", 0.0, 1),  # a free picture is a picture
        (FAILED, None, "image", 0.0, 0),
        (FAILED, 0.0, "image", 0.0, 0),
        (FAILED, 0.02, "image", 0.02, 1),
        (DONE, 0.03, "vision", 0.03, 0),
        (UNKNOWN, None, "chat", 0.04, 0),
    ],
)
def test_what_counts(store: SqlStore, call, state, cost, role, usd, images):
    closed(store, call(role=role, estimate_usd=0.04), state, cost)
    spent = store.spent(persona="mira")
    assert (spent.usd, spent.images) == (usd, images)
    assert spent.usd == sum(row.charged_usd for row in store.ledger())


def test_sums_are_of_the_persona_the_post_and_the_time_asked_for(store: SqlStore, call):
    for number, (persona, post, hour) in enumerate([("mira", 1, 0), ("mira", 2, 1), ("luna", 3, 1), ("mira", None, 2)]):
        entry = call(f"c{number}", persona=persona, post_id=post, role="image", estimate_usd=10.0**-number)
        closed(store, entry.model_copy(update={"at": entry.at + timedelta(hours=hour)}), INTENT)
    start = call().at
    assert store.spent().usd == 1.111
    assert store.spent(persona="mira").usd == 1.101
    assert store.spent(persona="mira", since=start + timedelta(hours=1)).usd == 0.101
    assert store.spent(post_id=2).usd == 0.1
    assert (store.spent(persona="noor").usd, store.spent(persona="noor").images) == (0, 0)


def test_a_call_beyond_a_cap_writes_nothing(store: SqlStore, call):
    closed(store, call("a", estimate_usd=0.06), DONE, 0.06)
    with pytest.raises(BudgetExceeded, match=r"\$0.06 of \$0.10 today"):
        store.open_call(call("b", estimate_usd=0.05), [day_cap(0.10, call().at)])
    assert [row.id for row in store.ledger()] == ["a"]
    # the same call is allowed where the earlier one is of another day
    store.open_call(
        call("b", at=call().at + timedelta(days=1), estimate_usd=0.05), [day_cap(0.10, call().at + timedelta(days=1))]
    )


def test_a_refused_try_leaves_the_failed_row_as_it_is(store: SqlStore, call):
    closed(store, call(estimate_usd=0.06), FAILED)
    with pytest.raises(BudgetExceeded):
        store.open_call(call(estimate_usd=0.06), [day_cap(0.05, call().at)])
    assert [row.state for row in store.ledger()] == [FAILED]


def test_what_was_ordered_yesterday_is_fetched_today_whatever_today_cost(store: SqlStore, call):
    start = call().at + timedelta(days=1)
    store.open_call(call("old", role="image", estimate_usd=0.05)).created("prediction-7")
    closed(store, call("new", at=start, role="image", estimate_usd=0.05), DONE, 0.05)
    caps = [day_cap(0.05, start), day_cap(1, start, Unit.IMAGES)]
    again = call("old", at=start, role="image", estimate_usd=0.05)
    assert store.open_call(again, caps).external_id == "prediction-7"
    assert store.ledger()[0].at == call().at  # it was charged then
    assert store.spent(since=start).usd == 0.05


def test_what_left_no_trace_is_paid_for_now(store: SqlStore, call):
    start = call().at + timedelta(days=1)
    closed(store, call("old", estimate_usd=0.05), UNKNOWN)
    with pytest.raises(BudgetExceeded):
        store.open_call(call("old", at=start, estimate_usd=0.05), [day_cap(0.04, start)])
    store.open_call(call("old", at=start, estimate_usd=0.05), [day_cap(0.05, start)])
    assert store.spent(since=start).usd == 0.05
    assert store.spent().usd == 0.10  # the lost one counts on its own day


@pytest.mark.parametrize("left", [INTENT, UNKNOWN])
def test_a_call_that_is_made_again_counts_beside_the_lost_ones(store: SqlStore, call, left):
    entry = call(role="image", estimate_usd=0.05)
    for _ in range(2):
        closed(store, entry, left)
    closed(store, entry, DONE, 0.03)
    spent = store.spent()
    assert (spent.usd, spent.images) == (0.13, 3)
    assert spent.usd == sum(row.charged_usd for row in store.ledger())
    assert sorted((row.state, row.lost) for row in store.ledger()) == [(DONE, False), (UNKNOWN, True), (UNKNOWN, True)]


def test_what_a_lost_call_is_known_to_have_cost_stays_known(store: SqlStore, call):
    """Wrong answers were paid for, and then nothing more was heard."""
    closed(store, call(estimate_usd=0.05), UNKNOWN, 0.02)
    store.open_call(call(estimate_usd=0.05))
    assert sorted(row.charged_usd for row in store.ledger()) == [0.02, 0.05]


def test_the_lost_call_counts_against_the_cap_of_the_next(store: SqlStore, call):
    closed(store, call(estimate_usd=0.05), UNKNOWN)
    with pytest.raises(BudgetExceeded):
        store.open_call(call(estimate_usd=0.05), [day_cap(0.09, call().at)])
    assert [(row.id, row.state) for row in store.ledger()] == [(call().id, UNKNOWN)]
    store.open_call(call(estimate_usd=0.05), [day_cap(0.10, call().at)])


def test_a_lost_call_that_cost_nothing_leaves_no_row(store: SqlStore, call):
    closed(store, call(estimate_usd=0.0), INTENT)
    store.open_call(call(estimate_usd=0.0))
    assert len(store.ledger()) == 1


@pytest.mark.parametrize(("later", "usd"), [(timedelta(minutes=10), 0.05), (timedelta(hours=2), 0.10)])
def test_a_provider_that_gives_ids_was_searched_for_what_was_lost(store: SqlStore, call, later, usd):
    """Not for what is so old that it would not be found."""
    entry = call("a%", estimate_usd=0.05)
    closed(store, entry, INTENT)
    closed(store, call(f"ab{LOST}1", estimate_usd=0.01), UNKNOWN)
    again = entry.model_copy(update={"at": entry.at + later})
    opened = store.open_call(again)
    assert store.spent().usd == pytest.approx(0.11)
    opened.created("prediction-7")
    assert store.spent().usd == pytest.approx(usd + 0.01)


@pytest.mark.parametrize("unit", Unit)
def test_two_workers_do_not_slip_under_one_cap(store: SqlStore, place: str | Path, call, unit):
    """Each opens its own calls; the cap allows five of all."""
    cap = day_cap(5 if unit is Unit.IMAGES else 0.05, call().at, unit)
    start, refused = threading.Barrier(2), []

    def work(name: str, own: SqlStore) -> None:
        start.wait()
        for number in range(6):
            try:
                own.open_call(call(f"{name}{number}", role="image", estimate_usd=0.01), [cap])
            except BudgetExceeded:
                refused.append(name)

    with SqlStore(place, store.media) as other:
        workers = [threading.Thread(target=work, args=one) for one in (("a", store), ("b", other))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert (len(store.ledger()), len(refused)) == (5, 7)


# ---- answers -------------------------------------------------------------------------------------------------------------


def test_an_answer_is_kept_with_the_outcome_and_read_alone(store: SqlStore, call):
    said = '{"caption": "Tea. ☕"}'
    store.open_call(call())
    assert store.paid_answer(call().id) is None
    done = call(state=DONE, cost_usd=0.01, answer=said)
    store.close_call(done)
    store.close_call(done.model_copy(update={"answer": None}))
    assert store.paid_answer(call().id) == said
    assert store.paid_answer("another") is None
    (row,) = store.ledger()
    assert row.answer is None
    assert said not in done.model_dump_json() + repr(done)


def test_an_answer_is_stored_as_every_database_takes_it(store: SqlStore, call):
    store.open_call(call())
    store.close_call(call(state=DONE, answer="a\x00b\ud800c"))
    assert store.paid_answer(call().id) == "ab?c"


def test_only_a_call_that_is_done_has_an_answer(store: SqlStore, call):
    store.open_call(call())
    store.close_call(call(state=UNKNOWN, answer="half"))
    assert store.paid_answer(call().id) is None
