"""The shipped fake: deterministic, different for different wishes, and a paid provider when it is given a price."""

from __future__ import annotations

import pytest

from zirelia.domain.lora import WornLora
from zirelia.domain.shot import Beside
from zirelia.errors import ProviderTimeout
from zirelia.testing.images import FakeImageMaker


def test_different_wishes_give_different_pictures(wish, call, told, mira):
    maker = FakeImageMaker()
    wishes = [(wish(seed=1), None), (wish(seed=2), None), (wish(seed=1, text="other"), None), (wish(seed=1), mira)]
    assert len({maker.make(one, lora=lora, call=call, progress=told).data for one, lora in wishes}) == 4
    assert maker.made == [one for one, _ in wishes]
    assert call.stored == []


def test_a_resumed_call_is_not_paid_again(wish, new_call, told):
    maker, call = FakeImageMaker(price=0.02), new_call()
    first = maker.make(wish(), lora=None, call=call, progress=told)
    second = maker.make(wish(), lora=None, call=new_call(external_id=call.external_id), progress=told)
    assert maker.paid == 1
    assert first.data == second.data
    assert first.provenance.external_id == second.provenance.external_id


def test_scripted_failures_come_first_and_cost_nothing(wish, call, told):
    maker = FakeImageMaker(price=0.02, failures=[ProviderTimeout("slow", provider="fake")])
    with pytest.raises(ProviderTimeout):
        maker.make(wish(), lora=None, call=call, progress=told)
    assert maker.paid == 0
    assert maker.make(wish(), lora=None, call=call, progress=told).data


def test_what_is_worn_beside_changes_the_picture_and_its_order_does_not(wish, call, told, mira):
    maker = FakeImageMaker()
    ink = mira.model_copy(update={"sha256": "1" * 64})
    leo = mira.model_copy(update={"sha256": "2" * 64})
    casts = [(), (WornLora(lora=ink),), (WornLora(lora=ink, scale=0.5),), (WornLora(lora=ink), WornLora(lora=leo))]
    made = [maker.make(wish(), lora=mira, beside=beside, call=call, progress=told) for beside in casts]
    assert len({each.data for each in made}) == 4
    assert made[2].provenance.beside == (Beside(sha256="1" * 64, scale=0.5),)
    assert maker.make(wish(), lora=mira, beside=casts[3][::-1], call=call, progress=told).data == made[3].data
