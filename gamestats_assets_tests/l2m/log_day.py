"""A day of raw logs, written, delivered and read, for tests; every reading is checked to account for every row."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from gamestats_assets.l2m.logs.decoding import decode_days
from gamestats_assets.l2m.source import Outcome, deliver
from gamestats_assets.l2m.tables import ETL, LANDED_TABLES, RATES, ExchangeRates, LogCounts
from gamestats_assets.lakehouse.delta.lake import Commit, Lake
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Row = dict[str, Any]

ROWS: Mapping[str, Row] = {
    "login": {
        "user_id": "u1", "server_id": "S1", "level": 7, "ip": "10.0.0.1", "device": "PC", "country": "VN",
        "time": "2026-03-01 12:00:00",
    },
    "recharge": {
        "user_id": "u1", "server_id": "S1", "pmc": "web_shop", "currency": "USD", "amount": "4.99",
        "time": "2026-03-01 12:00:00",
    },
    "increase_item": {
        "user_id": "u1", "server_id": "S1", "item_id": "1001", "count": 3, "reason_id": "11", "level": 7,
        "time": "2026-03-01 12:00:00",
    },
    "increase_money": {
        "user_id": "u1", "server_id": "S1", "money_type": "902", "amount": 50, "reason_id": "31", "level": 7,
        "balance_after": 150, "guild_id": "g1", "guild_name": "Wolves", "time": "2026-03-01 12:00:00",
    },
    RATES: {"currency": "USD", "usd_per_unit": "1"},
}  # fmt: skip
"""A sound row of some logs, as CSV says it."""


def rows(log: str, number: int = 1, **values: Any) -> list[Row]:
    """Sound rows of a log, of accounts u0, u1, ..., with other values where they are given."""
    return [{**ROWS[log], **({} if log == RATES else {"user_id": f"u{n}"}), **values} for n in range(number)]


def csv_bytes(given: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> bytes:
    """Rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or [*given[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(given)
    return text.getvalue().encode()


def json_bytes(given: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in given).encode()


def put(folder: Path, name: str, content: bytes) -> Path:
    """A file of this content in the folder of the day, gzipped where its name says so."""
    path = folder / DAY.isoformat() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return path


def put_parquet(folder: Path, name: str, columns: Mapping[str, pa.Array | Sequence[Any]]) -> Path:
    """A Parquet file of these columns in the folder of the day."""
    path = put(folder, name, b"")
    pq.write_table(pa.table({called: values for called, values in columns.items()}), path)
    return path


@dataclass(frozen=True)
class Read:
    """What became of a day.

    Attributes:
        tables: rows of every table.
        rejections: by table.
        counts: of each log: files, rows_read, unreadable, ...
    """

    tables: Mapping[type[Table], pl.DataFrame]
    rejections: Mapping[type[Table], Sequence[Rejection]]
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def of(self, log: str) -> pl.DataFrame:
        """Rows of a log."""
        return self.tables[_table(log)]

    def rejected(self, log: str) -> Sequence[Rejection]:
        """What was rejected of a log."""
        return self.rejections[_table(log)]

    def column(self, log: str, name: str) -> list[Any]:
        """Values of a column of a log."""
        return self.of(log).get_column(name).to_list()


def _table(log: str) -> type[Table]:
    return ExchangeRates if log == RATES else ETL[log]


def read_day(landing: Landing, day: date = DAY) -> Read:
    """Read a day from the landing zone."""
    files = landing.files("l2m", day.isoformat())
    return read_files(landing, files)


def read_files(landing: Landing, files: Sequence[LandedFile]) -> Read:
    """Read landed files of one day; what is read, kept and rejected must add up."""
    [result] = [
        Read({table: _together(table, pieces) for table, pieces in day.frames.items()}, day.rejections)
        for day in decode_days(landing, [files], 1)
    ]
    assert list(result.tables) == list(LANDED_TABLES)
    counts = {row.pop("log"): row for row in result.tables[LogCounts].drop("ds").iter_rows(named=True)}
    for log in (*ETL, RATES):
        rejected = sum(rejection.rejected_rows for rejection in result.rejected(log))
        counted = counts.get(log, Counter())
        assert counted["rows_read"] == result.of(log).height + rejected + counted["duplicates"], log
        assert counted["unreadable"] == rejected, log
        if log != RATES:
            numbers = result.column(log, "row_number")
            assert numbers == sorted({*numbers})
            assert all(0 <= number < counted["rows_read"] for number in numbers)
    return Read(result.tables, result.rejections, counts)


def write(lake: Lake, landing: Landing) -> dict[type, Commit]:
    """Read the day, and write all of it to the lake as the step does."""
    [commits] = [
        {
            table: lake.replace(table, frames, partitions=[DAY], rejections=day.rejections[table])
            for table, frames in day.frames.items()
        }
        for day in decode_days(landing, [landing.files("l2m", DAY.isoformat())], 1)
    ]
    return commits


def _together(table: type[Table], pieces: Any) -> pl.DataFrame:
    found = pl.concat([pl.DataFrame(schema=table.schema()), *pieces])
    assert found.schema == table.schema()
    return found


def read_content(tmp_path: Path, name: str, content: bytes, **options: Any) -> Read:
    """Deliver one file of the day, and read the day."""
    delivered(tmp_path, [put(tmp_path / "logs", name, content)], **options)
    return read_day(Landing(tmp_path / "landing"))


def delivered(tmp_path: Path, paths: Sequence[Path], **options: Any) -> list[Outcome]:
    """Deliver files, or folders, to the landing zone of the test."""
    return [*deliver(paths, Landing(tmp_path / "landing"), **options).outcomes]


def exact(*amounts: str) -> list[Decimal]:
    """Decimals."""
    return [Decimal(amount) for amount in amounts]
