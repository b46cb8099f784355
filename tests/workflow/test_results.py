"""Results that come back: measured at their ages, whatever fails; what people said counts too."""

from __future__ import annotations

from datetime import timedelta

import pytest

from zirelia.domain.preference import UNKNOWN
from zirelia.domain.publication import Receipt
from zirelia.errors import ConfigurationError, ProviderError
from zirelia.ports import Measured
from zirelia.workflow.plan import Option, _liking
from zirelia.workflow.produce import produce
from zirelia.workflow.publish import publish
from zirelia.workflow.results import learned, measure_due, outcomes
from zirelia.workflow.review import approve, reject

HOUR = timedelta(hours=1)


class Counting:
    """The folder with somebody who looks into it."""

    def __init__(self, inner, likes):
        self.inner, self.likes, self.asked = inner, likes, []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def measure(self, receipt: Receipt):
        self.asked.append(receipt.platform_id)
        said = self.likes(len(self.asked))
        if isinstance(said, Exception):
            raise said
        return None if said is None else Measured(at=receipt.at, likes=said)


@pytest.fixture
def out(desk, slot):
    """out(): one more published post."""

    def make(number=0):
        post = produce(desk.kit(), desk.subject, slot(number) if number else slot())
        return publish(desk.kit(), desk.subject, approve(desk.kit(), post.id, by="ana").id)

    return make


def look(desk, channel, after):
    published = desk.store.to_measure(desk.clock.at - timedelta(days=60))[0].publication.receipt.at
    return measure_due(desk.store, lambda _: {"folder": channel}, now=published + after, watcher=desk.kit().watcher)


def test_a_publication_is_looked_at_once_an_age(desk, out):
    out()
    channel = Counting(desk.folder, lambda n: n * 10)
    assert look(desk, channel, 0.5 * HOUR) == 0
    assert look(desk, channel, 1.2 * HOUR) == 1
    assert look(desk, channel, 2 * HOUR) == 0
    assert look(desk, channel, 7 * HOUR) == 1
    found = desk.store.results("mira", desk.clock.at - timedelta(days=60))
    assert [(one.hours, one.counts.likes) for one in found] == [(1, 10), (6, 20)]


@pytest.mark.parametrize("fault", [ProviderError("down", provider="folder", retryable=True), ConfigurationError("no token")])
def test_what_fails_is_asked_again(desk, out, fault):
    out()
    channel = Counting(desk.folder, lambda n: fault if n == 1 else 5)
    assert look(desk, channel, 1.2 * HOUR) == 0
    assert look(desk, channel, 1.4 * HOUR) == 1


def test_a_channel_that_tells_nothing_is_no_result(desk, out):
    out()
    assert look(desk, desk.folder, 2 * HOUR) == 0
    assert desk.store.results("mira", desk.clock.at - timedelta(days=60)) == ()


def test_a_rejection_is_learnt_from(desk, slot):
    post = produce(desk.kit(), desk.subject, slot())
    reject(desk.kit(), post.id, by="ana", because="not again")
    persona = desk.subject.persona
    (outcome,) = outcomes(desk.store, persona, desk.clock.at)
    assert outcome.reward == 0
    assert outcome.features["scene"] == post.brief.scene
    tastes = learned(desk.store, persona, desk.clock.at)
    assert tastes["topic", post.brief.topic].mean < UNKNOWN.mean


def test_an_approved_post_that_nobody_measured_says_nothing(desk, out):
    out()
    assert outcomes(desk.store, desk.subject.persona, desk.clock.at) == ()


def test_the_planner_prefers_what_did_better_only_when_it_may(desk, slot):
    kit, persona = desk.kit(), desk.subject.persona
    post = produce(kit, desk.subject, slot())
    reject(kit, post.id, by="ana", because="not again")
    moment = post.due.astimezone(persona.cadence.zone)
    refused = Option(topic=post.brief.topic, activity="walks", scene=post.brief.scene, light="daylight")
    other = Option(topic="something new", activity="walks", scene="elsewhere", light="daylight")

    def mean(kit, option):
        guesses = [_liking(kit, persona, moment, f"slot-{n}")(option) for n in range(200)]
        return sum(guesses) / len(guesses)

    learning = desk.kit(learn=True)
    assert mean(learning, refused) < mean(learning, other) - 0.2
    assert 0.85 < mean(learning, other) < 1.1
    assert mean(desk.kit(learn=False), refused) == 1.0
