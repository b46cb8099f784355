"""The words of disclosure: every language's file, the line of a channel, and what sounds like an advertisement."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from zirelia import resources
from zirelia.definitions.disclosure import disclosure_words, line_for, unlabelled_advertising
from zirelia.definitions.personas import load_persona
from zirelia.definitions.scaffold import new_persona
from zirelia.domain.disclosure import DisclosureWords
from zirelia.domain.persona import Disclosure, Persona
from zirelia.domain.post import Draft, Relation

LANGUAGES = sorted(path.stem for path in (resources.folder("config") / "disclosure").glob("*.yaml"))
OPTED_OUT = Disclosure(visible_line=None, because="the profile says it", by="ana", since="2026-11-20")


def persona(disclosure: Disclosure, language: str = "en") -> Persona:
    mira = load_persona("mira").persona
    voice = mira.voice.model_copy(update={"language": language})
    return mira.model_copy(update={"disclosure": disclosure, "voice": voice})


def test_eight_languages_have_their_words():
    assert {"en", "de", "fr", "es", "it", "pt", "nl", "ja"} <= set(LANGUAGES)
    lines = {disclosure_words(language).line for language in LANGUAGES}
    assert len(lines) == len(LANGUAGES)
    assert disclosure_words("en").line == Disclosure().visible_line


def test_a_region_has_its_languages_words_and_an_unknown_language_english_ones():
    assert disclosure_words("pt-BR") == disclosure_words("pt")
    assert disclosure_words("fi") == disclosure_words("en")


def test_a_pack_that_says_nothing_gets_the_line_of_its_language(tmp_path: Path):
    path = new_persona("noor", tmp_path / "noor")
    text = path.read_text().replace("language: en", "language: de").replace("disclosure:\n  visible_line: Noor is a", "# ")
    path.write_text(text)
    assert load_persona(path).persona.disclosure == Disclosure(visible_line="Virtuelle Figur, mit KI gemacht.")


def test_a_pack_keeps_its_own_line():
    assert load_persona("mira").persona.disclosure.visible_line == (
        "Mira is a virtual character. Words and pictures are made with AI."
    )


def test_an_opt_out_counts_only_where_the_platform_has_a_label():
    silent = persona(OPTED_OUT, "fr")
    assert line_for(silent, None, ai_label=True) is None
    assert line_for(silent, None, ai_label=False) == "Personnage virtuel, créé avec l'IA."
    assert line_for(silent, "Made with AI.", ai_label=True) == "Made with AI."  # what was begun with a line keeps it
    spoken = persona(Disclosure(visible_line="Made with AI by Ana."))
    assert line_for(spoken, None, ai_label=True) == line_for(spoken, None, ai_label=False) == "Made with AI by Ana."


@pytest.mark.parametrize(
    ("language", "label"),
    [("en", "Advertisement · Acme"), ("de", "Werbung · Acme"), ("fr", "Publicité · Acme"), ("ja", "広告・Acme")],
)
def test_a_sponsors_label_is_in_the_personas_language(language: str, label: str):
    for relation in Relation:
        assert disclosure_words(language).sponsor(" Acme ", relation).label == label


@pytest.mark.parametrize("brand", ["", "  ", "two\nlines", "x" * 81])
def test_a_brand_is_one_line(brand: str):
    with pytest.raises(ValidationError):
        disclosure_words("en").sponsor(brand, Relation.PAID)


def test_a_label_names_the_brand():
    with pytest.raises(ValidationError, match=r"needs \{brand\} once"):
        DisclosureWords(language="en", line="x", advertisement="Ad")


@pytest.mark.parametrize(
    ("caption", "hashtags", "phrase"),
    [
        ("Use my code MIRA10 for the kettle.", (), "use my code"),
        ("There are two discount codes in my head.", (), "discount code"),
        ("Mit Rabattcode MIRA zum Tee.", (), "Rabattcode"),
        ("Un code promo, et du thé.", (), "code promo"),
        ("今日だけの割引コードがあります", (), "割引コード"),
        ("Tea again.", ("Werbung",), "#werbung"),
        ("Tea again. #ad", (), "#ad"),
        ("Tea again.", ("PUBLICITÉ",), "#publicite"),
    ],
)
def test_what_only_an_advertisement_says_is_found_in_any_language(caption: str, hashtags: tuple[str, ...], phrase: str):
    draft = Draft(caption=caption, hashtags=hashtags, alt_text="A cup")
    assert unlabelled_advertising(draft) == phrase
    labelled = draft.model_copy(update={"sponsor": disclosure_words("en").sponsor("Acme", Relation.GIFT)})
    assert unlabelled_advertising(labelled) is None


@pytest.mark.parametrize(
    "caption",
    [
        "I read an ad in an old newspaper.",
        "The code on the door is 4711.",
        "A gift from the sea.",
        "My partner in crime is a pigeon.",
        "Der Rabatt im Himmel ist blau.",
        "Elle promet un thé.",
        "コードを書いて、お茶を飲む。",
    ],
)
def test_plain_words_are_no_advertisement(caption: str):
    assert unlabelled_advertising(Draft(caption=caption, hashtags=("tea", "adventure"), alt_text="A cup")) is None


def test_no_example_of_a_shipped_persona_is_an_advertisement():
    for text in load_persona("mira").persona.voice.examples:
        assert unlabelled_advertising(Draft(caption=text, alt_text="x")) is None
