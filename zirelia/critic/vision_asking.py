"""Puts questions about one picture to a vision model: each by itself, or all in one call, and never one that was answered
before.

    asking = Asking(chat, load_agent("critic"), together=load_agent("critic_together"), memory=memory)
    replies = asking.replies(questions, shown, allowance)      # one for each question, in their order

In one call the answers come by number. A question whose number is missing or doubled is asked by itself; a number that was
never asked shows that the counting is off, and then all are. An error that the next call would meet too ends the asking;
what was answered until then is kept. Judges nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pydantic import BaseModel

from zirelia.critic.questions import Question
from zirelia.critic.vision_answers import KeptAnswers, Reply, answer_key
from zirelia.critic.vision_limits import Allowance
from zirelia.critic.vision_pictures import Shown
from zirelia.definitions.agents import Agent
from zirelia.definitions.answers import VisionAnswer, VisionListAnswer
from zirelia.errors import BadAnswer, ConfigurationError, ProviderError, ZireliaError
from zirelia.ports import Answer, Chat, ChatRequest, CriticMemory, Usage

MOST_TOGETHER = 24
"""Questions in one call at most, so that the answers fit the agent's tokens."""

Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True)
class _Call(Generic[Form]):
    """One call: an answer, or the problem and the words that could not be read; and what it took either way."""

    usage: Usage
    answer: Answer[Form] | None = None
    problem: str = ""
    raw: str | None = None


class Asking:
    """One vision model and the prompts for it.

    Args:
        chat: a model that takes images. agent: for one question, with the variable `question`, answering VisionAnswer.
        together: for several, with the variable `questions`, answering VisionListAnswer; None asks one at a time.
        memory: keeps answers beyond this process.

    Raises ConfigurationError for a model without vision or an agent of another form.
    """

    def __init__(self, chat: Chat, agent: Agent, *, together: Agent | None, memory: CriticMemory | None) -> None:
        facts = chat.facts()
        if not chat.vision:
            raise ConfigurationError(
                f"the model {facts.model} takes no images", hint="name a vision model for the critic, or none"
            )
        _check(agent, VisionAnswer, "vision", "question")
        if together is not None:
            _check(together, VisionListAnswer, "vision_list", "questions")
        self.model, self.paid = facts.model, facts.paid
        self._name = f"{facts.backend} {facts.model}"
        self._chat, self._agent, self._together = chat, agent, together
        self._kept = KeptAnswers(memory)
        self._dearest: dict[str, float] = {}

    def replies(self, questions: Sequence[Question], shown: Shown, allowance: Allowance) -> list[Reply]:
        """Raises no ZireliaError: what went wrong is the reply's `problem`."""
        found = [self._found(question, shown, allowance) for question in questions]
        taken = [Usage()] * len(questions)
        missing = [place for place, reply in enumerate(found) if reply is None]
        if self._together is not None and len(missing) > 1:
            for start in range(0, len(missing), MOST_TOGETHER):
                places = missing[start : start + MOST_TOGETHER]
                joint, share = self._in_one_call([questions[place] for place in places], shown, allowance, self._together)
                for place, reply in zip(places, joint, strict=True):
                    found[place], taken[place] = reply, share
        replies = [
            reply or self._by_itself(question, shown, allowance) for question, reply in zip(questions, found, strict=True)
        ]
        return [
            replace(reply, cost_usd=reply.cost_usd + share.cost_usd, seconds=reply.seconds + share.seconds)
            for reply, share in zip(replies, taken, strict=True)
        ]

    def _found(self, question: Question, shown: Shown, allowance: Allowance) -> Reply | None:
        """A kept answer, whichever way the question was asked."""
        try:
            for agent in (self._together, self._agent):
                kept = None if agent is None else self._kept.find(self._key(agent, question, shown))
                if kept is not None:
                    return kept
        except ZireliaError as error:
            # without its memory the critic would pay again for everything, so it asks nothing
            allowance.stop(_named(error))
            return Reply(problem=_named(error))
        return None

    def _by_itself(self, question: Question, shown: Shown, allowance: Allowance) -> Reply:
        if reason := allowance.refusal(self._dearest.get(self._agent.name, 0.0)):
            return Reply(problem=f"not asked: {reason}")
        call = self._ask(self._agent, {"question": question.text}, VisionAnswer, shown, allowance)
        usage = call.usage
        if call.answer is None:
            return Reply(problem=call.problem, raw=call.raw, cost_usd=usage.cost_usd, seconds=usage.seconds)
        reply = Reply(call.answer.value, call.answer.model, call.answer.raw, usage.cost_usd, usage.seconds)
        return replace(reply, note=self._kept.keep(self._key(self._agent, question, shown), question.text, reply))

    def _in_one_call(
        self, questions: Sequence[Question], shown: Shown, allowance: Allowance, agent: Agent
    ) -> tuple[list[Reply | None], Usage]:
        """One reply for each question, None where it must be asked by itself, and each one's share of what the call took."""
        replies: list[Reply | None] = [None] * len(questions)
        if allowance.refusal(self._dearest.get(agent.name, 0.0)):
            return replies, Usage()
        call = self._ask(agent, {"questions": [question.text for question in questions]}, VisionListAnswer, shown, allowance)
        share = _share(call.usage, len(questions))
        if call.answer is None:
            return replies, share
        for place, value in _by_number(call.answer.value, len(questions)).items():
            question = questions[place]
            reply = Reply(value, call.answer.model, value.model_dump_json(), share.cost_usd)
            note = self._kept.keep(self._key(agent, question, shown), question.text, reply)
            replies[place] = replace(reply, cost_usd=0.0, note=note)
        return replies, share

    def _ask(
        self, agent: Agent, variables: Mapping[str, object], form: type[Form], shown: Shown, allowance: Allowance
    ) -> _Call[Form]:
        system, user = agent.render(variables)
        request = ChatRequest(
            system=system,
            user=user,
            images=(shown.data,),
            temperature=agent.temperature,
            max_tokens=agent.max_tokens,
        )
        started = time.perf_counter()
        call: _Call[Form]
        cost = 0.0
        try:
            answer = self._chat.ask(request, form)
            cost = answer.usage.cost_usd
            call = _Call(Usage(cost_usd=cost, seconds=time.perf_counter() - started), answer)
        except ZireliaError as error:
            # a failed call was paid for all the same
            spent = error.usage if isinstance(error, ProviderError) else None
            cost = spent.cost_usd if isinstance(spent, Usage) else 0.0
            usage = Usage(cost_usd=cost, seconds=time.perf_counter() - started)
            call = _Call(usage, problem=_named(error), raw=error.raw if isinstance(error, BadAnswer) else None)
            if not isinstance(error, BadAnswer):
                allowance.stop(_named(error))
        allowance.spend(cost)
        self._dearest[agent.name] = max(cost, self._dearest.get(agent.name, 0.0))
        return call

    def _key(self, agent: Agent, question: Question, shown: Shown) -> str:
        model = f"{self._name} {agent.temperature:g} {agent.front.output}"
        return answer_key(shown, model=model, prompt=(agent.system, agent.user), question=question.text)


def _by_number(said: VisionListAnswer, asked: int) -> dict[int, VisionAnswer]:
    """Place of the question → its answer; only of those that were answered once."""
    numbers = [answer.number for answer in said.answers]
    if any(number > asked for number in numbers):
        return {}
    return {
        answer.number - 1: VisionAnswer(answer=answer.answer, evidence=answer.evidence)
        for answer in said.answers
        if numbers.count(answer.number) == 1
    }


def _share(usage: Usage, parts: int) -> Usage:
    return Usage(cost_usd=usage.cost_usd / parts, seconds=usage.seconds / parts)


def _check(agent: Agent, form: type[BaseModel], output: str, variable: str) -> None:
    if agent.schema is not form or agent.variables != {variable}:
        raise ConfigurationError(f"the agent '{agent.name}' must answer '{output}' and use {{{{{variable}}}}} only")


def _named(error: ZireliaError) -> str:
    return f"{type(error).__name__}: {error.message}"
