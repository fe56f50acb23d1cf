"""Backfills of tracked players: what there is to take up, how far it is, asking for more, and stopping.

The rows of `ops.backfills` say which days are wanted; runs take the detail of the matches in them (see `players`),
and the ledgers of the detail tables tell what was taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import psycopg

from gamestats_assets.lakehouse import ops
from gamestats_assets.lakehouse.entries import EntryError
from gamestats_assets.lakehouse.ops import Row
from gamestats_assets.lakehouse.postgres import connect
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.pubg import entered
from gamestats_assets.pubg.players import TAKEN, PositionsTaken, player_matches
from gamestats_assets.pubg.tables.detail import MatchFacts
from gamestats_assets.pubg.tables.ops import Backfills, TrackedPlayers
from gamestats_assets.pubg.tables.players import TRACKED_PLAYER
from gamestats_assets.pubg.tables.results import MatchSummaries

DETAILS = {"gamestats/kind": TRACKED_PLAYER}
"""Tags of runs that take up the detail of tracked players."""
MATCHES_TAG = "gamestats/matches"
"""Of a run: how many matches it was requested for."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the detail of a tracked player is.

    Attributes:
        player: in-game name as entered.
        account_id: account; None while it is unknown.
        is_active: whether new matches refresh the detail.
        first_day: first day from which history is wanted; None without any.
        wanted: matches that are wanted.
        taken: matches whose detail was taken.
        to_take: matches whose telemetry is processed and whose detail was not taken yet.
        pending: matches whose telemetry has not landed.
        expired: matches whose telemetry was never archived and is gone.
        unreadable: matches whose telemetry nobody can read.
    """

    player: str
    account_id: str | None
    is_active: bool
    first_day: date | None
    wanted: int = 0
    taken: int = 0
    to_take: int = 0
    pending: int = 0
    expired: int = 0
    unreadable: int = 0


def progress(stores: Stores, player: str | None = None) -> list[Progress]:
    """How far the detail of one tracked player is, or that of all.

    Raises:
        UnknownNameError: when the player is not tracked, or several of the name are.
        PostgresError: when PostgreSQL refuses or cannot be reached.
    """
    url = stores.postgres_url
    ops.migrate(url)
    tracked, backfills = ops.snapshot(url, TrackedPlayers), ops.snapshot(url, Backfills)
    if player is not None:
        with connect(url) as conn:
            number = entered.TRACKED_PLAYER.find(conn, player)["tracked_player_id"]
        tracked = tracked.filter(tracked_player_id=number)
    lake = stores.lake
    wanted = player_matches(
        # What an inactive player would have is told, too.
        tracked.lazy().with_columns(is_active=True),  # type: ignore[arg-type]
        backfills.lazy(),  # type: ignore[arg-type]
        lake.scan(MatchSummaries),  # type: ignore[arg-type]
        lake.scan(MatchFacts),  # type: ignore[arg-type]
        lake.scan(PositionsTaken),  # type: ignore[arg-type]
    ).select(TRACKED_PLAYER, "match_id", "telemetry_status")
    for ledger in TAKEN:
        done = lake.scan(ledger).select(
            pl.col("partition_key").alias(TRACKED_PLAYER), pl.col("unit_id").alias("match_id"), done=pl.lit(True)
        )
        wanted = wanted.join(done, on=[TRACKED_PLAYER, "match_id"], how="left").rename({"done": ledger.spec.name})
    processed = pl.col("telemetry_status") == "processed"
    taken = processed & pl.all_horizontal(pl.col([ledger.spec.name for ledger in TAKEN]).fill_null(False))
    counts = (
        wanted.group_by(TRACKED_PLAYER)
        .agg(
            wanted=pl.len(),
            taken=taken.sum(),
            to_take=(processed & ~taken).sum(),
            **{status: (pl.col("telemetry_status") == status).sum() for status in ("pending", "expired", "unreadable")},
        )
        .collect()
    )
    of = {row[TRACKED_PLAYER]: row for row in counts.iter_rows(named=True)}
    begun = dict(
        backfills.filter(pl.col("cancelled_at").is_null())
        .group_by("tracked_player_id")
        .agg(pl.col("from_day").min())
        .iter_rows()
    )
    return [
        Progress(
            row["player_name"],
            row["account_id"],
            row["is_active"],
            begun.get(row["tracked_player_id"]),
            **{name: number for name, number in of.get(row["account_id"], {}).items() if name != TRACKED_PLAYER},
        )
        for row in tracked.sort(pl.col("player_name").str.to_lowercase(), "tracked_player_id").iter_rows(named=True)
    ]


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a player in some days: matches, those with processed telemetry, those lost for ever."""

    matches: int
    with_telemetry: int
    expired: int


def found_matches(stores: Stores, account_id: str, first: date, last: date) -> Found:
    """The player's matches of the days from `first` to `last`, both included."""
    rows = (
        stores.lake.scan(MatchSummaries)
        .filter((pl.col("account_id") == account_id) & pl.col("match_date").is_between(first, last))
        .select("match_id")
        .unique()
        .join(stores.lake.scan(MatchFacts).select("match_id", "telemetry_status").unique("match_id"), on="match_id")
        .collect()
    )
    statuses: Sequence[Any] = rows.get_column("telemetry_status").to_list()
    return Found(len(statuses), statuses.count("processed"), statuses.count("expired"))


def request_backfill(conn: psycopg.Connection, row: Row, first: date, last: date, found: Found) -> int:
    """Enter days of history to take up of a tracked player; the number of the backfill.

    Raises:
        EntryError: when the days are no span of days.
    """
    if last < first:
        raise EntryError(f"The days end ({last}) before they begin ({first}).", "to_day")
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
