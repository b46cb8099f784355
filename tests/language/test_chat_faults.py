"""What goes wrong at the other end, and what a caller sees of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from pydantic import BaseModel

from zirelia.errors import (
    BadAnswer,
    ConfigurationError,
    MediaError,
    OfflineViolation,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    RateLimited,
)
from zirelia.language import LangChainChat, open_chat
from zirelia.network import connections_outside
from zirelia.ports import ChatRequest, Usage
from zirelia.testing import chat_server as peer
from zirelia.testing.chat_server import ChatServer

REQUEST = ChatRequest(system="You write for Mira.", user="Rain.", max_tokens=50)
Opened = Callable[..., LangChainChat]
GOOD = '{"caption": "Rain", "mood": "calm", "score": 1}'


@pytest.mark.parametrize(
    ("script", "calls"),
    [
        pytest.param([], 1, id="right at once"),
        pytest.param([peer.wrong_schema()], 2, id="wrong schema once"),
        pytest.param([peer.wrong_schema(), peer.says("Sure! Here you go")], 3, id="wrong twice"),
        pytest.param([peer.says('{"caption": "Rain", ')], 2, id="broken JSON"),
        pytest.param([peer.says("")], 2, id="empty"),
        pytest.param([peer.truncated()], 2, id="cut off"),
        pytest.param([peer.truncated(GOOD)], 2, id="cut off though it looks whole"),
        pytest.param([peer.rate_limited(), peer.rate_limited(None)], 3, id="429 twice"),
        pytest.param([peer.fails(500), peer.fails(503)], 3, id="5xx twice"),
        pytest.param([peer.cuts_off()], 2, id="cut mid-body"),
        pytest.param([peer.cuts_off(0)], 2, id="cut before the body"),
        pytest.param([peer.no_choices()], 2, id="no choices"),
        pytest.param([peer.says(f"```json\n{GOOD}\n```")], 1, id="fenced"),
        pytest.param([peer.says(f"<think>{{}} a hat?</think>Here: {GOOD} Enjoy!")], 1, id="thinking and chatter"),
        pytest.param([peer.fails(500), peer.wrong_schema(), peer.fails(500)], 4, id="faults between wrong answers"),
    ],
)
def test_recovers(server: ChatServer, opened: Opened, mood: type[BaseModel], script: list[peer.Behaviour], calls: int) -> None:
    server.script(*script)
    assert type(opened().ask(REQUEST, mood).value) is mood
    assert len(server.requests) == calls


@pytest.mark.parametrize(
    ("behaviour", "times", "error", "retryable", "calls"),
    [
        pytest.param(peer.wrong_schema(), 3, BadAnswer, False, 3, id="wrong schema"),
        pytest.param(peer.says("no"), 3, BadAnswer, False, 3, id="garbage"),
        pytest.param(peer.truncated(), 3, BadAnswer, False, 3, id="always cut off"),
        pytest.param(peer.rate_limited(), 3, RateLimited, True, 3, id="429"),
        pytest.param(peer.rate_limited(3600), 1, RateLimited, True, 1, id="429 for an hour"),
        pytest.param(peer.fails(500), 3, ProviderError, True, 3, id="500"),
        pytest.param(peer.cuts_off(), 3, ProviderError, True, 3, id="cut"),
        pytest.param(peer.no_choices(), 3, ProviderError, True, 3, id="no choices"),
        pytest.param(peer.fails(400, "bad request"), 1, ProviderRefused, False, 1, id="400"),
        pytest.param(peer.fails(401, "Incorrect API key: sk-abcdefgh1234567"), 1, ProviderRefused, False, 1, id="401"),
        pytest.param(peer.fails(403, "no"), 1, ProviderRefused, False, 1, id="403"),
        pytest.param(peer.fails(404, "no model"), 1, ProviderRefused, False, 1, id="404"),
        pytest.param(peer.fails(429, "You exceeded your current quota"), 1, ProviderRefused, False, 1, id="no credit"),
        pytest.param(peer.refuses("Not this."), 1, ProviderRefused, False, 1, id="refusal"),
        pytest.param(peer.withholds(), 1, ProviderRefused, False, 1, id="content filter"),
        pytest.param(peer.not_a_completion(), 1, ProviderRefused, False, 1, id="a web page"),
    ],
)
def test_gives_up(
    server: ChatServer,
    opened: Opened,
    mood: type[BaseModel],
    behaviour: peer.Behaviour,
    times: int,
    error: type[ProviderError],
    retryable: bool,
    calls: int,
) -> None:
    server.script(*[behaviour] * times)
    with pytest.raises(error) as caught:
        opened().ask(REQUEST, mood)
    assert type(caught.value) is error
    assert caught.value.retryable is retryable
    assert len(server.requests) == calls
    assert "sk-abcdefgh" not in str(caught.value)
    assert isinstance(vars(caught.value)["usage"], Usage)


@pytest.mark.parametrize("behaviour", [peer.slow(30), peer.drips(0.05)], ids=["silent", "drip by drip"])
def test_time_out_holds_for_the_whole_call(
    server: ChatServer, opened: Opened, mood: type[BaseModel], behaviour: peer.Behaviour
) -> None:
    server.script(behaviour)
    began = time.monotonic()
    with pytest.raises(ProviderTimeout):
        opened(timeout=0.4, attempts=1).ask(REQUEST, mood)
    assert time.monotonic() - began < 2


def test_bad_answer_keeps_the_last_words(server: ChatServer, opened: Opened, mood: type[BaseModel]) -> None:
    server.script(peer.says("one"), peer.says("two"), peer.says("three"))
    with pytest.raises(BadAnswer, match="3 answers") as caught:
        opened().ask(REQUEST, mood)
    assert caught.value.raw == "three"
    assert vars(caught.value)["usage"].tokens_in > 0


def test_asked_again_with_the_error_and_the_answer(server: ChatServer, opened: Opened, mood: type[BaseModel]) -> None:
    server.script(peer.says('{"caption": "Rain", "mood": "angry", "score": 7}'))
    opened().ask(REQUEST, mood)
    roles = [message["role"] for message in server.requests[1].messages]
    assert roles == ["system", "user", "assistant", "user"]
    assert "angry" in server.requests[1].messages[2]["content"]
    complaint = server.requests[1].messages[3]["content"]
    assert "mood" in complaint
    assert "score" in complaint


def test_usage_and_cost_are_summed(server: ChatServer, opened: Opened, mood: type[BaseModel]) -> None:
    server.script(peer.wrong_schema(), peer.fails(500))
    once = opened(price_in=1.0, price_out=2.0).ask(REQUEST, mood).usage
    server.script()
    alone = opened(price_in=1.0, price_out=2.0).ask(REQUEST, mood).usage
    assert once.tokens_in > 2 * alone.tokens_in
    assert once.cost_usd == pytest.approx((once.tokens_in + 2 * once.tokens_out) / 1e6)


@pytest.mark.parametrize("times", [1, 2])
def test_a_try_that_nothing_was_heard_of_may_have_cost_as_much(
    server: ChatServer, opened: Opened, mood: type[BaseModel], times: int
) -> None:
    alone = opened(price_in=1.0, price_out=2.0).ask(REQUEST, mood).usage
    server.script(*[peer.slow(30)] * times)
    try:
        usage = opened(price_in=1.0, price_out=2.0, timeout=0.4, attempts=2).ask(REQUEST, mood).usage
    except ProviderTimeout as error:
        usage = vars(error)["usage"]
        alone = Usage()
    assert usage.tokens_out == alone.tokens_out
    assert usage.cost_usd - alone.cost_usd == pytest.approx(times * (8 + 2 * REQUEST.max_tokens) / 1e6)


@pytest.mark.parametrize("unknown", ["response_format is not supported", "temperature is not supported", "unknown field seed"])
def test_does_without_what_the_server_does_not_know(
    server: ChatServer, opened: Opened, mood: type[BaseModel], unknown: str
) -> None:
    server.script(peer.fails(400, unknown))
    chat, request = opened(), ChatRequest(system="s", user="u", temperature=0.5, seed=1)
    chat.ask(request, mood)
    chat.ask(request, mood)
    name = next(word for word in ("response_format", "temperature", "seed") if word in unknown)
    assert [name in asked.body for asked in server.requests] == [True, False, False]
    assert ("JSON schema" in server.requests[2].text) == (name == "response_format")


def test_what_is_sent(server: ChatServer, opened: Opened, mood: type[BaseModel]) -> None:
    picture = b"\xff\xd8\xff\xe0rest"
    opened(vision=True, api_key="secret").ask(
        ChatRequest(system="s", user="u", images=(picture,), temperature=0.0, max_tokens=7, seed=9), mood
    )
    asked = server.requests[0]
    assert asked.images[0].startswith("data:image/jpeg;base64,")
    assert (asked.body["max_tokens"], asked.body["temperature"], asked.body["seed"]) == (7, 0.0, 9)
    assert asked.body["response_format"]["json_schema"]["name"] == "Mood"
    assert asked.key == "secret"


def test_unknown_picture(opened: Opened, mood: type[BaseModel]) -> None:
    with pytest.raises(MediaError):
        opened(vision=True).ask(ChatRequest(system="s", user="u", images=(b"GIF89a",)), mood)


def test_key_of_the_environment_goes_nowhere(
    server: ChatServer, opened: Opened, mood: type[BaseModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    opened().ask(REQUEST, mood)
    assert server.requests[0].key == "none"


def test_no_trace_leaves(server: ChatServer, opened: Opened, mood: type[BaseModel], monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer() as spy:
        for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
            monkeypatch.setenv(name, "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", spy.base_url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2-test")
        import langsmith.utils

        langsmith.utils.get_env_var.cache_clear()
        assert langsmith.utils.tracing_is_enabled() is True
        opened().ask(REQUEST, mood)
        langsmith.utils.get_env_var.cache_clear()
        assert langsmith.utils.tracing_is_enabled() is False
        assert spy.requests == ()


def test_injected_words_stay_words(server: ChatServer, opened: Opened, mood: type[BaseModel]) -> None:
    server.script(peer.injects())
    assert opened().ask(REQUEST, mood).value.model_dump()["caption"] == peer.INJECTION[:40].rstrip()


def test_offline_switch_comes_through(mood: type[BaseModel]) -> None:
    chat = open_chat("m", base_url="http://203.0.113.1/v1", backoff=0.0)
    with connections_outside(allowed=False), pytest.raises(OfflineViolation):
        chat.ask(REQUEST, mood)
    chat.close()


def test_nobody_listens(mood: type[BaseModel]) -> None:
    with ChatServer() as gone:
        url = gone.base_url
    chat = open_chat("m", base_url=url, backoff=0.0)
    with pytest.raises(ProviderError) as caught:
        chat.ask(REQUEST, mood)
    assert caught.value.retryable
    chat.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "gpt-5-mini"}, "OPENAI_API_KEY"),
        ({"model": "openai:gpt-5-mini"}, "OPENAI_API_KEY"),
        ({"model": "nobody:model"}, "provider:model"),
        ({"model": "mistralai:small", "api_key": "k"}, "pip install langchain-mistralai"),
        ({"model": "m", "base_url": "localhost:11434"}, "http://host:port/v1"),
        ({"model": "m", "base_url": "http://127.0.0.1:1/v1", "timeout": 0}, "time-out above 0"),
    ],
)
def test_settings_that_cannot_work(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        open_chat(**arguments)  # type: ignore[arg-type]
