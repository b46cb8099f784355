"""A channel that takes money: counted before it is sent, at most what the budget has, and closed by what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from zirelia.domain.ledger import LedgerState
from zirelia.domain.post import PostState
from zirelia.domain.publication import PublicationState, Receipt
from zirelia.errors import BudgetExceeded, ProviderError, ProviderRefused
from zirelia.ports import BackendFacts, Capabilities, Uncertain
from zirelia.workflow.accounts import spent
from zirelia.workflow.kit import Budget
from zirelia.workflow.produce import produce
from zirelia.workflow.publish import publish
from zirelia.workflow.review import approve

L = LedgerState


@dataclass
class Dear:
    """A channel with a price. It does what it is told, and looks at the ledger when it is called."""

    desk: object
    name: str = "x"
    settles_after: float = 0.0
    says: list[object] = field(default_factory=list)
    there: bool = True
    open_rows: list[tuple[str, float]] = field(default_factory=list)

    def facts(self):
        return BackendFacts("x", "v2", local=False, paid=True)

    def capabilities(self):
        return Capabilities(2200, 30, 1000, 8_000_000, ai_label=True)

    def price_usd(self, plan):
        return 0.2 if "https://" in plan.caption else 0.015

    def submit(self, plan, sending):
        self.open_rows += [(row.state, row.estimate_usd) for row in rows(self.desk) if row.state is L.INTENT]
        said = self.says.pop(0) if self.says else None
        if isinstance(said, BaseException):
            raise said
        return said or self.receipt()

    def reconcile(self, plan, sending):
        return self.receipt() if self.there else None

    def receipt(self):
        return Receipt(platform_id="1", url="https://x.com/i/status/1", at=self.desk.clock.at)


def rows(desk):
    return [row for row in desk.store.ledger(persona="mira") if row.role == "publish"]


def states(desk):
    return [(str(row.state), row.cost_usd) for row in rows(desk)]


@pytest.fixture
def x(desk):
    return Dear(desk)


@pytest.fixture
def send(desk, slot, x):
    post = approve(desk.kit(), produce(desk.kit(), desk.subject, slot()).id, by="ana")
    subject = desk.as_persona(channels=["x"])

    def run(**budget):
        return publish(desk.kit(channels={"x": x, "folder": desk.folder}, budget=Budget(**budget)), subject, post.id)

    return run


def test_the_row_stands_before_the_call_and_is_closed_at_its_price(desk, send, x):
    assert send(month_usd=1.0).state is PostState.PUBLISHED
    assert x.open_rows == [(L.INTENT, 0.015)]
    (row,) = rows(desk)
    assert (row.state, row.cost_usd, row.provider, row.model, row.post_id) == (L.DONE, 0.015, "x", "v2", 1)
    assert spent(desk.kit(), "mira") == pytest.approx(0.015)
    send(month_usd=1.0)
    assert len(rows(desk)) == 1


def test_a_budget_that_is_used_up_stops_it_before_anything_is_sent(desk, send, x):
    with pytest.raises(BudgetExceeded, match=r"beyond budget\.month_usd"):
        send(month_usd=0.01)
    assert (x.open_rows, rows(desk)) == ([], [])
    assert desk.store.get_post(1).state is PostState.APPROVED
    assert desk.store.publications(1) == ()
    assert send(month_usd=0.02).state is PostState.PUBLISHED


def test_other_channels_are_sent_all_the_same(desk, send, x):
    subject = desk.as_persona(channels=["x", "folder"])
    kit = desk.kit(channels={"x": x, "folder": desk.folder}, budget=Budget(month_usd=0.01))
    with pytest.raises(BudgetExceeded):
        publish(kit, subject, 1)
    assert [(one.channel, one.state) for one in desk.store.publications(1)] == [("folder", PublicationState.PUBLISHED)]
    assert desk.store.get_post(1).state is PostState.APPROVED
    assert publish(desk.kit(channels={"x": x, "folder": desk.folder}), subject, 1).state is PostState.PUBLISHED


def test_a_refusal_costs_nothing_and_each_try_has_its_row(desk, send, x):
    x.says = [ProviderRefused("no", provider="x"), ProviderError("busy", provider="x", retryable=True)]
    for _ in range(2):
        with pytest.raises(ProviderError):
            send(month_usd=0.02)
    assert states(desk) == [("failed", None)] * 2
    send(month_usd=0.02)
    assert states(desk) == [("failed", None), ("failed", None), ("done", 0.015)]


@pytest.mark.parametrize("there", [True, False])
def test_an_unclear_answer_counts_until_the_platform_was_read(desk, send, x, there):
    x.says, x.there = [Uncertain(because="cut")], there
    assert send().state is PostState.UNKNOWN
    assert states(desk) == [("unknown", None)]
    assert spent(desk.kit(), "mira") == pytest.approx(0.015)
    assert send().state is PostState.PUBLISHED
    assert states(desk) == [("done", 0.015)] if there else [("failed", None), ("done", 0.015)]
    assert spent(desk.kit(), "mira") == pytest.approx(0.015)


@pytest.mark.parametrize("there", [True, False])
def test_a_death_in_the_call_is_settled_by_the_next_run(desk, send, x, there):
    x.says, x.there = [SystemExit(9)], there
    with pytest.raises(SystemExit):
        send()
    assert states(desk) == [("intent", None)]
    send()
    assert states(desk) == [("done", 0.015)] if there else [("failed", None), ("done", 0.015)]


def test_a_death_before_the_row_is_closed_is_settled_too(desk, send, monkeypatch):
    def dies(kit, post, channel, state):
        if state is L.DONE:
            raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr("zirelia.workflow.postage.settle", dies)
        with pytest.raises(SystemExit):
            send()
    assert states(desk) == [("intent", None)]
    assert send().state is PostState.PUBLISHED
    assert states(desk) == [("done", 0.015)]


def test_a_channel_without_a_price_has_no_row(desk, slot):
    post = approve(desk.kit(), produce(desk.kit(), desk.subject, slot()).id, by="ana")
    publish(desk.kit(), desk.subject, post.id)
    assert rows(desk) == []
