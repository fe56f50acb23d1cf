"""Coordination of team members: kills and assists within time windows, and objectives."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lol.matches.objectives import MONSTERS, taking_part
from gamestats_assets.lol.matches.tables import Matches, Objectives, Participants, TeamCoordination
from gamestats_assets.lol.timelines.tables import TimelineEvents

FIGHT_GAP_MS = 15_000
"""Kills of a team belong to one fight if consecutive kills are at most this many milliseconds apart."""
_TEAM = ("match_id", "team_id")


def team_coordination(
    events: dy.LazyFrame[TimelineEvents],
    matches: dy.LazyFrame[Matches],
    participants: dy.LazyFrame[Participants],
    objectives: dy.LazyFrame[Objectives],
) -> dy.LazyFrame[TeamCoordination]:
    """Returns one row per team of a match with a timeline, without the Arena, where a team consists of many pairs."""
    members = participants.filter(pl.col("subteam_id").is_null()).join(
        matches.filter("has_timeline").select("match_id"), on="match_id", how="semi"
    )
    teams = members.group_by(_TEAM).agg(pl.col("match_date", "won").first(), size=pl.len())
    result = (
        teams.join(_of_kills(events, members, teams), on=_TEAM, how="left")
        .join(_of_objectives(objectives, teams), on=_TEAM, how="left")
        .with_columns(pl.col("kills", "fights", "objectives").fill_null(0))
    )
    return TeamCoordination.cast(result)


def _of_kills(events: pl.LazyFrame, members: pl.LazyFrame, teams: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the columns computed from each team's kills."""
    gap = pl.col("timestamp_ms").diff().over(_TEAM)
    kills = (
        events.filter(pl.col("event_type") == "CHAMPION_KILL")
        .select("match_id", "event_index", "timestamp_ms", "participant_id", "assisting_participant_ids")
        .join(members.select("match_id", "participant_id", "team_id"), on=["match_id", "participant_id"])
    )
    together = (
        kills.join(taking_part(kills, members), on=["match_id", "event_index"])
        .sort(*_TEAM, "timestamp_ms", "event_index")
        .with_columns(fight=(gap > FIGHT_GAP_MS).fill_null(True).cum_sum())
        .with_columns(assists=pl.col("participant_ids").list.len().cast(pl.Int32) - 1)
    )
    fights = (
        together.group_by(*_TEAM, "fight")
        .agg(
            kills=pl.len(),
            assists=pl.col("assists").sum(),
            assisted=(pl.col("assists") > 0).sum(),
            members=pl.col("participant_ids").explode().n_unique().cast(pl.Int64),
        )
        .join(teams.select(*_TEAM, "size"), on=_TEAM)
    )
    kills_of, size = pl.col("kills").sum(), pl.col("size").first().cast(pl.Int64)
    # Twice the number of pairs: pairs in the same fight, and all possible pairs.
    together_by_kills = (pl.col("members") * (pl.col("members") - 1) * pl.col("kills")).sum()
    return fights.group_by(_TEAM).agg(
        kills=kills_of,
        assists_per_kill=pl.col("assists").sum() / kills_of,
        assisted_kill_share=pl.col("assisted").sum() / kills_of,
        fights=pl.len(),
        kills_together_share=pl.col("kills").filter(pl.col("kills") > 1).sum() / kills_of,
        members_per_fight=pl.col("members").mean(),
        synchronisation=pl.when(size > 1).then(together_by_kills / (size * (size - 1) * kills_of)),
    )


def _of_objectives(objectives: pl.LazyFrame, teams: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the columns computed from each team's objectives."""
    taking_part = pl.col("participant_ids").list.len().filter(pl.col("objective").is_in(MONSTERS.values()))
    return (
        objectives.filter(pl.col("objective") != "first_blood")
        .join(teams.select(*_TEAM, "size"), on=_TEAM)
        .group_by(_TEAM)
        .agg(
            objectives=pl.len(),
            objective_participation=pl.when(taking_part.len() > 0).then(
                taking_part.sum() / (taking_part.len() * pl.col("size").first())
            ),
        )
    )
