"""What to post next: a few fitting options drawn from routine, interests, calendar and memory; the planner picks one.

    post = plan(kit, subject, post)       # the post with its brief, stored

The options are made here, so that even a tiny model cannot plan outside the persona's life; the model chooses and says what
is particular today. Recent topics, scenes and activities are avoided by how recently they appeared.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from zirelia.definitions.answers import choice_answer, plan_answer
from zirelia.domain.cadence import occasion_on
from zirelia.domain.persona import Persona, Routine
from zirelia.domain.post import Brief, Post
from zirelia.domain.shot import ShotVocabulary
from zirelia.errors import ConfigurationError
from zirelia.ports import ChatRequest
from zirelia.workflow.accounts import ask
from zirelia.workflow.kit import Kit, Subject

OPTIONS = 4
REMEMBERED = 12
"""Recent posts that the planner sees, as topics and places, never as whole texts."""

_DAYLIGHT = ((5, 7, "golden hour"), (7, 17, "daylight"), (17, 20, "golden hour"))


@dataclass(frozen=True)
class Option:
    """One thing she could post about."""

    topic: str
    activity: str
    scene: str
    light: str

    def line(self) -> str:
        return f"{self.activity}, scene: {self.scene}, topic: {self.topic}"


def plan(kit: Kit, subject: Subject, post: Post) -> Post:
    """Chooses the brief and stores it. Raises ConfigurationError when the routine offers nothing that can be drawn."""
    persona = subject.persona
    moment = post.due.astimezone(persona.cadence.zone)
    occasion = occasion_on(persona.cadence, moment.date())
    recent = recent_briefs(kit, post)
    options = options_for(persona, moment, post.slot_id, recent, kit.images.vocabulary())
    kit.watcher.step("plan", f"{moment:%A %d %B, %H:%M} in {persona.cadence.timezone}")
    agent = kit.agents["planner"]
    system, user = agent.render(
        {
            "name": persona.display_name,
            "bio": persona.bio,
            "moment": f"{moment:%A %d %B %Y, %H:%M}",
            "occasion": occasion,
            "recent": [f"{brief.topic}, at the {brief.scene}" for brief in recent] or None,
            "options": [option.line() for option in options],
        }
    )
    request = ChatRequest(system=system, user=user, temperature=agent.temperature, max_tokens=agent.max_tokens, seed=post.id)
    if kit.short_voice:
        chosen = options[ask(kit, post, "planner", request, choice_answer(len(options))).value.choice - 1]
        angle = f"{persona.display_name} {chosen.activity}"
    else:
        answer = ask(kit, post, "planner", request, plan_answer(len(options)))
        chosen, angle = options[answer.value.choice - 1], answer.value.angle
    brief = Brief(
        topic=chosen.topic,
        angle=angle,
        activity=chosen.activity,
        scene=chosen.scene,
        light=chosen.light,
        occasion=occasion,
        avoid=tuple(dict.fromkeys(other.topic for other in recent)),
    )
    briefed = post.model_copy(update={"brief": brief, "updated": kit.now(), "version": post.version + 1})
    kit.store.save_post(briefed, expected_version=post.version)
    kit.watcher.done(f"{brief.topic}, {brief.activity} ({brief.scene}, {brief.light})")
    return briefed


def recent_briefs(kit: Kit, post: Post) -> tuple[Brief, ...]:
    """Briefs of the persona's latest other posts that were not rejected, newest first."""
    posts = kit.store.remembered(post.persona, but=post.id, limit=REMEMBERED)
    return tuple(other.brief for other in posts if other.brief is not None)


def options_for(
    persona: Persona,
    moment: datetime,
    seed: str,
    recent: Sequence[Brief],
    vocabulary: ShotVocabulary | None = None,
) -> tuple[Option, ...]:
    """Up to four different options for the local `moment`; the same for the same seed and memory."""
    draw = random.Random(seed)  # noqa: S311 - a reproducible choice of topics, not a secret
    entries = _active(persona.routine, moment.hour)
    scenes = {entry.name: [s for s in entry.scenes if vocabulary is None or s in vocabulary.scenes] for entry in entries}
    candidates = [
        Option(topic=interest.topic, activity=activity, scene=scene, light=_light(entry, moment, vocabulary))
        for entry in entries
        for scene in scenes[entry.name]
        for activity in entry.activities
        for interest in persona.interests
    ]
    if not candidates:
        raise ConfigurationError(
            f"{persona.name}'s routine at {moment:%H:%M} has no scene that the image model can draw",
            hint="scenes it can draw: " + ", ".join(vocabulary.scenes if vocabulary else ()),
        )
    weights = {interest.topic: interest.weight for interest in persona.interests}
    # a weighted shuffle (Efraimidis and Spirakis 2006): larger keys come first
    keys = {o: draw.random() ** (1.0 / (weights[o.topic] * _freshness(o, recent))) for o in candidates}
    options: list[Option] = []
    for option in sorted(candidates, key=lambda o: -keys[o]):
        if all((option.scene, option.topic) != (o.scene, o.topic) and option.activity != o.activity for o in options):
            options.append(option)
        if len(options) == OPTIONS:
            break
    return tuple(options)


def _freshness(option: Option, recent: Sequence[Brief]) -> float:
    """1 for something new, towards 0 for what was posted just now."""
    fresh = 1.0
    for age, brief in enumerate(recent, start=1):
        penalty = 1.0 - 1.0 / (1.0 + age)
        if brief.scene == option.scene:
            fresh *= penalty
        if brief.topic == option.topic:
            fresh *= penalty
        if brief.activity == option.activity:
            fresh *= penalty
    return max(fresh, 1e-3)


def _active(routine: Sequence[Routine], hour: int) -> tuple[Routine, ...]:
    """The entries of that hour; the nearest one when there is a gap."""
    active = tuple(entry for entry in routine if entry.start_hour <= hour < entry.end_hour)
    if active:
        return active
    return (min(routine, key=lambda e: min(abs(hour - e.start_hour), abs(hour - e.end_hour + 1))),)


def _light(entry: Routine, moment: datetime, vocabulary: ShotVocabulary | None) -> str:
    light = entry.light or next((name for start, end, name in _DAYLIGHT if start <= moment.hour < end), "night")
    return light if vocabulary is None or light in vocabulary.lights else vocabulary.lights[0]
