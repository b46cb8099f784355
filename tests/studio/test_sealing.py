"""Who signs, whom `zirelia verify` trusts, and what is said of the weights that drew a picture."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from zirelia.definitions.personas import load_persona
from zirelia.domain.lora_card import LibraryCard, Trained
from zirelia.errors import ConfigurationError
from zirelia.files import sha256_of
from zirelia.provenance.manifest import LoraFacts
from zirelia.settings import Settings
from zirelia.settings.tree import ProvenanceSettings
from zirelia.store.loras import LoraLibrary
from zirelia.studio.sealing import known_loras, signer, trusted


@pytest.fixture
def worn() -> Path:
    path = load_persona("mira").lora_path()
    assert path is not None
    return path


def test_a_lora_of_a_pack_says_what_its_file_says(worn: Path, tmp_path: Path) -> None:
    library, sha256 = LoraLibrary(tmp_path / "none"), sha256_of(worn)
    facts = known_loras(library, lambda: [None, tmp_path / "gone.safetensors", worn])(sha256)
    assert facts is not None
    assert (facts.name, facts.base_model, facts.sha256) == ("mira", "pocket-flux", sha256)
    assert facts.dataset_sha256 is not None
    assert known_loras(library, lambda: [worn])("0" * 64) is None
    assert known_loras(library, list)(sha256) is None


def test_the_librarys_card_is_asked_first_and_knows_older_loras(worn: Path, tmp_path: Path) -> None:
    library, sha256 = LoraLibrary(tmp_path / "loras"), sha256_of(worn)
    trained = Trained(dataset_sha256="ab" * 32, images=30, step=450, plan="{}")
    made = datetime(2026, 11, 20, tzinfo=UTC)
    library.add(LibraryCard(name="mira-2", base_model="flux", rank=16, sha256=sha256, created=made, trained=trained), worn)
    expected = LoraFacts(name="mira-2", sha256=sha256, base_model="flux", dataset_sha256="ab" * 32, step=450)
    assert known_loras(library, list)(sha256) == known_loras(library, lambda: [worn])(sha256) == expected


def test_a_studio_knows_the_loras_of_the_packs_that_it_opened(home: Path) -> None:
    from zirelia.studio import open_studio

    with open_studio(settings=Settings(home=home / "home")) as studio:
        studio.persona("mira")
        (path,) = studio._weights()
        assert path == load_persona("mira").lora_path()


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
