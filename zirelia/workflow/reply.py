"""Answers to mentions: read where a platform allows it, drafted in her voice, judged as posts are, sent when a person approved.

    listen(kit, subject)                   # new mentions become drafts that wait, or are held with the reason
    approve_reply(kit, 3, by="ana"); send_reply(kit, subject, 3)

Asked whether she is an AI, the persona says yes, in the first words, whatever the model wrote and whoever edits it. A mention
is answered once. The intent is stored before the call, as for a post.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from zirelia.definitions.answers import ReplyAnswer
from zirelia.definitions.candour import all_candours, candour_of
from zirelia.definitions.claims import load_claims
from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft
from zirelia.domain.reply import Candour, Mention, Reply, ReplyState, asks_whether_ai, candid, is_candid, step
from zirelia.domain.text import criticise, instructions
from zirelia.domain.text_remark import Remark, TextCriterion
from zirelia.errors import BadAnswer, BudgetExceeded, ConfigurationError, IllegalTransition, NotYet, ProviderError
from zirelia.ports import ChatRequest, Inbox, Sending, Uncertain
from zirelia.workflow.accounts import Account, put
from zirelia.workflow.consent import check_consent
from zirelia.workflow.kit import Kit, Subject
from zirelia.workflow.wording import channel_limits

ROUNDS = 3
LONGEST = 300
"""Characters of an answer, on a platform that takes more."""
_S = ReplyState
# what a post has and an answer has not
_OF_A_POST = {TextCriterion.HASHTAGS, TextCriterion.ALT_TEXT, TextCriterion.VOICE}


def listen(kit: Kit, subject: Subject) -> tuple[Reply, ...]:
    """Reads every channel that lets mentions be read, and drafts an answer to each new one. A platform that fails is told of,
    and read again the next time from the same place.
    """
    check_consent(kit, subject)
    persona, drafted = subject.persona, []
    for name in persona.channels:
        inbox = kit.channels.get(name)
        if inbox is None or not hasattr(inbox, "mentions"):
            continue
        cursor = kit.store.inbox_cursor(persona.name, name)
        try:
            heard = cast("Inbox", inbox).mentions(persona.name, cursor)
        except ProviderError as error:
            kit.watcher.note(f"{name}: mentions were not read: {error.message}")
            continue
        for mention in heard.mentions:
            reply = kit.store.add_reply(_drafted(kit, persona, _placed(kit, mention)))
            if reply is not None:
                drafted.append(reply)
        if heard.cursor is not None and heard.cursor != cursor:
            kit.store.keep_inbox_cursor(persona.name, name, heard.cursor)
    return tuple(drafted)


def approve_reply(kit: Kit, reply_id: int, *, by: str) -> Reply:
    return _moved(kit, kit.store.reply(reply_id), _S.APPROVED, by)


def reject_reply(kit: Kit, reply_id: int, *, by: str, because: str) -> Reply:
    return _moved(kit, kit.store.reply(reply_id), _S.REJECTED, by, because=because)


def edit_reply(kit: Kit, persona: Persona, reply_id: int, text: str, *, by: str) -> Reply:
    """Replaces the text of one that waits. Raises IllegalTransition for a text that hides what she is when that was asked."""
    reply = kit.store.reply(reply_id)
    if reply.state not in {_S.WAITING, _S.HELD}:
        raise IllegalTransition(f"reply {reply_id} is {reply.state} and cannot be edited")
    candour = candour_of(persona.voice.language)
    if reply.asked_ai and not is_candid(text, candour):
        raise IllegalTransition(
            f"reply {reply_id} answers whether {persona.display_name} is an AI, and must say so first",
            hint=f"begin with: {candour.answer}",
        )
    remarks = _judged(kit, persona, reply.mention, text)
    edited = reply.model_copy(
        update={
            "text": text,
            "voice": by,
            "remarks": remarks,
            "because": None,
            "state": _S.WAITING,
            "updated": kit.now(),
            "version": reply.version + 1,
        }
    )
    kit.store.save_reply(edited, expected_version=reply.version)
    return edited


def send_reply(kit: Kit, subject: Subject, reply_id: int) -> Reply:
    """Sends an approved answer once; a sent one comes back unchanged. Raises IllegalTransition, ProviderError when nothing went
    out, NotYet while the platform may still show what an earlier try sent.
    """
    with kit.store.lock(f"reply-{reply_id}"):
        reply = kit.store.reply(reply_id)
        if reply.state is _S.SENT:
            return reply
        if reply.state not in {_S.APPROVED, _S.SENDING, _S.UNKNOWN}:
            raise IllegalTransition(
                f"reply {reply_id} is {reply.state}, not approved", hint=f"zirelia replies approve {reply_id}"
            )
        check_consent(kit, subject)
        inbox = _inbox(kit, reply)
        if reply.begun is not None and reply.state in {_S.SENDING, _S.UNKNOWN}:
            found = inbox.answered(reply, Sending(begun=reply.begun))
            if found is not None:
                return _saved(kit, reply, _S.SENT, receipt=found)
            settles = kit.channels[reply.mention.channel].settles_after
            if (kit.now() - reply.begun).total_seconds() < settles:
                raise NotYet(f"{reply.mention.channel} does not show it yet", until=None)
            reply = _saved(kit, reply, _S.APPROVED)
        reply = _saved(kit, reply, _S.SENDING, begun=kit.now())
        try:
            answer = inbox.answer(reply, Sending(begun=kit.now()))
        except ProviderError:
            _saved(kit, reply, _S.APPROVED)
            raise
        if isinstance(answer, Uncertain):
            return _saved(kit, reply, _S.UNKNOWN, because=answer.because)
        return _saved(kit, reply, _S.SENT, receipt=answer)


def _inbox(kit: Kit, reply: Reply) -> Inbox:
    channel = kit.channels.get(reply.mention.channel)
    if channel is None or not hasattr(channel, "answer"):
        raise ConfigurationError(f"nothing can be answered on {reply.mention.channel}", hint="zirelia doctor")
    return cast("Inbox", channel)


def _moved(kit: Kit, reply: Reply, to: ReplyState, by: str, **changes: object) -> Reply:
    return _saved(kit, reply, to, decided_by=by, **changes)


def _saved(kit: Kit, reply: Reply, to: ReplyState, **changes: object) -> Reply:
    moved = step(reply, to, at=kit.now(), **changes)
    kit.store.save_reply(moved, expected_version=reply.version)
    return moved


def _placed(kit: Kit, mention: Mention) -> Mention:
    """With the post of hers that it answers. Another persona's post on the same platform is none of hers."""
    for answered in mention.answers:
        post_id = kit.store.post_sent_as(mention.channel, answered)
        if post_id is not None and kit.store.get_post(post_id).persona == mention.persona:
            return mention.model_copy(update={"post_id": post_id})
    return mention


def _drafted(kit: Kit, persona: Persona, mention: Mention) -> Reply:
    """An answer that waits for a person, or one that is held because no draft kept the rules."""
    candour = candour_of(persona.voice.language)
    asked = asks_whether_ai(mention.text, all_candours())
    blank = Reply(mention=mention, state=_S.HELD, asked_ai=asked, updated=kit.now())
    if kit.short_voice:
        if asked:
            # the one answer that needs no model
            return blank.model_copy(update={"state": _S.WAITING, "text": candour.answer, "voice": "rule"})
        return blank.model_copy(update={"because": "the embedded chat model is too small to answer people"})
    complaints: tuple[str, ...] = ()
    try:
        for turn in range(1, ROUNDS + 1):
            text, voice = _written(kit, persona, mention, candour, complaints, asked, turn)
            remarks = _judged(kit, persona, mention, text)
            complaints = instructions(remarks)
            if not complaints:
                return blank.model_copy(update={"state": _S.WAITING, "text": text, "voice": voice, "remarks": remarks})
    except (ProviderError, BadAnswer, BudgetExceeded) as error:
        return blank.model_copy(update={"because": error.message})
    return blank.model_copy(update={"because": "no draft kept the rules: " + "; ".join(complaints)})


def _written(
    kit: Kit,
    persona: Persona,
    mention: Mention,
    candour: Candour,
    complaints: Sequence[str],
    asked: bool,
    turn: int,
) -> tuple[str, str]:
    agent, voice = kit.agents["replier"], persona.voice
    post = kit.store.get_post(mention.post_id) if mention.post_id is not None else None
    system, user = agent.render(
        {
            "name": persona.display_name,
            "voice": f"{', '.join(voice.tone)}. {voice.style} Language: {voice.language}. Emoji: {voice.emoji}.",
            "avoid": [*voice.avoid, *persona.boundaries.topics] or None,
            "limits": f"at most {LONGEST} characters",
            "note": "; ".join(complaints) or None,
            "post": post.draft.caption if post is not None and post.draft is not None else None,
            "comment": mention.text,
        }
    )
    request = ChatRequest(system=system, user=user, temperature=agent.temperature, max_tokens=agent.max_tokens, seed=turn)
    account = Account(persona=persona.name, name=f"{mention.channel}:{mention.id}")
    key = f"replier/{turn}"
    answer = put(kit, account, "replier", kit.chat, request, ReplyAnswer, key=key, estimate=kit.chat_estimate_usd)
    text = " ".join(answer.value.text.split())
    return (candid(text, candour) if asked else text), answer.model


def _judged(kit: Kit, persona: Persona, mention: Mention, text: str) -> tuple[Remark, ...]:
    """By the rules of posts, but for what only a post has."""
    channel = kit.channels.get(mention.channel)
    limits = [channel_limits(mention.channel, channel.capabilities())] if channel is not None else []
    draft = Draft(caption=text, alt_text="none")
    remarks = criticise(
        draft, persona, limits, claims=load_claims(persona.voice.language), disclosure=persona.disclosure.visible_line
    )
    return tuple(remark for remark in remarks if remark.criterion not in _OF_A_POST)
