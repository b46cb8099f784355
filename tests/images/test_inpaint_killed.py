"""A paid part drawn anew, killed with -9 between order and picture: ordered once, and the picture it mends stays its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import zirelia
from zirelia.domain.verdict import RepairKind
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

SCRIPT = Path(__file__).with_name("killed_inpainter.py")


def run(home: Path, moment: str) -> int:
    above = os.pathsep.join(filter(None, [str(Path(zirelia.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, str(SCRIPT), str(home), moment]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": above}, timeout=120, check=False).returncode


@pytest.mark.parametrize("moment", ["ordered", "kept"])
def test_a_part_is_paid_for_once(tmp_path: Path, moment: str):
    assert run(tmp_path, moment) == -signal.SIGKILL
    assert run(tmp_path, "never") == 0
    assert (tmp_path / "payments.txt").read_text().split() == ["whole", "part"]
    with SqlStore(tmp_path / "zirelia.db", MediaStore(tmp_path / "media")) as store:
        assert store.problems() == ()
        (post,) = store.posts()
        assert (str(post.state), post.chosen) == ("awaiting_review", 2)
        first, second = post.attempts
        assert [repair.kind for repair in second.repairs] == [RepairKind.INPAINT]
        assert second.provenance.parents == (first.image.sha256,)
        assert [mend.gone for mend in second.verdict.mends] == [True]
        rows = [row for row in store.ledger(post_id=post.id) if row.role == "image"]
        assert [(row.state, row.cost_usd) for row in rows] == [("done", 0.05)] * 2
        assert len({row.external_id for row in rows}) == 2
        assert second.provenance.external_id in {row.external_id for row in rows}
