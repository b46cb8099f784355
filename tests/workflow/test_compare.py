"""Ways to carry a face: the same scenes and seeds for each, told by one instrument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from PIL import Image

from zirelia.domain.lora import Lora, WornLora
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.errors import ConfigurationError
from zirelia.pocket.vocabulary import shot_vocabulary
from zirelia.ports import Exhibit
from zirelia.testing.images import FakeImageMaker
from zirelia.workflow.compare import BASE, OWN, REFERENCES, Way, bare_base, by_references, compare, others_lora, own_lora


@dataclass
class Scorer:
    """Scores by the brightness of a corner, so that a picture's score is its own."""

    seen: list[Exhibit] = field(default_factory=list)
    mute: bool = False
    name: str = "scorer"
    criteria: frozenset[Criterion] = frozenset({Criterion.IDENTITY})

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        self.seen.append(exhibit)
        if self.mute:
            return []
        score = sum(exhibit.image.getpixel((0, 0))) / 765
        return [
            Finding(
                criterion=Criterion.IDENTITY,
                outcome=Outcome.PASSED,
                instrument=self.name,
                explanation="looked at",
                score=score,
                threshold=0.4,
            )
        ]


@pytest.fixture
def subject(desk):
    lora = Lora(path="m", sha256="a" * 64, trigger="mirelo", base_model="b", rank=4)
    references = tuple(Image.new("RGB", (32, 32), (shade,) * 3) for shade in (200, 204, 255))
    desk.subject = replace(desk.subject, lora=lora, references=references)
    return desk.subject


@pytest.fixture
def others():
    return Lora(path="l", sha256="b" * 64, trigger="leoxa", base_model="b", rank=4)


def test_every_way_draws_the_same_scenes_with_the_same_seeds(desk, subject, others):
    elsewhere = FakeImageMaker(vocabulary=shot_vocabulary(), size=(96, 96))
    ways = [own_lora(subject), by_references(elsewhere), others_lora("leo", others, scale=0.8), bare_base(subject)]
    shown = compare(desk.kit(), subject, Scorer(), ways, scenes=3)
    here = [desk.images.made[n : n + 3] for n in (0, 3, 6)]
    assert [each.way.name for each in shown.drawn] == [OWN, REFERENCES, "leo", BASE]
    assert {tuple(p.seed for p in made) for made in (*here, elsewhere.made)} == {tuple(p.seed for p in elsewhere.made)}
    assert [made[0].trigger for made in here] == ["mirelo", "leoxa", "mirelo"]
    assert here[1][0].lora_scale == 0.8
    assert here[0][0].text == here[2][0].text
    # without a trigger the look is said in words
    assert "long wavy teal hair" in elsewhere.made[0].text
    assert all(len(each.pictures) == len(each.scores.values) == 3 for each in shown.drawn)
    assert shown.of("leo").way.lora == others


def test_scores_belong_to_their_pictures_and_the_references_to_each_other(desk, subject):
    scorer = Scorer()
    shown = compare(desk.kit(), subject, scorer, [own_lora(subject)], scenes=2)
    drawn = shown.of(OWN)
    assert drawn.scores.values == tuple(sum(picture.getpixel((0, 0))) / 765 for picture in drawn.pictures)
    assert shown.real.values == pytest.approx((200 / 255, 204 / 255, 1.0))
    assert (shown.real.median, shown.threshold) == (pytest.approx(0.8), 0.4)
    assert [len(exhibit.references) for exhibit in scorer.seen] == [3, 3, 2, 2, 2]


def test_styles_are_worn_with_her_own_lora_and_with_no_other_way(desk, subject, others):
    worn: list[tuple[WornLora, ...]] = []

    class Wardrobe(FakeImageMaker):
        def make(self, *args, beside=(), **options):
            worn.append(tuple(beside))
            return super().make(*args, beside=beside, **options)

    style = WornLora(lora=others.model_copy(update={"trigger": "style"}), scale=0.4)
    subject = replace(subject, beside=(style,))
    wardrobe = Wardrobe(vocabulary=shot_vocabulary(), size=(64, 64))
    ways = [own_lora(subject), others_lora("leo", others), bare_base(subject)]
    compare(desk.kit(images=wardrobe), subject, Scorer(), ways, scenes=1)
    assert worn == [(style,), (), ()]


def test_a_persona_without_a_trigger_has_a_bare_base_too(desk, subject):
    desk.as_persona(lora=None)
    shown = compare(desk.kit(), desk.subject, Scorer(), [bare_base(desk.subject)], scenes=1)
    assert "teal hair" in desk.images.made[0].text
    assert shown.of(BASE).way.says is None


def test_what_cannot_be_compared(desk, subject):
    kit = desk.kit()
    with pytest.raises(ConfigurationError, match="nothing to compare"):
        compare(kit, subject, Scorer(), [])
    with pytest.raises(ConfigurationError, match="two ways are called 'a'"):
        compare(kit, subject, Scorer(), [Way("a"), Way("a")])
    with pytest.raises(ConfigurationError, match="no LoRA weights on this machine"):
        own_lora(replace(subject, lora=None))
    with pytest.raises(ConfigurationError, match="has 2 references"):
        compare(kit, replace(subject, references=subject.references[:2]), Scorer(), [bare_base(subject)])
    with pytest.raises(ConfigurationError, match=r"fake \(rectangles\) is paid"):
        compare(kit, subject, Scorer(), [bare_base(subject), by_references(FakeImageMaker(price=0.1))])
    with pytest.raises(ConfigurationError, match="'scorer' gave no identity score"):
        compare(kit, subject, Scorer(mute=True), [bare_base(subject)], scenes=1)
