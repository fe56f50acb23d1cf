"""Days of history to backfill for tracked players: requests and cancellations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.declared import command
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.entries.ops import Row


@dataclass(frozen=True, slots=True)
class Found:
    """A player's matches on some days: all of them, those with processed telemetry, and those lost for ever."""

    matches: int
    with_telemetry: int
    expired: int


def refuse_no_span(first: date, last: date, today: date) -> None:
    """Refuses days that cannot be backfilled.

    Raises:
        EntryError: if they begin in the future, or end before they begin.
    """
    if first > today:
        raise EntryError(f"The first day, {first}, is in the future: today is {today} in UTC.", "from_day")
    if last < first:
        raise EntryError(f"The last day ({last}) is before the first one ({first}).", "to_day")


def request_backfill(conn: psycopg.Connection, row: Row, first: date, last: date, found: Found) -> int:
    """Enters days of history to backfill for a tracked player; returns the id of the backfill.

    Raises:
        EntryError: if the days are invalid, or the player is inactive.
    """
    refuse_no_span(first, last, datetime.now(UTC).date())
    if not row["is_active"]:
        instead = command("players", "change", row["player_name"], "--active")
        raise EntryError(
            f"{row['player_name']} is inactive, so no history can be backfilled. Make the player active first: "
            f"{instead}",
            "player",
        )
    entered = ops.insert(
        conn,
        "backfills",
        {
            "tracked_player_id": row["tracked_player_id"],
            "from_day": first,
            "to_day": last,
            "matches_found": found.matches,
            "matches_with_telemetry": found.with_telemetry,
        },
    )
    return int(entered["backfill_id"])


def cancel_backfills(conn: psycopg.Connection, row: Row, person: str) -> int:
    """Cancels every active backfill of a tracked player; returns their number.

    Matches already backfilled are kept, and so are those since the player has been tracked.
    """
    number = row["tracked_player_id"]
    cancelled = {"cancelled_at": datetime.now(UTC), "cancelled_by": person}
    return len(ops.update(conn, "backfills", {"tracked_player_id": number, "cancelled_at": None}, cancelled))
