"""The file that goes out, with what it says of itself."""

from __future__ import annotations

from typing import Protocol

from zirelia.domain.persona import Persona
from zirelia.domain.post import Post
from zirelia.ports.channels import Capabilities


class Sealer(Protocol):
    """Makes the file that goes out: the right format and size, with what it is written into it."""

    def seal(self, image: bytes, *, post: Post, persona: Persona, limits: Capabilities) -> bytes:
        """A JPEG that the channel takes, and that says in its metadata that an AI made it. Raises MediaError when it cannot be
        made small enough.
        """
        ...
