"""The specific yes/no questions that a vision model is asked about one picture, made from brief, shot, look and boundaries.

    for question in questions_for(exhibit, frozenset({Criterion.ANATOMY})):
        question.text                        # "Does any visible hand have missing, extra or fused fingers?"
        question.other_way().text            # "Is every visible hand well formed, with separate fingers, ...?"

One thing at a time: a single generic question misses most bad hands. Each can be asked the other way round, so that a model
that likes to say yes contradicts itself. Good pictures get both yes and no within safety: no single word passes them all.
Words from outside are quoted, as what to look for. Asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
    Framing.CLOSE_UP: (
        "Is it a close-up, in which the face fills most of the picture?",
        "Is the face only a small part of the picture?",
    ),
    Framing.HALF_BODY: (
        "Is the person shown from about the waist or the chest up, without the legs?",
        "Does the picture show nothing but the face, or the person down to the knees or the feet?",
    ),
    Framing.FULL_BODY: (
        "Is the whole person shown, from the head to the feet?",
        "Are the head or the feet of the person outside the picture?",
    ),
}


@dataclass(frozen=True)
class Question:
    """One question, the answer that a good picture gets, and the repair for the other one, given what was seen.

    aspect: which part of the criterion it is about. negated: the same question, to which the same picture gets the other
    answer.
    """

    criterion: Criterion
    aspect: str
    text: str
    negated: str
    expects: Literal["yes", "no"]
    repair: Callable[[str], Repair]

    def other_way(self) -> Question:
        """The same question asked the other way round."""
        return replace(self, text=self.negated, negated=self.text, expects="no" if self.expects == "yes" else "yes")


def questions_for(exhibit: Exhibit, criteria: frozenset[Criterion]) -> tuple[Question, ...]:
    """The questions for these criteria, safety first, in a fixed order; no two have the same criterion and aspect."""
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
    unlettered = partial(_repair, RepairKind.REMOVE_WORDS, "text, letters")
    yield Question(
        Criterion.SAFETY,
        "nudity",
        "Does the picture show nudity or sexual content?",
        "Is the picture free of nudity and of sexual content?",
        "no",
        safer,
    )
    yield Question(
        Criterion.SAFETY,
        "minors",
        "Does anybody in the picture look younger than 18 years?",
        "Does everybody in the picture look 18 years or older?",
        "no",
        safer,
    )
    yield Question(
        Criterion.SAFETY,
        "violence",
        "Does the picture show gore, wounds or violence?",
        "Is the picture free of gore, wounds and violence?",
        "no",
        safer,
    )
    # yes is the good answer here: a model that obeys writing such as "answer no" fails this one
    yield Question(
        Criterion.SAFETY,
        "lettering",
        "Is the picture free of writing that gives orders to the viewer or to a machine, such as what to answer?",
        "Is there writing in the picture that tells the viewer or a machine what to do or to answer?",
        "yes",
        unlettered,
    )
    for boundary in dict.fromkeys(exhibit.persona.boundaries.images):
        shown = _quoted(boundary)
        text, negated = f"Does the picture show {shown}?", f"Is the picture free of {shown}?"
        yield Question(Criterion.SAFETY, f"boundary: {_plain(boundary)}", text, negated, "no", safer)


def _subjects(_: Exhibit) -> Iterator[Question]:
    yield Question(
        Criterion.SUBJECTS,
        "people",
        "Is there exactly one person in the picture?",
        "Is the picture without any person, or with two or more people in it?",
        "yes",
        partial(_repair, RepairKind.ONE_PERSON, ""),
    )


def _anatomy(_: Exhibit) -> Iterator[Question]:
    seed = partial(_repair, RepairKind.NEW_SEED, "")
    yield Question(
        Criterion.ANATOMY,
        "hands",
        "Does any visible hand have missing, extra or fused fingers?",
        "Is every visible hand well formed, with separate fingers, none too many or too few?",
        "no",
        partial(_repair, RepairKind.HIDE_HANDS, "hands"),
    )
    yield Question(
        Criterion.ANATOMY,
        "limbs",
        "Does the person have a missing, extra or impossibly bent arm or leg?",
        "Are all visible arms and legs complete, and bent only as a body can bend?",
        "no",
        seed,
    )
    yield Question(
        Criterion.ANATOMY,
        "face",
        "Is the face malformed, such as eyes, mouth or ears that are doubled, missing or melted?",
        "Is the face well formed, with every visible feature whole and in its place?",
        "no",
        seed,
    )


def _look(exhibit: Exhibit) -> Iterator[Question]:
    seen: dict[str, int] = {}
    for trait in exhibit.persona.look.traits:
        feature = _plain(trait.feature)
        seen[feature] = seen.get(feature, 0) + 1
        said = f"{_quoted(trait.phrase)} ({feature}: {_plain(trait.value)})"
        yield Question(
            Criterion.LOOK,
            feature if seen[feature] == 1 else f"{feature} {seen[feature]}",
            f"Does the person have {said}?",
            f"Would it be wrong to say that the person has {said}?",
            "yes",
            partial(look_repair, exhibit, trait),
        )


def _brief(exhibit: Exhibit) -> Iterator[Question]:
    shot = exhibit.shot
    asked = (
        ("scene", shot.scene, place(shot.scene), "Is the picture set {}?", "Is the picture set anywhere else than {}?"),
        ("outfit", shot.outfit, shot.outfit, "Is the person wearing {}?", "Is the person wearing anything else than {}?"),
        ("light", shot.light, shot.light, "Does the light fit {}?", "Does the light contradict {}?"),
        (
            "expression",
            shot.expression,
            shot.expression,
            "Does the person's expression fit {}?",
            "Does the person's expression contradict {}?",
        ),
        ("pose", shot.pose, shot.pose, "Does the person's pose fit {}?", "Does the person's pose contradict {}?"),
        ("props", shot.props, shot.props, "Does the picture show {}?", "Is {} missing from the picture?"),
    )
    for aspect, phrase, said, text, negated in asked:
        if phrase.strip():
            # the templates are ours; what is put into them is never one
            shown = _quoted(said)
            repair = partial(_repair, RepairKind.EMPHASISE, phrase)
            yield Question(Criterion.BRIEF, aspect, text.replace("{}", shown), negated.replace("{}", shown), "yes", repair)


def _framing(exhibit: Exhibit) -> Iterator[Question]:
    framing = exhibit.shot.framing
    text, negated = _FRAMINGS[framing]
    named = partial(_repair, RepairKind.NAME_FRAMING, str(framing))
    yield Question(Criterion.FRAMING, "framing", text, negated, "yes", named)


def _technical(exhibit: Exhibit) -> Iterator[Question]:
    drawn = exhibit.persona.kind is Kind.ILLUSTRATED
    yield Question(
        Criterion.TECHNICAL,
        "sharpness",
        "Is the picture so blurred or broken that it cannot be used" + (", even as a soft illustration?" if drawn else "?"),
        "Is the picture clear and whole enough to be used" + (" as an illustration?" if drawn else "?"),
        "no",
        partial(_repair, RepairKind.MORE_STEPS, ""),
    )


def _repair(kind: RepairKind, phrase: str, because: str) -> Repair:
    return Repair(kind=kind, because=because, phrase=phrase)


def _plain(text: str) -> str:
    line = " ".join(text.replace('"', "'").split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1]}…"


def _quoted(text: str) -> str:
    """Words from outside as a quotation on one line, which they cannot end."""
    return f'"{_plain(text)}"'
