"""Gold: knocks and their outcomes, and the fights of teams. All of it is published."""

from __future__ import annotations

from typing import Any

import dataframely as dy

from gamestats_assets.pubg.matches.rows import GOLD, MatchRow, TelemetryEvent, person, utc

OUTCOMES = ("killed", "bled_out", "team_wiped", "hazard", "revived", "none")
FINISHERS = ("knocker", "knockers_team", "other_team", "victims_team")
RULES = ("two_casualties", "resisted_death", "mutual_damage", "contested_knock")


class KnockEvents(
    TelemetryEvent,
    key="pubg/knock_events",
    indexes=(("knocker_account_id", "match_date"), ("victim_account_id", "match_date")),
    reconciled=("distance_m", "time_to_outcome_s"),
    **GOLD,
):
    """Every knock with its outcome: one row per knock, bots included."""

    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    dbno_id = dy.Int64(nullable=True, description="Id of the knock; null if the file has none.")
    vars().update(person("knocker", "Account of the knocker; null for the environment."))
    knocker_is_bot = dy.Bool(nullable=True, description="Whether the knocker is a bot; null for the environment.")
    knocker_x_m = dy.Float64(nullable=True, description="Place of the knocker, metres from the left edge of the map.")
    knocker_y_m = dy.Float64(nullable=True, description="Place of the knocker, metres from the top edge of the map.")
    vars().update(person("victim", "Account of the victim.", "is_bot", nullable=False))
    victim_x_m = dy.Float64(nullable=True, description="Place of the victim, metres from the left edge of the map.")
    victim_y_m = dy.Float64(nullable=True, description="Place of the victim, metres from the top edge of the map.")
    weapon_id = dy.String(nullable=True, description="damageCauserName.")
    weapon_name = dy.String(nullable=True, description="Weapon name; null for an id the catalogue lacks.")
    weapon_category = dy.String(description="One of the 13 weapon categories.")
    damage_type_category = dy.String(nullable=True, description="Damage type.")
    damage_reason = dy.String(nullable=True, description="Part hit.")
    distance_m = dy.Float64(nullable=True, min=0, description="Distance of the knock, in metres; null when unknown.")
    is_self_knock = dy.Bool(description="Whether the victim knocked themselves.")
    is_team_knock = dy.Bool(description="Whether a teammate knocked the victim.")
    outcome = dy.String(
        check=lambda column: column.is_in(OUTCOMES),
        description="killed (finished by a blow), bled_out, team_wiped (fell with the last teammate), hazard (taken "
        "by a zone, another hazard or themselves), revived, or none (unknown end).",
    )
    ended_at = utc("When the knock ended: death or revive; null without an outcome.", nullable=True)
    ended_event_index = dy.Int32(nullable=True, min=0, description="Event that ended the knock; null without one.")
    time_to_outcome_s = dy.Float64(nullable=True, min=0, description="Seconds from the knock to its end.")
    ended_by_account_id = dy.String(
        nullable=True, description="Account of who finished or revived the victim; null for the other outcomes."
    )
    ended_by_name = dy.String(nullable=True, description="Name of who finished or revived.")
    ended_by_team_id = dy.Int32(nullable=True, description="Team of who finished or revived.")
    ended_by_is_bot = dy.Bool(nullable=True, description="Whether a bot finished or revived.")
    finished_by = dy.String(
        nullable=True,
        check=lambda column: column.is_in(FINISHERS),
        description="knocker, knockers_team (a mate of the knocker), other_team or victims_team (a mate of the "
        "victim); null unless killed, or if the teams are unknown.",
    )
    is_killsteal = dy.Bool(description="Whether the kill that ended the knock is a killsteal, as in weapon_kills.")
    is_finish_stolen = dy.Bool(description="Whether the finish is stolen, as in weapon_kills; teammates can steal too.")


class FinishingSummaries(
    MatchRow,
    key="pubg/finishing_summaries",
    indexes=(("account_id", "match_date"),),
    reconciled=("knocks", "knocks_finished_by_self", "knocks_stolen"),
    **GOLD,
):
    """Outcomes of a person's knocks in a match: one row per person who knocked or finished an enemy.

    Knocks of oneself and of teammates do not count; bots count as victims only. The columns from
    `knocks_finished_by_self` to `knocks_without_outcome` add up to `knocks`, and so do the bands of distance.
    """

    account_id = dy.String(primary_key=True, description="Account of the player.")
    player_name = dy.String(description="In-game name; the account if there is none.")
    team_id = dy.Int32(nullable=True, description="Team of the player.")
    knocks = dy.Int32(min=0, description="Enemies knocked.")
    headshot_knocks = dy.Int32(min=0, description="Knocks by a shot to the head.")
    knocks_finished_by_self = dy.Int32(min=0, description="Knocks finished by the player.")
    knocks_finished_by_team = dy.Int32(min=0, description="Knocks finished by a teammate.")
    knocks_stolen = dy.Int32(min=0, description="Knocks finished by a team other than the knocker's and the victim's.")
    knocks_finished_otherwise = dy.Int32(
        min=0, description="Knocks finished by a mate of the victim, or by a person of unknown team."
    )
    knocks_bled_out = dy.Int32(min=0, description="Knocks whose victim bled out.")
    knocks_team_wiped = dy.Int32(min=0, description="Knocks whose victim fell with the last standing teammate.")
    knocks_taken_by_hazard = dy.Int32(min=0, description="Knocks whose victim was taken by a zone or another hazard.")
    knocks_revived = dy.Int32(min=0, description="Knocks whose victim was revived.")
    knocks_without_outcome = dy.Int32(min=0, description="Knocks without a known end, as at the end of the match.")
    avg_time_to_finish_s = dy.Float64(
        nullable=True, min=0, description="Mean time from knock to finish by the player or a teammate, in seconds."
    )
    avg_time_to_own_finish_s = dy.Float64(
        nullable=True, min=0, description="Mean time from knock to finish by the player, in seconds."
    )
    avg_knock_distance_m = dy.Float64(nullable=True, min=0, description="Mean distance of the knocks, in metres.")
    max_knock_distance_m = dy.Float64(nullable=True, min=0, description="Distance of the longest knock, in metres.")
    knocks_under_10_m = dy.Int32(min=0, description="Knocks from less than 10 m.")
    knocks_10_to_50_m = dy.Int32(min=0, description="Knocks from 10 m to less than 50 m.")
    knocks_50_to_100_m = dy.Int32(min=0, description="Knocks from 50 m to less than 100 m.")
    knocks_100_to_200_m = dy.Int32(min=0, description="Knocks from 100 m to less than 200 m.")
    knocks_from_200_m = dy.Int32(min=0, description="Knocks from 200 m and more.")
    knocks_at_unknown_distance = dy.Int32(min=0, description="Knocks without a known distance.")
    team_mates_knocks_finished = dy.Int32(min=0, description="Enemies finished after a teammate had knocked them.")
    other_teams_knocks_finished = dy.Int32(min=0, description="Enemies finished after a third team had knocked them.")


class TeamFights(
    MatchRow,
    key="pubg/team_fights",
    indexes=(("started_at",),),
    reconciled=("damage", "knocks", "kills", "casualties"),
    **GOLD,
):
    """Fights between teams: one row per fight. Damage of bots and to knocked players does not count."""

    fight_number = dy.Int16(primary_key=True, min=1, description="Number of the fight in its match, by start.")
    started_at = utc("First exchange.")
    ended_at = utc("Last exchange.")
    elapsed_time_s = dy.Float64(nullable=True, description="Seconds from the start of the match to the first exchange.")
    duration_s = dy.Float64(min=0, max=240, description="Seconds from the first exchange to the last.")
    team_ids = dy.List(dy.Int32(), description="Teams that took part, in ascending order.")
    teams = dy.Int16(min=2, description="Number of teams that took part.")
    first_team_ids = dy.List(dy.Int32(), description="The two teams of the first exchange, in ascending order.")
    is_third_party = dy.Bool(description="Whether more teams than the first two took part.")
    participants = dy.Int16(min=1, description="People who took part; bots are not counted.")
    casualties = dy.Int32(min=0, description="Characters knocked or killed, each counted once, bots included.")
    knocks = dy.Int32(min=0, description="Knocks.")
    kills = dy.Int32(min=0, description="Kills, including deaths without a blow of characters knocked in the fight.")
    damage = dy.Float64(min=0, description="Damage exchanged, in hit points.")
    damage_to_bots = dy.Float64(min=0, description="Damage exchanged with a bot as the victim, in hit points.")
    rule = dy.String(
        check=lambda column: column.is_in(RULES),
        description="Rule that makes it a fight, the first that applies: two_casualties, resisted_death, "
        "mutual_damage or contested_knock.",
    )
    winner_team_id = dy.Int32(nullable=True, description="Team that won; null for a draw.")
    center_x_m = dy.Float64(nullable=True, description="Mean place of the exchanges, metres from the left edge.")
    center_y_m = dy.Float64(nullable=True, description="Mean place of the exchanges, metres from the top edge.")
    spread_m = dy.Float64(
        nullable=True, min=0, description="Root mean square distance of the exchanges from that place, in metres."
    )

    @dy.rule()
    def third_parties_are_teams_beyond_two(cls) -> Any:
        """The number of teams is that of the list, and more than two make a third party."""
        return (cls.teams.col == cls.team_ids.col.list.len()) & (cls.is_third_party.col == (cls.teams.col > 2))

    @dy.rule()
    def the_winner_took_part(cls) -> Any:
        """The winner is one of the teams."""
        return cls.team_ids.col.list.contains(cls.winner_team_id.col) | cls.winner_team_id.col.is_null()

    @dy.rule()
    def the_rule_fits_the_totals(cls) -> Any:
        """The totals of the fight satisfy its rule."""
        two, death, mutual, knock = (cls.rule.col == rule for rule in RULES)
        return (
            (two & (cls.casualties.col >= 2))
            | (death & (cls.kills.col >= 1))
            | (mutual & (cls.damage.col >= 150))
            | (knock & (cls.knocks.col >= 1) & (cls.damage.col >= 150))
        )


class FightParticipants(
    MatchRow,
    key="pubg/fight_participants",
    indexes=(("account_id", "match_date"),),
    reconciled=("damage_dealt", "damage_taken", "knocks", "kills"),
    **GOLD,
):
    """Each person's part in each fight: one row per fight and person. Bots have no rows."""

    fight_number = dy.Int16(primary_key=True, min=1, description="Number of the fight in its match.")
    account_id = dy.String(primary_key=True, description="Account of the player.")
    player_name = dy.String(description="In-game name; the account if there is none.")
    team_id = dy.Int32(description="Team of the player.")
    is_third_party = dy.Bool(description="Whether the team is not one of the two of the first exchange.")
    joined_at_s = dy.Float64(min=0, description="Seconds from the start of the fight to the player's first exchange.")
    damage_dealt = dy.Float64(min=0, description="Damage dealt to standing enemies in the fight, in hit points.")
    damage_taken = dy.Float64(min=0, description="Damage taken from enemies while standing in the fight, hit points.")
    knocks = dy.Int32(min=0, description="Enemies knocked.")
    kills = dy.Int32(min=0, description="Enemies killed.")
    was_knocked = dy.Bool(description="Whether the player was knocked by an enemy.")
    was_killed = dy.Bool(description="Whether the player was killed by an enemy.")
    won = dy.Bool(nullable=True, description="Whether the player's team won the fight; null for a draw.")
    mean_x_m = dy.Float64(nullable=True, description="Mean place of the player, metres from the left edge of the map.")
    mean_y_m = dy.Float64(nullable=True, description="Mean place of the player, metres from the top edge of the map.")
