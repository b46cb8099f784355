"""The two ways to put one question to a model: an OpenAI-compatible server, or any LangChain chat model.

    wire = OpenAIWire(model="llama3.2:3b", base_url="http://127.0.0.1:11434/v1", api_key=None, timeout=60)
    message = wire.say(messages, request, schema)      # schema None: the prompt asks for the form

A wire knows parameters and their names; it neither reads the answer nor asks again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import urlsplit

from zirelia.errors import ConfigurationError, ProviderRefused
from zirelia.language.schemas import response_format, strict_schema
from zirelia.network.certificates import trusted

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import BaseMessage

    from zirelia.ports import ChatRequest

OPENAI_URL = "https://api.openai.com/v1"
# LangChain and the SDK insist on a key; servers without one ignore it. Never the key of another provider.
_NO_KEY = "none"


class Wire(Protocol):
    """One way to a model."""

    @property
    def enforces_schema(self) -> bool:
        """Whether `say` can hand the schema to the server; else the prompt must hold it."""
        ...

    def say(self, messages: list[BaseMessage], request: ChatRequest, schema: dict[str, Any] | None) -> BaseMessage:
        """Raises whatever the library raises."""
        ...

    def do_without(self, refusal: ProviderRefused) -> bool:
        """Gives up the optional parameter that `refusal` names; whether there was one."""
        ...

    def close(self) -> None: ...


class Concessions:
    """Optional parameters that a server turned out not to know; it is not asked with them again."""

    _WORDS: ClassVar[dict[str, tuple[str, ...]]] = {
        "response_format": ("response_format", "json_schema", "structured output", "grammar"),
        "temperature": ("temperature",),
        "seed": ("seed",),
    }

    def __init__(self) -> None:
        self.given_up: frozenset[str] = frozenset()

    def make(self, refusal: ProviderRefused) -> bool:
        said = refusal.message.lower()
        for name, words in self._WORDS.items():
            if name not in self.given_up and any(word in said for word in words):
                self.given_up |= {name}
                return True
        return False


class OpenAIWire:
    """Chat completions of OpenAI, Ollama, vLLM, llama.cpp and their like.

    Args:
        address: base URL and key, asked before every question, so that a server may be started by it and may move.
        timeout: seconds for one call.
    """

    def __init__(self, *, model: str, address: Callable[[], tuple[str, str | None]], timeout: float) -> None:
        self._model, self._address, self._timeout = model, address, timeout
        self._concessions = Concessions()
        self._lock = threading.Lock()
        self._at: tuple[str, str | None] | None = None
        self._chat: BaseChatModel | None = None
        self._client: Any = None

    @property
    def enforces_schema(self) -> bool:
        return "response_format" not in self._concessions.given_up

    def say(self, messages: list[BaseMessage], request: ChatRequest, schema: dict[str, Any] | None) -> BaseMessage:
        chat, official = self._connected()
        options: dict[str, Any] = {
            name: value
            for name, value in (("temperature", request.temperature), ("seed", request.seed))
            if value is not None and name not in self._concessions.given_up
        }
        # As a plain body field: the SDK would otherwise parse by itself and throw the text of a cut-off answer away.
        body: dict[str, Any] = {"max_completion_tokens" if official else "max_tokens": request.max_tokens}
        if schema is not None:
            strict = strict_schema(schema) if official else None
            body["response_format"] = response_format(
                str(schema.get("title", "Answer")), strict or schema, strict=strict is not None
            )
        return chat.invoke(messages, extra_body=body, **options)

    def do_without(self, refusal: ProviderRefused) -> bool:
        return self._concessions.make(refusal)

    def close(self) -> None:
        """Closes the connections; a later question opens new ones."""
        with self._lock:
            client, self._client, self._chat = self._client, None, None
        if client is not None:
            client.close()

    def _connected(self) -> tuple[BaseChatModel, bool]:
        at = self._address()
        with self._lock:
            if self._chat is None or at != self._at:
                if self._client is not None:
                    self._client.close()
                self._client, self._chat = self._open(*at)
                self._at = at
            return self._chat, urlsplit(at[0]).hostname == urlsplit(OPENAI_URL).hostname

    def _open(self, base_url: str, api_key: str | None) -> tuple[Any, BaseChatModel]:
        import httpx
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr

        # A proxy of the environment must never see what is said to this machine's own servers.
        client = httpx.Client(timeout=self._timeout, verify=trusted(), trust_env=not is_this_machine(base_url))
        chat = ChatOpenAI(
            model=self._model,
            base_url=base_url,
            api_key=SecretStr(api_key or _NO_KEY),
            timeout=self._timeout,
            max_retries=0,
            use_responses_api=False,
            http_client=client,
        )
        return client, chat


class LangChainWire:
    """Any LangChain chat model; `make` builds it for a question, because parameter names differ between providers. `secret` is
    the key that it holds, if any, to be kept out of messages.
    """

    def __init__(self, make: Callable[[ChatRequest], BaseChatModel], *, secret: str = "") -> None:
        self._make = make
        self.secret = secret
        self._enforces = self._warm = True

    @property
    def enforces_schema(self) -> bool:
        return self._enforces

    def say(self, messages: list[BaseMessage], request: ChatRequest, schema: dict[str, Any] | None) -> BaseMessage:
        model = self._make(request if self._warm else replace(request, temperature=None))
        if schema is None:
            return model.invoke(messages)
        try:
            asker = model.with_structured_output(schema, include_raw=True)
        except NotImplementedError as error:
            raise ProviderRefused("this model takes no schema", provider="langchain") from error
        answer: Any = asker.invoke(messages)
        raw: BaseMessage = answer["raw"]
        return raw

    def do_without(self, refusal: ProviderRefused) -> bool:
        said = refusal.message.lower()
        if self._warm and "temperature" in said:
            self._warm = False
            return True
        if self._enforces and any(word in said for word in ("tool", "function", "schema", "response_format")):
            self._enforces = False
            return True
        return False

    def close(self) -> None:
        """LangChain models own their connections."""


def is_this_machine(base_url: str) -> bool:
    """Whether the URL's host is loopback. Raises ConfigurationError when it is no http or https URL."""
    import ipaddress

    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"'{base_url}' is not the URL of a server", hint="write it as http://host:port/v1 or https://host/v1"
        )
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"
