"""The clock: every slot once, whatever the time does and however many clocks there are."""

from __future__ import annotations

import collections
import threading
from datetime import UTC, datetime, timedelta

import pytest

from zirelia.domain.cadence import slots_between
from zirelia.domain.post import PostState, move
from zirelia.engine.clock import GPU, LEASE, SEND, WORK, cadence_sha256
from zirelia.engine.durable import Durable
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

ZONES = ("Europe/Lisbon", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "America/Sao_Paulo")
HOUR = timedelta(hours=1)


def test_a_slot_opens_at_its_lead_time_and_once(bench):
    clock = bench.clock()
    assert clock.plan() > 0
    assert clock.plan() == 0
    first = bench.store.next_planned("mira", bench.time.at)
    bench.time.at = first.opens - timedelta(seconds=1)
    clock.tick()
    opened = {post.slot_id for post in bench.store.posts()}
    assert first.id not in opened
    bench.time.at = first.opens
    clock.tick()
    clock.tick()
    posts = [post for post in bench.store.posts() if post.slot_id == first.id]
    assert [(post.state, post.due) for post in posts] == [(PostState.BRIEFED, first.due)]
    assert [one for one in bench.engine.started if one[2] == posts[0].id] == [
        ("write", f"{first.id}/write/1", posts[0].id, WORK)
    ]


@pytest.mark.parametrize("change", [datetime(2027, 3, 14, tzinfo=UTC), datetime(2026, 10, 18, tzinfo=UTC)])
def test_a_month_of_five_personas_through_the_clock_changes(bench, pack, change):
    people = {f"p{n}": pack(f"p{n}", zone, min_daily=1, max_daily=3) for n, zone in enumerate(ZONES)}
    bench.people.packs = people
    clock, start = bench.clock(), change - timedelta(days=12)
    bench.time.at, settled = start, set()
    for step in range(31 * 12):
        if step % 6 == 0:
            clock.plan()
        clock.tick()
        begun = {post_id for *_, post_id, _ in bench.engine.started}
        for post_id in begun - settled:  # nobody writes here: each is begun once, and then left alone
            bench.store.wait_until(post_id, start + timedelta(days=100), "begun")
        settled |= begun
        bench.time.at += 2 * HOUR
    end, posts = bench.time.at - 2 * HOUR, bench.store.posts(limit=1000)
    by_slot = collections.Counter(post.slot_id for post in posts)
    assert set(by_slot.values()) == {1}
    for name, persona in people.items():
        drawn = {slot.id for slot in slots_between(persona.cadence, name, start, end + timedelta(hours=12))}
        assert {post.slot_id for post in posts if post.persona == name} == drawn
        days = collections.Counter(slot.split(":")[1] for slot in drawn)
        # the first and the last day are cut by the month's ends
        assert all(1 <= count <= 3 for day, count in sorted(days.items())[1:-1])
        assert len(days) >= 31
    written = [workflow for kind, workflow, _, _ in bench.engine.started if kind == "write"]
    assert len(written) == len(set(written))
    assert {workflow.rpartition("/write")[0] for workflow in written} == set(by_slot)


def test_a_clock_that_is_set_back_opens_nothing_twice(bench):
    clock = bench.clock()
    clock.plan()
    for _ in range(48):
        bench.time.at += HOUR
        clock.tick()
    before = collections.Counter(post.slot_id for post in bench.store.posts())
    bench.time.at -= timedelta(hours=24)
    for _ in range(24):
        clock.plan()
        clock.tick()
        bench.time.at += HOUR
    assert collections.Counter(post.slot_id for post in bench.store.posts()) == before


def test_slots_that_went_by_in_a_long_silence_are_missed_and_not_forgotten(bench):
    clock = bench.clock()
    clock.plan()
    clock.tick()
    slept, bench.time.at = bench.time.at, bench.time.at + timedelta(days=5)
    clock.plan()
    clock.tick()
    states = bench.store.slot_states("mira", slept + timedelta(hours=12), bench.time.at - timedelta(hours=2))
    cadence = bench.people.packs["mira"].cadence
    span = (slept + timedelta(hours=12), bench.time.at - timedelta(hours=2))
    drawn = {slot.id for slot in slots_between(cadence, "mira", *span)}
    assert states == dict.fromkeys(drawn, "missed")


def test_a_changed_cadence_is_drawn_anew_and_what_was_begun_stays(bench, pack):
    clock = bench.clock()
    clock.plan()
    bench.time.at += timedelta(hours=10)
    clock.tick()
    begun = {post.slot_id for post in bench.store.posts()}
    assert begun
    window = {"name": "dawn", "start": "05:00", "end": "05:30"}
    bench.people.packs["mira"] = pack(windows=[window], min_daily=1, max_daily=1)
    clock.plan()
    planned = [slot.id for slot in bench.store.planned(limit=100)]
    assert planned
    assert all(slot.endswith(":dawn") for slot in planned)
    assert {post.slot_id for post in bench.store.posts()} == begun


def test_a_broken_pack_is_told_of_and_loses_nothing(bench):
    clock = bench.clock()
    clock.plan()
    bench.people.broken.add("mira")
    clock.plan()
    slot = bench.store.next_planned("mira", bench.time.at)
    bench.time.at = slot.opens
    clock.tick()
    assert "nonsense" in bench.told[0][1]
    assert slot.id in {one.id for one in bench.store.planned(limit=10)}
    bench.people.broken.clear()
    bench.time.at += LEASE
    clock.tick()
    assert slot.id in {post.slot_id for post in bench.store.posts()}


def test_a_pause_begins_nothing(bench, pack):
    bench.people.packs |= {name: pack(name, min_daily=2, max_daily=2) for name in ("ana", "mira")}
    clock = bench.clock()
    clock.plan()
    bench.time.at += timedelta(hours=24)
    bench.switch.everything = "holiday"
    assert clock.tick() == 0
    bench.switch.everything, bench.switch.some = None, {"mira"}
    assert clock.tick() > 0
    assert {post.persona for post in bench.store.posts()} == {"ana"}
    bench.switch.some = set()
    clock.tick()
    assert {post.persona for post in bench.store.posts()} == {"ana", "mira"}


def test_a_job_whose_workflow_lives_is_not_started_again(bench):
    clock = bench.clock()
    clock.plan()
    bench.time.at += timedelta(hours=12)
    clock.tick()
    started = list(bench.engine.started)
    bench.engine.flying = {workflow for _, workflow, _, _ in started}
    for _ in range(5):
        bench.time.at += LEASE
        clock.tick()
    assert [one for one in bench.engine.started if one[2] == started[0][2]] == started[:1]
    bench.engine.flying = set()  # its process died, and nobody took it over
    bench.time.at += LEASE
    clock.tick()
    assert started[0][1].replace("/write/1", "/write/2") in {workflow for _, workflow, _, _ in bench.engine.started}


def test_what_fails_too_often_waits_for_a_person(bench):
    clock = bench.clock(tries=3)
    clock.plan()
    bench.time.at += timedelta(hours=12)
    clock.tick()
    post = bench.store.posts()[-1]
    for _ in range(6):
        bench.store.put_off(post.id, now=bench.time.at, because="the model is down")
        bench.time.at += timedelta(hours=4)
        clock.tick()
    assert bench.store.job(post.id).dead
    assert ("dead", f"post {post.id} of mira needs a person: the model is down") in bench.told
    assert bench.store.get_post(post.id).state is PostState.BRIEFED


def test_pictures_go_to_the_device_and_publications_wait_behind_no_model(bench):
    clock = bench.clock()
    clock.plan()
    bench.time.at += timedelta(hours=12)
    clock.tick()
    post = bench.store.posts()[-1]
    moved, event = move(post, PostState.DRAFTED, at=bench.time.at, actor="test")
    bench.store.save_post(moved, expected_version=post.version, events=[event])
    clock.tick()
    assert (("shoot", f"{post.slot_id}/shoot/2", post.id, GPU)) in bench.engine.started
    assert SEND not in {queue for *_, queue in bench.engine.started}


@pytest.mark.slow
def test_two_clocks_on_one_postgresql_start_one_workflow_a_slot(bench, tmp_path, postgres_url):
    """1,000 slots, two clocks that tick as fast as they can."""
    from zirelia.domain.cadence import Slot

    media = MediaStore(tmp_path / "media")
    with SqlStore(postgres_url, media) as one, SqlStore(postgres_url, media) as two:
        engine = Durable(one.engine_url, executor="test", queues={}, all_queues={WORK: 1, GPU: 1, SEND: 1}, work={})
        engine.launch()
        try:
            now = bench.time.at
            slots = [
                Slot(persona="mira", day=now.date(), window=f"w{n}", at=now + timedelta(hours=1, seconds=n))
                for n in range(1000)
            ]
            fingerprint = cadence_sha256(bench.people.packs["mira"].cadence, timedelta(hours=12))
            far = now + timedelta(days=30)
            one.plan_slots("mira", slots, until=far, cadence_sha256=fingerprint, lead=timedelta(hours=12), at=now)
            bench.engine = engine
            problems: list[BaseException] = []

            def run(store: SqlStore) -> None:
                clock = bench.clock(store)
                try:
                    for _ in range(4):
                        clock.plan()
                        clock.tick()
                except BaseException as error:
                    problems.append(error)

            threads = [threading.Thread(target=run, args=(store,)) for store in (one, two)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert problems == []
            workflows = [found.workflow_id for found in engine.client.list_workflows(load_input=False)]
            assert sorted(workflows) == sorted(f"{slot.id}/write/1" for slot in slots)
            assert len(one.posts(limit=2000)) == 1000
        finally:
            engine.close()
