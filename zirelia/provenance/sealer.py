"""The last step before a picture leaves: a JPEG that says what it is. Implements `ports.Sealer`."""

from __future__ import annotations

from zirelia.domain.persona import Persona
from zirelia.domain.post import Post
from zirelia.ports import Capabilities
from zirelia.provenance.jpeg import publishable_jpeg


class JpegSealer:
    """Writes the AI label, the caption and the alt text into a JPEG, always; there is no switch to leave the label out."""

    def seal(self, image: bytes, *, post: Post, persona: Persona, limits: Capabilities) -> bytes:
        """Raises MediaError when the picture cannot be made small enough."""
        return publishable_jpeg(
            image,
            description=post.caption_for_reader(),
            alt_text=post.draft.alt_text if post.draft else "",
            creator=f"{persona.display_name}, a virtual character",
            max_bytes=limits.image_bytes_limit,
            max_side=limits.image_side,
            aspects=limits.aspects,
        )
