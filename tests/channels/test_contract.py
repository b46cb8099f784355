"""What every channel promises, whatever the platform. The accounts are in conftest.py."""

from __future__ import annotations

import pytest

from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderRefused


def test_a_channel_says_what_it_is(account):
    channel = account.open()
    facts, limits = channel.facts(), channel.capabilities()
    assert channel.name
    assert facts.backend
    assert facts.model
    assert min(limits.caption_limit, limits.alt_text_limit, limits.image_bytes_limit) > 0


def test_submit_answers_a_receipt_that_reconcile_finds(account, plan):
    channel = account.open()
    wanted = plan(channel=channel.name)
    assert channel.reconcile(wanted.publication_id) is None
    receipt = channel.submit(wanted)
    assert isinstance(receipt, Receipt)
    assert channel.reconcile(wanted.publication_id) == receipt
    assert account.open().reconcile(wanted.publication_id) == receipt


def test_a_second_submit_publishes_nothing(account, plan):
    channel = account.open()
    first = channel.submit(plan(channel=channel.name))
    published = account.fingerprint()
    other_words = plan(channel=channel.name, caption="Something else", colour="red")
    for again in (channel, account.open()):
        assert again.submit(other_words) == first
    assert account.fingerprint() == published


def test_publications_do_not_touch_each_other(account, plan):
    channel = account.open()
    first = channel.submit(plan(1, channel.name))
    published = account.fingerprint()
    second = channel.submit(plan(2, channel.name, colour="red"))
    assert first != second
    assert account.fingerprint().items() >= published.items()
    assert channel.reconcile(plan(3, channel.name).publication_id) is None


def test_reading_publishes_nothing(account, plan):
    account.open().reconcile(plan().publication_id)
    assert account.fingerprint() == {}


@pytest.mark.parametrize("image", [b"", b"error: out of credit", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_jpeg_is_refused_before_anything_is_sent(account, plan, image):
    from dataclasses import replace

    channel = account.open()
    with pytest.raises(ProviderRefused):
        channel.submit(replace(plan(channel=channel.name), image=image))
    assert account.fingerprint() == {}


def test_a_picture_above_the_limit_is_refused(account, plan):
    from dataclasses import replace

    channel = account.open()
    wanted = plan(channel=channel.name)
    large = wanted.image + b"\0" * channel.capabilities().image_bytes_limit
    with pytest.raises(ProviderRefused):
        channel.submit(replace(wanted, image=large))
    assert account.fingerprint() == {}
