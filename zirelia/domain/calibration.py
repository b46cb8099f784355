"""Where the line between one persona and everybody else lies, as it was measured, with its error rates.

    calibration.line(yaw=40.0)         # the cosine from which a head turned by 40 degrees counts as the persona

Knows neither pictures nor the embedder that made the numbers.
"""

from __future__ import annotations

from pydantic import Field

from zirelia.domain.value import Text, Value

USELESS = 0.5
"""When more than this share of the references would be refused, the embedder cannot tell this persona from others."""
FRONTAL = 20.0
"""Degrees up to which a head looks at the camera."""


class YawLine(Value):
    """A laxer line for heads turned by at least `yaw` degrees to either side; `n` references were measured there."""

    yaw: float = Field(ge=FRONTAL, le=180)
    threshold: float
    n: int = Field(ge=0)


class Calibration(Value):
    """threshold: cosine to the middle of the references from which a picture counts as the persona, for a head that looks at
    the camera.

    embedder: its name and version. floor: the embedder's own threshold, for people in general. false_accept: share of
    impostors at or above the threshold (None without impostors); false_reject: share of references below it, each measured
    against the middle of the others (None for a single reference). n and impostors: how many of each were measured.
    """

    embedder: Text
    threshold: float
    floor: float = 0.0
    false_accept: float | None = Field(default=None, ge=0, le=1)
    false_reject: float | None = Field(default=None, ge=0, le=1)
    n: int = Field(ge=1)
    impostors: int = Field(default=0, ge=0)
    turned: tuple[YawLine, ...] = ()

    @property
    def separates(self) -> bool:
        """Whether the embedder knows this persona apart from others at all."""
        return self.false_reject is None or self.false_reject <= USELESS

    def line(self, yaw: float | None = None) -> float:
        """The threshold for a head turned by `yaw` degrees; the strict one when nobody knows the yaw."""
        lines = [turned for turned in self.turned if yaw is not None and abs(yaw) >= turned.yaw]
        return min([self.threshold, *(turned.threshold for turned in lines)])
