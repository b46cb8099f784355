"""`zirelia replies`: who decides on an answer sees what was said, under which post, and what would be answered."""

from __future__ import annotations

import pytest

from zirelia.domain.reply import Mention, Reply
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore

from .conftest import AT


@pytest.fixture
def said(home):
    """said(post_id): an answer that waits, to a mention under that post."""

    def put(post_id=None):
        with SqlStore(home / "home" / "zirelia.db", MediaStore(home / "home" / "media")) as store:
            mention = Mention(
                id=f"m{post_id}", channel="mastodon", persona="mira", author="ana", text="Where is\x1b[2J that?", at=AT,
                post_id=post_id,
            )  # fmt: skip
            return store.add_reply(Reply(mention=mention, text="At the old clock.", updated=AT))

    return put


def test_the_post_is_shown_under_which_it_was_said(zirelia, stored, said):
    said(stored(caption="One good detail a day.\nAnd then " + "another " * 20).id)
    shown = zirelia("replies").out
    assert "ana: Where is[2J that?" in shown
    assert "under post 1: One good detail a day. And then another" in shown
    assert max(map(len, shown.splitlines())) < 120
    assert "At the old clock." in shown
    assert zirelia("replies", "--json").json[0]["mention"]["post_id"] == 1
    assert "under post 1: One good" in zirelia("replies", "reject", 1, "--because", "rather not").out


def test_what_was_said_elsewhere_names_none(zirelia, said):
    said()
    assert "under post" not in zirelia("replies").out
