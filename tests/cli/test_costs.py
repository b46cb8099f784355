"""`zirelia costs`: what was spent today and this month beside the caps, and no answer of a model."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore


@pytest.fixture
def charged(home):
    def charge(
        number: int, *, persona: str = "mira", role: str = "image", usd: float = 0.04, at: datetime | None = None
    ) -> None:
        entry = LedgerEntry(
            id=f"c{number}", at=at or datetime.now(UTC), persona=persona, post_id=None, role=role, provider="fake", model="m",
            state=LedgerState.INTENT, estimate_usd=usd,
        )  # fmt: skip
        with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as store:
            store.open_call(entry)
            done = {"state": LedgerState.DONE, "cost_usd": usd, "answer": '{"caption": "what was said"}'}
            store.close_call(entry.model_copy(update=done))

    return charge


def line(said: str, *words: str) -> list[str]:
    (found,) = [line for line in said.splitlines() if line.split()[: len(words)] == list(words)]
    return found.split()[len(words) :]


def test_today_and_this_month_stand_beside_their_caps(zirelia, charged, write_env):
    write_env(ZIRELIA_HOME="home", ZIRELIA_BUDGET_MONTH_USD=7, ZIRELIA_BUDGET_DAY_USD=0.5, ZIRELIA_BUDGET_DAY_IMAGES=10)
    charged(1)
    charged(2, role="chat", usd=0.01)
    charged(3, usd=2.0, at=datetime(2020, 1, 1, tzinfo=UTC))
    out = zirelia("costs").out
    assert line(out, "mira", "today") == ["$0.05", "of", "$0.50", "1", "of", "10"]
    assert line(out, "mira", "this", "month") == ["$0.05", "of", "$7.00", "1"]
    assert "2020-01" in out


def test_a_persona_whose_pack_is_gone_is_still_shown(zirelia, charged, write_env):
    write_env(ZIRELIA_HOME="home")
    charged(1, persona="nobody")
    assert line(zirelia("costs").out, "nobody", "today") == ["$0.04", "1"]


def test_json_has_no_answers(zirelia, charged, write_env):
    write_env(ZIRELIA_HOME="home")
    charged(1)
    said = zirelia("costs", "--json")
    assert "what was said" not in said.out
    assert [(row["id"], row["cost_usd"]) for row in said.json] == [("c1", 0.04)]
    assert "answer" not in said.json[0]
