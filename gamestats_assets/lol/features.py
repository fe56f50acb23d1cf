"""One wide row per player and match: what questions and statistics are made from."""

from __future__ import annotations

import hashlib
import typing

import dataframely as dy
import polars as pl

from gamestats_assets.lol.tables import (
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
    "team_first_blood": "first_blood",
    "team_first_dragon": "dragon",
    "team_first_herald": "herald",
    "team_first_grubs": "grubs",
    "team_first_baron": "baron",
    "team_first_tower": "tower",
}


def is_held_out(match_id: str) -> bool:
    """Whether a match is of the half that patterns are tried again on.

    By its id alone, so that it stays in its half for ever.
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
    """The wide rows of matches that count in statistics; what needs a timeline is null without one."""
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
    result = (
        participants.join(halves, on="match_id")
        .join(_items(builds), on=_PARTICIPANT, how="left")
        .join(skill_columns, on=_PARTICIPANT, how="left")
        .join(_team_objectives(objectives), on=_TEAM, how="left")
        .join(_took_part(objectives), on=_PARTICIPANT, how="left")
        .join(teams, on=_TEAM, how="left")
        .with_columns(
            pl.col("core_items").fill_null(0).cast(pl.Int16),
            *(pl.col(name).fill_null(nothing) for name in ("core_item_ids", "completed_item_ids")),
            *(pl.col(name).fill_null(no_times) for name in _TIMES),
        )
        # What nobody took is null, and so is everything without a timeline.
        .with_columns(_team_first(name) for name in _FIRST)
        .with_columns(
            pl.when("has_timeline").then(pl.col(name).fill_null(0)).cast(pl.Int32).alias(name)
            for name in ("team_dragons", "team_towers")
        )
        .with_columns(
            objective_participation=pl.when(pl.col("team_epic") > 0).then(
                pl.col("took_part").fill_null(0) / pl.col("team_epic")
            )
        )
        .select(ParticipantFeatures.column_names())
    )
    return typing.cast("dy.LazyFrame[ParticipantFeatures]", result)


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
    """For both teams of a match which objectives they took first, and how many of some."""
    is_first = pl.col("number_in_match") == 1
    by_team = objectives.group_by(_TEAM).agg(
        *(
            (is_first & (pl.col("objective") == objective)).any().alias(f"{name}_own")
            for name, objective in _FIRST.items()
        ),
        team_dragons=(pl.col("objective") == "dragon").sum(),
        team_towers=(pl.col("objective") == "tower").sum(),
        team_epic=pl.col("objective").is_in(_EPIC).sum(),
    )
    taken = objectives.group_by("match_id").agg(
        (pl.col("objective") == objective).any().alias(f"{name}_taken") for name, objective in _FIRST.items()
    )
    teams = pl.LazyFrame({"team_id": [100, 200]}, schema={"team_id": pl.Int16})
    return taken.join(teams, how="cross").join(by_team, on=_TEAM, how="left")


def _team_first(name: str) -> pl.Expr:
    return pl.when(f"{name}_taken").then(pl.col(f"{name}_own").fill_null(value=False)).alias(name)


def _took_part(objectives: pl.LazyFrame) -> pl.LazyFrame:
    """At how many epic monsters each participant killed or assisted."""
    return (
        objectives.filter(pl.col("objective").is_in(_EPIC))
        .explode("participant_ids")
        .drop_nulls("participant_ids")
        .group_by("match_id", participant_id="participant_ids")
        .agg(took_part=pl.len())
    )
