"""Who saw whose pages, by day: invited coaches, and visitors with the link to a shared match."""

from __future__ import annotations

import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import Row

VIEW_DAYS = 90
"""Days for which views are kept."""


def seen_by_guest(conn: psycopg.Connection, guest_id: int, game: str, player_id: str) -> None:
    """Notes that a guest saw pages of the user to whom an account of a game is linked."""
    conn.execute(
        "INSERT INTO accounts.views (user_id, guest_id, game) SELECT user_id, %s, game FROM accounts.players "
        "WHERE game = %s AND player_id = %s AND state = 'linked' ON CONFLICT DO NOTHING",
        [guest_id, game, player_id],
    )


def seen_by_link(conn: psycopg.Connection, game: str, token: str, by: int | None) -> None:
    """Notes that someone other than the user who shares a match opened its link.

    Args:
        by: the user who is signed in, if any.
    """
    conn.execute(
        "INSERT INTO accounts.views (user_id, game, match_id) SELECT user_id, game, match_id FROM accounts.shares "
        "WHERE game = %s AND token = %s AND user_id IS DISTINCT FROM %s ON CONFLICT DO NOTHING",
        [game, token, by],
    )


def views_of(conn: psycopg.Connection, user_id: int) -> list[Row]:
    """Returns who saw the pages of a user, the latest first: `day`, `guest` (None: by a link), `game`, `match_id`."""
    return ops.rows(
        conn,
        "SELECT v.day, u.name AS guest, v.game, v.match_id FROM accounts.views v "
        "LEFT JOIN accounts.users u ON u.user_id = v.guest_id "
        "WHERE v.user_id = %s AND v.day > current_date - %s ORDER BY v.day DESC, guest, v.match_id LIMIT 200",
        [user_id, VIEW_DAYS],
    )
