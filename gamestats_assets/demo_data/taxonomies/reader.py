"""Reads an event taxonomy from a workbook (.xlsx), from one .csv, or from a folder of .csv (one per sheet).

Sheets are recognised by their header row, in English or Korean, whatever their names and order:

- *events with property rows* (a tracking plan): event name, alias, description, tag, property name, alias, type,
  description. An event takes several rows, one per property; its own cells are in the first row, or in each.
- *events with property lists*: event_name, event_tag, description, properties (names, separated by commas). The
  properties are then defined once, in a property sheet: name, type, description, constraint, and optionally scope
  (event, common, user; several may be given) and update (user_set, user_setOnce, user_add). Without a scope, a
  property belongs to events if an event lists it, else to users. Listing an object lists its parts, unless some of
  them are listed by name.
- *property sheets of a tracking plan*: with a column for the kind of update, of users; otherwise common.

Other sheets (ids, notes) are skipped. `parent.child` is a property nested in an object or a list of objects.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gamestats_assets.apis.thinkingdata import OBJECT_KEYS
from gamestats_assets.demo_data.taxonomies.doubts import check_limits, decided_rule, note_doubts, together
from gamestats_assets.demo_data.taxonomies.model import Event, Property, Taxonomy
from gamestats_assets.demo_data.taxonomies.rows import (
    CHILD_BEARING,
    PLAIN_NAMES,
    PROPERTY_SHEET,
    SCOPES,
    Contents,
    EventRow,
    PropertyRow,
    Table,
    event_rows,
    headed_table,
    place_of,
    property_row,
    spelling_of,
    type_words,
)
from gamestats_assets.demo_data.taxonomies.sheets import Findings, Mistake, read_sheets
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.unpacking import ReadLimits


class TaxonomyError(GamestatsError):
    """A taxonomy cannot be used.

    Attributes:
        mistakes: all mistakes, in the order of the sheets.
    """

    def __init__(self, path: Path, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = list(mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"the taxonomy {path} has {count}:\n" + "\n".join(f"- {mistake}" for mistake in mistakes))


@dataclass(frozen=True, slots=True)
class Report:
    """The result of checking a taxonomy.

    Attributes:
        taxonomy: None when there are mistakes.
        mistakes: what prevents its use, in the order of the sheets.
        warnings: what is usable, but looks doubtful.
    """

    taxonomy: Taxonomy | None
    mistakes: tuple[Mistake, ...]
    warnings: tuple[Mistake, ...]


def read_taxonomy(path: Path, limits: ReadLimits | None = None) -> Taxonomy:
    """Reads the taxonomy in an .xlsx file, a .csv file, or a folder of .csv files; named after the file or the folder.

    Raises:
        TaxonomyError: when there are mistakes; lists them with sheet, row and column.
    """
    report = check_taxonomy(path, limits)
    if report.taxonomy is None:
        raise TaxonomyError(path, report.mistakes)
    return report.taxonomy


def check_taxonomy(path: Path, limits: ReadLimits | None = None) -> Report:
    """Returns all mistakes and doubts in a taxonomy; a missing or unreadable file is a mistake, too.

    Args:
        limits: largest file; for a workbook also unpacked, with 64 bytes per cell, empty or not.
    """
    findings = Findings()
    sheets = read_sheets(path, findings, limits or ReadLimits())
    tables = [table for sheet in sheets if (table := headed_table(sheet, findings))]
    contents = _contents(tables, findings)
    if sheets and not contents.events:
        names = ", ".join(sheet.name for sheet in sheets)
        findings.mistakes.append(
            Mistake(
                "", 0, "", f"expected events, in a sheet with a column 'event_name', found none in: {names}; add it"
            )
        )
    check_limits(contents, findings)
    note_doubts(contents, findings)
    order = {sheet.name: number for number, sheet in enumerate(sheets)}

    def in_order(found: list[Mistake]) -> tuple[Mistake, ...]:
        def place(one: Mistake) -> tuple[int, int, int, str]:
            return order.get(one.sheet, -1), one.row, len(one.letter), one.letter

        return tuple(sorted(dict.fromkeys(found), key=place))

    name = path.resolve().name if path.is_dir() else path.stem
    taxonomy = None if findings.mistakes else _taxonomy(name, contents)
    return Report(taxonomy, in_order(findings.mistakes), in_order(findings.warnings))


# --------------------------------------------------------------------------- the sheets together


def _contents(tables: list[Table], findings: Findings) -> Contents:
    contents = Contents()
    of_events = [table for table in tables if "event" in table.columns]
    for table in of_events:
        contents.events += event_rows(table, findings)
    definitions: list[PropertyRow] = []
    for table in tables:
        if table in of_events:
            continue
        defines = _defines(table, of_events)
        found = [
            row
            for number in table.rows()
            if table.any(number, tuple(PROPERTY_SHEET.values()))
            and (row := property_row(table, number, findings, reads_description=not defines))
        ]
        if defines:
            definitions += found
        elif "update" in table.columns:
            contents.users += found
        else:
            contents.common += found
            if re.search(r"user|유저|사용자", table.sheet.name, re.IGNORECASE):
                message = "this column is missing; the sheet is read as common properties of events, not of users"
                findings.warnings.append(table.at(table.header, "update", message))
    _check_repeated_events(contents.events, findings)
    for event in contents.events:
        event.properties = _sound(event.properties, findings)
    _add_defined(contents, definitions, findings)
    contents.common = _sound(contents.common, findings)
    contents.users = _sound(contents.users, findings)
    return contents


def _defines(table: Table, of_events: list[Table]) -> bool:
    """Whether a property sheet defines the properties that event sheets list, rather than common or user properties."""
    if "scope" in table.columns or any("properties" in events.columns for events in of_events):
        return True
    header = table.sheet.rows[table.header - 1][table.columns["name"]]
    return spelling_of(header) in PLAIN_NAMES and not any("name" in events.columns for events in of_events)


def _check_repeated_events(events: list[EventRow], findings: Findings) -> None:
    first: dict[str, EventRow] = {}
    for event in events:
        before = first.setdefault(event.name.lower(), event)
        if before is not event:
            message = f"expected each event once, found {event.name!r} again ({place_of(before)}); remove or rename one"
            findings.mistakes.append(event.table.at(event.row, "event", message))


def _sound(rows: list[PropertyRow], findings: Findings) -> list[PropertyRow]:
    """Returns rows, each name once; repeated names, and names nested in nothing, become mistakes."""
    first: dict[str, PropertyRow] = {}
    held: dict[str, int] = {}
    for row in rows:
        before = first.setdefault(row.key, row)
        if before is not row:
            message = (
                f"expected each property once, found {row.name!r} again ({place_of(before)}); remove or rename one"
            )
            findings.mistakes.append(row.at("name", message))
    for key, row in first.items():
        if not row.parent:
            continue
        parent = first.get(row.parent)
        if parent is None:
            message = f"expected a property {row.name.rpartition('.')[0]!r} that holds {row.name!r}, found none; add it"
            findings.mistakes.append(row.at("name", message))
        elif parent.type not in (*CHILD_BEARING, None):
            message = f"expected {parent.name!r} (row {parent.row}) to be an object or an object group, because it has "
            message += f"{row.name!r}; found the type {type_words(parent.type)}; change it"
            findings.mistakes.append(row.at("name", message))
        held[row.parent] = held.get(row.parent, 0) + 1
        if held[row.parent] == OBJECT_KEYS + 1:
            message = f"expected at most {OBJECT_KEYS} properties in one object, found more; {key!r} is the next"
            findings.mistakes.append(row.at("name", f"{message}: remove some"))
    return list(first.values())


# --------------------------------------------------------------------------- properties that events list


def _add_defined(contents: Contents, definitions: list[PropertyRow], findings: Findings) -> None:
    """Gives events the properties that they list, and sorts the others into common and user properties."""
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
            findings.warnings.append(row.at("update", f"{row.name!r} is not a property of users; this is ignored"))
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
                message = f"{name!r} is a common property, which every event has; listing it is unnecessary"
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
    definitions: list[PropertyRow], listed_roots: set[str], findings: Findings
) -> dict[PropertyRow, frozenset[str]]:
    """Returns the scopes of each row; a nested row without scopes has those of its outermost parent."""
    found: dict[PropertyRow, frozenset[str]] = {}
    of_root: dict[str, frozenset[str]] = {}
    for row in sorted(definitions, key=lambda row: "." in row.name):
        words = re.split(r"[\s,+/;]+", row.table.cell(row.row, "scope").strip().lower())
        for word in words:
            if word and word not in SCOPES:
                message = f"expected event, common, user or several of them, found {word!r}; write one of these"
                findings.mistakes.append(row.at("scope", message))
        given = frozenset(SCOPES[word] for word in words if word in SCOPES)
        implied = frozenset({"event" if row.root in listed_roots else "user"})
        found[row] = given or of_root.get(row.root, implied)
        if not row.parent:
            of_root[row.root] = of_root.get(row.root, frozenset()) | found[row]
    return found


def _with_relatives(chosen: Iterable[str], known: dict[str, PropertyRow]) -> list[PropertyRow]:
    """Returns the rows of names, with the objects that hold them, and with all their parts if none is chosen."""
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
    """Returns the known objects in which a property is nested, the outermost first."""
    found: list[str] = []
    while key := key.rpartition(".")[0]:
        if key in known:
            found.append(key)
    return found[::-1]


def _doubt_unlisted(rows: list[PropertyRow], listed: set[str], findings: Findings) -> None:
    roots = {name.partition(".")[0] for name in listed}
    for row in rows:
        if not row.parent and row.key not in roots:
            findings.warnings.append(row.at("name", f"no event lists {row.name!r}, so no event has it"))


# --------------------------------------------------------------------------- the result


def _taxonomy(name: str, contents: Contents) -> Taxonomy:
    *of_events, common, users = (_properties(*together) for together in together(contents))
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
    event: str, rows: list[PropertyRow], beside: Sequence[PropertyRow], parent: str = ""
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
                rule=decided_rule(row, event, beside),
                constraint=row.constraint,
                update=row.update,
                properties=_properties(event, rows, beside, row.key),
            )
        )
    return tuple(found)
