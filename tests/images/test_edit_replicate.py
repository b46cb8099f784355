"""Edits with the genuine replicate client against the emulated account: schemas, uploads, money, faults."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.shot import ImagePrompt
from zirelia.errors import (
    BadAnswer,
    ConfigurationError,
    MediaError,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    RateLimited,
)
from zirelia.images.edit_pictures import opened, side_by_side
from zirelia.images.replicate_inputs import Input, Slots, choose_edit_inputs, reference_slots, schema_of
from zirelia.network import connections_outside
from zirelia.testing.replicate_schemas import (
    FLUX_2_SCHEMA,
    FLUX_SCHEMA,
    KONTEXT_SCHEMA,
    QWEN_EDIT_SCHEMA,
    TWO_KONTEXT_SCHEMA,
)
from zirelia.testing.replicate_server import ReplicateServer


def _noise(photo, side=512):
    """Too large to go along as a data URL."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.effect_noise((side, side), 90).convert("RGB").save(buffer, format="PNG")
    return buffer.getvalue()


def _bytes(url):
    return base64.b64decode(url.partition(",")[2])


@pytest.mark.parametrize(
    ("schema", "slots"),
    [
        (KONTEXT_SCHEMA, Slots(("input_image",), listed=False, most=1, least=1)),
        (TWO_KONTEXT_SCHEMA, Slots(("input_image_1", "input_image_2"), listed=False, most=2, least=2)),
        (QWEN_EDIT_SCHEMA, Slots(("image",), listed=True, most=None, least=1)),
        (FLUX_2_SCHEMA, Slots(("input_images",), listed=True, most=8, least=1)),
    ],
    ids=["one", "two numbered", "list named as one", "list"],
)
def test_the_schema_says_where_references_go(schema, slots):
    assert reference_slots(schema_of(schema)) == slots


@given(
    st.dictionaries(
        st.from_regex(r"(input_|reference_)?(image|img|prompt|strength)s?(_?[0-9]{0,3})", fullmatch=True),
        st.dictionaries(
            st.sampled_from(["type", "maxItems", "enum", "allOf"]),
            st.sampled_from(["array", "string", 3, 0, -1, True, None, 1e400, [], {}]),
        ),
    ),
    st.lists(st.text(max_size=5)),
    st.integers(1, 16),
)
def test_any_schema_gives_inputs_or_one_clear_error(properties, required, count):
    openapi = {"components": {"schemas": {"Input": {"properties": properties, "required": required}}}}
    prompt = ImagePrompt(text="x", seed=1, width=512, height=768)
    try:
        schema = schema_of(openapi)
        chosen = choose_edit_inputs(schema, prompt, reference_slots(schema), [f"data:{n}" for n in range(count)])
    except ConfigurationError:
        return
    assert set(chosen) <= set(properties)
    handed = [one for value in chosen.values() for one in (value if isinstance(value, list) else [value])]
    assert [one for one in handed if str(one).startswith("data:")] == [f"data:{number}" for number in range(count)]


def test_numbered_inputs_keep_their_order():
    schema = {name: Input() for name in ("prompt", "input_image_3", "input_image", "input_image_2")}
    assert reference_slots(schema).names == ("input_image", "input_image_2", "input_image_3")


@pytest.mark.parametrize(
    ("schema", "says"),
    [({"prompt": Input()}, "takes no pictures"), (schema_of(FLUX_SCHEMA), "paints over a start picture")],
)
def test_a_model_that_edits_nothing_is_refused(schema, says):
    with pytest.raises(ConfigurationError, match=says):
        reference_slots(schema)


@pytest.mark.parametrize(
    ("schema", "count", "says"),
    [(TWO_KONTEXT_SCHEMA, 1, "takes 2 references"), (KONTEXT_SCHEMA, 2, "takes 1 references"), (FLUX_2_SCHEMA, 9, "1 to 8")],
)
def test_a_number_of_references_that_the_schema_does_not_take_is_refused(wish, schema, count, says):
    known = schema_of(schema)
    with pytest.raises(ConfigurationError, match=says):
        choose_edit_inputs(known, wish(), reference_slots(known), ["data:x"] * count)


def test_it_orders_what_the_schema_knows(kontext_server, replicate_editor, edit_of, photo, call, told):
    made = replicate_editor(kontext_server).edit(edit_of(photo(), size=(832, 1040), seed=5), call=call, progress=told)
    inputs = dict(kontext_server.predictions[0]["input"])
    assert inputs.pop("input_image").startswith("data:image/png;base64,")
    assert inputs == {
        "prompt": "the same woman in a cafe, smiling",
        "seed": 5,
        "output_format": "png",
        "aspect_ratio": "4:5",
    }
    assert call.stored == [kontext_server.predictions[0]["id"]]
    assert made.provenance.model == "black-forest-labs/flux-kontext-pro"
    assert "train a model that competes" in replicate_editor(kontext_server).licence()


def test_a_second_reference_is_set_beside_the_first_where_only_one_is_taken(
    kontext_server, replicate_editor, edit_of, photo, call, told
):
    her, dress = photo(10, (96, 80)), photo(200, (80, 160))
    replicate_editor(kontext_server).edit(edit_of(her, dress), call=call, progress=told)
    (sent,) = opened([_bytes(kontext_server.predictions[0]["input"]["input_image"])], most=1)
    assert sent.image.tobytes() == side_by_side([one.image for one in opened([her, dress], most=2)]).tobytes()
    assert sent.image.size == (96 + 40, 80)


@pytest.mark.parametrize(
    ("model", "schema", "count", "name"),
    [
        ("qwen/qwen-image-edit-plus", QWEN_EDIT_SCHEMA, 3, "image"),
        ("black-forest-labs/flux-2-pro", FLUX_2_SCHEMA, 8, "input_images"),
    ],
)
def test_a_list_of_references_goes_in_order(picture, replicate_editor, edit_of, photo, call, told, model, schema, count, name):
    with ReplicateServer(picture(), schema=schema, model=model, official=True) as server:
        editor = replicate_editor(server)
        assert editor.most_references() == count
        given = [photo(20 * number) for number in range(count)]
        editor.edit(edit_of(*given, size=(832, 1216)), call=call, progress=told)
        inputs = server.predictions[0]["input"]
    assert [opened([_bytes(url)], most=1)[0].image.tobytes() for url in inputs[name]] == [
        one.image.tobytes() for one in opened(given, most=count)
    ]
    assert inputs["aspect_ratio"] == ("custom" if name == "input_images" else "2:3")


def test_a_pair_of_inputs_takes_two(picture, replicate_editor, edit_of, photo, new_call, told):
    model = "flux-kontext-apps/multi-image-kontext-pro"
    with ReplicateServer(picture(), schema=TWO_KONTEXT_SCHEMA, model=model) as server:
        replicate_editor(server).edit(edit_of(photo(1), photo(2)), call=new_call(), progress=told)
        assert {"input_image_1", "input_image_2"} <= set(server.predictions[0]["input"])
        with pytest.raises(ConfigurationError, match="takes 2 references"):
            replicate_editor(server).edit(edit_of(photo(1)), call=new_call(), progress=told)
        assert server.paid == 1


def test_more_references_than_the_model_takes_are_refused_before_anything_is_sent(
    kontext_server, replicate_editor, edit_of, photo, call, told
):
    with pytest.raises(ConfigurationError, match="3 references, and the model takes 2"):
        replicate_editor(kontext_server).edit(edit_of(photo(1), photo(2), photo(3)), call=call, progress=told)
    assert kontext_server.requests == []


def test_a_resumed_call_looks_and_never_pays_again(kontext_server, replicate_editor, edit_of, photo, new_call, told):
    known = kontext_server.plant({"prompt": "x"})
    made = replicate_editor(kontext_server).edit(edit_of(photo()), call=new_call(external_id=known["id"]), progress=told)
    assert made.provenance.external_id == known["id"]
    assert kontext_server.paid == 1
    assert not any(request.method == "POST" for request in kontext_server.requests)


@pytest.mark.parametrize("large", [False, True], ids=["inline", "uploaded"])
def test_a_crash_between_creation_and_storing_does_not_pay_twice(
    kontext_server, replicate_editor, edit_of, photo, new_call, told, large
):
    class Crashing(new_call):
        def created(self, external_id):
            raise KeyboardInterrupt

    wanted = edit_of(_noise(photo) if large else photo())
    with pytest.raises(KeyboardInterrupt):
        replicate_editor(kontext_server).edit(wanted, call=Crashing(), progress=told)
    call = new_call()
    replicate_editor(kontext_server).edit(wanted, call=call, progress=told)
    assert kontext_server.paid == 1
    assert call.stored == [kontext_server.predictions[0]["id"]]


def test_a_large_reference_is_uploaded_once_for_many_edits(kontext_server, replicate_editor, edit_of, photo, new_call, told):
    her = _noise(photo)
    for seed in (1, 2, 3):
        replicate_editor(kontext_server).edit(edit_of(her, seed=seed), call=new_call(), progress=told)
    assert len(kontext_server.uploads) == 1
    assert opened(kontext_server.uploads, most=1)[0].image.tobytes() == opened([her], most=1)[0].image.tobytes()
    assert {entry["input"]["input_image"] for entry in kontext_server.predictions} == {
        kontext_server.predictions[0]["input"]["input_image"]
    }


def test_a_file_that_expires_soon_is_uploaded_again(kontext_server, replicate_editor, edit_of, photo, new_call, told):
    kontext_server.file_life = timedelta(minutes=5)
    her = _noise(photo)
    for seed in (1, 2):
        replicate_editor(kontext_server).edit(edit_of(her, seed=seed), call=new_call(), progress=told)
    assert len(kontext_server.uploads) == 2


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("create", {"status": 429, "headers": {"Retry-After": "0"}}),
        ("create", {"status": 500, "after": True}),
        ("create", {"silent": True, "after": True}),
        ("schema", {"status": 502}),
        ("uploads", {"status": 500}),
        ("upload", {"status": 503}),
        ("upload", {"silent": True}),
        ("get", {"status": 500, "times": 2}),
        ("file", {"status": 503}),
    ],
)
def test_faults_that_pass_are_outlived_and_paid_once(
    kontext_server, replicate_editor, edit_of, photo, call, told, place, fault
):
    kontext_server.fail(place, **fault)
    replicate_editor(kontext_server).edit(edit_of(_noise(photo)), call=call, progress=told)
    assert kontext_server.paid == 1


@pytest.mark.parametrize(
    ("place", "fault", "kind"),
    [
        ("create", {"status": 401}, ProviderRefused),
        ("create", {"status": 402}, ProviderRefused),
        ("create", {"status": 422}, ProviderRefused),
        ("create", {"status": 429, "times": 9, "headers": {"Retry-After": "0"}}, RateLimited),
        ("create", {"status": 500, "times": 9}, ProviderError),
        ("schema", {"status": 404}, ProviderRefused),
        ("schema", {"status": 200, "body": b"[]"}, BadAnswer),
        ("uploads", {"status": 200, "body": b"[]"}, BadAnswer),
        ("upload", {"status": 413}, ProviderRefused),
        ("upload", {"status": 201, "body": b"{}"}, BadAnswer),
        ("get", {"status": 200, "body": b"{}"}, BadAnswer),
        ("file", {"status": 404}, ProviderRefused),
        ("file", {"status": 200, "body": b"x", "announced": 10**9, "media_type": "image/png"}, ProviderRefused),
        ("file", {"status": 200, "body": b"Error: no", "media_type": "image/png"}, MediaError),
    ],
)
def test_faults_that_stay_are_typed(kontext_server, replicate_editor, edit_of, photo, call, told, place, fault, kind):
    kontext_server.fail(place, **fault)
    with pytest.raises(kind) as caught:
        replicate_editor(kontext_server).edit(edit_of(_noise(photo)), call=call, progress=told)
    assert kontext_server.token not in str(caught.value)
    assert kontext_server.paid <= 1


@pytest.mark.parametrize(
    ("ending", "error", "kind"),
    [
        ("failed", "CUDA out of memory", ProviderError),
        ("failed", "NSFW content detected", ProviderRefused),
        ("failed", "The input or output was flagged as sensitive. (E005)", ProviderRefused),
        ("canceled", "", ProviderError),
        ("never", "", ProviderTimeout),
    ],
)
def test_a_prediction_that_ends_badly_is_typed(
    kontext_server, replicate_editor, edit_of, photo, call, told, ending, error, kind
):
    kontext_server.ending, kontext_server.error = ending, error
    with pytest.raises(kind):
        replicate_editor(kontext_server).edit(edit_of(photo()), call=call, progress=told)


@pytest.mark.parametrize("shape", ["nothing", "text", "outside"])
def test_what_is_no_picture_is_never_taken_for_one(kontext_server, replicate_editor, edit_of, photo, call, told, shape):
    kontext_server.shape = shape
    with connections_outside(allowed=True), pytest.raises(ProviderError):
        replicate_editor(kontext_server).edit(edit_of(photo()), call=call, progress=told)


def test_cancelling_reaches_the_provider(kontext_server, replicate_editor, edit_of, photo, call, new_told):
    kontext_server.ending = "never"
    with pytest.raises(InterruptedError):
        replicate_editor(kontext_server).edit(edit_of(photo()), call=call, progress=new_told(stop=InterruptedError(), after=3))
    assert kontext_server.predictions[0]["status"] == "canceled"
