"""A judgement to draw, and a reader of pages that believes nothing which a browser would not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

from zirelia.domain.choice import Floors, Measured, choose
from zirelia.domain.judgement import JudgedPicture, JudgedPrompt, Judgement, Question, Spread
from zirelia.domain.shot import Framing, Shot

VOID = {"meta", "img"}


@dataclass
class Page(HTMLParser):
    """What a page holds: each element with its attributes, the words between them, and whether it is well nested."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def read() -> Callable[[str], Page]:
    def parse(html: str) -> Page:
        page = Page()
        page.feed(html)
        page.close()
        assert page.wrong == []
        assert page.open == []
        return page

    return parse


@pytest.fixture
def picture() -> Callable[[str], Image.Image]:
    return lambda name: Image.effect_noise((64, 64), 40 + int(name.split("-")[0])).convert("RGB")


@pytest.fixture
def judged() -> Callable[..., Judgement]:
    """Three checkpoints, two prompts of the face and one each of the others; the first was not drawn in full."""

    def make(words: str = "a cafe", **changes: Any) -> Judgement:
        def shot(scene: str) -> Shot:
            return Shot(scene=scene, light="daylight", outfit="coat", expression="smiling", framing=Framing.CLOSE_UP)

        questions = (Question.FACE, Question.FACE, Question.OTHER, Question.PLAIN)
        prompts = tuple(
            JudgedPrompt(number=n, question=q, shot=shot(words), text=f"woman {n}, {words}", shown=n == 1)
            for n, q in enumerate(questions, start=1)
        )
        scores = {0: 0.1, 100: 0.3, 200: 0.7, 300: 0.71}
        pictures = tuple(
            JudgedPicture(
                step=step,
                scale=1.0,
                prompt=n,
                seed=n,
                file=f"{n}-{step}.png",
                identity=score if questions[n - 1] is Question.FACE else 0.05,
            )
            for step, score in scores.items()
            for n in range(1, 5)
            if not (step == 100 and n == 2) and not (step == 0 and n > 2)
        )
        measured = [
            Measured(
                step=step, scale=1.0, identities=(score - 0.02, score + 0.02), leaks=(0.05, 0.05), leaked=0.0, agreement=0.9
            )
            for step, score in scores.items()
            if step
        ]
        sweep = tuple(measured[-1].model_copy(update={"step": 200, "scale": scale}) for scale in (0.8, 1.0))
        fields: dict[str, Any] = {
            "persona": "mira",
            "trigger": "mirelo",
            "base_model": words,
            "image_model": words,
            "recogniser": words,
            "threshold": 0.5,
            "floors": Floors(),
            "prompts": prompts,
            "pictures": pictures,
            "loras": {step: f"{step:064x}" for step in scores if step},
            "real": Spread(values=(0.7, 0.8, 0.75)),
            "base": Spread(values=(0.1, 0.12)),
            "choice": choose(measured, Floors(), real=0.75),
            "sweep": sweep,
            "seconds": 61.0,
        }
        return Judgement(**fields | changes)

    return make
