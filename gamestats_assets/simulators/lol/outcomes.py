"""Draws winners, by gold and planted effects, and the figures of participants that follow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.simulators.lol.plan import OBJECTIVE_KINDS, Effect
from gamestats_assets.simulators.lol.reference import CHAMPIONS
from gamestats_assets.simulators.lol.story import ORDERS, SIDE, Flags, Floats, Ints, Planted, Story, sigmoid

_BLUE_ADVANTAGE, _PER_1000_GOLD = 0.04, 0.25
"""Log odds of blue: at even gold, and per 1,000 gold ahead at the end."""


# --------------------------------------------------------------------------- the winner


def decide(story: Story) -> list[Planted]:
    """Finds log odds that produce the planted differences, and draws the winners."""
    n = len(story)
    ahead = story.lead[np.arange(n), story.frame_count - 1] / 1000
    effects = [effect for effect in story.plan.effects if effect.kind in ("item", "objective")]
    arms = [_first_takers(story, each) if each.kind == "objective" else _item_arms(story, each) for each in effects]
    log_odds = np.zeros(len(effects))
    logit = _BLUE_ADVANTAGE + _PER_1000_GOLD * ahead
    for _ in range(4 if len(effects) > 1 else 1):
        for number, effect in enumerate(effects):
            treated, eligible = arms[number]
            others = logit - log_odds[number] * treated
            log_odds[number] = _solve(effect, others, treated, eligible)
            logit = others + log_odds[number] * treated
    story.logit = logit
    story.blue_won = story.rng(6).random(n) < sigmoid(logit)
    return [
        Planted(effect, float(odds), *arm, realised_points(effect, float(odds), logit, *arm))
        for effect, odds, arm in zip(effects, log_odds, arms, strict=True)
    ]


def _item_arms(story: Story, effect: Effect) -> tuple[Ints, Ints]:
    """Returns by counted match which side has the item, and which could: `treated` and `eligible`."""
    treated, eligible = np.zeros(len(story), np.int8), np.zeros(len(story), np.int8)
    for seat, sign in ((effect.place, 1), (effect.place + 5, -1)):
        here = story.counted & (story.champion[:, seat] == effect.player)
        here &= story.core_ms[:, seat, effect.slot] >= 0
        eligible[here] = sign
        treated[here & (story.core_item[:, seat, effect.slot] == effect.item)] = sign
    return treated, eligible


def _first_takers(story: Story, effect: Effect) -> tuple[Ints, Ints]:
    """Returns by counted match which side took the objective first; twice."""
    if effect.objective == "first_blood":
        of_kind = story.kills["killer"] >= 0
        match, is_blue = story.kills["match"][of_kind], story.kills["killer"][of_kind] < 5
    else:
        of_kind = story.objectives["kind"] == OBJECTIVE_KINDS.index(effect.objective or "")
        match, is_blue = story.objectives["match"][of_kind], story.objectives["blue"][of_kind]
    match, first = np.unique(match, return_index=True)
    treated = np.zeros(len(story), np.int8)
    treated[match] = np.where(is_blue[first], 1, -1)
    treated *= story.counted
    return treated, treated


def realised_points(effect: Effect, log_odds: float, logit: Floats, treated: Ints, eligible: Ints) -> float:
    """Returns the difference of the win rate that log odds produce among the matches of an effect."""
    here = eligible != 0
    others = (logit - log_odds * treated)[here]
    if effect.kind == "objective":
        return float((sigmoid(others + log_odds) - sigmoid(others - log_odds)).mean())
    own = eligible[here] * others
    return float((sigmoid(own + log_odds) - sigmoid(own)).mean())


def _solve(effect: Effect, others: Floats, treated: Ints, eligible: Ints) -> float:
    """Returns the log odds that produce the planted difference."""
    if not eligible.any():
        raise ValueError(f"no game gets as far as {effect} in so few matches; simulate more")
    low, high = -12.0, 12.0
    most = realised_points(effect, math.copysign(high, effect.points), others, np.zeros_like(treated), eligible)
    if abs(most) < abs(effect.points):
        raise ValueError(f"expected at most {most:+.3f} of {effect}: too many games are decided without it")
    for _ in range(40):
        middle = (low + high) / 2
        if realised_points(effect, middle, others, np.zeros_like(treated), eligible) < effect.points:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# --------------------------------------------------------------------------- figures that follow

# By position, per game or per minute.
_DPM = np.array([520.0, 450.0, 590.0, 610.0, 250.0])
_TAKEN = np.array([900.0, 950.0, 640.0, 560.0, 580.0])
_SIEGE = np.array([380.0, 700.0, 250.0, 480.0, 90.0])
_VISION = np.array([0.75, 1.05, 0.75, 0.72, 2.25])
_CONTROL_WARDS = np.array([0.8, 2.5, 1.0, 0.7, 4.5])
_SWEEPS = np.array([1.5, 3.5, 2.0, 1.8, 6.0])
_WARDS = np.array([8.0, 5.0, 8.0, 8.0, 19.0])
_LANE = np.array([6.8, 0.9, 7.2, 7.4, 1.1])
_JUNGLE = np.array([0.25, 4.9, 0.3, 0.4, 0.05])
_LIKES = 1 + 0.15 * np.cos(np.arange(len(CHAMPIONS)) * 2.1)
_KEYSTONES = np.array([8005, 8008, 8010, 8021, 8112, 8128, 8214, 8229, 8230, 8351, 8437, 8439])
_SPELLS = np.array([3, 6, 7, 12, 14, 21])
"""Summoner spells besides Flash; junglers have Smite."""


def follow(story: Story) -> list[Planted]:
    """Draws kills, damage, vision and other figures of participants."""
    n, rng = len(story), story.rng(7)
    minutes = story.end_ms / 60_000
    match, victim, killer = (story.kills[name] for name in ("match", "victim", "killer"))
    slain = killer >= 0

    def counted(cell: Ints, weights: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        return np.bincount(cell, weights, minlength=n * 10).reshape(n, 10)

    kills, deaths = counted((match * 10 + killer)[slain]), counted(match * 10 + victim)
    helped = [np.bincount(match[(story.kills["assists"] >> seat & 1) == 1], minlength=n) for seat in range(10)]
    assists = np.stack(helped, axis=1)
    dead = counted(match * 10 + victim, np.minimum(8 + 1.1 * story.kills["ms"] / 60_000, 55))
    lead = story.lead[np.arange(n), story.frame_count - 1] / 1000
    place = np.tile(np.arange(5), 2)
    dpm = _DPM[place] * _LIKES[story.champion] * np.exp(0.012 * SIDE * np.clip(lead, -15, 15)[:, None])
    dpm = dpm * np.exp(0.02 * (kills + 0.5 * assists - 5) + rng.normal(0, 0.2, (n, 10)))
    for effect in story.plan.effects:
        if effect.kind == "skill_order":
            dpm += effect.dpm * _with_order(story, effect)[0]
    vision = _VISION[place] * np.exp(0.28 * rng.standard_normal((n, 10)))

    def about(mean: Floats, spread: float) -> Ints:
        return (mean * np.exp(rng.normal(0, spread, mean.shape))).astype(np.int32)

    def times(of_a_game: Floats) -> Ints:
        return rng.poisson(of_a_game[place] * minutes[:, None] / 25)

    stats: dict[str, npt.NDArray[Any]] = {
        "kills": kills,
        "deaths": deaths,
        "assists": assists,
        "damage": np.maximum(np.rint(dpm * np.maximum(minutes, 0.5)[:, None]), 0).astype(np.int32),
        "dead_s": np.minimum(dead, 0.6 * story.end_ms[:, None] / 1000).astype(np.int32),
        "taken": about(_TAKEN[place] * (1 + 0.03 * deaths) * minutes[:, None], 0.15),
        "objective_damage": about(_SIEGE[place] * minutes[:, None], 0.4),
        "control_wards": times(_CONTROL_WARDS),
        "wards_killed": times(_SWEEPS),
        "lane_per_minute": (_LANE[place] * np.exp(rng.normal(0, 0.1, (n, 10)))).astype(np.float32),
        "jungle_per_minute": (_JUNGLE[place] * np.exp(rng.normal(0, 0.15, (n, 10)))).astype(np.float32),
        "keystone": np.take(_KEYSTONES, rng.integers(0, _KEYSTONES.size, (n, 10))),
        "summoner2": np.where(place == 1, 11, np.take(_SPELLS, rng.integers(0, _SPELLS.size, (n, 10)))),
    }
    story.surrendered = rng.random(n) < 0.3
    stats["wards_placed"] = stats["control_wards"] + times(_WARDS)
    planted: list[Planted] = []
    nowhere = np.zeros(n, np.int8)
    for effect in story.plan.effects:
        if effect.kind == "skill_order":
            has, could = (_by_match(story, rows) for rows in _with_order(story, effect))
            planted.append(Planted(effect, 0.0, has, could, effect.dpm))
        if effect.kind == "vision":
            realised = _plant_vision(story, rng, effect, vision, deaths)
            planted.append(Planted(effect, 0.0, nowhere, nowhere, realised))
    story.stats = {**stats, "vision": np.rint(vision * minutes[:, None]).astype(np.int16)}
    return planted


def _with_order(story: Story, effect: Effect) -> tuple[Flags, Flags]:
    """Returns participants of the champion and position: those with this order, and all."""
    cell = (story.champion == effect.player) & (np.tile(np.arange(5), 2) == effect.place)
    return cell & (story.order == ORDERS.index(effect.order or "")), cell


def _by_match(story: Story, rows: Flags) -> Ints:
    """Returns by match, with the side's sign, one counted participant who maxed a first skill."""
    at = story.level_ms[:, :, 8]
    maxed = (at >= 0) & (at + story.learns_after_ms < story.end_ms[:, None])
    return (np.where(rows & maxed, SIDE, 0).sum(axis=1) * story.counted).astype(np.int8)


def _plant_vision(story: Story, rng: np.random.Generator, effect: Effect, vision: Floats, deaths: Ints) -> float:
    """Makes a position's vision correlate with deaths, with the length of the game held; returns the correlation."""
    match = np.repeat(np.flatnonzero(story.counted), 2)
    seat = effect.place + 5 * (np.arange(match.size) % 2)
    length, died = story.duration_s[match].astype(np.float64), deaths[match, seat].astype(np.float64)
    apart = _rank(died + rng.random(died.size) * 0.9)
    long = _rank(length)
    rest = apart - np.polyval(np.polyfit(long, apart, 1), long)
    score = np.sort(rng.standard_normal(rest.size))[_rank(rest).astype(np.int64) - 1]
    own = rng.standard_normal(rest.size)
    wanted, drawn, realised = effect.correlation, 2 * math.sin(math.pi * effect.correlation / 6), 0.0
    for _ in range(4):
        mixed = drawn * score + math.sqrt(1 - drawn**2) * own
        each = _VISION[effect.place] * np.exp(0.28 * mixed)
        per_minute = np.rint(each * story.end_ms[match] / 60_000) / length
        realised = partial_spearman(per_minute, died, length)
        vision[match, seat] = each
        if abs(realised) > 1e-9:
            drawn = float(np.clip(drawn * wanted / realised, -0.97, 0.97))
    return realised


def _rank(values: npt.NDArray[Any]) -> Floats:
    """Returns ranks from 1, with the mean for ties."""
    return pl.Series(values).rank("average").to_numpy()


def partial_spearman(x: npt.NDArray[Any], y: npt.NDArray[Any], held: npt.NDArray[Any]) -> float:
    """Returns the rank correlation of two variables with a third one held."""
    (xy, xh, yh) = (float(np.corrcoef(_rank(one), _rank(other))[0, 1]) for one, other in ((x, y), (x, held), (y, held)))
    return (xy - xh * yh) / math.sqrt((1 - xh**2) * (1 - yh**2))
