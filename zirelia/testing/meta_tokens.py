"""Meta's platforms with their sign-in: the page that asks a person, codes, tokens of an hour and of 60 days, Pages.

    with MetaServer() as server:
        desk = desk_of("instagram", server.app(redirect), version="v25.0", address=server.url)
        httpx.get(desk.consent().url)               # the person agrees: sent back to `redirect` with a code
        server.denies = True                        # she does not, from now on
        server.asked_for["renew"]                   # how often a token was to be renewed
        server.revoke()                             # no token holds any more
        server.fail("renew", after=True, silent=True)

Further places of faults: authorize, code, exchange, renew, pages, me, debug. A renewed token leaves the old one valid until its
end, as the guides say; one younger than a day, or at its end, is not renewed. Codes hold once, for an hour.
"""

from __future__ import annotations

import collections
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr

from zirelia.testing.graph_server import GraphServer, meta_error
from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.social_peer import Route, form_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONG = timedelta(days=60)


@dataclass
class _Token:
    kind: str
    given: datetime
    ends: datetime | None


@dataclass
class _Code:
    redirect: str
    scopes: str
    given: datetime


class MetaServer(GraphServer):
    """`app_id`, `app_secret`: the registered app's. `current`: the newest token that an account is used with. `pages`: id →
    name, those that the person chose. `consents_until`: of a Page's token.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.app_id, self.app_secret = "990602627938098", secrets.token_hex(16)
        self.denies = False
        self.current = self.token
        self.pages = {self.page: "Mira Z."}
        self.consents_until: datetime | None = self.time() + 90 * DAY
        self.asked_for: collections.Counter[str] = collections.Counter()
        self._codes: dict[str, _Code] = {}
        self._live: dict[str, _Token] = {}

    def revoke(self) -> None:
        self._live.clear()
        self.token = self.current = "revoked" + secrets.token_hex(8)

    def issue(self, kind: str, lasts: timedelta | None) -> str:
        """A new token. kind: short, long or page."""
        token = f"EAAB{kind}{secrets.token_hex(16)}"
        self._live[token] = _Token(kind, self.time(), None if lasts is None else self.time() + lasts)
        if kind != "short":
            self.current = token
        return token

    def answer(self, request: Request) -> Reply:
        route = self._of_tokens(request)
        if route is not None:
            self.asked_for[route[0]] += 1
            return self.served(*route)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._holds(token) is not None:
            self.token = token
        return super().answer(request)

    def _holds(self, token: str) -> _Token | None:
        known = self._live.get(token)
        return None if known is None or (known.ends is not None and known.ends <= self.time()) else known

    def _of_tokens(self, request: Request) -> Route | None:
        method, path = request.method, request.path
        asked = form_of(request)[0] if method == "POST" else request.asked()
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        inner = path.partition("/v")[2].partition("/")[2] if path.startswith("/v") else ""
        if path == "/oauth/authorize" or inner == "dialog/oauth":
            return "authorize", lambda: self._authorize(asked)
        if (method, path) == ("POST", "/oauth/access_token"):
            return "code", lambda: self._code(asked)
        if path == "/access_token":
            return "exchange", lambda: self._exchange(asked, asked.get("access_token", ""))
        if path == "/refresh_access_token":
            return "renew", lambda: self._renew(asked)
        if inner == "oauth/access_token":
            old = asked.get("fb_exchange_token")
            return ("code", lambda: self._code(asked)) if old is None else ("exchange", lambda: self._exchange(asked, old))
        if inner == "me/accounts":
            return "pages", lambda: self._pages(bearer)
        if inner == "debug_token":
            return "debug", lambda: self._debug(asked)
        if inner == "me":
            return "me", lambda: self._me(bearer, asked)
        return None

    def _authorize(self, asked: dict[str, str]) -> Reply:
        if asked.get("client_id") != self.app_id or asked.get("response_type") != "code":
            return Reply.json({"error_message": "Invalid platform app"}, 400)
        back: dict[str, str] = {"state": asked["state"]}
        if self.denies:
            back |= {
                "error": "access_denied",
                "error_reason": "user_denied",
                "error_description": "The user denied your request",
            }
        else:
            code = secrets.token_urlsafe(24)
            self._codes[code] = _Code(asked["redirect_uri"], asked["scope"], self.time())
            back["code"] = code
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(back)}#_"})

    def _code(self, asked: dict[str, str]) -> Reply:
        if asked.get("client_id") != self.app_id or asked.get("client_secret") != self.app_secret:
            return Reply.json(
                {"error_type": "OAuthException", "code": 400, "error_message": "Error validating client secret."}, 400
            )
        code = self._codes.pop(asked.get("code", ""), None)
        if code is None or code.redirect != asked.get("redirect_uri") or self.time() - code.given > HOUR:
            # repeats the code, as no server should
            said = f"This authorization code has been used or has expired: {asked.get('code')}"
            return Reply.json({"error_type": "OAuthException", "code": 400, "error_message": said}, 400)
        token = self.issue("short", HOUR)
        if code.scopes.startswith("instagram"):
            return Reply.json({"data": [{"access_token": token, "user_id": "1020", "permissions": code.scopes}]})
        return Reply.json({"access_token": token, "user_id": 1020})

    def _exchange(self, asked: dict[str, str], old: str) -> Reply:
        if asked.get("client_secret") != self.app_secret:
            return _refused("Error validating client secret.", 101)
        if self._holds(old) is None:
            return _refused(f"Error validating access token {old}: Session has expired", 190, 463)
        return self._given(self.issue("long", LONG), LONG)

    def _renew(self, asked: dict[str, str]) -> Reply:
        old = asked.get("access_token", "")
        known = self._holds(old)
        if known is None or known.kind != "long":
            return _refused(f"Error validating access token {old}: Session has expired", 190, 463)
        if self.time() - known.given < DAY:
            return _refused("The access token is less than 24 hours old", 100)
        return self._given(self.issue("long", LONG), LONG)

    def _given(self, token: str, lasts: timedelta) -> Reply:
        return Reply.json({"access_token": token, "token_type": "bearer", "expires_in": round(lasts.total_seconds())})

    def _pages(self, bearer: str) -> Reply:
        if self._holds(bearer) is None:
            return self.refused(bearer)
        listed = [{"id": page, "name": name, "access_token": self.issue("page", None)} for page, name in self.pages.items()]
        return Reply.json({"data": listed})

    def _debug(self, asked: dict[str, str]) -> Reply:
        if asked.get("access_token") != f"{self.app_id}|{self.app_secret}":
            return _refused("Invalid OAuth access token signature.", 190)
        until = 0 if self.consents_until is None else round(self.consents_until.timestamp())
        valid = self._holds(asked.get("input_token", "")) is not None
        return Reply.json({"data": {"is_valid": valid, "expires_at": 0, "data_access_expires_at": until}})

    def _me(self, bearer: str, asked: dict[str, str]) -> Reply:
        if self._holds(bearer) is None:
            return self.refused(bearer)
        known = {"id": self.account, "user_id": self.account, "username": "mira_zr"}
        return Reply.json({name: known[name] for name in asked.get("fields", "id").split(",")})

    def app(self, redirect: str) -> dict[str, Any]:
        """What an `App` is made of."""
        return {"id": self.app_id, "secret": SecretStr(self.app_secret), "redirect": redirect}


def _refused(message: str, code: int, subcode: int | None = None) -> Reply:
    return Reply.json(meta_error(code, message, subcode), 400)
