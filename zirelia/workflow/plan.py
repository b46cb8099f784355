"""What to post next: a few fitting options drawn from routine, interests, calendar and memory; the planner picks one.

    post = plan(kit, subject, post)       # the post with its brief, stored

The options are made here, so that even a tiny model cannot plan outside the persona's life; the model chooses and says what
is particular today. Scenes take turns; topics and activities are avoided by how recently they appeared, and what is alike to a
published post is less likely. When a story goes on, all options tell its next beat.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import TypeAdapter

from zirelia.definitions.answers import ChoiceAnswer, PlanAnswer, choice_answer, plan_answer
from zirelia.domain.arc import Beat, Part, next_beat
from zirelia.domain.cadence import occasion_on
from zirelia.domain.memory import about, novelty
from zirelia.domain.persona import Persona, Routine
from zirelia.domain.post import Brief, Post
from zirelia.domain.preference import part_of_day, sampled
from zirelia.domain.rotation import rested
from zirelia.domain.shot import ShotVocabulary
from zirelia.errors import ConfigurationError, Conflict
from zirelia.ports import ChatRequest
from zirelia.workflow.accounts import ask
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.memory import LOOKED_BACK, REMEMBERED, recall, recollect
from zirelia.workflow.results import learned

OPTIONS = 4
CONSIDERED = 32
"""Options that are compared with what was published."""

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

    def about(self) -> str:
        return about(self.topic, self.activity, self.scene)


_LISTED: TypeAdapter[tuple[Option, ...]] = TypeAdapter(tuple[Option, ...])


def plan(kit: Kit, subject: Subject, post: Post) -> Post:
    """Chooses the brief and stores it. Raises ConfigurationError when the routine offers nothing that can be drawn."""
    moment = post.due.astimezone(subject.persona.cadence.zone)
    kit.watcher.step("plan", f"{moment:%A %d %B, %H:%M} in {subject.persona.cadence.timezone}")
    # until the brief is stored nobody else may tell the same beat
    with ExitStack() as held:
        brief = _brief(kit, subject.persona, post, moment, _story(kit, subject.persona, post, moment.date(), held))
        briefed = post.model_copy(update={"brief": brief, "updated": kit.now(), "version": post.version + 1})
        kit.store.save_post(briefed, expected_version=post.version)
    kit.watcher.done(f"{brief.topic}, {brief.activity} ({brief.scene}, {brief.light})")
    return briefed


def _story(kit: Kit, persona: Persona, post: Post, day: date, held: ExitStack) -> Part | None:
    """The beat that this post tells, its story locked by `held`; none while another post of hers is planning one."""

    def due() -> Part | None:
        return next_beat(persona.arcs, kit.store.story(persona.name, but=post.id), day, persona.cadence.zone)

    if not persona.arcs or due() is None:
        return None
    try:
        held.enter_context(kit.store.lock(f"story-{persona.name}"))
    except Conflict:
        return None
    return due()


def _brief(kit: Kit, persona: Persona, post: Post, moment: datetime, part: Part | None) -> Brief:
    occasion, vocabulary = occasion_on(persona.cadence, moment.date()), kit.images.vocabulary()
    lately = kit.store.remembered(post.persona, but=post.id, limit=LOOKED_BACK)
    recent = tuple(other.brief for other in lately if other.brief is not None)
    past = recollect(kit, persona)
    beat = _drawable(kit, part.beat, vocabulary) if part else None
    liking = _liking(kit, persona, moment, post.slot_id)
    options = options_for(persona, moment, post.slot_id, recent, vocabulary, likeness=past.likeness, liking=liking, beat=beat)
    avoid = recall(kit, persona, lately[:REMEMBERED], past, [option.about() for option in options])
    agent = kit.agents["planner"]
    system, user = agent.render(
        {
            "name": persona.display_name,
            "bio": persona.bio,
            "moment": f"{moment:%A %d %B %Y, %H:%M}",
            "occasion": occasion,
            "recent": [memory.line() for memory in avoid] or None,
            "story": [*part.so_far(), part.beat.tells] if part else None,
            "options": [option.line() for option in options],
        }
    )
    request = ChatRequest(system=system, user=user, temperature=agent.temperature, max_tokens=agent.max_tokens, seed=post.id)
    listed = _LISTED.dump_json(options).decode()
    if kit.short_voice:
        choice = ask(kit, post, "planner", request, choice_answer(len(options)), beside=listed, kept_as=ChoiceAnswer)
        chosen = _chosen(choice.beside, choice.value.choice, options)
        angle = part.beat.tells if part else f"{persona.display_name} {chosen.activity}"
    else:
        answer = ask(kit, post, "planner", request, plan_answer(len(options)), beside=listed, kept_as=PlanAnswer)
        chosen, angle = _chosen(answer.beside, answer.value.choice, options), answer.value.angle
    if part:
        kit.watcher.note(f"tells part {part.number} of {len(part.arc.beats)} of '{part.arc.name}'")
    return Brief(
        topic=chosen.topic,
        angle=angle,
        activity=chosen.activity,
        scene=chosen.scene,
        light=chosen.light,
        occasion=occasion,
        avoid=tuple(dict.fromkeys(other.topic for other in recent[:REMEMBERED])),
        arc=part.arc.name if part else None,
        beat=part.number if part else None,
    )


def _chosen(listed: str | None, choice: int, options: Sequence[Option]) -> Option:
    """The option of that number (1-based) in the list that was asked about, which is another one than now when a crash came
    between the answer and the brief.
    """
    asked = _LISTED.validate_json(listed) if listed is not None else tuple(options)
    return asked[choice - 1]


def _liking(kit: Kit, persona: Persona, moment: datetime, seed: str) -> Callable[[Option], float]:
    """Guesses of how well an option will do, by what was learnt: 1 on average, 0.2 to 2 (Thompson sampling)."""
    tastes = learned(kit.store, persona, kit.now()) if kit.learn else {}
    if not tastes:
        return lambda _option: 1.0
    hour = part_of_day(moment.hour)

    def guess(option: Option) -> float:
        draw = random.Random(f"{seed}/{option.topic}/{option.scene}")  # noqa: S311 - reproducible, no secret
        return max(0.2, 2 * sampled(tastes, {"topic": option.topic, "scene": option.scene, "hour": hour}, draw))

    return guess


def _drawable(kit: Kit, beat: Beat, vocabulary: ShotVocabulary | None) -> Beat:
    """The beat without a scene that the image model cannot draw: one of the routine's takes its place."""
    if beat.scene is None or vocabulary is None or beat.scene in vocabulary.scenes:
        return beat
    kit.watcher.note(f"the image model cannot draw '{beat.scene}'; the story goes on elsewhere")
    return beat.model_copy(update={"scene": None})


def options_for(
    persona: Persona,
    moment: datetime,
    seed: str,
    recent: Sequence[Brief],
    vocabulary: ShotVocabulary | None = None,
    *,
    likeness: Callable[[Sequence[str]], Sequence[float]] | None = None,
    liking: Callable[[Option], float] = lambda _option: 1.0,
    beat: Beat | None = None,
) -> tuple[Option, ...]:
    """Up to four different options for the local `moment`; the same for the same seed and memory.

    recent: newest first. likeness: of texts to what was published, 0 to 1 each. liking: by how much an option is preferred, 1
    for no more than others. beat: what all options are to tell.
    """
    draw = random.Random(seed)  # noqa: S311 - a reproducible choice of topics, not a secret
    weights = {interest.topic: interest.weight for interest in persona.interests}
    candidates = _candidates(persona, moment, vocabulary, beat)
    if not candidates:
        raise ConfigurationError(
            f"{persona.name}'s routine at {moment:%H:%M} has no scene that the image model can draw",
            hint="scenes it can draw: " + ", ".join(vocabulary.scenes if vocabulary else ()),
        )
    # a weighted shuffle (Efraimidis and Spirakis 2006), by logarithms: larger keys come first
    drawn = {option: math.log(max(draw.random(), sys.float_info.min)) for option in candidates}
    scenes = tuple(dict.fromkeys(option.scene for option in candidates))
    turn = rested(scenes, [brief.scene for brief in recent], at_least=len(scenes) // 2)
    fresh = {o: weights.get(o.topic, 1.0) * _freshness(o, recent) * liking(o) for o in candidates if o.scene in turn}
    ranked = sorted(fresh, key=lambda o: -drawn[o] / fresh[o])
    if likeness is not None:
        ranked = ranked[:CONSIDERED]
        new = dict(zip(ranked, map(novelty, likeness([option.about() for option in ranked])), strict=True))
        ranked.sort(key=lambda o: -drawn[o] / (fresh[o] * new[o]))
    options: list[Option] = []
    for option in ranked:
        # what a beat says is the same in all of them
        new_place = beat is not None or all((option.scene, option.topic) != (o.scene, o.topic) for o in options)
        if new_place and all(option.activity != o.activity for o in options):
            options.append(option)
        if len(options) == OPTIONS:
            break
    return tuple(options)


def _candidates(persona: Persona, moment: datetime, vocabulary: ShotVocabulary | None, beat: Beat | None) -> list[Option]:
    """Everything of the hour that can be drawn, with what the beat says in place of the routine's and the interests'."""
    topic, activity_told, scene_told = (beat.topic, beat.activity, beat.scene) if beat else (None, None, None)
    topics = (topic,) if topic else tuple(interest.topic for interest in persona.interests)
    return [
        Option(topic=one, activity=activity, scene=scene, light=_light(entry, moment, vocabulary))
        for entry in _active(persona.routine, moment.hour)
        for scene in ((scene_told,) if scene_told else entry.scenes)
        if vocabulary is None or scene in vocabulary.scenes
        for activity in ((activity_told,) if activity_told else entry.activities)
        for one in topics
    ]


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
