"""A face from pictures instead of weights: any editor as an image maker."""

from __future__ import annotations

import hashlib

import pytest

from zirelia.domain.lora import WornLora
from zirelia.domain.persona import Look, Trait
from zirelia.domain.prompt import compose
from zirelia.domain.shot import Framing, ImagePrompt, Shot
from zirelia.errors import ConfigurationError
from zirelia.images.references import ReferenceImageMaker, instruction
from zirelia.resources import folder

SHOT = Shot(scene="cafe", outfit="red sweater", expression="smiling", framing=Framing.HALF_BODY, light="daylight")
LOOK = Look(noun="woman", traits=(Trait(feature="hair", value="teal", phrase="long wavy teal hair"),))


def _prompt(maker, seed=7):
    width, height = maker.size()
    words = maker.vocabulary()
    return compose(SHOT, LOOK, lora=None, seed=seed, width=width, height=height, vocabulary=words)


@pytest.fixture(scope="module")
def pictures():
    return [path.read_bytes() for path in sorted((folder("persona") / "mira" / "references").glob("*.png"))]


@pytest.fixture
def pocket_editor():
    from zirelia.pocket.editor import PocketEditor
    from zirelia.pocket.looks import LooksEncoder
    from zirelia.pocket.weights import looks_path

    return PocketEditor(LooksEncoder.load(looks_path()))


def test_a_composed_prompt_carries_its_shot_and_the_looks_in_words():
    prompt = compose(SHOT, LOOK, lora=None, seed=1, width=64, height=64)
    assert prompt.shot == SHOT
    assert "long wavy teal hair" in prompt.text
    stored = prompt.model_dump(mode="json")
    assert ImagePrompt.model_validate(stored) == prompt
    del stored["shot"]
    assert ImagePrompt.model_validate(stored).shot is None


def test_it_sends_the_references_with_an_instruction(openai_server, openai_editor, photo, call, told):
    given = [photo(10), photo(200)]
    maker = ReferenceImageMaker(openai_editor(), given)
    prompt = _prompt(maker)
    made = maker.make(prompt, lora=None, call=call, progress=told)
    form = openai_server.forms[0]
    assert form.fields["prompt"] == instruction(prompt.text, pictures=2)
    assert form.fields["prompt"].endswith(prompt.text)
    assert len(form.pictures) == 2
    assert made.provenance.prompt == prompt
    assert made.provenance.parents == tuple(hashlib.sha256(data).hexdigest() for data in given)
    assert made.provenance.cost_usd == maker.estimate_usd(prompt) == 0.08


def test_it_is_what_its_editor_is(openai_editor, photo):
    editor = openai_editor()
    maker = ReferenceImageMaker(editor, [photo()])
    assert (maker.size(), maker.vocabulary()) == (editor.size(), None)
    assert maker.facts().details["identity"] == "1 references"
    assert (maker.facts().backend, maker.facts().paid) == ("openai-images", True)
    assert "sk-" not in repr(maker)


def test_as_many_references_are_used_as_the_editor_takes(kontext_server, replicate_editor, photo, call, told):
    given = [photo(20 * number) for number in range(5)]
    made = ReferenceImageMaker(replicate_editor(kontext_server), given).make(
        _prompt(ReferenceImageMaker(replicate_editor(kontext_server), given)), lora=None, call=call, progress=told
    )
    assert made.provenance.parents == tuple(hashlib.sha256(data).hexdigest() for data in given[:2])


def test_a_resumed_call_pays_nothing(kontext_server, replicate_editor, photo, new_call, told):
    maker = ReferenceImageMaker(replicate_editor(kontext_server), [photo()])
    call = new_call()
    first = maker.make(_prompt(maker), lora=None, call=call, progress=told)
    again = maker.make(_prompt(maker), lora=None, call=new_call(external_id=call.external_id), progress=told)
    assert kontext_server.paid == 1
    assert again.provenance.external_id == first.provenance.external_id


def test_a_local_editor_gives_the_same_pixels_again(kontext, photo, new_call, told):
    maker = ReferenceImageMaker(kontext, [photo()])
    made = [maker.make(_prompt(maker, seed), lora=None, call=new_call(), progress=told).data for seed in (7, 7, 8)]
    assert made[0] == made[1] != made[2]


def test_the_pocket_world_reads_the_shot(pocket_editor, pictures, new_call, told):
    maker = ReferenceImageMaker(pocket_editor, pictures[:3])
    prompt = _prompt(maker)
    first, again = (maker.make(prompt, lora=None, call=new_call(), progress=told) for _ in range(2))
    assert first.data == again.data
    assert first.provenance.parents == tuple(hashlib.sha256(data).hexdigest() for data in pictures[:3])
    other = prompt.model_copy(update={"shot": SHOT.model_copy(update={"scene": "beach"})})
    assert maker.make(other, lora=None, call=new_call(), progress=told).data != first.data


def test_what_cannot_be_worn_is_refused(openai_server, openai_editor, photo, mira, call, told):
    maker = ReferenceImageMaker(openai_editor(), [photo()])
    for worn in ({"lora": mira}, {"lora": None, "beside": (WornLora(lora=mira),)}):
        with pytest.raises(ConfigurationError, match="wears no LoRA"):
            maker.make(_prompt(maker), call=call, progress=told, **worn)
    with pytest.raises(ConfigurationError, match="take the place of a start picture"):
        maker.make(_prompt(maker), lora=None, start_from=photo(), call=call, progress=told)
    assert openai_server.requests == []


def test_a_prompt_of_other_origin_is_refused(openai_editor, photo, wish, call, told):
    with pytest.raises(ConfigurationError, match="which shot it was made from"):
        ReferenceImageMaker(openai_editor(), [photo()]).make(wish(), lora=None, call=call, progress=told)


def test_no_references_are_refused(openai_editor):
    with pytest.raises(ConfigurationError, match="at least one picture"):
        ReferenceImageMaker(openai_editor(), [])


@pytest.mark.parametrize("backend", ["replicate_maker", "openai_maker"])
def test_hosted_makers_refuse_loras_of_this_machine(request, backend, wish, mira, call, told):
    maker = request.getfixturevalue(backend)()
    with pytest.raises(ConfigurationError, match="worn beside the face"):
        maker.make(wish(), lora=None, beside=(WornLora(lora=mira),), call=call, progress=told)
