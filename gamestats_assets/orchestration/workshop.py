"""What workers have at hand: runs of Dagster's over the stores, in the process of the worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import dagster as dg

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.behind import Stage, follow
from gamestats_assets.orchestration.forgetting import forget_in_dagster
from gamestats_assets.orchestration.freshness import Look
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.instance import UNDER_WAY, run_here
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import DAY, day_of, dimensions, has_days
from gamestats_assets.orchestration.requests import REQUESTED_BY_TAG, lots_of

REQUESTED_BY = "worker"
"""Names the worker in the tags of its runs."""
# A run that takes longer than this is not waited for: a person waits for what is done here.
_PATIENCE_S, _LOOKS_EVERY_S = 120.0, 0.5


class DagsterWorkshop:
    """A `lakehouse.jobs.Workshop` over an instance of Dagster.

    Args:
        stores: the stores, which the definitions have, too.
        instance: Dagster's instance.
        definitions: of the games.
        game_of: a game by its name.
    """

    def __init__(
        self,
        stores: Stores,
        instance: dg.DagsterInstance,
        definitions: dg.Definitions,
        game_of: Callable[[str], Game],
    ) -> None:
        self.stores, self.instance = stores, instance
        self._definitions, self._game_of = definitions, game_of

    def follow(
        self, game: str, *, days: Collection[str] = (), names: Collection[str] = (), only: Collection[str] | None = None
    ) -> list[str]:
        """Bring tables of a game up to date, through to PostgreSQL; see `Workshop`."""
        of_game, failures = self._game_of(game), list[str]()
        tables = {table for table in of_game.tables if only is None or table.spec.name in only}
        wanted = {key for table in tables for key in (asset_key(table), publication_key(table))}
        keys = {key for node in of_game.nodes for key in node.keys} & wanted

        def make(stage: Stage) -> Iterator[tuple[Sequence[str], bool]]:
            for part in lots_of(stage.keys) if stage.partitions is not None else [[]]:
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

        named = {each for node in of_game.nodes for each in dimensions(node.partitions)} - {DAY}
        only = {DAY: days, **dict.fromkeys(named, names)}

        def is_chosen(partitions: dg.PartitionsDefinition | None, key: str) -> bool:
            return partitions is None or (day_of(key) in days if has_days(partitions) else key in names)

        def look() -> Look:
            return Look(self.stores, of_game.graph, only=only)

        _, success = follow(of_game, self.stores, self.instance, keys, make, chosen=is_chosen, look=look)
        return failures or ([] if success else ["A check stopped what was made."])

    def let_runs_end(self, game: str, tell: Callable[[int], object]) -> None:
        """Wait until runs of a game that are under way have ended; see `Workshop`."""
        deadline, told = time.monotonic() + _PATIENCE_S, 0
        going = {
            run.run_id
            for run in self.instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY))
            if any(key.path[-2] == game for key in run.asset_selection or ())
        }
        while going and time.monotonic() < deadline:
            if len(going) != told:
                tell(told := len(going))
            time.sleep(_LOOKS_EVERY_S)
            left = self.instance.get_runs(dg.RunsFilter(run_ids=[*going], statuses=UNDER_WAY))
            going = {run.run_id for run in left}

    def forget_runs(self, texts: Sequence[str], partitions: Mapping[str, str]) -> None:
        """Take what names a person out of Dagster's own storage; see `Workshop`."""
        forget_in_dagster(self.instance, self.stores, texts, partitions)
