"""Tables follow their inputs by themselves, for any day, and not past a failed blocking check."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.assets import landed_tables, table_asset
from gamestats_assets.orchestration.checks import table_checks
from gamestats_assets.orchestration.io_manager import lake_io_manager
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration import goals as game
from gamestats_assets_tests.orchestration.goals import DayGoals, MatchGoals, RawFiles, RawGoals, land

OLD_DAY = "2026-01-01"


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(Settings(data=str(tmp_path), workers=1))


@pytest.fixture
def defs(stores: Stores) -> dg.Definitions:
    return dg.Definitions(
        assets=[
            landed_tables([RawGoals, RawFiles], game.decode),
            table_asset(game.match_goals),
            table_asset(game.day_goals),
        ],
        asset_checks=[table_checks(MatchGoals, game.CHECKS)],
        resources={
            "stores": dg.ResourceDefinition.hardcoded_resource(stores),
            "lake": lake_io_manager({asset_key(table): table for table in game.TABLES}),
        },
    )


def materialise(defs: dg.Definitions, instance: dg.DagsterInstance, *tables: type[game.Table]) -> bool:
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        partition_key=OLD_DAY,
        asset_selection=[asset_key(table) for table in tables],
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    ).success


def requested(defs: dg.Definitions, instance: dg.DagsterInstance, cursor: object = None) -> tuple[set[str], object]:
    result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)  # type: ignore[arg-type]
    found = {
        f"{key.path[-1]}@{partition}"
        for key in (asset_key(MatchGoals), asset_key(DayGoals))
        for partition in result.get_requested_partitions(key)
    }
    return found, result.cursor


def test_tables_of_an_old_day_follow_their_inputs_layer_by_layer(stores: Stores, defs: dg.Definitions) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        _, cursor = requested(defs, instance)
        land(stores.landing, "a", OLD_DAY, [1])
        assert materialise(defs, instance, RawGoals, RawFiles)
        found, cursor = requested(defs, instance, cursor)
        assert found == {f"match_goals@{OLD_DAY}"}
        assert materialise(defs, instance, MatchGoals)
        found, cursor = requested(defs, instance, cursor)
        assert found == {f"day_goals@{OLD_DAY}"}


@pytest.mark.parametrize("length", [1, 2])
def test_what_a_range_of_days_made_and_checked_is_followed_too(
    stores: Stores, defs: dg.Definitions, length: int
) -> None:
    days = (OLD_DAY, str(date.fromisoformat(OLD_DAY) + timedelta(days=length - 1)))
    with dg.DagsterInstance.ephemeral() as instance:
        _, cursor = requested(defs, instance)
        for day in days:
            land(stores.landing, f"of-{day}", day, [1])
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[asset_key(table) for table in (RawGoals, RawFiles, MatchGoals)],
            tags={"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[1]},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        assert result.success
        found, _ = requested(defs, instance, cursor)
    assert {f"day_goals@{day}" for day in days} <= found


def test_a_day_that_gained_a_match_is_requested_again(stores: Stores, defs: dg.Definitions) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        _, cursor = requested(defs, instance)
        land(stores.landing, "a", OLD_DAY, [1])
        assert materialise(defs, instance, RawGoals, RawFiles, MatchGoals, DayGoals)
        _, cursor = requested(defs, instance, cursor)
        land(stores.landing, "b", OLD_DAY, [1])
        assert materialise(defs, instance, RawGoals, RawFiles)
        found, _ = requested(defs, instance, cursor)
    assert f"match_goals@{OLD_DAY}" in found


def test_a_table_is_not_requested_past_a_failed_blocking_check(stores: Stores, defs: dg.Definitions) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        _, cursor = requested(defs, instance)
        land(stores.landing, "a", OLD_DAY, list(range(100)))
        assert materialise(defs, instance, RawGoals, RawFiles)
        found, cursor = requested(defs, instance, cursor)
        assert not materialise(defs, instance, MatchGoals)
        found, cursor = requested(defs, instance, cursor)
    assert f"day_goals@{OLD_DAY}" not in found


def test_nothing_is_requested_while_nothing_changes(stores: Stores, defs: dg.Definitions) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        _, cursor = requested(defs, instance)
        land(stores.landing, "a", OLD_DAY, [1])
        assert materialise(defs, instance, RawGoals, RawFiles, MatchGoals, DayGoals)
        _, cursor = requested(defs, instance, cursor)
        found, _ = requested(defs, instance, cursor)
    assert found == set()


class Daemon:
    """Does what Dagster's daemon does with the conditions' requests: runs exactly what they select."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._defs, self._instance, self._cursor = defs, instance, None
        # Evaluated here, which Dagster otherwise does in the daemon by the same code.
        self._sensor = dg.AutomationConditionSensorDefinition(
            "here", target=dg.AssetSelection.all(), use_user_code_server=True
        )

    def tick(self) -> list[set[str]]:
        """Run what one tick requests; the assets and checks of each run by name."""
        context = dg.build_sensor_context(
            instance=self._instance, cursor=self._cursor, repository_def=self._defs.get_repository_def()
        )
        result = self._sensor.evaluate_tick(context)
        self._cursor = result.cursor
        return [self._run(request) for request in result.run_requests or []]

    def _run(self, request: dg.RunRequest) -> set[str]:
        selection = dg.AssetSelection.assets(*(request.asset_selection or []))
        if request.asset_check_keys is not None:
            selection = selection.without_checks() | dg.AssetSelection.checks(*request.asset_check_keys)
        job = dg.define_asset_job("requested", selection)
        result = (
            dg.Definitions.merge(self._defs, dg.Definitions(jobs=[job]))
            .resolve_job_def("requested")
            .execute_in_process(
                instance=self._instance,
                partition_key=request.partition_key,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        )
        made = {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}
        return made | {check.check_name for check in result.get_asset_check_evaluations()}


def test_what_is_requested_runs_with_its_checks_until_everything_has_followed(
    stores: Stores, defs: dg.Definitions
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(defs, instance)
        assert daemon.tick() == []
        land(stores.landing, "a", OLD_DAY, [1])
        assert materialise(defs, instance, RawGoals, RawFiles)
        declared = {"declared_rules", "nothing_quarantined"}
        assert daemon.tick() == [{"match_goals", "goals_are_few", "goals_are_regular", *declared}]
        assert daemon.tick() == [{"day_goals", *declared}]
        assert daemon.tick() == []
    assert stores.lake.scan(DayGoals).collect().height == 1
