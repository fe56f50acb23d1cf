"""What a command needs to run assets: definitions, Dagster's instance and storage, opened together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from gamestats_assets.cli.steps import Outcome, print_outcome, run
from gamestats_assets.cli.terminal import status
from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.instance import dagster_instance


@dataclass(frozen=True, slots=True)
class Session:
    """Definitions over the stores of this process, and the instance that the UI shows."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    stores: Stores

    def run(
        self,
        selection: dg.AssetSelection,
        partitions: tuple[str, str],
        *,
        ops: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> Outcome:
        """Run a selection and print its progress and what went wrong."""
        outcome = run(self.definitions, self.instance, selection, partitions, ops=ops, verbose=verbose)
        print_outcome(outcome, partitions, verbose=verbose)
        return outcome


@contextmanager
def opened(stores: Stores | None = None) -> Iterator[Session]:
    """A session; PostgreSQL is started when it does not run."""
    stores = stores or Stores()
    with ExitStack() as stack:
        with status("Starting PostgreSQL and Dagster"):
            definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)})
            instance = stack.enter_context(dagster_instance(stores))
        yield Session(definitions, instance, stores)
