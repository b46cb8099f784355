"""Pictures for a drafted post: at most three attempts, each retry changing what the last verdict named, the best one kept.

    post = shoot(kit, subject, post)      # awaiting_review, or held with the reason

An attempt is stored before its ledger row closes, and its verdict before the next one starts, so that a crash continues where
it stopped and pays for nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

from zirelia.domain.box import Box
from zirelia.domain.post import Post, PostState, move
from zirelia.domain.repairs import may_retry, mends
from zirelia.domain.shot import Attempt, Shot
from zirelia.domain.verdict import Finding, Repair, fold
from zirelia.errors import BudgetExceeded, ConfigurationError, MediaError, ProviderError
from zirelia.pictures import MAX_STORED, open_picture, upright_rgb
from zirelia.ports import Exhibit, Media
from zirelia.workflow.accounts import Call, counted, settle_kept
from zirelia.workflow.attempt_rounds import begun, directed, direction
from zirelia.workflow.attempts import Try, next_try
from zirelia.workflow.describe import describe, shot_in_words
from zirelia.workflow.direct import direct
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.review import notes_for
from zirelia.workflow.wording import with_alt_text, with_novelty

if TYPE_CHECKING:
    from PIL.Image import Image

RECENT_PICTURES = 20
_ACTOR = "studio"


def shoot(kit: Kit, subject: Subject, post: Post) -> Post:
    """Runs the attempts of this round and moves the post on. Raises what the image backend raises."""
    settle_kept(kit, post, {f"image/{attempt.number}": attempt.provenance.cost_usd for attempt in post.attempts})
    notes = notes_for(kit, post)
    post, first = begun(kit, post)
    made = [attempt for attempt in post.attempts if attempt.number >= first]
    shot = post.shot
    if shot is None or (notes and not made and not directed(kit, post)):
        shot, remark = direct(kit, subject, post, notes)
        draft = post.draft and with_novelty(post.draft, remark)
        after = post.model_copy(update={"shot": shot, "draft": draft, "version": post.version + 1, "updated": kit.now()})
        kit.store.save_post(after, expected_version=post.version, events=[direction(kit, post)] if notes else ())
        post = after
    while not _finished(kit, subject, made):
        if made and made[-1].verdict is None:
            attempt = made.pop()  # a crash took its verdict
        else:
            attempt = _attempt(kit, subject, post, shot, made, notes)
            post = kit.store.get_post(post.id)
        judged = critique(kit, subject, post, attempt)
        post = _with_verdict(kit, post, judged)
        made.append(judged)
    return _choose(kit, subject, post, made)


def _finished(kit: Kit, subject: Subject, made: Sequence[Attempt]) -> bool:
    last = made[-1].verdict if made else None
    if last is None:
        return False
    applied = [repair for attempt in made for repair in attempt.repairs]
    return len(made) >= kit.attempts or not may_retry(last, applied, subject.persona.rubric)


def _attempt(kit: Kit, subject: Subject, post: Post, shot: Shot, made: Sequence[Attempt], notes: tuple[Repair, ...]) -> Attempt:
    wanted = next_try(kit, subject, post, shot, number=len(post.attempts) + 1, made=made, notes=notes)
    kit.watcher.step("image", f"attempt {len(made) + 1} of {kit.attempts}: {wanted.prompt.text}")
    for repair in wanted.repairs if made else ():
        kit.watcher.note(f"{repair.kind.replace('_', ' ')}: {repair.because}")
    return _drawn(kit, subject, post, wanted)


def _with_verdict(kit: Kit, post: Post, judged: Attempt) -> Post:
    attempts = tuple(judged if attempt.number == judged.number else attempt for attempt in post.attempts)
    after = post.model_copy(update={"attempts": attempts, "version": post.version + 1, "updated": kit.now()})
    kit.store.save_post(after, expected_version=post.version)
    return after


def _drawn(kit: Kit, subject: Subject, post: Post, wanted: Try) -> Attempt:
    """One more picture, stored without a verdict."""
    call: Call | None = None
    facts, estimate = kit.images.facts(), kit.images.estimate_usd(wanted.prompt)
    try:
        with counted(kit, post, "image", facts, key=f"image/{wanted.number}", estimate=estimate) as call:
            image = kit.images.make(
                wanted.prompt,
                lora=subject.lora,
                beside=subject.beside,
                call=call.paid,
                progress=kit.watcher.progress,
                **_part(kit, wanted),
            )
            call.cost = image.provenance.cost_usd
            ref = kit.media.put(image.data, image.media_type)
            attempt = Attempt(
                number=wanted.number, shot=wanted.shot, image=ref, provenance=image.provenance, repairs=wanted.repairs
            )
            kit.store.add_attempt(post.id, attempt)
    except ProviderError as error:
        if call is None or not call.resumed or error.retryable:
            raise
        # its row is closed as failed, so this orders anew, once
        kit.watcher.note(f"what was ordered earlier came to nothing: {error.message}")
        return _drawn(kit, subject, post, wanted)
    kit.watcher.done(f"{ref.width}x{ref.height}, {image.provenance.seconds:.1f} s")
    return attempt


class _Part(TypedDict, total=False):
    start_from: bytes
    within: Box


def _part(kit: Kit, wanted: Try) -> _Part:
    if wanted.start is None or wanted.within is None:
        return {}
    return {"start_from": kit.media.read(wanted.start), "within": wanted.within}


def critique(kit: Kit, subject: Subject, post: Post, attempt: Attempt) -> Attempt:
    """The attempt with its verdict. An instrument that fails leaves its criterion unchecked; it never passes anything. Where
    nothing is wrong but that, all are asked once more about the same picture, before another one is paid for.
    """
    kit.watcher.step("critic", f"attempt {attempt.number}")
    exhibit = exhibited(kit.media, subject, post, attempt, recent=_recent(kit, post))
    verdict = fold(_examined(kit, post, attempt.number, exhibit), subject.persona.rubric)
    if not verdict.passed and not verdict.hold and not may_retry(verdict, (), subject.persona.rubric):
        kit.watcher.note(f"{verdict.explanation}; asked again")
        with suppress(BudgetExceeded):
            again = fold(_examined(kit, post, attempt.number, exhibit), subject.persona.rubric)
            # a second look that tells no more hides why the first one could not
            verdict = again if again.passed or again.failed else verdict
    verdict = verdict.model_copy(update={"mends": mends(attempt.repairs, verdict)})
    for finding in verdict.failed:
        kit.watcher.note(f"{finding.criterion}: {finding.explanation}")
    (kit.watcher.done if verdict.passed else kit.watcher.failed)(verdict.explanation)
    return attempt.model_copy(update={"verdict": verdict})


def exhibited(
    media: Media, subject: Subject, post: Post, attempt: Attempt, *, recent: tuple[tuple[int, Image], ...]
) -> Exhibit:
    """The attempt as the panel is shown it. Raises MediaError, and ConfigurationError for a post without a brief."""
    if post.brief is None:
        raise ConfigurationError(f"post {post.id} has no brief to judge its picture by")
    return Exhibit(
        image=decoded(media.read(attempt.image)),
        shot=attempt.shot,
        brief=post.brief,
        persona=subject.persona,
        prompt=attempt.provenance.prompt,
        references=subject.references,
        recent=recent,
    )


def _examined(kit: Kit, post: Post, number: int, exhibit: Exhibit) -> tuple[Finding, ...]:
    """What the panel found; the vision model's questions are counted as one call."""
    if kit.vision is None:
        return kit.panel.examine(exhibit)
    with counted(kit, post, "vision", kit.vision.facts(), key=f"vision/{number}", estimate=kit.vision_estimate_usd) as call:
        findings = kit.panel.examine(exhibit)
        call.cost = sum(finding.cost_usd for finding in findings)
        return findings


def _recent(kit: Kit, post: Post) -> tuple[tuple[int, Image], ...]:
    found = []
    for other in kit.store.remembered(post.persona, but=post.id, limit=RECENT_PICTURES):
        if other.chosen_attempt is not None:
            try:
                found.append((other.id, decoded(kit.media.read(other.chosen_attempt.image))))
            except MediaError as error:  # one lost file must not hold every post that comes after it
                kit.watcher.note(f"not compared with post {other.id}: {error.message}")
    return tuple(found)


def decoded(data: bytes) -> Image:
    """A stored or freshly made picture as its readers will see it: upright, on white, in sRGB. Raises MediaError."""
    return upright_rgb(open_picture(data, what="the picture", max_bytes=MAX_STORED))


def _choose(kit: Kit, subject: Subject, post: Post, made: Sequence[Attempt]) -> Post:
    best = max(made, key=lambda a: (a.verdict is not None and a.verdict.passed, a.verdict.score if a.verdict else 0.0))
    chosen = post.model_copy(update={"chosen": best.number, "shot": best.shot})
    broken: tuple[str, ...] = ()
    if post.draft is not None:
        described = (describe(kit, subject, post, best), shot_in_words(subject.persona, best.shot))
        judged, broken = with_alt_text(kit, subject.persona, post, described)
        chosen = chosen.model_copy(update={"draft": judged})
    now = kit.now()
    shot, first = move(chosen, PostState.SHOT, at=now, actor=_ACTOR, because=f"{len(made)} attempts")
    if broken:
        settled, second = move(shot, PostState.HELD, at=now, actor="critic", because=f"the text: {'; '.join(broken)}")
    elif best.verdict is not None and best.verdict.passed:
        settled, second = move(shot, PostState.AWAITING_REVIEW, at=now, actor="critic", because=best.verdict.explanation)
    else:
        why = best.verdict.explanation if best.verdict else "no verdict"
        settled, second = move(
            shot, PostState.HELD, at=now, actor="critic", because=f"no attempt of {len(made)} passed; the best one {why}"
        )
    kit.store.save_post(settled, expected_version=post.version, events=[first, second])
    return settled
