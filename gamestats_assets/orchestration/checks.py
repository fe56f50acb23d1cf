"""Asset checks: the rules that a table declares, and the conditions that tables must satisfy together.

All checks of a table run in the step that makes it, before any other step reads the result. Checks that blame a unit
examine new rows in memory, and the units that they blame are set aside. The others examine the committed partition, all
in one collect. Results are stored in the table's ledger, for later steps, and in Dagster, for people.

A run of several partitions reports a result for each, and one for all of them that names the failing ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.delta.ledger import WHOLE, Note
from gamestats_assets.lakehouse.quality import Check, QuarantineRow, Rejection, screen
from gamestats_assets.lakehouse.table import Table, partition_key_of
from gamestats_assets.orchestration.freshness.blocking import checked_together, drop_set_aside, set_aside_units
from gamestats_assets.orchestration.freshness.inputs import Reads
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.freshness.step import Step
from gamestats_assets.orchestration.metadata import asset_key, frame_metadata
from gamestats_assets.orchestration.partitions import partitions_of, values_of

if TYPE_CHECKING:
    from gamestats_assets.orchestration.execution import StepResult

RULES = "declared_rules"
QUARANTINE = "nothing_quarantined"
UP_TO_DATE = "is_up_to_date"
STOPS = "gamestats/stops"
"""Metadata key: the part that a blocking check stops, which is never the whole run."""
_PARAGRAPH = "\n\n"
# Rows that break a check, shown as examples.
_EXAMPLES = 5


# --------------------------------------------------------------------------- evaluating


def summary(check: Check) -> str:
    """The condition that a check tests: the first paragraph of its description."""
    return " ".join(check.description.partition(_PARAGRAPH)[0].split())


def frames_of(
    check: Check,
    snapshot: Snapshot,
    keys: Sequence[str],
    fresh: Mapping[type[Table], pl.LazyFrame],
    ids: Sequence[str] | None,
) -> dict[str, pl.LazyFrame]:
    """The frames that a check examines for some partitions of its table: fresh rows, and the rest from the lake.

    Like the step that makes the table, a check does not see units that are set aside in the step's inputs.

    Args:
        ids: limits inputs that have the same units to these; None means all.
    """
    frames: dict[str, pl.LazyFrame] = {}
    step = snapshot.graph.steps.get(check.table)
    aside = set_aside_units(snapshot, step, keys) if step is not None else {}
    for name, table in check.inputs.items():
        if table in fresh:
            frames[name] = fresh[table]
            continue
        reads = Reads(table, check.table, 1 + check.days_around, check.days_around)
        rows = snapshot.lake.scan(table, reads.values(keys, snapshot), ids if reads.shares_units else None)
        frames[name] = drop_set_aside(rows, table, aside)
    return frames


def blamed(
    snapshot: Snapshot,
    table: type[Table],
    keys: Sequence[str],
    fresh: Mapping[type[Table], pl.LazyFrame],
    ids: Sequence[str] | None,
) -> tuple[dict[str, dict[str, str]], list[Rejection]]:
    """Finds the units that checks blame.

    Args:
        fresh: rows that the step has just made, including those of the table.
        ids: the units being made, whether or not they have rows; None means the whole partitions.

    Returns:
        The blamed units by partition, each with the first check that blames it; and entries for the quarantine.
    """
    checks = [check for check in snapshot.graph.checks.get(table, ()) if check.blames]
    plans = [check.rows(**frames_of(check, snapshot, keys, fresh, ids)) for check in checks]
    aside: dict[str, dict[str, str]] = {}
    rejections: list[Rejection] = []
    for check, broken in zip(checks, pl.collect_all(plans), strict=True):
        if broken.is_empty():
            continue
        unit, partition = str(check.unit), table.spec.partitioned_by
        by = [unit, partition] if partition else [unit]
        for (value, *partition_value), broken_rows in broken.drop_nulls(by).group_by(by, maintain_order=True):
            key, name = partition_key_of(partition_value[0]) if partition_value else WHOLE, str(value)
            if key not in keys or (ids is not None and name not in ids) or name in aside.get(key, ()):
                continue
            aside.setdefault(key, {})[name] = check.name
            lost = fresh[table].filter(pl.col(unit) == value).collect()
            reason = f"The check {check.name} blames it: {summary(check)} {_first(broken_rows)}"
            examples = lost.head(_EXAMPLES).write_json()
            rejections.append(Rejection(name, "unit", check.name, reason, lost.height, examples))
    return aside, rejections


def _first(broken: pl.DataFrame) -> str:
    return f"First: {', '.join(f'{name} {value}' for name, value in broken.row(0, named=True).items())}."


def drop_blamed(table: type[Table], rows: pl.LazyFrame, aside: Mapping[str, Collection[str]]) -> pl.LazyFrame:
    """Drops rows of units that are set aside in their partition; frames that do not name units stay as they are."""
    unit, column = table.spec.replaced_by, table.spec.partitioned_by
    if not any(aside.values()) or unit not in rows.collect_schema().names():
        return rows
    for key, units in aside.items():
        is_aside = pl.col(unit).is_in([*units])
        is_aside &= pl.col(column).is_in(values_of(table, [key]) or ()) if column else pl.lit(value=True)
        rows = rows.filter((~is_aside).fill_null(value=True))
    return rows


def evaluate(checks: Sequence[Check], snapshot: Snapshot, keys: Sequence[str]) -> list[pl.DataFrame]:
    """The committed rows that break each check of a table in some partitions."""
    plans = [check.rows(**frames_of(check, snapshot, keys, {}, None)) for check in checks]
    return [_in_partitions(check, rows, keys) for check, rows in zip(checks, pl.collect_all(plans), strict=True)]


def _in_partitions(check: Check, broken: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Keeps rows of some partitions, and rows that name no partition."""
    column = check.table.spec.partitioned_by
    if broken.is_empty() or column not in broken.columns:
        return broken
    return broken.filter(pl.col(column).is_in(values_of(check.table, keys) or ()) | pl.col(column).is_null())


@dataclass(slots=True)
class Verdict:
    """Findings of a table's checks in some partitions.

    Attributes:
        broken: rows that break each check.
        failed: by partition, the checks that stop it, each with its message.
        warned: by partition, the checks that only warn, each with its message.
    """

    broken: dict[str, pl.DataFrame] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    warned: dict[str, dict[str, str]] = field(default_factory=dict)

    def note(self, keys: Collection[str]) -> Note:
        """The verdict as a note for the ledger."""
        warned = {key: self.warned[key] for key in keys if key in self.warned}
        return Note(failed={key: self.failed.get(key, {}) for key in keys}, warned=warned)


def judge(snapshot: Snapshot, table: type[Table], keys: Sequence[str], *, screened: bool = False) -> Verdict:
    """Evaluates every check of a table on committed partitions; `WHOLE` is the key of an unpartitioned table.

    Args:
        screened: checks that blame units saw every row before it was committed, and need not run again.
    """
    # Checks that stop a whole partition are named before those that blame too many units.
    checks = sorted(snapshot.graph.checks.get(table, ()) if keys else (), key=lambda check: check.unit is not None)
    asked = [check for check in checks if not (screened and check.blames)]
    breaking = dict(zip((check.name for check in asked), evaluate(asked, snapshot, keys), strict=True))
    verdict = Verdict()
    for check in checks:
        broken = breaking.get(check.name, pl.DataFrame(schema={str(check.unit): pl.String}))
        if not broken.is_empty():
            # Set-aside units are reported separately.
            aside = {key: snapshot.lake.ledger(table)[key].set_aside for key in keys}
            broken = drop_blamed(table, broken.lazy(), aside).collect()
        verdict.broken[check.name] = broken
        for key in keys:
            if (message := _message(snapshot, check, key, _in_partitions(check, broken, [key]))) is not None:
                found = verdict.failed if check.blocking else verdict.warned
                found.setdefault(key, {})[check.name] = message
    return verdict


def _message(snapshot: Snapshot, check: Check, key: str, broken: pl.DataFrame) -> str | None:
    """Why a check stops a partition or warns of it; None if it does neither. Too many blamed units stop it, too."""
    if check.blames:
        found = snapshot.lake.ledger(check.table)[key]
        total, aside = len(found.units or {}), {unit for unit, name in found.set_aside.items() if name == check.name}
        # Rows that a foreign commit wrote were never screened.
        standing = {*map(str, broken[check.unit].drop_nulls())} if check.unit in broken.columns else set[str]()
        if len(aside | standing) > max(1, int(check.most_units * total)):
            return (
                f"It blames {len(aside | standing)} of {total} units, more than {check.most_units:.0%}. "
                f"{summary(check)} Such as {min(aside | standing)}."
            )
        if standing:
            return f"{min(standing)} breaks it and stands in the table. {summary(check)}"
        if check.unit in broken.columns:
            return None
    if broken.is_empty():
        return None
    rows = "1 row breaks" if broken.height == 1 else f"{broken.height} rows break"
    return f"{rows} it. {summary(check)} {_first(broken)}"


def check_unchecked(snapshot: Snapshot, table: type[Table], keys: Collection[str] | None) -> None:
    """Evaluates the checks of partitions that were never checked since they were written; None means all of them."""
    for each in checked_together(snapshot, table):
        if not any(check.blocking for check in snapshot.graph.checks.get(each, ())):
            continue
        unchecked = sorted(
            key
            for key, found in snapshot.ledger(each).partitions.items()
            if found.failed is None and (found.units is None or found.units) and (keys is None or key in keys)
        )
        if unchecked:
            snapshot.lake.note(each, judge(snapshot, each, unchecked).note(unchecked))


# --------------------------------------------------------------------------- for Dagster


def _spec(table: type[Table], name: str, **keywords: Any) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset_key(table), partitions_def=partitions_of(table), **keywords)


def check_specs(table: type[Table], checks: Sequence[Check], *, follows: bool) -> list[dg.AssetCheckSpec]:
    """Specs of all checks of a table: the common ones and its own.

    They do not block in Dagster's sense, which would stop a run with all its days. Steps themselves find out which days
    may be read.

    Args:
        follows: whether partitions are made whole, and so may have to wait for others.
    """
    rules = _spec(
        table,
        RULES,
        metadata={STOPS: "its unit"},
        description="Committed rows satisfy the declared keys, bounds and rules.",
    )
    up_to_date = _spec(
        table,
        UP_TO_DATE,
        description="It is made from the current content of its inputs. This is only a warning: a partition that is "
        "behind is made again automatically, unless it reads one that breaks a check.",
    )
    own = [
        _spec(
            table,
            check.name,
            metadata={STOPS: f"its {check.unit}" if check.unit else "its partition"} if check.blocking else None,
            description=f"{check.description}{_PARAGRAPH}{_what_it_stops(check)}".strip(),
            # Steps write the quarantine together with their tables, so no step depends on it.
            additional_deps=sorted(
                asset_key(other) for other in {*check.inputs.values()} - {table} if not issubclass(other, QuarantineRow)
            ),
        )
        for check in checks
    ]
    return [rules, *([up_to_date] if follows else []), *own]


def _what_it_stops(check: Check) -> str:
    """The part that a blocking check stops. Dagster itself calls a check blocking only if it stops a whole run."""
    if not check.blocking:
        return ""
    if check.unit is None:
        return "It blocks its partition: one that fails is neither read nor published until it is mended."
    return f"It blocks its {check.unit}: one that fails is set aside with its rows, and everything else continues."


def rules_broken(snapshot: Snapshot, table: type[Table], keys: Sequence[str]) -> pl.DataFrame:
    """Units in the lake that break the table's declared rules. Only a foreign commit can have written them."""
    broken = screen(table, snapshot.lake.scan(table, values_of(table, keys)).collect()).rejections
    rows = [(None, rejection.unit_id, rejection.reason) for rejection in broken]
    return pl.DataFrame(rows, schema=dict.fromkeys(("partition", "unit_id", "reason"), pl.String), orient="row")


def results(
    snapshot: Snapshot, step: Step, table: type[Table], done: StepResult, *, several: bool
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Results of a table's checks after its step, as Dagster's events.

    For a check result, Dagster would first look up a materialisation, which takes longer than most checks.

    Args:
        several: whether the run has several partitions. Then each reports its own result, followed by one for all of
            them. Held partitions report only that they are held.
    """
    one = done.keys[0] if table.spec.partitioned_by and done.keys and not several else None
    no_rows, verdict = pl.DataFrame(schema={"partition": pl.String}), done.verdicts[table]

    def report(
        name: str, broken: pl.DataFrame, keys: Collection[str], *, blocking: bool, figures: Sequence[str] = ()
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        failing = sorted({*broken.get_column("partition")} - {None})
        for key in [*(keys if several else ()), one] if keys or name == UP_TO_DATE else ():
            alone_key = key if several else None
            shown = broken if alone_key is None else broken.filter(pl.col("partition") == alone_key)
            metadata: dict[str, Any] = {"violations": shown.height}
            if figures:
                values = values_of(table, done.checked_keys if alone_key is None else [alone_key])
                sums = snapshot.lake.scan(table, values).select(pl.col(figures).sum()).collect()
                metadata = sums.row(0, named=True) | metadata
            if not shown.is_empty():
                metadata["examples"] = frame_metadata(shown.drop("partition"))
            if failing and alone_key is None:
                metadata["failing_partitions"] = ", ".join(failing)
            yield dg.AssetCheckEvaluation(
                asset_key=asset_key(table),
                check_name=name,
                passed=shown.is_empty(),
                severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
                partition=key,
                metadata=metadata,
            )
        yield dg.Output(None, output_name=dg.AssetCheckSpec(name, asset=asset_key(table)).get_python_identifier())

    broken = no_rows if done.made else rules_broken(snapshot, table, done.checked_keys)
    yield from report(RULES, broken, done.checked_keys, blocking=True)
    if not step.by_unit:
        held_rows = [(key or None, why) for key, why in done.held.items()]
        broken = pl.DataFrame(held_rows, schema={"partition": pl.String, "reason": pl.String}, orient="row")
        yield from report(UP_TO_DATE, broken, done.held, blocking=False)
    for check in snapshot.graph.checks.get(table, ()):
        broken = verdict.broken.get(check.name, no_rows)
        if broken.is_empty() and check.unit is not None:
            # Shows the units that the check has set aside.
            aside = [(key, snapshot.lake.ledger(table)[key].set_aside) for key in done.checked_keys]
            rows = [(key or None, unit) for key, units in aside for unit, name in units.items() if name == check.name]
            broken = pl.DataFrame(rows, schema={"partition": pl.String, check.unit: pl.String}, orient="row")
        else:
            column = table.spec.partitioned_by
            partition = pl.col(column).cast(pl.String) if column in broken.columns else pl.lit(None, pl.String)
            broken = broken.with_columns(partition=partition)
        stops = check.unit is None or any(check.name in verdict.failed.get(key, {}) for key in done.checked_keys)
        yield from report(
            check.name, broken, done.checked_keys, blocking=check.blocking and stops, figures=check.figures
        )
