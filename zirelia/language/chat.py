"""The chat port over LangChain: one question, one validated answer, its price, or one clear error.

    chat = open_chat("gpt-5-mini", api_key=key, price_in=0.25, price_out=2.0)
    chat = open_chat("llama3.2:3b", base_url="http://127.0.0.1:11434/v1")       # Ollama, vLLM, llama.cpp ...
    chat = open_chat("anthropic:claude-sonnet-4-5", api_key=key)                # any LangChain provider
    answer = chat.ask(ChatRequest(system="...", user="..."), Draft)

Knows nothing of personas, agents or the ledger. What a failed question took rides on its error as `usage`. A try that nothing
was heard of costs what it may have cost.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from zirelia.errors import BadAnswer, ConfigurationError, ProviderError, ProviderRefused, ProviderTimeout
from zirelia.language.deadline import within
from zirelia.language.faults import provider_fault, tells
from zirelia.language.privacy import no_tracing
from zirelia.language.providers import langchain_wire
from zirelia.language.questions import asked_again, first_question
from zirelia.language.reading import Unreadable, read, text_of
from zirelia.language.wires import OPENAI_URL, LangChainWire, OpenAIWire, Wire, is_this_machine
from zirelia.network import call_with_retry
from zirelia.ports import Answer, BackendFacts, ChatRequest, Usage

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import BaseMessage

Schema = TypeVar("Schema", bound=BaseModel)

_CHARACTERS, _PICTURE = 3, 1_500
"""Characters of a token at least, and tokens of a picture, of a question whose cost nobody told."""

_CUT_OFF = frozenset({"length", "max_tokens", "MAX_TOKENS", "model_context_window_exceeded"})
_WITHHELD = frozenset({"content_filter", "refusal", "safety", "guardrail_intervened"}) | frozenset(
    {"SAFETY", "PROHIBITED_CONTENT", "RECITATION", "BLOCKLIST", "SPII", "IMAGE_SAFETY"}
)


class LangChainChat:
    """Implements `ports.Chat`. Safe to use from several threads.

    Args:
        model: a LangChain chat model, or a Wire.
        provider: short name for errors and facts.
        vision: whether it takes pictures.
        timeout: seconds for one call, all of it.
        price_in, price_out: US dollars per million tokens; 0 when free or unknown.
        max_asks: how often one question is asked at most, wrong answers counted, from 1.
        attempts: how often one call is tried at most when the provider is busy or unreachable, from 1.
        backoff: seconds that bound the first wait before another try; doubles with each.
        local: whether nothing leaves this machine.
        api_key: cut out of every message, should the provider repeat it; the wire has it already.
    """

    def __init__(
        self,
        model: BaseChatModel | Wire,
        *,
        provider: str,
        model_name: str,
        vision: bool = False,
        timeout: float = 60.0,
        price_in: float = 0.0,
        price_out: float = 0.0,
        max_asks: int = 3,
        attempts: int = 3,
        backoff: float = 0.5,
        local: bool = False,
        details: dict[str, str] | None = None,
        api_key: str | None = None,
    ) -> None:
        if timeout <= 0 or max_asks < 1 or attempts < 1 or price_in < 0 or price_out < 0:
            raise ConfigurationError(
                f"the chat model {model_name} has a time-out, a price or a number of tries that makes no sense",
                hint="time-out above 0 seconds, tries from 1, prices from 0 dollars",
            )
        self._wire: Wire = _as_wire(model)
        self._provider, self._model_name, self._vision = provider, model_name, vision
        self._timeout, self._max_asks, self._attempts, self._backoff = timeout, max_asks, attempts, backoff
        self._price_in, self._price_out = price_in, price_out
        self._local, self._details = local, dict(details or {})
        self._secret = api_key or ""

    @property
    def vision(self) -> bool:
        return self._vision

    def facts(self) -> BackendFacts:
        return BackendFacts(
            backend=self._provider,
            model=self._model_name,
            local=self._local,
            paid=not self._local,
            details={**self._details, "vision": "yes" if self._vision else "no", "time-out": f"{self._timeout:g} s"},
        )

    def close(self) -> None:
        """Closes connections. The chat stays usable and opens new ones when needed."""
        self._wire.close()

    def ask(self, request: ChatRequest, schema: type[Schema]) -> Answer[Schema]:
        """The answer as `schema`.

        Raises BadAnswer after `max_asks` answers that do not fit, ProviderRefused (refused, not retryable), ProviderTimeout,
        RateLimited or another ProviderError after `attempts` tries, OfflineViolation, MediaError for an unreadable picture,
        ConfigurationError for pictures without vision. ProviderErrors carry `usage` (ports.Usage), what was spent so far.
        """
        if request.images and not self._vision:
            raise ConfigurationError(
                f"{self._model_name} was given a picture but takes none", hint="choose a vision model, or say that this is one"
            )
        meter = _Meter(self._price_in, self._price_out)
        try:
            return self._ask(request, schema, meter)
        except ProviderError as error:
            error.usage = meter.usage()
            raise

    def _ask(self, request: ChatRequest, schema: type[Schema], meter: _Meter) -> Answer[Schema]:
        form = schema.model_json_schema()
        later: list[BaseMessage] = []
        raw, complaint = "", ""
        for _ in range(self._max_asks):
            message = self._say(request, form, later, meter)
            raw = text_of(message)
            try:
                if _finish(message) in _CUT_OFF:
                    raise Unreadable(f"it was cut off after {request.max_tokens} tokens; answer more briefly")
                value = read(raw, schema)
            except Unreadable as unreadable:
                complaint = str(unreadable)
                later = asked_again(raw, complaint, form)
            else:
                return Answer(value=value, model=self._model_name, usage=meter.usage(), raw=raw)
        raise BadAnswer(
            f"{self._model_name} gave {self._max_asks} answers that do not fit {schema.__name__}; the last: {complaint}",
            provider=self._provider,
            raw=raw,
        )

    def _say(self, request: ChatRequest, form: dict[str, Any], later: list[BaseMessage], meter: _Meter) -> BaseMessage:
        """One answer, however often the server must be called for it."""
        while True:
            try:
                return call_with_retry(
                    lambda: self._call(request, form, later, meter), attempts=self._attempts, base=self._backoff
                )
            except ProviderRefused as refusal:
                # A server that does not know an optional parameter says so; each is given up at most once.
                if not self._wire.do_without(refusal):
                    raise

    def _call(self, request: ChatRequest, form: dict[str, Any], later: list[BaseMessage], meter: _Meter) -> BaseMessage:
        enforced = self._wire.enforces_schema
        messages = first_question(request, None if enforced else form) + later

        def call() -> BaseMessage:
            with no_tracing():
                return self._wire.say(messages, request, form if enforced else None)

        try:
            message = within(self._timeout, call)
        except Exception as error:
            fault = provider_fault(error, self._provider, secret=self._secret)
            if isinstance(fault, ProviderTimeout):
                meter.lost(request)
            raise fault from (None if tells(error, self._secret) else error)
        meter.read(message)
        self._check_given(message)
        return message

    def _check_given(self, message: BaseMessage) -> None:
        refusal = message.additional_kwargs.get("refusal") or _blocked(message)
        if refusal or _finish(message) in _WITHHELD:
            words = " ".join(str(refusal or text_of(message)).split())[:200] or "no reason given"
            raise ProviderRefused(
                f"the model refused to answer: {words}", provider=self._provider, hint="reword the brief, or use another model"
            )


class _Meter:
    """Adds up what one question takes: wrong answers, repeated calls, and what tries without any answer may have cost."""

    def __init__(self, price_in: float, price_out: float) -> None:
        self._prices = price_in, price_out
        self._in = self._out = self._lost_in = self._lost_out = 0
        self._started = time.monotonic()

    def read(self, message: BaseMessage) -> None:
        counted = getattr(message, "usage_metadata", None) or {}
        self._in += int(counted.get("input_tokens") or 0)
        self._out += int(counted.get("output_tokens") or 0)

    def lost(self, request: ChatRequest) -> None:
        """No answer came in time, but one may have been written, at full length."""
        self._lost_in += len(request.system + request.user) // _CHARACTERS + _PICTURE * len(request.images)
        self._lost_out += request.max_tokens

    def usage(self) -> Usage:
        price_in, price_out = self._prices
        cost = ((self._in + self._lost_in) * price_in + (self._out + self._lost_out) * price_out) / 1_000_000
        return Usage(self._in, self._out, cost, time.monotonic() - self._started)


def open_chat(
    model: str,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    vision: bool = False,
    timeout: float = 60.0,
    price_in: float = 0.0,
    price_out: float = 0.0,
    max_asks: int = 3,
    attempts: int = 3,
    backoff: float = 0.5,
    provider_url: str | None = None,
) -> LangChainChat:
    """A chat model by name; nothing is connected before the first question.

    Args:
        model: with a `base_url`, the server's own name for it (colons allowed); else "provider:model" of LangChain, where
            a name without provider is OpenAI's.
        api_key: None for a server without one. Keys in the environment are not looked at for OpenAI-compatible servers.
        provider_url: where a LangChain provider is reached instead of its own address, such as a gateway that speaks its
            protocol.

    Raises ConfigurationError (bad URL, missing key, unknown provider or a provider package that is not installed).
    """
    common: dict[str, Any] = {
        "vision": vision, "timeout": timeout, "price_in": price_in, "price_out": price_out,
        "max_asks": max_asks, "attempts": attempts, "backoff": backoff,
    }  # fmt: skip
    provider, _, name = model.partition(":")
    if base_url is None and name and provider != "openai":
        wire = langchain_wire(model, api_key=api_key, timeout=timeout, base_url=provider_url)
        return LangChainChat(wire, provider=provider, model_name=name, api_key=wire.secret, **common)
    if base_url is None:
        base_url, model = OPENAI_URL, name or model
        if not api_key:
            raise ConfigurationError(f"the model {model} of OpenAI needs a key", hint="set OPENAI_API_KEY in .env")
    url, local = base_url.rstrip("/"), is_this_machine(base_url)
    return LangChainChat(
        OpenAIWire(model=model, address=lambda: (url, api_key), timeout=timeout),
        provider="openai" if url == OPENAI_URL else "openai-compatible",
        model_name=model,
        local=local,
        details={"server": url},
        api_key=api_key,
        **common,
    )


def _as_wire(model: BaseChatModel | Wire) -> Wire:
    if isinstance(model, OpenAIWire | LangChainWire):
        return model
    from langchain_core.language_models.chat_models import BaseChatModel

    return LangChainWire(lambda _: model) if isinstance(model, BaseChatModel) else model


def _blocked(message: BaseMessage) -> str:
    """Why Gemini gave no answer at all to a question that it would not read; empty otherwise."""
    feedback = message.response_metadata.get("prompt_feedback")
    reason = feedback.get("block_reason") if isinstance(feedback, dict) else None
    return f"the question was blocked: {getattr(reason, 'value', reason)}" if reason else ""


def _finish(message: BaseMessage) -> str:
    said = message.response_metadata
    return str(said.get("finish_reason") or said.get("stop_reason") or said.get("done_reason") or "")
