"""Pictures for a drafted post: at most three attempts, each retry changing what the last verdict named, the best one kept.

    post = shoot(kit, subject, post)      # awaiting_review, or held with the reason

An attempt is stored before its ledger row closes, and its verdict before the next one starts, so that a crash continues where
it stopped and pays for nothing twice.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zirelia.domain.post import Post, PostState, move
from zirelia.domain.prompt import compose, repair_shot, seed_for
from zirelia.domain.shot import Attempt, ImagePrompt, Shot
from zirelia.domain.verdict import Finding, Outcome, Repair, RepairKind, escalated, fold, repairs_for
from zirelia.errors import ConfigurationError, ProviderError
from zirelia.ports import Exhibit
from zirelia.workflow.accounts import Call, counted
from zirelia.workflow.describe import describe
from zirelia.workflow.direct import direct
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.review import notes_for

if TYPE_CHECKING:
    from PIL.Image import Image

RECENT_PICTURES = 20
_ACTOR = "studio"


def shoot(kit: Kit, subject: Subject, post: Post) -> Post:
    """Runs the attempts of this round and moves the post on. Raises what the image backend raises."""
    notes = notes_for(kit, post)
    shot = post.shot
    if shot is None or (notes and not _this_round(kit, post)):
        shot = direct(kit, subject, post, notes)
        directed = post.model_copy(update={"shot": shot, "version": post.version + 1, "updated": kit.now()})
        kit.store.save_post(directed, expected_version=post.version)
        post = directed
    made = list(_this_round(kit, post))
    while not _finished(kit, made):
        if made and made[-1].verdict is None:
            attempt = made.pop()  # a crash took its verdict
        else:
            attempt = _attempt(kit, subject, post, shot, len(post.attempts) + 1, made, notes)
            post = kit.store.get_post(post.id)
        judged = critique(kit, subject, post, attempt)
        post = _with_verdict(kit, post, judged)
        made.append(judged)
    return _choose(kit, subject, post, made)


def _this_round(kit: Kit, post: Post) -> tuple[Attempt, ...]:
    """The attempts since the text was last settled or a person asked for changes."""
    starts = [event.at for event in kit.store.events(post.id) if event.after is PostState.DRAFTED]
    return tuple(a for a in post.attempts if not starts or a.provenance.made_at >= starts[-1])


def _finished(kit: Kit, made: Sequence[Attempt]) -> bool:
    last = made[-1].verdict if made else None
    return last is not None and (len(made) >= kit.attempts or last.passed or last.hold)


def _with_verdict(kit: Kit, post: Post, judged: Attempt) -> Post:
    attempts = tuple(judged if attempt.number == judged.number else attempt for attempt in post.attempts)
    after = post.model_copy(update={"attempts": attempts, "version": post.version + 1, "updated": kit.now()})
    kit.store.save_post(after, expected_version=post.version)
    return after


def _attempt(
    kit: Kit,
    subject: Subject,
    post: Post,
    shot: Shot,
    number: int,
    made: Sequence[Attempt],
    notes: tuple[Repair, ...],
) -> Attempt:
    """One more picture, stored without a verdict."""
    persona = subject.persona
    vocabulary = kit.images.vocabulary()
    earlier = [repair for attempt in made for repair in attempt.repairs if repair.kind is not RepairKind.NOTE]
    latest = escalated(repairs_for(made[-1].verdict), earlier) if made and made[-1].verdict else ()
    if made:
        shot = repair_shot(made[-1].shot, latest, persona.look, attempt=number, vocabulary=vocabulary)
        if not latest:
            latest = (Repair(kind=RepairKind.NEW_SEED, because="no instrument named a repair"),)
    if any(repair.kind is RepairKind.OTHER_SETTING for repair in latest):
        # what was raised before belongs to the setting that is given up
        earlier = [repair for repair in earlier if repair.kind is not RepairKind.EMPHASISE]
    width, height = kit.images.size()
    prompt = compose(
        shot,
        persona.look,
        lora=persona.lora_in_force,
        seed=seed_for(post.slot_id, number),
        width=width,
        height=height,
        steps=kit.image_steps,
        repairs=[*earlier, *latest],
        vocabulary=vocabulary,
    )
    kit.watcher.step("image", f"attempt {len(made) + 1} of {kit.attempts}: {prompt.text}")
    for repair in latest:
        kit.watcher.note(f"{repair.kind.replace('_', ' ')}: {repair.because}")
    return _drawn(kit, subject, post, number, shot, prompt, latest if made else notes)


def _drawn(
    kit: Kit, subject: Subject, post: Post, number: int, shot: Shot, prompt: ImagePrompt, repairs: tuple[Repair, ...]
) -> Attempt:
    call: Call | None = None
    facts, estimate = kit.images.facts(), kit.images.estimate_usd(prompt)
    try:
        with counted(kit, post, "image", facts, key=f"image/{number}", estimate=estimate) as call:
            image = kit.images.make(
                prompt, lora=subject.lora, beside=subject.beside, call=call.paid, progress=kit.watcher.progress
            )
            call.cost = image.provenance.cost_usd
            ref = kit.media.put(image.data, image.media_type)
            attempt = Attempt(number=number, shot=shot, image=ref, provenance=image.provenance, repairs=repairs)
            kit.store.add_attempt(post.id, attempt)
    except ProviderError as error:
        if call is None or not call.resumed or error.retryable:
            raise
        # its row is closed as failed, so this orders anew, once
        kit.watcher.note(f"what was ordered earlier came to nothing: {error.message}")
        return _drawn(kit, subject, post, number, shot, prompt, repairs)
    kit.watcher.done(f"{ref.width}x{ref.height}, {image.provenance.seconds:.1f} s")
    return attempt


def critique(kit: Kit, subject: Subject, post: Post, attempt: Attempt) -> Attempt:
    """The attempt with its verdict. An instrument that fails leaves its criterion unchecked; it never passes anything."""
    if post.brief is None:
        raise ConfigurationError(f"post {post.id} has no brief to judge its picture by")
    kit.watcher.step("critic", f"attempt {attempt.number}")
    exhibit = Exhibit(
        image=decoded(kit.media.read(attempt.image)),
        shot=attempt.shot,
        brief=post.brief,
        persona=subject.persona,
        prompt=attempt.provenance.prompt,
        references=subject.references,
        recent=_recent(kit, post),
    )
    findings = _examined(kit, post, attempt.number, exhibit)
    verdict = fold(findings, subject.persona.rubric)
    for finding in findings:
        if finding.outcome is Outcome.FAILED:
            kit.watcher.note(f"{finding.criterion}: {finding.explanation}")
    (kit.watcher.done if verdict.passed else kit.watcher.failed)(verdict.explanation)
    return attempt.model_copy(update={"verdict": verdict})


def _examined(kit: Kit, post: Post, number: int, exhibit: Exhibit) -> tuple[Finding, ...]:
    """What the panel found; the vision model's questions are counted as one call."""
    if kit.vision is None:
        return kit.panel.examine(exhibit)
    with counted(kit, post, "vision", kit.vision.facts(), key=f"vision/{number}", estimate=kit.vision_estimate_usd) as call:
        findings = kit.panel.examine(exhibit)
        call.cost = sum(finding.cost_usd for finding in findings)
        return findings


def _recent(kit: Kit, post: Post) -> tuple[tuple[int, Image], ...]:
    others = kit.store.remembered(post.persona, but=post.id, limit=RECENT_PICTURES)
    chosen = [(other.id, other.chosen_attempt) for other in others]
    return tuple((number, decoded(kit.media.read(attempt.image))) for number, attempt in chosen if attempt is not None)


def decoded(data: bytes) -> Image:
    """A stored or freshly made picture as RGB pixels."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def _choose(kit: Kit, subject: Subject, post: Post, made: Sequence[Attempt]) -> Post:
    best = max(made, key=lambda a: (a.verdict is not None and a.verdict.passed, a.verdict.score if a.verdict else 0.0))
    chosen = post.model_copy(update={"chosen": best.number, "shot": best.shot})
    if post.draft is not None:
        alt_text = describe(kit, subject, post, best)
        chosen = chosen.model_copy(update={"draft": post.draft.model_copy(update={"alt_text": alt_text})})
    now = kit.now()
    shot, first = move(chosen, PostState.SHOT, at=now, actor=_ACTOR, because=f"{len(made)} attempts")
    if best.verdict is not None and best.verdict.passed:
        settled, second = move(shot, PostState.AWAITING_REVIEW, at=now, actor="critic", because=best.verdict.explanation)
    else:
        why = best.verdict.explanation if best.verdict else "no verdict"
        settled, second = move(
            shot, PostState.HELD, at=now, actor="critic", because=f"no attempt of {len(made)} passed; the best one {why}"
        )
    kit.store.save_post(settled, expected_version=post.version, events=[first, second])
    return settled
