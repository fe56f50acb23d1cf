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
"""Who says that an account belongs to a user."""


class TakenPlayerError(ExistsAlreadyError):
    """The account of a game is linked to another user."""


def players_of(conn: psycopg.Connection, user_id: int, game: str | None = None) -> list[Row]:
    """Returns the linked and claimed accounts of a user: `game`, `player_id`, `state`, `told_by`, `created_at`, ..."""
    return ops.rows(
        conn,
        "SELECT game, player_id, state, told_by, created_at, decided_at FROM accounts.players WHERE user_id = %s "
        "AND state <> 'refused' AND (%s::text IS NULL OR game = %s) ORDER BY game, created_at, player_id",
        [user_id, game, game],
    )


def link_player(conn: psycopg.Connection, game: Game, user_id: int, player_id: str, told_by: By) -> bool:
    """Links an account of a game to a user and takes up its matches; returns whether it is new to the user.

    A sign-in with the account outweighs a link of another user that rests on less.

    Raises:
        TakenPlayerError: if it is linked to another user.
    """
    # If two users link it at once, one gets it and the other an error.
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
            f"{game.account(player_id)} is linked to another user already. That user can unlink it in the "
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
    """Links the account that a sign-in provider vouches for, in the games that know its platform.

    An account that the user unlinked, or that is linked to another user, stays as it is.
    """
    for game in games:
        if game.accounts is None or platform not in game.accounts.platforms:
            continue
        refused = (
            "SELECT 1 FROM accounts.players WHERE user_id = %s AND game = %s AND player_id = %s AND state = 'refused'"
        )
        # The sign-in succeeds either way.
        with suppress(EntryError), conn.transaction():
            player_id = game.accounts.player_id(f"{platform}:{id_}")
            if not ops.rows(conn, refused, [user_id, game.name, player_id]):
                link_player(conn, game, user_id, player_id, "sign_in")


def claim_player(conn: psycopg.Connection, game: Game, user_id: int, player_id: str) -> bool:
    """Claims an account without proof, for an admin to decide; returns whether the claim is new.

    The answer does not reveal whether the account is linked to another user.

    Raises:
        EntryError: if too many claims of the user are undecided.
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
    """Unlinks an account or withdraws a claim; returns whether there was one. No later sign-in links it again.

    Consents given for the account end.
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
    # A mere claim gives no say in the consents of the account.
    if was == "linked" and game.accounts is not None:
        _be_about(conn, user_id)
        game.accounts.unlinked(conn, player_id)
    conn.execute(
        "UPDATE accounts.players SET state = 'refused', told_by = %s, decided_at = now() "
        "WHERE user_id = %s AND game = %s AND player_id = %s",
        [told_by, user_id, game.name, player_id],
    )


def _be_about(conn: psycopg.Connection, user_id: int) -> None:
    """Lets PostgreSQL show and accept rows of the accounts that are linked to a user now."""
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
    """Returns linked and claimed accounts, undecided claims first: `user_id`, `name`, `player_id`, `linked_to`, ..."""
    return ops.rows(conn, f"{_CLAIMS} ORDER BY p.state <> 'claimed', p.created_at DESC, p.player_id LIMIT 500")


def decide_claim(
    conn: psycopg.Connection, by: Person | str, game: Game, user_id: int, player_id: str, *, is_right: bool
) -> None:
    """Links a claimed account, or refuses it; refusing a linked account unlinks it.

    Raises:
        UnknownNameError: if the user neither has nor claims it.
        TakenPlayerError: if it is linked to another user.
    """
    found = [row for row in players_of(conn, user_id, game.name) if row["player_id"] == player_id]
    if not found:
        raise UnknownNameError(f"User {user_id} neither has nor claims {game.account(player_id)}.", "player")
    if is_right:
        link_player(conn, game, user_id, player_id, "admin")
    else:
        _refuse(conn, game, user_id, player_id, "admin", was=found[0]["state"])
    act = "player.link" if is_right else "player.refuse"
    # Without the account's id, which would outlive an erasure of the person.
    audit(conn, by, act, f"user {user_id}", {"state": found[0]["state"]}, {"game": game.name})
