"""Counts and balances of users: what stands after each event that moves them, also within lists of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.columns import lists, numbers, objects, rounded, texts
from gamestats_assets.demo_data.generator.ranges import count_start
from gamestats_assets.demo_data.generator.state import running_count
from gamestats_assets.demo_data.rules.model import CounterRule

if TYPE_CHECKING:
    from gamestats_assets.demo_data.generator.properties import Properties

_Columns = dict[tuple[str, str], pl.Series]


class Counts:
    """The counts of some users, each made when it is first asked for."""

    def __init__(self, properties: Properties) -> None:
        self._of, self._plan = properties, properties.plan
        self._made: dict[str, _Columns] = {}
        self._inner: dict[tuple[str, str], dict[str, pl.Series]] = {}

    def shown(self, event: str, name: str) -> pl.Series:
        """A count that events move, as it stands after each of them."""
        rule = self._plan.rules.constraint_of(event, name).counter
        assert rule is not None
        return self.all(rule.shared or f"{event}/{name}")[event, name]

    def all(self, shared: str) -> _Columns:
        """By event and property, a count after each event, and what moved it: no more than there was."""
        if shared not in self._made:
            with self._of.asking(f"count {shared}"):
                self._made[shared] = self._counted(shared)
        return self._made[shared]

    def in_objects(self, event: str, name: str) -> pl.Series:
        """An object group that holds balances."""
        given = self._plan.properties_of[event][name]
        inner = dict(self._objects(event, name))
        for child in given.properties:
            dotted = f"{name}.{child.name}"
            rule = self._plan.rules.constraint_of(event, dotted).counter
            if rule is not None and rule.source is not None:
                found = self.all(rule.shared or f"{event}/{dotted}")
                source = rule.source.rpartition(".")[2]
                inner[child.name], inner[source] = found[event, dotted], found[event, f"{name}.{source}"]
        ordered = {child.name: inner[child.name] for child in given.properties}
        rows, count = self._of.rows_of(event).size, self._of.values.objects_in(event, name)
        return lists(np.repeat(np.arange(rows), count), objects(ordered, rows * count), rows)

    def _objects(self, event: str, name: str) -> dict[str, pl.Series]:
        if (event, name) not in self._inner:
            count = self._of.values.objects_in(event, name)
            each = self._of.rows(event).repeated(count)
            given = self._plan.properties_of[event][name]
            self._inner[event, name] = self._of.values.inner(each, name, given, count)
        return self._inner[event, name]

    def _counted(self, shared: str) -> _Columns:
        members = self._plan.counters[shared]
        start = count_start(self._plan, self._of.streams, self._of.users, shared)
        raws = [self._moving(*member) for member in members]
        keyed = any(rule.group_by for _, _, rule in members)
        parts: list[pl.DataFrame] = []
        for number, ((event, name, rule), raw) in enumerate(zip(members, raws, strict=True)):
            rows = np.repeat(self._of.rows_of(event), self._repeats(event, name))
            moves = np.full(rows.size, float(rule.step)) if raw is None else rule.sign * np.nan_to_num(numbers(raw))
            user = self._of.happened.user[rows]
            part = {
                "member": np.full(rows.size, number),
                "row": rows,
                "user": user,
                "move": moves,
                "start": start[user],
            }
            parts.append(pl.DataFrame(part).with_columns(key=self._keys(event, name, rule, rows.size)))
        every = pl.concat(parts).with_row_index("place").sort("row", "place")
        group = every["user"] if not keyed else every.select(pl.struct("user", "key").rank("dense")).to_series()
        most = max((rule.max for _, _, rule in members if rule.max is not None), default=None)
        before, after = running_count(group.to_numpy(), every["move"].to_numpy(), every["start"].to_numpy(), most)
        done = every.with_columns(after=after, moved=np.abs(after - before)).sort("place")
        found: _Columns = {}
        for number, ((event, name, rule), raw) in enumerate(zip(members, raws, strict=True)):
            own = done.filter(pl.col("member") == number)
            decimals = 0 if float(rule.step).is_integer() else 2
            if raw is not None:
                decimals = 2 if raw.dtype == pl.Float64 else 0
                moved = raw if raw.dtype == pl.Boolean else rounded(own["moved"].to_numpy(), decimals)
                found[event, self._source(name, rule)] = moved
            found[event, name] = rounded(own["after"].to_numpy(), decimals)
        return found

    def _repeats(self, event: str, name: str) -> int:
        """How many rows a count has for one of its event's: one for each object of its group."""
        return self._of.values.objects_in(event, name.partition(".")[0]) if "." in name else 1

    def _source(self, name: str, rule: CounterRule) -> str:
        """Full name of the property that moves a count: in a group, one of the same object."""
        source = rule.source or ""
        return f"{name.rpartition('.')[0]}.{source.rpartition('.')[2]}" if "." in name else source

    def _moving(self, event: str, name: str, rule: CounterRule) -> pl.Series | None:
        """What moves a count, before there being too little limits it; None where each event does by as much."""
        if rule.source is None:
            return None
        if "." in name:
            return self._objects(event, name.partition(".")[0])[rule.source.rpartition(".")[2]]
        return self._of.objects_total(event, rule.source) if "." in rule.source else self._of.raw(event, rule.source)

    def _keys(self, event: str, name: str, rule: CounterRule, size: int) -> pl.Series:
        """What tells a user's counts apart."""
        if rule.group_by is None:
            return pl.Series([""]).gather(np.zeros(size, np.uint32))
        if "." in name:
            return texts(self._objects(event, name.partition(".")[0])[rule.group_by.rpartition(".")[2]])
        return texts(self._of.column(event, rule.group_by))
