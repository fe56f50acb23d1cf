"""How fast a day is published to PostgreSQL, as a share of a bare COPY of the same rows.

    python -m gamestats_assets_tests.benchmarks.publication --rows 1000000

The table is a daily one of nine columns, five of them its primary key, with one index
besides. The bare COPY goes into a table of the same definition, empty, with the rows as
they come (in no order) and again in the order of the key. Publication is timed as callers
see it, checks and commit included: the first load of a table, and the replacement of a day
among others by one of the same keys and other values. Everything runs on an embedded server
of its own, as it is tuned for users. Prints one JSON object; shares are medians of the rounds'.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dataframely as dy
import numpy as np
import polars as pl
import psycopg
from psycopg import sql

from gamestats_assets.lakehouse.postgres.embedded import start_embedded, stop_embedded
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lakehouse.published.publication import publish
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.settings import Settings

DAY = date(2026, 3, 14)


class ItemDays(
    Table,
    key="benchmark/item_days",
    layer="gold",
    partitioned_by="ds",
    published=True,
    indexes=(("user_id", "ds"),),
    reconciled=("quantity", "events", "value_usd"),
):
    """What a user gained of an item for a reason on a day."""

    ds = dy.Date(primary_key=True, description="UTC day.")
    server_id = dy.String(primary_key=True, description="Server.")
    user_id = dy.String(primary_key=True, description="User.")
    item_id = dy.String(primary_key=True, description="Item.")
    reason = dy.String(primary_key=True, description="Why it was gained.")
    quantity = dy.Int64(description="Pieces gained.")
    events = dy.Int64(description="Log lines.")
    value_usd = dy.Decimal(20, 6, description="Worth, US dollars.")
    country = dy.String(description="Country of the user.")


def item_days(day: date, rows: int, seed: int) -> pl.DataFrame:
    """About so many rows of one day, in no order; the same for the same seed."""
    random = np.random.default_rng(seed)
    drawn = pl.DataFrame(
        {
            "user": random.integers(0, rows // 40 + 1, rows),
            "item": random.integers(0, 51, rows),
            "reason": random.integers(0, 400, rows),
            "quantity": random.integers(1, 5_000, rows),
            "events": random.integers(1, 60, rows),
            "micro_usd": random.integers(0, 10**9, rows),
        }
    ).unique(["user", "item", "reason"], maintain_order=True)
    countries = ("VN", "TH", "ID", "PH", "SG", "MY", "Other")
    return drawn.select(
        ds=pl.lit(day),
        server_id=(1001 + pl.col("user") % 64).cast(pl.String),
        user_id=pl.format("U{}", 10**11 + pl.col("user") * 7919),
        item_id=(270_000_000 + pl.col("item") * 13).cast(pl.String),
        reason=pl.format("reason_{}", pl.col("reason")),
        quantity="quantity",
        events="events",
        value_usd=(pl.col("micro_usd").cast(pl.Decimal(20, 0)) / 10**6).cast(pl.Decimal(20, 6)),
        country=(pl.col("user") % len(countries)).replace_strict(dict(enumerate(countries))),
    )


def _bare(table: type[Table]) -> sql.Identifier:
    return sql.Identifier("bare", table.spec.name)


def bare_copy(url: str, table: type[Table], frame: pl.DataFrame) -> None:
    """COPY the rows into the table that `empty_bare_table` made."""
    columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(_bare(table), columns)
    with psycopg.connect(url) as conn, conn.cursor() as cursor, cursor.copy(into) as copy:
        for chunk in frame.iter_slices(50_000):
            buffer = io.BytesIO()
            chunk.write_csv(buffer, include_header=False, quote_style="non_numeric")
            copy.write(buffer.getbuffer())


def empty_bare_table(url: str, table: type[Table]) -> None:
    """Make an empty table with the columns, primary key and indexes of a published one."""
    published = sql.Identifier(table.spec.game, table.spec.name)
    with connect(url) as conn:
        conn.execute("CREATE SCHEMA IF NOT EXISTS bare")
        conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_bare(table)))
        conn.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(_bare(table), published))


def _rows_per_s(frame: pl.DataFrame, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return frame.height / (time.perf_counter() - started)


def _round(url: str, before: pl.DataFrame, after: pl.DataFrame, others: list[pl.DataFrame]) -> dict[str, float]:
    """Rows a second of each way, in turn, so that a busy machine is busy for all of them."""
    ordered = after.sort(ItemDays.primary_key())
    speeds: dict[str, float] = {}
    with connect(url) as conn:
        conn.execute("DROP TABLE IF EXISTS benchmark.item_days")
    speeds["first_load"] = _rows_per_s(before, lambda: publish(url, ItemDays, [DAY], before))
    for other in others:
        publish(url, ItemDays, [other["ds"][0]], other)
    empty_bare_table(url, ItemDays)
    speeds["bare_copy"] = _rows_per_s(after, lambda: bare_copy(url, ItemDays, after))
    speeds["replaced_day"] = _rows_per_s(after, lambda: publish(url, ItemDays, [DAY], after))
    empty_bare_table(url, ItemDays)
    speeds["bare_copy_in_key_order"] = _rows_per_s(after, lambda: bare_copy(url, ItemDays, ordered))
    speeds["day_replaced_again"] = _rows_per_s(before, lambda: publish(url, ItemDays, [DAY], before))
    return speeds


def benchmark(rows: int, rounds: int, other_days: int) -> dict[str, Any]:
    """The figures of the module's docstring.

    Args:
        rows: rows of a day.
        rounds: how often everything is measured.
        other_days: days of as many rows that stand in the table beside the replaced one.
    """
    before = item_days(DAY, rows, seed=0)
    after = before.with_columns(pl.col("quantity") + 1, pl.col("events") * 2)
    others = [item_days(DAY - timedelta(number + 1), rows, seed=number + 1) for number in range(other_days)]
    # Not under pytest's folder or a closed one: as root the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="gamestats-benchmark-"))
    settings = Settings(data=str(folder), postgres_url=None)
    try:
        url = start_embedded(settings)
        measured = [_round(url, before, after, others) for _ in range(rounds)]
    finally:
        stop_embedded(settings)
        shutil.rmtree(folder, ignore_errors=True)

    def shares(of: str) -> dict[str, float]:
        ways = ("first_load", "replaced_day", "day_replaced_again")
        return {way: round(statistics.median(speeds[way] / speeds[of] for speeds in measured), 3) for way in ways}

    return {
        "rows": before.height,
        "other_days": other_days,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "rows_per_s": {way: round(statistics.median(speeds[way] for speeds in measured)) for way in measured[0]},
        "share_of_bare_copy": shares("bare_copy"),
        "share_of_bare_copy_in_key_order": shares("bare_copy_in_key_order"),
    }


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of a day")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--other-days", type=int, default=2, help="days in the table beside the replaced one")
    arguments = parser.parse_args()
    print(json.dumps(benchmark(arguments.rows, arguments.rounds, arguments.other_days), indent=2))


if __name__ == "__main__":
    main()
