"""A LangChain provider by name: "anthropic:claude-sonnet-4-5", "ollama:llama3.2", "google_genai:gemini-2.5-flash".

    wire = langchain_wire("anthropic:claude-sonnet-4-5", api_key=None, timeout=60)

The provider's package is looked for at once, so that a missing one is an error of the settings and not of the first post.
"""

from __future__ import annotations

import re
import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from zirelia.errors import ConfigurationError
from zirelia.language.wires import LangChainWire

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel

    from zirelia.ports import ChatRequest

_KEPT = 16


def langchain_wire(model: str, *, api_key: str | None, timeout: float, base_url: str | None = None) -> LangChainWire:
    """Raises ConfigurationError for an unknown provider, a package that is not installed, or a missing key.

    `base_url` None is the provider's own address. The provider's own retries are off. `seed` is not sent: few providers
    take it, and several refuse the call for it.
    """
    models: OrderedDict[tuple[float | None, int], BaseChatModel] = OrderedDict()

    def make(request: ChatRequest) -> BaseChatModel:
        key = request.temperature, request.max_tokens
        if key not in models:
            models[key] = _build(model, api_key, timeout, base_url, *key)
            while len(models) > _KEPT:
                models.popitem(last=False)
        return models[key]

    first = _build(model, api_key, timeout, base_url, None, 16)
    return LangChainWire(make, secret=api_key or _key_of(first))


def _key_of(built: BaseChatModel) -> str:
    """The key that the provider's package found in the environment; empty when it has none."""
    from pydantic import SecretStr

    held = (value.get_secret_value() for value in vars(built).values() if isinstance(value, SecretStr))
    return next((value for value in held if value), "")


def _build(
    model: str, api_key: str | None, timeout: float, base_url: str | None, temperature: float | None, max_tokens: int
) -> BaseChatModel:
    options: dict[str, Any] = {"timeout": timeout, "max_retries": 0, "max_tokens": max_tokens}
    if temperature is not None:
        options["temperature"] = temperature
    if api_key:
        options["api_key"] = api_key
    if base_url:
        options["base_url"] = base_url
    provider = model.partition(":")[0]
    try:
        from langchain.chat_models import init_chat_model

        with warnings.catch_warnings():
            # Providers warn of options that they pass on unseen; nobody can act on it here.
            warnings.simplefilter("ignore", UserWarning)
            built: BaseChatModel = init_chat_model(model, **options)
    except ImportError as error:
        package = re.search(r"(langchain-[\w-]+)", str(error).replace("_", "-"))
        name = package.group(1) if package else f"langchain-{provider.replace('_', '-')}"
        raise ConfigurationError(
            f"the chat provider '{provider}' needs the package {name}, which is not installed", hint=f"pip install {name}"
        ) from error
    except Exception as error:  # every provider has its own kind of error for a bad option or a missing key
        raise ConfigurationError(
            f"the chat model '{model}' cannot be opened: {type(error).__name__}",
            hint="write it as provider:model, such as anthropic:claude-sonnet-4-5, and set the provider's key in .env",
        ) from error
    return built
