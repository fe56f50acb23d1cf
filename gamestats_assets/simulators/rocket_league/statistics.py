"""Statistics of simulated matches, drawn by ballchasing's names.

Means depend on rank as replays of it show: higher ranks are faster, more often supersonic and in the air, use more
boost, stay goal-side more and concede fewer shots (Smithies and others, "A Random Forest approach to identify metrics
that best predict match outcome and player ranking in the esport Rocket League", Scientific Reports 2021, name
supersonic time, time on the ground, shots conceded and time goal-side as the best indicators of rank). A skill changes
a few statistics, see `effects`. In shares of time, a player's matches vary `NOISE` times as much as players of a rank
do; in counts, by chance, and in the balance of roles, 3 to 5 times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gamestats_assets.simulators.rocket_league.players import HABITS, HIGHEST_TIER, PLAYLISTS, SKILLS

NOISE = 2.5
"""Standard deviation between matches of a player's shares of time, per standard deviation between players of a rank."""

Floats = NDArray[np.float64]

PARTS_OF_TIME = (
    ("supersonic_speed", "boost_speed", "slow_speed"), ("ground", "low_air", "high_air"),
    ("defensive_third", "neutral_third", "offensive_third"), ("defensive_half", "offensive_half"),
    ("behind_ball", "infront_ball"), ("boost_0_25", "boost_25_50", "boost_50_75", "boost_75_100"),
)  # fmt: skip
"""Parts of a player's time, by ballchasing's names."""
_SHARES_OF_MATCH = ("zero_boost", "full_boost", "most_back", "most_forward", "closest_to_ball", "farthest_from_ball")
# Effect of one standard deviation of a skill on counts, as a share of the mean.
_SHOTS_CV, _GOALS_CV, _SAVES_CV, _LAST_CV, _BALANCE_CV = 0.2, 0.25, 0.25, 0.4, 0.4
_HIGH_AIR_CV, _LOW_AIR_SD, _BEHIND_SD = 0.25, 0.018, 0.018
# Mean imbalance of roles as a share of the time, before a team's shares are made to sum to one.
_BALANCE = 0.075
_AERIALS, _SAVES, _POSITIONING, _ROTATION, _SHOOTING = range(len(SKILLS))
_PACE, _BOOST, _ADVANCE = range(len(HABITS))


def effects(playlist: str, tier: int) -> dict[str, dict[str, float]]:
    """Returns the effect of one standard deviation of a skill on the means of a player's statistics, by playlist and
    rank.

    Shares of time are of all time in the three heights, or behind and in front of the ball; `shots` is per match
    without overtime. Goals and saves are per shot, goals against per shot that the whole team concedes, goals as last
    defender per goal the team concedes. `role_imbalance` is the mean distance of a player's shares of the time as most
    back, as most forward and as closest to the ball from an equal part. Figures within a team (the last defender, the
    imbalance) are for a player among average mates, who share the effect; that on the imbalance is of first order.
    Nothing else changes, except what follows from goals, saves and shots: scores, assists, winners.
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
    """Returns the height of a rank, from 0 to 1."""
    return (np.floor(tier) - 1) / (HIGHEST_TIER - 1)


def _save_rate(size: int, x: Any) -> Any:
    """Returns the part of the shots against that each player of an average team saves."""
    return {1: 0.26, 2: 0.2, 3: 0.14}[size] * (0.85 + 0.3 * x)


def _goal_rate(size: int, x: Any) -> Any:
    """Returns the part of shots that go in against an average team."""
    return {1: 0.46, 2: 0.36, 3: 0.28}[size] * (1 - 0.2 * x)


def _shot_mean(size: int, x: Any) -> Any:
    """Returns a player's shots in five minutes."""
    return {1: 7.5, 2: 3.6, 3: 3.3}[size] * (1 - 0.35 * x)


def _high_air(x: Any) -> Any:
    return 0.008 + 0.042 * x


def draw(rng: np.random.Generator, size: int, x: Floats, skill: Floats, habit: Floats) -> dict[str, Any]:
    """Draws all random figures, by ballchasing's names: a value per match, team and player, or per match and team.

    Args:
        rng: source of everything random.
        size: players per side.
        x: height of each player's rank, from 0 to 1.
        skill: skills of each player, in standard deviations.
        habit: habits of each player, in standard deviations.
    """
    shape = x.shape
    drawn = _goals(rng, size, x, skill)
    goals = drawn["goals"].sum((1, 2))
    drawn["inflicted"] = rng.poisson(0.4 + 0.6 * x)
    drawn["taken"] = rng.multinomial(drawn["inflicted"].sum(2)[:, ::-1], np.full(size, 1 / size))
    # Clocks stop after a goal, and a demolished car is gone for three seconds.
    end = _round(318.5 + 4.3 * goals + drawn["overtime_seconds"] + rng.uniform(-1, 1, goals.shape), 4)
    played = np.round(end - 3.8 - 2.23 * goals * rng.uniform(0.9, 1.1, goals.shape), 2)
    live = end[:, None, None] - 0.1 - rng.exponential(0.8, shape) - 3.05 * drawn["taken"]
    drawn |= {"end": end, "played": played, "counted": played.copy()}

    def about(skill_or_habit: Any) -> Floats:
        return skill_or_habit + NOISE * rng.standard_normal(shape)

    high = _high_air(x) * np.maximum(1 + _HIGH_AIR_CV * skill[..., _AERIALS], 0.1)
    high *= rng.gamma(1 / (_HIGH_AIR_CV * NOISE) ** 2, (_HIGH_AIR_CV * NOISE) ** 2, shape)
    low = 0.212 + 0.18 * x + _LOW_AIR_SD * about(skill[..., _AERIALS])
    high, low = np.minimum(high, 0.4), np.clip(low, 0.05, 0.55)
    pace = about(habit[..., _PACE])
    supersonic = (0.02 + 0.18 * x**1.5) * np.clip(1 + 0.12 * pace, 0.1, 2)
    slow = np.clip(0.8 - 0.4 * x - 0.012 * pace, 0.2, 0.93)
    behind = np.clip(0.63 + 0.1 * x + _BEHIND_SD * about(skill[..., _POSITIONING]), 0.3, 0.97)
    advance = 0.02 * about(habit[..., _ADVANCE])
    defending, attacking = np.clip(0.48 - advance, 0.2, 0.7), np.clip(0.22 + 0.7 * advance, 0.05, 0.29)
    own_half = defending + (1 - defending - attacking) * rng.uniform(0.4, 0.6, shape)
    parts = {
        "supersonic_speed": supersonic, "boost_speed": 1 - supersonic - slow, "slow_speed": slow,
        "ground": 1 - high - low, "low_air": low, "high_air": high,
        "defensive_third": defending, "neutral_third": 1 - defending - attacking, "offensive_third": attacking,
        "defensive_half": own_half, "offensive_half": 1 - own_half,
        "behind_ball": behind, "infront_ball": 1 - behind,
    }  # fmt: skip
    drawn |= {f"time_{name}": _round(part * live, 2) for name, part in parts.items()}
    speed = np.rint(np.clip(900 + 800 * x + 30 * pace, 400, 2200))
    slides = rng.poisson(rng.gamma(4, 10, shape))
    drawn |= {
        "avg_speed": speed,
        "total_distance": np.rint(speed * live * rng.uniform(0.93, 0.975, shape)),
        "count_powerslide": slides,
        "time_powerslide": _round(slides * rng.uniform(0.09, 0.21, shape), 2),
    }
    drawn |= _roles(rng, size, skill[..., _ROTATION], played[:, None, None])
    drawn |= _distances(rng, size, shape)
    drawn |= _boost(rng, 200 + 215 * x + 18 * about(habit[..., _BOOST]), played[:, None, None], live)
    drawn["amount_used_while_supersonic"] = np.rint(drawn["time_supersonic_speed"] * rng.gamma(4, 1.5, shape))
    in_side = rng.normal(0.5, 0.05, shape[0])
    drawn["possession_time"] = _round(played[:, None] * rng.normal(0.43, 0.03, shape[:2]), 2)
    drawn["time_in_side"] = _round(0.975 * played[:, None] * np.stack([in_side, 1 - in_side], 1), 2)
    return drawn


def derived(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what follows from the other figures of matches: sums of teams, shares of time, averages, the winner."""
    goals, shots, score = drawn["goals"], drawn["shots"], drawn["score"]
    size, played = goals.shape[2], drawn["played"][:, None, None]
    match, won = np.arange(len(goals)), goals.sum(2).argmax(1)
    best = np.zeros(goals.shape, bool)
    best[match, won, score[match, won].argmax(1)] = size > 1
    collected = {how: drawn[f"amount_{how}_big"] + drawn[f"amount_{how}_small"] for how in ("collected", "stolen")}
    found = {
        "won": won,
        "mvp": best,
        "shots_against": np.repeat(shots.sum(2)[:, ::-1, None], size, 2),
        "goals_against": np.repeat(goals.sum(2)[:, ::-1, None], size, 2),
        "shooting_percentage": 100 * goals / np.maximum(shots, 1),
        "avg_speed_percentage": drawn["avg_speed"] / 23,
        "avg_powerslide_duration": _round(drawn["time_powerslide"] / np.maximum(drawn["count_powerslide"], 1), 2),
        "bcpm": 60 * collected["collected"] / drawn["counted"][:, None, None],
        **{f"amount_{how}": amount for how, amount in collected.items()},
    }
    for family in PARTS_OF_TIME:
        whole = np.maximum(sum(drawn[f"time_{name}"] for name in family), 0.01)
        found |= {f"percent_{name}": 100 * drawn[f"time_{name}"] / whole for name in family}
    found |= {f"percent_{name}": 100 * drawn[f"time_{name}"] / played for name in _SHARES_OF_MATCH}
    return {name: _round(values, 4) if values.dtype.kind == "f" else values for name, values in found.items()}


def _goals(rng: np.random.Generator, size: int, x: Floats, skill: Floats) -> dict[str, Any]:
    """Returns shots with their outcomes: saved and by whom, or in or not, and who was last back."""
    count = len(x)
    shoots = np.maximum(1 + _SHOTS_CV * skill[..., _SHOOTING], 0.1) * _shot_mean(size, x)
    save_rate = _save_rate(size, x)
    saves = np.maximum(1 + _SAVES_CV * skill[..., _SAVES], 0.05) * save_rate
    # Share of unsaved shots that go in: better savers reduce goals, but not the luck of the others.
    average = save_rate.sum(2)[:, ::-1, None]
    scores = np.maximum(1 + _GOALS_CV * skill[..., _SHOOTING], 0.05) * _goal_rate(size, x) / (1 - average)
    scores, stopped = np.clip(scores, 0, 0.98), np.minimum(saves.sum(2), 0.9)
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
    return {
        "shots": shots, "goals": goals, "saves": by, "assists": assists,
        "score": 100 * goals + 50 * assists + 50 * by + 10 * shots + rest,
        "goals_against_while_last_defender": last,
        "overtime": overtime > 0, "overtime_seconds": overtime,
    }  # fmt: skip


def _roles(rng: np.random.Generator, size: int, skill: Floats, played: Floats) -> dict[str, Any]:
    """Returns time as the last, the first, the nearest and the farthest of the team; in duels a player is all of
    them."""
    shape = skill.shape
    away = np.zeros(shape)
    if size > 1:
        # A player who rotates badly chases the ball in some matches and hides from it in others.
        away = _BALANCE * math.sqrt(math.pi / 2) * np.maximum(1 - _BALANCE_CV * skill, 0.1) * rng.standard_normal(shape)
    found: dict[str, Any] = {}
    for name, sign, more in (
        ("most_back", 1, 0.02), ("most_forward", -1, 0.005), ("closest_to_ball", -1, 0.005),
        ("farthest_from_ball", 1, 0.02),
    ):  # fmt: skip
        part = sign * away + (0.02 * rng.standard_normal(shape) if size > 1 else 0)
        part -= part.mean(2, keepdims=True)
        widest = np.abs(part).max(2, keepdims=True)
        part *= np.minimum(1, (1 / size - 0.03) / np.maximum(widest, 1e-9))
        # Without a demolished player, another one has two roles at once.
        over = 1 + (more * rng.uniform(0.5, 1.5, (*shape[:2], 1)) if size > 1 else 0)
        found[f"time_{name}"] = _round(played * (1 / size + part) * over, 1)
    return found


def _distances(rng: np.random.Generator, size: int, shape: tuple[int, ...]) -> dict[str, Any]:
    ball = rng.normal({1: 2300, 2: 2450, 3: 3050}[size], 220, shape)
    gap = rng.normal(350, 200, shape)
    mates = rng.normal({1: 0, 2: 3150, 3: 3700}[size], 250, shape)
    if size == 2:
        mates[..., 1] = mates[..., 0]
    return {
        "avg_distance_to_ball": np.rint(ball),
        "avg_distance_to_ball_possession": np.rint(ball - gap * 0.5),
        "avg_distance_to_ball_no_possession": np.rint(ball + gap * 0.6),
        "avg_distance_to_mates": np.rint(mates),
    }


def _boost(rng: np.random.Generator, per_minute: Floats, played: Floats, live: Floats) -> dict[str, Any]:
    """Returns pads taken, boost used, and the fill of the tank (0 to 100)."""
    shape, used = per_minute.shape, np.maximum(per_minute, 60)
    wanted = used * rng.uniform(1, 1.06, shape) * played / 60
    small_part = np.clip(rng.normal(0.27, 0.05, shape), 0.08, 0.6)
    found: dict[str, Any] = {}
    for kind, part, mean, spread, most in (("big", 1 - small_part, 83, 2.5, 100), ("small", small_part, 11.2, 0.4, 12)):
        pads = np.maximum(np.rint(wanted * part / mean), 1).astype(np.int64)
        each = np.clip(rng.normal(mean, spread, shape), 0.8 * mean, most)
        stolen = rng.binomial(pads, 0.22)
        amount = np.rint(pads * each).astype(np.int64)
        found |= {f"count_collected_{kind}": pads, f"count_stolen_{kind}": stolen, f"amount_collected_{kind}": amount}
        found[f"amount_stolen_{kind}"] = np.minimum(np.rint(stolen * each).astype(np.int64), amount)
    over = np.rint(found["count_collected_big"] * np.clip(rng.normal(16, 3, shape), 2, 40)).astype(np.int64)
    stolen_part = found["count_stolen_big"] / found["count_collected_big"]
    quarters = rng.dirichlet((7, 5, 5, 8), shape)
    quarters = _round(quarters * (live * rng.uniform(0.945, 0.999, shape))[..., None], 2)
    found |= {f"time_{name}": quarters[..., number] for number, name in enumerate(PARTS_OF_TIME[-1])}
    for name, quarter in (("zero_boost", 0), ("full_boost", 3)):
        found[f"time_{name}"] = _round(quarters[..., quarter] * rng.beta(4, 6, shape), 2)
    return found | {
        "bpm": np.rint(used),
        "avg_amount": _round(np.clip(rng.normal(50, 5, shape), 20, 80), 2),
        "amount_overfill": over,
        "amount_overfill_stolen": np.rint(over * stolen_part * rng.uniform(0.3, 1, shape)).astype(np.int64),
    }


def _round(values: Any, digits: int) -> Floats:
    """Rounds like `round`, so that each number's shortest text is the rounded one; nothing is negative."""
    scale = 10.0**digits
    return np.rint(np.maximum(values, 0) * scale) / scale
