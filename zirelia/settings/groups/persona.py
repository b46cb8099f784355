"""What stands over the persona pack."""

from __future__ import annotations

from pydantic import Field

from zirelia.domain.lora import TriggerWord
from zirelia.settings.groups.base import Group, Zone, known_as


class OverrideSettings(Group):
    """What .env says in place of the persona pack; empty leaves the pack's own."""

    trigger_word: TriggerWord | None = known_as("LORA_TRIGGER_WORD", None, "the word that calls up the LoRA's face")
    min_daily_posts: int | None = Field(
        default=None, ge=0, le=24, description="fewest posts a day", json_schema_extra={"env": "MIN_DAILY_POSTS"}
    )
    max_daily_posts: int | None = Field(
        default=None, ge=0, le=24, description="most posts a day", json_schema_extra={"env": "MAX_DAILY_POSTS"}
    )
    timezone: Zone | None = known_as("TIMEZONE", None, "IANA name of the persona's time zone, such as Europe/Lisbon")
