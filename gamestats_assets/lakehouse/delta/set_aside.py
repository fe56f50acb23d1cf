"""Counts units that are set aside, so that answers made from the others can say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.table import Table

_MOST_RULES = 3


@dataclass(frozen=True, slots=True)
class SetAside:
    """Units that are missing from an answer because they are in quarantine as a whole.

    Attributes:
        game: the game of these units.
        units: number of units that are set aside.
        known: number of all units, including these.
        rules: number of units by the rule or check that set them aside, in descending order; one rule per unit.
    """

    game: str
    units: int
    known: int
    rules: Mapping[str, int]

    def words(self, unit: str, units: str) -> str:
        """The same in words; empty if none is set aside.

        >>> rules = {"orders_are_of_the_levels": 2, "patch|regex": 1}
        >>> SetAside("lol", 3, 68, rules).words("game", "games").partition(". ")[0]
        '3 of 68 games are set aside: 2 by orders_are_of_the_levels, 1 by patch|regex'
        """
        if not self.units:
            return ""
        named = [f"{count:,} by {rule}" for rule, count in [*self.rules.items()][:_MOST_RULES]]
        more = len(self.rules) - _MOST_RULES
        return (
            f"{self.units:,} of {self.known:,} {unit if self.known == 1 else units} "
            f"{'is' if self.units == 1 else 'are'} set aside: {', '.join(named)}"
            f"{f', others by {more} more' if more > 0 else ''}. "
            f"{where_to_look(self.game)}"
        )


def where_to_look(game: str) -> str:
    """Returns the query that shows which units are set aside, and why."""
    return f"Which, and why: gamestats query \"from {game}.quarantine where scope = 'unit'\""


def units_set_aside(lake: Lake, game: str) -> int:
    """Number of a game's units that are in quarantine as a whole, in any of its tables."""
    entries = lake.scan(quarantine_of(game)).filter(pl.col("scope") == "unit")
    return entries.select(pl.col("unit_id").n_unique()).collect().item()


def set_aside(lake: Lake, landed: type[Table], answered: type[Table], where: pl.Expr | None = None) -> SetAside:
    """Units of a game that are set aside and therefore missing in the table behind the answers.

    Args:
        lake: the lake with the tables and the game's quarantine.
        landed: table with rows of every readable unit, replaced by unit.
        answered: table behind the answers, with the same unit column.
        where: the rows of `landed` that an answer covers; by default all, and then unreadable units count as well.
    """
    unit, game = str(landed.spec.replaced_by), landed.spec.game
    rows = lake.scan(landed) if where is None else lake.scan(landed).filter(where)
    known = rows.select(unit_id=unit).unique()
    aside = (
        lake.scan(quarantine_of(game))
        .filter(pl.col("scope") == "unit")
        .group_by("unit_id")
        .agg(pl.col("rule").min())
        .join(lake.scan(answered).select(unit_id=unit).unique(), on="unit_id", how="anti")
    )
    if where is None:
        known = pl.concat([known, aside.select("unit_id")]).unique()
    rules = (
        aside.join(known, on="unit_id", how="semi").group_by("rule").len().sort("len", "rule", descending=[True, False])
    ).collect()
    return SetAside(game, int(rules["len"].sum()), known.select(pl.len()).collect().item(), dict(rules.iter_rows()))
