"""Players by entered names, and facts about them from matches."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from gamestats_assets.lakehouse.entries.declared import Entry
from gamestats_assets.lakehouse.entries.fields import TEXT, EntryError, Field, Kind, visible_text
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.pubg.matches.rows import MATCH_ID

_ACCOUNT = re.compile(r"account\.[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Seen:
    """Names and accounts of players in matches.

    Attributes:
        accounts: name to the account with it in the newest match; a name that two accounts had on that day is left out.
        names: account to its name in the newest match.
    """

    accounts: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, date]]) -> Seen:
        """Builds it from names, accounts and days of matches."""
        newest: dict[str, tuple[date, set[str]]] = {}
        names: dict[str, tuple[date, str]] = {}
        for name, account, day in rows:
            had, accounts = newest.get(name, (day, set()))
            if day >= had:
                newest[name] = day, accounts | {account} if day == had else {account}
            # Of two names on the newest day it is unknown which is newer; either may be shown.
            names[account] = max(names.get(account, (day, name)), (day, name))
        known = {name: accounts for name, (_, accounts) in sorted(newest.items()) if len(accounts) == 1}
        return cls(
            {name: account for name, [account] in known.items()},
            {account: name for account, (_, name) in names.items()},
        )

    def other_capitals(self, name: str) -> str | None:
        """Returns the name in matches, if it was entered with other capitals."""
        return next((other for other in self.accounts if other != name and other.lower() == name.lower()), None)


class Matches:
    """Facts from matches about entered names; this base class knows none and objects to none."""

    def players(self, names: Collection[str]) -> Seen:
        """Returns facts about players, given by names or accounts."""
        return Seen()

    def has_landed(self, match_id: str) -> bool:
        """Whether any file of a match has landed."""
        return True

    def played_by(self, roster_entry_id: int) -> int:
        """Returns in how many matches a player took part under a roster entry, given by its id."""
        return 0

    def taken_of(self, tracked: Row) -> int:
        """Returns the number of a tracked player's matches with copied details."""
        return 0


# --------------------------------------------------------------------------- entered names


@dataclass(frozen=True, slots=True)
class Player:
    """A player as entered, completed with known facts."""

    name: str
    account_id: str | None
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> Row:
        """Returns the player's columns in tables."""
        return {"player_name": self.name, "account_id": self.account_id}

    def is_of(self, row: Row) -> bool:
        """Whether a row belongs to the player: by account, or by name if an account is unknown."""
        if row["account_id"] is not None and self.account_id is not None:
            return row["account_id"] == self.account_id
        return row["player_name"].casefold() == self.name.casefold()


def player_of(player: str, account_id: str | None, seen: Seen) -> Player:
    """Returns name and account of a player given by name, by account, or by both; an explicit account takes precedence.

    Raises:
        EntryError: if the name or the account id is invalid.
    """
    player = _player_name(player, "player")
    if player.startswith("account."):
        if account_id not in (None, player):
            raise EntryError(f"{player} and {account_id} are both accounts; enter only one.", "account_id")
        account_id, player = player, seen.names.get(player, player)
    if account_id is not None:
        _account(account_id, "account_id")
        note = (f"{account_id} is in no match yet; until then the account is shown instead of the name.",)
        return Player(player, account_id, note if player == account_id else ())
    known = seen.accounts.get(player)
    if known is not None:
        return Player(player, known)
    note = f"{player} is in no match yet; the account stays unknown until then."
    if other := seen.other_capitals(player):
        note = f"{player} is in no match, but {other} is; capitals matter."
    return Player(player, None, (note,))


def recognised(names: Mapping[str, Any], known: Matches) -> dict[str, Any]:
    """Returns names with the player `recognised` from matches.

    Raises:
        EntryError: if the name or the account id is invalid.
    """
    seen = known.players([names["player"]])
    return {**names, "recognised": player_of(names["player"], names.get("account_id"), seen)}


def account_of(entry: Entry) -> Row:
    """Returns the account of the recognised player, if it is known or the row is new; adds a new player's notes."""
    player: Player | None = entry.names.get("recognised")
    if player is None or not (entry.is_new or player.account_id):
        return {}
    entry.notes += player.notes if entry.is_new else ()
    return {"account_id": player.account_id}


def _player_name(text: str, column: str) -> str:
    """Returns a name that can be sent to the API, which takes several names separated by commas."""
    name = visible_text(text, column)
    if "," in name:
        raise EntryError(
            f"{name!r} contains a comma, which no in-game name does; enter one player at a time, by in-game name or "
            "by account id.",
            column,
        )
    return name


def _account(text: str, column: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise EntryError(f"{text!r} is not an account id, which is `account.` and 32 digits from 0 to f.", column)
    return text


def _match_id(text: str, column: str) -> str:
    """Returns a match id in the spelling of matches: in lower case, without surrounding blanks."""
    written = text.strip()
    if not re.fullmatch(MATCH_ID, written):
        raise EntryError(f"{text!r} is not a match id, which consists of letters, digits and dashes.", column)
    return written.lower()


MATCH = Kind(str, str, _match_id)
PLAYER = Field("player", "In-game name with its capitals, or account id.", TEXT)
ACCOUNT = Field(
    "account_id",
    "Account of the player, if known for certain; otherwise taken from matches.",
    Kind(str, str, _account, "ID"),
    lacks=True,
    option="account",
)
NEW_NAME = Field(
    "player_name", "New in-game name.", Kind(str, str, _player_name, longest=100), verbs=["change"], option="name"
)
