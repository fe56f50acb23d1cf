"""A small MMO in a lake of its own, made without Dagster: what its steps do, table by table."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from gamestats_assets.l2m import tables
from gamestats_assets.l2m.assets import game
from gamestats_assets.l2m.source import deliver
from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.delta.ledger import WHOLE
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.execution import StepRun
from gamestats_assets.orchestration.freshness.snapshot import Graph, Snapshot
from gamestats_assets.orchestration.partitions import partitions_of
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.l2m.logs import Plan, simulate
from gamestats_assets.simulators.l2m.truth import Truth

PLAN = Plan(accounts=220, days=3, farms=1, level_one=6, servers=3, guilds=6, actions=4.0)
"""The logs that the fixture `small` is made of."""
DAYS = [(PLAN.start + timedelta(days=number)).isoformat() for number in range(PLAN.days)]
_STEPS = [step for step in game().steps if step.table is not tables.IpWhitelist]
# Nobody enters anything: the whitelist is what a test writes.
_GRAPH = Graph({table: step for step in _STEPS for table in step.tables}, game().graph.checks)


def simulated(plan: Plan, folder: Path) -> Truth:
    """Logs of a plan, and each day's rates, in a folder for each day."""
    return simulate(plan, folder, rates=True)


@dataclass
class SmallLake:
    """Landing zone and lake in a folder."""

    folder: Path
    stores: Stores = field(init=False)

    def __post_init__(self) -> None:
        self.stores = Stores(Settings(data=str(self.folder), postgres_url=None, workers=1))

    @property
    def landing(self) -> Landing:
        """Logs as delivered."""
        return self.stores.landing

    @property
    def lake(self) -> Lake:
        """The tables."""
        return self.stores.lake

    def deliver(self, folder: Path, ds: date | str) -> None:
        """Deliver what a folder holds as a day."""
        deliver([folder], self.landing, day=date.fromisoformat(str(ds)))

    def take(self, folder: Path, days: Iterable[str]) -> None:
        """Deliver and extract days, of each what stands in a folder of its name."""
        keys = [*days]
        for ds in keys:
            self.deliver(folder / ds, ds)
        self.extract(*keys)

    def extract(self, *keys: str) -> None:
        """The bronze tables of some days."""
        self._run(keys, tables.LANDED_TABLES)

    def make(self, keys: Sequence[str], only: Iterable[type[Table]] | None = None, *, everything: bool = False) -> None:
        """What follows from these, of some days, or some of the tables; all of it, or what is behind."""
        self._run(keys, {*tables.ALL} - {*tables.LANDED_TABLES} if only is None else only, everything=everything)

    def _run(self, keys: Sequence[str], only: Iterable[type[Table]], *, everything: bool = False) -> None:
        chosen = {*only}
        for step in _STEPS:
            if not chosen.isdisjoint(step.tables):
                own = [WHOLE] if partitions_of(step.table) is None else keys
                StepRun(step, self.stores, _GRAPH, own, everything=everything).run()

    def bring_up_to_date(self) -> None:
        """Make what is behind, after which nothing is."""
        for step in _STEPS:
            if behind := [*step.behind(Snapshot(self.stores, _GRAPH))]:
                StepRun(step, self.stores, _GRAPH, behind).run()
        after = Snapshot(self.stores, _GRAPH)
        assert not any([*step.behind(after)] for step in _STEPS)

    def rows(self, table: type[Table]) -> pl.DataFrame:
        """All rows of a table, by its key."""
        return self.lake.scan(table).collect().sort(table.primary_key())

    def copy(self, folder: Path) -> SmallLake:
        """The same in another folder."""
        shutil.copytree(self.folder, folder)
        return SmallLake(folder)
