"""Tournaments: entered data, tournament context of matches, team results, and standings.

Entered data are snapshots of PostgreSQL's schema `ops`, which makes them part of the lineage. The migrations in
`sql/postgres/` create the tables of `ops`; a snapshot has those columns that affect later tables. Snapshots are never
written back.
"""

from __future__ import annotations

from typing import Any

import dataframely as dy

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.matches.rows import ENTERED, GOLD, MATCH_ID, SILVER, MatchRow, entered_id, utc
from gamestats_assets.pubg.reference import CATEGORIES

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


class Seasons(Table, key="pubg/seasons", published=True, **ENTERED):
    """Seasons and their points rules."""

    season_id = entered_id("season", primary_key=True)
    season = dy.String(regex=r"^[a-z0-9_.-]+$", description="Short name, unique; the partition key of standings.")
    name = dy.String(description="Display name, such as Fall 2026.")
    shard = dy.String(description="Platform shard of its players, such as steam.")
    time_zone = dy.String(description="Time zone of its dates, such as Europe/Berlin.")
    placement_points = dy.List(dy.Int32(), description="Points of placements 1, 2, ...; later placements give none.")
    kill_points = dy.Int32(min=0, description="Points of one kill.")
    player_points_with_placement = dy.Bool(
        description="Whether a player's points include the team's placement points, or only the player's kill points."
    )
    tie_breakers = dy.List(dy.String(), description="Tie breakers in order.")
    minimum_teams = dy.Int32(
        min=2, description="Number of teams below which a match may have been a warm-up or will be remade."
    )
    slot_window_min = dy.Int32(
        min=1, description="Largest difference between a match's start and its slot, in minutes."
    )


class Divisions(Table, key="pubg/divisions", published=True, **ENTERED):
    """Divisions of a season."""

    division_id = entered_id("division", primary_key=True)
    season_id = entered_id("season")
    division = dy.String(description="Name, unique in its season.")


class Groups(Table, key="pubg/groups", published=True, **ENTERED):
    """Groups of a division; a division may have none."""

    group_id = entered_id("group", primary_key=True)
    division_id = entered_id("division")
    group_name = dy.String(description="Name, unique in its division.")


class Teams(Table, key="pubg/teams", published=True, **ENTERED):
    """Teams of a division, with their groups."""

    team_id = entered_id("team", primary_key=True)
    division_id = entered_id("division")
    group_id = entered_id("group", nullable=True)
    team_name = dy.String(description="Name, unique in its division.")
    tag = dy.String(nullable=True, description="Short form before players' names.")


class RosterEntries(Table, key="pubg/roster_entries", published=True, **ENTERED):
    """Members of teams, from a first to a last day, both included, in the season's time zone."""

    roster_entry_id = entered_id("roster entry", primary_key=True)
    team_id = entered_id("team")
    account_id = dy.String(nullable=True, description="Account; null until known from a match or the API.")
    player_name = dy.String(description="In-game name as entered.")
    role = dy.String(
        check=lambda column: column.is_in(["player", "substitute", "stand_in"]),
        description="player, substitute or stand_in (for single days).",
    )
    valid_from = dy.Date(description="First day.")
    valid_until = dy.Date(nullable=True, description="Last day; null for an open end.")


class Rounds(Table, key="pubg/rounds", published=True, **ENTERED):
    """Rounds of a division or of one of its groups: a range of days in which matches count for it."""

    round_id = entered_id("round", primary_key=True)
    division_id = entered_id("division")
    group_id = entered_id("group", nullable=True)
    round_number = dy.Int32(min=1, description="Number within the division or group.")
    round_name = dy.String(description="Display name, such as Round 1.")
    first_day = dy.Date(description="First day, in the season's time zone.")
    last_day = dy.Date(description="Last day, in the season's time zone.")
    status = dy.String(
        check=lambda column: column.is_in(ROUND_STATUSES), description="scheduled, active, completed or cancelled."
    )


class RoundStatusChanges(Table, key="pubg/round_status_changes", **ENTERED):
    """Every status of a round with its start; recorded by PostgreSQL."""

    round_status_change_id = entered_id("change", primary_key=True)
    round_id = entered_id("round")
    status = dy.String(description="Status from that time on.")
    changed_at = utc("Time of the entry.")


class ScheduledMatches(Table, key="pubg/scheduled_matches", published=True, **ENTERED):
    """Slots of the schedule."""

    scheduled_match_id = entered_id("slot", primary_key=True)
    round_id = entered_id("round")
    match_number = dy.Int32(min=1, description="Number within the round; unique there.")
    scheduled_at = utc("Scheduled start of the match.")
    map_name = dy.String(nullable=True, description="Map name, such as Erangel; null for any map.")
    status = dy.String(
        check=lambda column: column.is_in(SLOT_STATUSES), description="scheduled, active, completed or cancelled."
    )
    is_remake = dy.Bool(description="Whether the slot is a remake of a failed match.")
    original_match_id = dy.String(nullable=True, regex=MATCH_ID, description="Match that failed.")
    remake_reason = dy.String(nullable=True, description="Reason for the remake.")


class MatchOverrides(Table, key="pubg/match_overrides", **ENTERED):
    """An admin's decision on a match; a null keeps the derived value."""

    match_id = dy.String(primary_key=True, regex=MATCH_ID, description="Match that the decision is about.")
    is_tournament_match = dy.Bool(nullable=True, description="Whether it is a tournament match.")
    round_id = entered_id("round", nullable=True)
    scheduled_match_id = entered_id("slot", nullable=True)
    validation_status = dy.String(
        nullable=True,
        check=lambda column: column.is_in(VALIDATION_STATUSES),
        description="Decided status.",
    )
    reason = dy.String(min_length=1, description="Why.")
    admin = dy.String(min_length=1, description="Author of the decision.")


PAGE_CATEGORIES = tuple(name for name in CATEGORIES if name not in ("Special", "Vehicle", "Environment"))
"""Weapon categories of the tournament page: weapons carried for fighting; everything else counts as Other."""

_SEASON: dict[str, Any] = {"layer": "gold", "published": True, "partitioned_by": "season"}


class TournamentLineups(
    MatchRow, key="pubg/tournament_lineups", published=True, indexes=(("team_id",), ("account_id",)), **SILVER
):
    """Who played for which team: one row per roster member and candidate match."""

    account_id = dy.String(primary_key=True, description="Account of the player.")
    player_name = dy.String(description="In-game name, as last seen.")
    season_id = dy.Int64(description="Season of the team.")
    division_id = dy.Int64(description="Division of the team.")
    group_id = dy.Int64(nullable=True, description="Group of the team.")
    team_id = dy.Int64(description="Team the player played for.")
    team_name = dy.String(description="Its name.")
    roster_entry_id = dy.Int64(description="Roster entry behind the assignment.")
    role = dy.String(description="player, substitute or stand_in.")


class MatchTournamentContext(MatchRow, key="pubg/match_tournament_context", **SILVER):
    """Tournament context of a match: one row per match with a roster member or an admin's override."""

    is_tournament_match = dy.Bool(description="Whether it counts as a tournament match.")
    validation_status = dy.String(
        check=lambda column: column.is_in(VALIDATION_STATUSES),
        description="confirmed, unscheduled, remake_candidate, remake_failed, mixed_division or not_tournament.",
    )
    season_id = dy.Int64(nullable=True, description="Season.")
    season = dy.String(nullable=True, description="Short name of the season.")
    division_id = dy.Int64(nullable=True, description="Division of all its tournament players.")
    division = dy.String(nullable=True, description="Name of the division.")
    group_id = dy.Int64(nullable=True, description="Group of all its tournament players.")
    group_name = dy.String(nullable=True, description="Name of the group.")
    round_id = dy.Int64(nullable=True, description="Round, by date, division and group.")
    round_number = dy.Int32(nullable=True, description="Number of the round within its division or group.")
    round_name = dy.String(nullable=True, description="Name of the round, such as Round 1.")
    scheduled_match_id = dy.Int64(nullable=True, description="Slot of the schedule.")
    match_number = dy.Int32(nullable=True, description="Number of the slot within its round.")
    slot_offset_s = dy.Float64(nullable=True, description="Start of the match minus time of the slot, in seconds.")
    team_count = dy.Int16(min=0, description="Tournament teams that played.")
    tournament_players = dy.Int16(min=0, description="People on a roster of that day who played.")
    unmatched_player_count = dy.Int16(min=0, description="People who played and are on no roster of that day.")
    lobby = dy.String(
        nullable=True,
        description="Number of its tournament players by division and group, such as 'Division 1 / A: 32, Division 2: "
        "4'.",
    )
    is_overridden = dy.Bool(description="Whether an admin's override affected any of this.")
    override_reason = dy.String(nullable=True, description="The admin's reason.")
    override_admin = dy.String(nullable=True, description="The admin.")


class TournamentMatches(
    MatchRow,
    key="pubg/tournament_matches",
    indexes=(("season", "round_id"), ("started_at",)),
    reconciled=("team_count",),
    **GOLD,
):
    """Tournament matches with their place in the schedule and their winner."""

    season = dy.String(description="Short name of the season.")
    division_id = dy.Int64(description="Division.")
    division = dy.String(description="Name of the division.")
    group_name = dy.String(nullable=True, description="Group.")
    round_id = dy.Int64(nullable=True, description="Round.")
    round_number = dy.Int32(nullable=True, description="Number of the round within its division or group.")
    round_name = dy.String(nullable=True, description="Name of the round, such as Round 1.")
    scheduled_match_id = dy.Int64(nullable=True, description="Slot of the schedule.")
    match_number = dy.Int32(nullable=True, description="Number within the round.")
    validation_status = dy.String(description="Validation status, as in match_tournament_context.")
    counts = dy.Bool(description="Whether it counts in standings: its round is known and it is not to be remade.")
    started_at = utc("Start of the match.")
    ended_at = utc("End of the match; its start if the end is unknown.")
    map_name = dy.String(nullable=True, description="Map name.")
    team_count = dy.Int16(min=0, description="Tournament teams that played.")
    winner_team_id = dy.Int64(
        nullable=True, description="Team of the division that won; null if another team or none did."
    )
    winner_team_name = dy.String(nullable=True, description="Its name.")
    is_overridden = dy.Bool(
        nullable=True,
        description="Whether an admin's override affected any of this; null in rows from before the column existed.",
    )
    override_reason = dy.String(nullable=True, description="The admin's reason; null without an override.")
    overridden_by = dy.String(nullable=True, description="The admin; null without an override.")


class TournamentTeamResults(
    MatchRow,
    key="pubg/tournament_team_results",
    indexes=(("season", "round_id"), ("team_id",)),
    reconciled=("kills", "points"),
    **GOLD,
):
    """A team's result in one tournament match."""

    team_id = dy.Int64(primary_key=True, description="Team.")
    season = dy.String(description="Short name of the season.")
    division_id = dy.Int64(description="Division.")
    division = dy.String(description="Name of the division.")
    group_name = dy.String(nullable=True, description="Group of the match.")
    round_id = dy.Int64(nullable=True, description="Round.")
    round_number = dy.Int32(nullable=True, description="Number of the round within its division or group.")
    round_name = dy.String(nullable=True, description="Name of the round, such as Round 1.")
    match_number = dy.Int32(nullable=True, description="Number within the round.")
    started_at = utc("Start of the match.")
    ended_at = utc("End of the match; its start if the end is unknown.")
    counts = dy.Bool(description="Whether the match counts in standings.")
    team_name = dy.String(description="Name of the team.")
    placement = dy.Int16(nullable=True, min=1, description="Placement in the match: the best one of its players.")
    players = dy.Int16(min=1, description="Players of the team in the match.")
    kills = dy.Int32(min=0, description="Kills of its players.")
    damage_dealt = dy.Float64(min=0, description="Damage dealt by its players, in hit points.")
    placement_points = dy.Int32(min=0, description="Points for the placement.")
    kill_points = dy.Int32(min=0, description="Points for kills.")
    points = dy.Int32(min=0, description="Placement points plus kill points.")

    @dy.rule()
    def points_are_their_sum(cls) -> Any:
        """Points are the sum of placement points and kill points."""
        return cls.points.col == cls.placement_points.col + cls.kill_points.col


class _Standing(Table):
    """Columns of every standings table."""

    season = dy.String(primary_key=True, description="Short name of the season.")
    division_id = dy.Int64(primary_key=True, description="Division.")
    scope = dy.String(primary_key=True, description="'overall', or the number of the table's round (round_id).")
    division = dy.String(description="Name of the division.")
    group_name = dy.String(nullable=True, description="Group the team plays in.")
    round_id = dy.Int64(nullable=True, description="Round; null in the overall table.")
    round_number = dy.Int32(
        nullable=True, description="Number of the round within its division or group; null in the overall table."
    )
    round_name = dy.String(nullable=True, description="Current name of the round; null in the overall table.")


class _TeamStanding(_Standing):
    """Columns of a team's line."""

    team_id = dy.Int64(primary_key=True, description="Team.")
    team_name = dy.String(description="Name of the team.")
    rank = dy.Int32(min=1, description="Rank in its division and scope; teams equal in all criteria share a rank.")
    points = dy.Int32(min=0, description="Points.")
    placement_points = dy.Int32(min=0, description="Points for placements.")
    kill_points = dy.Int32(min=0, description="Points for kills.")
    kills = dy.Int32(min=0, description="Kills.")
    wins = dy.Int32(min=0, description="Matches won (WWCD).")
    matches_played = dy.Int32(min=0, description="Matches played that count.")
    average_placement = dy.Float64(nullable=True, min=1, description="Mean placement.")
    recent_placements = dy.List(dy.Int16(nullable=True), description="Last six placements, oldest first.")


class TournamentTeamStandings(
    _TeamStanding,
    key="pubg/tournament_team_standings",
    indexes=(("division_id", "scope", "rank"),),
    reconciled=("points", "kills"),
    **_SEASON,
):
    """Team standings of every round and overall."""

    rank_change = dy.Int32(
        nullable=True,
        description="Ranks gained since the closing table of the previous round; overall: since the table before the "
        "latest day.",
    )


class TournamentTeamStandingsHistory(
    _TeamStanding,
    key="pubg/tournament_team_standings_history",
    indexes=(("division_id", "scope", "taken_at"),),
    reconciled=("points",),
    **_SEASON,
):
    """Team standings after every match, and at every change of a round's status."""

    snapshot = dy.String(primary_key=True, description="match:<match id>, or status:<number of the status change>.")
    taken_at = utc("End of the match, or time of the status change.")


class TournamentPlayerStandings(
    _Standing,
    key="pubg/tournament_player_standings",
    indexes=(("division_id", "scope", "rank"), ("account_id",)),
    reconciled=("points", "kills"),
    **_SEASON,
):
    """Player standings of every round and overall, with damage and kills by the page's weapon categories."""

    account_id = dy.String(primary_key=True, description="Account of the player.")
    player_name = dy.String(description="In-game name, as last seen.")
    team_id = dy.Int64(description="Team the player last played for.")
    team_name = dy.String(description="Its name.")
    rank = dy.Int32(min=1, description="Rank by points, then kills, then damage; equals share a rank.")
    points = dy.Int32(min=0, description="Points, by the season's rule.")
    kills = dy.Int32(min=0, description="Kills.")
    assists = dy.Int32(min=0, description="Assists.")
    damage_dealt = dy.Float64(min=0, description="Damage dealt, in hit points.")
    average_damage = dy.Float64(nullable=True, min=0, description="Damage dealt per match.")
    killsteals = dy.Int32(min=0, description="Killsteals.")
    wins = dy.Int32(min=0, description="Matches won by the player's team.")
    matches_played = dy.Int32(min=0, description="Matches played that count.")
    weapon_damage = dy.List(dy.Float64(), description="Damage by category, in the order of `weapon_categories`.")
    weapon_kills = dy.List(dy.Int32(), description="Kills by category, in the order of `weapon_categories`.")
    weapon_categories = dy.List(dy.String(), description="The ten categories of the page.")


class MatchValidation(MatchRow, key="pubg/match_validation", indexes=(("validation_status",),), **GOLD):
    """Problems that need a person: one row per match and concern."""

    concern = dy.String(primary_key=True, description="Short name of the concern.")
    validation_status = dy.String(description="Validation status, as in match_tournament_context.")
    season = dy.String(nullable=True, description="Short name of the season.")
    round_id = dy.Int64(nullable=True, description="Round.")
    started_at = utc("Start of the match.")
    explanation = dy.String(description="What was expected, what was found, and what to do.")
