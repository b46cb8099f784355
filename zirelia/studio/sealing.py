"""Who signs the pictures that go out, and what is said of the weights that drew them.

    JpegSealer(signer(settings), known=known_loras(library, lambda: [pack.lora_path()]))
    trusted(settings)                   # the certificates that `zirelia verify` trusts
    key_file(settings)                  # what no backup holds

The user's certificate where the settings name one, else that of the home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from zirelia.domain.lora_card import LibraryCard
from zirelia.errors import ConfigurationError
from zirelia.files import sha256_of
from zirelia.provenance.certificate import PUBLIC, SECRET, Certificate, own_certificate, read_certificate
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


def key_file(settings: Settings) -> Path | None:
    """Where the key lies that signs; None while the home has none."""
    own = _folder(settings) / SECRET
    return settings.provenance.key or (own if own.is_file() else None)


def trusted(settings: Settings) -> tuple[str, ...]:
    """The user's certificate, the home's, and those that the settings name, in PEM; makes none.

    Raises ConfigurationError for a file that the settings name and that cannot be read.
    """
    named = [path for path in (settings.provenance.certificate, settings.provenance.known) if path]
    own = _folder(settings) / PUBLIC
    return tuple(_read(path) for path in (*named, *([own] if own.is_file() else [])))


def known_loras(library: LoraLibrary, worn: Callable[[], Iterable[Path | None]]) -> Callable[[str], LoraFacts | None]:
    """What the library's card says of a LoRA; for one that only lies in a pack, what its file says of itself.

    Args:
        worn: the weights of the packs at work, asked when they are needed.
    """

    def known(sha256: str) -> LoraFacts | None:
        for kept in library.all():
            if kept.card.sha256 == sha256:
                return _of_card(kept.card)
        files = (path for path in worn() if path is not None and path.is_file())
        return next((_of_file(path, sha256) for path in files if _hash(path) == sha256), None)

    return known


def _of_card(card: LibraryCard) -> LoraFacts:
    return LoraFacts(
        name=card.name,
        sha256=card.sha256,
        base_model=card.base_model,
        dataset_sha256=card.trained.dataset_sha256 if card.trained else None,
        step=card.trained.step if card.trained else None,
    )


def _of_file(path: Path, sha256: str) -> LoraFacts:
    said = read_header(path).metadata
    try:
        return LoraFacts(
            name=said.get("modelspec.title") or None,
            sha256=sha256,
            base_model=said.get("zirelia.base_model") or said.get("ss_base_model_version") or None,
            dataset_sha256=said.get("zirelia.dataset_sha256"),
        )
    except ValidationError:  # somebody else's file may say anything in these keys
        return LoraFacts(sha256=sha256)


def _hash(path: Path) -> str:
    state = path.stat()
    return _hash_of(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _hash_of(path: Path, changed: int, size: int) -> str:  # noqa: ARG001 - a file that was changed is another one
    return sha256_of(path)


def _folder(settings: Settings) -> Path:
    return settings.home / "provenance"


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not a PEM file that can be read", hint="see docs/provenance.md") from error
