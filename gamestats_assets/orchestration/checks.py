"""Asset checks: what a table declares about itself, and what tables must keep together.

All checks of a table run in the step that makes it, before anybody else reads what it made. Those that blame a unit
look at new rows while these are in memory, and what they blame is set aside; the others look at the partition as it was
committed, in one collect. What they say stands in the table's ledger, for every later step, and in Dagster, for people.

A range run tells each partition's result, and names in the result of all those that fail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.ledger import WHOLE, Note
from gamestats_assets.lakehouse.quality import Check, QuarantineRow, Rejection, screen
from gamestats_assets.lakehouse.table import Table, partition_key_of
from gamestats_assets.orchestration.freshness import Look, Reads, Step, aside_of, failed, guarded_together, without
from gamestats_assets.orchestration.metadata import asset_key, frame_metadata
from gamestats_assets.orchestration.partitions import partitions_of, values_of

RULES = "declared_rules"
QUARANTINE = "nothing_quarantined"
UP_TO_DATE = "is_up_to_date"
STOPS = "gamestats/stops"
"""Metadata of a check that stops what follows, though not the whole run: what it stops."""
_PARAGRAPH = "\n\n"
# Rows that break a check are shown five at a time.
_EXAMPLES = 5


class BlockingCheckError(GamestatsError):
    """Data that is about to be read or published breaks a blocking check."""


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
        values = Reads(table, check.table, 1 + check.days_around, check.days_around).values(keys, look)
        same = ids is not None and table.spec.replaced_by == check.table.spec.replaced_by is not None
        frames[name] = without(look.lake.scan(table, values, ids if same else None), table, aside)
    return frames


def blamed(
    checks: Sequence[Check],
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
    plans = [check.rows(**frames_of(check, look, keys, fresh, ids)) for check in checks]
    aside: dict[str, dict[str, str]] = {}
    rejections: list[Rejection] = []
    for check, broken in zip(checks, pl.collect_all(plans), strict=True):
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
    """Rows that tell a table's units, without those of units that are set aside in their partition."""
    unit, column = table.spec.replaced_by, table.spec.partitioned_by
    if not any(aside.values()) or unit not in rows.collect_schema().names():
        return rows
    for key, units in aside.items():
        is_aside = pl.col(unit).is_in([*units])
        is_aside &= pl.col(column).is_in(values_of(table, [key])) if column else pl.lit(value=True)
        rows = rows.filter((~is_aside).fill_null(value=True))
    return rows


def evaluate(checks: Sequence[Check], look: Look, keys: Sequence[str] | None) -> list[pl.DataFrame]:
    """The rows that break checks of one table in partitions of it, as committed; None looks at all partitions."""
    if not checks:
        return []
    own = partitions_of(checks[0].table)
    plans: list[pl.LazyFrame] = []
    for check in checks:
        if keys is None or own is None:
            rows = check.rows(**{name: look.lake.scan(table) for name, table in check.inputs.items()})
        else:
            rows = check.rows(**frames_of(check, look, keys, {}, None))
        plans.append(rows)
    found: list[pl.DataFrame] = []
    for check, broken in zip(checks, pl.collect_all(plans), strict=True):
        column = check.table.spec.partitioned_by
        if keys is not None and own is not None and column in broken.columns:
            # A row that breaks a rule and tells no partition belongs to whoever looks.
            broken = broken.filter(pl.col(column).is_in(values_of(check.table, keys)) | pl.col(column).is_null())
        found.append(broken)
    return found


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


def judge(look: Look, table: type[Table], keys: Sequence[str]) -> Verdict:
    """Evaluate every check of a table on partitions as they were committed; `WHOLE` is a table without any."""
    checks = look.graph.checks.get(table, [])
    verdict = Verdict()
    if not keys:
        return verdict
    aside = {key: look.lake.ledger(table)[key].set_aside for key in keys}
    for check, broken in zip(checks, evaluate(checks, look, keys), strict=True):
        # What is set aside is told as such.
        broken = kept(table, broken.lazy(), aside).collect()
        verdict.broken[check.name] = broken
        if broken.is_empty() or (check.blocking and check.unit in broken.columns):
            continue
        told = verdict.failed if check.blocking else verdict.warned
        for key in keys:
            own = _of_partition(check, broken, key)
            if not own.is_empty():
                told.setdefault(key, {})[check.name] = _message(check, own)
    for check in checks:
        for key in keys if check.blocking and check.unit is not None else ():
            if (message := _too_many(look, check, key, verdict.broken[check.name])) is not None:
                verdict.failed.setdefault(key, {})[check.name] = message
    return verdict


def _of_partition(check: Check, broken: pl.DataFrame, key: str) -> pl.DataFrame:
    column = check.table.spec.partitioned_by
    if key == WHOLE or column not in broken.columns:
        return broken
    return broken.filter(pl.col(column).is_null() | pl.col(column).is_in(values_of(check.table, [key])))


def _message(check: Check, broken: pl.DataFrame) -> str:
    rows = "1 row breaks" if broken.height == 1 else f"{broken.height} rows break"
    return f"{rows} it. {summary(check)} {_first(broken)}"


def _too_many(look: Look, check: Check, key: str, broken: pl.DataFrame) -> str | None:
    """Why a partition is stopped in which a check blames units: too many of them, or some that stand in the table."""
    found = look.lake.ledger(check.table)[key]
    units = len(found.units or {})
    blames = {unit for unit, name in found.set_aside.items() if name == check.name}
    # Rows that somebody else wrote were never screened.
    told = _of_partition(check, broken, key)
    standing = {*map(str, told[str(check.unit)].drop_nulls())} if check.unit in told.columns else set[str]()
    if len(blames | standing) > max(1, int(check.most_units * units)):
        share = f"more than {check.most_units:.0%}"
        return f"It blames {len(blames | standing)} of {units} units, {share}. {summary(check)} " + (
            f"Such as {min(blames | standing)}."
        )
    return f"{min(standing)} breaks it and stands in the table. {summary(check)}" if standing else None


def settle_owed(look: Look, step: Step, keys: Iterable[str]) -> None:
    """Evaluate the checks of partitions that a step reads and that nobody has checked since they were written."""
    for reads in step.reads:
        settle(look, reads.source, {each for key in keys for each in reads.keys_read(key, look) or ()} or None)


def settle(look: Look, table: type[Table], keys: Collection[str] | None) -> None:
    """Evaluate checks that are owed on partitions of a table, or on all; what they say goes to the ledger."""
    for each in guarded_together(look, table):
        _settle(look, each, keys)


def _settle(look: Look, table: type[Table], keys: Collection[str] | None) -> None:
    if not any(check.blocking for check in look.graph.checks.get(table, ())):
        return
    partitions = look.ledger(table).partitions
    owed = [key for key, found in partitions.items() if found.failed is None and (found.units is None or found.units)]
    owed = sorted(key for key in owed if keys is None or key in keys)
    if owed:
        verdict = judge(look, table, owed)
        look.lake.note(table, verdict.note(owed))
        look.ledger(table)


def refusal(look: Look, table: type[Table], key: str, undone: str) -> BlockingCheckError | None:
    """Why a partition must not be read or published, as an error.

    Args:
        undone: what is not done therefore, such as "published".
    """
    why = failed(look, table, key)
    if why is None:
        return None
    return BlockingCheckError(
        f"Nothing was {undone}: {why} Correct the input: {table.spec.dotted} is then made again, and what follows."
    )


# --------------------------------------------------------------------------- telling Dagster


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


def rules_broken(look: Look, table: type[Table], keys: Sequence[str] | None) -> pl.DataFrame:
    """Units of partitions that break the table's declared rules, as the lake holds them: somebody else wrote them."""
    values = values_of(table, keys) if keys and table.spec.partitioned_by else None
    found = [
        (None, rejection.unit_id, rejection.reason)
        for rejection in screen(table, look.lake.scan(table, values).collect()).rejections
    ]
    schema = {"partition": pl.String, "unit_id": pl.String, "reason": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def results(
    table: type[Table],
    name: str,
    broken: pl.DataFrame,
    keys: Sequence[str | None],
    *,
    blocking: bool,
    metadata: Mapping[str, Any],
    of_partitions: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """A check's result from what breaks it (with a column `partition`), as the events that Dagster makes of one.

    Dagster would look up a materialisation for each result first, which takes longer than most checks.

    A range of partitions has one evaluation for all. So that each partition shows its own state, they are told one by
    one first.

    Args:
        keys: partitions to tell one by one, then None for all of them; or one alone.
        metadata: told of all.
        of_partitions: told of each.
    """
    severity = dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN
    failing = sorted({*broken.get_column("partition")} - {None})
    for key in keys:
        is_one = key is not None and len(keys) > 1
        own = broken.filter(pl.col("partition") == key) if is_one else broken
        told = {**(of_partitions or {}).get(key or "", {}), **_told(own, [])} if is_one else _told(own, failing)
        yield dg.AssetCheckEvaluation(
            asset_key=asset_key(table),
            check_name=name,
            passed=own.is_empty(),
            severity=severity,
            partition=key,
            metadata=told if is_one else {**metadata, **told},
        )
    yield dg.Output(None, output_name=dg.AssetCheckSpec(name, asset=asset_key(table)).get_python_identifier())


def _told(broken: pl.DataFrame, failing: Sequence[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"violations": broken.height}
    if not broken.is_empty():
        told["examples"] = frame_metadata(broken.drop("partition"))
    if failing:
        told["failing_partitions"] = ", ".join(failing)
    return told


def own_results(
    look: Look, table: type[Table], verdict: Verdict, keys: Sequence[str], told: Sequence[str | None]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Results of a table's own checks.

    Args:
        verdict: what they found.
        keys: partitions that were looked at.
        told: see `results`.
    """
    partition = table.spec.partitioned_by
    for check in look.graph.checks.get(table, ()):
        broken = verdict.broken.get(check.name, pl.DataFrame())
        named = broken.with_columns(
            partition=pl.col(partition).cast(pl.String)
            if partition in broken.columns
            else pl.lit(None, dtype=pl.String)
        )
        aside = _set_aside(look, check, keys)
        if aside.height and named.is_empty():
            named = aside
        blocking = check.blocking and (check.unit is None or any(check.name in verdict.failed.get(k, {}) for k in keys))
        of_each = {key: figures_of(check, look, [key]) for key in told if key} if check.figures else None
        figures = figures_of(check, look, keys)
        yield from results(table, check.name, named, told, blocking=blocking, metadata=figures, of_partitions=of_each)


def _set_aside(look: Look, check: Check, keys: Sequence[str]) -> pl.DataFrame:
    """Units that a check has set aside in partitions."""
    rows = [
        (key or None, unit)
        for key in (keys if check.unit is not None else ())
        for unit, name in look.lake.ledger(check.table)[key].set_aside.items()
        if name == check.name
    ]
    return pl.DataFrame(rows, schema={"partition": pl.String, check.unit or "unit": pl.String}, orient="row")


def figures_of(check: Check, look: Look, keys: Sequence[str]) -> dict[str, int | float]:
    """Sums of the check's figures in partitions of its table."""
    if not check.figures:
        return {}
    values = values_of(check.table, keys) if check.table.spec.partitioned_by else None
    rows = look.lake.scan(check.table, values)
    return rows.select(pl.col(check.figures).sum()).collect().row(0, named=True)
