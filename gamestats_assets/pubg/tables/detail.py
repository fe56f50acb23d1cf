"""Silver: what happened in a match to all its players, in metres."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.pubg.tables.rows import DAILY, MatchRow, TelemetryEvent, utc


class CirclePositions(TelemetryEvent, key="pubg/circle_positions", subject="matches", layer="silver", **DAILY):
    """Each position sample from the first zone on, against both circles, in metres.

    The blue circle is the current boundary, interpolated in time between two game states; the
    white one is the next, as the last state before the sample gives it.
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
    white_x_m = dy.Float64(nullable=True, description="Centre of the next circle; null before one is shown.")
    white_y_m = dy.Float64(nullable=True, description="Centre of the next circle.")
    white_radius_m = dy.Float64(nullable=True, min=0, description="Radius of the next circle.")
    distance_from_white_center_m = dy.Float64(nullable=True, min=0, description="Distance to the next circle's centre.")
    distance_from_white_edge_m = dy.Float64(
        nullable=True, description="Distance to the next circle's edge; positive inside."
    )
    is_in_safe_zone = dy.Bool(description="Whether the player stands inside the current boundary.")


class DamageEvents(TelemetryEvent, key="pubg/damage_events", subject="matches", layer="silver", **DAILY):
    """Every damage taken, with weapon category and the state of the victim.

    Equal rows but for `event_index` are real: each pellet of a shot is one event.
    """

    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    attack_id = dy.Int64(nullable=True, description="Attack; -1 for the environment.")
    attacker_account_id = dy.String(nullable=True, description="Who dealt it; null for the environment.")
    attacker_name = dy.String(nullable=True, description="Name of the attacker.")
    attacker_team_id = dy.Int32(nullable=True, description="Team of the attacker.")
    attacker_is_bot = dy.Bool(nullable=True, description="Whether the attacker is a bot.")
    attacker_x_m = dy.Float64(nullable=True, description="Where the attacker was, x.")
    attacker_y_m = dy.Float64(nullable=True, description="Where the attacker was, y.")
    victim_account_id = dy.String(description="Who took it.")
    victim_name = dy.String(nullable=True, description="Name of the victim.")
    victim_team_id = dy.Int32(nullable=True, description="Team of the victim.")
    victim_is_bot = dy.Bool(description="Whether the victim is a bot.")
    victim_x_m = dy.Float64(nullable=True, description="Where the victim was, x.")
    victim_y_m = dy.Float64(nullable=True, description="Where the victim was, y.")
    distance_m = dy.Float64(nullable=True, min=0, description="Distance between the two; null for the environment.")
    damage = dy.Float64(description="Net damage to health, in hit points.")
    weapon_id = dy.String(nullable=True, description="damageCauserName.")
    weapon_category = dy.String(description="One of the 13 weapon categories.")
    damage_type_category = dy.String(nullable=True, description="Damage type.")
    damage_reason = dy.String(nullable=True, description="Part hit.")
    is_given = dy.Bool(description="Dealt by somebody else of another team: damage that counts as given.")
    is_from_other_player = dy.Bool(description="Dealt by another person, team mates included, bots not.")
    victim_was_down = dy.Bool(description="Whether the victim was knocked at the time.")


class WeaponKills(TelemetryEvent, key="pubg/weapon_kills", subject="matches", layer="silver", **DAILY):
    """Kills and knocks with weapon, distance and who is behind them: one row per event."""

    event_kind = dy.String(check=lambda column: column.is_in(["kill", "knock"]), description="kill or knock.")
    elapsed_time_s = dy.Float64(nullable=True, description="Seconds since the match started.")
    dbno_id = dy.Int64(nullable=True, description="Id of the knock; null when the victim died standing.")
    killer_account_id = dy.String(
        nullable=True, description="Who is given the kill, or who knocked; null for the environment."
    )
    killer_name = dy.String(nullable=True, description="Name of the killer.")
    killer_team_id = dy.Int32(nullable=True, description="Team of the killer.")
    killer_is_bot = dy.Bool(nullable=True, description="Whether the killer is a bot.")
    finisher_account_id = dy.String(nullable=True, description="Who dealt the last damage; null for knocks.")
    knocker_account_id = dy.String(
        nullable=True, description="Who had knocked the victim; null for knocks and standing deaths."
    )
    victim_account_id = dy.String(description="Who was killed or knocked.")
    victim_name = dy.String(nullable=True, description="Name of the victim.")
    victim_team_id = dy.Int32(nullable=True, description="Team of the victim.")
    victim_is_bot = dy.Bool(description="Whether the victim is a bot.")
    assist_account_ids = dy.List(dy.String(nullable=True), nullable=True, description="Accounts given an assist.")
    weapon_id = dy.String(nullable=True, description="damageCauserName.")
    weapon_name = dy.String(nullable=True, description="Weapon in words; null for an id the catalogue lacks.")
    weapon_category = dy.String(description="One of the 13 weapon categories.")
    damage_type_category = dy.String(nullable=True, description="Damage type.")
    damage_reason = dy.String(nullable=True, description="Part hit.")
    distance_m = dy.Float64(nullable=True, min=0, description="Distance; null when unknown.")
    is_suicide = dy.Bool(description="Whether the victim killed or knocked themselves.")
    is_team_kill = dy.Bool(description="Whether killer and victim are of one team, and not the same person.")
    is_killsteal = dy.Bool(
        description="The victim was down, not revived since, and the killer's team is not the knocker's."
    )
    is_finish_stolen = dy.Bool(description="As a killsteal, with finisher against knocker in place of the teams.")


class MatchFacts(MatchRow, key="pubg/match_facts", subject="matches", layer="silver", **DAILY):
    """One row per match: when, where, how many, and what became of its telemetry."""

    started_at = utc("Start: LogMatchStart where there is telemetry, else when stored minus duration.")
    start_source = dy.String(
        check=lambda column: column.is_in(["telemetry", "api"]),
        description="telemetry or api: where started_at is from.",
    )
    ended_at = utc("End: LogMatchEnd, else start plus duration.", nullable=True)
    map_id = dy.String(nullable=True, description="Map id, such as Baltic_Main.")
    map_name = dy.String(nullable=True, description="Map in words, such as Erangel; the id where it is unknown.")
    game_mode = dy.String(nullable=True, description="Mode, such as squad-fpp; null without a match object.")
    match_type = dy.String(
        nullable=True, description="official, custom, competitive, ...; null where the API did not say."
    )
    is_custom_match = dy.Bool(nullable=True, description="Whether it was a custom match.")
    duration_s = dy.Int32(nullable=True, min=0, description="Length, in seconds.")
    players = dy.Int16(min=0, description="People who took part; bots are not counted.")
    teams = dy.Int16(min=0, description="Teams that took part.")
    bots = dy.Int16(min=0, description="Bots that took part.")
    shard_id = dy.String(nullable=True, description="Platform shard; null without a match object.")
    season_state = dy.String(
        nullable=True, description="State of the season, as the API says; `simulated` where a simulator made the match."
    )
    telemetry_status = dy.String(
        check=lambda column: column.is_in(["processed", "pending", "expired", "unreadable"]),
        description="processed, pending (none landed yet), expired (the API no longer has it) or unreadable.",
    )
