"""Asset checks: what a table declares about itself, and what tables must keep together.

All checks of a table run in the step that makes it, before anybody else reads what it made. Those that blame a unit
look at new rows while these are in memory, and what they blame is set aside; the others look at the partition as it was
committed, in one collect. What they say stands in the table's ledger, for every later step, and in Dagster, for people.

A run of several partitions gives a result for each, and one for all that names those that fail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.ledger import WHOLE, Note
from gamestats_assets.lakehouse.quality import Check, QuarantineRow, Rejection, screen
from gamestats_assets.lakehouse.table import Table, partition_key_of
from gamestats_assets.orchestration.freshness import Look, Reads, Step, aside_of, guarded_together, without
from gamestats_assets.orchestration.metadata import asset_key, frame_metadata
from gamestats_assets.orchestration.partitions import partitions_of, values_of

if TYPE_CHECKING:
    from gamestats_assets.orchestration.making import Done

RULES = "declared_rules"
QUARANTINE = "nothing_quarantined"
UP_TO_DATE = "is_up_to_date"
STOPS = "gamestats/stops"
"""Metadata of a check that stops what follows, though not the whole run: what it stops."""
_PARAGRAPH = "\n\n"
# Rows that break a check are shown five at a time.
_EXAMPLES = 5


# --------------------------------------------------------------------------- evaluating


def summary(check: Check) -> str:
    """What a check demands, in its first paragraph."""
    return " ".join(check.description.partition(_PARAGRAPH)[0].split())


def frames_of(
    check: Check, look: Look, keys: Sequence[str], fresh: Mapping[type[Table], pl.LazyFrame], ids: Sequence[str] | None
) -> dict[str, pl.LazyFrame]:
    """What a check looks at in some partitions of its table: fresh rows as they are, all else from the lake.

    As what makes the table, it sees nothing of units that are set aside in what that reads.

    Args:
        ids: units to which inputs with the same units are limited; None is all.
    """
    frames: dict[str, pl.LazyFrame] = {}
    step = look.graph.steps.get(check.table)
    aside = aside_of(look, step, keys) if step is not None else {}
    for name, table in check.inputs.items():
        if table in fresh:
            frames[name] = fresh[table]
            continue
        reads = Reads(table, check.table, 1 + check.days_around, check.days_around)
        rows = look.lake.scan(table, reads.values(keys, look), ids if reads.is_by_unit else None)
        frames[name] = without(rows, table, aside)
    return frames


def blamed(
    look: Look,
    table: type[Table],
    keys: Sequence[str],
    fresh: Mapping[type[Table], pl.LazyFrame],
    ids: Sequence[str] | None,
) -> tuple[dict[str, dict[str, str]], list[Rejection]]:
    """By partition the units that checks blame, each with the first of these checks, and entries for the quarantine.

    Args:
        fresh: rows that are made just now, those of the table with them.
        ids: the units that are made, with rows or without; None is all of the partitions.
    """
    checks = [check for check in look.graph.checks.get(table, ()) if check.blames]
    plans = [check.rows(**frames_of(check, look, keys, fresh, ids)) for check in checks]
    aside: dict[str, dict[str, str]] = {}
    rejections: list[Rejection] = []
    for check, broken in zip(checks, pl.collect_all(plans), strict=True):
        if broken.is_empty():
            continue
        unit, partition = str(check.unit), table.spec.partitioned_by
        by = [unit, partition] if partition else [unit]
        for (value, *of), of_unit in broken.drop_nulls(by).group_by(by, maintain_order=True):
            key, name = partition_key_of(of[0]) if of else WHOLE, str(value)
            if key not in keys or (ids is not None and name not in ids) or name in aside.get(key, ()):
                continue
            aside.setdefault(key, {})[name] = check.name
            lost = fresh[table].filter(pl.col(unit) == value).collect()
            reason = f"The check {check.name} blames it: {summary(check)} {_first(of_unit)}"
            examples = lost.head(_EXAMPLES).write_json()
            rejections.append(Rejection(name, "unit", check.name, reason, lost.height, examples))
    return aside, rejections


def _first(broken: pl.DataFrame) -> str:
    return f"First: {', '.join(f'{name} {value}' for name, value in broken.row(0, named=True).items())}."


def kept(table: type[Table], rows: pl.LazyFrame, aside: Mapping[str, Collection[str]]) -> pl.LazyFrame:
    """Rows that name a table's units, without those of units that are set aside in their partition."""
    unit, column = table.spec.replaced_by, table.spec.partitioned_by
    if not any(aside.values()) or unit not in rows.collect_schema().names():
        return rows
    for key, units in aside.items():
        is_aside = pl.col(unit).is_in([*units])
        is_aside &= pl.col(column).is_in(values_of(table, [key]) or ()) if column else pl.lit(value=True)
        rows = rows.filter((~is_aside).fill_null(value=True))
    return rows


def evaluate(checks: Sequence[Check], look: Look, keys: Sequence[str]) -> list[pl.DataFrame]:
    """The rows that break checks of one table in partitions of it, as committed."""
    plans = [check.rows(**frames_of(check, look, keys, {}, None)) for check in checks]
    return [_of_partitions(check, broken, keys) for check, broken in zip(checks, pl.collect_all(plans), strict=True)]


def _of_partitions(check: Check, broken: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Rows of some partitions; one that breaks a rule and names no partition belongs to whoever looks."""
    column = check.table.spec.partitioned_by
    if broken.is_empty() or column not in broken.columns:
        return broken
    return broken.filter(pl.col(column).is_in(values_of(check.table, keys) or ()) | pl.col(column).is_null())


@dataclass(slots=True)
class Verdict:
    """What checks of a table found in some partitions.

    Attributes:
        broken: by check the rows that break it.
        failed: by partition, the checks that stop it and why.
        warned: by partition, the checks that only warn, and of what.
    """

    broken: dict[str, pl.DataFrame] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    warned: dict[str, dict[str, str]] = field(default_factory=dict)

    def note(self, keys: Collection[str]) -> Note:
        """As it stands in the ledger."""
        warned = {key: self.warned[key] for key in keys if key in self.warned}
        return Note(failed={key: self.failed.get(key, {}) for key in keys}, warned=warned)


def judge(look: Look, table: type[Table], keys: Sequence[str], *, screened: bool = False) -> Verdict:
    """Evaluate every check of a table on partitions as they were committed; `WHOLE` is a table without any.

    Args:
        screened: every row was made by us, so that nothing that a check blames a unit for has come in.
    """
    # Of several that stop a partition, those that stop all of it are named first.
    checks = sorted(look.graph.checks.get(table, ()) if keys else (), key=lambda check: check.unit is not None)
    asked = [check for check in checks if not (screened and check.blames)]
    breaking = dict(zip((check.name for check in asked), evaluate(asked, look, keys), strict=True))
    verdict = Verdict()
    for check in checks:
        broken = breaking.get(check.name, pl.DataFrame(schema={str(check.unit): pl.String}))
        if not broken.is_empty():
            # What is set aside is reported as such.
            aside = {key: look.lake.ledger(table)[key].set_aside for key in keys}
            broken = kept(table, broken.lazy(), aside).collect()
        verdict.broken[check.name] = broken
        for key in keys:
            if (message := _message(look, check, key, _of_partitions(check, broken, [key]))) is not None:
                found = verdict.failed if check.blocking else verdict.warned
                found.setdefault(key, {})[check.name] = message
    return verdict


def _message(look: Look, check: Check, key: str, broken: pl.DataFrame) -> str | None:
    """Why a partition is stopped, or warned of; units that a check blames stop it when they are too many."""
    if check.blames:
        found = look.lake.ledger(check.table)[key]
        total, aside = len(found.units or {}), {unit for unit, name in found.set_aside.items() if name == check.name}
        # Rows that somebody else wrote were never screened.
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


def check_unchecked(look: Look, table: type[Table], keys: Collection[str] | None) -> None:
    """Evaluate the checks of partitions, some or all, that nobody has evaluated since they were written."""
    for each in guarded_together(look, table):
        if not any(check.blocking for check in look.graph.checks.get(each, ())):
            continue
        unchecked = sorted(
            key
            for key, found in look.ledger(each).partitions.items()
            if found.failed is None and (found.units is None or found.units) and (keys is None or key in keys)
        )
        if unchecked:
            look.lake.note(each, judge(look, each, unchecked).note(unchecked))


# --------------------------------------------------------------------------- as Dagster sees them


def _spec(table: type[Table], name: str, **keywords: Any) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset_key(table), partitions_def=partitions_of(table), **keywords)


def check_specs(table: type[Table], checks: Sequence[Check], *, follows: bool) -> list[dg.AssetCheckSpec]:
    """Specs of all checks of a table: those that every table has, and its own.

    Dagster's own blocking stops a run with all of its days; steps look by themselves which days may be read.

    Args:
        follows: whether partitions are made whole, and may wait for others.
    """
    rules = _spec(
        table,
        RULES,
        metadata={STOPS: "its unit"},
        description="What was committed has the declared keys, bounds and rules.",
    )
    up_to_date = _spec(
        table,
        UP_TO_DATE,
        description="It is made from what its inputs hold now. Only a warning: what is behind is made again by itself, "
        "save what reads a partition that breaks a check.",
    )
    own = [
        _spec(
            table,
            check.name,
            metadata={STOPS: f"its {check.unit}" if check.unit else "its partition"} if check.blocking else None,
            description=f"{check.description}{_PARAGRAPH}{_what_it_stops(check)}".strip(),
            # The quarantine is written with the tables; it is no asset.
            additional_deps=sorted(
                asset_key(other) for other in {*check.inputs.values()} - {table} if not issubclass(other, QuarantineRow)
            ),
        )
        for check in checks
    ]
    return [rules, *([up_to_date] if follows else []), *own]


def _what_it_stops(check: Check) -> str:
    """What a blocking check keeps from everybody, for Dagster calls a check blocking only when it stops a whole run."""
    if not check.blocking:
        return ""
    if check.unit is None:
        return "It blocks its partition: what fails it is read and published by nobody until it is mended."
    return f"It blocks its {check.unit}: what fails it is set aside with its rows, and everything else goes on."


def rules_broken(look: Look, table: type[Table], keys: Sequence[str]) -> pl.DataFrame:
    """Units of partitions that break the table's declared rules, as the lake holds them: somebody else wrote them."""
    broken = screen(table, look.lake.scan(table, values_of(table, keys)).collect()).rejections
    rows = [(None, rejection.unit_id, rejection.reason) for rejection in broken]
    return pl.DataFrame(rows, schema=dict.fromkeys(("partition", "unit_id", "reason"), pl.String), orient="row")


def results(
    look: Look, step: Step, table: type[Table], done: Done, *, several: bool
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Results of a table's checks after its step, as the events that Dagster makes of them.

    Dagster would look up a materialisation for each result first, which takes longer than most checks.

    Args:
        several: whether the run is of several partitions: each shows its own state, and then all of them together. Of
            partitions that stay as they are only that is told.
    """
    one = done.keys[0] if table.spec.partitioned_by and done.keys and not several else None
    nothing, verdict = pl.DataFrame(schema={"partition": pl.String}), done.verdicts[table]

    def tell(
        name: str, broken: pl.DataFrame, keys: Collection[str], *, blocking: bool, figures: Sequence[str] = ()
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        failing = sorted({*broken.get_column("partition")} - {None})
        for key in [*(keys if several else ()), one] if keys or name == UP_TO_DATE else ():
            alone = key if several else None
            own = broken if alone is None else broken.filter(pl.col("partition") == alone)
            metadata: dict[str, Any] = {"violations": own.height}
            if figures:
                values = values_of(table, done.looked_at if alone is None else [alone])
                sums = look.lake.scan(table, values).select(pl.col(figures).sum()).collect()
                metadata = sums.row(0, named=True) | metadata
            if not own.is_empty():
                metadata["examples"] = frame_metadata(own.drop("partition"))
            if failing and alone is None:
                metadata["failing_partitions"] = ", ".join(failing)
            yield dg.AssetCheckEvaluation(
                asset_key=asset_key(table),
                check_name=name,
                passed=own.is_empty(),
                severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
                partition=key,
                metadata=metadata,
            )
        yield dg.Output(None, output_name=dg.AssetCheckSpec(name, asset=asset_key(table)).get_python_identifier())

    broken = nothing if done.made else rules_broken(look, table, done.looked_at)
    yield from tell(RULES, broken, done.looked_at, blocking=True)
    if not step.by_unit:
        held = [(key or None, why) for key, why in done.held.items()]
        broken = pl.DataFrame(held, schema={"partition": pl.String, "reason": pl.String}, orient="row")
        yield from tell(UP_TO_DATE, broken, done.held, blocking=False)
    for check in look.graph.checks.get(table, ()):
        broken = verdict.broken.get(check.name, nothing)
        if broken.is_empty() and check.unit is not None:
            # Units that it has set aside.
            aside = [(key, look.lake.ledger(table)[key].set_aside) for key in done.looked_at]
            rows = [(key or None, unit) for key, of in aside for unit, name in of.items() if name == check.name]
            broken = pl.DataFrame(rows, schema={"partition": pl.String, check.unit: pl.String}, orient="row")
        else:
            column = table.spec.partitioned_by
            partition = pl.col(column).cast(pl.String) if column in broken.columns else pl.lit(None, pl.String)
            broken = broken.with_columns(partition=partition)
        stops = check.unit is None or any(check.name in verdict.failed.get(key, {}) for key in done.looked_at)
        yield from tell(check.name, broken, done.looked_at, blocking=check.blocking and stops, figures=check.figures)
