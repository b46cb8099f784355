"""One turn with the embedded models, as `make demo` runs it: real language model, real Flux, real critic."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_demo_leaves_a_post_in_the_queue(home):
    command = [sys.executable, "-m", "zirelia.cli", "demo", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=420, cwd=home, check=False, env={**os.environ, "ZIRELIA_OFFLINE": "1"}
    )
    assert done.returncode == 0, done.stderr
    post = json.loads(done.stdout)
    assert post["state"] in {"awaiting_review", "held"}
    assert 1 <= len(post["attempts"]) <= 3
    assert post["state"] == "awaiting_review" or len(post["attempts"]) == 3, post["held_because"]
    for attempt in post["attempts"]:
        assert attempt["provenance"]["prompt"]["text"].startswith("mirelo woman, ")
        assert attempt["provenance"]["lora_sha256"]
        measured = {f["criterion"]: f["outcome"] for f in attempt["verdict"]["findings"] if f["outcome"] != "not_checked"}
        assert {"identity", "safety", "technical", "subjects"} <= set(measured)
    assert len(post["draft"]["caption"]) >= 40
    picture = Path(post["picture"])
    assert picture.is_file()
    assert picture.is_relative_to(home)
