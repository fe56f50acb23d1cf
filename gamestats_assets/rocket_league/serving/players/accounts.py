"""Users' Rocket League accounts: sign-in platforms, and the consequences of linking and unlinking one."""

from __future__ import annotations

import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.rocket_league.players.entered import PLAYER, Custody, account_id
from gamestats_assets.rocket_league.players.identities import written_id
from gamestats_assets.serving.accounts import users
from gamestats_assets.serving.game import PlayerAccounts
from gamestats_assets.settings import Settings

BACKFILL = "backfill"
"""Kind of the job that builds the tables of a linked account's matches."""


def _linked(conn: psycopg.Connection, user_id: int, player_id: str) -> None:
    """Track the account, without any consent yet, and request tables from its matches."""
    if not PLAYER.rows(conn, player_id=player_id):
        [user] = ops.rows(conn, "SELECT name FROM accounts.users WHERE user_id = %s", [user_id])
        # Otherwise pages show the name in the game.
        named = {} if users.is_made_up(user["name"]) else {"username": user["name"]}
        PLAYER.add(conn, player_id, context=Custody(retention_days=Settings().retention_days), **named)
    else:
        PLAYER.change(conn, player_id)
    enqueue(conn, BACKFILL, "rocket_league", user_id, {"player_id": player_id})


def _unlinked(conn: psycopg.Connection, player_id: str) -> None:
    """Withdraw all consents of the account, and stop looking for its replays."""
    if PLAYER.rows(conn, player_id=player_id):
        PLAYER.change(conn, player_id, consents=False, share_at_ballchasing=None)
        PLAYER.remove(conn, player_id)


ACCOUNTS = PlayerAccounts(("steam", "epic"), account_id, written_id, _linked, _unlinked)
