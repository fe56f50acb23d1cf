"""A session in which a command runs assets: definitions, Dagster's instance and the stores."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from gamestats_assets.cli.progress import ProgressEvent, Tell, lines
from gamestats_assets.cli.steps import Outcome, dotted, everything_again, progress_loggers, run, spread
from gamestats_assets.cli.terminal import counted, days_named, few, status
from gamestats_assets.definitions import build_defs, game_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.partitions import days_of, is_paired
from gamestats_assets.orchestration.run_requests import run_groups
from gamestats_assets.orchestration.runs.behind import (
    Behind,
    PartitionFilter,
    Stage,
    behind_of,
    every_partition,
    follow,
)
from gamestats_assets.orchestration.runs.instance import dagster_instance
from gamestats_assets.tables import GAMES


@dataclass(frozen=True, slots=True)
class Session:
    """Definitions over the stores of this process, and the instance that the UI shows.

    Attributes:
        stopped: partitions that a blocking check stopped in an earlier run; nothing may read them.
        tell: receives what runs do; by default it is printed, line by line.
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    stores: Stores
    stopped: list[str] = field(default_factory=list)
    tell: Tell | None = None

    def run(
        self,
        selection: dg.AssetSelection,
        partitions: Sequence[str] = (),
        *,
        ops: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> Outcome:
        """Run a selection of one game as it is, and tell of its progress and what went wrong."""
        with self._lines(verbose) as tell:
            return run(self.definitions, self.instance, selection, partitions, tell, ops=ops, verbose=verbose)

    def _lines(self, verbose: bool) -> AbstractContextManager[Tell]:
        return nullcontext(self.tell) if self.tell is not None else lines(verbose=verbose)

    def add_names(self, selection: dg.AssetSelection) -> None:
        """Make names that are new (products, players, patches) partitions."""
        for name in sorted({key.path[-2] for key in selection.resolve(self.definitions.resolve_asset_graph())}):
            game = game_of(name)
            behind_of(game, Snapshot(self.stores, game.graph)).add_names(self.instance)

    def follow(
        self,
        selection: dg.AssetSelection,
        *,
        everything: bool = False,
        chosen: PartitionFilter = every_partition,
        verbose: bool = False,
    ) -> list[Outcome]:
        """Bring a selection up to date: run what is behind, by kind of partitions, and say what that is and why.

        Args:
            everything: make everything again that is there, behind or not.
            chosen: of which partitions.
        """
        selected = selection.resolve(self.definitions.resolve_asset_graph())
        by_game = {
            name: {key for key in selected if key.path[-2] == name} for name in sorted({k.path[-2] for k in selected})
        }
        with self._lines(verbose) as tell:
            return [
                outcome
                for name, keys in by_game.items()
                for outcome in self._follow(
                    game_of(name), keys, tell, everything=everything, chosen=chosen, verbose=verbose
                )
            ]

    def _follow(
        self,
        game: Game,
        keys: set[dg.AssetKey],
        tell: Tell,
        *,
        everything: bool,
        chosen: PartitionFilter,
        verbose: bool,
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        looking = ProgressEvent(game.name, "looking for what is behind")

        def make(stage: Stage) -> Iterator[tuple[Sequence[str], bool]]:
            ops = everything_again(self.definitions, stage.assets) if everything else {}
            selection = dg.AssetSelection.assets(*stage.assets)
            for part in self._lots(game.name, stage, tell):
                outcome = run(self.definitions, self.instance, selection, part, tell, ops=ops, verbose=verbose)
                outcomes.append(outcome)
                yield part, outcome.success
            tell(looking)

        tell(looking)
        left, success = follow(game, self.stores, self.instance, keys, make, chosen=chosen, everything=everything)
        if success:
            self._tell_what_is_left(left, chosen, tell)
        tell(ProgressEvent(game.name, _summed_up(outcomes) if outcomes else "", "done"))
        return outcomes

    def _tell_what_is_left(self, found: Behind, chosen: PartitionFilter, tell: Tell) -> None:
        """Tell which partitions checks stop, or else what waits for something that was not asked for."""
        name, stopped = found.game.name, found.blocked(chosen)
        for why, partitions in stopped.items():
            where = spread([key for key in partitions if key])
            tell(ProgressEvent(name, f"Stopped ({where}): {why}", "wrong"))
            self.stopped.extend(partitions)
        for why, assets in found.held_assets().items() if not stopped else ():
            tell(ProgressEvent(name, f"Not made: {few(sorted(map(dotted, assets)))}. {why}", "wrong", "yellow"))

    def _lots(self, game: str, stage: Stage, tell: Tell) -> list[list[str]]:
        """A stage's partitions, a run each, after saying what they are."""
        partitions, behind = stage.partitions, stage.keys
        if partitions is None:
            return [[]]
        by_day = partitions is days_of(partitions)
        named = days_named(behind) if by_day else spread(behind) if is_paired(partitions) else few(behind)
        what = counted(len(behind), "day" if by_day else "partition")
        tell(ProgressEvent(game, f"{what} to process: {named} ({stage.why()})", "stage"))
        return run_groups(behind)


def _summed_up(outcomes: Sequence[Outcome]) -> str:
    steps = counted(sum(len(outcome.steps) for outcome in outcomes), "step")
    rows, seconds = sum(outcome.rows for outcome in outcomes), sum(outcome.seconds for outcome in outcomes)
    return f"{steps}, {counted(rows, 'row')} written, {seconds:.1f} s"


def games_selected(selections: Collection[str]) -> set[str] | None:
    """The games whose definitions suffice for selections; None where one is not the name of a game or a table.

    >>> sorted(games_selected(["l2m", "+postgres.pubg.matches"])), games_selected(["l2m", "tag:layer=gold"])
    (['l2m', 'pubg'], None)
    """
    name = re.compile(rf"[+\d]*(?:postgres\.)?({'|'.join(GAMES)})(?:\.\w+)?[+\d]*")
    found = [name.fullmatch(text.strip()) for text in selections]
    # No game's tables are made from another's, so that nothing up or down of them is missing.
    return {match[1] for match in found if match} if found and all(found) else None


@contextmanager
def opened(
    stores: Stores | None = None, games: Collection[str] | None = None, tell: Tell | None = None
) -> Iterator[Session]:
    """A session with the definitions of these games, of all when None; PostgreSQL is started when it does not run.

    Args:
        tell: receives what runs do; by default it is printed, line by line.
    """
    stores = stores or Stores()
    with ExitStack() as stack:
        with status("Starting PostgreSQL and Dagster"):
            made = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)}, games)
            definitions = dg.Definitions.merge(made, progress_loggers())
            instance = stack.enter_context(dagster_instance(stores))
        yield Session(definitions, instance, stores, tell=tell)
