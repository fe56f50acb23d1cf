"""Snapshots of what people enter in PostgreSQL's schema `ops`, so that lineage shows it.

The tables of `ops` are made by the migrations in `sql/postgres/`; a snapshot has the columns of
its table that decide something. Nothing is ever written back.
"""

from __future__ import annotations

from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.tables.rows import MATCH_ID, utc

ROUND_STATUSES = ("scheduled", "active", "completed", "cancelled")
SLOT_STATUSES = ("scheduled", "active", "completed", "cancelled")
TIE_BREAKERS = ("wins", "kills", "latest_placement", "average_placement")
VALIDATION_STATUSES = (
    "confirmed",
    "unscheduled",
    "remake_candidate",
    "remake_failed",
    "mixed_division",
    "not_tournament",
)

_ENTERED: dict[str, Any] = {"layer": "bronze", "made_by": "ops"}


def _id(of: str, *, primary_key: bool = False, nullable: bool = False) -> dy.Int64:
    return dy.Int64(primary_key=primary_key, nullable=nullable, description=f"Number of the {of}, given by PostgreSQL.")


class Seasons(Table, key="pubg/seasons", subject="entered", published=True, **_ENTERED):
    """Seasons and their points rules."""

    season_id = _id("season", primary_key=True)
    season = dy.String(regex=r"^[a-z0-9_.-]+$", description="Short name, unique; the partition key of standings.")
    name = dy.String(description="Name in words, such as Fall 2026.")
    shard = dy.String(description="Platform shard of its players, such as steam.")
    time_zone = dy.String(description="Time zone of its dates, such as Europe/Berlin.")
    placement_points = dy.List(dy.Int32(), description="Points of placements 1, 2, ...; later placements give none.")
    kill_points = dy.Int32(min=0, description="Points of one kill.")
    player_points_with_placement = dy.Bool(
        description="Whether a player's points hold the team's placement points, or the player's kill points alone."
    )
    tie_breakers = dy.List(dy.String(), description="What decides between equal points, in order.")
    minimum_teams = dy.Int32(min=2, description="Teams below which a match may have been a warm-up or will be remade.")
    slot_window_min = dy.Int32(min=1, description="Minutes a match may start before or after its slot.")


class Divisions(Table, key="pubg/divisions", subject="entered", published=True, **_ENTERED):
    """Divisions of a season."""

    division_id = _id("division", primary_key=True)
    season_id = _id("season")
    division = dy.String(description="Name, unique in its season.")


class Groups(Table, key="pubg/groups", subject="entered", published=True, **_ENTERED):
    """Groups of a division; a division may have none."""

    group_id = _id("group", primary_key=True)
    division_id = _id("division")
    group_name = dy.String(description="Name, unique in its division.")


class Teams(Table, key="pubg/teams", subject="entered", published=True, **_ENTERED):
    """Teams of a division, and the group they play in."""

    team_id = _id("team", primary_key=True)
    division_id = _id("division")
    group_id = _id("group", nullable=True)
    team_name = dy.String(description="Name, unique in its division.")
    tag = dy.String(nullable=True, description="Short form before players' names.")


class RosterEntries(Table, key="pubg/roster_entries", subject="entered", published=True, **_ENTERED):
    """Who plays for which team, and when: both days count, in the season's time zone."""

    roster_entry_id = _id("roster entry", primary_key=True)
    team_id = _id("team")
    account_id = dy.String(nullable=True, description="Account; null until a match or the API tells it for the name.")
    player_name = dy.String(description="In-game name as entered.")
    role = dy.String(
        check=lambda column: column.is_in(["player", "substitute", "stand_in"]),
        description="player, substitute or stand_in (for single days).",
    )
    valid_from = dy.Date(description="First day.")
    valid_until = dy.Date(nullable=True, description="Last day; null while it goes on.")


class Rounds(Table, key="pubg/rounds", subject="entered", published=True, **_ENTERED):
    """Rounds of a division or of one of its groups: a range of days in which matches count for it."""

    round_id = _id("round", primary_key=True)
    division_id = _id("division")
    group_id = _id("group", nullable=True)
    round_number = dy.Int32(min=1, description="Number within the division or group.")
    round_name = dy.String(description="Name in words, such as Round 1.")
    first_day = dy.Date(description="First day, in the season's time zone.")
    last_day = dy.Date(description="Last day, in the season's time zone.")
    status = dy.String(
        check=lambda column: column.is_in(ROUND_STATUSES), description="scheduled, active, completed or cancelled."
    )


class RoundStatusChanges(Table, key="pubg/round_status_changes", subject="entered", **_ENTERED):
    """Every status a round had, and since when; PostgreSQL keeps it by itself."""

    round_status_change_id = _id("change", primary_key=True)
    round_id = _id("round")
    status = dy.String(description="The status from then on.")
    changed_at = utc("When it was entered.")


class ScheduledMatches(Table, key="pubg/scheduled_matches", subject="entered", published=True, **_ENTERED):
    """Slots of the schedule."""

    scheduled_match_id = _id("slot", primary_key=True)
    round_id = _id("round")
    match_number = dy.Int32(min=1, description="Number within the round; unique there.")
    scheduled_at = utc("When the match is to start.")
    map_name = dy.String(nullable=True, description="Map in words, such as Erangel; null when any map will do.")
    status = dy.String(
        check=lambda column: column.is_in(SLOT_STATUSES), description="scheduled, active, completed or cancelled."
    )
    is_remake = dy.Bool(description="Whether the slot is played again because its first match failed.")
    original_match_id = dy.String(nullable=True, regex=MATCH_ID, description="The match that failed.")
    remake_reason = dy.String(nullable=True, description="Why it is played again.")


class MatchOverrides(Table, key="pubg/match_overrides", subject="entered", **_ENTERED):
    """What an admin decided of a match; a null leaves the derived value."""

    match_id = dy.String(primary_key=True, regex=MATCH_ID, description="The match.")
    is_tournament_match = dy.Bool(nullable=True, description="Whether it is a tournament match.")
    round_id = _id("round", nullable=True)
    scheduled_match_id = _id("slot", nullable=True)
    validation_status = dy.String(
        nullable=True,
        check=lambda column: column.is_in(VALIDATION_STATUSES),
        description="The status it is to have.",
    )
    reason = dy.String(min_length=1, description="Why.")
    admin = dy.String(min_length=1, description="Who decided.")


class TrackedPlayers(Table, key="pubg/tracked_players", subject="entered", **_ENTERED):
    """Players whose detail is published; one whose detail was taken is made inactive, never deleted."""

    tracked_player_id = _id("tracked player", primary_key=True)
    account_id = dy.String(nullable=True, description="Account; null until it is known for the name.")
    player_name = dy.String(description="In-game name as entered or last seen.")
    shard = dy.String(description="Platform shard, such as steam.")
    is_active = dy.Bool(description="Whether new matches refresh the player's detail.")
    backfill_days = dy.Int32(min=0, description="Days of history to take up.")
    added_at = utc("When the player was added.")


class Backfills(Table, key="pubg/backfills", subject="entered", **_ENTERED):
    """Days of history to take up of tracked players; those of a new player are entered with the player."""

    backfill_id = _id("backfill", primary_key=True)
    tracked_player_id = _id("tracked player")
    from_day = dy.Date(description="First UTC day of the history.")
    to_day = dy.Date(description="Last UTC day of the history.")
    requested_at = utc("When it was asked for.")
    cancelled_at = utc("When it was cancelled; what it had taken up by then is kept.", nullable=True)


SNAPSHOTS: tuple[type[Table], ...] = (
    Seasons,
    Divisions,
    Groups,
    Teams,
    RosterEntries,
    Rounds,
    RoundStatusChanges,
    ScheduledMatches,
    MatchOverrides,
    TrackedPlayers,
    Backfills,
)
"""Every table of `ops` that has a snapshot; the snapshot has its name."""
