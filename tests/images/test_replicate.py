"""The genuine replicate client against the emulated account: money, faults, and what reaches us of them."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from zirelia.errors import (
    BadAnswer,
    ConfigurationError,
    MediaError,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    RateLimited,
)
from zirelia.images.replicate import ReplicateImageMaker
from zirelia.network import connections_outside


def _make(maker, wish, call, told, **changes):
    return maker.make(wish(width=1024, height=1024, **changes), lora=None, call=call, progress=told)


def test_it_orders_what_the_schema_knows(server, replicate_maker, wish, call, told):
    made = _make(replicate_maker(), wish, call, told, seed=5, lora_scale=0.9, steps=20, negative="blurry")
    assert server.predictions[0]["input"] == {
        "prompt": "zqmira woman in a cafe, smiling, red sweater",
        "seed": 5,
        "lora_scale": 0.9,
        "num_outputs": 1,
        "num_inference_steps": 20,
        "output_format": "png",
        "aspect_ratio": "custom",
        "width": 1024,
        "height": 1024,
    }
    assert call.stored == [server.predictions[0]["id"]]
    assert made.provenance.revision == server.version_id
    assert made.provenance.model == "ada/mira"
    assert made.provenance.steps == 20
    assert not any("prefer" in request.headers for request in server.requests)


@pytest.mark.parametrize("form", ["owner/name:version", "version", "owner/name", "official"])
def test_every_way_to_name_a_model_works(server, replicate_maker, wish, call, told, form):
    server.official = form == "official"
    names = {"owner/name:version": server.version, "version": server.version_id}
    _make(replicate_maker(names.get(form, server.model)), wish, call, told)
    assert server.paid == 1


@pytest.mark.parametrize("bad", ["", "mira", "a/b:short", "a/b/c", "../x", "a/b:" + "g" * 64, "https://x/y"])
def test_a_bad_model_name_is_a_clear_error(bad):
    with pytest.raises(ConfigurationError, match="no Replicate model version"):
        ReplicateImageMaker(SecretStr("r8_x"), bad)


def test_a_resumed_call_looks_and_never_pays_again(server, replicate_maker, wish, new_call, told):
    known = server.plant({"prompt": "x"})
    made = _make(replicate_maker(), wish, new_call(external_id=known["id"]), told)
    assert server.paid == 1
    assert made.provenance.external_id == known["id"]
    assert not any(r.method == "POST" for r in server.requests)


def test_a_crash_between_creation_and_storing_does_not_pay_twice(server, replicate_maker, wish, new_call, told):
    class Crashing(new_call):
        def created(self, external_id):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _make(replicate_maker(), wish, Crashing(), told)
    call = new_call()
    _make(replicate_maker(), wish, call, told)
    assert server.paid == 1
    assert call.stored == [server.predictions[0]["id"]]


def test_another_seed_is_another_prediction(server, replicate_maker, wish, new_call, told):
    for seed in (1, 2):
        _make(replicate_maker(), wish, new_call(), told, seed=seed)
    assert server.paid == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"silent": True, "after": True},
        {"status": 500, "after": True},
        {"status": 201, "body": b'{"id": "cut', "after": True},
        {"status": 201, "body": b"<html>hello</html>", "after": True, "media_type": "text/html"},
    ],
    ids=["lost answer", "500 after creation", "cut answer", "html"],
)
def test_a_creation_whose_answer_was_lost_is_found_again(server, replicate_maker, wish, call, told, fault):
    server.fail("create", **fault)
    _make(replicate_maker(), wish, call, told)
    assert server.paid == 1
    assert call.stored == [server.predictions[0]["id"]]


def test_after_a_time_out_nothing_is_ordered_again(server, replicate_maker, wish, call, told, monkeypatch):
    from zirelia.images.replicate_orders import Orders

    def late(self, inputs):
        raise ProviderTimeout("no answer in time", provider="replicate")

    monkeypatch.setattr(Orders, "_post", late)
    with pytest.raises(ProviderTimeout):
        _make(replicate_maker(), wish, call, told)
    assert server.paid == 0
    assert call.stored == []


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("create", {"status": 429, "headers": {"Retry-After": "0"}}),
        ("create", {"status": 503}),
        ("create", {"silent": True}),
        ("schema", {"status": 502}),
        ("list", {"status": 500}),
        ("get", {"status": 500, "times": 2}),
        ("get", {"status": 429, "headers": {"Retry-After": "0"}}),
        ("get", {"silent": True}),
        ("file", {"status": 503}),
        ("file", {"status": 200, "body": b"half", "announced": 400, "media_type": "image/png"}),
    ],
)
def test_faults_that_pass_are_outlived_and_paid_once(server, replicate_maker, wish, call, told, place, fault):
    server.fail(place, **fault)
    _make(replicate_maker(), wish, call, told)
    assert server.paid == 1


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
        ("get", {"status": 500, "times": 9}, ProviderError),
        ("get", {"status": 200, "body": b"{}"}, BadAnswer),
        ("file", {"status": 404}, ProviderRefused),
        ("file", {"status": 200, "body": b"Error: no", "media_type": "text/plain"}, ProviderRefused),
        ("file", {"status": 200, "body": b"x", "announced": 10**9, "media_type": "image/png"}, ProviderRefused),
        ("file", {"status": 200, "body": b"Error: no", "media_type": "image/png"}, MediaError),
    ],
)
def test_faults_that_stay_are_typed(server, replicate_maker, wish, call, told, place, fault, kind):
    server.fail(place, **fault)
    with pytest.raises(kind) as caught:
        _make(replicate_maker(), wish, call, told)
    assert server.token not in str(caught.value)
    assert server.paid <= 1


@pytest.mark.parametrize(
    ("ending", "error", "kind", "said"),
    [
        ("failed", "CUDA out of memory", ProviderError, "CUDA out of memory"),
        ("failed", "NSFW content detected. Try another prompt.", ProviderRefused, "refused"),
        ("failed", "The input was flagged as sensitive. (E005)", ProviderRefused, "refused"),
        ("failed", "\x1b[31mline\none\0" + "x" * 5000, ProviderError, "line one"),
        ("canceled", "", ProviderError, "was canceled"),
    ],
)
def test_a_prediction_that_ends_badly_is_typed_and_its_words_are_cleaned(
    server, replicate_maker, wish, call, told, ending, error, kind, said
):
    server.ending, server.error = ending, error
    with pytest.raises(kind, match=said) as caught:
        _make(replicate_maker(), wish, call, told)
    assert not caught.value.retryable
    assert len(caught.value.message) < 450
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("shape", ["list", "string", "mapping", "data"])
def test_every_shape_of_output_is_read(server, replicate_maker, wish, call, told, picture, shape):
    server.shape = shape
    assert _make(replicate_maker(), wish, call, told).data == picture()


def test_an_address_inside_a_private_network_is_never_fetched(server, replicate_maker, wish, new_call, told):
    with connections_outside(allowed=True):  # the literal address is refused before anything is sent
        server.shape = "outside"
        with pytest.raises(ProviderRefused, match="not public"):
            _make(replicate_maker(), wish, new_call(), told, seed=1)
        server.shape = "list"
        server.fail("file", status=302, headers={"Location": "http://169.254.169.254/"})
        with pytest.raises(ProviderRefused, match="not public"):
            _make(replicate_maker(), wish, new_call(), told, seed=2)


@pytest.mark.parametrize("shape", ["nothing", "text"])
def test_what_is_no_picture_is_never_taken_for_one(server, replicate_maker, wish, call, told, shape):
    server.shape = shape
    with pytest.raises(ProviderError):
        _make(replicate_maker(), wish, call, told)


def test_webp_becomes_png(server, replicate_maker, wish, call, told, picture):
    server.picture, server.media_type = picture("WEBP"), "image/webp"
    made = _make(replicate_maker(), wish, call, told)
    assert made.media_type == "image/png"
    assert made.data.startswith(b"\x89PNG")


def test_a_prediction_that_never_ends_is_cancelled_at_the_deadline(server, replicate_maker, wish, call, told, still):
    server.ending = "never"
    with pytest.raises(ProviderTimeout, match="cancelled"):
        _make(replicate_maker(timeout=30.0), wish, call, told)
    assert server.predictions[0]["status"] == "canceled"
    assert sum(still.sleeps) == pytest.approx(30.0)
    assert still.sleeps[:3] == [0.5, 0.75, 1.125]
    assert max(still.sleeps) == 5.0


def test_a_slow_start_is_waited_for(server, replicate_maker, wish, call, told):
    server.looks = 8
    _make(replicate_maker(), wish, call, told)
    assert (0.5, "step 14 of 28") in told.words


def test_cancelling_reaches_the_provider(server, replicate_maker, wish, call, new_told):
    server.ending = "never"
    with pytest.raises(InterruptedError):
        _make(replicate_maker(), wish, call, new_told(stop=InterruptedError(), after=3))
    assert server.predictions[0]["status"] == "canceled"


def test_a_large_start_picture_is_uploaded(server, replicate_maker, wish, call, told):
    import io

    from PIL import Image

    noise = Image.effect_noise((512, 512), 90).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, format="PNG")
    prompt = wish(width=512, height=512)
    replicate_maker().make(prompt, lora=None, start_from=buffer.getvalue(), call=call, progress=told)
    assert len(server.uploads) == 1
    assert server.predictions[0]["input"]["image"].startswith(server.url)
    assert server.predictions[0]["input"]["prompt_strength"] == 0.6


def test_a_lora_of_this_machine_is_refused(replicate_maker, wish, call, told, mira):
    with pytest.raises(ConfigurationError, match="LoRA is a file on this machine"):
        replicate_maker().make(wish(), lora=mira, call=call, progress=told)


def test_a_prompt_without_the_trigger_is_refused(server, replicate_maker, wish, call, told):
    with pytest.raises(ConfigurationError, match="zxluna"):
        _make(replicate_maker(trigger="zxluna"), wish, call, told)
    assert server.requests == []
    _make(replicate_maker(trigger="zqmira"), wish, call, told)


def test_plain_http_to_another_machine_is_refused():
    with pytest.raises(ConfigurationError, match="not https"):
        ReplicateImageMaker(SecretStr("r8_x"), "a/b", base_url="http://example.com/v1")


def test_loopback_files_are_refused_when_the_api_is_not_loopback(server):
    from replicate.prediction import Prediction

    maker = ReplicateImageMaker(SecretStr("r8_x"), "a/b")
    shown = Prediction(**server.plant({}) | {"status": "succeeded", "output": [f"{server.url}/files/x.png"]})
    with pytest.raises(ProviderRefused, match="not public"):
        maker._account.fetched(shown)
