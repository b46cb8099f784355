"""The library of LoRAs: each in a folder of its own, with its card for programs and for people.

    library = LoraLibrary(home / "loras")
    kept = library.add(card, weights=Path("run/step-300.safetensors"))
    library.find("mira").lora()            # by name (the newest), by folder, or by the beginning of its hash

    loras/mira-1f0c52d3a0b1/
      lora.safetensors      the weights, in our own layout
      card.json             the card
      card.md               the same for people

Folders appear whole; nothing is ever removed. Knows nothing of tensors and base models.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from zirelia.definitions.complaints import near_miss
from zirelia.domain.lora import Lora
from zirelia.domain.lora_card import LibraryCard
from zirelia.errors import Conflict, NotFound, StoreError
from zirelia.files import alone, make_private_folder, sha256_of, sweep, whole_file, whole_folder
from zirelia.store.lora_page import card_page

WEIGHTS, CARD, PAGE = "lora.safetensors", "card.json", "card.md"
_LOCK = ".lock"
_HASH = re.compile(r"[0-9a-f]{4,64}")
_NO_TRIGGER = "notrigger"


@dataclass(frozen=True)
class KeptLora:
    """One LoRA of the library."""

    folder: Path
    card: LibraryCard

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    def lora(self) -> Lora:
        """The weights to draw with. A style without a trigger gets a word that stands in no prompt."""
        return Lora(
            path=str(self.weights),
            sha256=self.card.sha256,
            trigger=self.card.trigger or _NO_TRIGGER,
            base_model=self.card.base_model,
            rank=self.card.rank,
        )


class LoraLibrary:
    """Args: root: the folder; made when something is added. All errors of the file system are StoreErrors."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, card: LibraryCard, weights: Path) -> KeptLora:
        """Copies the weights in and writes the card; the same weights under the same name again only renew the card.

        Raises StoreError when the weights are not those of the card, Conflict while another process adds.
        """
        folder = self._root / card.folder
        with self._writing():
            if (folder / WEIGHTS).is_file() and sha256_of(folder / WEIGHTS) == card.sha256:
                _write_card(folder, card)
                return KeptLora(folder, card)
            with whole_folder(folder) as part:
                shutil.copyfile(weights, part / WEIGHTS)
                found = sha256_of(part / WEIGHTS)
                if found != card.sha256:
                    raise StoreError(
                        f"{weights} has the hash {found[:12]}, its card says {card.sha256[:12]}",
                        hint="was it replaced meanwhile?",
                    )
                _write_card(part, card)
        return KeptLora(folder, card)

    def all(self) -> tuple[KeptLora, ...]:
        """Newest first. Folders without a readable card are left out; `verify` names them."""
        kept = [one for folder in self._folders() if isinstance(one := _read(folder), KeptLora)]
        return tuple(sorted(kept, key=lambda one: (one.card.created, one.folder.name), reverse=True))

    def find(self, wanted: str) -> KeptLora:
        """By name (the newest of that name), by folder, or by four or more digits of the hash. Raises NotFound."""
        kept = self.all()
        for each in kept:
            if wanted in {each.card.name, each.card.folder}:
                return each
        if _HASH.fullmatch(wanted):
            alike = [each for each in kept if each.card.sha256.startswith(wanted)]
            if len({each.card.sha256 for each in alike}) == 1:
                return alike[0]
            if alike:
                raise NotFound(f"{len(alike)} LoRAs have a hash that begins {wanted}", hint="give more digits")
        names = ", ".join(dict.fromkeys(each.card.name for each in kept)) or "none"
        near = near_miss(wanted, [each.card.name for each in kept])
        raise NotFound(f"there is no LoRA '{wanted}' in {self._root}{near}", hint=f"there are: {names}; see zirelia lora list")

    def triggers(self, *, but: str | None = None) -> dict[str, str]:
        """Trigger → the name of the newest LoRA with it. `but` leaves out those of one persona or name."""
        kept = [each.card for each in self.all() if but is None or but not in {each.card.name, each.card.persona}]
        return {card.trigger: card.name for card in reversed(kept) if card.trigger}

    def verify(self, *, hashes: bool = True) -> tuple[str, ...]:
        """What is wrong with the library, one line each; empty when every file is the one that its card names.

        Without `hashes` no weights are read, which takes no time and finds only what is missing or cannot be read.
        """
        found = []
        for folder in self._folders():
            kept = _read(folder)
            if isinstance(kept, str):
                found.append(kept)
            elif not kept.weights.is_file():
                found.append(f"{kept.weights} is missing")
            elif hashes and (actual := sha256_of(kept.weights)) != kept.card.sha256:
                found.append(
                    f"{kept.weights} has changed: its hash begins {actual[:12]}, the card says {kept.card.sha256[:12]}"
                )
            elif folder.name != kept.card.folder:
                found.append(f"{folder} is the folder of {kept.card.folder}")
        return tuple(found)

    def _folders(self) -> list[Path]:
        try:
            return sorted(path for path in self._root.iterdir() if path.is_dir() and not path.name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"the LoRA library {self._root} cannot be read: {error.strerror or error}") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        def busy(holder: str) -> Conflict:
            return Conflict(f"another process ({holder}) writes to the LoRA library {self._root}", hint="try again")

        try:
            make_private_folder(self._root)
            with alone(self._root / _LOCK, busy=busy):
                sweep(self._root)
                yield
        except OSError as error:
            raise StoreError(
                f"the LoRA library {self._root} cannot be written: {error.strerror or error}", hint="check its disk and owner"
            ) from error


def _write_card(folder: Path, card: LibraryCard) -> None:
    for name, text in ((PAGE, card_page(card)), (CARD, card.model_dump_json(indent=2) + "\n")):
        with whole_file(folder / name) as part:
            part.write_text(text, encoding="utf-8")


def _read(folder: Path) -> KeptLora | str:
    """The LoRA in the folder, or what is wrong with its card."""
    try:
        return KeptLora(folder, LibraryCard.model_validate_json((folder / CARD).read_bytes()))
    except FileNotFoundError:
        return f"{folder} has no {CARD}"
    except OSError as error:
        return f"{folder / CARD} cannot be read: {error.strerror or error}"
    except ValidationError as error:
        return f"{folder / CARD} is damaged: {error.errors()[0]['msg']}"
