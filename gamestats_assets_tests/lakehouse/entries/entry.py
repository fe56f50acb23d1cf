"""Builds what people enter, with as little as it needs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import psycopg

from gamestats_assets.lakehouse.entries import ops

DAY = date(2026, 10, 3)
ACCOUNTS = [f"account.{number:032x}" for number in range(3)]


class Entry:
    """Things entered with as little as they need."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self.conn = conn

    def season(self, **values: Any) -> int:
        values = {"season": "fall", "name": "Fall", "time_zone": "Europe/Berlin", **values}
        return ops.insert(self.conn, "seasons", values)["season_id"]

    def division(self, season: int, name: str = "Division 1") -> int:
        return ops.insert(self.conn, "divisions", {"season_id": season, "division": name})["division_id"]

    def group(self, division: int, name: str = "A") -> int:
        return ops.insert(self.conn, "groups", {"division_id": division, "group_name": name})["group_id"]

    def team(self, division: int, name: str = "Alpha", **values: Any) -> int:
        return ops.insert(self.conn, "teams", {"division_id": division, "team_name": name, **values})["team_id"]

    def roster(self, team: int, player: str, first: date, last: date | None = None, **values: Any) -> int:
        row = {"team_id": team, "player_name": player, "valid_from": first, "valid_until": last, **values}
        return ops.insert(self.conn, "roster_entries", row)["roster_entry_id"]

    def round(self, division: int, number: int = 1, **values: Any) -> int:
        days = {"first_day": DAY, "last_day": DAY, "round_name": f"Round {number}"}
        row = {"division_id": division, "round_number": number, **days, **values}
        return ops.insert(self.conn, "rounds", row)["round_id"]

    def slot(self, round_id: int, number: int = 1, **values: Any) -> int:
        row = {"round_id": round_id, "match_number": number, "scheduled_at": datetime(2026, 10, 3, 16, tzinfo=UTC)}
        return ops.insert(self.conn, "scheduled_matches", {**row, **values})["scheduled_match_id"]
