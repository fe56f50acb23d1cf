"""The tools of a worker: Dagster runs over the stores, in the worker's own process."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import dagster as dg

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import DAY, day_of, dimensions, has_days
from gamestats_assets.orchestration.run_requests import REQUESTED_BY_TAG, run_groups
from gamestats_assets.orchestration.runs.behind import Stage, follow
from gamestats_assets.orchestration.runs.forgetting import forget_in_dagster
from gamestats_assets.orchestration.runs.instance import UNDER_WAY, run_here

REQUESTED_BY = "worker"
"""The worker's name in the tags of its runs."""
# Longest wait for other runs, because a person is waiting for the worker.
_PATIENCE_S, _POLL_S = 120.0, 0.5


class DagsterJobContext:
    """A `lakehouse.entries.jobs.JobContext` over an instance of Dagster.

    Args:
        stores: the stores that the definitions use.
        instance: Dagster's instance.
        definitions: definitions of the games.
        game_of: returns a game by its name.
    """

    def __init__(
        self, stores: Stores, instance: dg.DagsterInstance, definitions: dg.Definitions, game_of: Callable[[str], Game]
    ) -> None:
        self.stores, self.instance = stores, instance
        self._definitions, self._game_of = definitions, game_of

    def follow(
        self, game: str, *, days: Collection[str] = (), names: Collection[str] = (), only: Collection[str] | None = None
    ) -> list[str]:
        """Brings tables of a game up to date, PostgreSQL included; see `JobContext`."""
        definition, failures = self._game_of(game), list[str]()
        tables = {table for table in definition.tables if only is None or table.spec.name in only}
        wanted = {key for table in tables for key in (asset_key(table), publication_key(table))}
        keys = {key for node in definition.nodes for key in node.keys} & wanted

        def make(stage: Stage) -> Iterator[tuple[Sequence[str], bool]]:
            for part in run_groups(stage.keys) if stage.partitions is not None else [[]]:
                done = run_here(
                    self._definitions,
                    self.instance,
                    dg.AssetSelection.assets(*stage.assets),
                    partitions=part,
                    tags={REQUESTED_BY_TAG: REQUESTED_BY},
                    log_level="CRITICAL",
                )
                failures.extend(
                    f"{event.step_key}: {event.step_failure_data.error_display_string}"
                    for event in done.all_events
                    if event.is_step_failure
                )
                yield part, done.success

        dimensions_of_names = {each for node in definition.nodes for each in dimensions(node.partitions)} - {DAY}
        only = {DAY: days, **dict.fromkeys(dimensions_of_names, names)}

        def is_chosen(partitions: dg.PartitionsDefinition | None, key: str) -> bool:
            return partitions is None or (day_of(key) in days if has_days(partitions) else key in names)

        def snapshot() -> Snapshot:
            return Snapshot(self.stores, definition.graph, only=only)

        _, success = follow(definition, self.stores, self.instance, keys, make, chosen=is_chosen, snapshot=snapshot)
        return failures or ([] if success else ["A check stopped what was made."])

    def let_runs_end(self, game: str, tell: Callable[[int], object]) -> None:
        """Waits until the current runs of a game have ended; see `JobContext`."""
        deadline, last_reported = time.monotonic() + _PATIENCE_S, 0
        running = {
            run.run_id
            for run in self.instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY))
            if any(key.path[-2] == game for key in run.asset_selection or ())
        }
        while running and time.monotonic() < deadline:
            if len(running) != last_reported:
                tell(last_reported := len(running))
            time.sleep(_POLL_S)
            still_running = self.instance.get_runs(dg.RunsFilter(run_ids=[*running], statuses=UNDER_WAY))
            running = {run.run_id for run in still_running}

    def forget_runs(self, texts: Sequence[str], partitions: Mapping[str, str]) -> None:
        """Removes everything that names a person from Dagster's own storage; see `JobContext`."""
        forget_in_dagster(self.instance, self.stores, texts, partitions)
