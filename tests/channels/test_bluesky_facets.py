"""Hashtags, mentions and links by their places in bytes, whatever stands around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.channels.bluesky_facets import facets_of

PEOPLE = {"mira.test": "did:plc:mira", "an-na.bsky.social": "did:plc:anna"}


def told(text):
    """(what the bytes say, what it is) of each."""
    raw = text.encode()
    found = facets_of(text, resolve=PEOPLE.get)
    return [
        (
            raw[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode(),
            {key: about for key, about in one["features"][0].items() if key != "$type"},
        )
        for one in found
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Grüße 👩‍🚀 #Straße, ☕", [("#Straße", {"tag": "Straße"})]),
        ("#日本語 ok", [("#日本語", {"tag": "日本語"})]),
        ("#a #a", [("#a", {"tag": "a"}), ("#a", {"tag": "a"})]),
        ("＃wide", [("＃wide", {"tag": "wide"})]),
        ("#tea's", [("#tea's", {"tag": "tea's"})]),
        ("#tea… #rain!", [("#tea", {"tag": "tea"}), ("#rain", {"tag": "rain"})]),
        ("#2026 #1st", [("#1st", {"tag": "1st"})]),
        ("a#b, #, ##, #️⃣ 1", []),
        ("#" + "x" * 65, []),
        ("ä @mira.test.", [("@mira.test", {"did": "did:plc:mira"})]),
        ("(@An-Na.bsky.social)", [("@An-Na.bsky.social", {"did": "did:plc:anna"})]),
        ("@nobody.test, a@mira.test @mira", []),
        ("☕ https://a.example/ü?b=c#d.", [("https://a.example/ü?b=c#d", {"uri": "https://a.example/ü?b=c#d"})]),
        (
            "(https://a.example/x_(y)) HTTP://B.EXAMPLE",
            [
                ("https://a.example/x_(y)", {"uri": "https://a.example/x_(y)"}),
                ("HTTP://B.EXAMPLE", {"uri": "HTTP://B.EXAMPLE"}),
            ],
        ),
        ("https:// https://... a.example", []),
        (
            "https://a.example/@mira.test/#tag",
            [("https://a.example/@mira.test/#tag", {"uri": "https://a.example/@mira.test/#tag"})],
        ),
        ("<script>#x</script>", []),
    ],
)
def test_parts_of_a_text(text, wanted):
    assert told(text) == wanted


@pytest.mark.parametrize(("text", "first"), [("ä #t", 3), ("☕ #t", 4), ("👩‍🚀 #t", 12), ("🇩🇪 #t", 9)])
def test_places_count_bytes(text, first):
    (one,) = facets_of(text, resolve=PEOPLE.get)
    assert one == {
        "index": {"byteStart": first, "byteEnd": first + 2},
        "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "t"}],
    }


WORDS = ("#tea", "#Müll", "@mira.test", "@nobody.test", "https://a.example/ü", "☕", "👩‍🚀", "ü")
PIECES = st.sampled_from((*WORDS, *"().#@\n", " ", " "))


@given(st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
def test_every_part_is_whole_text_and_none_lies_in_another(text):
    raw, end = text.encode(), 0
    for one in facets_of(text, resolve=PEOPLE.get):
        first, last = one["index"]["byteStart"], one["index"]["byteEnd"]
        assert end <= first < last <= len(raw)
        end = last
        said, feature = raw[first:last].decode(), one["features"][0]
        match feature["$type"].rpartition("#")[2]:
            case "tag":
                assert said[1:] == feature["tag"]
            case "mention":
                assert PEOPLE[said[1:].lower()] == feature["did"]
            case "link":
                assert said == feature["uri"]
