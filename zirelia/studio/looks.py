"""The looks instrument, for illustrated personas only, and loaded when the first picture is judged.

    CriticPanel([IllustratedLooks(), ...])

The encoder knows the drawn world; what it would say of a photograph is not worth hearing, so it says nothing and the panel
leaves the criteria unchecked, whichever persona the settings name. Opening a queue loads no encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

from zirelia.domain.persona import Kind
from zirelia.domain.verdict import Criterion, Finding
from zirelia.ports import Exhibit
from zirelia.studio import adapters


class IllustratedLooks:
    """Implements `ports.Instrument` around the one of `adapters.looks`."""

    name = "looks"
    criteria = frozenset({Criterion.IDENTITY, Criterion.SUBJECTS, Criterion.FRAMING, Criterion.BRIEF, Criterion.LOOK})

    def examine(self, exhibit: Exhibit) -> Sequence[Finding]:
        """Nothing for a photographic persona; otherwise what the instrument measures, and what it raises."""
        return adapters.looks().examine(exhibit) if exhibit.persona.kind is Kind.ILLUSTRATED else ()
