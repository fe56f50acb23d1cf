"""Checks whether ThinkingData accepts log files: the rules of landing, and further rules of the format.

It knows the format and nothing of how the files were made, so that it can judge files from any source. Files are read
as a stream. What must be compared across all lines (`#uuid`, the account of a `#distinct_id`) goes to temporary files
in pieces, so that memory does not grow with the number of lines.
"""

from __future__ import annotations

import io
import ipaddress
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from gamestats_assets.apis.thinkingdata import COMPANIONS, MOST_EVENTS, ROOT_KEYS, Record
from gamestats_assets.demo_data.logs.lines import InvalidLineError, Line, Shape, read_line
from gamestats_assets.demo_data.logs.log_files import DAMAGE, open_log
from gamestats_assets.demo_data.logs.spool import Spool
from gamestats_assets.demo_data.logs.wire_report import MEANINGS, Example, Finding, WireReport
from gamestats_assets.demo_data.logs.wire_types import Found, KnownProperties, Verdict, known_properties, shown
from gamestats_assets.demo_data.taxonomies.model import Taxonomy

EXAMPLES = 5
"""Most examples of a problem."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_REFUSED = "(invalid)"
_LINES_A_PIECE = 32_768
_MOST_VERDICTS = 20_000
_FIELDS = tuple(field.name for field in msgspec.structs.fields(Record))
_COMPANIONS = tuple((key, key.removeprefix("#"), kinds) for key, kinds in COMPANIONS.items())


def check_files(paths: Sequence[Path], *, taxonomy: Taxonomy | None = None) -> WireReport:
    """Counts every problem of log files, with examples; for a line that landing refuses, only the reason.

    The files are one stream, in this order: the first value of a property fixes its type. If that is a text in the
    format of a time, the property holds times from then on.

    Args:
        paths: plain or gzip files of one JSON object per line.
        taxonomy: if given, events and properties must be declared in it and have its types; presets (names that start
            with #) need no declaration.

    Raises:
        UnreadableLogError: when a file cannot be opened. Damage within a file is a problem, not an error.
    """
    check = _Check(taxonomy)
    for path in paths:
        with open_log(path) as file:
            check.file(str(path), file)
    return check.report()


_TABLES = {
    "uuids": {"uuid": pl.String, "line": pl.Int64},
    "owners": {"distinct_id": pl.String, "account_id": pl.String, "line": pl.Int64},
}
_REPEATED = """
    SELECT line, min(line) OVER (PARTITION BY uuid) AS earlier FROM uuids QUALIFY line > earlier ORDER BY line
"""
_SECOND_OWNERS = """
    WITH first AS (
        SELECT distinct_id, min(line) AS earlier, arg_min(account_id, line) AS owner FROM owners GROUP BY distinct_id
    )
    SELECT min(line) AS line, any_value(earlier) AS earlier FROM owners JOIN first USING (distinct_id)
    WHERE account_id <> owner GROUP BY distinct_id, account_id ORDER BY line
"""


class _Check:
    def __init__(self, taxonomy: Taxonomy | None) -> None:
        self._of_events, self._of_users, self._unset = known_properties(taxonomy)
        self._verdicts: dict[tuple[KnownProperties, str, Shape], Verdict] = {}
        self._declared = frozenset(taxonomy.event_names()) if taxonomy else None
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[Example]] = {}
        self._events: Counter[tuple[str, str]] = Counter()
        self._event_names: set[str] = set()
        self._first_time, self._last_time = "~", ""
        self._bytes = 0
        self._line = 0  # of all files
        self._files: list[str] = []
        self._starts: list[int] = []
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _TABLES}
        self._spool = Spool(_TABLES)

    def file(self, name: str, lines: io.BufferedReader) -> None:
        self._files.append(name)
        self._starts.append(self._line)
        try:
            for raw in lines:
                self._line += 1
                self._bytes += len(raw)
                for found in self._found_in(raw):
                    self._note(self._line, *found)
                if not self._line % _LINES_A_PIECE:
                    self._store()
        except DAMAGE as error:
            self._note(self._line + 1, "damaged_file", "the rest of the file", str(error))
        self._store()

    def report(self) -> WireReport:
        self._compare(_REPEATED, "duplicate_uuid", "another #uuid than that of {}", "the same")
        self._compare(_SECOND_OWNERS, "owner", "the account that its #distinct_id has in {}", "another")
        self._spool.close()
        return WireReport(
            files=len(self._files),
            lines=self._line,
            bytes=self._bytes,
            events=dict(sorted(self._events.items())),
            problems={p: Finding(self._counts[p], tuple(self._examples[p])) for p in MEANINGS if self._counts[p]},
            first_time=self._first_time if self._last_time else None,
            last_time=self._last_time or None,
        )

    def _note(self, line: int, problem: str, expected: str, found: str) -> None:
        self._counts[problem] += 1
        examples = self._examples.setdefault(problem, [])
        if len(examples) < EXAMPLES:
            examples.append(Example(*self._place(line), expected, found))

    def _place(self, line: int) -> tuple[str, int]:
        # A line is looked up among the files that start before it; empty ones start where the next does.
        at = bisect_right(self._starts, line - 1) - 1
        return self._files[at], line - self._starts[at]

    def _store(self) -> None:
        """Stores what is compared across lines."""
        for table, rows in self._rows.items():
            if rows:
                self._spool.add(table, pl.DataFrame(rows, schema=_TABLES[table], orient="row"))
                rows.clear()

    def _compare(self, sql: str, problem: str, expected: str, found: str) -> None:
        pairs = self._spool.query(sql)
        for line, earlier in pairs.head(EXAMPLES).iter_rows():
            file, number = self._place(earlier)
            self._note(line, problem, expected.format(f"{file}:{number}"), found)
        self._counts[problem] += max(pairs.height - EXAMPLES, 0)

    # ----------------------------------------------------------------- one line

    def _found_in(self, raw: bytes) -> Iterator[Found]:
        try:
            line = read_line(raw)
        except InvalidLineError as error:
            self._events[_REFUSED, ""] += 1
            yield error.rule, error.expected, error.found
            return
        record = line.record
        yield from self._root(raw, line)
        event = name = record.event_name or "" if record.is_event else ""
        if record.is_event:
            if self._declared is not None and name not in self._declared:
                yield "unknown_event", "an event of the taxonomy", name
            if name not in self._event_names and len(self._event_names) >= MOST_EVENTS:
                yield "too_many_events", f"at most {MOST_EVENTS} kinds of events", f"also {name}"
                name = "(others)"
            else:
                self._event_names.add(name)
        self._events[record.type, name] += 1
        if record.properties is None and record.type != "user_del":
            yield "properties", "an object of properties", "none"
        known = self._known(record)
        verdict = self._verdicts.get((known, event, line.shape))
        if verdict is None:
            if len(self._verdicts) >= _MOST_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[known, event, line.shape] = known.verdict(event, line.properties)
        yield from verdict.problems
        for property_ in verdict.looked_into:
            yield from known.value(property_.lower(), property_, line.properties[property_])
        # Decoding keeps one of two equal keys; if the counts of keys differ, the line is checked closely, and so is
        # white space before a colon, which would hide a key.
        keys = sum(getattr(record, field) is not None for field in _FIELDS)
        if raw.count(b'":') != keys + _keys_within(line.properties) or b" :" in raw or b"\t" in raw or b"\r:" in raw:
            yield from _twins(raw)

    def _known(self, record: Record) -> KnownProperties:
        if record.is_event:
            return self._of_events
        return self._unset if record.type == "user_unset" else self._of_users

    def _root(self, raw: bytes, line: Line) -> Iterator[Found]:
        record = line.record
        if line.has_unknown_root_key:
            for key in msgspec.json.decode(raw):
                if key not in ROOT_KEYS:
                    yield "root_key", "it among the properties", shown(key)
        for key, field, kinds in _COMPANIONS:
            if record.type not in kinds and getattr(record, field) is not None:
                yield "companion", f"no {key} with {record.type}", "one"
        if record.account_id and record.distinct_id:
            self._rows["owners"].append((record.distinct_id, record.account_id, self._line))
        if len(record.time) == 23:
            self._first_time, self._last_time = min(self._first_time, record.time), max(self._last_time, record.time)
        else:
            yield "time", "#time as yyyy-MM-dd HH:mm:ss.SSS", shown(record.time)
        if record.uuid is not None and not _UUID(record.uuid):
            yield "uuid", "#uuid as 8-4-4-4-12 hexadecimal digits", shown(record.uuid)
        elif record.uuid is not None:
            self._rows["uuids"].append((record.uuid.lower(), self._line))
        if record.ip is not None and not _is_address(record.ip):
            yield "ip", "#ip to be an IPv4 or IPv6 address", shown(record.ip)


@lru_cache(maxsize=65536)
def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _keys_within(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_keys_within(part) for part in value.values() if isinstance(part, dict | list))
    return sum(map(_keys_within, value)) if isinstance(value, list) else 0


def _twins(raw: bytes) -> list[Found]:
    """Returns keys that occur twice within one object."""
    found: list[Found] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                found.append(("duplicate_key", "a key once", f"{shown(key)} {count} times"))

    json.loads(raw, object_pairs_hook=look)
    return found
