"""Browsers and programs that are signed in, and one-time links. Only hashes of what signs them in are kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import Row

SESSION_DAYS = 30
LINK_MINUTES = 15
FRESH_MINUTES = 10
"""Minutes after signing in during which a user may do what cannot be undone."""
_SYSTEMS = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Mac OS": "a Mac",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}


def new_token() -> str:
    """Returns an unguessable text."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> bytes:
    """Returns the hash of a token, which is stored in its place. Tokens are as long as hashes: guessing is hopeless."""
    return hashlib.sha256(token.encode()).digest()


def device(user_agent: str) -> str:
    """Returns a name by which users recognise their browser, such as `Firefox on Linux`."""
    browser = next((name for word, name in _BROWSERS.items() if word in user_agent), "A program")
    system = next((name for word, name in _SYSTEMS.items() if word in user_agent), "")
    return f"{browser} on {system}" if system else browser


# --- browsers ------------------------------------------------------------------------------------


def begin_session(conn: psycopg.Connection, user_id: int, device: str) -> str:
    """Signs a user in at a browser; returns the value of its cookie."""
    _sweep(conn)
    token = new_token()
    conn.execute(
        "INSERT INTO accounts.sessions (user_id, token_hash, device, expires_at) "
        "VALUES (%s, %s, %s, now() + make_interval(days => %s))",
        [user_id, hashed(token), device, SESSION_DAYS],
    )
    return token


def sessions_of(conn: psycopg.Connection, user_id: int) -> list[Row]:
    """Returns where a user is signed in, the last seen first: `session_id`, `device`, `kind`, `created_at`, ..."""
    return ops.rows(
        conn,
        """
        SELECT session_id, device, CASE WHEN token_hash IS NULL THEN 'program' ELSE 'browser' END AS kind,
            created_at, last_seen_at, expires_at
        FROM accounts.sessions WHERE user_id = %s AND expires_at > now() ORDER BY last_seen_at DESC, session_id DESC
        """,
        [user_id],
    )


def is_fresh(conn: psycopg.Connection, session_id: int | None) -> bool:
    """Whether the session of a browser has just begun."""
    query = (
        "SELECT 1 FROM accounts.sessions WHERE session_id = %s AND token_hash IS NOT NULL "
        "AND created_at > now() - make_interval(mins => %s)"
    )
    return bool(ops.rows(conn, query, [session_id, FRESH_MINUTES]))


def end_session(conn: psycopg.Connection, user_id: int, session_id: int) -> bool:
    """Ends a session of a user and those of its programs; returns whether there was one."""
    ended = "DELETE FROM accounts.sessions WHERE session_id = %s AND user_id = %s RETURNING session_id"
    return bool(ops.rows(conn, ended, [session_id, user_id]))


def end_token(conn: psycopg.Connection, token: str) -> None:
    """Ends the session of a cookie, if there is one."""
    conn.execute("DELETE FROM accounts.sessions WHERE token_hash = %s", [hashed(token)])


def _sweep(conn: psycopg.Connection) -> None:
    """Removes what has expired, and skips rows that others are removing."""
    for statement in (
        "DELETE FROM accounts.sessions WHERE session_id IN (SELECT session_id FROM accounts.sessions "
        "WHERE expires_at < now() FOR UPDATE SKIP LOCKED)",
        "DELETE FROM accounts.links WHERE token_hash IN (SELECT token_hash FROM accounts.links "
        "WHERE expires_at < now() FOR UPDATE SKIP LOCKED)",
        "DELETE FROM accounts.sign_in_attempts WHERE state_hash IN (SELECT state_hash FROM accounts.sign_in_attempts "
        "WHERE expires_at < now() FOR UPDATE SKIP LOCKED)",
        "DELETE FROM accounts.used_nonces WHERE (issuer, nonce) IN (SELECT issuer, nonce FROM accounts.used_nonces "
        "WHERE used_at < now() - interval '1 day' FOR UPDATE SKIP LOCKED)",
    ):
        conn.execute(statement)


# --- one-time links ------------------------------------------------------------------------------


def make_link(conn: psycopg.Connection, user_id: int) -> str:
    """Returns the token of a link that signs a user in once, within 15 minutes."""
    token = new_token()
    conn.execute(
        "INSERT INTO accounts.links (token_hash, user_id, expires_at) "
        "VALUES (%s, %s, now() + make_interval(mins => %s))",
        [hashed(token), user_id, LINK_MINUTES],
    )
    return token


def use_link(conn: psycopg.Connection, token: str) -> int | None:
    """Returns the user whom a link signs in; None if it was used, is too old, or never existed."""
    used = ops.rows(
        conn,
        "UPDATE accounts.links SET used_at = now() FROM accounts.users u WHERE token_hash = %s AND used_at IS NULL "
        "AND expires_at > now() AND u.user_id = links.user_id AND u.ended_at IS NULL RETURNING u.user_id",
        [hashed(token)],
    )
    return used[0]["user_id"] if used else None


# --- programs ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A program's session, and the refresh token that goes on with it."""

    session_id: int
    user_id: int
    refresh_token: str


def begin_program(conn: psycopg.Connection, user_id: int, parent_id: int, device: str) -> Refreshed:
    """Begins a program's session from a user's session, with which it ends."""
    begun = ops.rows(
        conn,
        "INSERT INTO accounts.sessions (user_id, parent_id, device, expires_at) "
        "VALUES (%s, %s, %s, now() + make_interval(days => %s)) RETURNING session_id",
        [user_id, parent_id, device, SESSION_DAYS],
    )
    return Refreshed(begun[0]["session_id"], user_id, _issue(conn, begun[0]["session_id"]))


def refresh(conn: psycopg.Connection, token: str) -> Refreshed | None:
    """Continues a program's session by its newest refresh token.

    Returns None if the token does not exist or its session is over. A token that is used twice was stolen: its session
    ends, with all its tokens.
    """
    found = ops.rows(
        conn,
        """
        SELECT s.session_id, s.user_id, t.used_at
        FROM accounts.refresh_tokens t JOIN accounts.sessions s USING (session_id) JOIN accounts.users u USING (user_id)
        WHERE t.token_hash = %s AND s.expires_at > now() AND u.ended_at IS NULL FOR UPDATE OF s, t
        """,
        [hashed(token)],
    )
    if not found:
        return None
    session_id, user_id = found[0]["session_id"], found[0]["user_id"]
    if found[0]["used_at"] is not None:
        end_session(conn, user_id, session_id)
        return None
    conn.execute("UPDATE accounts.refresh_tokens SET used_at = now() WHERE token_hash = %s", [hashed(token)])
    conn.execute(
        "UPDATE accounts.sessions SET last_seen_at = now(), expires_at = now() + make_interval(days => %s) "
        "WHERE session_id = %s",
        [SESSION_DAYS, session_id],
    )
    return Refreshed(session_id, user_id, _issue(conn, session_id))


def _issue(conn: psycopg.Connection, session_id: int) -> str:
    token = new_token()
    issued = "INSERT INTO accounts.refresh_tokens (token_hash, session_id) VALUES (%s, %s)"
    conn.execute(issued, [hashed(token), session_id])
    return token
