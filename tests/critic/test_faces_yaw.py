"""How far a head is turned, from landmarks that a camera made and from real photographs."""

from __future__ import annotations

import numpy as np
import pytest

from zirelia.critic.yaw import HEAD, OF_68, yaw


def seen(degrees: float, *, pitch: float = 0.0, roll: float = 0.0, noise: float = 0.0, camera: float = 3000.0):
    """68 landmarks of a head in front of a camera with perspective; `noise` in units of the head, which is 500 tall."""
    turn, nod, tilt = np.radians([degrees, pitch, roll])
    head = HEAD + np.random.default_rng(3).normal(0, noise, HEAD.shape)
    about_y = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
    about_z = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    points = head @ (about_z @ about_x @ about_y).T
    flat = points[:, :2] / (camera - points[:, 2:]) * 1000
    landmarks = np.zeros((68, 2))
    landmarks[list(OF_68)] = flat * (1, -1) + (320, 240)
    return landmarks


@pytest.mark.parametrize("degrees", range(-60, 61, 15))
@pytest.mark.parametrize(("pitch", "roll", "noise", "within"), [(0, 0, 0, 5), (10, 0, 0, 6), (0, 20, 0, 8), (5, 5, 12, 12)])
def test_the_yaw_of_a_head_before_a_camera(degrees, pitch, roll, noise, within):
    assert yaw(seen(degrees, pitch=pitch, roll=roll, noise=noise)) == pytest.approx(degrees, abs=within)


@pytest.mark.parametrize(
    "points",
    [np.zeros((68, 2)), np.full((68, 2), np.nan), np.arange(136, dtype=float).reshape(68, 2)],
    ids=["one spot", "not finite", "a line"],
)
def test_points_that_are_no_face(points):
    assert yaw(points) is None
