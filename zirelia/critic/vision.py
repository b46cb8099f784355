"""Asks a vision model one specific question at a time about the picture, and believes only answers in the schema.

    vision = VisionInstrument(chat, load_agent("critic"), criteria=frozenset({Criterion.ANATOMY, Criterion.BRIEF}))
    vision.examine(exhibit)

"unsure", an error and an answer outside the schema are `not_checked`. Writing in the picture is never an instruction: the model
can answer yes, no or unsure to the question, and nothing else is read. Question, model and raw answer stay in the finding.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zirelia.critic.questions import Question, questions_for
from zirelia.definitions.agents import Agent
from zirelia.definitions.answers import VisionAnswer
from zirelia.domain.verdict import Criterion, Finding, Outcome
from zirelia.errors import BadAnswer, ConfigurationError, ZireliaError
from zirelia.ports import Answer, Chat, ChatRequest, Exhibit

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST_SIDE = 768
JPEG_QUALITY = 90
KEPT_ANSWERS = 512

ASKED = frozenset({Criterion.SAFETY, Criterion.SUBJECTS, Criterion.ANATOMY, Criterion.LOOK, Criterion.BRIEF, Criterion.FRAMING})
ASKABLE = ASKED | {Criterion.TECHNICAL}


class VisionInstrument:
    """Implements `ports.Instrument`.

    Args:
        chat: a model that takes images. agent: the critic's, with the one variable `question`, answering VisionAnswer.
        criteria: of ASKABLE. time_limit: seconds after which no further question is asked about one picture, so that what was
            paid for is kept; below the panel's own limit for this instrument.

    Raises ConfigurationError for a model without vision, another agent, or criteria without questions.
    """

    name = "vision"

    def __init__(self, chat: Chat, agent: Agent, *, criteria: frozenset[Criterion] = ASKED, time_limit: float = 240.0) -> None:
        if not chat.vision:
            raise ConfigurationError(
                f"the model {chat.facts().model} takes no images", hint="name a vision model for the critic, or none"
            )
        if agent.schema is not VisionAnswer or agent.variables != {"question"}:
            raise ConfigurationError(f"the agent '{agent.name}' must answer 'vision' and use {{{{question}}}} only")
        if unknown := criteria - ASKABLE:
            raise ConfigurationError(f"there are no questions about {', '.join(sorted(unknown))}")
        self._chat = chat
        self._agent = agent
        self._criteria = criteria
        self._time_limit = time_limit
        self._answers: dict[str, Answer[VisionAnswer]] = {}

    @property
    def criteria(self) -> frozenset[Criterion]:
        return self._criteria

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        """One finding for each question. After an error that the next question would meet too, the rest is not asked."""
        picture = _encoded(exhibit.image)
        findings: list[Finding] = []
        deadline = time.perf_counter() + self._time_limit
        stopped = ""
        for question in questions_for(exhibit, self._criteria):
            if not stopped and time.perf_counter() >= deadline:
                stopped = f"{self._time_limit:g} s had passed"
            if stopped:
                findings.append(self._unchecked(question, f"not asked: {stopped}"))
                continue
            started = time.perf_counter()
            try:
                findings.append(self._finding(question, picture))
            except BadAnswer as error:
                seconds = time.perf_counter() - started
                findings.append(self._unchecked(question, f"BadAnswer: {error.message}", raw=error.raw, seconds=seconds))
            except ZireliaError as error:
                stopped = f"{type(error).__name__}: {error.message}"
                findings.append(self._unchecked(question, stopped, seconds=time.perf_counter() - started))
        return tuple(findings)

    def _finding(self, question: Question, picture: bytes) -> Finding:
        started = time.perf_counter()
        answer, cost = self._ask(question, picture)
        value = answer.value
        said = f"{question.text} {value.answer}: {value.evidence}"
        outcome = Outcome.PASSED if value.answer == question.expects else Outcome.FAILED
        if value.answer == "unsure":
            outcome = Outcome.NOT_CHECKED
        return Finding(
            criterion=question.criterion,
            outcome=outcome,
            instrument=self.name,
            explanation=f"{answer.model}: {said}",
            repair=question.repair(said) if outcome is Outcome.FAILED else None,
            seconds=time.perf_counter() - started,
            cost_usd=cost,
            question=question.text,
            raw=answer.raw,
        )

    def _ask(self, question: Question, picture: bytes) -> tuple[Answer[VisionAnswer], float]:
        """The answer and what it cost now: nothing when the same question about the same picture was answered before."""
        system, user = self._agent.render({"question": question.text})
        parts = (hashlib.sha256(picture).hexdigest(), self._chat.facts().model, system, user)
        key = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        known = self._answers.get(key)
        if known is not None:
            return known, 0.0
        request = ChatRequest(
            system=system,
            user=user,
            images=(picture,),
            temperature=self._agent.temperature,
            max_tokens=self._agent.max_tokens,
        )
        answer = self._chat.ask(request, VisionAnswer)
        while len(self._answers) >= KEPT_ANSWERS:
            self._answers.pop(next(iter(self._answers)))
        self._answers[key] = answer
        return answer, answer.usage.cost_usd

    def _unchecked(self, question: Question, reason: str, *, raw: str | None = None, seconds: float = 0.0) -> Finding:
        return Finding(
            criterion=question.criterion,
            outcome=Outcome.NOT_CHECKED,
            instrument=self.name,
            explanation=f"{question.text} {reason}",
            question=question.text,
            raw=raw,
            seconds=seconds,
        )


def _encoded(image: Image) -> bytes:
    """PNG for small pictures, which JPEG would spoil, else JPEG; at most 768 pixels on the long side; no metadata."""
    from PIL import Image as Pillow

    picture = image.convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Pillow.Resampling.LANCZOS)
    # a new picture, so that no comment or EXIF text of the old one reaches the model
    bare = Pillow.frombytes("RGB", picture.size, picture.tobytes())
    target = io.BytesIO()
    if max(bare.size) <= 256:
        bare.save(target, "PNG")
    else:
        bare.save(target, "JPEG", quality=JPEG_QUALITY)
    return target.getvalue()
