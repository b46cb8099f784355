"""A verdict once more, from the stored picture, by another rubric or by instruments that have changed; nobody is paid.

    again = replay(desk, subject, post_id, rubric=rubric)
    again.after.passed, again.changes

The offline instruments look again. What a vision model found is taken from the stored verdict and never asked. The recent
pictures are those that existed before the attempt was made, but for posts rejected since; the references are today's.
Nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from zirelia.domain.post import Post
from zirelia.domain.repairs import mends
from zirelia.domain.shot import Attempt
from zirelia.domain.value import Value
from zirelia.domain.verdict import Criterion, Finding, Outcome, Rubric, Verdict, fold, outcome_of
from zirelia.errors import NotFound
from zirelia.ports import Exhibit, Media, Store
from zirelia.workflow.kit import Subject
from zirelia.workflow.shoot import RECENT_PICTURES, decoded, exhibited

if TYPE_CHECKING:
    from PIL.Image import Image


class OfflinePanel(Protocol):
    """A panel whose instruments cost nothing and call nobody. name: under which it speaks for itself."""

    @property
    def name(self) -> str: ...

    @property
    def instruments(self) -> frozenset[str]: ...

    def examine(self, exhibit: Exhibit) -> tuple[Finding, ...]: ...


@dataclass(frozen=True)
class ReplayDesk:
    """What a replay works with; of the store it only reads."""

    store: Store
    media: Media
    panel: OfflinePanel


class Change(Value):
    """One criterion that came out differently, and why. before: None when no verdict was stored."""

    criterion: Criterion
    before: Outcome | None
    after: Outcome
    because: str


class Replay(Value):
    """Both verdicts of one attempt.

    remembered: names of the instruments whose findings were taken from the store. by_rubric: whether the rubric alone, over
    the stored findings, would have passed the picture; None without stored findings.
    """

    post_id: int
    attempt: int
    rubric: Rubric
    before: Verdict | None
    after: Verdict
    remembered: tuple[str, ...]
    by_rubric: bool | None
    changes: tuple[Change, ...]

    @property
    def why(self) -> str:
        """One sentence on what decides the difference."""
        if self.before is None:
            return "the attempt had no verdict"
        if self.before.passed is self.after.passed and self.before.hold is self.after.hold:
            return "the outcome is the same"
        if self.by_rubric is self.after.passed:
            return "the rubric decides it: the stored findings come to the same under it"
        return "the instruments decide it: they see the picture differently than before"


def replay(
    desk: ReplayDesk, subject: Subject, post_id: int, *, rubric: Rubric | None = None, attempt: int | None = None
) -> Replay:
    """The old and the new verdict of one attempt: the chosen one, or the last, unless `attempt` names another.

    rubric: the pack's own when left out. Raises NotFound, ConfigurationError, MediaError.
    """
    post = desk.store.get_post(post_id)
    one = _attempt(post, attempt)
    rules = rubric or subject.persona.rubric
    fresh = desk.panel.examine(exhibited(desk.media, subject, post, one, recent=_recent_then(desk, post, one)))
    stored = one.verdict.findings if one.verdict else ()
    renewed = desk.panel.instruments | {desk.panel.name} | {finding.instrument for finding in fresh}
    kept = tuple(finding for finding in stored if finding.instrument not in renewed)
    answered = {finding.criterion for finding in kept}
    # the panel misses instruments whose findings are remembered
    findings = (*(f for f in fresh if f.instrument != desk.panel.name or f.criterion not in answered), *kept)
    after = fold(findings, rules)
    after = after.model_copy(update={"mends": mends(one.repairs, after)})
    return Replay(
        post_id=post_id,
        attempt=one.number,
        rubric=rules,
        before=one.verdict,
        after=after,
        remembered=tuple(dict.fromkeys(finding.instrument for finding in kept)),
        by_rubric=fold(stored, rules).passed if one.verdict else None,
        changes=_changes(one.verdict, after),
    )


def _attempt(post: Post, number: int | None) -> Attempt:
    if not post.attempts:
        raise NotFound(f"post {post.id} has no picture yet", hint=f"zirelia retry {post.id}")
    if number is None:
        return post.chosen_attempt or post.attempts[-1]
    found = next((one for one in post.attempts if one.number == number), None)
    if found is None:
        there = ", ".join(str(one.number) for one in post.attempts)
        raise NotFound(f"post {post.id} has no attempt {number}", hint=f"it has: {there}")
    return found


def _recent_then(desk: ReplayDesk, post: Post, attempt: Attempt) -> tuple[tuple[int, Image], ...]:
    """The newest chosen pictures that were made before the attempt, by the posts that are remembered today."""
    made = attempt.provenance.made_at
    limit = RECENT_PICTURES
    while True:
        others = desk.store.remembered(post.persona, but=post.id, limit=limit)
        # the critic was given the newest posts, those without a picture among them
        then = [other for other in others if other.created < made][:RECENT_PICTURES]
        if len(then) == RECENT_PICTURES or len(others) < limit:
            break
        limit *= 4
    chosen = [(other.id, other.chosen_attempt) for other in then]
    return tuple(
        (number, decoded(desk.media.read(one.image)))
        for number, one in chosen
        if one is not None and one.provenance.made_at < made
    )


def _changes(before: Verdict | None, after: Verdict) -> tuple[Change, ...]:
    changes = []
    for criterion in Criterion:
        new = outcome_of(criterion, after.findings)
        old = None if before is None else outcome_of(criterion, before.findings)
        if old is not new:
            changes.append(Change(criterion=criterion, before=old, after=new, because=_why(criterion, before, after)))
    return tuple(changes)


def _why(criterion: Criterion, before: Verdict | None, after: Verdict) -> str:
    """The findings that differ, each with its numbers before and now."""
    old = {_name(f): f for f in (before.findings if before else ()) if f.criterion is criterion}
    new = {_name(f): f for f in after.findings if f.criterion is criterion}
    said = []
    for name in dict.fromkeys((*old, *new)):
        first, second = old.get(name), new.get(name)
        if first is None or second is None or first.outcome is not second.outcome:
            said.append(f"{' '.join(part for part in name if part)}: {_measured(first)}, now {_measured(second)}")
    return "; ".join(said) or "its findings differ in number"


def _name(finding: Finding) -> tuple[str, str]:
    return finding.instrument, finding.aspect


def _measured(finding: Finding | None) -> str:
    if finding is None:
        return "said nothing"
    outcome = finding.outcome.replace("_", " ")
    if finding.score is None:
        return f"{outcome} ({finding.explanation})"
    limit = "" if finding.threshold is None else f" / {finding.threshold:.3g}"
    return f"{outcome} ({finding.score:.3g}{limit})"
