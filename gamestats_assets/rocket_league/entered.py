"""What people enter of Rocket League players: who is tracked, what they agreed to, their ranks, what they trained.

Without consent a player is not looked for, and nothing is made of the player alone. An e-mail address is kept encrypted
or not at all.
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
from gamestats_assets.rocket_league.identities import PlayerIdError, parse_player_id
from gamestats_assets.rocket_league.privacy.consents import PURPOSES
from gamestats_assets.rocket_league.ranks import parse_rank, playlists, rank_name

_FETCHED_DAYS = 30
_CLOCKS_DIFFER = timedelta(minutes=10)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")
_STEAM = re.compile(r"steam_7656(119|120)[0-9]{10}")
_CODE = re.compile(r"[0-9A-F]{4}(-[0-9A-F]{4}){3}")
_UNASKED = (
    "Replays are not looked for, nor is anything made of the player alone, until the player agrees: "
    "gamestats rocket-league track {player} --consent"
)
_CALLED = Kind(str, str, metavar="PLAYER")
OF_PLAYER = Field("player", "Platform and account, steam:76561190000000001, or a tracked name.", _CALLED)


# ---------------------------------------------------------------- players


@dataclass(frozen=True, slots=True)
class Custody:
    """What is known where players are entered.

    Attributes:
        keys: encrypt e-mail addresses.
        is_forgotten: whether a player, given by id, was forgotten on request.
        now: the time; that of the clock without.
        retention_days: for how many days matches of a new player are kept; 730 without.
    """

    keys: Keys = attribute(default_factory=Keys, repr=False)
    is_forgotten: Callable[[str], bool] = lambda player_id: False
    now: datetime | None = None
    retention_days: int | None = None


def _address(text: str, column: str) -> str | None:
    address = text.strip()
    if address and not _EMAIL.fullmatch(address):
        raise EntryError("That is no e-mail address: one is such as ann@example.org.", column)
    return address or None


def _is_kept(kept: str | None, email: str | None, keys: Keys) -> bool:
    """Whether an address is the one that is kept; of one encrypted with a key that is lost nobody knows."""
    try:
        return (keys.decrypt(kept) if kept else None) == email
    except EncryptionKeyError:
        return False


def _consents(given: Mapping[str, Any]) -> dict[str, bool]:
    """By purpose, whether it is given or taken back; what is said of one alone counts more than what is of all."""
    of_all = given.get("consents")
    answers = {purpose: given.get(purpose, of_all) for purpose in PURPOSES}
    return {purpose: is_given for purpose, is_given in answers.items() if is_given is not None}


def _account(player: str) -> str:
    return re.split("[:_]", player.strip(), maxsplit=1)[1].strip()


def account_id(player: str) -> str:
    """The id of an account that can be tracked, as people write it.

    Raises:
        EntryError: when it is none.
    """
    try:
        player_id = parse_player_id(player)
    except PlayerIdError as error:
        raise EntryError(str(error), "player") from None
    if player_id.startswith("steam_") and not _STEAM.fullmatch(player_id):
        message = f"{player} is no account of Steam: these have 17 digits, 7656119 or 7656120 first."
        raise EntryError(message, "player")
    return player_id


class Player(Thing):
    """A tracked player. One who was untracked is looked for again when nothing is given, or days, or consent."""

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
            "The player agrees to the analysis, cohorts, models and comparison; or to none of them any more.",
            YES_NO,
            option="consent/--no-consent",
            stored="",
        ),
        *(
            Field(purpose, description, YES_NO, option=f"{purpose}/--no-{purpose}", stored="")
            for purpose, description in (
                ("analysis", "The player agrees to the analysis alone, or not any more."),
                ("cohorts", "The same of being part of cohorts."),
                ("models", "The same of the training of models."),
                ("comparison", "The same of being compared with others."),
            )
        ),
        Field("consent_text", "Version of the text that was agreed to; none where no text was shown.", whole_number(1)),
        Field(
            "share_at_ballchasing",
            "Who may see at ballchasing what the player uploads; by default nothing is sent there.",
            choice("public", "unlisted", "private"),
            lacks=True,
            option="ballchasing",
        ),
        Field("username", "Name to show.", TEXT, option="name"),
        Field(
            "email",
            "E-mail address, kept encrypted; - asks for it, so that it stands in no history of commands.",
            Kind(str, str, _address),
            lacks=True,
            stored="email_encrypted",
            secret=True,
        ),
        Field(
            "days",
            f"Days back of which replays are fetched; {_FETCHED_DAYS} at first. Fewer than before take nothing back.",
            whole_number(0, 36_500),
            stored="",
        ),
        Field(
            "retention_days",
            "Days for which matches are kept; GAMESTATS_RETENTION_DAYS at first.",
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
        """See `Thing.alike`: by id or, where none is meant, by name."""
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
        message = f"Several tracked players are called {names['player']}: {ids}. Give one of these."
        return UnknownNameError(message, "player")

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """See `Thing.missing`."""
        player = names["player"]
        try:
            example = parse_player_id(player)
        except PlayerIdError:
            example = "steam:76561190000000001"
        return (
            f"{player} is no tracked player. Who is: gamestats rocket-league players. "
            f"To track: gamestats rocket-league track {example} --consent"
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
            raise EntryError("The player was forgotten on request, and is masked in all files since.", "player")
        values, days, consents = self.stored(given), given.get("days"), _consents(given)
        is_refused = consents.get("analysis") is False
        if not is_refused and (consents.get("analysis") or days is not None or not given):
            # Another name or time to keep matches, and consent taken back, are no wish to be looked for again.
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
    """The rank that a player has in a playlist, as the player tells; local replays do not tell it."""

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
        """See `Thing.settle`. One that is entered again is known to hold still."""
        if not entry.is_new:
            where = {name: entry.row[name] for name in self.at}
            ops.update(entry.conn, self.table, where, {"updated_at": datetime.now(UTC)})
        return {**self.stored(entry.given), "division": entry.given.get("division")}


RANK = Rank()


# ---------------------------------------------------------------- training


def _code(text: str, column: str) -> str:
    code = text.strip().upper()
    if not _CODE.fullmatch(code):
        raise EntryError(f"{code!r} is no code of a training pack: one is such as 5CCE-FB29-7B05-A0B1.", column)
    return code


def _seconds(minutes: str) -> int:
    try:
        return round(float(minutes) * 60)
    except (ValueError, OverflowError):
        raise EntryError(f"{minutes!r} is no number of minutes; write it as 20 or 0.5.") from None


def _moment(text: str) -> datetime:
    return local_times.instant(text if ":" in text else f"{text} 00:00", UTC_ZONE)


class TrainingSession(Thing):
    """What a player trained: a pack of the catalogue, or a skill in free play."""

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
            "How long.",
            Kind(int, _seconds, whole_number(1, 86_400, "number of seconds").check, "MINUTES"),
            required=["add"],
            option="minutes",
        ),
        Field("code", "Code of a training pack.", Kind(str, str, _code), lacks=True, option="pack"),
        Field("skill", "What was trained, where the pack is not in the catalogue.", choice(*CATEGORIES)),
        Field("attempts", "Attempts.", whole_number(0, 1_000_000), lacks=True),
        Field("successes", "Successes among them.", whole_number(0, 1_000_000), lacks=True),
        Field(
            "completed_at",
            "When it was over, UTC.",
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
        """See `Thing.settle`. A pack of the catalogue tells the skill."""
        values, now = self.stored(entry.given), datetime.now(UTC)
        row = entry.would_be({"completed_at": now, **values} if entry.is_new else values)
        code, skill, attempts, successes = map(row.get, ("code", "skill", "attempts", "successes"))
        at: datetime = row["completed_at"]
        if at > now + _CLOCKS_DIFFER:
            raise EntryError(f"Training that ends at {at:%Y-%m-%d %H:%M} UTC has yet to be done.", "completed_at")
        if successes is not None and attempts is None:
            raise EntryError(f"Of how many attempts were {successes} successes? Give attempts too.", "attempts")
        if successes is not None and attempts is not None and successes > attempts:
            raise EntryError(f"There were {successes} successes, and {attempts} attempts.", "successes")
        categories = training_packs().filter(code=code).get_column("category").to_list() if code else []
        if categories and skill not in (None, *categories):
            raise EntryError(f"Pack {code} trains {categories[0]}, not {skill}: leave the skill out.", "skill")
        if not categories and skill is None:
            problem = f"Pack {code} is not in the catalogue" if code else "Neither a pack nor a skill is given"
            raise EntryError(f"{problem}: say what was trained, one of {', '.join(CATEGORIES)}.", "skill")
        return {**values, "completed_at": at, "skill": categories[0] if categories else skill}


TRAINING_SESSION = TrainingSession()
