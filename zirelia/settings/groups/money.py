"""What may be spent, and what a call costs."""

from __future__ import annotations

from pydantic import Field

from zirelia.settings.groups.base import Dollars, Group


class BudgetSettings(Group):
    """Hard limits, retries included. A call that would go beyond them is not made, and its post is held with the reason."""

    month_usd: Dollars = Field(default=20.0, description="US dollars for one persona in a calendar month")
    day_usd: Dollars | None = Field(default=None, description="US dollars for one persona on one day, by her own calendar")
    post_usd: Dollars = Field(default=1.0, description="US dollars for one post")
    month_images: int | None = Field(default=None, ge=0, description="pictures for one persona in a calendar month")
    day_images: int | None = Field(default=None, ge=0, description="pictures for one persona on one day, by her own calendar")


class PriceSettings(Group):
    """What a call costs, where you know better than the built-in list."""

    chat_in_usd: Dollars | None = Field(default=None, description="US dollars for a million tokens read by the chat model")
    chat_out_usd: Dollars | None = Field(default=None, description="US dollars for a million tokens it writes")
    vision_in_usd: Dollars | None = Field(default=None, description="US dollars for a million tokens read by the vision model")
    vision_out_usd: Dollars | None = Field(default=None, description="US dollars for a million tokens it writes")
    image_usd: Dollars | None = Field(default=None, description="US dollars for one hosted picture")
    edit_usd: Dollars | None = Field(default=None, description="US dollars for one hosted edit")
    x_post_usd: Dollars = Field(default=0.015, description="US dollars for one post on X")
    x_link_usd: Dollars = Field(default=0.2, description="US dollars for one post on X with a link")
    training_second_usd: Dollars | None = Field(default=None, description="US dollars for one second of a hosted training")
