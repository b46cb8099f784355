"""What a failure means for the job of a post: tried again, waited for, or left to a person; the worker itself never raises."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest

from zirelia.domain.job import JobKind
from zirelia.domain.publication import AccountLimits
from zirelia.engine.work import BUSY, PAUSE_LOOK, Worker
from zirelia.errors import (
    BudgetExceeded,
    ConfigurationError,
    Conflict,
    ConsentRequired,
    IllegalTransition,
    NotConnected,
    NotYet,
    ProviderError,
    ProviderRefused,
    RateLimited,
    StoreError,
    TokenRefused,
)
from zirelia.studio import SilentWatcher
from zirelia.workflow.produce import opened

MINUTE = timedelta(minutes=1)


@pytest.fixture
def works(bench, pack, now):
    """works(error): the job of a briefed post after its writing raised that, and what people were told."""

    def run(error, *, paused=None, store=None):
        post = bench.store.add_post(*opened(pack(), "mira:2026-11-21:noon", now + timedelta(hours=3), now=now))
        told = []

        class Roster:
            def names(self):
                return ("mira",)

            def desk(self, name, watcher):
                raise error

        worker = Worker(
            store or bench.store,
            Roster(),
            limits=AccountLimits(daily=3, gap_minutes=30),
            late=timedelta(hours=2),
            policy="postpone",
            now=lambda: now,
            paused=lambda _: paused,
            watcher=lambda *_: SilentWatcher(),
            tell=lambda kind, message, post=None: told.append(kind),
        )
        answer = worker.write(post.id)
        return bench.store.job(post.id), told, answer

    return run


@pytest.mark.parametrize(
    ("error", "after", "tries", "told"),
    [
        (ProviderError("down", provider="x", retryable=True), MINUTE, 1, []),
        (RateLimited("slow", provider="x", retry_after=600), 10 * MINUTE, 1, []),
        (StoreError("locked"), MINUTE, 1, []),
        (BudgetExceeded("no money left"), MINUTE, 1, []),
        (ConfigurationError("line 3: nonsense"), MINUTE, 1, ["configuration"]),
        (RuntimeError("a defect"), MINUTE, 1, []),
        (Conflict("busy"), BUSY, 0, []),
        (NotYet("paused", until=None), PAUSE_LOOK, 0, []),
        (ProviderRefused("no such model", provider="x"), None, 0, ["dead"]),
        (ConsentRequired("whose face is it?"), None, 0, ["dead"]),
        (IllegalTransition("not so"), None, 0, ["dead"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_failure_has_its_consequence(works, now, error, after, tries, told):
    job, heard, answer = works(error)
    assert job.kind is JobKind.WRITE
    assert (job.at - now if job.at else None, job.tries, heard) == (after, tries, told)
    assert answer == {"post": 1, "failed": type(error).__name__}


@pytest.mark.parametrize(
    ("error", "dead", "account"),
    [
        (TokenRefused("was revoked", provider="x"), True, "x"),
        (NotConnected("no account", channel="mastodon"), False, "mastodon"),
        (ProviderRefused("a text it does not take", provider="x"), True, None),
        (ConfigurationError("line 3: nonsense"), False, None),
        (ConsentRequired("whose face is it?"), True, None),
        (RuntimeError("a defect"), False, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_a_job_knows_of_whose_account_it_failed(works, error, dead, account):
    job, _, _ = works(error)
    assert (job.dead, job.account) == (dead, account)


def test_a_pause_is_no_failure(works, now):
    job, heard, _ = works(RuntimeError("never reached"), paused="holiday")
    assert (job.at - now, job.tries, heard) == (PAUSE_LOOK, 0, [])
    assert "holiday" in job.problem


def test_a_store_that_is_away_leaves_the_lease_to_run_out(bench, works, now):
    class Away:
        def __getattr__(self, name):
            def fail(*_, **__):
                raise StoreError("the database does not answer")

            return fail

        lock = staticmethod(lambda name: nullcontext())

    job, heard, answer = works(RuntimeError("x"), store=Away())
    assert answer["failed"] == "StoreError"
    assert (job.at - now, job.tries, heard) == (10 * MINUTE, 0, [])
