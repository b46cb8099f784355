"""Every rule about image prompts, as tables; and the rules that hold whatever a model answers, as properties."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.lora import LoraChoice
from zirelia.domain.persona import Look, Trait
from zirelia.domain.prompt import MAX_LORA_SCALE, MAX_STEPS, compose, place, repair_shot, seed_for
from zirelia.domain.shot import Framing, ImagePrompt, Shot, ShotVocabulary
from zirelia.domain.value import printable
from zirelia.domain.verdict import Repair, RepairKind

LORA = LoraChoice(trigger="mirelo", weights="lora/mira.safetensors")
LOOK = Look(
    noun="woman",
    traits=(
        Trait(
            feature="hair",
            value="long, wavy, teal",
            phrase="long wavy teal hair",
            synonyms=("teal hair", "turquoise hair"),
            contradictions=("short hair", "blonde", "bob haircut"),
        ),
        Trait(feature="eyes", value="brown", phrase="brown eyes", synonyms=("dark eyes",), contradictions=("blue eyes",)),
    ),
    style="flat vector illustration",
    wardrobe=("red hoodie", "green dress", "grey coat"),
)
SHOT = Shot(
    scene="cafe",
    outfit="red hoodie",
    pose="leaning on the table",
    expression="smiling",
    framing=Framing.HALF_BODY,
    light="daylight",
    props="a sketchbook",
)
WORDS = ShotVocabulary(
    scenes=("cafe", "beach"), outfits=("red hoodie", "green dress", "blue sweater"), expressions=("smiling", "serious"),
    framings=(Framing.CLOSE_UP, Framing.HALF_BODY), lights=("daylight", "night"),
)  # fmt: skip


def composed(
    shot: Shot = SHOT,
    look: Look = LOOK,
    *,
    lora: LoraChoice | None = LORA,
    repairs: Sequence[Repair] = (),
    vocabulary: ShotVocabulary | None = None,
    steps: int | None = 28,
) -> ImagePrompt:
    return compose(shot, look, lora=lora, seed=7, width=1024, height=1024, steps=steps, repairs=repairs, vocabulary=vocabulary)


def changed(**fields: object) -> Shot:
    return SHOT.model_copy(update=fields)


def repair(kind: RepairKind, phrase: str = "") -> Repair:
    return Repair(kind=kind, because="the critic said so", phrase=phrase)


def says(text: str, phrase: str) -> int:
    """How often the text says the phrase, as whole words."""
    words = r"[\s-]+".join(map(re.escape, phrase.split()))
    return len(re.findall(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE))


# ---- the plain prompt ----------------------------------------------------------------------------------------------------


def test_a_prompt_for_a_lora() -> None:
    assert composed().text == (
        "mirelo woman, half body portrait, smiling, wearing a red hoodie, leaning on the table, with a sketchbook, "
        "in a cafe, daylight, flat vector illustration"
    )
    assert composed().negative == ""
    assert composed().trigger == "mirelo"
    assert composed().notes == ()


def test_a_prompt_without_a_lora_says_who_she_is() -> None:
    prompt = composed(lora=None)
    assert prompt.text.startswith("a woman with long wavy teal hair, brown eyes, half body portrait, ")
    assert prompt.trigger is None


def test_a_model_of_few_words_gets_those_and_nothing_else() -> None:
    prompt = composed(vocabulary=WORDS, repairs=[repair(RepairKind.ONE_PERSON)])
    assert prompt.text == "mirelo woman, half body portrait, smiling, wearing a red hoodie, in a cafe, daylight"
    assert prompt.negative == ""


def test_a_full_body_names_the_ground_because_models_crop_it() -> None:
    text = composed(changed(framing=Framing.FULL_BODY)).text
    assert text.startswith("mirelo woman, full body photo, standing, seen from head to shoes, the ground visible, ")


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        ("cafe", "in a cafe"),
        ("art studio", "in an art studio"),
        ("beach", "on the beach"),
        ("Beach", "on the beach"),
        ("mountains", "in the mountains"),
        ("city street", "on a city street"),
        ("home", "at home"),
        ("  rooftop ", "on a rooftop"),
        ("under a tree", "under a tree"),
        ("On a train", "On a train"),
        ("the old market", "in the old market"),
        ("her kitchen", "in her kitchen"),
    ],
)
def test_places(scene: str, expected: str) -> None:
    assert place(scene) == expected


@pytest.mark.parametrize(
    ("outfit", "expected"),
    [
        ("red hoodie", "wearing a red hoodie"),
        ("orange dress", "wearing an orange dress"),
        ("a raincoat", "wearing a raincoat"),
        ("blue jeans", "wearing blue jeans"),
        ("white sneakers", "wearing white sneakers"),
        ("the green coat", "wearing the green coat"),
    ],
)
def test_clothes_take_their_article(outfit: str, expected: str) -> None:
    assert f", {expected}, " in composed(changed(outfit=outfit)).text


# ---- what is left out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "gone", "kept"),
    [
        ({"pose": "with short hair"}, "short hair", "smiling"),
        ({"pose": "with SHORT  Hair, laughing"}, "short hair", "laughing"),
        ({"pose": "short-hair look, waving"}, "short hair", "waving"),
        ({"expression": "blue eyes wide open"}, "blue eyes", "wide open"),
        ({"props": "a blonde dog"}, "blonde", "dog"),
        ({"scene": "salon with a bob haircut poster"}, "bob haircut", "salon"),
        ({"outfit": "red hoodie and short hair"}, "short hair", "wearing a red hoodie"),
        ({"light": "daylight on blonde"}, "blonde", "daylight"),
    ],
)
@pytest.mark.parametrize("lora", [LORA, None], ids=["lora", "words"])
def test_what_contradicts_the_look_is_left_out_and_noted(
    fields: dict[str, str], gone: str, kept: str, lora: LoraChoice | None
) -> None:
    prompt = composed(changed(**fields), lora=lora)
    assert says(prompt.text, gone) == 0
    assert kept in prompt.text
    assert any(gone in note and "it contradicts the" in note for note in prompt.notes)


@pytest.mark.parametrize("phrase", ["long wavy teal hair", "Teal Hair", "TURQUOISE hair", "brown eyes", "dark-eyes"])
def test_the_lora_carries_the_identity_so_the_words_do_not(phrase: str) -> None:
    shot = changed(pose=f"turning, {phrase} in the wind")
    with_lora = composed(shot)
    assert says(with_lora.text, phrase.replace("-", " ")) == 0
    assert "turning" in with_lora.text
    assert any("the LoRA carries it" in note for note in with_lora.notes)
    assert "in the wind" in composed(shot, lora=None).text
    assert says(composed(shot, lora=None).text, phrase.replace("-", " ")) >= 1


@pytest.mark.parametrize(
    ("pose", "expected"),
    [
        ("teal teal hair hair", ""),
        ("short teal hair hair", ""),
        ("with short hair and sandals", "with sandals"),
        ("turning with her brown eyes", "turning"),
        ("waving, blonde, dancing", "waving, dancing"),
        ("blonde", ""),
        ("shorthaired cat", "shorthaired cat"),
        ("blondes everywhere", "blondes everywhere"),
    ],
)
def test_what_is_left_is_a_phrase_or_nothing(pose: str, expected: str) -> None:
    # neither a word of the look that closed around the gap, nor a dangling "with"
    text = composed(changed(pose=pose, props="")).text
    middle = text.removeprefix("mirelo woman, half body portrait, smiling, wearing a red hoodie").removesuffix(
        ", in a cafe, daylight, flat vector illustration"
    )
    assert middle.removeprefix(", ") == expected


@pytest.mark.parametrize("field", ["scene", "outfit", "pose", "expression", "light", "props"])
@pytest.mark.parametrize("trigger", ["mirelo", "MIRELO", "Mirelo mirelo", "mirelo woman"])
def test_a_trigger_in_the_shot_is_not_said_twice(field: str, trigger: str) -> None:
    prompt = composed(changed(**{field: f"{trigger} reading"}))
    assert says(prompt.text, "mirelo") == 1
    assert prompt.text.startswith("mirelo woman, ")


@pytest.mark.parametrize(
    "look",
    [
        LOOK.model_copy(update={"noun": "mirelo woman"}),
        LOOK.model_copy(update={"noun": "Mirelo"}),
        LOOK.model_copy(update={"style": "mirelo style, teal hair, flat vector illustration"}),
    ],
)
def test_a_trigger_in_the_pack_is_not_said_twice(look: Look) -> None:
    prompt = composed(look=look)
    assert says(prompt.text, "mirelo") == 1
    assert prompt.text.startswith("mirelo")
    assert says(prompt.text, "teal hair") == 0


# ---- whatever the shot says ----------------------------------------------------------------------------------------------

_LOADED = (
    "mirelo",
    "MIRELO",
    "short hair",
    "Short  Hair",
    "BLONDE",
    "blue eyes",
    "Teal hair",
    "long wavy teal hair",
    "hair",
    "teal",
)
_fragments = st.one_of(
    st.sampled_from((*_LOADED, "brown eyes", "dark eyes", "with", "and", "a", ",", "-", "in the rain", "reading", "her")),
    st.text(min_size=1, max_size=12),
)
texts = st.lists(_fragments, min_size=1, max_size=6).map(" ".join)
shots = st.builds(
    Shot,
    scene=texts.filter(lambda said: printable(said).strip()),
    outfit=texts.filter(lambda said: printable(said).strip()),
    pose=texts,
    expression=texts.filter(lambda said: printable(said).strip()),
    framing=st.sampled_from(Framing),
    light=texts.filter(lambda said: printable(said).strip()),
    props=texts,
)
repairs_asked = st.lists(
    st.builds(Repair, kind=st.sampled_from(RepairKind), because=st.just("found"), phrase=texts), max_size=4
)


@given(shot=shots, repairs=repairs_asked, limited=st.booleans())
def test_the_trigger_is_said_once_and_first_whatever_the_shot_says(shot: Shot, repairs: list[Repair], limited: bool) -> None:
    prompt = composed(shot, repairs=repairs, vocabulary=WORDS if limited else None)
    assert prompt.text.startswith("mirelo woman")
    assert says(prompt.text, "mirelo") == 1
    assert says(prompt.negative, "mirelo") == 0


@given(shot=shots, repairs=repairs_asked)
def test_no_contradiction_and_no_identity_word_survives(shot: Shot, repairs: list[Repair]) -> None:
    with_lora = composed(shot, repairs=repairs).text
    for phrase in (
        "short hair",
        "blonde",
        "bob haircut",
        "blue eyes",
        "long wavy teal hair",
        "teal hair",
        "brown eyes",
        "dark eyes",
    ):
        assert says(with_lora, phrase) == 0
    in_words = composed(shot, lora=None, repairs=repairs).text
    assert in_words.startswith("a woman with long wavy teal hair, brown eyes")
    for phrase in ("short hair", "blonde", "bob haircut", "blue eyes"):
        assert says(in_words, phrase) == 0


@given(shot=shots, repairs=repairs_asked)
def test_the_same_shot_and_repairs_give_the_same_prompt(shot: Shot, repairs: list[Repair]) -> None:
    assert composed(shot, repairs=repairs) == composed(shot, repairs=repairs)


# ---- repairs -------------------------------------------------------------------------------------------------------------

REPAIRS = [
    (RepairKind.RAISE_LORA_SCALE, "", {}),
    (RepairKind.LOWER_LORA_SCALE, "", {}),
    (RepairKind.CLOSER_FRAMING, "", {}),
    (RepairKind.NAME_FRAMING, "", {}),
    (RepairKind.NAME_FRAMING, "", {"framing": Framing.FULL_BODY}),
    (RepairKind.NAME_FRAMING, "room above the head", {}),
    (RepairKind.NAME_FRAMING, "", {"framing": Framing.CLOSE_UP}),
    (RepairKind.ONE_PERSON, "", {}),
    (RepairKind.HIDE_HANDS, "", {}),
    (RepairKind.EMPHASISE, "cafe", {}),
    (RepairKind.EMPHASISE, "a steaming cup", {}),
    (RepairKind.REMOVE_WORDS, "a sketchbook", {}),
    (RepairKind.MORE_STEPS, "", {}),
    (RepairKind.SAFER_WORDING, "", {}),
    (RepairKind.OTHER_SETTING, "", {}),
]


@pytest.mark.parametrize(("kind", "phrase", "fields"), REPAIRS)
def test_each_repair_changes_the_picture_that_is_asked_for(kind: RepairKind, phrase: str, fields: dict[str, object]) -> None:
    before = changed(**fields)
    asked = [repair(kind, phrase)]
    after = repair_shot(before, asked, LOOK, attempt=2)
    first, second = composed(before), composed(after, repairs=asked)
    assert first.model_copy(update={"notes": ()}) != second.model_copy(update={"notes": ()})
    assert f"{kind}: the critic said so" in second.notes


def test_every_kind_of_repair_is_in_the_table_or_acts_elsewhere() -> None:
    # a new seed and the part to draw anew are the caller's arguments; a note is given to the art director
    assert {kind for kind, _, _ in REPAIRS} | {RepairKind.NEW_SEED, RepairKind.NOTE, RepairKind.INPAINT} == set(RepairKind)


@pytest.mark.parametrize("kind", [RepairKind.NEW_SEED, RepairKind.NOTE, RepairKind.INPAINT])
def test_repairs_that_act_elsewhere_only_leave_a_note(kind: RepairKind) -> None:
    prompt = composed(repairs=[repair(kind)])
    assert (prompt.text, prompt.notes) == (composed().text, (f"{kind}: the critic said so",))
    assert repair_shot(SHOT, [repair(kind)], LOOK, attempt=2) == SHOT


@pytest.mark.parametrize(
    ("phrase", "second"),
    [
        ("cafe", "in a cafe"),
        ("CAFE", "in a cafe"),
        ("red hoodie", "wearing a red hoodie"),
        ("a steaming cup", "a steaming cup"),
        ("flat vector illustration", "flat vector illustration"),
        ("blonde", "half body portrait"),
        ("mirelo", "half body portrait"),
    ],
)
def test_a_missing_phrase_moves_behind_the_subject(phrase: str, second: str) -> None:
    assert composed(repairs=[repair(RepairKind.EMPHASISE, phrase)]).text.split(", ")[1] == second


def test_a_model_of_few_words_only_changes_their_order() -> None:
    plain = composed(vocabulary=WORDS).text.split(", ")
    asked = composed(
        vocabulary=WORDS, repairs=[repair(RepairKind.EMPHASISE, "daylight"), repair(RepairKind.EMPHASISE, "a cup")]
    )
    assert asked.text.split(", ")[1] == "daylight"
    assert sorted(asked.text.split(", ")) == sorted(plain)


@pytest.mark.parametrize(
    ("kind", "phrase", "negative"),
    [
        (RepairKind.REMOVE_WORDS, "a sketchbook", "a sketchbook"),
        (RepairKind.REMOVE_WORDS, "mirelo", ""),
        (RepairKind.ONE_PERSON, "", "two people, crowd"),
        (RepairKind.HIDE_HANDS, "", "visible hands"),
        (RepairKind.SAFER_WORDING, "", "nudity, revealing clothes"),
    ],
)
def test_what_a_repair_wants_to_see_no_more_goes_into_the_negative_prompt(kind: RepairKind, phrase: str, negative: str) -> None:
    assert composed(repairs=[repair(kind, phrase)]).negative == negative


@pytest.mark.parametrize(
    ("scale", "times", "expected"),
    [(1.0, 1, 1.1), (1.0, 3, 1.3), (1.35, 1, MAX_LORA_SCALE), (1.4, 2, MAX_LORA_SCALE), (2.0, 1, 2.0), (0.0, 1, 0.1)],
)
def test_raising_the_scale_never_lowers_it(scale: float, times: int, expected: float) -> None:
    choice = LORA.model_copy(update={"scale": scale})
    assert composed(lora=choice, repairs=[repair(RepairKind.RAISE_LORA_SCALE)] * times).lora_scale == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scale", "times", "expected"), [(1.0, 1, 0.9), (1.0, 9, 0.6), (0.65, 1, 0.6), (0.3, 2, 0.3), (2.0, 1, 1.9)]
)
def test_lowering_the_scale_never_raises_it(scale: float, times: int, expected: float) -> None:
    choice = LORA.model_copy(update={"scale": scale})
    assert composed(lora=choice, repairs=[repair(RepairKind.LOWER_LORA_SCALE)] * times).lora_scale == pytest.approx(expected)


@pytest.mark.parametrize("kind", [RepairKind.RAISE_LORA_SCALE, RepairKind.LOWER_LORA_SCALE])
def test_without_a_lora_there_is_no_scale_to_change(kind: RepairKind) -> None:
    assert composed(lora=None, repairs=[repair(kind)]).lora_scale == 1.0


@pytest.mark.parametrize("phrase", ["", "full body"])
def test_a_framing_that_was_ignored_is_spelled_out(phrase: str) -> None:
    text = composed(changed(framing=Framing.FULL_BODY), repairs=[repair(RepairKind.NAME_FRAMING, phrase)]).text
    assert "wide shot from a distance" in text


@pytest.mark.parametrize(("steps", "expected"), [(16, 24), (1, 2), (150, MAX_STEPS), (200, MAX_STEPS), (None, None)])
def test_more_steps(steps: int | None, expected: int | None) -> None:
    assert composed(steps=steps, repairs=[repair(RepairKind.MORE_STEPS)]).steps == expected


@pytest.mark.parametrize(
    ("framing", "vocabulary", "expected"),
    [
        (Framing.FULL_BODY, None, Framing.HALF_BODY),
        (Framing.HALF_BODY, None, Framing.CLOSE_UP),
        (Framing.CLOSE_UP, None, Framing.CLOSE_UP),
        (Framing.FULL_BODY, WORDS.model_copy(update={"framings": (Framing.CLOSE_UP,)}), Framing.CLOSE_UP),
        (Framing.HALF_BODY, WORDS.model_copy(update={"framings": (Framing.HALF_BODY, Framing.FULL_BODY)}), Framing.HALF_BODY),
        (Framing.HALF_BODY, WORDS.model_copy(update={"framings": ()}), Framing.HALF_BODY),
    ],
)
def test_closer_framing(framing: Framing, vocabulary: ShotVocabulary | None, expected: Framing) -> None:
    asked = [repair(RepairKind.CLOSER_FRAMING)]
    assert repair_shot(changed(framing=framing), asked, LOOK, attempt=2, vocabulary=vocabulary).framing is expected


@pytest.mark.parametrize("attempt", [2, 3])
@pytest.mark.parametrize("kind", [RepairKind.OTHER_SETTING, RepairKind.SAFER_WORDING, RepairKind.HIDE_HANDS])
def test_a_repaired_shot_stays_within_the_words_of_the_model(kind: RepairKind, attempt: int) -> None:
    shot = repair_shot(SHOT, [repair(kind)], LOOK, attempt=attempt, vocabulary=WORDS)
    assert shot.outfit in WORDS.outfits
    assert shot.framing in WORDS.framings
    assert shot.expression in WORDS.expressions
    assert shot != SHOT


@pytest.mark.parametrize(
    ("outfit", "vocabulary", "look", "expected"),
    [
        ("green dress", None, LOOK, {"red hoodie", "grey coat"}),
        ("red hoodie", None, LOOK, {"grey coat"}),
        ("green dress", None, LOOK.model_copy(update={"wardrobe": ("Red Hoodie",)}), {"Red Hoodie"}),
        ("green dress", None, LOOK.model_copy(update={"wardrobe": ()}), {"sweater and long trousers"}),
        ("green dress", WORDS, LOOK, {"red hoodie", "blue sweater"}),
        ("red hoodie", WORDS.model_copy(update={"outfits": ("red hoodie", "green dress")}), LOOK, {"red hoodie"}),
    ],
)
def test_safer_wording_covers(outfit: str, vocabulary: ShotVocabulary | None, look: Look, expected: set[str]) -> None:
    asked = [repair(RepairKind.SAFER_WORDING)]
    found = {repair_shot(changed(outfit=outfit), asked, look, attempt=n, vocabulary=vocabulary).outfit for n in (1, 2, 3, 4)}
    assert found == expected


def test_another_setting_prefers_her_own_clothes() -> None:
    found = {repair_shot(SHOT, [repair(RepairKind.OTHER_SETTING)], LOOK, attempt=n, vocabulary=WORDS).outfit for n in (2, 3)}
    assert found == {"green dress"}


# ---- seeds ---------------------------------------------------------------------------------------------------------------


@given(slot=st.text(min_size=1, max_size=40), attempt=st.integers(1, 50))
def test_seeds_are_the_same_on_every_machine_and_fit_in_32_bits(slot: str, attempt: int) -> None:
    assert seed_for(slot, attempt) == seed_for(slot, attempt)
    assert 0 <= seed_for(slot, attempt) < 2**32


def test_each_attempt_has_its_own_seed() -> None:
    assert len({seed_for("mira:2026-11-21:noon", number) for number in range(1, 200)}) == 199
    assert seed_for("mira:2026-11-21:noon", 1) == 3608218224
