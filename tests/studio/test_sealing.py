"""Who signs, whom `zirelia verify` trusts, and what is said of the weights that drew a picture."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from zirelia.definitions.personas import load_persona
from zirelia.domain.lora import Lora
from zirelia.domain.lora_card import LibraryCard, Trained
from zirelia.errors import ConfigurationError
from zirelia.files import sha256_of
from zirelia.provenance.manifest import LoraFacts
from zirelia.settings import Settings
from zirelia.settings.tree import ProvenanceSettings
from zirelia.store.loras import LoraLibrary
from zirelia.studio.sealing import known_loras, signer, trusted


@pytest.fixture
def worn() -> Lora:
    path = load_persona("mira").lora_path()
    assert path is not None
    return Lora(path=str(path), sha256=sha256_of(path), trigger="mirelo", base_model="flux-2x4x192", rank=16)


def test_a_lora_of_a_pack_says_what_its_file_says(worn: Lora, tmp_path: Path) -> None:
    facts = known_loras(LoraLibrary(tmp_path / "none"), worn)(worn.sha256)
    assert facts is not None
    assert (facts.name, facts.base_model, facts.sha256) == ("mira", "pocket-flux", worn.sha256)
    assert facts.dataset_sha256 is not None
    assert known_loras(LoraLibrary(tmp_path / "none"), worn)("0" * 64) is None
    assert known_loras(LoraLibrary(tmp_path / "none"), None)(worn.sha256) is None


def test_the_librarys_card_is_asked_first_and_knows_older_loras(worn: Lora, tmp_path: Path) -> None:
    library = LoraLibrary(tmp_path / "loras")
    trained = Trained(dataset_sha256="ab" * 32, images=30, step=450, plan="{}")
    card = LibraryCard(
        name="mira-2",
        base_model="flux",
        rank=16,
        sha256=worn.sha256,
        created=datetime(2026, 11, 20, tzinfo=UTC),
        trained=trained,
    )
    library.add(card, Path(worn.path))
    expected = LoraFacts(name="mira-2", sha256=worn.sha256, base_model="flux", dataset_sha256="ab" * 32, step=450)
    assert known_loras(library, None)(worn.sha256) == known_loras(library, worn)(worn.sha256) == expected


def test_the_home_is_trusted_from_its_first_signature_on(home: Path) -> None:
    settings = Settings(home=home / "home")
    assert trusted(settings) == ()
    made = signer(settings).certificate
    assert trusted(settings) == (made.chain,)


def test_what_the_settings_name_is_trusted_or_refused(home: Path) -> None:
    theirs = home / "theirs.pem"
    settings = Settings(home=home / "home", provenance=ProvenanceSettings(known=theirs))
    with pytest.raises(ConfigurationError, match=r"theirs\.pem is not a PEM file"):
        trusted(settings)
    theirs.write_text(signer(Settings(home=home / "other")).certificate.chain)
    assert trusted(settings) == (theirs.read_text(),)
