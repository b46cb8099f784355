"""Whatever a LangChain model raises → the ProviderError that says whether trying again may help.

    except Exception as error:
        raise provider_fault(error, "openai") from error

Works by HTTP answer where the error carries one, else by LangChain's own error kinds, else by the transport below.
"""

from __future__ import annotations

from zirelia.errors import ProviderError, ProviderRefused, ProviderTimeout, RateLimited, ZireliaError
from zirelia.network import map_http_error, map_transport_error


def provider_fault(error: Exception, provider: str) -> ZireliaError:
    """An error of our own tree comes back as it is."""
    if isinstance(error, ZireliaError):
        return error
    response = getattr(error, "response", None)
    if getattr(response, "status_code", 0) >= 300:
        return map_http_error(response, provider)  # type: ignore[arg-type]  # httpx or httpx2: the same attributes are read
    if isinstance(error, IndexError):
        return ProviderError("answered without any choice", provider=provider, retryable=True)
    if isinstance(error, KeyError | TypeError | ValueError | AttributeError) and not isinstance(error, OSError):
        return _malformed(error, provider)
    mapped = map_transport_error(error, provider)
    if isinstance(mapped, ProviderError) and not mapped.retryable:
        return _by_kind(error, provider) or mapped
    return mapped


def _by_kind(error: Exception, provider: str) -> ProviderError | None:
    from langchain_core import exceptions as kinds

    said = f"{type(error).__name__}: {error}"[:300]
    if isinstance(error, kinds.ModelRateLimitError):
        return RateLimited(said, provider=provider)
    if isinstance(error, kinds.ModelTimeoutError):
        return ProviderTimeout(said, provider=provider)
    if isinstance(error, kinds.ModelError) and error.is_retryable:
        return ProviderError(said, provider=provider, retryable=True)
    return None


def _malformed(error: Exception, provider: str) -> ProviderError:
    """The server answered 200 with something else than a chat completion (a login page, another kind of server)."""
    return ProviderRefused(
        f"the answer is not a chat completion ({type(error).__name__})",
        provider=provider,
        hint="check that the base URL is that of an OpenAI-compatible server (most end in /v1)",
    )
