"""One wide row per player and match, the source of all questions and statistics."""

from __future__ import annotations

import hashlib

import dataframely as dy
import polars as pl

from gamestats_assets.lol.matches.tables import (
    ItemBuilds,
    Matches,
    Objectives,
    ParticipantFeatures,
    Participants,
    SkillOrders,
    TeamCoordination,
)

_PARTICIPANT = ["match_id", "participant_id"]
_TEAM = ["match_id", "team_id"]
_EPIC = ("dragon", "herald", "grubs", "baron", "atakhan")
_FIRST = {
    "first_blood": "first_blood",
    "first_dragon": "dragon",
    "first_herald": "herald",
    "first_grubs": "grubs",
    "first_baron": "baron",
    "first_tower": "tower",
}


def is_held_out(match_id: str) -> bool:
    """Whether a match belongs to the half on which patterns are tested again.

    Depends on the id alone, so a match never changes halves.
    """
    return bool(hashlib.blake2b(match_id.encode(), digest_size=1).digest()[0] & 1)


def participant_features(
    participants: dy.LazyFrame[Participants],
    matches: dy.LazyFrame[Matches],
    builds: dy.LazyFrame[ItemBuilds],
    skills: dy.LazyFrame[SkillOrders],
    objectives: dy.LazyFrame[Objectives],
    coordination: dy.LazyFrame[TeamCoordination],
) -> dy.LazyFrame[ParticipantFeatures]:
    """Returns the wide rows of matches that count in statistics; columns from the timeline are null without one."""
    counted = matches.filter("in_statistics").select(
        "match_id", "patch", "queue_id", "queue_group", "platform_id", "duration_s", "has_timeline"
    )
    halves = counted.with_columns(
        held_out=pl.col("match_id").map_elements(is_held_out, return_dtype=pl.Boolean, skip_nulls=False)
    )
    skill_columns = skills.select(
        *_PARTICIPANT,
        skill_max_order="max_order",
        skill_order_is_complete="is_complete",
        skill_first_levels="first_levels",
        skill_trigrams="trigrams",
        skill_first_maxed_at_s="first_maxed_at_s",
        skill_first_maxed_team_gold_diff="first_maxed_team_gold_diff",
    )
    teams = coordination.select(*_TEAM, team_synchronisation="synchronisation")
    nothing = pl.lit([], pl.List(pl.Int32))
    no_times = pl.lit([], pl.List(pl.Float64))

    def unless_unknown(name: str, unless: pl.Expr | int) -> pl.Expr:
        """Returns a column with a default for missing values; null without a timeline."""
        return pl.when("has_timeline").then(pl.col(name).fill_null(unless)).alias(name)

    result = (
        participants.join(halves, on="match_id")
        .join(_items(builds), on=_PARTICIPANT, how="left")
        .join(skill_columns, on=_PARTICIPANT, how="left")
        .join(_team_objectives(objectives), on=_TEAM, how="left")
        .join(_took_part(objectives), on=_PARTICIPANT, how="left")
        .join(teams, on=_TEAM, how="left")
        .with_columns(
            *(unless_unknown(name, 0) for name in ("core_items", "team_dragons", "team_towers")),
            *(unless_unknown(name, nothing) for name in ("core_item_ids", "completed_item_ids")),
            *(unless_unknown(name, no_times) for name in _TIMES),
        )
        .with_columns(
            objective_participation=pl.when(pl.col("team_epic") > 0).then(
                pl.col("took_part").fill_null(0) / pl.col("team_epic")
            )
        )
    )
    return ParticipantFeatures.cast(result)


_TIMES = (
    "core_items_at_s",
    "core_items_team_gold_diff",
    "core_items_lane_gold_diff",
    "completed_items_at_s",
)


def _items(builds: pl.LazyFrame) -> pl.LazyFrame:
    ordered = builds.sort(*_PARTICIPANT, "completion")
    core = (pl.col("kind") == "core") & ~pl.col("is_transformation")

    def of_core(column: str) -> pl.Expr:
        return pl.col(column).filter(core).sort_by(pl.col("core_order").filter(core))

    return ordered.group_by(_PARTICIPANT, maintain_order=True).agg(
        core_items=core.sum(),
        core_item_ids=of_core("item_id"),
        core_items_at_s=of_core("completed_at_s"),
        core_items_team_gold_diff=of_core("team_gold_diff"),
        core_items_lane_gold_diff=of_core("lane_gold_diff"),
        completed_item_ids=pl.col("item_id"),
        completed_items_at_s=pl.col("completed_at_s"),
        boots_id=pl.col("item_id").filter(pl.col("kind") == "boots").first(),
    )


def _team_objectives(objectives: pl.LazyFrame) -> pl.LazyFrame:
    """Returns per team of a match which objectives it took first, and the number of some objectives.

    Null if neither team took the objective.
    """

    def first(name: str, column: str) -> pl.Expr:
        of_kind = (pl.col("objective") == _FIRST[name]) & (pl.col("number_in_match") == 1)
        return pl.col(column).filter(of_kind).first()

    taken = objectives.group_by("match_id").agg(
        *(first(name, "at_s").alias(f"{name}_at_s") for name in _FIRST),
        *(first(name, "team_id").alias(f"{name}_team") for name in _FIRST),
        *(first(name, "team_gold_diff_before").alias(f"team_gold_diff_before_{name}") for name in _FIRST),
    )
    by_team = objectives.group_by(_TEAM).agg(
        team_dragons=(pl.col("objective") == "dragon").sum(),
        team_towers=(pl.col("objective") == "tower").sum(),
        team_epic=pl.col("objective").is_in(_EPIC).sum(),
    )
    teams = pl.LazyFrame({"team_id": [100, 200]}, schema={"team_id": pl.Int16})
    return (
        taken.join(teams, how="cross")
        .with_columns((pl.col(f"{name}_team") == pl.col("team_id")).alias(f"team_{name}") for name in _FIRST)
        .with_columns(
            pl.when(f"team_{name}").then(lead).otherwise(-lead).alias(f"team_gold_diff_before_{name}")
            for name in _FIRST
            for lead in [pl.col(f"team_gold_diff_before_{name}")]
        )
        .join(by_team, on=_TEAM, how="left")
    )


def taken_by(name: str, minute: int) -> pl.Expr:
    """Returns whether a wide row's team took the first of an objective (such as `dragon`) within so many minutes.

    False if neither team had taken one by then.
    """
    taken = pl.col(f"team_first_{name}") & (pl.col(f"first_{name}_at_s") <= 60 * minute)
    return taken.fill_null(value=False)


def _took_part(objectives: pl.LazyFrame) -> pl.LazyFrame:
    """Returns at how many epic monsters each participant killed or assisted."""
    return (
        objectives.filter(pl.col("objective").is_in(_EPIC))
        .explode("participant_ids")
        .drop_nulls("participant_ids")
        .group_by("match_id", participant_id="participant_ids")
        .agg(took_part=pl.len())
    )
