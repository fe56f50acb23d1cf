"""Who else may see a user's pages: coaches whom the user invites, and everyone with the link to a shared match.

Neither can change anything. Users switch both on, and end them at any time.
"""

from __future__ import annotations

import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.serving.accounts.sessions import hashed, new_token

INVITATION_DAYS = 14
_MOST_OPEN = 20


# --- coaches -------------------------------------------------------------------------------------


def invite(conn: psycopg.Connection, user_id: int, game: str) -> tuple[int, str] | None:
    """Invites the first person who accepts to see a user's pages of a game.

    Returns the number of the invitation and its token, or None if too many are open.
    """
    open_ = "SELECT FROM accounts.invitations WHERE user_id = %s AND guest_id IS NULL AND expires_at > now()"
    if len(ops.rows(conn, open_, [user_id])) >= _MOST_OPEN:
        return None
    token = new_token()
    made = ops.rows(
        conn,
        "INSERT INTO accounts.invitations (user_id, game, token_hash, expires_at) "
        "VALUES (%s, %s, %s, now() + make_interval(days => %s)) RETURNING invitation_id",
        [user_id, game, hashed(token), INVITATION_DAYS],
    )
    return made[0]["invitation_id"], token


def invited_by(conn: psycopg.Connection, token: str) -> Row | None:
    """Returns who invites with a token: `user_id`, `name`, `game`; None if it cannot be accepted (any more)."""
    found = ops.rows(
        conn,
        "SELECT i.user_id, u.name, i.game FROM accounts.invitations i JOIN accounts.users u USING (user_id) "
        "WHERE i.token_hash = %s AND i.guest_id IS NULL AND i.expires_at > now() AND u.ended_at IS NULL",
        [hashed(token)],
    )
    return found[0] if found else None


def accept(conn: psycopg.Connection, user_id: int, token: str) -> bool:
    """Accepts another user's invitation, once; returns whether it was open."""
    accepted = ops.rows(
        conn,
        "UPDATE accounts.invitations SET guest_id = %s, accepted_at = now() WHERE token_hash = %s AND guest_id IS NULL "
        "AND expires_at > now() AND user_id <> %s RETURNING invitation_id",
        [user_id, hashed(token), user_id],
    )
    return bool(accepted)


def invitations_of(conn: psycopg.Connection, user_id: int) -> list[Row]:
    """Returns a user's invitations, sent and accepted: `invitation_id`, `game`, `is_mine`, `name` of the other, ..."""
    return ops.rows(
        conn,
        """
        SELECT i.invitation_id, i.game, i.user_id = %(user)s AS is_mine,
            CASE WHEN i.user_id = %(user)s THEN g.name ELSE o.name END AS name,
            i.created_at, i.accepted_at, CASE WHEN i.guest_id IS NULL THEN i.expires_at END AS expires_at
        FROM accounts.invitations i JOIN accounts.users o USING (user_id)
            LEFT JOIN accounts.users g ON g.user_id = i.guest_id
        WHERE i.user_id = %(user)s AND (i.guest_id IS NOT NULL OR i.expires_at > now()) OR i.guest_id = %(user)s
        ORDER BY i.invitation_id DESC
        """,
        {"user": user_id},
    )


def take_back(conn: psycopg.Connection, user_id: int, invitation_id: int) -> bool:
    """Ends an invitation that the user sent or accepted; returns whether there was one."""
    ended = (
        "DELETE FROM accounts.invitations WHERE invitation_id = %s AND (user_id = %s OR guest_id = %s) "
        "RETURNING invitation_id"
    )
    return bool(ops.rows(conn, ended, [invitation_id, user_id, user_id]))


# --- links to matches ----------------------------------------------------------------------------


def share(conn: psycopg.Connection, user_id: int, game: str, match_id: str) -> str:
    """Returns the token of the link that lets everyone see a match; it stays the same while the match is shared."""
    shared = ops.rows(
        conn,
        "INSERT INTO accounts.shares (token, user_id, game, match_id) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (user_id, game, match_id) DO UPDATE SET token = shares.token RETURNING token",
        [new_token(), user_id, game, match_id],
    )
    return shared[0]["token"]


def unshare(conn: psycopg.Connection, user_id: int, game: str, match_id: str) -> bool:
    """Ends the link of a match; returns whether there was one."""
    gone = "DELETE FROM accounts.shares WHERE user_id = %s AND game = %s AND match_id = %s RETURNING token"
    return bool(ops.rows(conn, gone, [user_id, game, match_id]))


def shared_match(conn: psycopg.Connection, game: str, token: str) -> str | None:
    """Returns the match of a link; None if it is not shared (any more)."""
    match = "SELECT s.match_id FROM accounts.shares s JOIN accounts.users u USING (user_id) WHERE s.token = %s " \
        "AND s.game = %s AND u.ended_at IS NULL"  # fmt: skip
    found = ops.rows(conn, match, [token, game])
    return found[0]["match_id"] if found else None
