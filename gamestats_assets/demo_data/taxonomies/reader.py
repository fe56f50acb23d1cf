"""Reads an event taxonomy from a workbook (.xlsx), from one .csv, or from a folder of .csv (one per sheet).

Sheets are recognised by their header row, in English or Korean, whatever their names and order:

- *events with property rows* (a tracking plan): event name, alias, description, tag, property name, alias, type,
  description. An event spans several rows, one per property; its own cells stand in the first, or in each.
- *events with property lists*: event_name, event_tag, description, properties (names, separated by commas). The
  properties are then defined once, in a property sheet: name, type, description, constraint, and where wanted scope
  (event, common, user; several may be given) and update (user_set, user_setOnce, user_add). Without a scope, what an
  event lists belongs to events, anything else to users. To list an object is to list what it holds, unless some of
  that is listed by name.
- *property sheets of a tracking plan*: with a column for how they are updated, the users'; else the common ones.

Other sheets (ids, notes) are passed over. `parent.child` is a property nested in an object or a list of objects.
"""

from __future__ import annotations

import csv
import difflib
import functools
import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path

from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy, UpdateMode
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    Counter,
    FromEvent,
    OneOf,
    OneOfEach,
    SharedCounter,
    ValueRule,
    ValueRuleError,
    parse_value_rule,
)
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.unpacking import LimitExceededError, ReadLimits, Watch

NAME = re.compile(r"[#a-zA-Z][a-zA-Z0-9_]{0,49}")
"""What an event or a property can be called; of a nested property, each part. Capitals make no difference."""

MOST_EVENTS = 500
MOST_EVENT_PROPERTIES = 1000
MOST_USER_PROPERTIES = 500
MOST_NESTED = 100
"""How many properties one object can hold."""

_CHUNK = 1024 * 1024
_CELL_BYTES = 64
# Where a cell or a row stands, in the XML of a sheet: r="AB12", r="12".
_CELL = re.compile(rb"""<(?:\w+:)?(?:c|row)\s[^<>]{0,200}?\br\s*=\s*["']([A-Z]{0,3})([0-9]{1,7})["']""")
_LONGEST_TAG = 256
_DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_HEADER_WITHIN = 20
"""Rows among which a header is looked for; titles and remarks may stand above it."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong, or doubtful, in a taxonomy, and where.

    Attributes:
        sheet: name of the sheet, of a .csv without its ending; empty when it is about the whole file.
        row: as a spreadsheet counts, from 1; 0 when it is about the whole sheet.
        column: header of the column as it is written; what it should be called when it is missing.
        message: what was expected, what was found, what to do.
        letter: of the column, as a spreadsheet names it; empty when it is missing.
    """

    sheet: str
    row: int
    column: str
    message: str
    letter: str = ""

    def __str__(self) -> str:
        """Place and message in one line."""
        place = [f"sheet {self.sheet!r}"] if self.sheet else []
        place += [f"row {self.row}"] if self.row else []
        place += [f"column {self.column!r}" + (f" ({self.letter})" if self.letter else "")] if self.column else []
        return f"{', '.join(place)}: {self.message}" if place else self.message


class TaxonomyError(GamestatsError):
    """A taxonomy cannot be used.

    Attributes:
        mistakes: all of them, in the order of the sheets.
    """

    def __init__(self, path: Path, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = list(mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"the taxonomy {path} has {count}:\n" + "\n".join(f"- {mistake}" for mistake in mistakes))


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of a taxonomy found.

    Attributes:
        taxonomy: None when there are mistakes.
        mistakes: what keeps it from being used, in the order of the sheets.
        warnings: what can be used, but looks doubtful.
    """

    taxonomy: Taxonomy | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


def read_taxonomy(path: Path, limits: ReadLimits | None = None) -> Taxonomy:
    """The taxonomy in an .xlsx file, a .csv file, or a folder of .csv files; named after the file or the folder.

    Raises:
        TaxonomyError: listing every mistake with its sheet, row and column.
    """
    report = check_taxonomy(path, limits)
    if report.taxonomy is None:
        raise TaxonomyError(path, report.mistakes)
    return report.taxonomy


def check_taxonomy(path: Path, limits: ReadLimits | None = None) -> Report:
    """Every mistake and every doubt in a taxonomy; a missing or unreadable file is a mistake, too.

    Args:
        limits: how large a file can be; a workbook also unpacked, and with a cell counted as 64 bytes, filled or not.
    """
    findings = _Findings()
    sheets = _sheets(path, findings, limits or ReadLimits())
    tables = [table for sheet in sheets if (table := _table(sheet, findings))]
    contents = _contents(tables, findings)
    if sheets and not contents.events:
        names = ", ".join(sheet.name for sheet in sheets)
        findings.mistakes.append(
            Mistake(
                "", 0, "", f"expected events, in a sheet with a column 'event_name', found none in: {names}; add it"
            )
        )
    _check_limits(contents, findings)
    _doubt(contents, findings)
    order = {sheet.name: number for number, sheet in enumerate(sheets)}

    def in_order(found: list[Mistake]) -> tuple[Mistake, ...]:
        def place(one: Mistake) -> tuple[int, int, int, str]:
            return order.get(one.sheet, -1), one.row, len(one.letter), one.letter

        return tuple(sorted(dict.fromkeys(found), key=place))

    name = path.resolve().name if path.is_dir() else path.stem
    taxonomy = None if findings.mistakes else _taxonomy(name, contents)
    return Report(taxonomy, in_order(findings.mistakes), in_order(findings.warnings))


# --------------------------------------------------------------------------- files and their cells


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    rows: list[list[str]]
    dates: frozenset[tuple[int, int]] = frozenset()
    """Cells that hold a date: row from 1, column from 0."""


@dataclass(slots=True)
class _Findings:
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)


class _UnreadableError(Exception):
    """What is wrong with a file as a whole."""


def _sheets(path: Path, findings: _Findings, limits: ReadLimits) -> list[_Sheet]:
    sheets: list[_Sheet] = []
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


def _workbook(path: Path, limits: ReadLimits) -> list[_Sheet]:
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
                sheets.append(_Sheet(name, [[_text(cell) for cell in cells] for cells in rows], frozenset(dates)))
    except (CalamineError, OSError, ValueError, *_DAMAGED_ZIP) as error:
        message = f"expected an Excel workbook, found what cannot be read as one ({error}); save it again as .xlsx"
        raise _UnreadableError(message) from error
    return sheets


def _refuse_endless(path: Path, limits: ReadLimits) -> None:
    """Raise `LimitExceededError` for a workbook that unpacks to too much, or has a value in a cell too far away.

    Reading one takes memory for every cell up to the last one that is told, and a few bytes can tell any.
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
                    f"{member.filename} has cells up to row {rows:,} and column {_letter(columns - 1)}, "
                    f"{rows * columns:,} in all; up to {limits.bytes // _CELL_BYTES:,} are read "
                    "(GAMESTATS_LARGEST_FILE_MB). Delete the rows and columns that hold nothing."
                )


def _column(letters: bytes) -> int:
    """Number of a column from 1: of `AA` 27, of nothing 0."""
    return functools.reduce(lambda number, letter: number * 26 + letter - ord("A") + 1, letters, 0)


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():  # a workbook knows no whole numbers
        return str(int(cell))
    return str(cell)


def _csv_sheet(path: Path) -> _Sheet:
    try:
        text = _decoded(path.read_bytes())
        delimiter = max(",\t;", key=text.partition("\n")[0].count)
        return _Sheet(path.stem, list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    except (OSError, UnicodeError, csv.Error) as error:
        message = f"expected a .csv file in UTF-8, found what cannot be read ({error}); save it again as UTF-8"
        raise _UnreadableError(message) from error


def _decoded(content: bytes) -> str:
    """Text of a file; spreadsheets in Korea save CP949, and UTF-16 as "Unicode text"."""
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return content.decode(encoding)
        except UnicodeError:
            continue
    return content.decode("utf-16")


# --------------------------------------------------------------------------- headers

_OF_PROPERTIES = {
    "name": "propertyname property 속성이름 속성명",
    "alias": "propertyalias propertydisplayname 속성별칭 속성표시명",
    "type": "propertytype type datatype 속성유형 속성타입 데이터유형 데이터타입 유형 타입",
    "description": "propertydescription propertydesc 속성설명",
    "constraint": "constraint constraints valuedescription values 제약 제약조건 값설명 값할당설명",
}
_OF_EVENTS = {
    "event": "eventname event 이벤트이름 이벤트명 이벤트",
    "event_alias": "eventalias eventdisplayname displayname alias 이벤트별칭 이벤트표시명 별칭",
    "event_description": "eventdescription eventdesc description desc 이벤트설명 설명",
    "event_tag": "eventtag eventtags tag tags 이벤트태그 태그",
    "properties": "properties propertylist eventproperties 속성 속성목록 이벤트속성",
}
_OF_DEFINITIONS = {
    "name": "name 이름 속성",
    "alias": "alias displayname 별칭",
    "description": "description desc 설명",
    "scope": "scope 범위 적용범위",
    "update": "update updatemode updatemethod updatetype 업데이트방식 업데이트",
}
_CALLED = {"event": "event_name", "name": "property name", "type": "type"}


def _field_by_spelling(*groups: dict[str, str]) -> dict[str, str]:
    return {spelling: name for group in groups for name, spellings in group.items() for spelling in spellings.split()}


_EVENT_SHEET = _field_by_spelling(_OF_PROPERTIES, _OF_EVENTS)
_PROPERTY_SHEET = _field_by_spelling(_OF_PROPERTIES, _OF_DEFINITIONS)
_PLAIN_NAMES = _OF_DEFINITIONS["name"].split()
_ID_SHEET = ("게임유형", "gametype")


def _spelling(header: str) -> str:
    return re.sub(r"[(（].*?[)）]|[\s_*-]", "", header, flags=re.DOTALL).lower()


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """A sheet whose header is understood."""

    sheet: _Sheet
    header: int
    """Row of the header, from 1."""
    columns: dict[str, int]

    def cell(self, row: int, name: str) -> str:
        """Text of a row's field as it was written; empty where there is nothing but blanks, or no such column."""
        cells = self.sheet.rows[row - 1]
        column = self.columns.get(name, len(cells))
        return cells[column] if column < len(cells) and cells[column].strip() else ""

    def any(self, row: int, names: Sequence[str]) -> bool:
        return any(self.cell(row, name) for name in names)

    def rows(self) -> range:
        return range(self.header + 1, len(self.sheet.rows) + 1)

    def at(self, row: int, name: str, message: str) -> Mistake:
        """A message about the cell of a row's field."""
        column = self.columns.get(name)
        if column is None:
            return Mistake(self.sheet.name, row, _CALLED.get(name, name), message)
        written = " ".join(self.sheet.rows[self.header - 1][column].split())
        return Mistake(self.sheet.name, row, written, message, _letter(column))


def _letter(column: int) -> str:
    """Letter of a column counted from 0.

    >>> [_letter(column) for column in (0, 25, 26, 701, 702)]
    ['A', 'Z', 'AA', 'ZZ', 'AAA']
    """
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _table(sheet: _Sheet, findings: _Findings) -> _Table | None:
    """The table of a sheet; None for a sheet that is passed over."""
    for row, cells in enumerate(sheet.rows[:_HEADER_WITHIN], start=1):
        spellings = [_spelling(cell) for cell in cells]
        of_events = any(_EVENT_SHEET.get(spelling) == "event" for spelling in spellings)
        known = _EVENT_SHEET if of_events else _PROPERTY_SHEET
        columns: dict[str, int] = {}
        unread = []
        for column, spelling in enumerate(spellings):
            if spelling in known and known[spelling] not in columns:
                columns[known[spelling]] = column
            elif spelling:
                unread.append(column)
        if len(columns) < 2 or not (of_events or "name" in columns):
            continue
        table = _Table(sheet, row, columns)
        if not of_events and "type" not in columns:
            if not set(spellings) & set(_ID_SHEET):
                findings.warnings.append(table.at(row, "type", "no such column was found; the sheet is passed over"))
            return None
        for column in unread:
            message = "no column of this name is known, or it is there twice; it is not read"
            findings.warnings.append(Mistake(sheet.name, row, cells[column].strip(), message, _letter(column)))
        return table
    return None


# --------------------------------------------------------------------------- rows


@dataclass(slots=True, eq=False)
class _PropertyRow:
    table: _Table
    row: int
    name: str
    """Dotted."""
    type: PropertyType | None
    """None when the cell is a mistake."""
    alias: str
    description: str
    constraint: str
    rule: ValueRule | None
    update: UpdateMode | None

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def parent(self) -> str:
        return self.key.rpartition(".")[0]

    @property
    def root(self) -> str:
        return self.key.partition(".")[0]

    def at(self, name: str, message: str) -> Mistake:
        return self.table.at(self.row, name, message)


@dataclass(slots=True, eq=False)
class _EventRow:
    table: _Table
    row: int
    name: str
    alias: str
    description: str
    tag: str
    properties: list[_PropertyRow] = field(default_factory=list)


@dataclass(slots=True)
class _Contents:
    events: list[_EventRow] = field(default_factory=list)
    common: list[_PropertyRow] = field(default_factory=list)
    users: list[_PropertyRow] = field(default_factory=list)

    def of_events(self) -> Iterator[_PropertyRow]:
        """Each row that defines a property of events, once; those of single events first."""
        rows = [row for event in self.events for row in event.properties] + self.common
        return iter(dict.fromkeys(rows))


_TYPES = {
    spelling: type_
    for type_, spellings in {
        PropertyType.NUMBER: "number num numeric int integer bigint long float double decimal 숫자",
        PropertyType.STRING: "string str text varchar char 문자열 문자 텍스트",
        PropertyType.BOOLEAN: "boolean bool 불리언 불린",
        PropertyType.TIME: "time date datetime timestamp 시간 날짜 일시",
        PropertyType.LIST: "list array array(string) list(string) array(number) string[] 리스트 배열",
        PropertyType.OBJECT: "object json jsonobject map struct variant 객체 오브젝트",
        PropertyType.OBJECT_GROUP: "objectgroup array(object) list(object) object[] jsonarray array(json) 객체그룹",
    }.items()
    for spelling in spellings.split()
}
_UPDATES = {mode.value.replace("_", "").removeprefix("user").lower(): mode for mode in UpdateMode}
_SCOPES = {
    spelling: scope
    for scope, spellings in {
        "event": "event events 이벤트",
        "common": "common 공통",
        "user": "user users 유저 사용자",
    }.items()
    for spelling in spellings.split()
}
_EVENT_FIELDS = tuple(_OF_EVENTS)
_PROPERTY_FIELDS = tuple(_OF_PROPERTIES)
_CHILD_BEARING = (PropertyType.OBJECT, PropertyType.OBJECT_GROUP)


def _check_name(table: _Table, row: int, column: str, name: str, parts: Sequence[str], findings: _Findings) -> None:
    if not all(NAME.fullmatch(part) for part in parts):
        expected = "a name of at most 50 Latin letters, digits and _, a letter or # first"
        findings.mistakes.append(table.at(row, column, f"expected {expected}, found {name!r}; rename it"))


def _event_rows(table: _Table, findings: _Findings) -> list[_EventRow]:
    if table.columns.keys() & {*_PROPERTY_FIELDS}:
        for name in ("name", "type"):
            if name not in table.columns:
                message = f"expected a column for each property's {name}, found none; add it"
                findings.mistakes.append(table.at(table.header, name, message))
    events: list[_EventRow] = []
    for row in table.rows():
        if table.any(row, _EVENT_FIELDS) and not (events and _continues(events[-1], table, row)):
            name = table.cell(row, "event").strip()
            if name:
                _check_name(table, row, "event", name, [name], findings)
                alias, description, tag = (table.cell(row, f"event_{part}") for part in ("alias", "description", "tag"))
                events.append(_EventRow(table, row, name, alias.strip(), description, tag.strip()))
            else:
                findings.mistakes.append(table.at(row, "event", "expected the event's name, found nothing; write it"))
        if not table.any(row, _PROPERTY_FIELDS) or "name" not in table.columns:
            continue
        found = _property_row(table, row, findings, reads_description=True)
        if not events:
            message = "expected an event's name above its first property, found nothing; write it"
            findings.mistakes.append(table.at(row, "event", message))
        elif found:
            events[-1].properties.append(found)
    return events


def _continues(event: _EventRow, table: _Table, row: int) -> bool:
    """Whether a row repeats the cells of its event, as exports do, and gives it one more property."""
    said = [table.cell(row, name).strip() for name in ("event", "event_alias", "event_description", "event_tag")]
    first = [event.name, event.alias, event.description.strip(), event.tag]
    repeats = said[0] == first[0] and all(text in ("", before) for text, before in zip(said, first, strict=True))
    return repeats and bool(table.cell(row, "name").strip())


def _property_row(table: _Table, row: int, findings: _Findings, *, reads_description: bool) -> _PropertyRow | None:
    name = table.cell(row, "name").strip()
    if not name:
        findings.mistakes.append(table.at(row, "name", "expected the property's name, found nothing; write it"))
        return None
    _check_name(table, row, "name", name, name.split("."), findings)
    type_ = _type(table, row, findings)
    found = _PropertyRow(
        table=table,
        row=row,
        name=name,
        type=type_,
        alias=table.cell(row, "alias").strip(),
        description=table.cell(row, "description"),
        constraint=table.cell(row, "constraint"),
        rule=None,
        update=_update(table, row, type_, findings),
    )
    found.rule = _rule(found, findings, reads_description=reads_description)
    return found


def _words(type_: PropertyType | None) -> str:
    return str(type_).replace("_", " ")


def _type(table: _Table, row: int, findings: _Findings) -> PropertyType | None:
    if "type" not in table.columns:
        return None
    written = table.cell(row, "type").strip()
    spelling = re.sub(r"[\s_-]", "", written).lower().replace("<", "(").replace(">", ")")
    if spelling not in _TYPES:
        names = ", ".join(map(_words, PropertyType))
        close = difflib.get_close_matches(spelling, _TYPES, n=1)
        hint = f"; was {close[0]!r} meant?" if close else "; write one of these"
        found = repr(written) if written else "nothing"
        findings.mistakes.append(table.at(row, "type", f"expected a type ({names}), found {found}{hint}"))
    return _TYPES.get(spelling)


def _update(table: _Table, row: int, type_: PropertyType | None, findings: _Findings) -> UpdateMode | None:
    written = table.cell(row, "update").strip()
    if not written:
        return None
    mode = _UPDATES.get(re.sub(r"[\s_-]", "", written).lower().removeprefix("user"))
    if mode is None:
        message = f"expected {', '.join(UpdateMode)}, found {written!r}; write one of these"
        findings.mistakes.append(table.at(row, "update", message))
    if mode is UpdateMode.ADD and type_ not in (PropertyType.NUMBER, None):
        message = f"expected a number to add to, found the type {_words(type_)}; change the type or write user_set"
        findings.mistakes.append(table.at(row, "update", message))
    return mode


def _rule(found: _PropertyRow, findings: _Findings, *, reads_description: bool) -> ValueRule | None:
    """The rule of a row: of its constraint, else of its description."""
    column = "constraint" if found.constraint or not reads_description else "description"
    text = getattr(found, column)
    if (found.row, found.table.columns.get(column)) in found.table.sheet.dates:
        message = f"the cell holds a date ({text}); if a range such as 1-12 was meant, write it as text"
        findings.warnings.append(found.at(column, message))
    # A description that repeats the name says nothing, also when it is one word, like a value.
    if found.type is None or text.strip().lower() in (found.alias.lower(), found.key):
        return None
    try:
        rule = parse_value_rule(text, found.type)
    except ValueRuleError as error:
        findings.mistakes.append(found.at(column, str(error)))
        return None
    if (
        rule is None
        and column == "constraint"
        and found.type is PropertyType.NUMBER
        and re.fullmatch(r"[^\d\s]+", text)
    ):
        message = f"expected limits such as 1-150, or numbers, found {text!r}; it is read as a mere text"
        findings.warnings.append(found.at(column, message))
    return rule


# --------------------------------------------------------------------------- the sheets together


def _contents(tables: list[_Table], findings: _Findings) -> _Contents:
    contents = _Contents()
    of_events = [table for table in tables if "event" in table.columns]
    for table in of_events:
        contents.events += _event_rows(table, findings)
    definitions: list[_PropertyRow] = []
    for table in tables:
        if table in of_events:
            continue
        defines = _defines(table, of_events)
        found = [
            row
            for number in table.rows()
            if table.any(number, tuple(_PROPERTY_SHEET.values()))
            and (row := _property_row(table, number, findings, reads_description=not defines))
        ]
        if defines:
            definitions += found
        elif "update" in table.columns:
            contents.users += found
        else:
            contents.common += found
            if re.search(r"user|유저|사용자", table.sheet.name, re.IGNORECASE):
                message = "no such column was found; the sheet is read as common properties of events, not of users"
                findings.warnings.append(table.at(table.header, "update", message))
    _check_repeated_events(contents.events, findings)
    for event in contents.events:
        event.properties = _sound(event.properties, findings)
    _add_defined(contents, definitions, findings)
    contents.common = _sound(contents.common, findings)
    contents.users = _sound(contents.users, findings)
    return contents


def _defines(table: _Table, of_events: list[_Table]) -> bool:
    """Whether a property sheet defines what event sheets list, and not the common or the users' properties."""
    if "scope" in table.columns or any("properties" in events.columns for events in of_events):
        return True
    header = table.sheet.rows[table.header - 1][table.columns["name"]]
    return _spelling(header) in _PLAIN_NAMES and not any("name" in events.columns for events in of_events)


def _check_repeated_events(events: list[_EventRow], findings: _Findings) -> None:
    first: dict[str, _EventRow] = {}
    for event in events:
        before = first.setdefault(event.name.lower(), event)
        if before is not event:
            message = f"expected each event once, found {event.name!r} again ({_place(before)}); remove or rename one"
            findings.mistakes.append(event.table.at(event.row, "event", message))


def _place(found: _EventRow | _PropertyRow) -> str:
    return f"it is {found.name!r} in sheet {found.table.sheet.name!r}, row {found.row}"


def _sound(rows: list[_PropertyRow], findings: _Findings) -> list[_PropertyRow]:
    """Rows, each name once; what is found twice, or nested in nothing, becomes a mistake."""
    first: dict[str, _PropertyRow] = {}
    held: dict[str, int] = {}
    for row in rows:
        before = first.setdefault(row.key, row)
        if before is not row:
            message = f"expected each property once, found {row.name!r} again ({_place(before)}); remove or rename one"
            findings.mistakes.append(row.at("name", message))
    for key, row in first.items():
        if not row.parent:
            continue
        parent = first.get(row.parent)
        if parent is None:
            message = f"expected a property {row.name.rpartition('.')[0]!r} that holds {row.name!r}, found none; add it"
            findings.mistakes.append(row.at("name", message))
        elif parent.type not in (*_CHILD_BEARING, None):
            message = f"expected {parent.name!r} (row {parent.row}) to be an object or an object group, for it holds "
            message += f"{row.name!r}; found the type {_words(parent.type)}; change it"
            findings.mistakes.append(row.at("name", message))
        held[row.parent] = held.get(row.parent, 0) + 1
        if held[row.parent] == MOST_NESTED + 1:
            message = f"expected at most {MOST_NESTED} properties in one object, found more; {key!r} is the next"
            findings.mistakes.append(row.at("name", f"{message}: remove some"))
    return list(first.values())


# --------------------------------------------------------------------------- properties that events list


def _add_defined(contents: _Contents, definitions: list[_PropertyRow], findings: _Findings) -> None:
    """Gives events the properties that they list, and sorts the others into common ones and users'."""
    listed = {
        event: names for event in contents.events if (names := _listed_names(event.table.cell(event.row, "properties")))
    }
    scopes = _scopes(
        definitions, {name.lower().partition(".")[0] for names in listed.values() for name in names}, findings
    )
    of_scope = {scope: [row for row in definitions if scope in scopes[row]] for scope in ("event", "common", "user")}
    contents.common += of_scope["common"]
    contents.users += of_scope["user"]
    for row in definitions:
        if row.update and "user" not in scopes[row]:
            findings.warnings.append(row.at("update", f"{row.name!r} is no property of users; this is not used"))
    known = {row.key: row for row in _sound(of_scope["event"], findings)}
    common, users = ({row.key for row in of_scope[scope]} for scope in ("common", "user"))
    for event, names in listed.items():
        chosen: dict[str, None] = {}
        for name in names:
            key = name.lower()
            problem = None
            if key in known:
                if key in chosen:
                    problem = f"expected each property once, found {name!r} again; remove it"
                chosen[key] = None
            elif key in common:
                message = f"{name!r} is a common property, which every event has; it need not be listed"
                findings.warnings.append(event.table.at(event.row, "properties", message))
            elif key in users:
                problem = f"expected a property of events, found {name!r}, whose scope is user; add event to its scope"
            else:
                problem = f"expected properties that a property sheet defines, found {name!r}; define or remove it"
            if problem:
                findings.mistakes.append(event.table.at(event.row, "properties", problem))
        own = {row.key for row in event.properties}
        event.properties += [row for row in _with_relatives(chosen, known) if row.key not in own]
    _doubt_unlisted(of_scope["event"], {name.lower() for names in listed.values() for name in names}, findings)


def _listed_names(cell: str) -> list[str]:
    return [name for part in re.split(r"[,;，、\n]", cell) if (name := part.strip())]


def _scopes(
    definitions: list[_PropertyRow], listed_roots: set[str], findings: _Findings
) -> dict[_PropertyRow, frozenset[str]]:
    """Scopes of each row; a nested one without any has its outermost parent's."""
    found: dict[_PropertyRow, frozenset[str]] = {}
    of_root: dict[str, frozenset[str]] = {}
    for row in sorted(definitions, key=lambda row: "." in row.name):
        words = re.split(r"[\s,+/;]+", row.table.cell(row.row, "scope").strip().lower())
        for word in words:
            if word and word not in _SCOPES:
                message = f"expected event, common, user or several of them, found {word!r}; write one of these"
                findings.mistakes.append(row.at("scope", message))
        said = frozenset(_SCOPES[word] for word in words if word in _SCOPES)
        implied = frozenset({"event" if row.root in listed_roots else "user"})
        found[row] = said or of_root.get(row.root, implied)
        if not row.parent:
            of_root[row.root] = of_root.get(row.root, frozenset()) | found[row]
    return found


def _with_relatives(chosen: Iterable[str], known: dict[str, _PropertyRow]) -> list[_PropertyRow]:
    """Rows of names, with the objects that hold them, and with what they hold where none of that is chosen."""
    holders = {key: _holders(key, known) for key in known}
    held: dict[str, list[str]] = {}
    for key, above in holders.items():
        for holder in above:
            held.setdefault(holder, []).append(key)
    with_chosen = {holder for key in chosen for holder in holders[key]}
    keys: dict[str, None] = {}
    for key in chosen:
        keys.update(dict.fromkeys((*holders[key], key)))
        if key not in with_chosen:
            keys.update(dict.fromkeys(held.get(key, ())))
    return [known[key] for key in keys]


def _holders(key: str, known: Collection[str]) -> list[str]:
    """The known objects that a property is nested in, the outermost first."""
    found: list[str] = []
    while key := key.rpartition(".")[0]:
        if key in known:
            found.append(key)
    return found[::-1]


def _doubt_unlisted(rows: list[_PropertyRow], listed: set[str], findings: _Findings) -> None:
    roots = {name.partition(".")[0] for name in listed}
    for row in rows:
        if not row.parent and row.key not in roots:
            findings.warnings.append(row.at("name", f"no event lists {row.name!r}, so none has it"))


# --------------------------------------------------------------------------- limits and doubts


def _check_limits(contents: _Contents, findings: _Findings) -> None:
    def check(rows: Sequence[_EventRow | _PropertyRow], column: str, most: int, what: str) -> None:
        first = {row.name.lower(): row for row in reversed(rows) if "." not in row.name}
        if len(first) > most:
            row = [row for row in rows if first.get(row.name.lower()) is row][most]
            message = f"expected at most {most:,} {what}, found {len(first):,}; {row.name!r} is the first too many"
            findings.mistakes.append(row.table.at(row.row, column, f"{message}: remove some"))

    check(contents.events, "event", MOST_EVENTS, "kinds of events")
    check(list(contents.of_events()), "name", MOST_EVENT_PROPERTIES, "properties of events")
    check(contents.users, "name", MOST_USER_PROPERTIES, "properties of users")


def _doubt(contents: _Contents, findings: _Findings) -> None:
    for event in contents.events:
        if not event.description:
            message = f"{event.name!r} has no description; its name alone tells when it is sent"
            findings.warnings.append(event.table.at(event.row, "event_description", message))
    for rows in (list(contents.of_events()), contents.users):
        _doubt_types(rows, findings)
        holders = {row.parent for row in rows}
        for row in rows:
            if row.type in _CHILD_BEARING and row.key not in holders:
                message = f"nothing is said about what {row.name!r} holds; add rows {row.name}.<name>"
                findings.warnings.append(row.at("name", message))
    _doubt_rules(contents, findings)


def _doubt_types(rows: list[_PropertyRow], findings: _Findings) -> None:
    first: dict[str, _PropertyRow] = {}
    for row in rows:
        before = first.setdefault(row.key, row)
        if row.type and before.type and row.type != before.type:
            message = f"the type is {_words(row.type)} here and {_words(before.type)} elsewhere ({_place(before)}); "
            message += "the one that is sent first stays, and other values are refused"
            findings.warnings.append(row.at("type", message))
        if row.name != before.name:
            message = f"{row.name!r} is the same property as another ({_place(before)}), for capitals do not count"
            findings.warnings.append(row.at("name", message))


def _doubt_rules(contents: _Contents, findings: _Findings) -> None:
    common = {row.key: row.type for row in contents.common}
    has = {
        event.name.lower(): {"#time": PropertyType.TIME} | common | {row.key: row.type for row in event.properties}
        for event in contents.events
    }
    started = {row.key for row in contents.of_events() if isinstance(row.rule, Counter)}

    def doubt(row: _PropertyRow, message: str) -> None:
        column = "constraint" if row.constraint else "description"
        findings.warnings.append(row.at(column, message))

    for event, rows, beside in _together(contents):
        for row in rows:
            rule = _decided(row, event, beside)
            if isinstance(rule, OneOfEach) and not rule.on:
                labels = ", ".join(label for label, _ in rule.values)
                message = f"the rule lists values for {labels}: none of them is {event!r}, and no property beside "
                doubt(row, f"{message}{row.name!r} lists two of them among its values; it is read as a mere text")
    for row in dict.fromkeys((*contents.of_events(), *contents.users)):
        if isinstance(row.rule, FromEvent):
            for message in _doubts_of_source(row.rule, row.type, has.get(row.rule.event.lower())):
                doubt(row, message)
        if isinstance(row.rule, SharedCounter) and row.key not in started:
            doubt(row, f"no event starts the count of {row.name!r}; one needs a rule such as 1|+1")
    for event in contents.events:
        for row in event.properties:
            if isinstance(row.rule, Balance | Counter):
                source = row.rule.source if isinstance(row.rule, Balance) else None
                for name in filter(None, (source, row.rule.group_by)):
                    if name.lower() not in has[event.name.lower()]:
                        doubt(row, f"the rule names {name!r}, which the event {event.name!r} does not have")


def _doubts_of_source(
    rule: FromEvent, type_: PropertyType | None, properties: dict[str, PropertyType | None] | None
) -> Iterator[str]:
    """Doubts about a rule of a property of a type, given the properties of the event that it names."""
    if properties is None:
        yield f"the rule names the event {rule.event!r}, which does not exist"
        return
    source = rule.property.lower()
    if source not in properties:
        if source[0] != "#":  # any event can have preset properties
            yield f"the rule names {rule.property!r}, which the event {rule.event!r} does not have"
    elif rule.aggregate not in ("cnt", "daycnt") and None is not type_ != properties[source] is not None:
        kinds = f"{_words(properties[source])}, not {_words(type_)}"
        yield f"the rule names {rule.property!r} of the event {rule.event!r}, whose type is {kinds}"


# --------------------------------------------------------------------------- what decides which values there are

_PRESETS = {"#os": ("Android", "iOS", "Windows", "macOS", "Linux")}
"""Properties that every event has whatever its sheet says, and their values."""


def _together(contents: _Contents) -> Iterator[tuple[str, list[_PropertyRow], list[_PropertyRow]]]:
    """Properties that stand together, and all that stand beside them: by event, the common ones, the users'."""
    for event in contents.events:
        yield event.name, event.properties, [*event.properties, *contents.common]
    yield "", contents.common, contents.common
    yield "", contents.users, contents.users


def _decided(row: _PropertyRow, event: str, beside: Sequence[_PropertyRow]) -> ValueRule | None:
    """A property's rule where it stands: of values by labels, those for its event, or by which property."""
    if not isinstance(row.rule, OneOfEach):
        return row.rule
    if values := dict(row.rule.values).get(event):
        return OneOf(values=values)
    listed = {other.name: set(map(str, other.rule.values)) for other in beside if isinstance(other.rule, OneOf)}
    told = [row.rule.of(on, labels) for on, labels in {**_PRESETS, **listed}.items() if on != row.name]
    best = max(told, key=lambda rule: len(rule.values))
    return best if len(best.values) > 1 else row.rule


# --------------------------------------------------------------------------- the result


def _taxonomy(name: str, contents: _Contents) -> Taxonomy:
    *of_events, common, users = (_properties(*together) for together in _together(contents))
    return Taxonomy(
        name=name,
        events=tuple(
            Event(name=event.name, alias=event.alias, description=event.description, tag=event.tag, properties=own)
            for event, own in zip(contents.events, of_events, strict=True)
        ),
        common_properties=common,
        user_properties=users,
    )


def _properties(
    event: str, rows: list[_PropertyRow], beside: Sequence[_PropertyRow], parent: str = ""
) -> tuple[Property, ...]:
    found = []
    for row in rows:
        if row.parent != parent:
            continue
        assert row.type
        found.append(
            Property(
                name=row.name.rpartition(".")[2],
                type=row.type,
                alias=row.alias,
                description=row.description,
                rule=_decided(row, event, beside),
                constraint=row.constraint,
                update=row.update,
                properties=_properties(event, rows, beside, row.key),
            )
        )
    return tuple(found)
