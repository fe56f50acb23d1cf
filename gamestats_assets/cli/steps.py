"""Runs from the command line: reports their progress, and explains failures in words."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from gamestats_assets.cli.progress import ProgressEvent, Tell
from gamestats_assets.cli.terminal import DISK_IS_FULL, FULL_DISK, counted, days_named, err, few, say
from gamestats_assets.lakehouse.table import is_day
from gamestats_assets.orchestration.run_requests import REQUESTED_BY_TAG
from gamestats_assets.orchestration.runs.instance import run_here


def dotted(key: dg.AssetKey) -> str:
    """`game.table`, or `postgres.game.table` for a publication."""
    return ".".join(key.path)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something did not succeed, in words.

    Attributes:
        what: the step, or the check and its table.
        why: the first error's message, or what the check found.
        detail: the traceback of a step; empty for a check.
        partitions: those that break a check, where it has any.
    """

    what: str
    why: str
    detail: str = field(default="", repr=False)
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run did.

    Attributes:
        run_id: id of the run, as the UI shows it.
        seconds: wall clock of the run.
        steps: seconds of every step that succeeded, by step.
        checks: evaluations of the run, one for each check.
        failures: what stopped something: steps and blocking checks.
        warnings: checks that failed without stopping anything.
        not_made: assets that were asked for and not made, because of a failure.
        where: its partitions, in words.
        rows: that it wrote.
    """

    run_id: str
    seconds: float
    steps: Mapping[str, float]
    checks: Sequence[dg.AssetCheckEvaluation]
    failures: Sequence[Failure]
    warnings: Sequence[Failure]
    not_made: Sequence[dg.AssetKey]
    where: str
    rows: int

    @property
    def success(self) -> bool:
        """Whether every step and every blocking check succeeded."""
        return not self.failures


def run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    selection: dg.AssetSelection,
    partitions: Sequence[str],
    tell: Tell,
    *,
    ops: Mapping[str, Any] | None = None,
    verbose: bool = False,
) -> Outcome:
    """Materialise a selection of one game as one run; see `run_here`.

    Args:
        definitions: with the loggers of `progress_loggers`.
        partitions: its partitions; none for what has none.
        tell: receives what it does, and what failed.
        ops: run configuration of the steps.
        verbose: print a line for each step, and Dagster's own log as well.

    Raises:
        KeyboardInterrupt: when a person stopped the run.
    """
    started, run_id = time.perf_counter(), str(uuid.uuid4())
    where = spread(partitions)
    asked = selection.resolve(definitions.resolve_asset_graph())
    # The last but one part of a key is the game: a publication has its table's after `postgres`.
    game = next((key.path[-2] for key in asked), "")
    with StepLines(game, where, tell, verbose=verbose) as lines:
        loggers: dict[str, Any] = {"progress": {}}
        if verbose:
            loggers["console"] = {"config": {"log_level": "INFO"}}
        try:
            result = run_here(
                definitions,
                instance,
                selection,
                partitions=partitions,
                tags={REQUESTED_BY_TAG: "command line"},
                config={"loggers": loggers, "ops": dict(ops or {})},
                run_id=run_id,
            )
        except dg.DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None
    outcome = _outcome(run_id, result, time.perf_counter() - started, asked, where, lines.rows)
    for line in outcome_lines(outcome, verbose=verbose):
        tell(ProgressEvent(game, line, "wrong"))
    return outcome


def progress_loggers() -> dg.Definitions:
    """Loggers for runs of the command line: they pass a run's events and messages to the current `StepLines`."""

    def progress(context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("gamestats.progress", level=logging.DEBUG)
        logger.addHandler(_Handler())
        return logger

    logger = dg.LoggerDefinition(progress, description="Progress on the command line.")
    return dg.Definitions(loggers={"progress": logger, "console": dg.colored_console_logger})


def everything_again(definitions: dg.Definitions, keys: Any) -> dict[str, Any]:
    """Run configuration that makes the steps of tables process every id again."""
    from gamestats_assets.cli.catalog import declared_tables
    from gamestats_assets.orchestration.metadata import asset_key

    made = {asset_key(table) for table in declared_tables()} & set(keys)
    names = {definitions.resolve_assets_def(key).op.name for key in made}
    return {name: {"config": {"everything": True}} for name in sorted(names)}


class StepLines:
    """Progress of a run: its current step, and, if verbose, a line for each step.

    Use it as a context manager; meanwhile runs with the loggers of `progress_loggers` tell it what they do.
    """

    shown: StepLines | None = None

    def __init__(self, game: str, where: str, tell: Tell, *, verbose: bool = False) -> None:
        self._game, self._where, self._tell, self._verbose = game, where, tell, verbose
        self._rows: dict[str, dict[dg.AssetKey, int]] = {}
        self._doubts: dict[str, list[str]] = {}

    def __enter__(self) -> StepLines:
        StepLines.shown = self
        return self

    def __exit__(self, *exception: object) -> None:
        StepLines.shown = None

    @property
    def rows(self) -> int:
        """Rows that were written."""
        return sum(sum(of.values()) for of in self._rows.values())

    def message(self, text: str) -> None:
        """Show what a step says of itself."""
        self._tell(ProgressEvent(self._game, text))

    def event(self, event: dg.DagsterEvent) -> None:
        """Take note of an event; tell of a step that ended."""
        step = event.step_key or ""
        match event.event_type:
            case dg.DagsterEventType.STEP_START:
                self._tell(ProgressEvent(self._game, f"{self._where}  {_step_name(step)}"))
            case dg.DagsterEventType.ASSET_MATERIALIZATION:
                written = event.materialization.metadata.get("rows_written")
                if written is not None:
                    # A range run repeats the total on the event of every partition.
                    self._rows.setdefault(step, {})[event.materialization.asset_key] = int(written.value)  # type: ignore[arg-type]
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                evaluation = event.asset_check_evaluation_data
                if not evaluation.passed:
                    self._doubts.setdefault(step, []).append(evaluation.check_name)
            case dg.DagsterEventType.STEP_SUCCESS:
                self._ended(step, "ok", event.step_success_data.duration_ms / 1000)
            case dg.DagsterEventType.STEP_FAILURE:
                self._ended(step, "failed", None)
            case _:
                pass

    def _ended(self, step: str, how: str, seconds: float | None) -> None:
        if not self._verbose and how == "ok":
            self._tell(ProgressEvent(self._game, f"{self._where}  {_step_name(step)}", ended=1))
            return
        parts = [f"  {how:<8}{_step_name(step):<46}"]
        parts.append("" if seconds is None else f"{seconds:6.1f} s")
        if step in self._rows:
            parts.append(f"{sum(self._rows[step].values()):>10,} rows written")
        if step in self._doubts:
            names = ", ".join(dict.fromkeys(self._doubts[step]))
            parts.append(f"check failed: {names}")
        style = {"ok": "yellow" if step in self._doubts else "", "failed": "red"}[how]
        self._tell(ProgressEvent(self._game, "  ".join(parts).rstrip(), "line", style, ended=1))


class _Handler(logging.Handler):
    """Passes what Dagster logs of a run on to the lines that are shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record: an event of the run, or a message of a step."""
        lines, event = StepLines.shown, getattr(record, "dagster_event", None)
        if lines is None:
            return
        if isinstance(event, dg.DagsterEvent):
            lines.event(event)
        elif record.levelno >= logging.INFO:
            lines.message(str(getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage()))


def _step_name(step: str) -> str:
    """A step as the tables are named: `pubg__matches` is `pubg.matches`."""
    return step.replace("__", ".")


# --------------------------------------------------------------------------- what went wrong


def _outcome(
    run_id: str,
    result: dg.ExecuteInProcessResult,
    seconds: float,
    asked: Collection[dg.AssetKey],
    where: str,
    rows: int,
) -> Outcome:
    """What became of a run, by the events that this process has seen, whatever is stored of it."""
    succeeded = False
    steps: dict[str, float] = {}
    made: set[dg.AssetKey] = set()
    failed_steps: list[Failure] = []
    stopped = "it did not succeed, and no step says why; see the run in the UI."
    for event in result.all_events:
        step = event.step_key or ""
        if event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            steps[step] = (event.step_success_data.duration_ms or 0) / 1000
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
            made.add(event.asset_key)
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            failure = _step_failure(step, event.step_failure_data.error)
            if failure is not None:
                failed_steps.append(failure)
        elif event.event_type == dg.DagsterEventType.RUN_SUCCESS:
            succeeded = True
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE and event.job_failure_data.error is not None:
            stopped = _told(_first(event.job_failure_data.error))
    checks = _of_the_whole_run(result.get_asset_check_evaluations())
    broken = [check for check in checks if not check.passed]
    failures = [*failed_steps, *(_check_failure(c) for c in broken if c.severity == dg.AssetCheckSeverity.ERROR)]
    if not succeeded and not failures:
        failures.append(Failure("the run", stopped))
    return Outcome(
        run_id=run_id,
        seconds=seconds,
        steps=steps,
        checks=checks,
        failures=failures,
        warnings=[_check_failure(c) for c in broken if c.severity == dg.AssetCheckSeverity.WARN],
        not_made=sorted(set(asked) - made),
        where=where,
        rows=rows,
    )


def _of_the_whole_run(evaluations: Sequence[dg.AssetCheckEvaluation]) -> list[dg.AssetCheckEvaluation]:
    """One evaluation of each check: the one over all partitions where a range run also gives one for each."""
    whole = {evaluation.asset_check_key for evaluation in evaluations if evaluation.partition is None}
    return [e for e in evaluations if e.partition is None or e.asset_check_key not in whole]


def _step_failure(step: str, error: Any) -> Failure | None:
    """The first error of a step; None when it only says that a blocking check failed, which is reported separately.

    Raises:
        KeyboardInterrupt: when a person stopped the step.
    """
    if error is None:
        return Failure(f"step {_step_name(step)}", "it failed without an error.")
    first = _first(error)
    if first.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        raise KeyboardInterrupt
    if first.cls_name == "DagsterAssetCheckFailedError":
        return None
    return Failure(f"step {_step_name(step)}", _told(first), error.to_string())


def _first(error: Any) -> Any:
    """The error that another one came of, or itself."""
    while error.cause is not None:
        error = error.cause
    return error


def _told(error: Any) -> str:
    """An error's message; its class is named where it is not one of ours."""
    if FULL_DISK in error.message:
        return DISK_IS_FULL
    prefix, _, message = error.message.strip().partition(": ")
    # What we refuse by Dagster's own class says all there is to say.
    if not prefix.startswith("gamestats_assets.") and not prefix.endswith("events.Failure"):
        return error.message.strip()
    return message


def _check_failure(check: dg.AssetCheckEvaluation) -> Failure:
    values = {name: metadata.value for name, metadata in check.metadata.items()}
    found: list[str] = []
    failing = check.partition or str(values.get("failing_partitions", ""))
    for name, verb in (("quarantined_rows", "in quarantine"), ("violations", "breaking it")):
        rows = values.get(name)
        if isinstance(rows, int) and rows:
            found.append(f"{counted(rows, 'row')} {verb}")
            break
    examples = check.metadata.get("examples")
    if isinstance(examples, dg.TableMetadataValue) and examples.records:
        found.append("first: " + ", ".join(f"{name}={value}" for name, value in examples.records[0].data.items()))
    why = "; ".join(found) or check.description or "it failed."
    partitions = tuple(failing.split(", ")) if failing else ()
    return Failure(f"check {check.check_name} on {dotted(check.asset_key)}", why, partitions=partitions)


def _where(partitions: Collection[str]) -> str:
    """Partitions in a few words, days with how many they are.

    >>> _where(["2026-03-01", "2026-03-02", "2026-03-05"])
    '3 days (2026-03-01 to 2026-03-02, 2026-03-05)'
    """
    keys = sorted({*partitions})
    if not all(map(is_day, keys)):
        return few(keys)
    return f"{counted(len(keys), 'day')} ({days_named(keys)})" if len(keys) > 1 else keys[0]


def spread(partitions: Sequence[str]) -> str:
    """Partitions in words, by the first and the last of each name.

    >>> spread(["2026-01-01|shop", "2026-01-03|shop"])
    'shop 2026-01-01 to 2026-01-03'
    """
    days: dict[str, list[str]] = {}
    for key in partitions:
        day, _, name = key.partition("|")
        days.setdefault(name, []).append(day)
    spans = [f"{name} {' to '.join(dict.fromkeys((of[0], of[-1])))}".strip() for name, of in days.items()]
    return few(spans) or "all of it"


def outcome_lines(outcome: Outcome, *, verbose: bool = False) -> list[str]:
    """What failed in a run, and nothing when nothing did; warnings come at the end of all runs."""
    lines: list[str] = []
    for failure in outcome.failures:
        where = _where(failure.partitions) if failure.partitions else outcome.where
        lines.append(f"Failed: {failure.what} ({where}): {failure.why}")
        lines += [failure.detail] if verbose and failure.detail else []
    if outcome.failures and outcome.not_made:
        names = ", ".join(map(dotted, outcome.not_made[:8])) + (", ..." if len(outcome.not_made) > 8 else "")
        lines.append(f"Not made because of that: {names}")
    return lines


def print_warnings(outcomes: Sequence[Outcome]) -> None:
    """Print the warnings of some runs, each once, with all the partitions or runs that it is of."""
    found: dict[str, list[tuple[str, Failure]]] = {}
    for outcome in outcomes:
        for warning in outcome.warnings:
            found.setdefault(warning.what, []).append((outcome.where, warning))
    for what, warnings in found.items():
        partitions = [key for _, warning in warnings for key in warning.partitions]
        also = f", and in {counted(len(warnings) - 1, 'run')} more" if len(warnings) > 1 else ""
        where = _where(partitions) if partitions else f"{warnings[0][0]}{also}"
        say(f"Warning: {what} ({where}): {warnings[0][1].why}", "yellow", console=err())
