"""Sequence mining of core items: frequent sequences of completed items."""

from __future__ import annotations

import itertools
import math

import dataframely as dy
import polars as pl

from gamestats_assets.lol.matches.tables import ParticipantFeatures
from gamestats_assets.lol.reference.names import champion_names, item_names, named_champions, named_items
from gamestats_assets.lol.reference.tables import Champions, Items, Patches
from gamestats_assets.lol.statistics.build_stats import ARROW, CELL, Paths, eligible_games, positioned, written
from gamestats_assets.lol.statistics.tables import ItemPathSequences

SUPPORT = 0.05
"""Share of a champion's games below which a path is not frequent."""
FEWEST_GAMES = 10
LONGEST_PATH = 4
_ITEMS = 6
_ORDERS = {length: math.factorial(length) for length in range(2, LONGEST_PATH + 1)}
"""Number of orders in which items can be completed."""


def item_path_sequences(
    features: dy.LazyFrame[ParticipantFeatures],
    patches: dy.LazyFrame[Patches],
    items: dy.LazyFrame[Items],
    champions: dy.LazyFrame[Champions],
) -> dy.LazyFrame[ItemPathSequences]:
    """Returns frequent paths of two to four core items, possibly with others between them, per champion and position.

    A path counts once per game. It is frequent if it occurs in a share of `SUPPORT` of the games with as many core
    items, and in at least ten games. No path has more games than a shorter one within it, so longer ones are searched
    only in games with a shorter one that has enough games for a longer one (the a priori rule of Agrawal and Srikant).

    Players who complete many items are winning whichever they are, so games with a path are compared with all games of
    the cell that had come as far: with as many core items as at the end of the path, including those in between.
    """
    known = (
        positioned(features)
        .filter(pl.col("core_items") >= 2)
        .select(
            *CELL,
            "won",
            ids=pl.col("core_item_ids").list.head(_ITEMS),
        )
        .with_row_index("game")
        .collect()
    )
    codes = Paths.of(known.get_column("ids"))
    lengths = range(2, LONGEST_PATH + 1)
    eligible = pl.concat(
        eligible_games(known.filter(pl.col("ids").list.len() >= items)).with_columns(items=pl.lit(items, pl.Int16))
        for items in range(2, _ITEMS + 1)
    )
    found: list[pl.DataFrame] = []
    candidates = known
    for length in lengths:
        paths = _paths(candidates, codes, length)
        counted = (
            paths.group_by(*CELL, "path", "items")
            .agg(games=pl.len(), wins=pl.col("won").sum())
            .join(eligible, on=[*CELL, "items"])
            # With items in between, a game had come farther at the end of the path.
            .with_columns(expected=pl.col("games") * pl.col("baseline_win_rate"))
            .group_by(*CELL, "path")
            .agg(pl.col("games", "wins").sum(), pl.col("expected").sort_by("items").sum())
            .filter(pl.col("games") >= FEWEST_GAMES)
            .with_columns(length=pl.lit(length, pl.Int16), baseline_win_rate=pl.col("expected") / pl.col("games"))
        )
        counted = counted.with_columns(support=pl.col("games") / _eligible(counted, eligible, length))
        frequent = counted.filter(pl.col("support") >= SUPPORT).with_columns(item_ids=codes.items("path", length))
        found.append(frequent)
        # A longer path can be frequent where this one is not, because fewer games have enough items for it.
        long_enough = counted.filter(pl.col("games") >= SUPPORT * _eligible(counted, eligible, LONGEST_PATH))
        with_one = paths.join(long_enough, on=[*CELL, "path"], how="semi").select("game").unique()
        candidates = candidates.join(with_one, on="game", how="semi")
    if not sum(map(len, found)):
        return ItemPathSequences.create_empty(lazy=True)
    rows = pl.concat(found).with_columns(path=written("item_ids"))
    rows = _with_lift(rows, known).with_columns(pl.col(pl.Categorical).cast(pl.String)).sort(*CELL, "path")
    rows = rows.with_columns(is_closed=~_is_within_longer(rows))
    rows = named_champions(rows, champion_names(patches, champions))
    rows = named_items(rows, "item_ids", item_names(patches, items))
    return ItemPathSequences.cast(_finished(rows).lazy())


def _eligible(rows: pl.DataFrame, eligible: pl.DataFrame, items: int) -> pl.Series:
    """Returns for each row the number of games of its cell with so many items."""
    of_items = eligible.filter(pl.col("items") == items)
    return rows.join(of_items, on=CELL, how="left", maintain_order="left").get_column("eligible").fill_null(0)


def _finished(rows: pl.DataFrame) -> pl.DataFrame:
    from gamestats_assets.lol.statistics.arrays.intervals import wilson

    rates = wilson(rows.get_column("wins").to_numpy(), rows.get_column("games").to_numpy())
    return rows.with_columns(
        win_rate=pl.col("wins") / pl.col("games"),
        win_rate_low=pl.Series(rates.low),
        win_rate_high=pl.Series(rates.high),
        path_name=pl.col("names").list.join(ARROW),
        path_name_ko=pl.col("names_ko").list.join(ARROW),
    )


def _paths(games: pl.DataFrame, codes: Paths, length: int) -> pl.DataFrame:
    """Returns every path of a length once per game, with the number of `items` completed at its end."""
    parts = [
        games.filter(pl.col("ids").list.len() > slots[-1]).select(
            "game", *CELL, "won", path=codes.code(slots), items=pl.lit(slots[-1] + 1, pl.Int16)
        )
        for slots in itertools.combinations(range(_ITEMS), length)
    ]
    # A wide row contains a core item at most once, so no path occurs twice in a game.
    return pl.concat(parts)


def _with_lift(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Returns rows with `lift`: the games of a path relative to the number expected for independent items in random
    order."""
    games = known.group_by(CELL).agg(all_games=pl.len())
    shares = (
        known.select("game", *CELL, item_id=pl.col("ids"))
        .explode("item_id")
        .unique()
        .group_by(*CELL, "item_id")
        .agg(with_item=pl.len())
        .join(games, on=CELL)
        .with_columns(share=pl.col("with_item") / pl.col("all_games"))
    )
    numbered = rows.with_row_index("__row__")
    expected = (
        numbered.select("__row__", *CELL, "length", item_id="item_ids")
        .explode("item_id")
        .join(shares, on=[*CELL, "item_id"])
        .group_by("__row__")
        .agg(pl.col("share").product(), pl.col("length").first())
        # One of all possible orders of the items.
        .with_columns(chance=pl.col("share") / pl.col("length").replace_strict(_ORDERS, return_dtype=pl.Float64))
    )
    return (
        numbered.join(expected.select("__row__", "chance"), on="__row__", maintain_order="left")
        .join(games, on=CELL, maintain_order="left")
        .with_columns(lift=pl.col("games") / pl.col("all_games") / pl.col("chance"))
        .drop("__row__")
    )


def _is_within_longer(rows: pl.DataFrame) -> pl.Series:
    """Returns whether a path with one item more has the same games."""
    numbered = rows.with_row_index("__row__")
    longer = numbered.filter(pl.col("length") > 2)
    shorter: list[pl.DataFrame] = []
    for slot in range(LONGEST_PATH):
        having = longer.filter(pl.col("length") > slot)
        kept = pl.concat_list(pl.col("item_ids").list.head(slot), pl.col("item_ids").list.slice(slot + 1))
        shorter.append(having.select(*CELL, "games", path=kept.cast(pl.List(pl.String)).list.join(">")))
    within = pl.concat(shorter).unique().with_columns(__within__=pl.lit(value=True))
    joined = numbered.join(within, on=[*CELL, "games", "path"], how="left", maintain_order="left")
    return joined.get_column("__within__").fill_null(value=False)
