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
    """Matches: when, where, how long, and whether they count in statistics."""

    platform_id = text("Platform, such as NA1.")
    game_version = text("Full version of the game.", nullable=False)
    patch = dy.String(regex=PATCH, description="Patch: the first two numbers of the version.")
    queue_id = dy.Int32(description="Queue.")
    queue_group = text("Group of queues that statistics take together, such as ranked_solo.", nullable=False)
    has_positions = dy.Bool(description="Whether players have positions.")
    map_id = number("Map: 11 is Summoner's Rift.")
    game_mode = text("Mode, such as CLASSIC.")
    started_at = utc("When the game began.")
    duration_s = seconds("Length of the game.")
    winning_team_id = number("Team that won: 100 blue, 200 red; null where none did, or more than one.")
    participants = dy.Int16(min=0, description="Participants listed.")
    is_remake = dy.Bool(description="Whether it was ended at once: an early surrender, or under five minutes.")
    is_aborted = dy.Bool(description="Whether it was broken off: won by nobody, or by both teams outside the Arena.")
    has_timeline = dy.Bool(description="Whether a timeline of it could be read.")
    in_statistics = dy.Bool(
        description="Whether it counts in statistics: no remake, not aborted, and of a queue that counts."
    )
    data_dragon_version = text("Version of Data Dragon whose items and champions stand for its patch.")
    version_is = text("exact, earlier or later than the patch, or none.", nullable=False)


class Participants(ParticipantRow, key="lol/participants", **SILVER):
    """Participants, with what they did per minute, and how they stood after 10, 15 and 20 minutes."""

    puuid = text("Player, as one API key knows them.")
    riot_id = text("Riot id, such as Name#TAG; the summoner name of older matches.")
    team_id = dy.Int16(description="Team: 100 blue, 200 red.")
    subteam_id = number("Team of two in the Arena.")
    placement = number("Placement in the Arena, from 1.")
    won = dy.Bool(description="Whether the participant won.")
    champion_id = dy.Int32(description="Champion.")
    champion_key = text("Champion's key in Data Dragon, such as MonkeyKing.")
    position = dy.String(
        nullable=True,
        check=lambda column: column.is_in(POSITIONS),
        description="TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY; null where there are no positions.",
    )
    opponent_participant_id = dy.Int16(nullable=True, description="Who has the same position in the other team.")
    champion_level = count("Level at the end.")
    kills = count("Champions killed.", nullable=False)
    deaths = count("Times died.", nullable=False)
    assists = count("Assists.", nullable=False)
    kda = real("Kills and assists per death; deaths count as one at least.", minimum=0)
    kill_participation = share("Share of the team's kills that the participant killed or assisted in.")
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
    first_blood = flag("Whether the participant killed first, or assisted in it.")
    gold_at_10 = real("Gold earned after 10 minutes, interpolated between frames; null where the game was shorter.")
    gold_at_15 = real("Gold earned after 15 minutes.")
    gold_at_20 = real("Gold earned after 20 minutes.")
    xp_at_10 = real("Experience after 10 minutes.")
    xp_at_15 = real("Experience after 15 minutes.")
    cs_at_10 = real("Minions and jungle monsters killed after 10 minutes.")
    cs_at_15 = real("Minions and jungle monsters killed after 15 minutes.")
    lane_gold_diff_at_10 = real("Gold after 10 minutes, less that of the opponent in the same position.")
    lane_gold_diff_at_15 = real("Gold after 15 minutes, less that of the opponent in the same position.")
    lane_gold_diff_at_20 = real("Gold after 20 minutes, less that of the opponent in the same position.")
    team_gold_diff_at_10 = real("Gold of the team after 10 minutes, less that of the other.")
    team_gold_diff_at_15 = real("Gold of the team after 15 minutes, less that of the other.")
    team_gold_diff_at_20 = real("Gold of the team after 20 minutes, less that of the other.")


class ItemEvents(MatchRow, key="lol/item_events", **SILVER):
    """What was done with items, in order, and how long what was acquired was held.

    A participant held at a time what was purchased or came of a transformation by then and did not leave by then.
    """

    event_index = dy.Int32(primary_key=True, min=0, description="Position of the event in its timeline.")
    participant_id = dy.Int16(min=1, description="Participant.")
    at_s = seconds("When.")
    action = dy.String(
        check=lambda column: column.is_in(ITEM_ACTIONS),
        description="purchased, sold, destroyed (used up, or a component of what was bought), undone (a purchase or "
        "sale taken back), transformed (it turned into another item by itself), or set_aside (told as destroyed, but "
        "it comes back: while Viego is in another's body, or the Eye of the Herald lies in the trinket's slot).",
    )
    item_id = dy.Int32(description="Item bought, sold, destroyed or taken back; of a transformation the new one.")
    other_item_id = number("Of a transformation the item before; of an undo the item that came back.")
    is_undone = dy.Bool(description="Whether it was taken back later.")
    held_until_s = seconds(
        "Of a purchase or transformation, when the item left; null where it was held to the end, and of other actions.",
        nullable=True,
    )


class ItemBuilds(ParticipantRow, key="lol/item_builds", **SILVER):
    """Items that participants completed, in order, and how the game stood then."""

    item_id = dy.Int32(primary_key=True, description="Item; where it was completed twice, its first time.")
    kind = dy.String(check=lambda column: column.is_in(["core", "boots"]), description="core or boots.")
    completion = dy.Int16(min=1, description="Number of the completion among all of the participant's, from 1.")
    core_order = dy.Int16(
        nullable=True,
        min=1,
        description="Number among the core items, from 1; what an item turned into has that item's. Null for boots.",
    )
    is_transformation = dy.Bool(description="Whether another item turned into it.")
    transformed_from = number("The item that turned into it.")
    completed_at_s = seconds("When it was completed.")
    left_at_s = seconds("When it was sold or lost for good; null where it was held to the end.", nullable=True)
    team_gold_diff = real("Gold of the team less that of the other at that moment, interpolated between frames.")
    lane_gold_diff = real("Gold less that of the opponent in the same position at that moment.")
    items_version = text("Version of Data Dragon that the item was looked up in.", nullable=False)


class FinalItems(ParticipantRow, key="lol/final_items", **SILVER):
    """What participants held at the end as the timeline tells it, beside what the match object records."""

    computed_item_ids = dy.List(dy.Int32(), description="Items held at the end as the timeline's events make it.")
    recorded_item_ids = dy.List(dy.Int32(), description="Items in the slots of the match object, empty ones left out.")
    agrees = dy.Bool(description="Whether both hold the same items.")
    reason = text("Why they differ, as far as it can be told; null where they agree.")


class SkillOrders(ParticipantRow, key="lol/skill_orders", **SILVER):
    """In which order participants levelled their skills."""

    levels = text("Skills levelled in turn, such as QEWQQRQEQE.", nullable=False)
    first_levels = text("The first six of them; shorter where there were fewer.", nullable=False)
    max_order = text("Order in which Q, W and E reached their highest ranks, such as QEW; empty without levels.")
    is_complete = dy.Bool(
        description="Whether two of the three reached their highest rank; else ranks decide, then who had them first."
    )
    first_maxed = text("The one of Q, W and E that reached its highest rank first; null where none did.")
    first_maxed_at_s = seconds("When it did.", nullable=True)
    first_maxed_team_gold_diff = real("Gold of the team less that of the other at that moment.")
    second_maxed_at_s = seconds("When the second did.", nullable=True)
    trigrams = dy.List(dy.String(), description="Every three levels in a row among the first nine, such as QEW.")
    dropped_events = count("Events left out: evolutions, doubled ones, ranks beyond the highest.", nullable=False)


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
    number_in_match = dy.Int16(min=1, description="1 for the first of its kind in the match.")
    number_of_team = dy.Int16(min=1, description="1 for the first of its kind that the team took.")
    team_id = dy.Int16(description="Team that took it.")
    killer_participant_id = dy.Int16(nullable=True, description="Who gave the last blow; null for minions.")
    participant_ids = dy.List(dy.Int16(), description="Members of the team who killed or assisted.")
    at_s = seconds("When.")
    team_gold_diff_before = real("Gold of the taking team less that of the other at the last frame before it.")
    won = flag("Whether the team that took it won.")


class TeamCoordination(MatchRow, key="lol/team_coordination", **SILVER):
    """How teams acted together: kills and assists in time windows, objectives, and a score."""

    team_id = dy.Int16(primary_key=True, description="Team: 100 blue, 200 red.")
    won = flag("Whether it won.")
    kills = count("Champions its members killed.", nullable=False)
    assists_per_kill = real("Assists per kill; null without kills.", minimum=0)
    assisted_kill_share = share("Share of its kills with an assist.")
    fights = count("Groups of kills with at most 15 seconds between two.", nullable=False)
    kills_together_share = share("Share of its kills that came within 15 seconds of another of its kills.")
    members_per_fight = real("Members who killed or assisted, on average over its fights.", minimum=0)
    objectives = count("Epic monsters, towers and inhibitors it took.", nullable=False)
    objective_participation = share("Share of its members who killed or assisted at an epic monster, on average.")
    synchronisation = share(
        "Score from 0 to 1: the share of pairs of members who were in the same fight, averaged over fights by kills."
    )


class ParticipantFeatures(
    Participants,
    key="lol/participant_features",
    **{**DAILY, "subject": "matches", "layer": "gold", "published": True},
    indexes=(("champion_key", "position", "patch"), ("patch", "queue_group"), ("puuid",)),
    reconciled=("kills", "deaths", "assists", "damage_to_champions"),
):
    """One wide row per player and match that counts in statistics: what questions and statistics are made from."""

    patch = dy.String(regex=PATCH, description="Patch: the first two numbers of the version.")
    queue_id = dy.Int32(description="Queue.")
    queue_group = text("Group of queues that statistics take together, such as ranked_solo.", nullable=False)
    platform_id = text("Platform, such as NA1.")
    duration_s = seconds("Length of the game.")
    has_timeline = dy.Bool(description="Whether a timeline of the match could be read.")
    held_out = dy.Bool(description="Whether the match is of the half that patterns are tried again on, by its id.")
    core_items = dy.Int16(nullable=True, min=0, description="Core items completed; null without a timeline.")
    core_item_ids = dy.List(
        dy.Int32(), nullable=True, description="Core items in the order of completion, as they were bought."
    )
    core_items_at_s = dy.List(dy.Float64(), nullable=True, description="When each was completed, in seconds.")
    core_items_team_gold_diff = dy.List(
        dy.Float64(nullable=True),
        nullable=True,
        description="Gold of the team less that of the other when each was completed.",
    )
    core_items_lane_gold_diff = dy.List(
        dy.Float64(nullable=True),
        nullable=True,
        description="Gold less that of the lane's opponent when each was completed.",
    )
    completed_item_ids = dy.List(
        dy.Int32(),
        nullable=True,
        description="Core items and boots completed in order, with what items turned into.",
    )
    completed_items_at_s = dy.List(dy.Float64(), nullable=True, description="When each was completed, in seconds.")
    boots_id = number("First boots completed.")
    skill_max_order = text("Order in which Q, W and E reached their highest ranks, such as QEW.")
    skill_order_is_complete = flag("Whether two of them did.")
    skill_first_levels = text("First six levels, such as QEWQQR.")
    skill_trigrams = dy.List(dy.String(), nullable=True, description="Three levels in a row, among the first nine.")
    skill_first_maxed_at_s = seconds("When the first skill reached its highest rank.", nullable=True)
    skill_first_maxed_team_gold_diff = real("Gold of the team less that of the other at that moment.")
    team_first_blood = flag("Whether the team drew first blood.")
    team_first_dragon = flag("Whether the team slew the first dragon; null where nobody did.")
    team_first_herald = flag("Whether the team slew the first herald; null where nobody did.")
    team_first_grubs = flag("Whether the team slew the first void grub; null where nobody did.")
    team_first_baron = flag("Whether the team slew the first baron; null where nobody did.")
    team_first_tower = flag("Whether the team destroyed the first tower; null where nobody did.")
    first_blood_at_s = seconds("When somebody took first blood.", nullable=True)
    first_dragon_at_s = seconds("When somebody took the first dragon.", nullable=True)
    first_herald_at_s = seconds("When somebody took the first herald.", nullable=True)
    first_grubs_at_s = seconds("When somebody took the first void grub.", nullable=True)
    first_baron_at_s = seconds("When somebody took the first baron.", nullable=True)
    first_tower_at_s = seconds("When somebody took the first tower.", nullable=True)
    team_gold_diff_before_first_blood = real("Gold of the team less that of the other just before first blood.")
    team_gold_diff_before_first_dragon = real("Gold of the team less that of the other just before the first dragon.")
    team_gold_diff_before_first_herald = real("Gold of the team less that of the other just before the first herald.")
    team_gold_diff_before_first_grubs = real("Gold of the team less that of the other just before the first void grub.")
    team_gold_diff_before_first_baron = real("Gold of the team less that of the other just before the first baron.")
    team_gold_diff_before_first_tower = real("Gold of the team less that of the other just before the first tower.")
    team_dragons = count("Dragons the team slew.")
    team_towers = count("Towers the team destroyed.")
    objective_participation = share("Share of the team's epic monsters that the participant killed or assisted at.")
    team_synchronisation = share("Synchronisation score of the team, from 0 to 1.")
