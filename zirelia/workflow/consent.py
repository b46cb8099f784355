"""Nobody's likeness is drawn or published without a consent that is valid today, by the persona's own calendar.

    check_consent(kit, subject)      # nothing, or ConsentRequired

Knows no documents, only the day on which a consent ends.
"""

from __future__ import annotations

from zirelia.errors import ConsentRequired
from zirelia.workflow.kit import Kit, Subject


def check_consent(kit: Kit, subject: Subject) -> None:
    """Raises ConsentRequired when the consent for a real person's likeness has ended."""
    persona = subject.persona
    if not persona.consent.valid_on(kit.now().astimezone(persona.cadence.zone).date()):
        raise ConsentRequired(
            f"the consent for {persona.consent.person}'s likeness ended on {persona.consent.expires}",
            hint=f"record a new consent in the pack of '{persona.name}'",
        )
