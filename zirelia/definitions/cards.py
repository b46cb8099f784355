"""Characters made elsewhere → a persona.yaml to review: character cards V1, V2, V3 and eliza characters.

    card = import_card(Path("ada.png"))
    card.yaml            # text of a persona.yaml
    card.to_fill         # ("age: say it: ...", "consent: ...") what a person must write before the pack loads
    card.unmapped        # ("system_prompt: instructions are never imported", ...)

Text of a card is data: instructions in it (system prompts, jailbreaks) are left behind. Who the face belongs to and how old
the character is are never guessed. Knows no network: pictures named in a card are not fetched.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zirelia.definitions.card_files import read_card
from zirelia.definitions.scaffold import CADENCE, ROUTINE
from zirelia.errors import ConfigurationError

LONGEST_BIO = 600
LONGEST_LINE = 400
MOST_EXAMPLES = 8
MOST_INTERESTS = 12

_UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")
_TRAIT = re.compile(r"\b((?:[a-z-]{3,15}[ ,]+){1,3})(hair|eyes|skin)\b", re.IGNORECASE)
_AGE = re.compile(r"\b(\d{1,3})[ -]?(?:years?[ -]old|y/?o)\b|\bage[d:=\s\"'(]{1,4}(\d{1,3})\b", re.IGNORECASE)
_NOT_A_TRAIT = frozenset(re.findall(r"\w+", "the and her his with has have its their was are your you very she who that for"))
_INSTRUCTIONS = ("system_prompt", "post_history_instructions", "system", "templates", "settings")
_KNOWN_ELSEWHERE = {
    "scenario": "a post has no scenario",
    "first_mes": "a greeting is no post",
    "mes_example": "dialogue is no post",
    "alternate_greetings": "a greeting is no post",
    "group_only_greetings": "a greeting is no post",
    "character_book": "lore books are not read",
    "lore": "lore is not read",
    "knowledge": "knowledge files are not read",
    "messageExamples": "dialogue is no post",
    "assets": "pictures named in a card are not fetched",
}
_IGNORED = frozenset({"spec", "spec_version", "extensions", "name", "creator", "character_version", "username"})


@dataclass(frozen=True)
class ImportedCard:
    """What came of a card. The yaml does not load before everything in `to_fill` is written."""

    name: str
    form: str
    yaml: str
    to_fill: tuple[str, ...]
    unmapped: tuple[str, ...]


@dataclass
class _Reading:
    """A card being read: which keys were used, and what a person must be told."""

    fields: Mapping[str, Any]
    name: str
    used: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def text(self, key: str, limit: int = LONGEST_LINE) -> str:
        """The field as one paragraph of at most `limit` characters; "" when it is no text."""
        value = self.fields.get(key)
        if value is None or not isinstance(value, str | list):
            return ""
        self.used.add(key)
        parts = [value] if isinstance(value, str) else [part for part in value if isinstance(part, str)]
        whole = _clean(" ".join(parts), self.name)
        if len(whole) > limit:
            self.notes.append(f"{key}: cut to {limit} of {len(whole)} characters")
        return _cut(whole, limit)

    def words(self, key: str, limit: int = 60, most: int = MOST_INTERESTS) -> list[str]:
        """The field as a list of short texts without repetition; [] when it is no list of texts."""
        value = self.fields.get(key)
        if not isinstance(value, list):
            return []
        self.used.add(key)
        texts = [_cut(_clean(part, self.name), limit) for part in value if isinstance(part, str)]
        found = list(dict.fromkeys(filter(None, texts)))
        if len(found) > most:
            self.notes.append(f"{key}: the first {most} of {len(found)}")
        return found[:most]


def import_card(path: Path) -> ImportedCard:
    """The card in a JSON or PNG file. Raises DefinitionError when it cannot be read, and ConfigurationError when it is no
    character or says that it is a child.
    """
    return convert(read_card(path))


def convert(card: Mapping[str, Any]) -> ImportedCard:
    """The persona of a card's JSON object."""
    form, fields = _form(card)
    display = _cut(_clean(fields.get("name"), ""), 80)
    if not display:
        raise ConfigurationError("the card names no character", hint="a card has a 'name'")
    reading = _Reading(fields, display)
    persona = _eliza(reading) if form == "eliza" else _tavern(reading)
    slug = _slug(display)
    document: dict[str, Any] = {"name": slug, "display_name": display, "kind": "illustrated"}
    _add_age(document, reading)
    document |= {key: value for key, value in persona.items() if value}
    to_fill = _to_fill(document)
    return ImportedCard(slug, form, _written(document, form, to_fill), to_fill, tuple(_unmapped(reading)))


def _form(card: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    inner = card.get("data")
    spec = card.get("spec")
    if spec in ("chara_card_v2", "chara_card_v3") and isinstance(inner, dict):
        return f"character card {str(spec)[-2:].upper()}", inner
    if any(key in card for key in ("bio", "adjectives", "postExamples", "topics", "style")):
        return "eliza", card
    if "name" in card and any(key in card for key in ("description", "personality", "first_mes")):
        return "character card V1", card
    raise ConfigurationError(
        "this is no character card V1, V2 or V3 and no eliza character",
        hint="a card has 'spec' and 'data', an eliza character has 'bio', 'topics' or 'style'",
    )


def _tavern(reading: _Reading) -> dict[str, Any]:
    description = reading.text("description", LONGEST_BIO)
    personality = reading.text("personality")
    tags = reading.words("tags")
    if tags:
        reading.notes.append("tags: taken as interests; take out what is a genre")
    tone = [part.strip() for part in re.split(r"[,;.\n]", personality) if 2 < len(part.strip()) <= 40][:8]
    return {
        "bio": description or personality,
        "voice": _voice(tone, personality, []),
        "look": _look(reading, ("description", "personality")),
        "interests": [{"topic": tag} for tag in tags],
    }


def _eliza(reading: _Reading) -> dict[str, Any]:
    style = reading.fields.get("style")
    inner = _Reading(style if isinstance(style, dict) else {}, reading.name)
    lines = [*inner.words("all", LONGEST_LINE), *inner.words("post", LONGEST_LINE)]
    if lines:
        reading.used.add("style")
        reading.notes.append("style: 'all' and 'post' are taken; 'chat' is not")
    examples = reading.words("postExamples", 600, MOST_EXAMPLES)
    return {
        "bio": reading.text("bio", LONGEST_BIO),
        "voice": _voice(reading.words("adjectives", 40, 8), _cut("; ".join(lines), LONGEST_LINE), examples),
        "look": _look(reading, ("bio", "lore")),
        "interests": [{"topic": topic} for topic in reading.words("topics")],
    }


def _voice(tone: list[str], style: str, examples: list[str]) -> dict[str, Any]:
    if not tone and not style:
        return {}
    voice: dict[str, Any] = {"tone": tone or ["natural"], "style": style or ", ".join(tone)}
    return voice | ({"examples": examples} if examples else {})


def _look(reading: _Reading, keys: Iterable[str]) -> dict[str, Any]:
    """Hair, eyes and skin where the card says them in so many words."""
    text = " ".join(_Reading(reading.fields, reading.name).text(key, 20_000) for key in keys)
    traits: dict[str, dict[str, str]] = {}
    for match in _TRAIT.finditer(text):
        feature = match.group(2).lower()
        words = [word.lower() for word in re.findall(r"[A-Za-z-]+", match.group(1)) if word.lower() not in _NOT_A_TRAIT]
        if words:
            value = " ".join(words)
            traits.setdefault(feature, {"feature": feature, "value": value, "phrase": f"{value} {feature}"})
    if not traits:
        return {}
    reading.notes.append("look: read from the description; check every trait and the noun")
    pronouns = {word: len(re.findall(rf"\b{word}\b", text, re.IGNORECASE)) for word in ("she", "he")}
    noun = "person" if pronouns["she"] == pronouns["he"] else "woman" if pronouns["she"] > pronouns["he"] else "man"
    return {"noun": noun, "traits": list(traits.values())}


def _add_age(document: dict[str, Any], reading: _Reading) -> None:
    """Only an age that the card states; a stated age below 18 anywhere stops the import."""
    texts = [value for value in reading.fields.values() if isinstance(value, str)]
    texts += [part for value in reading.fields.values() if isinstance(value, list) for part in value if isinstance(part, str)]
    ages = [int(first or second) for text in texts for first, second in _AGE.findall(text)]
    if any(age < 18 for age in ages):
        raise ConfigurationError(
            f"the card says that the character is {min(ages)} years old",
            hint="a persona is an adult; this card is not imported",
        )
    if ages and ages[0] <= 120:
        document["age"] = ages[0]


def _to_fill(document: Mapping[str, Any]) -> tuple[str, ...]:
    wanted = {
        "age": "say it; the card does not, and a persona is an adult",
        "bio": "one or two sentences",
        "voice": "tone and style",
        "look": "noun and traits",
        "interests": "at least one topic",
    }
    missing = [f"{key}: {why}" for key, why in wanted.items() if key not in document]
    return (*missing, "consent: write 'fictional: true', or whose face it is; this is never guessed")


def _written(document: dict[str, Any], form: str, to_fill: Iterable[str]) -> str:
    """The yaml, with what is missing as comments, and the scaffold's routine and cadence."""
    head = f"# Imported from a card ({form}). Review every line; keys are explained in docs/persona.md.\n"
    head += "# It does not load before these are written:\n" + "".join(f"#   {line}\n" for line in to_fill)
    body = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=116)
    return f"{head}\n{body}\n# consent:\n#   fictional: true\n\n{ROUTINE}\n{CADENCE}\nchannels: [folder]\n"


def _unmapped(reading: _Reading) -> list[str]:
    lines = list(reading.notes)
    for key, value in reading.fields.items():
        if key in reading.used or key in _IGNORED or value in (None, "", [], {}):
            continue
        shown = _cut(_clean(str(key), ""), 40)
        if key in _INSTRUCTIONS:
            lines.append(f"{shown}: instructions are never imported")
        else:
            lines.append(f"{shown}: {_KNOWN_ELSEWHERE.get(str(key), 'a pack has no such key')}")
    lines.append("routine, cadence: the scaffold's own; a card has none")
    return lines


def _clean(value: object, name: str) -> str:
    """One line of plain text, with the card's macros filled in; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    text = re.sub(r"(?i)\{\{char\}\}|<bot>", name, value)
    text = re.sub(r"(?i)\{\{user\}\}|<user>", "you", text)
    return " ".join(_UNWANTED.sub(" ", unicodedata.normalize("NFC", text)).split())


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, at the end of a sentence or word where there is one in the last third."""
    if len(text) <= limit:
        return text
    short = text[:limit]
    for mark in (". ", " "):
        at = short.rfind(mark)
        if at > limit * 2 // 3:
            return short[: at + 1].strip()
    return short.strip()


def _slug(display: str) -> str:
    plain = unicodedata.normalize("NFKD", display).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return (slug if slug[:1].isalpha() else f"p-{slug}".rstrip("-") if slug else "imported")[:40].rstrip("-")
