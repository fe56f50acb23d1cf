"""Steps process what is new or changed, once, and tell the truth about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from gamestats_assets.lakehouse.ledger import Ledger, input_hashes
from gamestats_assets.lakehouse.quality import Rejection, quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration import assets
from gamestats_assets.orchestration.assets import landed_tables, table_asset
from gamestats_assets.orchestration.checks import BlockingCheckError, refusals, table_checks
from gamestats_assets.orchestration.io_manager import lake_io_manager
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration import goals as game
from gamestats_assets_tests.orchestration.goals import DayGoals, MatchGoals, RawFiles, RawGoals, land

DAY, NEXT = "2026-01-01", "2026-01-02"


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    game.calls.clear()
    return Stores(Settings(data=str(tmp_path), workers=1))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class Pipeline:
    """The tiny game's assets over one set of stores."""

    def __init__(self, stores: Stores, instance: dg.DagsterInstance) -> None:
        self.stores, self.instance = stores, instance
        self.assets = [
            landed_tables([RawGoals, RawFiles], game.decode),
            table_asset(game.match_goals),
            table_asset(game.day_goals),
            table_checks(MatchGoals, game.CHECKS),
        ]

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
            resources={
                "stores": dg.ResourceDefinition.hardcoded_resource(self.stores),
                "lake": lake_io_manager({asset_key(table): table for table in game.TABLES}),
            },
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


def test_a_day_is_materialised_from_landing_to_gold(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3, 90])
    land(pipeline.stores.landing, "b", DAY, [])
    assert pipeline.run(DAY).success
    assert pipeline.rows(MatchGoals).select("match_id", "goals", "last_minute").rows() == [("a", 2, 90), ("b", 0, None)]
    assert pipeline.rows(DayGoals).get_column("goals").to_list() == [2]


def test_new_files_of_a_day_process_only_the_new_matches(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    pipeline.run(DAY)
    land(pipeline.stores.landing, "b", DAY, [4])
    assert pipeline.run(DAY).success
    assert game.calls == [["a"], ["b"]]
    assert pipeline.rows(DayGoals).get_column("goals").to_list() == [2]


def test_a_corrected_file_processes_its_match_again(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    land(pipeline.stores.landing, "b", DAY, [3])
    pipeline.run(DAY)
    land(pipeline.stores.landing, "a", DAY, [3, 4])
    pipeline.run(DAY)
    assert game.calls[1] == ["a"]


def test_running_again_commits_nothing(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    pipeline.run(DAY)
    versions = {table: pipeline.stores.lake.state(table).version for table in (RawGoals, MatchGoals)}  # type: ignore[union-attr]
    assert pipeline.run(DAY).success
    assert {table: pipeline.stores.lake.state(table).version for table in versions} == versions  # type: ignore[union-attr]


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


def test_a_step_that_died_before_its_ledger_entry_does_the_match_again_with_the_same_result(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    pipeline.run(DAY)
    before = pipeline.rows(MatchGoals)
    Ledger(pipeline.stores.lake, "demo", "match_goals").forget()
    pipeline.run(DAY)
    assert game.calls == [["a"], ["a"]]
    assert pipeline.rows(MatchGoals).equals(before)


def test_an_unreadable_file_is_quarantined_and_the_rest_of_the_day_loads(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    land(pipeline.stores.landing, "broken", DAY, b"{")
    result = pipeline.run(DAY)
    assert result.success
    assert pipeline.rows(MatchGoals).get_column("match_id").to_list() == ["a"]
    entry = pipeline.rows(quarantine_of("demo")).row(0, named=True)
    assert (entry["unit_id"], entry["scope"], entry["table_name"]) == ("broken", "file", "raw_files")
    warned = [e for e in result.get_asset_check_evaluations() if e.check_name == "nothing_quarantined" and not e.passed]
    assert [(e.asset_key, e.severity) for e in warned] == [(asset_key(RawFiles), dg.AssetCheckSeverity.WARN)]


def test_the_run_fails_when_nothing_could_be_read(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "broken", DAY, b"{")
    result = pipeline.run(DAY)
    assert not result.success
    assert pipeline.rows(quarantine_of("demo")).height == 1


def test_a_failed_blocking_check_stops_what_is_downstream_and_names_the_day(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [1])
    land(pipeline.stores.landing, "b", NEXT, list(range(100)))
    result = pipeline.run(DAY, NEXT)
    assert not result.success
    found = {e.partition: e for e in result.get_asset_check_evaluations() if e.check_name == "goals_are_few"}
    assert {partition: evaluation.passed for partition, evaluation in found.items()} == {
        DAY: True,
        NEXT: False,
        None: False,
    }
    assert found[None].metadata["failing_partitions"].value == NEXT
    assert pipeline.rows(DayGoals).is_empty()


def test_a_failed_check_that_does_not_block_only_warns(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [121])
    result = pipeline.run(DAY)
    assert result.success
    warned = next(e for e in result.get_asset_check_evaluations() if e.check_name == "goals_are_regular")
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert pipeline.rows(DayGoals).height == 1


def test_blocking_checks_are_asked_again_before_publication(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "b", DAY, list(range(100)))
    pipeline.run(DAY)
    found = refusals(game.CHECKS, pipeline.stores.lake, ["2019-01-01", DAY], "published")
    assert list(found) == [DAY]
    assert isinstance(found[DAY], BlockingCheckError)
    assert "goals_are_few" in str(found[DAY])


def test_the_declared_rules_check_finds_what_was_written_past_the_kernel(pipeline: Pipeline) -> None:
    from deltalake import write_deltalake

    land(pipeline.stores.landing, "a", DAY, [3])
    pipeline.run(DAY)
    doubled = pipeline.rows(RawGoals)
    write_deltalake(pipeline.stores.lake.uri(RawGoals), doubled, mode="append")
    result = pipeline.run(DAY)
    failed = [e for e in result.get_asset_check_evaluations() if e.check_name == "declared_rules" and not e.passed]
    assert [e.asset_key for e in failed] == [asset_key(RawGoals)]
    assert not result.success


def test_every_materialisation_tells_rows_version_schema_and_a_preview(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    result = pipeline.run(DAY)
    for event in result.get_asset_materialization_events():
        metadata = event.materialization.metadata
        assert {"rows_written", "quarantined_rows", "delta_version", "dagster/row_count", "preview"} <= metadata.keys()
        assert metadata["dagster/column_schema"].value.columns


def test_every_asset_says_what_it_is(pipeline: Pipeline) -> None:
    for definition in pipeline.assets[:3]:
        for spec in definition.specs:  # type: ignore[union-attr]
            assert spec.description
            assert spec.owners == ["team:demo"]
            assert spec.group_name == "demo"
            assert spec.kinds
            assert spec.code_version


def test_a_match_that_arrives_between_a_steps_ledgers_and_its_inputs_is_not_lost(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    assert pipeline.run(DAY).success
    arrived: list[bool] = []

    def read_ledgers_then_commit_another_match(*given: Any) -> dict[str, dict[str, str]]:
        found = input_hashes(*given)
        if not arrived:
            arrived.append(True)
            land(pipeline.stores.landing, "late", DAY, [5, 6])
            bronze = dg.materialize(
                pipeline.assets[:1],
                resources={"stores": dg.ResourceDefinition.hardcoded_resource(pipeline.stores)},
                partition_key=DAY,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            assert bronze.success
        return found

    monkeypatch.setattr(assets, "input_hashes", read_ledgers_then_commit_another_match)
    land(pipeline.stores.landing, "b", DAY, [4])
    assert pipeline.run(DAY).success
    monkeypatch.undo()
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


def test_files_that_belong_to_no_match_are_countable_in_the_quarantine(pipeline: Pipeline) -> None:
    land(pipeline.stores.landing, "a", DAY, [3])
    entries = [Rejection("f00", "file", "file_recognised", "junk.bin: nobody can read it", 0)]
    pipeline.assets[0] = landed_tables([RawGoals, RawFiles], game.decode, refused=lambda landing: entries)
    for _ in range(2):
        assert pipeline.run(DAY).success
        row = pipeline.rows(quarantine_of("demo")).row(0, named=True)
        assert (row["table_name"], row["unit_id"], row["reason"]) == ("landing", "f00", "junk.bin: nobody can read it")
