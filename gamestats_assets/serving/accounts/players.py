"""Whose accounts of games are whose: links that a sign-in proves, claims that an admin decides, and taking them back.

A user may have several accounts of a game; an account is of one user at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.declared import ExistsAlreadyError, UnknownNameError
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.postgres.own_rows import own_settings, setting
from gamestats_assets.serving.accounts.audit import audit

if TYPE_CHECKING:
    from gamestats_assets.serving.game import Game
    from gamestats_assets.serving.middleware.principal import Person

_MOST_CLAIMED = 20
By = Literal["sign_in", "person", "admin", "command_line"]
"""Who tells that an account is somebody's."""


class TakenPlayerError(ExistsAlreadyError):
    """An account of a game is somebody else's."""


def players_of(conn: psycopg.Connection, user_id: int, game: str | None = None) -> list[Row]:
    """The accounts of a user that are linked or claimed: `game`, `player_id`, `state`, `told_by`, `created_at`, ..."""
    return ops.rows(
        conn,
        "SELECT game, player_id, state, told_by, created_at, decided_at FROM accounts.players WHERE user_id = %s "
        "AND state <> 'refused' AND (%s::text IS NULL OR game = %s) ORDER BY game, created_at, player_id",
        [user_id, game, game],
    )


def link_player(conn: psycopg.Connection, game: Game, user_id: int, player_id: str, told_by: By) -> bool:
    """Have an account be a user's, and its matches taken up; whether it was not before.

    Who signs in by an account has it, even where another user was said to have it by less than that.

    Raises:
        TakenPlayerError: when it is somebody else's.
    """
    # Of two at once one has it, and the other is told.
    lock = "SELECT pg_advisory_xact_lock(hashtextextended('gamestats player ' || %s || ' ' || %s, 0))"
    conn.execute(lock, [game.name, player_id])
    found = ops.rows(
        conn,
        "SELECT user_id, told_by FROM accounts.players WHERE game = %s AND player_id = %s AND state = 'linked'",
        [game.name, player_id],
    )
    if found and found[0]["user_id"] == user_id:
        return False
    if found and not (told_by == "sign_in" and found[0]["told_by"] != "sign_in"):
        raise TakenPlayerError(
            f"{game.account(player_id)} is linked to another user already. Whoever that is takes it back first, in the "
            "settings; or an administrator does: gamestats user player NAME PLAYER --take",
            "player",
        )
    if found:
        _refuse(conn, game, found[0]["user_id"], player_id, "admin", was="linked")
    conn.execute(
        "INSERT INTO accounts.players AS p (user_id, game, player_id, state, told_by, decided_at) "
        "VALUES (%s, %s, %s, 'linked', %s, now()) ON CONFLICT (user_id, game, player_id) DO UPDATE "
        "SET state = excluded.state, told_by = excluded.told_by, decided_at = excluded.decided_at",
        [user_id, game.name, player_id, told_by],
    )
    if game.accounts is not None:
        _be_about(conn, user_id)
        game.accounts.linked(conn, user_id, player_id)
    return True


def link_vouched(conn: psycopg.Connection, games: Sequence[Game], user_id: int, platform: str | None, id_: str) -> None:
    """Link the accounts of a user by whom a sign-in provider vouches, in the games that have its platform.

    One that the user took back, or that signs in somebody else, too, stays as it is.
    """
    for game in games:
        if game.accounts is None or platform not in game.accounts.platforms:
            continue
        refused = (
            "SELECT 1 FROM accounts.players WHERE user_id = %s AND game = %s AND player_id = %s AND state = 'refused'"
        )
        # Signed in somebody is either way.
        with suppress(EntryError), conn.transaction():
            player_id = game.accounts.player_id(f"{platform}:{id_}")
            if not ops.rows(conn, refused, [user_id, game.name, player_id]):
                link_player(conn, game, user_id, player_id, "sign_in")


def claim_player(conn: psycopg.Connection, game: Game, user_id: int, player_id: str) -> bool:
    """Say that an account is a user's, which nothing proves: an admin decides; whether it is new.

    Nothing tells whether somebody else has it: that is not everybody's to know.

    Raises:
        EntryError: when very many claims of the user are to be decided already.
    """
    if sum(row["state"] == "claimed" for row in players_of(conn, user_id)) >= _MOST_CLAIMED:
        raise EntryError("Your claims wait for an administrator; take some of them back first.", "player")
    claimed = (
        "INSERT INTO accounts.players (user_id, game, player_id, state, told_by) VALUES (%s, %s, %s, 'claimed', "
        "'person') ON CONFLICT (user_id, game, player_id) DO UPDATE SET state = 'claimed', told_by = 'person', "
        "decided_at = NULL, created_at = now() WHERE players.state = 'refused' RETURNING player_id"
    )
    return bool(ops.rows(conn, claimed, [user_id, game.name, player_id]))


def unlink_player(conn: psycopg.Connection, game: Game, user_id: int, player_id: str, told_by: By) -> bool:
    """Take back that an account is a user's, or a claim; whether there was one. No sign-in links it again by itself.

    What the user allowed with it is allowed no more.
    """
    own = [row for row in players_of(conn, user_id, game.name) if row["player_id"] == player_id]
    if not own:
        return False
    if own[0]["state"] == "claimed":
        gone = "DELETE FROM accounts.players WHERE user_id = %s AND game = %s AND player_id = %s"
        conn.execute(gone, [user_id, game.name, player_id])
    else:
        _refuse(conn, game, user_id, player_id, told_by, was="linked")
    return True


def _refuse(conn: psycopg.Connection, game: Game, user_id: int, player_id: str, told_by: By, *, was: str) -> None:
    # Who only claims an account has a say in nothing that is allowed with it.
    if was == "linked" and game.accounts is not None:
        _be_about(conn, user_id)
        game.accounts.unlinked(conn, player_id)
    conn.execute(
        "UPDATE accounts.players SET state = 'refused', told_by = %s, decided_at = now() "
        "WHERE user_id = %s AND game = %s AND player_id = %s",
        [told_by, user_id, game.name, player_id],
    )


def _be_about(conn: psycopg.Connection, user_id: int) -> None:
    """Have PostgreSQL show and take rows of a user's accounts as they are now."""
    linked = [row["player_id"] for row in players_of(conn, user_id) if row["state"] == "linked"]
    conn.execute(*setting(own_settings(user_id, linked)))


# --- claims, for admins --------------------------------------------------------------------------

_CLAIMS = """
    SELECT p.user_id, u.name, p.game, p.player_id, p.state, p.told_by, p.created_at, p.decided_at,
        (SELECT o.name FROM accounts.players l JOIN accounts.users o USING (user_id)
            WHERE l.game = p.game AND l.player_id = p.player_id AND l.state = 'linked' AND l.user_id <> p.user_id
        ) AS linked_to
    FROM accounts.players p JOIN accounts.users u USING (user_id)
    WHERE u.ended_at IS NULL
"""


def claims(conn: psycopg.Connection) -> list[Row]:
    """Whose accounts are whose, what is to be decided first: `user_id`, `name`, `player_id`, `linked_to`, ..."""
    return ops.rows(conn, f"{_CLAIMS} ORDER BY p.state <> 'claimed', p.created_at DESC, p.player_id LIMIT 500")


def decide_claim(
    conn: psycopg.Connection, by: Person | str, game: Game, user_id: int, player_id: str, *, is_right: bool
) -> None:
    """Link an account that is claimed, or refuse it; one that is linked is taken back by that.

    Raises:
        UnknownNameError: when the user neither claims nor has it.
        TakenPlayerError: when it is somebody else's.
    """
    found = [row for row in players_of(conn, user_id, game.name) if row["player_id"] == player_id]
    if not found:
        raise UnknownNameError(f"User {user_id} neither has nor claims {game.account(player_id)}.", "player")
    if is_right:
        link_player(conn, game, user_id, player_id, "admin")
    else:
        _refuse(conn, game, user_id, player_id, "admin", was=found[0]["state"])
    act = "player.link" if is_right else "player.refuse"
    # Which account it is would stay here when all else of a person is gone.
    audit(conn, by, act, f"user {user_id}", {"state": found[0]["state"]}, {"game": game.name})
