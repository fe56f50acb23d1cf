"""Day after day in Dagster: what is fetched, requested, refused and published, against a lake made in one go."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import SecretStr

from gamestats_assets.definitions import build_defs
from gamestats_assets.l2m import tables
from gamestats_assets.l2m.source import deliver
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.runs.sensor import SENSOR
from gamestats_assets.settings import Settings
from gamestats_assets_tests.l2m.lake import DAYS, SmallLake
from gamestats_assets_tests.support.published import read_published

pytestmark = pytest.mark.timeout(240)


class Operation:
    """The MMO's part of the code location over a folder and a database."""

    def __init__(self, folder: Path, database: str, instance: dg.DagsterInstance) -> None:
        self.inbox, self.instance = folder / "inbox", instance
        self.inbox.mkdir()
        settings = Settings(data=str(folder / "data"), postgres_url=SecretStr(database), l2m_inbox=self.inbox)
        self.stores = Stores(settings)
        self.definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(self.stores)}, ["l2m"])
        self._job = self.definitions.resolve_implicit_global_asset_job_def()
        self._cursors: dict[str, str | None] = {}

    def drop(self, logs: Path, *days: str) -> None:
        """Put days into the inbox."""
        for day in days:
            shutil.copytree(logs / day, self.inbox / day)

    def deliver(self, logs: Path, *days: str) -> None:
        """Ingest days."""
        for day in days:
            deliver([logs / day], self.stores.landing, day=date.fromisoformat(day))

    def night_after(self, day: str, hour: int = 0) -> dg.ExecuteInProcessResult:
        """Run the fetch that the schedule requests half an hour after a day's end, or some hours later."""
        (request,) = self.asked_at_night(day, hour)
        return self.run(request)

    def asked_at_night(self, day: str, hour: int) -> Sequence[dg.RunRequest]:
        """What the schedule requests in the night after a day."""
        at = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1, hours=hour, minutes=30)
        schedule = self.definitions.resolve_schedule_def("l2m_daily")
        context = dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=at,
            resources={"stores": self.stores},
            repository_def=self.definitions.get_repository_def(),
        )
        return schedule.evaluate_tick(context).run_requests or ()

    def tick(self, name: str) -> list[dg.RunRequest]:
        """What a sensor requests."""
        sensor = self.definitions.resolve_sensor_def(name)
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self._cursors.get(name),
            resources={"stores": self.stores},
            definitions=self.definitions,
        )
        result = sensor.evaluate_tick(context)
        self._cursors[name] = result.cursor
        return list(result.run_requests or ())

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """A run as it was requested."""
        return self._job.execute_in_process(
            instance=self.instance,
            asset_selection=list(request.asset_selection or ()),
            partition_key=request.partition_key,
            tags=dict(request.tags),
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def look_again(self) -> list[dg.RunRequest]:
        """What the sensor requests; without its cursor it does not wait before it looks."""
        self._cursors.clear()
        return self.tick(SENSOR)

    def settle(self) -> None:
        """Run what the sensor requests until it requests nothing."""
        for _ in range(12):
            waiting = self.look_again()
            if not waiting:
                return
            for request in waiting:
                assert not _broken(self.run(request)), request.tags
        raise AssertionError("it has not settled after 12 turns")

    def rows(self, table: type[Table]) -> pl.DataFrame:
        """All rows of a table in the lake, by its key."""
        return self.stores.lake.scan(table).collect().sort(table.primary_key())


@pytest.fixture
def operation(tmp_path: Path, ops_database: str) -> Iterator[Operation]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Operation(tmp_path, ops_database, instance)


def _made_from(lake: SmallLake) -> dict[type[Table], dict[str, str]]:
    """By table and day, the fingerprint of what it was made from."""
    return {
        table: {key: found.made_from for key, found in lake.lake.ledger(table).partitions.items()}
        for table in tables.ALL
    }


def _broken(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    return {
        event.step_key: event.step_failure_data.error.to_string() if event.step_failure_data.error else ""
        for event in result.all_events
        if event.is_step_failure and event.step_key
    }


def test_a_night_fetches_its_day_and_what_came_late_and_all_of_it_is_published(
    operation: Operation, logs: Path, small: SmallLake
) -> None:
    before, day, _ = DAYS
    operation.drop(logs, before)
    late, *_ = (operation.inbox / before).glob("recharge-*.parquet")
    whole = late.read_bytes()
    pl.read_parquet(late).clear().write_parquet(late)
    first = operation.night_after(before)
    assert first.success, _broken(first)
    # A night without logs makes no empty day, which would show tables as fresh. Rates alone are no log.
    (operation.inbox / day).mkdir()
    shutil.copy(logs / day / "exchange_rates.csv", operation.inbox / day)
    (why,) = _broken(operation.night_after(day)).values()
    assert f"No log of {day} has come" in why
    shutil.rmtree(operation.inbox / day)
    # An hour later they are there, and an old day's payments have come late.
    late.write_bytes(whole)
    operation.drop(logs, day)
    second = operation.night_after(day, hour=1)
    assert second.success, _broken(second)
    assert not operation.asked_at_night(day, hour=2)
    operation.settle()
    for table in tables.ALL:
        if table is tables.IpWhitelist:
            continue
        made = operation.rows(table)
        if table.spec.partitioned_by:
            assert_frame_equal(made, small.rows(table).filter(pl.col("ds").cast(pl.String).is_in([before, day])))
        if table.spec.published:
            published = read_published(operation.stores.postgres_url, table).select(made.columns)
            assert_frame_equal(published.cast(made.schema).sort(table.primary_key()), made)


def test_a_day_that_is_corrected_is_made_again_with_the_days_that_look_back_to_it(
    small: SmallLake, logs: Path, tmp_path: Path
) -> None:
    lake = small.copy(tmp_path / "copy")
    before = _made_from(lake)
    wrong = tmp_path / DAYS[1]
    shutil.copytree(logs / DAYS[1], wrong)
    for log in wrong.glob("recharge-*.parquet"):
        pl.read_parquet(log).clear().write_parquet(log)
    lake.deliver(wrong, DAYS[1])
    lake.bring_up_to_date()
    after = _made_from(lake)
    again = {
        table: [key for key in DAYS if before[table].get(key) != after[table].get(key)]
        for table in tables.ALL
        if table.spec.partitioned_by
    }
    assert not any(DAYS[0] in days for days in again.values())
    assert again[tables.EtlRecharge] == again[tables.Recharge] == [DAYS[1]]
    assert again[tables.CumulativeRevenue] == again[tables.KpiDaily] == again[tables.Retention] == DAYS[1:]
    # Of payments these know nothing.
    assert again[tables.MoneyBalances] == again[tables.GuildMembers] == []
    payers = [each.rows(tables.Recharge).filter(ds=date.fromisoformat(DAYS[1])).height for each in (small, lake)]
    assert payers[0] > payers[1] == 0


def test_a_day_without_rates_stays_unmade(logs: Path, tmp_path: Path) -> None:
    poor = tmp_path / "poor"
    shutil.copytree(logs, poor)
    (poor / DAYS[1] / "exchange_rates.csv").unlink()
    lake = SmallLake(tmp_path)
    lake.take(poor, DAYS)
    payments = (tables.Recharge, tables.CumulativeRevenue, tables.UserProfile)
    farmers = (tables.SharedAddresses, tables.ActivityRhythms, tables.FarmersSnapshot)
    lake.make(
        DAYS,
        [
            *tables.REFERENCE,
            tables.StdActive,
            *payments,
            *farmers,
            tables.Active,
            tables.ServerPerformance,
            tables.KpiDaily,
        ],
    )
    bad = date.fromisoformat(DAYS[1])
    assert lake.rows(tables.EtlLogin).filter(ds=bad).height > 0
    (why,) = lake.lake.ledger(tables.EtlRecharge)[DAYS[1]].failed or ("",)
    assert why == "every_payment_has_a_rate"
    for table in (tables.StdActive, tables.Active, tables.KpiDaily, tables.ServerPerformance):
        # What looks back would be wrong on the day after, and waits with it.
        expected = {DAYS[0], DAYS[2]} if table is tables.StdActive else {DAYS[0]}
        assert {*lake.rows(table).get_column("ds").cast(pl.String)} == expected, table
    assert bad not in lake.rows(tables.Recharge).get_column("ds").to_list()
    assert lake.rows(tables.CumulativeRevenue).filter(pl.col("ds") >= bad).is_empty()
    # Of accounts it is known what they were on the last good day.
    assert lake.rows(tables.UserProfile).get_column("last_seen_ds").max() == date.fromisoformat(DAYS[0])


def test_without_a_source_the_schedule_asks_for_nothing(tmp_path: Path) -> None:
    stores = Stores(Settings(data=str(tmp_path)))
    definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)}, ["l2m"])
    schedule = definitions.resolve_schedule_def("l2m_daily")
    result = schedule.evaluate_tick(dg.build_schedule_context(resources={"stores": stores}))
    assert not result.run_requests
    assert "GAMESTATS_L2M_INBOX" in (result.skip_message or "")
