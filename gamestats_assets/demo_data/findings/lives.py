"""Users' days, sessions, order, funnels and conversions, as SQL over all records.

The terms are those of `measure`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gamestats_assets.demo_data.findings.log_reading import EPOCH
from gamestats_assets.demo_data.findings.measured import Conversion, Distribution, Funnel, Violations
from gamestats_assets.demo_data.logs.spool import Spool
from gamestats_assets.demo_data.rules.configuration import (
    Configuration,
    ConversionTruth,
    ExperimentTruth,
    SeasonalityTruth,
)
from gamestats_assets.demo_data.rules.model import EventSequence, Rules
from gamestats_assets.demo_data.taxonomies.model import Taxonomy

Array = npt.NDArray[Any]

_UNKNOWN = -2
"""Number of an event that the taxonomy does not have."""

_COPIES = """
    SELECT *, uuid IS NOT NULL AND row_number() OVER (PARTITION BY uuid ORDER BY place) > 1 AS is_copy
    FROM records WHERE at_ms IS NOT NULL AND NOT outside AND NOT too_late
"""
_DIRT = """
    SELECT count(*) FILTER (is_copy AND event >= 0) AS duplicates,
        count(*) FILTER (NOT is_copy AND event >= 0 AND late) AS late,
        count(*) FILTER (NOT is_copy AND ahead_ms < 0) AS out_of_order
    FROM copies
"""
# `seq` orders all events by user and time; a break of half an hour or more ends a session. Sign-ups within the run show
# by once-only events on the first day: users from before have them behind them.
_EVENTS = """
    WITH ordered AS (
        SELECT user, event, at_ms, at_ms // 86400000 - $start AS day,
            row_number() OVER (ORDER BY user, at_ms, place) AS seq
        FROM copies WHERE NOT is_copy AND event >= 0 AND user >= 0
    ), within AS (
        SELECT *, min(day) OVER (PARTITION BY user) AS first_day,
            at_ms - lag(at_ms) OVER (PARTITION BY user ORDER BY seq) >= 1800000 AS begins
        FROM ordered
    )
    SELECT seq, user, event, at_ms, day, first_day,
        sum(coalesce(begins, false)::INT) OVER (PARTITION BY user ORDER BY seq) AS session,
        bool_or(list_contains($once, event) AND day = first_day) OVER (PARTITION BY user) AS signed_up
    FROM within
"""
_DAYS = "SELECT DISTINCT user, day, first_day, signed_up FROM events"
_FIRSTS = "SELECT user, event, min(seq) AS first FROM events GROUP BY user, event"
_SESSIONS = """
    SELECT user, (max(at_ms) - min(at_ms)) // 1000 AS length_s, count(*) AS events, bool_or(signed_up) AS signed_up
    FROM events GROUP BY user, session
"""
_ACTIVE = """
    SELECT day, count(*) AS active, count(*) FILTER (NOT signed_up) AS active_before,
        count(*) FILTER (day = first_day AND signed_up) AS sign_ups,
        count(*) FILTER (day = first_day AND NOT signed_up) AS first_seen_before
    FROM days GROUP BY day
"""
_BACK = """
    SELECT day - first_day AS day, count(*) AS seen_again, count(*) FILTER (signed_up) AS retained
    FROM days GROUP BY ALL
"""
_TOGETHER = """
    SELECT a.day, b.day AS other, count(*) AS users FROM days a JOIN days b USING (user) WHERE NOT a.signed_up
    GROUP BY ALL
"""
_OUT_OF_ORDER = """
    WITH before AS (
        SELECT user, session, min(seq) AS first FROM events WHERE list_contains($before, event) GROUP BY user, session
    )
    SELECT count(*), count(*) FILTER (coalesce(first, seq) >= seq)
    FROM events LEFT JOIN before USING (user, session) WHERE event = $event
"""
_WITHOUT_PREREQUISITES = """
    WITH met AS (
        SELECT seq, count(firsts.event) AS met FROM events
        LEFT JOIN firsts ON firsts.user = events.user AND list_contains($needed, firsts.event) AND first < seq
        WHERE events.event = $event AND signed_up GROUP BY seq
    )
    SELECT count(*), count(*) FILTER (met < $all) FROM met
"""
_AGAIN = """
    SELECT count(*), count(*) FILTER (seq > first) FROM events JOIN firsts USING (user, event) WHERE event = $event
"""
_BEFORE = "SELECT event, count(*) AS events FROM events WHERE NOT signed_up GROUP BY event"
_HOURS = "SELECT at_ms // 3600000 % 24, count(*) AS events FROM events GROUP BY ALL"
_BY_USER = "SELECT n, count(*) AS users FROM (SELECT count(*) AS n FROM sessions GROUP BY user) GROUP BY n"
_PAIRS = """
    WITH begun AS (SELECT user, session, seq FROM events WHERE event = $from),
    done AS (
        SELECT DISTINCT begun.seq FROM events
        ASOF JOIN begun ON events.user = begun.user AND events.session = begun.session AND events.seq >= begun.seq
        WHERE event = $to
    )
    SELECT user, variant, count(*) AS attempts, count(done.seq) AS converted
    FROM begun LEFT JOIN done USING (seq) LEFT JOIN variants USING (user) GROUP BY user, variant
"""
_HEADS = """
    SELECT user, session, seq, event, seq AS attempt FROM events WHERE list_contains($heads, event)
    QUALIFY NOT $once OR row_number() OVER (PARTITION BY user, session ORDER BY seq) = 1
"""
_ATTEMPTS = """
    SELECT events.seq, events.event, heads.attempt FROM events
    ASOF JOIN heads ON events.user = heads.user AND events.session = heads.session AND events.seq >= heads.seq
    WHERE list_contains($steps, events.event)
"""
_TRIED = "SELECT attempt, seq FROM reached WHERE list_contains($follows, event)"
_REACHED = """
    SELECT attempt, min(attempts.seq) AS seq, arg_min(event, attempts.seq) AS event
    FROM attempts JOIN tried USING (attempt)
    WHERE list_contains($step, event) AND attempts.seq > tried.seq GROUP BY attempt
"""


class Lives:
    """Users' lives in the records of a `LogReading`, which `rows` holds."""

    def __init__(self, taxonomy: Taxonomy, rules: Rules, configuration: Configuration, rows: Spool) -> None:
        self._codes = {name: number for number, name in enumerate(taxonomy.event_names())}
        self._rules, self._configuration, self._rows = rules, configuration, rows
        constraints = rules.event_constraints
        start = configuration.start.toordinal() - EPOCH
        self._rows.derive("copies", _COPIES)
        self._rows.derive("events", _EVENTS, start=start, once=self._numbers(constraints.once))
        self._rows.derive("days", _DAYS)
        self._rows.derive("firsts", _FIRSTS)
        self._rows.derive("sessions", _SESSIONS)
        self.duplicates, self.late, self.out_of_order = self._rows.query(_DIRT).row(0)

    def _numbers(self, names: Iterable[str]) -> list[int]:
        return [_UNKNOWN, *(self._codes[name] for name in names if name in self._codes)]

    def _counts(self, sql: str, size: int = 1) -> dict[str, Array]:
        """Returns columns of counts by the number in the first column, from 0."""
        found = self._rows.query(sql)
        places, *columns = found.get_columns()
        size = max(size, int(places.max() or 0) + 1)  # type: ignore[call-overload]
        return {
            column.name: np.bincount(places.to_numpy(), weights=column.to_numpy(), minlength=size).astype(np.int64)
            for column in columns
        }

    # ----------------------------------------------------------------- days and sessions

    def figures(self) -> dict[str, Any]:
        """Returns the figures of users' days, sessions and order, by their names in `Measured`."""
        days = self._configuration.days
        active, back = self._counts(_ACTIVE, days), self._counts(_BACK, days)

        def since(begun: Array, there: Array) -> list[tuple[int, int]]:
            """Returns by days since the beginning the users who could be active, and those who were."""
            return list(zip(np.cumsum(begun)[::-1].tolist(), there.tolist(), strict=True))

        before = self._counts(_BEFORE, len(self._codes))
        return {
            "users": self._rows.query("SELECT count(DISTINCT user) FROM events").item(),
            **{name: counts.tolist() for name, counts in active.items() if name != "active"},
            "active_users": active["active"].tolist(),
            "retained": since(active["sign_ups"], back["retained"]),
            "seen_again": since(active["sign_ups"] + active["first_seen_before"], back["seen_again"]),
            "together": self._together(),
            "events_by_hour": self._counts(_HOURS, 24)["events"].tolist(),
            "session_s": self._distribution("SELECT length_s, count(*) AS n FROM sessions GROUP BY ALL"),
            "session_events": self._distribution("SELECT events, count(*) AS n FROM sessions GROUP BY ALL"),
            "sessions_by_user": self._distribution(_BY_USER),
            "sessions_before": self._rows.query("SELECT count(*) FROM sessions WHERE NOT signed_up").item(),
            "events_before": dict(zip(self._codes, before["events"].tolist(), strict=False)),
            "funnels": [self._funnel(sequence) for sequence in self._rules.event_constraints.sequences],
            "conversions": self._conversions(),
            **self._order(),
        }

    def _distribution(self, sql: str) -> Distribution:
        return Distribution(next(iter(self._counts(sql).values())))

    def _together(self) -> Array | None:
        days = self._configuration.days
        if not any(isinstance(truth, SeasonalityTruth) for truth in self._configuration.truths):
            return None
        found = np.zeros((days, days))
        day, other, users = (column.to_numpy() for column in self._rows.query(_TOGETHER).get_columns())
        found[day, other] = users
        return found

    # ----------------------------------------------------------------- order

    def _order(self) -> dict[str, dict[str, Violations]]:
        constraints, followers = self._rules.event_constraints, self._rules.followers()

        def count(sql: str, event: str, **parameters: Any) -> Violations:
            return Violations(*self._rows.query(sql, event=self._codes[event], **parameters).row(0))

        known = sorted(self._codes)
        return {
            "order": {e: count(_OUT_OF_ORDER, e, before=self._numbers(followers[e])) for e in known if e in followers},
            "prerequisites": {
                e: count(_WITHOUT_PREREQUISITES, e, needed=self._numbers(needed), all=len(set(needed)))
                for e in known
                if (needed := constraints.prerequisites.get(e)) is not None
            },
            "once": {e: count(_AGAIN, e) for e in known if e in constraints.once},
        }

    # ----------------------------------------------------------------- funnels and conversions

    def _funnel(self, sequence: EventSequence) -> Funnel:
        """Returns how far attempts at a sequence came."""
        each = [
            (number, step.events, step.follows if again == 0 else [])
            for number, step in enumerate(sequence.steps)
            for again in range(step.repeats)
        ]
        heads = sequence.steps[0].events
        once = any(set(heads) & set(events) for _, events, _ in each[1:])
        self._rows.hold("heads", _HEADS, heads=self._numbers(heads), once=once)
        self._rows.hold("attempts", _ATTEMPTS, steps=self._numbers(e for _, events, _ in each for e in events))
        tried = [self._rows.hold("reached", "SELECT attempt, seq, event FROM heads")]
        reached = [*tried]
        for _, events, follows in each[1:]:
            tried.append(self._rows.hold("tried", _TRIED, follows=self._numbers(follows or self._codes)))
            reached.append(self._rows.hold("reached", _REACHED, step=self._numbers(events)))
        names = tuple(" / ".join(events) for _, events, _ in each)
        return Funnel(sequence.name, sequence.kind, names, tuple(n for n, _, _ in each), tuple(tried), tuple(reached))

    def _conversions(self) -> dict[tuple[str, str, str], Conversion]:
        """Returns every planted conversion, of all users and by variant."""
        found: dict[tuple[str, str, str], Conversion] = {}
        planted = [t for t in self._configuration.truths if isinstance(t, ConversionTruth | ExperimentTruth)]
        for begin, end in sorted({(truth.from_event, truth.to_event) for truth in planted}):
            codes = {"from": self._codes.get(begin, _UNKNOWN), "to": self._codes.get(end, _UNKNOWN)}
            by_user = self._rows.query(_PAIRS, **codes)
            found[begin, end, ""] = _conversion(by_user)
            for truth in planted:
                if isinstance(truth, ExperimentTruth) and (truth.from_event, truth.to_event) == (begin, end):
                    for name in (f"{truth.name}:A", f"{truth.name}:B"):
                        found[begin, end, name] = _conversion(by_user.filter(variant=name))
        return found


def _conversion(by_user: pl.DataFrame) -> Conversion:
    attempts, converted = (by_user[name].to_numpy().astype(float) for name in ("attempts", "converted"))
    n, k = attempts.sum(), converted.sum()
    effect = 1.0
    if 0 < k < n and attempts.size > 1:
        rate = k / n
        variance = ((converted - rate * attempts) ** 2).sum() * attempts.size / (attempts.size - 1) / n**2
        effect = max(1.0, float(variance / (rate * (1 - rate) / n)))
    return Conversion(int(n), int(k), effect)
