"""Bronze: contents of match and timeline files, in the units of the source."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.lol.matches.rows import LANDED, MatchRow, ParticipantRow, count, flag, number, text, utc


class RawMatches(MatchRow, key="lol/raw_matches", **LANDED):
    """Match objects, one row per match."""

    content_hash = text("Hash of the landed document behind this row.", nullable=False)
    other_files = count("Further match objects landed for the match but not used.", nullable=False)
    platform_id = text("Platform, such as NA1.")
    game_version = text("Full version of the game, such as 13.14.522.7601.", nullable=False)
    queue_id = dy.Int32(description="Queue, such as 420 for ranked solo.")
    map_id = number("Map: 11 is Summoner's Rift, 12 Howling Abyss, 30 the Arena.")
    game_mode = text("Mode, such as CLASSIC or ARAM.")
    game_type = text("Type, such as MATCHED_GAME.")
    tournament_code = text("Code of a tournament's match.")
    created_at = utc("Creation of the lobby.", nullable=True)
    started_at = utc("Start of the game.")
    ended_at = utc("End of the game; present since patch 11.20.", nullable=True)
    game_duration = dy.Int64(min=0, description="Length as recorded: milliseconds if ended_at is absent, else seconds.")
    end_of_game_result = text("Kind of end: GameComplete, or an abort such as Abort_Unexpected; present since 2024.")
    winning_team_id = number("Team that won: 100 blue, 200 red; null if neither did, or both as in the Arena.")
    participants = dy.Int16(min=0, description="Number of participants listed.")
    unknown_keys = count("Number of distinct participant keys without a column, except challenges.", nullable=False)


class RawTeams(MatchRow, key="lol/raw_teams", **LANDED):
    """Teams of the match objects: their objectives, and the champions they banned."""

    team_id = dy.Int16(primary_key=True, description="Team: 100 blue, 200 red.")
    won = flag("Whether the team won.")
    banned_champion_ids = dy.List(dy.Int32(), description="Champions that the team banned, in order; -1 is no ban.")
    barons = count("Barons slain.")
    champions = count("Champions slain.")
    dragons = count("Dragons slain.")
    grubs = count("Void grubs slain.")
    heralds = count("Rift heralds slain.")
    atakhans = count("Atakhans slain.")
    inhibitors = count("Inhibitors destroyed.")
    towers = count("Towers destroyed.")
    first_baron = flag("Whether it slew the first baron.")
    first_champion = flag("Whether it drew first blood.")
    first_dragon = flag("Whether it slew the first dragon.")
    first_grubs = flag("Whether it slew the first void grub.")
    first_herald = flag("Whether it slew the first rift herald.")
    first_inhibitor = flag("Whether it destroyed the first inhibitor.")
    first_tower = flag("Whether it destroyed the first tower.")


class RawParticipants(ParticipantRow, key="lol/raw_participants", **LANDED):
    """Participants of the match objects, with their statistics."""

    puuid = text("Player id, specific to one API key.")
    riot_id_name = text("Name of the Riot id.")
    riot_id_tagline = text("Tagline of the Riot id.")
    summoner_name = text("Summoner name; empty since the introduction of Riot ids.")
    summoner_level = count("Level of the account.")
    team_id = dy.Int16(description="Team: 100 blue, 200 red; in the Arena see subteam_id.")
    subteam_id = number("Team of two in the Arena.", api="playerSubteamId")
    placement = number("Placement in the Arena, from 1.")
    won = dy.Bool(description="Whether the participant won.", metadata={"api": "win"})
    champion_id = dy.Int32(description="Champion.")
    champion_name = text("Champion's key in Data Dragon, such as MonkeyKing.")
    champion_transform = number("Form of Kayn: 1 Rhaast, 2 the shadow assassin.")
    champion_level = count("Level at the end.", api="champLevel")
    team_position = text("TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY; empty if the queue has no positions.")
    individual_position = text("Position guessed from the participant alone.")
    kills = count("Champions killed.", nullable=False)
    deaths = count("Times died.", nullable=False)
    assists = count("Assists.", nullable=False)
    double_kills = count("Double kills.")
    triple_kills = count("Triple kills.")
    quadra_kills = count("Quadra kills.")
    penta_kills = count("Penta kills.")
    largest_killing_spree = count("Most kills without a death.")
    largest_multi_kill = count("Most kills at once.")
    gold_earned = count("Gold earned.", nullable=False)
    gold_spent = count("Gold spent.")
    experience = count("Experience earned.", api="champExperience")
    lane_minions_killed = count("Lane minions killed.", api="totalMinionsKilled")
    neutral_minions_killed = count("Jungle monsters killed.")
    damage_to_champions = count("Damage to champions.", nullable=False, api="totalDamageDealtToChampions")
    physical_damage_to_champions = count("Physical damage to champions.", api="physicalDamageDealtToChampions")
    magic_damage_to_champions = count("Magic damage to champions.", api="magicDamageDealtToChampions")
    true_damage_to_champions = count("True damage to champions.", api="trueDamageDealtToChampions")
    damage_dealt = count("Total damage dealt.", api="totalDamageDealt")
    damage_taken = count("Damage taken.", api="totalDamageTaken")
    damage_self_mitigated = count("Damage prevented by armour, shields and the like.")
    damage_to_objectives = count("Damage to epic monsters and buildings.", api="damageDealtToObjectives")
    damage_to_turrets = count("Damage to turrets.", api="damageDealtToTurrets")
    heal = count("Health healed.", api="totalHeal")
    heal_on_teammates = count("Health of teammates healed.", api="totalHealsOnTeammates")
    shield_on_teammates = count("Damage to teammates shielded.", api="totalDamageShieldedOnTeammates")
    time_ccing_others_s = count("Score of crowd control on others, in seconds.", api="timeCCingOthers")
    total_time_cc_dealt_s = count("Total crowd control dealt, in seconds.", api="totalTimeCCDealt")
    time_dead_s = count("Time spent dead, in seconds.", api="totalTimeSpentDead")
    longest_life_s = count("Longest time alive, in seconds.", api="longestTimeSpentLiving")
    time_played_s = count("Time played, in seconds.", api="timePlayed")
    vision_score = count("Vision score.")
    wards_placed = count("Wards placed.")
    wards_killed = count("Wards destroyed.")
    control_wards_bought = count("Control wards bought.", api="visionWardsBoughtInGame")
    control_wards_placed = count("Control wards placed.", api="detectorWardsPlaced")
    dragon_kills = count("Dragons killed by the participant.")
    baron_kills = count("Barons killed by the participant.")
    turret_kills = count("Turrets destroyed by the participant.")
    inhibitor_kills = count("Inhibitors destroyed by the participant.")
    objectives_stolen = count("Epic monsters stolen.")
    first_blood_kill = flag("Whether the participant made the first kill.")
    first_blood_assist = flag("Whether the participant assisted in the first kill.")
    first_tower_kill = flag("Whether the participant destroyed the first tower.")
    first_tower_assist = flag("Whether the participant assisted in destroying the first tower.")
    game_ended_in_early_surrender = flag("Whether the game was a remake, or surrendered early.")
    game_ended_in_surrender = flag("Whether a team surrendered.")
    items_purchased = count("Items bought.")
    item0 = count("Item in the first slot at the end; 0 is none.")
    item1 = count("Item in the second slot.")
    item2 = count("Item in the third slot.")
    item3 = count("Item in the fourth slot.")
    item4 = count("Item in the fifth slot.")
    item5 = count("Item in the sixth slot.")
    item6 = count("Trinket.")
    summoner1_id = count("First summoner spell.")
    summoner2_id = count("Second summoner spell.")
    spell1_casts = count("Casts of Q.")
    spell2_casts = count("Casts of W.")
    spell3_casts = count("Casts of E.")
    spell4_casts = count("Casts of R.")
    primary_style_id = count("Primary rune path.")
    sub_style_id = count("Secondary rune path.")
    keystone_id = count("Keystone rune.")
    augment_ids = dy.List(dy.Int32(), description="Augments of the Arena.")


class TimelineFiles(MatchRow, key="lol/timeline_files", **LANDED):
    """Timeline of a match, or the reason why it is not used: one row per match with a timeline."""

    status = dy.String(
        check=lambda column: column.is_in(["processed", "unreadable"]), description="processed, or unreadable."
    )
    reason = text("Reason for rejection.")
    content_hash = text("Hash of the landed content behind this row.", nullable=False)
    other_files = count("Further timelines landed for the match but not used.", nullable=False)
    size_bytes = dy.Int64(min=0, description="Size of the decompressed content, in bytes.")
    frame_interval_ms = count("Interval of the frames as recorded, in milliseconds.")
    frames = count("Frames.", nullable=False)
    events = count("Events.", nullable=False)
    last_timestamp_ms = dy.Int64(
        nullable=True, min=0, description="Time of the last frame, in milliseconds of the game."
    )


_DAMAGE, _CHAMPION = "damageStats", "championStats"


class TimelineFrames(ParticipantRow, key="lol/timeline_frames", **LANDED):
    """State of participants at each frame of a timeline: about once a minute, and at the end."""

    frame_index = dy.Int16(primary_key=True, min=0, description="Number of the frame, from 0.")
    timestamp_ms = dy.Int64(min=0, description="Time of the frame, in milliseconds of the game; drifts off the minute.")
    level = count("Level.")
    xp = count("Experience.")
    total_gold = count("Gold earned so far.")
    current_gold = number("Unspent gold.")
    gold_per_second = number("Gold per second, as recorded.")
    lane_minions_killed = count("Lane minions killed so far.", api="minionsKilled")
    jungle_minions_killed = count("Jungle monsters killed so far.")
    time_enemy_spent_controlled_ms = count(
        "Time that enemies were under the participant's crowd control, in milliseconds.", api="timeEnemySpentControlled"
    )
    position_x = number("Horizontal position on the map, from the left.", api="position.x")
    position_y = number("Vertical position on the map, from the bottom.", api="position.y")
    damage_to_champions = count("Damage to champions so far.", api=f"{_DAMAGE}.totalDamageDoneToChampions")
    physical_damage_to_champions = count(
        "Physical damage to champions so far.", api=f"{_DAMAGE}.physicalDamageDoneToChampions"
    )
    magic_damage_to_champions = count("Magic damage to champions so far.", api=f"{_DAMAGE}.magicDamageDoneToChampions")
    true_damage_to_champions = count("True damage to champions so far.", api=f"{_DAMAGE}.trueDamageDoneToChampions")
    damage_dealt = count("Total damage dealt so far.", api=f"{_DAMAGE}.totalDamageDone")
    damage_taken = count("Damage taken so far.", api=f"{_DAMAGE}.totalDamageTaken")
    health = number("Health.", api=f"{_CHAMPION}.health")
    health_max = number("Maximum health.", api=f"{_CHAMPION}.healthMax")
    power = number("Mana or energy.", api=f"{_CHAMPION}.power")
    power_max = number("Maximum mana or energy.", api=f"{_CHAMPION}.powerMax")
    attack_damage = number("Attack damage.", api=f"{_CHAMPION}.attackDamage")
    attack_speed = number("Attack speed, in hundredths.", api=f"{_CHAMPION}.attackSpeed")
    ability_power = number("Ability power.", api=f"{_CHAMPION}.abilityPower")
    ability_haste = number("Ability haste.", api=f"{_CHAMPION}.abilityHaste")
    armor = number("Armour.", api=f"{_CHAMPION}.armor")
    magic_resist = number("Magic resistance.", api=f"{_CHAMPION}.magicResist")
    movement_speed = number("Movement speed.", api=f"{_CHAMPION}.movementSpeed")


class TimelineEvents(MatchRow, key="lol/timeline_events", **LANDED):
    """Events of a timeline in order, of every kind; columns that a kind lacks are null."""

    event_index = dy.Int32(primary_key=True, min=0, description="Position of the event in its timeline, from 0.")
    frame_index = dy.Int16(min=0, description="Frame that lists it.")
    timestamp_ms = dy.Int64(
        min=0, description="Time of the event, in milliseconds of the game.", metadata={"api": "timestamp"}
    )
    event_type = text("Kind, such as ITEM_PURCHASED.", nullable=False, api="type")
    participant_id = dy.Int16(
        nullable=True, description="Acting participant: participantId, else creatorId or killerId; 0 is none."
    )
    victim_id = dy.Int16(nullable=True, description="Participant who was killed.")
    assisting_participant_ids = dy.List(dy.Int16(), nullable=True, description="Participants who assisted.")
    team_id = dy.Int16(nullable=True, description="Team concerned; for BUILDING_KILL the one that lost the building.")
    killer_team_id = dy.Int16(nullable=True, description="Team that slew a monster; 300 is neither.")
    item_id = number("Item bought, sold or destroyed.")
    before_id = number("For an undo, the item before it; 0 is none.")
    after_id = number("For an undo, the item after it; 0 is none.")
    gold_gain = number("For an undo, the gold returned; negative if gold was taken.")
    level = number("Level reached.")
    skill_slot = number("Skill levelled: 1 Q, 2 W, 3 E, 4 R.")
    level_up_type = text("NORMAL or EVOLVE.")
    ward_type = text("Kind of ward placed or destroyed.")
    monster_type = text("Epic monster, such as DRAGON.")
    monster_sub_type = text("Kind of dragon, such as FIRE_DRAGON.")
    building_type = text("TOWER_BUILDING or INHIBITOR_BUILDING.")
    tower_type = text("Kind of tower, such as OUTER_TURRET.")
    lane_type = text("Lane of a building, such as MID_LANE.")
    kill_type = text("Kind of special kill: KILL_FIRST_BLOOD, KILL_MULTI or KILL_ACE.")
    multi_kill_length = number("Number of kills in a multi-kill.")
    kill_streak_length = number("Number of kills of the killer without a death.")
    bounty = number("Gold for the kill.")
    shutdown_bounty = number("Gold for ending a streak.")
    transform_type = text("New form of a champion.")
    name = text("For DRAGON_SOUL_GIVEN, the kind of soul.")
    winning_team_id = dy.Int16(
        nullable=True, description="For GAME_END, the team that won.", metadata={"api": "winningTeam"}
    )
    occurred_at = utc("Wall-clock time, for the few kinds with one.", nullable=True, api="realTimestamp")
    position_x = number("Horizontal position of the event, from the left.", api="position.x")
    position_y = number("Vertical position of the event, from the bottom.", api="position.y")


class TimelineEventCounts(MatchRow, key="lol/timeline_event_counts", **LANDED):
    """Events of each kind in a timeline, with the number quarantined."""

    event_type = dy.String(primary_key=True, description="Kind; '(none)' if an event has none.")
    is_known = dy.Bool(description="Whether the kind is known; unknown ones become rows too.")
    events = count("Events in the file.", nullable=False)
    quarantined = count("Unreadable events.", nullable=False)
