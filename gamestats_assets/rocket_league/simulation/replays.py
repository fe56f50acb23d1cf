"""What matches that were played out look like in files: ballchasing's figures of them, and their frames.

The game's own binary is not written. The frames of a match are a JSON document that says of itself that it is simulated
and holds what a replay's network updates tell: whole numbers, in unreal units, of ball and cars in every frame, the
scoreboard, and shots, saves, assists, goals and demolitions. As in a replay, of the touches only those are told with
which the ball went to the other team, and by team alone.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from gamestats_assets.rocket_league.simulation.field import pad
from gamestats_assets.rocket_league.simulation.play import COUNTDOWN, HZ, Flags, Floats, Numbers, Played
from gamestats_assets.rocket_league.simulation.players import Player

FRAMES = "frames"
"""The key that holds the frames, which no document of ballchasing has."""
_BOOST_SPEED, _SUPERSONIC, _GROUND_Z, _HIGH_Z, _THIRD_Y = 1410.0, 2200.0, 20.0, 840.0, 1714.0
_POINTS = {"goal": 100, "assist": 50, "save": 50, "shot": 10, "touch": 2, "demolition": 20}
_HITBOXES = {"Octane": "octane", "Fennec": "octane", "Dominus": "dominus", "Breakout": "breakout"}
# Who has little boost and is far from the ball looks for pads, for a second at least.
_LOOKS_FOR_BOOST, _FAR_UU, _LOOKS_S = 20.0, 2500.0, 1.0
_QUARTERS = ("boost_0_25", "boost_25_50", "boost_50_75", "boost_75_100")


def drawn_of(played: Played) -> dict[str, Any]:
    """Figures of a match by ballchasing's names: a number per team and player, per team, or for the match."""
    size = played.life.shape[1] // 2
    steps = _steps(played)
    each = [_of_player(played, player, steps) for player in range(2 * size)]
    drawn: dict[str, Any] = {name: np.array([figures[name] for figures in each]).reshape(2, size) for name in each[0]}
    score = [sum(team == each for _, team in played.goals) for each in (0, 1)]
    shots = drawn["shots"].sum(1)
    won = int(score[1] > score[0])
    best = np.zeros((2, size), bool)
    if size > 1:
        best[won, drawn["score"][won].argmax()] = True
    seconds = float(steps.sum())
    held, in_side = _possession(played, steps)
    return drawn | {
        "mvp": best, "won": won, "end": _f32(seconds), "played": seconds,
        "shots_against": np.repeat(shots[::-1, None], size, 1),
        "goals_against": np.repeat(np.array(score)[::-1, None], size, 1),
        "shooting_percentage": _f32(100 * drawn["goals"] / np.maximum(drawn["shots"], 1)),
        "overtime": played.overtime_s > 0, "overtime_seconds": int(played.overtime_s),
        "possession_time": held, "time_in_side": in_side,
    }  # fmt: skip


def _f32(values: Any) -> Any:
    return np.round(np.asarray(values, float), 3)


def _steps(played: Played) -> Floats:
    """Seconds since the frame before; of goal replays, which nobody records, none."""
    steps = np.diff(played.time, prepend=played.time[0])
    return np.where(steps > 2 / HZ, 0.0, steps)


def _of_player(played: Played, player: int, steps: Floats) -> dict[str, Any]:
    life, car = played.life[:, player], played.cars[:, player]
    side = 1.0 if player < played.life.shape[1] // 2 else -1.0
    stays = np.r_[False, (life[1:] == life[:-1]) & (life[1:] >= 0)]
    w, there = np.where(stays, steps, 0.0), life >= 0
    speed, z, y = np.linalg.norm(car[:, 3:], axis=1), car[:, 2], car[:, 1] * side
    ball_y = played.ball[:, 1] * side
    moved = np.linalg.norm(np.diff(car[:, :3], axis=0, prepend=car[:1, :3]), axis=1)

    def seconds(where: Flags) -> float:
        return float(np.round(w[where].sum(), 2))

    slides = played.brakes[:, player] & there & (z < _GROUND_Z)
    begun = int((slides & ~np.r_[False, slides[:-1]]).sum())
    told: dict[str, Any] = {
        "time_supersonic_speed": seconds(speed >= _SUPERSONIC),
        "time_boost_speed": seconds((speed >= _BOOST_SPEED) & (speed < _SUPERSONIC)),
        "time_slow_speed": seconds(speed < _BOOST_SPEED),
        "time_ground": seconds(z < _GROUND_Z),
        "time_low_air": seconds((z >= _GROUND_Z) & (z <= _HIGH_Z)),
        "time_high_air": seconds(z > _HIGH_Z),
        "time_defensive_third": seconds(y < -_THIRD_Y),
        "time_neutral_third": seconds(np.abs(y) <= _THIRD_Y),
        "time_offensive_third": seconds(y > _THIRD_Y),
        "time_defensive_half": seconds(y < 0),
        "time_offensive_half": seconds(y >= 0),
        "time_behind_ball": seconds(y < ball_y),
        "time_infront_ball": seconds(y >= ball_y),
        "avg_speed": float(np.rint(speed[there].mean())),
        "avg_speed_percentage": float(_f32(speed[there].mean() / 23)),
        "total_distance": float(np.rint(moved[stays & (steps > 0)].sum())),
        "time_powerslide": seconds(slides),
        "count_powerslide": begun,
        "avg_powerslide_duration": round(seconds(slides) / max(begun, 1), 2),
    }
    told |= _boost(played, player, w) | _among_mates(played, player, steps, side) | _counts(played, player)
    for family in (
        ("supersonic_speed", "boost_speed", "slow_speed"), ("ground", "low_air", "high_air"),
        ("defensive_third", "neutral_third", "offensive_third"), ("defensive_half", "offensive_half"),
        ("behind_ball", "infront_ball"), _QUARTERS,
    ):  # fmt: skip
        whole = sum(told[f"time_{name}"] for name in family) or 1.0
        told |= {f"percent_{name}": float(_f32(100 * told[f"time_{name}"] / whole)) for name in family}
    for name in ("zero_boost", "full_boost", "most_back", "most_forward", "closest_to_ball", "farthest_from_ball"):
        told[f"percent_{name}"] = float(_f32(100 * told[f"time_{name}"] / max(steps.sum(), 1)))
    return told


def _boost(played: Played, player: int, w: Floats) -> dict[str, Any]:
    tank = played.boost[:, player]
    there = played.life[:, player] >= 0
    side = 1.0 if player < played.life.shape[1] // 2 else -1.0
    quarter = np.minimum(tank // 25, 3)
    told: dict[str, Any] = {
        f"time_{name}": float(np.round(w[quarter == number].sum(), 2)) for number, name in enumerate(_QUARTERS)
    }
    before = np.r_[tank[:1], tank[:-1]]
    minutes = max(float(_steps(played)[played.phase != COUNTDOWN].sum()) / 60, 1e-9)
    amounts: Counter[str] = Counter()
    for _, who, number, had, has in played.pickups:
        if who != player:
            continue
        _, pad_y, is_big = pad(number)
        kind = "big" if is_big else "small"
        over = max(had + (100 if is_big else 12) - 100, 0.0)
        for how in ("collected", *(["stolen"] if pad_y * side > 0 else [])):
            amounts[f"amount_{how}_{kind}"] += has - had  # pyright: ignore[reportArgumentType]
            amounts[f"count_{how}_{kind}"] += 1
        amounts["amount_overfill"] += over  # pyright: ignore[reportArgumentType]
        amounts["amount_overfill_stolen"] += over * (pad_y * side > 0)  # pyright: ignore[reportArgumentType]
    names = [f"{what}_{how}_{kind}" for what in ("amount", "count") for how in ("collected", "stolen")
             for kind in ("big", "small")]  # fmt: skip
    told |= {name: int(amounts[name]) for name in (*names, "amount_overfill", "amount_overfill_stolen")}
    told |= {
        f"amount_{how}": told[f"amount_{how}_big"] + told[f"amount_{how}_small"] for how in ("collected", "stolen")
    }
    burnt = np.where(played.is_burning[:, player] & (w > 0), np.maximum(before - tank, 0), 0.0)
    speed = np.linalg.norm(played.cars[:, player, 3:], axis=1)
    known = sum(told[f"time_{name}"] for name in _QUARTERS) or 1.0
    return told | {
        "bpm": float(np.rint(60 * burnt.sum() / known)),
        "bcpm": float(_f32(told["amount_collected"] / minutes)),
        "avg_amount": float(np.round(tank[there].mean(), 2)),
        "amount_used_while_supersonic": float(np.rint(burnt[speed >= _SUPERSONIC].sum())),
        "time_zero_boost": float(np.round(w[before < 0.2].sum(), 2)),
        "time_full_boost": float(np.round(w[(before > 99.8) & (tank > 99.8)].sum(), 2)),
    }


def _among_mates(played: Played, player: int, steps: Floats, side: float) -> dict[str, Any]:
    p = played.life.shape[1]
    mates = [each for each in range(p) if each != player and (each < p // 2) == (player < p // 2)]
    there = played.life[:, player] >= 0
    gap = np.linalg.norm(played.cars[:, :, :3] - played.ball[:, None, :3], axis=2)
    last = _last_team(played)
    own = int(player >= p // 2)
    w = np.where(there & (played.phase != COUNTDOWN), steps, 0.0)
    y, near = played.cars[:, :, 1] * side, gap

    def first(values: Floats) -> float:
        rivals = np.where(played.life[:, mates] >= 0, values[:, mates], np.inf)
        best = rivals.min(1) if mates else np.full(len(values), np.inf)
        return float(np.round(w[values[:, player] <= best].sum(), 1))

    def mean(where: Flags) -> float:
        return float(np.rint(gap[where, player].mean())) if where.any() else 0.0

    conceded = [max(frame - 1, 0) for frame, team in played.goals if team != own]
    backs = [_last_back(y[frame], played.life[frame], [player, *mates]) for frame in conceded]
    apart = [
        np.linalg.norm(played.cars[both, player, :3] - played.cars[both, mate, :3], axis=1).mean()
        for mate in mates
        if (both := there & (played.life[:, mate] >= 0)).any()
    ]
    return {
        "avg_distance_to_ball": mean(there),
        "avg_distance_to_ball_possession": mean(there & (last == own)),
        "avg_distance_to_ball_no_possession": mean(there & (last == 1 - own)),
        "avg_distance_to_mates": float(np.rint(np.mean(apart))) if apart else 0.0,
        "time_most_back": first(y), "time_most_forward": first(-y),
        "time_closest_to_ball": first(near), "time_farthest_from_ball": first(-near),
        "goals_against_while_last_defender": backs.count(player),
    }  # fmt: skip


def _last_back(y: Floats, life: Numbers, team: Sequence[int]) -> int | None:
    """Who of a team was nearest to its own goal, in one frame."""
    return min((each for each in team if life[each] >= 0), key=lambda each: y[each], default=None)


def _counts(played: Played, player: int) -> dict[str, int]:
    kinds = Counter(kind for _, kind, who, _ in played.events if who == player)
    return {
        **{f"{kind}s": kinds[kind] for kind in ("goal", "assist", "save", "shot")},
        "score": sum(points * kinds[kind] for kind, points in _POINTS.items()),
        "inflicted": kinds["demolition"],
        "taken": sum(kind == "demolition" and other == player for _, kind, _, other in played.events),
    }


def _turns(played: Played) -> list[tuple[int, int]]:
    """Frame and team of each touch with which a team got the ball: the first one since a kick-off, or the other's."""
    rounds = np.cumsum((played.phase == COUNTDOWN) & np.r_[True, played.phase[:-1] != COUNTDOWN])
    told: list[tuple[int, int]] = []
    for frame, kind, player, _ in played.events:
        team = int(player >= played.life.shape[1] // 2)
        if kind == "touch" and (not told or told[-1][1] != team or rounds[told[-1][0]] != rounds[frame]):
            told.append((frame, team))
    return told


def _last_team(played: Played) -> Numbers:
    """Of each frame, the team that has the ball as ballchasing counts it.

    Which is who touched it last, over goals and kick-offs; nobody (-1) before the first touch, and after the last one
    unless a goal follows.
    """
    last, turns = np.full(len(played.time), -1), _turns(played)
    for frame, team in turns:
        last[frame + 1 :] = team
    if turns and not any(frame >= turns[-1][0] for frame, _ in played.goals):
        last[turns[-1][0] + 1 :] = -1
    return last


def _possession(played: Played, steps: Floats) -> tuple[Floats, Floats]:
    """Seconds in which each team had the ball, and in which it was in that team's half."""
    rounds = np.cumsum((played.phase == COUNTDOWN) & np.r_[True, played.phase[:-1] != COUNTDOWN])
    turns, held = _turns(played), np.zeros(2)
    clock = np.cumsum(steps)
    for (frame, team), (until, _) in itertools.pairwise(turns):
        if rounds[frame] == rounds[until]:
            held[team] += clock[until] - clock[frame]
    y = played.ball[:, 1]
    in_side = np.array([steps[y < 0].sum(), steps[y > 0].sum()], np.float64)
    return np.round(held, 2), np.round(in_side, 2)


# ---------------------------------------------------------------- the file


def frames_document(match: Mapping[str, Any], played: Played, players: Sequence[Player], mark: str) -> dict[str, Any]:
    """The document of a match's frames.

    Args:
        match: what ballchasing tells of it.
        played: the match.
        players: who played, blue first.
        mark: the key that says of a document that it is simulated.
    """
    size = len(players) // 2
    ended_at = datetime.fromisoformat(match["date"])
    started_at = ended_at - timedelta(seconds=round(float(played.time[-1])))
    seats = [*match["blue"]["players"], *match["orange"]["players"]]
    told = {"shot", "save", "assist", "goal", "demolition"}
    happened = [event for event in played.events if event[1] in told]
    looks = [look for seat in range(len(players)) for look in _looks(played, seat)]
    return {
        mark: True,
        **{key: match[key] for key in ("rocket_league_id", "match_guid", "title", "map_code", "match_type", "team_size",
                                       "playlist_id", "season", "season_type")},
        "date": started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "overtime": match["overtime"],
        "score": [sum(team == each for _, team in played.goals) for each in (0, 1)],
        "players": [
            {
                "id": {"platform": player.platform, "id": player.account},
                "name": player.name,
                "team": "blue" if seat < size else "orange",
                "mvp": seats[seat]["stats"]["core"]["mvp"],
                "car": {"id": seats[seat]["car_id"], "hitbox": _HITBOXES[seats[seat]["car_name"]]},
                "camera": seats[seat]["camera"],
                **{key: seats[seat]["stats"]["core"][key] for key in ("score", "goals", "assists", "saves", "shots")},
            }
            for seat, player in enumerate(players)
        ],
        "happened": [list(event) for event in sorted([*happened, *looks], key=lambda event: event[0])],
        "goals": [list(goal) for goal in played.goals],
        "turns": [list(turn) for turn in _turns(played)],
        FRAMES: {
            "time_ms": _whole(played.time * 1000),
            "phase": _whole(played.phase),
            "clock_s": _whole(played.clock),
            "is_hit": _whole(played.is_hit),
            "ball": _body(played.ball),
            "cars": [_car(played, seat) for seat in range(len(players))],
        },
    }  # fmt: skip


def _looks(played: Played, seat: int) -> list[tuple[int, str, int, int | None]]:
    """When a player's camera begins to look at the ball, and stops."""
    gap = np.linalg.norm(played.cars[:, seat, :3] - played.ball[:, :3], axis=1)
    away = (played.boost[:, seat] < _LOOKS_FOR_BOOST) & (gap > _FAR_UU) & (played.phase != COUNTDOWN)
    until = np.maximum.accumulate(np.where(away, played.time + _LOOKS_S, -np.inf))
    on = played.time > until
    turns = np.flatnonzero(on != np.r_[False, on[:-1]])
    return [(int(frame), "ball_cam_on" if on[frame] else "ball_cam_off", seat, None) for frame in turns]


def _whole(values: Any) -> list[int]:
    return np.rint(np.asarray(values, float)).astype(int).tolist()


def _body(rows: Floats) -> dict[str, list[int]]:
    return {name: _whole(rows[:, number]) for number, name in enumerate(("x", "y", "z", "vx", "vy", "vz"))}


def _car(played: Played, seat: int) -> dict[str, list[int]]:
    """A car's columns; its rotation is a quaternion in ten thousandths, its boost from 0 to 255."""
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
