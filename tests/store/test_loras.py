"""The library: whole folders, cards that come back as they were, found by name and hash, and what verify says."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from zirelia.domain.choice import Fit
from zirelia.domain.lora_card import Brought, CardScores, ConsentSummary, LibraryCard, Trained
from zirelia.domain.persona import Consent
from zirelia.errors import Conflict, NotFound, StoreError
from zirelia.files import alone
from zirelia.store.lora_page import card_page
from zirelia.store.loras import LoraLibrary

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.fixture
def library(tmp_path):
    return LoraLibrary(tmp_path / "loras")


@pytest.fixture
def weights(tmp_path):
    def make(text="weights"):
        path = tmp_path / "x.safetensors"
        path.write_text(text)
        return path

    return make


def _card(path, name="mira", **changes):
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    fields = {"name": name, "trigger": "mirelo", "base_model": "pocket", "rank": 16, "sha256": sha256, "created": NOW}
    if "trained" not in changes:
        fields["brought"] = Brought(file="x.safetensors", sha256=sha256, changes=("2 layers were renamed",))
    return LibraryCard.model_validate(fields | changes)


def test_what_is_kept_comes_back(library, weights):
    path = weights()
    card = _card(
        path,
        brought=None,
        trained=Trained(dataset_sha256="a" * 64, images=24, step=300, plan='{"rank":16}'),
        licences=("CC0", "flux-1-dev-non-commercial"),
        generators=("pocket",),
        consent=ConsentSummary.of(Consent(fictional=True)),
        scores=CardScores(scale=0.8, identity=0.81, tenth=0.7, fit=Fit.GOOD, passed=True, because="earliest good"),
    )
    kept = library.add(card, path)
    assert kept.folder.name == f"mira-{card.sha256[:12]}"
    assert sorted(each.name for each in kept.folder.iterdir()) == ["card.json", "card.md", "lora.safetensors"]
    assert library.find("mira") == kept
    assert library.find(card.sha256[:6]) == kept
    assert library.find(card.folder) == kept
    assert library.verify() == ()
    lora = kept.lora()
    assert (lora.trigger, lora.rank, lora.sha256) == ("mirelo", 16, card.sha256)
    page = (kept.folder / "card.md").read_text()
    assert "median 0.810" in page
    assert "24 images, 300 steps" in page
    said = card.metadata()
    assert said["modelspec.license"] == "CC0; flux-1-dev-non-commercial"
    assert LibraryCard.model_validate_json(said["zirelia.card"]) == card


def test_the_newest_of_a_name_is_found_and_all_stay(library, weights):
    path = weights("one")
    old = library.add(_card(path), path)
    path = weights("two")
    new = library.add(_card(path, created=NOW + timedelta(days=1)), path)
    assert library.find("mira") == new
    assert library.find(old.card.sha256[:8]) == old
    assert library.all() == (new, old)


def test_the_same_weights_again_renew_the_card(library, weights):
    path = weights()
    library.add(_card(path), path)
    library.add(_card(path, licences=("CC0",)), path)
    assert [each.card.licences for each in library.all()] == [("CC0",)]


def test_what_is_not_there_is_named(library, weights):
    with pytest.raises(NotFound, match="there are: none"):
        library.find("mira")
    path = weights()
    library.add(_card(path), path)
    with pytest.raises(NotFound, match="there are: mira"):
        library.find("leo")


def test_triggers_of_all_but_one(library, weights):
    path = weights("one")
    library.add(_card(path), path)
    path = weights("two")
    library.add(_card(path, name="leo", trigger="leodra"), path)
    path = weights("three")
    library.add(_card(path, name="ink", trigger=None), path)
    assert library.triggers() == {"mirelo": "mira", "leodra": "leo"}
    assert library.triggers(but="mira") == {"leodra": "leo"}
    assert library.find("ink").lora().trigger == "notrigger"


def test_weights_that_are_not_the_cards_are_not_kept(library, weights):
    path = weights()
    with pytest.raises(StoreError, match="has the hash"):
        library.add(_card(path, sha256="0" * 64), path)
    with pytest.raises(StoreError, match="cannot be written"):
        library.add(_card(path), path.with_name("gone.safetensors"))
    assert library.all() == ()


def test_verify_names_what_is_wrong(library, weights, tmp_path):
    path = weights("one")
    changed = library.add(_card(path), path)
    changed.weights.write_text("other")
    path = weights("two")
    gone = library.add(_card(path), path)
    gone.weights.unlink()
    path = weights("three")
    damaged = library.add(_card(path), path)
    (damaged.folder / "card.json").write_text("{")
    (tmp_path / "loras" / "empty").mkdir()
    found = "\n".join(library.verify())
    assert len(library.verify()) == 4
    for said in ("has changed", "is missing", "card.json is damaged", "empty has no card.json"):
        assert said in found


def test_a_half_written_folder_of_a_killed_process_is_swept_and_never_listed(library, weights, tmp_path):
    part = tmp_path / "loras" / ".mira-123.77.part"
    part.mkdir(parents=True)
    (part / "lora.safetensors").write_text("half")
    assert library.all() == ()
    assert library.verify() == ()
    path = weights()
    library.add(_card(path), path)
    assert not part.exists()


def test_one_process_writes_at_a_time(library, weights, tmp_path):
    path = weights()
    (tmp_path / "loras").mkdir()
    with (
        alone(tmp_path / "loras" / ".lock", busy=lambda holder: AssertionError(holder)),
        pytest.raises(Conflict, match="writes to"),
    ):
        library.add(_card(path), path)


def test_the_page_holds_no_markup_of_others(weights):
    card = _card(weights(), licences=("<script>alert(1)</script> | *bold* [x](http://y)",))
    page = card_page(card)
    assert "<script>" not in page
    assert r"\| \*bold\* \[x\](http://y)" in page


def test_the_card_of_a_person_says_until_when(weights):
    consent = Consent(fictional=False, person="Ann", scope="posts", expires=date(2027, 1, 1), document_sha256="b" * 64)
    card = _card(weights(), consent=ConsentSummary.of(consent))
    assert "Ann, posts, until 2027-01-01" in card_page(card)
    assert "b" * 64 not in card.model_dump_json()


def test_a_card_has_one_origin(weights):
    with pytest.raises(ValidationError, match="one origin"):
        _card(weights(), brought=None)
