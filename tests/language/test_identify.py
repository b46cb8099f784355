"""The language of short posts, by the model that travels in the package, and from where it is believed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from zirelia.domain.text import LEAST_CERTAINTY, LEAST_WORDS
from zirelia.domain.text_plain import words
from zirelia.language import identify
from zirelia.language.identify import PyLangIdentifier

pytest.importorskip("py3langid", reason="not installed")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ran to the big tree and back. The tree was faster.", "en"),
        ("Heute regnet es, und ich zeichne.", "de"),
        ("Hoje chove e eu desenho barcos.", "pt"),
        ("La mouette regarde ma page et s'en va.", "fr"),
        ("La gaviota mira mi cuaderno y se marcha.", "es"),
    ],
)
def test_the_language_of_a_post(text: str, language: str) -> None:
    code, sure = PyLangIdentifier().identify(text)
    assert code == language
    assert 0 < sure <= 1


def test_many_identifiers_hold_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from py3langid import langid

    read = []
    real = langid.LanguageIdentifier.from_model_file

    def from_model_file(*arguments: object, **options: object) -> object:
        read.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(langid.LanguageIdentifier, "from_model_file", from_model_file)
    identify._model.cache_clear()
    assert {PyLangIdentifier().identify("Heute regnet es, und ich zeichne.")[0] for _ in range(3)} == {"de"}
    assert len(read) == 1


def test_short_posts_of_six_languages() -> None:
    table = yaml.safe_load(Path(__file__).with_name("posts.yaml").read_text(encoding="utf-8"))
    identifier = PyLangIdentifier()
    rows = [(language, text, *identifier.identify(text)) for language, texts in table.items() for text in texts]
    judged = [row for row in rows if row[3] >= LEAST_CERTAINTY and len(words(row[1])) >= LEAST_WORDS]
    wrong = [row for row in judged if row[0] != row[2]]
    print(f"{len(rows)} posts, {len(judged)} judged, {len(wrong)} wrongly")  # noqa: T201
    assert len(rows) >= 60
    assert len(judged) / len(rows) > 0.75
    assert not wrong
