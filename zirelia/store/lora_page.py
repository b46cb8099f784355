r"""The card of a LoRA as a page for people, in Markdown.

    card_page(card)     # "# mira\n\n| | |\n..."

Names and terms come from files and are escaped: no HTML, no table broken by a bar. Knows no files.
"""

from __future__ import annotations

import html
import re

from zirelia.domain.lora_card import LibraryCard

_MARKS = re.compile(r"([\\`*_\[\]|~#])")


def card_page(card: LibraryCard) -> str:
    """All that the card says, for whoever uses the file."""
    lines = [f"# {_plain(card.name)}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {_plain(value)} |" for key, value in card_lines(card)]
    if card.trained:
        lines += ["", "## Settings of the training", "", "```json", _fenced(card.trained.plan), "```"]
    if card.brought and card.brought.changes:
        lines += ["", "## Changed when it was brought in", "", *(f"- {_plain(each)}" for each in card.brought.changes)]
    return "\n".join([*lines, ""])


def card_lines(card: LibraryCard) -> list[tuple[str, str]]:
    """What the card says, as pairs of key and words; not escaped."""
    rows = [
        ("trigger word", card.trigger or "none"),
        ("persona", card.persona or ""),
        ("base model", card.base_model),
        ("rank", str(card.rank)),
        ("SHA-256", card.sha256),
        ("in the library since", card.created.isoformat(sep=" ", timespec="minutes")),
        ("licences", "; ".join(card.licences) or "none named"),
        ("pictures made by", "; ".join(card.generators)),
        ("likeness", _likeness(card)),
    ]
    if card.trained:
        rows.append(("trained on", f"{card.trained.images} images, {card.trained.step} steps"))
        rows.append(("dataset", card.trained.dataset_sha256))
    if card.brought:
        rows.append(("brought from", f"{card.brought.file} (SHA-256 {card.brought.sha256})"))
    if scores := card.scores:
        measured = [("agreement", scores.agreement), ("leaked", scores.leaked), ("diversity", scores.diversity)]
        rows.append(("scale", f"{scores.scale:g}"))
        rows.append(("identity", f"median {scores.identity:.3f}, 10th percentile {scores.tenth:.3f}"))
        rows += [("real pictures among themselves", "" if scores.real is None else f"{scores.real:.3f}")]
        rows += [(key, f"{value:.2f}") for key, value in measured if value is not None]
        rows.append(("chosen because", scores.because))
        rows.append(("fit", str(scores.fit) if scores.passed else f"{scores.fit}; it does not keep the floors"))
    return [(key, value) for key, value in rows if value]


def _likeness(card: LibraryCard) -> str:
    if card.consent is None:
        return "no consent is recorded"
    if card.consent.fictional:
        return "a fictional character"
    return f"{card.consent.person}, {card.consent.scope}, until {card.consent.expires}"


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _fenced(text: str) -> str:
    return html.escape(text.replace("`", "'"), quote=False)
