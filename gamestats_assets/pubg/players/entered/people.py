"""Players as people name them, and what matches know of whom and what people name."""

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
    """What the matches know of some players.

    Attributes:
        accounts: name to the account that had it in the newest match; a name that two accounts
            had on that day is left out.
        names: account to its name in the newest match.
    """

    accounts: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, date]]) -> Seen:
        """What names, accounts and days of matches tell."""
        newest: dict[str, tuple[date, set[str]]] = {}
        names: dict[str, tuple[date, str]] = {}
        for name, account, day in rows:
            had, accounts = newest.get(name, (day, set()))
            if day >= had:
                newest[name] = day, accounts | {account} if day == had else {account}
            # Of two names on the newest day nobody says which is the newer; either is as good for showing.
            names[account] = max(names.get(account, (day, name)), (day, name))
        known = {name: accounts for name, (_, accounts) in sorted(newest.items()) if len(accounts) == 1}
        return cls(
            {name: account for name, [account] in known.items()},
            {account: name for account, (_, name) in names.items()},
        )

    def other_capitals(self, name: str) -> str | None:
        """The name as matches show it, when it was written with other capitals."""
        return next((other for other in self.accounts if other != name and other.lower() == name.lower()), None)


class Matches:
    """What is known of what people name: here nothing is, and nothing is doubted."""

    def players(self, names: Collection[str]) -> Seen:
        """What is known of players, given by names or accounts."""
        return Seen()

    def has_landed(self, match_id: str) -> bool:
        """Whether anything of a match has landed."""
        return True

    def played_by(self, roster_entry_id: int) -> int:
        """In how many matches somebody played for a team by a roster entry, given by its number."""
        return 0

    def taken_of(self, tracked: Row) -> int:
        """How many matches of a tracked player were taken up."""
        return 0


# --------------------------------------------------------------------------- as they are written


@dataclass(frozen=True, slots=True)
class Player:
    """A player as entered, and what is known by now."""

    name: str
    account_id: str | None
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> Row:
        """As tables have the player."""
        return {"player_name": self.name, "account_id": self.account_id}

    def is_of(self, row: Row) -> bool:
        """Whether a row is the player's: of the account, else of the name where an account is unknown."""
        if row["account_id"] is not None and self.account_id is not None:
            return row["account_id"] == self.account_id
        return row["player_name"].casefold() == self.name.casefold()


def player_of(player: str, account_id: str | None, seen: Seen) -> Player:
    """Name and account of a player given by name, by account, or by both; an explicit account wins.

    Raises:
        EntryError: when the name cannot be one or the account is no account id.
    """
    player = _player_name(player, "player")
    if player.startswith("account."):
        if account_id not in (None, player):
            raise EntryError(f"{player} is an account, and so is {account_id}; which one is it?", "account_id")
        account_id, player = player, seen.names.get(player, player)
    if account_id is not None:
        _account(account_id, "account_id")
        note = (f"{account_id} is in no match yet; the account stands for the name until it is.",)
        return Player(player, account_id, note if player == account_id else ())
    known = seen.accounts.get(player)
    if known is not None:
        return Player(player, known)
    note = f"No match knows {player} yet; the account stays unknown until one does."
    if other := seen.other_capitals(player):
        note = f"No match knows {player}, but one knows {other}; capitals matter."
    return Player(player, None, (note,))


def recognised(names: Mapping[str, Any], known: Matches) -> dict[str, Any]:
    """Names of something of a player, with who is `recognised` by what matches know.

    Raises:
        EntryError: when the name cannot be one or the account is no account id.
    """
    seen = known.players([names["player"]])
    return {**names, "recognised": player_of(names["player"], names.get("account_id"), seen)}


def account_of(entry: Entry) -> Row:
    """The account of who is recognised, where it is known or the row is new; a new player's notes are told."""
    player: Player | None = entry.names.get("recognised")
    if player is None or not (entry.is_new or player.account_id):
        return {}
    entry.notes += player.notes if entry.is_new else ()
    return {"account_id": player.account_id}


def _player_name(text: str, column: str) -> str:
    """A name that the API can be asked for: it takes several in one request, with commas between them."""
    name = visible_text(text, column)
    if "," in name:
        raise EntryError(
            f"{name!r} has a comma, which no in-game name has, and the API cannot be asked for it; enter one player "
            "at a time, by the name as the game shows it or by account id.",
            column,
        )
    return name


def _account(text: str, column: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise EntryError(f"{text!r} is no account id; one is `account.` and 32 digits from 0 to f.", column)
    return text


def _match_id(text: str, column: str) -> str:
    """A match id as matches have it: in small letters, without blanks around it."""
    written = text.strip()
    if not re.fullmatch(MATCH_ID, written):
        raise EntryError(f"{text!r} is no match id; the API writes them with letters, digits and dashes.", column)
    return written.lower()


MATCH = Kind(str, str, _match_id)
PLAYER = Field("player", "In-game name with its capitals, or account id.", TEXT)
ACCOUNT = Field(
    "account_id",
    "Account of the player, where known for certain; else matches tell it.",
    Kind(str, str, _account, "ID"),
    lacks=True,
    option="account",
)
NEW_NAME = Field(
    "player_name", "New in-game name.", Kind(str, str, _player_name, longest=100), verbs=["change"], option="name"
)
