"""Everything that happens in simulated matches, as arrays over all of them at once.

What is drawn depends on the plan's seed, the phase and the chunk of matches, so the same plan gives the same story. The
order of phases is that of cause and effect:

1. Gold (`gold`). Each match has a path of blue's gold less red's: a random walk by a clock that runs faster as the game
   goes on, with a drift of hidden strengths. By that clock the gap of a moment tells all that the path before it could
   tell of the rest. The game ends by a chance that rises with the gap and the time. Participants have a share of their
   team's gold, and levels by their experience.
2. Choices (`choices`). A core item is completed when the participant has earned so much, whichever it will be; then one
   is chosen, by chances that depend on the gap at that moment as frames of the timeline tell it, and on nothing else of
   the game. Who takes an objective depends on the gap at the last frame. So every choice is, at an equal gap, a draw of
   lots: what has no planted effect has none, however strongly it goes with winning.
3. The winner (`outcomes`). Blue wins by a chance that depends on the gap at the end and on planted effects alone.
4. What follows (`outcomes`): kills, damage, vision and the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import permutations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.simulators.lol.plan import Effect, Plan

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]
Table = Mapping[str, npt.NDArray[Any]]
"""Events: arrays by the names of their columns, in the order of match and time."""

PLATFORM = "NA1"
RANKED, ARAM, BOTS = 420, 450, 840
"""Queues that are played."""
LEVELS = 18
ORDERS = ("QWE", "QEW", "WQE", "WEQ", "EQW", "EWQ")
"""Orders in which Q, W and E can reach their highest ranks."""
SIDE = np.repeat([1, -1], 5)
"""By participant, 1 of blue and -1 of red."""
LONGEST_MIN = 48
FRAMES = LONGEST_MIN + 4
_CHUNK = 8192
"""Matches simulated at a time: what is drawn depends on it, so it is the same for all plans."""
_XP_PER_LEAD = 0.06


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


class Story:
    """Everything that happens; made by `simulate`, which runs the phases.

    Arrays are by match, by match and participant (ten, blue first, by position), or by match and frame. Times are
    milliseconds of the game; -1 is never. Participants are numbered from 0 here.

    Attributes:
        number: of the match, as its id has it.
        counted: ranked matches that are no remakes: those that effects are planted in and truths are about.
        player: number of who plays.
        frame_ms: times of frames; after the last one its time again.
        lead: gold of blue less that of red at frames, from `gold`.
        level_ms: when each level was reached.
        learns_after_ms: how long after it a skill is learnt; the first one at `first_skill_ms`.
        champion: place in `CHAMPIONS`.
        core_item: core items in the order of completion, completed at `core_ms`; 0 is none.
        turned_ms: when the core item that turns into another did.
        order: of `ORDERS`.
        first: which of the six ways in which the first three skills were learnt.
        doubled: 1 where the timeline tells of a skill twice.
        kills: columns match, ms, killer (-1 is nobody), victim, assists (bits).
        objectives: columns match, ms, kind (of `OBJECTIVE_KINDS`), blue, sub_type, killer (-1 is nobody), members
            (bits).
        stats: further figures of participants, by name.
        logit: log odds of blue.
    """

    end_ms: Ints
    frame_count: Ints
    frame_ms: Ints
    lead: Ints
    gold: Ints
    xp_factor: Floats
    level_ms: Ints
    learns_after_ms: Ints
    first_skill_ms: Ints
    core_ms: Ints
    boots_ms: Ints
    champion: Ints
    core_item: Ints
    boots: Ints
    turned_ms: Ints
    order: Ints
    first: Ints
    doubled: Ints
    kills: Table
    objectives: Table
    logit: Floats
    blue_won: Flags
    surrendered: Flags
    stats: Table
    planted: tuple[Planted, ...]

    def __init__(self, plan: Plan) -> None:
        """Draw when and on which patch matches are played, in which queue and by whom."""
        self.plan, n = plan, plan.matches
        rng = self.rng(0)
        share = np.cumsum([of_days for _, of_days in plan.patches])
        middle = (np.arange(plan.days) + 0.5) / plan.days * share[-1]
        self.day = np.arange(n) * plan.days // n
        self.patch = np.searchsorted(share, middle)[self.day]
        begin = (plan.first_day.toordinal() - date(1970, 1, 1).toordinal() + self.day) * 86_400_000
        # What timelines tell of the start is some milliseconds early, and shall be of the same day.
        self.started_ms = np.sort(begin + rng.integers(10_000, 86_390_000, n))
        self.number = 5_000_000_001 + plan.seed % 1000 * 1_000_000 + np.arange(n)
        others = np.cumsum([round(share * n) for share in (plan.remakes, plan.aram, plan.bots)])
        kind = np.searchsorted(others, rng.permutation(n), side="right")
        self.remake = kind == 0
        self.queue = np.array([RANKED, ARAM, BOTS, RANKED])[kind]
        self.counted = (self.queue == RANKED) & ~self.remake
        players = max(60, n * 5 // 4)
        stride = rng.integers(1, players // 10 + 1, n)
        self.player = (rng.integers(0, players, n)[:, None] + stride[:, None] * np.arange(10)) % players

    def __len__(self) -> int:
        """Matches."""
        return self.plan.matches

    def rng(self, phase: int, chunk: int = 0) -> np.random.Generator:
        """What is drawn in one phase for a chunk of matches."""
        return np.random.default_rng([self.plan.seed, phase, chunk])

    def chunks(self, size: int = _CHUNK) -> Iterator[tuple[int, slice]]:
        """Number and matches of each chunk."""
        for number, begin in enumerate(range(0, len(self), size)):
            yield number, slice(begin, min(begin + size, len(self)))

    @property
    def duration_s(self) -> Ints:
        """Length as match objects tell it."""
        return self.end_ms // 1000

    @property
    def match_ids(self) -> pl.Series:
        """Ids as Riot writes them."""
        return pl.Series("match_id", [f"{PLATFORM}_{number}" for number in self.number.tolist()], pl.String)

    def lead_at(self, match: Ints, ms: Ints) -> Floats:
        """Gold of blue less that of red, interpolated between frames."""
        return interpolated(self.frame_ms, self.lead, match, ms)

    def own_lead(self, match: Ints, participant: Ints, ms: Ints) -> Floats:
        """Gold of the own team less that of the other, likewise."""
        return SIDE[participant] * self.lead_at(match, ms)

    def xp(self, match: Ints, participant: Ints, frame: Ints) -> Ints:
        """Experience at frames."""
        own_lead = SIDE[participant] * self.lead[match, frame]
        begin = 660 * (self.queue[match] == ARAM)
        played = np.maximum(self.frame_ms[match, frame] / 60_000 - 1.5, 0)
        earned = (330 * played + 5.2 * played**2) * self.xp_factor[match, participant] + _XP_PER_LEAD * own_lead
        return np.maximum(earned, 0).astype(np.int64) + begin

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


def sigmoid(x: npt.NDArray[Any]) -> Floats:
    """The chance of log odds."""
    return 1 / (1 + np.exp(-x))


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
