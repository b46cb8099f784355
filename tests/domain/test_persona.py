"""A pack that says something impossible is refused with the reason; what it says is what the prompts get."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from zirelia.domain.persona import Consent, Disclosure, Identity, Kind, Persona

HASH = "0f" * 32


def changed(fields: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The pack with one key set; `path` is dotted, numbers are places in lists."""
    *parents, last = path.split(".")
    here: Any = fields
    for name in parents:
        here = here[int(name)] if isinstance(here, list) else here.setdefault(name, {})
    here[last] = value
    return fields


def test_the_least_pack(persona_fields: dict[str, Any]) -> None:
    persona = Persona.model_validate(persona_fields)
    assert persona.kind is Kind.ILLUSTRATED
    assert persona.channels == ("folder",)
    assert persona.disclosure.visible_line == "Virtual character, made with AI."
    assert persona.rubric.must_check == {"identity", "safety", "technical"}
    assert Persona.model_validate_json(persona.model_dump_json()) == persona


def test_the_look_gives_the_prompts_their_words(persona_fields: dict[str, Any]) -> None:
    look = Persona.model_validate(persona_fields).look
    assert look.identity_words() == ("teal hair", "brown eyes")
    assert {word: trait.feature for word, trait in look.contradictions().items()} == {"blonde": "hair", "short hair": "hair"}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("name", "Mira", "name"),
        ("name", "../mira", "name"),
        ("name", "a" * 41, "name"),
        ("display_name", "  ", "display_name"),
        ("kind", "painted", "illustrated"),
        ("age", 17, "greater than or equal to 18"),
        ("age", 121, "age"),
        ("mood", "good", "Extra inputs"),
        ("voice.tone", [], "voice.tone"),
        ("voice.emoji", "some", "none"),
        ("voice.language", "English", "language"),
        ("voice.pitch", "high", "Extra inputs"),
        ("look.traits", [], "look.traits"),
        ("look.traits.0.phrase", "", "phrase"),
        ("look.traits.0.colour", "teal", "Extra inputs"),
        ("lora", {"trigger": "a b"}, "trigger"),
        ("lora", {"trigger": "ab"}, "trigger"),
        ("lora", {"trigger": "1mirelo"}, "trigger"),
        ("lora", {"trigger": "mirelo", "scale": 2.1}, "scale"),
        ("identity", "words", "lora"),
        ("identity", "references", "needs at least one picture under 'references'"),
        ("routine", [], "routine"),
        ("routine.0.start_hour", 24, "start_hour"),
        ("routine.0.end_hour", 6, "split an entry that crosses midnight in two"),
        ("routine.0.scenes", [], "scenes"),
        ("interests", [], "interests"),
        ("interests.0.weight", 0, "weight"),
        ("interests.0.weight", float("nan"), "weight"),
        ("channels", [], "channels"),
        ("channels", ["Folder"], "channels"),
        ("cadence.timezone", "Lisbon", "IANA time zone"),
        ("disclosure", {"visible_line": None}, "needs a reason in 'because'"),
        ("rubric", {"must_check": ["charm"]}, "must_check"),
        ("consent", {}, "fictional"),
        ("consent", {"fictional": False}, "needs person, scope, expires and document_sha256"),
        ("consent", {"fictional": True, "person": "Ana"}, "a fictional character has no person"),
    ],
)
def test_an_impossible_pack_is_refused_with_the_reason(
    path: str, value: object, says: str, persona_fields: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as refused:
        Persona.model_validate(changed(persona_fields, path, value))
    error = refused.value.errors()[0]  # pydantic adds a second one where the only entry of a list is wrong
    assert says in f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def test_references_carry_the_face_only_when_the_pack_says_so(persona_fields: dict[str, Any]) -> None:
    persona = Persona.model_validate(persona_fields | {"lora": {"trigger": "mirelo"}, "references": ["references/01.png"]})
    assert (persona.identity, persona.lora_in_force) == (Identity.LORA, persona.lora)
    changed_over = Persona.model_validate(persona.model_dump() | {"identity": "references"})
    assert changed_over.lora == persona.lora
    assert changed_over.lora_in_force is None


@pytest.mark.parametrize(
    "key", ["name", "display_name", "kind", "bio", "age", "voice", "look", "consent", "routine", "cadence"]
)
def test_a_missing_key_is_named(key: str, persona_fields: dict[str, Any]) -> None:
    del persona_fields[key]
    with pytest.raises(ValidationError) as refused:
        Persona.model_validate(persona_fields)
    assert [(error["loc"], error["type"]) for error in refused.value.errors()] == [((key,), "missing")]


def test_an_opt_out_of_the_visible_line_is_recorded_whole_or_refused(persona_fields: dict[str, Any]) -> None:
    whole = {"because": "the platform's own label is shown", "by": "ana", "since": "2026-11-20"}
    changed(persona_fields, "disclosure", {"visible_line": None, **whole})
    disclosure = Persona.model_validate(persona_fields).disclosure
    assert disclosure.visible_line is None
    assert disclosure.opted_out == "without the visible line: the platform's own label is shown (ana, 2026-11-20)"
    assert Disclosure().opted_out is None
    for missing in whole:
        changed(persona_fields, "disclosure", {"visible_line": None, **whole, missing: None})
        with pytest.raises(ValidationError, match=f"'{missing}'"):
            Persona.model_validate(persona_fields)


@pytest.mark.parametrize("missing", ["person", "scope", "expires", "document_sha256"])
def test_a_real_persons_consent_is_whole_or_refused(missing: str) -> None:
    whole: dict[str, object] = {"person": "Ana", "scope": "posts", "expires": "2027-01-31", "document_sha256": HASH}
    Consent.model_validate({"fictional": False, **whole})
    del whole[missing]
    with pytest.raises(ValidationError, match="a real person's likeness needs"):
        Consent.model_validate({"fictional": False, **whole})


@pytest.mark.parametrize(("day", "valid"), [(date(2027, 1, 30), True), (date(2027, 1, 31), True), (date(2027, 2, 1), False)])
def test_a_consent_ends_with_its_last_day(day: date, valid: bool) -> None:
    consent = Consent(fictional=False, person="Ana", scope="posts", expires=date(2027, 1, 31), document_sha256=HASH)
    assert consent.valid_on(day) is valid
    assert Consent(fictional=True).valid_on(day)


def test_a_persona_is_frozen(persona_fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Persona.model_validate(persona_fields).age = 30  # type: ignore[misc]
