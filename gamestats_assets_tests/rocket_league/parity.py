"""Figures computed from replays beside ballchasing's for the same matches, feature by feature.

`python -m gamestats_assets_tests.rocket_league.parity` writes the table into `PARITY.md` of the game.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gamestats_assets.rocket_league.matches.facts import match_facts, participants
from gamestats_assets.rocket_league.matches.play import boost_pickups
from gamestats_assets.rocket_league.matches.stats import player_match_stats
from gamestats_assets.rocket_league.source import BALLCHASING, REPLAY
from gamestats_assets.rocket_league.tables import (
    BoostPickups,
    MatchFacts,
    Participants,
    PlayerMatchStats,
    RawPlayerStats,
    RawReplays,
)
from gamestats_assets_tests.rocket_league.files import real_folder
from gamestats_assets_tests.rocket_league.real_files import PAIRS, Frames, bronze
from gamestats_assets_tests.rocket_league.tracked import make


@dataclass(frozen=True)
class Tolerance:
    """How far ours may be from theirs: by so much, or by such a share of theirs, whichever is more.

    Attributes:
        by: absolute, in the feature's unit.
        share: of their figure.
        rule: how the feature is computed here.
        reason: why it is no nearer; empty where it is as near as theirs are told.
    """

    by: float
    share: float
    rule: str
    reason: str = ""

    def text(self) -> str:
        """In words."""
        if not self.by and not self.share:
            return "exact"
        parts = [f"{100 * self.share:g}%"] * bool(self.share) + [f"{self.by:g}"] * bool(self.by)
        return " or ".join(parts)


def _near(rule: str, *, by: float = 0.0, share: float = 0.02, reason: str = "") -> Tolerance:
    return Tolerance(by, share, rule, reason)


def _exact(rule: str) -> Tolerance:
    return Tolerance(0, 0, rule)


_LATER = "the time between two updates of a car goes to where the later one finds it"
_TANK = "the time between two updates of the tank goes to what the later one tells"
_RANKED = "as the others, over demolitions too and without countdowns; ties count for both"
_OTHERWISE = "how theirs treats kick-offs and demolitions is not known in full; theirs are told in tenths"
_FOUR = "they book four of 682 pickups otherwise, for no reason that was found"
_SMALL, _BIG = 12.0, 100.0

TOLERANCES: Mapping[str, Tolerance] = {
    "score": _exact("header"),
    "goals": _exact("header"),
    "assists": _exact("header"),
    "saves": _exact("header"),
    "shots": _exact("header"),
    "shots_against": _exact("shots of all opponents"),
    "goals_against": _exact("score of the other team"),
    "is_mvp": _exact("highest score of the winners"),
    "demos_inflicted": _exact("demolitions sent, each once"),
    "demos_taken": _exact("demolitions sent, each once"),
    "boost_per_minute": _near("what the tank lost, per minute of its own time"),
    "boost_collected_per_minute": _near("boost collected, per minute outside countdowns"),
    "avg_boost": _near("mean over updates of the tank"),
    "boost_collected": _near("rises of the tank"),
    "boost_stolen": _near("of pads in the opponents' half", by=_SMALL, reason=_FOUR),
    "boost_collected_big": _near("of the nearest pad, where it is a big one", by=_BIG, reason=_FOUR),
    "boost_stolen_big": _near("of big pads in the opponents' half"),
    "boost_collected_small": _near("of the nearest pad, where it is a small one", by=_BIG, reason=_FOUR),
    "boost_stolen_small": _near("of small pads in the opponents' half", by=_SMALL, reason=_FOUR),
    "big_pads_collected": _near("rises of the tank at a big pad", by=1, share=0, reason=_FOUR),
    "big_pads_stolen": _exact("those in the opponents' half"),
    "small_pads_collected": _near("rises of the tank at a small pad", by=1, share=0, reason=_FOUR),
    "small_pads_stolen": _near("those in the opponents' half", by=1, share=0, reason=_FOUR),
    "boost_overfill": _near("what a pad holds beyond a tank that is full then", by=_SMALL, reason=_FOUR),
    "boost_overfill_stolen": _near("of pads in the opponents' half", by=_SMALL, reason=_FOUR),
    "time_zero_boost_s": _near("the time between two updates of the tank, where the earlier one tells nought"),
    "time_full_boost_s": _near("the same where it tells a full tank, unless that was filled again in a burn"),
    "time_boost_0_25_s": _near(_TANK),
    "time_boost_25_50_s": _near(_TANK),
    "time_boost_50_75_s": _near(_TANK),
    "time_boost_75_100_s": _near(_TANK),
    "avg_speed_uu_s": _near("mean over updates of the car"),
    "total_distance_uu": _near("straight lines between updates of a car"),
    "time_supersonic_s": _near(f"speed of 2,200 and more: {_LATER}"),
    "time_boost_speed_s": _near("speed of 1,410 to 2,200"),
    "time_slow_s": _near("lower speed"),
    "time_ground_s": _near("height below 20"),
    "time_low_air_s": _near("height of 20 to 840"),
    "time_high_air_s": _near("height above 840"),
    "time_powerslide_s": _near("handbrake held on the ground"),
    "powerslides": _exact("times that this begins"),
    "avg_distance_to_ball_uu": _near("mean over updates of the car"),
    "avg_distance_to_ball_possession_uu": _near("the same after a touch of the own team"),
    "avg_distance_to_ball_no_possession_uu": _near("the same after a touch of the opponents"),
    "avg_distance_to_mates_uu": _near("mean over the team mates of the mean over frames"),
    "time_defensive_third_s": _near("more than 1,714 from the middle, on the own side"),
    "time_neutral_third_s": _near("up to 1,714 from the middle"),
    "time_offensive_third_s": _near("more than 1,714 from the middle, on the opponents' side"),
    "time_defensive_half_s": _near("on the own side of the middle"),
    "time_offensive_half_s": _near("on the opponents' side"),
    "time_behind_ball_s": _near("nearer to the own goal line than the ball"),
    "time_in_front_of_ball_s": _near("not nearer"),
    "time_most_back_s": _near(_RANKED, share=0.07, reason=_OTHERWISE),
    "time_most_forward_s": _near(_RANKED, share=0.07, reason=_OTHERWISE),
    "time_closest_to_ball_s": _near(_RANKED, share=0.07, reason=_OTHERWISE),
    "time_farthest_from_ball_s": _near(_RANKED, share=0.07, reason=_OTHERWISE),
    "goals_against_while_last_defender": _near(
        "of those conceding, nearest to the goal line in the frame before the goal", by=1, share=0,
        reason="another player is last for them in one goal of six",
    ),
    "team_possession_s": _near("from a team's touch to the next touch before the next kick-off"),
    "team_ball_in_own_half_s": _near("the ball in the own half, by updates of the ball"),
}  # fmt: skip
"""Every figure that is compared: all that both tell of a player."""
NOT_COMPARED: Mapping[str, str] = {
    "boost_used_while_supersonic": "what they count could not be found out; here, what burns used at 2,200 and more",
    "counted_s": "follows from boost_collected_per_minute",
}
"""Figures that are our own, and why."""


@dataclass(frozen=True)
class Compared:
    """A figure of one player of one match."""

    feature: str
    player: str
    ours: float
    theirs: float

    @property
    def off(self) -> float:
        """How far ours is from theirs, as a share of theirs; of nought, of one."""
        return abs(self.ours - self.theirs) / (abs(self.theirs) or 1.0)

    @property
    def is_near(self) -> bool:
        """Whether that is within the tolerance."""
        allowed = TOLERANCES[self.feature]
        return abs(self.ours - self.theirs) <= max(allowed.by, allowed.share * abs(self.theirs))


def compared(folder: Path) -> list[Compared]:
    """Every figure of all players of the matches of which both the replay and ballchasing's JSON are there.

    Args:
        folder: of the real files.
    """
    known = dict(bronze(folder, *PAIRS))
    known[BoostPickups] = make(boost_pickups, known)
    stats = make(player_match_stats, known)
    boards = {source: _board(known, source) for source in (REPLAY, BALLCHASING)}
    found: list[Compared] = []
    for rows in (boards, {source: stats.filter(pl.col("source") == source) for source in (REPLAY, BALLCHASING)}):
        names = [name for name in TOLERANCES if name in rows[REPLAY].columns]
        both = rows[REPLAY].join(rows[BALLCHASING], on=["match_id", "player_id"], suffix="_theirs", how="full")
        for row in both.sort("match_id", "player_id").iter_rows(named=True):
            found += [
                Compared(name, row["player_id"], float(row[name]), float(row[f"{name}_theirs"]))
                for name in names
                if row[name] is not None or row[f"{name}_theirs"] is not None
            ]
    return found


def _board(known: Frames, source: str) -> pl.DataFrame:
    """Players as the silver tables have them when one source alone is there."""
    own: dict[object, pl.DataFrame] = dict(known)
    for table in (RawReplays, RawPlayerStats):
        own[table] = known[table].filter(pl.col("source") == source)
    if source == BALLCHASING:
        own = {table: frame for table, frame in own.items() if table in (RawReplays, RawPlayerStats)}
    own[MatchFacts] = make(match_facts, own)
    return make(participants, own).select(name for name in Participants.column_names() if name not in _ONCE)


# Of the same name in both tables.
_ONCE = set(PlayerMatchStats.column_names()) - {"match_id", "player_id"}


def parity_table(folder: Path | None = None) -> str:
    """The comparison in Markdown: feature, rule, tolerance, and how far ours are from theirs.

    Args:
        folder: of the real files; where tests find it without it.
    """
    by_feature: dict[str, list[Compared]] = {}
    for each in compared(folder or real_folder()):
        by_feature.setdefault(each.feature, []).append(each)
    lines = [
        "| Feature | Rule | Tolerance | Largest difference | Median difference |",
        "|---|---|---|---|---|",
    ]
    for feature, tolerance in TOLERANCES.items():
        values = by_feature[feature]
        if tolerance.share:
            offs = [f"{100 * of([each.off for each in values]):.2f}%" for of in (max, statistics.median)]
        else:
            apart = [abs(each.ours - each.theirs) for each in values]
            offs = [f"{of(apart):.2g}" for of in (max, statistics.median)]
        why = f" ({tolerance.reason})" if tolerance.reason else ""
        lines.append(f"| {feature} | {tolerance.rule} | {tolerance.text()}{why} | {offs[0]} | {offs[1]} |")
    lines += [f"| {feature} | {why} | not compared | | |" for feature, why in NOT_COMPARED.items()]
    return "\n".join(lines)


_INTRODUCTION = """\
# Our figures beside ballchasing's

gamestats computes what ballchasing says about a match from the replay, too, so that players are compared by the same
figures wherever their matches come from. Two matches with ten players are there both ways. This file is written by
`python -m gamestats_assets_tests.rocket_league.parity`, and the tests hold every feature to its tolerance.

"""


if __name__ == "__main__":
    import gamestats_assets.rocket_league

    Path(gamestats_assets.rocket_league.__file__).with_name("PARITY.md").write_text(
        f"{_INTRODUCTION}{parity_table()}\n"
    )
