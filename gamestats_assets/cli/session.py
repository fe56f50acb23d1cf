"""What a command needs to run assets: definitions, Dagster's instance and storage, opened together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from gamestats_assets.cli.pending import Pending, pending
from gamestats_assets.cli.steps import Outcome, everything_again, print_outcome, run, spread
from gamestats_assets.cli.terminal import counted, days_named, few, say, status
from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.instance import dagster_instance, ranges, stages, within_range
from gamestats_assets.orchestration.partitions import DAYS, day_of, has_days, is_paired


@dataclass(frozen=True, slots=True)
class Session:
    """Definitions over the stores of this process, and the instance that the UI shows."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    stores: Stores

    def run(
        self,
        selection: dg.AssetSelection,
        partitions: tuple[str, str] | None,
        *,
        ops: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> Outcome:
        """Run a selection and print its progress and what went wrong."""
        outcome = run(self.definitions, self.instance, selection, partitions, ops=ops, verbose=verbose)
        print_outcome(outcome, partitions, verbose=verbose)
        return outcome

    def follow(
        self,
        selection: dg.AssetSelection,
        *,
        every_partition: bool = False,
        everything: bool = False,
        within: Collection[str] | None = None,
        verbose: bool = False,
    ) -> list[Outcome]:
        """Bring a selection up to date: run what is behind, by kind of partitions, and say what that is.

        Args:
            every_partition: run every partition, behind or not.
            everything: process every id again, not only what is new or changed.
            within: of days, these only; of each product too.
        """
        outcomes: list[Outcome] = []
        graph = self.definitions.resolve_asset_graph()
        selected = selection.resolve(graph)
        # The last but one part of a key is the game: a publication has its table's after `postgres`.
        games = {key.path[-2] for key in selected}
        found: Pending | None = None
        for partitions, assets in stages(self.definitions, selected):
            stage = assets.resolve(graph)
            failed: set[tuple[dg.AssetKey, str]] = set()
            # What a run makes of one day can leave the days around it behind, at most once per asset on the way.
            for turn in range(1 + len(stage)):
                if found is None:
                    with status("Looking for what is behind"):
                        found = pending(self.definitions, self.instance, self.stores, games)
                parts = {key: {part for part in found.of([key]) if (key, part) not in failed} for key in stage}
                if every_partition and turn == 0:
                    keys, behind = stage, found.all_of(partitions, self.instance)
                else:
                    keys, behind = _and_what_follows(graph, parts), sorted(set().union(*parts.values()))
                if within is not None and has_days(partitions):
                    behind = [key for key in behind if day_of(key) in within]
                if not behind:
                    break
                found = None
                spans = ranges(partitions, behind, self.instance)
                if partitions is not None:
                    named = few([*map(spread, spans)] if is_paired(partitions) else behind)
                    named = days_named(behind) if partitions == DAYS else named
                    say(f"{counted(len(behind), 'day' if partitions == DAYS else 'partition')} to process: {named}")
                ops = everything_again(self.definitions, keys) if everything else {}
                # One step may make several tables, of which one alone is behind.
                together = dg.AssetSelection.assets(*keys).required_multi_asset_neighbors()
                for part in spans:
                    outcome = self.run(together, part, ops=ops, verbose=verbose)
                    outcomes.append(outcome)
                    if not outcome.success:
                        tried = within_range(partitions, part, self.instance)
                        failed |= {(key, each) for key in keys for each in tried}
        return outcomes


def _and_what_follows(graph: Any, parts: Mapping[dg.AssetKey, Collection[str]]) -> set[dg.AssetKey]:
    """The assets that are behind, and those of the same stage that are made from them: these soon will be."""
    keys: set[dg.AssetKey] = set()
    for key in graph.toposorted_asset_keys:
        if key in parts and (parts[key] or graph.get(key).parent_keys & keys):
            keys.add(key)
    return keys


@contextmanager
def opened(stores: Stores | None = None) -> Iterator[Session]:
    """A session; PostgreSQL is started when it does not run."""
    stores = stores or Stores()
    with ExitStack() as stack:
        with status("Starting PostgreSQL and Dagster"):
            definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)})
            instance = stack.enter_context(dagster_instance(stores))
        yield Session(definitions, instance, stores)
