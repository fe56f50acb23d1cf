"""Writes frames for people and programs: as a table, CSV, JSON or Parquet."""

from __future__ import annotations

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gamestats_assets.cli.terminal import WIDEST, CarefulConsole, err, out, say, show
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import shown, shown_text, without_formulas

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 200
"""Rows shown of a table; the other formats give all."""


class OutputError(GamestatsError):
    """A result cannot be written where it was asked to go."""


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def format_for(chosen: Format | None, output: Path | None) -> Format:
    """The format asked for, else the one a file's name tells, else a table.

    Raises:
        OutputError: when a file's name tells a format that is none.
    """
    if chosen is not None:
        return chosen
    ending = output.suffix.removeprefix(".").lower() if output is not None else ""
    if ending not in ("", "txt", "csv", "json", "parquet"):
        raise OutputError(f"{output} names no format: end it in .csv, .json, .parquet or .txt, or add --format.")
    return Format(ending) if ending in ("csv", "json", "parquet") else Format.TABLE


def write_frame(frame: pl.DataFrame, form: Format, output: Path | None, *, harmless: bool | None = None) -> None:
    """Write a frame to a file, or to stdout.

    Args:
        harmless: whether texts of CSV that a spreadsheet would take for formulas get a ' before them; by default in a
            file, which people open, and not on stdout, which programs read.

    Raises:
        OutputError: when Parquet would go to a terminal, or the folder of the file does not exist.
    """
    if output is None and form is Format.PARQUET and sys.stdout.isatty():
        raise OutputError("Parquet is binary and would garble the terminal; add --output FILE, or pipe it somewhere.")
    if output is not None and not output.parent.is_dir():
        raise OutputError(f"Cannot write {output}: there is no folder {output.parent}.")
    if form is Format.TABLE and output is None:
        print_table(frame)
        return
    if form is Format.CSV and (output is not None if harmless is None else harmless):
        frame = without_formulas(frame)
    payload = _encoded(frame, form)
    if output is not None:
        output.write_bytes(payload)
        say(f"{frame.height:,} rows written to {output}", console=err())
        return
    if sys.stdout.isatty() and form is not Format.PARQUET:
        payload = shown_text(payload.decode()).encode()
    sys.stdout.flush()
    sys.stdout.buffer.write(payload)
    sys.stdout.buffer.flush()


def _encoded(frame: pl.DataFrame, form: Format) -> bytes:
    if form is Format.TABLE:
        text = io.StringIO()
        print_table(frame, CarefulConsole(file=text, highlight=False), most=frame.height)
        return text.getvalue().encode()
    if form is Format.JSON:
        return _with_json_numbers(_with_base64(frame)).write_json().encode() + b"\n"
    buffer = io.BytesIO()
    if form is Format.CSV:
        _without_nesting(_with_base64(frame)).write_csv(buffer)
    else:
        frame.write_parquet(buffer)
    return buffer.getvalue()


def _with_base64(frame: pl.DataFrame) -> pl.DataFrame:
    """Neither CSV nor JSON has binary values: they become Base64 texts."""
    from polars import selectors

    return frame.with_columns(selectors.binary().bin.encode("base64"))


def _with_json_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """Decimals (a sum of integers is one, to DuckDB) as JSON's own numbers instead of texts."""
    import polars as pl
    from polars import selectors

    def number(name: str) -> pl.Expr:
        whole = frame.schema[name].scale == 0 and (frame[name].abs().max() or 0) < 2**63  # type: ignore[attr-defined]
        return pl.col(name).cast(pl.Int64 if whole else pl.Float64)

    return frame.with_columns(number(name) for name in frame.select(selectors.decimal()).columns)


def _without_nesting(frame: pl.DataFrame) -> pl.DataFrame:
    """CSV has no lists or structs: they become JSON texts."""
    import json

    import polars as pl

    def as_json(value: object) -> str:
        return json.dumps(value.to_list() if isinstance(value, pl.Series) else value, default=str, ensure_ascii=False)

    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == pl.Object]
    return frame.with_columns(pl.col(name).map_elements(as_json, return_dtype=pl.String) for name in nested)


def print_table(frame: pl.DataFrame, console: Console | None = None, *, most: int = MOST_ROWS) -> None:
    """Print a frame; on a terminal too narrow for its columns, one line per value."""
    console = console or out()
    shown = frame.head(most)
    table = _rich_table(shown)
    width = Measurement.get(console, console.options.update(width=WIDEST), table).maximum
    if console.is_terminal and width > console.width and shown.width > _FEW_COLUMNS:
        _print_records(shown, console)
    else:
        show(table, console)
    rest = frame.height - shown.height
    if rest > 0:
        say(f"{rest:,} more rows; --format csv gives all {frame.height:,}.", "dim", console=console)


_FEW_COLUMNS = 6
"""So many columns are folded into a narrow terminal; more are printed value by value."""


def _rich_table(frame: pl.DataFrame) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, dtype in frame.schema.items():
        table.add_column(Text(name), justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(*(Text(_shown(value)) for value in row))
    return table


def _print_records(frame: pl.DataFrame, console: Console) -> None:
    longest = max(map(len, frame.columns), default=0)
    for number, row in enumerate(frame.iter_rows(), 1):
        say(f"row {number}", "bold", console=console)
        for name, value in zip(frame.columns, row, strict=True):
            say(f"  {name:<{longest}}  {_shown(value)}", console=console)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return shown(str(value))
