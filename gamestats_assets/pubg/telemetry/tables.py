"""Contents of match files, in the units of the source (bronze)."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.pubg.matches.rows import LANDED, MatchRow, TelemetryEvent, person, utc


class RawMatches(MatchRow, key="pubg/raw_matches", **LANDED):
    """Match objects of the API, one row per match."""

    content_hash = dy.String(description="Hash of the landed document behind this row.")
    created_at = utc("Time at which the API stored the match; not its start.")
    duration_s = dy.Int32(nullable=True, min=0, description="Length of the match, in seconds.")
    game_mode = dy.String(nullable=True, description="Mode as the API writes it, such as squad-fpp.")
    match_type = dy.String(nullable=True, description="Match type (official, custom, ...); absent before mid-2019.")
    map_id = dy.String(nullable=True, description="Map id, such as Baltic_Main.")
    is_custom_match = dy.Bool(nullable=True, description="Whether the match was a custom match.")
    season_state = dy.String(nullable=True, description="State of the season when the match was played.")
    shard_id = dy.String(nullable=True, description="Platform shard.")
    title_id = dy.String(nullable=True, description="Title the match belongs to.")
    telemetry_url = dy.String(nullable=True, description="Address of the telemetry file.")
    telemetry_created_at = utc(
        "Time at which the telemetry file was stored, some minutes after the match.", nullable=True
    )
    other_files = dy.Int16(min=0, description="Further match objects landed for the match but not used.")
    participants = dy.Int16(min=0, description="Participants listed, bots included.")
    rosters = dy.Int16(min=0, description="Rosters listed.")
    unknown_stat_keys = dy.Int16(
        min=0, description="Number of distinct statistics keys of participants without a column."
    )


class RawParticipants(MatchRow, key="pubg/raw_participants", **LANDED):
    """Participants of the match objects with their 23 statistics and their roster."""

    participant_id = dy.String(primary_key=True, description="Participant id, unique in its match.")
    account_id = dy.String(description="Account of the participant; bots start with ai.")
    player_name = dy.String(description="In-game name at the time of the match.")
    roster_id = dy.String(nullable=True, description="Roster the participant is listed in.")
    team_id = dy.Int32(nullable=True, description="Team number within the match.")
    roster_rank = dy.Int16(nullable=True, description="Rank of the roster; 1 is the winner.")
    won = dy.Bool(nullable=True, description="Whether the roster won.")
    dbnos = dy.Int32(nullable=True, min=0, description="Enemies knocked.")
    assists = dy.Int32(nullable=True, min=0, description="Enemies damaged by the player and then killed by a teammate.")
    boosts = dy.Int32(nullable=True, min=0, description="Boost items used, according to the API.")
    damage_dealt = dy.Float64(nullable=True, description="Damage dealt, in hit points.")
    death_type = dy.String(nullable=True, description="Kind of death: alive, byplayer, byzone, suicide, logout.")
    headshot_kills = dy.Int32(nullable=True, min=0, description="Kills by a shot to the head.")
    heals = dy.Int32(nullable=True, min=0, description="Healing items used, according to the API.")
    kill_place = dy.Int16(nullable=True, description="Rank in the match by kills.")
    kill_streaks = dy.Int32(nullable=True, min=0, description="Kills in a row.")
    kills = dy.Int32(nullable=True, min=0, description="Enemies killed.")
    longest_kill_m = dy.Float64(nullable=True, description="Distance of the longest kill, in metres.")
    revives = dy.Int32(nullable=True, min=0, description="Teammates revived.")
    ride_distance_m = dy.Float64(nullable=True, description="Distance travelled in vehicles, in metres.")
    road_kills = dy.Int32(nullable=True, min=0, description="Kills by a vehicle.")
    swim_distance_m = dy.Float64(nullable=True, description="Distance swum, in metres.")
    team_kills = dy.Int32(nullable=True, min=0, description="Teammates killed.")
    time_survived_s = dy.Float64(nullable=True, min=0, description="Time survived, in seconds.")
    vehicle_destroys = dy.Int32(nullable=True, min=0, description="Vehicles destroyed.")
    walk_distance_m = dy.Float64(nullable=True, description="Distance on foot, in metres.")
    weapons_acquired = dy.Int32(nullable=True, min=0, description="Weapons picked up.")
    win_place = dy.Int16(
        nullable=True,
        description="winPlace: the team's placement, or a lower one for a player who left before the team was "
        "eliminated.",
    )


class TelemetryFiles(MatchRow, key="pubg/telemetry_files", **LANDED):
    """The telemetry file of a match, or the reason why there is none: one row per match."""

    status = dy.String(
        check=lambda column: column.is_in(["processed", "unreadable", "expired"]),
        description="processed; unreadable: landed but rejected; expired: the API no longer has it.",
    )
    reason = dy.String(nullable=True, description="Reason for rejection.")
    content_hash = dy.String(description="Hash of the landed content behind this row.")
    other_files = dy.Int16(min=0, description="Further telemetry contents landed for the match but not used.")
    size_bytes = dy.Int64(min=0, description="Size of the decompressed content, in bytes.")
    events = dy.Int32(min=0, description="Events in the file.")
    started_at = utc("Time of LogMatchStart.", nullable=True)
    ended_at = utc("Time of LogMatchEnd.", nullable=True)
    map_id = dy.String(nullable=True, description="Map id of LogMatchStart.")
    is_custom_match = dy.Bool(nullable=True, description="isCustomGame of LogMatchStart.")
    team_size = dy.Int16(nullable=True, description="Largest number of players per team.")
    camera_view = dy.String(nullable=True, description="cameraViewBehaviour of LogMatchStart.")
    weather_id = dy.String(nullable=True, description="Weather of the match.")
    definition_id = dy.String(nullable=True, description="Complete MatchId of LogMatchDefinition.")


class TelemetryEventCounts(MatchRow, key="pubg/telemetry_event_counts", **LANDED):
    """Every event type in a match's telemetry, known or not, with the treatment of its events.

    `events = kept + not_wanted + quarantined` holds for every row.
    """

    event_type = dy.String(primary_key=True, description="The event's _T; '(none)' for events without one.")
    events = dy.Int32(min=1, description="Events of the type in the file.")
    kept = dy.Int32(min=0, description="Events that became rows (or lists of rows) of a telemetry table.")
    not_wanted = dy.Int32(min=0, description="Events of types without a table.")
    quarantined = dy.Int32(min=0, description="Events of wanted types that could not be read.")
    is_wanted = dy.Bool(description="Whether the type has a table.")

    @dy.rule()
    def every_event_is_accounted_for(cls):
        return cls.events.col == cls.kept.col + cls.not_wanted.col + cls.quarantined.col


class TelemetryPositions(TelemetryEvent, key="pubg/telemetry_positions", **LANDED):
    """Position of a character, about every ten seconds (LogPlayerPosition)."""

    account_id = dy.String(description="Account of the character.")
    player_name = dy.String(nullable=True, description="Name of the character.")
    team_id = dy.Int32(nullable=True, description="Team of the character.")
    character_type = dy.String(nullable=True, description="user or user_ai; absent in old files.")
    x_cm = dy.Float64(description="Location, centimetres from the left edge of the map.")
    y_cm = dy.Float64(description="Location, centimetres from the top edge of the map.")
    z_cm = dy.Float64(nullable=True, description="Height, in centimetres.")
    health = dy.Float64(nullable=True, description="Health, 0 to 100.")
    ranking = dy.Int16(nullable=True, description="Team rank; 0 until the team is eliminated.")
    is_in_vehicle = dy.Bool(nullable=True, description="Whether the character sits in a vehicle.")
    is_in_blue_zone = dy.Bool(nullable=True, description="The file's own flag for being in the blue zone.")
    elapsed_time_s = dy.Int32(nullable=True, description="Seconds since the match started, according to the file.")
    alive_players = dy.Int16(nullable=True, description="Players alive, according to the file.")


class TelemetryGameStates(TelemetryEvent, key="pubg/telemetry_game_states", **LANDED):
    """State of the match and of its circles, about every ten seconds (LogGameStatePeriodic)."""

    elapsed_time_s = dy.Int32(nullable=True, description="Seconds since the match started.")
    alive_teams = dy.Int16(nullable=True, description="Teams alive.")
    alive_players = dy.Int16(nullable=True, description="Players alive.")
    safety_zone_x_cm = dy.Float64(nullable=True, description="Centre of the current boundary (blue), x.")
    safety_zone_y_cm = dy.Float64(nullable=True, description="Centre of the current boundary (blue), y.")
    safety_zone_radius_cm = dy.Float64(nullable=True, description="Radius of the current boundary (blue).")
    poison_gas_warning_x_cm = dy.Float64(nullable=True, description="Centre of the next circle (white), x.")
    poison_gas_warning_y_cm = dy.Float64(nullable=True, description="Centre of the next circle (white), y.")
    poison_gas_warning_radius_cm = dy.Float64(
        nullable=True, description="Radius of the next circle; 0 before one is shown."
    )
    red_zone_x_cm = dy.Float64(nullable=True, description="Centre of the red zone, x.")
    red_zone_y_cm = dy.Float64(nullable=True, description="Centre of the red zone, y.")
    red_zone_radius_cm = dy.Float64(nullable=True, description="Radius of the red zone; 0 while there is none.")


class TelemetryKills(TelemetryEvent, key="pubg/telemetry_kills", **LANDED):
    """Deaths: LogPlayerKill (V1) and LogPlayerKillV2 in one shape."""

    event_version = dy.Int16(description="1 for LogPlayerKill, 2 for LogPlayerKillV2.")
    attack_id = dy.Int64(nullable=True, description="Attack that killed; -1 for the environment.")
    dbno_id = dy.Int64(nullable=True, description="Knock that the death ends; -1 or null if the victim was standing.")
    vars().update(person("victim", "Account of the victim.", "type", "x", "y", "z", nullable=False, unit="cm"))
    victim_ranking = dy.Int16(nullable=True, description="Team rank of the victim; 0 while the team lives.")
    vars().update(
        person("killer", "Account of the credited killer; null for the environment.", "type", "x", "y", "z", unit="cm")
    )
    vars().update(person("finisher", "Account that dealt the last damage (V2)."))
    vars().update(person("knocker", "Account that knocked the victim (dBNOMaker, V2)."))
    damage_causer_name = dy.String(nullable=True, description="Weapon of the kill (killerDamageInfo in V2).")
    damage_type_category = dy.String(nullable=True, description="Damage type of the kill.")
    damage_reason = dy.String(nullable=True, description="Part hit: HeadShot, TorsoShot, ...")
    distance_cm = dy.Float64(nullable=True, description="Distance of the kill, in centimetres; -1 when unknown.")
    finish_damage_causer_name = dy.String(nullable=True, description="Weapon of the finish (V2).")
    finish_damage_type_category = dy.String(nullable=True, description="Damage type of the finish (V2).")
    is_suicide = dy.Bool(nullable=True, description="The file's own flag (V2).")
    assist_account_ids = dy.List(dy.String(nullable=True), nullable=True, description="Accounts with an assist.")
    team_killer_account_ids = dy.List(
        dy.String(nullable=True), nullable=True, description="Teammates who took part in the kill (V2)."
    )


class TelemetryKnocks(TelemetryEvent, key="pubg/telemetry_knocks", **LANDED):
    """Knocks: a player goes down but not out (LogPlayerMakeGroggy)."""

    attack_id = dy.Int64(nullable=True, description="Attack that knocked; -1 for the environment.")
    dbno_id = dy.Int64(nullable=True, description="Id of the knock, which a revive or a death refers to.")
    vars().update(person("victim", "Account of the victim.", "type", nullable=False))
    vars().update(person("attacker", "Account of the attacker; null for the environment.", "type"))
    damage_causer_name = dy.String(nullable=True, description="Weapon of the knock.")
    damage_type_category = dy.String(nullable=True, description="Damage type of the knock.")
    damage_reason = dy.String(nullable=True, description="Part hit.")
    distance_cm = dy.Float64(nullable=True, description="Distance, in centimetres; -1 when unknown.")


class TelemetryRevives(TelemetryEvent, key="pubg/telemetry_revives", **LANDED):
    """Revives (LogPlayerRevive)."""

    dbno_id = dy.Int64(nullable=True, description="Knock that the revive ends; absent in old files.")
    vars().update(person("reviver", "Account of the reviver."))
    vars().update(person("victim", "Account of the revived player.", nullable=False, noun="revived"))


class TelemetryDamage(TelemetryEvent, key="pubg/telemetry_damage", **LANDED):
    """Damage taken (LogPlayerTakeDamage). Equal rows are real: each pellet of a shot is one event."""

    attack_id = dy.Int64(nullable=True, description="Attack; -1 for the environment.")
    vars().update(
        person("attacker", "Account of the attacker; null for the environment.", "type", "x", "y", "z", unit="cm")
    )
    vars().update(person("victim", "Account of the victim.", "type", "x", "y", "z", nullable=False, unit="cm"))
    victim_health = dy.Float64(nullable=True, description="Health of the victim before the damage.")
    damage = dy.Float64(description="Net damage to health, in hit points.")
    damage_causer_name = dy.String(nullable=True, description="Weapon or other cause.")
    damage_type_category = dy.String(nullable=True, description="Damage type.")
    damage_reason = dy.String(nullable=True, description="Part hit.")


class TelemetryAttacks(TelemetryEvent, key="pubg/telemetry_attacks", **LANDED):
    """Attacks begun (LogPlayerAttack) and throwables used (LogPlayerUseThrowable).

    A throw is in both event types under one attack id, if the file has both.
    """

    event_type = dy.String(description="LogPlayerAttack or LogPlayerUseThrowable.")
    attack_id = dy.Int64(nullable=True, description="Id of the attack.")
    account_id = dy.String(nullable=True, description="Account of the attacker.")
    player_name = dy.String(nullable=True, description="Name of the attacker.")
    team_id = dy.Int32(nullable=True, description="Team of the attacker.")
    attack_type = dy.String(nullable=True, description="Weapon, RedZone, ...")
    item_id = dy.String(nullable=True, description="Item id of the weapon; empty for fists.")
    category = dy.String(nullable=True, description="Item category.")
    sub_category = dy.String(nullable=True, description="Item sub-category: Main, Handgun, Melee, Throwable, ...")


class TelemetryItemUses(TelemetryEvent, key="pubg/telemetry_item_uses", **LANDED):
    """Items used: healing, boosts, ammunition loaded, ... (LogItemUse)."""

    account_id = dy.String(nullable=True, description="Account of the user.")
    player_name = dy.String(nullable=True, description="Name of the user.")
    team_id = dy.Int32(nullable=True, description="Team of the user.")
    item_id = dy.String(nullable=True, description="Item id.")
    stack_count = dy.Int64(
        nullable=True, description="Items in the stack; meaningless where the game left it uninitialised."
    )
    category = dy.String(nullable=True, description="Item category.")
    sub_category = dy.String(nullable=True, description="Item sub-category: Heal, Boost, ...")


class TelemetryLandings(TelemetryEvent, key="pubg/telemetry_landings", **LANDED):
    """Parachute landings (LogParachuteLanding)."""

    account_id = dy.String(description="Account of the character.")
    player_name = dy.String(nullable=True, description="Name of the character.")
    team_id = dy.Int32(nullable=True, description="Team of the character.")
    character_type = dy.String(nullable=True, description="user or user_ai.")
    x_cm = dy.Float64(description="Where, x.")
    y_cm = dy.Float64(description="Where, y.")
    z_cm = dy.Float64(nullable=True, description="Height of the landing.")
    parachute_distance_m = dy.Float64(nullable=True, description="Distance flown by parachute, in metres.")


class TelemetryCharacters(TelemetryEvent, key="pubg/telemetry_characters", **LANDED):
    """Characters listed when the match starts and when it ends (LogMatchStart, LogMatchEnd)."""

    list_index = dy.Int32(primary_key=True, min=0, description="Position in the list, from 0.")
    moment = dy.String(
        check=lambda column: column.is_in(["start", "end"]), description="Kind of the list: start or end."
    )
    account_id = dy.String(description="Account of the character.")
    player_name = dy.String(nullable=True, description="Name of the character.")
    team_id = dy.Int32(nullable=True, description="Team of the character.")
    character_type = dy.String(nullable=True, description="user or user_ai.")
    ranking = dy.Int16(nullable=True, description="Team rank; 0 until the team is eliminated.")
    individual_ranking = dy.Int16(nullable=True, description="Rank among all players; 0 until eliminated.")
    health = dy.Float64(nullable=True, description="Health, 0 to 100.")
