"""Failed calls: what each becomes, and which are tried again."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.errors import OfflineViolation, ProviderError, ProviderRefused, ProviderTimeout, RateLimited
from zirelia.network import call_with_retry, map_http_error, map_transport_error


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, ProviderRefused, False),
        (401, ProviderRefused, False),
        (402, ProviderRefused, False),
        (403, ProviderRefused, False),
        (404, ProviderRefused, False),
        (408, ProviderTimeout, True),
        (413, ProviderRefused, False),
        (422, ProviderRefused, False),
        (425, ProviderError, True),
        (429, RateLimited, True),
        (500, ProviderError, True),
        (501, ProviderRefused, False),
        (502, ProviderError, True),
        (503, ProviderError, True),
        (504, ProviderError, True),
        (522, ProviderError, True),
        (529, ProviderError, True),
        (302, ProviderRefused, False),
    ],
)
def test_each_status_becomes_its_error(status: int, kind: type[ProviderError], retryable: bool) -> None:
    error = map_http_error(httpx.Response(status, json={"error": {"message": "because"}}), "replicate")
    assert type(error) is kind
    assert error.retryable is retryable
    assert error.provider == "replicate"
    assert f"HTTP {status}: because" in str(error)


def test_an_empty_account_is_not_asked_again() -> None:
    body = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    error = map_http_error(httpx.Response(429, json=body), "openai")
    assert type(error) is ProviderRefused
    assert "credit" in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert map_http_error(httpx.Response(429, headers=headers), "x").retry_after == seconds


def test_a_date_to_wait_for() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    wait = map_http_error(httpx.Response(503, headers={"retry-after": later}), "x").retry_after
    assert wait is not None
    assert 80 < wait <= 90


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefGHIJKL1234.",
        "bad token r8_abcdefghijkl1234",
        '{"detail": "Authorization: Bearer abc.def-ghi was refused"}',
    ],
)
def test_secrets_do_not_come_back_in_messages(text: str) -> None:
    said = str(map_http_error(httpx.Response(401, text=text), "x"))
    assert "[secret]" in said
    for part in ("abcdef", "abc.def"):
        assert part not in said


@given(st.binary(max_size=400), st.integers(300, 599))
def test_any_body_makes_a_short_message(body: bytes, status: int) -> None:
    error = map_http_error(httpx.Response(status, content=body), "x")
    assert len(error.message) < 350
    assert "\n" not in error.message


def test_a_body_that_was_not_read_yet(peer) -> None:
    url = peer.say("/", status=503, body=b'{"detail": "warming up"}')
    with httpx.Client(trust_env=False) as client, client.stream("GET", url) as response:
        assert "warming up" in str(map_http_error(response, "x"))


REQUEST = httpx.Request("GET", "http://x")


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (httpx.ReadTimeout("slow", request=REQUEST), ProviderTimeout, True),
        (httpx.ConnectTimeout("slow", request=REQUEST), ProviderTimeout, True),
        (TimeoutError(), ProviderTimeout, True),
        (httpx.ConnectError("refused", request=REQUEST), ProviderError, True),
        (httpx.RemoteProtocolError("cut", request=REQUEST), ProviderError, True),
        (ConnectionResetError("reset"), ProviderError, True),
        (httpx.UnsupportedProtocol("ftp", request=REQUEST), ProviderRefused, False),
        (httpx.InvalidURL("bad"), ProviderRefused, False),
        (ssl.SSLCertVerificationError("self-signed"), ProviderRefused, False),
        (ValueError("odd"), ProviderRefused, False),
    ],
)
def test_each_transport_error_becomes_its_error(error: Exception, kind: type[ProviderError], retryable: bool) -> None:
    mapped = map_transport_error(error, "x")
    assert type(mapped) is kind
    assert mapped.retryable is retryable


def test_an_offline_violation_is_found_under_what_a_library_made_of_it() -> None:
    def library() -> None:
        try:
            raise OfflineViolation("stopped")
        except OfflineViolation as error:
            raise RuntimeError("Connection error.") from error

    with pytest.raises(RuntimeError) as caught:
        library()
    assert type(map_transport_error(caught.value, "openai")) is OfflineViolation


class Flaky:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def _down(wait: float | None = None) -> ProviderError:
    return ProviderError("down", provider="x", retryable=True, retry_after=wait)


def test_a_retryable_error_is_tried_again_with_jitter_within_bounds() -> None:
    waits: list[float] = []
    assert call_with_retry(Flaky(_down(), _down(), _down()), attempts=4, base=0.5, cap=1.0, sleep=waits.append) == "answer"
    assert len(waits) == 3
    assert all(0 <= wait <= bound for wait, bound in zip(waits, (0.5, 1.0, 1.0), strict=True))


def test_the_last_error_comes_out_as_it_is() -> None:
    flaky = Flaky(_down(), _down(), _down())
    with pytest.raises(ProviderError, match="down"):
        call_with_retry(flaky, attempts=3, sleep=lambda _: None)
    assert flaky.calls == 3


@pytest.mark.parametrize("error", [ProviderRefused("no", provider="x"), ValueError("bug"), OfflineViolation("stopped")])
def test_other_errors_come_out_at_once(error: Exception) -> None:
    flaky = Flaky(error)
    with pytest.raises(type(error)):
        call_with_retry(flaky, sleep=lambda _: None)
    assert flaky.calls == 1


def test_retry_after_is_honoured_up_to_the_longest_wait() -> None:
    waits: list[float] = []
    assert call_with_retry(Flaky(_down(9.0)), base=0.1, sleep=waits.append) == "answer"
    assert waits == [9.0]
    with pytest.raises(ProviderError):
        call_with_retry(Flaky(_down(3600.0)), sleep=waits.append)
    assert waits == [9.0]
