"""From the landed files of a day to rows: deliveries, ThinkingData records and rates, each row typed or told why not.

Rows come in pieces, so a day may be larger than memory. What cannot be read is a rejection with its file and position;
`log_counts` tells of every log how many rows there were, so that none can be lost on the way.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

import duckdb
import polars as pl
from sqlglot import exp

from gamestats_assets.l2m.columns import COLUMNS, missing, typed
from gamestats_assets.l2m.reference import currencies
from gamestats_assets.l2m.tables import ETL, LANDED_TABLES, RATES, EtlRecharge, ExchangeRates, LogCounts
from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table

FILE, DELIVERY, THINKINGDATA = "log", "delivery", "thinkingdata"
"""Kinds of landed files: a raw file, the document of a delivery, a day's lines of ThinkingData records."""
_PIECE_ROWS = 1_000_000
_LONGEST_LINE = 16 * 1024 * 1024
# Of one log, told one by one; the others are counted.
_TOLD_ROW_BY_ROW = 10_000
_NO_SEPARATOR = "\x02"

Relations = Iterator[tuple[str, duckdb.DuckDBPyRelation]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was delivered of one log of a day: the document that lands with the files.

    Attributes:
        number: of several deliveries of the log the one with the highest number counts.
        files: content hashes of its files, in their order.
        columns: our column's name to that of the files, where it is another.
    """

    log: str
    day: str
    number: int
    files: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The document."""
        told = {
            "log": self.log,
            "day": self.day,
            "number": self.number,
            "files": [*self.files],
            "columns": dict(sorted(self.columns.items())),
        }
        return json.dumps(told, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Delivery:
        """A document.

        Raises:
            ValueError: when it is none.
        """
        told = json.loads(content)
        try:
            found = cls(told["log"], told["day"], int(told["number"]), tuple(told["files"]), dict(told["columns"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"no document of a delivery: {error}") from None
        if found.log not in COLUMNS:
            raise ValueError(f"there is no log {found.log!r}")
        return found


def in_force(landing: Landing, files: Sequence[LandedFile]) -> tuple[dict[str, Delivery], list[Rejection]]:
    """By log, the delivery of a day that counts: the one with the highest number, of equals that of the greatest hash.

    Documents that nobody can read are rejections.
    """
    found: dict[str, tuple[int, str, Delivery]] = {}
    unreadable: list[Rejection] = []
    for file in files:
        if file.kind != DELIVERY:
            continue
        try:
            delivery = Delivery.from_json(landing.read(file))
        except ValueError as error:
            unreadable.append(
                Rejection(_name(file), "file", "unreadable_delivery", f"Expected a delivery's document: {error}.", 1)
            )
            continue
        ranked = (delivery.number, file.content_hash, delivery)
        if delivery.log not in found or ranked[:2] > found[delivery.log][:2]:
            found[delivery.log] = ranked
    return {log: delivery for log, (_, _, delivery) in found.items()}, unreadable


def _name(file: LandedFile) -> str:
    return file.path.rsplit("/", 1)[-1]


@dataclass
class _Count:
    """What became of the rows of a log."""

    files: int = 0
    rows_read: int = 0
    unreadable: int = 0
    duplicates: int = 0
    not_wanted: int = 0
    payments_without_rate: int = 0


class DayOfLogs:
    """The landed files of one day as rows; `frames` may be gone through once, `log_counts` last."""

    def __init__(self, landing: Landing, files: Sequence[LandedFile], open_files: contextlib.ExitStack) -> None:
        self._landing, self._open = landing, open_files
        self.ds = date.fromisoformat(files[0].day)
        self._by_hash = {file.content_hash: file for file in files if file.kind == FILE}
        self._deliveries, unreadable = in_force(landing, files)
        self._thinkingdata = [file for file in files if file.kind == THINKINGDATA]
        self._counts: dict[str, _Count] = {}
        self.rejections: dict[type[Table], list[Rejection]] = {table: [] for table in LANDED_TABLES}
        self.rejections[LogCounts] += unreadable
        self._con = open_files.enter_context(duckdb.connect(config={"autoinstall_known_extensions": "false"}))
        self._con.execute("SET TimeZone = 'UTC'")
        self._con.execute("SET python_enable_replacements = false")
        self._told: Mapping[str, pl.DataFrame] = {}
        if self._thinkingdata:
            self._read_thinkingdata()
        self.rates = pl.concat([pl.DataFrame(schema=ExchangeRates.schema()), *self._rows_of_rates()])

    @property
    def frames(self) -> Mapping[type[Table], Iterator[pl.DataFrame]]:
        """Rows of every bronze table, in pieces."""
        made: dict[type[Table], Iterator[pl.DataFrame]] = {table: self._rows(log) for log, table in ETL.items()}
        return {**made, ExchangeRates: iter([self.rates]), LogCounts: self._log_counts()}

    @property
    def unreadable(self) -> int:
        """A day is never unreadable as a whole: what it has no files of is empty."""
        return 0

    # ----------------------------------------------------------------- the rows of a log

    def _rows(self, log: str) -> Iterator[pl.DataFrame]:
        """Rows of a log's table, numbered in the order of the files."""
        table = ETL[log]
        count = self._counts.setdefault(log, _Count())
        for name, rows in self._readable(log, table):
            numbered = rows.with_columns(
                pl.lit(self.ds).alias("ds"),
                pl.int_range(count.rows_read, count.rows_read + rows.height, dtype=pl.Int64).alias("row_number"),
            )
            count.rows_read += rows.height
            good = self._without_problems(log, table, name, numbered)
            if table is EtlRecharge:
                good = self._in_dollars(name, good)
            yield good.select(
                pl.col(column).cast(dtype) if column in good.columns else pl.lit(None, dtype=dtype).alias(column)
                for column, dtype in table.schema().items()
            )

    def _rows_of_rates(self) -> Iterator[pl.DataFrame]:
        count = self._counts.setdefault(RATES, _Count())
        for name, rows in self._readable(RATES, ExchangeRates):
            count.rows_read += rows.height
            numbered = rows.with_row_index("row_number").with_columns(pl.lit(self.ds).alias("ds"))
            good = self._without_problems(RATES, ExchangeRates, name, numbered)
            yield good.select(pl.col(column).cast(dtype) for column, dtype in ExchangeRates.schema().items())

    def _readable(self, log: str, table: type[Table]) -> Iterator[tuple[str, pl.DataFrame]]:
        """Pieces of a log's files, each with the file's name, typed, with `__problem__` and `__content__`."""
        count = self._counts.setdefault(log, _Count())
        names = self._deliveries[log].columns if log in self._deliveries else {}
        for name, relation in self._relations(log, table, names):
            found = {column: str(kind) for column, kind in zip(relation.columns, relation.types, strict=True)}
            if lacking := missing(log, names, [*found]):
                rows = relation.count("*").fetchall()[0][0]
                count.rows_read += rows
                count.unreadable += rows
                self.rejections[table].append(
                    Rejection(
                        name,
                        "file",
                        "missing_column",
                        f"The {log} log of {self.ds} has no column {', '.join(lacking)}; its columns are "
                        f"{', '.join(found)}. Deliver the day again with a mapping: "
                        f'gamestats ingest l2m PATH --day {self.ds} --columns FILE, where FILE says {{"{log}": '
                        '{"OURS": "YOURS"}}.',
                        rows,
                    )
                )
                continue
            selected = ", ".join(each.sql("duckdb") for each in typed(log, names, found))
            for batch in cast(Any, relation.project(selected)).to_arrow_reader(_PIECE_ROWS):
                yield name, cast(pl.DataFrame, pl.from_arrow(batch))

    def _relations(self, log: str, table: type[Table], names: Mapping[str, str]) -> Relations:
        """The files of a log, one after another, as DuckDB reads them."""
        # Of its own, for logs are read side by side.
        con = self._open.enter_context(self._con.cursor())
        count = self._counts.setdefault(log, _Count())
        delivery = self._deliveries.get(log)
        for digest in delivery.files if delivery is not None else ():
            file = self._by_hash.get(digest)
            if file is None:
                self.rejections[table].append(
                    Rejection(
                        digest,
                        "file",
                        "missing_file",
                        f"Delivery {delivery.number if delivery else 0} of the {log} log of {self.ds} names a file "
                        "that has not landed. Deliver the day again.",
                        0,
                    )
                )
                continue
            count.files += 1
            path = str(self._open.enter_context(self._landing.on_disk(file)))
            try:
                yield from self._open_file(con, log, table, names, _name(file), path)
            except (duckdb.Error, OSError) as error:
                self.rejections[table].append(
                    Rejection(_name(file), "file", "unreadable_file", f"It cannot be read to its end: {error}", 0)
                )
        if log in self._told:
            yield THINKINGDATA, con.from_arrow(self._told[log].to_arrow())

    def _open_file(
        self,
        con: duckdb.DuckDBPyConnection,
        log: str,
        table: type[Table],
        names: Mapping[str, str],
        name: str,
        path: str,
    ) -> Relations:
        if path.endswith(".parquet"):
            yield name, con.read_parquet(path)
            return
        if ".csv" in path:
            rejects = f"rejects_{len(self.rejections[table])}"
            sql = (
                "FROM read_csv($path, all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"', "
                "store_rejects = true, rejects_table = $rejects, rejects_scan = $scan)"
            )
            parameters = {"path": path, "rejects": rejects, "scan": f"{rejects}_scan"}
            yield name, con.sql(sql, params=parameters)
            self._torn_lines(con, log, table, name, rejects)
            return
        wanted = [names.get(column.name, column.name) for column in COLUMNS[log]]
        yield name, self._json_lines(con, path, wanted)

    def _json_lines(self, con: duckdb.DuckDBPyConnection, path: str, wanted: Sequence[str]) -> duckdb.DuckDBPyRelation:
        """Lines of JSON: the wanted keys of each as texts; of a line that is no object all are null."""
        lines = con.sql(
            "FROM read_csv($path, columns = {'line': 'VARCHAR'}, delim = $none, quote = '', escape = '', "
            "header = false, auto_detect = false, max_line_size = $longest)",
            params={"path": path, "none": _NO_SEPARATOR, "longest": _LONGEST_LINE},
        ).filter("line IS NOT NULL AND trim(line) <> ''")
        paths = exp.array(*(exp.Literal.string(f'$."{key}"') for key in wanted)).sql("duckdb")
        told = lines.project(f"CASE WHEN json_valid(line) THEN json_extract_string(line, {paths}) END AS told")
        keys = [
            exp.alias_(
                exp.Bracket(this=exp.column("told"), expressions=[exp.Literal.number(n)], offset=1), key, quoted=True
            )
            for n, key in enumerate(wanted, 1)
        ]
        return told.project(", ".join(key.sql("duckdb") for key in keys))

    def _torn_lines(
        self, con: duckdb.DuckDBPyConnection, log: str, table: type[Table], name: str, rejects: str
    ) -> None:
        """Lines of a CSV file that have more or fewer fields than its header."""
        named = exp.to_identifier(rejects, quoted=True).sql("duckdb")
        torn = con.table(named).project("line, csv_line, error_message").order("line").fetchall()
        by_line = {line: (text, why) for line, text, why in reversed(torn)}
        count = self._counts[log]
        count.rows_read += len(by_line)
        count.unreadable += len(by_line)
        self.rejections[table] += [
            Rejection(name, "row", "torn_line", f"Line {line}: {why}.", 1, text)
            for line, (text, why) in by_line.items()
        ]

    # ----------------------------------------------------------------- what is wrong with rows

    def _without_problems(self, log: str, table: type[Table], name: str, rows: pl.DataFrame) -> pl.DataFrame:
        bad = rows.filter(pl.col("__problem__").is_not_null())
        if not bad.is_empty():
            self._reject(
                log,
                table,
                bad,
                lambda row: (name, "unreadable_value", f"Row {row['row_number']}: no value in {row['__problem__']}."),
            )
        return rows.filter(pl.col("__problem__").is_null()) if not bad.is_empty() else rows

    def _in_dollars(self, name: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Payments with their worth at the day's rate; those in an unknown currency or without a rate are rejected."""
        rows = rows.join(
            self.rates.select("currency", "usd_per_unit"), on="currency", how="left", maintain_order="left"
        )
        unknown = rows.filter(~pl.col("currency").is_in(currencies()))
        self._reject(
            "recharge",
            EtlRecharge,
            unknown,
            lambda row: (
                name,
                "unknown_currency",
                f"Row {row['row_number']}: {row['currency']!r} is no known currency; data/reference/l2m/currencies.csv "
                "lists them.",
            ),
        )
        known = rows.filter(pl.col("currency").is_in(currencies()))
        unrated = known.filter(pl.col("usd_per_unit").is_null())
        self._counts["recharge"].payments_without_rate += unrated.height
        self._reject(
            "recharge",
            EtlRecharge,
            unrated,
            lambda row: (
                name,
                "no_rate",
                f"Row {row['row_number']}: there is no rate of {row['currency']} for {self.ds}. Deliver it: "
                f"gamestats ingest l2m rates.csv --day {self.ds} (columns currency, usd_per_unit).",
            ),
        )
        dollars = pl.col("amount").cast(pl.Decimal(38, 12)) * pl.col("usd_per_unit").cast(pl.Decimal(38, 12))
        return known.filter(pl.col("usd_per_unit").is_not_null()).with_columns(dollars.alias("daily_rev_usd"))

    def _reject(
        self,
        log: str,
        table: type[Table],
        rows: pl.DataFrame,
        told: Callable[[Mapping[str, Any]], tuple[str, str, str]],
    ) -> None:
        """Enter rows as rejections, one by one up to a number of them."""
        self._counts[log].unreadable += rows.height
        entered = self.rejections[table]
        room = max(0, _TOLD_ROW_BY_ROW - len(entered))
        for row in rows.head(room).iter_rows(named=True):
            name, rule, reason = told(row)
            entered.append(Rejection(name, "row", rule, reason, 1, row["__content__"] or _plain(row)))
        if rows.height > room:
            name, rule, reason = told(rows.row(room, named=True))
            more = rows.height - room
            entered.append(Rejection(name, "row", rule, f"{more} more rows are like this one. {reason}", more))

    # ----------------------------------------------------------------- ThinkingData, and counts

    def _read_thinkingdata(self) -> None:
        from gamestats_assets.l2m.thinkingdata import read_logs

        read = read_logs([self._landing.read(file) for file in self._thinkingdata])
        self._told = read.frames

    def _log_counts(self) -> Iterator[pl.DataFrame]:
        """What became of each log's rows; it must be asked for when the rows have been gone through."""
        rows = [
            {"ds": self.ds, "log": log, **{name: value for name, value in vars(count).items()}}
            for log, count in sorted(self._counts.items())
            if count.files or count.rows_read
        ]
        yield pl.DataFrame(rows, schema=LogCounts.schema())


def _plain(row: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in row.items() if not key.startswith("__")}, default=str)


def decode_days(
    landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int
) -> Generator[DayOfLogs, None, None]:
    """One day after another: each batch is the landed files of one day.

    Args:
        workers: not looked at; DuckDB uses every core by itself.
    """
    for files in batches:
        with contextlib.ExitStack() as open_files:
            yield DayOfLogs(landing, files, open_files)
