"""Runs that a sensor requests for a reason: once, and a few times again after failures.

Dagster refuses a second run with the same run key, whatever the result of the first. Runs are therefore tagged with
their reason (a day with these files, a player with these matches), and the run key is the reason and the number of the
attempt. A tick that died after its request repeats nothing, and a failed run is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

PARTITION_TAG = "dagster/partition"
PARTITIONS_TAG = "gamestats/partitions"
"""Tag with all partitions of a run of several, separated by commas.

A Dagster run has one partition or a range without gaps (its issue 32335), and reports an event of each asset for each
day of the range: for fifty matches on fifty days within four years, that is as much as twelve hundred runs. Our runs
therefore have only their first partition in Dagster's sense and name all of them here; steps report what they made.
"""
MOST_PARTITIONS = 366
"""Largest number of partitions of one run. Names of partitions contain no comma."""
REASON_TAG = "gamestats/reason"
REQUESTED_BY_TAG = "gamestats/requested_by"
FOLLOWING_PRIORITY = "5"
"""`dagster/priority` of runs that follow entries or other runs: after new tournament matches, before the rest."""
UNFINISHED = [
    status
    for status in dg.DagsterRunStatus
    if status not in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
]
"""Statuses of a run that is queued or running."""
_ATTEMPTS = 5
# Wait before the second attempt, and four times as long before each further one: retries outlast an hour's outage.
_FIRST_WAIT = timedelta(minutes=1)


def request(reason: str, attempt: int, *, tags: Mapping[str, str], **options: Any) -> dg.RunRequest:
    """The run request of an attempt; `options` are further arguments of `RunRequest`."""
    return dg.RunRequest(run_key=f"{reason} {attempt}", tags={REASON_TAG: reason, **tags}, **options)


def run_groups(keys: Sequence[str]) -> list[list[str]]:
    """Splits partitions, in order, into groups that fit into one run each."""
    ordered = sorted(keys)
    return [ordered[start : start + MOST_PARTITIONS] for start in range(0, len(ordered), MOST_PARTITIONS)]


def partitions_tags(keys: Sequence[str]) -> dict[str, str]:
    """The tag for a run of several partitions; the first one is also its partition in Dagster's sense."""
    return {PARTITIONS_TAG: ",".join(keys)} if len(keys) > 1 else {}


def partitions_of_run(run: dg.DagsterRun) -> list[str]:
    """Partitions that one of our runs names; empty if it has none or a Dagster range."""
    if PARTITIONS_TAG in run.tags:
        return run.tags[PARTITIONS_TAG].split(",")
    return [run.tags[PARTITION_TAG]] if PARTITION_TAG in run.tags else []


def keys_of_run(context: dg.AssetExecutionContext) -> list[str]:
    """Partition keys of a run; empty if it has no partitions."""
    if PARTITIONS_TAG in context.run.tags:
        return partitions_of_run(context.run)
    # Dagster has its own class for multi-dimensional keys, which not every library accepts as text.
    return [*map(str, context.partition_keys)] if context.has_partition_key or context.has_partition_key_range else []


def due_attempt(instance: dg.DagsterInstance, reason: str) -> int | None:
    """Number of the attempt to request now; None while a run is on its way, during a wait, and after the last attempt.

    A cancelled run is not tried again. A request whose run does not exist yet is repeated under the same run key.
    """
    records = instance.get_run_records(dg.RunsFilter(tags={REASON_TAG: reason}), limit=_ATTEMPTS)
    if not records:
        return 0
    newest = records[0]
    if not all(record.dagster_run.is_finished for record in records) or len(records) == _ATTEMPTS:
        return None
    if newest.dagster_run.status == dg.DagsterRunStatus.CANCELED:
        return None
    wait = _FIRST_WAIT * 4 ** (len(records) - 1)
    return len(records) if datetime.now(UTC) >= newest.update_timestamp.replace(tzinfo=UTC) + wait else None


def has_ended(instance: dg.DagsterInstance, reason: str) -> bool:
    """Whether there were runs for the reason and none is queued or running."""
    count = instance.get_runs_count(dg.RunsFilter(tags={REASON_TAG: reason}))
    return count > 0 and not instance.get_runs_count(dg.RunsFilter(tags={REASON_TAG: reason}, statuses=UNFINISHED))
