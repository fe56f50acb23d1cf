"""Accounts of Rocket League as users have them: by which platforms they sign in, and what follows of having one."""

from __future__ import annotations

import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.rocket_league.entered import PLAYER, Custody, account_id
from gamestats_assets.rocket_league.identities import written_id
from gamestats_assets.serving.accounts import users
from gamestats_assets.serving.game import PlayerAccounts
from gamestats_assets.settings import Settings

BACKFILL = "backfill"
"""Kind of the job that takes up the matches of an account that was linked."""


def _linked(conn: psycopg.Connection, user_id: int, player_id: str) -> None:
    """Track the account, which allows nothing yet, and have its matches taken up."""
    if not PLAYER.rows(conn, player_id=player_id):
        [user] = ops.rows(conn, "SELECT name FROM accounts.users WHERE user_id = %s", [user_id])
        # Else pages have the name in the game.
        named = {} if users.is_made_up(user["name"]) else {"username": user["name"]}
        PLAYER.add(conn, player_id, context=Custody(retention_days=Settings().retention_days), **named)
    else:
        PLAYER.change(conn, player_id)
    enqueue(conn, BACKFILL, "rocket_league", user_id, {"player_id": player_id})


def _unlinked(conn: psycopg.Connection, player_id: str) -> None:
    """Have the account allow nothing any more, and not be looked for."""
    if PLAYER.rows(conn, player_id=player_id):
        PLAYER.change(conn, player_id, consents=False, share_at_ballchasing=None)
        PLAYER.remove(conn, player_id)


ACCOUNTS = PlayerAccounts(("steam", "epic"), account_id, written_id, _linked, _unlinked)
