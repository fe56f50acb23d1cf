"""Objectives that teams took: first blood, epic monsters, towers and inhibitors."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lol.matches.game_state import at_moments, in_seconds, team_gold_differences
from gamestats_assets.lol.matches.tables import Matches, Objectives, Participants
from gamestats_assets.lol.timelines.tables import TimelineEvents, TimelineFrames

MONSTERS = {
    "DRAGON": "dragon",
    "RIFTHERALD": "herald",
    "HORDE": "grubs",
    "BARON_NASHOR": "baron",
    "ATAKHAN": "atakhan",
}
"""Epic monsters by their name in timelines."""
BUILDINGS = {"TOWER_BUILDING": "tower", "INHIBITOR_BUILDING": "inhibitor"}
"""Buildings by their name in timelines."""
_TEAMS = (100, 200)
_EVENT = ("match_id", "event_index")
_KINDS = ("ELITE_MONSTER_KILL", "BUILDING_KILL", "CHAMPION_KILL", "CHAMPION_SPECIAL_KILL")
_COLUMNS = (
    *_EVENT,
    "timestamp_ms",
    "event_type",
    "participant_id",
    "assisting_participant_ids",
    "team_id",
    "killer_team_id",
    "monster_type",
    "monster_sub_type",
    "building_type",
    "tower_type",
    "kill_type",
)


def objectives(
    events: dy.LazyFrame[TimelineEvents],
    matches: dy.LazyFrame[Matches],
    participants: dy.LazyFrame[Participants],
    frames: dy.LazyFrame[TimelineFrames],
) -> dy.LazyFrame[Objectives]:
    """Returns every objective that one of the two teams took, in matches with a match object, without the Arena.

    A monster goes to the team that the event names, a building to the enemies of its owner; if the event names no team,
    the objective goes to the team of the last hit. Objectives that neither team took are left out. First blood is the
    kill that the timeline announces as such, or else the first kill by a champion.
    """
    of_match = matches.select("match_id", "match_date", "patch", "queue_group", "in_statistics", "winning_team_id")
    members = participants.filter(pl.col("subteam_id").is_null()).select("match_id", "participant_id", "team_id")
    kills = (
        events.filter(pl.col("event_type").is_in(_KINDS))
        .select(_COLUMNS)
        .join(members, on="match_id", how="semi")
        .join(members.rename({"team_id": "killer_team"}), on=["match_id", "participant_id"], how="left")
    )
    taken = _taken(kills).sort("match_id", "timestamp_ms", "event_index")
    gold = at_moments(
        team_gold_differences(frames, participants),
        taken.select(*_EVENT, "team_id", "timestamp_ms"),
        ["team_gold_diff"],
        ["match_id", "team_id"],
        interpolate=False,
    ).select(*_EVENT, team_gold_diff_before="team_gold_diff")
    in_turn = pl.int_range(1, pl.len() + 1)
    result = (
        taken.with_columns(
            number_in_match=in_turn.over("match_id", "objective"),
            number_of_team=in_turn.over("match_id", "objective", "team_id"),
        )
        .join(of_match, on="match_id")
        .join(gold, on=_EVENT, how="left")
        .join(taking_part(taken, members), on=_EVENT, how="left")
        .with_columns(
            pl.col("participant_ids").fill_null([]),
            killer_participant_id=pl.when(pl.col("participant_id") > 0).then("participant_id"),
            at_s=in_seconds("timestamp_ms"),
            won=pl.col("team_id") == pl.col("winning_team_id"),
        )
    )
    return Objectives.cast(result)


def taking_part(rows: pl.LazyFrame, participants: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the team members who killed or assisted.

    Assists of an epic monster also name members of the other team who fought there.

    Args:
        rows: `match_id`, `event_index`, `team_id`, `participant_id`, `assisting_participant_ids`.
        participants: `match_id`, `participant_id`, `team_id`.

    Returns:
        `match_id`, `event_index`, `participant_ids` in ascending order; without rows in which no member took part.
    """
    assisting = pl.col("assisting_participant_ids").fill_null([])
    return (
        rows.select(*_EVENT, "team_id", participant_id=pl.concat_list("participant_id", assisting))
        .explode("participant_id")
        .join(
            participants.select("match_id", "participant_id", "team_id"),
            on=["match_id", "participant_id", "team_id"],
            how="semi",
        )
        .group_by(_EVENT)
        .agg(participant_ids=pl.col("participant_id").unique().sort())
    )


def _taken(kills: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the events in which an objective was taken, with `objective`, `sub_type` and the `team_id` that took
    it."""
    kind = pl.col("event_type")
    monster = pl.col("monster_type").replace_strict(MONSTERS, default=None, return_dtype=pl.String)
    building = pl.col("building_type").replace_strict(BUILDINGS, default=None, return_dtype=pl.String)
    loser = pl.col("team_id")
    return (
        kills.with_columns(
            objective=pl.when(kind == "ELITE_MONSTER_KILL")
            .then(monster)
            .when(kind == "BUILDING_KILL")
            .then(building)
            .when(_is_kill() & (pl.col("event_index") == _first_kill().over("match_id")))
            .then(pl.lit("first_blood")),
        )
        .filter(pl.col("objective").is_not_null())
        .with_columns(
            team_id=pl.coalesce(
                pl.when(kind == "ELITE_MONSTER_KILL").then("killer_team_id"),
                pl.when(kind == "BUILDING_KILL").then((sum(_TEAMS) - loser).cast(pl.Int16)),
                "killer_team",
            ),
            sub_type=pl.when(kind == "ELITE_MONSTER_KILL").then("monster_sub_type").otherwise("tower_type"),
        )
        .filter(pl.col("team_id").is_in(_TEAMS))
    )


def _is_kill() -> pl.Expr:
    return (pl.col("event_type") == "CHAMPION_KILL") & pl.col("killer_team").is_not_null()


def _first_kill() -> pl.Expr:
    """Returns the index of a match's first blood kill: the announced one, else the first kill by a champion."""
    announcement = pl.col("kill_type") == "KILL_FIRST_BLOOD"
    is_announced = pl.all_horizontal(
        pl.col(name) == pl.col(name).filter(announcement).first() for name in ("timestamp_ms", "participant_id")
    )
    in_turn = (~is_announced.fill_null(False), "timestamp_ms", "event_index")
    return pl.col("event_index").sort_by(~_is_kill(), *in_turn).first()
