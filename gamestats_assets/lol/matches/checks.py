"""Checks across the tables of matches, beyond each table's own rules."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.lol.matches.game_state import MATCH, PARTICIPANT
from gamestats_assets.lol.matches.matches import was_played
from gamestats_assets.lol.matches.tables import (
    FinalItems,
    ItemBuilds,
    Matches,
    Objectives,
    ParticipantFeatures,
    Participants,
    SkillOrders,
)
from gamestats_assets.lol.timelines.tables import RawMatches, RawParticipants

ITEMS_AGREE = 0.97
"""Smallest share of participants on Summoner's Rift whose final items equal those in the match object."""
_FEWEST_PARTICIPANTS = 50
_RIFT = 11
_LATEST_S = 3 * 3600


@breaking_rows(of=Matches)
def every_match_object_is_a_match(matches: dy.LazyFrame[Matches], raw: dy.LazyFrame[RawMatches]) -> pl.LazyFrame:
    """Every match object of a game that was played has exactly one row in matches, and every match has a match
    object."""
    own = matches.group_by(MATCH).agg(matches=pl.len())
    return (
        raw.filter(was_played())
        .select(*MATCH, objects=pl.lit(1, pl.UInt32))
        .join(own, on=MATCH, how="full", coalesce=True)
        .filter(pl.col("objects").fill_null(0) != pl.col("matches").fill_null(0))
    )


@breaking_rows(of=Matches, blocking=False)
def queues_are_known(matches: dy.LazyFrame[Matches]) -> pl.LazyFrame:
    """Every queue is listed in data/reference/lol/queues.csv. Matches of unlisted queues count in no statistics."""
    return matches.filter(pl.col("queue_group").str.starts_with("queue_")).select(*MATCH, "queue_id", "game_mode")


@breaking_rows(of=Participants)
def kills_are_somebodys_deaths(
    participants: dy.LazyFrame[Participants], raw: dy.LazyFrame[RawParticipants]
) -> pl.LazyFrame:
    """Kills, deaths, assists, gold and damage of a match equal those of its match object."""
    figures = ["kills", "deaths", "assists", "gold_earned", "damage_to_champions"]
    found, recorded = (each.group_by(MATCH).agg(pl.col(figures).sum()) for each in (participants, raw))
    joined = recorded.join(found, on=MATCH, how="full", coalesce=True, suffix="_here")
    return joined.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_here")) for name in figures))


@breaking_rows(of=Participants, blocking=False)
def teams_are_of_one_size(participants: dy.LazyFrame[Participants], matches: dy.LazyFrame[Matches]) -> pl.LazyFrame:
    """Both teams of a match that counts in statistics have the same size. Players missing from a match object are in no
    table."""
    side = pl.coalesce("subteam_id", "team_id")
    return (
        participants.join(matches.filter("in_statistics").select(MATCH), on=MATCH, how="semi")
        .group_by(*MATCH, side=side)
        .agg(participants=pl.len())
        .group_by(MATCH)
        .agg(smallest=pl.col("participants").min(), largest=pl.col("participants").max())
        .filter(pl.col("smallest") < pl.col("largest"))
    )


@breaking_rows(of=FinalItems, blocking=False, local=False)
def items_end_as_recorded(items: dy.LazyFrame[FinalItems], matches: dy.LazyFrame[Matches]) -> pl.LazyFrame:
    """On Summoner's Rift the final items of at least 97% of a day's participants equal those in the match object."""
    on_rift = items.join(matches.filter(pl.col("map_id") == _RIFT).select(MATCH), on=MATCH, how="semi")
    of_day = on_rift.with_columns(
        participants_of_day=pl.len().over("match_date"), agreeing=pl.col("agrees").mean().over("match_date")
    )
    return of_day.filter(
        ~pl.col("agrees") & (pl.col("agreeing") < ITEMS_AGREE) & (pl.col("participants_of_day") >= _FEWEST_PARTICIPANTS)
    )


@breaking_rows(of=ItemBuilds)
def items_are_completed_within_the_game(
    builds: dy.LazyFrame[ItemBuilds], matches: dy.LazyFrame[Matches]
) -> pl.LazyFrame:
    """An item is completed before the game ends (one second of tolerance) and lost only after it was completed.

    A length of 0 proves nothing: Riot reports it for aborted games, whose timelines continue.
    """
    lengths = matches.select(*MATCH, "duration_s").filter(pl.col("duration_s") > 0)
    joined = builds.join(lengths, on=MATCH, how="left")
    is_late = pl.col("completed_at_s") > pl.col("duration_s").fill_null(_LATEST_S) + 1
    return joined.filter(is_late | (pl.col("left_at_s") < pl.col("completed_at_s")))


@breaking_rows(of=SkillOrders)
def orders_are_of_the_levels(orders: dy.LazyFrame[SkillOrders]) -> pl.LazyFrame:
    """A max order contains Q, W and E once each, and the first levels begin the list of all levels.

    Participants who never levelled any of the three have no order, which is allowed.
    """
    named = pl.col("max_order").fill_null("").str.split("").list.sort().list.join("")
    due = pl.when(pl.col("levels").str.contains("[QWE]")).then(pl.lit("EQW")).otherwise(pl.lit(""))
    return orders.filter((named != due) | (pl.col("first_levels") != pl.col("levels").str.slice(0, 6)))


@breaking_rows(of=Objectives)
def the_first_of_a_kind_is_one(objectives: dy.LazyFrame[Objectives]) -> pl.LazyFrame:
    """Within a match each kind of objective has exactly one first, and its numbers have no gaps."""
    return (
        objectives.group_by(*MATCH, "objective")
        .agg(
            rows=pl.len().cast(pl.Int64),
            numbers=pl.col("number_in_match").n_unique().cast(pl.Int64),
            last=pl.col("number_in_match").max().cast(pl.Int64),
        )
        .filter((pl.col("rows") != pl.col("numbers")) | (pl.col("rows") != pl.col("last")))
    )


@breaking_rows(of=ParticipantFeatures)
def every_counted_participant_is_a_wide_row(
    features: dy.LazyFrame[ParticipantFeatures],
    participants: dy.LazyFrame[Participants],
    matches: dy.LazyFrame[Matches],
) -> pl.LazyFrame:
    """Each participant of a match that counts in statistics has one wide row, with equal kills, gold and damage."""
    figures = ["kills", "deaths", "gold_earned", "damage_to_champions"]
    counted = participants.join(matches.filter("in_statistics").select(MATCH), on=MATCH, how="semi")
    joined = counted.select(*PARTICIPANT, *figures).join(
        features.select(*PARTICIPANT, *figures), on=PARTICIPANT, how="full", coalesce=True, suffix="_wide"
    )
    return joined.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_wide")) for name in figures))


@breaking_rows(of=ParticipantFeatures)
def lists_of_items_are_of_one_length(features: dy.LazyFrame[ParticipantFeatures]) -> pl.LazyFrame:
    """The lists about core items have one entry per item, in order of time, and contain no item twice."""
    core = ["core_item_ids", "core_items_at_s", "core_items_team_gold_diff", "core_items_lane_gold_diff"]
    uneven = pl.any_horizontal(pl.col(name).list.len() != pl.col("core_items") for name in core)
    twice = pl.col("core_item_ids").list.n_unique() < pl.col("core_items")
    unordered = pl.col("core_items_at_s").list.diff().list.min() < 0
    odd = pl.col("completed_item_ids").list.len() != pl.col("completed_items_at_s").list.len()
    return features.filter(uneven | twice | unordered.fill_null(value=False) | odd).select(*PARTICIPANT, *core)


ALL: tuple[Check, ...] = tuple(value for value in globals().values() if isinstance(value, Check))
"""Every check, in the order of this file."""
