"""Everything that happens in simulated matches, as arrays over all of them at once.

Draws depend on the plan's seed, the phase and the chunk of matches, so the same plan gives the same story. Phases are
in the order of cause and effect:

1. Gold (`gold`). Each match has a path of blue's gold minus red's: a random walk by a clock that runs faster as the
   game goes on, with a drift of hidden strengths. By that clock the current gap says as much about the rest of the
   game as the whole path before it. The game ends by a chance that rises with the gap and the time. Participants have
   a share of their team's gold, and levels by their experience.
2. Choices (`choices`). A core item is completed when the participant has earned enough, whichever it will be; then it
   is chosen, by chances that depend on the gap at that moment between frames of the timeline, and on nothing else in
   the game. The taker of an objective depends on the gap at the last frame. So every choice is random at an equal gap:
   without a planted effect it has none, however strongly it correlates with winning.
3. The winner (`outcomes`). Blue wins by a chance that depends on the gap at the end and on planted effects alone.
4. Consequences (`outcomes`): kills, damage, vision and the rest.
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
"""Events: arrays by column name, in the order of match and time."""

PLATFORM = "NA1"
RANKED, ARAM, BOTS = 420, 450, 840
"""Simulated queues."""
LEVELS = 18
ORDERS = ("QWE", "QEW", "WQE", "WEQ", "EQW", "EWQ")
"""Orders in which Q, W and E can reach their highest ranks."""
SIDE = np.repeat([1, -1], 5)
"""By participant, 1 for blue and -1 for red."""
LONGEST_MIN = 48
FRAMES = LONGEST_MIN + 4
_CHUNK = 8192
"""Matches simulated at a time; the draws depend on it, so all plans share it."""
_XP_PER_LEAD = 0.06


@dataclass(frozen=True)
class Planted:
    """One effect with its result.

    Attributes:
        log_odds: log odds that it adds to the side; 0 if it does not change the winner.
        treated: by match, 1 if blue has it, -1 if red has it, 0 if neither; all 0 for vision.
        eligible: the same for who could have it; equal to `treated` for an objective.
        realised: the result in all counted matches.
    """

    effect: Effect
    log_odds: float
    treated: Ints
    eligible: Ints
    realised: float


class Story:
    """Everything that happens; `simulate` makes it by running the phases.

    Arrays are by match, by match and participant (ten, blue first, by position), or by match and frame. Times are
    milliseconds of the game; -1 is never. Participants are numbered from 0 here.

    Attributes:
        number: number of the match in its id.
        counted: ranked matches except remakes, in which effects are planted and about which truths are.
        player: number of the player.
        frame_ms: times of frames; padded with the last one.
        lead: gold of blue minus that of red at frames, from `gold`.
        level_ms: time of each level.
        learns_after_ms: delay of learning a skill after its level; the first one is learnt at `first_skill_ms`.
        champion: place in `CHAMPIONS`.
        core_item: core items in the order of completion, completed at `core_ms`; 0 for none.
        turned_ms: time at which a core item turned into another.
        order: place in `ORDERS`.
        first: which of the six ways the first three skills were learnt in.
        doubled: 1 if the timeline repeats a skill.
        kills: columns match, ms, killer (-1 for none), victim, assists (bits).
        objectives: columns match, ms, kind (of `OBJECTIVE_KINDS`), blue, sub_type, killer (-1 for none), members
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
        """Draws the time, patch, queue and players of matches."""
        self.plan, n = plan, plan.matches
        rng = self.rng(0)
        share = np.cumsum([of_days for _, of_days in plan.patches])
        middle = (np.arange(plan.days) + 0.5) / plan.days * share[-1]
        self.day = np.arange(n) * plan.days // n
        self.patch = np.searchsorted(share, middle)[self.day]
        begin = (plan.first_day.toordinal() - date(1970, 1, 1).toordinal() + self.day) * 86_400_000
        # Timelines start some milliseconds earlier, and must do so on the same day.
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
        """Number of matches."""
        return self.plan.matches

    def rng(self, phase: int, chunk: int = 0) -> np.random.Generator:
        """Returns the random numbers of one phase for a chunk of matches."""
        return np.random.default_rng([self.plan.seed, phase, chunk])

    def chunks(self, size: int = _CHUNK) -> Iterator[tuple[int, slice]]:
        """Yields number and matches of each chunk."""
        for number, begin in enumerate(range(0, len(self), size)):
            yield number, slice(begin, min(begin + size, len(self)))

    @property
    def duration_s(self) -> Ints:
        """Returns the length in match objects."""
        return self.end_ms // 1000

    @property
    def match_ids(self) -> pl.Series:
        """Returns ids in Riot's format."""
        return pl.Series("match_id", [f"{PLATFORM}_{number}" for number in self.number.tolist()], pl.String)

    def lead_at(self, match: Ints, ms: Ints) -> Floats:
        """Returns gold of blue minus that of red, interpolated between frames."""
        return interpolated(self.frame_ms, self.lead, match, ms)

    def own_lead(self, match: Ints, participant: Ints, ms: Ints) -> Floats:
        """Returns gold of the participant's team minus that of the other, interpolated as well."""
        return SIDE[participant] * self.lead_at(match, ms)

    def xp(self, match: Ints, participant: Ints, frame: Ints) -> Ints:
        """Returns experience at frames."""
        own_lead = SIDE[participant] * self.lead[match, frame]
        begin = 660 * (self.queue[match] == ARAM)
        played = np.maximum(self.frame_ms[match, frame] / 60_000 - 1.5, 0)
        earned = (330 * played + 5.2 * played**2) * self.xp_factor[match, participant] + _XP_PER_LEAD * own_lead
        return np.maximum(earned, 0).astype(np.int64) + begin

    def skill_ms(self, rows: slice = slice(None)) -> Ints:
        """Returns the times at which the skills of all levels were learnt, in some matches or all."""
        reached = self.level_ms[rows]
        in_turn = self.first_skill_ms[rows][..., None] + 300 * np.arange(LEVELS)
        learnt = np.maximum(in_turn, (reached + self.learns_after_ms[rows][..., None]) * (np.arange(LEVELS) > 0))
        return np.where((reached >= 0) & (learnt < self.end_ms[rows][:, None, None]), learnt, -1)

    def minions(self, match: Ints, participant: Ints, ms: Ints, kind: Literal["lane", "jungle"]) -> Ints:
        """Returns minions or jungle monsters killed until then."""
        minutes = np.maximum(ms / 60_000 - 1.3, 0)
        return np.floor(self.stats[f"{kind}_per_minute"][match, participant] * minutes).astype(np.int64)


def frame_before(frame_ms: Ints, match: Ints, ms: Ints) -> Ints:
    """Returns the number of the last frame at or before a moment. Frames come a little late, never early."""
    index = ms // 60_000
    return index - (frame_ms[match, index] > ms)


def interpolated(frame_ms: Ints, values: npt.NDArray[Any], match: Ints, ms: Ints) -> Floats:
    """Returns values of frames at moments, interpolated between frames."""
    before = frame_before(frame_ms, match, ms)
    at, after = frame_ms[match, before], frame_ms[match, before + 1]
    span = after - at
    part = np.where(span > 0, (ms - at) / np.maximum(span, 1), 0.0)
    value = values[match, before].astype(np.float64)
    return value + (values[match, before + 1] - value) * part


def sigmoid(x: npt.NDArray[Any]) -> Floats:
    """Returns the probability of log odds."""
    return 1 / (1 + np.exp(-x))


@cache
def skill_levels(order: str, first: int) -> str:
    """Returns all eighteen levels of an order, begun in one of six ways.

    >>> skill_levels("QEW", 0)
    'QEWQQRQEQEREEWWRWW'
    """
    levels = "".join(list(permutations(order))[first])
    for level in range(4, LEVELS + 1):
        if level in (6, 11, 16):
            levels += "R"
            continue
        # A rank becomes available at every second level.
        levels += next(skill for skill in order if levels.count(skill) < min(5, (level + 1) // 2))
    return levels
