"""What every platform is told before anything is sent: a plan whose picture is no JPEG, or too large, goes nowhere.

check(plan, self.capabilities(), provider="instagram")      # ProviderRefused
made_from(plan)                                             # "5e1c0d…": the same for the same picture, text and alt text
"""

from __future__ import annotations

import hashlib

from zirelia.errors import ProviderRefused
from zirelia.ports import Capabilities, Plan


def check(plan: Plan, limits: Capabilities, *, provider: str) -> None:
    """Raises ProviderRefused."""
    if not plan.image.startswith(b"\xff\xd8\xff") or plan.media_type != "image/jpeg":
        raise ProviderRefused(f"a picture must be a JPEG, not {plan.media_type}", provider=provider)
    if len(plan.image) > limits.image_bytes_limit:
        raise ProviderRefused(f"the picture has {len(plan.image)} bytes, above {limits.image_bytes_limit}", provider=provider)


def made_from(plan: Plan) -> str:
    """Tells what was made of this plan from what was made of another one, such as before an edit: 16 hexadecimal digits."""
    # the picture before it was sealed: a signature has its own time in it
    attempt = plan.post.chosen_attempt
    picture = hashlib.sha256(plan.image).hexdigest() if attempt is None else attempt.image.sha256
    parts = (picture.encode(), plan.caption.encode(), plan.alt_text.encode())
    # lengths first, so that no part can pass for two
    return hashlib.sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).hexdigest()[:16]
