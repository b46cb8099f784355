"""Persona packs: the shipped one, every way to be wrong with its line, overrides and the scaffold."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from zirelia import resources
from zirelia.definitions.marked_yaml import parse
from zirelia.definitions.personas import load_persona, override_persona, persona_names, stays_inside
from zirelia.definitions.scaffold import new_persona, trigger_for
from zirelia.domain.persona import Persona
from zirelia.domain.prompt import compose
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.text import mentions
from zirelia.domain.verdict import Criterion
from zirelia.errors import ConfigurationError, DefinitionError, NotFound

MIRA = (resources.folder("persona") / "mira" / "persona.yaml").read_text(encoding="utf-8")
LINES = MIRA.split("\n")


def _pack(folder: Path, text: str) -> Path:
    (folder / "persona.yaml").write_text(text, encoding="utf-8")
    return folder


def _line(start: str) -> int:
    return next(number for number, line in enumerate(LINES, start=1) if line.strip().startswith(start))


def test_mira_is_complete() -> None:
    loaded = load_persona("mira")
    mira = loaded.persona
    assert (mira.name, mira.age, mira.kind, mira.look.noun) == ("mira", 24, "illustrated", "woman")
    assert mira.lora is not None
    assert mira.lora.trigger == "mirelo"
    assert loaded.lora_path() == loaded.folder / "lora" / "mira.safetensors"
    assert [path.name for path in loaded.reference_paths()] == [f"{n:02}.png" for n in range(1, 13)]
    assert set(loaded.missing_files()) <= {*loaded.reference_paths(), loaded.lora_path()}
    assert mira.consent.fictional
    assert (mira.cadence.min_daily, mira.cadence.max_daily, mira.cadence.country) == (1, 2, "PT")
    assert mira.cadence.windows[0].start == time(8, 30)
    assert mira.rubric.must_check == {Criterion.IDENTITY, Criterion.SAFETY, Criterion.TECHNICAL, Criterion.SUBJECTS}
    assert loaded.sources["voice.tone"] == f"{loaded.folder / 'persona.yaml'}:{_line('tone:')}"
    assert "mira" in persona_names()


def test_mira_can_be_drawn_by_the_pocket_flux() -> None:
    from zirelia.pocket import world

    mira = load_persona("mira").persona
    assert {scene for entry in mira.routine for scene in entry.scenes} == set(world.SCENES)
    assert {entry.light for entry in mira.routine} == set(world.LIGHTS)
    outfits = {f"{cloth} {garment}" for cloth in world.CLOTHS for garment in world.GARMENTS}
    assert set(mira.look.wardrobe) <= outfits
    drawn = world.caption(world.HELD_OUT["mira"], world.random_shot(__import__("random").Random(1)))
    for phrase in mira.look.identity_words():
        assert phrase in drawn


def test_no_outfit_of_hers_is_changed_by_a_contradiction() -> None:
    mira = load_persona("mira").persona
    for outfit in mira.look.wardrobe:
        shot = Shot(scene="cafe", outfit=outfit, expression="smiling", framing=Framing.HALF_BODY, light="night")
        for lora in (mira.lora, None):
            prompt = compose(shot, mira.look, lora=lora, seed=1, width=64, height=64)
            assert outfit in prompt.text
            assert prompt.notes == ()


def test_her_examples_keep_her_own_rules() -> None:
    mira = load_persona("mira").persona
    assert len(mira.voice.examples) == 4
    for example in mira.voice.examples:
        assert not [word for word in (*mira.voice.avoid, *mira.boundaries.topics) if mentions(example, word)]


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("age: 24", "age: 17", "age", "greater than or equal to 18"),
        ("age: 24", "agee: 24\nage: 24", "agee", "unknown key; did you mean 'age'"),
        ("  tone:", "  tonne: [x]\n  tone:", "voice.tonne", "unknown key; did you mean 'tone'"),
        ("  emoji: few", "  emoji: some", "voice.emoji", "'none', 'few' or 'many'"),
        ("  trigger: mirelo", "  trigger: two words", "lora.trigger", "match pattern"),
        ("  timezone: Europe/Lisbon", "  timezone: Europe/Lisboa", "cadence.timezone", "IANA"),
        ("  max_daily: 2", "  max_daily: 9", "cadence", "needs as many windows"),
        ("  country: PT", "  country: Portugal", "cadence.country", "match pattern"),
        ("start: 08:30, end: 10:00", "start: 08:30, end: 08:00", "cadence.windows[0]", "ends before it starts"),
        ("start: 08:30, end: 10:00", "start: 25:30, end: 10:00", "cadence.windows[0].start", "hour"),
        ("start: 08:30, end: 10:00", "start: 830, end: 10:00", "cadence.windows[0].start", "write a time as 08:30"),
        ("  country: PT", "  country: PT\n  min_gap_minutes: 300", "cadence.min_gap_minutes", "do not fit from 'evening'"),
        ("  country: PT", "  country: PT\n  min_gap_minutes: 721", "cadence.min_gap_minutes", "less than or equal to 720"),
        ("  country: PT", "  holiday_max_daily: 1", "cadence.holiday_max_daily", "needs 'country'"),
        ("  country: PT", "  spread: {shape: gaussian}", "cadence.spread.shape", "'even' or 'triangular'"),
        ("  country: PT", "  spread: {width: 0}", "cadence.spread.width", "greater than 0"),
        ("  country: PT", "  spred: {width: 1}", "cadence.spred", "did you mean 'spread'"),
        ("  country: PT", "  events: [{name: fair, day: 2027-02-29, topic: x}]", "cadence.events[0].day", "day"),
        ("  country: PT", "  events: [{name: fair, day: 2027, topic: x}]", "cadence.events[0].day", "a day as 2027-05-29"),
        ("  country: PT", "  events: [{name: fair, day: 2027-05-29, topic: x, start: 10:00}]", "cadence.events[0]", "both"),
        ("  country: PT", "  events: [{name: lunch, day: 2027-05-29, topic: x}]", "cadence.events", "like a window"),
        (
            "  country: PT",
            "  blackouts: [{start: 2027-08-14, end: 2027-08-01}]",
            "cadence.blackouts[0].end",
            "before the start",
        ),
        ("  fictional: true", "  fictional: false", "consent", "needs person, scope"),
        ("  - references/03.png", "  - ../../secret.png", "references[2]", "not a path inside the pack"),
        ("  - references/03.png", "  - /etc/passwd", "references[2]", "not a path inside the pack"),
        ("age: 24", "age: 24\nidentity: face", "identity", "'lora' or 'references'"),
        ("lora/mira.safetensors", "../mira.safetensors", "lora.weights", "leaves the pack's folder"),
        ("lora/mira.safetensors", "lora/mira.ckpt", "lora.weights", ".safetensors files only"),
        ("channels: [folder]", "channels: []", "channels", "at least 1 item"),
        ("    weight: 2", "    weight: 2", "", ""),
    ],
)
def test_every_problem_is_named_with_line_and_key(tmp_path: Path, old: str, new: str, key: str, says: str) -> None:
    text = MIRA.replace(old, new, 1)
    if not key:
        assert load_persona(_pack(tmp_path, text)).persona.name == "mira"
        return
    with pytest.raises(DefinitionError) as caught:
        load_persona(_pack(tmp_path, text))
    said = str(caught.value)
    assert f"{key}: " in said
    assert says in said
    last = next(part for part in reversed(re.split(r"[.\[\]]+", key)) if part and not part.isdigit())
    line = text.split("\n")[(caught.value.line or 0) - 1]
    assert (last in line) or new.split("\n")[0].strip() in line


def test_all_problems_of_a_file_come_at_once_in_its_order(tmp_path: Path) -> None:
    text = MIRA.replace("age: 24", "age: 7").replace("  noun: woman\n", "").replace("channels: [folder]", "chanels: [folder]")
    with pytest.raises(DefinitionError, match="3 problems") as caught:
        load_persona(_pack(tmp_path, text))
    said = str(caught.value).split("\n")[1:]
    assert [re.sub(r"^.*persona\.yaml:\d+: ", "", line).split(":")[0] for line in said] == ["age", "look.noun", "chanels"]
    assert said[2].endswith("did you mean 'channels'?")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("name: mira\nname: luna\n", 2, "is there twice, first on line 1"),
        ("name: !!python/object/apply:os.system ['true']\n", 1, "is not used here"),
        ("a: &x [1]\nb: *x\n", 1, "anchors and aliases"),
        ("name: [mira\n", None, "not valid YAML"),
        ("name: a\x00b\n", 1, "control character"),
        ("? [a, b]\n: c\n", 1, "a key is a word"),
        ("1: c\n", 1, "a key is a word"),
        ("- a\n", 1, "not a mapping"),
        ("", 1, "not a mapping"),
        ("[" * 3000, None, "nested too deeply"),
        ("[" * 200_000, None, "nested too deeply"),
        ("- " * 100_000, None, "nested too deeply"),
        ("\n".join(" " * depth + "a:" for depth in range(1400)), None, "nested too deeply"),
        ("age: " + "9" * 5000, 1, "cannot be read as a value"),
        ("a: 1\n---\nb: 2\n", None, "single document"),
    ],
)
def test_yaml_that_is_not_used_here(tmp_path: Path, text: str, line: int | None, says: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(says)) as caught:
        load_persona(_pack(tmp_path, text))
    assert line is None or caught.value.line == line


def test_yaml_keeps_words_as_they_are_written() -> None:
    text = "a: NO\nb: 08:30\nc: 12:30\nd: 2027-01-01\ne: yes\nf: 010\ng: 1e3\nh: 7\ni: -1.5\nj: true\nk: ~\nl:\nm: '7'\n"
    assert parse(text, Path("x")).value == {
        "a": "NO", "b": "08:30", "c": "12:30", "d": "2027-01-01", "e": "yes", "f": "010", "g": "1e3",
        "h": 7, "i": -1.5, "j": True, "k": None, "l": None, "m": "7",
    }  # fmt: skip


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no persona pack"):
        load_persona(tmp_path)
    with pytest.raises(NotFound, match="did you mean 'mira'"):
        load_persona("mirra")
    (tmp_path / "persona.yaml").write_bytes(b"name: mira\nbio: \xff\n")
    with pytest.raises(DefinitionError, match=r"persona.yaml:2: is not UTF-8"):
        load_persona(tmp_path)
    (tmp_path / "persona.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(DefinitionError, match="larger"):
        load_persona(str(tmp_path / "persona.yaml"))


def test_a_pack_beside_the_caller_is_found_first_and_must_be_called_like_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    new_persona("noor", tmp_path / "persona" / "noor")
    assert load_persona("noor").persona.display_name == "Noor"
    assert {"noor", "mira"} <= set(persona_names())
    (tmp_path / "persona" / "noor").rename(tmp_path / "persona" / "other")
    with pytest.raises(DefinitionError, match="name: is 'noor' in the folder 'other'"):
        load_persona("other")


def complaint(call: Callable[[], object]) -> str | None:
    """What a ConfigurationError says; None without one. Any other error comes through and fails the test."""
    try:
        call()
    except ConfigurationError as error:
        return str(error)
    return None


@given(st.text(max_size=300))
@settings(max_examples=150)
def test_any_text_is_yaml_or_a_clear_error(text: str) -> None:
    for body in (text, f"name: {text}", f'a:\n  - "{text}"', MIRA.replace("age: 24", text)):
        said = complaint(lambda body=body: parse(body, Path("persona.yaml")))  # type: ignore[misc]
        assert said is None or said.startswith("persona.yaml")


@pytest.mark.parametrize("name", ["new", "two-words", "a1"])
def test_a_new_pack_loads_as_it_is(tmp_path: Path, name: str) -> None:
    path = new_persona(name, tmp_path / name)
    persona = load_persona(path).persona
    assert persona.name == name
    assert persona.consent.fictional
    uncommented = re.sub(r"(?m)^# (lora:|  trigger:|  weights:|  scale:)", r"\1", path.read_text())
    path.write_text(uncommented)
    lora = load_persona(path).persona.lora
    assert lora is not None
    assert lora.trigger == trigger_for(name)
    with pytest.raises(ConfigurationError, match="there is a pack already"):
        new_persona(name, tmp_path / name)


def test_what_a_new_packs_cadence_offers_in_comments_loads_too(tmp_path: Path) -> None:
    path = new_persona("noor", tmp_path / "noor")
    before, cadence, after = re.split(r"(?m)^(cadence:(?:\n .*)+)", path.read_text())
    path.write_text(before + re.sub(r"(?m)^  # ", "  ", cadence) + after)
    rule = load_persona(path).persona.cadence
    assert rule.model_dump().keys() == rule.model_fields_set
    assert (rule.events[0].name, rule.blackouts[0].because) == ("book-fair", "summer break")


def test_a_new_pack_needs_a_name_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a persona's name"):
        new_persona("Two Words", tmp_path / "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot be written|a pack already"):
        new_persona("x", tmp_path / "file" / "x")


def test_triggers_begin_differently() -> None:
    names = ["mira", "luna", "theo", "noor", "bruno", "ines", "yuki", "omar"]
    assert len({trigger_for(name)[:2] for name in names}) >= 6
    assert len({trigger_for(name) for name in names}) == len(names)


def test_env_replaces_what_the_pack_says() -> None:
    mira = load_persona("mira").persona
    assert override_persona(mira) == mira
    changed = override_persona(mira, trigger="zoralu", min_daily=3, max_daily=4, timezone="Asia/Tokyo")
    assert changed.lora is not None
    assert (changed.lora.trigger, changed.lora.weights) == ("zoralu", "lora/mira.safetensors")
    assert (changed.cadence.min_daily, changed.cadence.max_daily, changed.cadence.timezone) == (3, 4, "Asia/Tokyo")
    assert override_persona(mira, min_daily=3).cadence.max_daily == 3
    assert override_persona(mira, max_daily=0).cadence.min_daily == 0
    bare = override_persona(mira.model_copy(update={"lora": None}), trigger="zoralu")
    assert bare.lora is not None
    assert bare.lora.weights is None


@pytest.mark.parametrize(
    ("change", "says"),
    [({"max_daily": 5}, "needs as many windows"), ({"timezone": "Mars"}, "IANA"), ({"trigger": "a b"}, "lora.trigger")],
)
def test_an_override_that_does_not_fit(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        override_persona(load_persona("mira").persona, **change)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "\\x", "C:\\x", "C:x", "a\\..\\x", "x\x00"])
def test_paths_that_leave_a_pack(name: str) -> None:
    assert not stays_inside(name)


def _keys(model: type[BaseModel]) -> set[str]:
    found = set(model.model_fields)
    for field in model.model_fields.values():
        for one in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(one, type) and issubclass(one, BaseModel):
                found |= _keys(one)
    return found


def test_the_page_explains_every_key() -> None:
    page = (resources.folder("persona").parent / "docs" / "persona.md").read_text(encoding="utf-8")
    assert not [key for key in _keys(Persona) if f"`{key}`" not in page and f".{key}`" not in page and f"{key}:" not in page]
