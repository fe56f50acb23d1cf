"""Days of history that are to be taken up of tracked players: asking for them, and calling them off."""

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
    """What there is of a player in some days: matches, those with processed telemetry, those lost for ever."""

    matches: int
    with_telemetry: int
    expired: int


def refuse_no_span(first: date, last: date, today: date) -> None:
    """Refuse days that are none to take up.

    Raises:
        EntryError: when they begin in the future, or end before they begin.
    """
    if first > today:
        raise EntryError(f"The first day, {first}, lies in the future: today is {today} in UTC.", "from_day")
    if last < first:
        raise EntryError(f"The days end ({last}) before they begin ({first}).", "to_day")


def request_backfill(conn: psycopg.Connection, row: Row, first: date, last: date, found: Found) -> int:
    """Enter days of history to take up of a tracked player; the number of the backfill.

    Raises:
        EntryError: when the days are no span of days, or the player is inactive.
    """
    refuse_no_span(first, last, datetime.now(UTC).date())
    if not row["is_active"]:
        instead = command("players", "change", row["player_name"], "--active")
        raise EntryError(
            f"{row['player_name']} is inactive, and no history is taken up of an inactive player. "
            f"Make the player active first: {instead}",
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
    """Cancel every backfill of a tracked player that is not cancelled; how many that were.

    What was taken up stays, and so do the matches since the player is tracked.
    """
    number = row["tracked_player_id"]
    cancelled = {"cancelled_at": datetime.now(UTC), "cancelled_by": person}
    return len(ops.update(conn, "backfills", {"tracked_player_id": number, "cancelled_at": None}, cancelled))
