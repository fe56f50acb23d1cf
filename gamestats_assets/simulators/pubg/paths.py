"""Everyone's position in every second of a match, with rides in vehicles and time outside the circle."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from gamestats_assets.simulators.pubg.circles import Floats
from gamestats_assets.simulators.pubg.story import Story

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LOGGED_AFTER_DEATH_S = 60.0
"""Seconds for which the positions of the dead are still logged."""
_PLANE_HEIGHT_M = 1500.0
_RIDES_FROM_M_PER_S, _SHORTEST_RIDE_S = 8.5, 8
_ON_FOOT_M_PER_S = 6.0
_CATCH_UP_S = 12
_LOBBY_M = (6060.0, 4930.0, 4.65)


class Latest:
    """The latest value of each person at a time."""

    def __init__(self, who: Ints, t: Floats, values: npt.NDArray[Any]) -> None:
        """Everyone has a value from before the lobby on; of two at one time, the later row counts."""
        key = self._key(who, t)
        order = np.argsort(key, kind="stable")
        self._keys, self._values = key[order], values[order]

    @staticmethod
    def _key(who: Ints, t: Floats) -> Floats:
        return who * 10_000.0 + t

    def at(self, who: Ints, t: Floats) -> npt.NDArray[Any]:
        """Returns the values of people, each at a time."""
        return self._values[np.searchsorted(self._keys, self._key(who, t), side="right") - 1]


class Paths:
    """Positions in metres, one row per person and one column per second.

    Attributes:
        stop: when each person is out, or the match ends.
        jump, landing: when each person leaves the plane, and lands.
        walked, ridden: metres on foot, and in vehicles.
        rides: person, begin, end, and vehicle of each ride.
        outside: whether each person is outside the blue circle.
    """

    def __init__(self, story: Story) -> None:
        rng, self.landing, self.death = story.rng, story.landing, story.death
        everybody = np.arange(self.death.size)
        self.stop = np.minimum(self.death, story.end)
        self.jump = np.minimum(np.maximum(4.0, self.landing - rng.uniform(28, 36, everybody.size)), story.flight_s)
        who, begin, end = map(np.array, zip(*story.downs, strict=True)) if story.downs else (np.zeros(0, int),) * 3
        times = [np.full(everybody.size, -1000.0), begin, end, self.death]
        stands = np.repeat([True, False, True, False], [each.size for each in times])
        self._stands = Latest(np.concatenate([everybody, who, who, everybody]), np.concatenate(times), stands)
        self._walk(story, everybody.size, int(story.end + LOGGED_AFTER_DEATH_S) + 12)

    def _walk(self, story: Story, people: int, length: int) -> None:
        rng = story.rng
        seconds = np.arange(float(length))
        blue_x, blue_y, blue_r = story.circles.blue(seconds)
        marks = np.arange(0, length + 18, 18.0)
        apart = np.minimum(20.0, 0.28 * np.interp(marks, seconds, blue_r))
        noise = rng.normal(0, 1, (2, people, marks.size)) * apart
        ground = rng.uniform(4, 34, people)
        off_x, off_y = ([np.interp(seconds, marks, one) for one in axis] for axis in noise)
        self.x = np.clip(story.x[story.team, :length] + off_x, 0, story.map.side)
        self.y = np.clip(story.y[story.team, :length] + off_y, 0, story.map.side)
        self.z = ground[:, None] + 3 * np.sin(seconds / 37 + np.arange(people)[:, None])
        for i, begin, end in story.downs:  # a knocked person stays there, then catches up
            a, b = int(begin), min(int(end) + 1, length)
            back = min(b + _CATCH_UP_S, length)
            for axis in (self.x[i], self.y[i]):
                axis[a:b] = axis[a]
                axis[b:back] = axis[a] + np.linspace(0, 1, back - b) * (axis[b:back] - axis[a])
        flight = np.array(story.flight)
        for i in range(people):
            down, share = int(self.landing[i]) + 1, self.jump[i] / story.flight_s
            legs = (0.0, self.jump[i], self.landing[i])
            for axis, (begin, end) in zip((self.x[i], self.y[i]), flight.T, strict=True):
                axis[int(self.stop[i]) :] = axis[int(self.stop[i])]
                axis[:down] = np.interp(seconds[:down], legs, (begin, begin + share * (end - begin), axis[down]))
            self.z[i, :down] = np.interp(seconds[:down], legs, (_PLANE_HEIGHT_M, _PLANE_HEIGHT_M, ground[i]))
        np.clip(self.x, 0, story.map.side, out=self.x)
        np.clip(self.y, 0, story.map.side, out=self.y)
        self.outside = np.hypot(self.x - blue_x, self.y - blue_y) > blue_r
        self._ride(story, length)

    def _ride(self, story: Story, length: int) -> None:
        """Lets teams on long ways drive, without members who are knocked or die on the way."""
        seconds = np.arange(float(length))
        self.rides: list[tuple[int, float, float, str]] = []
        self.riding = np.zeros(self.x.shape, dtype=bool)
        speed = np.hypot(np.gradient(story.x[:, :length], axis=1), np.gradient(story.y[:, :length], axis=1))
        for team in range(len(story.team_ids)):
            members = np.flatnonzero(story.team == team)
            fast = (speed[team] > _RIDES_FROM_M_PER_S) & (seconds > self.landing[members].max()) & (seconds < story.end)
            for a, b in pairwise(np.flatnonzero(np.diff(fast)).tolist()):
                if not fast[a + 1] or b - a < _SHORTEST_RIDE_S:
                    continue
                vehicle = story.pick(story.map.vehicles)
                lying = {i for i, begin, end in story.downs if begin - 1 < b and end > a}
                for i in members[self.death[members] > b + 1].tolist():
                    if i not in lying:
                        self.rides.append((i, a + 1.0, float(b), vehicle))
                        self.riding[i, a + 1 : b] = True
        step = np.hypot(np.diff(self.x), np.diff(self.y))
        step *= (seconds[1:] > self.landing[:, None] + 1) & (seconds[1:] < self.stop[:, None])
        self.ridden = (step * self.riding[:, 1:]).sum(axis=1)
        self.walked = (np.minimum(step, _ON_FOOT_M_PER_S) * ~self.riding[:, 1:]).sum(axis=1)

    def place(self, who: Ints, t: Floats) -> tuple[Floats, Floats, Floats]:
        """Returns x, y and height in metres of people, each at a time; before the start they are in the lobby."""
        who, second = who.astype(np.int64), np.clip(t, 0, self.x.shape[1] - 2).astype(np.int64)
        share = np.clip(t - second, 0, 1)
        lobby = t < 0
        found = (
            np.where(lobby, spot + who / 10, axis[who, second] + share * (axis[who, second + 1] - axis[who, second]))
            for axis, spot in zip((self.x, self.y, self.z), _LOBBY_M, strict=True)
        )
        x, y, z = found
        return x, y, z

    def is_outside(self, who: Ints, t: Floats) -> Flags:
        """Returns whether people are outside the blue circle, each at a time."""
        return self.outside[who, np.clip(t, 0, self.x.shape[1] - 1).astype(np.int64)] & (t >= 0)

    def rides_at(self, who: Ints, t: Floats) -> Flags:
        """Returns whether people sit in a vehicle, including the plane, each at a time."""
        flies = (t >= 0) & (t < self.jump[who])
        return flies | (self.riding[who, np.clip(t, 0, self.x.shape[1] - 1).astype(np.int64)] & (t >= 0))

    def stands(self, who: Ints, t: Floats) -> Flags:
        """Returns whether people are alive and not knocked, each at a time."""
        return self._stands.at(who, t).astype(bool)

    def alive(self, t: Floats) -> Ints:
        """Returns how many people are alive at each time."""
        return len(self.death) - np.searchsorted(np.sort(self.death), t, side="right")
