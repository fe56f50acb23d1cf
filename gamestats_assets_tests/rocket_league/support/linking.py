"""Accounts of the game that are linked to users."""

from __future__ import annotations

import psycopg

from gamestats_assets_tests.serving.sign_in.signing_in import user_named


def linked(url: str, name: str, *players: str) -> int:
    """Have accounts be a user's, in this order; the user's number."""
    user_id = user_named(url, name)["user_id"]
    with psycopg.connect(url) as conn:
        for number, player in enumerate(players):
            conn.execute(
                "INSERT INTO accounts.players (user_id, game, player_id, state, told_by, created_at) "
                "VALUES (%s, 'rocket_league', %s, 'linked', 'admin', now() + make_interval(secs => %s))",
                [user_id, player, number],
            )
    return user_id
