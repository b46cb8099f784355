"""A program of its own as a peer: its start, another port, its death, its silence, its end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from zirelia.errors import ZireliaError
from zirelia.testing import peer_process
from zirelia.testing.http_peer import LoopbackPeer, Reply
from zirelia.testing.peer_process import PeerProcess

TEA = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Tea(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"pid": os.getpid(), "cwd": os.getcwd(), "names": sorted(os.environ)}).encode())

print("the kettle is on", flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Tea).serve_forever()
"""


class Tea(PeerProcess):
    name, hint = "the tea server", "fill the kettle"

    def __init__(self, *words):
        super().__init__()
        self.words, self.tried = words or (sys.executable, "-S", "-c", TEA), []

    def command(self):
        self.tried.append((self.port, self.folder))
        return [*self.words, str(self.port)]

    def environment(self):
        return {"TEA": "green"}

    def answers(self):
        return "pid" in httpx.get(self.url, timeout=5.0, trust_env=False).text


@pytest.fixture
def ports(monkeypatch):
    """Hands out these ports first."""

    def first(*given):
        more, usual = iter(given), peer_process.free_port
        monkeypatch.setattr(peer_process, "free_port", lambda: next(more, None) or usual())

    return first


def refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def gone(peer):
    assert refused(peer.port)
    assert not any(folder.exists() for _, folder in peer.tried)
    with pytest.raises(RuntimeError, match="not running"):
        peer.log()


def test_it_runs_for_the_block_in_a_folder_and_an_environment_of_its_own(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-developer")
    with Tea() as peer:
        told = httpx.get(peer.url).json()
        assert told["cwd"] == os.path.realpath(peer.folder)
        assert set(told["names"]) - {"LC_CTYPE"} == {"HOME", "PATH", "TMPDIR", "TEA"}
        assert os.getsid(told["pid"]) == told["pid"]
        assert peer.log().startswith("the kettle is on\n")
    gone(peer)


def test_an_exception_in_the_block_ends_it_too():
    with pytest.raises(KeyError, match="spilt"), Tea() as peer:
        raise KeyError("spilt")
    gone(peer)


def test_it_starts_again_after_its_end():
    peer = Tea()
    with peer:
        first = httpx.get(peer.url).json()["pid"]
    with peer:
        assert httpx.get(peer.url).json()["pid"] != first
    gone(peer)


class Other(LoopbackPeer):
    """Somebody else's server."""

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    def answer(self, request):
        return Reply.json({"no tea at": request.path})


def test_a_port_that_was_taken_is_changed_for_another(ports):
    with Other() as other:
        ports(other.port)
        with Tea() as peer:
            assert [port for port, _ in peer.tried] == [other.port, peer.port]
            assert "pid" in httpx.get(peer.url).json()
        gone(peer)


def test_ports_that_are_always_taken_are_given_up(ports):
    peer = Tea()
    with Other() as other:
        ports(*[other.port] * 3)
        with pytest.raises(ZireliaError, match=r"(?i)address already in use"):
            peer.__enter__()
    assert len(peer.tried) == 3
    gone(peer)


def test_a_program_that_says_nothing_of_the_port_is_tried_again_while_it_is_taken(ports):
    quiet = f"import sys\ntry:\n    exec({TEA!r})\nexcept OSError:\n    sys.exit(1)"
    with Other() as other:
        ports(other.port)
        with Tea(sys.executable, "-S", "-c", quiet) as peer:
            assert len(peer.tried) == 2


def test_one_that_dies_shows_what_it_said_last_and_is_not_tried_again():
    peer = Tea("sh", "-c", f"echo {'x' * 1000} there is no water >&2; exit 3")
    with pytest.raises(
        ZireliaError, match=r"tea server does not start, it ended with 3: x{100,600} there is no water\n"
    ) as error:
        peer.__enter__()
    assert error.value.hint == "fill the kettle"
    assert len(peer.tried) == 1
    gone(peer)


def test_one_that_is_not_there_is_named():
    peer = Tea("/nowhere/tea")
    with pytest.raises(ZireliaError, match=r"the tea server does not start: .*'/nowhere/tea'") as error:
        peer.__enter__()
    assert error.value.hint == "fill the kettle"
    gone(peer)


@pytest.mark.parametrize("answered", [False, True], ids=["nobody answers", "somebody else answers"])
def test_one_that_never_answers_is_given_up(ports, answered):
    peer = Tea("sh", "-c", "echo it boils; exec sleep 600")
    peer.patience = 0.5
    with Other() as other:
        ports(*[other.port] * answered)
        with pytest.raises(ZireliaError, match=r"does not start, no answer in 0\.5 s: it boils"):
            peer.__enter__()
    assert len(peer.tried) == 1
    gone(peer)


def test_one_that_does_not_end_by_itself_is_killed_with_what_it_started():
    stubborn = "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); subprocess.run(sys.argv[1:])"
    peer = Tea(sys.executable, "-S", "-c", stubborn, sys.executable, "-S", "-c", TEA)
    peer.grace = 0.1
    with peer:
        assert httpx.get(peer.url).json()["pid"] != peer._process.pid
    end = time.monotonic() + 10
    while time.monotonic() < end and not refused(peer.port):
        time.sleep(0.01)
    gone(peer)


SHARED = f"""
import sys
import httpx
from zirelia.testing.peer_process import PeerProcess

class Tea(PeerProcess):
    name = "the tea server"

    def __init__(self, kind="green"):
        super().__init__()

    def command(self):
        return [sys.executable, "-S", "-c", {TEA!r}, str(self.port)]

    def answers(self):
        return "pid" in httpx.get(self.url, timeout=5.0, trust_env=False).text

print(Tea.shared().url, Tea.shared().url, Tea.shared(kind="black").url, Tea.shared().folder)
"""


def test_one_is_shared_by_all_of_a_process_and_ends_with_it():
    done = subprocess.run([sys.executable, "-c", SHARED], capture_output=True, text=True, check=True)
    first, again, other, folder = done.stdout.split()
    assert first == again != other
    for url in (first, other):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
    assert not Path(folder).exists()
