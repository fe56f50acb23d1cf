"""Ballchasing's figures of each player, computed from a replay's network updates.

The rules were found by comparing results with ballchasing's for the same replays; PARITY.md shows how close they are:

- The time between two updates of a car counts for the state at the later one. Averages are plain means over updates.
  Countdowns and goal celebrations count for movement and positions.
- The time after a car's last update is left out (a car that stands still sends nothing), and so are the three seconds
  after a demolition, goal replays that were not recorded, and repetitions by key frames.
- Boost is the tank as sent by the server: at every pickup, and at the end of every burn. It is sent from 0 to 255 and
  shown from 0 to 100.
- Figures per minute (of boost collected) refer to the time outside countdowns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gamestats_assets.rocket_league.replays.network import FULL_BOOST, Flags, Floats, Network, Numbers, lives

SUPERSONIC_UU_S, BOOST_SPEED_UU_S = 2200.0, 1410.0
"""Speeds from which a car is supersonic, and faster than possible without boost."""
GROUND_Z_UU, HIGH_AIR_Z_UU = 20.0, 840.0
"""Heights below which a car counts as on the ground, and above which it counts as high in the air."""
THIRD_Y_UU = 1714.0
"""Distance from the middle line to the end of the middle third."""
_QUARTERS = ("0_25", "25_50", "50_75", "75_100")
_PER_CENT = 100 / FULL_BOOST


def counted_s(network: Network) -> float:
    """Returns the seconds played outside countdowns."""
    return float(network.step[~network.in_countdown].sum())


def figures(network: Network, player: int) -> dict[str, Any]:
    """Returns the columns of `PlayerMatchStats` that need every update, of one player; unknown values are None."""
    a, b, w = _intervals(network, player, network.sent[:, player])
    if not len(b):
        return {}
    return {
        "counted_s": counted_s(network),
        **_movement(network, player, a, b, w),
        **_positions(network, player, b, w),
        **_boost(network, player),
    }


def _intervals(network: Network, player: int, sent: Flags) -> tuple[Numbers, Numbers, Floats]:
    """Returns the frames of consecutive updates of the same car, and the seconds between them."""
    rows = np.flatnonzero(sent & (network.life[:, player] >= 0))
    a, b = rows[:-1], rows[1:]
    kept = network.life[a, player] == network.life[b, player]
    clock = network.clock
    return a[kept], b[kept], (clock[b] - clock[a])[kept]


def _movement(network: Network, player: int, a: Numbers, b: Numbers, w: Floats) -> dict[str, Any]:
    place, present = network.position[:, player], network.life[:, player] >= 0
    speeds = np.linalg.norm(network.velocity[:, player], axis=1)
    v, z = speeds[b], place[b, 2]
    held, ground = network.brakes[:, player] & present, np.nan_to_num(place[:, 2], nan=np.inf) < GROUND_Z_UU
    before_ground, before_held = np.r_[False, ground[:-1]], np.r_[False, held[:-1]]
    # The brake of a frame is read before its position; a brake released on landing counts, too.
    steps = np.stack([held & before_ground, held & ground], axis=1).ravel()
    begun = (steps & ~np.r_[False, steps[:-1]]).sum() + (before_held & ~held & ground & ~before_ground).sum()
    return {
        "avg_speed_uu_s": _mean(speeds[network.sent[:, player] & present]),
        "total_distance_uu": float(np.linalg.norm(place[b] - place[a], axis=1).sum()),
        "time_supersonic_s": _sum(w, v >= SUPERSONIC_UU_S),
        "time_boost_speed_s": _sum(w, (v >= BOOST_SPEED_UU_S) & (v < SUPERSONIC_UU_S)),
        "time_slow_s": _sum(w, v < BOOST_SPEED_UU_S),
        "time_ground_s": _sum(w, z < GROUND_Z_UU),
        "time_low_air_s": _sum(w, (z >= GROUND_Z_UU) & (z <= HIGH_AIR_Z_UU)),
        "time_high_air_s": _sum(w, z > HIGH_AIR_Z_UU),
        "time_powerslide_s": _sum(np.r_[network.step[1:], 0.0], held & ground),
        "powerslides": int(begun),
    }


def _positions(network: Network, player: int, b: Numbers, w: Floats) -> dict[str, Any]:
    side = np.where(network.is_orange, -1.0, 1.0)
    own, ball = network.position[:, player], network.ball
    y, ball_y = own[b, 1] * side[player], ball[b, 1] * side[player]
    sent = network.sent[:, player] & (network.life[:, player] >= 0)
    distance = np.linalg.norm(own - ball, axis=1)
    last, orange = last_touch(network), int(network.is_orange[player])
    mates = [other for other, of in enumerate(network.players) if of.is_orange == bool(orange) and other != player]
    columns: dict[str, Any] = {
        "avg_distance_to_ball_uu": _mean(distance[sent]),
        "avg_distance_to_ball_possession_uu": _mean(distance[sent & (last == orange)]),
        "avg_distance_to_ball_no_possession_uu": _mean(distance[sent & (last == 1 - orange)]),
        "time_defensive_third_s": _sum(w, y < -THIRD_Y_UU),
        "time_neutral_third_s": _sum(w, np.abs(y) <= THIRD_Y_UU),
        "time_offensive_third_s": _sum(w, y > THIRD_Y_UU),
        "time_defensive_half_s": _sum(w, y < 0),
        "time_offensive_half_s": _sum(w, y >= 0),
        "time_behind_ball_s": _sum(w, y < ball_y),
        "time_in_front_of_ball_s": _sum(w, y >= ball_y),
    }
    if mates:
        distances = [_distance_between(network, player, mate) for mate in mates]
        columns["avg_distance_to_mates_uu"] = _mean(np.array([each for each in distances if each is not None]))
        columns |= _rank_in_team(network, player, mates, side)
    return columns


def _moving(network: Network, player: int) -> Flags:
    """Returns the frames from the first to the last update of each of a player's cars."""
    inside = np.zeros(len(network.time), dtype=bool)
    for first, last in lives(network, player):
        sent = np.flatnonzero(network.sent[first : last + 1, player])
        if len(sent):
            inside[first + sent[0] : first + sent[-1] + 1] = True
    return inside


def _distance_between(network: Network, player: int, mate: int) -> float | None:
    rows = _moving(network, player) & _moving(network, mate) & (network.sent.any(axis=1) | network.ball_sent)
    return _mean(np.linalg.norm(network.position[:, player] - network.position[:, mate], axis=1)[rows])


def _rank_in_team(network: Network, player: int, mates: Sequence[int], side: Floats) -> dict[str, float]:
    """Returns the time as last, foremost, nearest and farthest player of the team.

    An update counts for the time since the previous one, even if that was another car's (for a demolished player, the
    next car's first update counts). Countdowns count for nothing, absent players are no rivals, and ties count for
    both.
    """
    rows = np.flatnonzero(network.sent[:, player] & (network.life[:, player] >= 0))
    at = rows[1:]
    w = np.diff(np.cumsum(np.where(network.in_countdown, 0.0, network.step))[rows])
    away = np.stack([~_moving(network, mate)[at] for mate in mates], axis=1)
    team = [player, *mates]
    y = network.position[:, team, 1][at] * side[player]
    d = np.linalg.norm(network.position[:, team] - network.ball[:, None], axis=2)[at]

    def first(values: Floats) -> float:
        rivals = np.where(away, np.inf, values[:, 1:]).min(axis=1)
        return _sum(w, values[:, 0] <= rivals)

    return {
        "time_most_back_s": first(y),
        "time_most_forward_s": first(-y),
        "time_closest_to_ball_s": first(d),
        "time_farthest_from_ball_s": first(-d),
    }


def _boost(network: Network, player: int) -> dict[str, Any]:
    sent, boost = network.boost_sent[:, player], network.boost[:, player]
    a, b, w = _intervals(network, player, sent)
    if not len(b):
        return {}
    before, after = boost[a], boost[b]
    burnt = np.cumsum(network.is_burning[:, player])
    is_burnt = burnt[b] > burnt[a]
    is_full = (before > FULL_BOOST - 0.5) & ~((after > FULL_BOOST - 0.5) & is_burnt)
    quarter = np.minimum((after * _PER_CENT) // 25, 3)
    quarters = {f"time_boost_{name}_s": _sum(w, quarter == number) for number, name in enumerate(_QUARTERS)}
    known_s = sum(quarters.values())
    used = float(np.clip(before - after, 0, None).sum()) * _PER_CENT
    speed = np.linalg.norm(network.velocity[:, player], axis=1)
    # A burn is sent when it ends: its supersonic part is estimated from the frames since the previous update.
    fast = np.cumsum(speed >= SUPERSONIC_UU_S)
    supersonic = (fast[b] - fast[a]) / np.maximum(b - a, 1)
    return {
        "avg_boost": _mean(boost[sent & (network.life[:, player] >= 0)] * _PER_CENT),
        "boost_per_minute": 60 * used / known_s if known_s else None,
        "boost_used_while_supersonic": float((np.clip(before - after, 0, None) * supersonic).sum()) * _PER_CENT,
        "time_zero_boost_s": _sum(w, before < 0.5),
        "time_full_boost_s": _sum(w, is_full),
        **quarters,
    }


def last_touch(network: Network) -> Numbers:
    """Returns the team that touched last before each frame, 0 blue and 1 orange, across goals and kick-offs.

    -1 before the first touch, and after the last one unless a goal follows.
    """
    rows = np.flatnonzero(network.touch >= 0)
    held = np.searchsorted(rows, np.arange(len(network.time)), side="left") - 1
    team = np.where(held >= 0, network.touch[rows[np.maximum(held, 0)]] if len(rows) else -1, -1)
    if len(rows) and not any(frame >= rows[-1] for frame, _ in network.goals):
        team[rows[-1] + 1 :] = -1
    return team


def team_figures(network: Network, is_orange: bool) -> dict[str, float]:
    """Returns the seconds with the ball in a team's possession, and with the ball in the team's own half.

    The ball is in a team's possession from its touch to the next touch before the next kick-off; after the last touch
    it is in no one's.
    """
    touches = np.flatnonzero(network.touch >= 0)
    clock = network.clock
    a, b = touches[:-1], touches[1:]
    is_own = (network.round[a] == network.round[b]) & (network.touch[a] == int(is_orange))
    rows = np.flatnonzero(network.ball_sent)
    c, d = rows[:-1], rows[1:]
    own_half = (network.round[c] == network.round[d]) & (network.ball[d, 1] * (-1 if is_orange else 1) < 0)
    return {
        "team_possession_s": float((clock[b] - clock[a])[is_own].sum()),
        "team_ball_in_own_half_s": float((clock[d] - clock[c])[own_half].sum()),
    }


def _sum(seconds: Floats, where: Flags) -> float:
    return float(seconds[where].sum())


def _mean(values: Floats) -> float | None:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None
