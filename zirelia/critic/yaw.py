"""How far a head is turned, from where six landmarks of the face lie in the picture.

    yaw(landmarks_68)       # degrees, 0 towards the camera, positive towards the picture's right

A rigid head, seen from so far that lines stay parallel, is fitted to the points by least squares; the lens and the shape of
the single face are unknown to it, so that it is right to some ten degrees. Beyond 60 degrees landmarks are guesses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HEAD = np.array(
    [[0, 0, 0], [0, -330, -65], [-225, 170, -135], [225, 170, -135], [-150, -150, -125], [150, -150, -125]], dtype=np.float64
)
"""A common head: tip of the nose, chin, outer corners of the eyes and of the mouth (the picture's left first); x to the
picture's right, y up, z towards the camera."""
OF_68 = (30, 8, 36, 45, 48, 54)
"""Where these six stand among the 68 landmarks of the usual order."""


def yaw(landmarks: NDArray[np.float64]) -> float | None:
    """Degrees from 68 points [68, 2] in pixels, y downwards; None when the points lie on one spot, a line, or nowhere."""
    points = np.asarray(landmarks, dtype=np.float64)[list(OF_68)] * (1.0, -1.0)
    if not np.isfinite(points).all():
        return None
    head = HEAD - HEAD.mean(axis=0)
    across, up = np.linalg.lstsq(head, points - points.mean(axis=0), rcond=None)[0].T
    size = float(np.linalg.norm(across)), float(np.linalg.norm(up))
    if min(size) < 1e-6 or float(np.linalg.norm(np.cross(across, up))) < 1e-3 * size[0] * size[1]:
        return None
    rows = np.stack([across / size[0], up / size[1]])
    # the nearest two directions at right angles
    left, _, right = np.linalg.svd(rows, full_matrices=False)
    across, up = left @ right
    towards = np.cross(across, up)
    return float(np.degrees(np.arctan2(across[2], towards[2])))
