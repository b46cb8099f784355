"""Connecting an account of a real peer; the door in front of it keeps to PKCE, which the peer does not."""

from __future__ import annotations

import logging
import traceback
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from zirelia.channels.mastodon_oauth import SCOPES, MastodonDesk, register
from zirelia.channels.oauth import App, challenge
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused
from zirelia.testing.http_peer import LoopbackPeer, Reply
from zirelia.testing.social_peer import form_of

from .conftest import beside

BACK = "http://127.0.0.1:8751/callback"


class Door(LoopbackPeer):
    """Hands everything on, keeps to PKCE and to the registered address, and says every secret back when it refuses."""

    def __init__(self, peer):
        super().__init__()
        self.peer, self.challenges, self.redirects, self.stale = peer, [], [], None

    def answer(self, request):
        form = form_of(request)[0] if request.method == "POST" else {}
        if request.path == "/api/v1/apps":
            self.redirects.append(form["redirect_uris"])
        if request.path == "/oauth/token":
            shown = challenge(form["code_verifier"])
            if shown not in self.challenges or form["redirect_uri"] not in self.redirects:
                return Reply.json({"error": "invalid_grant", "error_description": f"not so: {form}"}, 400)
            if self.stale is not None:
                return Reply.json({"access_token": self.stale})
        headers = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        url = f"{self.peer.url}{request.path}" + (f"?{request.query}" if request.query else "")
        answer = httpx.request(request.method, url, headers=headers, content=request.body)
        if answer.status_code == 401:
            return Reply.json({"error": f"invalid token {request.headers['authorization']}"}, 401)
        return Reply(answer.status_code, answer.content, answer.headers["content-type"])

    def agrees(self, consent, handle):
        """What a person does in the browser: the address with which it comes back."""
        asked = dict(parse_qsl(urlsplit(consent.url).query))
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["redirect_uri"] in self.redirects
        self.challenges.append(asked["code_challenge"])
        assert httpx.get(consent.url).status_code == 200
        form = {name: asked[name] for name in ("redirect_uri", "client_id", "scope", "state")} | {"username": handle}
        came = httpx.post(f"{self.peer.url}/oauth/authorize", data=form).headers["location"]
        assert came.startswith(BACK)
        return came


@pytest.fixture
def peer():
    return beside("meta_accounts").mastodon_peer()


@pytest.fixture
def door(peer):
    with Door(peer) as opened:
        yield opened


def test_an_account_is_connected(door, peer):
    identity, token = peer.new_account(handle := "mira_connects")
    desk = register(f"{door.url}/", redirect=BACK)
    consent = desk.consent()
    (found,) = desk.accounts(consent.code_in(door.agrees(consent, handle)), consent.verifier)
    assert (found.account, found.handle) == (identity, handle)
    assert (found.grant.expires_at, found.grant.renewable) == (None, False)
    assert found.grant.secrets.access.get_secret_value() not in {"", token}
    assert desk.instance == door.url
    (registered,) = [one for one in door.requests if one.path == "/api/v1/apps"]
    assert form_of(registered)[0]["scopes"] == " ".join(SCOPES)


def test_a_caught_code_is_worth_nothing(door, peer):
    peer.new_account(handle := "mira_caught")
    desk = register(door.url, redirect=BACK)
    consent = desk.consent()
    code = consent.code_in(door.agrees(consent, handle))
    with pytest.raises(ProviderRefused, match="invalid_grant") as error:
        desk.accounts(code, desk.consent().verifier)
    assert error.value.hint == "zirelia connect mastodon"


def desk_at(instance):
    return MastodonDesk(instance, App(id="id", redirect=BACK, secret=SecretStr("secret")), timeout=5.0)


def test_a_person_is_asked_at_the_instance_for_what_is_needed():
    consent = desk_at("https://example.social").consent()
    assert consent.url.startswith("https://example.social/oauth/authorize?")
    assert dict(parse_qsl(urlsplit(consent.url).query))["scope"] == " ".join(SCOPES)


@pytest.mark.parametrize("instance", ["http://example.social", "example.social", ""])
def test_no_secret_goes_in_the_clear(instance):
    with pytest.raises(ConfigurationError, match="is not https"):
        register(instance, redirect=BACK)
    with pytest.raises(ConfigurationError, match="is not https") as error:
        desk_at(instance).accounts("code", "verifier")
    assert error.value.hint == "use https, or an address of this machine"


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ProviderRefused, match="the address cannot be used"):
        register("https://example.social:port", redirect=BACK)


def test_the_browser_comes_back_to_this_machine(door):
    with pytest.raises(ConfigurationError, match="cannot come back"):
        register(door.url, redirect="https://elsewhere.example/callback")
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
            register(odd.url, redirect=BACK, timeout=5.0)
        assert error.value.retryable is retryable
        assert error.value.retry_after == (7.0 if reply.status == 429 else None)


def test_too_few_permissions_are_named():
    owner = {"id": "7", "username": "mira"}
    with Odd() as odd:
        desk = desk_at(odd.url)
        odd.reply = Reply.json({"access_token": "t", "scope": "read write:statuses"} | owner)
        with pytest.raises(ProviderRefused, match="write:accounts, write:media"):
            desk.accounts("code", "verifier")
        odd.reply = Reply.json({"access_token": "t", "scope": "read write"} | owner)
        (found,) = desk.accounts("code", "verifier")
        assert found.grant.secrets.access.get_secret_value() == "t"


def test_no_secret_is_shown(door, peer, caplog):
    caplog.set_level(logging.DEBUG)
    peer.new_account(handle := "mira_hides")
    desk = register(door.url, redirect=BACK)
    consent, stranger = desk.consent(), desk.consent()
    code = consent.code_in(door.agrees(consent, handle))
    stale = "stale-token-" + "1234"
    caplog.clear()
    said = [repr(desk), repr(desk.app), repr(consent)]
    for verifier, gives in ((stranger.verifier, None), (consent.verifier, stale)):
        door.stale = gives
        with pytest.raises(ProviderRefused) as error:
            desk.accounts(code, verifier)
        said += [str(error.value), "".join(traceback.format_exception(error.value))]
    assert "invalid token" in said[-1]
    secrets = [desk.app.secret.get_secret_value(), code, stranger.verifier, consent.verifier, consent.state, stale]
    for secret in secrets:
        assert not [words for words in [*said, caplog.text] if secret in words]
