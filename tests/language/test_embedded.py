"""The embedded server's life: started once, shared, restarted, never left behind, silent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from zirelia.errors import ProviderError
from zirelia.language import EmbeddedServer
from zirelia.language.embedded import embedded_model_path, weights_sha256


def _alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_started_once_on_loopback_behind_a_key(embedded: EmbeddedServer) -> None:
    url, key = embedded.address()
    assert embedded.address() == (url, key)
    assert url.startswith("http://127.0.0.1:")
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"{url}/models").status_code == 401
        assert client.get(f"{url}/models", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_stops_after_an_exception_and_starts_again() -> None:
    server = EmbeddedServer(context=256)

    def use_and_fail() -> None:
        with server:
            server.address()
            pids.append(server.pid)
            raise RuntimeError("boom")

    pids: list[int | None] = []
    with pytest.raises(RuntimeError, match="boom"):
        use_and_fail()
    (first,) = pids
    assert first is not None
    assert not _alive(first)
    with server:
        server.address()
        assert server.running
        assert server.load_seconds > 0
    assert not server.running


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(b"nonsense" * 100)
    server = EmbeddedServer(path)
    with pytest.raises(ProviderError, match=r"bad\.gguf could not be started"):
        server.address()
    assert not server.running


@pytest.mark.parametrize("end", ["raise RuntimeError('boom')", "os._exit(3)", "pass"])
def test_ends_with_its_parent_and_prints_nothing(end: str) -> None:
    if not Path("/proc").exists():
        pytest.skip("needs /proc to see processes")
    script = (
        "import os\nfrom zirelia.language.embedded import shared_server\n"
        f"s = shared_server(); s.address(); print(s.pid, flush=True)\n{end}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    pid = int(done.stdout)
    # stdout ends for us only when every holder of it has gone; the child never held it.
    assert "boom" in done.stderr if "boom" in end else done.stderr == ""
    if _alive(pid):
        fd = os.pidfd_open(pid)
        try:
            import select

            assert select.select([fd], [], [], 10)[0]
        finally:
            os.close(fd)


def test_weights_are_known() -> None:
    path = embedded_model_path()
    assert path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert len(weights_sha256(path)) == 64
