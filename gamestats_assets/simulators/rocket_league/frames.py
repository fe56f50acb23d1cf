"""The files of matches that are played out: ballchasing's figures of them, and their frames.

The game's own binary is not written. The frames of a match are a JSON document that is marked as simulated and has the
contents of a replay's network updates: whole numbers, in unreal units, for ball and cars in every frame, the
scoreboard, and shots, saves, assists, goals and demolitions. As in a replay, only touches that win the ball are listed,
and by team alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from gamestats_assets.simulators.rocket_league.play import COUNTDOWN, PADS, Flags, Floats, Numbers, Played
from gamestats_assets.simulators.rocket_league.statistics import PARTS_OF_TIME
from gamestats_assets.simulators.templates import filled, template

FRAMES = "frames"
"""The key of the frames, which no document of ballchasing has."""
_BOOST_SPEED, _SUPERSONIC, _GROUND_Z, _HIGH_Z, _THIRD_Y = 1410.0, 2200.0, 20.0, 840.0, 1714.0
_POINTS = {"goal": 100, "assist": 50, "save": 50, "shot": 10, "touch": 2, "demolition": 20}
_HITBOXES = {"Octane": "octane", "Fennec": "octane", "Dominus": "dominus", "Breakout": "breakout"}
# Players with little boost and far from the ball look for pads, for a second at least.
_LOOKS_FOR_BOOST, _FAR_UU, _LOOKS_S = 20.0, 2500.0, 1.0
_IN_FILES = ("shot", "save", "assist", "goal", "demolition")


def figures(played: Played) -> dict[str, Any]:
    """Returns figures of a match by ballchasing's names: a number per team and player, per team, or for the match."""
    steps, size = _steps(played), played.life.shape[1] // 2
    # Seconds of each player in each frame in which the car is the one of the previous frame.
    stays = (played.life >= 0) & (np.diff(played.life, axis=0, prepend=-1) == 0)
    w = np.where(stays, steps[:, None], 0.0)
    found = _scoreboard(played) | _movement(played, w) | _boost(played, w) | _among_others(played, steps)
    held, in_side = _possession(played, steps)
    return {name: np.asarray(values).reshape(2, size) for name, values in found.items()} | {
        "end": round(float(steps.sum()), 3), "played": float(steps.sum()),
        "counted": float(steps[played.phase != COUNTDOWN].sum()),
        "overtime": played.overtime_s > 0, "overtime_seconds": int(played.overtime_s),
        "possession_time": held, "time_in_side": in_side,
    }  # fmt: skip


def _steps(played: Played) -> Floats:
    """Returns seconds since the previous frame; none for goal replays, which are not recorded."""
    steps = np.diff(played.time, prepend=played.time[0])
    return np.where(steps > 1, 0.0, steps)


def _side(played: Played) -> Floats:
    return np.repeat([1.0, -1.0], played.life.shape[1] // 2)


def _scoreboard(played: Played) -> dict[str, Any]:
    p, events = played.life.shape[1], played.events
    counts = {kind: np.bincount(events["player"][events["kind"] == kind], minlength=p) for kind in _POINTS}
    return {
        **{f"{kind}s": counts[kind] for kind in ("goal", "assist", "save", "shot")},
        "score": sum(points * counts[kind] for kind, points in _POINTS.items()),
        "inflicted": counts["demolition"],
        "taken": np.bincount(events["other"][events["kind"] == "demolition"], minlength=p),
    }


def _movement(played: Played, w: Floats) -> dict[str, Any]:
    speed, z = np.linalg.norm(played.cars[..., 3:], axis=2), played.cars[..., 2]
    y, ball_y = played.cars[..., 1] * _side(played), played.ball[:, 1, None] * _side(played)
    moved = np.linalg.norm(np.diff(played.cars[..., :3], axis=0, prepend=played.cars[:1, :, :3]), axis=2)
    slides = played.brakes & (z < _GROUND_Z)
    begun = (np.diff(slides.astype(int), axis=0, prepend=0) > 0).sum(0)
    where: dict[str, Flags] = {
        "supersonic_speed": speed >= _SUPERSONIC,
        "boost_speed": (speed >= _BOOST_SPEED) & (speed < _SUPERSONIC),
        "slow_speed": speed < _BOOST_SPEED,
        "ground": z < _GROUND_Z,
        "low_air": (z >= _GROUND_Z) & (z <= _HIGH_Z),
        "high_air": z > _HIGH_Z,
        "defensive_third": y < -_THIRD_Y,
        "neutral_third": np.abs(y) <= _THIRD_Y,
        "offensive_third": y > _THIRD_Y,
        "defensive_half": y < 0,
        "offensive_half": y >= 0,
        "behind_ball": y < ball_y,
        "infront_ball": y >= ball_y,
        "powerslide": slides,
    }
    return {
        **{f"time_{name}": np.round((w * each).sum(0), 2) for name, each in where.items()},
        "avg_speed": np.rint(np.average(speed, axis=0, weights=played.life >= 0)),
        "total_distance": np.rint((moved * (w > 0)).sum(0)),
        "count_powerslide": begun,
    }


def _boost(played: Played, w: Floats) -> dict[str, Any]:
    p, tank, pickups = played.life.shape[1], played.boost, played.pickups
    big, stolen = PADS[pickups["pad"], 2] > 0, PADS[pickups["pad"], 1] * _side(played)[pickups["player"]] > 0
    gained = pickups["after"] - pickups["before"]
    over = pickups["before"] + np.where(big, 100, 12) - pickups["after"]

    def each(amounts: Floats, where: Flags) -> Numbers:
        return np.bincount(pickups["player"], amounts * where, minlength=p).astype(int)

    found: dict[str, Any] = {}
    for how, taken in (("collected", np.ones(len(pickups), bool)), ("stolen", stolen)):
        for kind, where in (("big", big), ("small", ~big)):
            found[f"amount_{how}_{kind}"] = each(gained, taken & where)
            found[f"count_{how}_{kind}"] = each(np.ones(len(pickups)), taken & where)
    before = np.vstack([tank[:1], tank[:-1]])
    burnt = np.where(played.is_burning & (w > 0), np.maximum(before - tank, 0), 0.0)
    speed = np.linalg.norm(played.cars[..., 3:], axis=2)
    where = {name: np.minimum(tank // 25, 3) == number for number, name in enumerate(PARTS_OF_TIME[-1])}
    where |= {"zero_boost": before < 0.2, "full_boost": (before > 99.8) & (tank > 99.8)}
    return found | {
        "amount_overfill": each(over, over > 0),
        "amount_overfill_stolen": each(over, stolen),
        "bpm": np.rint(60 * burnt.sum(0) / np.maximum(w.sum(0), 1)),
        "avg_amount": np.round(np.average(tank, axis=0, weights=played.life >= 0), 2),
        "amount_used_while_supersonic": np.rint((burnt * (speed >= _SUPERSONIC)).sum(0)),
        **{f"time_{name}": np.round((w * each).sum(0), 2) for name, each in where.items()},
    }


def _among_others(played: Played, steps: Floats) -> dict[str, Any]:
    """Returns players' places relative to the ball and their mates; a team's last, first, nearest and farthest."""
    p, there = played.life.shape[1], played.life >= 0
    team = np.repeat([0, 1], p // 2)
    gap = np.linalg.norm(played.cars[..., :3] - played.ball[:, None, :3], axis=2)
    y, has_ball = played.cars[..., 1] * _side(played), _has_ball(played)[:, None]
    # A player who was away counts from the frame in which the last car was back.
    clock, w = np.cumsum(np.where(played.phase != COUNTDOWN, steps, 0.0)), np.zeros(there.shape)
    for player in range(p):
        frames = np.flatnonzero(there[:, player])
        w[frames[1:], player] = np.diff(clock[frames])

    def first(values: Floats) -> Floats:
        of_team = np.where(there, values, np.inf).reshape(-1, 2, p // 2).min(2)
        return np.round((w * (values <= of_team[:, team])).sum(0), 1)

    def mean(where: Flags) -> Floats:
        return np.rint((gap * where).sum(0) / np.maximum(where.sum(0), 1))

    conceded = np.zeros(p, int)
    for frame, scoring in played.goals.tolist():
        if len(own := np.flatnonzero(there[frame - 1] & (team != scoring))):
            conceded[own[y[frame - 1, own].argmin()]] += 1
    apart = [[_apart(played, player, mate) for mate in range(p) if team[mate] == team[player] and mate != player]
             for player in range(p)]  # fmt: skip
    return {
        "avg_distance_to_ball": mean(there),
        "avg_distance_to_ball_possession": mean(there & (has_ball == team)),
        "avg_distance_to_ball_no_possession": mean(there & (has_ball == 1 - team)),
        "avg_distance_to_mates": np.rint(np.mean(apart, axis=1)) if p > 2 else np.zeros(p),
        "time_most_back": first(y), "time_most_forward": first(-y),
        "time_closest_to_ball": first(gap), "time_farthest_from_ball": first(-gap),
        "goals_against_while_last_defender": conceded,
    }  # fmt: skip


def _apart(played: Played, player: int, mate: int) -> float:
    both = (played.life[:, [player, mate]] >= 0).all(1)
    return float(np.linalg.norm(played.cars[both, player, :3] - played.cars[both, mate, :3], axis=1).mean())


def _rounds(played: Played) -> Numbers:
    """Returns the kick-off of each frame."""
    return np.cumsum(np.diff((played.phase == COUNTDOWN).astype(int), prepend=0) > 0)


def _turns(played: Played) -> list[tuple[int, int]]:
    """Returns frame and team of each touch that won the ball: the first one since a kick-off, or after the other
    team's."""
    touches = played.events[played.events["kind"] == "touch"]
    team, kick_off = (touches["player"] >= played.life.shape[1] // 2).astype(int), _rounds(played)[touches["frame"]]
    is_turn = (np.diff(team, prepend=-1) != 0) | (np.diff(kick_off, prepend=-1) != 0)
    return list(zip(touches["frame"][is_turn].tolist(), team[is_turn].tolist(), strict=True))


def _has_ball(played: Played) -> Numbers:
    """Returns the team that has the ball in each frame, by ballchasing's rule.

    It is the team that touched it last, across goals and kick-offs; none (-1) before the first touch, and after the
    last one unless a goal follows.
    """
    last, turns = np.full(len(played.time), -1), _turns(played)
    for frame, team in turns:
        last[frame + 1 :] = team
    if turns and not (played.goals["frame"] >= turns[-1][0]).any():
        last[turns[-1][0] + 1 :] = -1
    return last


def _possession(played: Played, steps: Floats) -> tuple[Floats, Floats]:
    """Returns the seconds in which each team had the ball, and in which the ball was in that team's half."""
    rounds, clock, held = _rounds(played), np.cumsum(steps), np.zeros(2)
    for (frame, team), (until, _) in itertools.pairwise(_turns(played)):
        if rounds[frame] == rounds[until]:
            held[team] += clock[until] - clock[frame]
    y = played.ball[:, 1]
    in_side = np.array([steps[y < 0].sum(), steps[y > 0].sum()], np.float64)
    return np.round(held, 2), np.round(in_side, 2)


# ---------------------------------------------------------------- the file


def frames_document(match: Mapping[str, Any], played: Played) -> dict[str, Any]:
    """Returns the document of a match's frames.

    Args:
        match: ballchasing's document of the match.
        played: the match.
    """
    began_at = datetime.fromisoformat(match["date"]) - timedelta(seconds=round(float(played.time[-1])))
    happened = [event for event in played.events.tolist() if event[1] in _IN_FILES]
    seats = [(team, player) for team in ("blue", "orange") for player in match[team]["players"]]
    happened += [look for seat in range(len(seats)) for look in _looks(played, seat)]
    return filled(
        template("rocket_league", "frames"),
        {
            **match,
            "date": began_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "score": np.bincount(played.goals["team"], minlength=2).tolist(),
            "players": [
                filled(
                    template("rocket_league", "frames_player"),
                    {**seat, **seat["stats"]["core"], "team": team, "hitbox": _HITBOXES[seat["car_name"]]},
                )
                for team, seat in seats
            ],
            "happened": [[*event[:3], event[3] if event[3] >= 0 else None] for event in sorted(happened)],
            "goals": [list(goal) for goal in played.goals.tolist()],
            "turns": [list(turn) for turn in _turns(played)],
            "time_ms": _whole(played.time * 1000),
            "phase": _whole(played.phase),
            "clock_s": _whole(played.clock),
            "is_hit": _whole(played.is_hit),
            "ball": _body(played.ball),
            "cars": [_car(played, seat) for seat in range(len(seats))],
        },
    )  # fmt: skip


def _looks(played: Played, seat: int) -> list[tuple[int, str, int, int]]:
    """Returns when a player's camera starts and stops looking at the ball."""
    gap = np.linalg.norm(played.cars[:, seat, :3] - played.ball[:, :3], axis=1)
    away = (played.boost[:, seat] < _LOOKS_FOR_BOOST) & (gap > _FAR_UU) & (played.phase != COUNTDOWN)
    until = np.maximum.accumulate(np.where(away, played.time + _LOOKS_S, -np.inf))
    on = played.time > until
    turns = np.flatnonzero(on != np.r_[False, on[:-1]])
    return [(int(frame), "ball_cam_on" if on[frame] else "ball_cam_off", seat, -1) for frame in turns]


def _whole(values: Any) -> list[int]:
    return np.rint(np.asarray(values, float)).astype(int).tolist()


def _body(rows: Floats) -> dict[str, list[int]]:
    return {name: _whole(rows[:, number]) for number, name in enumerate(("x", "y", "z", "vx", "vy", "vz"))}


def _car(played: Played, seat: int) -> dict[str, list[int]]:
    """Returns a car's columns; its rotation is a quaternion in ten thousandths, its boost from 0 to 255."""
    yaw, pitch = (played.angles[:, seat, axis] / 2 for axis in (0, 1))
    turn = {
        "qx": np.sin(yaw) * np.sin(pitch), "qy": -np.cos(yaw) * np.sin(pitch), "qz": np.sin(yaw) * np.cos(pitch),
        "qw": np.cos(yaw) * np.cos(pitch),
    }  # fmt: skip
    return {
        "life": _whole(played.life[:, seat]),
        **_body(played.cars[:, seat]),
        **{name: _whole(10_000 * value) for name, value in turn.items()},
        "boost": _whole(played.boost[:, seat] * 2.55),
        "is_burning": _whole(played.is_burning[:, seat]),
        "brakes": _whole(played.brakes[:, seat]),
    }
