"""One pass over the state of a game: ledgers, landed files and entered rows, each read at most once.

A snapshot is cheap. It reads the heads of Delta logs, then only new commits; it lists a landed day only when the day's
folder has changed; and it asks PostgreSQL for one version number per table that people edit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from gamestats_assets.lakehouse.delta.ledger import (
    WHOLE,
    Ledger,
    Units,
    fingerprint,
    is_set_aside,
    mapping_fingerprint,
    row_fingerprints,
)
from gamestats_assets.lakehouse.entries.ops import entered_rows, migrate, versions
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.landed import landed_hashes
from gamestats_assets.orchestration.partitions import dimensions, is_paired, is_partition_day, partitions_of, values_of

if TYPE_CHECKING:
    from gamestats_assets.orchestration.freshness.step import Step

CONSTANT = "(constant)"
"""Ledger key of an unpartitioned table: inputs that belong to no day. It sorts before every day."""
PASSED_ON = "(passed on)"
"""Ledger key: the value that `CONSTANT` had when it last changed the table's rows. Tables by day depend on this one."""

_P = ParamSpec("_P")
_T = TypeVar("_T")
_ENTERED: WeakKeyDictionary[Stores, dict[type[Table], tuple[int, dict[str, str]]]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Graph:
    """How the tables of a game are made and checked.

    Attributes:
        steps: the step that makes each table.
        checks: the checks on each table.
    """

    steps: dict[type[Table], Step] = field(default_factory=dict)
    checks: dict[type[Table], list[Check]] = field(default_factory=dict)


def cached_in_snapshot(find: Callable[_P, _T]) -> Callable[_P, _T]:
    """Caches the results of a function in the `Snapshot` that it is called with."""

    @functools.wraps(find)
    def cached(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        snapshot = next(arg for arg in args if isinstance(arg, Snapshot))
        key = (find, *(arg for arg in args if arg is not snapshot))
        if key not in snapshot.cache:
            snapshot.cache[key] = find(*args, **kwargs)
        return snapshot.cache[key]

    return cached


class Snapshot:
    """The current state of the tables, the landing zone and people's entries. Everything is read at most once.

    Args:
        counted: also count published rows, to notice rows that were deleted from PostgreSQL.
        only: by dimension, the partitions of interest; all if a dimension is missing. It applies to tables with that
            one dimension, so that a question about one player does not examine ten thousand.
    """

    def __init__(
        self, stores: Stores, graph: Graph, *, counted: bool = False, only: Mapping[str, Collection[str]] | None = None
    ) -> None:
        self.stores, self.graph, self.counted, self.only = stores, graph, counted, only or {}
        self.lake = stores.lake
        self.cache: dict[object, Any] = {}

    @cached_in_snapshot
    def ledger(self, table: type[Table]) -> Ledger:
        """A table's ledger."""
        return self.lake.ledger(table)

    def keys_in_scope(self, table: type[Table]) -> Collection[str] | None:
        """The partitions of a table that `only` leaves; None means all."""
        own = dimensions(partitions_of(table))
        return self.only.get(own[0]) if len(own) == 1 else None

    @cached_in_snapshot
    def content(self, table: type[Table]) -> dict[str, str]:
        """Fingerprint of a table's rows, by partition."""
        return self.ledger(table).content()

    def made_from(self, table: type[Table]) -> dict[str, str]:
        """Fingerprint of each partition's inputs."""
        return {key: partition.made_from for key, partition in self.ledger(table).partitions.items()}

    @cached_in_snapshot
    def units(self, table: type[Table], key: str) -> Units:
        """Units of a partition, computed from its rows if a foreign commit wrote them."""
        units = self.ledger(table)[key].units
        if units is not None:
            return units
        rows = self.lake.scan(table, values_of(table, [key])).collect()
        return {unit: ("", content) for unit, content in row_fingerprints(table, rows).get(key, {}).items()}

    @cached_in_snapshot
    def units_everywhere(self, table: type[Table]) -> Mapping[str, str]:
        """Fingerprint of each unit's rows in all partitions together, or the mark of a unit that is set aside."""
        by_unit: dict[str, list[str]] = {}
        for key in sorted(self.ledger(table).partitions):
            for unit, (_, rows) in self.units(table, key).items():
                by_unit.setdefault(unit, []).append(rows)
        return {
            unit: next((each for each in rows if is_set_aside(each)), rows[0] if len(rows) == 1 else fingerprint(*rows))
            for unit, rows in by_unit.items()
        }

    @cached_in_snapshot
    def _landed(self, game: str) -> dict[str, dict[str, str]]:
        return landed_hashes(self.stores.landing, game)

    @cached_in_snapshot
    def landed(self, table: type[Table]) -> dict[str, dict[str, str]]:
        """By partition (a day, or a day of an area) and id: one hash of all landed files of the id.

        The hash includes the files of the day before if rows depend on these too.
        """
        files, spec, paired = self._landed(table.spec.game), table.spec, is_paired(partitions_of(table))
        keys = [key for key in files if ("|" in key) == paired and is_partition_day(key, spec.first_day)]
        if not spec.after_day_before:
            return {key: files[key] for key in keys}
        landed: dict[str, dict[str, str]] = {}
        for key in keys:
            day, bar, name = key.partition("|")
            before = files.get(f"{date.fromisoformat(day) - timedelta(days=1)}{bar}{name}", {})
            landed[key] = {
                unit: fingerprint(digest, before[unit]) if unit in before else digest
                for unit, digest in files[key].items()
            }
        return landed

    @cached_in_snapshot
    def _entered_versions(self) -> Mapping[str, int]:
        url = self.stores.postgres_url
        by_table = versions(url)
        if not by_table:
            migrate(url)
        return by_table

    @cached_in_snapshot
    def entered(self, table: type[Table]) -> dict[str, str]:
        """By partition, a fingerprint of the rows of `ops` that a snapshot copies; read only after an edit."""
        version = self._entered_versions().get(table.spec.name, 0)
        cache = _ENTERED.setdefault(self.stores, {})
        if cache.get(table, (-1, {}))[0] != version:
            by_key = row_fingerprints(table, entered_rows(self.stores.postgres_url, table))
            by_key = by_key if table.spec.partitioned_by else {WHOLE: by_key.get(WHOLE, {})}
            cache[table] = version, {key: mapping_fingerprint(units) for key, units in by_key.items()}
        return cache[table][1]
