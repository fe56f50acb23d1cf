"""Figures computed from replays beside ballchasing's for the same matches, feature by feature.

`python -m gamestats_assets_tests.rocket_league.matches.parity` writes the table into `PARITY.md` of the game.
"""

from __future__ import annotations

import csv
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
from gamestats_assets_tests.rocket_league.support.building import make
from gamestats_assets_tests.rocket_league.support.files import real_folder
from gamestats_assets_tests.rocket_league.support.real_files import PAIRS, Frames, bronze


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


def _tolerances() -> Mapping[str, Tolerance]:
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return {
            row["feature"]: Tolerance(float(row["by"] or 0), float(row["share"] or 0), row["rule"], row["reason"])
            for row in csv.DictReader(file)
        }


TOLERANCES = _tolerances()
"""Every figure that is compared: all that both tell of a player."""
NOT_COMPARED: Mapping[str, str] = {
    "boost_used_while_supersonic": "ballchasing's rule is unknown; here, boost used by burns at 2,200 and more",
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
    lines = ["| Feature | Rule | Tolerance | Largest difference | Median difference |", "|---|---|---|---|---|"]
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
# Our figures compared with ballchasing's

gamestats computes ballchasing's figures from replays as well, so that players are compared by the same figures wherever
their matches come from. This table compares both for two matches with ten players. It is written by
`python -m gamestats_assets_tests.rocket_league.matches.parity`, and tests check every feature against its tolerance.

"""


if __name__ == "__main__":
    import gamestats_assets.rocket_league

    Path(gamestats_assets.rocket_league.__file__).with_name("PARITY.md").write_text(
        f"{_INTRODUCTION}{parity_table()}\n"
    )
