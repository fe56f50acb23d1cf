"""A day with dirt in it, through Dagster: it succeeds, every row is accounted for, and a row that is lost is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import polars as pl
import pytest

from gamestats_assets.definitions import build_defs
from gamestats_assets.l2m.assets import game
from gamestats_assets.l2m.checks import Quarantine, every_row_is_counted
from gamestats_assets.l2m.source import deliver
from gamestats_assets.l2m.tables import ETL, LANDED_TABLES, ExchangeRates, LogCounts, StdActive
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.checks import evaluate
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.runs.instance import run_here
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.l2m.logs import TABLES, Plan, simulate

PLAN = Plan(accounts=400, days=1, farms=1, actions=20)
ON = PLAN.start.isoformat()
pytestmark = pytest.mark.timeout(240)


@dataclass
class Run:
    """A day that was run."""

    stores: Stores
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult
    rows: dict[str, int]

    def again(self, *tables: type[Table], everything: bool = False) -> dg.ExecuteInProcessResult:
        """Run some tables of the day."""
        selection = dg.AssetSelection.assets(*map(asset_key, tables))
        steps = {f"l2m__{table.spec.name}": {"config": {"everything": everything}} for table in tables}
        config = {"ops": steps} if everything else None
        return run_here(
            self.definitions, self.instance, selection, partitions=[ON], config=config, log_level="CRITICAL"
        )

    def of_day(self, table: type[Table]) -> pl.DataFrame:
        """Rows of a table."""
        return self.stores.lake.scan(table).collect()


def checked(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """What became of each check."""
    return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A simulated day in CSV with lines that are torn, or say what cannot be; and one log of which most is wrong."""
    folder = tmp_path_factory.mktemp("extracts")
    truth = simulate(PLAN, folder / "logs", "csv", rates=True)
    rows = dict(truth.days[0].rows)

    def spoil(log: str, *lines: str) -> None:
        with (folder / "logs" / ON / f"{log}-000.csv").open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))
        rows[log] += len(lines)

    spoil("increase_item", "u1,S01,1001", "u1,S01,1001,half,11,3,", ",S01,1001,1,11,3,")
    spoil("decrease_money", "u1,S01,902,-5,41,3,7,,,", '"')
    spoil("logout", *["u1,S01,high,10.0.0.1,PC,VN,2026-03-01 10:00:00"] * 200)
    broken = folder / "logs" / ON / "increase_money-900.parquet"
    pl.read_csv(broken.with_name("increase_money-000.csv")).head(40).write_parquet(broken)
    content = bytearray(broken.read_bytes())
    content[4:200] = bytes(196)
    broken.write_bytes(content)
    rows["increase_money"] += 40
    stores = Stores(Settings(data=str(folder / "data"), postgres_url=None))
    deliver([folder / "logs"], stores.landing)
    definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)})
    selection = dg.AssetSelection.assets(*map(asset_key, (*LANDED_TABLES, StdActive)))
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_here(definitions, instance, selection, partitions=[ON], log_level="CRITICAL")
        yield Run(stores, definitions, instance, result, rows)


def test_of_a_day_with_dirt_in_it_all_else_loads_and_a_log_that_was_not_taken_stops_what_follows(ran: Run) -> None:
    assert not ran.result.success
    failed = {name for name, passed in checked(ran.result).items() if not passed}
    assert failed - {"nothing_quarantined"} == {"every_log_was_taken"}
    assert "every_log_was_taken" in str(
        [event.step_failure_data for event in ran.result.all_events if event.is_step_failure]
    )
    assert ran.of_day(StdActive).is_empty()


def test_rows_of_every_log_are_kept_or_in_quarantine_and_counted(ran: Run) -> None:
    quarantine = ran.of_day(Quarantine)
    counts = {row["log"]: row for row in ran.of_day(LogCounts).iter_rows(named=True)}
    for log in TABLES:
        entries = quarantine.filter(pl.col("table_name") == ETL[log].spec.name)
        kept, rejected = ran.of_day(ETL[log]).height, int(entries.get_column("rejected_rows").sum())
        assert counts[log]["rows_read"] == kept + rejected == ran.rows[log], log
    assert ran.of_day(ExchangeRates).height == 7
    told = quarantine.select("table_name", "unit_id", "scope", "rule", "rejected_rows").sort(pl.all()).rows()
    at = f"{ON}/"
    assert [each for each in told if each[0] != "etl_logout"] == [
        ("etl_decrease_money", "(all)", "row", "amount|min", 1),
        ("etl_decrease_money", f"{at}decrease_money-000.csv", "row", "torn_line", 1),
        ("etl_increase_item", f"{at}increase_item-000.csv", "row", "torn_line", 1),
        ("etl_increase_item", f"{at}increase_item-000.csv", "row", "unreadable_value", 1),
        ("etl_increase_item", f"{at}increase_item-000.csv", "row", "unreadable_value", 1),
        ("etl_increase_money", f"{at}increase_money-900.parquet", "file", "unreadable_file", 40),
    ]
    # More than one in twenty: the whole log, and no other.
    assert ran.of_day(ETL["logout"]).is_empty()
    assert [each[2] for each in told if each[0] == "etl_logout"].count("unit") == 1


def test_running_the_day_again_changes_nothing(ran: Run) -> None:
    before = {table: ran.stores.lake.version(table) for table in (*LANDED_TABLES, Quarantine)}
    assert ran.again(*LANDED_TABLES).success
    assert {table: ran.stores.lake.version(table) for table in before} == before


def test_a_row_that_is_lost_is_found(ran: Run) -> None:
    ran.stores.lake.replace(ETL["login"], ran.of_day(ETL["login"]).slice(1), partitions=[ON])
    [broken] = evaluate([every_row_is_counted], Snapshot(ran.stores, game().graph), [ON])
    found = broken.row(0, named=True)
    assert (found["log"], found["rows_read"] - found["rows"]) == ("login", 1)
