"""Matches that are played out: first every touch of the ball, then from these the positions of ball and cars.

A touch sends the ball on an arc to the place of the next one. At each touch every car has a place: at the ball, behind
it, at a boost pad, or in an opponent. The ball flies by the game's gravity, and cars drive smooth paths between their
places, at thirty frames per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from gamestats_assets.simulators.templates import rows

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

HZ = 30
"""Frames per second."""
COUNTDOWN, LIVE, AFTER_GOAL, OVER = range(4)
"""Phases of a match."""
PADS = np.array([[float(row[name]) for name in ("x", "y", "is_big")] for row in rows("rocket_league", "pads")])
"""Boost pads: x, y, and whether it is a big one."""
_EVENT = np.dtype([("frame", "i8"), ("kind", "U10"), ("player", "i8"), ("other", "i8")])
_PICKUP = np.dtype([("frame", "i8"), ("player", "i8"), ("pad", "i8"), ("before", "f8"), ("after", "f8")])
_GOAL = np.dtype([("frame", "i8"), ("team", "i8")])

_GOAL_Y, _GRAVITY, _BALL_Z, _CAR_Z = 5120.0, 650.0, 93.0, 17.0
_SPAWNS = np.array([(-2048, -2560), (2048, -2560), (-256, -3840), (256, -3840), (0, -4608)], float)
_BACK = np.array([(-2304, -4608), (-2688, -4608), (2304, -4608), (2688, -4608)], float)
# Distance between the centres of a car and a ball that it touches, and the same upwards.
_CONTACT, _UNDER = 135.0, 76.0
_BOOST_SPEED, _FASTEST = 1410.0, 1450.0
_BURN_S, _SPAWN_BOOST, _NEARLY_FULL, _RESERVE = 33.3, 100 / 3, 95.0, 8.0
# How often an opponent goes for the ball as well.
_CONTESTED = 0.25
# How often a player is on the wrong side of the ball.
_TOO_FAR = 0.4
_WAIT, _AWAY, _GOAL_REPLAY_S, _LONGEST_FLIGHT_S = 3 * HZ, 3 * HZ, 6.0, 4.0


@dataclass(frozen=True)
class Played:
    """One match of n frames and p players, blue first; `(n, p)` arrays are by frame and player.

    Attributes:
        phase: `COUNTDOWN`, `LIVE`, `AFTER_GOAL` or `OVER`.
        time: seconds since the start, including goal replays, which have no frames.
        clock: seconds on the game's clock.
        is_hit: whether the ball was hit since the kick-off.
        ball: position and velocity, `(n, 6)`.
        life: number of the player's car; -1 while there is none.
        cars: position and velocity, `(n, p, 6)`.
        angles: yaw and pitch, `(n, p, 2)`.
        boost: from 0 to 100.
        is_burning, brakes: whether boost burns, and whether the handbrake is held.
        events: frame, kind, player, and the other player or -1; touches are included.
        pickups: frame, player, pad, boost before and after.
        goals: frame and team.
        overtime_s: seconds of overtime.
    """

    phase: Numbers
    time: Floats
    clock: Numbers
    is_hit: Flags
    ball: Floats
    life: Numbers
    cars: Floats
    angles: Floats
    boost: Floats
    is_burning: Flags
    brakes: Flags
    events: NDArray[np.void]
    pickups: NDArray[np.void]
    goals: NDArray[np.void]
    overtime_s: float


def play(rng: np.random.Generator, level: Floats, skill: Floats, clock_s: float = 300.0) -> Played:
    """Plays a match.

    Args:
        rng: source of everything random.
        level: height of each player's rank, from 0 to 1, blue first.
        skill: aerials, saves, positioning, rotation and shooting of each player, in standard deviations.
        clock_s: seconds on the clock.
    """
    return _Match(rng, level, skill, clock_s).played()


class _Match:
    """A match as it is decided, touch by touch."""

    def __init__(self, rng: np.random.Generator, level: Floats, skill: Floats, clock_s: float) -> None:
        p = len(level)
        self.rng, self.level, self.skill, self.clock_s = rng, level, skill, clock_s
        self.team = np.repeat([0, 1], p // 2)
        self.side = np.where(self.team == 0, 1.0, -1.0)
        self.top_speed = _FASTEST * (0.93 + 0.07 * level)
        self.frame, self.played_s, self.overtime_s = 0, 0.0, 0.0
        self.at, self.life, self.back_at = np.zeros((p, 2)), np.zeros(p, int), np.zeros(p, int)
        self.pads_back_at = np.zeros(len(PADS), int)
        self.score = [0, 0]
        self.phases: list[tuple[int, int]] = []
        self.hits: list[tuple[int, bool]] = []
        self.replays: list[int] = []
        self.arcs: list[tuple[float, ...]] = []
        self.places: dict[tuple[int, int], list[tuple[float, ...]]] = {}
        self.flights: dict[tuple[int, int], list[tuple[int, float]]] = {}
        self.fetched: dict[tuple[int, int], int] = {}
        self.events: list[tuple[int, str, int, int]] = []
        self.goals: list[tuple[int, int]] = []

    @property
    def in_overtime(self) -> bool:
        return self.played_s >= self.clock_s

    def played(self) -> Played:
        self._kick_off()
        while not self._is_decided_by_play():
            self._kick_off()
        return self._frames()

    # ------------------------------------------------------------ the course of the match

    def _kick_off(self) -> None:
        spots = _SPAWNS[self.rng.permutation(len(_SPAWNS))[: len(self.team) // 2]]
        self.at = np.concatenate([spots, -spots])
        self.life[:] = (self.life.max() // 100 + 1) * 100
        self.back_at[:], self.pads_back_at[:] = 0, 0
        self.phases += [(self.frame, COUNTDOWN), (self.frame + _WAIT, LIVE)]
        self.hits.append((self.frame, False))
        self._rest(np.array([0, 0, _BALL_Z]))
        for frame in (self.frame, self.frame + _WAIT):
            self._place(frame, range(len(self.team)))
        self.frame += _WAIT

    def _is_decided_by_play(self) -> bool:
        """Plays from a kick-off until a goal, or until the time is up; returns whether that decides the match."""
        rng, ball = self.rng, np.array([0, 0, _BALL_Z])
        near = np.linalg.norm(self.at, axis=1)
        who = int((near + rng.uniform(0, 300, len(near))).argmin())
        self._drive(self.frame + round(HZ * (near[who] / self.top_speed[who] + 0.2)), ball, who)
        self.hits.append((self.frame, True))
        touches: list[tuple[int, int]] = []
        while True:
            team, side = int(self.team[who]), float(self.side[who])
            touches.append((self.frame, who))
            self.events.append((self.frame, "touch", who, -1))
            begun, was_overtime = self.frame, self.in_overtime
            is_shot = ball[1] * side > 900 and rng.random() < 0.3 + 0.05 * self.skill[who, 4]
            is_goal = is_shot and (rng.random() < 0.3 or self.overtime_s > 60)
            if is_shot:
                self.events.append((self.frame, "shot", who, -1))
                y, z = side * (_GOAL_Y + 100 if is_goal else _GOAL_Y - 350), rng.uniform(100, 450)
                target = np.array([rng.uniform(-700, 700), y, z])
                away = float(np.linalg.norm(target - ball))
                need = self._need(target, self.team != team)
                saver = int(need.argmin())
                self._fly(ball, target, away / 2200, None if is_goal else saver)
                if not is_goal:
                    self.events.append((self.frame, "save", saver, -1))
                    who = saver
            else:
                mates = np.flatnonzero(
                    (self.team == team) & (self.back_at < begun) & (np.arange(len(self.team)) != who)
                )
                is_pass = len(mates) > 0 and rng.random() < 0.35
                start = self.at[mates[(side * self.at[mates, 1]).argmax()]] if is_pass else ball
                ahead = np.clip(start[1] + side * (500 if is_pass else rng.uniform(-600, 2600)), -4300, 4300)
                target = np.array(
                    [np.clip(start[0] + rng.normal(0, 300 if is_pass else 1500), -3300, 3300), ahead, _BALL_Z]
                )
                if rng.random() < 0.1 + 0.3 * self.level.mean():
                    target[2] = rng.uniform(200, 350 + 800 * self.level.mean())
                need = self._need(target, self.team == team if is_pass else np.ones(len(self.team), bool))
                need[who] += is_pass
                receiver = int((need + rng.exponential(0.5, len(need))).argmin())
                away = float(np.linalg.norm(target - ball))
                seconds = max(away / rng.uniform(1000, 2200), rng.uniform(0.9, 1.5))
                rival = self._fly(ball, target, seconds, receiver, is_contested=rng.random() < _CONTESTED)
                if rival is not None:
                    # Both teams go for the ball, and one arrives a frame before the other.
                    touches.append((self.frame - 1, rival))
                    self.events.append((self.frame - 1, "touch", rival, -1))
                who = receiver
            ball, seconds = target, (self.frame - begun) / HZ
            if was_overtime:
                self.overtime_s += seconds
            else:
                self.played_s += seconds
            if is_goal:
                return self._goal(team, touches)
            if self.in_overtime and not was_overtime:
                return self._is_over(ball, HZ)

    def _need(self, target: Floats, candidates: Flags) -> Floats:
        """Returns the seconds that each car needs to a place; a large number for absent cars."""
        away = np.linalg.norm(self.at - target[:2], axis=1) / self.top_speed + 0.15
        return np.asarray(np.where(candidates, away, 99) + 9 * (self.back_at >= self.frame), np.float64)

    def _goal(self, team: int, touches: list[tuple[int, int]]) -> bool:
        now, scorer = self.frame, touches[-1][1]
        self.score[team] += 1
        self.goals.append((now, team))
        self.events.append((now, "goal", scorer, -1))
        for frame, player in reversed(touches):
            if self.team[player] != team or now - frame > 5 * HZ:
                break
            if player != scorer:
                self.events.append((now, "assist", player, -1))
                break
        is_over = self._is_over(np.array([0, np.copysign(_GOAL_Y + 100, 0.5 - team), _BALL_Z]), _WAIT)
        if not is_over:
            self.replays.append(self.frame)
        return is_over

    def _is_over(self, ball: Floats, wait: int) -> bool:
        """Lets cars roll on for some frames; returns whether the match is over then."""
        self.phases.append((self.frame, AFTER_GOAL))
        self._rest(ball)
        self._drive(self.frame + wait, np.zeros(3), None)
        is_over = self.in_overtime and self.score[0] != self.score[1]
        if is_over:
            self.phases.append((self.frame, OVER))
        return is_over

    # ------------------------------------------------------------ places of ball and cars

    def _rest(self, ball: Floats) -> None:
        self.arcs.append((self.frame, *ball, 0, 0, 0, 0))

    def _fly(
        self, ball: Floats, target: Floats, seconds: float, who: int | None, *, is_contested: bool = False
    ) -> int | None:
        """Sends the ball on its arc, and all cars to their places at its end, `who` to the ball in good time.

        Returns the opponent who is also at the ball, if it `is_contested` and one can be there.
        """
        if who is not None:
            way = target[:2] - self.at[who]
            need = float(np.linalg.norm(way)) / self.top_speed[who] + 0.15
            target[:2] = self.at[who] + way * min(1, _LONGEST_FLIGHT_S / need)
            seconds = min(max(seconds, need), _LONGEST_FLIGHT_S)
        end = self.frame + max(round(seconds * HZ), 1)
        t = (end - self.frame) / HZ
        self.arcs.append((self.frame, *ball, *((target - ball) / t + (0, 0, _GRAVITY * t / 2)), _GRAVITY))
        rival = self._rival(end, target, who) if who is not None and is_contested else None
        self._drive(end, target, who, rival)
        return rival

    def _rival(self, end: int, ball: Floats, who: int) -> int | None:
        """Returns the nearest opponent of `who`, if it can be at the ball in time."""
        need = self._need(ball, self.team != self.team[who])
        nearest = int(need.argmin())
        return nearest if need[nearest] <= (end - self.frame) / HZ else None

    def _drive(self, end: int, ball: Floats, who: int | None, rival: int | None = None) -> None:
        rng = self.rng
        for player in np.flatnonzero((self.back_at >= self.frame) & (self.back_at < end)).tolist():
            self.life[player] += 1
            self.at[player] = _BACK[rng.integers(len(_BACK))] * (1, self.side[player])
            self._place(self.back_at[player], [player])
        since = np.maximum(self.back_at, self.frame)
        there = np.flatnonzero(since < end)
        hunter, hunted = self._demolition(end, there, (who, rival))
        away = np.linalg.norm(self.at - ball[:2], axis=1)
        before, pads = self.at.copy(), dict[int, int]()
        for player in there.tolist():
            team = np.flatnonzero(self.team == self.team[player])
            order = int((away[team] < away[player]).sum())
            goal = self._behind(player, order, ball)
            if player in (who, rival):
                towards = ball[:2] - self.at[player]
                goal = ball[:2] - towards / max(float(np.linalg.norm(towards)), 1) * _CONTACT
                if ball[2] > _BALL_Z:
                    own = self.flights.setdefault((player, int(self.life[player])), [])
                    own.append((end, float(ball[2]) - _UNDER))
            elif who is not None and player not in (hunter, hunted) and rng.random() < 0.5:
                pads[player] = pad = self._pad(goal, end)
                goal = PADS[pad, :2]
            reach = self.top_speed[player] * (end - since[player]) / HZ
            way = goal - self.at[player]
            # The player who will touch the ball has the time for it.
            part = 1.0 if player in (who, rival) else min(1.0, reach / max(float(np.linalg.norm(way)), 1))
            self.at[player] += way * part
            if player in pads and part == 1.0:
                self.fetched[end, player] = pad = pads[player]
                self.pads_back_at[pad] = end + (10 if PADS[pad, 2] else 4) * HZ
        if hunter >= 0:
            way = self.at[hunted] - before[hunter]
            if np.linalg.norm(way) <= self.top_speed[hunter] * (end - self.frame) / HZ:
                self.at[hunter] = self.at[hunted]
                self.events.append((end, "demolition", hunter, hunted))
                self.back_at[hunted] = end + _AWAY + 1
        self._place(end, there.tolist())
        self.frame = end

    def _demolition(self, end: int, there: Numbers, at_ball: tuple[int | None, int | None]) -> tuple[int, int]:
        """Returns hunter and victim until the next touch; -1 without."""
        free = [player for player in there.tolist() if player not in at_ball and self.back_at[player] < self.frame]
        if self.rng.random() > 0.15 or len(free) < 2 or at_ball[0] is None:
            return -1, -1
        hunter, hunted = self.rng.permutation(free)[:2].tolist()
        return (hunter, hunted) if self.team[hunter] != self.team[hunted] else (-1, -1)

    def _behind(self, player: int, order: int, ball: Floats) -> Floats:
        """Returns the place of a player who does not go for the ball: the farther behind it the later they could be
        there."""
        depth = max(900 + 1200 * order + 200 * self.skill[player, 2] + self.rng.normal(0, 300), 400)
        # A player who went too far is in front of it.
        depth = -1400.0 if self.rng.random() < _TOO_FAR - 0.04 * self.skill[player, 2] else depth
        y = np.clip(self.side[player] * ball[1] - depth, -4900, 4500)
        x = 0.45 * ball[0] + (700 if order % 2 else -600) + self.rng.normal(0, 400)
        return np.array([np.clip(x, -3800, 3800), self.side[player] * y])

    def _pad(self, goal: Floats, end: int) -> int:
        """Returns the nearest available pad."""
        away = np.linalg.norm(PADS[:, :2] - goal, axis=1) - 900 * PADS[:, 2] + 1e5 * (self.pads_back_at > end)
        return int(away.argmin())

    def _place(self, frame: int, players: range | list[int]) -> None:
        for player in players:
            self.places.setdefault((player, int(self.life[player])), []).append((frame, *self.at[player]))

    # ------------------------------------------------------------ frames

    def _frames(self) -> Played:
        n, p = self.frame + 2, len(self.team)
        frames = np.arange(n)
        phase, is_hit = (_held(frames, rows).astype(int) for rows in (self.phases, self.hits))
        time = frames / HZ + _GOAL_REPLAY_S * np.searchsorted(self.replays, frames, side="right")
        running = np.cumsum((phase == LIVE) & (is_hit > 0)) / HZ
        left = np.ceil(np.maximum(self.clock_s - running, 0))
        since = np.maximum(running - self.played_s, 0)
        in_overtime = (left == 0) & (since > 0)
        life, cars, angles = np.full((n, p), -1), np.zeros((n, p, 6)), np.zeros((n, p, 2))
        for (player, number), places in self.places.items():
            rows = np.arange(places[0][0], min(places[-1][0], n - 1) + 1).astype(int)
            if number == self.life[player] and self.back_at[player] < self.frame:
                rows = np.arange(rows[0], n)
            life[rows, player] = number
            cars[rows, player] = _path(rows, np.array(places), self.flights.get((player, number), []))
        speed = np.linalg.norm(cars[..., 3:5], axis=2)
        in_air = cars[..., 2] > _CAR_Z + 1
        for player in range(p):
            angles[:, player] = _heading(cars[:, player], speed[:, player], in_air[:, player])
        turns = np.abs((np.diff(angles[..., 0], axis=0, prepend=angles[:1, :, 0]) + np.pi) % (2 * np.pi) - np.pi) * HZ
        gains = np.diff(speed, axis=0, prepend=0) > 0
        wishes = (life >= 0) & (((speed > _BOOST_SPEED) & gains) | (in_air & (cars[..., 5] > 50)))
        boost, is_burning, pickups = self._tanks(life, wishes)
        return Played(
            phase, time, np.where(in_overtime, since, left).astype(int), is_hit > 0, self._ball(frames), life,
            np.rint(cars), angles, boost, is_burning, (turns > 2.5) & (speed > 500) & ~in_air & (life >= 0),
            np.array(sorted(self.events, key=lambda event: event[0]), _EVENT), pickups, np.array(self.goals, _GOAL),
            self.overtime_s,
        )  # fmt: skip

    def _ball(self, frames: Numbers) -> Floats:
        arcs = np.array(self.arcs, float)
        arc = arcs[np.searchsorted(arcs[:, 0], frames, side="right") - 1]
        t, fall = ((frames - arc[:, 0]) / HZ)[:, None], arc[:, 7:] * (0, 0, 1)
        return np.rint(np.hstack([arc[:, 1:4] + arc[:, 4:7] * t - fall * t**2 / 2, arc[:, 4:7] - fall * t]))

    def _tanks(self, life: Numbers, wishes: Flags) -> tuple[Floats, Flags, NDArray[np.void]]:
        """Returns the contents of every tank, whether it burns, and pickups; without boost, wishes are in vain."""
        boost, is_burning = np.zeros(life.shape), np.zeros(life.shape, bool)
        pickups: list[tuple[int, int, int, float, float]] = []
        for player in range(life.shape[1]):
            tank, number = 0.0, -1
            for frame, (now, wish) in enumerate(zip(life[:, player].tolist(), wishes[:, player].tolist(), strict=True)):
                if now >= 0 and now != number:
                    tank, number = _SPAWN_BOOST, now
                # In three of four plays a driver keeps some.
                burns = wish and tank > (_RESERVE if number % 400 else 0)
                is_burning[frame, player] = burns
                tank = max(tank - _BURN_S / HZ, 0.0) if burns else tank
                pad = self.fetched.get((frame, player))
                if pad is not None and tank < _NEARLY_FULL:
                    full = min(tank + (100 if PADS[pad, 2] else 12), 100.0)
                    pickups.append((frame, player, pad, tank, full))
                    tank = full
                boost[frame, player] = tank
        # In whole 255ths, as in files.
        return np.rint(boost * 2.55) / 2.55, is_burning, np.array(sorted(pickups), _PICKUP)


def _held(frames: Numbers, changes: list[tuple[int, int]] | list[tuple[int, bool]]) -> NDArray[np.generic]:
    """Returns the value in each frame of something that changes in some frames."""
    at, values = np.array(changes).T
    return values[np.searchsorted(at, frames, side="right") - 1]


def _path(rows: Numbers, places: Floats, flights: list[tuple[int, float]]) -> Floats:
    """Returns position and velocity in frames of a car that is in given places, and in the air around some frames."""
    found = np.zeros((len(rows), 6))
    found[:, :2], found[:, 2] = places[-1, 1:], _CAR_Z
    within = rows <= places[-1, 0]
    if len(places) > 1:
        chords = np.diff(places[:, 1:], axis=0) / np.diff(places[:, :1], axis=0)
        before, after = np.vstack([chords[:1], chords]), np.vstack([chords, chords[-1:]])
        # A car that stood, will stand, or turns back is slow there.
        stands = (before * after).sum(1) <= 0
        spline = CubicHermiteSpline(places[:, 0], places[:, 1:], np.where(stands[:, None], 0, (before + after) / 2))
        found[within, :2] = np.clip(spline(rows[within]), (-4050, -5080), (4050, 5080))
        found[within, 3:5] = spline(rows[within], 1) * HZ
    for frame, height in flights:
        since = (rows - frame) / HZ
        z = height - _GRAVITY * since**2 / 2
        flies = z > found[:, 2]
        found[flies, 2], found[flies, 5] = z[flies], -_GRAVITY * since[flies]
    return found


def _heading(car: Floats, speed: Floats, in_air: Flags) -> Floats:
    """Returns yaw and pitch: a car faces its direction, and while it stands, its last one."""
    moves = np.maximum.accumulate(np.where(speed > 50, np.arange(len(car)), -1))
    looks = np.where((moves >= 0)[:, None], car[moves, 3:5], -car[:, :2])
    pitch = np.where(in_air, np.clip(np.arctan2(car[:, 5], np.maximum(speed, 400)), -0.9, 0.9), 0)
    return np.stack([np.arctan2(looks[:, 1], looks[:, 0]), pitch], axis=1)
