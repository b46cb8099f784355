"""The fences of tests/conftest.py hold: a test cannot reach the network, the developer's home or the developer's settings."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from zirelia.errors import OfflineViolation
from zirelia.network import outside_allowed


@pytest.mark.parametrize("host", ["example.com", "192.0.2.1", "2001:db8::1", "169.254.169.254"])
def test_nothing_but_this_machine_is_reached(host: str) -> None:
    assert not outside_allowed()
    with pytest.raises(OfflineViolation, match="was stopped"):
        socket.create_connection((host, 443), timeout=1)


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5) as here:
        there, _ = server.accept()
        with there:
            here.sendall(b"hello")
            assert there.recv(5) == b"hello"


def test_the_home_is_empty_and_the_working_folder(home: Path) -> None:
    assert Path.home() == home == Path.cwd()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("prefix", ["OPENAI_", "REPLICATE_", "ZIRELIA_", "XDG_"])
def test_no_setting_of_the_developer_is_seen(prefix: str) -> None:
    assert [name for name in os.environ if name.startswith(prefix)] == []
    assert "TIMEZONE" not in os.environ
    assert os.environ["LANGSMITH_TRACING"] == "false"
