"""Tracked players, whose details are published."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.declared import Entry, StillNeededError, Thing, UnknownNameError, command
from gamestats_assets.lakehouse.entries.fields import YES_NO, EntryError, Field, Kind, whole_number
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.pubg.players.entered.people import (
    ACCOUNT,
    NEW_NAME,
    PLAYER,
    Matches,
    Player,
    account_of,
    recognised,
)

BACKFILL_DAYS = 180
"""Default number of days of history for a newly tracked player."""
SHARD = "steam"


def _shard(text: str, column: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+", text):
        raise EntryError(f"{text!r} is not a shard; examples are steam, kakao, psn, xbox.", column)
    return text


class TrackedPlayer(Thing):
    """A player whose details are published; players with data cannot be removed, only made inactive."""

    kind = "tracked player"
    table = "tracked_players"
    key = "tracked_player_id"
    command = ("players",)
    query = "SELECT *, lower(player_name) AS in_small_letters FROM ops.tracked_players"
    names = (PLAYER,)
    column = "player_name"
    called = "player {player_name} on {shard}"
    lacking = "No player {wanted!r} is tracked; {there}"
    beside = (
        Field(
            "shard",
            "Platform of the player; needed to find a name that is tracked on several.",
            Kind(str, str, _shard),
            verbs=("add", "change", "remove"),
            default="steam, or any",
        ),
    )
    fields = (
        Field(
            "is_active",
            "Whether new matches refresh the details.",
            YES_NO,
            column="active",
            option="active/--inactive",
            default="yes",
        ),
        ACCOUNT,
        Field("backfill_days", "Days of history to backfill.", whole_number(0, 3650), default=str(BACKFILL_DAYS)),
        NEW_NAME,
    )
    listed = ("player_name AS player", "account_id", "shard", "is_active AS active", "backfill_days", "added_at")
    order = ("in_small_letters", "tracked_player_id")
    default_context: ClassVar[Matches] = Matches()

    def alike(self, rows: Sequence[Row], names: Mapping[str, Any]) -> list[Row]:
        """See `Thing.alike`: by exact name, or by account."""
        player, shard = names["player"], names.get("shard")
        of_name = [row for row in rows if player in (row["player_name"], row["account_id"])]
        return [row for row in of_name if shard in (None, row["shard"])]

    def which(self, rows: Sequence[Row], names: Mapping[str, Any]) -> UnknownNameError:
        """See `Thing.which`."""
        candidates = ", ".join(f"{row['account_id'] or 'account unknown'} on {row['shard']}" for row in rows)
        message = f"Several players named {names['player']} are tracked ({candidates}); give the account id."
        return UnknownNameError(message, "player")

    def recognised(self, names: Mapping[str, Any], context: Matches) -> Mapping[str, Any]:
        """See `Thing.recognised`."""
        return {**recognised(names, context), "shard": _shard(names.get("shard") or SHARD, "shard")}

    def there(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> Row | None:
        """See `Thing.there`: by account, or by name if one of the two accounts is unknown."""
        player: Player = names["recognised"]
        rows = self.rows(conn)
        of_account = [row for row in rows if player.account_id is not None and row["account_id"] == player.account_id]
        of_name = [row for row in rows if (row["player_name"], row["shard"]) == (player.name, names["shard"])]
        unknown = [row for row in of_name if row["account_id"] is None]
        # A name alone refers to any tracked player with it; a different account is a different player.
        found = of_account or unknown or ([] if player.account_id is not None else of_name)
        return found[0] if found else None

    def exists(self, row: Row, names: Mapping[str, Any]) -> str:
        """See `Thing.exists`."""
        name = names["recognised"].name
        other = "" if row["player_name"] == name else f" (as {row['player_name']})"
        return f"{name}{other} is tracked already" + ("" if row["is_active"] else ", but inactive")

    def place(self, conn: psycopg.Connection, names: Mapping[str, Any]) -> tuple[Row, Row]:
        """See `Thing.place`."""
        columns = {**names["recognised"].columns, "shard": names["shard"]}
        return columns, columns

    def settle(self, entry: Entry) -> dict[str, Any]:
        """See `Thing.settle`."""
        at_first = {"backfill_days": BACKFILL_DAYS, "is_active": True} if entry.is_new else {}
        return {**at_first, **self.stored(entry.given), **account_of(entry)}

    def leave(self, entry: Entry) -> None:
        """See `Thing.leave`: players with data stay, but inactive."""
        row = entry.row
        if row["account_id"] is not None and (matches := entry.context.taken_of(row)):
            taken = "1 match is" if matches == 1 else f"{matches} matches are"
            instead = command("players", "change", row["player_name"], "--inactive")
            raise StillNeededError(
                f"{row['player_name']} on {row['shard']} cannot be removed: {taken} already backfilled. Make the "
                f"player inactive, which keeps the data and adds no more: {instead}",
                "player",
            )
        # PostgreSQL cannot read the tables with the details, so this setting confirms that there are none.
        number = row[self.key]
        ops.rows(entry.conn, "SELECT set_config('gamestats.nothing_taken_of', %s, true)", [str(number)])
        ops.delete(entry.conn, "backfills", {self.key: number})


TRACKED_PLAYER = TrackedPlayer()
