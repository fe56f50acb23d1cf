"""Runs that a sensor requests for a reason: once, and a few times again when that came to nothing.

Dagster refuses a second run of a run key, whatever became of the first. So a reason (a day with these
files, a player with these matches) is a tag of its runs, and the run key is the reason and the number
of the attempt: a tick that died after its request repeats nothing, and a failed run is tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

PARTITION_TAG = "dagster/partition"
PARTITIONS_TAG = "gamestats/partitions"
"""Of a run of several partitions: all of them, by commas.

A run of Dagster's takes one partition, or a range without gaps (its issue 32335), and tells an event of each asset for
each day of the range: of fifty matches on fifty days within four years that is twelve hundred runs' worth. So a run of
ours is of the first of its partitions, and names the others here; steps tell of those that they have made.
"""
MOST_PARTITIONS = 366
"""Partitions of one run at most; the name of a partition holds no comma."""
REASON_TAG = "gamestats/reason"
REQUESTED_BY_TAG = "gamestats/requested_by"
FOLLOWING_PRIORITY = "5"
"""`dagster/priority` of runs that follow what was entered or made: behind new matches of tournaments, before others."""
UNFINISHED = [
    status
    for status in dg.DagsterRunStatus
    if status not in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
]
"""Statuses of a run that is queued or going."""
_ATTEMPTS = 5
# Before the second attempt; four times as long before each further one. An hour without PostgreSQL is outlived.
_FIRST_WAIT = timedelta(minutes=1)


def request(reason: str, attempt: int, *, tags: Mapping[str, str], **of_run: Any) -> dg.RunRequest:
    """The request of an attempt; what else a `RunRequest` takes stands as it is."""
    return dg.RunRequest(run_key=f"{reason} {attempt}", tags={REASON_TAG: reason, **tags}, **of_run)


def lots_of(keys: Sequence[str]) -> list[list[str]]:
    """Partitions in lots that a run each can take, in order."""
    ordered = sorted(keys)
    return [ordered[start : start + MOST_PARTITIONS] for start in range(0, len(ordered), MOST_PARTITIONS)]


def partitions_tags(keys: Sequence[str]) -> dict[str, str]:
    """Tags of a run of several partitions, besides the first one as its own."""
    return {PARTITIONS_TAG: ",".join(keys)} if len(keys) > 1 else {}


def partitions_of_run(run: dg.DagsterRun) -> list[str]:
    """Partitions that one of our runs names; none where it has none, or a range of Dagster's."""
    if PARTITIONS_TAG in run.tags:
        return run.tags[PARTITIONS_TAG].split(",")
    return [run.tags[PARTITION_TAG]] if PARTITION_TAG in run.tags else []


def keys_of_run(context: dg.AssetExecutionContext) -> list[str]:
    """Partition keys of a run; none where it has no partitions."""
    if PARTITIONS_TAG in context.run.tags:
        return partitions_of_run(context.run)
    # Those of pairs are a class of Dagster's own, which not every library takes for texts.
    return [*map(str, context.partition_keys)] if context.has_partition_key or context.has_partition_key_range else []


def due_attempt(instance: dg.DagsterInstance, reason: str) -> int | None:
    """Number of the attempt that is to be requested now; None while one is on its way or must wait, and after the last.

    A run that somebody cancelled is not tried again. A request whose run is not there yet is repeated, under the same
    run key.
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
    """Whether there were runs for the reason, and none is queued or going."""
    every = instance.get_runs_count(dg.RunsFilter(tags={REASON_TAG: reason}))
    return every > 0 and not instance.get_runs_count(dg.RunsFilter(tags={REASON_TAG: reason}, statuses=UNFINISHED))
