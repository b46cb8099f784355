"""What every channel promises, whatever the platform. The accounts are in conftest.py."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderRefused
from zirelia.ports import Sending

SENDING = Sending(begun=datetime(2026, 10, 25, 0, 30, tzinfo=UTC))


def test_a_channel_says_what_it_is(account):
    channel = account.open()
    facts, limits = channel.facts(), channel.capabilities()
    assert channel.name
    assert facts.backend
    assert facts.model
    assert min(limits.caption_limit, limits.alt_text_limit, limits.image_bytes_limit) > 0


def test_submit_answers_a_receipt_that_reconcile_finds(account, plan, envelope):
    channel = account.open()
    wanted, kept = plan(channel=channel.name), envelope()
    assert channel.reconcile(wanted, kept.sending()) is None
    receipt = channel.submit(wanted, kept.sending())
    assert isinstance(receipt, Receipt)
    assert channel.reconcile(wanted, kept.sending()) == receipt
    assert account.open().reconcile(wanted, kept.sending()) == receipt
    # what the platform made may not have been stored
    assert account.open().reconcile(wanted, SENDING) == receipt


def test_a_second_submit_publishes_nothing(account, plan, envelope):
    channel, kept = account.open(), envelope()
    first = channel.submit(plan(channel=channel.name), kept.sending())
    published = account.fingerprint()
    other_words = plan(channel=channel.name, caption="Something else", colour="red")
    for again in (channel, account.open()):
        assert again.submit(other_words, kept.sending()) == first
    assert account.fingerprint() == published


def test_publications_do_not_touch_each_other(account, plan):
    channel = account.open()
    first = channel.submit(plan(1, channel.name), SENDING)
    published = account.fingerprint()
    second = channel.submit(plan(2, channel.name, caption="Rain, at last.", colour="red"), SENDING)
    assert first != second
    assert account.fingerprint().items() >= published.items()
    assert channel.reconcile(plan(3, channel.name, caption="Nothing to see."), SENDING) is None


def test_reading_publishes_nothing(account, plan):
    account.open().reconcile(plan(), SENDING)
    assert account.fingerprint() == {}


@pytest.mark.parametrize("image", [b"", b"error: out of credit", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_jpeg_is_refused_before_anything_is_sent(account, plan, image):
    from dataclasses import replace

    channel = account.open()
    with pytest.raises(ProviderRefused):
        channel.submit(replace(plan(channel=channel.name), image=image), SENDING)
    assert account.fingerprint() == {}


def test_a_picture_above_the_limit_is_refused(account, plan):
    from dataclasses import replace

    channel = account.open()
    wanted = plan(channel=channel.name)
    large = wanted.image + b"\0" * channel.capabilities().image_bytes_limit
    with pytest.raises(ProviderRefused):
        channel.submit(replace(wanted, image=large), SENDING)
    assert account.fingerprint() == {}
