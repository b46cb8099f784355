"""Finding → the ladder of changes that the next attempts try, and what became of each change.

    next_repairs(verdict, earlier, felt=lambda repair: True)   # one step up the ladder of each failed finding
    mends(attempt.repairs, verdict)                            # which of them made their finding go away
    standing(attempts)                                         # what each repair has achieved over many posts

The instrument names the first change, because it saw the picture; the table says what comes next when the same finding
(criterion and aspect) survived that. It knows no model: whether a change can be felt in the prompt is the caller's answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import Field

from zirelia.domain.shot import Attempt
from zirelia.domain.value import Value
from zirelia.domain.verdict import Criterion, Finding, Mend, Outcome, Repair, RepairKind, Rubric, Verdict, spelled

_K = RepairKind
FEW_USES = 5


class Step(NamedTuple):
    """One rung: what to change, and the words for it where the table knows better than the instrument's own phrase."""

    kind: RepairKind
    phrase: str = ""


_FACE = (_K.INPAINT, _K.CLOSER_FRAMING, _K.NEW_SEED, _K.OTHER_SETTING)
_PLACE = (_K.EMPHASISE, _K.NEW_SEED, _K.OTHER_SETTING)
_TRAIT = (_K.REMOVE_WORDS, _K.RAISE_LORA_SCALE, _K.EMPHASISE, _K.CLOSER_FRAMING, _K.OTHER_SETTING)
_COARSE = (_K.MORE_STEPS, _K.NEW_SEED, _K.OTHER_SETTING)
_LETTERS = (Step(_K.REMOVE_WORDS, "text, letters"), _K.NEW_SEED, _K.OTHER_SETTING)
_HEADROOM = (Step(_K.NAME_FRAMING, "room above the head"), _K.NEW_SEED, _K.OTHER_SETTING)

LADDERS: Mapping[tuple[Criterion, str], tuple[RepairKind | Step, ...]] = {
    (Criterion.IDENTITY, "likeness"): (_K.RAISE_LORA_SCALE, _K.CLOSER_FRAMING, _K.INPAINT, _K.OTHER_SETTING),
    (Criterion.IDENTITY, "face"): _FACE,
    (Criterion.IDENTITY, "style"): (_K.LOWER_LORA_SCALE, _K.NEW_SEED, _K.OTHER_SETTING),
    (Criterion.SUBJECTS, "people"): (_K.ONE_PERSON, _K.CLOSER_FRAMING, _K.NEW_SEED, _K.OTHER_SETTING),
    (Criterion.FRAMING, "framing"): (_K.NAME_FRAMING, _K.NEW_SEED, _K.OTHER_SETTING),
    (Criterion.FRAMING, "head"): _HEADROOM,
    (Criterion.FRAMING, "cut off head"): _HEADROOM,
    (Criterion.ANATOMY, "hands"): (_K.INPAINT, _K.HIDE_HANDS, _K.CLOSER_FRAMING, _K.NEW_SEED),
    (Criterion.ANATOMY, "limbs"): (_K.HIDE_HANDS, _K.CLOSER_FRAMING, _K.NEW_SEED, _K.OTHER_SETTING),
    (Criterion.ANATOMY, "face"): _FACE,
    (Criterion.BRIEF, "scene"): _PLACE,
    (Criterion.BRIEF, "light"): _PLACE,
    (Criterion.BRIEF, "garment"): (_K.EMPHASISE, _K.NAME_FRAMING, _K.OTHER_SETTING),
    (Criterion.BRIEF, "cloth"): (_K.EMPHASISE, _K.NEW_SEED, _K.OTHER_SETTING),
    (Criterion.BRIEF, "expression"): (_K.EMPHASISE, _K.CLOSER_FRAMING, _K.OTHER_SETTING),
    (Criterion.LOOK, "style"): (_K.REMOVE_WORDS, _K.LOWER_LORA_SCALE, _K.EMPHASISE, _K.NEW_SEED, _K.OTHER_SETTING),
    (Criterion.TECHNICAL, "size"): (_K.NEW_SEED,),
    (Criterion.TECHNICAL, "blank"): (_K.NEW_SEED, _K.MORE_STEPS, _K.OTHER_SETTING),
    (Criterion.TECHNICAL, "exposure"): (
        Step(_K.EMPHASISE, "soft even light"),
        _K.LOWER_LORA_SCALE,
        _K.NEW_SEED,
        _K.OTHER_SETTING,
    ),
    (Criterion.TECHNICAL, "contrast"): (_K.LOWER_LORA_SCALE, Step(_K.EMPHASISE, "soft even light"), _K.NEW_SEED),
    (Criterion.TECHNICAL, "bars"): (Step(_K.REMOVE_WORDS, "black bars, border, frame"), _K.NEW_SEED, _K.OTHER_SETTING),
    (Criterion.TECHNICAL, "banding"): _COARSE,
    (Criterion.TECHNICAL, "noise"): _COARSE,
    (Criterion.TECHNICAL, "sharpness"): _COARSE,
    (Criterion.TECHNICAL, "lettering"): _LETTERS,
    (Criterion.NOVELTY, "copy"): (_K.OTHER_SETTING, _K.NEW_SEED),
    (Criterion.SAFETY, "nudity"): (_K.SAFER_WORDING,),
}
"""What survives its first repair tries these in order. Aspects that are not named here take the ladder of their criterion."""

DEFAULTS: Mapping[Criterion, tuple[RepairKind | Step, ...]] = {
    Criterion.IDENTITY: (_K.RAISE_LORA_SCALE, _K.CLOSER_FRAMING, _K.OTHER_SETTING),
    Criterion.SUBJECTS: (_K.ONE_PERSON, _K.CLOSER_FRAMING, _K.NEW_SEED, _K.OTHER_SETTING),
    Criterion.FRAMING: (_K.NAME_FRAMING, _K.NEW_SEED, _K.OTHER_SETTING),
    Criterion.ANATOMY: (_K.CLOSER_FRAMING, _K.NEW_SEED, _K.OTHER_SETTING),
    Criterion.BRIEF: _PLACE,
    Criterion.LOOK: _TRAIT,
    Criterion.TECHNICAL: _COARSE,
    Criterion.SAFETY: (_K.SAFER_WORDING,),
    Criterion.NOVELTY: (_K.OTHER_SETTING, _K.NEW_SEED),
}
_WORDY = frozenset({_K.EMPHASISE, _K.REMOVE_WORDS})


def ladder(criterion: Criterion, aspect: str) -> tuple[Step, ...]:
    """The steps for one kind of finding, the first one first; never empty."""
    rungs = LADDERS.get((criterion, spelled(aspect)), DEFAULTS[criterion])
    return tuple(rung if isinstance(rung, Step) else Step(rung) for rung in rungs)


def may_retry(verdict: Verdict, earlier: Sequence[Repair], rubric: Rubric) -> bool:
    """Whether another attempt may be made at all.

    Not when nothing was found wrong and nobody could judge: another picture would be paid for and stay as unjudged, unless a
    finding names what would let it be checked. An unsafe picture is tried once more and no further: no drawing until the judge
    happens to miss it.
    """
    if verdict.passed or verdict.hold:
        return False
    wrong = any(finding.criterion not in rubric.advisory for finding in verdict.failed)
    if not wrong and not any(finding.criterion in rubric.must_check for finding in _checkable(verdict)):
        return False
    unsafe = any(finding.criterion is Criterion.SAFETY for finding in verdict.failed)
    return not (unsafe and any(repair.criterion is Criterion.SAFETY for repair in earlier))


def next_repairs(
    verdict: Verdict, earlier: Sequence[Repair], *, felt: Callable[[Repair], bool], can_inpaint: bool = False
) -> tuple[Repair, ...]:
    """What the next attempt changes: for each failed finding, and each that would be checked in another picture, the first
    change that was not tried in this post and is felt.

    Args:
        earlier: all repairs that this post's attempts applied.
        felt: whether the next prompt would differ by the repair; a change that nobody feels is no change.
        can_inpaint: of the maker of the picture. One part is drawn anew only when all else is well.
    """
    tried = {(repair.kind, repair.phrase) for repair in earlier}
    asking = (*verdict.failed, *_checkable(verdict))
    whole = can_inpaint and len({_key(finding) for finding in asking}) == 1
    chosen: list[Repair] = []
    for finding in asking:
        if not _asks(finding, earlier):
            continue
        taken = {(repair.kind, repair.phrase) for repair in chosen}
        for repair in _candidates(finding, whole=whole):
            known = (repair.kind, repair.phrase)
            if known in taken:  # another finding asks for the same, which answers this one too
                break
            if known not in tried and (repair.kind in {_K.NEW_SEED, _K.INPAINT} or felt(repair)):
                chosen.append(repair)
                break
        else:
            if not any(repair.kind is _K.NEW_SEED for repair in chosen):
                chosen.append(_for(finding, Step(_K.NEW_SEED), because=f"nothing else is left to try: {finding.explanation}"))
    return tuple(chosen)


def mends(repairs: Sequence[Repair], verdict: Verdict) -> tuple[Mend, ...]:
    """What became of each repair that names its finding, in the attempt that applied it."""
    return tuple(
        Mend(
            kind=repair.kind,
            criterion=repair.criterion,
            aspect=repair.aspect,
            phrase=repair.phrase,
            gone=_gone(repair.criterion, repair.aspect, verdict),
        )
        for repair in repairs
        if repair.criterion is not None
    )


class Standing(Value):
    """What one kind of repair has achieved against one kind of finding; unknown: nobody could check the finding again."""

    criterion: Criterion
    aspect: str
    kind: RepairKind
    gone: int = Field(default=0, ge=0)
    stayed: int = Field(default=0, ge=0)
    unknown: int = Field(default=0, ge=0)

    @property
    def applied(self) -> int:
        return self.gone + self.stayed + self.unknown


def standing(attempts: Iterable[Attempt]) -> tuple[Standing, ...]:
    """Of each finding and repair, the most used first. Attempts judged before `mends` was kept count by their findings."""
    counts: dict[tuple[Criterion, str, RepairKind], Counter[bool | None]] = {}
    for attempt in attempts:
        if attempt.verdict is None:
            continue
        for mend in attempt.verdict.mends or mends(attempt.repairs, attempt.verdict):
            counts.setdefault((mend.criterion, mend.aspect, mend.kind), Counter())[mend.gone] += 1
    rows = [
        Standing(criterion=criterion, aspect=aspect, kind=kind, gone=seen[True], stayed=seen[False], unknown=seen[None])
        for (criterion, aspect, kind), seen in counts.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.applied, row.criterion, row.aspect, row.kind)))


def never_helped(rows: Iterable[Standing], *, at_least: int = FEW_USES) -> tuple[Standing, ...]:
    """Those whose outcome is known at least so often, and whose finding never went away."""
    return tuple(row for row in rows if row.gone == 0 and row.stayed >= at_least)


def _checkable(verdict: Verdict) -> tuple[Finding, ...]:
    """What was not checked and names a change that would let it be checked."""
    return tuple(f for f in verdict.findings if f.outcome is Outcome.NOT_CHECKED and f.repair is not None)


def _key(finding: Finding) -> tuple[Criterion, str]:
    return finding.criterion, finding.aspect


def _asks(finding: Finding, earlier: Sequence[Repair]) -> bool:
    """Whether the finding can name a change: by its instrument, its aspect, or a repair that it survived."""
    known = any((repair.criterion, repair.aspect) == _key(finding) for repair in earlier)
    return finding.repair is not None or bool(finding.aspect) or known


def _candidates(finding: Finding, *, whole: bool) -> Iterator[Repair]:
    """First a part drawn anew where the table begins with that, then the instrument's own choice, then the table's."""
    steps = ladder(*_key(finding))
    inpaint = whole and finding.region is not None and finding.region.area > 0
    own = finding.repair
    if inpaint and steps[0].kind is _K.INPAINT:
        yield _for(finding, steps[0])
    if own is not None and (own.kind is not _K.INPAINT or inpaint):
        yield _for(finding, Step(own.kind, own.phrase), because=own.because)
    for step in steps:
        if step.kind is _K.INPAINT and not inpaint:
            continue
        if step.kind in _WORDY and not step.phrase:
            if own is None or not own.phrase:
                continue
            step = Step(step.kind, own.phrase)  # the rung with the instrument's words
        if step.kind is _K.REMOVE_WORDS and own is not None and own.kind is not _K.REMOVE_WORDS and step.phrase == own.phrase:
            continue  # what the instrument wants to see is not to be removed
        if step.kind is _K.EMPHASISE and own is not None and own.kind is _K.REMOVE_WORDS and step.phrase == own.phrase:
            continue
        yield _for(finding, step)


def _for(finding: Finding, step: Step, *, because: str | None = None) -> Repair:
    return Repair(
        kind=step.kind,
        phrase=step.phrase,
        because=because or finding.explanation,
        criterion=finding.criterion,
        aspect=finding.aspect,
        region=finding.region,
    )


def _gone(criterion: Criterion, aspect: str, verdict: Verdict) -> bool | None:
    outcomes = {f.outcome for f in verdict.findings if (f.criterion, f.aspect) == (criterion, aspect)}
    if Outcome.FAILED in outcomes:
        return False
    return True if Outcome.PASSED in outcomes else None
