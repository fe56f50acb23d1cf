"""Checks of knocks, their summaries and fights against kills and damage.

All of them are blocking: a failure means that rows were lost, duplicated or contradictory.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows, only_in_one, unequal
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.fights.fights import WINDOW_S
from gamestats_assets.pubg.fights.knocks import DISTANCE_BANDS
from gamestats_assets.pubg.matches.matches import MATCH

HIT_POINTS = 0.01
"""Tolerance of a sum of damage, because the same numbers are added in another order."""
PERSON = [*MATCH, "account_id"]
EVENT = [*MATCH, "event_index"]
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
"""Outcomes of knocks: the columns of finishing summaries that add up to all knocks."""
BANDS = [*(name for name, _, _ in DISTANCE_BANDS), "knocks_at_unknown_distance"]
IS_KILL = pl.col("event_kind") == "kill"
OF_ENEMY = ~pl.col("is_suicide") & ~pl.col("is_team_kill")


@breaking_rows(of=t.KnockEvents)
def every_knock_has_one_row(
    knock_events: dy.LazyFrame[t.KnockEvents], weapon_kills: dy.LazyFrame[t.WeaponKills]
) -> pl.LazyFrame:
    """Every knock of weapon_kills has exactly one row with the same two people, and there are no other rows."""
    landed = weapon_kills.filter(~IS_KILL).with_columns(knocker_account_id="killer_account_id")
    key = [*EVENT, "knocker_account_id", "victim_account_id"]
    return only_in_one(landed, knock_events, key, left_alone="has no row", right_alone="is no knock")


@breaking_rows(of=t.KnockEvents)
def an_event_ends_one_knock(knock_events: dy.LazyFrame[t.KnockEvents]) -> pl.LazyFrame:
    """A revive or a death ends at most one knock, and every outcome except none has its event."""
    end = pl.col("ended_event_index")
    twice = end.is_not_null() & (pl.len().over("match_id", "ended_event_index") > 1)
    odd = knock_events.filter(twice | ((pl.col("outcome") == "none") != end.is_null()))
    return odd.select(*EVENT, "victim_account_id", "outcome", "ended_event_index")


@breaking_rows(of=t.KnockEvents)
def deaths_of_knocks_are_deaths(
    knock_events: dy.LazyFrame[t.KnockEvents], weapon_kills: dy.LazyFrame[t.WeaponKills]
) -> pl.LazyFrame:
    """A knock that ends in death ends with a death of its victim in weapon_kills."""
    deaths = weapon_kills.filter(IS_KILL).select(*MATCH, "victim_account_id", ended_event_index="event_index")
    died = knock_events.filter(~pl.col("outcome").is_in(["revived", "none"]))
    lost = died.join(deaths, on=[*MATCH, "victim_account_id", "ended_event_index"], how="anti")
    return lost.select(*EVENT, "victim_account_id", "outcome", "ended_event_index")


@breaking_rows(of=t.KnockEvents)
def stolen_kills_end_knocks(
    knock_events: dy.LazyFrame[t.KnockEvents], weapon_kills: dy.LazyFrame[t.WeaponKills]
) -> pl.LazyFrame:
    """Every stolen kill of weapon_kills ends a knock with outcome killed, whose finish is stolen there too."""
    flags = ["is_killsteal", "is_finish_stolen"]
    key = [*EVENT, *flags]
    stolen = knock_events.filter(pl.any_horizontal(flags))
    ends = stolen.filter(pl.col("outcome") == "killed").with_columns(event_index="ended_event_index")
    kills = weapon_kills.filter(pl.any_horizontal(flags))
    odd = stolen.filter(pl.col("outcome") != "killed").select(*key, problem=pl.lit("was not finished"))
    return pl.concat([only_in_one(kills, ends, key, left_alone="ends no knock", right_alone="is not stolen"), odd])


@breaking_rows(of=t.FinishingSummaries)
def finishing_totals_are_knocks(
    summaries: dy.LazyFrame[t.FinishingSummaries], weapon_kills: dy.LazyFrame[t.WeaponKills]
) -> pl.LazyFrame:
    """A person's knocks equal those of weapon_kills; outcomes and distances add up to them."""
    made = (
        weapon_kills.filter(~IS_KILL & ~pl.col("killer_is_bot") & OF_ENEMY)
        .group_by(*MATCH, account_id="killer_account_id")
        .agg(knocks_made=pl.len())
    )
    totals = summaries.select(
        *PERSON, "knocks", by_outcome=pl.sum_horizontal(PARTS), by_distance=pl.sum_horizontal(BANDS)
    )
    figures = [("knocks", "knocks_made"), ("by_outcome", "knocks_made"), ("by_distance", "knocks_made")]
    return unequal(totals, made, PERSON, figures)


@breaking_rows(of=t.FinishingSummaries)
def finishes_are_told_on_both_sides(
    summaries: dy.LazyFrame[t.FinishingSummaries], knock_events: dy.LazyFrame[t.KnockEvents]
) -> pl.LazyFrame:
    """The knocks of others that people of a match finished equal the knocks that others finished, except for bots."""
    columns = {"team_mates_knocks_finished": "knockers_team", "other_teams_knocks_finished": "other_team"}
    of_enemies = pl.col("knocker_account_id").is_not_null() & ~pl.col("is_self_knock") & ~pl.col("is_team_knock")
    events = (
        knock_events.filter(of_enemies & ~pl.col("ended_by_is_bot").fill_null(False))
        .group_by(MATCH)
        .agg(**{name: (pl.col("finished_by") == finisher).sum() for name, finisher in columns.items()})
    )
    return unequal(summaries.group_by(MATCH).agg(pl.col(*columns).sum()), events, MATCH, [*columns])


@breaking_rows(of=t.TeamFights)
def casualties_of_fights_fell(
    fights: dy.LazyFrame[t.TeamFights], weapon_kills: dy.LazyFrame[t.WeaponKills]
) -> pl.LazyFrame:
    """A fight has no more knocks, kills and casualties than weapon_kills has between its teams while it was open."""
    last = pl.col("ended_at") + pl.when(IS_KILL).then(pl.duration(seconds=WINDOW_S)).otherwise(pl.duration())
    felled = (
        fights.select(*FIGHT, "started_at", "ended_at", "team_ids")
        .join(weapon_kills.filter(OF_ENEMY & ~pl.col("killer_is_bot").fill_null(True)), on=MATCH)
        .filter(
            pl.col("occurred_at").is_between(pl.col("started_at"), last),
            *(pl.col("team_ids").list.contains(pl.col(f"{who}_team_id")) for who in ("killer", "victim")),
        )
        .group_by(FIGHT)
        .agg(
            possible_knocks=(~IS_KILL).sum(),
            possible_kills=IS_KILL.sum(),
            possible_casualties=pl.col("victim_account_id").n_unique(),
        )
    )
    names = ("knocks", "kills", "casualties")
    return (
        fights.select(*FIGHT, *names)
        .join(felled, on=FIGHT, how="left")
        .filter(pl.any_horizontal(pl.col(name) > pl.col(f"possible_{name}").fill_null(0) for name in names))
    )


@breaking_rows(of=t.FightParticipants)
def fights_are_the_sum_of_their_participants(
    fights: dy.LazyFrame[t.TeamFights], participants: dy.LazyFrame[t.FightParticipants]
) -> pl.LazyFrame:
    """People, damage, knocks and kills of a fight equal those of its participants; bots take damage and have no
    rows."""
    whole = fights.select(
        *FIGHT,
        "participants",
        "knocks",
        "kills",
        damage_dealt="damage",
        damage_taken=pl.col("damage") - pl.col("damage_to_bots"),
    )
    figures = ["damage_dealt", "damage_taken", "knocks", "kills"]
    parts = participants.group_by(FIGHT).agg(pl.col(figures).sum(), participants=pl.len())
    return unequal(whole, parts, FIGHT, ["participants", *figures], within=1e-5)


@breaking_rows(of=t.FightParticipants)
def nobody_fights_more_than_they_did(
    participants: dy.LazyFrame[t.FightParticipants],
    damage_events: dy.LazyFrame[t.DamageEvents],
    weapon_kills: dy.LazyFrame[t.WeaponKills],
) -> pl.LazyFrame:
    """Over all fights, a person's damage to standing enemies, knocks and kills do not exceed those of the match."""
    names = ["damage_dealt", "knocks", "kills"]
    dealt = damage_events.filter(pl.col("is_given") & ~pl.col("victim_was_down") & (pl.col("damage") > 0)).select(
        *MATCH, account_id="attacker_account_id", damage_dealt="damage"
    )
    done = weapon_kills.filter(OF_ENEMY).select(*MATCH, account_id="killer_account_id", knocks=~IS_KILL, kills=IS_KILL)
    everything = pl.concat([dealt, done], how="diagonal").group_by(PERSON).agg(pl.col(names).sum().name.prefix("all_"))
    return (
        participants.group_by(PERSON)
        .agg(pl.col(names).sum())
        .join(everything, on=PERSON, how="left")
        .filter(pl.any_horizontal(pl.col(name) > pl.col(f"all_{name}").fill_null(0) + HIT_POINTS for name in names))
    )


@breaking_rows(of=t.FightParticipants)
def participants_are_of_their_fight(
    participants: dy.LazyFrame[t.FightParticipants], fights: dy.LazyFrame[t.TeamFights]
) -> pl.LazyFrame:
    """A participant's team takes part in the fight; it is a third party unless it is one of the first two, and it won
    if it is the winner."""
    of_fight = ("team_ids", "first_team_ids", "winner_team_id")
    own = pl.col("team_id")
    sound = (
        pl.col("team_ids").list.contains(own)
        & (pl.col("is_third_party") != pl.col("first_team_ids").list.contains(own))
        & pl.col("won").eq_missing(own == pl.col("winner_team_id"))
        & (pl.col("joined_at_s") <= pl.col("duration_s"))
    )
    return (
        participants.join(fights.select(*FIGHT, *of_fight, "duration_s"), on=FIGHT, how="left")
        .filter(~sound.fill_null(False))
        .select(*FIGHT, "account_id", "team_id", "is_third_party", "won", *of_fight)
    )


ALL: tuple[Check, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Check))
"""Every check of knocks and fights, in the order of this module."""
