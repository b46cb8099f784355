"""The page of a rehearsal: what it counts, and that no word of a model's becomes markup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from zirelia.definitions.personas import load_persona
from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.post import Brief, Draft, Post, PostState
from zirelia.domain.publication import Receipt
from zirelia.domain.shot import Attempt, Framing, ImagePrompt, MediaRef, Provenance, Shot
from zirelia.domain.verdict import Criterion, Finding, Outcome, Rubric, fold
from zirelia.reports.rehearsal import Past, cost_table, rehearsal_page

START = datetime(2026, 11, 30, tzinfo=UTC)
MIRA = load_persona("mira").persona


def post(number: int, *, scene="cafe", words="a good day", state=PostState.PUBLISHED, attempts=1) -> Post:
    shot = Shot(scene=scene, outfit="coat", expression="smiling", framing=Framing.CLOSE_UP, light="daylight")
    prompt = ImagePrompt(text=words, seed=1, width=128, height=128)
    provenance = Provenance(backend="test", model="test", prompt=prompt, seconds=1, made_at=START)
    findings = [
        Finding(criterion=one, outcome=Outcome.PASSED, instrument="test", explanation=words, score=0.9, threshold=0.5)
        for one in Criterion
    ]
    verdict = fold(findings, Rubric())
    media = MediaRef(sha256="a" * 64, media_type="image/png", width=128, height=128)
    due = START + timedelta(hours=12 * number)
    return Post(
        id=number,
        persona="mira",
        slot_id=f"mira:{due:%Y-%m-%d}:{number}",
        due=due,
        state=state,
        brief=Brief(topic=words, angle=words, activity="drawing", scene=scene, light="daylight"),
        draft=Draft(caption=words, hashtags=("tag",), alt_text=words),
        shot=shot,
        attempts=tuple(
            Attempt(number=n, shot=shot, image=media, provenance=provenance, verdict=verdict) for n in range(1, attempts + 1)
        ),
        chosen=attempts,
        disclosure="made with AI",
        held_because=words if state is PostState.HELD else None,
        created=START,
        updated=START,
    )


def past(*posts: Post, costs=()) -> Past:
    return Past(
        personas=[MIRA],
        start=START,
        until=START + timedelta(days=2),
        posts=posts,
        receipts={one.id: [Receipt(platform_id="1", url="file:///x", at=one.due)] for one in posts},
        slots={one.slot_id: (one.due, "opened") for one in posts}
        | {"mira:2026-12-01:late": (START + timedelta(hours=40), "missed")},
        costs=costs,
        facts=[("models", "test")],
    )


def drawn(_media: MediaRef) -> Image.Image:
    return Image.new("RGB", (128, 128), "teal")


def test_it_counts_what_happened(read):
    posts = [post(1), post(2, scene="beach", attempts=2), post(3, scene="cafe", state=PostState.HELD, words="no face")]
    page = read(rehearsal_page(past(*posts), picture=drawn))
    assert "Two days of Mira" in page.text
    assert "Monday 30 November to Tuesday 1 December 2026" in page.text
    assert "posts out 2 of 4 slots; 1 missed" in page.text
    assert "pictures drawn 4 1 of 3 posts with the first" in page.text
    assert "passed 9 criteria, the second picture" in page.text
    assert "Held for a person" in page.text
    assert "12:00 published, 16:00 missed" not in page.text
    assert "16:00 missed" in page.text
    assert "scenes 2 in 2: cafe, beach" in page.text
    assert len(page.named("img")) == 3


def test_costs_are_those_of_the_ledger_and_what_they_would_be_elsewhere(read):
    def row(number: int, role: str, usd: float) -> LedgerEntry:
        return LedgerEntry(
            id=f"c{number}",
            at=START,
            persona="mira",
            post_id=1,
            role=role,
            provider="test",
            model="test",
            state=LedgerState.DONE,
            cost_usd=usd,
            tokens_in=1000,
            tokens_out=100,
            seconds=2,
        )

    costs = cost_table([row(1, "image", 0.0), row(2, "planner", 0.0), row(3, "planner", 0.25)], lambda one: 0.5)
    assert [(one.role, one.calls, one.tokens_in, one.charged_usd, one.would_usd) for one in costs] == [
        ("planner", 2, 2000, 0.25, 1.0),
        ("pictures", 1, 1000, 0.0, 0.5),
    ]
    assert "cost $0.25 hosted: $1.50" in read(rehearsal_page(past(post(1), costs=costs), picture=drawn)).text


@pytest.mark.parametrize(
    "words",
    ["<script>alert(1)</script>", "</details><h1>x</h1>", '" onerror="alert(1)" x="', "{{ 7*7 }}", "\x1b[2Jbell", "日本語"],
)
def test_no_word_becomes_markup(read, words):
    html = rehearsal_page(past(post(1, words=words, scene=words), post(2, state=PostState.HELD, words=words)), picture=drawn)
    page = read(html)
    clean = read(rehearsal_page(past(post(1), post(2, state=PostState.HELD)), picture=drawn))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in clean.elements]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on") or name == "style"]
    assert html.isascii()


def test_an_empty_rehearsal_says_so(read):
    assert "Nothing went out." in read(rehearsal_page(past(), picture=drawn)).text
