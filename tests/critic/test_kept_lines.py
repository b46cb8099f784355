"""A memory that fails costs a measurement, never a verdict."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from zirelia.critic.kept_lines import kept_line
from zirelia.domain.calibration import Calibration
from zirelia.errors import StoreError
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

LINE = Calibration(embedder="looks 3", threshold=0.4, n=8)
OTHER = LINE.model_copy(update={"threshold": 0.5})


def test_a_line_is_measured_once(tmp_path: Path) -> None:
    with SqlStore(tmp_path / "zirelia.db", MediaStore(tmp_path / "media")) as store:
        assert kept_line(store, "k", "mira", lambda: LINE) == LINE
        assert kept_line(store, "k", "mira", lambda: OTHER) == LINE
        assert kept_line(None, "k", "mira", lambda: OTHER) == OTHER


def test_a_line_that_another_version_wrote_is_measured_anew(tmp_path: Path) -> None:
    with SqlStore(tmp_path / "zirelia.db", MediaStore(tmp_path / "media")) as store:
        store.keep_calibration("k", "mira", LINE)
        with store._database.writing() as session:
            session.execute(text("UPDATE calibrations SET body = '{\"mean\": 1}'"))
        with pytest.raises(StoreError):
            store.calibration("k")
        assert kept_line(store, "k", "mira", lambda: OTHER) == OTHER
        assert store.calibration("k") == OTHER


class Full:
    """A database whose disk is full."""

    def calibration(self, key: str) -> None:
        raise StoreError(f"{key}: the disk does not read")

    def keep_calibration(self, key: str, persona: str, calibration: Calibration) -> None:
        raise StoreError(f"{key} {persona} {calibration}: the disk is full")


def test_a_full_disk_holds_no_post() -> None:
    assert kept_line(Full(), "k", "mira", lambda: LINE) == LINE  # type: ignore[arg-type]
