"""One contract for every ImageEditor: a real pipeline, the genuine clients on loopback, the pocket world and the fake."""

from __future__ import annotations

import hashlib
import io

import pytest
from PIL import Image

from zirelia.domain.shot import ShotVocabulary
from zirelia.errors import MediaError
from zirelia.resources import folder
from zirelia.testing.editor import FakeImageEditor


@pytest.fixture(params=["kontext", "replicate", "openai", "pocket", "fake", "fake-paid"])
def editor(request):
    if request.param == "kontext":
        return request.getfixturevalue("kontext")
    if request.param == "replicate":
        return request.getfixturevalue("replicate_editor")(request.getfixturevalue("kontext_server"))
    if request.param == "openai":
        return request.getfixturevalue("openai_editor")()
    if request.param == "pocket":
        from zirelia.pocket.editor import PocketEditor
        from zirelia.pocket.looks import LooksEncoder
        from zirelia.pocket.weights import looks_path

        return PocketEditor(LooksEncoder.load(looks_path()))
    return FakeImageEditor(price=0.03 if request.param == "fake-paid" else 0.0)


@pytest.fixture(scope="module")
def mira_pictures():
    """Of one person, so that the pocket world accepts them too."""
    return [path.read_bytes() for path in sorted((folder("persona") / "mira" / "references").glob("*.png"))]


def test_it_says_what_it_is(editor, edit_of, mira_pictures):
    facts = editor.facts()
    assert facts.backend
    assert facts.model
    assert (editor.estimate_usd(edit_of(mira_pictures[0])) > 0) == facts.paid
    assert editor.licence().strip()
    assert editor.most_references() >= 1
    assert min(editor.size()) >= 64
    assert isinstance(editor.vocabulary(), ShotVocabulary | None)
    assert "r8_" not in repr(editor)
    assert "sk-" not in repr(editor)


def test_it_makes_a_picture_and_says_where_it_came_from(editor, edit_of, mira_pictures, call, told):
    wanted = edit_of(mira_pictures[0], size=editor.size())
    made = editor.edit(wanted, call=call, progress=told)
    assert Image.open(io.BytesIO(made.data)).get_format_mimetype() == made.media_type
    assert made.media_type in {"image/png", "image/jpeg"}
    assert made.provenance.prompt == wanted.prompt
    assert made.provenance.cost_usd == editor.estimate_usd(wanted)
    assert made.provenance.backend == editor.facts().backend
    assert made.provenance.model
    assert made.provenance.made_at.tzinfo is not None
    assert made.provenance.external_id == call.external_id
    assert made.provenance.parents == (hashlib.sha256(mira_pictures[0]).hexdigest(),)
    assert all(0.0 <= fraction <= 1.0 and note for fraction, note in told.words)


def test_the_same_edit_gives_the_same_bytes(editor, edit_of, mira_pictures, new_call, told):
    wanted = edit_of(mira_pictures[0], size=editor.size())
    first, second = (editor.edit(wanted, call=new_call(), progress=told).data for _ in range(2))
    assert first == second


def test_it_takes_as_many_references_as_it_says(editor, edit_of, mira_pictures, call, told):
    given = tuple(mira_pictures[: editor.most_references()])
    made = editor.edit(edit_of(*given, size=editor.size()), call=call, progress=told)
    assert made.provenance.parents == tuple(hashlib.sha256(data).hexdigest() for data in given)


@pytest.mark.parametrize(
    "references",
    [(), (b"",), (b"not a picture",), (b"\x89PNG\r\n\x1a\n" + b"\0" * 40,), ("cut",)],
    ids=["none", "empty", "text", "damaged", "cut off"],
)
def test_unusable_references_are_refused_before_anything_is_paid(editor, edit_of, photo, call, told, references):
    given = [photo(size=(256, 256))[:400] if one == "cut" else one for one in references]
    with pytest.raises(MediaError):
        editor.edit(edit_of(*given, size=editor.size()), call=call, progress=told)
    assert call.stored == []


def test_what_progress_raises_comes_through(editor, edit_of, mira_pictures, call, new_told):
    with pytest.raises(InterruptedError):
        editor.edit(
            edit_of(mira_pictures[0], size=editor.size()), call=call, progress=new_told(stop=InterruptedError("enough"))
        )
