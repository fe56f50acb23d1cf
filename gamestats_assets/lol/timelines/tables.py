"""Bronze: what match and timeline files say, in the units of the source."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.lol.matches.rows import LANDED, MatchRow, ParticipantRow, count, flag, number, text, utc


class RawMatches(MatchRow, key="lol/raw_matches", **LANDED):
    """Match objects, one row per match."""

    content_hash = text("Hash of the landed document this row was read from.", nullable=False)
    other_files = count("Further match objects landed for the match and not used.", nullable=False)
    platform_id = text("Platform, such as NA1.")
    game_version = text("Full version of the game, such as 13.14.522.7601.", nullable=False)
    queue_id = dy.Int32(description="Queue, such as 420 for ranked solo.")
    map_id = number("Map: 11 is Summoner's Rift, 12 Howling Abyss, 30 the Arena.")
    game_mode = text("Mode, such as CLASSIC or ARAM.")
    game_type = text("Type, such as MATCHED_GAME.")
    tournament_code = text("Code of a tournament's match.")
    created_at = utc("When the lobby was made.", nullable=True)
    started_at = utc("When the game began.")
    ended_at = utc("When it ended, as told since patch 11.20.", nullable=True)
    game_duration = dy.Int64(min=0, description="Length as told: milliseconds where ended_at is absent, else seconds.")
    end_of_game_result = text("How it ended: GameComplete, or an abort such as Abort_Unexpected; told since 2024.")
    winning_team_id = number("Team that won: 100 blue, 200 red; null where none did, or more than one as in the Arena.")
    participants = dy.Int16(min=0, description="Participants listed.")
    unknown_keys = count("Distinct keys of participants that no column takes, challenges aside.", nullable=False)


class RawTeams(MatchRow, key="lol/raw_teams", **LANDED):
    """Teams of the match objects: what they took, and which champions they banned."""

    team_id = dy.Int16(primary_key=True, description="Team: 100 blue, 200 red.")
    won = flag("Whether it won.")
    banned_champion_ids = dy.List(dy.Int32(), description="Champions it banned, in turn; -1 is no ban.")
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

    puuid = text("Player, as one API key knows them.")
    riot_id_name = text("Name of the Riot id.")
    riot_id_tagline = text("Tagline of the Riot id.")
    summoner_name = text("Summoner name; empty since Riot ids came.")
    summoner_level = count("Level of the account.")
    team_id = dy.Int16(description="Team: 100 blue, 200 red; in the Arena see subteam_id.")
    subteam_id = number("Team of two in the Arena.", api="playerSubteamId")
    placement = number("Placement in the Arena, from 1.")
    won = dy.Bool(description="Whether the participant won.", metadata={"api": "win"})
    champion_id = dy.Int32(description="Champion.")
    champion_name = text("Champion's key in Data Dragon, such as MonkeyKing.")
    champion_transform = number("Form of Kayn: 1 Rhaast, 2 the shadow assassin.")
    champion_level = count("Level at the end.", api="champLevel")
    team_position = text("TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY; empty where there are no positions.")
    individual_position = text("Position as guessed of the participant alone.")
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
    damage_dealt = count("Damage to anything.", api="totalDamageDealt")
    damage_taken = count("Damage taken.", api="totalDamageTaken")
    damage_self_mitigated = count("Damage that armour, shields and the like kept off.")
    damage_to_objectives = count("Damage to epic monsters and buildings.", api="damageDealtToObjectives")
    damage_to_turrets = count("Damage to turrets.", api="damageDealtToTurrets")
    heal = count("Health healed.", api="totalHeal")
    heal_on_teammates = count("Health of team mates healed.", api="totalHealsOnTeammates")
    shield_on_teammates = count("Damage to team mates shielded.", api="totalDamageShieldedOnTeammates")
    time_ccing_others_s = count("Seconds of crowd control on others, as scored.", api="timeCCingOthers")
    total_time_cc_dealt_s = count("Seconds of crowd control dealt in all.", api="totalTimeCCDealt")
    time_dead_s = count("Seconds spent dead.", api="totalTimeSpentDead")
    longest_life_s = count("Longest time alive, in seconds.", api="longestTimeSpentLiving")
    time_played_s = count("Seconds played.", api="timePlayed")
    vision_score = count("Vision score.")
    wards_placed = count("Wards placed.")
    wards_killed = count("Wards destroyed.")
    control_wards_bought = count("Control wards bought.", api="visionWardsBoughtInGame")
    control_wards_placed = count("Control wards placed.", api="detectorWardsPlaced")
    dragon_kills = count("Dragons killed by the own hand.")
    baron_kills = count("Barons killed by the own hand.")
    turret_kills = count("Turrets destroyed by the own hand.")
    inhibitor_kills = count("Inhibitors destroyed by the own hand.")
    objectives_stolen = count("Epic monsters stolen.")
    first_blood_kill = flag("Whether it killed first.")
    first_blood_assist = flag("Whether it assisted in the first kill.")
    first_tower_kill = flag("Whether it destroyed the first tower.")
    first_tower_assist = flag("Whether it assisted in that.")
    game_ended_in_early_surrender = flag("Whether the game was a remake, or given up early.")
    game_ended_in_surrender = flag("Whether a team gave up.")
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
    """The timeline of a match, or the reason why nothing of it is used: one row per match with one."""

    status = dy.String(
        check=lambda column: column.is_in(["processed", "unreadable"]), description="processed, or unreadable."
    )
    reason = text("Why it was rejected.")
    content_hash = text("Hash of the landed content this row was read from.", nullable=False)
    other_files = count("Further timelines landed for the match and not used.", nullable=False)
    size_bytes = dy.Int64(min=0, description="Size of the decompressed content, in bytes.")
    frame_interval_ms = count("Interval of the frames as told, in milliseconds.")
    frames = count("Frames.", nullable=False)
    events = count("Events.", nullable=False)
    last_timestamp_ms = dy.Int64(nullable=True, min=0, description="Time of the last frame, milliseconds of the game.")


_DAMAGE, _CHAMPION = "damageStats", "championStats"


class TimelineFrames(ParticipantRow, key="lol/timeline_frames", **LANDED):
    """How participants stood at each frame of a timeline: about once a minute, and at the end."""

    frame_index = dy.Int16(primary_key=True, min=0, description="Number of the frame, from 0.")
    timestamp_ms = dy.Int64(min=0, description="Time of the frame, milliseconds of the game. It drifts off the minute.")
    level = count("Level.")
    xp = count("Experience.")
    total_gold = count("Gold earned until then.")
    current_gold = number("Gold at hand.")
    gold_per_second = number("Gold a second, as told.")
    lane_minions_killed = count("Lane minions killed until then.", api="minionsKilled")
    jungle_minions_killed = count("Jungle monsters killed until then.")
    time_enemy_spent_controlled_ms = count(
        "Milliseconds that enemies were under its control.", api="timeEnemySpentControlled"
    )
    position_x = number("Position on the map, from the left.", api="position.x")
    position_y = number("Position on the map, from the bottom.", api="position.y")
    damage_to_champions = count("Damage to champions until then.", api=f"{_DAMAGE}.totalDamageDoneToChampions")
    physical_damage_to_champions = count(
        "Physical damage to champions until then.", api=f"{_DAMAGE}.physicalDamageDoneToChampions"
    )
    magic_damage_to_champions = count(
        "Magic damage to champions until then.", api=f"{_DAMAGE}.magicDamageDoneToChampions"
    )
    true_damage_to_champions = count("True damage to champions until then.", api=f"{_DAMAGE}.trueDamageDoneToChampions")
    damage_dealt = count("Damage to anything until then.", api=f"{_DAMAGE}.totalDamageDone")
    damage_taken = count("Damage taken until then.", api=f"{_DAMAGE}.totalDamageTaken")
    health = number("Health.", api=f"{_CHAMPION}.health")
    health_max = number("Health at most.", api=f"{_CHAMPION}.healthMax")
    power = number("Mana or energy.", api=f"{_CHAMPION}.power")
    power_max = number("Mana or energy at most.", api=f"{_CHAMPION}.powerMax")
    attack_damage = number("Attack damage.", api=f"{_CHAMPION}.attackDamage")
    attack_speed = number("Attack speed, in hundredths.", api=f"{_CHAMPION}.attackSpeed")
    ability_power = number("Ability power.", api=f"{_CHAMPION}.abilityPower")
    ability_haste = number("Ability haste.", api=f"{_CHAMPION}.abilityHaste")
    armor = number("Armour.", api=f"{_CHAMPION}.armor")
    magic_resist = number("Magic resistance.", api=f"{_CHAMPION}.magicResist")
    movement_speed = number("Movement speed.", api=f"{_CHAMPION}.movementSpeed")


class TimelineEvents(MatchRow, key="lol/timeline_events", **LANDED):
    """Events of a timeline in their order, of every kind; columns that a kind does not have are null."""

    event_index = dy.Int32(primary_key=True, min=0, description="Position of the event in its timeline, from 0.")
    frame_index = dy.Int16(min=0, description="Frame it is listed in.")
    timestamp_ms = dy.Int64(
        min=0, description="Time of the event, milliseconds of the game.", metadata={"api": "timestamp"}
    )
    event_type = text("Kind, such as ITEM_PURCHASED.", nullable=False, api="type")
    participant_id = dy.Int16(
        nullable=True, description="Who did it: participantId, else creatorId or killerId; 0 is nobody."
    )
    victim_id = dy.Int16(nullable=True, description="Who was killed.")
    assisting_participant_ids = dy.List(dy.Int16(), nullable=True, description="Who assisted.")
    team_id = dy.Int16(nullable=True, description="Team it is about; of BUILDING_KILL the one that lost the building.")
    killer_team_id = dy.Int16(nullable=True, description="Team that slew a monster; 300 is neither.")
    item_id = number("Item bought, sold or destroyed.")
    before_id = number("Of an undo, the item before it; 0 is none.")
    after_id = number("Of an undo, the item after it; 0 is none.")
    gold_gain = number("Of an undo, the gold it gave back; below 0 it took some.")
    level = number("Level reached.")
    skill_slot = number("Skill levelled: 1 Q, 2 W, 3 E, 4 R.")
    level_up_type = text("NORMAL or EVOLVE.")
    ward_type = text("Kind of ward placed or destroyed.")
    monster_type = text("Epic monster, such as DRAGON.")
    monster_sub_type = text("Kind of dragon, such as FIRE_DRAGON.")
    building_type = text("TOWER_BUILDING or INHIBITOR_BUILDING.")
    tower_type = text("Which tower, such as OUTER_TURRET.")
    lane_type = text("Lane of a building, such as MID_LANE.")
    kill_type = text("Of special kills: KILL_FIRST_BLOOD, KILL_MULTI, KILL_ACE.")
    multi_kill_length = number("Kills of a multi-kill.")
    kill_streak_length = number("Kills of the killer without a death.")
    bounty = number("Gold for the kill.")
    shutdown_bounty = number("Gold for ending a streak.")
    transform_type = text("Form a champion took.")
    name = text("Of DRAGON_SOUL_GIVEN, which soul.")
    winning_team_id = dy.Int16(
        nullable=True, description="Of GAME_END, the team that won.", metadata={"api": "winningTeam"}
    )
    occurred_at = utc("Time by the clock, of the few kinds that tell it.", nullable=True, api="realTimestamp")
    position_x = number("Where it happened, from the left.", api="position.x")
    position_y = number("Where it happened, from the bottom.", api="position.y")


class TimelineEventCounts(MatchRow, key="lol/timeline_event_counts", **LANDED):
    """Events of each kind in a timeline: those that are rows, and those that were quarantined."""

    event_type = dy.String(primary_key=True, description="Kind; '(none)' where an event tells none.")
    is_known = dy.Bool(description="Whether the kind was known when this was written; new ones are rows all the same.")
    events = count("Events in the file.", nullable=False)
    quarantined = count("Events that could not be read.", nullable=False)
