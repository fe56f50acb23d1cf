"""Finds what is too much in a taxonomy, or doubtful, once all sheets are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gamestats_assets.apis.thinkingdata import MOST_EVENT_PROPERTIES, MOST_EVENTS, MOST_USER_PROPERTIES
from gamestats_assets.demo_data.taxonomies.model import PropertyType
from gamestats_assets.demo_data.taxonomies.rows import (
    CHILD_BEARING,
    Contents,
    EventRow,
    PropertyRow,
    place_of,
    type_words,
)
from gamestats_assets.demo_data.taxonomies.sheets import Findings
from gamestats_assets.demo_data.taxonomies.value_rules import (
    Balance,
    Counter,
    FromEvent,
    OneOf,
    OneOfEach,
    SharedCounter,
    ValueRule,
)


def check_limits(contents: Contents, findings: Findings) -> None:
    """Notes what exceeds the limits of a project."""

    def check(rows: Sequence[EventRow | PropertyRow], column: str, most: int, what: str) -> None:
        first = {row.name.lower(): row for row in reversed(rows) if "." not in row.name}
        if len(first) > most:
            row = [row for row in rows if first.get(row.name.lower()) is row][most]
            message = f"expected at most {most:,} {what}, found {len(first):,}; {row.name!r} is the first too many"
            findings.mistakes.append(row.table.at(row.row, column, f"{message}: remove some"))

    check(contents.events, "event", MOST_EVENTS, "kinds of events")
    check(list(contents.of_events()), "name", MOST_EVENT_PROPERTIES, "properties of events")
    check(contents.users, "name", MOST_USER_PROPERTIES, "properties of users")


def note_doubts(contents: Contents, findings: Findings) -> None:
    """Notes what is usable, but looks doubtful."""
    for event in contents.events:
        if not event.description:
            message = f"{event.name!r} has no description; only its name says when it is sent"
            findings.warnings.append(event.table.at(event.row, "event_description", message))
    for rows in (list(contents.of_events()), contents.users):
        _doubt_types(rows, findings)
        holders = {row.parent for row in rows}
        for row in rows:
            if row.type in CHILD_BEARING and row.key not in holders:
                message = f"the parts of {row.name!r} are not declared; add rows {row.name}.<name>"
                findings.warnings.append(row.at("name", message))
    _doubt_rules(contents, findings)


def _doubt_types(rows: list[PropertyRow], findings: Findings) -> None:
    first: dict[str, PropertyRow] = {}
    for row in rows:
        before = first.setdefault(row.key, row)
        if row.type and before.type and row.type != before.type:
            message = f"the type is {type_words(row.type)} here and {type_words(before.type)} elsewhere "
            message += f"({place_of(before)}); the type that is sent first stays, and other values are refused"
            findings.warnings.append(row.at("type", message))
        if row.name != before.name:
            message = f"{row.name!r} is the same property as another ({place_of(before)}): case does not matter"
            findings.warnings.append(row.at("name", message))


def _doubt_rules(contents: Contents, findings: Findings) -> None:
    common = {row.key: row.type for row in contents.common}
    has = {
        event.name.lower(): {"#time": PropertyType.TIME} | common | {row.key: row.type for row in event.properties}
        for event in contents.events
    }
    started = {row.key for row in contents.of_events() if isinstance(row.rule, Counter)}

    def doubt(row: PropertyRow, message: str) -> None:
        column = "constraint" if row.constraint else "description"
        findings.warnings.append(row.at(column, message))

    for event, rows, beside in together(contents):
        for row in rows:
            rule = decided_rule(row, event, beside)
            if isinstance(rule, OneOfEach) and not rule.on:
                labels = ", ".join(label for label, _ in rule.values)
                message = f"the rule lists values for {labels}: none of them is {event!r}, and no property beside "
                doubt(row, f"{message}{row.name!r} lists two of them among its values; it is read as plain text")
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
    """Yields doubts about a rule, given the type of its property and the properties of the event that it names."""
    if properties is None:
        yield f"the rule names the event {rule.event!r}, which does not exist"
        return
    source = rule.property.lower()
    if source not in properties:
        if source[0] != "#":  # any event can have preset properties
            yield f"the rule names {rule.property!r}, which the event {rule.event!r} does not have"
    elif rule.aggregate not in ("cnt", "daycnt") and None is not type_ != properties[source] is not None:
        kinds = f"{type_words(properties[source])}, not {type_words(type_)}"
        yield f"the rule names {rule.property!r} of the event {rule.event!r}, whose type is {kinds}"


# --------------------------------------------------------------------------- deciding rules

_PRESETS = {"#os": ("Android", "iOS", "Windows", "macOS", "Linux")}
"""Properties that every event has whatever its sheet says, with their values."""


def together(contents: Contents) -> Iterator[tuple[str, list[PropertyRow], list[PropertyRow]]]:
    """Yields properties that stand together, with all properties beside them: by event, common, of users."""
    for event in contents.events:
        yield event.name, event.properties, [*event.properties, *contents.common]
    yield "", contents.common, contents.common
    yield "", contents.users, contents.users


def decided_rule(row: PropertyRow, event: str, beside: Sequence[PropertyRow]) -> ValueRule | None:
    """Returns a property's rule at its place; for values by labels, the part for its event, or the deciding
    property."""
    if not isinstance(row.rule, OneOfEach):
        return row.rule
    if values := dict(row.rule.values).get(event):
        return OneOf(values=values)
    listed = {other.name: set(map(str, other.rule.values)) for other in beside if isinstance(other.rule, OneOf)}
    candidates = [row.rule.of(on, labels) for on, labels in {**_PRESETS, **listed}.items() if on != row.name]
    best = max(candidates, key=lambda rule: len(rule.values))
    return best if len(best.values) > 1 else row.rule
