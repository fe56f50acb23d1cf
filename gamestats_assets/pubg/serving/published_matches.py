"""Facts about entered names from published matches."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import LiteralString

import psycopg
from psycopg.rows import tuple_row

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.postgres.server import has_table
from gamestats_assets.pubg.players.entered.people import Matches, Seen

_NAMED = """
    SELECT DISTINCT player_name, account_id, match_date FROM pubg.match_summaries
    WHERE player_name = ANY(%s) OR account_id = ANY(%s)
"""
_NAMED_SO = """
    SELECT DISTINCT player_name, account_id, match_date FROM pubg.match_summaries WHERE lower(player_name) = ANY(%s)
"""
_PLAYED_BY = """
    SELECT count(DISTINCT m.match_id) AS matches
    FROM ops.roster_entries e JOIN ops.teams t USING (team_id)
        JOIN pubg.match_summaries s
            ON s.account_id = e.account_id OR (e.account_id IS NULL AND s.player_name = e.player_name)
        JOIN pubg.tournament_matches m
            ON m.match_id = s.match_id AND m.match_date = s.match_date AND m.division_id = t.division_id
    WHERE e.roster_entry_id = %s AND s.match_date BETWEEN e.valid_from AND coalesce(e.valid_until, s.match_date) + 1
"""


class PublishedMatches(Matches):
    """Facts about entered names from the published tables."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn

    def players(self, names: Collection[str]) -> Seen:
        """Returns facts about players from the newest match summaries, given by names or accounts."""
        if not has_table(self._conn, "pubg", "match_summaries"):
            return Seen()
        seen = self._seen(_NAMED, [[*names], [*names]])
        unknown = {name for name in names if name not in seen.accounts and name not in seen.names}
        if not unknown:
            return seen
        # Only a scan of all names finds one with other capitals.
        others = self._seen(_NAMED_SO, [[name.lower() for name in unknown]])
        return Seen({**others.accounts, **seen.accounts}, {**others.names, **seen.names})

    def _seen(self, query: LiteralString, values: list[list[str]]) -> Seen:
        with self._conn.cursor(row_factory=tuple_row) as cursor:
            return Seen.of(cursor.execute(query, values).fetchall())

    def has_landed(self, match_id: str) -> bool:
        """Whether a match is published."""
        if not has_table(self._conn, "pubg", "matches"):
            return False
        return bool(ops.rows(self._conn, "SELECT 1 FROM pubg.matches WHERE match_id = %s LIMIT 1", [match_id]))

    def played_by(self, roster_entry_id: int) -> int:
        """Returns in how many tournament matches a player took part under a roster entry, given by its id."""
        if not has_table(self._conn, "pubg", "tournament_matches"):
            return 0
        [found] = ops.rows(self._conn, _PLAYED_BY, [roster_entry_id])
        return found["matches"]

    def taken_of(self, tracked: Row) -> int:
        """Returns how many matches of a tracked player are copied, or about to be."""
        if not has_table(self._conn, "pubg", "player_backfill_status"):
            return 0
        query = "SELECT count(*) AS matches FROM pubg.player_backfill_status WHERE tracked_player = %s"
        [found] = ops.rows(self._conn, query, [tracked["account_id"]])
        return found["matches"]


def history_of(conn: psycopg.Connection, player: str, first: date, last: date) -> Row:
    """Returns facts about a player's matches on some days; the player is given by name or account.

    Returns:
        `account_id` and `player_name` (null where no match knows the player), `matches_found`, `telemetry_available` of
        these, `expired` of these.
    """
    empty: Row = {"account_id": None, "player_name": None, "matches_found": 0, "telemetry_available": 0, "expired": 0}
    seen = PublishedMatches(conn).players([player])
    account = player if player in seen.names else seen.accounts.get(player)
    if account is None:
        return empty | {"did_you_mean": seen.other_capitals(player)}
    query = """
        SELECT count(*) AS matches_found,
               count(*) FILTER (WHERE m.telemetry_status = 'processed') AS telemetry_available,
               count(*) FILTER (WHERE m.telemetry_status = 'expired') AS expired
        FROM (SELECT DISTINCT match_id, match_date FROM pubg.match_summaries
              WHERE account_id = %s AND match_date BETWEEN %s AND %s) s
            JOIN pubg.matches m USING (match_id, match_date)
    """
    [found] = ops.rows(conn, query, [account, first, last])
    return {"account_id": account, "player_name": seen.names.get(account, player), **found, "did_you_mean": None}
