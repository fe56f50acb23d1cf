"""Sheets of a workbook (.xlsx), of a .csv, or of a folder of .csv files, with every cell as text."""

from __future__ import annotations

import csv
import functools
import io
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path

from gamestats_assets.lakehouse.files.unpacking import LimitExceededError, ReadLimits, Watch

_CHUNK = 1024 * 1024
_CELL_BYTES = 64
# Position of a cell or a row in the XML of a sheet: r="AB12", r="12".
_CELL = re.compile(rb"""<(?:\w+:)?(?:c|row)\s[^<>]{0,200}?\br\s*=\s*["']([A-Z]{0,3})([0-9]{1,7})["']""")
_LONGEST_TAG = 256
_DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake or a doubt in a taxonomy, with its place.

    Attributes:
        sheet: name of the sheet; for a .csv without its ending; empty if the whole file is meant.
        row: row in a spreadsheet, from 1; 0 if the whole sheet is meant.
        column: header of the column as it is written; its expected name if it is missing.
        message: what was expected, what was found, what to do.
        letter: letter of the column in a spreadsheet; empty if the column is missing.
    """

    sheet: str
    row: int
    column: str
    message: str
    letter: str = ""

    def __str__(self) -> str:
        """Returns place and message in one line."""
        place = [f"sheet {self.sheet!r}"] if self.sheet else []
        place += [f"row {self.row}"] if self.row else []
        place += [f"column {self.column!r}" + (f" ({self.letter})" if self.letter else "")] if self.column else []
        return f"{', '.join(place)}: {self.message}" if place else self.message


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with its cells as text."""

    name: str
    rows: list[list[str]]
    dates: frozenset[tuple[int, int]] = frozenset()
    """Cells that hold a date: row from 1, column from 0."""


@dataclass(slots=True)
class Findings:
    """Mistakes and doubts, collected while reading."""

    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)


class _UnreadableError(Exception):
    """A file cannot be read at all."""


def read_sheets(path: Path, findings: Findings, limits: ReadLimits) -> list[Sheet]:
    """Returns the sheets of a workbook, a .csv or a folder of them; unreadable files become mistakes."""
    sheets: list[Sheet] = []
    try:
        files = _files(path)
    except _UnreadableError as error:
        findings.mistakes.append(Mistake("", 0, "", str(error)))
        return []
    for file in files:
        try:
            limits.refuse_size(file.stat().st_size)
            sheets += [_csv_sheet(file)] if file.suffix.lower() == ".csv" else _workbook(file, limits)
        except (LimitExceededError, OSError) as error:
            findings.mistakes.append(Mistake(file.stem, 0, "", f"the file cannot be read: {error}"))
        except _UnreadableError as error:
            findings.mistakes.append(Mistake(file.stem, 0, "", str(error)))
    return sheets


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.suffix.lower() == ".csv" and file.name[0] != "."]
        if not files:
            raise _UnreadableError(f"expected .csv files in the folder {path}, found none; add one for each sheet")
        return files
    if not path.is_file():
        raise _UnreadableError(f"expected a file or a folder, found nothing at {path}; correct the path")
    if path.suffix.lower() not in (".xlsx", ".xlsm", ".csv"):
        raise _UnreadableError(
            f"expected .xlsx, .csv or a folder of .csv, found {path.name!r}; save it as one of these"
        )
    return [path]


def _workbook(path: Path, limits: ReadLimits) -> list[Sheet]:
    from python_calamine import CalamineError, CalamineWorkbook

    sheets = []
    try:
        _refuse_endless(path, limits)
        with CalamineWorkbook.from_path(path) as workbook:
            for name in workbook.sheet_names:
                rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
                dates = {
                    (row, column)
                    for row, cells in enumerate(rows, start=1)
                    for column, cell in enumerate(cells)
                    if isinstance(cell, date | time | timedelta)
                }
                sheets.append(Sheet(name, [[_text(cell) for cell in cells] for cells in rows], frozenset(dates)))
    except (CalamineError, OSError, ValueError, *_DAMAGED_ZIP) as error:
        message = f"expected an Excel workbook, found what cannot be read as one ({error}); save it again as .xlsx"
        raise _UnreadableError(message) from error
    return sheets


def _refuse_endless(path: Path, limits: ReadLimits) -> None:
    """Raises `LimitExceededError` for a workbook that unpacks to too much, or has a value in too distant a cell.

    Reading takes memory for every cell up to the last one that the file names, and a few bytes can name any.
    """
    watch = Watch(limits)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            rows = columns = 0
            rest = b""
            with archive.open(member) as part:
                while chunk := part.read(_CHUNK):
                    watch.count(len(chunk))
                    text = rest + chunk
                    rest = text[-_LONGEST_TAG:]
                    for letters, row in _CELL.findall(text):
                        rows, columns = max(rows, int(row or 0)), max(columns, _column(letters))
            if rows * columns * _CELL_BYTES > limits.bytes:
                raise LimitExceededError(
                    f"{member.filename} has cells up to row {rows:,} and column {column_letter(columns - 1)}, "
                    f"{rows * columns:,} in all; up to {limits.bytes // _CELL_BYTES:,} are read "
                    "(GAMESTATS_LARGEST_FILE_MB). Delete the empty rows and columns."
                )


def _column(letters: bytes) -> int:
    """Returns the number of a column from 1: 27 for `AA`, 0 for nothing."""
    return functools.reduce(lambda number, letter: number * 26 + letter - ord("A") + 1, letters, 0)


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():  # workbooks have no whole numbers
        return str(int(cell))
    return str(cell)


def _csv_sheet(path: Path) -> Sheet:
    try:
        text = _decoded(path.read_bytes())
        delimiter = max(",\t;", key=text.partition("\n")[0].count)
        return Sheet(path.stem, list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    except (OSError, UnicodeError, csv.Error) as error:
        message = f"expected a .csv file in UTF-8, found what cannot be read ({error}); save it again as UTF-8"
        raise _UnreadableError(message) from error


def _decoded(content: bytes) -> str:
    """Returns the text of a file; spreadsheets in Korea save CP949, and UTF-16 as "Unicode text"."""
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return content.decode(encoding)
        except UnicodeError:
            continue
    return content.decode("utf-16")


def column_letter(column: int) -> str:
    """Returns the letter of a column counted from 0.

    >>> [column_letter(column) for column in (0, 25, 26, 701, 702)]
    ['A', 'Z', 'AA', 'ZZ', 'AAA']
    """
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
