"""Shot lists: limits on repeats, a small world's words dealt evenly, and what a cell is in words."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.definitions.personas import load_persona
from zirelia.definitions.shotlists import load_shot_list, shot_list_names
from zirelia.domain.fitting import fitted
from zirelia.domain.lora import LoraChoice
from zirelia.domain.prompt import compose
from zirelia.domain.shot import Framing, Shot, ShotVocabulary
from zirelia.domain.shotlist import Cell, ShotList, Yaw, coverage
from zirelia.domain.wording import caption, description, instruction, turned
from zirelia.errors import ConfigurationError
from zirelia.pocket import world
from zirelia.pocket.vocabulary import shot_vocabulary

LOOK = load_persona("mira").persona.look
SHOT = Shot(scene="kitchen", outfit="red blazer", expression="smiling", framing=Framing.CLOSE_UP, light="night")


def listed(*cells: Cell, most: float = 0.2) -> ShotList:
    return ShotList(name="mine", cells=cells, most_of_one=most)


def cell(name: str, **changes: object) -> Cell:
    return Cell(id=name, shot=SHOT.model_copy(update=changes))


def test_repeats_name_field_word_and_limit():
    wanted = listed(*(cell(f"c{n}", scene=f"place {n}") for n in range(10)))
    assert wanted.repeats() == ("outfit 'red blazer' fills 10 of 10 cells, at most 2 are allowed",)
    assert listed(cell("only")).repeats() == ()


@pytest.mark.parametrize(("cells", "share", "allowed"), [(10, 0.2, 2), (5, 0.2, 1), (3, 0.2, 1), (30, 0.1, 3), (10, 0.3, 3)])
def test_the_limit_is_the_share_rounded_down_but_one(cells, share, allowed):
    assert listed(*(cell(f"c{n}") for n in range(cells)), most=share).most_allowed == allowed


def test_coverage_leaves_out_what_the_list_does_not_have():
    found = coverage(listed(cell("a"), cell("b")), kept=("b", "other"))
    assert (found.kept, found.missing, found.share) == (("b",), ("a",), 0.5)


KEPT_OUT = frozenset({("gym", "night"), ("cafe", "daylight"), ("beach", "golden hour")})


@pytest.mark.parametrize("name", shot_list_names())
def test_a_small_worlds_words_are_dealt_evenly(name):
    wanted, words = load_shot_list(name), shot_vocabulary()
    dealt = fitted(wanted, words, keep_out=KEPT_OUT)
    assert dealt == fitted(wanted, words, keep_out=KEPT_OUT)
    assert (dealt.name, len(dealt.cells), dealt.repeats()) == (wanted.name, len(wanted.cells), ())
    shots = [one.shot for one in dealt.cells]
    assert not KEPT_OUT & {(shot.scene, shot.light) for shot in shots}
    for field, known in {"scene": words.scenes, "light": words.lights, "expression": words.expressions}.items():
        counts = Counter(getattr(shot, field) for shot in shots)
        assert set(counts) == set(known)
        assert max(counts.values()) - min(counts.values()) <= 2
    framings = Counter(shot.framing for shot in shots)
    assert set(framings) == set(words.framings)
    assert max(framings.values()) - min(framings.values()) <= 1
    assert max(Counter(shot.outfit for shot in shots).values()) <= -(-len(shots) // len(words.outfits)) + 1
    assert {one.yaw for one in dealt.cells} == {Yaw.FRONT}
    assert {(shot.pose, shot.props) for shot in shots} == {("", "")}


@given(
    cells=st.integers(1, 60),
    scenes=st.integers(5, 12),
    outfits=st.integers(5, 30),
    lights=st.integers(1, 4),
)
def test_dealt_lists_keep_the_limits(cells, scenes, outfits, lights):
    words = ShotVocabulary(
        scenes=tuple(f"scene {n}" for n in range(scenes)),
        outfits=tuple(f"colour{n % 7} garment{n}" for n in range(outfits)),
        expressions=("calm", "glad"),
        framings=(Framing.HALF_BODY,),
        lights=tuple(f"light {n}" for n in range(lights)),
    )
    wanted = listed(*(cell(f"c{n}") for n in range(cells)))
    if -(-cells // wanted.most_allowed) <= min(scenes, outfits):
        assert fitted(wanted, words).repeats() == ()
    else:
        with pytest.raises(ConfigurationError, match="needs"):
            fitted(wanted, words)


def test_too_few_words_are_named():
    everywhere = frozenset((scene, light) for scene in world.SCENES[2:] for light in world.LIGHTS)
    with pytest.raises(ConfigurationError, match="knows 2 scenes; the shot list 'shots-30' of 30 cells needs 5"):
        fitted(load_shot_list("30"), shot_vocabulary(), keep_out=everywhere)


KEEP = "Keep face, hair, skin and build of the woman exactly as in the first picture. One person, no text."
PLAIN = "close-up, smiling; clothes: red blazer; place: in a kitchen; light: night"


@pytest.mark.parametrize(
    ("wanted", "references", "said"),
    [
        (Cell(id="a", shot=SHOT), 1, f"Show the same woman as in the first picture, in the same style: {PLAIN}. {KEEP}"),
        (
            Cell(id="a", shot=SHOT.model_copy(update={"pose": "waving", "props": "a cup"}), yaw=Yaw.PROFILE_LEFT),
            1,
            "Show the same woman as in the first picture, in the same style: close-up, smiling; pose: in profile, facing left, "
            f"waving; holding: a cup; clothes: red blazer; place: in a kitchen; light: night. {KEEP}",
        ),
        (
            Cell(id="a", shot=SHOT, yaw=Yaw.BACK),
            1,
            "Show the same woman as in the first picture, in the same style: "
            f"{PLAIN.replace('smiling', 'seen from behind')}. {KEEP}",
        ),
        (Cell(id="a", shot=SHOT), 3, None),
        (
            Cell(id="a", shot=SHOT, instruction="remove the cup."),
            1,
            f"Remove the cup. Change nothing else in the first picture. {KEEP}",
        ),
    ],
)
def test_what_an_edit_model_is_told(wanted, references, said):
    told = instruction(wanted, "woman", references)
    if said is None:
        assert told.count("the first 3 pictures") == 2
    else:
        assert told == said


def test_a_garment_is_taken_from_the_last_picture():
    told = instruction(Cell(id="a", shot=SHOT, garment="coat.jpg"), "man")
    assert "clothes: those of the last picture" in told
    assert "The last picture shows clothes only" in told
    assert "red blazer" not in told


def test_words_for_a_model_without_a_lora_say_the_look():
    said = description(Cell(id="a", shot=SHOT, yaw=Yaw.THREE_QUARTER_LEFT), LOOK)
    assert said.startswith("a woman with long wavy teal hair, brown eyes")
    assert "head turned three quarters to the left" in said


def test_a_caption_is_the_sentence_of_a_later_prompt():
    words, lora = shot_vocabulary(), LoraChoice(trigger="mirelo")
    for one in fitted(load_shot_list("30"), words).cells:
        later = compose(one.shot, LOOK, lora=lora, seed=1, width=128, height=128, vocabulary=words).text
        assert caption(turned(one), LOOK, "mirelo", vocabulary=words) == later
        cloth, garment = one.shot.outfit.split()
        shown = world.WorldShot(garment, cloth, one.shot.expression, one.shot.scene, one.shot.light, str(one.shot.framing))
        assert world.caption(world.HELD_OUT["mira"], shown, trigger="mirelo") == later


def test_a_caption_with_constants_says_them_behind_the_trigger():
    said = caption(SHOT, LOOK, "mirelo", constants=True, vocabulary=shot_vocabulary())
    assert said.startswith(
        "mirelo woman with long wavy teal hair, brown eyes, fair skin, gold earrings, red lipstick, close-up"
    )
    assert said.endswith("in a kitchen, night")
