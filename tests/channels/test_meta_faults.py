"""Whatever a platform does to a publication, it ends as exactly one, or as unknown with a reason; never as two.

Faults × channels through the real publish(): reconcile, then send again only what certainly is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from zirelia.domain.publication import PublicationState
from zirelia.errors import ProviderRefused, RateLimited
from zirelia.testing.graph_server import meta_error

from .conftest import NOW, beside

accounts, presses = beside("meta_accounts"), beside("press")
P = PublicationState
IMPATIENT = 0.3
LATE = 0.9


def _limited(stage):
    if hasattr(stage.server, "page"):
        stage.server.fail(stage.publish, status=403, body=meta_error(4, "Application request limit reached"))
    else:
        reset = stage.server.time() + timedelta(seconds=50)
        told = {"x-rate-limit-reset": str(int(reset.timestamp())), "x-ratelimit-reset": reset.isoformat()}
        stage.server.fail(stage.publish, status=429, headers=told)


def _skewed(minutes, **fault):
    def play(stage):
        stage.server.ahead = timedelta(minutes=minutes)
        stage.server.fail(stage.publish, **fault)

    return play


def _hidden(stage):
    stage.server.hides = 200.0
    stage.server.fail(stage.publish, after=True, silent=True)


def _blind(stage):
    stage.server.fail(stage.publish, after=True, silent=True)
    stage.server.fail(stage.look, status=500, times=7)


def _twice(stage):
    stage.server.fail(stage.publish, silent=True, times=2)
    stage.server.fail(stage.publish, after=True, silent=True)


def _partial(stage):
    if hasattr(stage.server, "loses"):
        stage.server.loses = 100
    else:
        stage.server.fail(stage.before[-1], silent=True, times=9)


def _before(stage):
    for place in stage.before:
        stage.server.fail(place, after=True, silent=True)
        stage.server.fail(place, status=500)


FAULTS: dict[str, Callable[[object], None]] = {
    "none": lambda stage: None,
    "time-out before": lambda stage: stage.server.fail(stage.publish, wait=LATE),
    "time-out after": lambda stage: stage.server.fail(stage.publish, after=True, wait=LATE),
    "cut before": lambda stage: stage.server.fail(stage.publish, silent=True),
    "cut after": lambda stage: stage.server.fail(stage.publish, after=True, silent=True),
    "500 before": lambda stage: stage.server.fail(stage.publish, status=500),
    "500 after": lambda stage: stage.server.fail(stage.publish, status=500, after=True),
    "unreadable after": lambda stage: stage.server.fail(stage.publish, status=200, body=[], after=True),
    "rate limit": _limited,
    "slow clock, cut after": _skewed(-10, after=True, silent=True),
    "fast clock, cut after": _skewed(10, after=True, silent=True),
    "slow clock, cut before": _skewed(-10, silent=True),
    "fast clock, cut before": _skewed(10, silent=True),
    "listed late": _hidden,
    "cannot be read for a while": _blind,
    "cut before, twice, then after": _twice,
    "partial upload": _partial,
    "all calls before it": _before,
}


@pytest.fixture
def press(tmp_path):
    with presses.press_in(tmp_path, NOW) as made:
        yield made


def out_of(stage, caption):
    return [one for one in stage.server.published if caption in one["text"]]


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("name", accounts.NAMES)
def test_a_fault_ends_in_exactly_one_publication(name, fault, press):
    with accounts.staged(name, press.clock) as stage:
        # an older post with the same words, and a newer one with others
        stage.plant("Tea, again.\n\n#tea\n\nVirtual character, made with AI. ", NOW - timedelta(days=3))
        stage.plant("Something else", NOW + timedelta(seconds=1))
        FAULTS[fault](stage)
        post = press.approved(name, "Tea, again.")
        # only where a time-out is meant: a busy machine may be slower than that without one
        publication = press.send(post, lambda: stage.open(timeout=IMPATIENT if "time-out" in fault else 10.0))
        assert publication.state is P.PUBLISHED
        (mine,) = out_of(stage, "Tea, again.")[1:]
        assert publication.receipt.platform_id == mine["id"]
        assert mine["alt_text"] == "A woman with tea"
        assert mine.get("ai") is {"instagram": True, "threads": False, "x": True}.get(name)
        if "after" in fault and name in {"instagram", "threads"}:
            assert stage.server.containers == 1


@pytest.mark.parametrize("name", accounts.NAMES)
@pytest.mark.parametrize("subcode", [463, 460])
def test_a_token_that_is_not_taken_publishes_nothing_and_says_how_to_get_another(name, subcode, press):
    with accounts.staged(name, press.clock) as stage:

        def healed(number):
            if hasattr(stage.server, "page"):
                stage.server.expired = subcode if number < 2 else None

        def opened():
            stale = {"token": lambda: "stale-token"} if not hasattr(stage.server, "page") and len(press.errors) < 2 else {}
            return stage.open(**stale)

        post = press.approved(name, "Tea, again.")
        assert press.send(post, opened, healed=healed).state is P.PUBLISHED
        assert len(press.errors) == 2
        for error in press.errors:
            assert isinstance(error, ProviderRefused)
            assert not error.retryable
            assert "expired or was revoked" in error.message
            assert error.hint == f"zirelia connect {name}"
            assert "stale-token" not in str(error)
            assert stage.server.token not in str(error)
        assert len(out_of(stage, "Tea, again.")) == 1
        assert not any(stage.server.token in words or "stale-token" in words for words in press.watcher.words)


@pytest.mark.parametrize("name", accounts.NAMES)
def test_a_rate_limit_says_when_to_come_again(name, press):
    with accounts.staged(name, press.clock) as stage:
        _limited(stage)
        press.send(press.approved(name, "Tea, again."), stage.open)
        (error,) = press.errors
        assert isinstance(error, RateLimited)
        assert 0 < error.retry_after <= 3600


@pytest.mark.parametrize("name", ["facebook", "x"])
def test_a_refused_duplicate_proves_nothing(name, press):
    """X refuses a text that was posted hours ago, Facebook one that it just saw: a person must look."""
    with accounts.staged(name, press.clock) as stage:
        if name == "x":
            stage.plant("Tea, again.\n\n#tea\n\nVirtual character, made with AI.", NOW - timedelta(hours=2))
        else:
            stage.server.fail("photo", body=meta_error(506, "Duplicate status message"), status=400, times=99)
        publication = press.send(press.approved(name, "Tea, again."), stage.open)
        assert publication.state is P.UNKNOWN
        assert "uplicate" in publication.note
        assert len(out_of(stage, "Tea, again.")) == (name == "x")


@pytest.mark.parametrize("name", sorted(set(accounts.NAMES) - {"mastodon"}))
def test_two_that_fit_are_left_to_a_person(name, press):
    with accounts.staged(name, press.clock) as stage:
        stage.server.fail(stage.publish, after=True, silent=True)
        post = press.approved(name, "Tea, again.")

        def healed(number):
            if number == 1:  # somebody posts the same by hand meanwhile
                stage.plant(stage.server.published[0]["text"], press.clock())

        publication = press.send(post, stage.open, healed=healed)
        assert publication.state is P.UNKNOWN
        assert "2 posts with this text" in publication.note
        assert len(stage.server.published) == 2
