"""Results that come back: platforms are asked what became of each post, and what that says of topics, scenes and hours.

    measure_due(kit.store, channels_of, now=kit.now(), watcher=kit.watcher)       # on a schedule
    tastes = learned(kit.store, persona, kit.now())                               # for the planner, and for people

Only what was published is measured, only through the platforms' own interfaces. What a person rejected or edited counts too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from zirelia.domain.decision import DecisionKind
from zirelia.domain.persona import Persona
from zirelia.domain.post import Brief
from zirelia.domain.preference import EDITED, REJECTED, Feature, Outcome, Taste, learn, part_of_day
from zirelia.domain.results import AGES, Counts, Result, due_step, rewards
from zirelia.errors import ZireliaError
from zirelia.ports import Channel, Store, Watcher

LOOK_BACK = timedelta(hours=2 * AGES[-1])
LEARNT_FROM = timedelta(days=365)


def measure_due(store: Store, channels_of: Callable[[str], Mapping[str, Channel]], *, now: datetime, watcher: Watcher) -> int:
    """Asks for what is due now; how many answers were kept. A platform that fails, or a persona whose channels cannot be
    opened, is told of and asked again the next time.
    """
    kept = 0
    for one in store.to_measure(now - LOOK_BACK):
        publication = one.publication
        if publication.receipt is None:
            continue
        step = due_step(publication.receipt.at, one.measured, now)
        if step is None:
            continue
        try:
            channel = channels_of(one.persona).get(publication.channel)
            measured = channel.measure(publication.receipt) if channel is not None else None
        except ZireliaError as error:
            watcher.note(f"{publication.id} was not measured: {error.message}")
            continue
        if measured is None:
            continue
        counts = Counts(
            views=measured.views,
            likes=measured.likes,
            comments=measured.comments,
            shares=measured.shares,
            saves=measured.saves,
        )
        store.add_result(
            Result(
                post_id=publication.post_id,
                channel=publication.channel,
                publication=publication.id,
                hours=step,
                at=now,
                counts=counts,
            )
        )
        kept += 1
    return kept


def outcomes(store: Store, persona: Persona, now: datetime) -> tuple[Outcome, ...]:
    """What came of the persona's posts of a year: of those that were measured, rejected or edited."""
    since = now - LEARNT_FROM
    reward = rewards(store.results(persona.name, since))
    found = []
    for post, decisions in store.decided(persona.name, since):
        if post.brief is None:
            continue
        features = features_of(persona, post.brief, post.due)
        age = max(0.0, (now - post.updated) / timedelta(days=1))
        kinds = {decision.kind for decision in decisions}
        said = [reward[post.id]] if post.id in reward else []
        said += [REJECTED] if DecisionKind.REJECT in kinds else []
        said += [EDITED] if DecisionKind.EDIT in kinds else []
        found += [Outcome(features=features, reward=one, age_days=age) for one in said]
    return tuple(found)


def learned(store: Store, persona: Persona, now: datetime) -> dict[Feature, Taste]:
    """What is believed of each topic, scene and part of the day."""
    return learn(outcomes(store, persona, now))


def features_of(persona: Persona, brief: Brief, due: datetime) -> dict[str, str]:
    """What of a post was chosen, and so can be chosen again."""
    hour = due.astimezone(persona.cadence.zone).hour
    return {"topic": brief.topic, "scene": brief.scene, "hour": part_of_day(hour)}
