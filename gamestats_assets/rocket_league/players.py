"""What people enter of Rocket League players: who is tracked, what they agreed to, their ranks, what they trained.

Without consent a player is not looked for, and nothing is made of the player alone. An e-mail address is kept encrypted
or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import psycopg
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries import Entered, EntryError, UnknownNameError
from gamestats_assets.lakehouse.ops import Row, delete, insert, rows, select, update
from gamestats_assets.rocket_league.identities import PlayerIdError, parse_player_id
from gamestats_assets.rocket_league.ranks import parse_rank, playlists, rank_name
from gamestats_assets.rocket_league.training_packs import CATEGORIES, training_packs

RETENTION_DAYS = 730
"""Days for which a match stands in a player's tables, unless the player wants it otherwise."""
_PLAYERS, _RANKS, _SESSIONS = "rl_players", "rl_ranks", "training_sessions"
_WHEN = pl.Datetime("us", "UTC")
_CLOCKS_DIFFER = timedelta(minutes=10)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_STEAM = re.compile(r"steam_7656(119|120)[0-9]{10}")
_CODE = re.compile(r"[0-9A-F]{4}(-[0-9A-F]{4}){3}")
_UNASKED = (
    "Replays are not looked for, nor is anything made of the player alone, until the player agrees: "
    "gamestats rocket-league track {player} --consent"
)


# ---------------------------------------------------------------- e-mail addresses


class EncryptionKeyError(EntryError):
    """The key that e-mail addresses are encrypted with is missing, none, or another than they were encrypted with."""


def encrypted(text: str, key: SecretStr | None) -> str:
    """A text that only the key makes readable again (Fernet: AES-128 in CBC mode with an HMAC).

    Raises:
        EncryptionKeyError: without a key.
    """
    return _fernet(key).encrypt(text.encode()).decode()


def decrypted(text: str, key: SecretStr | None) -> str:
    """What was encrypted.

    Raises:
        EncryptionKeyError: without a key, or with another one.
    """
    from cryptography.fernet import InvalidToken

    try:
        return _fernet(key).decrypt(text.encode()).decode()
    except InvalidToken:
        raise EncryptionKeyError(
            "GAMESTATS_ENCRYPTION_KEY is not the key that the e-mail address was encrypted with."
        ) from None


def _fernet(key: SecretStr | None) -> Any:
    from cryptography.fernet import Fernet

    if key is None:
        raise EncryptionKeyError(
            "An e-mail address is kept encrypted, and GAMESTATS_ENCRYPTION_KEY is not set. Make a key with: "
            'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"',
            "email",
        )
    try:
        return Fernet(key.get_secret_value())
    except ValueError:
        raise EncryptionKeyError(
            "GAMESTATS_ENCRYPTION_KEY is no key: 32 bytes in URL-safe base64 are one.", "email"
        ) from None


# ---------------------------------------------------------------- players


def track(
    conn: psycopg.Connection,
    player: str,
    *,
    now: datetime,
    username: str | None = None,
    email: str | None = None,
    key: SecretStr | None = None,
    days: int | None = None,
    retention_days: int | None = None,
    consents: bool | None = None,
) -> Entered:
    """Track a player, or change what is entered of one; what is not given stays as it is.

    A player who was untracked is looked for again when nothing is given, or days, or consent.

    Args:
        conn: of `ops`, in a transaction.
        player: such as steam:76561190000000001.
        now: the time.
        username: name to show; the id for a new player without one.
        email: address; "" takes it out.
        key: encrypts the address (setting GAMESTATS_ENCRYPTION_KEY).
        days: how far back replays are fetched, 30 for a new player; fewer than before take nothing back.
        retention_days: days for which a match stands in the player's tables.
        consents: whether the player agrees that replays are looked for, and tables made of the player alone.

    Raises:
        EntryError: when that is no player, or a value cannot stand.
        EncryptionKeyError: when an address is given and no key to encrypt it with.
    """
    try:
        player_id = parse_player_id(player)
    except PlayerIdError as error:
        raise EntryError(str(error), "player") from None
    if player_id.startswith("steam_") and not _STEAM.fullmatch(player_id):
        raise EntryError(f"{player} is no account of Steam: these have 17 digits, 7656119 or 7656120 first.", "player")
    _refuse_outside(0, 36_500, days=days)
    _refuse_outside(1, 36_500, retention_days=retention_days)
    known = select(conn, _PLAYERS, {"player_id": player_id})
    before: Row = known[0] if known else dict.fromkeys(("username", "email_encrypted", "consented_at"))
    values: dict[str, Any] = {"account": re.split("[:_]", player.strip(), maxsplit=1)[1].strip()}
    if consents is not False and (
        consents or days is not None or all(each is None for each in (username, email, retention_days))
    ):
        # Another name or time to keep matches, and consent taken back, are no wish to be looked for again.
        values["is_active"] = True
    if username is not None:
        if not username.strip():
            raise EntryError("A name has a letter at least; leave it out to keep the one there is.", "username")
        values["username"] = username.strip()
    if email is not None and not _is_kept(before["email_encrypted"], email := email.strip(), key):
        values["email_encrypted"] = _encrypted_address(email, key) if email else None
    if retention_days is not None:
        values["retention_days"] = retention_days
    if consents is not None and consents != (before["consented_at"] is not None):
        values["consented_at"] = now if consents else None
    if not known:
        since = now - timedelta(days=30 if days is None else days)
        insert(conn, _PLAYERS, {"player_id": player_id, "username": player_id, "wanted_since": since, **values})
        notes = () if consents else (_UNASKED.format(player=player_id),)
        return Entered("player", f"player {player_id}", "created", notes=notes)
    if days is not None:
        values["wanted_since"] = min(now - timedelta(days=days), before["wanted_since"])
    changed = _changes(before, values)
    if changed:
        update(conn, _PLAYERS, {"player_id": player_id}, values)
    return Entered("player", f"player {player_id}", "changed" if changed else "unchanged", changed)


def _is_kept(kept: str | None, email: str, key: SecretStr | None) -> bool:
    """Whether an address is the one that is kept; of one encrypted with a key that is lost nobody knows."""
    try:
        return (decrypted(kept, key) if kept else "") == email
    except EncryptionKeyError:
        return False


def _encrypted_address(email: str, key: SecretStr | None) -> str:
    if not _EMAIL.fullmatch(email):
        raise EntryError("That is no e-mail address: one is such as ann@example.org.", "email")
    return encrypted(email, key)


def _refuse_outside(lowest: int, highest: int, **given: int | None) -> None:
    for column, value in given.items():
        if value is not None and not lowest <= value <= highest:
            raise EntryError(f"Expected {column} from {lowest} to {highest}, found {value}.", column)


def untrack(conn: psycopg.Connection, player: str) -> Entered:
    """Look for a player's replays no more; the player's tables stay, and `forget` takes everything out.

    Raises:
        UnknownNameError: when nobody of the id is tracked.
    """
    row = tracked(conn, player)
    if not row["is_active"]:
        return Entered("player", f"player {row['player_id']}", "unchanged")
    update(conn, _PLAYERS, {"player_id": row["player_id"]}, {"is_active": False})
    return Entered("player", f"player {row['player_id']}", "changed", ("is_active: True -> False",))


def tracked(conn: psycopg.Connection, player: str) -> Row:
    """The entry of a tracked player, by id or, where it is one player's alone, by name, capitals or not.

    Raises:
        UnknownNameError: when nobody is so called, or several are.
    """
    try:
        player_id = parse_player_id(player)
    except PlayerIdError:
        player_id = ""
    entries = select(conn, _PLAYERS, {})
    found = [row for row in entries if row["player_id"] == player_id] or [
        row for row in entries if row["username"].lower() == player.strip().lower()
    ]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(row["player_id"] for row in found)
        raise UnknownNameError(f"Several tracked players are called {player}: {ids}. Give one of these.", "player")
    raise UnknownNameError(
        f"{player} is no tracked player. Who is: gamestats rocket-league players. "
        f"To track: gamestats rocket-league track {player_id or 'steam:76561190000000001'} --consent",
        "player",
    )


def list_players(conn: psycopg.Connection) -> pl.DataFrame:
    """Tracked players by id: player_id, username, is_active, consented_at, retention_days, wanted_since, listed_at
    (when ballchasing last listed their replays) and last_error (why it did not, the last time).
    """
    found = rows(
        conn,
        "SELECT p.player_id, p.username, p.is_active, p.consented_at, p.retention_days, p.wanted_since, l.listed_at,"
        " l.last_error FROM ops.rl_players p LEFT JOIN ops.rl_looks l USING (player_id) ORDER BY p.player_id",
    )
    schema = {
        "player_id": pl.String,
        "username": pl.String,
        "is_active": pl.Boolean,
        "consented_at": _WHEN,
        "retention_days": pl.Int32,
        "wanted_since": _WHEN,
        "listed_at": _WHEN,
        "last_error": pl.String,
    }
    return pl.DataFrame(found, schema=schema)


def _changes(row: Row, values: Mapping[str, Any]) -> tuple[str, ...]:
    # What an address was and is, is nobody's business but its owner's.
    return tuple(
        name if name == "email_encrypted" else f"{name}: {row[name]} -> {value}"
        for name, value in values.items()
        if row[name] != value
    )


# ---------------------------------------------------------------- ranks


def give_rank(conn: psycopg.Connection, player: str, playlist: str, rank: str, division: int | None = None) -> Entered:
    """Enter the rank that a player has in a playlist; local replays do not tell it.

    Args:
        playlist: such as ranked-doubles.
        rank: such as champion-2.
        division: 1 to 4.

    Raises:
        EntryError: when nobody is so called, or that is no ranked playlist or rank.
    """
    row = tracked(conn, player)
    tier = parse_rank(rank)
    _refuse_outside(1, 4, division=division)
    if playlist not in playlists():
        raise EntryError(f"{playlist!r} has no ranks; these do: {', '.join(playlists())}.", "playlist")
    where = {"player_id": row["player_id"], "playlist": playlist}
    values = {"tier": tier, "division": division}
    what = f"rank of {row['player_id']} in {playlist}"
    known = select(conn, _RANKS, where)
    if not known:
        insert(conn, _RANKS, {**where, **values})
        return Entered("rank", f"{what}: {rank_name(tier)}", "created")
    changed = _changes(known[0], values)
    # Entered again, it is known to hold still.
    (clock,) = rows(conn, "SELECT clock_timestamp() AS now")
    update(conn, _RANKS, where, {**values, "updated_at": clock["now"]})
    return Entered("rank", what, "changed" if changed else "unchanged", changed)


# ---------------------------------------------------------------- training


def add_session(
    conn: psycopg.Connection,
    player: str,
    *,
    completed_at: datetime,
    duration_s: int,
    code: str | None = None,
    skill: str | None = None,
    attempts: int | None = None,
    successes: int | None = None,
) -> Entered:
    """Enter what a player trained: a pack of the catalogue, or a skill in free play.

    Args:
        completed_at: when it was over.
        code: the pack; it tells the skill.
        duration_s: length, in seconds.
        skill: what was trained, one of the categories of packs, where no pack of the catalogue tells it.
        attempts: attempts counted.
        successes: successes among them.

    Raises:
        EntryError: when nobody is so called, neither a pack of the catalogue nor a skill is given, or a value cannot
            stand.
    """
    row = tracked(conn, player)
    (clock,) = rows(conn, "SELECT clock_timestamp() AS now")
    if completed_at > clock["now"] + _CLOCKS_DIFFER:
        raise EntryError(f"Training that ends at {completed_at:%Y-%m-%d %H:%M} UTC has yet to be done.", "completed_at")
    _refuse_outside(1, 86_400, duration_s=duration_s)
    _refuse_outside(0, 1_000_000, attempts=attempts)
    if successes is not None:
        if attempts is None:
            raise EntryError(f"Of how many attempts were {successes} successes? Give attempts too.", "attempts")
        _refuse_outside(0, attempts, successes=successes)
    code = code.strip().upper() if code else None
    if code and not _CODE.fullmatch(code):
        raise EntryError(f"{code!r} is no code of a training pack: one is such as 5CCE-FB29-7B05-A0B1.", "code")
    told = training_packs().filter(pl.col("code") == code).get_column("category").to_list() if code else []
    if told and skill not in (None, *told):
        raise EntryError(f"Pack {code} trains {told[0]}, not {skill}: leave the skill out.", "skill")
    trained = told[0] if told else skill
    if trained is None:
        problem = f"Pack {code} is not in the catalogue" if code else "Neither a pack nor a skill is given"
        raise EntryError(f"{problem}: say what was trained, one of {', '.join(CATEGORIES)}.", "skill")
    if trained not in CATEGORIES:
        raise EntryError(f"{trained!r} cannot be trained; these can: {', '.join(CATEGORIES)}.", "skill")
    entered = insert(
        conn,
        _SESSIONS,
        {
            "player_id": row["player_id"],
            "code": code,
            "skill": trained,
            "completed_at": completed_at,
            "duration_s": duration_s,
            "attempts": attempts,
            "successes": successes,
        },
    )
    what = f"training session {entered['training_session_id']} of {row['player_id']}: {trained}"
    return Entered("training session", what, "created")


def remove_session(conn: psycopg.Connection, training_session_id: int) -> Entered:
    """Take out a training session that was entered by mistake.

    Raises:
        UnknownNameError: when there is none of the number.
    """
    if not delete(conn, _SESSIONS, {"training_session_id": training_session_id}):
        raise UnknownNameError(f"There is no training session {training_session_id}.", "training_session_id")
    return Entered("training session", f"training session {training_session_id}", "removed")


def list_sessions(conn: psycopg.Connection, player: str | None = None) -> pl.DataFrame:
    """Training sessions, the last first: of one player, or of everybody."""
    where = {} if player is None else {"player_id": tracked(conn, player)["player_id"]}
    schema = {
        "training_session_id": pl.Int64,
        "player_id": pl.String,
        "skill": pl.String,
        "code": pl.String,
        "completed_at": _WHEN,
        "duration_s": pl.Int32,
        "attempts": pl.Int32,
        "successes": pl.Int32,
    }
    found = select(conn, _SESSIONS, where)
    frame = pl.DataFrame([{name: row[name] for name in schema} for row in found], schema=schema)
    return frame.sort("completed_at", "training_session_id", descending=True)
