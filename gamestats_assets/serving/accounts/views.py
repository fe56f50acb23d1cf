"""Who saw the pages of whom, by day: whom people let see theirs, and whoever has a link that they share."""

from __future__ import annotations

import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import Row

VIEW_DAYS = 90
"""For how long it is kept."""


def seen_by_guest(conn: psycopg.Connection, guest_id: int, game: str, player_id: str) -> None:
    """Note that somebody saw pages of the user whose account of a game it is."""
    conn.execute(
        "INSERT INTO accounts.views (user_id, guest_id, game) SELECT user_id, %s, game FROM accounts.players "
        "WHERE game = %s AND player_id = %s AND state = 'linked' ON CONFLICT DO NOTHING",
        [guest_id, game, player_id],
    )


def seen_by_link(conn: psycopg.Connection, game: str, token: str, by: int | None) -> None:
    """Note that somebody opened the link of a match, who is not the one who shares it.

    Args:
        by: who is signed in, if anybody is.
    """
    conn.execute(
        "INSERT INTO accounts.views (user_id, game, match_id) SELECT user_id, game, match_id FROM accounts.shares "
        "WHERE game = %s AND token = %s AND user_id IS DISTINCT FROM %s ON CONFLICT DO NOTHING",
        [game, token, by],
    )


def views_of(conn: psycopg.Connection, user_id: int) -> list[Row]:
    """Who saw the pages of a user, the last first: `day`, `guest` (None: by a link), `game`, `match_id`."""
    return ops.rows(
        conn,
        "SELECT v.day, u.name AS guest, v.game, v.match_id FROM accounts.views v "
        "LEFT JOIN accounts.users u ON u.user_id = v.guest_id "
        "WHERE v.user_id = %s AND v.day > current_date - %s ORDER BY v.day DESC, guest, v.match_id LIMIT 200",
        [user_id, VIEW_DAYS],
    )
