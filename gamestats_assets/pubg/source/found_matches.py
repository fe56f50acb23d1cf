"""Found matches with their states, for users."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl
import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.fields import require_one_of

DISCOVERY_STATES = ("wanted", "archived", "expired", "passed_over", "failed")
NOT_FETCHED = ("failed", "expired")
"""States of found matches that are not available."""


def list_discovered(conn: psycopg.Connection, states: Collection[str] = NOT_FETCHED) -> pl.DataFrame:
    """Returns found matches in one of the states, newest find first.

    `reason` says why a match was given up, or what delays one that is retried at `tried_again_at`.

    Raises:
        EntryError: if there is no such state.
    """
    for state in states:
        require_one_of(state, DISCOVERY_STATES, "state")
    found = ops.frame_of(conn, _FOUND, {}, ("found_at DESC", "match_id"))
    return found.filter(pl.col("state").is_in(list(states)))


_FOUND = """
    SELECT match_id, shard, state, discovered_by AS found_by, found_at, attempts,
           CASE WHEN state <> 'wanted' THEN next_at END AS settled_at,
           CASE WHEN state = 'wanted' AND last_error IS NOT NULL THEN next_at END AS tried_again_at,
           CASE WHEN last_error IS NOT NULL THEN last_error
                WHEN state = 'expired' THEN 'The API has forgotten it.' END AS reason
    FROM ops.matches_discovered
"""


def count_not_fetched(conn: psycopg.Connection) -> dict[str, dict[str, int]]:
    """Returns the number of found matches that are not available, by shard and state."""
    query = "SELECT shard, state, count(*) AS matches FROM ops.matches_discovered WHERE state = ANY(%s) GROUP BY 1, 2"
    found: dict[str, dict[str, int]] = {}
    for row in sorted(ops.rows(conn, query, [list(NOT_FETCHED)]), key=lambda row: row["shard"]):
        found.setdefault(row["shard"], {})[row["state"]] = row["matches"]
    return found
