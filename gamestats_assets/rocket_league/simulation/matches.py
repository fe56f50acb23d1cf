"""What happens in simulated matches, and how ballchasing says it.

Means go with rank as replays of it show: higher ranks are faster, more often supersonic and in the air, use more boost,
stay goal-side more and concede fewer shots (Smithies and others, "A Random Forest approach to identify metrics that
best predict match outcome and player ranking in the esport Rocket League", Scientific Reports 2021, name supersonic
time, time on the ground, shots conceded and time goal-side as the best indicators of rank). A skill moves a few
statistics, as `effects` tells. A player's matches differ `NOISE` times as much as players of a rank do in shares of
time; in counts, where chance makes it, and in the balance of roles it is 3 to 5 times.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gamestats_assets.rocket_league.simulation.players import HABITS, HIGHEST_TIER, PLAYLISTS, SKILLS, Player

MARK = "gamestats_simulated"
"""The key that says of a match that it was never played."""
NOISE = 2.5
"""Standard deviation between matches of a player's shares of time, per standard deviation between players of a rank."""

Floats = NDArray[np.float64]

# Of counts, what one standard deviation of a skill adds, as a part of the mean.
_SHOTS_CV, _GOALS_CV, _SAVES_CV, _LAST_CV, _BALANCE_CV = 0.2, 0.25, 0.25, 0.4, 0.4
_HIGH_AIR_CV, _LOW_AIR_SD, _BEHIND_SD = 0.25, 0.018, 0.018
# What an imbalance of roles is on average, as a share of the time, before a team's shares are made to sum to one.
_BALANCE = 0.075
_AERIALS, _SAVES, _POSITIONING, _ROTATION, _SHOOTING = range(len(SKILLS))
_PACE, _BOOST, _ADVANCE = range(len(HABITS))


@dataclass(frozen=True)
class Lobbies:
    """Who plays which match: a row per match, a column per seat, the first half of a match's seats being blue."""

    ended_at: NDArray[np.int64]
    """Seconds of the epoch."""
    playlist: NDArray[np.int8]
    """Number in `PLAYLISTS`."""
    player: NDArray[np.int32]
    """Number among the players; -1 where the playlist has no such seat."""
    rating: Floats
    """Rank and division as one number, such as 16.5 for Champion 1, division 3."""
    skill: Floats
    """Per seat and skill, with what training has added by then."""


def effects(playlist: str, tier: int) -> dict[str, dict[str, float]]:
    """What one standard deviation of a skill adds to the mean of a player's statistics in a playlist and rank.

    Shares of time are of all time in the three heights, or behind and in front of the ball; `shots` is per match
    without overtime. Goals and saves are per shot, goals against per shot that the whole team concedes, goals as last
    defender per goal the team concedes. `role_imbalance` is the mean distance of a player's shares of the time as most
    back, as most forward and as closest to the ball from an equal part. What lies within a team (the last defender, the
    imbalance) is said of a player among average mates, who share it; of the imbalance to the first order. Nothing else
    moves, except what follows from goals, saves and shots: scores, assists, winners.
    """
    size, x = PLAYLISTS[playlist], height(np.array(float(tier)))
    saves, goals, shots = (float(each(size, x)) for each in (_save_rate, _goal_rate, _shot_mean))
    high = float(_high_air(x)) * _HIGH_AIR_CV
    return {
        "aerials": {"high_air_share": high, "low_air_share": _LOW_AIR_SD, "ground_share": -high - _LOW_AIR_SD},
        "saves": {
            "saves_per_shot_against": saves * _SAVES_CV,
            "goals_against_per_shot_against": -goals * saves * _SAVES_CV / (1 - size * saves),
        },
        "positioning": {"behind_ball_share": _BEHIND_SD}
        | ({"last_defender_per_goal_against": -_LAST_CV * (size - 1) / size**2} if size > 1 else {}),
        "rotation": {"role_imbalance": -_BALANCE * _BALANCE_CV * (1 - 1 / size) ** 1.5} if size > 1 else {},
        "shooting": {"goals_per_shot": goals * _GOALS_CV, "shots": shots * _SHOTS_CV},
    }


def height(tier: Any) -> Any:
    """How high a rank is, from 0 to 1."""
    return (np.floor(tier) - 1) / (HIGHEST_TIER - 1)


def _save_rate(size: int, x: Any) -> Any:
    """The part of the shots against that each player of an average team saves."""
    return {1: 0.26, 2: 0.2, 3: 0.14}[size] * (0.85 + 0.3 * x)


def _goal_rate(size: int, x: Any) -> Any:
    """The part of shots that go in against an average team."""
    return {1: 0.46, 2: 0.36, 3: 0.28}[size] * (1 - 0.2 * x)


def _shot_mean(size: int, x: Any) -> Any:
    """Shots of a player in five minutes."""
    return {1: 7.5, 2: 3.6, 3: 3.3}[size] * (1 - 0.35 * x)


def _high_air(x: Any) -> Any:
    return 0.008 + 0.042 * x


def matches_of(
    rng: np.random.Generator,
    playlist: str,
    rows: NDArray[np.int64],
    lobbies: Lobbies,
    players: Sequence[Player],
    known: Mapping[int, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Matches of one playlist, those in `rows` of the lobbies, as ballchasing's JSON says them.

    Args:
        rng: decides what is drawn.
        playlist: the playlist.
        rows: which matches.
        lobbies: who plays them.
        players: everybody.
        known: by row, figures that are not to be drawn, for the match was played out.
    """
    size, count = PLAYLISTS[playlist], len(rows)
    if not count:
        return []
    shape = (count, 2, size)
    who = lobbies.player[rows, : 2 * size]
    rating = lobbies.rating[rows, : 2 * size].reshape(shape)
    skill = lobbies.skill[rows, : 2 * size].reshape(*shape, len(SKILLS))
    habit = np.array([[player.habits.get(each, 0.0) for each in HABITS] for player in players])[who]
    drawn = _draw(rng, size, height(rating), skill, habit.reshape(*shape, len(HABITS)))
    for number in np.flatnonzero(np.isin(rows, list(known))):
        for name, value in known[int(rows[number])].items():
            drawn[name][number] = value
    stats, teams = _player_stats(drawn, size), _team_stats(drawn)
    return [
        _match(rng, playlist, number, drawn, stats, teams, int(lobbies.ended_at[row]), rating[number].ravel().tolist(),
               [players[seat] for seat in who[number].tolist()])
        for number, row in enumerate(rows.tolist())
    ]  # fmt: skip


def _draw(rng: np.random.Generator, size: int, x: Floats, skill: Floats, habit: Floats) -> dict[str, Any]:
    """Everything that is drawn, by ballchasing's names: a value per match, team and player, or per match and team."""
    shape = x.shape
    drawn = _goals(rng, size, x, skill)
    goals = drawn["goals"].sum((1, 2))
    drawn["inflicted"] = rng.poisson(0.4 + 0.6 * x)
    drawn["taken"] = rng.multinomial(drawn["inflicted"].sum(2)[:, ::-1], np.full(size, 1 / size))
    # Clocks stand still after a goal, and a demolished car is gone for three seconds.
    end = _f32(318.5 + 4.3 * goals + drawn["overtime_seconds"] + rng.uniform(-1, 1, goals.shape))
    played = np.round(end - 3.8 - 2.23 * goals * rng.uniform(0.9, 1.1, goals.shape), 2)
    live = end[:, None, None] - 0.1 - rng.exponential(0.8, shape) - 3.05 * drawn["taken"]
    drawn |= {"end": end, "played": played}

    high = _high_air(x) * np.maximum(1 + _HIGH_AIR_CV * skill[..., _AERIALS], 0.1)
    high *= rng.gamma(1 / (_HIGH_AIR_CV * NOISE) ** 2, (_HIGH_AIR_CV * NOISE) ** 2, shape)
    low = 0.212 + 0.18 * x + _LOW_AIR_SD * (skill[..., _AERIALS] + NOISE * rng.standard_normal(shape))
    high, low = np.minimum(high, 0.4), np.clip(low, 0.05, 0.55)
    pace = habit[..., _PACE] + NOISE * rng.standard_normal(shape)
    supersonic = (0.02 + 0.18 * x**1.5) * np.clip(1 + 0.12 * pace, 0.1, 2)
    slow = np.clip(0.8 - 0.4 * x - 0.012 * pace, 0.2, 0.93)
    behind = 0.63 + 0.1 * x + _BEHIND_SD * (skill[..., _POSITIONING] + NOISE * rng.standard_normal(shape))
    behind = np.clip(behind, 0.3, 0.97)
    advance = 0.02 * (habit[..., _ADVANCE] + NOISE * rng.standard_normal(shape))
    defending = np.clip(0.48 - advance, 0.2, 0.7)
    attacking = np.clip(0.22 + 0.7 * advance, 0.05, 0.29)
    own_half = defending + (1 - defending - attacking) * rng.uniform(0.4, 0.6, shape)
    for names, parts in (
        (("supersonic_speed", "boost_speed", "slow_speed"), (supersonic, 1 - supersonic - slow, slow)),
        (("ground", "low_air", "high_air"), (1 - high - low, low, high)),
        (("defensive_third", "neutral_third", "offensive_third"), (defending, 1 - defending - attacking, attacking)),
        (("defensive_half", "offensive_half"), (own_half, 1 - own_half)),
        (("behind_ball", "infront_ball"), (behind, 1 - behind)),
    ):
        times = [_round(part * live, 2) for part in parts]
        total = sum(times)
        drawn |= {f"time_{name}": time for name, time in zip(names, times, strict=True)}
        drawn |= {f"percent_{name}": _f32(100 * time / total) for name, time in zip(names, times, strict=True)}
    speed = np.rint(np.clip(900 + 800 * x + 30 * pace, 400, 2200))
    slides = rng.poisson(rng.gamma(4, 10, shape))
    drawn |= {
        "avg_speed": speed,
        "total_distance": np.rint(speed * live * rng.uniform(0.93, 0.975, shape)),
        "avg_speed_percentage": _f32(speed / 23),
        "count_powerslide": slides,
        "time_powerslide": _round(slides * rng.uniform(0.09, 0.21, shape), 2),
    }
    drawn["avg_powerslide_duration"] = _round(drawn["time_powerslide"] / np.maximum(slides, 1), 2)
    _roles(rng, size, skill[..., _ROTATION], drawn)
    _distances(rng, size, drawn, shape)
    _boost(rng, drawn, 200 + 215 * x + 18 * (habit[..., _BOOST] + NOISE * rng.standard_normal(shape)), live)
    in_side = rng.normal(0.5, 0.05, shape[0])
    drawn["possession_time"] = _round(played[:, None] * rng.normal(0.43, 0.03, shape[:2]), 2)
    drawn["time_in_side"] = _round(0.975 * played[:, None] * np.stack([in_side, 1 - in_side], 1), 2)
    return drawn


def _goals(rng: np.random.Generator, size: int, x: Floats, skill: Floats) -> dict[str, Any]:
    """Shots; of each whether it is saved, and by whom; of the others whether they go in, and who was back then."""
    count = len(x)
    shoots = np.maximum(1 + _SHOTS_CV * skill[..., _SHOOTING], 0.1) * _shot_mean(size, x)
    save_rate = _save_rate(size, x)
    saves = np.maximum(1 + _SAVES_CV * skill[..., _SAVES], 0.05) * save_rate
    # What goes in of the shots that nobody saves: better savers lower goals, not the luck of the rest.
    average = save_rate.sum(2)[:, ::-1, None]
    scores = np.clip(
        np.maximum(1 + _GOALS_CV * skill[..., _SHOOTING], 0.05) * _goal_rate(size, x) / (1 - average), 0, 0.98
    )
    stopped = np.minimum(saves.sum(2), 0.9)
    # One team has more of the game than the other.
    control = rng.normal(0, 0.25, (count, 1, 1)) * np.array([1, -1])[None, :, None]
    shots = rng.poisson(shoots * np.exp(control - 0.25**2 / 2))
    saved = rng.binomial(shots, np.broadcast_to(stopped[:, ::-1, None], shots.shape))
    goals = rng.binomial(shots - saved, scores)
    by = rng.multinomial(saved.sum(2)[:, ::-1], saves / saves.sum(2, keepdims=True))

    # At a draw the next goal decides.
    even = np.flatnonzero(goals[:, 0].sum(1) == goals[:, 1].sum(1))
    strength = (shoots * scores * (1 - stopped)[:, ::-1, None]).reshape(count, 2 * size)[even]
    strength = np.cumsum(strength / strength.sum(1, keepdims=True), axis=1)
    scorer = np.minimum((rng.random((len(even), 1)) > strength).sum(1), 2 * size - 1)
    team, seat = np.divmod(scorer, size)
    shots[even, team, seat] += 1
    goals[even, team, seat] += 1
    overtime = np.zeros(count, np.int64)
    overtime[even] = np.minimum(3 + rng.exponential(70, len(even)), 240).astype(np.int64)

    against = goals.sum(2)[:, ::-1]
    behind = skill[..., _POSITIONING] - skill[..., _POSITIONING].mean(2, keepdims=True)
    back = np.maximum(1 - _LAST_CV * behind, 0.02)
    last = rng.multinomial(against, back / back.sum(2, keepdims=True))
    assists = np.zeros_like(goals)
    if size > 1:
        assisted = rng.binomial(goals, 0.55)
        to_next = rng.binomial(assisted, 1 / (size - 1))
        assists = np.roll(to_next, 1, axis=2) + np.roll(assisted - to_next, 2, axis=2)
    # Touches, clears and centres bring the rest of the points.
    rest = np.rint(rng.gamma(9, 18, goals.shape)).astype(np.int64)
    score = 100 * goals + 50 * assists + 50 * by + 10 * shots + rest
    won = goals.sum(2).argmax(1)
    best = np.zeros(goals.shape, bool)
    if size > 1:
        best[np.arange(count), won, score[np.arange(count), won].argmax(1)] = True
    return {
        "shots": shots, "goals": goals, "saves": by, "assists": assists, "score": score, "mvp": best, "won": won,
        "shots_against": np.repeat(shots.sum(2)[:, ::-1, None], size, 2),
        "goals_against": np.repeat(against[..., None], size, 2),
        "goals_against_while_last_defender": last,
        "shooting_percentage": _f32(100 * goals / np.maximum(shots, 1)),
        "overtime": overtime > 0,
        "overtime_seconds": overtime,
    }  # fmt: skip


def _roles(rng: np.random.Generator, size: int, skill: Floats, drawn: dict[str, Any]) -> None:
    """Time as the last, the first, the nearest and the farthest of the team; in duels a player is all of them."""
    played = drawn["played"][:, None, None]
    shape = skill.shape
    away = np.zeros(shape)
    if size > 1:
        # Who rotates badly chases the ball in some matches and hides from it in others.
        away = _BALANCE * math.sqrt(math.pi / 2) * np.maximum(1 - _BALANCE_CV * skill, 0.1) * rng.standard_normal(shape)
    for name, sign, more in (
        ("most_back", 1, 0.02),
        ("most_forward", -1, 0.005),
        ("closest_to_ball", -1, 0.005),
        ("farthest_from_ball", 1, 0.02),
    ):
        part = sign * away + (0.02 * rng.standard_normal(shape) if size > 1 else 0)
        part -= part.mean(2, keepdims=True)
        widest = np.abs(part).max(2, keepdims=True)
        part *= np.minimum(1, (1 / size - 0.03) / np.maximum(widest, 1e-9))
        # A team lacks a demolished player, so that another is two things at once.
        over = 1 + (more * rng.uniform(0.5, 1.5, (*shape[:2], 1)) if size > 1 else 0)
        time = _round(played * (1 / size + part) * over, 1)
        drawn |= {f"time_{name}": time, f"percent_{name}": _f32(100 * time / played)}


def _distances(rng: np.random.Generator, size: int, drawn: dict[str, Any], shape: tuple[int, ...]) -> None:
    ball = rng.normal({1: 2300, 2: 2450, 3: 3050}[size], 220, shape)
    gap = rng.normal(350, 200, shape)
    mates = rng.normal({1: 0, 2: 3150, 3: 3700}[size], 250, shape)
    if size == 2:
        mates[..., 1] = mates[..., 0]
    drawn |= {
        "avg_distance_to_ball": np.rint(ball),
        "avg_distance_to_ball_possession": np.rint(ball - gap * 0.5),
        "avg_distance_to_ball_no_possession": np.rint(ball + gap * 0.6),
        "avg_distance_to_mates": np.rint(mates),
    }


def _boost(rng: np.random.Generator, drawn: dict[str, Any], per_minute: Floats, live: Floats) -> None:
    """Pads taken, boost used, and how full the tank was (0 to 100)."""
    shape, played = per_minute.shape, drawn["played"][:, None, None]
    used = np.maximum(per_minute, 60)
    wanted = used * rng.uniform(1, 1.06, shape) * played / 60
    small_part = np.clip(rng.normal(0.27, 0.05, shape), 0.08, 0.6)
    for kind, part, mean, spread, most in (("big", 1 - small_part, 83, 2.5, 100), ("small", small_part, 11.2, 0.4, 12)):
        pads = np.maximum(np.rint(wanted * part / mean), 1).astype(np.int64)
        each = np.clip(rng.normal(mean, spread, shape), 0.8 * mean, most)
        stolen = rng.binomial(pads, 0.22)
        amount = np.rint(pads * each).astype(np.int64)
        drawn |= {f"count_collected_{kind}": pads, f"count_stolen_{kind}": stolen, f"amount_collected_{kind}": amount}
        drawn[f"amount_stolen_{kind}"] = np.minimum(np.rint(stolen * each).astype(np.int64), amount)
    for what in ("collected", "stolen"):
        drawn[f"amount_{what}"] = drawn[f"amount_{what}_big"] + drawn[f"amount_{what}_small"]
    over = np.rint(drawn["count_collected_big"] * np.clip(rng.normal(16, 3, shape), 2, 40)).astype(np.int64)
    stolen_part = drawn["count_stolen_big"] / drawn["count_collected_big"]
    quarters = rng.dirichlet((7, 5, 5, 8), shape)
    quarters = _round(quarters * (live * rng.uniform(0.945, 0.999, shape))[..., None], 2)
    names = ("boost_0_25", "boost_25_50", "boost_50_75", "boost_75_100")
    for number, name in enumerate(names):
        drawn[f"time_{name}"] = quarters[..., number]
        drawn[f"percent_{name}"] = _f32(100 * quarters[..., number] / quarters.sum(3))
    for name, quarter in (("zero_boost", 0), ("full_boost", 3)):
        drawn[f"time_{name}"] = _round(quarters[..., quarter] * rng.beta(4, 6, shape), 2)
        drawn[f"percent_{name}"] = _f32(100 * drawn[f"time_{name}"] / played)
    drawn |= {
        "bpm": np.rint(used),
        "bcpm": _f32(60 * drawn["amount_collected"] / played),
        "avg_amount": _round(np.clip(rng.normal(50, 5, shape), 20, 80), 2),
        "amount_overfill": over,
        "amount_overfill_stolen": np.rint(over * stolen_part * rng.uniform(0.3, 1, shape)).astype(np.int64),
        "amount_used_while_supersonic": np.rint(drawn["time_supersonic_speed"] * rng.gamma(4, 1.5, shape)),
    }


def _round(values: Floats, digits: int) -> Floats:
    """As `round` has it, so that the shortest text of each is that of the rounded number."""
    scale = 10.0**digits
    return np.rint(np.maximum(values, 0) * scale) / scale


def _f32(values: Any) -> Floats:
    """The numbers whose shortest text is that of the values in single precision, as ballchasing computes."""
    single = np.asarray(values, np.float64).astype(np.float32)
    exact = single.astype(np.float64)
    shortest, pending = exact.copy(), np.ones(exact.shape, bool)
    exponent = np.floor(np.log10(np.maximum(np.abs(exact), 1e-30)))
    for digits in (6, 7, 8):
        scale = 10.0 ** np.clip(digits - 1 - exponent, 0, 22)
        rounded = np.rint(exact * scale) / scale
        found = pending & (rounded.astype(np.float32) == single)
        shortest[found] = rounded[found]
        pending &= ~found
    scale = 10.0 ** np.clip(8 - exponent, 0, 22)
    shortest[pending] = (np.rint(exact * scale) / scale)[pending]
    return shortest


def _numbers(values: NDArray[Any]) -> list[Any]:
    """Plain numbers as ballchasing writes them: whole ones without a fraction."""
    told = values.ravel().tolist()
    return [int(v) if v.is_integer() else v for v in told] if values.dtype.kind == "f" else told


def _times(*names: str) -> tuple[str, ...]:
    return tuple(f"time_{name}" for name in names)


def _percents(*names: str) -> tuple[str, ...]:
    return tuple(f"percent_{name}" for name in names)


_QUARTERS = ("boost_0_25", "boost_25_50", "boost_50_75", "boost_75_100")
_THIRDS = ("defensive_third", "neutral_third", "offensive_third")
_HALVES, _SIDES = ("defensive_half", "offensive_half"), ("behind_ball", "infront_ball")
_LAST, _MATES, _SLIDE = "goals_against_while_last_defender", "avg_distance_to_mates", "avg_powerslide_duration"
_PADS = tuple(
    f"{what}_{how}{kind}"
    for what, kinds in (("amount", ("", "_big", "_small")), ("count", ("_big", "_small")))
    for kind in kinds
    for how in ("collected", "stolen")
)
_OVER = ("amount_overfill", "amount_overfill_stolen", "amount_used_while_supersonic")
_CORE = ("shots", "shots_against", "goals", "goals_against", "saves", "assists", "score")
_MOVED = _times("supersonic_speed", "boost_speed", "slow_speed", "ground", "low_air", "high_air", "powerslide")
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "core": (*_CORE, "mvp", "shooting_percentage"),
    "boost": ("bpm", "bcpm", "avg_amount", *_PADS, *_OVER, "time_zero_boost", "percent_zero_boost", "time_full_boost",
              "percent_full_boost", *_times(*_QUARTERS), *_percents(*_QUARTERS)),
    "movement": ("avg_speed", "total_distance", *_MOVED, "count_powerslide", _SLIDE, "avg_speed_percentage",
                 *_percents("slow_speed", "boost_speed", "supersonic_speed", "ground", "low_air", "high_air")),
    "positioning": ("avg_distance_to_ball", "avg_distance_to_ball_possession", "avg_distance_to_ball_no_possession",
                    _MATES, *_times(*_THIRDS, *_HALVES, *_SIDES, "most_back", "most_forward"), _LAST,
                    *_times("closest_to_ball", "farthest_from_ball"),
                    *_percents("defensive_third", "offensive_third", "neutral_third", *_HALVES, *_SIDES, "most_back",
                               "most_forward", "closest_to_ball", "farthest_from_ball")),
    "demo": ("inflicted", "taken"),
}  # fmt: skip
_TEAM_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "core": (*_CORE, "shooting_percentage"),
    "boost": ("bpm", "bcpm", "avg_amount", *_PADS, *_OVER, *_times("zero_boost", "full_boost", *_QUARTERS)),
    "movement": ("total_distance", *_MOVED, "count_powerslide"),
    "positioning": _times(*_THIRDS, *_HALVES, *_SIDES),
    "demo": ("inflicted", "taken"),
}


def _rows(families: Mapping[str, tuple[str, ...]], columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Families of statistics, a dictionary for each value of the columns."""
    of_family = [
        [dict(zip(names, row, strict=True)) for row in zip(*(columns[name] for name in names), strict=True)]
        for names in families.values()
    ]
    return [dict(zip(families, row, strict=True)) for row in zip(*of_family, strict=True)]


def _player_stats(drawn: Mapping[str, Any], size: int) -> list[dict[str, Any]]:
    """Statistics of all players, match by match; what is nothing is left out where ballchasing leaves it out."""
    rows = _rows(_FAMILIES, {name: _numbers(drawn[name]) for names in _FAMILIES.values() for name in names})
    for row in rows:
        positioning, movement = row["positioning"], row["movement"]
        if not positioning[_LAST]:
            del positioning[_LAST]
        if size == 1:
            del positioning[_MATES]
        if not movement[_SLIDE]:
            del movement[_SLIDE]
    return rows


def _team_stats(drawn: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Statistics of all teams, match by match: sums of the players', in single precision."""
    columns: dict[str, list[Any]] = {}
    for names in _TEAM_FAMILIES.values():
        for name in names:
            values = drawn[name]
            if name in ("shots_against", "goals_against"):
                columns[name] = _numbers(values[..., 0])
            elif name == "shooting_percentage":
                goals, shots = drawn["goals"].sum(2), drawn["shots"].sum(2)
                columns[name] = _numbers(_f32(100 * goals / np.maximum(shots, 1)))
            elif values.dtype.kind == "f":
                columns[name] = _numbers(_f32(np.add.accumulate(values.astype(np.float32), 2)[..., -1]))
            else:
                columns[name] = _numbers(values.sum(2))
    balls = [_numbers(drawn[name]) for name in ("possession_time", "time_in_side")]
    return [
        {"ball": {"possession_time": held, "time_in_side": side}} | row
        for held, side, row in zip(*balls, _rows(_TEAM_FAMILIES, columns), strict=True)
    ]


_MAPS = (
    ("stadium_p", "DFH Stadium"), ("eurostadium_p", "Mannfield"), ("cs_p", "Champions Field"),
    ("utopiastadium_p", "Utopia Coliseum"), ("trainstation_p", "Urban Central"), ("park_p", "Beckwith Park"),
    ("farm_p", "Farmstead"), ("beach_p", "Salty Shores"), ("chn_stadium_p", "Forbidden Temple"),
    ("street_p", "Sovereign Heights (Dusk)"), ("outlaw_oasis_p", "Deadeye Canyon (Oasis)"), ("music_p", "Neon Fields"),
)  # fmt: skip
_OCTANE, _FENNEC, _DOMINUS, _BREAKOUT = (23, "Octane"), (4284, "Fennec"), (403, "Dominus"), (22, "Breakout")
_CARS = (_OCTANE, _OCTANE, _OCTANE, _FENNEC, _FENNEC, _FENNEC, _DOMINUS, _BREAKOUT)
_REGIONS, _SERVERS = ("EU", "USE", "USW", "OCE", "SAM", "ME"), ("Telemetry", "Trajectory", "Turbine", "Apex")
_NAMES = ("Bronze", "Silver", "Gold", "Platinum", "Diamond", "Champion", "Grand Champion")
_RANKS = tuple(
    (f"{name.lower().replace(' ', '-')}-{step}", f"{name} {'I' * step}") for name in _NAMES for step in (1, 2, 3)
)
# The first season that was free to play began then; a season is about three months.
_FREE_TO_PLAY, _SEASON_DAYS = datetime(2020, 9, 23, tzinfo=UTC), 96


def _rank(rating: float) -> dict[str, Any]:
    tier, division = int(rating), int(rating % 1 * 4) + 1
    if tier == HIGHEST_TIER:
        return {"id": "supersonic-legend", "tier": tier, "division": 1, "name": "Supersonic Legend"}
    rank, name = _RANKS[tier - 1]
    return {"id": rank, "tier": tier, "division": division, "name": f"{name} Division {division}"}


def _setup(player: Player) -> dict[str, Any]:
    """A player's car and camera, always the same."""
    draw = hashlib.sha1(player.player_id.encode(), usedforsecurity=False).digest()
    car_id, car_name = _CARS[draw[0] % len(_CARS)]
    return {
        "car_id": car_id,
        "car_name": car_name,
        "camera": {
            "fov": (110, 110, 110, 109)[draw[1] % 4],
            "height": (90, 100, 110)[draw[2] % 3],
            "pitch": -3 - draw[3] % 3,
            "distance": (260, 270, 270, 280)[draw[4] % 4],
            "stiffness": _whole(draw[5] % 13 / 20),
            "swivel_speed": _whole((20 + draw[6] % 60) / 10),
            "transition_speed": _whole((10 + draw[7] % 9) / 10),
        },
        "steering_sensitivity": _whole((20 + draw[8] % 30) / 20),
    }


def _whole(value: float) -> float | int:
    return int(value) if value.is_integer() else value


def _uploader(player: Player) -> dict[str, str]:
    """The Steam account by which a player uploads, as only those can."""
    draw = hashlib.sha1(player.player_id.encode(), usedforsecurity=False).hexdigest()
    account = player.account if player.platform == "steam" else str(76561202160265728 + int(draw[:7], 16) % 94_000_000)
    return {
        "steam_id": account,
        "name": player.name,
        "profile_url": f"https://steamcommunity.com/profiles/{account}/",
        "avatar": f"https://avatars.steamstatic.com/{draw}.jpg",
    }


def _match(
    rng: np.random.Generator,
    playlist: str,
    number: int,
    drawn: Mapping[str, Any],
    stats: Sequence[dict[str, Any]],
    teams: Sequence[dict[str, Any]],
    ended_at: int,
    ratings: Sequence[float],
    players: Sequence[Player],
) -> dict[str, Any]:
    size = len(players) // 2
    told = rng.random(len(players) + 1)
    # Sometimes ballchasing knows the ranks of some or of none.
    has_rank = (told[:-1] > 0.02) & (told[-1] > 0.005)
    end = drawn["end"][number].item()
    seats: list[dict[str, Any]] = []
    for seat, player in enumerate(players):
        of_seat = stats[number * 2 * size + seat]
        seats.append(
            {"start_time": 0, "end_time": _whole(end), "name": player.name}
            | {"id": {"platform": player.platform, "id": player.account}}
            | ({"mvp": True} if of_seat["core"]["mvp"] else {})
            | ({"rank": _rank(ratings[seat])} if has_rank[seat] else {})
            | _setup(player)
            | {"stats": of_seat}
        )
    known = sorted(rating for rating, has in zip(ratings, has_rank, strict=True) if has)
    recorder = int(rng.integers(len(players)))
    result = "Win" if recorder // size == int(drawn["won"][number]) else "Loss"
    date = datetime.fromtimestamp(ended_at, UTC)
    created = date + timedelta(seconds=1, microseconds=int(rng.integers(1, 600_000_000)))
    name = playlist.replace("-", " ").title()
    map_code, map_name = _MAPS[int(rng.integers(len(_MAPS)))]
    region = _REGIONS[int(rng.integers(len(_REGIONS)))]
    server, service = int(rng.integers(1, 10)), _SERVERS[int(rng.integers(len(_SERVERS)))]
    own_id = str(uuid.UUID(bytes=rng.bytes(16), version=4))
    return {
        "id": own_id,
        "link": f"https://ballchasing.com/api/replays/{own_id}",
        "created": created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "uploader": _uploader(players[recorder]),
        "status": "ok",
        "rocket_league_id": rng.bytes(16).hex().upper(),
        "match_guid": rng.bytes(16).hex().upper(),
        "title": f"{date:%Y-%m-%d.%H.%M} {players[recorder].name} {name} {result}",
        "map_code": map_code,
        "match_type": "Online",
        "team_size": size,
        "playlist_id": playlist,
        "duration": int(end),
        "overtime": bool(drawn["overtime"][number]),
        **({"overtime_seconds": int(drawn["overtime_seconds"][number])} if drawn["overtime"][number] else {}),
        "season": (date - _FREE_TO_PLAY).days // _SEASON_DAYS + 1,
        "season_type": "free2play",
        "date": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date_has_timezone": True,
        "visibility": "public",
        **({"min_rank": _rank(known[0]), "max_rank": _rank(known[-1])} if known else {}),
        "blue": {"color": "blue", "players": seats[:size], "stats": teams[2 * number]},
        "orange": {"color": "orange", "players": seats[size:], "stats": teams[2 * number + 1]},
        "playlist_name": name,
        "map_name": map_name,
        "server": {
            "name": f"{region}{server}-{rng.bytes(8).hex().upper()}{server}-{service}{server}",
            "region": region,
        },
        MARK: True,
    }
