"""What the questions about one picture may take: seconds and dollars, and when to stop asking.

    allowance = Allowance(seconds=240, most_usd=0.02, paid=True)
    allowance.refusal(dearest=0.003)     # "" while another call of that price fits, else the reason to stop
    allowance.spend(0.0025)

A call is taken to cost as much as the dearest of its kind so far; the first of all has nothing to go by. Asks nobody.
"""

from __future__ import annotations

import time

from zirelia.errors import ConfigurationError


class Allowance:
    """For one picture.

    Args:
        seconds: after which no further question is asked. most_usd: dollars in all; None for no limit. paid: whether
            answers cost money at all. spent: dollars that went into earlier questions about the same picture.

    Raises ConfigurationError for a limit below zero.
    """

    def __init__(self, *, seconds: float, most_usd: float | None = None, paid: bool = True, spent: float = 0.0) -> None:
        checked_limits(seconds, most_usd)
        self._seconds, self._most, self._paid = seconds, most_usd, paid
        self._deadline = time.perf_counter() + seconds
        self._stopped = ""
        self.spent = spent

    def refusal(self, dearest: float) -> str:
        """Why the next call, which may cost `dearest` dollars, must not be made; empty when it may."""
        if not self._stopped and time.perf_counter() >= self._deadline:
            self._stopped = f"{self._seconds:g} s had passed"
        if self._stopped:
            return self._stopped
        if self._most is not None and self._paid and (self.spent >= self._most or self.spent + dearest > self._most):
            # not a stop: a cheaper kind of call may still fit
            return f"it would cost more than ${self._most:g} for one picture"
        return ""

    def spend(self, dollars: float) -> None:
        self.spent += dollars

    def stop(self, reason: str) -> None:
        """No further call is made, for a reason that the next one would meet too."""
        self._stopped = self._stopped or reason


def checked_limits(seconds: float, most_usd: float | None) -> None:
    """Raises ConfigurationError for limits that make no sense."""
    if not seconds >= 0:
        raise ConfigurationError("the vision model's time limit for a picture must not be below zero seconds")
    if most_usd is not None and not most_usd >= 0:
        raise ConfigurationError(
            "what the vision model may cost for one picture must not be below zero",
            hint="leave it out for no limit of its own; the budgets hold all the same",
        )
