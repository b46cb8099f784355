"""Who signs the pictures that go out, and what is said of the weights that drew them.

    JpegSealer(signer(settings), known=known_loras(library, subject.lora))
    trusted(settings)                   # the certificates that `zirelia verify` trusts

The user's certificate where the settings name one, else that of the home.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from zirelia.domain.lora import Lora
from zirelia.domain.lora_card import LibraryCard
from zirelia.errors import ConfigurationError
from zirelia.provenance.certificate import PUBLIC, Certificate, own_certificate, read_certificate
from zirelia.provenance.manifest import LoraFacts
from zirelia.provenance.signing import Signer
from zirelia.safetensors_header import read_header

if TYPE_CHECKING:
    from zirelia.settings import Settings
    from zirelia.store.loras import LoraLibrary


def signer(settings: Settings) -> Signer:
    """Reads, or makes, the certificate when the first picture is signed."""

    def certificate() -> Certificate:
        chain, key = settings.provenance.certificate, settings.provenance.key
        return read_certificate(chain, key) if chain and key else own_certificate(_folder(settings))

    return Signer(certificate)


def trusted(settings: Settings) -> tuple[str, ...]:
    """The user's certificate, the home's, and those that the settings name, in PEM; makes none.

    Raises ConfigurationError for a file that the settings name and that cannot be read.
    """
    named = [path for path in (settings.provenance.certificate, settings.provenance.known) if path]
    own = _folder(settings) / PUBLIC
    return tuple(_read(path) for path in (*named, *([own] if own.is_file() else [])))


def known_loras(library: LoraLibrary, worn: Lora | None) -> Callable[[str], LoraFacts | None]:
    """What the library's card says of a LoRA; for one that only lies in the pack, what its file says of itself."""

    def known(sha256: str) -> LoraFacts | None:
        for kept in library.all():
            if kept.card.sha256 == sha256:
                return _of_card(kept.card)
        return _of_file(worn) if worn is not None and worn.sha256 == sha256 else None

    return known


def _of_card(card: LibraryCard) -> LoraFacts:
    return LoraFacts(
        name=card.name,
        sha256=card.sha256,
        base_model=card.base_model,
        dataset_sha256=card.trained.dataset_sha256 if card.trained else None,
        step=card.trained.step if card.trained else None,
    )


def _of_file(lora: Lora) -> LoraFacts:
    said = read_header(Path(lora.path)).metadata
    try:
        return LoraFacts(
            name=said.get("modelspec.title") or None,
            sha256=lora.sha256,
            base_model=said.get("zirelia.base_model") or lora.base_model,
            dataset_sha256=said.get("zirelia.dataset_sha256"),
        )
    except ValidationError:  # somebody else's file may say anything in these keys
        return LoraFacts(sha256=lora.sha256, base_model=lora.base_model)


def _folder(settings: Settings) -> Path:
    return settings.home / "provenance"


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not a PEM file that can be read", hint="see docs/provenance.md") from error
