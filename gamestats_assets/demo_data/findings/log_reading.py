"""Reads logs into a temporary DuckDB database, each line once; SELECTs count what single lines contain.

The terms are those of `measure`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from gamestats_assets.apis.thinkingdata import TRACK_TYPES
from gamestats_assets.demo_data.findings.accounts import ELSEWHERE, label
from gamestats_assets.demo_data.findings.measured import Moments, Violations
from gamestats_assets.demo_data.findings.totals import Totals
from gamestats_assets.demo_data.logs.log_files import open_log
from gamestats_assets.demo_data.logs.spool import Spool
from gamestats_assets.demo_data.rules.configuration import Configuration, SharedAddressTruth, StandstillTruth
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, Taxonomy
from gamestats_assets.lakehouse.files.documents import UNREADABLE

SYSTEM = "system-"
"""Beginning of distinct ids that are not people's."""
LATEST_DAYS = 3
"""Days after its own in which a late record is still counted."""

OUT_OF_ORDER_MS = 3_600_000
"""Largest distance of a planted out-of-order record."""
EPOCH = date(1970, 1, 1).toordinal()

_BATCH = 65_536
_MOST_VALUES = 500
_USER = "user"
_LINE = {
    "type": pl.String, "time": pl.String, "user_id": pl.String, "user": pl.Int32, "event_name": pl.String,
    "event": pl.Int16, "uuid": pl.String, "ip": pl.String, "properties": pl.String,
}  # fmt: skip
"""A line: `user` is -1 for no person; `event` is -1 for no event, the number of events for an undeclared one."""
_NUMBER = frozenset(("UBIGINT", "BIGINT", "DOUBLE", "HUGEINT", "UHUGEINT"))
_KINDS: dict[PropertyType, frozenset[str]] = {
    PropertyType.NUMBER: _NUMBER,
    PropertyType.STRING: frozenset(("VARCHAR",)),
    PropertyType.BOOLEAN: frozenset(("BOOLEAN",)),
    PropertyType.TIME: frozenset(("VARCHAR",)),
    PropertyType.LIST: frozenset(("ARRAY",)),
    PropertyType.OBJECT: frozenset(("OBJECT",)),
    PropertyType.OBJECT_GROUP: frozenset(("ARRAY",)),
}
"""JSON types of a property's values, by their names in DuckDB."""

# Name of a value among a property's choices, as in `label`.
_LABEL = """
    CREATE TEMP MACRO label(v) AS
        CASE WHEN json_type(v) = 'DOUBLE' THEN regexp_replace(v ->> '$', '\\.0$', '') ELSE v ->> '$' END
"""
# A record behind a later one in the file of its own day is out of order, and its `ahead_ms` negative.
_RECORDS = """
    WITH timed AS (
        SELECT *, epoch_ms(try_strptime(time, ['%Y-%m-%d %H:%M:%S.%f', '%Y-%m-%d %H:%M:%S']))
            - coalesce(TRY_CAST(properties ->> '$."#zone_offset"' AS DOUBLE) * 3600000, 0)::BIGINT AS at_ms
        FROM lines
    ), dated AS (SELECT *, at_ms // 86400000 - $start AS day FROM timed),
    ordered AS (
        SELECT place, at_ms - max(at_ms) OVER (
            PARTITION BY file_day ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS ahead_ms
        FROM dated WHERE event >= 0 AND day >= file_day
    )
    SELECT place, user, event, uuid, at_ms, ahead_ms, ordered.place IS NOT NULL AS in_order,
        coalesce(day < file_day, false) AS late, coalesce(day < file_day - $latest, false) AS too_late,
        coalesce(day < 0 OR day >= $days, false) AS outside
    FROM dated LEFT JOIN ordered USING (place)
"""
_DIRT = """
    SELECT count(*) FILTER (at_ms IS NULL) AS unreadable, count(at_ms) FILTER (event >= 0) AS events,
        count(*) FILTER (outside) AS outside, count(*) FILTER (too_late AND NOT outside) AS too_late,
        count(*) FILTER (event = $undeclared) AS unknown,
        count(*) FILTER (in_order AND coalesce(ahead_ms, 0) >= 0) AS in_order,
        coalesce(sum(greatest(1 - ahead_ms / $span_ms, 0)) FILTER (ahead_ms >= 0), 0) AS visible
    FROM records
"""
_SHAPES = """
    SELECT CASE WHEN event >= 0 THEN event_name ELSE 'user' END AS scope, properties,
        json_structure(properties) AS shape
    FROM lines WHERE place >= $first AND (event >= 0 OR list_contains($states, type)) ORDER BY place
"""
_FIRSTS = """
    WITH first AS (SELECT min(place) AS place FROM lines WHERE user >= 0 AND event >= 0 GROUP BY user)
    SELECT coalesce(
            nullif(properties ->> '$."#country_code"', ''), nullif(properties ->> '$."#country"', ''), 'unknown'
        ) AS country,
        coalesce(nullif(properties ->> '$."#os"', ''), 'unknown') AS system
    FROM first JOIN lines USING (place) ORDER BY place
"""
_VARIANTS = """
    SELECT user, arg_min(properties ->> '$.ab_test', place) AS variant FROM lines
    WHERE user >= 0 AND event >= 0 AND json_type(properties, '$.ab_test') = 'VARCHAR' GROUP BY user
"""
_ADDRESSES = """
    SELECT user_id, CASE WHEN min(ip) = max(ip) THEN min(ip) ELSE $elsewhere END AS address
    FROM lines WHERE user >= 0 AND type <> 'user_add' AND ip IS NOT NULL GROUP BY user_id
"""
_STANDSTILL = """
    SELECT user_id, bool_and(coalesce(label(json_extract(properties, $path)) = $value, true)) AS stood
    FROM lines WHERE user >= 0 AND type <> 'user_add' GROUP BY user_id HAVING bool_or(event_name = $event)
"""


class _Record(msgspec.Struct, gc=False):
    """The fields of a record that are read; a line without `#type` or `#time` is not a record."""

    type: str = msgspec.field(name="#type")
    time: str = msgspec.field(name="#time")
    account_id: str | None = msgspec.field(default=None, name="#account_id")
    distinct_id: str | None = msgspec.field(default=None, name="#distinct_id")
    event_name: str | None = msgspec.field(default=None, name="#event_name")
    uuid: str | None = msgspec.field(default=None, name="#uuid")
    ip: str | None = msgspec.field(default=None, name="#ip")
    properties: msgspec.Raw = msgspec.Raw(b"{}")


_DECODER = msgspec.json.Decoder(_Record)


def _read(line: bytes) -> _Record | None:
    try:
        record = _DECODER.decode(line)
    except UNREADABLE:
        return None
    return record if memoryview(record.properties)[0] == ord("{") else None


class LogReading:
    """Lines of log files in `rows`, with counts of what they contain."""

    def __init__(self, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> None:
        self._taxonomy, self._rules, self._configuration = taxonomy, rules, configuration
        common = {found.name: found for found in taxonomy.common_properties}
        self._declared = {event.name: common | {p.name: p for p in event.properties} for event in taxonomy.events}
        # If a sheet declares a property with several types, values of all of them are valid.
        self._allowed: dict[str, set[str]] = defaultdict(set)
        for found in (found for of_event in self._declared.values() for found in of_event.values()):
            self._allowed[found.name] |= _KINDS[found.type]
        self._declared[_USER] = {found.name: found for found in taxonomy.user_properties}
        self._numbers: dict[str, Moments] = {}
        self._choices: dict[str, Counter[str]] = defaultdict(Counter)
        self._wrong: Counter[str] = Counter()
        self._events = {name: number for number, name in enumerate(taxonomy.event_names())}
        self._users: dict[str, int] = {}
        self._people = 0
        self._batch: tuple[list[Any], ...] = tuple([] for _ in _LINE)
        self._place = 0
        self._unreadable = 0
        self.size_bytes = 0
        self.rows = Spool({"lines": _LINE | {"place": pl.Int64, "file_day": pl.Int32}})

    def read(self, path: Path, file_day: int) -> None:
        """Reads every line of a file."""
        self.size_bytes += path.stat().st_size
        events, undeclared, users = self._events, len(self._events), self._users
        types, times, user_ids, numbers, names, codes, uuids, ips, properties = self._batch
        with open_log(path) as file:
            for line in file:
                record = _read(line)
                if record is None:
                    self._unreadable += not line.isspace()
                    continue
                user_id = record.distinct_id or record.account_id or ""
                user = users.get(user_id)
                types.append(record.type)
                times.append(record.time)
                user_ids.append(user_id)
                numbers.append(self._new_user(user_id) if user is None else user)
                names.append(record.event_name or "")
                codes.append(events.get(names[-1], undeclared) if record.type in TRACK_TYPES else -1)
                uuids.append(record.uuid or None)
                ips.append(record.ip)
                properties.append(str(record.properties, "utf-8"))
                if len(times) >= _BATCH:
                    self._store(file_day)
        self._store(file_day)

    def _new_user(self, user_id: str) -> int:
        is_person = bool(user_id) and not user_id.startswith(SYSTEM)
        self._users[user_id] = self._people if is_person else -1
        self._people += is_person
        return self._users[user_id]

    def _store(self, file_day: int) -> None:
        size = len(self._batch[0])
        lines = pl.DataFrame(dict(zip(_LINE, self._batch, strict=True)), schema=_LINE)
        place = pl.int_range(self._place, self._place + size, dtype=pl.Int64, eager=True)
        self.rows.add("lines", lines.with_columns(place=place, file_day=pl.lit(file_day, pl.Int32)))
        shapes = self.rows.query(_SHAPES, first=self._place, states=["user_set", "user_setOnce"])
        for (scope, shape), alike in shapes.group_by("scope", "shape", maintain_order=True):
            if scope in self._declared:
                self._count(str(scope), msgspec.json.decode(str(shape)), alike["properties"])
        self._place += size
        for column in self._batch:
            column.clear()

    # ----------------------------------------------------------------- values

    def _count(self, scope: str, types: Mapping[str, Any], properties: pl.Series) -> None:
        """Counts the values of records of one event, or of users, whose properties have the same types."""
        kinds = {name: _kind(type_) for name, type_ in types.items()}
        declared = self._declared[scope]
        if scope != _USER:
            added = any(name not in declared and name[:1] != "#" and name != "ab_test" for name in kinds)
            drifted = any(
                name in declared and kind != "NULL" and kind not in self._allowed[name] for name, kind in kinds.items()
            )
            flags = {"nulls": "NULL" in kinds.values(), "drifted": drifted, "undeclared": added}
            flags["off_schema"] = drifted or added
            self._wrong.update({flag: properties.len() for flag, holds in flags.items() if holds})
        there = [given for name, given in declared.items() if kinds.get(name) in _KINDS[given.type]]
        wanted = [given for given in there if self._matters(scope, given.name, given)]
        if wanted:
            dtype = pl.Struct({given.name: _dtype(types[given.name]) for given in wanted})
            values = properties.str.json_decode(dtype).struct
            for given in wanted:
                self._note(scope, given.name, given, values.field(given.name))

    def _matters(self, scope: str, dotted: str, given: Property) -> bool:
        """Whether values of a property, or of its parts, are counted."""
        if given.properties:
            return any(self._matters(scope, f"{dotted}.{child.name}", child) for child in given.properties)
        is_counted = given.type in (PropertyType.NUMBER, PropertyType.BOOLEAN)
        return is_counted or bool(self._rules.constraint_of(scope, dotted).values)

    def _note(self, scope: str, dotted: str, given: Property, column: pl.Series) -> None:
        values = (column.explode() if isinstance(column.dtype, pl.List) else column).drop_nulls()
        key = f"{scope}/{dotted}"
        if given.properties:
            fields = values.struct.fields if isinstance(values.dtype, pl.Struct) else []
            for child in (child for child in given.properties if child.name in fields):
                self._note(scope, f"{dotted}.{child.name}", child, values.struct.field(child.name))
            return
        if given.type is PropertyType.NUMBER and values.dtype.is_numeric() and values.len():
            found = values.to_numpy()
            new = Moments(found.size, *(float(each) for each in (found.mean(), found.std(), found.min(), found.max())))
            self._numbers[key] = self._numbers[key].with_others(new) if key in self._numbers else new
        if given.type is PropertyType.BOOLEAN or self._rules.constraint_of(scope, dotted).values:
            counts = self._choices[key]
            for value, count in values.cast(pl.String).str.strip_suffix(".0").value_counts(sort=True).iter_rows():
                counts[value if value in counts or len(counts) < _MOST_VALUES else "..."] += count

    # ----------------------------------------------------------------- figures

    def figures(self) -> dict[str, Any]:
        """Returns the figures of single lines, by their names in `Measured`; makes `records` and `variants`."""
        rows, configuration = self.rows, self._configuration
        rows.define(_LABEL)
        rows.derive(
            "records",
            _RECORDS,
            start=configuration.start.toordinal() - EPOCH,
            days=configuration.days,
            latest=LATEST_DAYS,
        )
        rows.derive("variants", _VARIANTS)
        firsts = rows.query(_FIRSTS)
        truths = configuration.truths
        has_addresses = any(isinstance(truth, SharedAddressTruth) for truth in truths)
        return {
            "records_by_type": self._counts("SELECT type, count(*) FROM lines GROUP BY ALL ORDER BY 2 DESC, 1"),
            "records_by_event": self._counts(
                "SELECT event_name, count(*) FROM lines WHERE event >= 0 GROUP BY ALL ORDER BY 2 DESC, 1"
            ),
            "size_bytes": self.size_bytes,
            "users_by_country": dict(Counter(firsts["country"]).most_common()),
            "users_by_os": dict(Counter(firsts["system"]).most_common()),
            "variants": self._counts("SELECT variant, count(*) FROM variants GROUP BY ALL ORDER BY 1"),
            "numbers": {key: self._numbers[key] for key in sorted(self._numbers)},
            "choices": {
                key: dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
                for key, counts in sorted(self._choices.items())
            },
            "totals": self._totals(),
            "address_of": self._counts(_ADDRESSES, elsewhere=ELSEWHERE) if has_addresses else {},
            "standstills": {n: self._standstill(t) for n, t in enumerate(truths) if isinstance(t, StandstillTruth)},
        }

    def dirt(self) -> dict[str, Any]:
        """Returns the dirt in single lines; `lives` counts copies."""
        dirt = self.rows.query(_DIRT, undeclared=len(self._events), span_ms=float(OUT_OF_ORDER_MS)).row(0, named=True)
        wrong = {flag: self._wrong[flag] for flag in ("nulls", "drifted", "undeclared", "off_schema")}
        return dirt | wrong | {"unreadable": dirt["unreadable"] + self._unreadable}

    def _counts(self, sql: str, **parameters: Any) -> dict[str, Any]:
        return dict(self.rows.query(sql, **parameters).iter_rows())

    def _totals(self) -> dict[str, Violations]:
        totals = Totals(self._taxonomy, self._rules)
        sql = """
            SELECT user_id, event_name, properties FROM lines WHERE event >= 0 AND list_contains($events, event_name)
            ORDER BY place
        """
        for part in self.rows.pieces(sql, events=sorted(totals.events)) if totals.events else ():
            for user, event, properties in part.iter_rows():
                totals.take(user, event, msgspec.json.decode(properties))
        return {name: Violations(*counts) for name, counts in sorted(totals.counts.items())}

    def _standstill(self, truth: StandstillTruth) -> tuple[frozenset[str], frozenset[str]]:
        path = f'$."{truth.property}"'
        found = self.rows.query(_STANDSTILL, path=path, value=label(truth.value), event=truth.event)
        return frozenset(found["user_id"]), frozenset(found.filter("stood")["user_id"])


def _kind(type_: Any) -> str:
    """Returns the JSON type of a property in a structure."""
    return "OBJECT" if isinstance(type_, dict) else "ARRAY" if isinstance(type_, list) else type_


def _dtype(type_: Any) -> pl.DataType:
    """Returns the column type of values of a structure."""
    if isinstance(type_, dict):
        return pl.Struct({name: _dtype(child) for name, child in type_.items()})
    if isinstance(type_, list):
        return pl.List(_dtype(type_[0]))
    return pl.Float64() if type_ in _NUMBER else pl.Boolean() if type_ == "BOOLEAN" else pl.String()
