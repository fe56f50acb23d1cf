"""The two circles of a match as exact functions of time: the harmful blue one, and the white one it shrinks to."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from gamestats_assets.simulators.pubg.world import SHIFT_PERCENTILES, Rules

Floats = npt.NDArray[np.float64]

_NEAREST_TO_EDGE = 0.145
"""Smallest distance of a first circle from the map's edge, as a share of the map's side."""
_IN_PLANE = 0.10000000149011612
"""`isGame` in the plane, widened from single precision as in files."""


class Circles:
    """Units are metres and seconds. Centre and radius move linearly while the blue circle shrinks.

    Attributes:
        whites: x, y and radius of each white circle, after the first blue one.
        spans: when each phase shows its circle, starts shrinking, and has shrunk.
    """

    def __init__(self, rules: Rules, side: float, flight_end: float, rng: np.random.Generator) -> None:
        last = np.array([side / 2, side / 2, rules.first_radius_m])
        self.whites = [last]
        self.spans: list[tuple[float, float, float]] = []
        moments, blues = [-1000.0], [last]
        none, damage = np.zeros(3), 0.0
        states = [(-1000.0, 0.0, 0.0, none), (0.0, _IN_PLANE, 0.0, none), (flight_end, 0.5, 0.0, none)]
        shown = rules.delay_s
        for phase, radius in enumerate(rules.radii_m):
            white = self._next(rules, phase, radius, side, last, rng)
            moves, closed = shown + rules.waits_s[phase], shown + rules.waits_s[phase] + rules.shrinks_s[phase]
            states.append((shown, phase + 1.0, damage, white))
            damage = rules.damages_per_s[phase]
            states.append((moves, phase + 1.5, damage, white))
            moments += [moves, closed]
            blues += [last, white]
            self.spans.append((shown, moves, closed))
            self.whites.append(white)
            last, shown = white, closed
        self._moments, self._blues = np.array(moments), np.array(blues)
        self._begins, self._is_game, self._damage = (np.array([state[k] for state in states]) for k in range(3))
        self._white = np.array([state[3] for state in states])

    @staticmethod
    def _next(rules: Rules, phase: int, radius: float, side: float, last: Floats, rng: np.random.Generator) -> Floats:
        """Returns the circle at the end of a phase; one that closes completely closes where it is."""
        shifts = rules.shifts[min(phase, len(rules.shifts) - 1)]
        white = np.array([last[0], last[1], radius])
        while radius > 0:
            way = np.interp(100 * rng.random(), SHIFT_PERCENTILES, shifts) * (last[2] - radius)
            angle = rng.uniform(0, 2 * math.pi)
            white[:2] = last[:2] + way * np.array([math.cos(angle), math.sin(angle)])
            if phase or np.all(np.abs(white[:2] - side / 2) <= (0.5 - _NEAREST_TO_EDGE) * side):
                break
        return white

    def blue(self, t: Floats) -> tuple[Floats, Floats, Floats]:
        """Returns centre x, centre y and radius of the blue circle at each time."""
        x, y, r = (np.interp(t, self._moments, self._blues[:, k]) for k in range(3))
        return x, y, r

    def white(self, t: Floats) -> Floats:
        """Returns x, y and radius of the white circle at each time, zeros before the first: one row per time."""
        return self._white[self._state(t)]

    def is_game(self, t: Floats) -> Floats:
        """Returns `isGame` at each time: 0 in the lobby, else the phase, and half more while its circle shrinks."""
        return self._is_game[self._state(t)]

    def damage(self, t: Floats) -> Floats:
        """Returns the hit points per second lost outside."""
        return self._damage[self._state(t)]

    def _state(self, t: Floats) -> npt.NDArray[np.int64]:
        return np.searchsorted(self._begins, t, side="right") - 1
