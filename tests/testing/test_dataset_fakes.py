"""The shipped fakes of a dataset's making: an editor that behaves like a paid provider, and a curator with a rule."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from zirelia.domain.dataset import FaultKind
from zirelia.domain.shot import Framing, ImagePrompt, Shot
from zirelia.domain.shotlist import Cell
from zirelia.errors import MediaError, RateLimited
from zirelia.ports import Edit, Opinion, Submission
from zirelia.testing.curation import FakeCurator, refused
from zirelia.testing.editor import FakeImageEditor


class Row:
    def __init__(self, external_id: str | None = None) -> None:
        self.external_id = external_id

    def created(self, external_id: str) -> None:
        self.external_id = external_id


def quiet(fraction: float, note: str) -> None: ...


def png(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(buffer, "PNG")
    return buffer.getvalue()


def edit(*references: bytes, text: str = "smile", seed: int = 1, cell: str = "face") -> Edit:
    shot = Shot(scene="cafe", outfit="coat", expression="calm", framing=Framing.CLOSE_UP, light="day")
    prompt = ImagePrompt(text=text, seed=seed, width=64, height=64)
    return Edit(prompt=prompt, cell=Cell(id=cell, shot=shot), references=references or (png("red"),))


def test_equal_edits_are_equal_and_others_differ():
    editor = FakeImageEditor()
    wishes = [
        edit(), edit(text="frown"), edit(seed=2), edit(cell="back"), edit(png("blue")), edit(png("red"), png("blue")),
    ]  # fmt: skip
    made = [editor.edit(one, call=Row(), progress=quiet) for one in wishes]
    assert len({one.data for one in made}) == len(wishes)
    assert editor.edit(wishes[0], call=Row(), progress=quiet).data == made[0].data
    assert editor.edited == [*wishes, wishes[0]]
    assert made[0].provenance.prompt == wishes[0].prompt
    assert len(made[5].provenance.parents) == 2


def test_a_resumed_call_pays_once():
    editor, row = FakeImageEditor(price=0.04), Row()
    first = editor.edit(edit(), call=row, progress=quiet)
    again = editor.edit(edit(), call=Row(row.external_id), progress=quiet)
    assert (editor.paid, first.data, first.provenance.cost_usd) == (1, again.data, 0.04)


def test_failures_come_first_and_bad_references_cost_nothing():
    editor = FakeImageEditor(price=0.04, most_references=1)
    editor.failures = [RateLimited("later", provider="fake")]
    with pytest.raises(RateLimited):
        editor.edit(edit(), call=Row(), progress=quiet)
    for references in ((b"no picture",), (png("red"), png("blue"))):
        with pytest.raises(MediaError):
            editor.edit(edit(*references), call=Row(), progress=quiet)
    assert editor.paid == 0


def test_the_curator_says_what_its_rule_says():
    curator = FakeCurator(lambda one: refused(FaultKind.BLURRED) if one.name == "a" else Opinion(faults=(), identity=0.7))
    pictures = [Submission(name, Image.new("RGB", (8, 8))) for name in "ab"]
    first, second = curator.examine(pictures, anchors=[pictures[0].image], side=512, progress=quiet)
    assert [fault.kind for fault in first.faults] == [FaultKind.BLURRED]
    assert (second.faults, second.identity) == ((), 0.7)
    assert (curator.seen, curator.anchors, curator.sides) == ([("a", "b")], [1], [512])
