"""Freshness: which partitions of which tables are behind, and why. The only module that decides which partitions are
made.

**The rule.** A partition is *behind* if the fingerprint of its inputs differs from the one recorded with its last
commit. Its inputs are the version of the code and of the declared columns, the rows of the partitions it reads, the
files that landed for it, and the rows that people entered. Fingerprints of rows do not depend on when or how often the
rows were made, so a recomputation that yields the same rows changes nothing downstream.

**The ledger.** Each commit carries these fingerprints in its own metadata (see `delta.ledger`): those of every unit (a
match, a log file), and that of the whole partition once all of it is made and checked. A run that dies therefore leaves
a partition that is behind, and the next run continues where it stopped.

**Incremental.** A `Step` declares its inputs: a `by_unit` step makes a match from that match's rows alone and leaves
all other matches untouched; every other step makes a partition as a whole. Either way, only units whose rows changed
are written, and only these are news to downstream tables.

**Checks** run in the step of the table that they guard. A check that blames a unit sets it aside: its rows go to the
quarantine, and nothing downstream is made from it. A check that stops a partition blocks it for all readers: everything
made from it stays as it was (*held*) until the partition is mended (see `blocking`). A partition that was never
checked, because a run died or a foreign commit wrote it, is checked before it is read.

The sensor `behind`, `gamestats materialize`, `gamestats tables`, the check `is_up_to_date` and every running step ask
this module. It is also why Materialise in the UI skips everything that is up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from gamestats_assets.lakehouse.delta.ledger import WHOLE, fingerprint, is_set_aside, mapping_fingerprint
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.inputs import Fingerprints, Reads
from gamestats_assets.orchestration.freshness.snapshot import CONSTANT, PASSED_ON, Snapshot, cached_in_snapshot
from gamestats_assets.orchestration.partitions import has_days, partitions_of

if TYPE_CHECKING:
    from gamestats_assets.orchestration.execution import Produce

BATCH_SIZE = 200
"""Units made and committed together unless a step says otherwise; bounds memory to about 2 GB."""


@dataclass(frozen=True, eq=False)
class Step:
    """One way of making tables, with its inputs.

    Attributes:
        tables: the tables that it makes together; their partitions are of one kind.
        version: of the code, declared columns included.
        inputs: its inputs; a change makes its tables stale.
        produce: makes the rows of batches.
        also_reads: other tables that it reads, whose changes show in another input.
        by_unit: whether a unit is made only from that unit's rows and from inputs read as a whole.
        names: the partitions of a table by names, if no input implies them.
        landed: whether it reads landed files and nothing else.
        deps: assets that must come first and are not tables.
        batch_size: units made and committed together.
        together: whether all partitions of a run are made at once, if partitions are made whole.
    """

    tables: tuple[type[Table], ...]
    version: str
    inputs: tuple[Reads | Fingerprints, ...]
    produce: Produce
    also_reads: tuple[type[Table], ...] = ()
    by_unit: bool = False
    names: Fingerprints | None = None
    landed: bool = False
    deps: tuple[dg.AssetKey, ...] = ()
    batch_size: int = BATCH_SIZE
    together: bool = False

    @property
    def table(self) -> type[Table]:
        """The first of its tables."""
        return self.tables[0]

    @property
    def reads(self) -> list[Reads]:
        """The inputs that are tables."""
        return [each for each in self.inputs if isinstance(each, Reads)]

    @property
    def sources(self) -> list[type[Table]]:
        """Every table that it reads."""
        return [*dict.fromkeys([*(each.source for each in self.reads), *self.also_reads])]

    @cached_in_snapshot
    def expected(self, snapshot: Snapshot) -> dict[str, str]:
        """The expected inputs of each partition that should exist: a fingerprint for the code and for each input."""
        implied = [self.names.keys(snapshot)] if self.names else [each.keys(snapshot) for each in self.inputs]
        keys = {key for keys in implied if keys is not None for key in keys} if self.inputs else {WHOLE}
        keys = keys if (scope := self._keys_in_scope(snapshot)) is None else keys & {*scope}
        digests = [self._digests(each, snapshot) for each in self.inputs]
        code = fingerprint(self.version)
        return {key: ".".join([code, *(digest(key) for digest in digests)]) for key in sorted(keys)}

    def _keys_in_scope(self, snapshot: Snapshot) -> Collection[str] | None:
        """The partitions of interest; None means all. Days are never limited, since other days read them."""
        return None if has_days(partitions_of(self.table)) else snapshot.keys_in_scope(self.table)

    def _digests(self, read: Reads | Fingerprints, snapshot: Snapshot) -> Callable[[str], str]:
        """The input's digests. If its units are spread over other partitions, only the units of a partition count."""
        if not (self.by_unit and isinstance(read, Reads) and read.shares_units and not read.is_aligned):
            return read.digests(snapshot)
        aligned = [each.source for each in self.reads if each.is_aligned]

        def digest(key: str) -> str:
            everywhere = snapshot.units_everywhere(read.source)
            units = {unit for source in aligned for unit in snapshot.units(source, key)}
            return mapping_fingerprint({unit: everywhere[unit] for unit in units if unit in everywhere})

        return digest

    @cached_in_snapshot
    def behind(self, snapshot: Snapshot) -> dict[str, str]:
        """The partitions that are behind, each with the reason."""
        expected, reasons, scope = self.expected(snapshot), dict[str, str](), self._keys_in_scope(snapshot)
        for table in self.tables:
            held = snapshot.ledger(table).partitions
            keys = held.keys() if partitions_of(table) is not None else held.keys() & {WHOLE}
            keys = keys if scope is None else keys & {*scope}
            for key in (expected.keys() | keys) - reasons.keys():
                made_from = held[key].made_from if key in held else ""
                if made_from != expected.get(key, "") or (key not in expected and held[key].units):
                    reasons[key] = self._reason(snapshot, key, made_from, expected.get(key))
        return dict(sorted(reasons.items()))

    def _reason(self, snapshot: Snapshot, key: str, made_from: str, expected: str | None) -> str:
        if expected is None:
            return "what it was made from is gone"
        before, now = made_from.split("."), expected.split(".")
        if made_from and before[0] != now[0]:
            return "code version"
        if self.landed and (not made_from or before[1] != now[1]):
            return self._landed_reason(snapshot, key)
        if len(before) != len(now):
            return (
                "new"
                if all(snapshot.ledger(table)[key].units == {} for table in self.tables)
                else "begun, not finished"
            )
        pairs = zip(self.inputs, before[1:], now[1:], strict=True)
        changed = [each for each, was, new in pairs if was != new]
        return ", ".join(
            each.describe_change(snapshot)
            if isinstance(each, Fingerprints) and each.describe_change
            else f"{each.name} changed"
            for each in changed
        )

    def _landed_reason(self, snapshot: Snapshot, key: str) -> str:
        if not self.by_unit:
            return "files landed"
        expected, _ = self.unit_inputs(snapshot, key)
        held = snapshot.ledger(self.table)[key].units or {}
        new = sum(held.get(unit, ("",))[0] != made_from for unit, made_from in expected.items())
        unit = str(self.table.spec.replaced_by).removesuffix("_id")
        plural = f"{unit}es" if unit.endswith("ch") else f"{unit}s"
        if new:
            return f"{new} {unit if new == 1 else plural} landed"
        return "files are gone" if held.keys() - expected.keys() else "begun, not finished"

    def unit_inputs(self, snapshot: Snapshot, key: str) -> tuple[dict[str, str], dict[str, str]]:
        """For a step by unit, the units of a partition.

        Returns:
            The inputs of each unit; and the set-aside units, each with the check that blames it.
        """
        code = fingerprint(self.version)
        if self.landed:
            files = snapshot.landed(self.table).get(key, {})
            return {unit: fingerprint(code, digest) for unit, digest in files.items()}, {}
        aligned = [each for each in self.reads if each.is_aligned]
        elsewhere = [
            snapshot.units_everywhere(each.source) for each in self.reads if each.shares_units and not each.is_aligned
        ]
        common = [
            each.digests(snapshot)(key) for each in self.inputs if not (isinstance(each, Reads) and each.shares_units)
        ]
        held = [snapshot.units(each.source, key) for each in aligned]
        expected: dict[str, str] = {}
        aside: dict[str, str] = {}
        for unit in sorted({unit for units in held for unit in units}):
            rows = [units[unit][1] if unit in units else "" for units in held]
            rows += [by_unit.get(unit, "") for by_unit in elsewhere]
            expected[unit] = fingerprint(code, *common, *rows)
            if blaming := [each[1:] for each in rows if is_set_aside(each)]:
                aside[unit] = blaming[0]
        return expected, aside

    def made_from_by_day(self, snapshot: Snapshot) -> dict[str, str]:
        """For an unpartitioned table, its inputs by day; `CONSTANT` holds the rest.

        A day that reads this table depends only on the days up to itself, so rows for that day must not depend on later
        ones.
        """
        if partitions_of(self.table) is not None or not any(
            has_days(partitions_of(each.source)) for each in self.reads
        ):
            return {}
        by_day: dict[str, list[str]] = {CONSTANT: [self.version]}
        for each in self.reads:
            held: Mapping[str, str] = snapshot.content(each.source)
            if partitions_of(each.source) is None:
                made_from = snapshot.made_from(each.source)
                of_source = {day: made for day, made in made_from.items() if day not in (WHOLE, PASSED_ON)}
                held = of_source or {CONSTANT: held.get(WHOLE, "")}
            for key, digest in held.items():
                by_day.setdefault(key, []).append(f"{each.name} {digest}")
        return {key: fingerprint(*sorted(parts)) for key, parts in by_day.items()}
