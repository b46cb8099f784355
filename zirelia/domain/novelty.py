"""Whether a shot was there before, and what else it could be: by clothes, place, framing and pose.

    seen_before(shot, recent)                        # the recent shot that it repeats, or None
    changed(shot, recent, outfits, framings)         # the same scene in other clothes, framing or pose

Compares words, not pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

from zirelia.domain.shot import Framing, Shot
from zirelia.domain.text_plain import plain
from zirelia.domain.text_remark import Remark, TextCriterion
from zirelia.domain.verdict import Outcome

POSES = ("", "standing", "sitting", "walking", "leaning on something", "looking over her shoulder")
"""Poses that fit any place and any clothes."""


def seen_before(shot: Shot, recent: Sequence[Shot]) -> Shot | None:
    """The latest of the recent shots with the same scene, outfit, framing and pose; expression and light do not count."""
    return next((other for other in recent if _fields(other) == _fields(shot)), None)


def changed(
    shot: Shot, recent: Sequence[Shot], outfits: Sequence[str], framings: Sequence[Framing], poses: Sequence[str] = ("",)
) -> Shot:
    """The shot in the first other pose, framing or outfit that is new; itself when there is none. Her own pose comes first."""
    kept = tuple(dict.fromkeys((shot.pose, *poses)))
    others = (
        shot.model_copy(update={"outfit": outfit, "framing": framing, "pose": pose})
        for outfit in dict.fromkeys((shot.outfit, *outfits))
        for framing in dict.fromkeys((shot.framing, *framings))
        for pose in kept
    )
    return next((other for other in others if seen_before(other, recent) is None), shot)


def novelty(asked: Sequence[Shot], shot: Shot, recent: Sequence[Shot]) -> Remark:
    """What became of a shot. asked: what the art director said, first to last; shot: what is drawn."""
    repeated = [one for one in asked if seen_before(one, recent)]
    if not repeated:
        return _remark(Outcome.PASSED, f"unlike the last {len(recent)} pictures" if recent else "the first picture")
    why = f"{in_short(repeated[0])} was shown lately"
    if seen_before(shot, recent):
        return _remark(Outcome.FAILED, f"{why} and nothing else is left: give her other clothes, scenes or poses")
    how = "asked for again" if shot == asked[-1] else "changed"
    return _remark(Outcome.PASSED, f"{why}; {how}: {in_short(shot)}")


def in_short(shot: Shot) -> str:
    """The fields by which two shots are compared."""
    return ", ".join(part for part in (shot.outfit, shot.scene, str(shot.framing), shot.pose) if part)


def _remark(outcome: Outcome, told: str) -> Remark:
    return Remark(criterion=TextCriterion.NOVELTY, outcome=outcome, explanation=told, advisory=True)


def _fields(shot: Shot) -> tuple[str, ...]:
    return tuple(plain(field) for field in (shot.scene, shot.outfit, str(shot.framing), shot.pose))
