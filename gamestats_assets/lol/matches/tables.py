"""Matches, participants, items, skills and objectives (silver), and one wide row per player and match (gold)."""

from __future__ import annotations

import dataframely as dy

from gamestats_assets.lol.matches.rows import (
    DAILY,
    SILVER,
    MatchRow,
    ParticipantRow,
    count,
    flag,
    number,
    real,
    seconds,
    share,
    text,
    utc,
)
from gamestats_assets.lol.reference.tables import PATCH

POSITIONS = ("TOP", "JUNGLE", "MIDDLE", "BOTTOM", "UTILITY")
OBJECTIVES = ("first_blood", "dragon", "herald", "grubs", "baron", "atakhan", "tower", "inhibitor")
ITEM_ACTIONS = ("purchased", "sold", "destroyed", "undone", "transformed", "set_aside")


class Matches(MatchRow, key="lol/matches", **SILVER):
    """Matches: time, place and length, and whether they count in statistics."""

    platform_id = text("Platform, such as NA1.")
    game_version = text("Full version of the game.", nullable=False)
    patch = dy.String(regex=PATCH, description="Patch: the first two numbers of the version.")
    queue_id = dy.Int32(description="Queue.")
    queue_group = text("Group of queues that statistics combine, such as ranked_solo.", nullable=False)
    has_positions = dy.Bool(description="Whether players have positions.")
    map_id = number("Map: 11 is Summoner's Rift.")
    game_mode = text("Mode, such as CLASSIC.")
    started_at = utc("Start of the game.")
    duration_s = seconds("Length of the game.")
    winning_team_id = number("Team that won: 100 blue, 200 red; null if neither or both did.")
    participants = dy.Int16(min=0, description="Number of participants listed.")
    is_remake = dy.Bool(description="Whether it was a remake: an early surrender, or a game under five minutes.")
    is_aborted = dy.Bool(description="Whether it was aborted: no winner, or both teams outside the Arena.")
    has_timeline = dy.Bool(description="Whether it has a readable timeline.")
    in_statistics = dy.Bool(
        description="Whether it counts in statistics: not a remake, not aborted, and in a queue that counts."
    )
    data_dragon_version = text("Version of Data Dragon used for the patch.")
    version_is = text("Relation of that version to the patch: exact, earlier, later or none.", nullable=False)


class Participants(ParticipantRow, key="lol/participants", **SILVER):
    """Participants, with values per minute and their state after 10, 15 and 20 minutes."""

    puuid = text("Player id, specific to one API key.")
    riot_id = text("Riot id, such as Name#TAG; the summoner name in older matches.")
    team_id = dy.Int16(description="Team: 100 blue, 200 red.")
    subteam_id = number("Team of two in the Arena.")
    placement = number("Placement in the Arena, from 1.")
    won = dy.Bool(description="Whether the participant won.")
    champion_id = dy.Int32(description="Champion.")
    champion_key = text("Champion's key in Data Dragon, such as MonkeyKing.")
    position = dy.String(
        nullable=True,
        check=lambda column: column.is_in(POSITIONS),
        description="TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY; null if the queue has no positions.",
    )
    opponent_participant_id = dy.Int16(nullable=True, description="Opponent in the same position of the other team.")
    champion_level = count("Level at the end.")
    kills = count("Champions killed.", nullable=False)
    deaths = count("Times died.", nullable=False)
    assists = count("Assists.", nullable=False)
    kda = real("Kills and assists per death, with at least one death assumed.", minimum=0)
    kill_participation = share("Share of the team's kills in which the participant killed or assisted.")
    damage_to_champions = count("Damage to champions.", nullable=False)
    dpm = real("Damage to champions per minute.", minimum=0)
    damage_share = share("Share of the team's damage to champions.")
    damage_taken_per_minute = real("Damage taken per minute.", minimum=0)
    gold_earned = count("Gold earned.", nullable=False)
    gold_per_minute = real("Gold earned per minute.", minimum=0)
    cs = count("Minions and jungle monsters killed.")
    cs_per_minute = real("Minions and jungle monsters killed per minute.", minimum=0)
    vision_score = count("Vision score.")
    vision_per_minute = real("Vision score per minute.", minimum=0)
    wards_placed = count("Wards placed.")
    wards_killed = count("Wards destroyed.")
    control_wards_bought = count("Control wards bought.")
    deaths_per_minute = real("Deaths per minute.", minimum=0)
    time_dead_share = share("Share of the game spent dead.")
    damage_to_objectives = count("Damage to epic monsters and buildings.")
    keystone_id = number("Keystone rune.")
    summoner1_id = number("First summoner spell.")
    summoner2_id = number("Second summoner spell.")
    first_blood = flag("Whether the participant killed or assisted in first blood.")
    gold_at_10 = real("Gold earned after 10 minutes, interpolated between frames; null if the game was shorter.")
    gold_at_15 = real("Gold earned after 15 minutes.")
    gold_at_20 = real("Gold earned after 20 minutes.")
    xp_at_10 = real("Experience after 10 minutes.")
    xp_at_15 = real("Experience after 15 minutes.")
    cs_at_10 = real("Minions and jungle monsters killed after 10 minutes.")
    cs_at_15 = real("Minions and jungle monsters killed after 15 minutes.")
    lane_gold_diff_at_10 = real("Gold after 10 minutes, minus that of the opponent in the same position.")
    lane_gold_diff_at_15 = real("Gold after 15 minutes, minus that of the opponent in the same position.")
    lane_gold_diff_at_20 = real("Gold after 20 minutes, minus that of the opponent in the same position.")
    team_gold_diff_at_10 = real("Gold of the team after 10 minutes, minus that of the other team.")
    team_gold_diff_at_15 = real("Gold of the team after 15 minutes, minus that of the other team.")
    team_gold_diff_at_20 = real("Gold of the team after 20 minutes, minus that of the other team.")


class ItemEvents(MatchRow, key="lol/item_events", **SILVER):
    """Item actions in order, and how long acquired items were held.

    At any time a participant holds the items that were purchased or transformed before it and have not left.
    """

    event_index = dy.Int32(primary_key=True, min=0, description="Position of the event in its timeline.")
    participant_id = dy.Int16(min=1, description="Participant.")
    at_s = seconds("When.")
    action = dy.String(
        check=lambda column: column.is_in(ITEM_ACTIONS),
        description="purchased, sold, destroyed (consumed, or a component of a purchase), undone (a purchase or sale "
        "reverted), transformed (turned into another item), or set_aside (recorded as destroyed but comes "
        "back: while Viego is in another body, or the Eye of the Herald lies in the trinket slot).",
    )
    item_id = dy.Int32(description="Item bought, sold, destroyed or undone; for a transformation the new item.")
    other_item_id = number("For a transformation the old item; for an undo the item that came back.")
    is_undone = dy.Bool(description="Whether it was undone later.")
    held_until_s = seconds(
        "For a purchase or transformation, when the item left; null if held to the end, and for other actions.",
        nullable=True,
    )


class ItemBuilds(ParticipantRow, key="lol/item_builds", **SILVER):
    """Items that participants completed, in order, with the gold differences at that time."""

    item_id = dy.Int32(primary_key=True, description="Item; its first completion if it was completed twice.")
    kind = dy.String(check=lambda column: column.is_in(["core", "boots"]), description="core or boots.")
    completion = dy.Int16(
        min=1, description="Number of the completion among all completions of the participant, from 1."
    )
    core_order = dy.Int16(
        nullable=True,
        min=1,
        description="Number among the core items, from 1; a transformed item keeps the number of its original. Null "
        "for boots.",
    )
    is_transformation = dy.Bool(description="Whether it is the transformation of another item.")
    transformed_from = number("Item that turned into it.")
    completed_at_s = seconds("Time of completion.")
    left_at_s = seconds("Time at which it was sold or lost for good; null if held to the end.", nullable=True)
    team_gold_diff = real("Gold of the team minus that of the other at that moment, interpolated between frames.")
    lane_gold_diff = real("Gold minus that of the opponent in the same position at that moment.")
    items_version = text("Version of Data Dragon in which the item was looked up.", nullable=False)


class FinalItems(ParticipantRow, key="lol/final_items", **SILVER):
    """Final items of participants: computed from the timeline, and recorded in the match object."""

    computed_item_ids = dy.List(dy.Int32(), description="Final items computed from the timeline's events.")
    recorded_item_ids = dy.List(dy.Int32(), description="Items in the slots of the match object, without empty slots.")
    agrees = dy.Bool(description="Whether both lists are equal.")
    reason = text("Reason for the difference, if known; null if the lists agree.")


class SkillOrders(ParticipantRow, key="lol/skill_orders", **SILVER):
    """Order in which participants levelled their skills."""

    levels = text("Skills levelled in turn, such as QEWQQRQEQE.", nullable=False)
    first_levels = text("First six levels; shorter if there were fewer.", nullable=False)
    max_order = text("Order in which Q, W and E reached their highest ranks, such as QEW; empty without levels.")
    is_complete = dy.Bool(
        description="Whether two of the three reached their highest rank; otherwise ranks decide the order, then the "
        "time they were reached."
    )
    first_maxed = text("First of Q, W and E to reach its highest rank; null if none did.")
    first_maxed_at_s = seconds("Time at which it did.", nullable=True)
    first_maxed_team_gold_diff = real("Gold of the team minus that of the other at that moment.")
    second_maxed_at_s = seconds("Time at which the second one did.", nullable=True)
    trigrams = dy.List(dy.String(), description="Every run of three levels among the first nine, such as QEW.")
    dropped_events = count("Events left out: evolutions, duplicates, ranks beyond the highest.", nullable=False)


class Objectives(MatchRow, key="lol/objectives", **SILVER):
    """Objectives that teams took: first blood, epic monsters, towers, inhibitors."""

    patch = dy.String(regex=PATCH, description="Patch of the match; statistics by patch read this table.")
    queue_group = text("Group of queues of the match.", nullable=False)
    in_statistics = dy.Bool(description="Whether the match counts in statistics.")
    event_index = dy.Int32(primary_key=True, min=0, description="Position of the event in its timeline.")
    objective = dy.String(
        check=lambda column: column.is_in(OBJECTIVES),
        description="first_blood, dragon, herald, grubs, baron, atakhan, tower or inhibitor.",
    )
    sub_type = text("Kind of dragon or of tower.")
    number_in_match = dy.Int16(min=1, description="Number among objectives of its kind in the match; 1 is the first.")
    number_of_team = dy.Int16(
        min=1, description="Number among objectives of its kind that the team took; 1 is the first."
    )
    team_id = dy.Int16(description="Team that took it.")
    killer_participant_id = dy.Int16(nullable=True, description="Participant with the last hit; null for minions.")
    participant_ids = dy.List(dy.Int16(), description="Members of the team who killed or assisted.")
    at_s = seconds("When.")
    team_gold_diff_before = real("Gold of the taking team minus that of the other at the last frame before it.")
    won = flag("Whether the team that took it won.")


class TeamCoordination(MatchRow, key="lol/team_coordination", **SILVER):
    """Coordination of teams: kills and assists within time windows, objectives, and a score."""

    team_id = dy.Int16(primary_key=True, description="Team: 100 blue, 200 red.")
    won = flag("Whether the team won.")
    kills = count("Champions that team members killed.", nullable=False)
    assists_per_kill = real("Assists per kill; null without kills.", minimum=0)
    assisted_kill_share = share("Share of the team's kills with an assist.")
    fights = count("Groups of kills at most 15 seconds apart.", nullable=False)
    kills_together_share = share("Share of the team's kills within 15 seconds of another one.")
    members_per_fight = real("Average number of members who killed or assisted per fight.", minimum=0)
    objectives = count("Epic monsters, towers and inhibitors that the team took.", nullable=False)
    objective_participation = share("Average share of members who killed or assisted at an epic monster.")
    synchronisation = share(
        "Score from 0 to 1: share of pairs of members who were in the same fight, averaged over fights, weighted by "
        "kills."
    )


class ParticipantFeatures(
    Participants,
    key="lol/participant_features",
    **{**DAILY, "subject": "matches", "layer": "gold", "published": True},
    indexes=(("champion_key", "position", "patch"), ("patch", "queue_group"), ("puuid",)),
    reconciled=("kills", "deaths", "assists", "damage_to_champions"),
):
    """One wide row per player and match that counts in statistics; the source of questions and statistics."""

    patch = dy.String(regex=PATCH, description="Patch: the first two numbers of the version.")
    queue_id = dy.Int32(description="Queue.")
    queue_group = text("Group of queues that statistics combine, such as ranked_solo.", nullable=False)
    platform_id = text("Platform, such as NA1.")
    duration_s = seconds("Length of the game.")
    has_timeline = dy.Bool(description="Whether the match has a readable timeline.")
    held_out = dy.Bool(
        description="Whether the match belongs to the half on which patterns are tested again; decided by its id."
    )
    core_items = dy.Int16(nullable=True, min=0, description="Number of core items completed; null without a timeline.")
    core_item_ids = dy.List(dy.Int32(), nullable=True, description="Core items in order of completion, as bought.")
    core_items_at_s = dy.List(dy.Float64(), nullable=True, description="Completion time of each, in seconds.")
    core_items_team_gold_diff = dy.List(
        dy.Float64(nullable=True),
        nullable=True,
        description="Gold of the team minus that of the other at each completion.",
    )
    core_items_lane_gold_diff = dy.List(
        dy.Float64(nullable=True),
        nullable=True,
        description="Gold minus that of the lane opponent at each completion.",
    )
    completed_item_ids = dy.List(
        dy.Int32(),
        nullable=True,
        description="Core items and boots in order of completion, including transformed items.",
    )
    completed_items_at_s = dy.List(dy.Float64(), nullable=True, description="Completion time of each, in seconds.")
    boots_id = number("First boots completed.")
    skill_max_order = text("Order in which Q, W and E reached their highest ranks, such as QEW.")
    skill_order_is_complete = flag("Whether two of the three did.")
    skill_first_levels = text("First six levels, such as QEWQQR.")
    skill_trigrams = dy.List(dy.String(), nullable=True, description="Runs of three levels among the first nine.")
    skill_first_maxed_at_s = seconds("Time at which the first skill reached its highest rank.", nullable=True)
    skill_first_maxed_team_gold_diff = real("Gold of the team minus that of the other at that moment.")
    team_first_blood = flag("Whether the team drew first blood.")
    team_first_dragon = flag("Whether the team slew the first dragon; null if neither team did.")
    team_first_herald = flag("Whether the team slew the first herald; null if neither team did.")
    team_first_grubs = flag("Whether the team slew the first void grub; null if neither team did.")
    team_first_baron = flag("Whether the team slew the first baron; null if neither team did.")
    team_first_tower = flag("Whether the team destroyed the first tower; null if neither team did.")
    first_blood_at_s = seconds("Time of first blood.", nullable=True)
    first_dragon_at_s = seconds("Time of the first dragon.", nullable=True)
    first_herald_at_s = seconds("Time of the first herald.", nullable=True)
    first_grubs_at_s = seconds("Time of the first void grub.", nullable=True)
    first_baron_at_s = seconds("Time of the first baron.", nullable=True)
    first_tower_at_s = seconds("Time of the first tower.", nullable=True)
    team_gold_diff_before_first_blood = real("Gold of the team minus that of the other just before first blood.")
    team_gold_diff_before_first_dragon = real("Gold of the team minus that of the other just before the first dragon.")
    team_gold_diff_before_first_herald = real("Gold of the team minus that of the other just before the first herald.")
    team_gold_diff_before_first_grubs = real(
        "Gold of the team minus that of the other just before the first void grub."
    )
    team_gold_diff_before_first_baron = real("Gold of the team minus that of the other just before the first baron.")
    team_gold_diff_before_first_tower = real("Gold of the team minus that of the other just before the first tower.")
    team_dragons = count("Dragons slain by the team.")
    team_towers = count("Towers destroyed by the team.")
    objective_participation = share("Share of the team's epic monsters at which the participant killed or assisted.")
    team_synchronisation = share("Synchronisation score of the team, from 0 to 1.")
