"""A rehearsal: the real clock, queues and work of days, with a time that jumps."""

from __future__ import annotations

import collections
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from zirelia.channels.folder import FolderChannel
from zirelia.critic.panel import CriticPanel
from zirelia.definitions.agents import agent_names, load_agent
from zirelia.domain.cadence import slots_between
from zirelia.domain.post import PostState
from zirelia.domain.publication import AccountLimits
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.engine.clock import GPU, SEND, WORK
from zirelia.engine.durable import Durable
from zirelia.engine.rehearsal import Rehearsal, SimulatedTime
from zirelia.engine.work import Worker
from zirelia.errors import ProviderError
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.provenance.sealer import JpegSealer
from zirelia.store.media import MediaStore
from zirelia.studio import SilentWatcher
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow import review
from zirelia.workflow.kit import Kit, Subject

JUDGED = frozenset({Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.SUBJECTS, Criterion.BRIEF})


class Content:
    name = "content"
    criteria = JUDGED

    def examine(self, exhibit):
        return [
            Finding(
                criterion=one, outcome=Outcome.PASSED, instrument=self.name, explanation="looked at", score=0.9, threshold=0.8
            )
            for one in sorted(self.criteria)
        ]


class Faulty(FakeImageMaker):
    """Fails its first calls."""

    def __init__(self, faults, **options):
        super().__init__(**options)
        self.faults = faults

    def make(self, *args, **options):
        if self.faults:
            raise self.faults.pop()
        return super().make(*args, **options)


@pytest.fixture
def days(bench, tmp_path, pack):
    """days(3, start): what a rehearsal with a fake model left; the Rehearsal is given to `watch` after each moment."""
    bench.people.packs["mira"] = pack(min_daily=1, max_daily=3, zone="Europe/Lisbon").model_copy(
        update={"channels": ("folder",), "lora": None}
    )
    runs = iter(range(100))

    def run(count: int, start: datetime, *, at: datetime | None = None, seen=None, decide=True, faults=(), speed=None):
        time = SimulatedTime(at or start)
        bench.time = time
        images = Faulty(list(faults), vocabulary=shot_vocabulary(), size=(96, 96))
        folder = FolderChannel(tmp_path / "outbox", now=time)
        kit = Kit(
            store=bench.store,
            media=MediaStore(tmp_path / "media"),
            chat=ScriptedChat(),
            images=images,
            panel=CriticPanel([Content()], time_limit=30.0),
            channels={"folder": folder},
            sealer=JpegSealer(),
            agents={name: load_agent(name) for name in agent_names()},
            now=time,
            watcher=SilentWatcher(),
        )

        class Roster:
            names, persona, draws_here = bench.people.names, bench.people.persona, bench.people.draws_here

            def desk(self, name, watcher):
                return replace(kit, watcher=watcher), Subject(persona=bench.people.persona(name), lora=None, references=())

        worker = Worker(
            bench.store,
            Roster(),
            limits=AccountLimits(daily=100, gap_minutes=0),
            late=timedelta(hours=2),
            policy="postpone",
            now=time,
            paused=lambda _: None,
            watcher=lambda *_: SilentWatcher(),
            tell=lambda *_, **__: None,
        )
        queues = {WORK: 1, GPU: 1, SEND: 1}
        engine = Durable(
            bench.store.engine_url, executor=f"test-{next(runs)}", queues=queues, all_queues=queues, work=worker.all()
        )
        bench.engine = engine
        engine.launch()

        def approve() -> bool:
            waiting = bench.store.posts(states=frozenset({PostState.AWAITING_REVIEW})) if decide else ()
            for post in waiting:
                review.approve(kit, post.id, by="test")
            return bool(waiting)

        moments: list[datetime] = []
        rehearsal = Rehearsal(
            bench.clock(), engine, bench.store, time, until=start + timedelta(days=count), decide=approve, speed=speed,
            seen=lambda at: (moments.append(at), seen(rehearsal, at) if seen else None),
        )  # fmt: skip
        try:
            rehearsal.run()
        finally:
            engine.close(within=5)
        return moments

    return run


@pytest.fixture(autouse=True)
def _quick_queues(monkeypatch):
    monkeypatch.setattr("zirelia.engine.durable.POLL_SECONDS", 0.05)


def drawn(bench, start, count):
    cadence = bench.people.packs["mira"].cadence
    return {slot.id: slot.at for slot in slots_between(cadence, "mira", start, start + timedelta(days=count))}


def test_days_go_by_in_order_and_every_slot_goes_out_at_its_time(bench, days, now):
    moments = days(3, now)
    assert moments == sorted(moments)
    assert moments[-1] == now + timedelta(days=3)
    slots, posts = drawn(bench, now, 3), {post.slot_id: post for post in bench.store.posts()}
    assert len(slots) >= 3
    for slot, at in slots.items():
        (publication,) = bench.store.publications(posts[slot].id)
        assert posts[slot].state is PostState.PUBLISHED
        assert at <= publication.receipt.at <= at + timedelta(seconds=2)
    # what is due after the last day is made ahead, and stays
    assert {post.state for slot, post in posts.items() if slot not in slots} <= {PostState.APPROVED}


def test_nobody_decides_and_nothing_goes_out(bench, days, now):
    days(3, now, decide=False)
    posts = bench.store.posts()
    assert posts
    assert {post.state for post in posts} == {PostState.AWAITING_REVIEW}
    assert all(post.due > now + timedelta(days=3) for post in posts)
    assert any(
        "nobody decided before its slot" in (event.because or "") for post in posts for event in bench.store.events(post.id)
    )


def test_a_failed_model_is_asked_again_in_the_rehearsed_time(bench, days, now):
    fault = ProviderError("the card is busy", provider="test", retryable=True)
    began = datetime.now().astimezone()
    days(1, now, faults=[fault])
    assert datetime.now().astimezone() - began < timedelta(seconds=40)
    posts = bench.store.posts()
    assert {post.state for post in posts} <= {PostState.PUBLISHED, PostState.APPROVED}
    assert {post.slot_id for post in posts if post.state is PostState.PUBLISHED} == set(drawn(bench, now, 1))


def test_an_interrupted_rehearsal_goes_on_where_it_was(bench, days, now):
    first = days(3, now, seen=lambda rehearsal, at: rehearsal.stop() if at > now + timedelta(days=1) else None)
    assert first[-1] < now + timedelta(days=3)
    days(3, now, at=first[-1])
    posts = bench.store.posts()
    slots = collections.Counter(post.slot_id for post in posts)
    assert set(slots.values()) == {1}
    assert {post.slot_id for post in posts if post.state is PostState.PUBLISHED} == set(drawn(bench, now, 3))


def test_a_speed_holds_the_time_back(bench, days, now):
    began = datetime.now().astimezone()
    days(1, now, speed=86_400 / 4)
    assert datetime.now().astimezone() - began >= timedelta(seconds=4)
