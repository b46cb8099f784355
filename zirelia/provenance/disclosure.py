"""The visible line that says a post is made with AI.

    disclosure_line(persona)                           # "Virtual character, made with AI."
    disclosure_line(persona, label_available=False)    # never None: without a platform's label the line stays

Knows nothing of captions or channels.
"""

from __future__ import annotations

from zirelia.domain.persona import Disclosure, Persona


def disclosure_line(persona: Persona, *, label_available: bool = True) -> str | None:
    """The line for the end of a caption, None when the persona has opted out with a recorded reason.

    Args:
        label_available: whether the channel has an AI label of its own. Where it has none, an opt-out does not count.
    """
    line = persona.disclosure.visible_line
    return line if line is not None or label_available else Disclosure().visible_line
