"""From an approved post to receipts, once.

    published = publish(kit, subject, 7)

The intent `sending` is committed before the call. A crash or a time-out in between leaves it there; the next run reads the
platform first (`reconcile`) and sends again only when the platform certainly does not have it. Anything else is `unknown`
and waits for a person.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta

from zirelia.definitions.disclosure import line_for
from zirelia.domain.adapted import Adapted, adapted
from zirelia.domain.ledger import LedgerState
from zirelia.domain.persona import Persona
from zirelia.domain.post import Post, PostState, move
from zirelia.domain.publication import DAY, AccountLimits, Publication, PublicationState, Receipt, earliest, publication_id
from zirelia.errors import BudgetExceeded, IllegalTransition, NotConnected, NotYet, ProviderError, ZireliaError
from zirelia.ports import Channel, Plan, Sending, Uncertain
from zirelia.workflow import postage
from zirelia.workflow.consent import check_consent
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.wording import channel_limits

FENCE_SECONDS = 10.0
"""From the stored intent to the call at most. A process that was stopped for longer does not send: another one may have looked
by then, and sent in its place.
"""

_ACTOR = "publisher"


def publish(
    kit: Kit,
    subject: Subject,
    post_id: int,
    *,
    limits: AccountLimits | None = None,
    gate: Callable[[], None] = lambda: None,
) -> Post:
    """Publishes on all of the persona's channels; a post that is published already comes back unchanged.

    Args:
        limits: what each account takes; a person who posts by hand decides without them.
        gate: asked before each call; what it raises stops the publication before anything more is sent.

    Raises IllegalTransition for a post that nobody approved, ConsentRequired when a likeness has none, Conflict when another
    process is publishing it, or on one of its accounts, right now, NotYet when an account takes nothing now, BudgetExceeded
    when a channel costs more than is left, and ProviderError when a channel refused (the post is approved again, and the
    channels that took it keep their receipts).
    """
    with kit.store.lock(f"publish-{post_id}"), ExitStack() as accounts:
        post = kit.store.get_post(post_id)
        if post.state is PostState.PUBLISHED:
            return post
        if post.state not in {PostState.APPROVED, PostState.PUBLISHING, PostState.UNKNOWN}:
            raise IllegalTransition(f"post {post_id} is {post.state}, not approved", hint=f"zirelia approve {post_id}")
        check_consent(kit, subject)
        channels = _channels(kit, subject)
        plans = {name: _plan(kit, subject, post, channel) for name, channel in channels.items()}
        for name in sorted(channels):
            accounts.enter_context(kit.store.lock(f"account-{post.persona}-{name}"))
        if limits is not None:
            _keep(kit, post, channels, limits)
        failures: list[ZireliaError] = []
        for name, channel in channels.items():
            try:
                _send(kit, kit.store.get_post(post_id), channel, plans[name], gate)
            except (ProviderError, NotYet, BudgetExceeded) as error:
                failures.append(error)
        # as it is stored: a channel that refused has moved it, and raised instead of answering
        post = _settle(kit, kit.store.get_post(post_id), channels)
        if failures and post.state is not PostState.UNKNOWN:
            raise failures[0]
        return post


def _keep(kit: Kit, post: Post, channels: Mapping[str, Channel], limits: AccountLimits) -> None:
    """Raises NotYet when an account that was not sent this post takes nothing now: a post goes out everywhere at once."""
    now, known = kit.now(), {one.channel: one for one in kit.store.publications(post.id)}
    for name in channels:
        if name in known and known[name].state is not PublicationState.NOT_PUBLISHED:
            continue
        until = earliest(kit.store.sent(post.persona, name, now - DAY), limits, now)
        if until > now:
            raise NotYet(
                f"{post.persona} on {name}: {limits.daily} posts in 24 hours, {limits.gap_minutes} minutes apart", until=until
            )


def _channels(kit: Kit, subject: Subject) -> dict[str, Channel]:
    missing = [name for name in subject.persona.channels if name not in kit.channels]
    if missing:
        raise NotConnected(
            f"{subject.persona.name} posts on {', '.join(missing)}, which is not set up",
            channel=missing[0],
            hint=f"zirelia connect {missing[0]} --persona {subject.persona.name}; or change 'channels' in the persona pack, "
            f"available: {', '.join(kit.channels) or 'none'}",
        )
    return {name: kit.channels[name] for name in subject.persona.channels}


def text_for(persona: Persona, post: Post, channel: Channel) -> tuple[Adapted, str | None]:
    """What would stand there, and its disclosure line. Raises ConfigurationError when the channel cannot take it,
    IllegalTransition for a post without a text.
    """
    if post.draft is None:
        raise IllegalTransition(f"post {post.id} has no text")
    limits = channel.capabilities()
    # a line that the post lacks, because its persona opted out, comes back where no platform says it
    line = line_for(persona, post.disclosure, ai_label=limits.ai_label)
    return adapted(post.draft, line, channel_limits(channel.name, limits)), line


def _plan(kit: Kit, subject: Subject, post: Post, channel: Channel) -> Plan:
    """Everything that will be sent, or an error before anything is sent."""
    attempt = post.chosen_attempt
    if attempt is None or post.draft is None:
        raise IllegalTransition(f"post {post.id} has no text or no chosen picture to publish")
    limits = channel.capabilities()
    text, line = text_for(subject.persona, post, channel)
    post = post.model_copy(update={"disclosure": line})
    image = kit.sealer.seal(kit.media.read(attempt.image), post=post, persona=subject.persona, limits=limits)
    return Plan(
        publication_id=publication_id(post.id, channel.name),
        post=post,
        caption=text.caption,
        alt_text=text.alt_text,
        image=image,
        media_type="image/jpeg",
        sidecar={
            "post": post.id,
            "persona": post.persona,
            "slot": post.slot_id,
            "hashtags": list(text.hashtags),
            "left_out": list(text.left_out),
            "disclosure": post.disclosure,
            "ai_generated": True,
            "provenance": attempt.provenance.model_dump(mode="json"),
            "verdict": attempt.verdict.explanation if attempt.verdict else None,
        },
        hashtags=text.hashtags,
        language=subject.persona.voice.language,
    )


def _send(kit: Kit, post: Post, channel: Channel, plan: Plan, gate: Callable[[], None]) -> None:
    """One channel. Sends only what was never sent, or what the platform certainly does not have."""
    known = kit.store.publication(plan.publication_id)
    if known is not None and known.state is PublicationState.PUBLISHED:
        postage.settle(kit, post, channel, LedgerState.DONE)
        return
    if known is not None and known.state in {PublicationState.SENDING, PublicationState.UNKNOWN}:
        try:
            receipt = channel.reconcile(plan, Sending(begun=known.at, created=known.created))
        except ProviderError as error:
            # its time stays that of the intent, from which "not there" counts
            kit.store.save_publication(known.model_copy(update={"state": PublicationState.UNKNOWN, "note": error.message}))
            return
        if receipt is not None:
            kit.store.save_publication(_now(kit, known, PublicationState.PUBLISHED, receipt=receipt))
            postage.settle(kit, post, channel, LedgerState.DONE)
            return
        _wait_for_what_is_on_its_way(kit, known, channel)
    gate()
    postage.frank(kit, post, channel, plan)
    began = time.monotonic(), time.time()
    created = known.created if known is not None else None
    sending = Publication(post_id=post.id, channel=channel.name, state=PublicationState.SENDING, at=kit.now(), created=created)
    _intend(kit, post, sending)

    def keep(made: str) -> None:
        nonlocal sending
        sending = sending.model_copy(update={"created": made})
        kit.store.save_publication(sending)

    kit.watcher.step("publish", channel.name)
    try:
        if max(time.monotonic() - began[0], time.time() - began[1]) > FENCE_SECONDS:
            raise ProviderError("stopped before it could send; nothing went out", provider="zirelia", retryable=True)
        answer = channel.submit(plan, Sending(begun=sending.at, created=created, keep=keep))
    except ProviderError as error:
        kit.watcher.failed(error.message)
        kit.store.save_publication(_now(kit, sending, PublicationState.NOT_PUBLISHED, note=error.message))
        postage.settle(kit, post, channel, LedgerState.FAILED)
        raise
    if isinstance(answer, Uncertain):
        kit.watcher.failed(answer.because)
        kit.store.save_publication(sending.model_copy(update={"state": PublicationState.UNKNOWN, "note": answer.because}))
        postage.settle(kit, post, channel, LedgerState.UNKNOWN)
    else:
        kit.watcher.done(answer.url)
        kit.store.save_publication(_now(kit, sending, PublicationState.PUBLISHED, receipt=answer))
        postage.settle(kit, post, channel, LedgerState.DONE)


def _wait_for_what_is_on_its_way(kit: Kit, known: Publication, channel: Channel) -> None:
    """The platform does not show it. Raises NotYet while that may still change."""
    now, settled = kit.now(), timedelta(seconds=channel.settles_after)
    if known.at > now:  # the clock was set back: from now on, then
        known = known.model_copy(update={"at": now})
        kit.store.save_publication(known)
    if now - known.at < settled:
        raise NotYet(f"{channel.name} does not show it yet", until=known.at + settled)


def _intend(kit: Kit, post: Post, sending: Publication) -> None:
    """Commits that the call is about to be made: the publication's row and the post's state, together."""
    version, events = post.version, []
    if post.state is PostState.UNKNOWN:
        post, event = move(post, PostState.APPROVED, at=kit.now(), actor=_ACTOR, because="certainly not published")
        events.append(event)
    if post.state is PostState.APPROVED:
        post, event = move(post, PostState.PUBLISHING, at=kit.now(), actor=_ACTOR)
        events.append(event)
    if events:
        kit.store.save_post(post, expected_version=version, events=events, publication=sending)
    else:
        kit.store.save_publication(sending)


def _settle(kit: Kit, post: Post, channels: Mapping[str, Channel]) -> Post:
    """The post's state from its publications' states. A channel that was not reached yet counts as not published."""
    publications = kit.store.publications(post.id)
    states = {publication.state for publication in publications}
    if not channels.keys() <= {publication.channel for publication in publications}:
        if post.state is PostState.APPROVED:
            return post
        states.add(PublicationState.NOT_PUBLISHED)
    if states & {PublicationState.UNKNOWN, PublicationState.SENDING}:
        to, because = PostState.UNKNOWN, "; ".join(p.note for p in publications if p.note) or "the outcome is not known"
    elif PublicationState.NOT_PUBLISHED in states:
        to, because = PostState.APPROVED, "; ".join(p.note for p in publications if p.note) or "not published"
    else:
        to, because = PostState.PUBLISHED, None
    if post.state is to:
        return post
    moved, event = move(post, to, at=kit.now(), actor=_ACTOR, because=because)
    kit.store.save_post(moved, expected_version=post.version, events=[event])
    return moved


def _now(
    kit: Kit,
    publication: Publication,
    state: PublicationState,
    *,
    receipt: Receipt | None = None,
    note: str | None = None,
) -> Publication:
    return publication.model_copy(update={"state": state, "at": kit.now(), "receipt": receipt, "note": note})
