"""Nobody's likeness is drawn or published without a consent that is valid today, by the persona's own calendar.

    check_consent(kit, subject)      # nothing, or ConsentRequired; a Persona will do in the subject's place

Knows no documents, only the day on which a consent ends.
"""

from __future__ import annotations

from zirelia.domain.persona import Persona
from zirelia.errors import ConsentRequired
from zirelia.workflow.kit import Books, Subject


def check_consent(kit: Books, whom: Subject | Persona) -> None:
    """Raises ConsentRequired when the consent for a real person's likeness has ended."""
    persona = whom if isinstance(whom, Persona) else whom.persona
    if not persona.consent.valid_on(kit.now().astimezone(persona.cadence.zone).date()):
        raise ConsentRequired(
            f"the consent for {persona.consent.person}'s likeness ended on {persona.consent.expires}",
            hint=f"record a new consent in the pack of '{persona.name}'",
        )
