"""Order in which participants levelled their skills, and the skill they maxed first."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lol.matches.game_state import at_moments, in_seconds, team_gold_differences
from gamestats_assets.lol.matches.tables import Matches, Participants, SkillOrders
from gamestats_assets.lol.reference import csv_files
from gamestats_assets.lol.reference.tables import Champions
from gamestats_assets.lol.timelines.tables import TimelineEvents, TimelineFrames

FIRST_LEVELS = 6
"""Number of levels that count as the first ones."""
TRIGRAM_LEVELS = 9
"""Number of levels from which all runs of three are taken."""
_PLAYER = ("match_id", "participant_id")
_LETTERS = ("Q", "W", "E", "R")
_BASIC = _LETTERS[:3]


def skill_orders(
    events: dy.LazyFrame[TimelineEvents],
    matches: dy.LazyFrame[Matches],
    participants: dy.LazyFrame[Participants],
    champions: dy.LazyFrame[Champions],
    frames: dy.LazyFrame[TimelineFrames],
) -> dy.LazyFrame[SkillOrders]:
    """Returns one row for every participant of a match with a timeline.

    Evolutions are no levels. A level of the same skill that appears twice at the same millisecond counts once, and
    levels beyond a skill's highest rank do not count. Highest ranks come from Data Dragon's version for the patch; else
    from `csv_files.max_ranks`; else the usual ones apply.

    Of Q, W and E the maxed ones come first, in the order they were maxed. The others follow by rank, and equal ranks by
    the time they were reached.
    """
    players = _players(matches, participants, champions)
    levels = events.filter(pl.col("event_type") == "SKILL_LEVEL_UP")
    orders = _orders(levels, players)
    first_maxed = orders.filter(pl.col("first_maxed_ms").is_not_null()).select(*_PLAYER, timestamp_ms="first_maxed_ms")
    gold = at_moments(
        team_gold_differences(frames, participants),
        first_maxed.join(players.select(*_PLAYER, "team_id"), on=_PLAYER),
        ["team_gold_diff"],
        ["match_id", "team_id"],
    ).select(*_PLAYER, first_maxed_team_gold_diff="team_gold_diff")
    result = (
        players.join(levels.group_by(_PLAYER).agg(events=pl.len()), on=_PLAYER, how="left")
        .join(orders, on=_PLAYER, how="left")
        .join(gold, on=_PLAYER, how="left")
        .with_columns(
            pl.col("levels").fill_null(""),
            max_order=_with_untouched(pl.col("max_order").fill_null("")),
            is_complete=(pl.col("maxed") >= 2).fill_null(False),
            first_maxed_at_s=in_seconds("first_maxed_ms"),
            second_maxed_at_s=in_seconds("second_maxed_ms"),
        )
        .with_columns(
            dropped_events=pl.col("events").fill_null(0).cast(pl.Int64) - pl.col("levels").str.len_chars(),
            first_levels=pl.col("levels").str.head(FIRST_LEVELS),
            trigrams=pl.concat_list(
                pl.when(pl.col("levels").str.len_chars() >= start + 3).then(pl.col("levels").str.slice(start, 3))
                for start in range(TRIGRAM_LEVELS - 2)
            ).list.drop_nulls(),
        )
    )
    return SkillOrders.cast(result)


def _players(matches: pl.LazyFrame, participants: pl.LazyFrame, champions: pl.LazyFrame) -> pl.LazyFrame:
    """Returns participants of matches with a timeline, with `max_ranks`, the highest ranks of their champion's
    skills."""
    listed = champions.filter(pl.col("max_ranks").list.len() == len(_LETTERS)).select(
        "champion_id", "max_ranks", data_dragon_version="version"
    )
    usual = pl.lit(list(csv_files.USUAL_MAX_RANKS), dtype=pl.List(pl.Int32))
    return (
        participants.join(matches.filter("has_timeline").select("match_id", "data_dragon_version"), on="match_id")
        .join(listed, on=["champion_id", "data_dragon_version"], how="left")
        .join(csv_files.max_ranks().lazy(), on="champion_id", how="left", suffix="_listed")
        .select(*_PLAYER, "match_date", "team_id", max_ranks=pl.coalesce("max_ranks", "max_ranks_listed", usual))
    )


def _orders(levels: pl.LazyFrame, players: pl.LazyFrame) -> pl.LazyFrame:
    """Returns all `levels` in turn, the `max_order` of the basic skills, the number `maxed`, and the first one with its
    time."""
    slot = pl.col("skill_slot")
    skills = (
        levels.filter(pl.col("level_up_type").ne_missing("EVOLVE") & slot.is_between(1, len(_LETTERS)))
        .group_by(*_PLAYER, "skill_slot", "timestamp_ms")
        .agg(pl.col("event_index").min())
        .sort("event_index")
        .group_by(*_PLAYER, "skill_slot")
        .agg("timestamp_ms", "event_index")
        .join(players.select(*_PLAYER, "max_ranks"), on=_PLAYER)
        .with_columns(
            letter=slot.replace_strict(range(1, len(_LETTERS) + 1), _LETTERS, return_dtype=pl.String),
            max_rank=pl.col("max_ranks").list.get(slot - 1),
        )
        .with_columns(pl.col("timestamp_ms", "event_index").list.head(pl.col("max_rank")))
        .with_columns(rank=pl.col("event_index").list.len().cast(pl.Int32), reached=pl.col("timestamp_ms").list.last())
        .with_columns(is_maxed=pl.col("rank") == pl.col("max_rank"))
    )
    is_maxed, basic = pl.col("is_maxed"), pl.col("letter").is_in(_BASIC)
    return (
        skills.filter(pl.col("rank") > 0)
        .sort(~is_maxed, pl.when(is_maxed).then(0).otherwise(-pl.col("rank")), "reached", "skill_slot")
        .group_by(_PLAYER, maintain_order=True)
        .agg(
            levels=pl.col("letter").repeat_by("rank").explode().sort_by(pl.col("event_index").explode()).str.join(""),
            max_order=pl.col("letter").filter(basic).str.join(""),
            maxed=(is_maxed & basic).sum(),
            first_maxed=pl.col("letter").filter(is_maxed & basic).first(),
            first_maxed_ms=pl.col("reached").filter(is_maxed & basic).first(),
            second_maxed_ms=pl.col("reached").filter(is_maxed & basic).slice(1, 1).first(),
        )
    )


def _with_untouched(order: pl.Expr) -> pl.Expr:
    """Returns an order with the skills that were never levelled at its end; empty if no skill was levelled."""
    missing = [
        pl.when(order.str.contains(each, literal=True)).then(pl.lit("")).otherwise(pl.lit(each)) for each in _BASIC
    ]
    return pl.when(order == "").then(order).otherwise(pl.concat_str(order, *missing))
