"""Steps process new and changed units once, and report what they did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.quality import Rejection, quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.checks import rules_broken
from gamestats_assets.orchestration.execution import StepResult, StepRun
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration import goals as game
from gamestats_assets_tests.orchestration.goals import DayGoals, MatchGoals, RawFiles, RawGoals, land

DAY, NEXT = "2026-01-01", "2026-01-02"


@pytest.fixture
def stores(tmp_path: Path, postgres_url: str) -> Stores:
    game.calls.clear()
    return Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(postgres_url), workers=1))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class Pipeline:
    """The tiny game's assets over one set of stores."""

    def __init__(self, stores: Stores, instance: dg.DagsterInstance) -> None:
        self.stores, self.instance = stores, instance
        self.game = game.game()
        self.assets = self.game.assets()

    def run(
        self, first: str, last: str | None = None, config: dict[str, object] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Materialise everything for one day, or for a range of days in a single run."""
        partition = (
            {"partition_key": first}
            if last is None
            else {"tags": {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}}
        )
        return dg.materialize(
            self.assets,
            instance=self.instance,
            resources={"stores": dg.ResourceDefinition.hardcoded_resource(self.stores)},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, **(config or {})},
            **partition,  # type: ignore[arg-type]
        )

    def rows(self, table: type[game.Table]) -> pl.DataFrame:
        """Everything the table holds, in key order."""
        return self.stores.lake.scan(table).sort(table.primary_key()).collect()


@pytest.fixture
def pipeline(stores: Stores, instance: dg.DagsterInstance) -> Pipeline:
    return Pipeline(stores, instance)


def test_new_files_of_a_day_process_only_the_new_matches(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    pipeline.run(DAY)
    land(pipeline.stores.landing, "b", DAY, [4])
    assert pipeline.run(DAY).success
    assert game.calls == [["a"], ["b"]]
    assert pipeline.rows(DayGoals).get_column("goals").to_list() == [2]


def test_running_again_commits_nothing(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    pipeline.run(DAY)
    versions = {table: pipeline.stores.lake.version(table) for table in game.TABLES}
    assert pipeline.run(DAY).success
    assert {table: pipeline.stores.lake.version(table) for table in versions} == versions
    assert game.calls == [["a"]]


def test_the_flag_everything_processes_known_matches_again(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    pipeline.run(DAY)
    pipeline.run(DAY, config={"ops": {"demo__match_goals": {"config": {"everything": True}}}})
    assert game.calls == [["a"], ["a"]]


def test_a_range_of_days_is_one_run_with_true_counts_per_day(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3, 4])
    land(pipeline.stores.landing, "b", NEXT, [5])
    result = pipeline.run(DAY, "2026-01-03")
    assert result.success
    counts = {
        event.materialization.partition: event.materialization.metadata["dagster/partition_row_count"].value
        for event in result.get_asset_materialization_events()
        if event.materialization.asset_key == asset_key(RawGoals)
    }
    assert counts == {DAY: 2, NEXT: 1, "2026-01-03": 0}


def test_batches_give_what_one_piece_gives(pipeline: Pipeline) -> None:
    for number in range(5):
        land(pipeline.stores.landing, f"m{number}", DAY, list(range(number)))
    small = {"config": {"batch_size": 2}}
    assert pipeline.run(DAY, config={"ops": {"demo_raw": small, "demo__match_goals": small}}).success
    assert [len(call) for call in game.calls] == [2, 2, 1]
    assert pipeline.rows(MatchGoals).get_column("goals").to_list() == [0, 1, 2, 3, 4]


def test_an_unreadable_file_is_quarantined_and_the_rest_of_the_day_loads(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    land(pipeline.stores.landing, "broken", DAY, b"{")
    assert pipeline.run(DAY).success
    assert pipeline.rows(MatchGoals).get_column("match_id").to_list() == ["a"]
    entry = pipeline.rows(quarantine_of("demo")).row(0, named=True)
    assert (entry["unit_id"], entry["scope"], entry["table_name"]) == ("broken", "file", "raw_files")
    [record] = pipeline.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(asset_key(quarantine_of("demo")), "nothing_quarantined"), limit=9
    )
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)


def evaluations(result: dg.ExecuteInProcessResult, name: str) -> dict[str | None, dg.AssetCheckEvaluation]:
    return {each.partition: each for each in result.get_asset_check_evaluations() if each.check_name == name}


def test_a_match_that_a_check_blames_is_set_aside_and_the_day_goes_on(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [1])
    land(pipeline.stores.landing, "odd", DAY, list(range(100)))
    result = pipeline.run(DAY)
    assert result.success
    assert pipeline.rows(MatchGoals).get_column("match_id").to_list() == ["a"]
    assert pipeline.rows(DayGoals).get_column("goals").to_list() == [1]
    entry = pipeline.rows(quarantine_of("demo")).row(0, named=True)
    assert (entry["unit_id"], entry["scope"], entry["rule"]) == ("odd", "unit", "goals_are_few")
    assert "fewer than 100 goals" in entry["reason"]
    assert not evaluations(result, "goals_are_few")[DAY].passed
    materialised = next(
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.materialization.asset_key == asset_key(MatchGoals)
    )
    assert (materialised["units_made"].value, materialised["units_set_aside"].value) == (2, 1)
    land(pipeline.stores.landing, "odd", DAY, [*range(101)])
    assert pipeline.run(DAY).success, "nothing else came, and it is set aside once more"
    assert pipeline.rows(MatchGoals).get_column("match_id").to_list() == ["a"]
    for file in pipeline.stores.landing.files("demo", DAY):
        if file.unit_id == "odd":
            pipeline.stores.landing.remove(file)
    land(pipeline.stores.landing, "odd", DAY, [5, 6])
    assert pipeline.run(DAY).success
    assert pipeline.rows(DayGoals).get_column("goals").to_list() == [3]
    assert pipeline.rows(quarantine_of("demo")).is_empty()


def test_a_check_that_blames_no_match_or_too_many_stops_only_its_day(pipeline: Pipeline) -> None:
    for number in range(11):
        land(pipeline.stores.landing, f"m{number}", DAY, [*range(99)])
    land(pipeline.stores.landing, "a", NEXT, [1])
    for name in "bc":
        land(pipeline.stores.landing, name, "2026-01-03", [*range(100)])
    result = pipeline.run(DAY, "2026-01-03")
    assert result.success
    assert pipeline.rows(DayGoals).get_column("day").cast(pl.String).to_list() == [NEXT]
    quiet, few = evaluations(result, "days_are_quiet"), evaluations(result, "goals_are_few")
    passed = {day: found.passed for day, found in quiet.items()}
    assert passed == {DAY: False, NEXT: True, "2026-01-03": True, None: False}
    assert quiet[None].metadata["failing_partitions"].value == DAY
    assert (few[DAY].passed, few[NEXT].passed, few["2026-01-03"].passed) == (True, True, False)
    assert few["2026-01-03"].severity == quiet[DAY].severity == dg.AssetCheckSeverity.ERROR
    held = evaluations(result, "is_up_to_date")
    assert {day: found.passed for day, found in held.items() if day} == {DAY: False, "2026-01-03": False}
    alone = pipeline.run(DAY)
    assert not alone.success
    failure = alone.failure_data_for_node("demo__day_goals")
    assert failure is not None
    assert "Nothing was made. demo.match_goals breaks the check 'days_are_quiet'" in str(failure.error)
    assert "Nothing" in str(failure.error)
    for file in pipeline.stores.landing.files("demo", DAY)[:5]:
        pipeline.stores.landing.remove(file)
    assert pipeline.run(DAY).success
    assert pipeline.rows(DayGoals).get_column("goals").to_list() == [6 * 99, 1]


def test_rows_of_foreign_commits_are_reported_and_made_again(pipeline: Pipeline) -> None:
    from deltalake import write_deltalake

    land(pipeline.stores.landing, "a", DAY, [3])
    pipeline.run(DAY)
    rows = pipeline.rows(RawGoals)
    write_deltalake(pipeline.stores.lake.uri(RawGoals), rows, mode="append")
    snapshot = Snapshot(pipeline.stores, pipeline.game.graph)
    assert not rules_broken(snapshot, RawGoals, [DAY]).is_empty()
    result = pipeline.run(DAY)
    assert result.success
    assert pipeline.rows(RawGoals).equals(rows)
    assert all(found.passed for found in evaluations(result, "declared_rules").values())


def test_every_asset_says_what_it_is(pipeline: Pipeline) -> None:
    for definition in pipeline.assets:
        for spec in definition.specs:
            assert spec.description
            assert spec.key.path[0] == "postgres" or spec.metadata["dagster/column_schema"].columns
            assert spec.owners == ["team:demo"]
            assert str(spec.group_name).startswith("demo")
            assert spec.kinds
            assert spec.code_version


def test_a_match_that_arrives_while_a_step_runs_is_not_lost(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    assert pipeline.run(DAY).success
    arrived: list[bool] = []
    finish = StepRun._finish

    def commit_another_match_first(step_run: StepRun, *given: Any) -> StepResult:
        if step_run.step.table is MatchGoals and not arrived:
            arrived.append(True)
            land(pipeline.stores.landing, "late", DAY, [5, 6])
            assert dg.materialize(
                pipeline.assets[:1],
                resources={"stores": dg.ResourceDefinition.hardcoded_resource(pipeline.stores)},
                partition_key=DAY,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            ).success
        return finish(step_run, *given)

    monkeypatch.setattr(StepRun, "_finish", commit_another_match_first)
    land(pipeline.stores.landing, "b", DAY, [4])
    assert pipeline.run(DAY).success
    assert arrived
    assert pipeline.rows(MatchGoals).select("match_id", "goals").rows() == [("a", 1), ("b", 1)]
    assert pipeline.run(DAY).success
    assert pipeline.rows(MatchGoals).select("match_id", "goals").rows() == [("a", 1), ("b", 1), ("late", 2)]


def test_what_is_rejected_in_a_range_is_filed_under_its_own_day(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    land(pipeline.stores.landing, "broken", NEXT, b"{")
    assert pipeline.run(DAY, NEXT).success
    assert pipeline.rows(quarantine_of("demo")).get_column("partition_key").to_list() == [NEXT]


def test_a_day_nobody_can_read_fails_every_time_and_not_only_the_first(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "broken", DAY, b"{")
    assert not pipeline.run(DAY).success
    assert not pipeline.run(DAY).success
    assert pipeline.rows(quarantine_of("demo")).height == 1


def test_files_that_belong_to_no_match_are_countable_in_the_quarantine(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    entries = [Rejection("f00", "file", "file_recognised", "junk.bin: nobody can read it", 0)]
    other = Game("demo", game.TABLES, game.CHECKS)
    other.landed([RawGoals, RawFiles], game.decode, refused=lambda landing: entries)
    pipeline.assets = other.assets()
    for _ in range(2):
        assert pipeline.run(DAY).success
        row = pipeline.rows(quarantine_of("demo")).row(0, named=True)
        assert (row["table_name"], row["unit_id"], row["reason"]) == ("landing", "f00", "junk.bin: nobody can read it")
