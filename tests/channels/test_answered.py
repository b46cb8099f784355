"""What a mention answers: the platform's ids of it, for the post to be found by; what strangers write there is data."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from mastodon import Mastodon

from zirelia.channels.bluesky_inbox import hear

from .conftest import NOW, beside

AT = datetime(2026, 11, 28, 9, tzinfo=UTC)
OURS = "at://did:plc:mira/app.bsky.feed.post/3k1"
THEIRS = "at://did:web:ana.example/app.bsky.feed.post/3k2"


@pytest.fixture
def stage():
    with beside("meta_accounts").staged("mastodon", lambda: NOW) as opened:
        yield opened


def test_a_reply_on_mastodon_names_what_it_answers(stage, plan, envelope):
    peer = beside("meta_accounts").mastodon_peer()
    _, token = peer.new_account()
    ana = Mastodon(access_token=token, api_base_url=peer.url, request_timeout=30)
    receipt = stage.open().submit(plan(), envelope().sending())
    ana.status_post(f"@{stage.server.handle} Where is that?", in_reply_to_id=receipt.platform_id)
    ana.status_post(f"@{stage.server.handle} Good morning!")
    answer, word = stage.open().mentions("mira", None).mentions
    assert answer.answers == (receipt.platform_id,)
    assert word.answers == ()


class Notified:
    """A repository whose view tells of one post."""

    did = "did:plc:mira"

    def __init__(self, reply):
        self.reply = reply

    def view(self, method, params):
        record = {"text": "Where is that?", **({} if self.reply is None else {"reply": self.reply})}
        said = {"uri": THEIRS, "author": {"did": "did:web:ana.example", "handle": "ana.example"}, "record": record}
        return {"notifications": [{**said, "reason": "reply", "indexedAt": AT.isoformat()}]}


@pytest.mark.parametrize(
    ("reply", "answers"),
    [
        (None, ()),
        ({"parent": {"uri": OURS, "cid": "b"}, "root": {"uri": OURS, "cid": "b"}}, (OURS,)),
        ({"parent": {"uri": THEIRS}, "root": {"uri": OURS}}, (THEIRS, OURS)),
        ({"parent": {"uri": "at://x/\x1b[2J"}, "root": {"uri": f"at://{'x' * 400}/a/b"}}, ()),
        ({"parent": OURS, "root": {"uri": 7}}, ()),
        (["parent"], ()),
    ],
)
def test_a_reply_on_bluesky_names_what_it_answers(reply, answers):
    (mention,) = hear(Notified(reply), channel="bluesky", persona="mira", cursor=None).mentions
    assert mention.answers == answers
