"""Backfills of tracked players: available matches, progress, requests, and cancellation.

Rows of `ops.backfills` contain the wanted days. Runs copy the details of matches on these days (see `players`), and the
ledgers of the detail tables record the processed ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.postgres.server import connect, explained
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.pubg.matches.tables import MatchFacts, MatchSummaries
from gamestats_assets.pubg.players import entered
from gamestats_assets.pubg.players.entered.backfills import Found
from gamestats_assets.pubg.players.players import TAKEN, PositionsTaken, player_matches
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER, Backfills, TrackedPlayers

DETAILS = {"gamestats/kind": TRACKED_PLAYER}
"""Tags of runs that process details of tracked players."""
MATCHES_TAG = "gamestats/matches"
"""Tag of a run: number of matches for which it was requested."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a tracked player's details.

    Attributes:
        player: in-game name as entered.
        account_id: account; None if unknown.
        number: id of the tracked player.
        is_active: whether new matches refresh the details.
        first_day: first day of the wanted history; None without any.
        wanted: number of wanted matches.
        taken: number of matches whose details were copied.
        to_take: number of matches with processed telemetry whose details were not copied yet.
        pending: number of matches whose telemetry has not landed.
        expired: number of matches whose telemetry was never archived and is gone.
        unreadable: number of matches with unreadable telemetry.
    """

    player: str
    account_id: str | None
    number: int
    is_active: bool
    first_day: date | None
    wanted: int = 0
    taken: int = 0
    to_take: int = 0
    pending: int = 0
    expired: int = 0
    unreadable: int = 0


def progress(stores: Stores, player: str | None = None) -> list[Progress]:
    """Returns the progress of one tracked player's details, or of all.

    Raises:
        UnknownNameError: if the player is not tracked, or several players have the name.
        PostgresError: if PostgreSQL refuses or cannot be reached.
    """
    url = stores.postgres_url
    ops.migrate(url)
    tracked, backfills = ops.entered_rows(url, TrackedPlayers), ops.entered_rows(url, Backfills)
    if player is not None:
        with connect(url) as conn:
            number = entered.TRACKED_PLAYER.find(conn, player)["tracked_player_id"]
        tracked = tracked.filter(tracked_player_id=number)
    lake = stores.lake
    wanted = player_matches(
        # Includes the matches that an inactive player would have.
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
    counts_by_player = {row[TRACKED_PLAYER]: row for row in counts.iter_rows(named=True)}
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
            row["tracked_player_id"],
            row["is_active"],
            begun.get(row["tracked_player_id"]),
            **{
                name: number
                for name, number in counts_by_player.get(row["account_id"], {}).items()
                if name != TRACKED_PLAYER
            },
        )
        for row in tracked.sort(pl.col("player_name").str.to_lowercase(), "tracked_player_id").iter_rows(named=True)
    ]


def found_matches(stores: Stores, account_id: str, first: date, last: date) -> Found:
    """Returns the player's matches on the days from `first` to `last`, both included."""
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


_NOTE = """
    INSERT INTO ops.backfill_progress AS p
        (tracked_player_id, taken, to_take, pending, expired, unreadable, measured_at, began_taken)
    VALUES (%(number)s, %(taken)s, %(to_take)s, %(pending)s, %(expired)s, %(unreadable)s, clock_timestamp(), %(taken)s)
    ON CONFLICT (tracked_player_id) DO UPDATE SET
        taken = excluded.taken, to_take = excluded.to_take, pending = excluded.pending, expired = excluded.expired,
        unreadable = excluded.unreadable, measured_at = excluded.measured_at,
        -- Speed counts from the last measurement without progress, so the wait in a queue is left out.
        began_at = CASE WHEN excluded.to_take = 0 THEN NULL
                        WHEN p.began_at IS NULL OR p.taken = p.began_taken THEN p.measured_at
                        ELSE p.began_at END,
        began_taken = CASE WHEN excluded.to_take = 0 THEN excluded.taken
                           WHEN p.began_at IS NULL OR p.taken = p.began_taken THEN p.taken
                           ELSE p.began_taken END
"""


def note_progress(stores: Stores) -> None:
    """Records the progress of all tracked players in PostgreSQL, for readers without access to the lake."""
    found = [asdict(one) for one in progress(stores) if one.account_id is not None]
    if found:
        with connect(stores.postgres_url) as conn, explained("ops.backfill_progress"), conn.cursor() as cursor:
            cursor.executemany(_NOTE, found)
