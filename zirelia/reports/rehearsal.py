"""The page of a rehearsal: the feed as a grid, what was held, the days with their times, what did not repeat, what it costs.

    rehearsal_page(past, picture=lambda media: Image.open(path_of(media)))

It shows what is stored and decides nothing.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from PIL.Image import Image

from zirelia.domain.ledger import PICTURE, LedgerEntry
from zirelia.domain.persona import Persona
from zirelia.domain.post import Post, PostState
from zirelia.domain.publication import Receipt
from zirelia.domain.shot import MediaRef
from zirelia.domain.verdict import Outcome, Verdict
from zirelia.reports.page import data_uri, render
from zirelia.reports.sheet import Figure

SIDE = 480
"""Pixels of a picture's longest side: twice what it is shown at."""


@dataclass(frozen=True)
class Cost:
    """One role's calls. would_usd: what they would have cost with the hosted model named in the facts."""

    role: str
    calls: int
    tokens_in: int
    tokens_out: int
    seconds: float
    charged_usd: float
    would_usd: float


@dataclass(frozen=True)
class Past:
    """What a rehearsal left: everything the page shows.

    receipts: by post. slots: slot id → its state, of those within the days. facts: (name, text) pairs for the foot.
    """

    personas: Sequence[Persona]
    start: datetime
    until: datetime
    posts: Sequence[Post]
    receipts: Mapping[int, Sequence[Receipt]]
    slots: Mapping[str, tuple[datetime, str]]
    costs: Sequence[Cost]
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class _Card:
    source: str
    alt: str
    when: str
    note: str
    tone: str
    caption: str
    tags: str
    disclosure: str
    setting: str
    checks: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class _Feed:
    name: str
    zone: str
    out: Sequence[_Card]
    held: Sequence[_Card]
    ahead: Sequence[_Card]
    days: Sequence[tuple[str, str]]
    variety: Sequence[tuple[str, str]]


def rehearsal_page(past: Past, *, picture: Callable[[MediaRef], Image]) -> str:
    """The page as HTML text. `picture` opens a stored picture."""
    zone = past.personas[0].cadence.zone
    first, last = past.start.astimezone(zone).date(), (past.until - timedelta(seconds=1)).astimezone(zone).date()
    days = (last - first).days + 1
    names = " and ".join(persona.display_name for persona in past.personas)
    return render(
        "rehearsal.html",
        title=f"{_number(days)} {'day' if days == 1 else 'days'} of {names}",
        span=f"{_day(first)} to {_day(last)} {last.year}" if days > 1 else f"{_day(first)} {first.year}",
        figures=_figures(past),
        feeds=[_feed(past, persona, picture) for persona in past.personas],
        costs=[
            (
                cost.role,
                str(cost.calls),
                _tokens(cost),
                f"{cost.seconds:.0f} s",
                _money(cost.charged_usd),
                _money(cost.would_usd),
            )
            for cost in past.costs
        ],
        facts=past.facts,
    )


def _figures(past: Past) -> list[Figure]:
    out = [post for post in past.posts if post.state is PostState.PUBLISHED]
    attempts = [len(post.attempts) for post in past.posts if post.attempts]
    at_once = sum(1 for post in past.posts if post.chosen == 1 and post.state is not PostState.HELD)
    missed = sum(1 for _, state in past.slots.values() if state == "missed")
    late = [_late(past, post) for post in out]
    would = sum(one.would_usd for one in past.costs)
    return [
        Figure("posts out", str(len(out)), f"of {len(past.slots)} slots; {missed} missed"),
        Figure("held for a person", str(_count(past, PostState.HELD)), "the critic was not content"),
        Figure("pictures drawn", str(sum(attempts)), f"{at_once} of {len(attempts)} posts with the first"),
        Figure("later than planned", f"{max(late, default=0):.0f} s", "at most, by the simulated clock"),
        Figure("cost", _money(sum(one.charged_usd for one in past.costs)), f"hosted: {_money(would)}"),
    ]


def _late(past: Past, post: Post) -> float:
    return max((max(0.0, (one.at - post.due).total_seconds()) for one in past.receipts.get(post.id, ())), default=0.0)


def _feed(past: Past, persona: Persona, picture: Callable[[MediaRef], Image]) -> _Feed:
    posts = sorted((post for post in past.posts if post.persona == persona.name), key=lambda post: post.due)
    out = [post for post in posts if post.state is PostState.PUBLISHED]
    held = [post for post in posts if post.state in {PostState.HELD, PostState.UNKNOWN, PostState.REJECTED}]
    ahead = [post for post in posts if post not in out and post not in held]
    return _Feed(
        name=persona.display_name,
        zone=persona.cadence.timezone,
        out=[_card(past, persona, post, picture) for post in out],
        held=[_card(past, persona, post, picture) for post in held],
        ahead=[_card(past, persona, post, picture) for post in ahead],
        days=_days(past, persona, posts),
        variety=_variety(out),
    )


def _card(past: Past, persona: Persona, post: Post, picture: Callable[[MediaRef], Image]) -> _Card:
    zone, attempt, draft = persona.cadence.zone, post.chosen_attempt, post.draft
    sent = min((receipt.at for receipt in past.receipts.get(post.id, ())), default=post.due)
    verdict = attempt.verdict if attempt else None
    return _Card(
        source=data_uri(picture(attempt.image), side=SIDE) if attempt else "",
        alt=draft.alt_text if draft else "",
        when=f"{sent.astimezone(zone):%A, %H:%M}",
        note=post.held_because or _verdict(post, verdict),
        tone="good" if post.state is PostState.PUBLISHED else "bad" if post.held_because else "",
        caption=draft.caption if draft else "",
        tags=" ".join(f"#{tag}" for tag in draft.hashtags) if draft else "",
        disclosure=post.disclosure or "",
        setting=_setting(post),
        checks=_checks(verdict),
    )


def _verdict(post: Post, verdict: Verdict | None) -> str:
    if verdict is None:
        return str(post.state).replace("_", " ")
    which = {1: "first", 2: "second", 3: "third"}.get(post.chosen or 0, f"{post.chosen}th")
    return f"{verdict.explanation.partition(';')[0]}, the {which} picture"


def _setting(post: Post) -> str:
    attempt, brief = post.chosen_attempt, post.brief
    if attempt is None or brief is None:
        return ""
    shot = attempt.shot
    return " · ".join(
        part for part in (brief.topic, shot.scene, shot.outfit, shot.expression, shot.framing, shot.light) if part
    )


def _checks(verdict: Verdict | None) -> list[tuple[str, str, str]]:
    """Per criterion the worst finding: (criterion, outcome, what was seen)."""
    if verdict is None:
        return []
    worst = [Outcome.FAILED, Outcome.NOT_CHECKED, Outcome.PASSED]
    by_criterion = itertools.groupby(sorted(verdict.findings, key=lambda one: one.criterion), key=lambda one: one.criterion)
    told = []
    for criterion, group in by_criterion:
        finding = min(group, key=lambda one: worst.index(one.outcome))
        told.append((str(criterion), str(finding.outcome).replace("_", " "), finding.explanation))
    return told


def _days(past: Past, persona: Persona, posts: Sequence[Post]) -> list[tuple[str, str]]:
    """Every day with its slots in local time, and what became of each."""
    zone, by_slot = persona.cadence.zone, {post.slot_id: post for post in posts}
    told: dict[date, list[str]] = collections.defaultdict(list)
    mine = [(due, slot, state) for slot, (due, state) in past.slots.items() if slot.startswith(f"{persona.name}:")]
    for due, slot, state in sorted(mine):
        post = by_slot.get(slot)
        what = str(post.state).replace("_", " ") if post else state
        told[due.astimezone(zone).date()].append(f"{due.astimezone(zone):%H:%M} {what}")
    first, last = past.start.astimezone(zone).date(), (past.until - timedelta(seconds=1)).astimezone(zone).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [(_day(day), ", ".join(told.get(day, ())) or "no slot") for day in days]


def _variety(posts: Sequence[Post]) -> list[tuple[str, str]]:
    """How often topics, places, clothes and poses came, and how far apart the same ones were."""
    shots = [post.chosen_attempt.shot for post in posts if post.chosen_attempt]
    rows = {
        "topics": [post.brief.topic for post in posts if post.brief],
        "scenes": [shot.scene for shot in shots],
        "outfits": [shot.outfit for shot in shots],
        "light": [shot.light for shot in shots],
    }
    return [(name, _spread(values)) for name, values in rows.items() if values]


def _spread(values: Sequence[str]) -> str:
    counts = collections.Counter(values)
    apart = [later - earlier for value in counts for earlier, later in itertools.pairwise(_places(values, value))]
    said = ", ".join(f"{value} {count}×" if count > 1 else value for value, count in counts.most_common())
    nearest = f"; the same one never closer than {min(apart)} posts apart" if apart and min(apart) > 1 else ""
    return f"{len(counts)} in {len(values)}{nearest}: {said}"


def _places(values: Iterable[str], value: str) -> list[int]:
    return [number for number, one in enumerate(values) if one == value]


def cost_table(rows: Iterable[LedgerEntry], would: Callable[[LedgerEntry], float]) -> list[Cost]:
    """The ledger by role, pictures last. would: what one call would have cost elsewhere, in US dollars."""
    by_role: dict[str, list[LedgerEntry]] = collections.defaultdict(list)
    for row in rows:
        by_role[row.role].append(row)
    return [
        Cost(
            role="pictures" if role == PICTURE else role.replace("_", " "),
            calls=len(group),
            tokens_in=sum(row.tokens_in for row in group),
            tokens_out=sum(row.tokens_out for row in group),
            seconds=sum(row.seconds for row in group),
            charged_usd=sum(row.charged_usd for row in group),
            would_usd=sum(map(would, group)),
        )
        for role, group in sorted(by_role.items(), key=lambda pair: (pair[0] == PICTURE, pair[0]))
    ]


def _tokens(cost: Cost) -> str:
    return f"{cost.tokens_in:,} in, {cost.tokens_out:,} out" if cost.tokens_in else "–"


def _money(usd: float) -> str:
    return f"${usd:.2f}" if usd >= 0.01 or usd == 0 else f"${usd:.4f}"


def _count(past: Past, state: PostState) -> int:
    return sum(post.state is state for post in past.posts)


def _day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B}"


def _number(count: int) -> str:
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
    return words[count] if count < len(words) else str(count)
