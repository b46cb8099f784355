"""What Prometheus is told: counts of the store, money, nodes, and this process's own rhythm.

    metrics = Metrics(node, store, roster, settings)
    metrics.page(metrics.look(), reachable=True)      # text in Prometheus' format

Every process tells the same of the store: of several, take the maximum. Labels have few values: states, roles, channels, and of
the personas that the daemon runs `MOST_PERSONAS` at most. Knows no HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from zirelia import __version__
from zirelia.domain.budget import Period, Spent, Unit, beginning
from zirelia.domain.post import PostState
from zirelia.engine.nodes import ROLES, Node
from zirelia.engine.pause import Pauses
from zirelia.engine.roster import Roster
from zirelia.errors import ZireliaError
from zirelia.settings import Settings
from zirelia.store.figures import Figures
from zirelia.store.nodes import NodeFacts
from zirelia.store.sql import SqlStore
from zirelia.workflow.kit import Budget

MOST_PERSONAS = 100
_PERIODS = (Period.DAY, Period.MONTH)


@dataclass(frozen=True)
class Money:
    """What one persona has spent in the present period, and may spend yet; None where there is no limit."""

    persona: str
    period: Period
    spent: Spent
    left_usd: float | None
    left_images: float | None


@dataclass(frozen=True)
class Look:
    """One look at the store. stuck: posts without progress."""

    figures: Figures
    nodes: Sequence[NodeFacts]
    stuck: int
    paused: bool
    money: Sequence[Money]


class Metrics:
    """now: the time, in UTC."""

    def __init__(
        self,
        node: Node,
        store: SqlStore,
        roster: Roster,
        settings: Settings,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._node = node
        self._store = store
        self._roster = roster
        self._settings = settings
        self._now = now

    def look(self) -> Look:
        """Raises StoreError."""
        now = self._now()
        return Look(
            figures=self._store.figures(now),
            nodes=self._store.nodes(),
            stuck=len(self._store.stuck(now, self._settings.engine.stuck_minutes)),
            paused=Pauses(self._settings).reason() is not None,
            money=[self._money(name, period, now) for name in self._roster.names()[:MOST_PERSONAS] for period in _PERIODS],
        )

    def page(self, look: Look | None, *, reachable: bool) -> bytes:
        """The text. look: None leaves what the store would say out. reachable: whether the database answers now."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Told([*self._own(reachable), *(_of(look) if look is not None else ())]))
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def _own(self, reachable: bool) -> Iterator[Metric]:
        yield InfoMetricFamily("zirelia_build", "This process's Zirelia.", value={"version": __version__})
        yield _gauge("zirelia_database_up", "1 when the database answers.", int(reachable))
        yield _gauge("zirelia_heartbeat_age_seconds", "Since this process's last heartbeat.", self._heartbeat_age())
        rounds = GaugeMetricFamily(
            "zirelia_round_last_success_timestamp_seconds",
            "When this process last did what it does again and again; `tick` is the clock.",
            labels=["round"],
        )
        for name, at in sorted(self._node.rounds.items()):
            rounds.add_metric([name.replace(" ", "_")], at)
        yield rounds

    def _heartbeat_age(self) -> float:
        return time.monotonic() - self._node.beaten

    def _money(self, name: str, period: Period, now: datetime) -> Money:
        spent = self._store.spent(persona=name, since=beginning(period, now, self._zone(name)))
        caps = {cap.unit: cap for cap in Budget(**self._settings.budget.model_dump()).caps(now) if cap.period is period}
        left = {unit: max(0.0, cap.limit - spent.of(unit)) for unit, cap in caps.items()}
        return Money(name, period, spent, left.get(Unit.USD), left.get(Unit.IMAGES))

    def _zone(self, name: str) -> tzinfo:
        try:
            return self._roster.persona(name).cadence.zone
        except ZireliaError:  # a pack that is being edited
            return UTC


class _Told(Collector):
    def __init__(self, told: Sequence[Metric]) -> None:
        self._told = told

    def collect(self) -> Sequence[Metric]:
        return self._told


def _of(look: Look) -> Iterator[Metric]:
    figures = look.figures
    yield _gauge("zirelia_paused", "1 when everything is paused.", int(look.paused))
    yield _by("zirelia_posts", "Posts by state.", ["state"], {(one.value,): figures.posts.get(one, 0) for one in PostState})
    jobs = {("waiting",): figures.jobs_waiting, ("due",): figures.jobs_due, ("dead",): figures.jobs_dead}
    yield _by("zirelia_jobs", "What is owed to posts: waiting for its time, due, or dead: a person must look.", ["state"], jobs)
    yield _gauge("zirelia_overdue_seconds", "How long the oldest due job or slot has waited to be begun.", figures.overdue_s)
    yield _gauge("zirelia_posts_stuck", "Posts without progress, 50 at most.", look.stuck)
    yield _gauge("zirelia_slots_planned", "Slots that are drawn and not begun.", figures.slots_planned)
    alive = [node for node in look.nodes if node.alive]
    yield _by(
        "zirelia_nodes", "Living nodes by role.", ["role"], {(role,): sum(role in one.roles for one in alive) for role in ROLES}
    )
    yield _gauge("zirelia_nodes_silent", "Nodes that ended without a word.", len(look.nodes) - len(alive))
    yield _by("zirelia_publications", "Publications by channel and state.", ["channel", "state"], figures.publications)
    yield from _money_told(look.money)


def _money_told(money: Sequence[Money]) -> Iterator[Metric]:
    when = ["persona", "period"]
    spent = {(one.persona, one.period.value): one.spent for one in money}
    yield _by(
        "zirelia_spent_usd",
        "US dollars spent, or maybe spent, in the present day and month of the persona's calendar.",
        when,
        {key: one.usd for key, one in spent.items()},
    )
    yield _by("zirelia_spent_pictures", "Pictures made in it.", when, {key: float(one.images) for key, one in spent.items()})
    yield _by(
        "zirelia_budget_left_usd",
        "US dollars left of the budget.",
        when,
        {(one.persona, one.period.value): one.left_usd for one in money if one.left_usd is not None},
    )
    yield _by(
        "zirelia_budget_left_pictures",
        "Pictures left of the budget.",
        when,
        {(one.persona, one.period.value): one.left_images for one in money if one.left_images is not None},
    )


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


def _by(name: str, help_text: str, labels: list[str], values: Any) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric([str(part) for part in key], value)
    return family
