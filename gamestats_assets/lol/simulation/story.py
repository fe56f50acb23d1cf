"""What happens in simulated League of Legends matches, and what is planted in them.

Arrays over all matches at once. The order of things is that of cause and effect:

1. Gold. Each match has a path of blue's gold less red's: a random walk by a clock that runs faster as the game goes on,
   with a drift of hidden strengths. By that clock the gap of a moment tells all that the path before it could tell of
   the rest. Its end comes by a chance that rises with the gap and the time. Participants have a share of their team's
   gold, and levels by their experience.
2. Choices. A core item is completed when the participant has earned so much, whichever it will be; then one is chosen,
   by chances that depend on the gap at that moment as frames of the timeline tell it, and on nothing else of the game.
   Who takes an objective depends on the gap at the last frame. So every choice is, at an equal gap, a draw of lots:
   what has no planted effect has none, however strongly it goes with winning.
3. The winner. Blue wins by a chance that depends on the gap at the end and on planted effects alone.
4. What follows: kills, damage, vision and the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import permutations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.lol.simulation.reference import (
    BOOTS,
    BUILDS,
    CHAMPIONS,
    ITEMS,
    POSITIONS,
    TURNS_INTO,
    WIN_MORE,
    Champion,
    champion_index,
)

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

RANKED, ARAM, BOTS = 420, 450, 840
"""Queues that are played."""
CORE_SLOTS = 5
LEVELS = 18
ORDERS = ("QWE", "QEW", "WQE", "WEQ", "EQW", "EWQ")
"""Orders in which Q, W and E can reach their highest ranks."""
OBJECTIVE_KINDS = ("dragon", "herald", "grubs", "baron", "tower", "inhibitor")
DRAGONS = ("FIRE_DRAGON", "WATER_DRAGON", "EARTH_DRAGON", "AIR_DRAGON", "HEXTECH_DRAGON", "CHEMTECH_DRAGON")
ELDER = len(DRAGONS)
TOWERS = ("OUTER_TURRET", "INNER_TURRET", "BASE_TURRET", "NEXUS_TURRET")
REMAKE_SURRENDER_MS = (190_000, 285_000)

_CHUNK = 8192
"""Matches simulated at a time: what is drawn depends on it, so it is the same for all plans."""
_STEP_MIN = 1 / 3
_LONGEST_MIN = 48
_FIRST_END_MIN = 15.0
_FRAMES = _LONGEST_MIN + 4
_BLUE_ADVANTAGE, _PER_1000_GOLD = 0.04, 0.25
"""Log odds of blue: at even gold, and for each 1,000 gold ahead at the end."""
_DRIFT = 0.20
_SHARES = np.array([0.205, 0.195, 0.213, 0.225, 0.162])
_XP_FACTORS = np.array([1.14, 1.02, 1.14, 0.95, 0.79])
_XP_PER_LEAD = 0.06
_XP = np.array(
    [0, 280, 660, 1140, 1720, 2400, 3180, 4060, 5040, 6120, 7300, 8580, 9960, 11440, 13020, 14700, 16480, 18360]
)
_CORE_GOLD = np.array([4200, 8000, 11300, 14400, 17600])
# A support's own item keeps one slot.
_CORE_GOLD_UTILITY = np.array([3500, 6400, 9300, 12200, 10**8])
_TAKER = {"dragon": 0.25, "herald": 0.25, "grubs": 0.25, "baron": 0.45, "tower": 0.35, "inhibitor": 0.60}
"""Log odds that blue takes an objective for each 1,000 gold ahead at the last frame before."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One planted effect.

    Attributes:
        kind: `item` (a champion's core item of an order wins more), `objective` (who takes the first one wins more),
            `skill_order` (a champion's order deals more damage), `vision` (vision goes with deaths).
        champion: key or name, of items and skill orders.
        position: of all but objectives.
        core_order: number of the core item, from 1.
        item: id of the item.
        objective: first_blood, dragon, herald, grubs, baron, tower or inhibitor.
        order: such as QEW.
        points: difference of the win rate that it makes: of an item on average over all games that got so far, of an
            objective between taking it and the other team's taking it.
        dpm: damage per minute that it adds.
        correlation: rank correlation of vision score per minute and deaths, length of game held.
    """

    kind: Literal["item", "objective", "skill_order", "vision"]
    champion: str | None = None
    position: str | None = None
    core_order: int | None = None
    item: int | None = None
    objective: str | None = None
    order: str | None = None
    points: float = 0.0
    dpm: float = 0.0
    correlation: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError where what the kind needs is missing or unknown."""
        needed = {
            "item": ("champion", "position", "core_order", "item", "points"),
            "objective": ("objective", "points"),
            "skill_order": ("champion", "position", "order", "dpm"),
            "vision": ("position", "correlation"),
        }[self.kind]
        if missing := [name for name in needed if not getattr(self, name)]:
            raise ValueError(f"an effect of kind {self.kind} needs {', '.join(missing)}")
        if self.champion is not None:
            build = BUILDS[CHAMPIONS[self.player].build]
            if self.item is not None and self.item not in build:
                raise ValueError(f"{self.champion} does not build item {self.item}; it builds {build}")
        if self.position is not None and self.position not in POSITIONS:
            raise ValueError(f"expected a position of {POSITIONS}, found {self.position!r}")
        if self.core_order is not None and not 1 <= self.core_order <= CORE_SLOTS:
            raise ValueError(f"expected a core_order of 1 to {CORE_SLOTS}, found {self.core_order}")
        if self.objective is not None and self.objective not in ("first_blood", *OBJECTIVE_KINDS):
            raise ValueError(f"expected an objective of {('first_blood', *OBJECTIVE_KINDS)}, found {self.objective!r}")
        if self.order is not None and self.order not in skill_orders(CHAMPIONS[self.player]):
            raise ValueError(f"{self.champion} does not max {self.order!r}")

    @property
    def champion_id(self) -> int:
        """Id of the champion; 0 for all."""
        return CHAMPIONS[self.player].champion_id if self.champion else 0

    @property
    def player(self) -> int:
        """Place of the champion in `CHAMPIONS`."""
        return champion_index(self.champion or "")

    @property
    def place(self) -> int:
        """Place of the position in `POSITIONS`."""
        return POSITIONS.index(self.position or "")

    @property
    def slot(self) -> int:
        """Place of the core item, from 0."""
        return (self.core_order or 0) - 1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to simulate.

    Attributes:
        matches: how many, remakes and other queues included.
        first_day: UTC day of the first.
        days: over how many days they are spread evenly.
        patches: patches in order, each with its share of the days.
        effects: what is planted.
        arms: games with and games without each planted item that there shall be exactly, among those of its champion
            and position that got so far; None leaves it to chance.
        confounding: how strongly choices depend on the gold gap; 0 is not at all.
        noise: how far gold gaps spread.
        remakes: share of matches that are remakes.
        aram: share that is ARAM.
        bots: share that is against bots.
        champions: champions of each position by key; where a position is left out, the twelve usual ones.
    """

    matches: int = 1_000
    first_day: date = date(2023, 7, 18)
    days: int = 3
    patches: tuple[tuple[str, float], ...] = (("13.13", 1), ("13.14", 2))
    seed: int = 7
    effects: tuple[Effect, ...] = ()
    arms: int | None = None
    confounding: float = 1.0
    noise: float = 1.0
    remakes: float = 0.01
    aram: float = 0.0
    bots: float = 0.0
    champions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    platform: str = "NA1"

    def __post_init__(self) -> None:
        """Raises ValueError where nothing could be simulated, or where effects stand in each other's way."""
        if self.matches < 1 or self.days < 1 or not self.patches:
            raise ValueError("expected at least one match, one day and one patch")
        if not self.remakes + self.aram + self.bots < 1:
            raise ValueError("expected remakes, aram and bots to leave room for ranked matches")
        if unknown := set(self.champions) - set(POSITIONS):
            raise ValueError(f"expected champions of {POSITIONS}, found {sorted(unknown)}")
        cells = [(effect.champion, effect.position) for effect in self.effects if effect.kind == "item"]
        if self.arms is not None and len(set(cells)) < len(cells):
            raise ValueError("with arms, a champion and position can have one planted item")
        for effect in self.effects:
            if effect.champion is not None and effect.player not in self.pool(POSITIONS[effect.place]):
                raise ValueError(f"{effect.champion} is not among the champions of {effect.position}")
        of_vision = [effect.position for effect in self.effects if effect.kind == "vision"]
        if len(set(of_vision)) < len(of_vision):
            raise ValueError("a position can have one planted correlation of vision")

    def pool(self, position: str) -> list[int]:
        """Champions of a position, as places in `CHAMPIONS`."""
        if position in self.champions:
            return [champion_index(name) for name in self.champions[position]]
        return [index for index, champion in enumerate(CHAMPIONS) if champion.position == position]

    @property
    def versions(self) -> list[str]:
        """Versions of Data Dragon, one for each patch."""
        return [f"{patch}.1" for patch, _ in self.patches]


@dataclass(frozen=True)
class Story:
    """Everything that happened.

    Arrays are by match, by match and participant (ten, blue first, by position), or by match and frame. Times are
    milliseconds of the game; -1 is never. Participants are numbered from 0 here.

    Attributes:
        frame_ms: times of frames; after the last one its time again.
        lead: gold of blue less that of red at frames, from `gold`.
        champion: place in `CHAMPIONS`.
        level_ms: when each level was reached.
        learns_after_ms: how long after it a skill is learnt; the first one at `first_skill_ms`.
        core_item: core items in the order of completion; 0 is none.
        turned_ms: when the core item that turns into another did.
        order: of `ORDERS`.
        first: which of the six ways in which the first three skills were learnt.
        kills: columns match, ms, killer (-1 is nobody), victim, assists (bits).
        objectives: columns match, ms, kind (of `OBJECTIVE_KINDS`), blue, sub_type, killer (-1 is nobody), members
            (bits).
        stats: further figures of participants.
        logit: log odds of blue.
        planted: each effect's log odds, sign by match, and eligible games by match.
    """

    plan: Plan
    number: Ints
    started_ms: Ints
    day: Ints
    end_ms: Ints
    patch: Ints
    queue: Ints
    remake: Flags
    blue_won: Flags
    frame_count: Ints
    frame_ms: Ints
    lead: Ints
    gold: Ints
    champion: Ints
    player: Ints
    xp_factor: Floats
    level_ms: Ints
    learns_after_ms: Ints
    first_skill_ms: Ints
    core_ms: Ints
    core_item: Ints
    turned_ms: Ints
    boots_ms: Ints
    boots: Ints
    order: Ints
    first: Ints
    doubled: Ints
    kills: Mapping[str, npt.NDArray[Any]]
    objectives: Mapping[str, npt.NDArray[Any]]
    stats: Mapping[str, npt.NDArray[Any]]
    logit: Floats
    planted: tuple[Planted, ...]

    def __len__(self) -> int:
        """Matches."""
        return self.end_ms.size

    @property
    def counted(self) -> Flags:
        """Ranked matches that are no remakes: those that effects are planted in and truths are about."""
        return (self.queue == RANKED) & ~self.remake

    @property
    def duration_s(self) -> Ints:
        """Length as match objects tell it."""
        return self.end_ms // 1000

    @property
    def match_ids(self) -> pl.Series:
        """Ids as Riot writes them."""
        return pl.Series("match_id", [f"{self.plan.platform}_{number}" for number in self.number.tolist()], pl.String)

    def lead_at(self, match: Ints, ms: Ints) -> Floats:
        """Gold of blue less that of red, interpolated between frames."""
        return interpolated(self.frame_ms, self.lead, match, ms)

    def xp(self, match: Ints, participant: Ints, frame: Ints) -> Ints:
        """Experience at frames."""
        own_lead = np.where(participant < 5, 1, -1) * self.lead[match, frame]
        begin = 660 * (self.queue[match] == ARAM)
        return _xp(self.frame_ms[match, frame], self.xp_factor[match, participant], own_lead, begin)

    def skill_ms(self, rows: slice = slice(None)) -> Ints:
        """When the skill of each level was learnt, of some matches or all: one after the other."""
        reached = self.level_ms[rows]
        in_turn = self.first_skill_ms[rows][..., None] + 300 * np.arange(LEVELS)
        learnt = np.maximum(in_turn, (reached + self.learns_after_ms[rows][..., None]) * (np.arange(LEVELS) > 0))
        return np.where((reached >= 0) & (learnt < self.end_ms[rows][:, None, None]), learnt, -1)

    def minions(self, match: Ints, participant: Ints, ms: Ints, kind: Literal["lane", "jungle"]) -> Ints:
        """Minions or jungle monsters killed until then."""
        minutes = np.maximum(ms / 60_000 - 1.3, 0)
        return np.floor(self.stats[f"{kind}_per_minute"][match, participant] * minutes).astype(np.int64)


@dataclass(frozen=True)
class Planted:
    """One effect as it came out.

    Attributes:
        log_odds: log odds that it adds to the side; of what does not change the winner 0.
        treated: by match, 1 where blue has it, -1 where red has, 0 where nobody; all 0 of vision.
        eligible: by match, likewise, who could have it. Of an objective the same as `treated`.
        realised: what came out in all matches that count.
    """

    effect: Effect
    log_odds: float
    treated: Ints
    eligible: Ints
    realised: float


# --------------------------------------------------------------------------- frames


def frame_before(frame_ms: Ints, match: Ints, ms: Ints) -> Ints:
    """Number of the last frame at or before a moment. Frames come a little late, never early."""
    index = ms // 60_000
    return index - (frame_ms[match, index] > ms)


def interpolated(frame_ms: Ints, values: npt.NDArray[Any], match: Ints, ms: Ints) -> Floats:
    """Values of frames at moments, between the frames around."""
    before = frame_before(frame_ms, match, ms)
    at, after = frame_ms[match, before], frame_ms[match, before + 1]
    span = after - at
    part = np.where(span > 0, (ms - at) / np.maximum(span, 1), 0.0)
    value = values[match, before].astype(np.float64)
    return value + (values[match, before + 1] - value) * part


def _sigmoid(x: npt.NDArray[Any]) -> Floats:
    return 1 / (1 + np.exp(-x))


def _clock(minutes: Floats) -> Floats:
    """Variance of the gap in 1,000 gold, without drift."""
    return 0.016 * np.maximum(minutes - 1.5, 0) ** 2.27


def _mean_gold(minutes: Floats) -> Floats:
    """Gold of a participant on average."""
    played = np.maximum(minutes - 1.6, 0)
    return 500 + (300 + 3.5 * minutes) * played


def _xp(ms: Ints, factor: Floats, own_lead: Ints, begin: Ints) -> Ints:
    """Experience at a moment."""
    played = np.maximum(ms / 60_000 - 1.5, 0)
    return np.maximum((330 * played + 5.2 * played**2) * factor + _XP_PER_LEAD * own_lead, 0).astype(np.int64) + begin


def _chunks(size: int) -> Iterator[tuple[int, slice]]:
    for number, begin in enumerate(range(0, size, _CHUNK)):
        yield number, slice(begin, min(begin + _CHUNK, size))


# --------------------------------------------------------------------------- the story


def simulate(plan: Plan) -> Story:
    """Simulate every match of a plan. The same plan gives the same story.

    Raises:
        ValueError: when an effect cannot be planted: there are too few matches for its arms, or no log odds make so
            great a difference. It says what would do.
    """
    told = _Telling(plan)
    told.play()
    told.choose()
    planted = told.decide()
    planted += told.follow()
    return told.story(planted)


class _Telling:
    """A story while it is being made."""

    def __init__(self, plan: Plan) -> None:
        self.plan, n = plan, plan.matches
        self.size = n
        rng = self.rng(0)
        share = np.cumsum([of_days for _, of_days in plan.patches])
        middle = (np.arange(plan.days) + 0.5) / plan.days * share[-1]
        patch_of_day = np.searchsorted(share, middle)
        self.day = np.arange(n) * plan.days // n
        self.patch = patch_of_day[self.day].astype(np.int16)
        begin = (plan.first_day.toordinal() - date(1970, 1, 1).toordinal() + self.day) * 86_400_000
        # What timelines tell of the start is some milliseconds early, and shall be of the same day.
        self.started_ms = np.sort(begin + rng.integers(10_000, 86_390_000, n))
        self.number = 5_000_000_001 + plan.seed % 1000 * 1_000_000 + np.arange(n)
        others = np.cumsum([round(share * n) for share in (plan.remakes, plan.aram, plan.bots)])
        kind = np.searchsorted(others, rng.permutation(n), side="right")
        self.remake = kind == 0
        self.queue = np.array([RANKED, ARAM, BOTS, RANKED], np.int16)[kind]
        self.counted = (self.queue == RANKED) & ~self.remake
        players = max(60, n * 5 // 4)
        stride = rng.integers(1, players // 10 + 1, n)
        self.player = (rng.integers(0, players, n)[:, None] + stride[:, None] * np.arange(10)) % players

    def rng(self, phase: int, chunk: int = 0) -> np.random.Generator:
        """What is drawn in one phase for some matches."""
        return np.random.default_rng([self.plan.seed, phase, chunk])

    # ----------------------------------------------------------------- 1. gold

    def play(self) -> None:
        """Paths of gold, ends, frames, levels, and when items are completed."""
        n = self.size
        self.end_ms = np.zeros(n, np.int32)
        self.frame_count = np.zeros(n, np.int16)
        self.frame_ms = np.zeros((n, _FRAMES), np.int32)
        self.lead = np.zeros((n, _FRAMES), np.int32)
        self.gold = np.zeros((n, 10, _FRAMES), np.int32)
        self.xp_factor = np.zeros((n, 10), np.float32)
        self.level_ms = np.full((n, 10, LEVELS), -1, np.int32)
        self.learns_after_ms, self.first_skill_ms = np.zeros((n, 10), np.int16), np.zeros((n, 10), np.int32)
        self.core_ms = np.full((n, 10, CORE_SLOTS), -1, np.int32)
        self.boots_ms = np.full((n, 10), -1, np.int32)
        for number, rows in _chunks(n):
            rng = self.rng(1, number)
            self._paths(rng, rows)
            self._levels(rng, rows)
            self._completions(rng, rows)

    def _paths(self, rng: np.random.Generator, rows: slice) -> None:
        m, noise = rows.stop - rows.start, self.plan.noise
        minutes = np.arange(0, _LONGEST_MIN + _STEP_MIN / 2, _STEP_MIN)
        clock = _clock(minutes)
        steps = np.diff(clock, prepend=0.0)
        walk = np.cumsum(rng.standard_normal((m, minutes.size), np.float32) * np.sqrt(steps).astype(np.float32), axis=1)
        gap = noise * (walk + rng.normal(0, _DRIFT, m)[:, None] * clock)  # in 1,000 gold
        hazard = np.exp(-3.5 + 0.13 * np.minimum(np.abs(gap), 12) + 0.10 * (minutes - 24)) * _STEP_MIN
        ends = (rng.random((m, minutes.size), np.float32) < hazard) & (minutes >= _FIRST_END_MIN)
        ends[:, -2] = True
        end = ((np.argmax(ends, axis=1) + rng.random(m)) * _STEP_MIN * 60_000).astype(np.int64)
        self.end_ms[rows] = end = np.where(self.remake[rows], rng.integers(*REMAKE_SURRENDER_MS, m), end)
        late = np.cumsum(rng.integers(3, 34, (m, _FRAMES)), axis=1)
        late -= late[:, :1]
        regular = np.arange(_FRAMES) * 60_000 + late
        at = np.minimum(regular, end[:, None])
        self.frame_count[rows] = (regular < end[:, None]).sum(axis=1) + 1
        self.frame_ms[rows] = at
        place = at / (_STEP_MIN * 60_000)
        step = np.minimum(place.astype(np.int64), minutes.size - 2)
        part = place - step
        before = np.take_along_axis(gap, step, axis=1)
        lead = before + (np.take_along_axis(gap, step + 1, axis=1) - before) * part
        share = _SHARES * np.exp(rng.normal(0, 0.10, (m, 2, 5)))
        share /= share.sum(axis=2, keepdims=True)
        side = np.array([1, -1])[:, None]
        earned = np.maximum(5 * (_mean_gold(at / 60_000) - 500)[:, None, :] + side * 500 * lead[:, None, :], 0)
        earned = np.maximum.accumulate(earned, axis=2)
        gold = 500 + share[..., None] * earned[:, :, None, :] + 900 * (self.queue[rows] == ARAM)[:, None, None, None]
        self.gold[rows] = gold.reshape(m, 10, _FRAMES)
        whole = self.gold[rows]
        self.lead[rows] = whole[:, :5].sum(axis=1) - whole[:, 5:].sum(axis=1)

    def _crossing(self, rows: slice, values: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> Ints:
        """When values of participants at frames reach what is wanted; -1 where they never do."""
        index = (values < wanted[..., None]).sum(axis=2)
        reached = index < _FRAMES
        index = np.minimum(index, _FRAMES - 1)
        earlier = np.maximum(index - 1, 0)
        low, high = (np.take_along_axis(values, i[..., None], axis=2)[..., 0] for i in (earlier, index))
        at = self.frame_ms[rows]
        begin, end = (np.take_along_axis(at, i, axis=1) for i in (earlier, index))
        part = np.where(high > low, (wanted - low) / np.maximum(high - low, 1), 1.0)
        return np.where(reached, begin + np.ceil((end - begin) * part).astype(np.int64), -1)

    def _levels(self, rng: np.random.Generator, rows: slice) -> None:
        m = rows.stop - rows.start
        factor = np.tile(_XP_FACTORS, 2) * np.exp(rng.normal(0, 0.05, (m, 10)))
        self.xp_factor[rows] = factor
        self.learns_after_ms[rows] = rng.integers(250, 3_500, (m, 10))
        self.first_skill_ms[rows] = rng.integers(4_000, 90_000, (m, 10))
        own_lead = np.repeat([1, -1], 5)[:, None] * self.lead[rows][:, None, :]
        begin = 660 * (self.queue[rows] == ARAM)[:, None, None]
        xp = _xp(self.frame_ms[rows][:, None, :], self.xp_factor[rows][..., None], own_lead, begin).astype(np.int32)
        levels = self.level_ms[rows]
        levels[..., 0] = 0
        for level in range(1, LEVELS):
            at = self._crossing(rows, xp, np.full((m, 10), _XP[level]))
            levels[..., level] = np.where((at >= 0) & (at <= 1000), 511, at)

    def _completions(self, rng: np.random.Generator, rows: slice) -> None:
        m = rows.stop - rows.start
        gold, end = self.gold[rows], self.end_ms[rows][:, None]
        early = rng.random((m, 10)) < 0.35
        first_gold = np.zeros((m, 10))
        previous = np.zeros((m, 10), np.int64)
        for slot in range(CORE_SLOTS):
            usual = np.tile(_CORE_GOLD[slot], 10)
            usual[[4, 9]] = _CORE_GOLD_UTILITY[slot]
            wanted = usual + rng.exponential(220, (m, 10)) + 750 * early * (slot == 0)
            if slot == 0:
                first_gold = wanted
            at = self._crossing(rows, gold, wanted)
            at = np.where(at >= 0, np.maximum(at + rng.integers(6_000, 45_000, (m, 10)), previous + 20_000), -1)
            done = (at > 0) & (at < end - 8_000) & (previous >= 0)
            self.core_ms[rows, :, slot] = previous = np.where(done, at, -1)
        wanted = np.where(early, rng.uniform(1800, 2600, (m, 10)), first_gold + rng.uniform(850, 2400, (m, 10)))
        at = self._crossing(rows, gold, wanted)
        at = np.where(at >= 0, at + rng.integers(3_000, 30_000, (m, 10)), -1)
        # Two things are not completed within the same moment.
        near = (np.abs(self.core_ms[rows] - at[..., None]) < 3_000).any(axis=2)
        self.boots_ms[rows] = np.where((at > 0) & (at < end - 8_000) & ~near, at, -1)

    # ----------------------------------------------------------------- 2. choices

    def choose(self) -> None:
        """Champions, items, orders of skills, and who takes objectives."""
        n = self.size
        self.champion = np.full((n, 10), -1, np.int16)
        self.core_item = np.zeros((n, 10, CORE_SLOTS), np.int16)
        # 1 who chooses the planted item of an arm, -1 who must not.
        self.told_to = np.zeros((n, 10), np.int8)
        self._fill_arms()
        self.boots, self.turned_ms = np.zeros((n, 10), np.int16), np.full((n, 10), -1, np.int32)
        self.order, self.first = np.zeros((n, 10), np.int8), np.zeros((n, 10), np.int8)
        self.doubled = np.zeros((n, 10), np.int8)
        taken: list[dict[str, npt.NDArray[Any]]] = []
        for number, rows in _chunks(n):
            rng = self.rng(2, number)
            self._champions(rng, rows)
            self._items(rng, rows)
            self._skills(rng, rows)
            taken.append(self._objectives(self.rng(3, number), rows))
        self.taken = _joined(taken)
        fought = [self._kills(self.rng(4, number), rows) for number, rows in _chunks(n)]
        self.fought = _joined(fought)

    def _arms(self) -> list[Effect]:
        return [effect for effect in self.plan.effects if effect.kind == "item"] if self.plan.arms is not None else []

    def _fill_arms(self) -> None:
        """Who plays the champions of arms, and who of them chooses the item."""
        games = self.plan.arms or 0
        for number, effect in enumerate(self._arms()):
            rng = self.rng(5, number)
            place, slot = effect.place, effect.slot
            match = rng.permutation(np.flatnonzero(self.counted))
            seat = place + 5 * rng.integers(0, 2, match.size)
            seat = np.where(self.champion[match, seat] < 0, seat, (seat + 5) % 10)
            free = self.champion[match, seat] < 0
            match, seat = match[free], seat[free]
            got_so_far = self.core_ms[match, seat, slot] >= 0
            reached = np.cumsum(got_so_far)
            most = int(reached[-1]) if reached.size else 0
            if most < 2 * games:
                needed = math.ceil(self.size * 2 * games / max(most, 1) * 1.02)
                raise ValueError(
                    f"two arms of {games} games of {effect.champion} {effect.position} with {effect.core_order} core "
                    f"items need {2 * games} matches that have one; {most} of {self.size} can. "
                    f"Simulate at least about {needed} matches."
                )
            last = int(np.searchsorted(reached, 2 * games)) + 1
            match, seat, got_so_far = match[:last], seat[:last], got_so_far[:last]
            self.champion[match, seat] = effect.player
            match, seat = match[got_so_far], seat[got_so_far]
            lead = self._own_lead(match, seat, self.core_ms[match, seat, slot])
            wish = self.plan.confounding * WIN_MORE.get(effect.item or 0, 0.0) * lead / 1000 + rng.gumbel(
                size=lead.size
            )
            chosen = np.argsort(-wish)[:games]
            self.told_to[match, seat] = -1
            self.told_to[match[chosen], seat[chosen]] = 1

    def _own_lead(self, match: Ints, participant: Ints, ms: Ints) -> Floats:
        """Gold of the own team less that of the other, as frames tell it."""
        return np.where(participant < 5, 1, -1) * interpolated(self.frame_ms, self.lead, match, ms)

    def _champions(self, rng: np.random.Generator, rows: slice) -> None:
        m, chosen = rows.stop - rows.start, self.champion[rows]
        used = np.zeros((m, len(CHAMPIONS)), bool)
        # Who plays these is settled.
        used[:, [effect.player for effect in self._arms()]] = True
        match, seat = np.nonzero(chosen >= 0)
        used[match, chosen[match, seat]] = True
        for place in rng.permutation(10):
            pool = np.array(self.plan.pool(POSITIONS[place % 5]))
            liked = -0.6 * np.log(np.arange(pool.size) + 3.0) + rng.gumbel(size=(m, pool.size))
            best = pool[np.argmax(np.where(used[:, pool], -np.inf, liked), axis=1)]
            chosen[:, place] = np.where(chosen[:, place] >= 0, chosen[:, place], best)
            used[np.arange(m), chosen[:, place]] = True

    def _items(self, rng: np.random.Generator, rows: slice) -> None:
        chosen, champion = self.core_item[rows], self.champion[rows]
        pools = _POOLS[champion]
        mythic = _MYTHIC[champion]
        barred = np.zeros(pools.shape, bool)
        for slot in range(CORE_SLOTS):
            match, seat = np.nonzero(self.core_ms[rows, :, slot] >= 0)
            ms = self.core_ms[rows, :, slot][match, seat]
            lead = self._own_lead(match + rows.start, seat, ms)
            of = champion[match, seat]
            pool = pools[match, seat]
            wish = _USUAL[of, :, slot] + self.plan.confounding * _SLOPES[of] * (lead / 1000)[:, None]
            wish += rng.gumbel(size=wish.shape)
            wish[barred[match, seat] | (pool == 0)] = -np.inf
            for effect in self._arms():
                told = self.told_to[rows][match, seat]
                here = ((of == effect.player) & (told != 0))[:, None]
                is_it = pool == effect.item
                if slot < effect.slot:
                    # It must still be to be had, so no other mythic may rule it out.
                    spoils = is_it | (mythic[match, seat] & ITEMS[effect.item or 0].is_mythic)
                    wish[here & spoils] = -np.inf
                if slot == effect.slot:
                    wish[here & is_it] = -np.inf
                    wish[is_it & (told == 1)[:, None] & here] = np.inf
            best = np.argmax(wish, axis=1)
            chosen[match, seat, slot] = pool[np.arange(best.size), best]
            barred[match, seat, best] = True
            was_mythic = mythic[match, seat, best]
            barred[match[was_mythic], seat[was_mythic]] |= mythic[match[was_mythic], seat[was_mythic]]
        boots = _BOOTS[champion]
        kind = rng.integers(0, boots.shape[2], champion.shape)
        worn = np.take_along_axis(boots, kind[..., None], axis=2)[..., 0]
        self.boots[rows] = np.where(self.boots_ms[rows] >= 0, worn, 0)
        turns = np.isin(chosen, list(TURNS_INTO))
        at = np.where(turns, self.core_ms[rows], 0).max(axis=2)
        at = np.where(at > 0, at + rng.integers(90_000, 420_000, at.shape), -1)
        # Not within the moment of another completion.
        other = np.concatenate([self.core_ms[rows], self.boots_ms[rows][..., None]], axis=2)
        near = (np.abs(other - at[..., None]) < 3_000).any(axis=2)
        self.turned_ms[rows] = np.where((at > 0) & (at < self.end_ms[rows][:, None] - 8_000) & ~near, at, -1)

    def _skills(self, rng: np.random.Generator, rows: slice) -> None:
        champion = self.champion[rows]
        # By level 9 the first skill has its highest rank in every order.
        at = self.level_ms[rows, :, 8]
        match, seat = np.nonzero(np.ones_like(champion, dtype=bool))
        ms = np.where(at >= 0, at + self.learns_after_ms[rows], self.end_ms[rows][:, None]).ravel()
        ms = np.minimum(ms, self.end_ms[rows][match])
        lead = self._own_lead(match + rows.start, seat, ms)
        of = champion.ravel()
        wish = _ORDER_USUAL[of] + self.plan.confounding * _ORDER_SLOPES[of] * (lead / 1000)[:, None]
        wish += rng.gumbel(size=wish.shape)
        self.order[rows] = np.argmax(wish, axis=1).reshape(champion.shape)
        self.first[rows] = np.minimum(rng.geometric(0.6, champion.shape) - 1, 5)
        self.doubled[rows] = (rng.random(champion.shape) < 0.01) & (at >= 0)

    def _objectives(self, rng: np.random.Generator, rows: slice) -> dict[str, npt.NDArray[Any]]:
        m = rows.stop - rows.start
        end = self.end_ms[rows].astype(np.int64)
        is_aram = self.queue[rows] == ARAM
        has_grubs = np.array([_number_of(patch) >= 14_001 for patch, _ in self.plan.patches])[self.patch[rows]]
        parts: list[dict[str, npt.NDArray[Any]]] = []
        everywhere = end - 5_000
        on_rift = np.where(is_aram, 0, everywhere)

        def take(kind: str, times: list[Ints], until: Ints, cap: int = 99) -> None:
            taken = np.zeros((2, m), np.int64)
            species = np.argsort(rng.random((m, len(DRAGONS))), axis=1)
            everyone, blue = np.arange(m), np.zeros(m, bool)
            for number, at in enumerate(times):
                here = at < until
                before = frame_before(self.frame_ms[rows], everyone, np.minimum(at, end))
                lead = self.lead[rows][everyone, before] / 1000
                if number == 0 or kind != "grubs":
                    blue = rng.random(m) < _sigmoid(self.plan.confounding * _TAKER[kind] * lead)
                    # Who has no tower left loses none.
                    blue = np.where(np.where(blue, *taken) >= cap, ~blue, blue)
                here &= np.where(blue, *taken) < cap
                sub = np.full(m, -1)
                if kind == "dragon":
                    sub = np.where((taken >= 4).any(axis=0), ELDER, species[:, min(number, 2)])
                if kind == "tower":
                    sub = np.minimum(np.where(blue, *taken) // 3, 3)
                taken += np.stack([here & blue, here & ~blue])
                which = np.flatnonzero(here)
                base = np.where(blue[which], 0, 5)
                killer, members = _takers(rng, kind, which.size)
                parts.append(
                    {
                        "match": which + rows.start,
                        "ms": at[which],
                        "kind": np.full(which.size, OBJECTIVE_KINDS.index(kind)),
                        "blue": blue[which],
                        "sub_type": sub[which],
                        "killer": np.where(killer >= 0, killer + base, -1),
                        "members": members << base,
                    }
                )

        take("dragon", _times(rng, m, 305, 100, 302, 70, 8), on_rift)
        herald = [np.where(has_grubs, at + 360_000, at) for at in _times(rng, m, 485, 130, 362, 70, 2)]
        take("herald", herald, np.minimum(on_rift, np.where(has_grubs, 1_430_000, 1_184_000)))
        take("grubs", _times(rng, m, 305, 120, 5, 3, 3), np.where(has_grubs, on_rift, 0))
        take("baron", _times(rng, m, 1220, 250, 362, 160, 4), on_rift)
        take("tower", _times(rng, m, 560, 230, 12, 125, 20), everywhere, cap=11)
        take("inhibitor", _times(rng, m, 1300, 280, 25, 160, 5), everywhere, cap=3)
        return _sorted(_joined(parts))

    def _kills(self, rng: np.random.Generator, rows: slice) -> dict[str, npt.NDArray[Any]]:
        """Fights: several kills within seconds, each more often by the team that was ahead at the last frame."""
        m, end = rows.stop - rows.start, self.end_ms[rows].astype(np.int64)
        fights = rng.poisson(0.95 * np.maximum(end / 60_000 - 2.2, 0.2))
        match = np.repeat(np.arange(m), fights)
        f = int(match.size)
        at = (105_000 + (end[match] - 115_000) * rng.random(f) ** 0.85).astype(np.int64)
        size = rng.choice(np.arange(1, 6), f, p=(0.48, 0.23, 0.15, 0.08, 0.06))
        lead = self.lead[rows][match, frame_before(self.frame_ms[rows], match, at)]
        chance = _sigmoid(0.30 * self.plan.confounding * lead / 1000 + rng.normal(0, 0.9, f))
        falls = np.argsort(rng.standard_exponential((f, 2, 5), np.float32) / _DIES, axis=2).astype(np.int8)
        fight = np.repeat(np.arange(f), size)
        begin = np.cumsum(size) - size
        k = fight.size
        blue: Flags = rng.random(k) < chance[fight]
        one = np.stack([~blue, blue]).astype(np.int64)
        so_far = np.cumsum(one, axis=1)
        of_team = (so_far - (so_far - one)[:, begin][:, fight])[blue.astype(np.int64), np.arange(k)]
        # The first of a team to slay in a fight slays the first of the other to fall.
        rank = of_team - 1
        victim = np.where(blue, 5 + falls[fight, 1, rank], falls[fight, 0, rank])
        killer = np.searchsorted(np.cumsum(_SLAYS / _SLAYS.sum()), rng.random(k)).clip(0, 4)
        helps = (rng.random((k, 5), np.float32) < _HELPS) & (rng.random(k) < 0.82)[:, None]
        helps[np.arange(k), killer] = False
        nobody = rng.random(k) < 0.01
        helps[nobody] = False
        base = np.where(blue, 0, 5)
        gaps = rng.integers(900, 6_500, k)
        gaps[begin] = 0
        since = np.cumsum(gaps)
        ms = at[fight] + since - since[begin][fight]
        kept = ms < end[match][fight] - 2_000
        return _sorted(
            {
                "match": (match[fight] + rows.start)[kept],
                "ms": ms[kept],
                "killer": np.where(nobody, -1, killer + base)[kept],
                "victim": victim[kept],
                "assists": ((helps @ (1 << np.arange(5))) << base)[kept],
            }
        )

    # ----------------------------------------------------------------- 3. the winner

    def decide(self) -> list[Planted]:
        """Find log odds that make the planted differences, and who wins."""
        n = self.size
        last = self.frame_count - 1
        ahead = self.lead[np.arange(n), last] / 1000
        effects = [effect for effect in self.plan.effects if effect.kind in ("item", "objective")]
        arms = [self._treated(effect) for effect in effects]
        log_odds = np.zeros(len(effects))
        logit = _BLUE_ADVANTAGE + _PER_1000_GOLD * ahead
        for _ in range(4 if len(effects) > 1 else 1):
            for number, effect in enumerate(effects):
                treated, eligible = arms[number]
                others = logit - log_odds[number] * treated
                log_odds[number] = _solve(effect, others, treated, eligible)
                logit = others + log_odds[number] * treated
        self.logit = logit
        self.blue_won = self.rng(6).random(n) < _sigmoid(logit)
        return [
            Planted(
                effect,
                float(log_odds[number]),
                *arms[number],
                realised_points(effect, float(log_odds[number]), logit, *arms[number]),
            )
            for number, effect in enumerate(effects)
        ]

    def _treated(self, effect: Effect) -> tuple[Ints, Ints]:
        """By match, of which side it is, and of which side it could be; among matches that count."""
        treated, eligible = np.zeros(self.size, np.int8), np.zeros(self.size, np.int8)
        if effect.kind == "objective":
            match, blue = self._first(effect.objective or "")
            treated[match] = np.where(blue, 1, -1)
            treated *= self.counted
            return treated, treated
        for seat, sign in ((effect.place, 1), (effect.place + 5, -1)):
            here = self.counted & (self.champion[:, seat] == effect.player)
            here &= self.core_ms[:, seat, effect.slot] >= 0
            eligible[here] = sign
            treated[here & (self.core_item[:, seat, effect.slot] == effect.item)] = sign
        return treated, eligible

    def _first(self, objective: str) -> tuple[Ints, Flags]:
        """Matches in which it was taken, and whether blue took it first."""
        if objective == "first_blood":
            drawn = self.fought["killer"] >= 0
            match, index = np.unique(self.fought["match"][drawn], return_index=True)
            return match, self.fought["killer"][drawn][index] < 5
        kind = self.taken["kind"] == OBJECTIVE_KINDS.index(objective)
        match, index = np.unique(self.taken["match"][kind], return_index=True)
        return match, self.taken["blue"][kind][index]

    # ----------------------------------------------------------------- 4. what follows

    def follow(self) -> list[Planted]:
        """Kills, damage, vision and other figures of participants."""
        n, rng = self.size, self.rng(7)
        minutes = self.end_ms / 60_000
        cells = n * 10
        match, victim = self.fought["match"], self.fought["victim"]
        killer = self.fought["killer"]
        slain = killer >= 0
        kills = np.bincount((match * 10 + killer)[slain], minlength=cells).reshape(n, 10)
        deaths = np.bincount(match * 10 + victim, minlength=cells).reshape(n, 10)
        helped = [np.bincount(match[(self.fought["assists"] >> seat & 1) == 1], minlength=n) for seat in range(10)]
        assists = np.stack(helped, axis=1)
        waits = np.minimum(8 + 1.1 * self.fought["ms"] / 60_000, 55)
        dead = np.bincount(match * 10 + victim, waits, minlength=cells).reshape(n, 10)
        side = np.repeat([1, -1], 5)
        lead = self.lead[np.arange(n), self.frame_count - 1] / 1000
        place = np.tile(np.arange(5), 2)
        dpm = _DPM[place] * _LIKES[self.champion] * np.exp(0.012 * side * np.clip(lead, -15, 15)[:, None])
        dpm = dpm * np.exp(0.02 * (kills + 0.5 * assists - 5) + rng.normal(0, 0.2, (n, 10)))
        planted: list[Planted] = []
        for effect in self.plan.effects:
            if effect.kind == "skill_order":
                has, _ = self._with_order(effect)
                dpm += effect.dpm * has
        damage = np.maximum(np.rint(dpm * np.maximum(minutes, 0.5)[:, None]), 0).astype(np.int32)
        vision = _VISION[place] * np.exp(0.28 * rng.standard_normal((n, 10)))
        stats: dict[str, npt.NDArray[Any]] = {
            "kills": kills.astype(np.int16),
            "deaths": deaths.astype(np.int16),
            "assists": assists.astype(np.int16),
            "damage": damage,
            "dead_s": np.minimum(dead, 0.6 * self.end_ms[:, None] / 1000).astype(np.int32),
            "taken": self._about(rng, _TAKEN[place] * (1 + 0.03 * deaths) * minutes[:, None], 0.15),
            "objective_damage": self._about(rng, _SIEGE[place] * minutes[:, None], 0.4),
            "control_wards": rng.poisson(_CONTROL_WARDS[place] * minutes[:, None] / 25).astype(np.int16),
            "wards_killed": rng.poisson(_SWEEPS[place] * minutes[:, None] / 25).astype(np.int16),
            "lane_per_minute": (_LANE[place] * np.exp(rng.normal(0, 0.1, (n, 10)))).astype(np.float32),
            "jungle_per_minute": (_JUNGLE[place] * np.exp(rng.normal(0, 0.15, (n, 10)))).astype(np.float32),
            "keystone": np.take(_KEYSTONES, rng.integers(0, _KEYSTONES.size, (n, 10))).astype(np.int16),
            "summoner2": np.take(_SPELLS, rng.integers(0, _SPELLS.size, (n, 10))).astype(np.int8),
            "surrendered": rng.random(n) < 0.3,
        }
        stats["wards_placed"] = stats["control_wards"] + rng.poisson(_WARDS[place] * minutes[:, None] / 25)
        stats["wards_placed"] = stats["wards_placed"].astype(np.int16)
        for effect in self.plan.effects:
            if effect.kind == "skill_order":
                has, could = self._with_order(effect)
                order, cell = self._by_match(has), self._by_match(could)
                planted.append(Planted(effect, 0.0, order, cell, effect.dpm))
            if effect.kind == "vision":
                planted.append(self._plant_vision(rng, effect, vision, deaths))
        score = np.rint(vision * minutes[:, None]).astype(np.int16)
        self.stats = {**stats, "vision": score}
        return planted

    def _about(self, rng: np.random.Generator, mean: Floats, spread: float) -> Ints:
        return (mean * np.exp(rng.normal(0, spread, mean.shape))).astype(np.int32)

    def _with_order(self, effect: Effect) -> tuple[Flags, Flags]:
        """Participants of the champion and position: those with this order, and all."""
        cell = (self.champion == effect.player) & (np.tile(np.arange(5), 2) == effect.place)
        return cell & (self.order == ORDERS.index(effect.order or "")), cell

    def _by_match(self, rows: Flags) -> Ints:
        """One of each match that counts, with its side's sign, of participants who maxed a first skill."""
        at = self.level_ms[:, :, 8]
        maxed = (at >= 0) & (at + self.learns_after_ms < self.end_ms[:, None])
        sign = np.repeat([1, -1], 5)
        return (np.where(rows & maxed, sign, 0).sum(axis=1) * self.counted).astype(np.int8)

    def _plant_vision(self, rng: np.random.Generator, effect: Effect, vision: Floats, deaths: Ints) -> Planted:
        """Make vision of a position go with deaths, at an equal length of the game."""
        place = effect.place
        match = np.repeat(np.flatnonzero(self.counted), 2)
        seat = np.where(np.arange(match.size) % 2, place + 5, place)
        length, died = (self.end_ms[match] // 1000).astype(np.float64), deaths[match, seat].astype(np.float64)
        apart = _rank(died + rng.random(died.size) * 0.9)
        long = _rank(length)
        rest = apart - np.polyval(np.polyfit(long, apart, 1), long)
        score = np.sort(rng.standard_normal(rest.size))[_rank(rest).astype(np.int64) - 1]
        own = rng.standard_normal(rest.size)
        wanted, drawn, realised = effect.correlation, 2 * math.sin(math.pi * effect.correlation / 6), 0.0
        for _ in range(4):
            mixed = drawn * score + math.sqrt(1 - drawn**2) * own
            each = _VISION[place] * np.exp(0.28 * mixed)
            told = np.rint(each * self.end_ms[match] / 60_000) / length
            realised = partial_spearman(told, died, length)
            vision[match, seat] = each
            if abs(realised) > 1e-9:
                drawn = float(np.clip(drawn * wanted / realised, -0.97, 0.97))
        return Planted(effect, 0.0, np.zeros(self.size, np.int8), np.zeros(self.size, np.int8), realised)

    def story(self, planted: list[Planted]) -> Story:
        """What has been told."""
        return Story(
            plan=self.plan,
            number=self.number,
            started_ms=self.started_ms,
            day=self.day,
            end_ms=self.end_ms,
            patch=self.patch,
            queue=self.queue,
            remake=self.remake,
            blue_won=self.blue_won,
            frame_count=self.frame_count,
            frame_ms=self.frame_ms,
            lead=self.lead,
            gold=self.gold,
            champion=self.champion,
            player=self.player,
            xp_factor=self.xp_factor,
            level_ms=self.level_ms,
            learns_after_ms=self.learns_after_ms,
            first_skill_ms=self.first_skill_ms,
            core_ms=self.core_ms,
            core_item=self.core_item,
            turned_ms=self.turned_ms,
            boots_ms=self.boots_ms,
            boots=self.boots,
            order=self.order,
            first=self.first,
            doubled=self.doubled,
            kills=self.fought,
            objectives=self.taken,
            stats=self.stats,
            logit=self.logit,
            planted=tuple(planted),
        )


# --------------------------------------------------------------------------- parts of it


def _number_of(patch: str) -> int:
    first, second = patch.split(".")
    return int(first) * 1000 + int(second)


def _joined(parts: list[dict[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _sorted(events: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """By match and time, in as little space as they need."""
    narrow: dict[str, Any] = {"match": np.int32, "ms": np.int32, "assists": np.int16, "members": np.int16, "blue": bool}
    order = np.lexsort((events["ms"], events["match"]))
    return {name: values[order].astype(narrow.get(name, np.int8)) for name, values in events.items()}


def _times(
    rng: np.random.Generator, size: int, first_s: float, late_s: float, gap_s: float, more_s: float, count: int
) -> list[Ints]:
    """When something happens for the first time, the second and so on, in milliseconds."""
    at, times = np.zeros(size, np.int64), []
    for number in range(count):
        least, mean = (first_s, late_s) if number == 0 else (gap_s, more_s)
        at = at + (1000 * (least + rng.exponential(mean, size))).astype(np.int64)
        times.append(at)
    return times


def _takers(rng: np.random.Generator, kind: str, size: int) -> tuple[Ints, Ints]:
    """Who of a team takes objectives, -1 for its minions, and all who do or help, as bits."""
    is_building = kind in ("tower", "inhibitor")
    weights = np.array([1.2, 0.6, 1.1, 1.4, 0.3]) if is_building else np.array([0.4, 4.0, 0.4, 0.6, 0.1])
    killer = np.searchsorted(np.cumsum(weights / weights.sum()), rng.random(size)).clip(0, 4)
    helps = rng.random((size, 5)) < (0.3 if is_building else 0.5)
    alone = (rng.random(size) < 0.12) & is_building
    helps[np.arange(size), killer] = True
    helps[alone] = rng.random((int(alone.sum()), 5)) < 0.2
    return np.where(alone, -1, killer), helps @ (1 << np.arange(5))


def realised_points(effect: Effect, log_odds: float, logit: Floats, treated: Ints, eligible: Ints) -> float:
    """Difference of the win rate that log odds make among the matches of an effect."""
    here = eligible != 0
    others = (logit - log_odds * treated)[here]
    if effect.kind == "objective":
        return float((_sigmoid(others + log_odds) - _sigmoid(others - log_odds)).mean())
    own = eligible[here] * others
    return float((_sigmoid(own + log_odds) - _sigmoid(own)).mean())


def _solve(effect: Effect, others: Floats, treated: Ints, eligible: Ints) -> float:
    """Log odds that make the planted difference."""
    if not eligible.any():
        raise ValueError(f"nobody gets so far as {effect} says in so few matches; simulate more")
    low, high = -12.0, 12.0
    most = realised_points(effect, math.copysign(high, effect.points), others, np.zeros_like(treated), eligible)
    if abs(most) < abs(effect.points):
        raise ValueError(f"expected at most {most:+.3f} of {effect}: so many games are decided without it")
    for _ in range(40):
        middle = (low + high) / 2
        if realised_points(effect, middle, others, np.zeros_like(treated), eligible) < effect.points:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _rank(values: npt.NDArray[Any]) -> Floats:
    """Ranks from 1, the mean of ties."""
    return pl.Series(values).rank("average").to_numpy()


def partial_spearman(x: npt.NDArray[Any], y: npt.NDArray[Any], held: npt.NDArray[Any]) -> float:
    """Rank correlation of two variables with a third one held."""
    (xy, xh, yh) = (float(np.corrcoef(_rank(one), _rank(other))[0, 1]) for one, other in ((x, y), (x, held), (y, held)))
    return (xy - xh * yh) / math.sqrt((1 - xh**2) * (1 - yh**2))


def skill_orders(champion: Champion) -> tuple[str, ...]:
    """Orders in which a champion's skills are maxed, the usual one first."""
    first, second, third = champion.max_order
    return (first + second + third, first + third + second, second + first + third, second + third + first)


@cache
def skill_levels(order: str, first: int) -> str:
    """All eighteen levels of an order, begun in one of six ways.

    >>> skill_levels("QEW", 0)
    'QEWQQRQEQEREEWWRWW'
    """
    levels = "".join(list(permutations(order))[first])
    for level in range(4, LEVELS + 1):
        if level in (6, 11, 16):
            levels += "R"
            continue
        # A rank is to be had at every second level.
        levels += next(skill for skill in order if levels.count(skill) < min(5, (level + 1) // 2))
    return levels


def _by_champion(of: Mapping[str, tuple[int, ...]], width: int) -> Ints:
    rows = [of[champion.build] for champion in CHAMPIONS]
    return np.array([[*row, *[0] * (width - len(row))] for row in rows], np.int16)


_POOLS = _by_champion(BUILDS, max(map(len, BUILDS.values())))
_BOOTS = _by_champion(BOOTS, 3)
_MYTHIC = np.isin(_POOLS, [item.item_id for item in ITEMS.values() if item.is_mythic])
_SLOPES = np.vectorize(lambda item: WIN_MORE.get(item, 0.0))(_POOLS)
_USUAL = -0.32 * np.abs(np.arange(_POOLS.shape[1])[:, None] - 1.7 * np.arange(CORE_SLOTS))[None] + 0.25 * np.cos(
    np.arange(len(CHAMPIONS))[:, None, None] * 1.7 + np.arange(_POOLS.shape[1])[:, None] * 2.3
)
"""How often a champion has an item of its list as its first core item, its second and so on, in log odds."""
_ORDER_USUAL, _ORDER_SLOPES = np.full((len(CHAMPIONS), 6), -np.inf), np.zeros((len(CHAMPIONS), 6))
for _index, _each in enumerate(CHAMPIONS):
    for _order, _log_odds, _slope in zip(skill_orders(_each), (1.8, 0.5, -0.1, -0.8), (0, 0.12, -0.12, 0), strict=True):
        _ORDER_USUAL[_index, ORDERS.index(_order)] = _log_odds
        _ORDER_SLOPES[_index, ORDERS.index(_order)] = _slope
_LIKES = 1 + 0.15 * np.cos(np.arange(len(CHAMPIONS)) * 2.1)
_DIES = np.array([1.0, 1.0, 1.0, 1.0, 1.1])
_SLAYS = np.array([1.0, 1.0, 1.2, 1.35, 0.35])
_HELPS = np.array([0.36, 0.52, 0.44, 0.40, 0.62])
_DPM = np.array([520.0, 450.0, 590.0, 610.0, 250.0])
_TAKEN = np.array([900.0, 950.0, 640.0, 560.0, 580.0])
_SIEGE = np.array([380.0, 700.0, 250.0, 480.0, 90.0])
_VISION = np.array([0.75, 1.05, 0.75, 0.72, 2.25])
_CONTROL_WARDS = np.array([0.8, 2.5, 1.0, 0.7, 4.5])
_SWEEPS = np.array([1.5, 3.5, 2.0, 1.8, 6.0])
_WARDS = np.array([8.0, 5.0, 8.0, 8.0, 19.0])
_LANE = np.array([6.8, 0.9, 7.2, 7.4, 1.1])
_JUNGLE = np.array([0.25, 4.9, 0.3, 0.4, 0.05])
_KEYSTONES = np.array([8005, 8008, 8010, 8021, 8112, 8128, 8214, 8229, 8230, 8351, 8437, 8439])
_SPELLS = np.array([3, 6, 7, 12, 14, 21])
"""Summoner spells beside Flash; the jungler has Smite."""
