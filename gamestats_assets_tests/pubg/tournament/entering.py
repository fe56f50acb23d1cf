"""What tests of entries share: players by number, matches that are known, lakes with rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg.players.entered.people import Matches, Seen
from gamestats_assets.pubg.players.lake_matches import LakeMatches
from gamestats_assets.pubg.tables import MatchSummaries

BERLIN = ZoneInfo("Europe/Berlin")
KIM, LEE, MIA = (f"account.{number:032x}" for number in (1, 2, 3))
FIRST = date(2026, 10, 1)


SCHEDULE = """\
division,round,match,scheduled_at,time_zone,map,status
Division 1,1,1,2026-10-24 18:00,,Erangel,
Division 1,1,2,2026-10-24 17:35,Europe/London,,active
Division 1,1,3,2026-10-25 02:30+01:00,,Tiger_Main,
"""


class Knows(Matches):
    """Knows some names, which matches landed, and a lake."""

    def __init__(self, lake: Lake | None = None, landed: Collection[str] | None = None, **accounts: str) -> None:
        super().__init__()
        self._lake, self._landed, self._accounts = lake, landed, accounts

    def players(self, names: Collection[str]) -> Seen:
        return Seen(self._accounts, {account: name for name, account in self._accounts.items()})

    def has_landed(self, match_id: str) -> bool:
        return self._landed is None or match_id in self._landed

    def played_by(self, roster_entry_id: int) -> int:
        return 0 if self._lake is None else in_lake(self._lake).played_by(roster_entry_id)

    def taken_of(self, tracked: ops.Row) -> int:
        return 0 if self._lake is None else in_lake(self._lake).taken_of(tracked)


def in_lake(lake: Lake) -> LakeMatches:
    return LakeMatches(lake, Landing(f"{lake.root}/landing"))


def place(season: str, division: str, round: int, match: int | None = None) -> dict[str, Any]:
    """Where an override puts a match."""
    return {"season": season, "division": division, "round": round, "match": match}


def lake_holding(folder: Path, table: type[Table], *rows: dict[str, Any]) -> Lake:
    """A lake whose table has these rows, what they do not say being nothing."""
    lake = Lake(folder)
    missing = {
        name: None if column.nullable else {pl.String: "-", pl.Boolean: False, pl.Date: FIRST}.get(column.dtype, 0)
        for name, column in table.columns().items()
        if not isinstance(column.dtype, pl.Datetime)
    }
    moments = {name: datetime(2026, 10, 1, tzinfo=UTC) for name in table.columns() if name not in missing}
    frame = pl.DataFrame([{**missing, **moments, **row} for row in rows], schema=table.schema())
    column = table.spec.partitioned_by
    assert column is not None
    assert lake.replace(table, frame, partitions=frame[column].unique().to_list()).rows == len(rows)
    return lake


def all_rows(conn: psycopg.Connection) -> dict[str, list[dict[str, Any]]]:
    tables = ("seasons", "divisions", "groups", "teams", "roster_entries", "rounds", "scheduled_matches")
    return {table: ops.select(conn, table, {}) for table in (*tables, "match_overrides", "tracked_players", "changes")}


def lake_with(folder: Path, *rows: tuple[str, str, date]) -> Lake:
    """A lake whose match summaries have (player, account, day)."""
    lake = Lake(folder)
    frame = pl.DataFrame(
        [
            {"match_id": f"m-{number}", "player_name": name, "account_id": account, "match_date": day}
            for number, (name, account, day) in enumerate(rows)
        ]
    )
    missing = [
        pl.lit(None if column.nullable else False).cast(column.dtype).alias(name)
        for name, column in MatchSummaries.columns().items()
        if name not in frame.columns
    ]
    frame = frame.with_columns(missing).select(MatchSummaries.schema().names()).cast(pl.Schema(MatchSummaries.schema()))
    committed = lake.replace(MatchSummaries, frame, partitions=frame["match_date"].unique().to_list())
    assert committed.rows == len(rows)
    return lake
