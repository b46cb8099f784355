"""Answers that were paid for: found again in this process, and through the database after a restart or in a replay.

    answers = KeptAnswers(memory)
    key = answer_key(shown, model="openai gpt-4.1-mini", prompt=(system, user), question=question.text)
    answers.find(key)                    # None, or the answer that costs nothing now

The key is a hash of everything that decides an answer: pixels and size, model, prompt, question. What is read from the
database is checked against the schema like an answer from the model. Asks nobody.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

from pydantic import ValidationError

from zirelia.critic.vision_pictures import Shown
from zirelia.definitions.answers import VisionAnswer
from zirelia.errors import ZireliaError
from zirelia.ports import CriticMemory, KeptAnswer

IN_PROCESS = 1024
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Reply:
    """What came of one question: an answer, or `problem`, why there is none.

    raw: the model's words. cost_usd, seconds: what it took now, nothing for a kept answer. note: what went wrong beside it.
    """

    answer: VisionAnswer | None = None
    model: str = ""
    raw: str | None = None
    cost_usd: float = 0.0
    seconds: float = 0.0
    problem: str = ""
    note: str = ""


class KeptAnswers:
    """Implements remembering over `ports.CriticMemory`, or in this process alone without one. Safe to use from several
    threads.
    """

    def __init__(self, memory: CriticMemory | None) -> None:
        self._memory = memory
        self._near: dict[str, Reply] = {}
        self._lock = threading.Lock()

    def find(self, key: str) -> Reply | None:
        """The kept answer at no cost. Raises StoreError when the database cannot be read."""
        with self._lock:
            known = self._near.get(key)
        if known is not None or self._memory is None:
            return known
        kept = self._memory.answer(key)
        if kept is None:
            return None
        try:
            answer = VisionAnswer.model_validate_json(kept.raw)
        except ValidationError:
            # damaged, or of another version: as good as not kept
            return None
        return self._remembered(key, Reply(answer=answer, model=kept.model, raw=kept.raw))

    def keep(self, key: str, question: str, reply: Reply) -> str:
        """Keeps an answer. Returns why the database could not, which makes the answer no worse; empty when all is well."""
        if reply.answer is None:
            raise ValueError("there is no answer to keep")
        self._remembered(key, Reply(answer=reply.answer, model=reply.model, raw=reply.raw))
        if self._memory is None:
            return ""
        # the model's words are kept where they are the plain answer, else the answer read from them: both can be read again
        words = reply.raw if reply.raw is not None and _is_plain(reply.raw) else reply.answer.model_dump_json()
        kept = KeptAnswer(model=reply.model, question=question, raw=words, cost_usd=reply.cost_usd)
        try:
            self._memory.keep_answer(key, kept)
        except ZireliaError as error:
            return f"could not be kept ({type(error).__name__}: {error.message})"
        return ""

    def _remembered(self, key: str, reply: Reply) -> Reply:
        with self._lock:
            while len(self._near) >= IN_PROCESS:
                self._near.pop(next(iter(self._near)))
            self._near[key] = reply
        return reply


def answer_key(shown: Shown, *, model: str, prompt: tuple[str, str], question: str) -> str:
    """SHA-256 in hexadecimal digits."""
    size = f"{shown.size[0]}x{shown.size[1]}"
    parts = (shown.pixels, size, model, *prompt, question)
    # lengths first, so that no part can pass for two
    text = _SEPARATOR.join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_plain(raw: str) -> bool:
    try:
        VisionAnswer.model_validate_json(raw)
    except ValidationError:
        return False
    return True
