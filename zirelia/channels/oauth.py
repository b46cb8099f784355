"""How a person lets Zirelia use an account, as far as all platforms do it alike (OAuth 2, RFC 6749, 7636, 8252).

    consent = Consent.new("https://x.com/i/oauth2/authorize", app, scopes=("tweet.write",))
    with Receiver(app.redirect) as receiver:        # a web server on loopback, for one answer
        webbrowser.open(consent.url)
        code = consent.code_in(receiver.wait(300.0))
    answer = ask("POST", "https://api.x.com/2/oauth2/token", provider="x", form={…}, secrets=(code,))

Tokens and the app's secret are in no message and no log line. Whether a call may have taken effect is told apart as in `wire`.
Knows no platform.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as randomness
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from pydantic import SecretStr

from zirelia.channels.wire import NEVER_LEFT, Unclear, check_secure, without
from zirelia.domain.connection import Grant
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused, RateLimited
from zirelia.network.certificates import trusted
from zirelia.network.failures import cleaned, map_http_error, map_transport_error
from zirelia.network.offline import is_loopback_url

_PAGE = b"""<!doctype html><meta charset="utf-8"><title>Zirelia</title>
<p style="font:1.1em sans-serif;margin:4em auto;max-width:30em">Zirelia has the answer. You can close this window.</p>"""
_PATIENCE = 5.0


@dataclass(frozen=True)
class App:
    """What the platform's developer console gave. redirect: where the platform sends the person back to."""

    id: str
    redirect: str
    secret: SecretStr | None = None


@dataclass(frozen=True)
class Found:
    """An account that may be used now."""

    account: str
    handle: str | None
    grant: Grant


@dataclass(frozen=True)
class Consent:
    """One question to a person. url: where it is asked. verifier: of PKCE."""

    provider: str
    url: str = field(repr=False)
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(
        cls, provider: str, authorize: str, app: App, *, scopes: Sequence[str], join: str = " ", pkce: bool = True
    ) -> Consent:
        state, verifier = randomness.token_urlsafe(24), randomness.token_urlsafe(48)
        asked = {
            "response_type": "code",
            "client_id": app.id,
            "redirect_uri": app.redirect,
            "scope": join.join(scopes),
            "state": state,
        }
        if pkce:
            asked |= {"code_challenge": challenge(verifier), "code_challenge_method": "S256"}
        return cls(provider, f"{authorize}?{urlencode(asked)}", state, verifier)

    def code_in(self, address: str) -> str:
        """The code in the address that the person was sent back to. Raises ProviderRefused; the address is not shown."""
        said = {name: values[-1] for name, values in parse_qs(urlsplit(address.strip()).query).items()}
        if not self.is_answer(said.get("state")):
            raise ProviderRefused(
                "this is not the answer to the question that was asked just now",
                provider=self.provider,
                hint="paste the whole address of the page that you were sent to, or begin anew",
            )
        if "error" in said or "code" not in said:
            why = said.get("error_description") or said.get("error_message") or said.get("error") or "no reason was given"
            raise ProviderRefused(f"access was not given: {cleaned(why)}", provider=self.provider)
        return said["code"]

    def is_answer(self, state: str | None) -> bool:
        return hmac.compare_digest((state or "").encode(), self.state.encode())


def challenge(verifier: str) -> str:
    """What is shown of the verifier beforehand (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


class Receiver:
    """A web server on loopback that waits for the person's browser to come back.

    Args:
        redirect: an http address of this machine, as the platform knows it.

    Raises ConfigurationError when it cannot be listened on.
    """

    def __init__(self, redirect: str) -> None:
        parts = urlsplit(redirect)
        if parts.scheme != "http" or not is_loopback_url(redirect):
            raise ConfigurationError(f"{redirect} is no http address of this machine", hint="add --no-browser")
        self._path, self._answers = parts.path or "/", list[str]()
        try:
            self._server = HTTPServer(("127.0.0.1", parts.port or 80), self._handler())
        except OSError as error:
            raise ConfigurationError(
                f"nothing can listen on {parts.netloc}: {error.strerror}",
                hint="end what listens there, add --no-browser, or set ZIRELIA_CONNECT_REDIRECT_URL",
            ) from error
        self._server.timeout = 0.5

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.server_close()

    def wait(self, seconds: float) -> str:
        """The address that the browser came back to. Raises ProviderError when it did not."""
        end = time.monotonic() + seconds
        while not self._answers:
            if time.monotonic() > end:
                raise ProviderError(
                    f"no answer came back in {seconds:.0f} s", provider="browser", hint="again, or add --no-browser"
                )
            self._server.handle_request()
        return self._answers.pop(0)

    def _handler(receiver) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the request below
        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE

            def do_GET(self) -> None:
                ours = urlsplit(self.path).path == receiver._path and "state=" in self.path
                if ours:
                    receiver._answers.append(self.path)
                self.send_response(200 if ours else 404)
                for name, value in (
                    ("Content-Type", "text/html; charset=utf-8"),
                    ("Cache-Control", "no-store"),
                    ("Referrer-Policy", "no-referrer"),
                ):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(_PAGE if ours else b"")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ARG002 - its line would hold the code
                return

        return Handler


@dataclass(frozen=True)
class Said:
    """An answer: its status, its JSON, and what may be shown of it."""

    status: int
    body: dict[str, Any] = field(repr=False)
    words: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def text(self, name: str, provider: str) -> str:
        """A field that must be there. Raises Unclear: what was asked for may have been given."""
        found = self.body.get(name)
        if not isinstance(found, str | int) or isinstance(found, bool) or not str(found):
            raise Unclear(f"the answer has no '{name}'", provider=provider)
        return str(found)


def ask(
    method: str,
    url: str,
    *,
    provider: str,
    timeout: float,
    query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    json: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
    bearer: str | None = None,
    secrets: Sequence[str] = (),
    lenient: bool = False,
) -> Said:
    """One call; an answer that says no is an answer.

    Raises Unclear when it may have taken effect, RateLimited, another ProviderError when it has not, OfflineViolation.

    Args:
        secrets: what must not be shown, wherever the platform repeats it.
        lenient: an answer that is no JSON object counts as an empty one, by its status; it is Unclear otherwise.
    """
    check_secure(url, provider)
    authorization = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
    if basic is not None:
        authorization = {"Authorization": "Basic " + base64.b64encode(":".join(basic).encode()).decode()}
    try:
        request = httpx.Request(
            method,
            url,
            params=query,
            data=form,
            json=json,
            headers={"Accept": "application/json", "User-Agent": "zirelia", **authorization},
            extensions={"timeout": httpx.Timeout(timeout).as_dict()},
        )
        # not by a client, which logs the address: Meta wants tokens in it
        with httpx.HTTPTransport(verify=trusted(), trust_env=False) as transport:
            response = transport.handle_request(request)
            try:
                response.read()
            finally:
                response.close()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        mapped = map_transport_error(error, provider)
        # without their cause, which holds the request
        if isinstance(error, NEVER_LEFT) or not isinstance(mapped, ProviderError):
            raise mapped from None
        raise Unclear(mapped.message.removeprefix(f"{provider}: "), provider=provider) from None
    response.request = request
    return _said(response, provider, [one for one in (*secrets, bearer, *(basic or ())) if one], lenient=lenient)


def _said(response: httpx.Response, provider: str, secrets: Sequence[str], *, lenient: bool) -> Said:
    # before the words are cut to a length, which may go through a secret
    clean = without(response, secrets)
    body, shown = _object(response), _object(clean) or {}
    mapped = map_http_error(clean, provider) if response.status_code >= 300 else None
    told = mapped.message.removeprefix(f"{provider}: ") if mapped is not None else f"HTTP {response.status_code}"
    for name in ("error_description", "error_message", "message"):
        more = shown.get(name)
        if isinstance(more, str) and more not in told:
            told = f"{told}: {more}"
    for secret in secrets:
        told = told.replace(secret, "[secret]")
    words = cleaned(told)
    if isinstance(mapped, RateLimited):
        raise RateLimited(words, provider=provider, retry_after=mapped.retry_after)
    if mapped is not None and (response.status_code >= 500 or mapped.retryable):
        raise Unclear(words, provider=provider, retry_after=mapped.retry_after)
    if body is None and not lenient:
        raise Unclear(f"{words}, with an answer that cannot be read", provider=provider)
    return Said(response.status_code, body or {}, words)


def _object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
