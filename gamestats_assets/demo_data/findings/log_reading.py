"""Logs read into a temporary DuckDB database, each line once; SELECTs over it count what lines say by themselves.

Words used here are those of `measure`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from gamestats_assets.apis.thinkingdata import TRACK_TYPES
from gamestats_assets.demo_data.configuration import Configuration, SharedAddressTruth, StandstillTruth
from gamestats_assets.demo_data.findings.accounts import ELSEWHERE, label
from gamestats_assets.demo_data.findings.measured import Moments, Violations
from gamestats_assets.demo_data.findings.totals import Totals
from gamestats_assets.demo_data.logs.log_files import open_log
from gamestats_assets.demo_data.logs.spool import Spool
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import PropertyType, Taxonomy, flattened
from gamestats_assets.lakehouse.files.documents import UNREADABLE

SYSTEM = "system-"
"""How the distinct ids begin that are no people."""
LATEST_DAYS = 3
"""How many days after its own a record is still waited for."""

OUT_OF_ORDER_MS = 3_600_000
"""How far out of order a planted record stands at most."""
EPOCH = date(1970, 1, 1).toordinal()

_BATCH = 65_536
_MOST_VALUES = 500
_LINE = {
    "place": pl.Int64, "file_day": pl.Int32, "type": pl.String, "time": pl.String, "user_id": pl.String,
    "user": pl.Int32, "event_name": pl.String, "event": pl.Int16, "uuid": pl.String, "ip": pl.String,
    "properties": pl.String,
}  # fmt: skip
"""A line: `user` is -1 for no person; `event` is -1 for no event, the number of events for one that is undeclared."""
_DECLARED = {
    "of": pl.String, "name": pl.String, "kinds": pl.List(pl.String), "allowed": pl.List(pl.String),
    "is_number": pl.Boolean, "is_choice": pl.Boolean, "holds": pl.Boolean,
}  # fmt: skip
"""A declared property of an event, or of `user`: its JSON types, those of all properties of its name, and whether it
is a number, has values to choose from, or holds such properties."""
_KINDS = {
    PropertyType.NUMBER: ["UBIGINT", "BIGINT", "DOUBLE", "UHUGEINT", "HUGEINT"],
    PropertyType.STRING: ["VARCHAR"],
    PropertyType.BOOLEAN: ["BOOLEAN"],
    PropertyType.TIME: ["VARCHAR"],
    PropertyType.LIST: ["ARRAY"],
    PropertyType.OBJECT: ["OBJECT"],
    PropertyType.OBJECT_GROUP: ["ARRAY"],
}

# How a value is called among a property's choices, as `label` calls it.
_LABEL = """
    CREATE TEMP MACRO label(v) AS
        CASE WHEN json_type(v) = 'DOUBLE' THEN regexp_replace(v ->> '$', '\\.0$', '') ELSE v ->> '$' END
"""
# A record that stands behind a later one in the file of its own day is out of order, and `ahead_ms` negative.
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
# Values one by one that are to be counted, or are not as declared; what objects hold stands beside them.
_VALUES = """
    WITH RECURSIVE found AS (
        SELECT known.place, known.of, known.event, sent.key AS name, sent.type, sent.value
        FROM (
            SELECT place, CASE WHEN event >= 0 THEN event_name ELSE 'user' END AS of, event, properties
            FROM lines WHERE event BETWEEN 0 AND $undeclared - 1 OR list_contains($states, type)
        ) known, json_each(known.properties) sent
        UNION ALL
        SELECT holding.place, holding.of, holding.event, holding.name || '.' || inside.key, inside.type, inside.value
        FROM (
            SELECT found.*, unnest(
                CASE found.type WHEN 'ARRAY' THEN json_extract(found.value, '$[*]') ELSE [found.value] END
            ) AS object
            FROM found JOIN declared ON declared.of = found.of AND declared.name = found.name AND declared.holds
                AND list_contains(declared.kinds, found.type)
        ) holding, json_each(holding.object) inside
    )
    SELECT found.place, found.of, found.event, found.name, found.type, found.value, declared.is_number,
        declared.is_choice, declared.holds, declared.name IS NULL AS added,
        coalesce(NOT list_contains(declared.allowed, found.type), false) AS drifted
    FROM found LEFT JOIN declared ON declared.of = found.of AND declared.name = found.name
    WHERE found.type = 'NULL' OR drifted OR (added AND found.name NOT LIKE '#%' AND found.name <> 'ab_test')
        OR ((declared.is_number OR declared.is_choice) AND list_contains(declared.kinds, found.type))
"""
_WRONG = """
    SELECT count(DISTINCT place) FILTER (type = 'NULL') AS nulls,
        count(DISTINCT place) FILTER (drifted AND type <> 'NULL') AS drifted,
        count(DISTINCT place) FILTER (added AND name NOT LIKE '#%' AND name <> 'ab_test') AS undeclared,
        count(DISTINCT place) FILTER (added AND name NOT LIKE '#%' AND name <> 'ab_test' OR drifted AND type <> 'NULL')
            AS off_schema
    FROM vals WHERE event >= 0 AND NOT contains(name, '.')
"""
_NUMBERS = """
    SELECT of || '/' || name AS key, count(*), avg(value::DOUBLE), stddev_pop(value::DOUBLE), min(value::DOUBLE),
        max(value::DOUBLE)
    FROM vals WHERE is_number AND NOT drifted GROUP BY key ORDER BY key
"""
_CHOICES = """
    SELECT of || '/' || name AS key, label(item) AS label, count(*) AS times
    FROM (
        SELECT *, unnest(CASE type WHEN 'ARRAY' THEN json_extract(value, '$[*]') ELSE [value] END) AS item
        FROM vals WHERE is_choice AND NOT drifted
    )
    GROUP BY ALL ORDER BY key, times DESC, min(place)
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
    """What is read of a record; one without `#type` or `#time` is none."""

    type: str = msgspec.field(name="#type")
    time: str = msgspec.field(name="#time")
    account_id: str | None = msgspec.field(default=None, name="#account_id")
    distinct_id: str | None = msgspec.field(default=None, name="#distinct_id")
    event_name: str | None = msgspec.field(default=None, name="#event_name")
    uuid: str | None = msgspec.field(default=None, name="#uuid")
    ip: str | None = msgspec.field(default=None, name="#ip")
    properties: msgspec.Raw = msgspec.Raw(b"{}")


class LogReading:
    """Lines of log files in `rows`, and what each says by itself."""

    def __init__(self, taxonomy: Taxonomy, rules: Rules, configuration: Configuration) -> None:
        self._taxonomy, self._rules, self._configuration = taxonomy, rules, configuration
        self._events = {name: number for number, name in enumerate(taxonomy.event_names())}
        self._users: dict[str, int] = {}
        self._people = 0
        self._batch: list[tuple[Any, ...]] = []
        self._place = 0
        self._unreadable = 0
        self.size_bytes = 0
        self.rows = Spool({"lines": _LINE, "declared": _DECLARED})

    def read(self, path: Path, file_day: int) -> None:
        """Take up every line of a file."""
        self.size_bytes += path.stat().st_size
        decode = msgspec.json.Decoder(_Record).decode
        events, undeclared = self._events, len(self._events)
        with open_log(path) as file:
            for line in file:
                try:
                    record = decode(line)
                    properties = str(record.properties, "utf-8")
                except UNREADABLE:
                    properties = ""
                if properties[:1] != "{":
                    self._unreadable += not line.isspace()
                    continue
                user_id = record.distinct_id or record.account_id or ""
                user = self._users.get(user_id)
                if user is None:
                    user = self._new_user(user_id)
                event = events.get(record.event_name or "", undeclared) if record.type in TRACK_TYPES else -1
                self._place += 1
                self._batch.append(
                    (
                        self._place, file_day, record.type, record.time, user_id, user, record.event_name or "", event,
                        record.uuid or None, record.ip, properties,
                    )
                )  # fmt: skip
                if len(self._batch) >= _BATCH:
                    self._store()
        self._store()

    def _new_user(self, user_id: str) -> int:
        is_person = bool(user_id) and not user_id.startswith(SYSTEM)
        self._users[user_id] = self._people if is_person else -1
        self._people += is_person
        return self._users[user_id]

    def _store(self) -> None:
        if self._batch:
            self.rows.add("lines", pl.DataFrame(self._batch, schema=_LINE, orient="row"))
            self._batch.clear()

    # ----------------------------------------------------------------- what is counted

    def figures(self) -> dict[str, Any]:
        """What lines say by themselves, by its name in `Measured`; makes `records` and `variants` for what follows."""
        rows, configuration = self.rows, self._configuration
        undeclared = len(self._events)
        rows.define(_LABEL)
        rows.derive(
            "records",
            _RECORDS,
            start=configuration.start.toordinal() - EPOCH,
            days=configuration.days,
            latest=LATEST_DAYS,
        )
        rows.add("declared", pl.DataFrame(list(self._declared()), schema=_DECLARED))
        rows.derive("vals", _VALUES, undeclared=undeclared, states=["user_set", "user_setOnce"])
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
            "numbers": {key: Moments(*moments) for key, *moments in rows.query(_NUMBERS).iter_rows()},
            "choices": self._choices(),
            "totals": self._totals(),
            "address_of": self._counts(_ADDRESSES, elsewhere=ELSEWHERE) if has_addresses else {},
            "standstills": {n: self._standstill(t) for n, t in enumerate(truths) if isinstance(t, StandstillTruth)},
        }

    def dirt(self) -> dict[str, Any]:
        """What is wrong with lines by themselves; `lives` tells copies."""
        dirt = self.rows.query(_DIRT, undeclared=len(self._events), span_ms=float(OUT_OF_ORDER_MS)).row(0, named=True)
        return dirt | self.rows.query(_WRONG).row(0, named=True) | {"unreadable": dirt["unreadable"] + self._unreadable}

    def _counts(self, sql: str, **parameters: Any) -> dict[str, Any]:
        return dict(self.rows.query(sql, **parameters).iter_rows())

    def _declared(self) -> Iterator[dict[str, Any]]:
        """Rows of `_DECLARED`."""
        common = {found.name: found for found in self._taxonomy.common_properties}
        scopes = {e.name: {**common, **{p.name: p for p in e.properties}} for e in self._taxonomy.events}
        # Where a sheet declares a property with several types, a value of any of them is none that drifted.
        allowed: dict[str, list[str]] = defaultdict(list)
        for found in (found for of_event in scopes.values() for found in of_event.values()):
            allowed[found.name] += _KINDS[found.type]
        scopes["user"] = {found.name: found for found in self._taxonomy.user_properties}
        for scope, properties in scopes.items():
            for name, given in flattened(tuple(properties.values())):
                yield {
                    "of": scope,
                    "name": name,
                    "kinds": _KINDS[given.type],
                    "allowed": allowed.get(name) or _KINDS[given.type],
                    "is_number": given.type is PropertyType.NUMBER,
                    "is_choice": given.type is PropertyType.BOOLEAN
                    or (bool(self._rules.constraint_of(scope, name).values) and not given.properties),
                    "holds": bool(given.properties),
                }

    def _choices(self) -> dict[str, dict[str, int]]:
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for key, value, times in self.rows.query(_CHOICES).iter_rows():
            counts = found[key]
            counts[value if len(counts) < _MOST_VALUES else "..."] += times
        return {key: dict(counts) for key, counts in found.items()}

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
