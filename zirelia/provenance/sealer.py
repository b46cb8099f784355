"""The last step before a picture leaves: a JPEG that says what it is, signed. Implements `ports.Sealer`.

JpegSealer(Signer(lambda: own_certificate(home / "provenance"))).seal(png, post=post, persona=persona, limits=limits)
"""

from __future__ import annotations

from collections.abc import Callable

from zirelia.domain.persona import Persona
from zirelia.domain.post import Post
from zirelia.errors import MediaError
from zirelia.ports import Capabilities
from zirelia.provenance.jpeg import publishable_jpeg
from zirelia.provenance.manifest import LoraFacts, manifest, public_name
from zirelia.provenance.signing import Signer


class JpegSealer:
    """Writes the AI label, the caption and the alt text into a JPEG, always; there is no switch to leave the label out.

    Args:
        signer: signs what was made; without one the picture carries the label alone.
        known: what is known of a LoRA with that hash.
    """

    def __init__(
        self, signer: Signer | None = None, *, known: Callable[[str], LoraFacts | None] = lambda _sha256: None
    ) -> None:
        self._signer = signer
        self._known = known

    def seal(self, image: bytes, *, post: Post, persona: Persona, limits: Capabilities) -> bytes:
        """Raises MediaError when the picture cannot be made small enough, ConfigurationError for an unfit certificate."""
        made = attempt.provenance if (attempt := post.chosen_attempt) else None
        jpeg = publishable_jpeg(
            image,
            description=post.caption_for_reader(),
            alt_text=post.draft.alt_text if post.draft else "",
            creator=f"{persona.display_name}, a virtual character",
            ai_system=public_name(made.model) if made else "",
            ai_system_version=public_name(made.revision) if made else "",
            max_bytes=limits.image_bytes_limit - (self._signer.room if self._signer else 0),
            max_side=limits.image_side,
            aspects=limits.aspects,
        )
        if self._signer is None:
            return jpeg
        lora = self._known(made.lora_sha256) if made and made.lora_sha256 else None
        signed = self._signer.sign(jpeg, manifest(post, lora))
        if len(signed) > limits.image_bytes_limit:
            raise MediaError(
                f"signed, the picture has {len(signed)} bytes; {limits.image_bytes_limit} are taken",
                hint="sign with a shorter certificate chain",
            )
        return signed
