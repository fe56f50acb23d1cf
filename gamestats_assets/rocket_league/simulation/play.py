"""Matches of Rocket League that are played out: where ball and cars are thirty times a second, and what happens.

The ball flies and bounces, and cars drive, boost, jump and fly, by the figures of the game (the RLBot project has
measured them); walls are not driven on. Who drives follows simple rules: of each team the one who is soonest at the
ball goes for it, the others stay behind and fetch boost. All matches advance together, a row of the arrays for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gamestats_assets.rocket_league.simulation.field import (
    BACK,
    BAR,
    BIG,
    GOAL_Y,
    PADS,
    POST,
    SPAWNS,
    WIDE,
    keep_inside,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

HZ = 30
"""Frames a second."""
COUNTDOWN, LIVE, AFTER_GOAL, OVER = range(4)
"""Phases of a match."""
BLUE, ORANGE = 0, 1

_STEP_S = 1 / HZ
# Frames from one decision to the next.
_THINKS = 3
_GRAVITY, _BALL_R, _CAR_Z = 650.0, 92.75, 17.0
_TOP_SPEED, _SUPERSONIC, _BALL_TOP = 2300.0, 2200.0, 6000.0
_BOOST_UU_S2, _BURN_S = 991.667, 33.3
_SPAWN_BOOST, _SMALL, _REACH = 100 / 3, 12.0, (144.0, 208.0)
_AWAY_S, _COUNTDOWN_S, _CHEER_S, _REPLAY_S = 3.0, 3.0, 3.0, 6.0
_HALF_BOX, _BOX_OFFSET = np.array([118.01, 84.20, 36.16]) / 2, np.array([13.88, 0.0, 20.75])
# Curvature of the tightest turn by speed, acceleration by speed, and what the game adds to a hit by its speed.
_SPEEDS, _TURNS = (0.0, 500.0, 1000.0, 1500.0, 1750.0, 2300.0), (0.0069, 0.00398, 0.00235, 0.001375, 0.0011, 0.00088)
_THROTTLE = ((0.0, 1400.0, 1410.0), (1600.0, 160.0, 0.0))
_PUNCH = ((0.0, 500.0, 2300.0, 4600.0), (0.65, 0.65, 0.55, 0.30))
# Moments to come at which a car may be at the ball.
_AHEAD = np.arange(0.1, 3.2, 0.15)
# Who needs a goal in overtime gets bolder; nobody plays for ever.
_LONGEST_OVERTIME_S = 120.0


@dataclass
class Played:
    """One match; `(n, p)` arrays are by frame and player, blue first.

    Attributes:
        phase: `COUNTDOWN`, `LIVE`, `AFTER_GOAL` or `OVER`.
        time: seconds since it began, with the goal replays that nobody records.
        clock: seconds on the game's clock.
        is_hit: whether the ball was hit since the kick-off.
        ball: position and velocity, `(n, 6)`.
        life: number of the player's car; -1 while there is none.
        cars: position and velocity, `(n, p, 6)`.
        angles: yaw and pitch, `(n, p, 2)`.
        boost: from 0 to 100.
        is_burning, brakes: whether boost burns, and the handbrake is held.
        events: frame, kind, player, and the other one or None; touches among them.
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
    events: list[tuple[int, str, int, int | None]] = field(default_factory=list)
    pickups: list[tuple[int, int, int, float, float]] = field(default_factory=list)
    goals: list[tuple[int, int]] = field(default_factory=list)
    overtime_s: float = 0.0

    @property
    def size(self) -> int:
        """Players a side."""
        return self.life.shape[1] // 2


def play(rng: np.random.Generator, size: int, level: Floats, skill: Floats, length_s: float = 300.0) -> list[Played]:
    """Play matches of `size` a side.

    Args:
        rng: decides all that is chance.
        size: players a side.
        level: how high each player's rank is, from 0 to 1: a row per match, blue first.
        skill: of each player aerials, saves, positioning, rotation and shooting, in standard deviations.
        length_s: seconds on the clock.
    """
    return _Game(rng, size, level, skill, length_s).run() if len(level) else []


class _Game:
    """The state of all matches: m matches, p players in each."""

    def __init__(self, rng: np.random.Generator, size: int, level: Floats, skill: Floats, length_s: float) -> None:
        m, p = level.shape
        self.rng, self.size, self.level, self.skill = rng, size, level, skill
        self.side = np.repeat([1.0, -1.0], size)
        self.team = np.repeat([BLUE, ORANGE], size)
        self.ball, self.ball_v = np.zeros((m, 3)), np.zeros((m, 3))
        self.at, self.v = np.zeros((m, p, 3)), np.zeros((m, p, 3))
        self.yaw, self.pitch, self.boost = np.zeros((m, p)), np.zeros((m, p)), np.zeros((m, p))
        self.life = np.full((m, p), -1)
        self.ground = np.ones((m, p), bool)
        # Seconds since a jump and a dodge began; infinite without.
        self.jumped, self.dodged = np.full((m, p), np.inf), np.full((m, p), np.inf)
        self.away = np.zeros((m, p))
        self.throttle, self.steer, self.nose_up = np.zeros((m, p)), np.zeros((m, p)), np.zeros((m, p))
        self.burn, self.brake, self.dodge, self.fly = (np.zeros((m, p), bool) for _ in range(4))
        self.aim, self.mood = np.zeros((m, p)), np.zeros((m, p))
        self.first = np.zeros((m, p), bool)
        self.pads = np.zeros((m, len(PADS)))
        self.phase, self.wait = np.full(m, COUNTDOWN), np.full(m, _COUNTDOWN_S)
        self.clock, self.is_hit, self.in_overtime = np.full(m, float(length_s)), np.zeros(m, bool), np.zeros(m, bool)
        self.overtime, self.gap = np.zeros(m), np.zeros(m)
        self.score, self.lives = np.zeros((m, 2), int), np.zeros(m, int)
        self.touched_at = np.full((m, p), -np.inf)
        self.touches: list[list[tuple[int, int]]] = [[] for _ in range(m)]
        self.pending: list[int | None] = [None] * m
        self.played = [Played(*(np.zeros(0) for _ in range(11))) for _ in range(m)]  # pyright: ignore[reportArgumentType]
        self.rows: list[tuple[NDArray[Any], ...]] = []
        self.ends = np.full(m, -1)
        self.self_ = np.eye(p, dtype=bool)
        self.frame = 0
        self._kick_off(np.ones(m, bool))

    def run(self) -> list[Played]:
        while (self.ends < 0).any():
            if self.frame % _THINKS == 0:
                self._decide()
            self._move()
            (self._pick_up if self.frame % 2 else self._demolish)()
            self._referee()
            self._record()
            self.frame += 1
        columns = [np.stack(column) for column in zip(*self.rows, strict=True)]
        for match, played in enumerate(self.played):
            own = [column[: self.ends[match] + 1, match] for column in columns]
            (played.phase, played.time, played.clock, played.is_hit, played.ball, played.life, played.cars,
             played.angles, played.boost, played.is_burning, played.brakes) = own  # fmt: skip
            played.overtime_s = float(self.overtime[match])
        return self.played

    def _record(self) -> None:
        shown = np.where(self.dodged < 0.65, self.pitch - 2 * np.pi * np.minimum(self.dodged, 0.65) / 0.65, self.pitch)
        self.rows.append(
            (
                self.phase.copy(),
                self.frame / HZ + self.gap,
                np.where(self.in_overtime, self.overtime, np.ceil(np.maximum(self.clock, 0))).astype(int),
                self.is_hit.copy(),
                # In whole units, as files have it.
                np.rint(np.concatenate([self.ball, self.ball_v], axis=1)),
                np.where(self.away > 0, -1, self.life),
                np.rint(np.concatenate([self.at, self.v], axis=2)),
                np.stack([self.yaw, shown], axis=2),
                self.boost.copy(),
                self.burn & (self.boost > 0),
                self.brake & self.ground,
            )
        )

    # ------------------------------------------------------------ what the referee does

    def _kick_off(self, which: Flags) -> None:
        for match in np.flatnonzero(which).tolist():
            spots = SPAWNS[self.rng.permutation(5)[: self.size]]
            self._place(match, np.concatenate([spots, -spots]), slice(None))
            self.lives[match] += 1
            self.touches[match], self.pending[match] = [], None
        self.life[which] = self.lives[which, None] * 100
        self.ball[which], self.ball_v[which] = (0.0, 0.0, _BALL_R + 0.4), 0.0
        self.away[which], self.is_hit[which], self.pads[which] = 0.0, False, 0.0
        self.phase[which], self.wait[which] = COUNTDOWN, _COUNTDOWN_S
        self.aim[which] = self.rng.uniform(-500, 500, self.aim[which].shape)
        self.mood[which] = self.rng.normal(0, 0.2, self.mood[which].shape)

    def _place(self, match: int, spots: Floats, who: Any) -> None:
        self.at[match, who, :2], self.at[match, who, 2], self.v[match, who] = spots, _CAR_Z, 0.0
        self.yaw[match, who] = np.arctan2(-spots[:, 1], -spots[:, 0])
        self.pitch[match, who], self.boost[match, who], self.ground[match, who] = 0.0, _SPAWN_BOOST, True
        self.jumped[match, who] = self.dodged[match, who] = np.inf

    def _referee(self) -> None:
        seconds = 1 / HZ
        self.pads = np.maximum(self.pads - seconds, 0)
        back = (self.away > 0) & (self.away <= seconds)
        self.away = np.maximum(self.away - seconds, 0)
        for match, player in np.argwhere(back):
            spot = BACK[self.rng.integers(len(BACK))] * (1, self.side[player])
            self._place(match, spot[None], slice(player, player + 1))
            self.life[match, player] += 1
        live = self.phase == LIVE
        running = live & self.is_hit
        self.overtime += seconds * (running & self.in_overtime)
        self.clock -= seconds * (running & ~self.in_overtime)
        for match in np.flatnonzero(live & (np.abs(self.ball[:, 1]) > GOAL_Y + _BALL_R)).tolist():
            self._goal(match, BLUE if self.ball[match, 1] > 0 else ORANGE)
        out = (self.phase == LIVE) & ~self.in_overtime & (self.clock <= 0) & (self.ball[:, 2] < _BALL_R + 5)
        level = self.score[:, 0] == self.score[:, 1]
        self.wait -= seconds
        late = (self.phase == LIVE) & (self.overtime > _LONGEST_OVERTIME_S)
        for match in np.flatnonzero(late):
            # The next who comes near the ball has an open goal.
            self.ball_v[match] += (-self.ball[match, 0] * 0.02, 60 * np.sign(self.ball_v[match, 1] or 1.0), 0)
        self.phase[out], self.wait[out] = AFTER_GOAL, 1.0
        ready = self.wait <= 0
        decided = self.in_overtime | (self.clock <= 0)
        over = (self.phase == AFTER_GOAL) & ready & decided & ~level
        again = (self.phase == AFTER_GOAL) & ready & ~over
        self.ends[over & (self.ends < 0)] = self.frame + 1
        self.phase[over] = OVER
        self.gap[again & ~(level & decided)] += _REPLAY_S
        self.in_overtime |= again & level & decided
        self.phase[(self.phase == COUNTDOWN) & ready] = LIVE
        if again.any():
            self._kick_off(again)

    def _goal(self, match: int, team: int) -> None:
        played, now = self.played[match], self.frame
        self.phase[match], self.wait[match] = AFTER_GOAL, _CHEER_S
        self.ball_v[match] = 0.0
        self.score[match, team] += 1
        played.goals.append((now, team))
        own = [(frame, player) for frame, player in self.touches[match] if self.team[player] == team]
        if not own:
            return
        scorer = own[-1][1]
        if self.pending[match] != scorer:
            played.events.append((now, "shot", scorer, None))
        played.events.append((now, "goal", scorer, None))
        for frame, player in reversed(self.touches[match]):
            if self.team[player] != team or now - frame > 5 * HZ:
                break
            if player != scorer:
                played.events.append((now, "assist", player, None))
                break

    def _touch(self, match: int, player: int, was_on_target: bool) -> None:
        """Count a touch, and what it is beside that."""
        played, seconds = self.played[match], self.frame / HZ
        is_new = seconds - self.touched_at[match, player] > 0.15
        self.touched_at[match, player] = seconds
        self.is_hit[match] = True
        if not is_new or self.phase[match] != LIVE:
            return
        played.events.append((self.frame, "touch", player, None))
        self.touches[match].append((self.frame, player))
        self.aim[match] = self.rng.uniform(-1, 1, len(self.team)) * (1300 - 250 * self.skill[match, :, 4])
        self.mood[match] = self.rng.normal(0, 0.35, len(self.team)) * (1 - 0.4 * self.skill[match, :, 3])
        side = float(self.side[player])
        shooter = self.pending[match]
        if was_on_target and shooter is not None and self.team[shooter] != self.team[player]:
            if not self._on_target(match, -side):
                played.events.append((self.frame, "save", player, None))
            self.pending[match] = None
        elif shooter is not None and shooter != player:
            self.pending[match] = None
        if self.pending[match] is None and self._on_target(match, side):
            played.events.append((self.frame, "shot", player, None))
            self.pending[match] = player

    def _on_target(self, match: int, side: float) -> bool:
        """Whether the ball flies into the goal at that end, or almost, if nobody touches it."""
        (x, y, z), (vx, vy, vz) = self.ball[match].tolist(), self.ball_v[match].tolist()
        if vy * side < 400:
            return False
        t = (GOAL_Y - y * side) / (vy * side)
        for _ in range(4):
            falls = (vz + (vz * vz + 2 * _GRAVITY * max(z - _BALL_R, 0)) ** 0.5) / _GRAVITY
            if falls >= t or t > 3:
                break
            x, t, z, vz = x + vx * falls, t - falls, _BALL_R, 0.6 * (_GRAVITY * falls - vz)
        height = z + vz * t - _GRAVITY * t * t / 2
        return t < 2.5 and abs(x + vx * t) < POST + 150 and height < BAR + 100

    def _pick_up(self) -> None:
        away = np.hypot(
            self.at[:, :, None, 0] - PADS[:, 0], self.at[:, :, None, 1] - PADS[:, 1]
        )  # fmt: skip
        open_ = (self.phase == LIVE)[:, None] & (self.away <= 0) & (self.boost < 99.5) & (self.at[..., 2] < 165)
        near = (away < np.where(BIG, _REACH[1], _REACH[0])) & (self.pads == 0)[:, None] & open_[..., None]
        for match, player, number in np.argwhere(near) if near.any() else ():
            if self.pads[match, number] == 0:
                before = float(self.boost[match, player])
                after = min(before + (100 if BIG[number] else _SMALL), 100.0)
                self.boost[match, player], self.pads[match, number] = after, 10.0 if BIG[number] else 4.0
                self.played[match].pickups.append((self.frame, int(player), int(number), before, after))

    def _demolish(self) -> None:
        apart = self.at[:, None] - self.at[:, :, None]
        gap = np.linalg.norm(apart, axis=3)
        there = (self.away <= 0) & (self.phase != COUNTDOWN)[:, None]
        near = (gap < 190) & there[:, :, None] & there[:, None] & ~self.self_
        for match, a, b in np.argwhere(near) if near.any() else ():
            way = apart[match, a, b] / max(gap[match, a, b], 1.0)
            towards = float(self.v[match, a] @ way)
            is_foe = self.team[a] != self.team[b] and self.phase[match] == LIVE
            if is_foe and towards > 0.9 * _SUPERSONIC and np.linalg.norm(self.v[match, a]) >= _SUPERSONIC:
                self.away[match, b] = _AWAY_S
                self.played[match].events.append((self.frame, "demolition", int(a), int(b)))
            elif gap[match, a, b] < 120:
                # Each pushes the other.
                self.v[match, b, :2] += way[:2] * max(40.0, 0.4 * towards)
                self.at[match, b, :2] += way[:2] * 6
                self.v[match, b] *= min(1, _TOP_SPEED / max(float(np.linalg.norm(self.v[match, b])), 1))

    # ------------------------------------------------------------ what moves

    def _move(self) -> None:
        frozen, kept = self.phase == COUNTDOWN, (self.at.copy(), self.v.copy(), self.yaw.copy(), self.boost.copy())
        self._drive()
        self._roll()
        for now, before in zip((self.at, self.v, self.yaw, self.boost), kept, strict=True):
            now[frozen] = before[frozen]
        self._strike()

    def _drive(self) -> None:
        dt, ground = _STEP_S, self.ground
        heading = np.stack([np.cos(self.yaw), np.sin(self.yaw)], axis=2)
        burning = self.burn & (self.boost > 0)
        self.boost = np.maximum(self.boost - _BURN_S * dt * burning, 0)
        u = (self.v[..., :2] * heading).sum(2)
        push = np.interp(u, *_THROTTLE) * self.throttle
        slow = np.where(self.throttle < 0, 3500.0, 525.0) * np.sign(u)
        a = np.where(self.throttle > 0, push, -slow) + _BOOST_UU_S2 * burning
        aside = self.v[..., :2] - heading * u[..., None]
        grip = np.where(self.brake, 1 - 2.5 * dt, 1 - 9 * dt)[..., None]
        faster = np.where((u > 0) & (u + a * dt < 0) & (self.throttle <= 0), 0.0, u + a * dt)
        # Tyres turn what goes aside into what goes ahead.
        lost = (aside**2).sum(2) * (1 - grip[..., 0] ** 2)
        faster = np.where(faster > 0, np.sqrt(faster**2 + 0.9 * lost), faster)
        on_ground = heading * faster[..., None] + aside * grip
        turn = np.interp(np.abs(u), _SPEEDS, _TURNS) * np.abs(u) * np.where(self.brake, 1.7, 1.0)
        # Who stands against something turns on the spot, where a driver would go back and forth.
        turn = np.where((np.abs(u) < 150) & (self.throttle > 0), 1.5, turn)
        self.yaw += np.where(ground, self.steer * turn, self.steer * 3.0) * dt
        up = np.cos(self.pitch)
        lift = _BOOST_UU_S2 * burning * dt
        self.v[..., :2] = np.where(ground[..., None], on_ground, self.v[..., :2] + heading * (up * lift)[..., None])
        hold = 1458.0 * ((self.jumped < 0.2) & (self.dodged > 9))
        self.v[..., 2] = np.where(ground, 0.0, self.v[..., 2] + np.sin(self.pitch) * lift + (hold - _GRAVITY) * dt)
        begins = ~ground & self.dodge & (self.jumped > 0.12) & (self.dodged > 9)
        self.v[..., :2] += np.where(begins[..., None], heading * 500.0, 0.0)
        self.v[..., 2] *= np.where(begins, 0.35, 1.0)
        self.dodged = np.where(begins, 0.0, self.dodged + dt)
        self.jumped = self.jumped + dt
        speed = np.linalg.norm(self.v, axis=2)
        self.v *= np.minimum(1, _TOP_SPEED / np.maximum(speed, 1))[..., None]
        self.at += self.v * dt
        wanted = np.where(self.fly & ~ground, self.nose_up, 0.0)
        self.pitch += np.clip(wanted - self.pitch, -4.5 * dt, 4.5 * dt)
        lands = (self.at[..., 2] <= _CAR_Z) & (self.v[..., 2] <= 0)
        self.ground = lands
        self.at[..., 2] = np.where(lands, _CAR_Z, self.at[..., 2])
        self.pitch[lands] = 0.0
        self.dodged[lands], self.jumped[lands], self.dodge[lands], self.fly[lands] = np.inf, np.inf, False, False
        keep_inside(self.at, self.v, 45.0, 0.0)

    def _roll(self) -> None:
        live = (self.phase != AFTER_GOAL)[:, None] & (self.phase != COUNTDOWN)[:, None]
        dt = _STEP_S
        rests = (self.ball[:, 2] <= _BALL_R + 1) & (np.abs(self.ball_v[:, 2]) < 40)
        self.ball_v[:, 2] = np.where(rests, 0.0, self.ball_v[:, 2] - _GRAVITY * dt)
        self.ball_v *= 1 - (0.03 + 0.12 * rests[:, None]) * dt
        speed = np.linalg.norm(self.ball_v, axis=1)
        self.ball_v *= np.minimum(1, _BALL_TOP / np.maximum(speed, 1))[:, None]
        self.ball += np.where(live, self.ball_v * dt, 0.0)
        low = (self.ball[:, 2] < _BALL_R) & (self.ball_v[:, 2] < 0)
        self.ball_v[:, :2] *= np.where(low & ~rests, 0.94, 1.0)[:, None]
        self.ball_v[:, 2] *= np.where(low, -0.6, 1.0)
        self.ball[:, 2] = np.maximum(self.ball[:, 2], _BALL_R)
        keep_inside(self.ball, self.ball_v, _BALL_R, 0.6)

    def _strike(self) -> None:
        """Cars hit the ball."""
        offset = self.ball[:, None] - self.at
        can = (self.away <= 0) & ((self.phase == LIVE) | (self.phase == OVER))[:, None]
        for match, player in np.argwhere(can & ((offset**2).sum(2) < 260.0**2)):
            yaw, pitch = self.yaw[match, player], self.pitch[match, player]
            ahead, over = (np.cos(yaw), np.sin(yaw)), (np.cos(pitch), np.sin(pitch))
            nose = np.array([over[0] * ahead[0], over[0] * ahead[1], over[1]])
            roof = (-over[1] * ahead[0], -over[1] * ahead[1], over[0])
            axes = np.array([nose, (-ahead[1], ahead[0], 0.0), roof])
            local = axes @ offset[match, player] - _BOX_OFFSET
            out = local - np.clip(local, -_HALF_BOX, _HALF_BOX)
            gap = float(np.linalg.norm(out))
            if gap >= _BALL_R:
                continue
            n = axes.T @ (out / gap) if gap > 1 else np.array([0.0, 0.0, 1.0])
            closing = self.v[match, player] - self.ball_v[match]
            towards = float(closing @ n)
            self.ball[match] += n * (_BALL_R - gap)
            if towards <= 0:
                continue
            shooter = self.pending[match]
            was_on_target = shooter is not None and self._on_target(match, float(self.side[shooter]))
            speed = float(np.linalg.norm(closing))
            way = offset[match, player] * (1, 1, 0.35)
            way -= 0.35 * (way @ nose) * nose
            punch = way / max(float(np.linalg.norm(way)), 1.0) * speed * float(np.interp(speed, *_PUNCH))
            is_new = self.frame / HZ - self.touched_at[match, player] > 0.1
            self.ball_v[match] += n * towards * 180 / 210 + punch * is_new
            self.v[match, player] -= n * towards * 30 / 210
            self._touch(match, int(player), was_on_target)

    # ------------------------------------------------------------ what drivers decide

    def _ball_ahead(self) -> Floats:
        """Where the ball will be at the moments of `_AHEAD`, if nobody touches it: about."""
        t = _AHEAD[None]
        b, v = self.ball[:, :, None], self.ball_v[:, :, None] * (1 - 0.015 * t[None])
        x, y = (b[:, axis] + v[:, axis] * t for axis in (0, 1))
        wide, long = WIDE - _BALL_R, GOAL_Y - _BALL_R
        x = np.where(np.abs(x) > wide, np.sign(x) * (wide - 0.6 * (np.abs(x) - wide)), x)
        y = np.where(np.abs(y) > long, np.sign(y) * (long - 0.6 * (np.abs(y) - long)), y)
        vz = self.ball_v[:, 2:]
        falls = (vz + np.sqrt(vz**2 + 2 * _GRAVITY * np.maximum(self.ball[:, 2:] - _BALL_R, 0))) / _GRAVITY
        after = np.maximum(t - falls, 0)
        bounced = 0.6 * np.maximum(_GRAVITY * falls - vz, 0) * after - _GRAVITY * after**2 / 2
        z = np.where(t < falls, self.ball[:, 2:] + vz * t - _GRAVITY * t**2 / 2, _BALL_R + bounced)
        return np.stack([x, y, np.maximum(z, _BALL_R)], axis=2)

    def _decide(self) -> None:
        m, p = self.yaw.shape
        ahead, side = self._ball_ahead(), self.side
        heading = np.stack([np.cos(self.yaw), np.sin(self.yaw)], axis=2)
        u = (self.v[..., :2] * heading).sum(2)
        way = ahead[:, None, :, :2] - self.at[:, :, None, :2]
        far = np.hypot(way[..., 0], way[..., 1])
        off = np.abs(_wrapped(np.arctan2(way[..., 1], way[..., 0]) - self.yaw[..., None]))
        top = np.where(self.boost > 20, 2100.0, 1350.0) * (0.85 + 0.15 * self.level)
        speed = np.minimum(top[..., None], np.maximum(u, 300)[..., None] + 450 * _AHEAD)
        flies = (self.boost > 35) & (self.level + 0.15 * self.skill[..., 0] > 0.25)
        highest = np.where(flies, 420 + 900 * self.level + 120 * self.skill[..., 0], 330)[..., None]
        in_time = (speed * np.maximum(_AHEAD - 0.35 * off, 0) >= far - 120) & (ahead[:, None, :, 2] <= highest)
        at = np.where(in_time.any(2), in_time.argmax(2), len(_AHEAD) - 1)
        when = _AHEAD[at] + np.where(in_time.any(2), 0, far[..., -1] / 1500)
        rows = np.arange(m)[:, None]
        meet = ahead[rows, at]
        is_behind = side * (meet[..., 1] - self.at[..., 1]) < 0
        bias = self.mood + 1.2 * is_behind - 0.3 * self.first + 99 * (self.away > 0)
        eta = (when + bias).reshape(m, 2, self.size)
        order = eta.argsort(2).argsort(2).reshape(m, p)
        shooter = np.array([-1 if each is None else self.team[each] for each in self.pending])
        threatened = (shooter[:, None] >= 0) & (shooter[:, None] != self.team)
        self.first = (order == 0) | (threatened & (when < 1.5 + 0.2 * self.skill[..., 1]) & ~is_behind)
        self._steer(meet, when, order, is_behind, u)

    def _steer(self, meet: Floats, when: Floats, order: Numbers, is_behind: Flags, u: Floats) -> None:
        side, first = self.side, self.first
        goal = np.stack([self.aim, np.broadcast_to(side * (GOAL_Y + 300), self.aim.shape)], axis=2)
        aim = goal - meet[..., :2]
        aim /= np.maximum(np.linalg.norm(aim, axis=2), 1)[..., None]
        way = meet[..., :2] - self.at[..., :2]
        far = np.maximum(np.linalg.norm(way, axis=2), 1)
        straight = (way * aim).sum(2) / far
        # Who is not behind the ball goes round it first.
        round_ = meet[..., :2] - aim * np.where(straight < 0.35, 500.0, np.clip(far * 0.12, 30, 160))[..., None]
        is_wrong = is_behind & (straight < 0)
        aside = np.sign(self.at[..., 0] - meet[..., 0]) * 450
        wide = np.stack([meet[..., 0] + aside, meet[..., 1] - side * 1100], axis=2)
        go = np.where(is_wrong[..., None], wide, round_)
        stay = self._behind(order)
        fetch, wants = self._boost_pad(stay)
        stay = np.where((wants & ~first)[..., None], fetch, stay)
        hunted, hunts = self._foe()
        hunts &= ~first
        stay = np.where(hunts[..., None], hunted, stay)
        target = np.where(first[..., None], go, stay)
        target[..., 0] = np.clip(target[..., 0], -3950, 3950)
        target[..., 1] = np.clip(target[..., 1], -5050, 5050)
        to = target - self.at[..., :2]
        away = np.linalg.norm(to, axis=2)
        off = _wrapped(np.arctan2(to[..., 1], to[..., 0]) - self.yaw)
        soon = np.clip(away / np.maximum(when - 0.15, 0.1), 500, 2450)
        fastest = np.where((away > 1500) | wants, 2450, 1500) * (0.85 + 0.15 * self.level)
        easy = np.where(hunts, 2450, np.clip(away * 1.6, 700, fastest))
        wanted = np.where(first, np.where(is_wrong, 2450, soon), easy)
        wanted = np.where(np.abs(off) > 1.4, np.minimum(wanted, 1000), wanted)
        self.steer = np.clip(off * 3.5, -1, 1)
        self.throttle = np.where(u < wanted, 1.0, np.where(u > wanted + 250, -1.0, 0.0))
        self.brake = (np.abs(off) > 1.3) & (u > 500) & self.ground
        keen = np.where(first | hunts, 5, 35)
        self.burn = (
            self.ground & (wanted > u + 120) & (u > 500) & (np.abs(off) < 0.3) & (self.boost > keen * (u > 1300))
        )
        self._jump(meet, when, off, u, far)

    def _behind(self, order: Numbers) -> Floats:
        """Where those stay who do not go for the ball: behind it, nearer to the goal the later they would be there."""
        ball, side = self.ball[:, None, :2], self.side
        steps = np.maximum(order, 1)
        depth = 1100 + 1250 * steps + 420 * self.skill[..., 2] - 500 * (self.phase == COUNTDOWN)[:, None]
        y = side * ball[..., 1] - np.maximum(depth, 300)
        x = 0.45 * ball[..., 0] + np.where(order % 2 == 1, -700, 500) * np.sign(ball[..., 0] + 1)
        is_danger = side * ball[..., 1] < -2400
        x = np.where(is_danger, -350 * np.sign(ball[..., 0]), x)
        y = np.where(is_danger, -4850 + 150 * steps, np.maximum(y, -4700))
        return np.stack([x, side * y], axis=2)

    def _boost_pad(self, then: Floats) -> tuple[Floats, Flags]:
        """The pad that is least of a detour, and whether somebody wants it."""
        ways = PADS - self.at[:, :, None, :2]
        there = np.hypot(ways[..., 0], ways[..., 1])
        on = then[:, :, None] - PADS
        cost = there + np.hypot(on[..., 0], on[..., 1]) - np.where(BIG, 1500, 0) + 1e5 * (self.pads > 1)[:, None]
        best = cost.argmin(2)
        return PADS[best], (self.boost < 45) & (self.phase == LIVE)[:, None]

    def _foe(self) -> tuple[Floats, Flags]:
        """Where the nearest opponent is about to be, and who is in the mood to demolish somebody."""
        gap = np.linalg.norm(self.at[:, None, :, :2] - self.at[:, :, None, :2], axis=3)
        gap = np.where((self.team[:, None] == self.team) | (self.away > 0)[:, None], np.inf, gap)
        foe, rows = gap.argmin(2), np.arange(len(gap))[:, None]
        near = gap.min(2)
        ahead = np.minimum(near / 2000, 1.0)[..., None]
        where = self.at[rows, foe, :2] + self.v[rows, foe, :2] * ahead
        return where, (self.mood < -0.1) & (self.boost > 15) & (near < 3500) & (self.phase == LIVE)[:, None]

    def _jump(self, meet: Floats, when: Floats, off: Floats, u: Floats, far: Floats) -> None:
        rise = meet[..., 2] - _BALL_R
        ready = self.ground & (np.abs(off) < 0.35) & (self.phase == LIVE)[:, None] & (self.away <= 0)
        chance = self.rng.random(u.shape)
        hop = self.first & (rise > 60) & (rise <= 240) & (when <= 0.12 + rise / 500)
        soar = self.first & (rise > 240) & (when <= 0.55 + rise / 800) & (self.boost > 25)
        kick = self.first & (rise <= 60) & (when < 0.35) & (far < 520) & (u > 500) & (chance < 0.25 + 0.3 * self.level)
        hurry = (far > 2500) & (u > 1000) & (u < 1750) & (self.boost < 12) & (np.abs(off) < 0.15) & (chance < 0.06)
        leaps = ready & (hop | soar | kick | hurry)
        self.dodge |= leaps & (kick | hurry)
        self.fly |= leaps & soar
        self.v[..., 2] += np.where(leaps, 292.0, 0.0)
        self.at[..., 2] += np.where(leaps, 1.0, 0.0)
        self.jumped[leaps] = 0.0
        self.ground &= ~leaps
        flying = self.fly & ~self.ground
        if flying.any():
            # Towards where the ball will be, against gravity.
            t = np.maximum(when, 0.15)[..., None]
            need = 2 * (meet - self.at - self.v * t) / t**2 + (0, 0, _GRAVITY)
            flat = np.hypot(need[..., 0], need[..., 1])
            self.nose_up = np.where(flying, np.clip(np.arctan2(need[..., 2], flat), -0.6, 1.45), 0.0)
            turn = _wrapped(np.arctan2(need[..., 1], need[..., 0]) - self.yaw)
            self.steer = np.where(flying, np.clip(turn * 3, -1, 1) * (flat > 200), self.steer)
            is_near = np.abs(self.nose_up - self.pitch) < 0.5
            wants = np.linalg.norm(need, axis=2) > 300
            self.burn = np.where(flying, is_near & wants & (self.jumped > 0.1), self.burn)
        # In the air without a reason nobody turns.
        self.steer = np.where(self.ground | flying, self.steer, 0.0)


def _wrapped(angle: Floats) -> Floats:
    """An angle between half turns."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
