"""Knocks and their outcomes.

Outcomes of a knock:

- A knock ends with the victim's next revive or death before their next knock, unless both have ids and these differ, or
  the death says that its victim stood although the knock has an id.
- `revived`: a revive ended it.
- `killed`: a death by a blow of the knocker, of a mate of the knocker or the victim, or of another team.
- `team_wiped`: the victim died without a blow within 0.1 s of the death of a teammate who was not down.
- `bled_out`: the victim died without a blow, and no standing teammate fell at that instant.
- `hazard`: the zone, another hazard or the victim themselves killed the victim.
- `none`: the end is unknown, because the match ended or the file lacks it.
"""

from __future__ import annotations

import math

import dataframely as dy
import polars as pl

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.kills import NO_BLOW, distinct_revives
from gamestats_assets.pubg.matches.matches import MATCH, account, is_bot, seconds_since

BLED = "Damage_Groggy"
TEAM_FALLS = pl.duration(milliseconds=100)
"""Time between the deaths of a team that falls together; the game logs them some milliseconds apart."""
BLOW_BEFORE_KNOCK = "2s"
"""How far before a knock its damage, which has the places, may be; the game logs it a millisecond before."""
DISTANCE_BANDS: tuple[tuple[str, float, float], ...] = (
    ("knocks_under_10_m", 0, 10),
    ("knocks_10_to_50_m", 10, 50),
    ("knocks_50_to_100_m", 50, 100),
    ("knocks_100_to_200_m", 100, 200),
    ("knocks_from_200_m", 200, math.inf),
)
"""Columns of knocks by distance, with the range of each in metres: from, and below."""

MILLION = 1_000_000
_VICTIM = ("match_id", "victim_account_id")


def knock_events(
    weapon_kills: dy.LazyFrame[t.WeaponKills],
    kills: dy.LazyFrame[t.TelemetryKills],
    revives: dy.LazyFrame[t.TelemetryRevives],
    damage_events: dy.LazyFrame[t.DamageEvents],
) -> dy.LazyFrame[t.KnockEvents]:
    """Returns every knock with its outcome; the module's docstring lists the outcomes.

    The places come from the damage that knocked.
    """
    knocks = weapon_kills.filter(pl.col("event_kind") == "knock").rename(
        {f"killer_{name}": f"knocker_{name}" for name in ("name", "team_id", "is_bot")}
    )
    knocks = knocks.with_columns(
        pl.col("killer_account_id").alias("knocker_account_id"),
        pl.col("is_suicide").alias("is_self_knock"),
        pl.col("is_team_kill").alias("is_team_knock"),
    ).drop("is_killsteal", "is_finish_stolen")
    ends = pl.concat([_deaths(weapon_kills, kills), _revivals(revives)], how="diagonal")
    return t.KnockEvents.cast(
        _placed(knocks, damage_events)
        .join(_ended(knocks, ends), on=["match_id", "event_index"], how="left")
        .with_columns(
            pl.col("outcome").fill_null("none"),
            pl.col("is_killsteal", "is_finish_stolen").fill_null(False),
            seconds_since("occurred_at", "ended_at").round(6).alias("time_to_outcome_s"),
            _finished_by().alias("finished_by"),
        )
    )


def _deaths(weapon_kills: pl.LazyFrame, kills: pl.LazyFrame) -> pl.LazyFrame:
    """Returns deaths as ends of knocks, with the kind of end and the author of the blow."""
    finishes = kills.select(
        "match_id", "event_index", "finisher_name", "finisher_team_id", last_blow(), said_id="dbno_id"
    )
    finisher = pl.coalesce("finisher_account_id", "killer_account_id")
    by_killer = (finisher == pl.col("killer_account_id")).fill_null(False)
    has_finisher = finisher.is_not_null() & (finisher != pl.col("victim_account_id"))
    blow = has_finisher & ~pl.col("last_blow").is_in(NO_BLOW).fill_null(False)
    return (
        weapon_kills.filter(pl.col("event_kind") == "kill")
        .join(finishes, on=["match_id", "event_index"], how="left")
        .select(
            *_VICTIM,
            pl.col("victim_team_id").alias("fallen_team_id"),
            pl.col("occurred_at").alias("ended_at"),
            pl.col("event_index").alias("ended_event_index"),
            "said_id",
            pl.when(blow.fill_null(False))
            .then(pl.lit("killed"))
            .when((pl.col("last_blow") == BLED).fill_null(False))
            .then(pl.lit("bled_out"))
            .otherwise(pl.lit("hazard"))
            .alias("outcome"),
            finisher.alias("ended_by_account_id"),
            pl.when(by_killer).then("killer_name").otherwise("finisher_name").alias("ended_by_name"),
            pl.when(by_killer).then("killer_team_id").otherwise("finisher_team_id").alias("ended_by_team_id"),
            (
                (by_killer & pl.col("killer_is_bot").fill_null(False))
                | finisher.str.starts_with("ai.").fill_null(False)
            ).alias("ended_by_is_bot"),
            "is_killsteal",
            "is_finish_stolen",
        )
    )


def last_blow() -> pl.Expr:
    """Returns the damage type that ended a life: that of the finish, or of the kill without one."""
    given = [pl.when(pl.col(name) != "").then(name) for name in ("finish_damage_type_category", "damage_type_category")]
    return pl.coalesce(given).alias("last_blow")


def _revivals(revives: pl.LazyFrame) -> pl.LazyFrame:
    return distinct_revives(revives).select(
        *_VICTIM,
        pl.col("occurred_at").alias("ended_at"),
        pl.col("event_index").alias("ended_event_index"),
        pl.col("dbno_id").alias("said_id"),
        pl.lit("revived").alias("outcome"),
        account("reviver_account_id").alias("ended_by_account_id"),
        pl.col("reviver_name").alias("ended_by_name"),
        pl.col("reviver_team_id").alias("ended_by_team_id"),
        is_bot("reviver_account_id").alias("ended_by_is_bot"),
    )


def _ended(knocks: pl.LazyFrame, ends: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the end of each knock that has one, with `match_id` and `event_index` of the knock."""
    spans = (
        knocks.select(*_VICTIM, "event_index", "occurred_at", "dbno_id")
        .sort("occurred_at", "event_index")
        .with_columns(pl.col("occurred_at").shift(-1).over(_VICTIM).alias("next_at"))
    )
    revived = pl.col("outcome") == "revived"
    after = (
        pl.when(revived)
        .then(pl.col("ended_at") > pl.col("occurred_at"))
        .otherwise(pl.col("ended_at") >= pl.col("occurred_at"))
    )
    before_next = (
        pl.when(revived).then(pl.col("ended_at") <= pl.col("next_at")).otherwise(pl.col("ended_at") < pl.col("next_at"))
    )
    stood = ~revived & (pl.col("said_id") < 0)
    parted = pl.col("dbno_id").is_not_null() & (
        stood | ((pl.col("said_id") >= 0) & (pl.col("said_id") != pl.col("dbno_id")))
    ).fill_null(False)
    joined = (
        spans.join(ends, on=_VICTIM)
        .filter(after & before_next.fill_null(True))
        .sort("ended_at", "ended_event_index")
        .unique(["match_id", "event_index"], keep="first", maintain_order=True)
        .filter(~parted)
    )
    by_somebody = pl.col("outcome").is_in(["killed", "revived"])
    return joined.join(_fallen_together(joined, ends), on=["match_id", "ended_event_index"], how="left").select(
        "match_id",
        "event_index",
        pl.when(pl.col("fell_together") & (pl.col("outcome") == "bled_out"))
        .then(pl.lit("team_wiped"))
        .otherwise("outcome")
        .alias("outcome"),
        "ended_at",
        "ended_event_index",
        *(
            pl.when(by_somebody & pl.col("ended_by_account_id").is_not_null()).then(name).alias(name)
            for name in ("ended_by_account_id", "ended_by_name", "ended_by_team_id", "ended_by_is_bot")
        ),
        "is_killsteal",
        "is_finish_stolen",
    )


def _fallen_together(ended: pl.LazyFrame, ends: pl.LazyFrame) -> pl.LazyFrame:
    """Returns deaths of knocked players at the instant of a standing teammate's death."""
    standing = (
        ends.filter(pl.col("outcome") != "revived")
        .join(ended, on=["match_id", "ended_event_index"], how="anti")
        .select("match_id", "fallen_team_id", pl.col("ended_at").alias("mate_fell_at"))
    )
    apart = pl.col("ended_at") - pl.col("mate_fell_at")
    return (
        ended.filter(pl.col("outcome") == "bled_out")
        .join(standing, on=["match_id", "fallen_team_id"])
        .filter(apart.abs() <= TEAM_FALLS)
        .select("match_id", "ended_event_index", fell_together=True)
        .unique()
    )


def _finished_by() -> pl.Expr:
    finisher, knocker, victim = (pl.col(f"{name}_team_id") for name in ("ended_by", "knocker", "victim"))
    return (
        pl.when((pl.col("outcome") != "killed").fill_null(True))
        .then(None)
        .when(pl.col("ended_by_account_id") == pl.col("knocker_account_id"))
        .then(pl.lit("knocker"))
        .when(finisher == victim)
        .then(pl.lit("victims_team"))
        .when(finisher == knocker)
        .then(pl.lit("knockers_team"))
        .when(finisher.is_not_null() & knocker.is_not_null() & victim.is_not_null())
        .then(pl.lit("other_team"))
    )


def _placed(knocks: pl.LazyFrame, damage_events: pl.LazyFrame) -> pl.LazyFrame:
    """Returns knocks with the places of both people, from the damage that knocked."""
    places = [f"{who}_{axis}_m" for who in ("knocker", "victim") for axis in "xy"]
    blows = (
        damage_events.filter(pl.col("victim_x_m").is_not_null() & pl.col("victim_y_m").is_not_null())
        .sort("occurred_at", "event_index")
        .select(
            *_VICTIM,
            "occurred_at",
            pl.col("attacker_account_id").fill_null("").alias("by"),
            *(pl.col(name.replace("knocker", "attacker")).alias(name) for name in places),
        )
    )
    return (
        knocks.with_columns(pl.col("knocker_account_id").fill_null("").alias("by"))
        .sort("occurred_at", "event_index")
        .join_asof(blows, on="occurred_at", by=[*_VICTIM, "by"], tolerance=BLOW_BEFORE_KNOCK, check_sortedness=False)
    )


def finishing_summaries(knock_events: dy.LazyFrame[t.KnockEvents]) -> dy.LazyFrame[t.FinishingSummaries]:
    """Returns the outcomes of each person's knocks of enemies, and whose knocks of enemies they finished."""
    of_enemies = knock_events.filter(
        pl.col("knocker_account_id").is_not_null() & ~pl.col("is_self_knock") & ~pl.col("is_team_knock")
    )
    person = [*MATCH, "account_id"]
    made = of_enemies.filter(~pl.col("knocker_is_bot").fill_null(False)).rename(
        {"knocker_account_id": "account_id", "knocker_name": "player_name", "knocker_team_id": "team_id"}
    )
    finished = of_enemies.filter(
        pl.col("finished_by").is_in(["knockers_team", "other_team"]) & ~pl.col("ended_by_is_bot").fill_null(False)
    ).rename({"ended_by_account_id": "account_id", "ended_by_name": "player_name", "ended_by_team_id": "team_id"})
    named = (
        pl.concat([frame.select(*person, "player_name", "team_id") for frame in (made, finished)])
        .group_by(person)
        .agg(pl.col("player_name", "team_id").max())
        .with_columns(pl.col("player_name").fill_null(pl.col("account_id")))
    )
    by_outcome = {
        "knocks_bled_out": "bled_out",
        "knocks_team_wiped": "team_wiped",
        "knocks_taken_by_hazard": "hazard",
        "knocks_revived": "revived",
        "knocks_without_outcome": "none",
    }
    distance, finisher = pl.col("distance_m"), pl.col("finished_by")
    own, time = finisher == "knocker", pl.col("time_to_outcome_s")
    counts = {
        "headshot_knocks": pl.col("damage_reason") == "HeadShot",
        "knocks_finished_by_self": own,
        "knocks_finished_by_team": finisher == "knockers_team",
        "knocks_stolen": finisher == "other_team",
        "knocks_finished_otherwise": (pl.col("outcome") == "killed")
        & (finisher.is_null() | (finisher == "victims_team")),
        **{name: pl.col("outcome") == outcome for name, outcome in by_outcome.items()},
        **{name: (distance >= low) & (distance < high) for name, low, high in DISTANCE_BANDS},
        "knocks_at_unknown_distance": distance.is_null(),
    }
    ordered = ("occurred_at", "event_index")
    knocked = (
        made.sort(ordered)
        .group_by(person, maintain_order=True)
        .agg(
            pl.len().alias("knocks"),
            *(condition.sum().alias(name) for name, condition in counts.items()),
            _mean(time.filter(finisher.is_in(["knocker", "knockers_team"]))).alias("avg_time_to_finish_s"),
            _mean(time.filter(own)).alias("avg_time_to_own_finish_s"),
            _mean(distance).alias("avg_knock_distance_m"),
            distance.max().alias("max_knock_distance_m"),
        )
    )
    finishes = finished.group_by(person).agg(
        (finisher == "knockers_team").sum().alias("team_mates_knocks_finished"),
        (finisher == "other_team").sum().alias("other_teams_knocks_finished"),
    )
    totals = ("knocks", *counts, "team_mates_knocks_finished", "other_teams_knocks_finished")
    return t.FinishingSummaries.cast(
        named.join(knocked, on=person, how="left")
        .join(finishes, on=person, how="left")
        .with_columns(pl.col(totals).fill_null(0).cast(pl.Int32))
    )


def _mean(numbers: pl.Expr) -> pl.Expr:
    """Returns the mean to the sixth digit, independent of the order of rows; null without rows."""
    return in_unit(MILLION, whole_mean((numbers * MILLION).round().cast(pl.Int64)))


def whole_mean(numbers: pl.Expr) -> pl.Expr:
    """Returns the mean of whole numbers, independent of the order of rows; null without rows."""
    return pl.when(numbers.count() > 0).then(numbers.sum() / numbers.count())


def in_unit(unit: int, numbers: pl.Expr) -> pl.Expr:
    """Returns numbers in a larger unit, to the sixth digit.

    Polars' division by a constant may differ in the last bit between one row and many; rounding makes them equal.
    """
    return (numbers / unit).round(6)
