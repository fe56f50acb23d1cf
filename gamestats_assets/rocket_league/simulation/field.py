"""The field on which simulated matches of Rocket League are played: its walls, and where cars and boost begin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDE, GOAL_Y, HIGH, CORNER = 4096.0, 5120.0, 2044.0, 8064.0
"""Side walls, goal lines and ceiling; what stands in a corner has as much of both together at most."""
POST, BAR = 892.755, 642.775
"""Half of a goal's width, and its height; it is 880 deep."""
SPAWNS = np.array([(-2048, -2560), (2048, -2560), (-256, -3840), (256, -3840), (0, -4608)], float)
"""Where blue's cars may stand at a kick-off; orange's mirror them."""
BACK = np.array([(-2304, -4608), (-2688, -4608), (2304, -4608), (2688, -4608)], float)
"""Where blue's cars are back after a demolition."""
_PAD_ROWS = (
    (4240, (0,)), (4184, (-1792, 1792)), (4096, (-3072, 3072)), (3308, (-940, 940)), (2816, (0,)),
    (2484, (-3584, 3584)), (2300, (-1788, 1788)), (1036, (-2048, 2048)), (1024, (0,)), (0, (-3584, -1024, 1024, 3584)),
)  # fmt: skip
PADS = np.array(sorted({(x, s * y) for y, xs in _PAD_ROWS for x in xs for s in (1, -1)}), float)
"""Boost pads: x and y."""
BIG = np.array([(abs(x), abs(y)) in {(3072.0, 4096.0), (3584.0, 0.0)} for x, y in PADS.tolist()])
"""Which of them are big ones."""


def pad(number: int) -> tuple[float, float, bool]:
    """Place of a boost pad across and along the field, and whether it is a big one."""
    return float(PADS[number, 0]), float(PADS[number, 1]), bool(BIG[number])


def keep_inside(at: Floats, v: Floats, radius: float, bounce: float) -> None:
    """Walls, corners, ceiling and goals: what would pass them comes back with a part of its speed."""
    wide, long = np.abs(at[..., 0]), np.abs(at[..., 1])
    near = (wide > WIDE - radius) | (long > GOAL_Y - radius) | (at[..., 2] > HIGH - radius)
    near |= wide + long > CORNER - radius * 2**0.5
    if near.any():
        at[near], v[near] = _inside(at[near], v[near], radius, bounce)


def _inside(at: Floats, v: Floats, radius: float, bounce: float) -> tuple[Floats, Floats]:
    x, y, z = at[..., 0], at[..., 1], at[..., 2]
    mouth = (np.abs(x) < POST - radius * 0.4) & (z < BAR - radius * 0.4)
    # A car that is behind the line stays between the posts and below the bar; the ball is a goal there.
    mouth |= (np.abs(y) > GOAL_Y + 40) & (bounce == 0)
    in_goal = np.abs(y) > GOAL_Y - radius
    limits = ((0, np.where(in_goal & mouth, POST - radius * 0.4, WIDE - radius)),
              (1, np.where(mouth, GOAL_Y + 880 - radius, GOAL_Y - radius)))  # fmt: skip
    for axis, limit in limits:
        beyond = np.abs(at[..., axis]) > limit
        sign = np.sign(at[..., axis])
        at[..., axis] = np.where(beyond, sign * limit, at[..., axis])
        v[..., axis] = np.where(beyond & (v[..., axis] * sign > 0), -bounce * v[..., axis], v[..., axis])
    top = np.where((np.abs(y) > GOAL_Y + 40) & (bounce == 0), BAR, HIGH) - radius
    high = z > top
    at[..., 2] = np.where(high, top, z)
    v[..., 2] = np.where(high & (v[..., 2] > 0), -bounce * v[..., 2], v[..., 2])
    sx, sy = np.sign(x), np.sign(y)
    over = np.abs(x) + np.abs(y) - (CORNER - radius * 2**0.5)
    cuts = (over > 0) & ~(in_goal & mouth)
    at[..., 0] -= np.where(cuts, sx * over / 2, 0.0)
    at[..., 1] -= np.where(cuts, sy * over / 2, 0.0)
    out = (v[..., 0] * sx + v[..., 1] * sy) / 2
    back = np.where(cuts & (out > 0), (1 + bounce) * out, 0.0)
    v[..., 0] -= sx * back
    v[..., 1] -= sy * back
    return at, v
