"""Downloads: only from where, as large and of the kind that was agreed."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from zirelia.errors import OfflineViolation, ProviderError, ProviderRefused, ProviderTimeout
from zirelia.network import connections_outside, fetch_bytes
from zirelia.network.fetch import is_public

PNG = {"image/png"}


@pytest.fixture(autouse=True)
def the_switch_is_off() -> Iterator[None]:
    """The refusals here are fetch's own; none of these tests connects anywhere but to loopback."""
    with connections_outside(allowed=True):
        yield


def fetch(url: str, **changes: object) -> bytes:
    options: dict = {"provider": "x", "limit": 1000, "media_types": PNG, "allow_loopback": True, "timeout": 5.0}
    return fetch_bytes(url, **(options | changes))


def test_a_file_of_the_agreed_kind_arrives(peer) -> None:
    url = peer.say("/a.png", body=b"bytes", Content_Type="image/png; charset=binary")
    assert fetch(url) == b"bytes"
    assert fetch(url.replace("127.0.0.1", "localhost")) == b"bytes"


@pytest.mark.parametrize(
    ("headers", "body", "says"),
    [
        ({"Content_Type": "text/html"}, b"x", "text/html"),
        ({}, b"x", "no stated type"),
        ({"Content_Type": "image/png"}, b"x" * 1001, "larger than 1000"),
        ({"Content_Type": "image/png", "Content_Length": "99999"}, b"", "larger than 1000"),
        ({"Content_Type": "image/png", "Content_Encoding": "gzip"}, b"x", "compressed"),
    ],
)
def test_what_was_not_agreed_is_refused(peer, headers: dict[str, str], body: bytes, says: str) -> None:
    with pytest.raises(ProviderRefused, match=says):
        fetch(peer.say("/", body=body, **headers))


@pytest.mark.parametrize(("status", "says"), [(200, "larger"), (404, "HTTP 404")])
def test_a_giant_without_a_stated_length_is_cut_off(peer, status: int, says: str) -> None:
    sent = []

    def endless(handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "image/png")
        handler.end_headers()
        try:
            for _ in range(10_000):
                handler.wfile.write(b"x" * 10_000)
                sent.append(10_000)
        except OSError:
            return

    peer.routes["/"] = endless
    with pytest.raises(ProviderRefused, match=says):
        fetch(peer.url + "/")
    peer.close()
    assert sum(sent) < 50_000_000


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/a.png",
        "https://127.0.0.1:1/a.png",
        "https://localhost/a.png",
        "https://[::1]/a.png",
        "https://[::ffff:127.0.0.1]/a.png",
        "https://10.0.0.1/a.png",
        "https://192.168.1.1/a.png",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/a.png",
        "https://[fd00::1]/a.png",
        "https://0.0.0.0/a.png",
        "https://2130706433/a.png",
        "https://0x7f000001/a.png",
        "https://[64:ff9b::7f00:1]/a.png",
        "https://[2002:7f00:1::]/a.png",
        "https://224.0.0.1/a.png",
    ],
)
def test_no_address_of_a_private_machine(url: str) -> None:
    with pytest.raises(ProviderRefused, match="not public"):
        fetch(url, allow_loopback=False)


@pytest.mark.parametrize(
    "url", ["ftp://example.com/a", "file:///etc/passwd", "https://user:pw@example.com/a", "//x", "", "https://", "http://[::1"]
)
def test_only_plain_web_addresses(url: str) -> None:
    with pytest.raises(ProviderRefused) as caught:
        fetch(url)
    assert "pw" not in str(caught.value)


def test_plain_http_only_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProviderRefused, match="not https"):
        fetch("http://93.184.215.14/a.png")


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **_: object) -> list:
        return [(2, 1, 6, "", ("93.184.215.14", port)), (2, 1, 6, "", ("10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(ProviderRefused, match=r"10\.0\.0\.1"):
        fetch("https://rebind.example/a.png")


def test_the_checked_number_is_the_one_connected_to(peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose meaning changes after the check still leads to what was checked."""
    genuine, asked = socket.getaddrinfo, []

    def resolve(host: str, port: int, *args: object, **named: object) -> list:
        asked.append(host)
        return genuine("127.0.0.1" if host == "rebind.example" else host, port, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    peer.say("/a.png", body=b"bytes", Content_Type="image/png")
    assert fetch(f"http://rebind.example:{peer.port}/a.png") == b"bytes"
    assert asked.count("rebind.example") == 1


def test_redirects_are_checked_one_by_one(peer) -> None:
    end = peer.say("/end", body=b"bytes", Content_Type="image/png")
    assert fetch(peer.say("/start", status=302, Location=end)) == b"bytes"
    assert fetch(peer.say("/relative", status=307, Location="/end")) == b"bytes"
    with pytest.raises(ProviderRefused, match="not public"):
        fetch(peer.say("/inward", status=302, Location="https://169.254.169.254/"))
    with pytest.raises(ProviderRefused, match="redirects"):
        fetch(peer.say("/loop", status=302, Location="/loop"))
    assert peer.seen.count("/loop") == 4


def test_failures_are_typed(peer) -> None:
    with pytest.raises(ProviderRefused, match="404"):
        fetch(peer.say("/gone", status=404))
    with pytest.raises(ProviderError) as caught:
        fetch(peer.say("/down", status=503))
    assert caught.value.retryable
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ProviderError) as refused:
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/")
        assert refused.value.retryable


def test_no_answer_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ProviderTimeout):
            fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.1)


def test_offline_forbids_it() -> None:
    with connections_outside(allowed=False), pytest.raises(OfflineViolation):
        fetch("https://example.com/a.png")


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


def test_what_is_no_address_is_not_public() -> None:
    assert not is_public("example.com")
