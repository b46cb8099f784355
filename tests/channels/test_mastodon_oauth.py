"""Connecting an account of a real peer; the door in front of it keeps to PKCE, which the peer does not."""

from __future__ import annotations

import logging
import traceback
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from zirelia.channels import mastodon_oauth as oauth
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused
from zirelia.testing.http_peer import LoopbackPeer, Reply
from zirelia.testing.social_peer import form_of

from .conftest import beside

BACK = "http://127.0.0.1:8751/callback"


class Door(LoopbackPeer):
    """Hands everything on, keeps to PKCE and to the registered address, and says every secret back when it refuses."""

    def __init__(self, peer):
        super().__init__()
        self.peer, self.challenges, self.redirects = peer, [], []

    def answer(self, request):
        form = form_of(request)[0] if request.method == "POST" else {}
        if request.path == "/api/v1/apps":
            self.redirects.append(form["redirect_uris"])
        if request.path == "/oauth/token":
            shown = oauth.challenge(form["code_verifier"])
            if shown not in self.challenges or form["redirect_uri"] not in self.redirects:
                return Reply.json({"error": "invalid_grant", "error_description": f"not so: {form}"}, 400)
        headers = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        url = f"{self.peer.url}{request.path}" + (f"?{request.query}" if request.query else "")
        answer = httpx.request(request.method, url, headers=headers, content=request.body)
        if answer.status_code == 401:
            return Reply.json({"error": f"invalid token {request.headers['authorization']}"}, 401)
        return Reply(answer.status_code, answer.content, answer.headers["content-type"])

    def agrees(self, visit, handle):
        """What a person does in the browser: the query with which it comes back."""
        asked = dict(parse_qsl(urlsplit(visit.url).query))
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["redirect_uri"] in self.redirects
        self.challenges.append(asked["code_challenge"])
        assert httpx.get(visit.url).status_code == 200
        form = {name: asked[name] for name in ("redirect_uri", "client_id", "scope", "state")} | {"username": handle}
        came = httpx.post(f"{self.peer.url}/oauth/authorize", data=form).headers["location"]
        assert came.startswith(BACK)
        return dict(parse_qsl(urlsplit(came).query))


@pytest.fixture
def peer():
    return beside("meta_accounts").mastodon_peer()


@pytest.fixture
def door(peer):
    with Door(peer) as opened:
        yield opened


def test_an_account_is_connected(door, peer):
    identity, _ = peer.new_account(handle := "mira_connects")
    app = oauth.register(door.url, redirect=BACK)
    visit = oauth.begin(app)
    token = oauth.exchange(app, visit, oauth.code_in(door.agrees(visit, handle), visit))
    owner = oauth.whoami(door.url, token)
    assert (owner.id, owner.handle, owner.bot) == (identity, handle, False)
    assert owner.url.endswith(f"/@{handle}")
    (register,) = [one for one in door.requests if one.path == "/api/v1/apps"]
    assert form_of(register)[0]["scopes"] == " ".join(oauth.SCOPES)


def test_a_caught_code_is_worth_nothing(door, peer):
    peer.new_account(handle := "mira_caught")
    app = oauth.register(door.url, redirect=BACK)
    visit = oauth.begin(app)
    code = oauth.code_in(door.agrees(visit, handle), visit)
    with pytest.raises(ProviderRefused, match="invalid_grant") as error:
        oauth.exchange(app, oauth.begin(app), code)
    assert error.value.hint == "zirelia connect mastodon"


def test_the_challenge_is_that_of_the_standard():
    assert oauth.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_no_two_visits_are_alike():
    app = oauth.App("https://example.social", BACK, "id", SecretStr("secret"))
    visits = [oauth.begin(app) for _ in range(20)]
    assert len({visit.state.get_secret_value() for visit in visits}) == 20
    assert len({visit.verifier.get_secret_value() for visit in visits}) == 20
    for visit in visits:
        assert 43 <= len(visit.verifier.get_secret_value()) <= 128
        assert visit.verifier.get_secret_value() not in visit.url
        assert parse_qs(urlsplit(visit.url).query)["scope"] == [" ".join(oauth.SCOPES)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "another question"),
        ({"code": "x", "state": "other"}, "another question"),
        ({"code": "x", "state": "ünicode"}, "another question"),
        ({"error": "access_denied", "error_description": "The owner said no", "state": None}, "The owner said no"),
        ({"error": "access_denied", "state": None}, "access_denied"),
        ({"state": None}, "without a code"),
    ],
)
def test_what_the_browser_brings_is_checked(query, message):
    visit = oauth.begin(oauth.App("https://example.social", BACK, "id", SecretStr("secret")))
    came = {key: visit.state.get_secret_value() if text is None else text for key, text in query.items()}
    with pytest.raises(ProviderRefused, match=message):
        oauth.code_in(came, visit)


@pytest.mark.parametrize("instance", ["http://example.social", "example.social", ""])
def test_no_secret_goes_in_the_clear(instance):
    with pytest.raises(ConfigurationError, match="is not https"):
        oauth.register(instance, redirect=BACK)
    with pytest.raises(ConfigurationError, match="is not https"):
        oauth.whoami(instance, SecretStr("token"))


def test_the_browser_comes_back_to_this_machine(door):
    with pytest.raises(ConfigurationError, match="cannot come back"):
        oauth.register(door.url, redirect="https://elsewhere.example/callback")
    assert not door.requests


class Odd(LoopbackPeer):
    reply = Reply()

    def answer(self, request):
        return self.reply


@pytest.mark.parametrize(
    ("reply", "kind", "retryable"),
    [
        (Reply(200, b"<html>"), ProviderError, False),
        (Reply.json({"client_id": "only"}), ProviderError, False),
        (Reply.json({"error": "later"}, 503), ProviderError, True),
        (Reply.json({"error": "slow down"}, 429, {"Retry-After": "7"}), ProviderError, True),
        (Reply.json({"error": "no"}, 422), ProviderRefused, False),
        (Reply(302, headers={"Location": "https://elsewhere.example/"}), ProviderRefused, False),
        (Reply(silent=True), ProviderError, True),
    ],
)
def test_what_an_instance_may_answer(reply, kind, retryable):
    with Odd() as odd:
        odd.reply = reply
        with pytest.raises(kind) as error:
            oauth.register(odd.url, redirect=BACK, timeout=5.0)
        assert error.value.retryable is retryable


def test_too_few_permissions_are_named():
    app = oauth.App("", BACK, "id", SecretStr("secret"))
    with Odd() as odd:
        app = oauth.App(odd.url, BACK, "id", SecretStr("secret"))
        odd.reply = Reply.json({"access_token": "t", "scope": "read write:statuses"})
        with pytest.raises(ProviderRefused, match="write:accounts, write:media"):
            oauth.exchange(app, oauth.begin(app), SecretStr("code"))
        odd.reply = Reply.json({"access_token": "t", "scope": "read write"})
        assert oauth.exchange(app, oauth.begin(app), SecretStr("code")).get_secret_value() == "t"


def test_no_secret_is_shown(door, peer, caplog):
    caplog.set_level(logging.DEBUG)
    peer.new_account(handle := "mira_hides")
    app = oauth.register(door.url, redirect=BACK)
    visit = oauth.begin(app)
    code = oauth.code_in(door.agrees(visit, handle), visit)
    stranger, stale = oauth.begin(app), SecretStr("stale-token-" + "1234")
    caplog.clear()
    said = [repr(app), repr(visit), repr(code)]
    for call in (lambda: oauth.exchange(app, stranger, code), lambda: oauth.whoami(door.url, stale)):
        with pytest.raises(ProviderRefused) as error:
            call()
        said += [str(error.value), "".join(traceback.format_exception(error.value))]
    secrets = [app.client_secret, code, stranger.verifier, visit.verifier, visit.state, stale]
    for secret in secrets:
        assert not [words for words in [*said, caplog.text] if secret.get_secret_value() in words]
