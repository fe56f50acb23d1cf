"""Tracked players: whose detail is published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import psycopg

from gamestats_assets.lakehouse import ops
from gamestats_assets.lakehouse.entries import (
    Entry,
    ExistsAlreadyError,
    StillNeededError,
    Thing,
    UnknownNameError,
    command,
    nearest,
)
from gamestats_assets.lakehouse.entry_fields import YES_NO, EntryError, Field, whole
from gamestats_assets.lakehouse.ops import Row
from gamestats_assets.pubg.entered.people import ACCOUNT, NEW_NAME, PLAYER, Matches, Player, player_of

BACKFILL_DAYS = 180
"""Days of history taken up of a player who is newly tracked, unless said otherwise."""
SHARD = "steam"


def _shard(text: str, column: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+", text):
        raise EntryError(f"{text!r} is no shard; write it as in steam, kakao, psn, xbox.", column)
    return text


class TrackedPlayer(Thing):
    """A player whose detail is published; who has data stays, if inactive."""

    kind = "tracked player"
    table = "tracked_players"
    key = "tracked_player_id"
    command = ("players",)
    query = "SELECT *, lower(player_name) AS in_small_letters FROM ops.tracked_players"
    names = (PLAYER,)
    beside = (
        Field(
            "shard",
            "Platform of the player; to find one, where the name is tracked on several.",
            verbs=("add", "change", "remove"),
            default="steam, or any",
        ),
    )
    fields = (
        Field(
            "is_active",
            "Whether new matches refresh the detail.",
            YES_NO,
            column="active",
            option="active/--inactive",
            default="yes",
        ),
        ACCOUNT,
        Field("backfill_days", "Days of history to take up.", whole(0, 3650), default=str(BACKFILL_DAYS)),
        NEW_NAME,
    )
    listed = ("player_name AS player", "account_id", "shard", "is_active AS active", "backfill_days", "added_at")
    order = ("in_small_letters", "tracked_player_id")
    knows: ClassVar[Matches] = Matches()

    def what(self, row: Row) -> str:
        """See `Thing.what`."""
        return f"player {row['player_name']} on {row['shard']}"

    def seek(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """See `Thing.seek`: by name or account id."""
        player, shard = names["player"], names.get("shard")
        found = [
            row
            for row in self.rows(conn)
            if player in (row["player_name"], row["account_id"]) and shard in (None, row["shard"])
        ]
        if len(found) > 1:
            which = ", ".join(f"{row['account_id'] or 'account unknown'} on {row['shard']}" for row in found)
            told = f"Several players named {player} are tracked ({which}); give the account id."
            raise UnknownNameError(told, "player")
        return found[0] if found else None

    def missing(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> str:
        """See `Thing.missing`."""
        there = nearest(names["player"], [row["player_name"] for row in self.rows(conn)])
        return f"No player {names['player']!r} is tracked; {there}"

    def of_player(self, conn: psycopg.Connection, player: Player, shard: str) -> Row | None:
        """The tracked player of the account, else of the name where one of both accounts is unknown."""
        found = self.rows(conn)
        if player.account_id is not None:
            for row in found:
                if row["account_id"] == player.account_id:
                    return row
        of_name = [row for row in found if (row["player_name"], row["shard"]) == (player.name, shard)]
        unknown = [row for row in of_name if row["account_id"] is None]
        # By a name alone, whoever is tracked under it is meant; an account of its own is somebody else.
        return next(iter(unknown or ([] if player.account_id is not None else of_name)), None)

    def place(self, conn: psycopg.Connection, names: Mapping[str, Any], known: Matches) -> tuple[Row, Row]:
        """See `Thing.place`."""
        player = player_of(names["player"], names.get("account_id"), known.players([names["player"]]))
        shard = _shard(names.get("shard") or SHARD, "shard")
        if (row := self.of_player(conn, player, shard)) is not None:
            state = "" if row["is_active"] else ", but inactive"
            other = "" if row["player_name"] == player.name else f" (as {row['player_name']})"
            raise ExistsAlreadyError(f"{player.name}{other} is tracked already{state}; `change` changes it.", "player")
        columns = {"player_name": player.name, "account_id": player.account_id, "shard": shard}
        return columns, {**columns, "player": player}

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        values = self.stored(entry.given)
        if not entry.is_new:
            return values
        entry.notes += entry.row["player"].notes
        return {"backfill_days": BACKFILL_DAYS, "is_active": True, **values, "account_id": entry.row["account_id"]}

    def leave(self, entry: Entry) -> None:
        """See `Thing.leave`: whoever has data stays, if inactive."""
        row = entry.row
        if row["account_id"] is not None and (matches := entry.known.taken_of(row)):
            told = "1 match was" if matches == 1 else f"{matches} matches were"
            instead = command("players", "change", row["player_name"], "--inactive")
            raise StillNeededError(
                f"{row['player_name']} on {row['shard']} cannot be removed: {told} taken up already. Make the player "
                f"inactive, which keeps them and takes up no more: {instead}",
                "player",
            )
        # PostgreSQL cannot look into the tables that hold what was taken up, and believes whoever has.
        number = row[self.key]
        ops.rows(entry.conn, "SELECT set_config('gamestats.nothing_taken_of', %s, true)", [str(number)])
        ops.delete(entry.conn, "backfills", {self.key: number})


TRACKED_PLAYER = TrackedPlayer()
