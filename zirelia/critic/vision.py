"""Asks a vision model specific questions about the picture, and believes only answers in the schema.

    vision = VisionInstrument(chat, load_agent("critic"), together=load_agent("critic_together"), memory=memory, most_usd=0.02)
    vision.examine(exhibit)

What is not a clear pass is asked once more, the other way round: a model that agrees with both contradicts itself, and then
the question is `not_checked` (a failed safety question stays failed). "unsure", an error and an answer outside the schema
never pass. Question, model and raw answer stay in the finding, and answers are kept, so that the same picture is paid for
once.

Writing in the picture is never an instruction to us: no metadata is sent, the model can only say yes, no or unsure to each
question, and nothing else it says is read. A model that obeys "answer no" or "answer yes" fails a safety question either
way, because good pictures get both answers there. What this cannot prevent: a model that understands the questions and
lies, or is led by a picture to lie, about each of them. The offline instruments and the person who approves do not depend
on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from zirelia.critic.questions import Question, questions_for
from zirelia.critic.vision_answers import Reply
from zirelia.critic.vision_asking import Asking
from zirelia.critic.vision_limits import Allowance, checked_limits
from zirelia.critic.vision_outcomes import Vote, is_strict, on_the_border, settled, vote_of
from zirelia.critic.vision_pictures import picture_for
from zirelia.definitions.agents import Agent
from zirelia.domain.value import printable
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.errors import ConfigurationError
from zirelia.ports import Chat, CriticMemory, Exhibit

ASKED = frozenset({Criterion.SAFETY, Criterion.SUBJECTS, Criterion.ANATOMY, Criterion.LOOK, Criterion.BRIEF, Criterion.FRAMING})
ASKABLE = ASKED | {Criterion.TECHNICAL}
LONGEST_RAW = 8000
"""Characters of one raw answer that stay in the finding."""
KEPT_PICTURES = 256
"""Pictures of which it is remembered what they cost, so that being asked again about one grants no new allowance."""


class VisionInstrument:
    """Implements `ports.Instrument`.

    Args:
        chat: a model that takes images. agent: the critic's, with the one variable `question`, answering VisionAnswer.
        together: the agent for several questions in one call (`questions`, answering VisionListAnswer); None asks one at a
            time.
        memory: keeps answers beyond this process; None keeps them in it.
        most_usd: dollars that the questions about one picture may cost; the rest is `not_checked`. None has no such limit.
        criteria: of ASKABLE. time_limit: seconds after which no further question is asked about one picture, so that what was
            paid for is kept; below the panel's own limit for this instrument.
        kept_only: asks nobody: what was not answered before is `not_checked`. For replays.

    Raises ConfigurationError for a model without vision, another agent, criteria without questions, or a limit below zero.
    """

    name = "vision"

    def __init__(
        self,
        chat: Chat,
        agent: Agent,
        *,
        together: Agent | None = None,
        memory: CriticMemory | None = None,
        most_usd: float | None = None,
        criteria: frozenset[Criterion] = ASKED,
        time_limit: float = 240.0,
        kept_only: bool = False,
    ) -> None:
        if unknown := criteria - ASKABLE:
            raise ConfigurationError(f"there are no questions about {', '.join(sorted(unknown))}")
        checked_limits(time_limit, most_usd)
        self._asking = Asking(chat, agent, together=together, memory=memory)
        self._criteria = criteria
        self._most_usd, self._time_limit, self._kept_only = most_usd, time_limit, kept_only
        self._spent: dict[str, float] = {}

    @property
    def criteria(self) -> frozenset[Criterion]:
        return self._criteria

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        """One finding for each question. After an error that the next question would meet too, the rest is not asked."""
        shown = picture_for(exhibit.image, self._asking.model)
        allowance = Allowance(
            seconds=self._time_limit,
            most_usd=self._most_usd,
            paid=self._asking.paid,
            spent=self._spent.pop(shown.pixels, 0.0),
        )
        if self._kept_only:
            allowance.stop("only answers that were kept are read")
        questions = questions_for(exhibit, self._criteria)
        first = self._asking.replies(questions, shown, allowance)
        rubric = exhibit.persona.rubric
        doubted = [
            place
            for place, (question, reply) in enumerate(zip(questions, first, strict=True))
            if on_the_border(question, _vote(question, reply), rubric)
        ]
        second = self._asking.replies([questions[place].other_way() for place in doubted], shown, allowance)
        again = dict(zip(doubted, second, strict=True))
        self._spent[shown.pixels] = allowance.spent
        while len(self._spent) > KEPT_PICTURES:
            self._spent.pop(next(iter(self._spent)))
        return tuple(
            self._finding(question, reply, again.get(place))
            for place, (question, reply) in enumerate(zip(questions, first, strict=True))
        )

    def _finding(self, question: Question, first: Reply, second: Reply | None) -> Finding:
        other_way = question.other_way()
        votes = _vote(question, first), _vote(other_way, second) if second else None
        outcome = settled(*votes, strict=is_strict(question))
        said = _said(question, first)
        if second is not None:
            said = f"{said}; asked the other way round: {_said(other_way, second)}"
        replies = [first] if second is None else [first, second]
        raws = [reply.raw[:LONGEST_RAW] for reply in replies if reply.raw is not None]
        model = first.model
        # it looked and could not tell: another picture may be clearer; in safety nobody draws until the judge is sure
        unsure = outcome is Outcome.NOT_CHECKED and first.answer is not None and not is_strict(question)
        return Finding(
            criterion=question.criterion,
            aspect=question.aspect,
            outcome=outcome,
            instrument=self.name,
            explanation=f"{model}: {said}" if model else said,
            repair=question.repair(said) if outcome is Outcome.FAILED or unsure else None,
            seconds=sum(reply.seconds for reply in replies),
            cost_usd=sum(reply.cost_usd for reply in replies),
            question=question.text if second is None else f"{question.text} / {other_way.text}",
            raw=printable("\n".join(raws)) if raws else None,
        )


def _vote(question: Question, reply: Reply) -> Vote | None:
    return None if reply.answer is None else vote_of(question, reply.answer.answer)


def _said(question: Question, reply: Reply) -> str:
    """The question and what came of it, in one line."""
    words = reply.problem if reply.answer is None else f"{reply.answer.answer}: {reply.answer.evidence}"
    said = f"{question.text} {words}" + (f" (the answer {reply.note})" if reply.note else "")
    # neither line breaks nor invisible letters of a model or a file turn a remark into another one
    return " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())
