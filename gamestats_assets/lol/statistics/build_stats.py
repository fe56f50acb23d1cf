"""Results of games by item build and by skill order."""

from __future__ import annotations

from collections.abc import Sequence

import dataframely as dy
import numpy as np
import polars as pl

from gamestats_assets.lol.matches.skill_orders import FIRST_LEVELS, TRIGRAM_LEVELS
from gamestats_assets.lol.matches.tables import ParticipantFeatures
from gamestats_assets.lol.reference.names import champion_names, item_names, named_champions, named_items
from gamestats_assets.lol.reference.tables import Champions, Items, Patches
from gamestats_assets.lol.statistics.tables import ALL_POSITIONS, ItemBuildStats, SkillOrderStats

FEWEST_GAMES = 5
"""Number of games below which a build or an order has no row."""
LONGEST_BUILD = 3
CELL = ["patch", "queue_group", "position", "champion_id"]
"""Columns of a cell, within which games are compared."""
ARROW = " > "
_OUTCOMES = ("won", "kda", "dpm", "gold_at_15")
_SKEWED = ("dpm", "gold_at_15")


def position() -> pl.Expr:
    """Returns the position of a wide row, or ALL if the queue has no positions."""
    return pl.col("position").fill_null(ALL_POSITIONS)


def positioned(features: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the wide rows with `position`; in queues with positions, rows without one are left out.

    The text columns of `CELL` are categories, because they are grouped repeatedly.
    """
    has_positions = pl.col("position").is_not_null().any().over("patch", "queue_group")
    words = [column for column in CELL if column != "champion_id"]
    return (
        features.filter(pl.col("position").is_not_null() | ~has_positions)
        .with_columns(position())
        .with_columns(pl.col(words).cast(pl.Categorical))
    )


def item_build_stats(
    features: dy.LazyFrame[ParticipantFeatures],
    patches: dy.LazyFrame[Patches],
    items: dy.LazyFrame[Items],
    champions: dy.LazyFrame[Champions],
) -> dy.LazyFrame[ItemBuildStats]:
    """Returns builds of one to three core items, in order of completion, with at least five games."""
    known = (
        positioned(features)
        .filter(pl.col("core_items") > 0)
        .select(
            *CELL,
            *_OUTCOMES,
            "core_items",
            ids=pl.col("core_item_ids").list.head(LONGEST_BUILD),
            at_s="core_items_at_s",
            gold_diff="core_items_team_gold_diff",
        )
        .collect()
    )
    paths = Paths.of(known.get_column("ids"))
    found: list[pl.DataFrame] = []
    for length in range(1, LONGEST_BUILD + 1):
        last = pl.col("at_s", "gold_diff").list.get(length - 1)
        reached = known.filter(pl.col("core_items") >= length).select(
            *CELL, *_OUTCOMES, last, path=paths.code(range(length))
        )
        stats = outcomes(
            reached, [*CELL, "path"], completed_at_s=pl.col("at_s").median(), team_gold_diff=pl.col("gold_diff").mean()
        )
        found.append(
            stats.join(_plain(eligible_games(reached)), on=CELL).with_columns(
                items=pl.lit(length, pl.Int16),
                pick_share=pl.col("games") / pl.col("eligible"),
                item_ids=paths.items("path", length),
            )
        )
    stats = named_champions(pl.concat(found), champion_names(patches, champions))
    stats = named_items(stats, "item_ids", item_names(patches, items))
    result = stats.with_columns(
        *(pl.col("item_ids").list.get(slot, null_on_oob=True).alias(f"item{slot + 1}_id") for slot in range(3)),
        build=written("item_ids"),
        build_name=pl.col("names").list.join(ARROW),
        build_name_ko=pl.col("names_ko").list.join(ARROW),
    )
    return ItemBuildStats.cast(result.lazy())


def eligible_games(games: pl.DataFrame) -> pl.DataFrame:
    """Returns the number and win rate of the games of each cell that had come as far.

    Args:
        games: one row per eligible game: columns of `CELL`, and `won`.

    Returns:
        Columns of `CELL`, `eligible` (games) and `baseline_win_rate`.
    """
    return games.group_by(CELL).agg(eligible=pl.len(), baseline_win_rate=pl.col("won").mean())


class Paths:
    """Encodes sequences of items as one number, which is grouped much faster than a list or a text."""

    def __init__(self, item_ids: Sequence[int]) -> None:
        self._ids = item_ids
        # Zero stands for no item.
        self._bits = (len(item_ids) + 1).bit_length()

    @classmethod
    def of(cls, lists: pl.Series) -> Paths:
        """Returns the encoding for the items in lists."""
        return cls(lists.explode().drop_nulls().unique().sort().to_list())

    def code(self, slots: Sequence[int], column: str = "ids") -> pl.Expr:
        """Returns the items at some positions of a list, as a number."""
        code = pl.lit(0, pl.Int64)
        for place, slot in enumerate(slots):
            item = pl.col(column).list.get(slot, null_on_oob=True)
            number = item.replace_strict(self._ids, range(1, len(self._ids) + 1), default=0, return_dtype=pl.Int64)
            code = code + number * 2 ** (self._bits * place)
        return code

    def items(self, code: str, length: int) -> pl.Expr:
        """Returns the items of a number, as a list."""
        numbers = range(1, len(self._ids) + 1)
        return pl.concat_list(
            (pl.col(code) // 2 ** (self._bits * place) % 2**self._bits).replace_strict(
                numbers, self._ids, return_dtype=pl.Int32
            )
            for place in range(length)
        )


def written(item_ids: str) -> pl.Expr:
    """Returns a list of items as a key, such as 3078>3004."""
    return pl.col(item_ids).cast(pl.List(pl.String)).list.join(">")


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns rows with texts instead of categories."""
    return rows.with_columns(pl.col(pl.Categorical).cast(pl.String))


def skill_order_stats(
    features: dy.LazyFrame[ParticipantFeatures],
    patches: dy.LazyFrame[Patches],
    champions: dy.LazyFrame[Champions],
) -> dy.LazyFrame[SkillOrderStats]:
    """Returns complete max orders, first levels, and runs of three levels, with at least five games.

    Each kind uses the games that lasted long enough for it, and all of these are its baseline.
    """
    known = (
        positioned(features)
        .filter(pl.col("skill_first_levels").is_not_null())
        .select(
            *CELL,
            *_OUTCOMES,
            "skill_order_is_complete",
            "skill_max_order",
            "skill_first_levels",
            "skill_trigrams",
        )
        .collect()
    )
    of_game = known.select(*CELL, *_OUTCOMES)
    kinds = {
        "max_order": of_game.with_columns(skills=known.get_column("skill_max_order")).filter(
            known.get_column("skill_order_is_complete").fill_null(value=False)
        ),
        "first_levels": of_game.with_columns(skills=known.get_column("skill_first_levels")).filter(
            pl.col("skills").str.len_chars() == FIRST_LEVELS
        ),
        "trigram": of_game.with_columns(skills=known.get_column("skill_trigrams").list.unique()).filter(
            known.get_column("skill_trigrams").list.len() == TRIGRAM_LEVELS - 2
        ),
    }
    found: list[pl.DataFrame] = []
    for kind, rows in kinds.items():
        each = rows.explode("skills") if kind == "trigram" else rows
        stats = outcomes(each.with_columns(pl.col("skills").cast(pl.Categorical)), [*CELL, "skills"])
        stats = stats.join(_plain(eligible_games(rows)), on=CELL)
        found.append(stats.with_columns(kind=pl.lit(kind), pick_share=pl.col("games") / pl.col("eligible")))
    result = named_champions(pl.concat(found), champion_names(patches, champions))
    return SkillOrderStats.cast(result.lazy())


def outcomes(rows: pl.DataFrame, by: Sequence[str], **more: pl.Expr) -> pl.DataFrame:
    """Returns the columns of `Outcomes` for each group with enough games.

    Args:
        rows: columns `by`, `won`, `kda`, `dpm`, `gold_at_15`.
        more: further aggregates of each group.
    """
    from gamestats_assets.lol.statistics.arrays.intervals import median_intervals, skewed_mean_intervals, wilson

    groups = (
        rows.group_by(by, maintain_order=True)
        .agg(
            games=pl.len(),
            wins=pl.col("won").sum(),
            **{name: pl.col(name).mean() for name in _SKEWED},
            **{
                f"{name}_{what}": expression
                for name in _SKEWED
                for what, expression in (
                    ("n", pl.col(name).count()),
                    ("spread", pl.col(name).std()),
                    ("skewness", pl.col(name).skew(bias=False)),
                )
            },
            kdas=pl.col("kda").drop_nulls().sort(),
            **more,
        )
        .filter(pl.col("games") >= FEWEST_GAMES)
        .sort(by)
    )
    lengths = groups.get_column("kdas").list.len().to_numpy()
    # An empty list would explode to a null.
    kdas = groups.get_column("kdas").explode().drop_nulls().to_numpy()
    medians = median_intervals(kdas, np.concatenate([[0], np.cumsum(lengths)]))
    rates = wilson(groups.get_column("wins").to_numpy(), groups.get_column("games").to_numpy())
    columns = {
        "win_rate_low": pl.Series(rates.low),
        "win_rate_high": pl.Series(rates.high),
        "kda": pl.Series(medians.median),
        "kda_low": pl.Series(medians.low),
        "kda_high": pl.Series(medians.high),
    }
    for name in _SKEWED:
        mean, spread_of, skewness, n = (
            groups.get_column(each).cast(pl.Float64).to_numpy()
            for each in (name, f"{name}_spread", f"{name}_skewness", f"{name}_n")
        )
        ends = skewed_mean_intervals(mean, spread_of, skewness, n)
        columns |= {f"{name}_low": pl.Series(ends.low), f"{name}_high": pl.Series(ends.high)}
    result = groups.drop("kdas").with_columns(win_rate=pl.col("wins") / pl.col("games"), **columns)
    return _plain(result).with_columns(pl.col(pl.Float64).fill_nan(None))
