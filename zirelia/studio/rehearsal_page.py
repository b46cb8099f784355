"""What a rehearsal left in its home, as a page; and what of it is booked in the real home.

write_rehearsal_page(studio, plan, Path("week.html"))
book(real, studio, plan)               # what was paid counts in the months of the real home
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from zirelia import __version__
from zirelia.domain.budget import Unit
from zirelia.domain.cadence import slots_between
from zirelia.domain.ledger import PICTURE, LedgerEntry, LedgerState
from zirelia.errors import Conflict
from zirelia.files import whole_file
from zirelia.pictures import load_picture
from zirelia.reports.rehearsal import Cost, Past, cost_table, rehearsal_page
from zirelia.studio import Studio, adapters, making
from zirelia.studio.rehearsal import MOST_POSTS, Wanted
from zirelia.workflow.kit import Budget

COMPARED_WITH = "gpt-4.1-mini"
"""Whose list price says what an embedded model's work would have cost."""


def write_rehearsal_page(studio: Studio, plan: Wanted, page: Path) -> None:
    """One file that opens offline."""
    store = studio.store
    posts = store.posts(limit=MOST_POSTS)
    receipts = {post.id: [one.receipt for one in store.publications(post.id) if one.receipt is not None] for post in posts}
    slots = {}
    for name in plan.personas:
        states = store.slot_states(name, plan.start, plan.until)
        for slot in slots_between(studio.persona(name).cadence, name, plan.start, plan.until):
            slots[slot.id] = (slot.at, states.get(slot.id, "planned"))
    past = Past(
        personas=[studio.persona(name) for name in plan.personas],
        start=plan.start,
        until=plan.until,
        posts=posts,
        receipts=receipts,
        slots=slots,
        costs=_costs(studio, sum(len(post.attempts) for post in posts)),
        facts=_facts(studio, plan),
    )
    text = rehearsal_page(past, picture=lambda media: load_picture(studio.media.path(media)))
    with whole_file(page) as part:
        part.write_text(text, encoding="ascii", errors="xmlcharrefreplace")


def _costs(studio: Studio, pictures: int) -> list[Cost]:
    settings, rows = studio.settings, studio.store.ledger()
    price_in, price_out = adapters.PRICES[COMPARED_WITH]
    drawn = adapters.IMAGE_PRICE_USD if settings.prices.image_usd is None else settings.prices.image_usd

    def would(row: LedgerEntry) -> float:
        if row.cost_usd:
            return row.cost_usd
        return drawn if row.role == PICTURE else (row.tokens_in * price_in + row.tokens_out * price_out) / 1_000_000

    costs = cost_table(rows, would)
    if studio.vision is None and pictures:
        # the instruments of this machine judged; a vision model would have been asked as well
        eyes = pictures * adapters.looking_usd(COMPARED_WITH)
        costs.append(Cost("critic's eyes", 0, 0, 0, 0.0, 0.0, eyes))
    return costs


def _facts(studio: Studio, plan: Wanted) -> list[tuple[str, str]]:
    choices = studio.choices
    said = {role: f"{choice.backend} {choice.model or ''}".strip() for role, choice in choices.items()}
    return [
        ("models", "; ".join(f"{role}: {what}" for role, what in said.items())),
        ("decided", "by a stand-in who approves what the critic passed" if plan.decide == "approve" else "by nobody"),
        ("published", "to a folder; no platform was reached"),
        (
            "would have cost",
            f"texts by {COMPARED_WITH} at list price, its eyes for the critic at most, "
            f"hosted pictures at ${adapters.IMAGE_PRICE_USD:.2f}; what was really paid counts as it is",
        ),
        ("made by", f"zirelia {__version__}, zirelia rehearse"),
    ]


def purse(real: Studio, names: Sequence[str], most_usd: float | None) -> dict[str, Budget]:
    """What each persona may spend on the whole of a rehearsal with paid models: what is left of its caps, and no more than
    `most_usd`, in the month that is rehearsed.
    """
    now = datetime.now(UTC)
    purses = {}
    for name in names:
        budget = making.budget(real.settings, real.persona(name))
        left: dict[Unit, list[float]] = {Unit.USD: [] if most_usd is None else [most_usd], Unit.IMAGES: []}
        for cap in budget.caps(now):
            left[cap.unit].append(max(0.0, cap.limit - real.store.spent(persona=name, since=cap.since).of(cap.unit)))
        usd, images = (min(left[unit], default=None) for unit in (Unit.USD, Unit.IMAGES))
        purses[name] = Budget(
            month_usd=usd,
            post_usd=budget.post_usd,
            day_usd=budget.day_usd,
            month_images=None if images is None else round(images),
            day_images=budget.day_images,
            zone=budget.zone,
        )
    return purses


def book(real: Studio, studio: Studio, plan: Wanted) -> float:
    """Writes what was paid into the ledger of the real home, each call once however often this is called; US dollars."""
    paid = 0.0
    for row in studio.store.ledger():
        if row.charged_usd == 0 or row.state is LedgerState.INTENT:
            continue
        mine = row.model_copy(
            update={"id": f"rehearsal-{plan.name}/{row.id}", "at": datetime.now(UTC), "post_id": None, "note": "rehearsed"}
        )
        try:
            real.store.open_call(mine.model_copy(update={"state": LedgerState.INTENT, "cost_usd": None}))
            real.store.close_call(mine)
        except Conflict:
            continue
        paid += row.charged_usd
    return paid
