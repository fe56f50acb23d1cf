"""Which partitions must not be read or made, and why.

A partition that breaks a check is *blocked*: it is not read, and everything made from it is *held*, that is, stays as
it was, until the partition is mended. A unit that a check blames is set aside instead, and the others go on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from gamestats_assets.lakehouse.delta.ledger import WHOLE
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.snapshot import CONSTANT, Snapshot, cached_in_snapshot
from gamestats_assets.orchestration.partitions import has_days, is_paired, partitions_of

if TYPE_CHECKING:
    from gamestats_assets.orchestration.freshness.step import Step


def checked_together(snapshot: Snapshot, table: type[Table]) -> Sequence[type[Table]]:
    """The tables whose checks guard this one: all tables that one reading of a day's files makes as a whole."""
    step = snapshot.graph.steps.get(table)
    return [table] if step is None or step.by_unit or not step.landed else step.tables


def blocked_reason(snapshot: Snapshot, table: type[Table], key: str) -> str | None:
    """The first blocking check that a partition breaks, as a sentence; None if it may be read."""
    for each in checked_together(snapshot, table):
        partition = snapshot.ledger(each).partitions.get(key)
        if partition is not None and partition.failed:
            name, message = next(iter(partition.failed.items()))
            return f"{each.spec.dotted} breaks the check {name!r} in {key or 'the table'}: {message}"
    return None


@cached_in_snapshot
def held_reason(snapshot: Snapshot, step: Step, key: str) -> str | None:
    """Why a partition must stay as it is: something that it reads breaks a check, or is itself held."""
    for reads in step.reads:
        if is_unmade(snapshot, reads.source):
            return f"It waits for {reads.name}, which must be materialised first."
        if (day := first_held_day(snapshot, reads.source)) is not None and (key == WHOLE or day <= key):
            # Days before the first held day of an unpartitioned table may be read.
            return f"It waits for {reads.name}, which is behind" + (f" on {day}." if day != CONSTANT else ".")
        if unreadable := _unreadable(snapshot, reads.source):
            read = reads.keys_read(key, snapshot)
            if reason := next((why for each, why in unreadable.items() if read is None or each in read), None):
                return reason
    return None


def is_unmade(snapshot: Snapshot, table: type[Table]) -> bool:
    """Whether an unpartitioned table should exist but was never made."""
    step = snapshot.graph.steps.get(table)
    if step is None or partitions_of(table) is not None or WHOLE in snapshot.ledger(table).partitions:
        return False
    return WHOLE in step.expected(snapshot)


@cached_in_snapshot
def known_keys(snapshot: Snapshot, table: type[Table]) -> Sequence[str]:
    """Partitions of a table that exist, or would exist if no check held them back."""
    return sorted({*snapshot.ledger(table).partitions, *_unreadable(snapshot, table)})


@cached_in_snapshot
def _unreadable(snapshot: Snapshot, table: type[Table]) -> Mapping[str, str]:
    """Partitions that must not be read, and why: they break a check, or are held and behind."""
    # Usually no check fails anywhere, and the stale partitions need not be examined.
    if not _anything_fails(snapshot):
        return {}
    partitions = snapshot.ledger(table).partitions
    reasons = {key: reason for key in partitions if (reason := blocked_reason(snapshot, table, key)) is not None}
    step = snapshot.graph.steps.get(table)
    if step is not None and partitions_of(table) is not None:
        for key in step.behind(snapshot):
            if key not in reasons and (reason := held_reason(snapshot, step, key)) is not None:
                reasons[key] = reason
    return reasons


@cached_in_snapshot
def _anything_fails(snapshot: Snapshot) -> bool:
    return any(each.failed for table in snapshot.graph.checks for each in snapshot.ledger(table).partitions.values())


@cached_in_snapshot
def first_held_day(snapshot: Snapshot, table: type[Table]) -> str | None:
    """The first day for which a held, unpartitioned table is out of date."""
    step = snapshot.graph.steps.get(table)
    if step is None or partitions_of(table) is not None or not step.behind(snapshot):
        return None
    if held_reason(snapshot, step, WHOLE) is None:
        return None
    recorded, expected = snapshot.made_from(table), step.made_from_by_day(snapshot)
    return min((day for day, made_from in expected.items() if recorded.get(day) != made_from), default=None)


def cutoff_day(snapshot: Snapshot, step: Step) -> str | None:
    """The day before which a held, unpartitioned table can still be made.

    None if that would gain nothing, or would drop later days that the table already covers.
    """
    sources = [each.source for each in step.reads]
    days = [day for source in sources if (day := first_held_day(snapshot, source)) is not None]
    days += [key for source in sources if has_days(partitions_of(source)) for key in _unreadable(snapshot, source)]
    day, made = min(days, default=""), snapshot.made_from(step.table)
    if not day or any(key >= day for key in made):
        return None
    expected = {key: digest for key, digest in step.made_from_by_day(snapshot).items() if key < day}
    is_made = made.get(WHOLE) == days_before(day) and all(made.get(key) == digest for key, digest in expected.items())
    return None if is_made or not expected.keys() - {CONSTANT} else day


def days_before(day: str) -> str:
    """Ledger entry of an unpartitioned table that was made only from the days before a cutoff."""
    return f"days before {day}"


def set_aside_units(snapshot: Snapshot, step: Step, keys: Iterable[str]) -> dict[str, set[str]]:
    """Set-aside units among the rows that partitions read, by the column that names them.

    Of a table by day and name, the unit is the name.
    """
    by_column: dict[str, set[str]] = {}
    for reads in step.reads:
        unit, paired = reads.source.spec.replaced_by, is_paired(partitions_of(reads.source))
        if unit is None:
            continue
        ledger = snapshot.ledger(reads.source).partitions
        for key in keys:
            read = reads.keys_read(key, snapshot)
            for each in ledger if read is None else read:
                if each in ledger and (units := ledger[each].set_aside):
                    column = str(reads.source.spec.partitioned_by) if paired else unit
                    by_column.setdefault(column, set()).update([each] if paired else units)
    return by_column


def drop_set_aside(frame: pl.LazyFrame, source: type[Table], aside: Mapping[str, Collection[str]]) -> pl.LazyFrame:
    """Rows of a table without set-aside units, which are given by the column that names them."""
    for column, units in aside.items():
        if units and column in source.column_names():
            frame = frame.filter(~pl.col(column).is_in([*units]) | pl.col(column).is_null())
    return frame
