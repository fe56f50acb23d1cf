"""Events of a replay: touches, boost pickups, shots, saves, assists, goals, demolitions, cameras.

**Touches.** The server sends only the first touch of a team after the other's, without the player. Every other touch
shows in the ball: its velocity jumps beside a car. The touch belongs to the player whose car was nearest to the ball
around that moment, hit box against ball; the confidence depends on that distance, and on the lead over the next car.

**Pickups.** A pickup is a rise of the tank's boost as sent by the server. A pickup in the middle of a burn that leaves
the tank no fuller than last sent is missed, as it is by ballchasing. The pad is the nearest of the 34 pads of a soccar
field. The server also sends when a pad was taken (`pad_taken`), even by full tanks; figures do not use these events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gamestats_assets.rocket_league.replays.network import Flags, Floats, Network, Numbers

# Half of the pads; the others mirror them across the middle line. x, y, and whether the pad is big.
_HALF = (
    (0, 4240, 0), (-1792, 4184, 0), (1792, 4184, 0), (-3072, 4096, 1), (3072, 4096, 1), (-940, 3308, 0),
    (940, 3308, 0), (0, 2816, 0), (-3584, 2484, 0), (3584, 2484, 0), (-1788, 2300, 0), (1788, 2300, 0),
    (-2048, 1036, 0), (0, 1024, 0), (2048, 1036, 0),
)  # fmt: skip
_MIDDLE = ((-3584, 0, 1), (3584, 0, 1), (-1024, 0, 0), (1024, 0, 0))
PADS = np.array([*_HALF, *((x, -y, big) for x, y, big in _HALF), *_MIDDLE], dtype=float)
"""Boost pads of a soccar field: x, y, and whether the pad is big. Source: the RLBot project's list."""
_PAD_REACH_UU = 450.0

_BALL_RADIUS_UU = 92.75
# Hit box of most cars, the Octane's, and the offset of its middle from the car's position.
_HALF_BOX = np.array([118.01, 84.20, 36.16]) / 2
_BOX_OFFSET = np.array([13.88, 0.0, 20.75])
_GRAVITY = np.array([0.0, 0.0, -650.0])
# A larger jump of the ball's velocity than bounces and rounding make, and the largest distance of its car.
_JUMP_UU_S, _TOUCH_REACH_UU = 80.0, 70.0
_SAME_TOUCH_S = 0.15
# Updates of the ball that are further apart show no jump.
_LONGEST_STEP = 6
_BEFORE, _AFTER = 3, 1


def events(network: Network, *, has_pads: bool = True) -> list[dict[str, Any]]:
    """Returns rows of `ReplayEvents` without the columns of the match, in order of time.

    Args:
        has_pads: whether the field has soccar's boost pads.
    """
    rows = [*_touches(network), *_changes(network, has_pads=has_pads), *(_pickups(network) if has_pads else ())]
    rows.sort(key=lambda row: (row["frame"], row["kind"], row["player_id"] or ""))
    return [{"event_number": number, **row} for number, row in enumerate(rows)]


def _row(network: Network, frame: int, kind: str, player: int | None, **more: Any) -> dict[str, Any]:
    before, after = max(frame - _BEFORE, 0), min(frame + _AFTER, len(network.time) - 1)
    place = network.position[frame, player] if player is not None else np.full(3, np.nan)
    row: dict[str, Any] = {
        "kind": kind,
        "frame": frame,
        "time_s": float(network.time[frame] - network.time[0]),
        "clock_s": float(network.step[: frame + 1].sum()),
        "kickoff_number": int(network.round[frame]),
        "is_live": bool(network.is_live[frame]),
        "player_id": network.players[player].player_id if player is not None else None,
        "team": _team(network.players[player].is_orange) if player is not None else None,
    }
    vectors: Mapping[str, tuple[Floats, str]] = {
        "player": (place, "uu"),
        "ball": (network.ball[frame], "uu"),
        "ball_v": (network.ball_velocity[before], "before_uu_s"),
    }
    for name, (vector, unit) in vectors.items():
        joint = "" if name.endswith("_v") else "_"
        row |= {f"{name}{joint}{axis}_{unit}": _known(vector[i]) for i, axis in enumerate("xyz")}
    row |= {f"ball_v{axis}_after_uu_s": _known(network.ball_velocity[after, i]) for i, axis in enumerate("xyz")}
    return row | more


def _team(is_orange: bool) -> str:
    return "orange" if is_orange else "blue"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


# ---------------------------------------------------------------- touches


def _touches(network: Network) -> list[dict[str, Any]]:
    sent = [(frame, int(network.touch[frame]), *_nearest_of_team(network, frame)) for frame in _team_touches(network)]
    by_server = [(frame, player, gap, margin, "server") for frame, _, player, gap, margin in sent if player is not None]
    rows: list[dict[str, Any]] = []
    latest: dict[int, float] = {}
    for frame, player, gap, margin, told_by in sorted([*by_server, *_jumps(network)], key=lambda touch: touch[0]):
        at = float(network.time[frame])
        if at - latest.get(player, -np.inf) < _SAME_TOUCH_S:
            continue
        latest[player] = at
        rows.append(
            _row(
                network, frame, "touch", player, told_by=told_by, car_distance_uu=max(gap, 0.0),
                attribution_confidence=confidence(gap, margin),
            )
        )  # fmt: skip
    # The team touched the ball, but none of its cars is near enough.
    rows += [
        _row(network, frame, "touch", None, told_by="server", attribution_confidence=0.0) | {"team": _team(team == 1)}
        for frame, team, player, _, _ in sent
        if player is None
    ]
    return rows


def confidence(gap_uu: float, margin_uu: float) -> float:
    """Returns how sure a touch is: 1 with the car at the ball and the next car far off, less as either comes nearer.

    >>> confidence(0, 500), round(confidence(0, 20), 2), confidence(200, 500)
    (1.0, 0.6, 0.0)
    """
    nearness = float(np.clip(1 - (gap_uu - 60) / 100, 0, 1))
    clearness = float(np.clip(0.5 + margin_uu / 200, 0.5, 1))
    return nearness * clearness


def _team_touches(network: Network) -> list[int]:
    """Returns frames in which the server sends another team's touch than the last one since the kick-off."""
    frames: list[int] = []
    before: int | None = None
    for frame in np.flatnonzero(network.touch >= 0):
        is_same = before is not None and network.touch[frame] == network.touch[before]
        if not is_same or network.in_countdown[before:frame].any():
            frames.append(int(frame))
        before = int(frame)
    return frames


def _gaps(network: Network, players: Sequence[int] | Numbers, frame: int, ball: Floats, ahead_s: float = 0.0) -> Floats:
    """Returns the distance from each car's hit box to the ball's surface, with cars moved on; inf without a car."""
    rotation = network.rotation[frame, players]
    axis, w = rotation[:, :3], rotation[:, 3:]
    offset = ball - (network.position[frame, players] + ahead_s * np.nan_to_num(network.velocity[frame, players]))
    twice = 2 * np.cross(-axis, offset)
    local = offset + w * twice + np.cross(-axis, twice) - _BOX_OFFSET
    gaps = np.linalg.norm(np.maximum(np.abs(local) - _HALF_BOX, 0), axis=1) - _BALL_RADIUS_UU
    gone = (network.life[frame, players] < 0) | np.isnan(gaps)
    return np.where(gone, np.inf, gaps)


def _nearest_of_team(network: Network, frame: int) -> tuple[int | None, float, float]:
    """Returns the team's player nearest to the ball around a frame, the distance, and the lead over the next one."""
    team = np.flatnonzero(network.is_orange == (network.touch[frame] == 1))
    around = range(max(frame - 4, 0), min(frame + 2, len(network.time)))
    return _nearest(team, np.min([_gaps(network, team, each, network.ball[each]) for each in around], axis=0))


def _nearest(players: Numbers, gaps: Floats) -> tuple[int | None, float, float]:
    order = np.argsort(gaps, kind="stable")
    if not len(order) or not np.isfinite(gaps[order[0]]):
        return None, np.inf, np.inf
    gap = float(gaps[order[0]])
    return int(players[order[0]]), gap, float(gaps[order[1]]) - gap if len(order) > 1 else np.inf


def _jumps(network: Network) -> list[tuple[int, int, float, float, str]]:
    """Returns frames in which the ball's velocity jumps beside a car."""
    ball, velocity = network.ball, network.ball_velocity
    everybody = np.arange(len(network.players))
    moved = np.r_[True, (np.diff(ball, axis=0) != 0).any(axis=1) | (np.diff(velocity, axis=0) != 0).any(axis=1)]
    fresh = np.flatnonzero(moved & ~np.isnan(velocity[:, 0]))
    a, b = fresh[:-1], fresh[1:]
    step = network.time[b] - network.time[a]
    # A ball that rolls does not fall.
    falls = (ball[a, 2] > _BALL_RADIUS_UU + 2)[:, None]
    jump = np.linalg.norm(velocity[b] - velocity[a] - _GRAVITY * step[:, None] * falls, axis=1)
    is_jump: Flags = (jump >= _JUMP_UU_S) & (b - a <= _LONGEST_STEP) & ~network.in_countdown[b] & (
        network.round[a] == network.round[b]
    )  # fmt: skip
    jumps: list[tuple[int, int, float, float, str]] = []
    for first, last, seconds in zip(a[is_jump], b[is_jump], step[is_jump], strict=True):
        near = [_gaps(network, everybody, frame, ball[frame]) for frame in range(first, last + 1)]
        parts = (part * seconds for part in (1 / 3, 2 / 3, 1.0))
        near += [_gaps(network, everybody, first, ball[first] + velocity[first] * part, part) for part in parts]
        player, gap, margin = _nearest(everybody, np.min(near, axis=0))
        if player is not None and gap < _TOUCH_REACH_UU:
            jumps.append((int(last), player, gap, margin, "ball"))
    return jumps


# ---------------------------------------------------------------- the rest


def _changes(network: Network, *, has_pads: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for change in network.changes:
        more: dict[str, Any] = {}
        if change.kind == "pad_taken" and change.player is not None:
            pad = _pad_at(network, change.frame, change.player) if has_pads else None
            if pad is None:
                continue
            more = pad
        if change.kind != "goal":
            other = network.players[change.other].player_id if change.other is not None else None
            rows.append(_row(network, change.frame, change.kind, change.player, other_player_id=other, **more))
    scorers = {change.frame: change.player for change in network.changes if change.kind == "goal"}
    for frame, team in network.goals:
        at = min(frame, len(network.time) - 1)
        scorer = next((player for scored_at, player in scorers.items() if abs(scored_at - at) <= 5), None)
        last = last_defender(network, at, is_orange=team == 0)
        other = network.players[last].player_id if last is not None else None
        rows.append(_row(network, at, "goal", scorer, other_player_id=other) | {"team": _team(team == 1)})
    return rows


def last_defender(network: Network, frame: int, *, is_orange: bool) -> int | None:
    """Returns the player of a team nearest to its goal line in the frame before a given one."""
    before = max(frame - 1, 0)
    own = [player for player in np.flatnonzero(network.is_orange == is_orange) if network.life[before, player] >= 0]
    side = 1 if is_orange else -1
    return int(max(own, key=lambda player: side * network.position[before, player, 1])) if own else None


def _pickups(network: Network) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for player in range(len(network.players)):
        sent = np.flatnonzero(network.boost_sent[:, player] & (network.life[:, player] >= 0))
        life, boost = network.life[sent, player], network.boost[sent, player]
        rises = np.flatnonzero((life[1:] == life[:-1]) & (boost[1:] > boost[:-1]))
        for b, before, after in zip(sent[rises + 1], boost[rises], boost[rises + 1], strict=True):
            pad = _pad_at(network, int(b), player)
            if pad is not None:
                tank = {"boost_before": float(before), "boost_after": float(after)}
                rows.append(_row(network, int(b), "boost_pickup", player, **pad, **tank))
    return rows


def _pad_at(network: Network, frame: int, player: int) -> dict[str, Any] | None:
    """Returns the boost pad at a player's car; None if there is none."""
    away = np.hypot(*(PADS[:, :2] - network.position[frame, player, :2]).T)
    pad = int(away.argmin())
    if not away[pad] < _PAD_REACH_UU:
        return None
    x, y, is_big = PADS[pad].tolist()
    return {"pad_x_uu": x, "pad_y_uu": y, "is_big_pad": bool(is_big)}
