"""Kills and knocks: authors, weapons, and whether they were stolen.

A knocked player is down until revived or dead. Killing a player whom another team knocked is a killsteal:

- the victim was down: the death names the knock (`dbno_id`), or, in files without these ids, the victim's last change
  of state before the death was a knock; and the victim was not revived in between;
- `is_killsteal` uses the credited killer: the killer's team is not the knocker's team;
- `is_finish_stolen` uses the author of the last damage: the finisher is not the knocker; teammates count too.

The game's documentation does not define the term, so both are recorded. Neither applies if the victim bled out or was
taken by the zone or another hazard, to suicides and team kills, if the victim's own team had knocked, or if a bot is
the victim, the killer, the finisher or the knocker. Files of version 1 have no finisher; the killer is used instead.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.pubg import reference
from gamestats_assets.pubg.matches.matches import MATCH, account, is_bot, metres, seconds_since
from gamestats_assets.pubg.matches.tables import WeaponKills
from gamestats_assets.pubg.telemetry.tables import TelemetryFiles, TelemetryKills, TelemetryKnocks, TelemetryRevives

NO_BLOW = (
    "Damage_Groggy",
    "Damage_BlueZone",
    "Damage_Explosion_RedZone",
    "Damage_Explosion_BlackZone",
    "Damage_Blizzard",
    "Damage_SandStorm",
    "Damage_Drown",
    "Damage_Lava",
    "Damage_Instant_Fall",
)
"""Damage types of deaths without a final blow: bleeding out, zones and other hazards."""


def distinct_kills(kills: pl.LazyFrame) -> pl.LazyFrame:
    """Returns each death once. A player cannot die twice at one instant; of two versions of one death the newer one is
    kept."""
    return kills.sort(-pl.col("event_version"), "event_index").unique(
        ["match_id", "victim_account_id", "occurred_at"], keep="first", maintain_order=True
    )


def distinct_knocks(knocks: pl.LazyFrame) -> pl.LazyFrame:
    """Returns each knock once, even if a file contains it twice."""
    return knocks.sort("event_index").unique(
        ["match_id", "dbno_id", "victim_account_id", "occurred_at"], keep="first", maintain_order=True
    )


def distinct_revives(revives: pl.LazyFrame) -> pl.LazyFrame:
    """Returns each revive once, even if a file contains it twice."""
    return revives.sort("event_index").unique(
        ["match_id", "dbno_id", "reviver_account_id", "victim_account_id", "occurred_at"],
        keep="first",
        maintain_order=True,
    )


def distinct_landings(landings: pl.LazyFrame) -> pl.LazyFrame:
    """Returns each flight's landing once. The game logs it again, with the same distance flown, when the player is
    knocked."""
    return (
        landings.sort("occurred_at", "event_index")
        .with_columns(pl.when(pl.col("parachute_distance_m").is_null()).then("occurred_at").alias("__instant__"))
        .unique(["match_id", "account_id", "parachute_distance_m", "__instant__"], keep="first", maintain_order=True)
        .drop("__instant__")
    )


def lives(kills: pl.LazyFrame, landings: pl.LazyFrame) -> pl.LazyFrame:
    """Returns deaths and returns in order of time: match_id, account_id, occurred_at, is_out.

    Some modes bring dead players back by parachute. A landing before the first death changes nothing.
    """
    deaths = kills.select("match_id", pl.col("victim_account_id").alias("account_id"), "occurred_at", is_out=True)
    returns = distinct_landings(landings).select("match_id", "account_id", "occurred_at", is_out=False)
    return (
        pl.concat([deaths, returns])
        .group_by("match_id", "account_id", "occurred_at")
        .agg(pl.col("is_out").any())
        .sort("occurred_at")
    )


def downs(knocks: pl.LazyFrame, *ends: pl.LazyFrame) -> pl.LazyFrame:
    """Returns knocks and their ends in order of time: match_id, victim_account_id, occurred_at, is_down.

    `ends` are revives and deaths; if a knock and its end are at one instant, the end counts.
    """
    columns = ("match_id", "victim_account_id", "occurred_at")
    return (
        pl.concat([knocks.select(*columns, is_down=True), *(end.select(*columns, is_down=False) for end in ends)])
        .group_by(columns)
        .agg(pl.col("is_down").all())
        .sort("occurred_at")
    )


def weapon_kills(
    kills: dy.LazyFrame[TelemetryKills],
    knocks: dy.LazyFrame[TelemetryKnocks],
    revives: dy.LazyFrame[TelemetryRevives],
    files: dy.LazyFrame[TelemetryFiles],
) -> dy.LazyFrame[WeaponKills]:
    """Returns kills and knocks in one shape, one row per event; the module's docstring defines stolen ones."""
    deaths = _with_knock(distinct_kills(kills), distinct_knocks(knocks), revives).with_columns(
        pl.lit("kill").alias("event_kind"),
        # A death by the zone has empty killer's damage, and its cause only in the finish.
        *(
            pl.coalesce(_text(name), _text(f"finish_{name}")).alias(name)
            for name in ("damage_causer_name", "damage_type_category")
        ),
        pl.coalesce(_text("finish_damage_type_category"), _text("damage_type_category")).alias("finish_type"),
        account("killer_account_id"),
        pl.when(pl.col("event_version") == 1)
        .then(account("killer_account_id"))
        .otherwise(account("finisher_account_id"))
        .alias("finisher_account_id"),
        pl.coalesce(account("knocker_account_id"), "knock_attacker_id").alias("knocker_account_id"),
        pl.coalesce("knocker_team_id", "knock_attacker_team_id").alias("knocker_team_id"),
    )
    felled = (
        distinct_knocks(knocks)
        .rename({name: name.replace("attacker", "killer") for name in _attacker_columns()})
        .with_columns(account("killer_account_id"), _text("damage_causer_name"), pl.lit("knock").alias("event_kind"))
    )
    return WeaponKills.cast(
        pl.concat([deaths, felled], how="diagonal")
        .join(files.select("match_id", "started_at"), on="match_id", how="left")
        .with_columns(
            (pl.col("killer_account_id") == pl.col("victim_account_id")).fill_null(False).alias("is_self"),
            is_bot("victim_account_id", "victim_type").alias("victim_is_bot"),
            pl.when(pl.col("killer_account_id").is_not_null())
            .then(is_bot("killer_account_id", "killer_type"))
            .alias("killer_is_bot"),
            reference.weapon_category(pl.col("damage_causer_name")).alias("weapon_category"),
            reference.weapon_name(pl.col("damage_causer_name")).alias("weapon_name"),
        )
        .with_columns(
            (pl.col("is_self") | pl.col("is_suicide").fill_null(False)).alias("is_suicide"),
            (~pl.col("is_self") & (pl.col("killer_team_id") == pl.col("victim_team_id")))
            .fill_null(False)
            .alias("is_team_kill"),
        )
        .with_columns(_could_be_stolen().alias("contested"))
        .select(
            *MATCH,
            "event_index",
            "occurred_at",
            "phase",
            "event_kind",
            seconds_since("started_at").alias("elapsed_time_s"),
            pl.when(pl.col("dbno_id") >= 0).then("dbno_id").alias("dbno_id"),
            "killer_account_id",
            pl.when(pl.col("killer_account_id").is_not_null()).then("killer_name").alias("killer_name"),
            pl.when(pl.col("killer_account_id").is_not_null()).then("killer_team_id").alias("killer_team_id"),
            "killer_is_bot",
            "finisher_account_id",
            "knocker_account_id",
            "victim_account_id",
            "victim_name",
            "victim_team_id",
            "victim_is_bot",
            "assist_account_ids",
            pl.col("damage_causer_name").alias("weapon_id"),
            "weapon_name",
            "weapon_category",
            "damage_type_category",
            "damage_reason",
            pl.when(pl.col("distance_cm") >= 0).then(metres(pl.col("distance_cm"))).alias("distance_m"),
            "is_suicide",
            "is_team_kill",
            (pl.col("contested") & (pl.col("killer_team_id") != pl.col("knocker_team_id")))
            .fill_null(False)
            .alias("is_killsteal"),
            (pl.col("contested") & (pl.col("finisher_account_id") != pl.col("knocker_account_id")))
            .fill_null(False)
            .alias("is_finish_stolen"),
        )
    )


def _attacker_columns() -> list[str]:
    return [name for name in TelemetryKnocks.column_names() if name.startswith("attacker_")]


def _text(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)


def _with_knock(deaths: pl.LazyFrame, knocks: pl.LazyFrame, revives: pl.LazyFrame) -> pl.LazyFrame:
    """Returns deaths with the knock they end: was_down, knock_attacker_id, knock_attacker_team_id,
    knock_attacker_is_bot.

    A `dbno_id` can be reused later in a match, so the victim's last knock before the death counts, unless both have an
    id and the ids differ.
    """
    state_of = ["match_id", "victim_account_id"]
    state = pl.concat(
        [
            knocks.select(
                *state_of,
                "occurred_at",
                pl.col("dbno_id").alias("knock_id"),
                account("attacker_account_id").alias("knock_attacker_id"),
                pl.col("attacker_team_id").alias("knock_attacker_team_id"),
                is_bot("attacker_account_id", "attacker_type").alias("knock_attacker_is_bot"),
                "event_index",
                pl.lit(True).alias("went_down"),
            ),
            revives.select(*state_of, "occurred_at", "event_index", pl.lit(False).alias("went_down")),
            # A player who returns after a death is no longer down; the death itself still belongs to its knock.
            deaths.select(
                *state_of,
                pl.col("occurred_at") + pl.duration(microseconds=1),
                "event_index",
                pl.lit(False).alias("went_down"),
            ),
        ],
        how="diagonal",
    ).sort("occurred_at", "event_index")
    joined = deaths.sort("occurred_at").join_asof(
        state.drop("event_index"), on="occurred_at", by=state_of, check_sortedness=False
    )
    same = (pl.col("dbno_id") == pl.col("knock_id")).fill_null(True)
    named = pl.col("dbno_id").is_null() | ((pl.col("dbno_id") >= 0) & same)
    was_down = (pl.col("went_down") & named).fill_null(False)
    return joined.with_columns(
        was_down.alias("was_down"),
        *(pl.when(was_down).then(name).alias(name) for name in ("knock_attacker_id", "knock_attacker_team_id")),
    )


def _could_be_stolen() -> pl.Expr:
    """Whether a kill can belong to another person than its author."""
    return (
        (pl.col("event_kind") == "kill")
        & pl.col("was_down").fill_null(False)
        & pl.col("killer_account_id").is_not_null()
        & pl.col("knocker_account_id").is_not_null()
        & ~pl.col("is_suicide")
        & ~pl.col("is_team_kill")
        & (pl.col("knocker_account_id") != pl.col("victim_account_id"))
        & (pl.col("knocker_team_id") != pl.col("victim_team_id")).fill_null(True)
        & (pl.col("finisher_account_id") != pl.col("victim_account_id")).fill_null(True)
        & ~pl.col("finish_type").is_in(list(NO_BLOW)).fill_null(False)
        & (pl.col("damage_type_category") != "Damage_Groggy").fill_null(True)
        & ~pl.col("victim_is_bot")
        & ~pl.col("killer_is_bot").fill_null(False)
        & ~is_bot("finisher_account_id")
        & ~is_bot("knocker_account_id")
        & ~pl.col("knock_attacker_is_bot").fill_null(False)
    )
