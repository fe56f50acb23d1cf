"""Where numbers lie: each segment's ranges, and what is drawn from them before any property is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.columns import Array, numbers, rounded
from gamestats_assets.demo_data.generator.random_streams import Quantiles, Streams, quantile_table
from gamestats_assets.demo_data.rules.model import Rules, SegmentAnalysis, ValueRange, holding

if TYPE_CHECKING:
    from gamestats_assets.demo_data.generator.blueprint import Blueprint
    from gamestats_assets.demo_data.generator.users import Users

USER = "user"
"""In place of an event's name: what belongs to users."""
MOST_OBJECTS = 64
"""Objects in one group."""
DURATIONS = ("#duration", "duration", "duration_s", "duration_seconds", "duration_sec")
"""Names of properties that tell how long something took."""
_ANY_NUMBER = ValueRange(min=1, max=100, mean=30)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that values are made for.

    Attributes:
        key: the event's name, or `USER`.
        user: position of each row's user.
        counter: what tells the user's rows apart.
        at_ms: when, in ms since 1970.
        place: of each row among those of its event, or among the users.
    """

    key: str
    user: Array
    counter: Array
    at_ms: Array
    place: Array

    def __len__(self) -> int:
        return self.user.size

    def repeated(self, times: int) -> Rows:
        """Each row several times, for the objects of a group."""
        user, at_ms, place, counter = (np.repeat(a, times) for a in (self.user, self.at_ms, self.place, self.counter))
        within = np.tile(np.arange(times), len(self))
        return replace(self, user=user, counter=counter * MOST_OBJECTS + within, at_ms=at_ms, place=place)


def everybody(users: Users) -> Rows:
    """Rows for what belongs to users."""
    place = np.arange(len(users))
    return Rows(USER, place, np.zeros(len(users), np.int64), users.signed_up_ms, place)


class Ranges:
    """The ranges of all segments."""

    def __init__(self, rules: Rules, analyses: tuple[SegmentAnalysis, ...]) -> None:
        self._tables = [(analysis.property_ranges, rules.value_ranges) for analysis in analyses]
        self._drawn_from: dict[tuple[str, str], tuple[Quantiles, int]] = {}

    def known(self, event: str, name: str) -> bool:
        """Whether the rules say where a number lies."""
        return any(holding(ranges, event, name) for tables in self._tables for ranges in tables)

    def of(self, event: str, name: str) -> list[ValueRange]:
        """By segment, where a number lies."""
        return [
            next((found for ranges in tables if (found := holding(ranges, event, name))), _ANY_NUMBER)
            for tables in self._tables
        ]

    def decimals(self, event: str, name: str) -> int:
        """Decimals that a number has."""
        return self._table(event, name)[1]

    def bounds(self, event: str, name: str) -> tuple[Array, Array]:
        """By segment, the smallest and the largest number."""
        found = self.of(event, name)
        return np.array([each.min for each in found]), np.array([each.max for each in found])

    def means(self, event: str, name: str) -> Array:
        """By segment, the mean."""
        found = self.of(event, name)
        return np.array([each.mean if each.mean is not None else (each.min + each.max) / 2 for each in found])

    def numbers(self, streams: Streams, users: Users, rows: Rows, name: str, drawn: Array | None = None) -> pl.Series:
        """Numbers in the range of each row's segment.

        Args:
            drawn: from 0 to 1, how high in its range each is; None leaves it to chance.
        """
        table, decimals = self._table(rows.key, name)
        if drawn is None:
            drawn = streams.uniform(f"{rows.key} {name}", users.number[rows.user], rows.counter)
        return rounded(table.sample(drawn, users.segment[rows.user]), decimals)

    def _table(self, event: str, name: str) -> tuple[Quantiles, int]:
        if (event, name) not in self._drawn_from:
            found = self.of(event, name)
            self._drawn_from[event, name] = quantile_table(*found), max(map(_decimals, found))
        return self._drawn_from[event, name]


def _decimals(wanted: ValueRange) -> int:
    if wanted.integer:
        return 0
    width = wanted.max - wanted.min
    return 2 if width >= 0.2 else 4 if width >= 0.01 else 6


def count_start(plan: Blueprint, streams: Streams, users: Users, shared: str) -> Array:
    """Where each user's count begins: at its start, and for who was there before, in the segment's range."""
    rules = [rule for _, _, rule in plan.counters[shared]]
    moving = next((rule for rule in rules if rule.step or rule.source), rules[0])
    start = np.full(len(users), max(rule.start for rule in rules), np.float64)
    key = _range_key(plan, shared)
    if key is not None and moving.source is None:
        rows = replace(everybody(users), key=key[0])
        drawn = numbers(plan.ranges.numbers(streams, users, rows, key[1], users.experience))
        most = max((rule.max for rule in rules if rule.max is not None), default=np.inf)
        start = np.where(users.signed_up_day < 0, np.clip(drawn, moving.start, most), start)
    return start


def _range_key(plan: Blueprint, shared: str) -> tuple[str, str] | None:
    """Event and property whose range tells how far users are: of the count, or of a state that is set from it."""
    members = plan.counters[shared]
    for event, name, _ in members:
        if plan.ranges.known(event, name):
            return event, name
    shown = {(event, f"{{{{{name}}}}}") for event, name, _ in members}
    for state, updates in plan.updates.items():
        is_shown = any(update.type == "set" and (event, update.value) in shown for event, update in updates)
        if is_shown and plan.ranges.known(USER, state):
            return USER, state
    return None
