"""Pictures and schema answers through the genuine LangChain clients of Anthropic and Google, against emulators on loopback."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from zirelia.errors import BadAnswer, ProviderError, ProviderRefused, ProviderTimeout, RateLimited
from zirelia.language import LangChainChat, open_chat
from zirelia.language.wires import LangChainWire
from zirelia.ports import ChatRequest, Usage
from zirelia.testing.anthropic_server import AnthropicServer
from zirelia.testing.gemini_server import GeminiServer, blocks
from zirelia.testing.provider_peer import (
    ProviderPeer,
    Turn,
    cut_short,
    declines,
    fails,
    fills,
    hangs_up,
    says,
    slow,
)

KEY = "AKeyThatNobodyMaySee123"
OTHER_KEY = "AnotherSecretKey987"
Opened = Callable[..., LangChainChat]


class Seen(BaseModel):
    """What is seen in the picture."""

    model_config = ConfigDict(extra="forbid")

    answer: Literal["yes", "no", "unsure"]
    evidence: str = Field(min_length=2, max_length=60)


def picture(kind: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(target, kind)
    return target.getvalue()


@pytest.fixture(params=["anthropic", "google_genai"])
def provider(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(f"langchain_{name}")
    return name


@pytest.fixture
def peer(provider: str) -> Iterator[ProviderPeer]:
    with {"anthropic": AnthropicServer, "google_genai": GeminiServer}[provider](fills(answer="no"), key=KEY) as running:
        yield running


@pytest.fixture
def opened(provider: str, peer: ProviderPeer) -> Opened:
    def opener(**options: object) -> LangChainChat:
        settings = {"api_key": KEY, "vision": True, "timeout": 10.0, "backoff": 0.0, "attempts": 3, "provider_url": peer.url}
        return open_chat(f"{provider}:test-model", **{**settings, **options})  # type: ignore[arg-type]

    return opener


def asking(kind: str = "PNG") -> ChatRequest:
    return ChatRequest("You look.", "Is it teal?", images=(picture(kind),), temperature=0.0, max_tokens=77)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_and_a_schema_go_out_and_an_answer_comes_back(peer: ProviderPeer, opened: Opened, kind: str) -> None:
    answer = opened(price_in=1.0, price_out=2.0).ask(asking(kind), Seen)
    assert answer.value.answer == "no"
    (question,) = peer.asked
    assert question.images == (picture(kind),)
    assert (question.system, question.text, question.max_tokens) == ("You look.", "Is it teal?", 77)
    assert question.schema is not None
    assert set(question.schema["properties"]) == {"answer", "evidence"}
    assert answer.usage.tokens_in > 0
    assert answer.usage.cost_usd == pytest.approx((answer.usage.tokens_in + 2 * answer.usage.tokens_out) / 1e6)


@pytest.mark.parametrize(
    ("script", "calls"),
    [
        pytest.param([fails(429, "Slow down", 0.0)], 2, id="429"),
        pytest.param([fails(529, "Overloaded")], 2, id="529"),
        pytest.param([fails(503, "Overloaded"), fails(500)], 3, id="503 and 500"),
        pytest.param([hangs_up()], 2, id="line cut"),
        pytest.param([says("Sure, it looks fine!")], 2, id="no JSON"),
        pytest.param([says('{"answer": "perhaps", "evidence": "It may be."}')], 2, id="outside the schema"),
        pytest.param([says('{"answer": "no"}'), cut_short()], 3, id="incomplete, then cut off"),
        pytest.param([fails(400, "`temperature` is deprecated for this model.")], 2, id="without a temperature"),
    ],
)
def test_recovers(peer: ProviderPeer, opened: Opened, script: list[Turn], calls: int) -> None:
    peer.script(*script)
    assert opened().ask(asking(), Seen).value.answer == "no"
    assert len(peer.asked) == calls


@pytest.mark.parametrize(
    ("turn", "error", "retryable", "calls"),
    [
        pytest.param(declines(), ProviderRefused, False, 1, id="refusal"),
        pytest.param(fails(401, f"invalid key {KEY}"), ProviderRefused, False, 1, id="401"),
        pytest.param(fails(400, f"bad request by {KEY}"), ProviderRefused, False, 1, id="400"),
        pytest.param(fails(403, "no access"), ProviderRefused, False, 1, id="403"),
        pytest.param(fails(404, "no such model"), ProviderRefused, False, 1, id="404"),
        pytest.param(fails(429, "Slow down", 3600.0), RateLimited, True, 1, id="429 for an hour"),
        pytest.param(fails(529, "Overloaded"), ProviderError, True, 3, id="529 for ever"),
        pytest.param(hangs_up(), ProviderError, True, 3, id="line cut for ever"),
        pytest.param(says("never JSON"), BadAnswer, False, 3, id="garbage"),
        pytest.param(cut_short('{"answer": "no", "evidence": "It is whole."}'), BadAnswer, False, 3, id="cut off"),
    ],
)
def test_a_fault_is_named_and_holds_no_key(
    peer: ProviderPeer,
    opened: Opened,
    caplog: pytest.LogCaptureFixture,
    turn: Turn,
    error: type[ProviderError],
    retryable: bool,
    calls: int,
) -> None:
    peer.script(*[turn] * 6)
    chat = opened(price_in=1.0)
    with caplog.at_level(logging.DEBUG), pytest.raises(error) as raised:
        chat.ask(asking(), Seen)
    assert raised.value.retryable is retryable
    assert len(peer.asked) == calls
    assert isinstance(raised.value.usage, Usage)
    shown = "".join(traceback.format_exception(raised.value))
    assert KEY not in f"{shown}{raised.value!r}{chat!r}{chat.facts()}{caplog.text}{peer.asked!r}"
    if isinstance(raised.value, RateLimited):
        assert raised.value.retry_after == 3600.0
    if error is BadAnswer:
        assert raised.value.usage.cost_usd > 0, "wrong answers were paid for"


def test_a_wrong_key_is_refused_without_being_repeated(peer: ProviderPeer, opened: Opened) -> None:
    with pytest.raises(ProviderRefused, match="secret") as raised:
        opened(api_key=OTHER_KEY).ask(asking(), Seen)
    assert OTHER_KEY not in "".join(traceback.format_exception(raised.value))
    assert not peer.asked


def test_a_key_of_the_environment_is_kept_out_too(
    provider: str, peer: ProviderPeer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv({"anthropic": "ANTHROPIC_API_KEY", "google_genai": "GOOGLE_API_KEY"}[provider], OTHER_KEY)
    with pytest.raises(ProviderRefused, match="secret") as raised:
        opened(api_key=None).ask(asking(), Seen)
    assert OTHER_KEY not in "".join(traceback.format_exception(raised.value))
    assert not peer.asked


def test_a_late_answer_is_a_time_out(peer: ProviderPeer, opened: Opened) -> None:
    peer.script(slow(60.0))
    with pytest.raises(ProviderTimeout):
        opened(timeout=0.3, attempts=1).ask(asking(), Seen)


def test_a_tool_that_the_model_cannot_use_is_done_without(peer: ProviderPeer, opened: Opened) -> None:
    peer.script(
        fails(400, "Thinking may not be enabled when tool_choice forces tool use"), says('{"answer":"no","evidence":"Blue."}')
    )
    assert opened().ask(asking(), Seen).value.evidence == "Blue."
    assert peer.asked[1].schema is None
    assert "must fit this JSON schema" in peer.asked[1].system


def test_google_says_why_it_would_not_read_a_question() -> None:
    pytest.importorskip("langchain_google_genai")
    with GeminiServer(blocks()) as server:
        chat = open_chat("google_genai:test", api_key=KEY, vision=True, attempts=1, provider_url=server.url)
        with pytest.raises(ProviderRefused, match="the question was blocked: SAFETY"):
            chat.ask(asking(), Seen)
        assert len(server.asked) == 1


def test_google_answers_through_a_function_as_well() -> None:
    google = pytest.importorskip("langchain_google_genai")

    class Caller(google.ChatGoogleGenerativeAI):  # type: ignore[misc, name-defined]
        def with_structured_output(self, schema: object, **options: object) -> object:
            return super().with_structured_output(schema, method="function_calling", **options)

    with GeminiServer(fills(answer="unsure")) as server:
        wire = LangChainWire(lambda _: Caller(model="test", api_key=KEY, base_url=server.url, max_retries=0))
        answer = LangChainChat(wire, provider="google_genai", model_name="test", vision=True).ask(asking(), Seen)
        assert answer.value.answer == "unsure"
        assert server.asked[0].tool == "Seen"
