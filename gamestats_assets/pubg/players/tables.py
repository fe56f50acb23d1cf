"""Tracked players: entered data, their matches with details, and their careers."""

from __future__ import annotations

from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.matches.rows import ENTERED, MatchRow, entered_id, utc
from gamestats_assets.pubg.matches.tables import CirclePositions, DamageEvents, MatchSummaries, WeaponKills

TRACKED_PLAYER = "tracked_player"
"""Partition column of every table here except entered data: an account."""
CAREER_TYPES = ("ranked", "normal", "all")
"""Career types: competitive matches, official matches, and every match that counts."""
BACKFILL_STATUSES = ("completed", "pending", "expired", "unreadable")

_BY_PLAYER: dict[str, Any] = {"partitioned_by": TRACKED_PLAYER, "replaced_by": "match_id"}
_PUBLISHED: dict[str, Any] = {**_BY_PLAYER, "layer": "gold", "published": True}
_CAREER: dict[str, Any] = {"layer": "gold", "published": True, "partitioned_by": TRACKED_PLAYER}


def _tracked() -> dy.String:
    return dy.String(primary_key=True, min_length=1, description="Account of the tracked player.")


class TrackedPlayers(Table, key="pubg/tracked_players", **ENTERED):
    """Players whose details are published; players with copied details are made inactive, never deleted."""

    tracked_player_id = entered_id("tracked player", primary_key=True)
    account_id = dy.String(nullable=True, description="Account; null until known.")
    player_name = dy.String(description="In-game name as entered or last seen.")
    shard = dy.String(description="Platform shard, such as steam.")
    is_active = dy.Bool(description="Whether new matches refresh the player's details.")
    backfill_days = dy.Int32(min=0, description="Days of history to backfill.")
    added_at = utc("Time at which the player was added.")


class Backfills(Table, key="pubg/backfills", **ENTERED):
    """Days of history to backfill for tracked players; those of a new player are entered with the player."""

    backfill_id = entered_id("backfill", primary_key=True)
    tracked_player_id = entered_id("tracked player")
    from_day = dy.Date(description="First UTC day of the history.")
    to_day = dy.Date(description="Last UTC day of the history.")
    requested_at = utc("Time of the request.")
    cancelled_at = utc("Time of cancellation; details copied before are kept.", nullable=True)


class PlayerMatches(MatchSummaries, key="pubg/player_matches", layer="silver", **_BY_PLAYER):
    """Matches of a tracked player whose details are wanted, with the player's result in each.

    Wanted are all matches since the player has been tracked, those on the days of backfills, and those already copied
    by a cancelled backfill.
    """

    tracked_player = _tracked()
    started_at = utc("Start of the match.")
    match_type = dy.String(nullable=True, description="official, custom, ...; null if the API did not say.")
    game_mode = dy.String(nullable=True, description="Mode, such as squad-fpp; null without a match object.")
    telemetry_status = dy.String(description="processed, pending, expired or unreadable.")
    career_type = dy.String(
        nullable=True,
        check=lambda column: column.is_in(["ranked", "normal", "other"]),
        description="ranked (competitive), normal (official) or other, which only counts in `all`; null for matches "
        "that count nowhere: against bots, training, events, team deathmatch.",
    )


class PlayerCirclePositions(
    CirclePositions,
    key="pubg/player_circle_positions",
    indexes=(("match_id", "elapsed_time_s"),),
    reconciled=("distance_from_blue_center_m",),
    **_PUBLISHED,
):
    """A tracked player's position samples relative to both circles."""

    tracked_player = _tracked()


class PlayerDamageEvents(
    DamageEvents,
    key="pubg/player_damage_events",
    indexes=(("attacker_account_id", "match_date"), ("victim_account_id", "match_date")),
    reconciled=("damage",),
    **_PUBLISHED,
):
    """Damage that a tracked player dealt or took."""

    tracked_player = _tracked()


class WeaponKillEvents(
    WeaponKills,
    key="pubg/weapon_kill_events",
    indexes=(("killer_account_id", "match_date"), ("victim_account_id", "match_date")),
    reconciled=("distance_m",),
    **_PUBLISHED,
):
    """Kills and knocks in which a tracked player was killer, victim, knocker or finisher."""

    tracked_player = _tracked()


class PlayerBackfillStatus(
    MatchRow, key="pubg/player_backfill_status", indexes=(("tracked_player", "backfill_status"),), **_PUBLISHED
):
    """Progress of the details of each match of a tracked player."""

    tracked_player = _tracked()
    player_name = dy.String(description="In-game name in the match.")
    backfill_status = dy.String(
        check=lambda column: column.is_in(BACKFILL_STATUSES),
        description="completed, pending, expired (its telemetry was never archived and the API no longer has it) or "
        "unreadable.",
    )
    telemetry_status = dy.String(description="processed, pending, expired or unreadable.")
    circle_positions_backfilled = dy.Bool(description="Whether player_circle_positions contains the match.")
    damage_events_backfilled = dy.Bool(description="Whether player_damage_events contains the match.")
    weapon_events_backfilled = dy.Bool(description="Whether weapon_kill_events contains the match.")


class _Career(Table):
    """Columns of every career table."""

    tracked_player = _tracked()
    match_type = dy.String(
        primary_key=True,
        check=lambda column: column.is_in(CAREER_TYPES),
        description="ranked (competitive), normal (official) or all; matches against bots, training, events and team "
        "deathmatch count nowhere.",
    )
    player_name = dy.String(description="In-game name in the newest match.")


class PlayerDamageStats(
    _Career,
    key="pubg/player_damage_stats",
    indexes=(("match_type", "weapon_category"),),
    reconciled=("damage_dealt", "hits"),
    **_CAREER,
):
    """Damage that a tracked player dealt to enemies, by weapon and part hit."""

    weapon_id = dy.String(primary_key=True, description="damageCauserName; empty if unknown.")
    damage_reason = dy.String(primary_key=True, description="Part hit, such as HeadShot; empty if unknown.")
    weapon_category = dy.String(description="One of the 13 weapon categories.")
    hits = dy.Int32(min=0, description="Damage events; each pellet of a shot is one.")
    damage_dealt = dy.Float64(min=0, description="Damage to health, including victims who were down, in hit points.")
    damage_to_standing = dy.Float64(min=0, description="Part of it dealt to standing victims, in hit points.")
    match_count = dy.Int32(min=1, description="Number of matches with such damage.")


class PlayerWeaponStats(
    _Career,
    key="pubg/player_weapon_stats",
    indexes=(("match_type", "weapon_category"),),
    reconciled=("kills", "knocks"),
    **_CAREER,
):
    """Kills and knocks of enemies by a tracked player, by weapon."""

    weapon_id = dy.String(primary_key=True, description="damageCauserName; empty if unknown.")
    weapon_name = dy.String(nullable=True, description="Weapon name; null for an id the catalogue lacks.")
    weapon_category = dy.String(description="One of the 13 weapon categories.")
    kills = dy.Int32(min=0, description="Kills.")
    headshot_kills = dy.Int32(min=0, description="Kills by a shot to the head.")
    knocks = dy.Int32(min=0, description="Knocks.")
    killsteals = dy.Int32(min=0, description="Kills of enemies whom another team had knocked.")
    avg_kill_distance_m = dy.Float64(nullable=True, min=0, description="Mean distance of the kills, in metres.")
    max_kill_distance_m = dy.Float64(nullable=True, min=0, description="Distance of the longest kill, in metres.")
    match_count = dy.Int32(min=1, description="Number of matches with such a kill or knock.")


class PlayerAdvancedCareerStats(
    _Career,
    key="pubg/player_advanced_career_stats",
    indexes=(("match_type",),),
    reconciled=("matches_played", "total_kills"),
    **_CAREER,
):
    """A tracked player's career: totals, and means over the matches with a known value."""

    matches_played = dy.Int32(min=1, description="Matches that count.")
    matches_with_telemetry = dy.Int32(min=0, description="Matches whose telemetry is processed.")
    wins = dy.Int32(min=0, description="Matches won by the player's team.")
    average_placement = dy.Float64(nullable=True, min=1, description="Mean placement.")
    total_kills = dy.Int32(min=0, description="Kills.")
    total_assists = dy.Int32(min=0, description="Assists.")
    total_dbnos = dy.Int32(min=0, description="Enemies knocked.")
    total_damage_dealt = dy.Float64(min=0, description="Damage dealt, in hit points.")
    total_time_survived_s = dy.Float64(min=0, description="Time survived, in seconds.")
    total_killsteals = dy.Int32(min=0, description="Killsteals, with telemetry.")
    total_finishes_stolen = dy.Int32(min=0, description="Finishes stolen, with telemetry.")
    total_heals_used = dy.Int32(min=0, description="Healing items used, with telemetry.")
    total_boosts_used = dy.Int32(min=0, description="Boost items used, with telemetry.")
    total_throwables_used = dy.Int32(min=0, description="Tactical throwables thrown, with telemetry.")
    total_smokes_thrown = dy.Int32(min=0, description="Smoke grenades thrown, with telemetry.")
    total_throwable_damage = dy.Float64(min=0, description="Damage given by throwables, with telemetry.")
    total_damage_received = dy.Float64(min=0, description="All net damage to health, with telemetry.")
    total_time_outside_zone_s = dy.Float64(min=0, description="Time in the blue zone, in seconds, with telemetry.")
    avg_distance_from_center_m = dy.Float64(
        nullable=True, min=0, description="Mean over matches of the mean distance to the centre of the blue circle."
    )
    avg_distance_from_edge_m = dy.Float64(
        nullable=True, description="Mean over matches of the mean distance to the edge of the blue circle."
    )
    first_match_at = utc("Start of the first match.")
    latest_match_at = utc("Start of the latest match.")
