"""Gold paths, ends of games, frames, levels, and times of completed items."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gamestats_assets.simulators.lol.plan import CORE_SLOTS
from gamestats_assets.simulators.lol.story import ARAM, FRAMES, LEVELS, LONGEST_MIN, Floats, Ints, Story

_STEP_MIN = 1 / 3
_FIRST_END_MIN = 15.0
_REMAKE_SURRENDER_MS = (190_000, 285_000)
_DRIFT = 0.20
_SHARES = np.array([0.205, 0.195, 0.213, 0.225, 0.162])
_XP_FACTORS = np.array([1.14, 1.02, 1.14, 0.95, 0.79])
_XP = np.array(
    [0, 280, 660, 1140, 1720, 2400, 3180, 4060, 5040, 6120, 7300, 8580, 9960, 11440, 13020, 14700, 16480, 18360]
)
_CORE_GOLD = np.array([4200, 8000, 11300, 14400, 17600])
# A support's own item takes one slot.
_CORE_GOLD_UTILITY = np.array([3500, 6400, 9300, 12200, 10**8])


def play(story: Story) -> None:
    """Draws the course of matches, as far as gold decides it."""
    n = len(story)
    story.end_ms = np.zeros(n, np.int32)
    story.frame_count = np.zeros(n, np.int16)
    story.frame_ms = np.zeros((n, FRAMES), np.int32)
    story.lead = np.zeros((n, FRAMES), np.int32)
    story.gold = np.zeros((n, 10, FRAMES), np.int32)
    story.xp_factor = np.zeros((n, 10), np.float32)
    story.level_ms = np.full((n, 10, LEVELS), -1, np.int32)
    story.learns_after_ms, story.first_skill_ms = np.zeros((n, 10), np.int16), np.zeros((n, 10), np.int32)
    story.core_ms = np.full((n, 10, CORE_SLOTS), -1, np.int32)
    story.boots_ms = np.full((n, 10), -1, np.int32)
    for number, rows in story.chunks():
        rng = story.rng(1, number)
        _paths(story, rng, rows)
        _levels(story, rng, rows)
        _completions(story, rng, rows)


def _clock(minutes: Floats) -> Floats:
    """Returns the variance of the gap in 1,000 gold, without drift."""
    return 0.016 * np.maximum(minutes - 1.5, 0) ** 2.27


def _mean_gold(minutes: Floats) -> Floats:
    """Returns the mean gold earned by a participant."""
    return (300 + 3.5 * minutes) * np.maximum(minutes - 1.6, 0)


def _paths(story: Story, rng: np.random.Generator, rows: slice) -> None:
    m = rows.stop - rows.start
    minutes = np.arange(0, LONGEST_MIN + _STEP_MIN / 2, _STEP_MIN)
    clock = _clock(minutes)
    steps = np.diff(clock, prepend=0.0)
    walk = np.cumsum(rng.standard_normal((m, minutes.size), np.float32) * np.sqrt(steps).astype(np.float32), axis=1)
    gap = walk + rng.normal(0, _DRIFT, m)[:, None] * clock  # in 1,000 gold
    hazard = np.exp(-3.5 + 0.13 * np.minimum(np.abs(gap), 12) + 0.10 * (minutes - 24)) * _STEP_MIN
    ends = (rng.random((m, minutes.size), np.float32) < hazard) & (minutes >= _FIRST_END_MIN)
    ends[:, -2] = True
    end = ((np.argmax(ends, axis=1) + rng.random(m)) * _STEP_MIN * 60_000).astype(np.int64)
    story.end_ms[rows] = end = np.where(story.remake[rows], rng.integers(*_REMAKE_SURRENDER_MS, m), end)
    late = np.cumsum(rng.integers(3, 34, (m, FRAMES)), axis=1)
    regular = np.arange(FRAMES) * 60_000 + late - late[:, :1]
    at = np.minimum(regular, end[:, None])
    story.frame_count[rows] = (regular < end[:, None]).sum(axis=1) + 1
    story.frame_ms[rows] = at
    place = at / (_STEP_MIN * 60_000)
    step = np.minimum(place.astype(np.int64), minutes.size - 2)
    before = np.take_along_axis(gap, step, axis=1)
    lead = before + (np.take_along_axis(gap, step + 1, axis=1) - before) * (place - step)
    share = _SHARES * np.exp(rng.normal(0, 0.10, (m, 2, 5)))
    share /= share.sum(axis=2, keepdims=True)
    side = np.array([1, -1])[:, None]
    earned = np.maximum(5 * _mean_gold(at / 60_000)[:, None, :] + side * 500 * lead[:, None, :], 0)
    earned = np.maximum.accumulate(earned, axis=2)
    gold = 500 + share[..., None] * earned[:, :, None, :] + 900 * (story.queue[rows] == ARAM)[:, None, None, None]
    story.gold[rows] = gold.reshape(m, 10, FRAMES)
    whole = story.gold[rows]
    story.lead[rows] = whole[:, :5].sum(axis=1) - whole[:, 5:].sum(axis=1)


def _crossing(story: Story, rows: slice, values: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> Ints:
    """Returns when participants' values at frames reach the wanted ones; -1 if never."""
    index = (values < wanted[..., None]).sum(axis=2)
    reached = index < FRAMES
    index = np.minimum(index, FRAMES - 1)
    earlier = np.maximum(index - 1, 0)
    low, high = (np.take_along_axis(values, i[..., None], axis=2)[..., 0] for i in (earlier, index))
    begin, end = (np.take_along_axis(story.frame_ms[rows], i, axis=1) for i in (earlier, index))
    part = np.where(high > low, (wanted - low) / np.maximum(high - low, 1), 1.0)
    return np.where(reached, begin + np.ceil((end - begin) * part).astype(np.int64), -1)


def _levels(story: Story, rng: np.random.Generator, rows: slice) -> None:
    m = rows.stop - rows.start
    story.xp_factor[rows] = np.tile(_XP_FACTORS, 2) * np.exp(rng.normal(0, 0.05, (m, 10)))
    story.learns_after_ms[rows] = rng.integers(250, 3_500, (m, 10))
    story.first_skill_ms[rows] = rng.integers(4_000, 90_000, (m, 10))
    match, participant, frame = np.ogrid[rows, :10, :FRAMES]
    xp = story.xp(match, participant, frame).astype(np.int32)
    levels = story.level_ms[rows]
    levels[..., 0] = 0
    for level in range(1, LEVELS):
        at = _crossing(story, rows, xp, np.full((m, 10), _XP[level]))
        levels[..., level] = np.where((at >= 0) & (at <= 1000), 511, at)


def _completions(story: Story, rng: np.random.Generator, rows: slice) -> None:
    m = rows.stop - rows.start
    gold, end = story.gold[rows], story.end_ms[rows][:, None]
    early = rng.random((m, 10)) < 0.35
    first_gold = np.zeros((m, 10))
    previous = np.zeros((m, 10), np.int64)
    for slot in range(CORE_SLOTS):
        usual = np.tile(_CORE_GOLD[slot], 10)
        usual[[4, 9]] = _CORE_GOLD_UTILITY[slot]
        wanted = usual + rng.exponential(220, (m, 10)) + 750 * early * (slot == 0)
        if slot == 0:
            first_gold = wanted
        at = _crossing(story, rows, gold, wanted)
        at = np.where(at >= 0, np.maximum(at + rng.integers(6_000, 45_000, (m, 10)), previous + 20_000), -1)
        done = (at > 0) & (at < end - 8_000) & (previous >= 0)
        story.core_ms[rows, :, slot] = previous = np.where(done, at, -1)
    wanted = np.where(early, rng.uniform(1800, 2600, (m, 10)), first_gold + rng.uniform(850, 2400, (m, 10)))
    at = _crossing(story, rows, gold, wanted)
    at = np.where(at >= 0, at + rng.integers(3_000, 30_000, (m, 10)), -1)
    # No two completions at the same moment.
    near = (np.abs(story.core_ms[rows] - at[..., None]) < 3_000).any(axis=2)
    story.boots_ms[rows] = np.where((at > 0) & (at < end - 8_000) & ~near, at, -1)
