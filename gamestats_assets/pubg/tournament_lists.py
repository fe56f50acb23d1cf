"""Lists of what people entered for tournaments and tracked players, by names, and of what discovery found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from gamestats_assets.lakehouse import ops
from gamestats_assets.lakehouse.entries import EntryError, UnknownNameError
from gamestats_assets.pubg import local_times
from gamestats_assets.pubg.tournament_entry import HasLanded, any_match, find_season, one_of, zone_of


def list_seasons(conn: psycopg.Connection) -> pl.DataFrame:
    """Seasons with their rules, and how much is entered of each."""
    return _frame(
        conn,
        """
        SELECT season, name, shard, time_zone, placement_points, kill_points, player_points_with_placement,
               tie_breakers, minimum_teams, slot_window_min,
               (SELECT count(*) FROM ops.divisions d WHERE d.season_id = s.season_id) AS divisions,
               (SELECT count(*) FROM ops.teams JOIN ops.divisions d USING (division_id)
                WHERE d.season_id = s.season_id) AS teams
        FROM ops.seasons s ORDER BY season_id
        """,
        [],
        {
            **dict.fromkeys(("season", "name", "shard", "time_zone"), pl.String),
            "placement_points": pl.List(pl.Int32),
            "kill_points": pl.Int32,
            "player_points_with_placement": pl.Boolean,
            "tie_breakers": pl.List(pl.String),
            **dict.fromkeys(("minimum_teams", "slot_window_min"), pl.Int32),
            **dict.fromkeys(("divisions", "teams"), pl.Int64),
        },
    )


def list_divisions(conn: psycopg.Connection, season: str | None = None) -> pl.DataFrame:
    """Divisions with their groups, and how many teams and rounds each has."""
    return _frame(
        conn,
        """
        SELECT s.season, d.division,
               ARRAY(SELECT g.group_name FROM ops.groups g WHERE g.division_id = d.division_id ORDER BY 1) AS groups,
               (SELECT count(*) FROM ops.teams t WHERE t.division_id = d.division_id) AS teams,
               (SELECT count(*) FROM ops.rounds r WHERE r.division_id = d.division_id) AS rounds
        FROM ops.divisions d JOIN ops.seasons s USING (season_id)
        WHERE s.season_id = coalesce(%s, s.season_id) ORDER BY s.season_id, d.division_id
        """,
        [_season_id(conn, season)],
        {
            **dict.fromkeys(("season", "division"), pl.String),
            "groups": pl.List(pl.String),
            **dict.fromkeys(("teams", "rounds"), pl.Int64),
        },
    )


def list_groups(conn: psycopg.Connection, season: str | None = None) -> pl.DataFrame:
    """Groups, and how many teams each has."""
    return _frame(
        conn,
        """
        SELECT s.season, d.division, g.group_name AS group,
               (SELECT count(*) FROM ops.teams t WHERE t.group_id = g.group_id) AS teams
        FROM ops.groups g JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
        WHERE s.season_id = coalesce(%s, s.season_id) ORDER BY s.season_id, d.division_id, g.group_id
        """,
        [_season_id(conn, season)],
        {**dict.fromkeys(("season", "division", "group"), pl.String), "teams": pl.Int64},
    )


def list_teams(conn: psycopg.Connection, season: str | None = None) -> pl.DataFrame:
    """Teams, and how many people are or were on the roster of each."""
    return _frame(
        conn,
        """
        SELECT s.season, d.division, g.group_name AS group, t.team_name AS team, t.tag,
               (SELECT count(DISTINCT coalesce(e.account_id, lower(e.player_name)))
                FROM ops.roster_entries e WHERE e.team_id = t.team_id) AS players
        FROM ops.teams t JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
            LEFT JOIN ops.groups g USING (group_id)
        WHERE s.season_id = coalesce(%s, s.season_id)
        ORDER BY s.season_id, d.division_id, g.group_id NULLS FIRST, t.team_id
        """,
        [_season_id(conn, season)],
        {**dict.fromkeys(("season", "division", "group", "team", "tag"), pl.String), "players": pl.Int64},
    )


def list_rosters(
    conn: psycopg.Connection, season: str | None = None, *, team: str | None = None, on: date | None = None
) -> pl.DataFrame:
    """Roster entries: of one team, or of those on a roster on a day, or all.

    Raises:
        UnknownNameError: when there is no such season or team.
    """
    frame = _frame(
        conn,
        """
        SELECT s.season, d.division, t.team_name AS team, e.player_name AS player, e.account_id, e.role,
               e.valid_from, e.valid_until
        FROM ops.roster_entries e JOIN ops.teams t USING (team_id)
            JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
        WHERE s.season_id = coalesce(%s, s.season_id)
            AND (%s::date IS NULL OR %s::date BETWEEN e.valid_from AND coalesce(e.valid_until, 'infinity'))
        ORDER BY s.season_id, d.division_id, t.team_id, e.valid_from, e.roster_entry_id
        """,
        [_season_id(conn, season), on, on],
        {
            **dict.fromkeys(("season", "division", "team", "player", "account_id", "role"), pl.String),
            **dict.fromkeys(("valid_from", "valid_until"), pl.Date),
        },
    )
    if team is None:
        return frame
    named = [name for name in list_teams(conn, season)["team"] if name.casefold() == team.strip().casefold()]
    if not named:
        raise UnknownNameError(f"There is no team {team!r}" + (f" in season {season}." if season else "."), "team")
    return frame.filter(pl.col("team").is_in(named))


def list_rounds(conn: psycopg.Connection, season: str | None = None) -> pl.DataFrame:
    """Rounds with their days and status, and how many slots each has."""
    return _frame(
        conn,
        """
        SELECT s.season, d.division, g.group_name AS group, r.round_number AS round, r.round_name AS name,
               r.first_day, r.last_day, r.status,
               (SELECT count(*) FROM ops.scheduled_matches m WHERE m.round_id = r.round_id) AS matches
        FROM ops.rounds r JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
            LEFT JOIN ops.groups g USING (group_id)
        WHERE s.season_id = coalesce(%s, s.season_id)
        ORDER BY s.season_id, d.division_id, r.round_number, g.group_id NULLS FIRST
        """,
        [_season_id(conn, season)],
        {
            **dict.fromkeys(("season", "division", "group"), pl.String),
            "round": pl.Int32,
            "name": pl.String,
            **dict.fromkeys(("first_day", "last_day"), pl.Date),
            "status": pl.String,
            "matches": pl.Int64,
        },
    )


def list_schedule(conn: psycopg.Connection, season: str | None = None) -> pl.DataFrame:
    """The schedule in the order of its times; `scheduled_at` as the clocks of the season's time zone show it.

    In UTC where the season was entered with a time zone that is none.
    """
    frame = _frame(
        conn,
        """
        SELECT s.season, d.division, g.group_name AS group, r.round_number AS round, m.match_number AS match,
               m.scheduled_at, s.time_zone, m.map_name AS map, m.status, m.is_remake, m.original_match_id,
               m.remake_reason
        FROM ops.scheduled_matches m JOIN ops.rounds r USING (round_id)
            JOIN ops.divisions d USING (division_id) JOIN ops.seasons s USING (season_id)
            LEFT JOIN ops.groups g USING (group_id)
        WHERE s.season_id = coalesce(%s, s.season_id)
        ORDER BY s.season_id, m.scheduled_at, d.division_id, m.match_number
        """,
        [_season_id(conn, season)],
        {
            **dict.fromkeys(("season", "division", "group"), pl.String),
            **dict.fromkeys(("round", "match"), pl.Int32),
            "scheduled_at": pl.Datetime("us", "UTC"),
            **dict.fromkeys(("time_zone", "map", "status"), pl.String),
            "is_remake": pl.Boolean,
            **dict.fromkeys(("original_match_id", "remake_reason"), pl.String),
        },
    )
    local = [
        local_times.written_local(moment, _zone(zone))
        for moment, zone in frame.select("scheduled_at", "time_zone").iter_rows()
    ]
    return frame.with_columns(pl.Series("scheduled_at", local, dtype=pl.String))


def list_overrides(conn: psycopg.Connection, has_landed: HasLanded = any_match) -> pl.DataFrame:
    """Overrides with the round and slot they name, the newest first; `note` tells those of no match that landed."""
    frame = _frame(
        conn,
        """
        SELECT o.match_id, o.is_tournament_match, s.season, d.division, g.group_name AS group,
               r.round_number AS round, m.match_number AS match, o.validation_status AS status, o.reason, o.admin,
               o.updated_at AS decided_at
        FROM ops.match_overrides o LEFT JOIN ops.scheduled_matches m USING (scheduled_match_id)
            LEFT JOIN ops.rounds r ON r.round_id = coalesce(o.round_id, m.round_id)
            LEFT JOIN ops.divisions d USING (division_id) LEFT JOIN ops.seasons s USING (season_id)
            LEFT JOIN ops.groups g ON g.group_id = r.group_id
        ORDER BY o.updated_at DESC, o.match_id
        """,
        [],
        {
            "match_id": pl.String,
            "is_tournament_match": pl.Boolean,
            **dict.fromkeys(("season", "division", "group"), pl.String),
            **dict.fromkeys(("round", "match"), pl.Int32),
            **dict.fromkeys(("status", "reason", "admin"), pl.String),
            "decided_at": pl.Datetime("us", "UTC"),
        },
    )
    notes = [None if has_landed(match_id) else "no such match landed" for match_id in frame["match_id"]]
    return frame.with_columns(pl.Series("note", notes, dtype=pl.String))


def list_tracked_players(conn: psycopg.Connection) -> pl.DataFrame:
    """Tracked players, the inactive ones too."""
    return _frame(
        conn,
        """
        SELECT player_name AS player, account_id, shard, is_active AS active, backfill_days, added_at
        FROM ops.tracked_players ORDER BY lower(player_name), tracked_player_id
        """,
        [],
        {
            **dict.fromkeys(("player", "account_id", "shard"), pl.String),
            "active": pl.Boolean,
            "backfill_days": pl.Int32,
            "added_at": pl.Datetime("us", "UTC"),
        },
    )


DISCOVERY_STATES = ("registered", "archived", "expired", "passed_over", "failed")
NOT_FETCHED = ("failed", "expired")
"""States of matches that were found and cannot be had."""


def list_discovered(conn: psycopg.Connection, states: Collection[str] = NOT_FETCHED) -> pl.DataFrame:
    """Matches that discovery found and that are in one of the states, the newest find first.

    `reason` is why a match was given up, or what held up the one that is tried again at `tried_again_at`.

    Raises:
        EntryError: when there is no such state.
    """
    for state in states:
        one_of(state, DISCOVERY_STATES, "state")
    return _frame(
        conn,
        """
        SELECT match_id, shard, state, discovered_by AS found_by, discovered_at AS found_at, attempts, settled_at,
               CASE WHEN state = 'registered' THEN claimed_until END AS tried_again_at,
               CASE WHEN last_error IS NOT NULL THEN last_error
                    WHEN state = 'expired' THEN 'The API has forgotten it.' END AS reason
        FROM ops.matches_discovered WHERE state = ANY(%s)
        ORDER BY discovered_at DESC, match_id
        """,
        [list(states)],
        {
            **dict.fromkeys(("match_id", "shard", "state", "found_by"), pl.String),
            "found_at": pl.Datetime("us", "UTC"),
            "attempts": pl.Int32,
            **dict.fromkeys(("settled_at", "tried_again_at"), pl.Datetime("us", "UTC")),
            "reason": pl.String,
        },
    )


def count_not_fetched(conn: psycopg.Connection) -> dict[str, dict[str, int]]:
    """How many matches that were found cannot be had: by shard, by state."""
    query = "SELECT shard, state, count(*) AS matches FROM ops.matches_discovered WHERE state = ANY(%s) GROUP BY 1, 2"
    found: dict[str, dict[str, int]] = {}
    for row in sorted(ops.rows(conn, query, [list(NOT_FETCHED)]), key=lambda row: row["shard"]):
        found.setdefault(row["shard"], {})[row["state"]] = row["matches"]
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return zone_of(name)
    except EntryError:
        return ZoneInfo("UTC")


def _season_id(conn: psycopg.Connection, season: str | None) -> int | None:
    return None if season is None else find_season(conn, season)["season_id"]


def _frame(
    conn: psycopg.Connection, query: LiteralString, parameters: Sequence[Any], schema: Mapping[str, Any]
) -> pl.DataFrame:
    return pl.DataFrame(ops.rows(conn, query, parameters), schema=pl.Schema(schema))
