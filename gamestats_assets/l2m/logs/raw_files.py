"""Opens raw files of logs: Parquet, CSV and JSON lines, each as pieces that DuckDB reads.

A record of a text file is a line, whatever it contains: a stray quote or an invalid byte costs that line and no other.
Blank lines are skipped.
"""

from __future__ import annotations

import csv
import functools
import glob
import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import duckdb
import msgspec
import polars as pl
import pyarrow as pa
from isal import igzip, isal_zlib
from sqlglot import exp

from gamestats_assets.l2m.logs.columns import COLUMNS, FAULT, LINE, TEXT, RawColumn
from gamestats_assets.l2m.logs.deliveries import Format
from gamestats_assets.l2m.logs.values import filled

FAULTS: Mapping[str, str] = {
    "no_text": "it is not UTF-8",
    "long_line": "it is longer than 16 MB",
    "torn_line": "it has more or fewer fields than the header, or a quote that is not closed",
    "no_object": "it is not a JSON object",
}
"""Possible faults of a line, with their words."""
READ_ERRORS: tuple[type[Exception], ...] = (
    duckdb.Error,
    pa.ArrowException,
    OSError,
    EOFError,
    cast(type[Exception], isal_zlib.error),
)
"""Errors of reading a damaged file."""
_BLOCK_BYTES = 32 * 1024 * 1024
_LONGEST_LINE_BYTES = 16 * 1024 * 1024
# JSON lines that are searched for a file's keys.
_LOOKED_AT = 1_000
_BLANKS = " \t\r"
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_OF_LINES: Mapping[str, str] = {LINE: "BIGINT", TEXT: "VARCHAR", FAULT: "VARCHAR"}


@dataclass(frozen=True, slots=True)
class RawFile:
    """An opened file of a log.

    Attributes:
        names: its names of columns.
        types: DuckDB types of the readable columns. Text files also have `LINE`, the number of the line from 1, `TEXT`,
            the line, and `FAULT`, one of `FAULTS` if the line is not a record.
        pieces: its rows in order; can be gone through once.
        rows: counts them. For a text file it reads all of it, for a Parquet file only the footer.
    """

    names: Sequence[str]
    types: Mapping[str, str]
    pieces: Iterator[duckdb.DuckDBPyRelation]
    rows: Callable[[], int]


def open_file(
    con: duckdb.DuckDBPyConnection, path: Path, format: Format, log: str, names: Mapping[str, str]
) -> RawFile:
    """Opens a file of a log.

    Args:
        names: from the name here to the name in the file, if it differs.

    Raises:
        READ_ERRORS: when the file is damaged; going through its pieces may raise them as well.
    """
    if format == "parquet":
        return _parquet(con, path)
    columns = {names.get(column.name, column.name): column for column in COLUMNS[log]}
    return _csv(con, path, columns) if format == "csv" else _json_lines(con, path, columns)


def _parquet(con: duckdb.DuckDBPyConnection, path: Path) -> RawFile:
    # Some writers do not mark bytes as text; and folders called a=b must not add columns.
    rows = con.read_parquet(glob.escape(str(path)), binary_as_string=True, hive_partitioning=False)
    types = dict(zip(rows.columns, map(str, rows.types), strict=True))
    return RawFile([*types], types, iter([rows]), lambda: rows.count("*").fetchall()[0][0])


def _relation(con: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> duckdb.DuckDBPyRelation:
    return con.from_arrow(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))


# --------------------------------------------------------------------------- lines


def lines(path: Path) -> Iterator[pl.DataFrame]:
    """Yields the lines of a file, plain or gzipped, that are not blank, some megabytes at a time.

    Columns: LINE, the number from 1; TEXT; and FAULT, null if the line is text.
    """
    begun = 1
    with open(path, "rb") as raw:
        is_gzip = raw.read(2) == _GZIP
    with cast(IO[bytes], igzip.open(path, "rb") if is_gzip else open(path, "rb")) as file:
        for block in _blocks(file):
            found = _lines_of(block.removeprefix(_BOM) if begun == 1 else block)
            numbers = pl.int_range(begun, begun + found.height, dtype=pl.Int64).alias(LINE)
            begun += found.height
            yield found.select(numbers, TEXT, FAULT).filter(pl.col(TEXT).str.strip_chars(_BLANKS) != "")


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yields the bytes of a file, whole lines at a time; far too long lines may lack their end."""
    rest = b""
    while chunk := file.read(_BLOCK_BYTES):
        head, end, tail = chunk.rpartition(b"\n")
        if end:
            yield rest + head + end
            rest = tail
        elif len(rest) <= _LONGEST_LINE_BYTES:
            rest += chunk
    if rest:
        yield rest


def _lines_of(block: bytes) -> pl.DataFrame:
    """Returns TEXT and FAULT of every line, including blank ones."""
    try:
        texts = pl.read_lines(io.BytesIO(block), name=TEXT).with_columns(pl.lit(None, dtype=pl.String).alias(FAULT))
    except pl.exceptions.ComputeError:
        raw = [line.removesuffix(b"\r") for line in block.removesuffix(b"\n").split(b"\n")]
        faults = [None if _is_text(line) else "no_text" for line in raw]
        decoded = [line.decode(errors="replace") for line in raw]
        texts = pl.DataFrame({TEXT: decoded, FAULT: faults}, schema={TEXT: pl.String, FAULT: pl.String})
    is_long = pl.col(TEXT).str.len_bytes() > _LONGEST_LINE_BYTES
    return texts.with_columns(pl.when(is_long).then(pl.lit("long_line")).otherwise(FAULT).alias(FAULT))


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _counted(path: Path) -> int:
    return sum(frame.height for frame in lines(path))


def _begun(frames: Iterator[pl.DataFrame]) -> tuple[pl.DataFrame | None, Iterator[pl.DataFrame]]:
    """Returns the first frame with rows, and all frames from there on."""
    first = next((frame for frame in frames if not frame.is_empty()), None)
    return first, itertools.chain([] if first is None else [first], frames)


# --------------------------------------------------------------------------- CSV


def _csv(con: duckdb.DuckDBPyConnection, path: Path, columns: Mapping[str, RawColumn]) -> RawFile:
    first, frames = _begun(lines(path))
    # A file without a line cannot lack columns.
    header = [*columns] if first is None else _header(*first.row(0)[1:])
    places = {name: header.index(name) for name in columns if name in header}
    heading = None if first is None else first.item(0, LINE)
    pieces = (_relation(con, _divided(rows.filter(pl.col(LINE) != heading), len(header), places)) for rows in frames)
    types = {**_OF_LINES, **dict.fromkeys(places, "VARCHAR")}
    return RawFile(header, types, pieces, lambda: max(0, _counted(path) - 1))


def _header(line: str, fault: str | None) -> list[str]:
    return [name.strip() for name in _fields(line) or ()] if fault is None else []


def _fields(line: str) -> list[str] | None:
    """Returns the fields of a line of CSV; None if its quotes do not match."""
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return None


def _divided(rows: pl.DataFrame, fields: int, places: Mapping[str, int]) -> pl.DataFrame:
    """Returns lines of CSV with some fields as columns; a line that cannot be divided has a FAULT."""
    text = pl.col(TEXT)
    is_plain = (
        pl.col(FAULT).is_null()
        & ~text.str.contains('"', literal=True)
        & (text.str.count_matches(",", literal=True) == fields - 1)
    )
    parts = text.str.splitn(",", fields)
    plain = rows.filter(is_plain).with_columns(
        parts.struct.field(f"field_{place}").alias(name) for name, place in places.items()
    )
    if plain.height == rows.height:
        return plain
    # Lines with quotes, and torn ones, are mostly few, so they are divided one by one.
    others = rows.filter(~is_plain)
    found = [
        split if fault is None and (split := _fields(line)) is not None and len(split) == fields else None
        for _, line, fault in others.iter_rows()
    ]
    faults = [
        fault or (None if split is not None else "torn_line")
        for fault, split in zip(others.get_column(FAULT), found, strict=True)
    ]
    divided = others.with_columns(
        pl.Series(FAULT, faults, dtype=pl.String),
        *(
            pl.Series(name, [split[place] if split is not None else None for split in found], dtype=pl.String)
            for name, place in places.items()
        ),
    )
    return pl.concat([plain, divided]).sort(LINE)


# --------------------------------------------------------------------------- JSON lines


def _json_lines(con: duckdb.DuckDBPyConnection, path: Path, columns: Mapping[str, RawColumn]) -> RawFile:
    first, frames = _begun(lines(path))
    keys = [] if first is None else _keys(first)
    # A key may come late; but a required one that is missing in many lines has another name.
    wanted = {name: column for name, column in columns.items() if name in keys or not (keys and column.required)}
    pieces = (_extracted(_relation(con, rows), wanted) for rows in frames)
    types = {**_OF_LINES, **dict.fromkeys(wanted, "VARCHAR")}
    return RawFile(keys or [*columns], types, pieces, lambda: _counted(path))


def _keys(lines: pl.DataFrame) -> list[str]:
    found: dict[str, None] = {}
    for line in lines.head(_LOOKED_AT).get_column(TEXT):
        try:
            parsed: Any = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(parsed, dict):
            found |= dict.fromkeys(parsed)
    return [*found]


def _extracted(rows: duckdb.DuckDBPyRelation, wanted: Mapping[str, RawColumn]) -> duckdb.DuckDBPyRelation:
    """Returns JSON lines with the values of some keys as texts; a line that is not an object has a FAULT instead."""
    for selected in _extraction(tuple((name, column.type) for name, column in wanted.items())):
        rows = rows.project(selected)
    return rows


@functools.lru_cache(maxsize=64)
def _extraction(wanted: Sequence[tuple[str, str]]) -> list[str]:
    parts = {name: exp.column(name, quoted=True) for name in ("is_object", "extracted")}
    parts |= {"line": exp.column(TEXT, quoted=True), "fault": exp.column(FAULT, quoted=True)}
    pointers = exp.array(*(exp.Literal.string(_pointer(name)) for name, _ in wanted))
    is_object = "fault IS NULL AND CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
    expression = "CASE WHEN is_object THEN json_extract_string(line, pointers) END"
    fault = "CASE WHEN is_object THEN NULL ELSE coalesce(fault, 'no_object') END"
    values = [(_value(name, type, number, parts), name) for number, (name, type) in enumerate(wanted, 1)]
    columns = [
        (exp.column(LINE, quoted=True), LINE),
        (parts["line"], TEXT),
        (filled(fault, **parts), FAULT),
        *values,
    ]
    return [
        f"*, {_as(filled(is_object, **parts), 'is_object')}",
        f"*, {_as(filled(expression, pointers=pointers, **parts), 'extracted')}",
        ", ".join(_as(value, name) for value, name in columns),
    ]


def _value(name: str, type: str, number: int, parts: Mapping[str, exp.Expr]) -> exp.Expr:
    value = filled(f"extracted[{number}]", **parts)
    if not type.startswith("DECIMAL"):
        return value
    # DuckDB's JSON keeps 15 digits of a fraction; the line has them all.
    written = exp.Literal.string(rf'"{re.escape(name)}"\s*:\s*(-?[0-9][0-9.eE+-]*)')
    exact = (
        "CASE WHEN TRY_CAST(regexp_extract(line, written, 1) AS DOUBLE) = TRY_CAST(value AS DOUBLE) "
        "THEN regexp_extract(line, written, 1) ELSE value END"
    )
    return filled(exact, written=written, value=value, **parts)


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _as(value: exp.Expr, name: str) -> str:
    return exp.alias_(value, name, quoted=True).sql("duckdb")
