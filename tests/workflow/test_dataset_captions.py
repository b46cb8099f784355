"""Captions of a dataset: the template's sentence, what a model sees, words that came along; leaks are named, never silent."""

from __future__ import annotations

from functools import partial

import pytest

from zirelia.definitions.agents import load_agent
from zirelia.definitions.shotlists import load_shot_list
from zirelia.domain.captions import CaptionStyle
from zirelia.domain.dataset import Brought
from zirelia.domain.shot import Framing, Shot
from zirelia.domain.shotlist import Cell, ShotList
from zirelia.errors import ConfigurationError, ConsentRequired, NotFound, ProviderRefused
from zirelia.testing.chat import ScriptedChat
from zirelia.testing.editor import FakeImageEditor
from zirelia.workflow.captions import Source, caption_dataset, check_captions
from zirelia.workflow.dataset import build_dataset
from zirelia.workflow.kit import Budget
from zirelia.workflow.rounds import Effort
from zirelia.workflow.starts import Folder, Photos

LIST = load_shot_list("15")
LIST = LIST.model_copy(update={"cells": LIST.cells[:5]})
CALM = Effort(factor=1.0, rounds=1)
SHOT = Shot(scene="harbour", outfit="red coat", expression="glad", framing=Framing.HALF_BODY, light="dusk")


def cells(*shots: Shot) -> ShotList:
    return ShotList(name="few", most_of_one=1.0, cells=tuple(Cell(id=f"c{n}", shot=shot) for n, shot in enumerate(shots)))


@pytest.fixture
def few(lab):
    """Two pictures of a free model, built; returns the kit."""
    lab.editor = FakeImageEditor(size=(64, 64))
    start = Photos((("me.jpg", lab.photo),))
    build_dataset(lab.kit(), lab.persona, start, cells(SHOT, SHOT.model_copy(update={"light": "noon"})), effort=CALM)
    return partial(lab.kit, captioner=load_agent("dataset_captioner"), vision_estimate_usd=0.01)


def said(lab) -> list[str]:
    return [one.caption for one in lab.folder.dataset().references]


def test_template_captions_say_what_varies(lab, few):
    report = caption_dataset(few(), lab.persona)
    assert said(lab)[0] == (
        "mirelo woman, half body portrait, glad, wearing a red coat, in a harbour, dusk, "
        "flat illustration, soft colours, clean lines"
    )
    assert [one.source for one in report.captions] == [Source.TEMPLATE] * 2
    assert report.leaking == ()
    assert (lab.folder.path / "c0-1.txt").read_text() == said(lab)[0] + "\n"


def test_template_captions_with_constants_say_them(lab, few):
    report = caption_dataset(few(), lab.persona, style=CaptionStyle.CONSTANTS)
    assert report.leaking == ()
    assert all(one.startswith("mirelo woman with long wavy teal hair, brown eyes") for one in said(lab))
    # and back again
    caption_dataset(few(), lab.persona)
    assert not any("hair" in one for one in said(lab))


def test_a_cell_that_says_a_constant_is_repaired(lab):
    lab.editor = FakeImageEditor(size=(64, 64))
    leaky = SHOT.model_copy(
        update={"pose": "one hand in her wavy, teal-coloured locks", "outfit": "coat like her teal own hair"}
    )
    build_dataset(lab.kit(), lab.persona, Photos((("me.jpg", lab.photo),)), cells(leaky), effort=CALM)
    report = caption_dataset(lab.kit(), lab.persona)
    assert report.leaking == ()
    assert "teal own hair" not in said(lab)[0]


def test_a_vision_model_says_what_it_sees(lab, few):
    eyes = ScriptedChat(vision=True, cost=0.01)
    eyes.script({"caption": "A photo of a woman, laughing at a harbour."}, {"caption": "a woman in the rain, at noon"})
    report = caption_dataset(few(vision=eyes), lab.persona, looking=True)
    assert said(lab) == ["mirelo woman, laughing at a harbour", "mirelo woman in the rain, at noon"]
    assert [one.source for one in report.captions] == [Source.SEEN] * 2
    assert eyes.asked[0].images == (lab.folder.read(lab.folder.candidates()[0]),)
    assert "long wavy teal hair" in eyes.asked[0].user
    assert "mirelo" not in eyes.asked[0].user
    rows = {name: row for name, row in lab.rows().items() if name.startswith("captions/mira/")}
    assert list(rows.values()) == [("done", 0.01)] * 2


def test_a_leak_is_asked_about_once_more_and_then_named(lab, few):
    eyes = ScriptedChat(vision=True)
    leaky = {"caption": "a woman with pale skin, at a harbour"}
    eyes.script(leaky, {"caption": "a woman at a harbour, in the rain"}, leaky, leaky)
    report = caption_dataset(few(vision=eyes), lab.persona, looking=True)
    assert len(eyes.asked) == 4
    assert "1. pale skin" in eyes.asked[1].user
    assert [one.leaks for one in report.captions] == [(), ("pale skin",)]
    assert "c1-1.png still says pale skin" in lab.diary.said("note")
    assert [one.leaks for one in check_captions(few(), lab.persona).captions] == [(), ("pale skin",)]


def test_constants_style_puts_the_look_into_what_was_seen(lab, few):
    eyes = ScriptedChat(vision=True)
    eyes.script({"caption": "a woman at a harbour"}, {"caption": "a woman at a harbour"})
    report = caption_dataset(few(vision=eyes), lab.persona, looking=True, style=CaptionStyle.CONSTANTS)
    assert said(lab)[0] == (
        "mirelo woman with long wavy teal hair, brown eyes, fair skin, gold earrings, red lipstick at a harbour"
    )
    assert report.leaking == ()


def test_when_nobody_can_look_the_template_stands_in(lab, few):
    eyes = ScriptedChat(vision=True, cost=0.01)
    eyes.script(ProviderRefused("no", provider="script"))
    report = caption_dataset(few(vision=eyes, budget=Budget(month_usd=0.005)), lab.persona, looking=True)
    assert [one.source for one in report.captions] == [Source.TEMPLATE] * 2
    assert "nobody looked" in lab.diary.said("note")
    assert eyes.asked == []


def test_words_that_came_along_are_kept_or_get_the_trigger(lab, paint, tmp_path):
    captions = ("in rain mirelo", "smiling, Mirelo, at noon", "a mirelo and mirelo", None, "a woman with teal hair")
    pictures = []
    for number, caption in enumerate(captions):
        path = tmp_path / f"{number}.png"
        path.write_bytes(paint(number))
        pictures.append(Brought(path=str(path), caption=caption))
    build_dataset(lab.kit(editor=None), lab.persona, Folder(tuple(pictures)))
    report = caption_dataset(lab.kit(editor=None), lab.persona)
    assert [(one.caption, one.source) for one in report.captions] == [
        ("in rain mirelo", Source.BROUGHT),
        ("mirelo woman, smiling, at noon", Source.PUT_FIRST),
        ("mirelo woman, a and", Source.PUT_FIRST),
        ("mirelo woman", Source.NOTHING),
        ("mirelo woman with teal hair", Source.PUT_FIRST),
    ]
    assert [one.path for one in report.unknown] == ["brought-4.png"]
    assert [one.leaks for one in report.leaking] == [("teal hair",)]


def test_what_captions_need(lab, few):
    with pytest.raises(ConfigurationError, match="need a vision model"):
        caption_dataset(few(), lab.persona, looking=True)
    with pytest.raises(ConfigurationError, match="need a vision model"):
        caption_dataset(few(vision=ScriptedChat()), lab.persona, looking=True)
    consent = {"fictional": False, "person": "Ana", "scope": "x", "expires": "2026-01-01", "document_sha256": "a" * 64}
    lab.desk.as_persona(consent=consent)
    with pytest.raises(ConsentRequired):
        caption_dataset(few(), lab.persona)


def test_captions_of_nothing(lab):
    for doing in (caption_dataset, check_captions):
        with pytest.raises(NotFound, match="there is no dataset"):
            doing(lab.kit(), lab.persona)


def test_a_small_worlds_captions_are_its_own_grammar(lab):
    build_dataset(lab.kit(), lab.persona, Photos((("me.jpg", lab.photo),)), LIST, effort=CALM)
    caption_dataset(lab.kit(), lab.persona)
    assert said(lab)[0] == "mirelo woman, close-up portrait, smiling, wearing a red t-shirt, in a cafe, daylight"
