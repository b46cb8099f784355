"""What a post must say of itself: that AI made it, and, where somebody pays for it, that it is an advertisement. Pure.

    words = DisclosureWords(language="de", line="Virtuelle Figur, …", advertisement="Werbung · {brand}", ...)
    words.sponsor("Acme", Relation.GIFT).label      # "Werbung · Acme"
    words.advertises(draft)                         # "rabattcode": a phrase that only an advertisement has

Knows no file and no platform.
"""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from zirelia.domain.post import Draft, Relation, Sponsor
from zirelia.domain.text_boundaries import says
from zirelia.domain.text_plain import folded
from zirelia.domain.value import Text, Value

_TAG = re.compile(r"#(\w+)")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
"""Kana and Chinese characters: their words stand without spaces."""


class DisclosureWords(Value):
    """One language's words. advertisement: the label, with {brand}. phrases, hashtags: what only an advertisement says."""

    language: str = Field(pattern=r"^[a-z]{2,3}$")
    line: Text
    advertisement: Text
    phrases: tuple[Text, ...] = ()
    hashtags: tuple[Text, ...] = ()

    @field_validator("advertisement")
    @classmethod
    def _names_the_brand(cls, label: str) -> str:
        if label.count("{brand}") != 1:
            raise ValueError("needs {brand} once")
        return label

    def sponsor(self, brand: str, relation: Relation) -> Sponsor:
        """The sponsor with the label that readers see. Every relation gets the same one: a gift is paid for too."""
        return Sponsor(brand=brand, relation=relation, label=self.advertisement.replace("{brand}", brand.strip()))

    def advertises(self, draft: Draft) -> str | None:
        """The first phrase or hashtag by which the text is an advertisement."""
        said = f"{draft.caption}\n{draft.alt_text}"
        for phrase in self.phrases:
            if folded(phrase) in folded(said) if _UNSPACED.search(phrase) else says(said, phrase, self.language):
                return phrase
        tags = {folded(tag) for tag in (*draft.hashtags, *_TAG.findall(draft.caption))}
        return next((f"#{tag}" for tag in self.hashtags if folded(tag) in tags), None)
