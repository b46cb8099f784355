"""Judging checkpoints: a maker that paints how like its LoRA makes her, and a recogniser that reads it back."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zirelia.domain.choice import Fit, Floors
from zirelia.domain.judgement import Judgement, Question
from zirelia.domain.lora import Checkpoint, Lora, WornLora
from zirelia.domain.shot import Framing, ImagePrompt, Shot
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.errors import ConfigurationError, Conflict, MediaError, TrainingError
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.ports import BackendFacts, MadeImage, Sighting
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.choose import judge_checkpoints, read_judgement
from zirelia.workflow.gallery import Gallery
from zirelia.workflow.judged_prompts import asked, fixed_prompts, shares, some
from zirelia.workflow.judging import Effort, shown_share

VOCABULARY = shot_vocabulary()
QUICK = Effort(prompts=6, seeds=1, scales=(1.0,), coarse=None, sweep=())
THRESHOLD = 0.6


@dataclass
class Skill:
    """How like her the LoRA paints: with the trigger, without it, and whether the scene is the one asked for."""

    face: float
    leak: float = 0.1
    scene: bool = True


class Painter(FakeImageMaker):
    """The shipped fake, with likeness and scene painted into two pixels."""

    skills: dict[str, Skill]

    def make(self, prompt: ImagePrompt, *, lora: Lora | None, **options: Any) -> MadeImage:
        made = super().make(prompt, lora=lora, **options)
        skill = self.skills[lora.sha256] if lora else Skill(0.1, 0.1)
        level = (skill.face if prompt.trigger else skill.leak) * (min(1.0, prompt.lora_scale) if lora else 1.0)
        image = Image.open(io.BytesIO(made.data)).convert("RGB")
        scene = next(n for n, s in enumerate(VOCABULARY.scenes) if s in prompt.text)
        image.putpixel((0, 0), (round(100 * level), 0, scene if skill.scene else (scene + 1) % len(VOCABULARY.scenes)))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return replace(made, data=buffer.getvalue())


@dataclass
class Reader:
    """Reads what the painter painted: the angle to her is the likeness. A blue corner shows nobody."""

    seen: int = 0
    model: str = "pixel"
    attributes: bool = True

    threshold = THRESHOLD

    def facts(self) -> BackendFacts:
        return BackendFacts(backend="fake", model=self.model, local=True, paid=False)

    def see(self, images: Sequence[Image.Image]) -> Sequence[Sighting]:
        sightings = []
        for image in images:
            self.seen += 1
            red, green, blue = image.getpixel((0, 0))
            angle = math.acos(min(1.0, red / 100))
            found = None if green == 255 else np.array([math.cos(angle), math.sin(angle)], dtype=np.float32)
            read = {"scene": (VOCABULARY.scenes[blue % len(VOCABULARY.scenes)], 0.9)} if self.attributes else {}
            sightings.append(Sighting(subjects=1, face=None, embedding=found, attributes=read))
        return sightings


def picture(red: int = 100, seed: int = 0) -> Image.Image:
    image = Image.effect_noise((32, 32), 60 + seed).convert("RGB")
    image.putpixel((0, 0), (red, 0, 0))
    return image


def checkpoint(step: int, *, trigger: str = "mirelo") -> Checkpoint:
    sha = f"{step:064x}"
    return Checkpoint(step=step, lora=Lora(path=f"{step}", sha256=sha, trigger=trigger, base_model="pocket-flux", rank=16))


@dataclass
class Bench:
    """A desk with a painter, and everything that a judging takes."""

    desk: Any
    painter: Painter
    reader: Reader = field(default_factory=Reader)
    trained: list[Image.Image] = field(default_factory=lambda: [picture(seed=n) for n in range(4)])

    def judge(self, skills: dict[int, Skill], **changes: Any) -> Judgement:
        self.painter.skills = {f"{step:064x}": skill for step, skill in skills.items()}
        given: dict[str, Any] = {"recogniser": self.reader, "trained": self.trained, "effort": QUICK} | changes
        folder = given.pop("folder", self.desk.home / "judged")
        kit = self.desk.kit(images=self.painter)
        return judge_checkpoints(kit, self.desk.subject, [checkpoint(step) for step in skills], folder=folder, **given)


@pytest.fixture
def bench(desk):
    # in likeness, so that the middle is her
    desk.subject = replace(desk.subject, references=tuple(picture(seed=10 + n) for n in range(4)))
    return Bench(desk, Painter(vocabulary=VOCABULARY, size=(64, 64)))


class TestPrompts:
    def prompts(self, desk, shown=(), count=12, vocabulary=VOCABULARY):
        return fixed_prompts(desk.subject.persona, vocabulary, trigger="mirelo", shown=shown, count=count)

    def test_eight_two_and_two(self, desk):
        prompts = self.prompts(desk)
        assert [p.number for p in prompts] == list(range(1, 13))
        assert [sum(p.question is q for p in prompts) for q in Question] == [8, 2, 2]
        assert prompts == self.prompts(desk)

    def test_the_words(self, desk):
        face, other, nobody = (next(p for p in self.prompts(desk) if p.question is q) for q in Question)
        assert face.text.startswith("mirelo woman, ")
        assert "mirelo" not in other.text
        assert "teal" not in other.text
        assert " hair, " in other.text
        assert nobody.text.startswith("a woman, ")

    @pytest.mark.parametrize("vocabulary", [VOCABULARY, None], ids=["limited", "free"])
    def test_settings_that_the_dataset_does_not_show_come_first(self, desk, vocabulary):
        every = self.prompts(desk, vocabulary=vocabulary)
        shown = [p.shot for p in every[:6]]
        again = self.prompts(desk, shown=shown, vocabulary=vocabulary)
        assert not any(p.shown for p in again)
        assert {(p.shot.scene, p.shot.light) for p in again}.isdisjoint((s.scene, s.light) for s in shown)

    def test_a_dataset_that_shows_everything(self, desk):
        shown = [
            Shot(scene=s, light=light, outfit="o", expression="e", framing=Framing.CLOSE_UP)
            for s in VOCABULARY.scenes
            for light in VOCABULARY.lights
        ]
        assert all(p.shown for p in self.prompts(desk, shown=shown))

    def test_more_prompts_than_settings(self, desk):
        assert len(self.prompts(desk, count=60)) == 60

    @pytest.mark.parametrize(("count", "expected"), [(3, (1, 1, 1)), (6, (4, 1, 1)), (12, (8, 2, 2)), (24, (16, 4, 4))])
    def test_shares(self, desk, count, expected):
        assert shares(count) == expected
        chosen = some(self.prompts(desk, count=24), count)
        assert tuple(sum(p.question is q for p in chosen) for q in Question) == expected

    def test_too_few(self):
        with pytest.raises(ValueError, match="3 prompts or more"):
            shares(2)

    def test_a_prompt_for_others_wears_the_lora_at_its_scale(self, desk):
        other = next(p for p in self.prompts(desk) if p.question is Question.OTHER)
        prompt = asked(other, desk.subject.persona.look, trigger="mirelo", scale=0.8, seed=1, size=(64, 64))
        assert (prompt.trigger, prompt.lora_scale) == (None, 0.8)


class TestRule:
    def test_the_earliest_good_one_is_chosen(self, bench):
        judgement = bench.judge({100: Skill(0.3), 200: Skill(0.9), 300: Skill(0.9)})
        assert (judgement.choice.step, judgement.choice.passed) == (200, True)
        assert judgement.choice.chosen.identity == pytest.approx(0.9, abs=0.02)
        assert judgement.real.median == pytest.approx(1.0)
        assert judgement.base.median == pytest.approx(0.1, abs=0.02)

    def test_leaks(self, bench):
        judgement = bench.judge({100: Skill(0.9, leak=0.7), 200: Skill(0.8)})
        assert judgement.choice.step == 200
        assert [each.leaked for each in judgement.choice.measured] == [1.0, 0.0]
        assert judgement.choice.measured[0].leaks == pytest.approx([0.7, 0.7], abs=0.02)

    def test_agreement(self, bench):
        judgement = bench.judge({100: Skill(0.9, scene=False), 200: Skill(0.8)})
        assert judgement.choice.step == 200
        assert [each.agreement for each in judgement.choice.measured] == [0.0, 1.0]

    def test_nothing_that_reads_what_is_shown(self, bench):
        bench.reader.attributes = False
        judgement = bench.judge({100: Skill(0.9)})
        assert judgement.choice.chosen.agreement is None
        assert "nothing here could measure" in judgement.choice.because

    def test_nobody_in_the_picture_is_no_likeness(self, bench, monkeypatch):
        see = bench.reader.see
        blind = lambda images: [replace(s, embedding=None) if len(images) == 1 else s for s in see(images)]  # noqa: E731
        monkeypatch.setattr(bench.reader, "see", blind)
        judgement = bench.judge({100: Skill(0.9)})
        assert judgement.choice.chosen.identity == 0.0
        assert judgement.choice.fit is Fit.UNDERFIT

    def test_memory(self, bench):
        judgement = bench.judge({100: Skill(0.9)})
        copied = next(p for p in judgement.pictures_of(step=100) if p.prompt == 1)
        painted = Image.open(bench.desk.home / "judged" / copied.file)
        bench.trained.append(painted)
        assert bench.judge({100: Skill(0.9)}).choice.chosen.memorised == pytest.approx(1.0)
        assert judgement.choice.chosen.memorised < 0.9

    def test_every_picture_is_told(self, bench):
        judgement = bench.judge({100: Skill(0.9)})
        assert len(judgement.pictures_of(step=100)) == 6
        assert len(judgement.pictures_of(step=0)) == 4
        assert all((bench.desk.home / "judged" / p.file).is_file() for p in judgement.pictures)
        assert judgement.prompt(1).question is Question.FACE

    def test_seeds_are_the_same_for_all(self, bench):
        judgement = bench.judge({100: Skill(0.9), 200: Skill(0.9)}, effort=replace(QUICK, seeds=2))
        told = [[(p.prompt, p.seed) for p in judgement.pictures_of(step=step)] for step in (100, 200)]
        assert told[0] == told[1]
        assert len(set(told[0])) == 12


class TestStages:
    def test_hopeless_ones_get_few_pictures(self, bench):
        effort = Effort(prompts=12, seeds=2, scales=(1.0,), coarse=6, sweep=())
        judgement = bench.judge({100: Skill(0.2), 200: Skill(0.3), 300: Skill(0.9)}, effort=effort)
        assert [len(judgement.pictures_of(step=step)) for step in (100, 200, 300)] == [6, 6, 24]
        assert judgement.choice.step == 300

    def test_both_scales_are_told_apart(self, bench):
        judgement = bench.judge({100: Skill(0.9)}, effort=replace(QUICK, scales=(0.5, 1.0)))
        assert [(m.scale, round(m.identity, 2)) for m in judgement.choice.measured] == [(0.5, 0.45), (1.0, 0.9)]
        assert judgement.choice.scale == 1.0

    def test_a_leak_that_all_pictures_may_mend_is_no_reason_to_give_up(self, bench):
        effort = Effort(prompts=12, seeds=2, scales=(1.0,), coarse=6, sweep=())
        judgement = bench.judge({100: Skill(0.9, leak=0.7), 200: Skill(0.3)}, effort=effort, floors=Floors(leaked=0.3))
        assert len(judgement.pictures_of(step=100)) == 24
        assert judgement.choice.step == 200

    def test_the_sweep(self, bench):
        effort = replace(QUICK, sweep=(0.4, 1.0, 1.4), sweep_prompts=3)
        judgement = bench.judge({100: Skill(0.9)}, effort=effort)
        assert [m.scale for m in judgement.sweep] == [0.4, 1.0, 1.4]
        assert [round(m.identity, 2) for m in judgement.sweep] == [0.36, 0.9, 0.9]

    @pytest.mark.parametrize("wrong", [{"prompts": 2}, {"seeds": 0}, {"scales": ()}, {"coarse": 1}, {"sweep_prompts": 2}])
    def test_efforts_that_measure_nothing(self, wrong):
        with pytest.raises(ValueError, match="three prompts or more"):
            Effort(**wrong)


class TestResuming:
    def test_nothing_is_drawn_twice(self, bench):
        first = bench.judge({100: Skill(0.9), 200: Skill(0.9)})
        drawn, seen = len(bench.painter.made), bench.reader.seen
        again = bench.judge({100: Skill(0.9), 200: Skill(0.9)})
        assert (len(bench.painter.made), bench.reader.seen - seen) == (drawn, len(bench.desk.subject.references))
        assert again.model_copy(update={"seconds": first.seconds}) == first

    @pytest.mark.parametrize("stopped_at", [1, 5, 9])
    def test_killed_it_goes_on(self, bench, stopped_at):
        whole = bench.judge({100: Skill(0.9)}, folder=bench.desk.home / "whole")
        total = len(bench.painter.made)
        bench.painter.made.clear()
        make = bench.painter.make
        calls = iter(range(stopped_at))

        def dying(*args, **options):
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return make(*args, **options)

        bench.painter.make = dying
        with pytest.raises(KeyboardInterrupt):
            bench.judge({100: Skill(0.9)})
        bench.painter.make = make
        judgement = bench.judge({100: Skill(0.9)})
        assert len(bench.painter.made) == total
        assert judgement.model_copy(update={"seconds": whole.seconds}) == whole

    def test_another_recogniser_looks_again_and_draws_nothing(self, bench):
        bench.judge({100: Skill(0.9)})
        drawn, seen = len(bench.painter.made), bench.reader.seen
        bench.reader.model = "other"
        bench.judge({100: Skill(0.9)})
        assert len(bench.painter.made) == drawn
        assert bench.reader.seen - seen == drawn + len(bench.desk.subject.references)

    @pytest.mark.parametrize("damage", [b"", b"{", b'{"recogniser": "x"}'])
    def test_a_damaged_record_is_made_anew(self, bench, damage):
        first = bench.judge({100: Skill(0.9)})
        drawn = len(bench.painter.made)
        file = bench.desk.home / "judged" / first.pictures[0].file
        file.with_suffix(".json").write_bytes(damage)
        assert bench.judge({100: Skill(0.9)}).choice == first.choice
        assert len(bench.painter.made) == drawn
        file.write_bytes(damage)
        assert bench.judge({100: Skill(0.9)}).choice == first.choice
        assert len(bench.painter.made) == drawn + 1

    def test_two_at_once(self, bench):
        folder = bench.desk.home / "judged"
        with Gallery(folder, bench.desk.kit(), bench.reader), pytest.raises(Conflict, match="is judging in"):
            bench.judge({100: Skill(0.9)}, folder=folder)

    def test_what_it_found_is_kept(self, bench):
        judgement = bench.judge({100: Skill(0.9)})
        folder = bench.desk.home / "judged"
        assert read_judgement(folder) == judgement
        assert read_judgement(bench.desk.home / "nowhere") is None
        (folder / "judgement.json").write_text("{}")
        with pytest.raises(TrainingError, match="is damaged"):
            read_judgement(folder)

    def test_progress_and_steps_are_told(self, bench):
        bench.judge({100: Skill(0.9)})
        assert "bare base 4 pictures" in bench.desk.diary.said("step")
        bench.judge({100: Skill(0.9)})
        assert "4 are there already" in bench.desk.diary.said("note")


class TestInstruments:
    @dataclass
    class Critic:
        outcome: Outcome = Outcome.FAILED
        cost: float = 0.0
        error: Exception | None = None
        name: str = "critic"
        criteria: frozenset[Criterion] = frozenset({Criterion.BRIEF, Criterion.TECHNICAL})

        def examine(self, exhibit):
            if self.error:
                raise self.error
            return [
                Finding(criterion=c, outcome=self.outcome, instrument=self.name, explanation="seen", cost_usd=self.cost)
                for c in sorted(self.criteria)
            ]

    @pytest.mark.parametrize(
        ("outcome", "agreement", "artefacts"),
        [(Outcome.PASSED, 1.0, 0.0), (Outcome.FAILED, 0.0, 1.0), (Outcome.NOT_CHECKED, None, None)],
    )
    def test_their_remarks_count_where_the_recogniser_reads_nothing(self, bench, outcome, agreement, artefacts):
        bench.reader.attributes = False
        chosen = bench.judge({100: Skill(0.9)}, instruments=[self.Critic(outcome)]).choice.chosen
        assert (chosen.agreement, chosen.artefacts) == (agreement, artefacts)

    def test_the_recogniser_comes_first(self, bench):
        assert bench.judge({100: Skill(0.9)}, instruments=[self.Critic()]).choice.chosen.agreement == 1.0

    def test_one_that_fails_is_said_once(self, bench):
        chosen = bench.judge({100: Skill(0.9)}, instruments=[self.Critic(error=MediaError("no eyes"))]).choice.chosen
        assert chosen.artefacts is None
        assert bench.desk.diary.said("note").count("critic measures nothing: no eyes") == 1

    def test_one_that_costs_is_refused(self, bench):
        with pytest.raises(ConfigurationError, match="costs money"):
            bench.judge({100: Skill(0.9)}, instruments=[self.Critic(cost=0.01)])


class TestRefusals:
    def test_a_paid_model(self, bench):
        bench.painter._price = 0.02
        with pytest.raises(ConfigurationError, match=r"judging checkpoints makes many .* fake \(rectangles\) is paid"):
            bench.judge({100: Skill(0.9)})
        assert bench.painter.made == []

    def test_nothing_to_judge(self, bench):
        with pytest.raises(TrainingError, match="no checkpoint"):
            bench.judge({})

    def test_different_trainings(self, bench):
        kit = bench.desk.kit(images=bench.painter)
        for others, said in [
            ([checkpoint(100)] * 2, "same step"),
            ([checkpoint(1), checkpoint(2, trigger="leoxa")], "different"),
        ]:
            with pytest.raises(TrainingError, match=said):
                judge_checkpoints(
                    kit, bench.desk.subject, others, recogniser=bench.reader, trained=[], folder=bench.desk.home / "judged"
                )

    def test_references_that_were_trained_on_are_left_out(self, bench):
        bench.trained.append(bench.desk.subject.references[0].copy())
        assert len(bench.judge({100: Skill(0.9)}).real.values) == 3
        assert "1 of 4 references were trained on" in bench.desk.diary.said("note")
        bench.trained.append(bench.desk.subject.references[1].copy())
        with pytest.raises(ConfigurationError, match="2 references that were not trained on"):
            bench.judge({100: Skill(0.9)})

    def test_references_without_a_subject(self, bench):
        nobody = picture()
        nobody.putpixel((0, 0), (0, 255, 0))
        bench.desk.subject = replace(bench.desk.subject, references=(*bench.desk.subject.references[:2], nobody))
        with pytest.raises(ConfigurationError, match="finds a subject in 2 of 3"):
            bench.judge({100: Skill(0.9)})


@pytest.mark.parametrize(
    ("attributes", "limited", "share"),
    [
        ({}, True, None),
        ({"hair": "teal"}, True, None),
        ({"scene": "cafe"}, True, 1.0),
        ({"scene": "Café"}, True, 1.0),
        ({"scene": "beach", "light": "daylight"}, True, 0.5),
        ({"garment": "hoodie", "cloth": "blue"}, True, 0.5),
        ({"framing": "half body", "scene": "beach"}, False, 1.0),
        ({"scene": "cafe"}, False, None),
        ({"scene": ""}, True, 0.0),
    ],
)
def test_what_is_shown_of_what_was_asked(attributes, limited, share):
    shot = Shot(scene="cafe", light="daylight", outfit="red hoodie", expression="smiling", framing=Framing.HALF_BODY)
    assert shown_share(shot, {name: (value, 0.9) for name, value in attributes.items()}, limited=limited) == share


def test_styles_are_worn_with_every_checkpoint_and_not_with_the_bare_base(bench):
    worn: dict[bool, set[tuple[WornLora, ...]]] = {True: set(), False: set()}

    class Wardrobe(Painter):
        def make(self, prompt: ImagePrompt, *, lora: Lora | None, **options: Any) -> MadeImage:
            worn[lora is not None].add(tuple(options.get("beside", ())))
            return super().make(prompt, lora=lora, **options)

    bench.painter = Wardrobe(vocabulary=VOCABULARY, size=(64, 64))
    plain = bench.judge({100: Skill(0.8)})
    style = WornLora(lora=checkpoint(7).lora, scale=0.4)
    bench.desk.subject = replace(bench.desk.subject, beside=(style,))
    dressed = bench.judge({100: Skill(0.8)})
    assert worn == {True: {(), (style,)}, False: {()}}
    # another dress is another picture, and the base's are there already
    drawn = [{each.file for each in judged.pictures if each.step == 100} for judged in (plain, dressed)]
    assert not drawn[0] & drawn[1]
