"""Partitions of a day and a product go from landed files to PostgreSQL, each by itself."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster_duckdb import DuckDBResource
from pydantic import SecretStr

from gamestats_assets.cli import known, pending
from gamestats_assets.cli.materialize import PartitionChoiceError, _run_chosen
from gamestats_assets.cli.session import Session
from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.postgres import connect, read_published
from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.sql import SqlModel
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration import requests
from gamestats_assets.orchestration.assets import landed_tables, publication, sql_asset, table_asset, upstream_of
from gamestats_assets.orchestration.automation import automation_sensor
from gamestats_assets.orchestration.checks import evaluate, refusals, table_checks
from gamestats_assets.orchestration.instance import chosen_ranges, ranges, stages, within_range
from gamestats_assets.orchestration.io_manager import lake_io_manager
from gamestats_assets.orchestration.landed import inputs_of, landed_inputs, landed_keys, landed_sensor, landed_units
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.partitions import partition_mapping, partitions_of, values_read
from gamestats_assets.orchestration.requests import range_tags
from gamestats_assets.settings import Settings
from gamestats_assets_tests.instances import copy_of
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
from gamestats_assets_tests.postgres_fixture import database

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

        made = [
            landed_tables([RawSales, RawFiles], game.decode, deps=[FETCHED]),
            *(table_asset(function) for function in (game.rates, game.takings, game.points, game.totals)),
            table_asset(game.trend, jointly=True),
            sql_asset(Best, model, game.KNOWN),
        ]
        published = [
            publication(table, game.CHECKS, upstream_of(table, made, game.KNOWN)) for table in (Takings, Totals)
        ]
        self.definitions = dg.Definitions(
            assets=[fetched, *made, *published],
            asset_checks=[table_checks(check.table, [check]) for check in game.CHECKS],
            sensors=[automation_sensor("automation", dg.AssetSelection.all())],
            resources={
                "stores": dg.ResourceDefinition.hardcoded_resource(stores),
                "lake": lake_io_manager({asset_key(table): table for table in game.TABLES}),
                "duckdb": DuckDBResource(database=":memory:"),
            },
            executor=dg.in_process_executor,
        )
        self.session = Session(self.definitions, instance, stores)

    def run(self, tables: tuple[type[Table], ...], first: str, last: str = "", *, publish: bool = False) -> bool:
        """Materialise tables for a partition, or for a range in one run; whether it succeeded."""
        keys = [asset_key(table) for table in tables]
        keys += [publication_key(table) for table in tables if publish and table.spec.published]
        spread: dict[str, Any] = {"tags": range_tags(first, last)} if last else {"partition_key": first}
        return (
            self.definitions.resolve_implicit_global_asset_job_def()
            .execute_in_process(
                instance=self.instance,
                asset_selection=keys,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                **spread,
            )
            .success
        )

    def follow(self, *tables: type[Table], **keywords: Any) -> list[bool]:
        """What `gamestats materialize` does, with some tables or all; whether each run succeeded."""
        selection = dg.AssetSelection.all() - dg.AssetSelection.assets(FETCHED)
        if tables:
            selection = dg.AssetSelection.assets(*map(asset_key, tables))
        return [outcome.success for outcome in self.session.follow(selection, **keywords)]

    def asked(self, cursor: Any = None) -> tuple[set[str], Any]:
        """What the conditions ask for, as table@partition, and the next cursor."""
        result = dg.evaluate_automation_conditions(self.definitions, self.instance, cursor=cursor)
        found = {
            f"{'_'.join(key.path[:-2])}{key.path[-1]}@{partition}"
            for key in self.definitions.resolve_asset_graph().get_all_asset_keys()
            for partition in result.get_requested_partitions(key)
        }
        return found, result.cursor

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
        for module in (known, pending):
            patch.setattr(module, "declared_tables", lambda: game.TABLES)
        game.decoded.clear()
        game.totalled.clear()
        yield House(stores, instance, SqlModel.load(path, Best, game.KNOWN))


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


KEYS = (f"{DAY}|quiz", f"{DAY}|shop", f"{THIRD}|shop")


def test_a_pair_reads_its_own_partition_its_product_and_its_day(lake: Lake) -> None:
    hold(lake, Takings, *KEYS)
    assert values_read(Takings, Points, [KEYS[1]], lake) == [KEYS[1]]
    assert values_read(Rates, Points, KEYS, lake) == ["quiz", "shop"]
    assert values_read(Weather, Points, KEYS, lake) == [date(2026, 1, 1), date(2026, 1, 3)]


def test_a_product_reads_those_of_its_days_that_are_there(lake: Lake) -> None:
    assert values_read(Takings, Totals, ["shop"], lake) == []
    hold(lake, Takings, *KEYS)
    assert values_read(Takings, Totals, ["shop"], lake) == [KEYS[1], KEYS[2]]
    assert values_read(Takings, Totals, ["shop", "quiz"], lake) == [*KEYS]


def test_a_day_reads_the_products_that_are_there(lake: Lake) -> None:
    hold(lake, Takings, *KEYS)
    assert values_read(Takings, Weather, [DAY], lake) == [KEYS[0], KEYS[1]]


def test_neighbours_are_of_the_same_product_across_months(lake: Lake) -> None:
    found = values_read(Takings, Trend, [f"{DAY}|shop"], lake, days_around=1)
    assert found == [f"{BEFORE}|shop", f"{DAY}|shop", f"{NEXT}|shop"]
    assert values_read(Rates, Trend, [f"{DAY}|shop"], lake, days_around=1) == ["shop"]


def test_what_has_nothing_in_common_is_read_whole(lake: Lake) -> None:
    assert values_read(Rates, Weather, [DAY], lake) is None
    assert values_read(quarantine_of("stalls"), Takings, [KEYS[0]], lake) is None


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
    mapping = partition_mapping(source, table, days_around=days_around) or dg.IdentityPartitionMapping()
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(
        of_table.subset_with_partition_keys([key]), of_table, of_source, datetime.now(UTC), instance
    )
    mapped = {str(each) for each in found.partitions_subset.get_partition_keys()}
    read = values_read(source, table, [key], lake, days_around=days_around)
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


def test_a_range_is_of_one_product_and_each_day_is_decoded_by_itself(filled: House) -> None:
    assert filled.decoded == [f"{DAY}|shop", f"{NEXT}|quiz", f"{NEXT}|shop", f"{THIRD}|shop"]
    started = [run.tags.get("dagster/asset_partition_range_start", "") for run in filled.instance.get_runs()]
    ended = [run.tags.get("dagster/asset_partition_range_end", "") for run in filled.instance.get_runs()]
    spans = {span for span in zip(started, ended, strict=True) if "|" in span[0]}
    assert (f"{DAY}|shop", f"{THIRD}|shop") in spans
    assert all(first.split("|")[1] == last.split("|")[1] for first, last in spans)


def test_running_again_does_nothing(filled: House) -> None:
    before = filled.versions()
    assert filled.follow() == []
    assert filled.run((RawSales, RawFiles, Takings, Trend, Points), f"{DAY}|shop", f"{THIRD}|shop", publish=True)
    assert filled.versions() == before


def test_a_table_dropped_from_postgresql_is_published_again(filled: House) -> None:
    with connect(filled.stores.postgres_url) as connection:
        connection.execute("drop table stalls.takings")
    assert all(filled.follow())
    assert read_published(filled.stores.postgres_url, Takings).height == 4


def test_a_partition_is_loaded_by_whoever_asks_dagster_for_it(filled: House) -> None:
    found = filled.definitions.load_asset_value(
        asset_key(Takings), partition_key=f"{NEXT}|shop", instance=filled.instance
    )
    assert found.collect().get_column("cents").to_list() == [200]


def test_a_late_file_makes_its_products_day_anew_and_what_follows_from_it(refilled: House) -> None:
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


def test_what_changes_or_lands_for_one_product_leaves_the_others_untouched(
    refilled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = refilled
    quiz = house.files(Points, f"{NEXT}|quiz")
    monkeypatch.setitem(game.RATES, "shop", 3)
    assert house.run((Rates,), "shop")
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


def test_days_outside_given_bounds_are_left_and_so_are_days_to_come(house: House) -> None:
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    for day in (DAY, NEXT, tomorrow):
        land(house.stores.landing, "shop", day, [1])
    assert all(house.follow(RawSales, RawFiles, within={NEXT}))
    assert house.rows(RawSales, "product_day") == [(f"{NEXT}|shop",)]
    assert all(house.follow(RawSales, RawFiles))
    assert house.rows(RawSales, "product_day") == [(f"{DAY}|shop",), (f"{NEXT}|shop",)]
    game.decoded.clear()
    assert all(house.follow(RawSales, RawFiles, every_partition=True, everything=True))
    assert game.decoded == [f"{DAY}|shop", f"{NEXT}|shop"]


def test_chosen_days_are_run_for_every_product_that_landed_and_a_chosen_partition_alone(house: House) -> None:
    selection = dg.AssetSelection.assets(asset_key(RawSales), asset_key(RawFiles))

    def run(first: str, last: str) -> list[str]:
        game.decoded.clear()
        outcomes = _run_chosen(house.session, selection, (first, last), everything=True, verbose=False)
        assert all(outcome.success for outcome in outcomes)
        return game.decoded

    for product in ("shop", "tour"):
        for day in (DAY, NEXT, THIRD):
            land(house.stores.landing, product, day, [1])
    assert sorted(run(NEXT, THIRD)) == [f"{NEXT}|shop", f"{NEXT}|tour", f"{THIRD}|shop", f"{THIRD}|tour"]
    assert run(f"{DAY}|tour", f"{DAY}|tour") == [f"{DAY}|tour"]
    with pytest.raises(PartitionChoiceError, match=r"2026-01-01\|nobody is no partition .*from 2024-01-01 on"):
        run(f"{DAY}|nobody", f"{DAY}|nobody")


# --------------------------------------------------------------------------- quarantine and checks


def test_what_is_rejected_in_a_range_is_of_its_own_day_only(house: House) -> None:
    land(house.stores.landing, "shop", DAY, [1])
    land(house.stores.landing, "shop", NEXT, [2, -2])
    land(house.stores.landing, "shop", THIRD, b"{", "broken")
    land(house.stores.landing, "shop", THIRD, [3])
    assert house.run((RawSales, RawFiles), f"{DAY}|shop", f"{THIRD}|shop")
    assert house.rows(RawSales, "product_day", "cents") == [(f"{DAY}|shop", 1), (f"{THIRD}|shop", 3)]
    entries = house.stores.lake.scan(quarantine_of("stalls")).sort("partition_key")
    assert entries.select("table_name", "partition_key", "unit_id", "scope").collect().rows() == [
        ("raw_sales", f"{NEXT}|shop", "shop", "unit"),
        ("raw_files", f"{THIRD}|shop", "broken", "file"),
    ]
    statuses = house.instance.event_log_storage.get_asset_check_partition_info(
        [dg.AssetCheckKey(asset_key(RawSales), "nothing_quarantined")]
    )
    failed = {each.partition_key for each in statuses if each.latest_execution_status.value == "FAILED"}
    assert f"{NEXT}|shop" in failed
    assert f"{DAY}|shop" not in failed


def test_what_is_rejected_no_more_leaves_the_quarantine_whatever_it_was_called(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(house.stores.landing, "shop", DAY, b"one", "a_file")
    land(house.stores.landing, "shop", DAY, [1])
    land(house.stores.landing, "shop", NEXT, b"two", "another")
    land(house.stores.landing, "shop", NEXT, [2])
    assert house.run((RawSales, RawFiles), f"{DAY}|shop", f"{NEXT}|shop")
    quarantine = house.stores.lake.scan(quarantine_of("stalls")).select("unit_id")
    assert sorted(quarantine.collect().to_series()) == ["a_file", "another"]
    read = json.loads
    monkeypatch.setattr(game.json, "loads", lambda content: [] if content == b"one" else read(content))
    assert all(house.follow(RawSales, RawFiles, every_partition=True, everything=True))
    assert house.stores.lake.scan(quarantine_of("stalls")).collect().get_column("unit_id").to_list() == ["another"]


def test_a_day_that_breaks_a_blocking_check_does_not_hold_up_the_others(house: House) -> None:
    land(house.stores.landing, "shop", DAY, [1_000_000])
    land(house.stores.landing, "shop", NEXT, [2])
    assert not all(house.follow())
    assert not house.run((Takings,), f"{DAY}|shop", f"{NEXT}|shop", publish=True)
    refused = refusals([game.takings_are_moderate], house.stores.lake, [f"{DAY}|shop", f"{NEXT}|shop"], "published")
    assert [*refused] == [f"{DAY}|shop"]
    publish = dg.AssetSelection.assets(publication_key(Takings))
    assert not house.session.run(publish, (f"{DAY}|shop", f"{NEXT}|shop")).success
    assert read_published(house.stores.postgres_url, Takings).get_column("product_day").to_list() == [f"{NEXT}|shop"]
    assert house.instance.get_materialized_partitions(publication_key(Takings)) == {f"{NEXT}|shop"}


def test_a_check_across_partitions_reads_what_the_table_reads(lake: Lake) -> None:
    hold(lake, Takings, *KEYS)
    hold(lake, Totals, "quiz", "shop")
    check = game.totals_are_of_all_days
    assert evaluate(check, lake, ["quiz", "shop"]).is_empty()
    more = lake.scan(Takings, [KEYS[2]]).with_columns(cents=pl.col("cents") + 1)
    lake.replace(Takings, more, partitions=[KEYS[2]])
    assert evaluate(check, lake, ["shop"]).get_column("product").to_list() == ["shop"]
    assert evaluate(check, lake, ["quiz"]).is_empty()
    assert evaluate(check, lake, None).height == 1


# --------------------------------------------------------------------------- what is asked for


def test_conditions_ask_for_exactly_the_partitions_that_a_change_concerns(house: House) -> None:
    assert house.run((Rates,), "shop")
    assert house.run((Rates,), "quiz")
    _, cursor = house.asked()
    found, cursor = house.asked(cursor)
    assert found == set()
    land(house.stores.landing, "shop", NEXT, [1])
    assert house.run((RawSales, RawFiles), f"{NEXT}|shop")
    found, cursor = house.asked(cursor)
    assert found == {f"takings@{NEXT}|shop"}
    assert house.run((Takings,), f"{NEXT}|shop")
    found, cursor = house.asked(cursor)
    assert found == {
        f"points@{NEXT}|shop",
        f"postgrestakings@{NEXT}|shop",
        *(f"trend@{day}|shop" for day in (DAY, NEXT, THIRD)),
        "totals@shop",
        "best@shop",
    }
    assert house.run((Points,), f"{NEXT}|shop")
    assert house.run((Trend,), f"{DAY}|shop", f"{THIRD}|shop")
    assert house.run((Totals,), "shop", publish=True)
    assert house.run((Best,), "shop")
    assert house.session.run(
        dg.AssetSelection.assets(publication_key(Takings)), (f"{NEXT}|shop", f"{NEXT}|shop")
    ).success
    found, cursor = house.asked(cursor)
    assert found == set()
    house.instance.add_dynamic_partitions("product", ["tour"])
    found, cursor = house.asked(cursor)
    assert {each for each in found if not each.startswith("rates@")} == set(), "of a product without a file"
    assert house.run((Rates,), "shop")
    found, cursor = house.asked(cursor)
    assert found == {f"points@{NEXT}|shop"}


def test_nothing_is_asked_for_past_a_failed_blocking_check(house: House) -> None:
    _, cursor = house.asked()
    land(house.stores.landing, "shop", DAY, [1_000_000])
    assert not house.run((RawSales, RawFiles, Takings), f"{DAY}|shop")
    found, _ = house.asked(cursor)
    assert found == set()


# --------------------------------------------------------------------------- what landed

Tick = Callable[[str | None], tuple[list[dg.RunRequest], str | None]]


@pytest.fixture
def tick(house: House) -> Tick:
    """One look of the sensor: its requests, as the daemon would run them, and the cursor it leaves."""
    sensor = landed_sensor("new_sales", [RawSales, RawFiles], followers=[asset_key(Takings)], description="d")
    definitions = dg.Definitions.merge(house.definitions, dg.Definitions(sensors=[sensor]))

    def look(cursor: str | None) -> tuple[list[dg.RunRequest], str | None]:
        context = dg.build_sensor_context(
            instance=house.instance, cursor=cursor, definitions=definitions, resources={"stores": house.stores}
        )
        # An instance of a daemon can be opened again from its address; this one only from here.
        with context, dg.partition_loading_context(dynamic_partitions_store=house.instance):
            result = sensor.evaluate_tick(context)
        return [*(result.run_requests or ())], result.cursor

    return look


def attempt(house: House, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    house.instance.add_run(
        dg.DagsterRun(job_name="j", run_id=str(uuid.uuid4()), tags=dict(request.tags), status=status)
    )


def test_the_sensor_asks_for_the_days_of_a_product_that_gained_files_together_and_again_after_a_failure(
    house: House, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_FIRST_WAIT", timedelta(0))
    land(house.stores.landing, "shop", DAY, [1])
    land(house.stores.landing, "shop", NEXT, [1])
    land(house.stores.landing, "tour", NEXT, [2])
    first, cursor = tick(None)
    shop, tour = (f"{DAY}|shop", f"{NEXT}|shop"), (f"{NEXT}|tour", f"{NEXT}|tour")
    assert [span(request) for request in first] == [shop, tour]
    assert {*(first[0].asset_selection or ())} == {asset_key(table) for table in (RawSales, RawFiles, Takings)}
    assert "tour" in house.instance.get_dynamic_partitions("product"), "what landed has its partition"
    attempt(house, first[0], dg.DagsterRunStatus.FAILURE)
    attempt(house, first[1], dg.DagsterRunStatus.STARTED)
    second, cursor = tick(cursor)
    assert [span(request) for request in second] == [shop]
    assert second[0].run_key != first[0].run_key
    for key in (f"{DAY}|shop", f"{NEXT}|shop", f"{NEXT}|tour"):
        assert house.run((RawSales, RawFiles), key)
    third, cursor = tick(cursor)
    assert third == []
    land(house.stores.landing, "tour", DAY, [3])
    fourth, cursor = tick(cursor)
    assert fourth == [], "the run of this product is still on its way"
    land(house.stores.landing, "shop", DAY, [3])
    fifth, _ = tick(cursor)
    assert [span(request) for request in fifth] == [(f"{DAY}|shop", f"{DAY}|shop")]


def span(request: dg.RunRequest) -> tuple[str, str]:
    """First and last partition of a requested run."""
    return tuple(request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))  # type: ignore[return-value]


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


def test_rows_that_depend_on_the_day_before_are_behind_when_it_gains_a_file(tmp_path: Path) -> None:
    class Repeats(RawSales, key="stalls/repeats", layer="bronze", after_day_before=True, **DAILY):
        """Sales that stood among those of the day before."""

    landing = Stores(Settings(data=str(tmp_path))).landing

    def inputs(table: type[Table]) -> dict[str, Mapping[str, str]]:
        return inputs_of(table, landed_inputs(landing, "stalls"))

    for product, day in (("shop", NEXT), ("quiz", NEXT), ("shop", THIRD)):
        land(landing, product, day, [1])
    before, alone = inputs(Repeats), inputs(RawSales)
    land(landing, "shop", DAY, [2])
    after = inputs(Repeats)
    assert {key for key in after if after[key] != before.get(key)} == {f"{DAY}|shop", f"{NEXT}|shop"}
    assert {key: units for key, units in inputs(RawSales).items() if key in alone} == alone


# --------------------------------------------------------------------------- stages and ranges


def test_a_stage_waits_for_what_it_is_made_from_whatever_its_partitions(house: House) -> None:
    graph = house.definitions.resolve_asset_graph()
    found = [
        sorted(".".join(key.path) for key in selection.resolve(graph))
        for _, selection in stages(house.definitions, graph.get_all_asset_keys() - {FETCHED})
    ]
    assert found == [
        ["postgres.stalls.takings", "stalls.raw_files", "stalls.raw_sales", "stalls.takings", "stalls.trend"],
        ["postgres.stalls.totals", "stalls.best", "stalls.rates", "stalls.totals"],
        ["stalls.points"],
    ]


def test_ranges_are_of_consecutive_days_of_one_product(instance: dg.DagsterInstance) -> None:
    pairs = partitions_of(Takings)
    keys = [f"{THIRD}|shop", f"{DAY}|shop", f"{NEXT}|quiz", f"{NEXT}|shop", f"{BEFORE}|quiz"]
    assert ranges(pairs, keys, instance) == [
        (f"{BEFORE}|quiz", f"{BEFORE}|quiz"),
        (f"{NEXT}|quiz", f"{NEXT}|quiz"),
        (f"{DAY}|shop", f"{THIRD}|shop"),
    ]
    assert [*within_range(pairs, (f"{DAY}|shop", f"{THIRD}|shop"), instance)] == [
        f"{DAY}|shop",
        f"{NEXT}|shop",
        f"{THIRD}|shop",
    ]


def test_chosen_days_are_days_of_every_product(instance: dg.DagsterInstance) -> None:
    pairs, products, days = (partitions_of(table) for table in (Takings, Totals, Weather))
    assert chosen_ranges(pairs, (DAY, NEXT), instance) == [
        (f"{DAY}|quiz", f"{NEXT}|quiz"),
        (f"{DAY}|shop", f"{NEXT}|shop"),
    ]
    one = (f"{DAY}|shop", f"{DAY}|shop")
    assert chosen_ranges(pairs, one, instance) == [one]
    assert chosen_ranges(days, (DAY, NEXT), instance) == [(DAY, NEXT)]
    assert chosen_ranges(products, ("shop", "shop"), instance) == [("shop", "shop")]
    for partitions, chosen in (
        (pairs, (f"{DAY}|tour", f"{DAY}|tour")),
        (pairs, ("2016-01-01|shop", "2016-01-01|shop")),
        (pairs, ("2016-01-01", DAY)),
        (pairs, ("shop", "shop")),
        (pairs, ("2026-02-30|shop", "2026-02-30|shop")),
        (days, one),
        (products, one),
        (None, (DAY, DAY)),
    ):
        assert chosen_ranges(partitions, chosen, instance) == []
