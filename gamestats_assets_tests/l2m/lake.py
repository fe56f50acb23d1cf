"""A small MMO in a lake of its own, made without Dagster: what its steps do, table by table."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from gamestats_assets.l2m import tables
from gamestats_assets.l2m.assets import LANDED_VERSION, settled
from gamestats_assets.l2m.logs import decode_days
from gamestats_assets.l2m.simulate import Plan, Truth, simulate
from gamestats_assets.l2m.source import GAME, deliver
from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.landing import Landing
from gamestats_assets.lakehouse.ledger import Ledger
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.landed import landed_hashes, landed_units
from gamestats_assets.orchestration.settled import Contents, remade
from gamestats_assets.orchestration.settling import days_behind


def simulated(plan: Plan, folder: Path) -> Truth:
    """Logs of a plan, and each day's rates, in a folder for each day."""
    return simulate(plan, folder, rates=True)


@dataclass
class SmallLake:
    """Landing zone and lake in a folder."""

    folder: Path
    landing: Landing = field(init=False)
    lake: Lake = field(init=False)
    session: duckdb.DuckDBPyConnection = field(init=False)

    def __post_init__(self) -> None:
        self.landing, self.lake = Landing(self.folder / "landing"), Lake(self.folder / "lake")
        self.session = duckdb.connect()

    def deliver(self, folder: Path, ds: date | str) -> None:
        """Deliver what a folder holds as a day."""
        deliver([folder], self.landing, day=date.fromisoformat(str(ds)))

    def take(self, folder: Path, days: Iterable[str]) -> None:
        """Deliver and extract days, of each what stands in a folder of its name."""
        for ds in days:
            self.deliver(folder / ds, ds)
            self.extract(ds)

    def extract(self, *keys: str) -> None:
        """The bronze tables of some days, as the step that reads landed files makes them."""
        for key in keys:
            units = landed_units(self.landing, GAME, key)
            ledger = Ledger(self.lake, GAME, "logs")
            pending = ledger.work({key: landed_hashes(units)}, code_version=LANDED_VERSION).pending
            files = [file for of in units.values() for file in of]
            for day in decode_days(self.landing, [files], 1):
                for table, frames in day.frames.items():
                    self.lake.replace(table, frames, partitions=[day.ds], rejections=day.rejections[table])
            ledger.record(pending)

    def make(self, keys: Sequence[str], only: Iterable[type[Table]] | None = None, *, everything: bool = False) -> None:
        """The settled tables of some days, as a run of all of them makes them; or some of the tables."""
        chosen = None if only is None else {*only}
        for each in settled():
            if chosen is not None and each.table not in chosen:
                continue
            days = keys if each.has_days else []
            for replacement in remade(each, self.lake, days, everything=everything, session=self.session.cursor):
                values = [each.table.partition_value(key) for key in replacement.keys or ()]
                self.lake.replace(each.table, replacement.rows, partitions=values or None)

    def settle(self, most: int = 20) -> int:
        """Make what the sensor would ask for until it asks for nothing; how often it asked."""
        for turn in range(most):
            due = days_behind(self.lake, settled())
            if not due.days and not due.alone:
                return turn
            self.make(sorted(due.days))
        raise AssertionError(f"it has not settled after {most} turns: {days_behind(self.lake, settled()).days}")

    def rows(self, table: type[Table]) -> pl.DataFrame:
        """All rows of a table, by its key."""
        return self.lake.scan(table).collect().sort(table.primary_key())

    def contents(self) -> dict[str, pl.DataFrame]:
        """All rows of every table."""
        return {table.spec.dotted: self.rows(table) for table in tables.ALL}

    def hashes(self) -> Mapping[str, Mapping[str, str]]:
        """What the ledgers say of every settled table."""
        contents = Contents(self.lake)
        return {each.table.spec.dotted: contents.of(each.table) for each in settled()}

    def copy(self, folder: Path) -> SmallLake:
        """The same in another folder."""
        shutil.copytree(self.folder, folder)
        return SmallLake(folder)
