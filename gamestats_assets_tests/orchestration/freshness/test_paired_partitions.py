"""Partitions of a day and a product go from landed files to PostgreSQL, each by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.cli import catalog, session
from gamestats_assets.cli.lake.materialize import PartitionChoiceError, _must_be_there
from gamestats_assets.cli.session import Session
from gamestats_assets.cli.steps import progress_loggers
from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.models.sql import SqlModel
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.checks import evaluate
from gamestats_assets.orchestration.freshness.inputs import Reads
from gamestats_assets.orchestration.freshness.landed import landed_keys, landed_units
from gamestats_assets.orchestration.freshness.snapshot import Graph, Snapshot
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import partitions_of
from gamestats_assets.orchestration.runs.behind import behind_of, between, on_days
from gamestats_assets.orchestration.runs.instance import may_have
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration import goals as matches_game
from gamestats_assets_tests.orchestration import stalls as game
from gamestats_assets_tests.orchestration.stalls import (
    DAILY,
    Best,
    Points,
    Rates,
    RawFiles,
    RawSales,
    Takings,
    Totals,
    Trend,
    Weather,
    land,
)
from gamestats_assets_tests.support.instances import copy_of
from gamestats_assets_tests.support.postgres_fixture import database
from gamestats_assets_tests.support.published import read_published

DAY, NEXT, THIRD = "2026-01-01", "2026-01-02", "2026-01-03"
BEFORE = "2025-12-31"
FETCHED = dg.AssetKey(["stalls", "fetched"])


class House:
    """The stalls' assets over stores and an instance of their own."""

    def __init__(self, stores: Stores, instance: dg.DagsterInstance, model: SqlModel) -> None:
        self.stores, self.instance = stores, instance
        self.decoded: list[str] = []

        @dg.asset(key=FETCHED, partitions_def=partitions_of(RawSales))
        def fetched() -> None:
            """Stands for a step that brings files."""

        self.game = game.game(model, FETCHED)
        self.definitions = dg.Definitions(
            assets=[fetched, *self.game.assets()],
            resources={"stores": dg.ResourceDefinition.hardcoded_resource(stores)},
            executor=dg.in_process_executor,
            loggers=progress_loggers().loggers,
        )
        self.session = Session(self.definitions, instance, stores)

    def run(self, tables: tuple[type[Table], ...], *keys: str, publish: bool = False) -> bool:
        """Materialise tables for some partitions in one run; whether it succeeded."""
        assets = [asset_key(table) for table in tables]
        assets += [publication_key(table) for table in tables if publish and table.spec.published]
        return self.session.run(dg.AssetSelection.assets(*assets), keys).success

    def follow(self, *tables: type[Table], **keywords: Any) -> list[bool]:
        """What `gamestats materialize` does, with some tables or all; whether each run succeeded."""
        selection = dg.AssetSelection.all() - dg.AssetSelection.assets(FETCHED)
        if tables:
            selection = dg.AssetSelection.assets(*map(asset_key, tables))
        return [outcome.success for outcome in self.session.follow(selection, **keywords)]

    def behind(self) -> set[str]:
        """What is behind and may be made, as table@partition."""
        found = behind_of(self.game, Snapshot(self.stores, self.game.graph))
        return {
            f"{'_'.join(key.path[:-2])}{key.path[-1]}@{part}" for key, parts in found.reasons.items() for part in parts
        }

    def rows(self, table: type[Table], *columns: str) -> list[tuple[Any, ...]]:
        return self.stores.lake.scan(table).sort(table.primary_key()).select(columns).collect().rows()

    def files(self, table: type[Table], partition: str) -> set[str]:
        """Paths of a partition's Delta files: another write has other ones."""
        delta = self.stores.lake.open(table)
        assert delta is not None
        return set(delta.file_uris([(str(table.spec.partitioned_by), "=", partition)]))

    def versions(self) -> dict[str, int | None]:
        return {table.spec.name: self.stores.lake.version(table) for table in game.TABLES}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("product", ["quiz", "shop"])
        yield instance


@contextmanager
def opened(folder: Path, url: str, instance: dg.DagsterInstance) -> Iterator[House]:
    """A house of its own, which the commands take for all there is."""
    path = folder / "sql" / "stalls" / "best.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(game.BEST_SQL)
    stores = Stores(Settings(data=str(folder), postgres_url=SecretStr(url), workers=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "declared_tables", lambda: game.TABLES)
        game.decoded.clear()
        game.totalled.clear()
        house = House(stores, instance, SqlModel.load(path, Best, game.KNOWN))
        patch.setattr(session, "game_of", lambda name: house.game)
        yield house


@pytest.fixture
def house(tmp_path: Path, fresh_database: str, instance: dg.DagsterInstance) -> Iterator[House]:
    with opened(tmp_path, fresh_database, instance) as house:
        yield house


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[House]:
    """Three days of shop and one of quiz, made from landing to PostgreSQL; for tests that leave them as they are."""
    with (
        database(postgres_url) as url,
        dg.DagsterInstance.ephemeral() as instance,
        opened(tmp_path_factory.mktemp("filled"), url, instance) as house,
    ):
        instance.add_dynamic_partitions("product", ["quiz", "shop"])
        for day, prices in ((DAY, [100, 50]), (NEXT, [200]), (THIRD, [300])):
            land(house.stores.landing, "shop", day, prices)
        land(house.stores.landing, "quiz", NEXT, [7])
        assert all(house.follow())
        house.decoded = sorted(game.decoded)
        yield house


@pytest.fixture
def refilled(filled: House, tmp_path: Path, postgres_url: str) -> Iterator[House]:
    """A copy of these days, to be changed."""
    settings = filled.stores.settings
    assert settings.postgres_url
    shutil.copytree(settings.data, tmp_path, dirs_exist_ok=True)
    with (
        database(postgres_url, settings.postgres_url.get_secret_value()) as url,
        copy_of(filled.instance) as instance,
        opened(tmp_path, url, instance) as house,
    ):
        yield house


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


# --------------------------------------------------------------------------- what is read


def hold(lake: Lake, table: type[Table], *keys: str) -> None:
    """Store a row for each of some partitions."""
    for key in keys:
        filled: dict[str, Any] = {name: [None] for name in table.column_names()}
        for name, dtype in table.schema().items():
            filled[name] = ["x"] if dtype == pl.String else [0] if dtype == pl.Int64 else [False]
            if dtype == pl.Date:
                filled[name] = [date.fromisoformat(key.split("|")[0])]
        filled |= {"product": [key.split("|")[-1]]} if "product" in filled else {}
        filled[str(table.spec.partitioned_by)] = [table.partition_value(key)]
        lake.replace(table, pl.DataFrame(filled, schema=table.schema()), partitions=[table.partition_value(key)])


def values_read(
    source: type[Table], table: type[Table], keys: Sequence[str], lake: Lake, days_around: int = 0
) -> list[Any] | None:
    """Values of the source's partition column that partitions of a table read."""
    stores = Stores(Settings(data=str(Path(lake.root).parent)))
    return Reads(source, table, 1 + days_around, days_around).values(keys, Snapshot(stores, Graph()))


KEYS = (f"{DAY}|quiz", f"{DAY}|shop", f"{THIRD}|shop")


def test_a_pair_reads_its_own_partition_its_product_and_its_day(lake: Lake) -> None:
    hold(lake, Takings, *KEYS)
    assert values_read(Takings, Points, [KEYS[1]], lake) == [KEYS[1]]
    assert values_read(Rates, Points, KEYS, lake) == ["quiz", "shop"]
    assert values_read(Weather, Points, KEYS, lake) == [date(2026, 1, 1), date(2026, 1, 3)]


def test_neighbours_are_of_the_same_product_across_months(lake: Lake) -> None:
    found = values_read(Takings, Trend, [f"{DAY}|shop"], lake, 1)
    assert found == [f"{BEFORE}|shop", f"{DAY}|shop", f"{NEXT}|shop"]
    assert values_read(Rates, Trend, [f"{DAY}|shop"], lake, 1) == ["shop"]


@pytest.mark.parametrize(
    ("source", "table", "days_around", "key"),
    [
        (Takings, Points, 0, KEYS[1]),
        (Takings, Trend, 1, KEYS[1]),
        (Takings, Trend, 2, KEYS[1]),
        (Rates, Points, 0, KEYS[1]),
        (Weather, Points, 0, KEYS[1]),
        (Takings, Totals, 0, "shop"),
        (Takings, Weather, 0, DAY),
    ],
)
def test_dagster_maps_exactly_the_partitions_that_are_read(
    lake: Lake, instance: dg.DagsterInstance, source: type[Table], table: type[Table], days_around: int, key: str
) -> None:
    # Of a source that the lake tells the partitions of, every one of the days is there.
    days = [str(date(2026, 1, 1) + timedelta(days=offset)) for offset in range(-2, 3)]
    hold(lake, Takings, *(f"{day}|{product}" for day in days for product in ("quiz", "shop")))
    of_source, of_table = partitions_of(source), partitions_of(table)
    assert of_source is not None
    assert of_table is not None
    mapping = Reads(source, table, 1 + days_around, days_around).mapping() or dg.IdentityPartitionMapping()
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(
        of_table.subset_with_partition_keys([key]), of_table, of_source, datetime.now(UTC), instance
    )
    mapped = {str(each) for each in found.partitions_subset.get_partition_keys()}
    read = values_read(source, table, [key], lake, days_around)
    assert read is not None
    near = {each for each in mapped if "|" not in each or each[:10] in days}
    assert near == {str(value) for value in read}


# --------------------------------------------------------------------------- landing to PostgreSQL


def test_products_go_from_landed_files_to_postgresql(filled: House) -> None:
    assert filled.rows(Takings, "product_day", "product", "day", "cents") == [
        (f"{DAY}|shop", "shop", date(2026, 1, 1), 150),
        (f"{NEXT}|quiz", "quiz", date(2026, 1, 2), 7),
        (f"{NEXT}|shop", "shop", date(2026, 1, 2), 200),
        (f"{THIRD}|shop", "shop", date(2026, 1, 3), 300),
    ]
    assert filled.rows(Points, "points") == [(300,), (70,), (400,), (600,)]
    assert filled.rows(Trend, "product_day", "cents") == [
        (f"{DAY}|shop", 350),
        (f"{NEXT}|quiz", 7),
        (f"{NEXT}|shop", 650),
        (f"{THIRD}|shop", 500),
    ]
    assert filled.rows(Totals, "product", "cents", "days") == [("quiz", 7, 1), ("shop", 650, 3)]
    assert filled.rows(Best, "product", "cents") == [("quiz", 7), ("shop", 300)]
    published = read_published(filled.stores.postgres_url, Takings).sort("product_day")
    assert published.equals(filled.stores.lake.scan(Takings).sort("product_day").collect())
    assert read_published(filled.stores.postgres_url, Totals).height == 2


def test_a_late_file_makes_its_day_and_downstream_tables_again(refilled: House) -> None:
    house = refilled
    tables = (RawSales, RawFiles, Takings, Points, Trend)
    before = {(table, key): house.files(table, key) for table in tables for (key,) in house.rows(table, "product_day")}
    land(house.stores.landing, "shop", DAY, [1000])
    assert all(house.follow())
    assert game.decoded == [f"{DAY}|shop"]
    assert game.totalled == [[f"{DAY}|shop", f"{NEXT}|shop", f"{THIRD}|shop"]], "another product was read"
    assert house.rows(Totals, "product", "cents") == [("quiz", 7), ("shop", 1650)]
    assert house.rows(Trend, "cents") == [(1350,), (7,), (1650,), (500,)]
    changed = {(table.spec.name, key) for (table, key), files in before.items() if house.files(table, key) != files}
    assert changed == {*((table.spec.name, f"{DAY}|shop") for table in tables), ("trend", f"{NEXT}|shop")}
    assert read_published(house.stores.postgres_url, Takings).get_column("cents").sum() == 1657
    assert house.follow() == []


def test_changes_of_one_product_leave_the_others_untouched(refilled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house = refilled
    quiz = house.files(Points, f"{NEXT}|quiz")
    monkeypatch.setitem(game.RATES, "shop", 3)
    assert all(house.follow())
    assert house.rows(Points, "points") == [(450,), (70,), (600,), (900,)]
    assert house.files(Points, f"{NEXT}|quiz") == quiz
    shop = house.files(Totals, "shop")
    land(house.stores.landing, "tour", NEXT, [9])
    assert all(house.follow())
    assert {*house.instance.get_dynamic_partitions("product")} == {"quiz", "shop", "tour"}
    assert house.rows(Totals, "product", "cents") == [("quiz", 7), ("shop", 650), ("tour", 9)]
    assert house.files(Totals, "shop") == shop
    assert house.follow() == []


def test_days_outside_given_bounds_and_future_days_are_left(house: House) -> None:
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    for day in (DAY, NEXT, tomorrow):
        land(house.stores.landing, "shop", day, [1])
    assert all(house.follow(RawSales, RawFiles, chosen=on_days({NEXT})))
    assert house.rows(RawSales, "product_day") == [(f"{NEXT}|shop",)]
    assert all(house.follow(RawSales, RawFiles))
    assert house.rows(RawSales, "product_day") == [(f"{DAY}|shop",), (f"{NEXT}|shop",)]
    game.decoded.clear()
    assert all(house.follow(RawSales, RawFiles, everything=True))
    assert game.decoded == [f"{DAY}|shop", f"{NEXT}|shop"]


def test_chosen_days_run_every_product_and_a_chosen_partition_runs_alone(house: House) -> None:
    selection = dg.AssetSelection.assets(asset_key(RawSales), asset_key(RawFiles))

    def run(first: str, last: str) -> list[str]:
        game.decoded.clear()
        _must_be_there(house.session, selection, (first, last))
        outcomes = house.session.follow(selection, everything=True, chosen=between(first, last))
        assert all(outcome.success for outcome in outcomes)
        return game.decoded

    for product in ("shop", "tour"):
        for day in (DAY, NEXT, THIRD):
            land(house.stores.landing, product, day, [1])
    assert sorted(run(NEXT, THIRD)) == [f"{NEXT}|shop", f"{NEXT}|tour", f"{THIRD}|shop", f"{THIRD}|tour"]
    assert run(f"{DAY}|tour", f"{DAY}|tour") == [f"{DAY}|tour"]
    with pytest.raises(PartitionChoiceError, match=r"2026-01-01\|nobody is no partition .*from 2024-01-01 to"):
        run(f"{DAY}|nobody", f"{DAY}|nobody")


# --------------------------------------------------------------------------- quarantine and checks


def test_a_blocked_day_holds_up_only_what_is_made_from_it(house: House) -> None:
    house.instance.add_dynamic_partitions("product", ["tour"])
    land(house.stores.landing, "shop", DAY, [1_000_000])
    land(house.stores.landing, "shop", THIRD, [2])
    land(house.stores.landing, "tour", DAY, [3])
    house.follow()
    assert house.rows(Takings, "product_day", "cents") == [
        (f"{DAY}|shop", 1_000_000),
        (f"{DAY}|tour", 3),
        (f"{THIRD}|shop", 2),
    ]
    published = read_published(house.stores.postgres_url, Takings).sort("product_day")
    assert published.get_column("product_day").to_list() == [f"{DAY}|tour", f"{THIRD}|shop"]
    assert house.rows(Points, "product_day") == [(f"{THIRD}|shop",)], "there is no rate for a tour"
    assert house.rows(Totals, "product") == [("tour",)], "all days of the shop are read for its total"
    assert not house.run((Takings,), f"{DAY}|shop", f"{THIRD}|shop", publish=True)
    assert house.behind() == set()
    assert house.follow() == []


def test_a_check_across_partitions_reads_what_the_table_reads(lake: Lake) -> None:
    hold(lake, Takings, *KEYS)
    hold(lake, Totals, "quiz", "shop")
    stores = Stores(Settings(data=str(Path(lake.root).parent)))

    def broken(keys: list[str]) -> pl.DataFrame:
        [found] = evaluate([game.totals_are_of_all_days], Snapshot(stores, Graph()), keys)
        return found

    assert broken(["quiz", "shop"]).is_empty()
    more = lake.scan(Takings, [KEYS[2]]).with_columns(cents=pl.col("cents") + 1)
    lake.replace(Takings, more, partitions=[KEYS[2]])
    assert broken(["shop"]).get_column("product").to_list() == ["shop"]
    assert broken(["quiz"]).is_empty()
    assert broken(["quiz", "shop"]).height == 1


# --------------------------------------------------------------------------- what is asked for


def test_exactly_the_partitions_that_a_change_concerns_are_behind(house: House) -> None:
    assert house.behind() == {"rates@quiz", "rates@shop"}
    assert house.run((Rates,), "quiz", "shop")
    assert house.behind() == set()
    land(house.stores.landing, "shop", NEXT, [1])
    assert house.behind() == {f"raw_sales@{NEXT}|shop", f"raw_files@{NEXT}|shop"}
    assert house.run((RawSales, RawFiles), f"{NEXT}|shop")
    assert house.behind() == {f"takings@{NEXT}|shop"}
    assert house.run((Takings,), f"{NEXT}|shop")
    assert house.behind() == {
        *(f"{name}@{NEXT}|shop" for name in ("points", "postgrestakings", "trend")),
        "totals@shop",
        "best@shop",
    }
    assert house.run((Points, Trend), f"{NEXT}|shop")
    assert house.run((Takings,), f"{NEXT}|shop", publish=True)
    assert house.run((Totals, Best), "shop", publish=True)
    assert house.behind() == set()
    land(house.stores.landing, "shop", DAY, [1])
    assert house.run((RawSales, RawFiles, Takings), f"{DAY}|shop", publish=True)
    assert {each for each in house.behind() if each.startswith("trend")} == {f"trend@{DAY}|shop", f"trend@{NEXT}|shop"}


# --------------------------------------------------------------------------- what landed


def test_the_keys_of_a_game_are_its_days_and_those_of_its_areas(tmp_path: Path) -> None:
    stores = Stores(Settings(data=str(tmp_path)))
    land(stores.landing, "shop", DAY, [1], "first")
    land(stores.landing, "shop", DAY, [2], "second")
    land(stores.landing, "quiz", NEXT, [3])
    stores.landing.put_undated("stalls", "lists", b"[]", b"[]")
    stores.landing.put_undated("stalls/shop", "lists", b"[]", b"[]")
    assert sorted(landed_keys(stores.landing, "stalls")) == [f"{DAY}|shop", f"{NEXT}|quiz"]
    units = landed_units(stores.landing, "stalls", f"{DAY}|shop")
    assert {unit: [file.unit_id for file in files] for unit, files in units.items()} == {"shop": ["first", "second"]}
    matches_game.land(stores.landing, "m1", DAY, [1])
    assert landed_keys(stores.landing, "demo") == [DAY]
    assert [*landed_units(stores.landing, "demo", DAY)] == ["m1"]


def test_a_new_file_puts_the_day_after_behind(tmp_path: Path) -> None:
    class Repeats(RawSales, key="stalls/repeats", layer="bronze", after_day_before=True, **DAILY):
        """Sales that stood among those of the day before."""

    stores = Stores(Settings(data=str(tmp_path)))
    landing = stores.landing

    def inputs(table: type[Table]) -> Mapping[str, Mapping[str, str]]:
        return Snapshot(stores, Graph()).landed(table)

    for product, day in (("shop", NEXT), ("quiz", NEXT), ("shop", THIRD)):
        land(landing, product, day, [1])
    before, alone = inputs(Repeats), inputs(RawSales)
    land(landing, "shop", DAY, [2])
    after = inputs(Repeats)
    assert {key for key in after if after[key] != before.get(key)} == {f"{DAY}|shop", f"{NEXT}|shop"}
    assert {key: units for key, units in inputs(RawSales).items() if key in alone} == alone


# --------------------------------------------------------------------------- stages and ranges


def test_a_stage_waits_for_what_it_is_made_from_whatever_its_partitions(house: House) -> None:
    found = behind_of(house.game, Snapshot(house.stores, house.game.graph)).with_everything()
    every = {key: {"": "asked for"} for key in found.reasons}
    stages = [sorted(".".join(key.path) for key in stage.assets) for stage in replace(found, reasons=every).stages()]
    assert stages == [
        ["postgres.stalls.takings", "stalls.raw_files", "stalls.raw_sales", "stalls.takings", "stalls.trend"],
        ["postgres.stalls.totals", "stalls.best", "stalls.rates", "stalls.totals"],
        ["stalls.points"],
    ]


def test_a_partition_is_there_when_its_day_and_its_name_are(instance: dg.DagsterInstance) -> None:
    pairs, products, days = (partitions_of(table) for table in (Takings, Totals, Weather))
    for partitions, key in ((pairs, DAY), (pairs, f"{DAY}|shop"), (days, DAY), (products, "shop")):
        assert may_have(partitions, key, instance), key
    for partitions, key in (
        (pairs, f"{DAY}|tour"),
        (pairs, "2016-01-01|shop"),
        (pairs, "2016-01-01"),
        (pairs, "shop"),
        (pairs, "2026-02-30|shop"),
        (days, f"{DAY}|shop"),
        (products, f"{DAY}|shop"),
        (days, "2023-12-31"),
        (None, DAY),
    ):
        assert not may_have(partitions, key, instance), key
