"""What knocks, their summaries and fights must keep together with kills and damage.

All of them block: each says that rows were lost, doubled or disagree.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.pubg.fights.fights import WINDOW_S
from gamestats_assets.pubg.fights.knocks import DISTANCE_BANDS
from gamestats_assets.pubg.fights.tables import FightParticipants, FinishingSummaries, KnockEvents, TeamFights
from gamestats_assets.pubg.matches.matches import MATCH
from gamestats_assets.pubg.matches.tables import DamageEvents, WeaponKills

HIT_POINTS = 0.01
"""Tolerance of a sum of damage: the sums are of the same numbers in another order."""
PERSON = [*MATCH, "account_id"]
FIGHT = [*MATCH, "fight_number"]
PARTS = [
    "knocks_finished_by_self",
    "knocks_finished_by_team",
    "knocks_stolen",
    "knocks_finished_otherwise",
    "knocks_bled_out",
    "knocks_team_wiped",
    "knocks_taken_by_hazard",
    "knocks_revived",
    "knocks_without_outcome",
]
"""What becomes of knocks: the columns of finishing summaries that add up to all knocks."""
BANDS = [*(name for name, _, _ in DISTANCE_BANDS), "knocks_at_unknown_distance"]


@breaking_rows(of=KnockEvents)
def every_knock_has_one_row(
    knock_events: dy.LazyFrame[KnockEvents], weapon_kills: dy.LazyFrame[WeaponKills]
) -> pl.LazyFrame:
    """Every knock of weapon_kills has a row with the same two people, and nothing else has one."""
    key = [*MATCH, "event_index", "knocker_account_id", "victim_account_id"]
    landed = weapon_kills.filter(pl.col("event_kind") == "knock").with_columns(
        pl.col("killer_account_id").alias("knocker_account_id")
    )
    both = {"on": key, "how": "anti", "nulls_equal": True}
    return pl.concat(
        [
            landed.join(knock_events, **both).select(*key, problem=pl.lit("has no row")),
            knock_events.join(landed, **both).select(*key, problem=pl.lit("is no knock")),
        ]
    )


@breaking_rows(of=KnockEvents)
def an_event_ends_one_knock(knock_events: dy.LazyFrame[KnockEvents]) -> pl.LazyFrame:
    """A revive or a death ends one knock, and every outcome but none has its event."""
    end = pl.col("ended_event_index")
    twice = end.is_not_null() & (pl.len().over("match_id", "ended_event_index") > 1)
    return knock_events.filter(twice | ((pl.col("outcome") == "none") != end.is_null())).select(
        *MATCH, "event_index", "victim_account_id", "outcome", "ended_event_index"
    )


@breaking_rows(of=KnockEvents)
def deaths_of_knocks_are_deaths(
    knock_events: dy.LazyFrame[KnockEvents], weapon_kills: dy.LazyFrame[WeaponKills]
) -> pl.LazyFrame:
    """A knock that ends in death ends with a death of its victim in weapon_kills."""
    deaths = weapon_kills.filter(pl.col("event_kind") == "kill").select(
        *MATCH, "victim_account_id", pl.col("event_index").alias("ended_event_index")
    )
    died = knock_events.filter(~pl.col("outcome").is_in(["revived", "none"]))
    return died.join(deaths, on=[*MATCH, "victim_account_id", "ended_event_index"], how="anti").select(
        *MATCH, "event_index", "victim_account_id", "outcome", "ended_event_index"
    )


@breaking_rows(of=KnockEvents)
def stolen_kills_end_knocks(
    knock_events: dy.LazyFrame[KnockEvents], weapon_kills: dy.LazyFrame[WeaponKills]
) -> pl.LazyFrame:
    """Every stolen kill of weapon_kills is the end of one knock that somebody finished, and stolen there too."""
    flags = ["is_killsteal", "is_finish_stolen"]
    stolen = pl.any_horizontal(flags)
    kills = weapon_kills.filter(stolen).select(*MATCH, "event_index", *flags)
    knocks = knock_events.filter(stolen & (pl.col("outcome") == "killed")).select(
        *MATCH, pl.col("ended_event_index").alias("event_index"), *flags
    )
    odd = knock_events.filter(stolen & (pl.col("outcome") != "killed")).select(*MATCH, "event_index", *flags)
    key = [*MATCH, "event_index", *flags]
    return pl.concat([kills.join(knocks, on=key, how="anti"), knocks.join(kills, on=key, how="anti"), odd])


@breaking_rows(of=FinishingSummaries)
def finishing_totals_are_knocks(
    summaries: dy.LazyFrame[FinishingSummaries], weapon_kills: dy.LazyFrame[WeaponKills]
) -> pl.LazyFrame:
    """A person's knocks are those of weapon_kills; what became of them, and their distances, add up to them."""
    made = (
        weapon_kills.filter(
            (pl.col("event_kind") == "knock")
            & ~pl.col("killer_is_bot")
            & ~pl.col("is_suicide")
            & ~pl.col("is_team_kill")
        )
        .group_by(*MATCH, pl.col("killer_account_id").alias("account_id"))
        .agg(pl.len().cast(pl.Int32).alias("knocks_made"))
    )
    totals = summaries.select(
        *PERSON, "knocks", pl.sum_horizontal(PARTS).alias("by_outcome"), pl.sum_horizontal(BANDS).alias("by_distance")
    )
    whole = pl.col("knocks").fill_null(0)
    return (
        totals.join(made, on=PERSON, how="full", coalesce=True)
        .with_columns(pl.col("knocks_made").fill_null(0))
        .filter(
            (whole != pl.col("knocks_made"))
            | (whole != pl.col("by_outcome")).fill_null(False)
            | (whole != pl.col("by_distance")).fill_null(False)
        )
    )


@breaking_rows(of=FinishingSummaries)
def finishes_are_told_on_both_sides(
    summaries: dy.LazyFrame[FinishingSummaries], knock_events: dy.LazyFrame[KnockEvents]
) -> pl.LazyFrame:
    """The knocks of others that people of a match finished are the knocks that others finished, bots aside."""
    of_enemies = (
        pl.col("knocker_account_id").is_not_null() & ~pl.col("is_self_knock") & ~pl.col("is_team_knock")
    ) & ~pl.col("ended_by_is_bot").fill_null(False)
    columns = {"knockers_team": "team_mates_knocks_finished", "other_team": "other_teams_knocks_finished"}
    events = (
        knock_events.filter(of_enemies)
        .group_by(MATCH)
        .agg((pl.col("finished_by") == key).sum().cast(pl.Int32).alias(f"events_{key}") for key in columns)
    )
    totals = summaries.group_by(MATCH).agg(pl.col(list(columns.values())).sum().cast(pl.Int32))
    both = totals.join(events, on=MATCH, how="full", coalesce=True).with_columns(pl.col(pl.Int32).fill_null(0))
    return both.filter(pl.any_horizontal(pl.col(name) != pl.col(f"events_{key}") for key, name in columns.items()))


@breaking_rows(of=TeamFights)
def casualties_of_fights_fell(
    fights: dy.LazyFrame[TeamFights], weapon_kills: dy.LazyFrame[WeaponKills]
) -> pl.LazyFrame:
    """A fight has no more knocks, kills and casualties than weapon_kills has between its teams while it was open."""
    open_until = pl.col("ended_at") + pl.duration(seconds=WINDOW_S)
    last = pl.when(pl.col("event_kind") == "knock").then("ended_at").otherwise(open_until)
    felled = (
        fights.select(*FIGHT, "started_at", "ended_at", "team_ids")
        .join(
            weapon_kills.filter(
                ~pl.col("is_suicide") & ~pl.col("is_team_kill") & ~pl.col("killer_is_bot").fill_null(True)
            ),
            on=MATCH,
        )
        .filter(
            pl.col("occurred_at").is_between(pl.col("started_at"), last)
            & pl.col("team_ids").list.contains(pl.col("killer_team_id"))
            & pl.col("team_ids").list.contains(pl.col("victim_team_id"))
        )
        .group_by(FIGHT)
        .agg(
            (pl.col("event_kind") == "knock").sum().alias("possible_knocks"),
            (pl.col("event_kind") == "kill").sum().alias("possible_kills"),
            pl.col("victim_account_id").n_unique().alias("possible_casualties"),
        )
    )
    names = ("knocks", "kills", "casualties")
    return (
        fights.select(*FIGHT, *names)
        .join(felled, on=FIGHT, how="left")
        .filter(pl.any_horizontal(pl.col(name) > pl.col(f"possible_{name}").fill_null(0) for name in names))
    )


@breaking_rows(of=FightParticipants)
def fights_are_the_sum_of_their_participants(
    fights: dy.LazyFrame[TeamFights], participants: dy.LazyFrame[FightParticipants]
) -> pl.LazyFrame:
    """People, damage, knocks and kills of a fight are those of its participants; bots take damage and have no rows."""
    sums = participants.group_by(FIGHT).agg(
        pl.len().alias("people"),
        pl.col("damage_dealt").sum(),
        pl.col("damage_taken").sum(),
        pl.col("knocks").sum().alias("their_knocks"),
        pl.col("kills").sum().alias("their_kills"),
    )
    taken = pl.col("damage") - pl.col("damage_to_bots")
    agree = (
        (pl.col("participants") == pl.col("people"))
        & ((pl.col("damage") - pl.col("damage_dealt")).abs() <= HIT_POINTS)
        & ((taken - pl.col("damage_taken")).abs() <= HIT_POINTS)
        & (pl.col("knocks") == pl.col("their_knocks"))
        & (pl.col("kills") == pl.col("their_kills"))
    )
    return (
        fights.select(*FIGHT, "participants", "damage", "damage_to_bots", "knocks", "kills")
        .join(sums, on=FIGHT, how="full", coalesce=True)
        .filter(~agree.fill_null(False))
    )


@breaking_rows(of=FightParticipants)
def nobody_fights_more_than_they_did(
    participants: dy.LazyFrame[FightParticipants],
    damage_events: dy.LazyFrame[DamageEvents],
    weapon_kills: dy.LazyFrame[WeaponKills],
) -> pl.LazyFrame:
    """Over all fights, a person's damage to standing enemies, knocks and kills are within those of the match."""
    dealt = damage_events.filter(pl.col("is_given") & ~pl.col("victim_was_down") & (pl.col("damage") > 0)).select(
        *MATCH, pl.col("attacker_account_id").alias("account_id"), all_damage="damage"
    )
    done = weapon_kills.filter(~pl.col("is_suicide") & ~pl.col("is_team_kill")).select(
        *MATCH,
        pl.col("killer_account_id").alias("account_id"),
        (pl.col("event_kind") == "knock").cast(pl.Int32).alias("all_knocks"),
        (pl.col("event_kind") == "kill").cast(pl.Int32).alias("all_kills"),
    )
    everything = (
        pl.concat([dealt, done], how="diagonal")
        .group_by(PERSON)
        .agg(pl.col("all_damage", "all_knocks", "all_kills").sum())
    )
    return (
        participants.group_by(PERSON)
        .agg(pl.col("damage_dealt", "knocks", "kills").sum())
        .join(everything, on=PERSON, how="left")
        .with_columns(pl.col("all_damage", "all_knocks", "all_kills").fill_null(0))
        .filter(
            (pl.col("damage_dealt") > pl.col("all_damage") + HIT_POINTS)
            | (pl.col("knocks") > pl.col("all_knocks"))
            | (pl.col("kills") > pl.col("all_kills"))
        )
    )


@breaking_rows(of=FightParticipants)
def participants_are_of_their_fight(
    participants: dy.LazyFrame[FightParticipants], fights: dy.LazyFrame[TeamFights]
) -> pl.LazyFrame:
    """A participant's team is one of the fight's, a third party if not one of the first two, and won if it is named."""
    joined = participants.join(
        fights.select(*FIGHT, "team_ids", "first_team_ids", "winner_team_id", "duration_s"), on=FIGHT, how="left"
    )
    own = pl.col("team_id")
    sound = (
        pl.col("team_ids").list.contains(own)
        & (pl.col("is_third_party") != pl.col("first_team_ids").list.contains(own))
        & pl.col("won").eq_missing(own == pl.col("winner_team_id"))
        & (pl.col("joined_at_s") <= pl.col("duration_s"))
    )
    return joined.filter(~sound.fill_null(False)).select(
        *FIGHT, "account_id", "team_id", "is_third_party", "won", "winner_team_id", "team_ids", "first_team_ids"
    )


ALL: tuple[Check, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Check))
"""Every check of knocks and fights, in the order of this module."""
