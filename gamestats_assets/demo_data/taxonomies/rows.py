"""Rows of a taxonomy's sheets: the columns of a sheet, and the event or property of each row.

The spellings of columns, types and scopes are in `sheet_words.toml`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gamestats_assets.apis.thinkingdata import NAME
from gamestats_assets.demo_data.reference import facts
from gamestats_assets.demo_data.taxonomies.model import PropertyType, UpdateMode
from gamestats_assets.demo_data.taxonomies.sheets import Findings, Mistake, Sheet, column_letter
from gamestats_assets.demo_data.taxonomies.value_rules import ValueRule, ValueRuleError, parse_value_rule

_HEADER_WITHIN = 20
"""Number of first rows in which a header is looked for; titles and remarks may come above it."""

# --------------------------------------------------------------------------- headers

_WORDS: dict[str, dict[str, str]] = facts("sheet_words")
_CALLED = {"event": "event_name", "name": "property name", "type": "type"}


def _field_by_spelling(*groups: str) -> dict[str, str]:
    return {
        spelling: name
        for group in groups
        for name, spellings in _WORDS[group].items()
        for spelling in spellings.split()
    }


_EVENT_SHEET = _field_by_spelling("properties", "events")
PROPERTY_SHEET = _field_by_spelling("properties", "definitions")
PLAIN_NAMES = _WORDS["definitions"]["name"].split()
_ID_SHEET = _WORDS["passed_over"]["ids"].split()


def spelling_of(header: str) -> str:
    """Returns a header without differences that do not matter."""
    return re.sub(r"[(（].*?[)）]|[\s_*-]", "", header, flags=re.DOTALL).lower()


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A sheet with a recognised header."""

    sheet: Sheet
    header: int
    """Row of the header, from 1."""
    columns: dict[str, int]

    def cell(self, row: int, name: str) -> str:
        """Returns the text of a row's field as it was written; empty if it is blank or the column is missing."""
        cells = self.sheet.rows[row - 1]
        column = self.columns.get(name, len(cells))
        return cells[column] if column < len(cells) and cells[column].strip() else ""

    def any(self, row: int, names: Sequence[str]) -> bool:
        """Whether any of these fields of a row is filled."""
        return any(self.cell(row, name) for name in names)

    def rows(self) -> range:
        """Returns the rows below the header."""
        return range(self.header + 1, len(self.sheet.rows) + 1)

    def at(self, row: int, name: str, message: str) -> Mistake:
        """Returns a message about the cell of a row's field."""
        column = self.columns.get(name)
        if column is None:
            return Mistake(self.sheet.name, row, _CALLED.get(name, name), message)
        written = " ".join(self.sheet.rows[self.header - 1][column].split())
        return Mistake(self.sheet.name, row, written, message, column_letter(column))


def headed_table(sheet: Sheet, findings: Findings) -> Table | None:
    """Returns the table of a sheet; None if the sheet is skipped."""
    for row, cells in enumerate(sheet.rows[:_HEADER_WITHIN], start=1):
        spellings = [spelling_of(cell) for cell in cells]
        of_events = any(_EVENT_SHEET.get(spelling) == "event" for spelling in spellings)
        known = _EVENT_SHEET if of_events else PROPERTY_SHEET
        columns: dict[str, int] = {}
        unread = []
        for column, spelling in enumerate(spellings):
            if spelling in known and known[spelling] not in columns:
                columns[known[spelling]] = column
            elif spelling:
                unread.append(column)
        if len(columns) < 2 or not (of_events or "name" in columns):
            continue
        table = Table(sheet, row, columns)
        if not of_events and "type" not in columns:
            if not set(spellings) & set(_ID_SHEET):
                findings.warnings.append(table.at(row, "type", "this column is missing; the sheet is skipped"))
            return None
        for column in unread:
            message = "this column is unknown, or occurs twice; it is not read"
            findings.warnings.append(Mistake(sheet.name, row, cells[column].strip(), message, column_letter(column)))
        return table
    return None


# --------------------------------------------------------------------------- rows of events and properties


@dataclass(slots=True, eq=False)
class PropertyRow:
    """A row that defines a property."""

    table: Table
    row: int
    name: str
    """Dotted name."""
    type: PropertyType | None
    """None if the cell is a mistake."""
    alias: str
    description: str
    constraint: str
    rule: ValueRule | None
    update: UpdateMode | None

    @property
    def key(self) -> str:
        """The name in small letters, because case does not matter."""
        return self.name.lower()

    @property
    def parent(self) -> str:
        """Key of the object that it is nested in; empty if there is none."""
        return self.key.rpartition(".")[0]

    @property
    def root(self) -> str:
        """Key of the outermost object, or its own."""
        return self.key.partition(".")[0]

    def at(self, name: str, message: str) -> Mistake:
        """Returns a message about the cell of a field."""
        return self.table.at(self.row, name, message)


@dataclass(slots=True, eq=False)
class EventRow:
    """The first row of an event, with all of its properties."""

    table: Table
    row: int
    name: str
    alias: str
    description: str
    tag: str
    properties: list[PropertyRow] = field(default_factory=list)


@dataclass(slots=True)
class Contents:
    """The contents of all sheets."""

    events: list[EventRow] = field(default_factory=list)
    common: list[PropertyRow] = field(default_factory=list)
    users: list[PropertyRow] = field(default_factory=list)

    def of_events(self) -> Iterator[PropertyRow]:
        """Yields each row that defines a property of events, once; those of single events first."""
        rows = [row for event in self.events for row in event.properties] + self.common
        return iter(dict.fromkeys(rows))


_TYPES = {spelling: PropertyType(name) for spelling, name in _field_by_spelling("types").items()}
_UPDATES = {mode.value.replace("_", "").removeprefix("user").lower(): mode for mode in UpdateMode}
SCOPES = _field_by_spelling("scopes")
"""Scope of a property by its spelling."""
_EVENT_FIELDS = tuple(_WORDS["events"])
_PROPERTY_FIELDS = tuple(_WORDS["properties"])
CHILD_BEARING = (PropertyType.OBJECT, PropertyType.OBJECT_GROUP)


def _check_name(table: Table, row: int, column: str, name: str, parts: Sequence[str], findings: Findings) -> None:
    if not all(NAME.fullmatch(part) for part in parts):
        expected = "a name of at most 50 Latin letters, digits and _, a letter or # first"
        findings.mistakes.append(table.at(row, column, f"expected {expected}, found {name!r}; rename it"))


def event_rows(table: Table, findings: Findings) -> list[EventRow]:
    """Returns the events of a sheet, with the properties beside them."""
    if table.columns.keys() & {*_PROPERTY_FIELDS}:
        for name in ("name", "type"):
            if name not in table.columns:
                message = f"expected a column for each property's {name}, found none; add it"
                findings.mistakes.append(table.at(table.header, name, message))
    events: list[EventRow] = []
    for row in table.rows():
        if table.any(row, _EVENT_FIELDS) and not (events and _continues(events[-1], table, row)):
            name = table.cell(row, "event").strip()
            if name:
                _check_name(table, row, "event", name, [name], findings)
                alias, description, tag = (table.cell(row, f"event_{part}") for part in ("alias", "description", "tag"))
                events.append(EventRow(table, row, name, alias.strip(), description, tag.strip()))
            else:
                findings.mistakes.append(table.at(row, "event", "expected the event's name, found nothing; write it"))
        if not table.any(row, _PROPERTY_FIELDS) or "name" not in table.columns:
            continue
        found = property_row(table, row, findings, reads_description=True)
        if not events:
            message = "expected an event's name above its first property, found nothing; write it"
            findings.mistakes.append(table.at(row, "event", message))
        elif found:
            events[-1].properties.append(found)
    return events


def _continues(event: EventRow, table: Table, row: int) -> bool:
    """Whether a row repeats the cells of its event, as exports do, and adds a property."""
    cells = [table.cell(row, name).strip() for name in ("event", "event_alias", "event_description", "event_tag")]
    first = [event.name, event.alias, event.description.strip(), event.tag]
    repeats = cells[0] == first[0] and all(text in ("", before) for text, before in zip(cells, first, strict=True))
    return repeats and bool(table.cell(row, "name").strip())


def property_row(table: Table, row: int, findings: Findings, *, reads_description: bool) -> PropertyRow | None:
    """Returns the property of a row; None if it has no name."""
    name = table.cell(row, "name").strip()
    if not name:
        findings.mistakes.append(table.at(row, "name", "expected the property's name, found nothing; write it"))
        return None
    _check_name(table, row, "name", name, name.split("."), findings)
    type_ = _type(table, row, findings)
    found = PropertyRow(
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


def type_words(type_: PropertyType | None) -> str:
    """Returns a type as people write it."""
    return str(type_).replace("_", " ")


def _type(table: Table, row: int, findings: Findings) -> PropertyType | None:
    if "type" not in table.columns:
        return None
    written = table.cell(row, "type").strip()
    spelling = re.sub(r"[\s_-]", "", written).lower().replace("<", "(").replace(">", ")")
    if spelling not in _TYPES:
        names = ", ".join(map(type_words, PropertyType))
        close = difflib.get_close_matches(spelling, _TYPES, n=1)
        hint = f"; was {close[0]!r} meant?" if close else "; write one of these"
        found = repr(written) if written else "nothing"
        findings.mistakes.append(table.at(row, "type", f"expected a type ({names}), found {found}{hint}"))
    return _TYPES.get(spelling)


def _update(table: Table, row: int, type_: PropertyType | None, findings: Findings) -> UpdateMode | None:
    written = table.cell(row, "update").strip()
    if not written:
        return None
    mode = _UPDATES.get(re.sub(r"[\s_-]", "", written).lower().removeprefix("user"))
    if mode is None:
        message = f"expected {', '.join(UpdateMode)}, found {written!r}; write one of these"
        findings.mistakes.append(table.at(row, "update", message))
    if mode is UpdateMode.ADD and type_ not in (PropertyType.NUMBER, None):
        message = f"expected a number to add to, found the type {type_words(type_)}; change the type or write user_set"
        findings.mistakes.append(table.at(row, "update", message))
    return mode


def _rule(found: PropertyRow, findings: Findings, *, reads_description: bool) -> ValueRule | None:
    """Returns the rule of a row: of its constraint, else of its description."""
    column = "constraint" if found.constraint or not reads_description else "description"
    text = getattr(found, column)
    if (found.row, found.table.columns.get(column)) in found.table.sheet.dates:
        message = f"the cell holds a date ({text}); if a range such as 1-12 was meant, write it as text"
        findings.warnings.append(found.at(column, message))
    # A description that repeats the name adds nothing, even if it is one word and looks like a value.
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
        message = f"expected limits such as 1-150, or numbers, found {text!r}; it is read as plain text"
        findings.warnings.append(found.at(column, message))
    return rule


def place_of(found: EventRow | PropertyRow) -> str:
    """Returns where else a name occurs, for messages."""
    return f"it is {found.name!r} in sheet {found.table.sheet.name!r}, row {found.row}"
