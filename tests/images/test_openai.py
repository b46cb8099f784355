"""The genuine OpenAI client against the emulated images endpoint."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from zirelia.errors import BadAnswer, ConfigurationError, ProviderError, ProviderRefused, RateLimited
from zirelia.images.openai import OpenAIImageMaker
from zirelia.images.openai_sizes import size_for
from zirelia.network import connections_outside


def _make(maker, wish, call, told, **changes):
    return maker.make(wish(**{"width": 1024, "height": 1024} | changes), lora=None, call=call, progress=told)


@pytest.mark.parametrize(
    ("model", "width", "height", "size"),
    [
        ("gpt-image-1.5", 832, 1216, "1024x1536"),
        ("gpt-image-1-mini", 1024, 1024, "1024x1024"),
        ("gpt-image-1", 1216, 832, "1536x1024"),
        ("chatgpt-image-latest", 900, 1000, "1024x1024"),
        ("dall-e-2", 300, 300, "256x256"),
        ("dall-e-3", 576, 1024, "1024x1792"),
        ("gpt-image-2", 832, 1216, "832x1216"),
        ("gpt-image-2.5-flare", 500, 4000, "496x1488"),
        ("gpt-image-2", 4096, 4096, "3840x3840"),
        ("Qwen/Qwen-Image", 832, 1216, "832x1216"),
    ],
)
def test_size(model, width, height, size):
    assert size_for(model, width, height) == size


def test_gpt_image_is_asked_in_its_own_words(openai_server, openai_maker, wish, call, told):
    _make(openai_maker(quality="low"), wish, call, told)
    assert openai_server.bodies == [
        {
            "model": "gpt-image-2",
            "prompt": "zqmira woman in a cafe, smiling, red sweater",
            "n": 1,
            "size": "1024x1024",
            "quality": "low",
            "output_format": "png",
        }
    ]


def test_a_server_of_ones_own_is_given_seed_and_steps(openai_server, openai_maker, wish, call, told):
    _make(openai_maker("Qwen/Qwen-Image"), wish, call, told, steps=9, negative="blurry", seed=3)
    body = openai_server.bodies[0]
    assert (body["seed"], body["num_inference_steps"], body["negative_prompt"]) == (3, 9, "blurry")
    assert body["response_format"] == "b64_json"


def test_an_address_is_fetched(openai_server, openai_maker, wish, call, told, picture):
    openai_server.style = "url"
    assert _make(openai_maker("dall-e-3"), wish, call, told).data == picture()


@pytest.mark.parametrize("model", ["gpt-image-2", "Qwen/Qwen-Image"])
def test_a_start_picture_makes_an_edit(openai_server, openai_maker, wish, call, told, picture, model):
    openai_maker(model).make(wish(seed=41), lora=None, start_from=picture(), call=call, progress=told)
    assert openai_server.bodies == []
    assert b'filename="start.png"' in openai_server.edits[0]
    assert (b'name="seed"' in openai_server.edits[0]) == (model != "gpt-image-2")


@pytest.mark.parametrize(
    "fault",
    [{"status": 429, "headers": {"Retry-After": "0"}}, {"status": 500, "times": 2}, {"status": 503}],
)
def test_faults_that_pass_are_outlived(openai_server, openai_maker, wish, call, told, fault):
    openai_server.fail(**fault)
    _make(openai_maker(), wish, call, told)
    assert openai_server.paid == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 401}, ProviderRefused),
        ({"status": 400, "code": "moderation_blocked", "message": "rejected by the safety system"}, ProviderRefused),
        ({"status": 400, "code": "content_policy_violation"}, ProviderRefused),
        ({"status": 404}, ProviderRefused),
        ({"status": 429, "times": 9, "headers": {"Retry-After": "0"}}, RateLimited),
        ({"status": 429, "code": "insufficient_quota", "message": "You exceeded your current quota"}, ProviderRefused),
        ({"status": 500, "times": 9}, ProviderError),
        ({"status": 200, "body": b"<html>"}, BadAnswer),
        ({"status": 200, "body": b'{"data": "x"}'}, BadAnswer),
    ],
)
def test_faults_that_stay_are_typed(openai_server, openai_maker, wish, call, told, fault, kind):
    openai_server.fail(**fault)
    with pytest.raises(kind) as caught:
        _make(openai_maker(), wish, call, told)
    assert openai_server.paid == 0
    assert openai_server.key not in str(caught.value)


def test_a_refusal_says_what_to_do(openai_server, openai_maker, wish, call, told):
    openai_server.fail(status=400, code="moderation_blocked", message="Your request was rejected")
    with pytest.raises(ProviderRefused, match="word the prompt more safely"):
        _make(openai_maker(), wish, call, told)


@pytest.mark.parametrize(("style", "kind"), [("nothing", BadAnswer), ("bad-base64", BadAnswer)])
def test_what_is_no_picture_is_refused(openai_server, openai_maker, wish, call, told, style, kind):
    openai_server.style = style
    with pytest.raises(kind):
        _make(openai_maker(), wish, call, told)


def test_an_address_inside_a_private_network_is_never_fetched(openai_server, openai_maker, wish, call, told):
    openai_server.style = "outside"
    with connections_outside(allowed=True), pytest.raises(ProviderRefused, match="not public"):
        _make(openai_maker(), wish, call, told)


def test_an_answer_that_was_lost_is_not_asked_for_again(openai_server, openai_maker, wish, call, told):
    openai_server.fail(silent=True)
    with pytest.raises(ProviderError, match="may have been charged") as caught:
        _make(openai_maker(), wish, call, told)
    assert caught.value.retryable
    assert len(openai_server.requests) == 1


def test_a_server_that_is_down_is_named(openai_maker, wish, call, told):
    with pytest.raises(ProviderError, match=r"no connection to http://127\.0\.0\.1:9/v1"):
        _make(openai_maker(base_url="http://127.0.0.1:9/v1"), wish, call, told)


def test_a_time_out_is_not_asked_again(openai_server, openai_maker, wish, call, told, monkeypatch):
    import openai
    from openai.resources.images import Images

    asked = []

    def late(self, **options):
        asked.append(options)
        raise openai.APITimeoutError(request=None)

    monkeypatch.setattr(Images, "generate", late)
    with pytest.raises(ProviderError, match="no answer in time"):
        _make(openai_maker(), wish, call, told)
    assert len(asked) == 1


def test_an_empty_key_is_refused():
    with pytest.raises(ConfigurationError, match="needs a key"):
        OpenAIImageMaker(SecretStr(" "), "gpt-image-2")
