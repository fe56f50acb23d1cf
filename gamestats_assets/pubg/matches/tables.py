"""Events of all players of a match (silver); facts of the match and each person's results (gold)."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.pubg.matches.rows import GOLD, SILVER, MatchRow, TelemetryEvent, person, utc


class CirclePositions(TelemetryEvent, key="pubg/circle_positions", **SILVER):
    """Each position sample from the first zone on, relative to both circles, in metres.

    The blue circle is the current boundary, interpolated in time between two game states; the white one is the next
    circle in the last state before the sample.
    """

    account_id = dy.String(description="Account of the player; bots are left out.")
    player_name = dy.String(description="In-game name.")
    team_id = dy.Int32(nullable=True, description="Team of the player.")
    elapsed_time_s = dy.Float64(description="Seconds since the match started.")
    x_m = dy.Float64(description="Location, metres from the left edge of the map.")
    y_m = dy.Float64(description="Location, metres from the top edge of the map.")
    blue_x_m = dy.Float64(description="Centre of the current boundary, x.")
    blue_y_m = dy.Float64(description="Centre of the current boundary, y.")
    blue_radius_m = dy.Float64(min=0, description="Radius of the current boundary.")
    distance_from_blue_center_m = dy.Float64(min=0, description="Distance to the centre of the current boundary.")
    distance_from_blue_edge_m = dy.Float64(description="Distance to the current boundary; positive inside.")
    white_x_m = dy.Float64(nullable=True, description="Centre of the next circle, x; null before one is shown.")
    white_y_m = dy.Float64(nullable=True, description="Centre of the next circle, y.")
    white_radius_m = dy.Float64(nullable=True, min=0, description="Radius of the next circle.")
    distance_from_white_center_m = dy.Float64(nullable=True, min=0, description="Distance to the next circle's centre.")
    distance_from_white_edge_m = dy.Float64(
        nullable=True, description="Distance to the next circle's edge; positive inside."
    )
    is_in_safe_zone = dy.Bool(description="Whether the player is inside the current boundary.")


class DamageEvents(TelemetryEvent, key="pubg/damage_events", **SILVER):
    """Every damage taken, with weapon category and the state of the victim.

    Rows that differ only in `event_index` are real: each pellet of a shot is one event.
    """

    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    attack_id = dy.Int64(nullable=True, description="Attack; -1 for the environment.")
    vars().update(person("attacker", "Account of the attacker; null for the environment.", "is_bot", "x", "y"))
    vars().update(person("victim", "Account of the victim.", "is_bot", "x", "y", nullable=False))
    distance_m = dy.Float64(nullable=True, min=0, description="Distance between the two; null for the environment.")
    damage = dy.Float64(description="Net damage to health, in hit points.")
    weapon_id = dy.String(nullable=True, description="damageCauserName.")
    weapon_category = dy.String(description="One of the 13 weapon categories.")
    damage_type_category = dy.String(nullable=True, description="Damage type.")
    damage_reason = dy.String(nullable=True, description="Part hit.")
    is_given = dy.Bool(
        description="Whether it was dealt by another character of another team, so that it counts as given."
    )
    is_from_other_player = dy.Bool(
        description="Whether it was dealt by another person, including teammates but not bots."
    )
    victim_was_down = dy.Bool(description="Whether the victim was knocked at the time.")


class WeaponKills(TelemetryEvent, key="pubg/weapon_kills", **SILVER):
    """Kills and knocks with weapon, distance and the people involved: one row per event."""

    event_kind = dy.String(check=lambda column: column.is_in(["kill", "knock"]), description="kill or knock.")
    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    dbno_id = dy.Int64(nullable=True, description="Id of the knock; null if the victim died standing.")
    vars().update(
        person("killer", "Account of the credited killer or of the knocker; null for the environment.", "is_bot")
    )
    finisher_account_id = dy.String(nullable=True, description="Account that dealt the last damage; null for knocks.")
    knocker_account_id = dy.String(
        nullable=True, description="Account that had knocked the victim; null for knocks and standing deaths."
    )
    vars().update(person("victim", "Account of the victim.", "is_bot", nullable=False))
    assist_account_ids = dy.List(dy.String(nullable=True), nullable=True, description="Accounts with an assist.")
    weapon_id = dy.String(nullable=True, description="damageCauserName.")
    weapon_name = dy.String(nullable=True, description="Weapon name; null for an id the catalogue lacks.")
    weapon_category = dy.String(description="One of the 13 weapon categories.")
    damage_type_category = dy.String(nullable=True, description="Damage type.")
    damage_reason = dy.String(nullable=True, description="Part hit.")
    distance_m = dy.Float64(nullable=True, min=0, description="Distance; null when unknown.")
    is_suicide = dy.Bool(description="Whether the victim killed or knocked themselves.")
    is_team_kill = dy.Bool(description="Whether killer and victim are different people of one team.")
    is_killsteal = dy.Bool(
        description="Whether the victim was down, not revived since, and the killer's team is not the knocker's."
    )
    is_finish_stolen = dy.Bool(description="Like is_killsteal, but with finisher and knocker instead of their teams.")


class MatchFacts(MatchRow, key="pubg/match_facts", **SILVER):
    """One row per match: time, map, number of players, and status of its telemetry."""

    started_at = utc("Start: LogMatchStart with telemetry, else estimated from the match object.")
    start_source = dy.String(
        check=lambda column: column.is_in(["telemetry", "api"]),
        description="Source of started_at: telemetry or api.",
    )
    ended_at = utc("End: LogMatchEnd, else start plus duration.", nullable=True)
    map_id = dy.String(nullable=True, description="Map id, such as Baltic_Main.")
    map_name = dy.String(nullable=True, description="Map name, such as Erangel; the id if unknown.")
    game_mode = dy.String(nullable=True, description="Mode, such as squad-fpp; null without a match object.")
    match_type = dy.String(
        nullable=True, description="official, custom, competitive, ...; null if the API did not say."
    )
    is_custom_match = dy.Bool(nullable=True, description="Whether it was a custom match.")
    duration_s = dy.Int32(nullable=True, min=0, description="Length, in seconds.")
    players = dy.Int16(min=0, description="People who took part; bots are not counted.")
    teams = dy.Int16(min=0, description="Teams that took part.")
    bots = dy.Int16(min=0, description="Bots that took part.")
    shard_id = dy.String(nullable=True, description="Platform shard; null without a match object.")
    season_state = dy.String(
        nullable=True, description="State of the season according to the API; `simulated` for matches of a simulator."
    )
    telemetry_status = dy.String(
        check=lambda column: column.is_in(["processed", "pending", "expired", "unreadable"]),
        description="processed, pending (none landed yet), expired (the API no longer has it) or unreadable.",
    )


class Matches(
    MatchFacts,
    key="pubg/matches",
    indexes=(("started_at",), ("match_type", "game_mode"), ("season", "round_id")),
    reconciled=("players", "bots"),
    **GOLD,
):
    """One row per match: time, map, number of players, status of its telemetry, and tournament context."""

    is_tournament_match = dy.Bool(description="Whether it counts as a tournament match.")
    validation_status = dy.String(
        nullable=True, description="Validation status, as in match_tournament_context; null if no roster member played."
    )
    season = dy.String(nullable=True, description="Short name of the season.")
    division = dy.String(nullable=True, description="Division.")
    group_name = dy.String(nullable=True, description="Group.")
    round_id = dy.Int64(nullable=True, description="Round.")
    scheduled_match_id = dy.Int64(nullable=True, description="Slot of the schedule.")
    match_number = dy.Int32(nullable=True, description="Number of the slot within its round.")
    team_count = dy.Int16(nullable=True, min=0, description="Tournament teams that played.")
    unmatched_player_count = dy.Int16(nullable=True, min=0, description="Number of people on no roster who played.")
    is_overridden = dy.Bool(description="Whether an admin overrode the tournament context.")
    override_reason = dy.String(nullable=True, description="The admin's reason; null without an override.")
    overridden_by = dy.String(nullable=True, description="The admin; null without an override.")


class MatchSummaries(
    MatchRow,
    key="pubg/match_summaries",
    indexes=(("account_id", "match_date"), ("player_name",)),
    reconciled=("kills", "damage_dealt", "damage_received"),
    **GOLD,
):
    """Each person's result in a match: the API's statistics and columns from telemetry.

    Without telemetry its columns are null; without a match object, the statistics that telemetry contains are taken
    from it and the others are null. Bots have no rows.
    """

    account_id = dy.String(
        primary_key=True, min_length=1, description="Account of the player, which identifies the player."
    )
    player_name = dy.String(description="In-game name, as last seen; may change.")
    team_id = dy.Int32(nullable=True, description="Team number within the match.")
    has_api_stats = dy.Bool(
        description="Whether a match object fed this row; otherwise its statistics come from telemetry."
    )
    has_telemetry = dy.Bool(description="Whether telemetry fed this row.")
    placement = dy.Int16(nullable=True, min=1, max=200, description="Placement of the team; 1 is the winner.")
    won = dy.Bool(nullable=True, description="Whether the team won.")
    kills = dy.Int32(nullable=True, min=0, description="Enemies killed.")
    assists = dy.Int32(nullable=True, min=0, description="Enemies damaged and then killed by a teammate.")
    dbnos = dy.Int32(nullable=True, min=0, description="Enemies knocked.")
    headshot_kills = dy.Int32(nullable=True, min=0, description="Kills by a shot to the head.")
    kill_place = dy.Int16(nullable=True, description="Rank in the match by kills.")
    kill_streaks = dy.Int32(nullable=True, min=0, description="Kills in a row.")
    longest_kill_m = dy.Float64(nullable=True, description="Distance of the longest kill, in metres.")
    road_kills = dy.Int32(nullable=True, min=0, description="Kills by a vehicle.")
    team_kills = dy.Int32(nullable=True, min=0, description="Teammates killed.")
    damage_dealt = dy.Float64(nullable=True, description="Damage dealt, in hit points.")
    death_type = dy.String(nullable=True, description="Kind of death, according to the API.")
    revives = dy.Int32(nullable=True, min=0, description="Teammates revived.")
    heals = dy.Int32(nullable=True, min=0, description="Healing items used, according to the API.")
    boosts = dy.Int32(nullable=True, min=0, description="Boost items used, according to the API.")
    time_survived_s = dy.Float64(nullable=True, min=0, description="Time survived, in seconds.")
    walk_distance_m = dy.Float64(nullable=True, description="Distance on foot, in metres.")
    ride_distance_m = dy.Float64(nullable=True, description="Distance in vehicles, in metres.")
    swim_distance_m = dy.Float64(nullable=True, description="Distance swum, in metres.")
    vehicle_destroys = dy.Int32(nullable=True, min=0, description="Vehicles destroyed.")
    weapons_acquired = dy.Int32(nullable=True, min=0, description="Weapons picked up.")
    killsteals = dy.Int32(
        nullable=True, min=0, description="Kills of enemies whom another team had knocked and who were not revived."
    )
    finishes_stolen = dy.Int32(
        nullable=True,
        min=0,
        description="Last blows on enemies whom another person had knocked and who were not revived.",
    )
    heals_used = dy.Int32(nullable=True, min=0, description="Healing items used, from telemetry.")
    boosts_used = dy.Int32(nullable=True, min=0, description="Boost items used, from telemetry.")
    throwables_used = dy.Int32(nullable=True, min=0, description="Tactical throwables thrown, from telemetry.")
    smokes_thrown = dy.Int32(nullable=True, min=0, description="Smoke grenades thrown, from telemetry.")
    throwable_damage = dy.Float64(nullable=True, min=0, description="Damage given by throwables and their fire.")
    damage_received = dy.Float64(
        nullable=True, min=0, description="All net damage to health, including zone, falls, and damage while down."
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
    MatchRow, key="pubg/landings", indexes=(("account_id", "match_date"),), reconciled=("x_m", "y_m"), **GOLD
):
    """Place and time of each person's parachute landings."""

    account_id = dy.String(primary_key=True, description="Account of the player.")
    landing_number = dy.Int16(
        primary_key=True, min=1, description="Number of the landing: 1 for the first of the match, 2 after a return."
    )
    player_name = dy.String(description="In-game name.")
    team_id = dy.Int32(nullable=True, description="Team number within the match.")
    landed_at = utc("Time of the landing.")
    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    x_m = dy.Float64(description="Location, metres from the left edge of the map.")
    y_m = dy.Float64(description="Location, metres from the top edge of the map.")
    z_m = dy.Float64(nullable=True, description="Height, in metres.")
    parachute_distance_m = dy.Float64(nullable=True, description="Distance flown by parachute, in metres.")


class Circles(TelemetryEvent, key="pubg/circles", reconciled=("blue_radius_m",), **GOLD):
    """Both circles of a match, about every ten seconds, from the first zone on."""

    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    alive_teams = dy.Int16(nullable=True, description="Teams alive.")
    alive_players = dy.Int16(nullable=True, description="Players alive, bots included.")
    blue_x_m = dy.Float64(description="Centre of the current boundary, metres from the left edge of the map.")
    blue_y_m = dy.Float64(description="Centre of the current boundary, metres from the top edge of the map.")
    blue_radius_m = dy.Float64(min=0, description="Radius of the current boundary.")
    white_x_m = dy.Float64(nullable=True, description="Centre of the next circle, x; null before one is shown.")
    white_y_m = dy.Float64(nullable=True, description="Centre of the next circle, y.")
    white_radius_m = dy.Float64(nullable=True, min=0, description="Radius of the next circle.")


class KillPositions(
    TelemetryEvent,
    key="pubg/kill_positions",
    indexes=(("killer_account_id", "match_date"), ("victim_account_id", "match_date")),
    reconciled=("victim_x_m", "victim_y_m"),
    **GOLD,
):
    """Place of each kill: one row per death, bots as victims included."""

    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    vars().update(person("killer", "Account of the credited killer; null for the environment.", "x", "y", "z"))
    vars().update(person("victim", "Account of the victim.", "is_bot", "x", "y", "z", nullable=False))
    weapon_id = dy.String(nullable=True, description="damageCauserName.")
    weapon_category = dy.String(description="One of the 13 weapon categories.")
    damage_reason = dy.String(nullable=True, description="Part hit.")
    distance_m = dy.Float64(nullable=True, min=0, description="Distance of the kill; null when unknown.")
    is_suicide = dy.Bool(description="Whether the victim killed themselves.")
    is_team_kill = dy.Bool(description="Whether killer and victim are in one team.")


class PlayerMatchWeaponDistribution(
    MatchRow,
    key="pubg/player_match_weapon_distribution",
    indexes=(("account_id", "match_date"),),
    reconciled=("total_damage", "total_kills", "knock_downs"),
    **GOLD,
):
    """Damage given, kills and knocks of a person in a match by weapon category.

    Damage to oneself and to teammates does not count; bots count as victims only.
    """

    account_id = dy.String(primary_key=True, description="Account of the player.")
    weapon_category = dy.String(primary_key=True, description="One of the 13 weapon categories.")
    player_name = dy.String(description="In-game name.")
    total_damage = dy.Float64(min=0, description="Damage given, in hit points.")
    total_kills = dy.Int32(min=0, description="Kills.")
    knock_downs = dy.Int32(min=0, description="Knocks.")
