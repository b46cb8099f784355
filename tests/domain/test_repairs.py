"""The ladder between a finding and the next attempt: never the same useless change twice, and honest about what helped."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.box import Box
from zirelia.domain.repairs import (
    DEFAULTS,
    LADDERS,
    Standing,
    ladder,
    may_retry,
    mends,
    never_helped,
    next_repairs,
)
from zirelia.domain.verdict import Criterion, Finding, Mend, Outcome, Repair, RepairKind, Rubric, Verdict, fold

C, K, O = Criterion, RepairKind, Outcome  # noqa: E741 - read as a table
FACE = Box(left=0.3, top=0.1, right=0.6, bottom=0.5)


def finding(
    criterion: Criterion,
    aspect: str = "",
    outcome: Outcome = O.FAILED,
    *,
    repair: Repair | None = None,
    region: Box | None = None,
) -> Finding:
    return Finding(
        criterion=criterion, aspect=aspect, outcome=outcome, instrument="test", explanation="seen", repair=repair, region=region
    )


def verdict(*findings: Finding) -> Verdict:
    return fold(findings, Rubric(must_check=frozenset()))


def asked(kind: RepairKind, phrase: str = "") -> Repair:
    return Repair(kind=kind, phrase=phrase, because="the instrument said so")


def climbed(seen: Finding, *, times: int, felt: frozenset[RepairKind] = frozenset(K), **more: bool) -> list[RepairKind]:
    """The changes that one finding gets when none of them helps."""
    earlier: list[Repair] = []
    for _ in range(times):
        earlier += next_repairs(verdict(seen), earlier, felt=lambda repair: repair.kind in felt, **more)
    return [repair.kind for repair in earlier]


@pytest.mark.parametrize(
    ("seen", "kinds"),
    [
        (finding(C.TECHNICAL, "noise", repair=asked(K.MORE_STEPS)), [K.MORE_STEPS, K.NEW_SEED, K.OTHER_SETTING, K.NEW_SEED]),
        (finding(C.BRIEF, "scene", repair=asked(K.EMPHASISE, "cafe")), [K.EMPHASISE, K.NEW_SEED, K.OTHER_SETTING]),
        (finding(C.FRAMING, "cut-off head"), [K.NAME_FRAMING, K.NEW_SEED, K.OTHER_SETTING]),
        (finding(C.SUBJECTS, "people", repair=asked(K.ONE_PERSON)), [K.ONE_PERSON, K.CLOSER_FRAMING, K.NEW_SEED]),
        (finding(C.TECHNICAL, "lettering"), [K.REMOVE_WORDS, K.NEW_SEED, K.OTHER_SETTING]),
        (finding(C.IDENTITY, "style"), [K.LOWER_LORA_SCALE, K.NEW_SEED, K.OTHER_SETTING]),
        (finding(C.IDENTITY, "identity", repair=asked(K.NEW_SEED)), [K.NEW_SEED, K.RAISE_LORA_SCALE, K.CLOSER_FRAMING]),
        (finding(C.ANATOMY, "hands", repair=asked(K.HIDE_HANDS)), [K.HIDE_HANDS, K.CLOSER_FRAMING, K.NEW_SEED, K.NEW_SEED]),
        (finding(C.LOOK, "hair", repair=asked(K.REMOVE_WORDS, "blonde")), [K.REMOVE_WORDS, K.RAISE_LORA_SCALE]),
        (finding(C.LOOK, "hair", repair=asked(K.EMPHASISE, "teal hair")), [K.EMPHASISE, K.RAISE_LORA_SCALE]),
        (finding(C.NOVELTY, "copy"), [K.OTHER_SETTING, K.NEW_SEED, K.NEW_SEED]),
        (finding(C.ANATOMY, "a third ear"), [K.CLOSER_FRAMING, K.NEW_SEED, K.OTHER_SETTING]),
    ],
)
def test_a_finding_that_survives_climbs_its_ladder(seen: Finding, kinds: list[RepairKind]) -> None:
    assert climbed(seen, times=len(kinds)) == kinds


def test_a_change_that_nobody_would_feel_is_passed_over() -> None:
    seen = finding(C.IDENTITY, "identity", repair=asked(K.RAISE_LORA_SCALE))
    assert climbed(seen, times=1, felt=frozenset({K.OTHER_SETTING})) == [K.OTHER_SETTING]
    assert climbed(seen, times=2, felt=frozenset()) == [K.NEW_SEED, K.NEW_SEED]


@pytest.mark.parametrize(
    ("seen", "able", "first"),
    [
        ([finding(C.ANATOMY, "hands", region=FACE, repair=asked(K.HIDE_HANDS))], True, K.INPAINT),
        ([finding(C.ANATOMY, "hands", region=FACE, repair=asked(K.HIDE_HANDS))], False, K.HIDE_HANDS),
        ([finding(C.ANATOMY, "hands", repair=asked(K.HIDE_HANDS))], True, K.HIDE_HANDS),
        ([finding(C.ANATOMY, "face", region=FACE, repair=asked(K.INPAINT))], False, K.CLOSER_FRAMING),
        ([finding(C.ANATOMY, "face", region=FACE), finding(C.BRIEF, "scene")], True, K.CLOSER_FRAMING),
        ([finding(C.ANATOMY, "face", region=FACE), finding(C.BRIEF, "scene", O.PASSED)], True, K.INPAINT),
        ([finding(C.ANATOMY, "face", region=FACE.model_copy(update={"right": 0.3}))], True, K.CLOSER_FRAMING),
    ],
)
def test_a_part_is_drawn_anew_only_where_all_else_is_well(seen: list[Finding], able: bool, first: RepairKind) -> None:
    chosen = next_repairs(verdict(*seen), (), felt=lambda _: True, can_inpaint=able)[0]
    assert chosen.kind is first
    assert chosen.region == seen[0].region


def test_two_findings_that_ask_for_the_same_get_it_once() -> None:
    seen = [
        finding(C.TECHNICAL, "noise", repair=asked(K.MORE_STEPS)),
        finding(C.TECHNICAL, "banding", repair=asked(K.MORE_STEPS)),
    ]
    assert [r.aspect for r in next_repairs(verdict(*seen), (), felt=lambda _: True)] == ["noise"]


def test_a_finding_that_names_nothing_asks_for_nothing() -> None:
    assert next_repairs(verdict(finding(C.BRIEF)), (), felt=lambda _: True) == ()


_findings = st.lists(
    st.builds(
        finding,
        st.sampled_from(C),
        st.sampled_from([*{aspect for _, aspect in LADDERS}, "", "of no table"]),
        st.sampled_from(O),
        repair=st.none() | st.builds(asked, st.sampled_from(K), st.sampled_from(["", "cafe"])),
        region=st.none() | st.just(FACE),
    ),
    max_size=6,
)


@given(rounds=st.lists(_findings, max_size=4), felt=st.frozensets(st.sampled_from(K)), able=st.booleans())
def test_no_change_but_a_new_seed_is_made_twice(rounds: list[list[Finding]], felt: frozenset[RepairKind], able: bool) -> None:
    earlier: list[Repair] = []
    for seen in rounds:
        chosen = next_repairs(verdict(*seen), earlier, felt=lambda repair: repair.kind in felt, can_inpaint=able)
        assert all(r.kind in felt | {K.NEW_SEED, K.INPAINT} for r in chosen)
        assert all(r.region is not None for r in chosen if r.kind is K.INPAINT)
        assert able or all(r.kind is not K.INPAINT for r in chosen)
        earlier += chosen
    known = [(r.kind, r.phrase) for r in earlier if r.kind is not K.NEW_SEED]
    assert len(known) == len(set(known))


def test_every_criterion_has_a_ladder() -> None:
    assert set(DEFAULTS) == set(C)
    assert all(ladder(criterion, "of no table") for criterion in C)


# ---- what may not be tried again ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "earlier", "expected"),
    [
        ([finding(C.SAFETY, "nudity")], [], True),
        ([finding(C.SAFETY, "nudity")], [C.BRIEF], True),
        ([finding(C.SAFETY, "nudity")], [C.SAFETY], False),
        ([finding(C.BRIEF, "scene")], [C.SAFETY], True),
        ([finding(C.SAFETY, "minor")], [], False),
        ([finding(C.BRIEF, "scene", O.PASSED)], [], False),
    ],
)
def test_an_unsafe_picture_is_tried_once_more(seen: list[Finding], earlier: Sequence[Criterion], expected: bool) -> None:
    repairs = [Repair(kind=K.SAFER_WORDING, because="seen", criterion=criterion) for criterion in earlier]
    assert may_retry(verdict(*seen), repairs, Rubric(must_check=frozenset())) is expected


@pytest.mark.parametrize(
    ("seen", "rubric", "expected"),
    [
        ([finding(C.SAFETY, outcome=O.NOT_CHECKED)], Rubric(), False),
        ([finding(C.IDENTITY, "face", O.NOT_CHECKED, repair=asked(K.CLOSER_FRAMING))], Rubric(), True),
        ([finding(C.LOOK, "hair", O.NOT_CHECKED, repair=asked(K.EMPHASISE, "teal hair"))], Rubric(), False),
        ([finding(C.LOOK, "hair")], Rubric(advisory=frozenset({C.LOOK})), False),
        ([finding(C.LOOK, "hair")], Rubric(), True),
    ],
)
def test_no_picture_is_drawn_because_nobody_could_judge_the_last(seen: list[Finding], rubric: Rubric, expected: bool) -> None:
    assert may_retry(fold(seen, rubric), (), rubric) is expected


# ---- what became of the repairs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "gone"),
    [
        ([], None),
        ([finding(C.LOOK, "hair", O.PASSED)], True),
        ([finding(C.LOOK, "hair", O.NOT_CHECKED)], None),
        ([finding(C.LOOK, "hair", O.PASSED), finding(C.LOOK, "hair")], False),
        ([finding(C.LOOK, "eyes"), finding(C.LOOK, "hair", O.PASSED)], True),
        ([finding(C.BRIEF, "hair")], None),
    ],
)
def test_a_repair_helped_when_its_own_finding_passes(later: list[Finding], gone: bool | None) -> None:
    hair = Repair(kind=K.RAISE_LORA_SCALE, because="not teal", criterion=C.LOOK, aspect="hair")
    wish = Repair(kind=K.NOTE, because="ana asked")
    assert mends([hair, wish], verdict(*later)) == (Mend(kind=K.RAISE_LORA_SCALE, criterion=C.LOOK, aspect="hair", gone=gone),)


def test_what_never_helped_is_told_only_of_what_was_used_enough() -> None:
    rows = [
        Standing(criterion=C.LOOK, aspect="hair", kind=kind, gone=gone, stayed=stayed, unknown=unknown)
        for kind, gone, stayed, unknown in [
            (K.NEW_SEED, 0, 5, 0),
            (K.MORE_STEPS, 0, 4, 9),
            (K.EMPHASISE, 1, 9, 0),
        ]
    ]
    assert [row.kind for row in never_helped(rows)] == [K.NEW_SEED]
    assert rows[1].applied == 13
