"""X with its sign-in: the page that asks a person, PKCE, tokens of two hours, refresh tokens that hold once.

    with XAccountServer() as server:
        desk = XDesk(App(**server.app("http://127.0.0.1:8751/callback")), address=server.url)
        httpx.get(desk.consent().url)               # the person agrees
        server.asked_for["renew"]
        server.fail("renew", after=True, silent=True)       # the new right to a token is lost: nobody has one

Further places of faults: authorize, code, renew, me. Codes hold once, for 30 seconds. `confidential` False makes it an app
without a secret.
"""

from __future__ import annotations

import base64
import collections
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr

from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.social_peer import Route, form_of
from zirelia.testing.x_server import XServer

CODE_LASTS, LASTS = timedelta(seconds=30), timedelta(hours=2)


@dataclass
class _Code:
    redirect: str
    challenge: str
    given: datetime


class XAccountServer(XServer):
    """`client_id`, `client_secret`: the app's. `current`: the newest token; `right`: the only refresh token that holds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.client_id, self.client_secret = "rG9n6402A3dbUJKzXTNX4oWHJ", secrets.token_urlsafe(24)
        self.confidential = True
        self.denies = False
        self.current, self.right = self.token, ""
        self.asked_for: collections.Counter[str] = collections.Counter()
        self._codes: dict[str, _Code] = {}
        self._live: dict[str, datetime] = {}

    def revoke(self) -> None:
        self._live.clear()
        self.token = self.current = "revoked" + secrets.token_hex(8)
        self.right = ""

    def answer(self, request: Request) -> Reply:
        route = self._of_tokens(request)
        if route is not None:
            self.asked_for[route[0]] += 1
            return self.served(*route)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self._live:
            if self._live[token] <= self.time():
                return self.refused(token)
            self.token = token
        if (request.method, request.path) == ("GET", "/2/users/me"):
            about = Reply.json({"data": {"id": self.user, "name": "Mira", "username": "mira_zr"}})
            return self.served("me", lambda: about) if token in self._live else self.refused(token)
        return super().answer(request)

    def _of_tokens(self, request: Request) -> Route | None:
        if request.path == "/i/oauth2/authorize":
            return "authorize", lambda: self._authorize(request.asked())
        if (request.method, request.path) != ("POST", "/2/oauth2/token"):
            return None
        form = form_of(request)[0]
        if form.get("grant_type") == "refresh_token":
            return "renew", lambda: self._ours(request, form) or self._renew(form)
        return "code", lambda: self._ours(request, form) or self._code(form)

    def _authorize(self, asked: dict[str, str]) -> Reply:
        if asked.get("client_id") != self.client_id or asked.get("code_challenge_method") != "S256":
            return _problem("invalid_request", "Something went wrong", 400)
        back = {"state": asked["state"]}
        if self.denies:
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe(32)
            self._codes[back["code"]] = _Code(asked["redirect_uri"], asked["code_challenge"], self.time())
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})

    def _ours(self, request: Request, form: dict[str, str]) -> Reply | None:
        """None for the registered app."""
        said = request.headers.get("authorization", "")
        if self.confidential:
            known = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
            if said == f"Basic {known}":
                return None
        elif not said and form.get("client_id") == self.client_id:
            return None
        return _problem("unauthorized_client", f"Missing valid authorization header, not {said}", 401)

    def _code(self, form: dict[str, str]) -> Reply:
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.redirect != form.get("redirect_uri") or self.time() - code.given > CODE_LASTS:
            return _problem("invalid_request", f"Value passed for the authorization code was invalid: {form.get('code')}", 400)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != code.challenge:
            return _problem("invalid_request", "Value passed for the code verifier did not match the code challenge.", 400)
        return self._given()

    def _renew(self, form: dict[str, str]) -> Reply:
        if not self.right or form.get("refresh_token") != self.right:
            # repeats the token, as no server should
            return _problem("invalid_request", f"Value passed for the token was invalid: {form.get('refresh_token')}", 400)
        return self._given()

    def _given(self) -> Reply:
        self.current, self.right = f"xat{secrets.token_hex(20)}", f"xrt{secrets.token_hex(20)}"
        self._live[self.current] = self.time() + LASTS
        body = {"token_type": "bearer", "expires_in": round(LASTS.total_seconds()), "access_token": self.current}
        return Reply.json({**body, "scope": "tweet.write offline.access", "refresh_token": self.right})

    def app(self, redirect: str) -> dict[str, Any]:
        """What an `App` is made of."""
        secret = SecretStr(self.client_secret) if self.confidential else None
        return {"id": self.client_id, "secret": secret, "redirect": redirect}


def _problem(error: str, description: str, status: int) -> Reply:
    return Reply.json({"error": error, "error_description": description}, status)
