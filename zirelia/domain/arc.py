"""A story told over several posts: its beats in order, and which one comes next.

    part = next_beat(persona.arcs, posts, day, zone)     # None: no story goes on that day
    part.beat.tells                                      # "The first tram of the night line is empty, and she draws it."

A beat is told by one post. Only when that post is out does the story go on; a beat whose post was rejected comes again. So no
beat is told twice or out of order, whatever people decide meanwhile. Knows neither prompts nor the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

from pydantic import Field, ValidationInfo, field_validator

from zirelia.domain.cadence_parts import LocalDay
from zirelia.domain.post import Brief, Post, PostState
from zirelia.domain.value import Slug, Text, Value

Place = tuple[str | int, ...]


class Beat(Value):
    """One part of a story. tells: a sentence; topic, activity and scene: where these are not left to the day."""

    tells: Text
    topic: Text | None = None
    activity: Text | None = None
    scene: Text | None = None


class Arc(Value):
    """A story. Its first beat may be told from `starts` on, and once the arc named by `after` has ended; no beat after `ends`.

    every: days at least from one beat's post to the next one's.
    """

    name: Slug
    starts: LocalDay | None = None
    ends: LocalDay | None = None
    after: Slug | None = None
    every: int = Field(default=3, ge=1, le=365)
    beats: tuple[Beat, ...] = Field(min_length=1, max_length=100)

    @field_validator("ends")
    @classmethod
    def _later(cls, ends: date | None, info: ValidationInfo) -> date | None:
        starts = info.data.get("starts")
        if ends is not None and starts is not None and ends < starts:
            raise ValueError(f"{ends} is before the start, {starts}")
        return ends


@dataclass(frozen=True)
class Part:
    """A beat in its story. number: from 1."""

    arc: Arc
    number: int

    @property
    def beat(self) -> Beat:
        return self.arc.beats[self.number - 1]

    def so_far(self) -> tuple[str, ...]:
        """What the beats before it told."""
        return tuple(beat.tells for beat in self.arc.beats[: self.number - 1])


def next_beat(arcs: Sequence[Arc], posts: Sequence[Post], day: date, zone: tzinfo) -> Part | None:
    """The beat that a post of that local day tells: of the first arc of which one is due.

    posts: the persona's other posts, at least all of those that tell a beat.
    """
    return next((Part(arc, number) for arc in arcs if (number := _due(arc, arcs, posts, day, zone)) is not None), None)


def told_by(arcs: Sequence[Arc], brief: Brief) -> Part | None:
    """The part that a brief is to tell; None for a brief of its own, or when the pack does not have that beat any more."""
    arc = next((one for one in arcs if one.name == brief.arc), None)
    if arc is None or brief.beat is None or brief.beat > len(arc.beats):
        return None
    return Part(arc, brief.beat)


def complaints(arcs: Sequence[Arc]) -> list[tuple[Place, str]]:
    """What is wrong between arcs, each with its place in the list: two of one name, one that waits for none or for itself."""
    found: list[tuple[Place, str]] = []
    waits = {arc.name: arc.after for arc in arcs}
    for index, arc in enumerate(arcs):
        if arc.name in {other.name for other in arcs[:index]}:
            found.append(((index, "name"), f"there are two arcs '{arc.name}'"))
        if arc.after is None:
            continue
        if arc.after not in waits:
            found.append(((index, "after"), f"'{arc.after}' is no arc of this pack"))
        elif _comes_back(arc.name, waits):
            found.append(((index, "after"), f"'{arc.name}' would wait for itself"))
    return found


def _due(arc: Arc, arcs: Sequence[Arc], posts: Sequence[Post], day: date, zone: tzinfo) -> int | None:
    """The number of the arc's beat for that day."""
    told = _told(arc, posts)
    number = max((brief.beat or 0 for _, brief in told), default=0) + 1
    # one that a person may still reject would have to be told again, behind the one that follows it
    if number > len(arc.beats) or any(post.state is not PostState.PUBLISHED for post, _ in told):
        return None
    if (arc.starts and day < arc.starts) or (arc.ends and day > arc.ends):
        return None
    if arc.after is not None and not any(one.name == arc.after and _over(one, posts, day) for one in arcs):
        return None
    last = max((post.due.astimezone(zone).date() for post, _ in told), default=None)
    return number if last is None or day >= last + timedelta(days=arc.every) else None


def _over(arc: Arc, posts: Sequence[Post], day: date) -> bool:
    """Whether the arc has been told to its end, or has passed it."""
    out = {brief.beat for post, brief in _told(arc, posts) if post.state is PostState.PUBLISHED}
    return len(arc.beats) in out or (arc.ends is not None and day > arc.ends)


def _told(arc: Arc, posts: Sequence[Post]) -> list[tuple[Post, Brief]]:
    briefs = ((post, post.brief) for post in posts if post.state is not PostState.REJECTED)
    return [(post, brief) for post, brief in briefs if brief is not None and brief.arc == arc.name and brief.beat is not None]


def _comes_back(name: str, waits: dict[str, str | None]) -> bool:
    """Whether following `after` from the arc leads to it again."""
    seen: set[str] = set()
    at = waits[name]
    while at is not None and at not in seen:
        if at == name:
            return True
        seen.add(at)
        at = waits.get(at)
    return False
