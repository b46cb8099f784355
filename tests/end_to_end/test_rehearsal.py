"""A rehearsed day with the embedded models, killed in the middle, and finished."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.slow
def test_a_rehearsal_that_was_killed_goes_on_and_writes_its_page(home):
    command = [sys.executable, "-m", "zirelia.cli", "rehearse", "--days", "1", "--from", "2026-11-30", "--home", "week"]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    # a slot is open and its picture is on the way: the first moment is in the notebook, no page is there
    while time.monotonic() < deadline and not list((home / "week" / "media").glob("**/*.png")):
        assert process.poll() is None
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads((home / "week" / "rehearsal.json").read_text())["personas"] == ["mira"]
    assert not (home / "rehearsal.html").exists()

    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "published" in done.stdout or "held" in done.stdout
    page = (home / "rehearsal.html").read_text()
    assert "One day of Mira" in page
    assert "data:image/jpeg;base64," in page
    assert not (home / "home").exists()
