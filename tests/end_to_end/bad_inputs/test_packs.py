"""Persona packs, shot lists and datasets that lie on the disk, each damaged in one way."""

from __future__ import annotations

import json

import pytest

CONSENT = "consent:\n  fictional: true"
REAL = (
    "consent:\n  fictional: false\n  person: Ada Roe\n  scope: social media\n"
    "  expires: 2020-01-31\n  document_sha256: " + "0" * 64
)


def build(*changes):
    """A build by a good photo, after changes to the pack."""

    def given(desk):
        for change in changes:
            change(desk)
        return [*desk.build, "--from", desk.photo()]

    return given


def trigger(word):
    return lambda desk: desk.say("consent:", f"lora:\n  trigger: {word}\n\nconsent:")


def named(who):
    return lambda desk: [*desk.build[:2], who, *desk.build[3:], "--from", desk.photo()]


PACKS = [
    pytest.param(named("lunna"), 3, ["there is no persona 'lunna'", "did you mean 'luna'"], id="unknown"),
    pytest.param(
        build(lambda d: d.say(CONSENT, "consent:\n  fictional: false")),
        2,
        ["persona.yaml:", "consent", "a real person's likeness needs person, scope, expires and document_sha256"],
        id="a real person without a consent",
    ),
    pytest.param(
        build(lambda d: d.say(CONSENT, REAL)),
        7,
        ["the consent for Ada Roe's likeness ended on 2020-01-31", "new"],
        id="a consent that has ended",
    ),
    pytest.param(
        build(lambda d: d.say("kind: illustrated", "kind: photographic")),
        2,
        ["needs an edit backend", "choose one with --backend; the embedded one draws illustrated personas only"],
        id="photographic",
    ),
    pytest.param(
        lambda d: [*build(lambda d: d.say("kind: illustrated", "kind: photographic"))(d), "--backend", "pocket"],
        2,
        ["'luna' is photographic", "draws illustrations only", "choose klein, kontext"],
        id="photographic, embedded backend",
    ),
    pytest.param(build(trigger("kitchen")), 2, ["'kitchen' cannot be used", "word that models know", "invent"], id="a word"),
    pytest.param(build(trigger("kitchen2")), 2, ["word that models know ('kitchen')", "invent"], id="a word and a number"),
    pytest.param(build(trigger("mirelo")), 2, ["is the trigger of another LoRA ('mirelo')", "invent"], id="a taken trigger"),
    pytest.param(build(trigger("mirelda")), 2, ["shares its beginning 'mirel'", "invent"], id="a near trigger"),
    pytest.param(build(trigger("two words")), 2, ["persona.yaml:", "lora.trigger"], id="a trigger of two words"),
    pytest.param(
        build(lambda d: d.say("consent:", "consnt:")), 2, ["persona.yaml:", "did you mean 'consent'"], id="a misspelt key"
    ),
    pytest.param(
        build(lambda d: d.say("  windows:", "  min_gap_minutes: two hours\n  windows:")),
        2,
        ["persona.yaml:", "cadence.min_gap_minutes", "integer"],
        id="a gap in words",
    ),
    pytest.param(
        build(lambda d: d.say("  windows:", "  events: [{ name: morning, day: 2027-05-29, topic: x }]\n  windows:")),
        2,
        ["persona.yaml:", "cadence.events", "an event is called 'morning' like a window"],
        id="an event like a window",
    ),
    pytest.param(
        build(lambda d: d.say("name: luna", "name: [luna")), 2, ["persona.yaml:", "is not valid YAML"], id="YAML: syntax"
    ),
    pytest.param(build(lambda d: (d.pack / "persona.yaml").write_bytes(b"name: \xff\n")), 2, ["persona.yaml:1"], id="Latin-1"),
]


@pytest.mark.parametrize(("given", "code", "says"), PACKS)
def test_a_pack_that_is_refused(judged, desk, given, code, says):
    judged(given, code, says)
    assert not desk.dataset.exists()


def test_a_pack_without_a_trigger_gets_one(judged, desk):
    judged(build(), 0, ["3 pictures kept"])
    assert json.loads((desk.dataset / "dataset.json").read_text())["trigger"] == "pufelunax"


def shots(text):
    return lambda d: [*d.build[:4], d.put("own.yaml", text), "--from", d.photo()]


def cells(*more, most=1.0):
    said = "framing: close-up, expression: smiling, light: daylight, scene: park, outfit: red hoodie"
    lines = "".join(f"  - {{{one if 'framing' in one else f'{one}, {said}'}}}\n" for one in more)
    return f"name: own\nmost_of_one: {most}\ncells:\n{lines}"


SHOT_LISTS = [
    pytest.param(
        lambda d: [*d.build[:4], "31", "--from", d.photo()], 3, ["no shot list '31'", "there are: 15, 25, 30, 50"], id="name"
    ),
    pytest.param(lambda d: [*d.build[:4], "no.yaml", "--from", d.photo()], 3, ["no shot list at no.yaml", "15"], id="no file"),
    pytest.param(shots("name: own\ncells:\n  - {id: a\n"), 2, ["own.yaml:", "not valid YAML"], id="syntax"),
    pytest.param(shots(""), 2, ["own.yaml:1", "is empty"], id="empty"),
    pytest.param(shots(cells("id: a", "id: a")), 2, ["own.yaml:5: cells[1].id", "'a' stands twice"], id="an id twice"),
    pytest.param(
        shots(cells(*(f"id: c{n}" for n in range(6)), most=0.2)), 2, ["own.yaml:", "binds to the trigger word"], id="repeats"
    ),
    pytest.param(shots(cells("id: a, ligt: night")), 2, ["own.yaml:4: cells[0].ligt", "did you mean 'light'"], id="a key"),
    pytest.param(
        shots(cells("id: a, framing: cloze-up, expression: x, light: x, scene: x, outfit: x")),
        2,
        ["own.yaml:4: cells[0].framing", "close-up"],
        id="a framing",
    ),
    pytest.param(shots(cells("id: a, garment: no.png")), 2, ["own.yaml:4: cells[0].garment", "'no.png'"], id="a garment"),
    pytest.param(shots(cells("id: a b")), 2, ["own.yaml:4: cells[0].id"], id="an id of two words"),
]


@pytest.mark.parametrize(("given", "code", "says"), SHOT_LISTS)
def test_a_shot_list_that_is_refused(judged, desk, given, code, says):
    judged(given, code, says)
    assert not desk.dataset.exists()


def there(change, *command):
    """A finished dataset, then a change by hand, then the command."""

    def given(desk):
        desk.finished(desk, "dataset")
        change(desk)
        return command or [*desk.build, "--from", desk.photo()]

    return given


def nothing(desk):
    pass


def start_replaced(desk):
    (desk.dataset / "start" / "01.png").write_bytes(desk.encoded(desk.drawn("bruno")))


CHECK = ("dataset", "check", "luna")
ON_DISK = [
    pytest.param(
        lambda d: [*there(nothing)(d)[:-1], d.photo("other.png", d.drawn("bruno"))],
        4,
        ["began from photos (photo.png), not from photos (other.png)", "move that folder away"],
        id="another photo for a begun dataset",
    ),
    pytest.param(
        lambda d: [*there(nothing, "dataset", "build", "luna", "--shots", "15")(d), "--from", d.photo()],
        2,
        ["built from the shot list 'three', not 'shots-15'", "edit its shots.yaml"],
        id="another shot list for a begun dataset",
    ),
    pytest.param(
        there(lambda d: d.change(d.dataset / "dataset.json", '"trigger"', '"triger"'), "train", "luna"),
        2,
        ["dataset.json: trigger", "is damaged", "dataset build"],
        id="dataset.json: a key",
    ),
    pytest.param(
        there(lambda d: (d.dataset / "dataset.json").write_text('{"persona": "lu'), "train", "luna"),
        2,
        ["dataset.json", "is damaged", "dataset build"],
        id="dataset.json: cut off",
    ),
    pytest.param(
        there(lambda d: d.change(d.dataset / "dataset.json", '"close-up-01-1.png"', '"../../x.png"'), "train", "luna"),
        2,
        ["dataset.json: references", "not a path inside"],
        id="dataset.json: a way out",
    ),
    pytest.param(
        there(lambda d: (d.dataset / "build.json").write_text("[]"), *CHECK),
        2,
        ["build.json", "is damaged", "restore"],
        id="build.json",
    ),
    pytest.param(
        there(lambda d: (d.dataset / "candidates" / "close-up-01-1.json").write_text("{"), *CHECK),
        2,
        ["close-up-01-1.json", "is damaged", "delete it and build again"],
        id="a candidate's record",
    ),
    pytest.param(
        there(lambda d: d.change(d.dataset / "shots.yaml", "framing: half body", "framing: half-bodi"), *CHECK),
        2,
        ["shots.yaml:", "framing"],
        id="shots.yaml",
    ),
    pytest.param(
        there(lambda d: (d.dataset / "start" / "01.png").unlink(), *CHECK),
        3,
        ["start/01.png is gone", "put it back"],
        id="the start picture is gone",
    ),
    pytest.param(
        there(start_replaced, *CHECK), 10, ["start/01.png", "the hash differs", "put"], id="the start picture is another one"
    ),
    pytest.param(
        there(lambda d: (d.dataset / "close-up-01-1.txt").write_bytes(b"\xff\xfe"), *CHECK),
        2,
        ["close-up-01-1.txt", "UTF-8"],
        id="a caption of bytes",
    ),
    pytest.param(("dataset", "check", "luna"), 3, ["no dataset was begun", "say what to make it from"], id="check: none"),
    pytest.param(("dataset", "caption", "luna"), 3, ["there is no dataset in", "build"], id="caption: none"),
    pytest.param(("dataset", "sheet", "luna"), 3, ["has no finished dataset", "dataset build luna"], id="sheet: none"),
    pytest.param(
        there(nothing, "dataset", "caption", "luna", "--look"),
        2,
        ["need a vision model", "or use the template"],
        id="caption: nobody to look",
    ),
    pytest.param(
        ("dataset", "build", "luna", "--from-words", "--pick", "3"), 3, ["there is no anchor 3", "none"], id="no anchor"
    ),
]


@pytest.mark.parametrize(("given", "code", "says"), ON_DISK)
def test_a_dataset_on_disk_that_is_refused(judged, desk, given, code, says):
    judged(given if callable(given) else lambda _: given, code, says)


def test_a_picture_that_was_deleted_by_hand_stays_away(judged):
    given = there(lambda d: (d.dataset / "close-up-01-1.png").unlink(), "train", "luna")
    judged(given, 2, ["dataset.json: references", "the picture 'close-up-01-1.png' is not there", "dataset build luna"])
    said = judged(lambda d: [*d.build, "--from", d.photo(), "--json"], 0, [])
    assert (said.json["kept"], said.json["missing"]) == (2, ["close-up-01"])
    judged(lambda d: CHECK, 0, ["2 pictures kept", "empty: close-up-01"])
