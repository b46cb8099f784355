"""What she may post about: only her own life, only what can be drawn, and least of all what she just posted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.definitions.personas import load_persona
from zirelia.domain.persona import Routine
from zirelia.domain.post import Brief
from zirelia.domain.shot import ShotVocabulary
from zirelia.errors import ConfigurationError
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.workflow.plan import options_for
from zirelia.workflow.produce import produce, unfinished

MIRA = load_persona("mira").persona
POCKET = shot_vocabulary()
MOMENT = datetime(2026, 11, 21, 9, tzinfo=UTC)

briefs = st.builds(
    Brief,
    topic=st.sampled_from([interest.topic for interest in MIRA.interests]),
    angle=st.just("today"),
    activity=st.sampled_from([a for entry in MIRA.routine for a in entry.activities]),
    scene=st.sampled_from(POCKET.scenes),
    light=st.just("daylight"),
)


@given(
    hour=st.integers(0, 23), seed=st.text(min_size=1, max_size=20), recent=st.lists(briefs, max_size=12), limited=st.booleans()
)
def test_options_are_of_her_life_and_can_be_drawn(hour, seed, recent, limited):
    vocabulary = POCKET if limited else None
    options = options_for(MIRA, MOMENT.replace(hour=hour), seed, recent, vocabulary)
    assert options == options_for(MIRA, MOMENT.replace(hour=hour), seed, recent, vocabulary)
    assert 1 <= len(options) <= 4
    assert len({o.activity for o in options}) == len(options)
    for option in options:
        assert option.topic in {interest.topic for interest in MIRA.interests}
        assert any(option.activity in e.activities and option.scene in e.scenes for e in MIRA.routine)
        if vocabulary:
            assert option.scene in vocabulary.scenes
            assert option.light in vocabulary.lights


@given(hour=st.integers(0, 23), start=st.integers(0, 22), length=st.integers(1, 24))
def test_a_routine_with_a_gap_takes_the_nearest_entry(hour, start, length):
    entry = Routine(name="only", start_hour=start, end_hour=min(24, start + length), activities=("draws",), scenes=("park",))
    persona = MIRA.model_copy(update={"routine": (entry,)})
    (option,) = options_for(persona, MOMENT.replace(hour=hour), "seed", ())
    assert (option.activity, option.scene) == ("draws", "park")


@pytest.mark.parametrize(("hour", "entries"), [
    (5, {"morning"}), (6, {"morning"}), (10, {"morning"}), (11, {"midday"}), (18, {"evening"}), (23, {"late"}),
])  # fmt: skip
def test_the_hour_decides(hour, entries):
    options = options_for(MIRA, MOMENT.replace(hour=hour), "seed", ())
    names = {e.name for e in MIRA.routine for o in options if o.activity in e.activities}
    assert names == entries


def test_what_was_just_posted_comes_up_least():
    first: Counter[str] = Counter()
    recent = [Brief(topic="drawing strangers", angle="x", activity="has a first coffee", scene="cafe", light="daylight")]
    for seed in range(200):
        first[options_for(MIRA, MOMENT, str(seed), recent)[0].scene] += 1
    assert first["kitchen"] > first["cafe"]


def test_a_heavier_interest_comes_up_more_often():
    first = Counter(options_for(MIRA, MOMENT, str(seed), ())[0].topic for seed in range(400))
    assert first["drawing strangers"] > 1.5 * first["clothes in plain colours"] > 0


@pytest.mark.parametrize(
    ("hour", "light"), [(6, "golden hour"), (12, "daylight"), (18, "golden hour"), (22, "night"), (3, "night")]
)
def test_the_light_is_of_the_hour_unless_the_routine_says_it(hour, light):
    entry = Routine(name="all", start_hour=0, end_hour=24, activities=("draws",), scenes=("park",))
    persona = MIRA.model_copy(update={"routine": (entry,)})
    assert options_for(persona, MOMENT.replace(hour=hour), "s", ())[0].light == light


def test_nothing_that_can_be_drawn_is_said(desk, slot):
    vocabulary = ShotVocabulary(
        scenes=("moon",), outfits=("suit",), expressions=("calm",), framings=("close-up",), lights=("dark",)
    )
    desk.images._vocabulary = vocabulary
    with pytest.raises(ConfigurationError, match="no scene that the image model can draw") as caught:
        produce(desk.kit(), desk.subject, slot())
    assert "moon" in caught.value.hint
    assert len(unfinished(desk.kit(), "mira")) == 1


def test_the_planner_hears_moment_holiday_and_memory_and_its_choice_stands(desk, slot):
    desk.chat.script({"choice": 1})
    first = produce(desk.kit(), desk.subject, slot("evening", 18, day=24))
    desk.chat.script({"choice": 2, "angle": "The first chestnuts of the year."})
    asked = len(desk.chat.asked)
    holiday = slot("lunch", 12, day=8).model_copy(
        update={"at": datetime(2026, 12, 8, 12, 40, tzinfo=UTC), "day": datetime(2026, 12, 8, tzinfo=UTC).date()}
    )
    post = produce(desk.kit(), desk.subject, holiday)
    question = desk.chat.asked[asked].user
    assert "Tuesday" in question
    assert post.brief.occasion == "Immaculate Conception"
    assert "Immaculate Conception" in question
    assert first.brief.topic in question
    assert post.brief.angle == "The first chestnuts of the year."
    assert post.brief.avoid == (first.brief.topic,)


def test_the_planner_hears_of_an_event_of_the_day(desk, slot):
    event = {"name": "book-fair", "day": "2026-11-24", "topic": "the book fair in the park"}
    desk.as_persona(cadence=desk.subject.persona.cadence.model_dump(mode="json") | {"events": [event]})
    post = produce(desk.kit(), desk.subject, slot("evening", 18, day=24))
    assert post.brief.occasion == "the book fair in the park"
    assert "the book fair in the park" in desk.chat.asked[0].user


def test_local_time_counts(desk, slot):
    cadence = desk.subject.persona.cadence.model_dump(mode="json") | {"timezone": "Pacific/Auckland"}
    desk.as_persona(cadence=cadence)
    post = produce(desk.kit(), desk.subject, slot("evening", 18))  # 07:40 on the next day there
    assert "Sunday" in desk.chat.asked[0].user
    assert any(post.brief.activity in e.activities for e in MIRA.routine if e.name == "morning")
