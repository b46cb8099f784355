"""The specific yes/no questions that a vision model is asked about one picture, made from brief, shot, look and boundaries.

    for question in questions_for(exhibit, frozenset({Criterion.ANATOMY})):
        question.text                        # "Does any visible hand have missing, extra or fused fingers?"

One thing at a time: a single generic question misses most bad hands. Words from outside are quoted, as what to look for.
Asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from zirelia.critic.repairs import look_repair
from zirelia.domain.persona import Kind
from zirelia.domain.prompt import place
from zirelia.domain.shot import Framing
from zirelia.domain.verdict import Criterion, Repair, RepairKind
from zirelia.ports import Exhibit

LONGEST_QUOTE = 200

_FRAMINGS = {
    Framing.CLOSE_UP: "Is it a close-up, in which the face fills most of the picture?",
    Framing.HALF_BODY: "Is the person shown from about the waist or the chest up, without the legs?",
    Framing.FULL_BODY: "Is the whole person shown, from the head to the feet?",
}


@dataclass(frozen=True)
class Question:
    """One question, the answer that a good picture gets, and the repair for the other one, given what was seen."""

    criterion: Criterion
    text: str
    expects: Literal["yes", "no"]
    repair: Callable[[str], Repair]


def questions_for(exhibit: Exhibit, criteria: frozenset[Criterion]) -> tuple[Question, ...]:
    """The questions for these criteria, safety first, in a fixed order."""
    makers = {
        Criterion.SAFETY: _safety,
        Criterion.SUBJECTS: _subjects,
        Criterion.ANATOMY: _anatomy,
        Criterion.LOOK: _look,
        Criterion.BRIEF: _brief,
        Criterion.FRAMING: _framing,
        Criterion.TECHNICAL: _technical,
    }
    return tuple(question for criterion, make in makers.items() if criterion in criteria for question in make(exhibit))


def _safety(exhibit: Exhibit) -> Iterator[Question]:
    safer = partial(_repair, RepairKind.SAFER_WORDING, "")
    asked = (
        "Does the picture show nudity or sexual content?",
        "Does anybody in the picture look younger than 18 years?",
        "Does the picture show gore, wounds or violence?",
    )
    for text in asked:
        yield Question(Criterion.SAFETY, text, "no", safer)
    for boundary in exhibit.persona.boundaries.images:
        yield Question(Criterion.SAFETY, f"Does the picture show {_quoted(boundary)}?", "no", safer)


def _subjects(_: Exhibit) -> Iterator[Question]:
    one = partial(_repair, RepairKind.ONE_PERSON, "")
    yield Question(Criterion.SUBJECTS, "Is there exactly one person in the picture?", "yes", one)


def _anatomy(_: Exhibit) -> Iterator[Question]:
    hands = partial(_repair, RepairKind.HIDE_HANDS, "hands")
    seed = partial(_repair, RepairKind.NEW_SEED, "")
    asked = (
        ("Does any visible hand have missing, extra or fused fingers?", hands),
        ("Does the person have a missing, extra or impossibly bent arm or leg?", seed),
        ("Is the face malformed, such as eyes, mouth or ears that are doubled, missing or melted?", seed),
    )
    for text, repair in asked:
        yield Question(Criterion.ANATOMY, text, "no", repair)


def _look(exhibit: Exhibit) -> Iterator[Question]:
    for trait in exhibit.persona.look.traits:
        text = f"Does the person have {_quoted(trait.phrase)} ({_plain(trait.feature)}: {_plain(trait.value)})?"
        yield Question(Criterion.LOOK, text, "yes", partial(look_repair, exhibit, trait))


def _brief(exhibit: Exhibit) -> Iterator[Question]:
    shot = exhibit.shot
    asked = (
        (f"Is the picture set {_quoted(place(shot.scene))}?", shot.scene),
        (f"Is the person wearing {_quoted(shot.outfit)}?", shot.outfit),
        (f"Does the light fit {_quoted(shot.light)}?", shot.light),
        (f"Does the person's expression fit {_quoted(shot.expression)}?", shot.expression),
        (f"Does the person's pose fit {_quoted(shot.pose)}?", shot.pose),
        (f"Does the picture show {_quoted(shot.props)}?", shot.props),
    )
    for text, phrase in asked:
        if phrase.strip():
            yield Question(Criterion.BRIEF, text, "yes", partial(_repair, RepairKind.EMPHASISE, phrase))


def _framing(exhibit: Exhibit) -> Iterator[Question]:
    framing = exhibit.shot.framing
    named = partial(_repair, RepairKind.NAME_FRAMING, str(framing))
    yield Question(Criterion.FRAMING, _FRAMINGS[framing], "yes", named)


def _technical(exhibit: Exhibit) -> Iterator[Question]:
    drawn = exhibit.persona.kind is Kind.ILLUSTRATED
    text = "Is the picture so blurred or broken that it cannot be used" + (", even as a soft illustration?" if drawn else "?")
    yield Question(Criterion.TECHNICAL, text, "no", partial(_repair, RepairKind.MORE_STEPS, ""))


def _repair(kind: RepairKind, phrase: str, because: str) -> Repair:
    return Repair(kind=kind, because=because, phrase=phrase)


def _plain(text: str) -> str:
    line = " ".join(text.replace('"', "'").split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1]}…"


def _quoted(text: str) -> str:
    """Words from outside as a quotation on one line, which they cannot end."""
    return f'"{_plain(text)}"'
