"""Damage taken: attacker, weapon, and state of the victim.

Damage events have no identity: the pellets of one shot are equal rows, so equal rows are never removed here, and an
event that a file contains twice would count twice.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.pubg import reference
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.kills import downs
from gamestats_assets.pubg.matches.matches import account, is_bot, metres, seconds_since


def damage_events(
    damage: dy.LazyFrame[t.TelemetryDamage],
    knocks: dy.LazyFrame[t.TelemetryKnocks],
    revives: dy.LazyFrame[t.TelemetryRevives],
    kills: dy.LazyFrame[t.TelemetryKills],
    files: dy.LazyFrame[t.TelemetryFiles],
) -> dy.LazyFrame[t.DamageEvents]:
    """Returns every damage event, in metres, with its category and the flags below.

    - given: dealt by another character of another team. Falls and bleeding name the victim as the attacker and are not
      given, whatever the category of their cause.
    - from another player: dealt by another person, including teammates but not bots.
    - while down: after a knock and before the revive or death. The blow that knocks is logged at the instant of the
      knock or just before, so damage at that instant counts as taken while standing.
    """
    someone = pl.col("attacker_account_id").is_not_null()
    other = someone & (pl.col("attacker_account_id") != pl.col("victim_account_id"))
    state = downs(knocks, revives, kills)
    return t.DamageEvents.cast(
        damage.with_columns(account("attacker_account_id"))
        .sort("occurred_at", "event_index")
        .join_asof(
            state,
            on="occurred_at",
            by=["match_id", "victim_account_id"],
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .join(files.select("match_id", "started_at"), on="match_id", how="left")
        .with_columns(
            seconds_since("started_at").alias("elapsed_time_s"),
            pl.when(someone).then(is_bot("attacker_account_id", "attacker_type")).alias("attacker_is_bot"),
            is_bot("victim_account_id", "victim_type").alias("victim_is_bot"),
            *(pl.when(someone).then(name).alias(name) for name in ("attacker_name", "attacker_team_id")),
            *(
                pl.when(known).then(metres(pl.col(f"{who}_{axis}_cm"))).alias(f"{who}_{axis}_m")
                for who, known in (("attacker", someone), ("victim", True))
                for axis in "xy"
            ),
            pl.when(someone).then(metres(_distance_cm())).alias("distance_m"),
            pl.when(pl.col("damage_causer_name") != "").then("damage_causer_name").alias("weapon_id"),
            reference.weapon_category(pl.col("damage_causer_name")).alias("weapon_category"),
            pl.col("is_down").fill_null(False).alias("victim_was_down"),
        )
        .with_columns(
            (other & (pl.col("attacker_team_id") != pl.col("victim_team_id")).fill_null(True))
            .fill_null(False)
            .alias("is_given"),
            (other & ~pl.col("attacker_is_bot")).fill_null(False).alias("is_from_other_player"),
        )
    )


def _distance_cm() -> pl.Expr:
    flat = [pl.col(f"attacker_{axis}_cm") - pl.col(f"victim_{axis}_cm") for axis in "xy"]
    height = (pl.col("attacker_z_cm") - pl.col("victim_z_cm")).fill_null(0.0)
    return (flat[0].pow(2) + flat[1].pow(2) + height.pow(2)).sqrt()
