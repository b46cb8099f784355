"""What each agent must answer: small closed schemas that a grammar can force even on a tiny model.

    plan_answer(5)                     # choice is one of 1..5
    shot_answer(maker.vocabulary())    # scene, outfit, ... are one of the words that the image model can draw
    ANSWERS["draft"]                   # the schema that an agent file names in its front matter

The key that decides comes first, free text after it; every text has a length that keeps an answer short. Knows no prompts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, create_model, field_validator

from zirelia.domain.shot import Framing, Shot, ShotVocabulary

SHORT_CAPTION = (
    r"^I (love|like|watch|see|hear|find|think about|sit|walk|draw|read|write|make|drink|wait|look) [a-z ,']{12,80}\. "
    r"(I|It|My|The|Now|Then) [a-z ,']{12,80}[.!]$"
)
"""A verb that says what she does keeps a tiny model from saying what she is."""

_LEFT_HANGING = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "but",
        "of",
        "to",
        "in",
        "on",
        "at",
        "with",
        "for",
        "from",
        "by",
        "my",
        "your",
        "his",
        "her",
        "is",
        "are",
        "was",
        "be",
        "been",
        "i",
    ]
)

Hashtag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{2,30}$")]


class Answered(BaseModel):
    """Base of all answers: closed, frozen, texts stripped of surrounding space."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class ChoiceAnswer(Answered):
    """Which of the numbered options (1-based), and nothing else: for models that cannot say why."""

    choice: int = Field(ge=1, le=12, description="number of the chosen option")


class PlanAnswer(Answered):
    """Which of the numbered options (1-based), and what is particular about it today."""

    choice: int = Field(ge=1, le=12, description="number of the chosen option")
    angle: str = Field(min_length=8, max_length=160, description="one sentence: what is particular about it today")


class DraftAnswer(Answered):
    """The text of one post. Hashtags without '#'; a leading one is taken off."""

    caption: str = Field(min_length=40, max_length=600, description="the post, without hashtags")
    hashtags: list[Hashtag] = Field(min_length=2, max_length=6, description="single words without '#'")
    alt_text: str = Field(min_length=20, max_length=300, description="one sentence: what the picture shows")

    @field_validator("hashtags", mode="before")
    @classmethod
    def _bare(cls, tags: Any) -> Any:
        return [tag.strip().lstrip("#") if isinstance(tag, str) else tag for tag in tags] if isinstance(tags, list) else tags


class ReplyAnswer(Answered):
    """The answer to a comment."""

    text: str = Field(min_length=2, max_length=400, description="one or two short sentences")


class ShortDraftAnswer(Answered):
    """The text of a post by a tiny model: two plain sentences in the first person, spelt by a grammar, nothing else.

    Small letters only inside a sentence, because such a model leaves its language at the first strange character.
    """

    caption: str = Field(pattern=SHORT_CAPTION, description="two short sentences")

    @field_validator("caption")
    @classmethod
    def _finished(cls, caption: str) -> str:
        for sentence in re.split(r"[.!]", caption):
            last = sentence.split()[-1:]
            if last and last[0] in _LEFT_HANGING:
                raise ValueError(f"a sentence ends on '{last[0]}': finish it")
        return caption

    def spelt(self) -> str:
        """The caption with the word I written large and single spaces."""
        text = re.sub(r"\bi\b", "I", " ".join(self.caption.split()))
        return re.sub(r"\s*,\s*(?=[.!,])", "", text)


class ShotAnswer(Answered):
    """The wanted picture, without anything about face, hair or body."""

    scene: str = Field(min_length=2, max_length=120, description="the place")
    outfit: str = Field(min_length=2, max_length=120, description="the clothes")
    expression: str = Field(min_length=2, max_length=60, description="the look on the face")
    framing: Framing
    light: str = Field(min_length=2, max_length=60, description="the light")
    pose: str = Field(default="", max_length=80, description="what the body does")
    props: str = Field(default="", max_length=80, description="things in the picture")

    def shot(self) -> Shot:
        return Shot(**self.model_dump())


class VisionAnswer(Answered):
    """One yes/no question about a picture, answered, and what in the picture says so."""

    answer: Literal["yes", "no", "unsure"]
    evidence: str = Field(min_length=2, max_length=200, description="what in the picture shows it")


class NumberedAnswer(Answered):
    """One of several numbered questions about a picture, answered. Evidence that is too long is cut, so that one wordy
    answer does not spoil the others.
    """

    number: int = Field(ge=1, le=99, description="number of the question")
    answer: Literal["yes", "no", "unsure"]
    evidence: Annotated[str, BeforeValidator(lambda said: said[:200] if isinstance(said, str) else said)] = Field(
        min_length=2, max_length=200, description="what in the picture shows it"
    )


class VisionListAnswer(Answered):
    """Several yes/no questions about a picture, each answered by its number."""

    answers: list[NumberedAnswer] = Field(max_length=60, description="one for each question, in their order")


class QuotedAnswer(Answered):
    """Whether a text does one thing, and the words of the text that show it, empty for a no. A quote that is too long is cut:
    its beginning is a quote too.
    """

    answer: Literal["no", "yes", "unsure"]
    quote: Annotated[str, BeforeValidator(lambda said: said[:300] if isinstance(said, str) else said)] = Field(
        default="", max_length=300, description="the words of the draft that show it, copied exactly; empty for a no"
    )


class TextCriticAnswer(Answered):
    """What one post does that it must not: each kind answered, with its quote."""

    experience: QuotedAnswer = Field(description="says she used, wore, ate or tried a product, or what it did for her")
    medical: QuotedAnswer = Field(description="gives medical advice or promises healing")
    financial: QuotedAnswer = Field(description="gives financial advice or promises earnings")
    human: QuotedAnswer = Field(description="denies being an AI or claims to be a real person")
    minor: QuotedAnswer = Field(description="says that she is under 18")
    hate: QuotedAnswer = Field(description="insults, threatens or degrades a person or a group")


class CaptionAnswer(Answered):
    """What a picture shows, for somebody who cannot see it."""

    alt_text: str = Field(min_length=20, max_length=300, description="one or two plain sentences")


class DatasetCaptionAnswer(Answered):
    """What varies in a training picture: pose, clothes, light, place."""

    caption: str = Field(min_length=15, max_length=400, description="one sentence that begins with who it is")


ANSWERS: dict[str, type[Answered]] = {
    "plan": PlanAnswer,
    "draft": DraftAnswer,
    "short_draft": ShortDraftAnswer,
    "reply": ReplyAnswer,
    "shot": ShotAnswer,
    "vision": VisionAnswer,
    "vision_list": VisionListAnswer,
    "text_critic": TextCriticAnswer,
    "caption": CaptionAnswer,
    "dataset_caption": DatasetCaptionAnswer,
}
"""Name in an agent's front matter (`output`) → schema."""


@lru_cache(maxsize=16)
def plan_answer(options: int) -> type[PlanAnswer]:
    """PlanAnswer whose choice is one of 1..options (1 to 12)."""
    if not 1 <= options <= 12:
        raise ValueError(f"a plan chooses among 1 to 12 options, not {options}")
    choice = (_one_of(tuple(range(1, options + 1))), Field(description="number of the chosen option"))
    return create_model("PlanAnswer", __base__=PlanAnswer, choice=choice)


@lru_cache(maxsize=16)
def choice_answer(options: int) -> type[ChoiceAnswer]:
    """ChoiceAnswer of 1..options (1 to 12)."""
    choice = (_one_of(tuple(range(1, options + 1))), Field(description="number of the chosen option"))
    return create_model("ChoiceAnswer", __base__=ChoiceAnswer, choice=choice)


@lru_cache(maxsize=16)
def shot_answer(vocabulary: ShotVocabulary | None) -> type[ShotAnswer]:
    """ShotAnswer limited to the words that the image model can draw; ShotAnswer itself without such a limit.

    A limited model draws neither poses nor props, so these stay empty.
    """
    if vocabulary is None:
        return ShotAnswer
    fields: dict[str, Any] = {
        "scene": (_one_of(vocabulary.scenes), ...),
        "outfit": (_one_of(vocabulary.outfits), ...),
        "expression": (_one_of(vocabulary.expressions), ...),
        "framing": (_one_of(vocabulary.framings), ...),
        "light": (_one_of(vocabulary.lights), ...),
        "pose": (Literal[""], ""),
        "props": (Literal[""], ""),
    }
    return create_model("ShotAnswer", __base__=ShotAnswer, **fields)


@lru_cache(maxsize=16)
def text_critic_answer(boundaries: int) -> type[TextCriticAnswer]:
    """TextCriticAnswer with boundary_1 … boundary_N as well, so that none of the listed boundaries is left unanswered."""
    fields: dict[str, Any] = {
        f"boundary_{number}": (QuotedAnswer, Field(description=f"speaks about boundary {number} of the list"))
        for number in range(1, boundaries + 1)
    }
    return create_model("TextCriticAnswer", __base__=TextCriticAnswer, **fields)


def _one_of(words: tuple[object, ...]) -> Any:
    return Literal.__getitem__(words)
