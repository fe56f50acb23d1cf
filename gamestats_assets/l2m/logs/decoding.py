"""Turns the landed files of a day into rows: deliveries, ThinkingData records and rates; invalid rows get a reason.

Rows come in pieces, so a day may be larger than memory. What cannot be read becomes a rejection with its file and
position; `log_counts` has the number of rows of every log, so that none can be lost.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import polars as pl

from gamestats_assets.l2m.logs.columns import FAULT, LINE, PROBLEM, SEPARATOR, TEXT, missing, must_be
from gamestats_assets.l2m.logs.deliveries import FILE, THINKINGDATA, DeliveredFile, in_force
from gamestats_assets.l2m.logs.raw_files import FAULTS, READ_ERRORS, open_file
from gamestats_assets.l2m.logs.tables import ETL, LANDED_TABLES, RATES, EtlRecharge, ExchangeRates, LogCounts
from gamestats_assets.l2m.logs.values import typed
from gamestats_assets.l2m.reference.csv_files import currencies
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Rejection, screen
from gamestats_assets.lakehouse.table import Table

_PIECE_ROWS = 1_000_000
_ZONES = timedelta(hours=14)
"""Largest difference between a studio's own day and that in UTC."""
# Rejections of a log that are listed one by one; the others are counted.
_TOLD_ROW_BY_ROW = 10_000
_EXACT = pl.Decimal(38, 12)
"""An amount times a rate, before it is rounded."""


@dataclass
class _Count:
    """Counts of the rows of a log, by their fate."""

    files: int = 0
    rows_read: int = 0
    unreadable: int = 0
    duplicates: int = 0
    not_wanted: int = 0
    rows_of_other_days: int = 0
    payments_without_rate: int = 0
    currencies_without_rate: str | None = None


class DayOfLogs:
    """The landed files of one day as rows; go through `frames` once, `log_counts` last."""

    def __init__(self, landing: Landing, files: Sequence[LandedFile], con: duckdb.DuckDBPyConnection) -> None:
        self._landing = landing
        self.ds = date.fromisoformat(files[0].day)
        self._begins = datetime.combine(self.ds, time(), UTC)
        self._by_hash = {file.content_hash: file for file in files if file.kind == FILE}
        self._deliveries, unreadable = in_force(landing, files)
        self._thinkingdata = [file for file in files if file.kind == THINKINGDATA]
        self._counts: dict[str, _Count] = {}
        self.rejections: dict[type[Table], list[Rejection]] = {table: [] for table in LANDED_TABLES}
        self.rejections[LogCounts] += unreadable
        self._con = con
        self._records: Mapping[str, pl.DataFrame] = {}
        if self._thinkingdata:
            self._read_thinkingdata()
        self._rates_read = self._rates_delivered()
        # Rates that the table does not accept are not used either.
        self.rates = screen(ExchangeRates, self._rates_read).rows

    @property
    def frames(self) -> Mapping[type[Table], Iterator[pl.DataFrame]]:
        """Returns the rows of every bronze table, in pieces."""
        made: dict[type[Table], Iterator[pl.DataFrame]] = {table: self._rows(log) for log, table in ETL.items()}
        return {**made, ExchangeRates: iter([self._rates_read]), LogCounts: self._log_counts()}

    @property
    def unreadable(self) -> int:
        """A day is never unreadable as a whole: without files it is empty."""
        return 0

    # ----------------------------------------------------------------- the rows of a log

    def _rows(self, log: str) -> Iterator[pl.DataFrame]:
        """Yields the rows of a log's table, numbered in the order of the files."""
        table = ETL[log]
        for name, rows in self._readable(log, table):
            good = self._in_dollars(name, rows) if table is EtlRecharge else rows
            if "time" in good.columns:
                is_of_day = pl.col("time").is_between(self._begins - _ZONES, self._begins + timedelta(days=1) + _ZONES)
                self._counts[log].rows_of_other_days += good.select((~is_of_day).sum()).item()
            yield good.select(
                pl.col(column).cast(dtype) if column in good.columns else pl.lit(None, dtype=dtype).alias(column)
                for column, dtype in table.schema().items()
            )

    def _rates_delivered(self) -> pl.DataFrame:
        """Returns the day's rates; a currency has one, or none if different ones were delivered."""
        pieces = [rows.with_columns(pl.lit(name).alias("file")) for name, rows in self._readable(RATES, ExchangeRates)]
        if not pieces:
            return pl.DataFrame(schema=ExchangeRates.schema())
        rates = pl.concat(pieces)
        other = pl.col("usd_per_unit").n_unique().over("currency") > 1
        repeated = rates.filter(pl.col("currency").is_first_distinct().not_() | other)
        for (file,), rows in repeated.group_by("file", maintain_order=True):
            self._reject(
                RATES,
                ExchangeRates,
                rows,
                lambda row, file=file: (
                    str(file),
                    "doubled_rate",
                    f"{_place(row)}: {row['currency']} has more than one rate on {self.ds}. An equal one is "
                    "skipped; of different ones none is used. Deliver the day's rates again, each currency once.",
                ),
            )
        kept = rates.join(repeated, on="row_number", how="anti", maintain_order="left")
        return kept.select(pl.col(column).cast(dtype) for column, dtype in ExchangeRates.schema().items())

    def _readable(self, log: str, table: type[Table]) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yields pieces of a log's files, each with the file's name: typed rows with their day and number."""
        count = self._counts.setdefault(log, _Count())
        for name, pieces in self._files(log, table, count):
            place = 0
            for rows in pieces:
                height = rows.height
                numbered = rows.with_columns(
                    pl.lit(self.ds).alias("ds"),
                    pl.int_range(count.rows_read, count.rows_read + height, dtype=pl.Int64).alias("row_number"),
                    pl.int_range(place + 1, place + 1 + height, dtype=pl.Int64).alias("place"),
                )
                count.rows_read += height
                place += height
                yield name, self._without_problems(log, table, name, numbered)

    def _files(self, log: str, table: type[Table], count: _Count) -> Iterator[tuple[str, Iterator[pl.DataFrame]]]:
        """Yields the files of a log, one after another, each with its name and rows."""
        # A connection of its own, because logs are read side by side.
        con = self._con.cursor()
        delivery = self._deliveries.get(log)
        if delivery is not None and delivery.refused:
            count.files += not delivery.files
            named = f"delivery {delivery.number}"
            self.rejections[table].append(Rejection(named, "file", "refused_delivery", delivery.refused, 0))
        for file in delivery.files if delivery is not None else ():
            landed = self._by_hash.get(file.hash)
            if landed is None:
                reason = f"Delivery {delivery.number if delivery else 0} of the {log} log of {self.ds} "
                reason += "names it, but it has not landed. Deliver the day again."
                self.rejections[table].append(Rejection(file.name, "file", "missing_file", reason, 0))
                continue
            count.files += 1
            with self._landing.on_disk(landed) as path:
                yield file.name, self._pieces(con, log, table, file, path, delivery.columns if delivery else {})
        if (records := self._records.get(log)) is not None and not records.is_empty():
            yield THINKINGDATA, _typed(log, {}, con.from_arrow(records.to_arrow(compat_level=pl.CompatLevel.oldest())))

    def _pieces(
        self,
        con: duckdb.DuckDBPyConnection,
        log: str,
        table: type[Table],
        file: DeliveredFile,
        path: Path,
        names: Mapping[str, str],
    ) -> Iterator[pl.DataFrame]:
        """Yields the rows of a file; of a damaged one, those before the damage."""
        rows = read = 0
        try:
            raw = open_file(con, path, file.format, log, names)
            if lacking := missing(log, names, raw.types):
                theirs = [names.get(column.name, column.name) for column in lacking]
                self._reject_file(
                    log,
                    table,
                    file.name,
                    "missing_column",
                    f"The {log} log of {self.ds} has no column {', '.join(theirs)}; its columns are "
                    f"{', '.join(raw.names) or 'none'}. Deliver the day again with a mapping: gamestats ingest l2m "
                    f'PATH --day {self.ds} --log {log} --columns FILE, where FILE says {{"{log}": '
                    f'{{"{lacking[0].name}": "YOURS"}}}}.',
                    raw.rows(),
                )
                return
            # A damaged Parquet file still says how many rows it should have.
            rows = raw.rows() if file.format == "parquet" else 0
            for piece in raw.pieces:
                for frame in _typed(log, names, piece):
                    read += frame.height
                    yield frame
        except READ_ERRORS as error:
            reason = f"It cannot be read to its end: {error}".rstrip(".") + ". Deliver the day again."
            self._reject_file(log, table, file.name, "unreadable_file", reason, max(0, rows - read))

    # ----------------------------------------------------------------- invalid rows

    def _without_problems(self, log: str, table: type[Table], name: str, rows: pl.DataFrame) -> pl.DataFrame:
        is_bad = pl.col(FAULT).is_not_null() | pl.col(PROBLEM).is_not_null()
        bad = rows.filter(is_bad)
        if bad.is_empty():
            return rows

        def explain(row: Mapping[str, Any]) -> tuple[str, str, str]:
            if row[FAULT] is not None:
                return name, row[FAULT], f"{_place(row)}: {FAULTS[row[FAULT]]}."
            names = self._deliveries[log].columns if log in self._deliveries and name != THINKINGDATA else {}
            wanted = "; ".join(must_be(log, names, called) for called in row[PROBLEM].split(SEPARATOR))
            return name, "unreadable_value", f"{_place(row)}: {wanted}."

        self._reject(log, table, bad, explain)
        return rows.filter(~is_bad)

    def _in_dollars(self, name: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns payments in dollars at the day's rate: rounded once to six decimals, halves to even.

        Payments in an unknown currency, without a rate, or too large for the table are rejected.
        """
        worth = (pl.col("amount").cast(_EXACT) * pl.col("usd_per_unit").cast(_EXACT)).cast(
            EtlRecharge.schema()["daily_rev_usd"], strict=False
        )
        rows = rows.join(
            self.rates.select("currency", "usd_per_unit"), on="currency", how="left", maintain_order="left"
        ).with_columns(worth.alias("daily_rev_usd"))
        is_known = pl.col("currency").is_in(currencies())
        self._reject(
            "recharge",
            EtlRecharge,
            rows.filter(~is_known),
            lambda row: (
                name,
                "unknown_currency",
                f"{_place(row)}: {row['currency']!r} is not a known currency; data/reference/l2m/currencies.csv "
                "lists them.",
            ),
        )
        unrated = rows.filter(is_known & pl.col("usd_per_unit").is_null())
        count = self._counts["recharge"]
        count.payments_without_rate += unrated.height
        lacking = {*unrated.get_column("currency"), *(count.currencies_without_rate or "").split(", ")} - {""}
        count.currencies_without_rate = ", ".join(sorted(lacking)) or None
        self._reject(
            "recharge",
            EtlRecharge,
            unrated,
            lambda row: (
                name,
                "no_rate",
                f"{_place(row)}: there is no rate of {row['currency']} for {self.ds}. Deliver it: "
                f"gamestats ingest l2m rates.csv --day {self.ds} (columns currency, usd_per_unit).",
            ),
        )
        self._reject(
            "recharge",
            EtlRecharge,
            rows.filter(is_known & pl.col("usd_per_unit").is_not_null() & pl.col("daily_rev_usd").is_null()),
            lambda row: (
                name,
                "too_large",
                f"{_place(row)}: {row['amount']} {row['currency']} at {row['usd_per_unit']} are more dollars than can "
                "be stored.",
            ),
        )
        return rows.filter(is_known & pl.col("daily_rev_usd").is_not_null())

    def _reject_file(self, log: str, table: type[Table], name: str, rule: str, reason: str, rows: int) -> None:
        self._counts[log].rows_read += rows
        self._counts[log].unreadable += rows
        self.rejections[table].append(Rejection(name, "file", rule, reason, rows))

    def _reject(
        self,
        log: str,
        table: type[Table],
        rows: pl.DataFrame,
        explain: Callable[[Mapping[str, Any]], tuple[str, str, str]],
    ) -> None:
        """Enters rows as rejections, one by one up to a limit."""
        self._counts[log].unreadable += rows.height
        entered = self.rejections[table]
        room = max(0, _TOLD_ROW_BY_ROW - len(entered))
        for row in rows.head(room).iter_rows(named=True):
            name, rule, reason = explain(row)
            entered.append(Rejection(name, "row", rule, reason, 1, row[TEXT] or _plain(table, row)))
        if rows.height > room:
            name, rule, reason = explain(rows.row(room, named=True))
            more = rows.height - room
            entered.append(Rejection(name, "row", rule, f"{more} more rows are not listed one by one. {reason}", more))

    # ----------------------------------------------------------------- ThinkingData, and counts

    def _read_thinkingdata(self) -> None:
        from gamestats_assets.l2m.logs.thinkingdata import read_logs

        read = read_logs([self._landing.read(file) for file in self._thinkingdata])
        self._records = read.frames
        for log in ETL:
            count = self._counts.setdefault(log, _Count())
            count.files += len(self._thinkingdata)
            count.duplicates += read.duplicates.get(log, 0)
        others, unread = read.not_wanted, len(read.unreadable)
        self._counts[THINKINGDATA] = _Count(len(self._thinkingdata), others + unread, unread, 0, others)
        entered = self.rejections[LogCounts]
        for line in read.unreadable[:_TOLD_ROW_BY_ROW]:
            content = line.content[:4000].decode(errors="replace")
            entered.append(Rejection(THINKINGDATA, "row", "unreadable_record", str(line), 1, content))
        if (more := unread - _TOLD_ROW_BY_ROW) > 0:
            entered.append(Rejection(THINKINGDATA, "row", "unreadable_record", f"{more} more cannot be read.", more))

    def _log_counts(self) -> Iterator[pl.DataFrame]:
        """Yields the counts of each log's rows by their fate; ask for them after going through the rows."""
        rows = [
            # Duplicates were read as well.
            {"ds": self.ds, "log": log, **vars(count), "rows_read": count.rows_read + count.duplicates}
            for log, count in sorted(self._counts.items())
            if count.files or count.rows_read
        ]
        yield pl.DataFrame(rows, schema=LogCounts.schema())


def _typed(log: str, names: Mapping[str, str], rows: duckdb.DuckDBPyRelation) -> Iterator[pl.DataFrame]:
    """Yields rows of a raw file in the types of the log's table, see `values.typed`."""
    found = dict(zip(rows.columns, map(str, rows.types), strict=True))
    for selected in typed(log, names, found):
        rows = rows.project(selected)
    for batch in cast(Any, rows).to_arrow_reader(_PIECE_ROWS):
        yield cast(pl.DataFrame, pl.from_arrow(batch))


def _place(row: Mapping[str, Any]) -> str:
    return f"Row {row['place']}" if row[LINE] is None else f"Line {row[LINE]}"


def _plain(table: type[Table], row: Mapping[str, Any]) -> str:
    values = {name: row[name] for name in table.column_names() if row.get(name) is not None}
    return json.dumps({name: value for name, value in values.items() if name not in ("ds", "row_number")}, default=str)


def decode_days(
    landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int
) -> Generator[DayOfLogs, None, None]:
    """Yields one day after another: each batch is the landed files of one day.

    Args:
        workers: ignored; DuckDB uses every core by itself.
    """
    for files in batches:
        with contextlib.closing(duckdb.connect(config={"autoinstall_known_extensions": "false"})) as con:
            # Global, so that it applies to cursors, which do not inherit the connection's own settings.
            con.execute("SET GLOBAL TimeZone = 'UTC'")
            con.execute("SET GLOBAL python_enable_replacements = false")
            con.execute("SET enable_progress_bar = false")
            yield DayOfLogs(landing, files, con)
