"""The token is in one header and nowhere else; what a failed call may have done is told apart."""

from __future__ import annotations

import logging
import traceback
from datetime import timedelta

import pytest

from zirelia.channels.own import Seen, earliest, found_among
from zirelia.channels.wire import Line, Unclear, connected
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused, ProviderTimeout
from zirelia.testing.http_peer import LoopbackPeer, Reply
from zirelia.testing.social_peer import SocialPeer

from .conftest import NOW, beside

PLANTED = "EAABplantedSecret0123456789"
accounts = beside("meta_accounts")


class Echo(LoopbackPeer):
    """Says the token back, in body and header, with the status that was asked for."""

    status, silent, wait = 400, False, 0.0

    def answer(self, request):
        said = f'{{"error": {{"code": 100, "message": "bad {PLANTED}"}}, "detail": "token {PLANTED}"}}'.encode()
        return Reply(self.status, said, headers={"X-Echo": "1"}, silent=self.silent, wait=self.wait)


def line(peer, **changes):
    return Line(
        "instagram", peer if isinstance(peer, str) else peer.url, **({"token": lambda: PLANTED, "timeout": 5.0} | changes)
    )


@pytest.mark.parametrize("name", accounts.NAMES)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500, 503])
def test_a_planted_token_leaves_no_trace(name, status, plan, envelope, caplog):
    """The platform says it back in every answer; it is in no error, note, log line, repr, address or body."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    with Echo() as echo, accounts.staged(name, lambda: NOW) as stage:
        echo.status = status
        stage.server._server, real = echo._server, stage.server._server  # the channel is opened on the one that echoes
        channel = stage.open(token=lambda: PLANTED)
        stage.server._server = real
        for call in (
            lambda: channel.submit(plan(), envelope().sending()),
            lambda: channel.reconcile(plan(), envelope().sending()),
        ):
            try:
                said.append(repr(call()))
            except ProviderError as error:
                said += [str(error), repr(error), str(error.hint), "".join(traceback.format_exception(error))]
        said += [repr(channel), repr(channel.facts()), repr(channel._line), repr(vars(channel))]
        for request in echo.requests:
            said += [request.path, request.query, repr(request.body)]
            assert request.headers["authorization"] == f"Bearer {PLANTED}"
    assert echo.requests
    assert not [words for words in [*said, caplog.text] if PLANTED in words]


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ünicode", "nul\0"])
def test_a_damaged_token_is_never_sent_nor_shown(token):
    with Echo() as echo:
        with pytest.raises(ProviderRefused, match="empty or damaged") as error, connected(line(echo, token=lambda: token)):
            pass
        assert error.value.hint == "zirelia connect instagram"
        assert not token or token not in str(error.value)
        assert not echo.requests


def test_an_account_that_is_not_connected_is_a_refusal_with_its_hint():
    def missing():
        raise ConfigurationError("no token for instagram", hint="zirelia connect instagram")

    with pytest.raises(ProviderRefused, match="no token") as error, connected(line("https://example.com", token=missing)):
        pass
    assert error.value.hint == "zirelia connect instagram"


@pytest.mark.parametrize("url", ["http://graph.instagram.com", "ftp://example.com", "graph.instagram.com"])
def test_a_token_is_not_sent_in_the_clear(url):
    with pytest.raises(ConfigurationError, match="is not https"):
        line(url)


def test_what_never_arrived_is_certain_and_what_was_cut_is_not(free_port):
    with connected(line(f"http://127.0.0.1:{free_port}")) as wire, pytest.raises(ProviderError) as refused:
        wire.call("POST", "/x")
    assert not isinstance(refused.value, Unclear)
    with Echo() as echo, connected(line(echo, timeout=0.2)) as wire:
        echo.silent = True
        with pytest.raises(Unclear):
            wire.call("POST", "/x")
        echo.wait = 0.5
        with pytest.raises(Unclear, match="no answer in time") as late:
            wire.call("POST", "/x")
        assert late.value.retryable
        assert not isinstance(late.value, ProviderTimeout)


@pytest.fixture
def free_port():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize("minutes", [-10, 0, 10])
def test_the_platforms_clock_is_read(minutes):
    with Echo() as echo, connected(line(echo, now=lambda: NOW)) as wire:
        echo.clock = lambda: NOW + timedelta(minutes=minutes)
        assert wire.skew is None
        wire.call("GET", "/x")
        assert wire.skew == timedelta(minutes=minutes)
        assert earliest(NOW, wire.skew) == NOW + timedelta(minutes=minutes - 2)
    assert earliest(NOW, None) == NOW - timedelta(minutes=15)


SHOWN = [
    ("Tea, again.", True),
    ("tea again", True),
    ("Tea,\u00a0again. ", True),
    ("Tea, again &amp;", True),
    ("Tea, again. 🍵", False),
    ("Tea", False),
    ("", False),
    (None, False),
]


@pytest.mark.parametrize(("text", "same"), SHOWN)
def test_texts_are_compared_by_their_signs(text, same):
    found = found_among([Seen("1", text, NOW)], "Tea, again.", since=NOW, provider="x")
    assert (found is not None) is same


def test_the_same_post_twice_in_a_list_is_one():
    seen = Seen("1", "Tea", NOW)
    assert found_among([seen, seen], "Tea", since=NOW, provider="x") == seen
    with pytest.raises(ProviderError, match="2 posts with this text: 1, 2"):
        found_among([seen, Seen("2", "Tea", NOW)], "Tea", since=NOW, provider="x")


def test_a_peer_needs_its_parts():
    with pytest.raises(TypeError):
        SocialPeer()
