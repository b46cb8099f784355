"""The embedded channel: a publication is three files in a folder.

    receipt = FolderChannel(home / "outbox").submit(plan, sending)
    # pub-1-folder.jpg  pub-1-folder.json  pub-1-folder.receipt.json

The receipt is written last and is the proof. A process that dies before it has published nothing, and a repeat finishes the
work; after it, a repeat changes no byte. Knows nothing of stores or of how the picture was labelled.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from zirelia.domain.publication import Receipt
from zirelia.errors import ProviderError, ProviderRefused
from zirelia.files import write_atomically
from zirelia.ports import BackendFacts, Capabilities, Measured, Plan, Sending, Uncertain

_SAFE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_CAPABILITIES = Capabilities(
    caption_limit=2200, hashtag_limit=30, alt_text_limit=1000, image_bytes_limit=8_000_000, ai_label=True
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FolderChannel:
    """Implements ports.Channel. One folder may be written by many processes.

    Args:
        outbox: created with mode 0700 when missing.
        now: the clock of the receipts.
    """

    def __init__(self, outbox: Path, *, now: Callable[[], datetime] = _utc_now) -> None:
        self.outbox = outbox.absolute()
        self._now = now

    @property
    def name(self) -> str:
        return "folder"

    @property
    def settles_after(self) -> float:
        return 0.0

    def facts(self) -> BackendFacts:
        return BackendFacts("folder", "files", local=True, paid=False, details={"outbox": str(self.outbox)})

    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    def submit(self, plan: Plan, sending: Sending) -> Receipt | Uncertain:  # noqa: ARG002
        """Writes picture, JSON and receipt. Raises ProviderRefused for a plan that can never be written."""
        identity = self._checked(plan.publication_id)
        sidecar = self._sidecar(plan, identity)
        try:
            with self._alone():
                try:
                    first = self._published(identity)
                except ProviderError as error:
                    return Uncertain(because=error.message)
                if first is not None:
                    return first
                self._write(f"{identity}.jpg", plan.image)
                self._write(f"{identity}.json", sidecar)
                return self._prove(identity, plan.image, sidecar)
        except OSError as error:
            raise ProviderError(
                f"{error.filename or self.outbox} cannot be written: {error.strerror}",
                provider=self.name,
                hint="check the outbox folder's permissions and free space, then post again",
            ) from error

    def reconcile(self, plan: Plan, sending: Sending) -> Receipt | None:  # noqa: ARG002
        """The receipt that lies there. A file that was deleted or edited later does not undo a publication."""
        return self._published(self._checked(plan.publication_id))

    def measure(self, receipt: Receipt) -> Measured | None:  # noqa: ARG002
        """Nobody looks into a folder."""
        return None

    def _published(self, publication_id: str) -> Receipt | None:
        path = self._proof(publication_id)
        try:
            return Receipt.model_validate(json.loads(path.read_bytes())["receipt"])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ProviderError(f"{path} cannot be read: {error.strerror}", provider=self.name) from error
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise ProviderError(
                f"{path} is not a receipt that can be read",
                provider=self.name,
                hint="look whether the picture beside it went out; remove the receipt to publish again",
            ) from error

    def _checked(self, publication_id: str) -> str:
        if not _SAFE_ID.fullmatch(publication_id):
            raise ProviderRefused(f"'{publication_id}' is not safe as a file name", provider=self.name)
        return publication_id

    def _sidecar(self, plan: Plan, identity: str) -> bytes:
        """Everything about the post that a person, or another program, needs beside the picture."""
        if not plan.image.startswith(b"\xff\xd8\xff") or plan.media_type != "image/jpeg":
            raise ProviderRefused(f"a picture must be a JPEG, not {plan.media_type}", provider=self.name)
        if len(plan.image) > _CAPABILITIES.image_bytes_limit:
            raise ProviderRefused(
                f"the picture has {len(plan.image)} bytes, above {_CAPABILITIES.image_bytes_limit}", provider=self.name
            )
        attempt = plan.post.chosen_attempt
        card = {
            "publication_id": identity,
            "post_id": plan.post.id,
            "persona": plan.post.persona,
            "due": plan.post.due.isoformat(),
            "caption": plan.caption,
            "alt_text": plan.alt_text,
            "ai_generated": True,
            "disclosure": plan.post.disclosure,
            "image": {"file": f"{identity}.jpg", "sha256": _sha256(plan.image), "bytes": len(plan.image)},
            "provenance": None if attempt is None else attempt.provenance.model_dump(mode="json"),
            "more": plan.sidecar,
        }
        try:
            return json.dumps(card, ensure_ascii=False, indent=1, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise ProviderRefused(f"the post cannot be written as JSON: {error}", provider=self.name) from error

    def _prove(self, identity: str, image: bytes, sidecar: bytes) -> Receipt | Uncertain:
        """Writes the receipt: from here on the post is published."""
        receipt = Receipt(platform_id=identity, url=(self.outbox / f"{identity}.jpg").as_uri(), at=self._now())
        proof = {
            "receipt": receipt.model_dump(mode="json"),
            "sha256": {f"{identity}.jpg": _sha256(image), f"{identity}.json": _sha256(sidecar)},
        }
        try:
            self._write(self._proof(identity).name, json.dumps(proof, indent=1).encode())
        except OSError as error:
            if self._proof(identity).exists():
                return Uncertain(because=f"the receipt is written, but may not survive a power cut: {error.strerror}")
            raise
        return receipt

    def _proof(self, identity: str) -> Path:
        return self.outbox / f"{identity}.receipt.json"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, over all processes; the kernel releases the lock of one that dies."""
        self.outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.outbox / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for part in self.outbox.glob(".part-*"):  # left by a writer that died; a living one would hold the lock
                part.unlink()
            yield
        finally:
            os.close(handle)

    def _write(self, name: str, data: bytes) -> None:
        write_atomically(self.outbox / name, data, temporary_folder=self.outbox)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
