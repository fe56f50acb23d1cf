"""Forms for entries: a control for each declared field, and the values that were submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from gamestats_assets.lakehouse.entries.declared import Thing
from gamestats_assets.lakehouse.entries.fields import EntryError, Field, Verb
from gamestats_assets.lakehouse.entries.local_times import LocalTimeError
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.serving.editing.editor import Editable
from gamestats_assets.serving.middleware.problems import ProblemError

_LONG = ("reason", "notes", "remake_reason")
"""Fields in which people write sentences."""


@dataclass(frozen=True, slots=True)
class Control:
    """A field of a form.

    Attributes:
        kind: line, number, date, choice or area.
        options: options of a choice, as pairs of value and text.
    """

    name: str
    label: str
    kind: str
    help: str
    value: str
    options: Sequence[tuple[str, str]]
    is_required: bool


def label_of(name: str) -> str:
    """Returns the label of a field."""
    words = name.replace("_", " ")
    return words[0].upper() + words[1:]


def choices(words: Sequence[str], nothing: str = "–") -> list[tuple[str, str]]:
    """Returns options, the first of them empty, as pairs of value and text."""
    return [("", nothing), *((word, word) for word in words)]


def controls(
    fields: Sequence[Field], verb: Verb, values: Mapping[str, str], must: Sequence[Field] = ()
) -> list[Control]:
    """Returns the controls of a form.

    Args:
        values: initial values.
        must: fields that are required whatever the verb.
    """
    made = []
    for each in fields:
        kind = {int: "number", date: "date"}.get(each.kind.type, "area" if each.name in _LONG else "line")
        if each.kind.options:
            kind = "choice"
        help_ = f"{each.help} By default {each.default}." if each.default and verb == "add" else each.help
        is_required = each in must or verb in each.required
        label = label_of(each.label.removeprefix("new_"))
        made.append(
            Control(each.name, label, kind, help_, values.get(each.name, ""), choices(each.kind.options), is_required)
        )
    return made


def text(value: Any, zone: ZoneInfo, field: Field | None = None) -> str:
    """Returns a value as forms and lists show it; moments in a time zone."""
    if value is None:
        return ""
    if field is not None and field.kind.words:
        return next((word for word, meant in field.kind.words.items() if meant == value), "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    return str(value)


def texts(of: Editable, fields: Sequence[Field], row: Row) -> dict[str, str]:
    """Returns the values of a row by field, as forms show them."""
    zone = of.thing.zone(row)
    return {each.name: text(row.get(_column(of.thing, each)), zone, each) for each in fields}


def _column(thing: Thing, field: Field) -> str:
    """Returns the column with a field: its own, or the one that lists show under its name."""
    if field.name.startswith("new_"):
        return thing.column
    return field.in_table or thing.columns.get(field.name, field.name)


def given(fields: Sequence[Field], submitted: Mapping[str, str], seen: Mapping[str, str]) -> dict[str, Any]:
    """Returns the values that were changed in a form.

    Raises:
        ProblemError: 422 with all invalid fields.
    """
    found: dict[str, Any] = {}
    errors = []
    for each in fields:
        if each.name not in submitted:
            continue
        written = submitted[each.name].strip().replace("\r\n", "\n")
        if written == seen.get(each.name, ""):
            continue
        try:
            found[each.name] = each.checked(each.kind.read(written) if written else None)
        except (EntryError, LocalTimeError) as error:
            errors.append({"name": each.name, "message": str(error)})
    if errors:
        raise ProblemError(422, " ".join(each["message"] for each in errors), errors=errors)
    return found


def pairs(effects: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Returns the consequences of an edit as lines, each figure before and after: `5 → 3`."""
    lines = []
    for effect in effects:
        line: dict[str, str] = {}
        for name, value in effect.items():
            if name.endswith("_before"):
                before, after = value, effect[f"{name.removesuffix('_before')}_after"]
                words = ["–" if each is None else str(each) for each in (before, after)]
                line[name.removesuffix("_before")] = words[0] if before == after else " → ".join(words)
            elif not name.endswith(("_after", "_id")):
                line[name] = str(value)
        lines.append(line)
    return lines
