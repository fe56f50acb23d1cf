"""Each person's result in a match, from the match object and the telemetry.

The match object's statistics come from the game and take precedence. People without a match object get those statistics
that telemetry contains. Columns from telemetry are zero for a person who did nothing, and null without telemetry.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.sums import exact_mean, exact_sum
from gamestats_assets.pubg import reference
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.kills import distinct_kills, distinct_revives, lives
from gamestats_assets.pubg.matches.matches import account, participation, seconds_since

BLUE_ZONE = "Damage_BlueZone"
BLUE_ZONE_TICK_S = 1.03
"""Seconds between two ticks of damage by the blue zone."""

PERSON = ["match_id", "account_id"]
_STATISTICS = (
    *(
        name
        for name in t.MatchSummaries.column_names()
        if name in t.RawParticipants.column_names() and name not in PERSON
    ),
    "placement",
)
_TOLD_BY_TELEMETRY = (
    "placement",
    "won",
    "kills",
    "assists",
    "dbnos",
    "headshot_kills",
    "team_kills",
    "damage_dealt",
    "revives",
    "longest_kill_m",
    "time_survived_s",
)
"""Statistics of the match object that can be computed from telemetry instead."""
_COUNTS = ("kills", "assists", "dbnos", "headshot_kills", "team_kills", "revives")
_ADDED_COUNTS = ("killsteals", "finishes_stolen", "heals_used", "boosts_used", "throwables_used", "smokes_thrown")
_ADDED_SUMS = ("throwable_damage", "damage_received", "damage_received_from_players", "time_outside_zone_seconds")


def match_summaries(
    participants: dy.LazyFrame[t.RawParticipants],
    matches: dy.LazyFrame[t.MatchFacts],
    characters: dy.LazyFrame[t.TelemetryCharacters],
    kills: dy.LazyFrame[t.TelemetryKills],
    landings: dy.LazyFrame[t.TelemetryLandings],
    revives: dy.LazyFrame[t.TelemetryRevives],
    item_uses: dy.LazyFrame[t.TelemetryItemUses],
    attacks: dy.LazyFrame[t.TelemetryAttacks],
    weapon_kills: dy.LazyFrame[t.WeaponKills],
    damage_events: dy.LazyFrame[t.DamageEvents],
    circle_positions: dy.LazyFrame[t.CirclePositions],
) -> dy.LazyFrame[t.MatchSummaries]:
    """Returns one row per person and match: everyone in the match object or the telemetry's lists, without bots."""
    everybody = participation(participants, characters)
    # A match without a known start has no row among the matches, so its people have none here.
    people = everybody.filter(~pl.col("is_bot")).join(
        matches.select("match_id", "started_at", "ended_at", has_telemetry=pl.col("telemetry_status") == "processed"),
        on="match_id",
    )
    api = (
        # A member who left early has an individual place; the team's is its roster's rank, or else the best member's.
        participants.with_columns(
            placement=pl.coalesce("roster_rank", pl.col("win_place").min().over("match_id", "roster_id"))
        )
        .sort("time_survived_s", descending=True, nulls_last=True)
        .unique(PERSON, keep="first", maintain_order=True)
        .select(*PERSON, *(pl.col(name).alias(f"api_{name}") for name in _STATISTICS))
    )
    figures = [
        _placements(everybody, characters, kills, matches),
        _survival(kills, landings),
        _credited(weapon_kills),
        _assists(weapon_kills),
        _finishes(weapon_kills),
        _revives(revives),
        _given(damage_events),
        _received(damage_events),
        _items(item_uses),
        _throws(attacks),
        _zone(circle_positions),
    ]
    joined = people.join(api, on=PERSON, how="left")
    for frame in figures:
        joined = joined.join(frame, on=PERSON, how="left")
    has_telemetry = pl.col("has_telemetry")

    def with_telemetry(expression: pl.Expr) -> pl.Expr:
        return pl.when(has_telemetry).then(expression)

    survived = pl.coalesce(
        seconds_since("started_at", "out_at"),
        seconds_since("started_at", "ended_at"),
    ).clip(0)
    joined = joined.with_columns(
        time_survived_s=survived,
        won=pl.col("placement") == 1,
        **{name: pl.col(name).fill_null(0).cast(pl.Int32) for name in (*_COUNTS, *_ADDED_COUNTS)},
        **{name: pl.col(name).fill_null(0.0) for name in ("damage_dealt", "longest_kill_m", *_ADDED_SUMS)},
    )
    listed = pl.col("in_match_object")
    return t.MatchSummaries.cast(
        joined.with_columns(
            listed.alias("has_api_stats"),
            *(
                pl.when(listed)
                .then(f"api_{name}")
                .otherwise(with_telemetry(pl.col(name)) if name in _TOLD_BY_TELEMETRY else None)
                .alias(name)
                for name in _STATISTICS
                if name not in ("match_date", "player_name", "team_id")
            ),
            *(with_telemetry(pl.col(name)).alias(name) for name in (*_ADDED_COUNTS, *_ADDED_SUMS)),
        )
    )


def _placements(
    everybody: pl.LazyFrame, characters: pl.LazyFrame, kills: pl.LazyFrame, matches: pl.LazyFrame
) -> pl.LazyFrame:
    """Returns the placement of each person's team: the rank in the lists and deaths, and 1 for the only team never
    eliminated."""
    ranks = pl.concat(
        [
            characters.filter(pl.col("moment") == "end").select(*PERSON, "ranking"),
            kills.select("match_id", pl.col("victim_account_id").alias("account_id"), ranking="victim_ranking"),
        ]
    ).filter(pl.col("ranking") > 0)
    best = ranks.group_by(PERSON).agg(pl.col("ranking").min())
    team_rank = pl.col("ranking").min().over("match_id", "team")
    last_team = (
        pl.col("ended_at").is_not_null()
        & pl.col("team_rank").is_null()
        & (pl.col("team").filter(pl.col("team_rank").is_null()).n_unique().over("match_id") == 1)
    )
    return (
        everybody.filter(pl.col("team").is_not_null() & pl.col("in_telemetry"))
        .join(matches.select("match_id", "ended_at"), on="match_id", how="left")
        .join(best, on=PERSON, how="left")
        .with_columns(team_rank.alias("team_rank"))
        .select(
            *PERSON,
            pl.when(last_team).then(pl.lit(1)).otherwise("team_rank").cast(pl.Int16).alias("placement"),
        )
    )


def _survival(kills: pl.LazyFrame, landings: pl.LazyFrame) -> pl.LazyFrame:
    """Returns when each person was finally eliminated; null for survivors."""
    last = lives(distinct_kills(kills), landings).group_by("match_id", "account_id").last()
    return last.filter("is_out").select(*PERSON, pl.col("occurred_at").alias("out_at"))


def _credited(weapon_kills: pl.LazyFrame) -> pl.LazyFrame:
    """Returns kills and knocks by the credited person."""
    by_other = pl.col("killer_account_id").is_not_null() & ~pl.col("is_suicide")
    kill = (pl.col("event_kind") == "kill") & ~pl.col("is_team_kill")
    return (
        weapon_kills.filter(by_other)
        .group_by("match_id", pl.col("killer_account_id").alias("account_id"))
        .agg(
            kill.sum().alias("kills"),
            (kill & (pl.col("damage_reason") == "HeadShot")).sum().alias("headshot_kills"),
            ((pl.col("event_kind") == "kill") & pl.col("is_team_kill")).sum().alias("team_kills"),
            ((pl.col("event_kind") == "knock") & ~pl.col("is_team_kill")).sum().alias("dbnos"),
            pl.col("distance_m").filter(kill).max().alias("longest_kill_m"),
            pl.col("is_killsteal").sum().alias("killsteals"),
        )
    )


def _assists(weapon_kills: pl.LazyFrame) -> pl.LazyFrame:
    return (
        weapon_kills.select("match_id", pl.col("assist_account_ids").alias("account_id"))
        .explode("account_id")
        .drop_nulls()
        .group_by(PERSON)
        .agg(pl.len().alias("assists"))
    )


def _finishes(weapon_kills: pl.LazyFrame) -> pl.LazyFrame:
    return (
        weapon_kills.filter("is_finish_stolen")
        .group_by("match_id", pl.col("finisher_account_id").alias("account_id"))
        .agg(pl.len().alias("finishes_stolen"))
    )


def _revives(revives: pl.LazyFrame) -> pl.LazyFrame:
    return (
        distinct_revives(revives)
        .group_by("match_id", pl.col("reviver_account_id").alias("account_id"))
        .agg(pl.len().alias("revives"))
    )


def _given(damage_events: pl.LazyFrame) -> pl.LazyFrame:
    thrown = pl.col("weapon_category") == "Throwable"
    return (
        damage_events.filter("is_given")
        .group_by("match_id", pl.col("attacker_account_id").alias("account_id"))
        .agg(
            exact_sum(pl.col("damage")).alias("damage_dealt"),
            exact_sum(pl.col("damage").filter(thrown)).alias("throwable_damage"),
        )
    )


def _received(damage_events: pl.LazyFrame) -> pl.LazyFrame:
    by_people = pl.col("is_from_other_player") & ~pl.col("victim_was_down")
    ticks = pl.col("occurred_at").filter(pl.col("damage_type_category") == BLUE_ZONE).n_unique()
    return damage_events.group_by("match_id", pl.col("victim_account_id").alias("account_id")).agg(
        exact_sum(pl.col("damage")).alias("damage_received"),
        exact_sum(pl.col("damage").filter(by_people)).alias("damage_received_from_players"),
        (ticks * BLUE_ZONE_TICK_S).alias("time_outside_zone_seconds"),
    )


def _in_the_match() -> pl.Expr:
    """Events in the lobby before the start have phase 0."""
    return pl.col("phase").is_null() | (pl.col("phase") > 0)


def _items(item_uses: pl.LazyFrame) -> pl.LazyFrame:
    """Returns healing items and boosts used; a person cannot use an item twice at one instant."""
    return (
        item_uses.filter(pl.col("sub_category").is_in(["Heal", "Boost"]) & _in_the_match())
        .unique([*PERSON, "occurred_at", "item_id"])
        .group_by(PERSON)
        .agg(
            (pl.col("sub_category") == "Heal").sum().alias("heals_used"),
            (pl.col("sub_category") == "Boost").sum().alias("boosts_used"),
        )
    )


def _throws(attacks: pl.LazyFrame) -> pl.LazyFrame:
    """Returns tactical throwables and smokes thrown.

    A throw can appear in two event types. Matches with the newer type are counted by it alone, older ones by attacks
    with throwables.
    """
    used = pl.col("event_type") == "LogPlayerUseThrowable"
    throws = (
        attacks.filter(used | (pl.col("sub_category") == "Throwable"))
        .filter(used | ~used.any().over("match_id"))
        .filter(_in_the_match())
    )
    named = pl.col("attack_id").fill_null(-1) >= 0
    return (
        throws.with_columns(
            account("account_id"),
            pl.when(named).then("attack_id").alias("throw_id"),
            pl.when(~named).then("occurred_at").alias("throw_at"),
        )
        .unique([*PERSON, "throw_id", "throw_at"])
        .group_by(PERSON)
        .agg(
            reference.is_tactical(pl.col("item_id")).sum().alias("throwables_used"),
            reference.is_smoke(pl.col("item_id")).sum().alias("smokes_thrown"),
        )
    )


def _zone(circle_positions: pl.LazyFrame) -> pl.LazyFrame:
    center, edge = pl.col("distance_from_blue_center_m"), pl.col("distance_from_blue_edge_m")
    return circle_positions.group_by(PERSON).agg(
        exact_mean(center).alias("avg_distance_from_center"),
        exact_mean(edge).alias("avg_distance_from_edge"),
        center.max().alias("max_distance_from_center"),
        edge.min().alias("min_distance_from_edge"),
    )
