"""Entries about Rocket League players: tracked players, consents, ranks and training sessions.

Without consent, gamestats does not look for a player's replays and builds no tables of the player alone. E-mail
addresses are stored encrypted or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import psycopg

from gamestats_assets.lakehouse.entries import local_times, ops
from gamestats_assets.lakehouse.entries.declared import UTC_ZONE, Entry, Thing, UnknownNameError
from gamestats_assets.lakehouse.entries.encryption import EncryptionKeyError, Keys
from gamestats_assets.lakehouse.entries.fields import TEXT, YES_NO, EntryError, Field, Kind, choice, whole_number
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.rocket_league.analysis.training_packs import CATEGORIES, training_packs
from gamestats_assets.rocket_league.players.identities import PlayerIdError, parse_player_id
from gamestats_assets.rocket_league.privacy.consents import PURPOSES
from gamestats_assets.rocket_league.reference.ranks import parse_rank, playlists, rank_name

_FETCHED_DAYS = 30
_CLOCKS_DIFFER = timedelta(minutes=10)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_STEAM = re.compile(r"steam_7656(119|120)[0-9]{10}")
_CODE = re.compile(r"[0-9A-F]{4}(-[0-9A-F]{4}){3}")
_UNASKED = (
    "Until the player agrees, gamestats neither looks for replays nor builds tables of the player alone: "
    "gamestats rocket-league track {player} --consent"
)
_CALLED = Kind(str, str, metavar="PLAYER")
OF_PLAYER = Field("player", "Platform and account, steam:76561190000000001, or a tracked name.", _CALLED)


# ---------------------------------------------------------------- players


@dataclass(frozen=True, slots=True)
class Custody:
    """Context of entries of players.

    Attributes:
        keys: encrypt e-mail addresses.
        is_forgotten: whether the player with an id was forgotten on request.
        now: the time; by default that of the clock.
        retention_days: days for which matches of a new player are kept; by default 730.
    """

    keys: Keys = attribute(default_factory=Keys, repr=False)
    is_forgotten: Callable[[str], bool] = lambda player_id: False
    now: datetime | None = None
    retention_days: int | None = None


def _address(text: str, column: str) -> str | None:
    address = text.strip()
    if address and not _EMAIL.fullmatch(address):
        raise EntryError("That is no e-mail address; write it as ann@example.org.", column)
    return address or None


def _is_kept(kept: str | None, email: str | None, keys: Keys) -> bool:
    """Whether an address equals the stored one; False if the stored one cannot be decrypted."""
    try:
        return (keys.decrypt(kept) if kept else None) == email
    except EncryptionKeyError:
        return False


def _consents(given: Mapping[str, Any]) -> dict[str, bool]:
    """Returns whether each purpose is given or withdrawn; the answer for one purpose overrides the one for all."""
    of_all = given.get("consents")
    answers = {purpose: given.get(purpose, of_all) for purpose in PURPOSES}
    return {purpose: is_given for purpose, is_given in answers.items() if is_given is not None}


def _account(player: str) -> str:
    return re.split("[:_]", player.strip(), maxsplit=1)[1].strip()


def account_id(player: str) -> str:
    """Returns the id of an account that can be tracked, from the form people write.

    Raises:
        EntryError: when the text is no such account.
    """
    try:
        player_id = parse_player_id(player)
    except PlayerIdError as error:
        raise EntryError(str(error), "player") from None
    if player_id.startswith("steam_") and not _STEAM.fullmatch(player_id):
        message = f"{player} is no account of Steam: they have 17 digits and begin with 7656119 or 7656120."
        raise EntryError(message, "player")
    return player_id


class Player(Thing):
    """A tracked player. Tracking again without options, with days or with consent resumes the search for replays."""

    kind = "player"
    table = "rl_players"
    key = "player_id"
    command = ("rocket-league",)
    query = """
        SELECT p.*, l.listed_at, l.last_error
        FROM ops.rl_players p LEFT JOIN ops.rl_looks l USING (player_id)
    """
    column = "username"
    called = "player {player_id}"
    stays = True
    names = (Field("player", "Platform and account: steam:76561190000000001.", _CALLED),)
    found_by = (OF_PLAYER,)
    fields = (
        Field(
            "consents",
            "The player agrees to the analysis, cohorts, models and comparison; or withdraws from all of them.",
            YES_NO,
            option="consent/--no-consent",
            stored="",
        ),
        *(
            Field(purpose, description, YES_NO, option=f"{purpose}/--no-{purpose}", stored="")
            for purpose, description in (
                ("analysis", "The player agrees to the analysis alone, or withdraws."),
                ("cohorts", "The same for being part of cohorts."),
                ("models", "The same for the training of models."),
                ("comparison", "The same for being compared with others."),
            )
        ),
        Field("consent_text", "Version of the accepted text; none if no text was shown.", whole_number(1)),
        Field(
            "share_at_ballchasing",
            "Who can see the player's uploads at ballchasing; by default nothing is sent there.",
            choice("public", "unlisted", "private"),
            lacks=True,
            option="ballchasing",
        ),
        Field("username", "Name to show.", TEXT, option="name"),
        Field(
            "email",
            "E-mail address, stored encrypted; - asks for it, which keeps it out of the shell's history.",
            Kind(str, str, _address),
            lacks=True,
            stored="email_encrypted",
            secret=True,
        ),
        Field(
            "days",
            f"Days back for which replays are fetched; {_FETCHED_DAYS} by default. A smaller number removes nothing.",
            whole_number(0, 36_500),
            stored="",
        ),
        Field(
            "retention_days",
            "Days for which matches are kept; GAMESTATS_RETENTION_DAYS by default.",
            whole_number(1, 36_500),
            option="keep-days",
        ),
    )
    listed = (
        *("player_id", "username", "is_active", "consented_at", "retention_days", "wanted_since", "listed_at"),
        "last_error",
    )
    order = ("player_id",)
    default_context: ClassVar[Custody] = Custody()

    def alike(self, rows: Sequence[Row], names: Mapping[str, Any]) -> list[Row]:
        """See `Thing.alike`: by id or, if it is not an id, by name."""
        player = names["player"]
        try:
            player_id = parse_player_id(player)
        except PlayerIdError:
            player_id = None
        by_id = [row for row in rows if row["player_id"] == player_id]
        return by_id or [row for row in rows if row["username"].lower() == player.strip().lower()]

    def which(self, rows: Sequence[Row], names: Mapping[str, Any]) -> UnknownNameError:
        """See `Thing.which`."""
        ids = ", ".join(row["player_id"] for row in rows)
        message = f"Several tracked players are called {names['player']}: {ids}. Give one of these ids."
        return UnknownNameError(message, "player")

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """See `Thing.missing`."""
        player = names["player"]
        try:
            example = parse_player_id(player)
        except PlayerIdError:
            example = "steam:76561190000000001"
        return (
            f"{player} is no tracked player. To list them: gamestats rocket-league players. "
            f"To track a player: gamestats rocket-league track {example} --consent"
        )

    def place(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, Row]:
        """See `Thing.place`."""
        player = names["player"]
        player_id = account_id(player)
        row = {"player_id": player_id, "username": player_id, "account": _account(player)}
        return row, row

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        given, row, custody = entry.given, entry.row, entry.context
        now, player_id = custody.now or datetime.now(UTC), row["player_id"]
        if custody.is_forgotten(player_id):
            raise EntryError("The player was forgotten on request and stays masked in all files.", "player")
        values, days, consents = self.stored(given), given.get("days"), _consents(given)
        is_refused = consents.get("analysis") is False
        if not is_refused and (consents.get("analysis") or days is not None or not given):
            # Another name or retention, or a withdrawal, does not resume the search.
            values["is_active"] = True
        if "email" in given:
            email = given["email"]
            try:
                values["email_encrypted"] = custody.keys.encrypt(email) if email else None
            except EncryptionKeyError as error:
                raise EncryptionKeyError(str(error), "email") from None
            if _is_kept(kept := row.get("email_encrypted"), email, custody.keys):
                values["email_encrypted"] = kept
        changed = {name: is_given for name, is_given in consents.items() if is_given != bool(row.get(PURPOSES[name]))}
        values |= {PURPOSES[name]: now if is_given else None for name, is_given in changed.items()}
        if any(changed.values()) or (any(consents.values()) and "consent_text" in given):
            values["consent_text"] = given.get("consent_text")
        wanted_since = now - timedelta(days=_FETCHED_DAYS if days is None else days)
        if entry.is_new:
            entry.notes += [] if consents.get("analysis") else [_UNASKED.format(player=player_id)]
            return {"wanted_since": wanted_since, "retention_days": custody.retention_days, **values}
        if days is not None:
            values["wanted_since"] = min(wanted_since, row["wanted_since"])
        return values


PLAYER = Player()


# ---------------------------------------------------------------- ranks


def _playlist(text: str, column: str) -> str:
    if text not in playlists():
        raise EntryError(f"{text!r} has no ranks; these do: {', '.join(playlists())}.", column)
    return text


class Rank(Thing):
    """The rank of a player in a playlist, as entered by the player; replays do not contain it."""

    kind = "rank"
    table = "rl_ranks"
    key = "player_id"
    at = ("player_id", "playlist")
    command = ("rocket-league",)
    query = "SELECT * FROM ops.rl_ranks"
    within = PLAYER
    column = "playlist"
    called = "rank of {player_id} in {playlist}"
    lacking = "No rank of {player_id} in {playlist} is entered."
    names = (OF_PLAYER, Field("playlist", "Playlist, such as ranked-doubles.", Kind(str, str, _playlist)))
    fields = (
        Field(
            "rank",
            "Rank, such as champion-2.",
            Kind(str, str, lambda text, column: parse_rank(text)),
            required=["add"],
            stored="tier",
            positional=True,
        ),
        Field("division", "Division.", whole_number(1, 4, "division"), lacks=True),
    )
    listed = ("player_id", "playlist", "tier", "division", "updated_at")
    order = ("player_id", "playlist")

    def detail(self, row: Row) -> str:
        """See `Thing.detail`."""
        return f": {rank_name(row['tier'])}"

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`. Entering the same rank again confirms it as of now."""
        if not entry.is_new:
            where = {name: entry.row[name] for name in self.at}
            ops.update(entry.conn, self.table, where, {"updated_at": datetime.now(UTC)})
        return {**self.stored(entry.given), "division": entry.given.get("division")}


RANK = Rank()


# ---------------------------------------------------------------- training


def _code(text: str, column: str) -> str:
    code = text.strip().upper()
    if not _CODE.fullmatch(code):
        raise EntryError(f"{code!r} is no code of a training pack; write it as 5CCE-FB29-7B05-A0B1.", column)
    return code


def _seconds(minutes: str) -> int:
    try:
        return round(float(minutes) * 60)
    except (ValueError, OverflowError):
        raise EntryError(f"{minutes!r} is no number of minutes; write it as 20 or 0.5.") from None


def _moment(text: str) -> datetime:
    return local_times.instant(text if ":" in text else f"{text} 00:00", UTC_ZONE)


class TrainingSession(Thing):
    """Training of a player: a pack of the catalogue, or a skill in free play."""

    kind = "training session"
    table = "training_sessions"
    key = "training_session_id"
    command = ("rocket-league",)
    query = "SELECT * FROM ops.training_sessions"
    within = PLAYER
    called = "training session {training_session_id}"
    names = (OF_PLAYER,)
    found_by = (Field("training_session_id", "Number of the session.", whole_number(1)),)
    fields = (
        Field(
            "duration_s",
            "Length.",
            Kind(int, _seconds, whole_number(1, 86_400, "number of seconds").check, "MINUTES"),
            required=["add"],
            option="minutes",
        ),
        Field("code", "Code of a training pack.", Kind(str, str, _code), lacks=True, option="pack"),
        Field("skill", "Trained skill, if the pack is not in the catalogue.", choice(*CATEGORIES)),
        Field("attempts", "Attempts.", whole_number(0, 1_000_000), lacks=True),
        Field("successes", "Successful attempts.", whole_number(0, 1_000_000), lacks=True),
        Field(
            "completed_at",
            "End of the session, UTC.",
            Kind(datetime, _moment, metavar="TIME"),
            option="at",
            default="now",
        ),
    )
    listed = (
        *("training_session_id", "player_id", "skill", "code", "completed_at", "duration_s", "attempts", "successes"),
    )
    order = ("completed_at DESC", "training_session_id DESC")

    def detail(self, row: Row) -> str:
        """See `Thing.detail`."""
        return f" of {row['player_id']}: {row['skill']}"

    def seek(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """See `Thing.seek`."""
        return next(iter(self.rows(conn, training_session_id=names["training_session_id"])), None)

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """See `Thing.missing`."""
        return f"There is no {self.describe({**names})}."

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`. A pack of the catalogue determines the skill."""
        values, now = self.stored(entry.given), datetime.now(UTC)
        row = entry.would_be({"completed_at": now, **values} if entry.is_new else values)
        code, skill, attempts, successes = map(row.get, ("code", "skill", "attempts", "successes"))
        at: datetime = row["completed_at"]
        if at > now + _CLOCKS_DIFFER:
            raise EntryError(f"Training that ends at {at:%Y-%m-%d %H:%M} UTC is in the future.", "completed_at")
        if successes is not None and attempts is None:
            raise EntryError(f"{successes} successes need the number of attempts, too.", "attempts")
        if successes is not None and attempts is not None and successes > attempts:
            raise EntryError(f"There were {successes} successes, but only {attempts} attempts.", "successes")
        categories = training_packs().filter(code=code).get_column("category").to_list() if code else []
        if categories and skill not in (None, *categories):
            raise EntryError(f"Pack {code} trains {categories[0]}, not {skill}: leave the skill out.", "skill")
        if not categories and skill is None:
            problem = f"Pack {code} is not in the catalogue" if code else "Neither a pack nor a skill is given"
            raise EntryError(f"{problem}: give the trained skill, one of {', '.join(CATEGORIES)}.", "skill")
        return {**values, "completed_at": at, "skill": categories[0] if categories else skill}


TRAINING_SESSION = TrainingSession()
