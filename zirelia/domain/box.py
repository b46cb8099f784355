"""A part of a picture: where a face, a hand or a defect is.

    Box(left=0.3, top=0.1, right=0.6, bottom=0.5)

In shares of the picture, so that it holds at every size.
"""

from __future__ import annotations

from pydantic import Field

from zirelia.domain.value import Value


class Box(Value):
    """A rectangle in a picture, in shares of its width and height (0-1): the subject, or its face."""

    left: float = Field(ge=0, le=1)
    top: float = Field(ge=0, le=1)
    right: float = Field(ge=0, le=1)
    bottom: float = Field(ge=0, le=1)

    @property
    def area(self) -> float:
        """Its share of the picture; 0 for one whose sides are the wrong way round."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)
