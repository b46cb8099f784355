"""Which checkpoint of a training is used: what was measured of each, and the rule that chooses.

    choice = choose(measured, floors=Floors())
    choice.step, choice.scale, choice.because       # 300, 1.0, 'earliest within one standard error of the best identity ...'

The earliest checkpoint within one standard error of the best mean identity that keeps the floors wins: a later one only
remembers more. The mean, because a median forgives a checkpoint that misses the face in every third picture. It knows nothing
of pictures.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from zirelia.domain.lora import Scale
from zirelia.domain.value import Text, Value

WELL_BELOW = 0.7
"""Share of the real pairs' identity under which the face was not learnt."""
NEARLY_REAL = 0.9
"""Share from which identity that still rises is no reason to train longer."""
DIVERSITY_LOST = 0.15
"""Share of the diversity whose loss, at the same identity, says that the pictures become one."""
MEMORISED_GAIN = 0.05
"""Rise of the likeness to training pictures that, at the same identity, says that these are painted again."""


class Measured(Value):
    """One checkpoint at one scale. Scores are in the recogniser's unit, shares are 0-1; None where nothing could measure it.

    identities: one score a picture with the trigger. agreement: share of what the prompts asked for that the pictures show.
    leaks: scores of pictures without the trigger or of another person described. leaked: share of those that are taken for
    the character. diversity: mean distance between the pictures (0: all the same). memorised: the largest likeness of a
    picture to any training image, by layout and not by face (1: the same picture). artefacts: share of pictures with
    technical faults.
    """

    step: int = Field(ge=1)
    scale: Scale
    identities: tuple[float, ...] = Field(min_length=1)
    agreement: float | None = Field(default=None, ge=0, le=1)
    leaks: tuple[float, ...] = ()
    leaked: float | None = Field(default=None, ge=0, le=1)
    diversity: float | None = Field(default=None, ge=0)
    memorised: float | None = Field(default=None, ge=0, le=1)
    artefacts: float | None = Field(default=None, ge=0, le=1)

    @property
    def identity(self) -> float:
        return statistics.median(self.identities)

    @property
    def tenth(self) -> float:
        """The 10th percentile; the lowest value when there are fewer than ten."""
        return sorted(self.identities)[len(self.identities) // 10]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.identities)

    @property
    def error(self) -> float:
        """Standard error of the mean identity."""
        return statistics.stdev(self.identities) / math.sqrt(len(self.identities)) if len(self.identities) > 1 else 0.0


class Floors(Value):
    """What a checkpoint must keep to be chosen at all."""

    agreement: float = Field(default=0.7, ge=0, le=1)
    leaked: float = Field(default=0.05, ge=0, le=1)

    def missed(self, measured: Measured, real: float | None = None) -> tuple[str, ...]:
        """The floors that it does not keep, in words. Agreement that nothing could measure is no fault; a leak is.

        real: median identity of real pictures, of which WELL_BELOW is the least that counts as the character.
        """
        said = []
        if real is not None and measured.identity < WELL_BELOW * real:
            said.append(
                f"the identity is {measured.identity:.3f}, {WELL_BELOW:.0%} of the real pictures' {real:.3f} is the least"
            )
        if measured.leaked is None:
            said.append("the leak was not measured")
        elif measured.leaked > self.leaked:
            said.append(
                f"{measured.leaked:.0%} of the pictures of others are taken for the character, {self.leaked:.0%} may be"
            )
        if measured.agreement is not None and measured.agreement < self.agreement:
            said.append(f"the pictures show {measured.agreement:.0%} of what was asked, {self.agreement:.0%} is wanted")
        return tuple(said)

    def shortfall(self, measured: Measured) -> float:
        """By how much leak and agreement miss their floors, added; 0 when they are kept. A leak not measured is whole."""
        leaked = 1.0 if measured.leaked is None else max(0.0, measured.leaked - self.leaked)
        unseen = 0.0 if measured.agreement is None else max(0.0, self.agreement - measured.agreement)
        return leaked + unseen


class Fit(StrEnum):
    """How the training as a whole came out."""

    GOOD = "good"
    UNDERFIT = "underfit"
    OVERFIT = "overfit"


class Choice(Value):
    """What was chosen, why, and how the training fits; `passed` is False when no checkpoint keeps the floors."""

    step: int
    scale: Scale
    because: Text
    fit: Fit
    fit_because: Text
    passed: bool
    measured: tuple[Measured, ...]

    @model_validator(mode="after")
    def _among(self) -> Self:
        if (self.step, self.scale) not in {(each.step, each.scale) for each in self.measured}:
            raise ValueError(f"step {self.step} at scale {self.scale} was not measured")
        return self

    @property
    def chosen(self) -> Measured:
        return next(each for each in self.measured if (each.step, each.scale) == (self.step, self.scale))


def choose(measured: Sequence[Measured], floors: Floors, *, real: float | None = None) -> Choice:
    """The earliest checkpoint within one standard error of the best mean identity among those that keep the floors.

    Of one step the weakest scale is taken, for the same reason: it bends the base least. When none keeps the floors, the best
    compromise is named: identity as a share of the best, less what it misses of the floors.

    Args:
        real: median identity of real pictures among themselves, against which underfitting is named.

    Raises ValueError when nothing was measured, or one checkpoint twice at one scale.
    """
    ordered = sorted(measured, key=lambda each: (each.step, each.scale))
    places = [(each.step, each.scale) for each in ordered]
    if not places:
        raise ValueError("nothing was measured to choose from")
    if len(set(places)) < len(places):
        twice = next(place for place in places if places.count(place) > 1)
        raise ValueError(f"step {twice[0]} at scale {twice[1]:g} was measured twice")
    passing = [each for each in ordered if not floors.missed(each, real)]
    if passing:
        best = max(passing, key=lambda each: each.mean)
        chosen = next(each for each in passing if each.mean >= best.mean - best.error)
        because = _why(chosen, best)
    else:
        chosen = _compromise(ordered, floors)
        because = f"no checkpoint keeps the floors; the best compromise, but {' and '.join(floors.missed(chosen, real))}"
    if chosen.agreement is None:
        because += "; nothing here could measure what the pictures show"
    fit, fit_because = _fit([each for each in ordered if each.scale == chosen.scale], real)
    return Choice(
        step=chosen.step,
        scale=chosen.scale,
        because=because,
        fit=fit,
        fit_because=fit_because,
        passed=bool(passing),
        measured=tuple(ordered),
    )


def _why(chosen: Measured, best: Measured) -> str:
    if chosen == best:
        return f"the best mean identity of those that keep the floors, {best.mean:.3f}, and no earlier one comes as near"
    return (
        f"earliest within one standard error ({best.error:.3f}) of the best mean identity that keeps the floors: "
        f"{chosen.mean:.3f} against {best.mean:.3f} at step {best.step}, scale {best.scale:g}"
    )


def _compromise(ordered: Sequence[Measured], floors: Floors) -> Measured:
    most = max(each.identity for each in ordered)

    def worth(each: Measured) -> float:
        share = min(1.0, max(0.0, each.identity / most)) if most > 0 else 0.0
        return share - floors.shortfall(each)

    return max(ordered, key=worth)  # the first of equals, which is the earliest


def _fit(series: Sequence[Measured], real: float | None) -> tuple[Fit, str]:
    """How the checkpoints of one scale, earliest first, came out as a whole.

    Underfit: the best identity stays below WELL_BELOW of real pairs, or the last step rises above all before by more than a
    standard error and is not NEARLY_REAL yet. Overfit: from the first step within one error of the best to the last step
    identity gains nothing, while diversity loses DIVERSITY_LOST of itself or the likeness to training pictures rises by
    MEMORISED_GAIN. Good otherwise.
    """
    best, last = max(series, key=lambda each: each.identity), series[-1]
    against = f"{best.identity:.3f}" if real is None else f"{best.identity:.3f} against {real:.3f} of real pictures"
    if real is not None and best.identity < WELL_BELOW * real:
        wanted = f"{WELL_BELOW:.0%} of that is the least"
        return Fit.UNDERFIT, f"the best identity is {against}; {wanted}: train longer, or look at the dataset"
    rise = last.identity - max((each.identity for each in series[:-1]), default=math.inf)
    if rise > last.error and (real is None or last.identity < NEARLY_REAL * real):
        return Fit.UNDERFIT, f"identity still rises at the last step, by {rise:.3f} to {against}: train longer"
    flat = next(each for each in series if each.identity >= best.identity - best.error)
    worse = _worse(flat, last)
    if worse:
        return Fit.OVERFIT, f"identity gains nothing after step {flat.step}, while {' and '.join(worse)} by step {last.step}"
    if len(series) == 1:
        return Fit.GOOD, f"identity is {against}; with one checkpoint nothing tells whether longer would be better"
    return Fit.GOOD, f"identity reaches {against} and does not buy it with sameness or memory"


def _worse(start: Measured, end: Measured) -> list[str]:
    """What got worse between two steps of about the same identity."""
    said = []
    if start.diversity and end.diversity is not None and end.diversity < (1 - DIVERSITY_LOST) * start.diversity:
        said.append(f"diversity falls from {start.diversity:.3f} to {end.diversity:.3f}")
    if start.memorised is not None and end.memorised is not None and end.memorised > start.memorised + MEMORISED_GAIN:
        said.append(f"the likeness to a training picture rises from {start.memorised:.2f} to {end.memorised:.2f}")
    return said
