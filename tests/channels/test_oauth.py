"""A person's consent becomes a token, and a token the next one, against emulators that misbehave; no secret is shown."""

from __future__ import annotations

import logging
import threading
import traceback
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from zirelia.channels.meta_oauth import PLACES, desk_of
from zirelia.channels.oauth import App, Consent, Receiver, ask, challenge
from zirelia.channels.wire import Unclear
from zirelia.channels.x_oauth import XDesk
from zirelia.domain.connection import Secrets
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused, RateLimited, TokenRefused
from zirelia.testing.graph_server import meta_error
from zirelia.testing.http_peer import LoopbackPeer, Reply
from zirelia.testing.meta_tokens import MetaServer
from zirelia.testing.x_tokens import XAccountServer

REDIRECT = "http://127.0.0.1:8751/callback"
NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
META = ("instagram", "threads", "facebook")
ALL = (*META, "x")


class Stage:
    """A platform, its desk, and a clock of both."""

    def __init__(self, name):
        self.name, self.moment = name, NOW
        self.server = XAccountServer(now=self.now) if name == "x" else MetaServer(now=self.now)

    def now(self):
        return self.moment

    def desk(self, **changes):
        app = App(**(self.server.app(REDIRECT) | changes))
        if self.name == "x":
            return XDesk(app, timeout=0.5, address=self.server.url, now=self.now)
        return desk_of(self.name, app, version="v25.0", timeout=0.5, address=self.server.url, now=self.now)

    def agreed(self, desk):
        """The person opens the page and agrees: consent, and where she was sent back to."""
        consent = desk.consent()
        return consent, httpx.get(consent.url).headers["location"]

    def connected(self):
        desk = self.desk()
        consent, address = self.agreed(desk)
        (found,) = desk.accounts(consent.code_in(address), consent.verifier)
        return desk, found


@pytest.fixture
def stage(request):
    made = Stage(request.param)
    with made.server:
        yield made


on = pytest.mark.parametrize


@on("stage", ALL, indirect=True)
def test_consent_becomes_an_account_with_a_token_that_works(stage):
    _, found = stage.connected()
    lasts = {"facebook": timedelta(days=90), "x": timedelta(hours=2)}.get(stage.name, timedelta(days=60))
    assert found.grant.expires_at == NOW + lasts
    assert found.grant.renewable is (stage.name != "facebook")
    assert found.grant.secrets.access.get_secret_value() == stage.server.current
    account = {"facebook": "100000000000000", "x": "2244994945"}.get(stage.name, "17841400000000000")
    assert (found.account, found.handle) == (account, "Mira Z." if stage.name == "facebook" else "mira_zr")
    assert (found.grant.secrets.refresh is not None) is (stage.name == "x")


@on("stage", ["x"], indirect=True)
def test_x_without_a_secret(stage):
    stage.server.confidential = False
    desk, found = stage.connected()
    assert desk.renew(found.grant.secrets).secrets.access.get_secret_value() == stage.server.current


@on("stage", ["facebook"], indirect=True)
def test_each_page_has_a_token_of_its_own(stage):
    stage.server.pages["200"] = "Other"
    stage.server.consents_until = None
    desk = stage.desk()
    consent, address = stage.agreed(desk)
    pages = desk.accounts(consent.code_in(address))
    assert [page.account for page in pages] == [stage.server.page, "200"]
    assert len({page.grant.secrets.access for page in pages}) == 2
    assert {page.grant.expires_at for page in pages} == {None}
    stage.server.pages.clear()
    consent, address = stage.agreed(desk)
    with pytest.raises(ProviderRefused, match="no Page was chosen"):
        desk.accounts(consent.code_in(address))


@on("stage", ["instagram", "threads", "x"], indirect=True)
def test_a_token_is_renewed_while_it_holds(stage):
    desk, found = stage.connected()
    stage.moment += timedelta(hours=1) if stage.name == "x" else timedelta(days=30)
    grant = desk.renew(found.grant.secrets)
    assert grant.expires_at == stage.moment + (timedelta(hours=2) if stage.name == "x" else timedelta(days=60))
    assert grant.secrets.access.get_secret_value() == stage.server.current
    assert grant.secrets.access != found.grant.secrets.access
    stage.server.revoke()
    with pytest.raises(TokenRefused, match="cannot be renewed"):
        desk.renew(grant.secrets)


@on("stage", ["instagram", "threads"], indirect=True)
def test_an_expired_token_of_metas_is_not_renewed(stage):
    desk, found = stage.connected()
    stage.moment += timedelta(days=60)
    with pytest.raises(TokenRefused, match="expired"):
        desk.renew(found.grant.secrets)


@on("stage", ["x"], indirect=True)
def test_xs_right_to_a_next_token_holds_once(stage):
    desk, found = stage.connected()
    stage.server.fail("renew", after=True, silent=True)
    with pytest.raises(Unclear):
        desk.renew(found.grant.secrets)
    with pytest.raises(TokenRefused, match="token was invalid"):
        desk.renew(found.grant.secrets)


@on("stage", ["instagram", "x"], indirect=True)
@on("fault", [{"status": 500}, {"status": 503, "after": True}, {"silent": True}, {"wait": 0.9}, {"status": 200, "body": []},
              {"status": 200, "body": {"odd": 1}}])  # fmt: skip
def test_what_may_have_given_a_token_is_unclear(stage, fault):
    desk, found = stage.connected()
    stage.moment += timedelta(days=30)
    stage.server.fail("renew", **fault)
    with pytest.raises(Unclear):
        desk.renew(found.grant.secrets)


@on("stage", ["instagram"], indirect=True)
def test_a_limit_and_a_trouble_of_metas_own_may_pass(stage):
    desk, found = stage.connected()
    stage.moment += timedelta(days=30)
    stage.server.fail("renew", status=400, body=meta_error(4, "Application request limit reached"))
    with pytest.raises(RateLimited):
        desk.renew(found.grant.secrets)
    stage.server.fail("renew", status=400, body=meta_error(2, "temporarily unavailable"))
    with pytest.raises(Unclear):
        desk.renew(found.grant.secrets)
    assert desk.renew(found.grant.secrets).renewable


@on("stage", ["x"], indirect=True)
def test_an_app_that_x_does_not_know_is_a_setting_to_correct(stage):
    desk, found = stage.connected()
    wrong = stage.desk(secret=SecretStr("wrong-secret-0123456789"))
    with pytest.raises(ConfigurationError, match="does not take the app") as error:
        wrong.renew(found.grant.secrets)
    assert "ZIRELIA_CONNECT_X_CLIENT_ID" in error.value.hint
    assert desk.renew(found.grant.secrets).renewable


@on("stage", ALL, indirect=True)
def test_a_code_holds_once_and_not_for_long(stage):
    desk, _ = stage.connected()
    consent, address = stage.agreed(desk)
    code = consent.code_in(address)
    desk.accounts(code, consent.verifier)
    with pytest.raises(ProviderRefused):
        desk.accounts(code, consent.verifier)
    consent, address = stage.agreed(desk)
    stage.moment += timedelta(hours=2)
    with pytest.raises(ProviderRefused):
        desk.accounts(consent.code_in(address), consent.verifier)


@on("stage", ALL, indirect=True)
def test_a_person_may_say_no(stage):
    stage.server.denies = True
    consent, address = stage.agreed(stage.desk())
    with pytest.raises(ProviderRefused, match="access was not given"):
        consent.code_in(address)


@on("stage", ALL, indirect=True)
def test_nothing_secret_is_shown_whatever_the_platform_repeats(stage, caplog):
    caplog.set_level(logging.DEBUG)
    desk, found = stage.connected()
    # not written out here: a traceback shows lines of this file
    wrong = [f"wrong-{number}" * 3 for number in (11, 22, 33)]
    said = [repr(desk), repr(found), repr(desk.app)]
    stage.server.revoke()
    consent, address = stage.agreed(desk)
    code = consent.code_in(address)
    caplog.clear()  # the person's browser is none of ours
    for attempt in (
        lambda: desk.renew(found.grant.secrets),
        lambda: desk.accounts(wrong[0], consent.verifier),
        lambda: stage.desk(secret=SecretStr(wrong[2])).accounts(code, consent.verifier),
        lambda: desk.accounts(code, wrong[1]),
        lambda: consent.code_in(address.replace("state=", "state=x")),
    ):
        try:
            said.append(repr(attempt()))
        except (ProviderError, ConfigurationError) as error:
            said += [str(error), repr(error), "".join(traceback.format_exception(error))]
    secrets = [found.grant.secrets.access, found.grant.secrets.refresh, desk.app.secret]
    planted = [one.get_secret_value() for one in secrets if one is not None]
    planted += [code, consent.verifier, *wrong]
    assert len(said) > 8
    for one in planted:
        assert not [words for words in [*said, caplog.text] if one in words], one


def test_every_address_of_theirs_is_https():
    for places in PLACES.values():
        for url in (places.asked, places.code, places.graph):
            assert url.startswith("https://")
    with pytest.raises(ConfigurationError, match="not https"):
        ask("GET", "http://example.com/token", provider="x", timeout=1)


def a_consent():
    return Consent.new("x", "https://x.com/i/oauth2/authorize", App(id="a", redirect=REDIRECT), scopes=("s", "t"))


def test_a_stranger_cannot_answer_for_the_person():
    consent = a_consent()
    assert consent.verifier not in consent.url
    assert not [secret for secret in (consent.state, consent.verifier) if secret in repr(consent)]
    for address in ("", "nonsense", *(f"{REDIRECT}?code=evil{state}" for state in ("", "&state=guess", "&state=%C3%BCnicode"))):
        with pytest.raises(ProviderRefused, match="not the answer") as error:
            consent.code_in(address)
        assert "evil" not in str(error.value)
    assert consent.code_in(f" {REDIRECT}?state={consent.state}&code=good#_ \n") == "good"


@on(("came", "message"), [
    ("error=access_denied&error_description=The+owner+said+no", "access was not given: The owner said no"),
    ("error=access_denied", "access was not given: access_denied"),
    ("error=access_denied&code=good", "access was not given: access_denied"),
    ("code=", "no reason was given"),
    ("", "no reason was given"),
])  # fmt: skip
def test_without_a_code_access_was_not_given(came, message):
    consent = a_consent()
    with pytest.raises(ProviderRefused, match=message):
        consent.code_in(f"{REDIRECT}?state={consent.state}&{came}")


def test_no_two_consents_are_alike():
    consents = [a_consent() for _ in range(20)]
    assert len({one.state for one in consents}) == len({one.verifier for one in consents}) == 20
    for one in consents:
        assert 43 <= len(one.verifier) <= 128
        asked = {name: values[0] for name, values in parse_qs(urlsplit(one.url).query).items()}
        assert (asked["scope"], asked["state"]) == ("s t", one.state)
        assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge(one.verifier), "S256")


def test_the_challenge_is_that_of_the_standard():
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class Odd(LoopbackPeer):
    reply = Reply()

    def answer(self, request):
        return self.reply


def test_a_secret_is_hidden_before_the_words_are_cut_to_a_length():
    secret = "s" * 20
    with Odd() as odd:
        for before in range(270, 300):
            odd.reply = Reply.json({"error": "-" * before + secret}, 400)
            said = ask("GET", odd.url, provider="x", timeout=5, secrets=(secret,))
            assert "ss" not in said.words.replace("[secret", "")


@on("status", [302, 404])
def test_an_answer_that_is_no_json_says_nothing_or_no(status):
    with Odd() as odd:
        odd.reply = Reply(status, b"<html>nothing</html>")
        with pytest.raises(Unclear, match=f"HTTP {status}.* cannot be read"):
            ask("GET", odd.url, provider="x", timeout=5)
        said = ask("GET", odd.url, provider="x", timeout=5, lenient=True)
        assert (said.ok, said.body, said.words) == (False, {}, f"HTTP {status}: nothing")
        odd.reply = Reply(503, b"<html>later</html>", headers={"Retry-After": "9"})
        with pytest.raises(Unclear) as error:
            ask("GET", odd.url, provider="x", timeout=5, lenient=True)
        assert error.value.retry_after == 9.0


def test_the_browser_comes_back_to_a_server_on_loopback():
    with Receiver("http://127.0.0.1:0/callback") as receiver:
        seen = []

        def browse():
            base = f"http://127.0.0.1:{receiver.port}"
            seen.extend([httpx.get(f"{base}/favicon.ico").status_code, httpx.get(f"{base}/callback?state=s&code=c")])

        browser = threading.Thread(target=browse)
        browser.start()
        assert receiver.wait(10) == "/callback?state=s&code=c"
        browser.join()
    assert seen[0] == 404
    assert seen[1].headers["referrer-policy"] == "no-referrer"
    assert "code=" not in seen[1].text
    with Receiver("http://127.0.0.1:0/callback") as receiver, pytest.raises(ProviderError, match="no answer came back"):
        receiver.wait(0.0)


def test_where_nobody_can_listen_says_how_to_go_on():
    with Receiver("http://127.0.0.1:0/callback") as receiver, pytest.raises(ConfigurationError, match="nothing can listen"):
        Receiver(f"http://127.0.0.1:{receiver.port}/callback")
    with pytest.raises(ConfigurationError, match="no http address of this machine"):
        Receiver("https://localhost:8751/callback")


@on("stage", META, indirect=True)
def test_meta_gives_nothing_to_an_app_without_a_secret(stage):
    with pytest.raises(ConfigurationError, match="APP_SECRET"):
        stage.desk(secret=None).accounts("code")
    if stage.name == "facebook":
        with pytest.raises(ConfigurationError, match="without a person"):
            stage.desk().renew(Secrets(access=SecretStr("a")))
