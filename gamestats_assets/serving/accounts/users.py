"""Users, the accounts they sign in with, and their roles. The audit log has every change."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.declared import ExistsAlreadyError, StillNeededError, UnknownNameError, nearest
from gamestats_assets.lakehouse.entries.encryption import EncryptionKeyError, Keys
from gamestats_assets.lakehouse.entries.fields import EntryError, require_one_of
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.serving.accounts.audit import audit

if TYPE_CHECKING:
    from gamestats_assets.serving.middleware.principal import Person, Role

_OF_USERS = (
    *("identities", "roles", "links", "sessions", "sign_in_attempts"),
    *("players", "invitations", "shares", "views"),
)
GIVEN_ROLES: tuple[Role, ...] = ("premium", "tournament_admin", "admin")
LONGEST_NAME = 64
_LOST = "not readable any more"
_MADE_UP = "user-"


class LastAdminError(StillNeededError):
    """The change would leave no admin, and only admins give roles."""


class TakenIdentityError(ExistsAlreadyError):
    """The account signs in another user already."""


_USERS = """
    SELECT u.user_id, u.name, u.name_key, u.created_at,
        ARRAY(SELECT i.issuer FROM accounts.identities i WHERE i.user_id = u.user_id ORDER BY 1) AS issuers,
        ARRAY(
            SELECT p.player_id FROM accounts.players p WHERE p.user_id = u.user_id AND p.state = 'linked' ORDER BY 1
        ) AS players,
        (SELECT max(s.last_seen_at) FROM accounts.sessions s WHERE s.user_id = u.user_id) AS last_seen_at,
        ARRAY(
            SELECT concat_ws(' of ', r.role, coalesce(s.season, d.division || ', ' || ds.season))
            FROM accounts.roles r LEFT JOIN ops.seasons s ON s.season_id = r.season_id
                LEFT JOIN ops.divisions d ON d.division_id = r.division_id
                LEFT JOIN ops.seasons ds ON ds.season_id = d.season_id
            WHERE r.user_id = u.user_id ORDER BY 1
        ) AS roles
    FROM accounts.users u WHERE u.ended_at IS NULL
"""


def list_users(conn: psycopg.Connection) -> list[Row]:
    """Returns all users by name: `user_id`, `name`, `roles`, `issuers`, `players`, `created_at`, `last_seen_at`."""
    return ops.select_of(conn, _USERS, {}, ("name_key",))


def find_user(conn: psycopg.Connection, name: str) -> Row:
    """Returns the user with a name, ignoring case.

    Raises:
        UnknownNameError: if there is none; the message suggests the nearest name.
    """
    if found := ops.select_of(conn, _USERS, {"name_key": _key(name)}):
        return found[0]
    known = [row["name"] for row in ops.rows(conn, "SELECT name FROM accounts.users WHERE ended_at IS NULL")]
    raise UnknownNameError(f"There is no user {name!r}; {nearest(name, known)}", "name")


def add_user(conn: psycopg.Connection, by: Person | str, name: str) -> Row:
    """Adds a user.

    Raises:
        EntryError: if the name is invalid or taken.
    """
    name = checked_name(name)
    row = _insert(conn, name)
    if row is None:
        raise ExistsAlreadyError(f"There is a user {find_user(conn, name)['name']!r} already.", "name")
    audit(conn, by, "user.add", f"user {row['user_id']}", after={})
    return find_user(conn, name)


def checked_name(name: str) -> str:
    """Returns a name as it is stored.

    Raises:
        EntryError: if the name is invalid.
    """
    stripped = unicodedata.normalize("NFC", name).strip()
    if not stripped or len(stripped) > LONGEST_NAME or not stripped.isprintable():
        raise EntryError(f"A user's name has 1 to {LONGEST_NAME} visible characters.", "name")
    return stripped


def rename_user(conn: psycopg.Connection, user_id: int, name: str) -> None:
    """Renames a user.

    Raises:
        EntryError: if the name is invalid or taken.
    """
    name = checked_name(name)
    others = "SELECT 1 FROM accounts.users WHERE name_key = %s AND user_id <> %s"
    if ops.rows(conn, others, [_key(name), user_id]):
        raise ExistsAlreadyError(f"Another user is called {name!r}.", "name")
    conn.execute(
        "UPDATE accounts.users SET name = %s, name_key = %s WHERE user_id = %s AND ended_at IS NULL",
        [name, _key(name), user_id],
    )


def remove_user(conn: psycopg.Connection, by: Person | str, row: Row, *, even_the_last: bool = False) -> None:
    """Removes a user for good: name, sign-in accounts, roles, sessions. The audit log keeps what the user did.

    Raises:
        LastAdminError: if the user is the last admin, unless `even_the_last`.
    """
    _keep_an_admin(conn, row, even_the_last=even_the_last)
    conn.execute("DELETE FROM accounts.invitations WHERE guest_id = %s", [row["user_id"]])
    conn.execute("DELETE FROM accounts.views WHERE guest_id = %s", [row["user_id"]])
    for table in _OF_USERS:
        conn.execute(
            sql.SQL("DELETE FROM {} WHERE user_id = %s").format(sql.Identifier("accounts", table)), [row["user_id"]]
        )
    ended = "UPDATE accounts.users SET name = NULL, name_key = NULL, ended_at = now() WHERE user_id = %s"
    conn.execute(ended, [row["user_id"]])
    audit(conn, by, "user.remove", f"user {row['user_id']}", before={"roles": row["roles"]})


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def _insert(conn: psycopg.Connection, name: str) -> Row | None:
    added = (
        "INSERT INTO accounts.users (name, name_key) VALUES (%s, %s) ON CONFLICT (name_key) DO NOTHING "
        "RETURNING user_id, name"
    )
    found = ops.rows(conn, added, [name, _key(name)])
    return found[0] if found else None


# --- roles ---------------------------------------------------------------------------------------


def give_role(
    conn: psycopg.Connection,
    by: Person | str,
    row: Row,
    role: str,
    season_id: int | None = None,
    division_id: int | None = None,
) -> bool:
    """Gives a user a role; a tournament admin's may be limited to one season or division.

    Returns:
        Whether the role is new to the user.

    Raises:
        EntryError: if the role, season or division does not exist, or the role cannot be limited.
    """
    place = _place(role, season_id, division_id)
    lacks_season = season_id and not ops.rows(conn, "SELECT FROM ops.seasons WHERE season_id = %s", [season_id])
    lacks_division = division_id and not ops.rows(
        conn, "SELECT FROM ops.divisions WHERE division_id = %s", [division_id]
    )
    if lacks_season or lacks_division:
        kind, number = ("division", division_id) if lacks_division else ("season", season_id)
        raise EntryError(f"There is no {kind} numbered {number}.", f"{kind}_id")
    given = ops.rows(
        conn,
        "INSERT INTO accounts.roles (user_id, role, season_id, division_id) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT DO NOTHING RETURNING role",
        [row["user_id"], *place.values()],
    )
    if given:
        audit(conn, by, "role.give", f"user {row['user_id']}", after=place)
    return bool(given)


def take_role(
    conn: psycopg.Connection,
    by: Person | str,
    row: Row,
    role: str,
    season_id: int | None = None,
    division_id: int | None = None,
    *,
    even_the_last: bool = False,
) -> bool:
    """Takes a role from a user.

    Returns:
        Whether the user had it.

    Raises:
        EntryError: if the role does not exist, or cannot be limited to a season or division.
        LastAdminError: if the user is the last admin, unless `even_the_last`.
    """
    place = _place(role, season_id, division_id)
    if role == "admin":
        _keep_an_admin(conn, row, even_the_last=even_the_last)
    taken = ops.rows(
        conn,
        "DELETE FROM accounts.roles WHERE user_id = %s AND role = %s AND season_id IS NOT DISTINCT FROM %s "
        "AND division_id IS NOT DISTINCT FROM %s RETURNING role",
        [row["user_id"], *place.values()],
    )
    if taken:
        audit(conn, by, "role.take", f"user {row['user_id']}", before=place)
    return bool(taken)


def _place(role: str, season_id: int | None, division_id: int | None) -> Mapping[str, Any]:
    if role == "user":
        raise EntryError("Everyone who is signed in has the role user; it is neither given nor taken.", "role")
    require_one_of(role, GIVEN_ROLES, "role")
    if role != "tournament_admin" and (season_id, division_id) != (None, None):
        raise EntryError(f"The role {role} cannot be limited to a season; only tournament_admin can.", "role")
    return {"role": role, "season_id": None if division_id else season_id, "division_id": division_id}


def _keep_an_admin(conn: psycopg.Connection, row: Row, *, even_the_last: bool) -> None:
    # One at a time: two admins who take the role from each other must not both succeed.
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('gamestats admins', 0))")
    admins = ops.rows(conn, "SELECT user_id FROM accounts.roles WHERE role = 'admin'")
    if not even_the_last and [each["user_id"] for each in admins] == [row["user_id"]]:
        raise LastAdminError(
            f"{row['name']} is the last admin: no one would be left to give roles on the pages. Make another user "
            "an admin first. `gamestats user ... --even-the-last` does it all the same, and can give the role again.",
            "name",
        )


# --- accounts to sign in with --------------------------------------------------------------------


def identities_of(conn: psycopg.Connection, keys: Keys, user_id: int) -> list[Row]:
    """Returns the accounts that a user signs in with: `identity_id`, `issuer`, `subject`, `created_at`."""
    found = (
        "SELECT identity_id, issuer, created_at, subject, subject_encrypted FROM accounts.identities "
        "WHERE user_id = %s ORDER BY 1"
    )
    rows = ops.rows(conn, found, [user_id])
    for row in rows:
        if token := row.pop("subject_encrypted"):
            row["subject"] = _LOST
            # Without the key, the account can still be removed and added again.
            with suppress(EncryptionKeyError):
                row["subject"] = keys.decrypt(token)
    return rows


def user_of_identity(conn: psycopg.Connection, keys: Keys, issuer: str, subject: str, suggested_name: str) -> int:
    """Returns the user whom an account signs in, and adds a user if the account is new.

    Args:
        keys: encrypt the ids of accounts.
        suggested_name: name of a new user, if it is valid and free.
    """
    _one_at_a_time(conn, issuer, subject)
    if (known := _owner(conn, keys, issuer, subject)) is not None:
        return known
    row = None
    with suppress(EntryError):
        row = _insert(conn, checked_name(suggested_name))
    while row is None:
        row = _insert(conn, f"{_MADE_UP}{secrets.token_hex(4)}")
    add_identity(conn, keys, row["user_id"], issuer, subject)
    return row["user_id"]


def is_made_up(name: str) -> bool:
    """Whether a name was generated because the user has not chosen one."""
    return re.fullmatch(rf"{_MADE_UP}[0-9a-f]{{8}}", name) is not None


def _one_at_a_time(conn: psycopg.Connection, issuer: str, subject: str) -> None:
    # If one account signs in twice at once, one adds the user and the other finds it.
    conn.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('gamestats identity ' || %s || ' ' || %s, 0))", [issuer, subject]
    )


def _owner(conn: psycopg.Connection, keys: Keys, issuer: str, subject: str) -> int | None:
    # Accounts added before the key was replaced have a hash of an older key, or none.
    found = ops.rows(
        conn,
        "SELECT user_id FROM accounts.identities WHERE issuer = %s AND (subject_hash = ANY (%s) OR subject = %s)",
        [issuer, keys.hashes(issuer, subject), subject],
    )
    return found[0]["user_id"] if found else None


def add_identity(conn: psycopg.Connection, keys: Keys, user_id: int, issuer: str, subject: str) -> bool:
    """Lets a user sign in with one more account.

    Returns:
        Whether the account is new to the user.

    Raises:
        TakenIdentityError: if it signs in another user.
    """
    _one_at_a_time(conn, issuer, subject)
    owner = _owner(conn, keys, issuer, subject)
    if owner is None:
        conn.execute(
            "INSERT INTO accounts.identities (user_id, issuer, subject_encrypted, subject_hash) "
            "VALUES (%s, %s, %s, %s)",
            [user_id, issuer, keys.encrypt(subject), keys.hashes(issuer, subject)[0]],
        )
        return True
    if owner != user_id:
        raise TakenIdentityError(
            "This account signs in another user. Sign in with it, remove it there, and then add it here."
        )
    return False


def take_identity(conn: psycopg.Connection, user_id: int, identity_id: int) -> bool:
    """Removes one of the accounts that a user signs in with; returns whether it was one.

    Raises:
        StillNeededError: if it is the only one.
    """
    conn.execute("SELECT 1 FROM accounts.users WHERE user_id = %s FOR UPDATE", [user_id])
    own = "SELECT identity_id FROM accounts.identities WHERE user_id = %s"
    found = [row["identity_id"] for row in ops.rows(conn, own, [user_id])]
    if found == [identity_id]:
        raise StillNeededError("This is the only account that you can sign in with. Add another one first.")
    conn.execute("DELETE FROM accounts.identities WHERE user_id = %s AND identity_id = %s", [user_id, identity_id])
    return identity_id in found
