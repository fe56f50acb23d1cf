"""Gold: what a match was and what each person did in it. All of it is published."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.pubg.tables.detail import MatchFacts
from gamestats_assets.pubg.tables.rows import DAILY, MatchRow, TelemetryEvent, utc


class Matches(
    MatchFacts,
    key="pubg/matches",
    subject="matches",
    layer="gold",
    published=True,
    indexes=(("started_at",), ("match_type", "game_mode"), ("season", "round_id")),
    reconciled=("players", "bots"),
    **DAILY,
):
    """One row per match: when, where, how many, what became of its telemetry, and what it counts for."""

    is_tournament_match = dy.Bool(description="Whether it counts as a tournament match.")
    validation_status = dy.String(
        nullable=True, description="As in match_tournament_context; null where nobody of a roster played."
    )
    season = dy.String(nullable=True, description="Short name of the season.")
    division = dy.String(nullable=True, description="Division.")
    group_name = dy.String(nullable=True, description="Group.")
    round_id = dy.Int64(nullable=True, description="Round.")
    scheduled_match_id = dy.Int64(nullable=True, description="Slot of the schedule.")
    match_number = dy.Int32(nullable=True, description="Number of the slot within its round.")
    team_count = dy.Int16(nullable=True, min=0, description="Tournament teams that played.")
    unmatched_player_count = dy.Int16(nullable=True, min=0, description="People on no roster who played.")
    is_overridden = dy.Bool(description="Whether an admin decided what it counts for.")
    override_reason = dy.String(nullable=True, description="The admin's reason; null without an override.")
    overridden_by = dy.String(nullable=True, description="The admin; null without an override.")


class MatchSummaries(
    MatchRow,
    key="pubg/match_summaries",
    subject="matches",
    layer="gold",
    published=True,
    indexes=(("account_id", "match_date"), ("player_name",)),
    reconciled=("kills", "damage_dealt", "damage_received"),
    **DAILY,
):
    """One person's result in one match: the API's statistics and what the telemetry adds.

    Without telemetry the columns it feeds are null; without a match object the statistics
    that telemetry can tell are taken from it and the rest is null. Bots have no rows.
    """

    account_id = dy.String(primary_key=True, min_length=1, description="Account of the player; the identity.")
    player_name = dy.String(description="In-game name, as last seen; it can change.")
    team_id = dy.Int32(nullable=True, description="Team number within the match.")
    has_api_stats = dy.Bool(description="Whether a match object fed this row; else its statistics are from telemetry.")
    has_telemetry = dy.Bool(description="Whether telemetry fed this row.")
    placement = dy.Int16(nullable=True, min=1, max=200, description="Placement of the team; 1 is the winner.")
    won = dy.Bool(nullable=True, description="Whether the team won.")
    kills = dy.Int32(nullable=True, min=0, description="Enemies killed.")
    assists = dy.Int32(nullable=True, min=0, description="Enemies hurt and killed by a team mate.")
    dbnos = dy.Int32(nullable=True, min=0, description="Enemies knocked.")
    headshot_kills = dy.Int32(nullable=True, min=0, description="Kills by a shot to the head.")
    kill_place = dy.Int16(nullable=True, description="Rank in the match by kills.")
    kill_streaks = dy.Int32(nullable=True, min=0, description="Kills in a row.")
    longest_kill_m = dy.Float64(nullable=True, description="Distance of the longest kill, in metres.")
    road_kills = dy.Int32(nullable=True, min=0, description="Kills by a vehicle.")
    team_kills = dy.Int32(nullable=True, min=0, description="Team mates killed.")
    damage_dealt = dy.Float64(nullable=True, description="Damage dealt, in hit points.")
    death_type = dy.String(nullable=True, description="How the player died, as the API says.")
    revives = dy.Int32(nullable=True, min=0, description="Team mates revived.")
    heals = dy.Int32(nullable=True, min=0, description="Healing items used, as the API counts them.")
    boosts = dy.Int32(nullable=True, min=0, description="Boost items used, as the API counts them.")
    time_survived_s = dy.Float64(nullable=True, min=0, description="Time survived, in seconds.")
    walk_distance_m = dy.Float64(nullable=True, description="Distance on foot, in metres.")
    ride_distance_m = dy.Float64(nullable=True, description="Distance in vehicles, in metres.")
    swim_distance_m = dy.Float64(nullable=True, description="Distance swum, in metres.")
    vehicle_destroys = dy.Int32(nullable=True, min=0, description="Vehicles destroyed.")
    weapons_acquired = dy.Int32(nullable=True, min=0, description="Weapons picked up.")
    killsteals = dy.Int32(
        nullable=True, min=0, description="Kills of enemies whom another team had knocked and nobody had revived."
    )
    finishes_stolen = dy.Int32(
        nullable=True, min=0, description="Last blows on enemies whom somebody else had knocked and nobody had revived."
    )
    heals_used = dy.Int32(nullable=True, min=0, description="Healing items used, from telemetry.")
    boosts_used = dy.Int32(nullable=True, min=0, description="Boost items used, from telemetry.")
    throwables_used = dy.Int32(nullable=True, min=0, description="Tactical throwables thrown, from telemetry.")
    smokes_thrown = dy.Int32(nullable=True, min=0, description="Smoke grenades thrown, from telemetry.")
    throwable_damage = dy.Float64(nullable=True, min=0, description="Damage given by throwables and their fire.")
    damage_received = dy.Float64(
        nullable=True, min=0, description="All net damage to health: zone, falls, while down too."
    )
    damage_received_from_players = dy.Float64(
        nullable=True, min=0, description="Net damage by other people while standing."
    )
    avg_distance_from_center = dy.Float64(
        nullable=True, min=0, description="Mean distance to the centre of the blue circle, in metres."
    )
    avg_distance_from_edge = dy.Float64(
        nullable=True, description="Mean distance to the edge of the blue circle, in metres; positive inside."
    )
    max_distance_from_center = dy.Float64(
        nullable=True, min=0, description="Largest distance to the centre of the blue circle, in metres."
    )
    min_distance_from_edge = dy.Float64(
        nullable=True, description="Smallest distance to the edge of the blue circle, in metres; negative outside."
    )
    time_outside_zone_seconds = dy.Float64(
        nullable=True, min=0, description="Time in the blue zone: its damage ticks times 1.03 s."
    )


class Landings(
    MatchRow,
    key="pubg/landings",
    subject="matches",
    layer="gold",
    published=True,
    indexes=(("account_id", "match_date"),),
    reconciled=("x_m", "y_m"),
    **DAILY,
):
    """Where and when each person came down by parachute."""

    account_id = dy.String(primary_key=True, description="Account of the player.")
    landing_number = dy.Int16(
        primary_key=True, min=1, description="1 for the first landing of the match, 2 after a return."
    )
    player_name = dy.String(description="In-game name.")
    team_id = dy.Int32(nullable=True, description="Team number within the match.")
    landed_at = utc("Time of the landing.")
    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    x_m = dy.Float64(description="Location, metres from the left edge of the map.")
    y_m = dy.Float64(description="Location, metres from the top edge of the map.")
    z_m = dy.Float64(nullable=True, description="Height, in metres.")
    parachute_distance_m = dy.Float64(nullable=True, description="Distance flown by parachute, in metres.")


class Circles(
    TelemetryEvent,
    key="pubg/circles",
    subject="matches",
    layer="gold",
    published=True,
    reconciled=("blue_radius_m",),
    **DAILY,
):
    """Both circles of a match, about every ten seconds, from the first zone on."""

    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    alive_teams = dy.Int16(nullable=True, description="Teams alive.")
    alive_players = dy.Int16(nullable=True, description="Players alive, bots included.")
    blue_x_m = dy.Float64(description="Centre of the current boundary, metres from the left edge of the map.")
    blue_y_m = dy.Float64(description="Centre of the current boundary, metres from the top edge of the map.")
    blue_radius_m = dy.Float64(min=0, description="Radius of the current boundary.")
    white_x_m = dy.Float64(nullable=True, description="Centre of the next circle; null before one is shown.")
    white_y_m = dy.Float64(nullable=True, description="Centre of the next circle.")
    white_radius_m = dy.Float64(nullable=True, min=0, description="Radius of the next circle.")


class KillPositions(
    TelemetryEvent,
    key="pubg/kill_positions",
    subject="matches",
    layer="gold",
    published=True,
    indexes=(("killer_account_id", "match_date"), ("victim_account_id", "match_date")),
    reconciled=("victim_x_m", "victim_y_m"),
    **DAILY,
):
    """Where each kill happened: one row per death, bots as victims included."""

    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    killer_account_id = dy.String(nullable=True, description="Who is given the kill; null for the environment.")
    killer_name = dy.String(nullable=True, description="Name of the killer.")
    killer_team_id = dy.Int32(nullable=True, description="Team of the killer.")
    killer_x_m = dy.Float64(nullable=True, description="Where the killer was, x.")
    killer_y_m = dy.Float64(nullable=True, description="Where the killer was, y.")
    killer_z_m = dy.Float64(nullable=True, description="Where the killer was, height.")
    victim_account_id = dy.String(description="Who died.")
    victim_name = dy.String(nullable=True, description="Name of the victim.")
    victim_team_id = dy.Int32(nullable=True, description="Team of the victim.")
    victim_is_bot = dy.Bool(description="Whether the victim is a bot.")
    victim_x_m = dy.Float64(nullable=True, description="Where the victim was, x.")
    victim_y_m = dy.Float64(nullable=True, description="Where the victim was, y.")
    victim_z_m = dy.Float64(nullable=True, description="Where the victim was, height.")
    weapon_id = dy.String(nullable=True, description="damageCauserName.")
    weapon_category = dy.String(description="One of the 13 weapon categories.")
    damage_reason = dy.String(nullable=True, description="Part hit.")
    distance_m = dy.Float64(nullable=True, min=0, description="Distance of the kill; null when unknown.")
    is_suicide = dy.Bool(description="Whether the victim killed themselves.")
    is_team_kill = dy.Bool(description="Whether killer and victim are of one team.")


class PlayerMatchWeaponDistribution(
    MatchRow,
    key="pubg/player_match_weapon_distribution",
    subject="matches",
    layer="gold",
    published=True,
    indexes=(("account_id", "match_date"),),
    reconciled=("total_damage", "total_kills", "knock_downs"),
    **DAILY,
):
    """Damage given, kills and knocks of a person in a match by weapon category.

    Self-damage and damage to team mates do not count; bots count as victims only.
    """

    account_id = dy.String(primary_key=True, description="Account of the player.")
    weapon_category = dy.String(primary_key=True, description="One of the 13 weapon categories.")
    player_name = dy.String(description="In-game name.")
    total_damage = dy.Float64(min=0, description="Damage given, in hit points.")
    total_kills = dy.Int32(min=0, description="Kills.")
    knock_downs = dy.Int32(min=0, description="Knocks.")
