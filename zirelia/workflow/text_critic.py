"""The chat model's opinion of a draft that the rules let through: one structured question about what no phrase list foresees.

    remarks = ask_critic(kit, persona, post, draft, turn=1)
    instructions(remarks)          # what the writer must change; () when the model sees nothing, or could not be asked

A yes is believed with a quote that stands in the draft; any answer whose quote does not is `not_checked`, and so is an
unsure one. The post is not held for want of this opinion: every post waits for a person, who reads on its card that it was
checked by phrases only. Holding it would tell that person nothing more, and would stop all posts with every outage of the
chat model. Nothing is passed by it either.

A draft is asked about once: the answer is kept before its ledger row is closed, under a hash of model and question, so that
a resumed turn that writes the same words reads it there. A tiny chat model is not asked, and neither is a person's edit.
Alt text is not shown to the model: it is written anew from the picture and judged by rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from zirelia.definitions.answers import QuotedAnswer, TextCriticAnswer, text_critic_answer
from zirelia.domain.persona import Persona
from zirelia.domain.post import Draft, Post
from zirelia.domain.text_plain import plain
from zirelia.domain.text_remark import TEXT_CRITIC, Remark, TextCriterion, by_phrases_only
from zirelia.domain.verdict import Outcome
from zirelia.errors import BudgetExceeded, ProviderError
from zirelia.ports import Answer, BackendFacts, Chat, ChatRequest, CriticMemory, KeptAnswer, Schema
from zirelia.workflow.accounts import put, settle_kept
from zirelia.workflow.kit import Kit

MOST_BOUNDARIES = 40
"""Boundaries that one question lists; those beyond are matched by their words alone, and that is said."""
TOKENS_A_BOUNDARY = 30

_CLAIMS, _BOUNDARIES = TextCriterion.CLAIMS, TextCriterion.BOUNDARIES
_KINDS = {
    "experience": (_CLAIMS, "do not claim to have used a product, or what it did for you"),
    "medical": (_CLAIMS, "give no medical advice and promise no healing"),
    "financial": (_CLAIMS, "give no financial advice and promise no earnings"),
    "human": (_CLAIMS, "do not claim to be a human being"),
    "minor": (_CLAIMS, "do not say that you are a minor"),
    "hate": (_BOUNDARIES, "insult and degrade nobody"),
}
_NO_QUOTE = frozenset({"", "none", "n/a", "null", "empty"})
# a model straightens such marks when it copies, and a prompt shows < and > as ‹ and ›
_MARKS = str.maketrans(
    {**dict.fromkeys("’‘ʼ`´", "'"), **dict.fromkeys("“”„«»", '"'), **dict.fromkeys("–—‐‑", "-"), "‹": "<", "›": ">"}
)


def ask_critic(kit: Kit, persona: Persona, post: Post, draft: Draft, *, turn: int) -> tuple[Remark, ...]:
    """The chat model's remarks about caption and hashtags. `turn` tells the drafts of one post apart.

    A model that fails, or that the budget does not allow to be asked, is one `not_checked` remark.
    """
    if kit.short_voice:
        return (by_phrases_only("the embedded chat model is not asked to judge"),)
    topics = persona.boundaries.topics[:MOST_BOUNDARIES]
    try:
        answer = _answered(kit, persona, post, draft, topics, turn)
    except (ProviderError, BudgetExceeded) as error:
        kit.watcher.note(f"claims are checked by phrases only: {error.message}")
        return (by_phrases_only(error.message),)
    found = remarks_of(answer, draft, topics)
    beyond = len(persona.boundaries.topics) - len(topics)
    return (*found, _unchecked(_BOUNDARIES, f"{beyond} more are matched by their words only")) if beyond else found


def remarks_of(answer: TextCriticAnswer, draft: Draft, topics: Sequence[str]) -> tuple[Remark, ...]:
    """What the answer means for the draft. topics: the boundaries in the order in which they were listed."""
    told = [(*_KINDS[kind], getattr(answer, kind)) for kind in _KINDS]
    told += [
        (_BOUNDARIES, f"do not write about '{topic}'", getattr(answer, f"boundary_{number}"))
        for number, topic in enumerate(topics, start=1)
    ]
    said = seen_by_critic(draft)
    found = [remark for criterion, say, one in told if (remark := _remark(criterion, say, one, said)) is not None]
    for criterion in (_CLAIMS, _BOUNDARIES):
        if all(remark.criterion is not criterion for remark in found):
            found.append(_by_critic(criterion, Outcome.PASSED, "the chat model sees none either"))
    return tuple(found)


def seen_by_critic(draft: Draft) -> str:
    """The part of the draft that is judged and may be quoted."""
    return draft.model_copy(update={"alt_text": ""}).for_reader()


def _remark(criterion: TextCriterion, say: str, one: QuotedAnswer, said: str) -> Remark | None:
    """None for a no that is believed."""
    quote = one.quote.strip()
    if one.answer == "no" and plain(quote) in _NO_QUOTE:
        return None
    if plain(quote) in _NO_QUOTE and one.answer == "unsure":
        return _unchecked(criterion, f"the chat model is unsure: {say}")
    if not _stands_in(quote, said):
        return _unchecked(criterion, f"the chat model says {one.answer} with a quote that is not in the text: {say}")
    if one.answer == "yes":
        return _by_critic(criterion, Outcome.FAILED, f"{say}: '{quote}'")
    return None if one.answer == "no" else _unchecked(criterion, f"the chat model is unsure: {say}: '{quote}'")


def _stands_in(quote: str, said: str) -> bool:
    """Whether the quote says something and stands in the text, whatever the case, the accents and the kind of marks."""
    bare = plain(quote.translate(_MARKS)).strip(" \"'.,;:!?-")
    return sum(map(str.isalnum, bare)) > 1 and bare in plain(said.translate(_MARKS))


def _by_critic(criterion: TextCriterion, outcome: Outcome, told: str) -> Remark:
    return Remark(criterion=criterion, outcome=outcome, explanation=told, by=TEXT_CRITIC)


def _unchecked(criterion: TextCriterion, told: str) -> Remark:
    return _by_critic(criterion, Outcome.NOT_CHECKED, told).model_copy(update={"advisory": True})


def _answered(kit: Kit, persona: Persona, post: Post, draft: Draft, topics: Sequence[str], turn: int) -> TextCriticAnswer:
    agent, schema = kit.agents["text_critic"], text_critic_answer(len(topics))
    system, user = agent.render(
        {"name": persona.display_name, "boundaries": list(topics) or None, "draft": seen_by_critic(draft)}
    )
    request = ChatRequest(
        system=system,
        user=user,
        temperature=agent.temperature,
        max_tokens=agent.max_tokens + TOKENS_A_BOUNDARY * len(topics),
    )
    row = f"text_critic/{post.version}.{turn}"
    chat: Chat = kit.chat
    if kit.memory is not None:
        key = _hash(kit.chat.facts(), request)
        kept = _kept(kit.memory, key, schema)
        if kept is not None:
            settle_kept(kit, post, {row: kept[1]})
            return kept[0]
        chat = _Keeping(kit.chat, kit.memory, key)
    return put(kit, post, "text_critic", chat, request, schema, key=row, estimate=kit.chat_estimate_usd).value


def _hash(facts: BackendFacts, request: ChatRequest) -> str:
    """Of everything that decides the answer."""
    parts = (facts.backend, facts.model, request.system, request.user)
    # lengths first, so that no part can pass for two
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")).hexdigest()


def _kept(memory: CriticMemory, key: str, schema: type[Schema]) -> tuple[Schema, float] | None:
    """An earlier answer and what it cost; None when there is none, or none that fits the schema as it is now."""
    kept = memory.answer(key)
    try:
        return None if kept is None else (schema.model_validate_json(kept.raw), kept.cost_usd)
    except ValidationError:
        return None


@dataclass(frozen=True)
class _Keeping:
    """A chat model whose answer is kept before anybody else sees it, and so before its ledger row is closed."""

    chat: Chat
    memory: CriticMemory
    key: str

    @property
    def vision(self) -> bool:
        return self.chat.vision

    def facts(self) -> BackendFacts:
        return self.chat.facts()

    def ask(self, request: ChatRequest, schema: type[Schema]) -> Answer[Schema]:
        answer = self.chat.ask(request, schema)
        raw = answer.value.model_dump_json()
        self.memory.keep_answer(self.key, KeptAnswer(answer.model, "text_critic", raw, answer.usage.cost_usd))
        return replace(answer, raw=raw)
