"""Edits with the genuine OpenAI client against the emulated endpoint."""

from __future__ import annotations

import pytest

from zirelia.errors import BadAnswer, ConfigurationError, ProviderError, ProviderRefused, RateLimited
from zirelia.images.edit_pictures import opened


def _edit(editor, wanted, call, told):
    return editor.edit(wanted, call=call, progress=told)


def test_references_go_as_one_form_in_order(openai_server, openai_editor, edit_of, photo, call, told):
    given = [photo(40), photo(90, media="JPEG"), photo(140)]
    _edit(openai_editor(quality="high"), edit_of(*given, size=(832, 1216), seed=3), call, told)
    (form,) = openai_server.forms
    assert form.fields == {
        "model": "gpt-image-2",
        "prompt": "the same woman in a cafe, smiling",
        "n": "1",
        "size": "832x1216",
        "quality": "high",
        "output_format": "png",
    }
    assert [(name, kind) for name, kind, _ in form.pictures] == [
        ("reference-1.png", "image/png"),
        ("reference-2.jpeg", "image/jpeg"),
        ("reference-3.png", "image/png"),
    ]
    for place in (0, 2):
        assert opened([form.pictures[place][2]], most=1)[0].image.tobytes() == opened([given[place]], most=1)[0].image.tobytes()


@pytest.mark.parametrize(
    ("model", "fidelity"),
    [
        ("gpt-image-1.5", "high"),
        ("gpt-image-1-mini", None),
        ("gpt-image-2", None),
        ("gpt-image-2.5-flare", None),
        ("chatgpt-image-latest", None),
    ],
)
def test_the_face_is_kept_as_well_as_the_model_can(openai_server, openai_editor, edit_of, photo, call, told, model, fidelity):
    _edit(openai_editor(model), edit_of(photo()), call, told)
    assert openai_server.forms[0].fields.get("input_fidelity") == fidelity


def test_a_server_of_ones_own_is_given_seed_and_steps(openai_server, openai_editor, edit_of, photo, call, told):
    editor = openai_editor("Qwen/Qwen-Image-Edit-2509")
    assert (editor.most_references(), editor.licence()) == (3, "Apache-2.0")
    _edit(editor, edit_of(photo(), steps=9, negative="blurry", seed=41), call, told)
    fields = openai_server.forms[0].fields
    assert (fields["seed"], fields["num_inference_steps"], fields["negative_prompt"]) == ("41", "9", "blurry")
    assert "input_fidelity" not in fields


def test_sixteen_references_are_taken_and_seventeen_refused(openai_server, openai_editor, edit_of, photo, call, told):
    given = [photo(number) for number in range(17)]
    _edit(openai_editor(), edit_of(*given[:16]), call, told)
    assert len(openai_server.forms[0].pictures) == 16
    with pytest.raises(ConfigurationError, match="17 references, and the model takes 16"):
        _edit(openai_editor(), edit_of(*given), call, told)
    assert openai_server.paid == 1


def test_a_model_of_no_known_name_takes_what_it_is_said_to(openai_editor):
    editor = openai_editor("house/editor", most=5, licence="CC0-1.0")
    assert (editor.most_references(), editor.licence()) == (5, "CC0-1.0")
    assert openai_editor("house/editor").most_references() == 1
    assert "unknown" in openai_editor("house/editor").licence()


@pytest.mark.parametrize(
    "fault", [{"status": 429, "headers": {"Retry-After": "0"}}, {"status": 500, "times": 2}, {"status": 503}]
)
def test_faults_that_pass_are_outlived(openai_server, openai_editor, edit_of, photo, call, told, fault):
    openai_server.fail(**fault)
    _edit(openai_editor(), edit_of(photo()), call, told)
    assert openai_server.paid == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 401}, ProviderRefused),
        ({"status": 400, "code": "moderation_blocked", "message": "rejected by the safety system"}, ProviderRefused),
        ({"status": 404}, ProviderRefused),
        ({"status": 413}, ProviderRefused),
        ({"status": 429, "times": 9, "headers": {"Retry-After": "0"}}, RateLimited),
        ({"status": 429, "code": "insufficient_quota", "message": "You exceeded your current quota"}, ProviderRefused),
        ({"status": 500, "times": 9}, ProviderError),
        ({"status": 200, "body": b"<html>"}, BadAnswer),
        ({"status": 200, "body": b'{"data": []}'}, BadAnswer),
    ],
)
def test_faults_that_stay_are_typed(openai_server, openai_editor, edit_of, photo, call, told, fault, kind):
    openai_server.fail(**fault)
    with pytest.raises(kind) as caught:
        _edit(openai_editor(), edit_of(photo()), call, told)
    assert openai_server.paid == 0
    assert openai_server.key not in str(caught.value)


def test_an_answer_that_was_lost_is_not_asked_for_again(openai_server, openai_editor, edit_of, photo, call, told):
    openai_server.fail(silent=True)
    with pytest.raises(ProviderError, match="may have been charged"):
        _edit(openai_editor(), edit_of(photo()), call, told)
    assert len(openai_server.requests) == 1


def test_a_time_out_is_not_asked_again(openai_server, openai_editor, edit_of, photo, call, told, monkeypatch):
    import openai
    from openai.resources.images import Images

    asked = []

    def late(self, **options):
        asked.append(options)
        raise openai.APITimeoutError(request=None)

    monkeypatch.setattr(Images, "edit", late)
    with pytest.raises(ProviderError, match="no answer in time"):
        _edit(openai_editor(), edit_of(photo()), call, told)
    assert len(asked) == 1


@pytest.mark.parametrize("style", ["nothing", "bad-base64"])
def test_what_is_no_picture_is_refused(openai_server, openai_editor, edit_of, photo, call, told, style):
    openai_server.style = style
    with pytest.raises(BadAnswer):
        _edit(openai_editor(), edit_of(photo()), call, told)
