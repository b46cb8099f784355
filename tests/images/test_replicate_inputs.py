"""Reading a hosted model's schema: names, choices, ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.shot import ImagePrompt
from zirelia.errors import ConfigurationError
from zirelia.images.replicate_inputs import FLUX_LORA, Input, choose_inputs, schema_of
from zirelia.testing.replicate_schemas import FLUX_SCHEMA


def _chosen(schema, prompt, start=None):
    return choose_inputs(schema, prompt, start=start, lora_scale_input="lora_scale", strength=0.6)


@pytest.mark.parametrize(
    ("schema", "width", "height", "expected"),
    [
        ({"width": Input("integer"), "height": Input("integer")}, 832, 1216, {"width": 832, "height": 1216}),
        (
            {"width": Input("integer", maximum=1000), "height": Input("integer", minimum=1500)},
            1216,
            832,
            {"width": 992, "height": 1488},
        ),
        ({"width": Input("integer", choices=(512, 768)), "height": Input("integer", choices=(512, 768))}, 700, 500,
         {"width": 768, "height": 512}),
        ({"aspect_ratio": Input(choices=("1:1", "4:5", "16:9", "match_input_image"))}, 832, 1040, {"aspect_ratio": "4:5"}),
        ({"aspect_ratio": Input(choices=("square",))}, 832, 1040, {}),
        ({"aspect_ratio": Input(choices=("1:1", "9:16")), "width": Input(), "height": Input()}, 576, 1024,
         {"aspect_ratio": "9:16"}),
        ({}, 832, 1040, {}),
    ],
)  # fmt: skip
def test_size(wish, schema, width, height, expected):
    chosen = _chosen({"prompt": Input(), **schema}, wish(width=width, height=height))
    assert {name: value for name, value in chosen.items() if name != "prompt"} == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"image": Input()}, {"image": "data:x"}),
        ({"input_images": Input("array")}, {"input_images": ["data:x"]}),
        ({"init_image": Input(), "strength": Input("number", maximum=0.5)}, {"init_image": "data:x", "strength": 0.5}),
    ],
)
def test_start_picture(wish, schema, expected):
    chosen = _chosen({"prompt": Input(), **schema}, wish(), start="data:x")
    assert expected.items() <= chosen.items()


@pytest.mark.parametrize("schema", [{}, {"text": Input()}])
def test_a_model_without_prompt_is_refused(wish, schema):
    with pytest.raises(ConfigurationError, match="takes no prompt"):
        _chosen(schema, wish())


def test_a_start_picture_that_the_model_cannot_take_is_refused(wish):
    with pytest.raises(ConfigurationError, match="no start picture"):
        _chosen({"prompt": Input()}, wish(), start="data:x")


def test_cog_schema_is_read_with_its_references():
    schema = schema_of(FLUX_SCHEMA)
    assert schema["output_format"].choices == ("webp", "jpg", "png")
    assert schema["width"] == Input("integer", minimum=256, maximum=1440)
    assert set(schema) == set(FLUX_LORA)
    assert schema["prompt"].required


@given(
    st.dictionaries(
        st.sampled_from(["prompt", "seed", "width", "height", "image"]),
        st.dictionaries(
            st.sampled_from(["type", "enum", "$ref", "allOf"]),
            st.text(max_size=6) | st.lists(st.text(max_size=4) | st.integers(), max_size=3),
        ),
        min_size=1,
    ),
    st.integers(0, 2**32 - 1),
)
def test_any_declared_inputs_give_inputs_or_one_clear_error(properties, seed):
    prompt = ImagePrompt(text="x", seed=seed, width=512, height=768)
    openapi = {"components": {"schemas": {"Input": {"properties": properties}}}}
    try:
        chosen = _chosen(schema_of(openapi), prompt)
    except ConfigurationError:
        return
    assert set(chosen) <= set(properties)
    assert chosen.get("seed", 0) == (seed % 2**31 if "seed" in properties else 0)


@pytest.mark.parametrize("openapi", [{}, {"components": []}, {"components": {"schemas": {"Input": {}}}}])
def test_a_model_that_declares_nothing_is_a_clear_error(openapi):
    with pytest.raises(ConfigurationError, match="declares no inputs"):
        schema_of(openapi)
