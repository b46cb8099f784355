"""The small records: decisions, ledger entries, publications, shots, datasets, LoRAs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from zirelia.domain.dataset import Dataset, Reference
from zirelia.domain.decision import Decision, DecisionKind
from zirelia.domain.ledger import LedgerEntry, LedgerState
from zirelia.domain.lora import Lora
from zirelia.domain.persona import Consent
from zirelia.domain.publication import Publication, PublicationState, Receipt, publication_id
from zirelia.domain.shot import Attempt, ImagePrompt, MediaRef
from zirelia.domain.value import Value

HASH = "0f" * 32


# ---- decisions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "more", "says"),
    [
        ("approve", {}, None),
        ("approve", {"override": True}, "to approve a held post, say why"),
        ("approve", {"override": True, "because": "the hands are fine"}, None),
        ("reject", {}, "to reject, say why"),
        ("reject", {"because": " "}, "because"),
        ("reject", {"because": "off topic"}, None),
        ("request_changes", {}, "to request changes, say why"),
        ("request_changes", {"because": "smile less"}, None),
        ("edit", {}, "an edit changes something"),
        ("edit", {"changes": {"caption": ("a", "b")}}, None),
        ("like", {}, "kind"),
    ],
)
def test_decisions(kind: str, more: dict[str, Any], says: str | None, now: datetime) -> None:
    fields = {"kind": kind, "by": "ana", "at": now, **more}
    if says is None:
        decision = Decision.model_validate(fields)
        assert decision.kind is DecisionKind(kind)
        assert Decision.model_validate_json(decision.model_dump_json()) == decision
    else:
        with pytest.raises(ValidationError, match=says):
            Decision.model_validate(fields)


@pytest.mark.parametrize("by", ["", "  "])
def test_somebody_decides(by: str, now: datetime) -> None:
    with pytest.raises(ValidationError, match="by"):
        Decision(kind=DecisionKind.APPROVE, by=by, at=now)


# ---- the ledger ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "estimate", "cost", "charged"),
    [
        ("intent", 0.04, None, 0.04),
        ("unknown", 0.04, None, 0.04),
        ("failed", 0.04, None, 0.0),
        ("failed", 0.04, 0.01, 0.01),
        ("done", 0.04, 0.03, 0.03),
        ("done", 0.04, 0.0, 0.0),
        ("done", 0.04, None, 0.04),
    ],
)
def test_what_counts_against_a_budget(state: str, estimate: float, cost: float | None, charged: float, now: datetime) -> None:
    assert entry(now, state=LedgerState(state), estimate_usd=estimate, cost_usd=cost).charged_usd == charged


@pytest.mark.parametrize(
    "wrong",
    [
        {"estimate_usd": -0.01},
        {"cost_usd": -1.0},
        {"cost_usd": float("nan")},
        {"estimate_usd": float("inf")},
        {"tokens_in": -1},
        {"seconds": -1.0},
        {"role": ""},
        {"state": "paid"},
    ],
)
def test_money_and_work_are_never_negative_or_nonsense(wrong: dict[str, object], now: datetime) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        entry(now, **wrong)


def entry(now: datetime, **more: object) -> LedgerEntry:
    fields = {
        "id": "1/image/1", "at": now, "persona": "mira", "post_id": 1, "role": "image", "provider": "replicate",
        "model": "flux-dev", "state": "intent",
    }  # fmt: skip
    return LedgerEntry.model_validate({**fields, **more})


# ---- publications --------------------------------------------------------------------------------------------------------


def test_a_publication_has_the_same_id_at_every_try(now: datetime) -> None:
    first = Publication(post_id=12, channel="folder", state=PublicationState.SENDING, at=now)
    receipt = Receipt(platform_id="12", url="file:///posts/12", at=now)
    second = first.model_copy(update={"state": PublicationState.PUBLISHED, "receipt": receipt})
    assert first.id == second.id == publication_id(12, "folder") == "pub-12-folder"
    assert publication_id(1, "x") != publication_id(11, "x")
    assert Publication.model_validate_json(second.model_dump_json()) == second


@pytest.mark.parametrize("channel", ["", "Folder", "../x", "a b"])
def test_a_channels_name_is_safe_in_a_path(channel: str, now: datetime) -> None:
    with pytest.raises(ValidationError, match="channel"):
        Publication(post_id=1, channel=channel, state=PublicationState.SENDING, at=now)


# ---- pictures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": 2**32},
        {"width": 63},
        {"height": 4097},
        {"steps": 0},
        {"steps": 201},
        {"lora_scale": 2.5},
        {"text": ""},
        {"trigger": "two words"},
    ],
)
def test_an_image_prompt_within_its_limits(wrong: dict[str, object]) -> None:
    fields = {"text": "a woman", "seed": 1, "width": 256, "height": 256}
    ImagePrompt.model_validate(fields)
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ImagePrompt.model_validate({**fields, **wrong})


@pytest.mark.parametrize(("media_type", "suffix"), [("image/png", ".png"), ("image/jpeg", ".jpg"), ("image/webp", ".webp")])
def test_a_files_name_follows_from_its_kind(media_type: str, suffix: str) -> None:
    assert MediaRef(sha256=HASH, media_type=media_type, width=1, height=1).suffix == suffix


@pytest.mark.parametrize("sha256", ["", "0F" * 32, "0f" * 31, "zz" * 32, "../" + "0f" * 31])
def test_a_hash_is_a_hash(sha256: str) -> None:
    with pytest.raises(ValidationError, match="sha256"):
        MediaRef(sha256=sha256, media_type="image/png", width=1, height=1)


def test_an_attempt_survives_the_store(attempt: Attempt) -> None:
    assert Attempt.model_validate_json(attempt.model_dump_json()) == attempt


# ---- training material ---------------------------------------------------------------------------------------------------


def test_a_dataset_says_where_each_picture_comes_from() -> None:
    reference = Reference(path="01.png", sha256=HASH, origin="pocket", licence="Apache-2.0", caption="mirelo, in a cafe")
    dataset = Dataset(persona="mira", trigger="mirelo", consent=Consent(fictional=True), references=(reference,))
    assert Dataset.model_validate_json(dataset.model_dump_json()) == dataset
    with pytest.raises(ValidationError, match="licence"):
        Reference.model_validate({**reference.model_dump(), "licence": ""})


def test_a_lora_has_a_rank() -> None:
    with pytest.raises(ValidationError, match="rank"):
        Lora(path="mira.safetensors", sha256=HASH, trigger="mirelo", base_model="pocket", rank=0)


# ---- the base ------------------------------------------------------------------------------------------------------------


def test_every_value_is_frozen_and_closed() -> None:
    def below(kind: type[Value]) -> set[type[Value]]:
        return {kind} | {found for child in kind.__subclasses__() for found in below(child)}

    kinds = {kind for kind in below(Value) if kind.__module__.startswith("zirelia.domain.")}
    assert len(kinds) > 25
    assert all(kind.model_config.get("frozen") and kind.model_config.get("extra") == "forbid" for kind in kinds)
