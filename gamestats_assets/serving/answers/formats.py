"""Formats of an answer: JSON, CSV of its main list, and a calendar of its events; and their negotiation.

CSV is made for spreadsheets: it begins with a byte order mark for UTF-8, and texts that look like formulas are
preceded by a '.
"""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from starlette.responses import Response

from gamestats_assets.lakehouse.files.local import harmless
from gamestats_assets.serving.answers.cache import JSON, Format
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.middleware.site import NO_STORE

_JSON = msgspec.json.Encoder(decimal_format="number")
_RANGE = re.compile(r"\s*([\w*.+-]+/[\w*.+-]+)\s*((?:;[^,]*)?)$", re.ASCII)
_QUALITY = re.compile(r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.ASCII | re.IGNORECASE)
_DISPOSITION = 'attachment; filename="{}.{}"'


def json_answer(data: Any, status: int = 200, version: str | None = None) -> Response:
    """Returns an answer to one person, which must not be stored."""
    headers = NO_STORE | ({"ETag": f'"{version}"'} if version else {})
    return Response(_JSON.encode(data), status, headers, "application/json")


def csv_of(listed: str, columns: Sequence[str], name: str) -> Format:
    """Returns the CSV format of a list of an answer.

    Args:
        listed: name of the list in the answer's data.
        columns: columns of an empty list.
        name: name of the file, without its ending.
    """

    def encode(made: Any) -> bytes:
        rows = [_flat(row) for row in made["data"][listed]]
        header = dict.fromkeys(name for row in rows for name in row) if rows else dict.fromkeys(columns)
        text = io.StringIO()
        writer = csv.DictWriter(text, [*header], restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
        return text.getvalue().encode("utf-8-sig", "replace")

    headers = {"Content-Disposition": _DISPOSITION.format(name, "csv"), "Vary": "Accept"}
    return Format("text/csv; charset=utf-8", encode, headers)


def _flat(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Returns a row with nested values under dotted names, such as `weapon_distribution.AR.kills`."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {before + name: value}
    return flat


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    return harmless(_JSON.encode(value).decode().strip('"'))


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a calendar.

    Attributes:
        uid: its id, which never changes.
        changed_at: moment of the last change.
        sequence: rises with every change.
    """

    uid: str
    begins_at: datetime
    ends_at: datetime
    changed_at: datetime
    sequence: int
    title: str
    about: str = ""
    place: str = ""
    is_cancelled: bool = False


def calendar_of(events: Callable[[Any], tuple[str, Sequence[Event]]], name: str) -> Format:
    """Returns the calendar format (RFC 5545).

    Args:
        events: gives the calendar's name and events.
        name: name of the file, without its ending.
    """

    def encode(made: Any) -> bytes:
        title, listed = events(made)
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//gamestats//schedule//EN", "CALSCALE:GREGORIAN"]
        lines += ["METHOD:PUBLISH", f"X-WR-CALNAME:{_escaped(title)}"]
        for each in listed:
            lines += _event(each)
        return b"".join(map(_folded, [*lines, "END:VCALENDAR"]))

    headers = {"Content-Disposition": _DISPOSITION.format(name, "ics"), "Vary": "Accept"}
    return Format("text/calendar; charset=utf-8", encode, headers)


def _event(event: Event) -> list[str]:
    texts = {"SUMMARY": event.title, "DESCRIPTION": event.about, "LOCATION": event.place}
    return [
        "BEGIN:VEVENT",
        f"UID:{_escaped(event.uid)}",
        f"DTSTAMP:{event.changed_at:%Y%m%dT%H%M%SZ}",
        f"LAST-MODIFIED:{event.changed_at:%Y%m%dT%H%M%SZ}",
        f"SEQUENCE:{event.sequence}",
        f"DTSTART:{event.begins_at:%Y%m%dT%H%M%SZ}",
        f"DTEND:{event.ends_at:%Y%m%dT%H%M%SZ}",
        *(f"{name}:{_escaped(text)}" for name, text in texts.items() if text),
        f"STATUS:{'CANCELLED' if event.is_cancelled else 'CONFIRMED'}",
        "END:VEVENT",
    ]


def _escaped(text: str) -> str:
    """Returns a text escaped for calendars, without characters that they cannot hold."""
    whole = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    lines = re.sub(r"\r\n?|[\n\u2028\u2029\x85]", r"\\n", whole)
    return "".join(each for each in lines if each >= " " and each != "\x7f")


def _folded(line: str) -> bytes:
    """Returns a line folded into pieces of at most 75 octets, never within a character."""
    pieces, room = [b""], 75
    for character in line:
        octets = character.encode("utf-8", "replace")
        if len(pieces[-1]) + len(octets) > room:
            pieces.append(b" ")
        pieces[-1] += octets
    return b"\r\n".join(pieces) + b"\r\n"


JSON_AMONG_OTHERS = Format(JSON.media_type, JSON.encode, {"Vary": "Accept"})


@functools.lru_cache(1000)
def negotiated(accept: str, offered: tuple[str, ...]) -> str:
    """Returns the preferred media type of those offered; the first if there is no preference.

    Raises:
        ProblemError: 406 if none is acceptable.
    """
    ranges: dict[str, float] = {}
    for each in accept.split(","):
        if (found := _RANGE.match(each)) is not None:
            quality = _QUALITY.search(found[2])
            ranges[found[1].lower()] = float(quality[1]) if quality else 1.0

    def quality_of(media: str) -> float:
        kinds = (media, media.partition("/")[0] + "/*", "*/*")
        return next((ranges[kind] for kind in kinds if kind in ranges), 0.0 if ranges else 1.0)

    best = max(offered, key=quality_of)
    if quality_of(best) == 0:
        raise ProblemError(406, f"This comes as {', '.join(offered)}; accept one of them.")
    return best
