"""CSV files of tracked players, and parts shared by all files of players; see `lakehouse.entries.csv_files`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gamestats_assets.lakehouse.entries.csv_files import Column, Takes
from gamestats_assets.pubg.players.entered.people import ACCOUNT, PLAYER, Matches, Seen
from gamestats_assets.pubg.players.entered.tracked import TRACKED_PLAYER

_TRACKED = {field.name: field for field in (*TRACKED_PLAYER.beside, *TRACKED_PLAYER.fields)}
ACCOUNT_COLUMN = Column(ACCOUNT, "account of the player, if known for certain; otherwise taken from matches")
PLAYER_COLUMN = Column(PLAYER, "in-game name with its capitals, or account id", required=True)


class _LookedUp(Matches):
    """Known facts about the players of a file, looked up once."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def players(self, names: Collection[str]) -> Seen:
        return self.seen


def look_up(known: Matches, rows: Sequence[Mapping[str, Any]]) -> Matches:
    """Looks up known facts about the players of a file's rows, once for all."""
    return _LookedUp(known.players([given["player"] for given in rows if "player" in given]))


PLAYER_FILE = Takes(
    (TRACKED_PLAYER,),
    (
        PLAYER_COLUMN,
        ACCOUNT_COLUMN,
        Column(_TRACKED["shard"], "platform; steam when empty"),
        Column(_TRACKED["backfill_days"], "days of history to backfill; 180 when empty"),
        Column(_TRACKED["is_active"], "yes or no; yes when empty"),
    ),
    look_up=look_up,
)
