"""The sensor requests what is behind once, in order, and nothing that a check blocks."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.jobs import at_work
from gamestats_assets.lakehouse.entries.ops import tell
from gamestats_assets.lakehouse.landing import zone as landing_zone
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration import run_requests
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.run_requests import partitions_of_run
from gamestats_assets.orchestration.runs import sensor
from gamestats_assets.orchestration.runs.sensor import KIND_TAG, WatchedGame, behind_sensor
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration import goals as game
from gamestats_assets_tests.orchestration.goals import DayGoals, RawFiles, RawGoals, land

DAY, NEXT, LATER = "2026-01-01", "2026-01-02", "2026-02-01"
EVERYTHING = {asset_key(table) for table in game.TABLES}
Status = dg.DagsterRunStatus


class Daemon:
    """Does what Dagster's daemon does: looks, and runs what is requested, or says what became of it."""

    def __init__(self, stores: Stores, instance: dg.DagsterInstance, *others: WatchedGame, waits_s: float = 0) -> None:
        self.stores, self.instance = stores, instance
        self.sensor = behind_sensor([*others, WatchedGame(game.game())], waits_s)
        self.definitions = dg.Definitions(
            assets=game.game().assets(),
            sensors=[self.sensor],
            resources={"stores": dg.ResourceDefinition.hardcoded_resource(stores)},
            executor=dg.in_process_executor,
        )
        self.cursor: str | None = None
        self.skipped: str | None = None

    def tick(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=self.definitions, resources={"stores": self.stores}
        )
        with context, dg.partition_loading_context(dynamic_partitions_store=self.instance):
            result: Any = self.sensor(context)
        self.cursor, self.skipped = result.cursor, result.skip_reason.skip_message if result.skip_reason else None
        return [*(result.run_requests or ())]

    def days(self) -> list[str]:
        """Partitions that one look asks for."""
        return [day for request in self.tick() for day in days_of(request)]

    def ended(self, request: dg.RunRequest, status: Status) -> None:
        """A requested run is there, with a status."""
        tags = {**request.tags, "dagster/partition": str(request.partition_key)}
        self.instance.add_run(dg.DagsterRun(job_name="j", run_id=str(uuid.uuid4()), tags=tags, status=status))

    def run(self, request: dg.RunRequest) -> bool:
        return (
            self.definitions.resolve_implicit_global_asset_job_def()
            .execute_in_process(
                instance=self.instance,
                partition_key=request.partition_key,
                asset_selection=[*(request.asset_selection or ())],
                tags={**request.tags},
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            .success
        )

    def made(self, table: type[Table]) -> list[str]:
        return sorted(self.stores.lake.ledger(table).partitions)


def days_of(request: dg.RunRequest) -> list[str]:
    return partitions_of_run(
        dg.DagsterRun(job_name="j", tags={"dagster/partition": str(request.partition_key), **request.tags})
    )


@pytest.fixture
def daemon(tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setattr(run_requests, "_FIRST_WAIT", timedelta(0))
    # Looks again at what waits in the next tick.
    monkeypatch.setattr(sensor, "EVERY_S", 0)
    monkeypatch.setattr(sensor, "_LOOK_AGAIN_S", 0)
    stores = Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(fresh_database), workers=1))
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(stores, instance)


def test_days_with_new_files_are_requested_once_with_everything_downstream(daemon: Daemon) -> None:
    assert daemon.tick() == []
    assert daemon.skipped == "demo: Everything is up to date, or on its way."
    for number, day in enumerate((DAY, NEXT, LATER)):
        land(daemon.stores.landing, f"m{number}", day, [1])
    [request] = daemon.tick()
    assert days_of(request) == [DAY, NEXT, LATER]
    assert {*(request.asset_selection or ())} == EVERYTHING
    assert request.tags[KIND_TAG] == "day"
    assert request.tags["gamestats/requested_by"] == "demo_behind"
    assert daemon.run(request)
    assert daemon.made(DayGoals) == [DAY, NEXT, LATER]
    assert daemon.tick() == []
    land(daemon.stores.landing, "m1", NEXT, [1])
    assert daemon.tick() == [], "the same content landed again"
    assert daemon.tick() == []
    assert daemon.skipped == "Nothing has changed."


def test_a_game_is_left_to_its_worker_for_a_while(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    land(daemon.stores.landing, "a", DAY, [1])
    with at_work(daemon.stores.postgres_url, "demo"):
        assert daemon.tick() == []
        assert daemon.skipped == "demo: a worker is at it."
    cursor = daemon.cursor
    assert len(daemon.tick()) == 1
    daemon.cursor = cursor
    with at_work(daemon.stores.postgres_url, "another game"):
        assert len(daemon.tick()) == 1
    daemon.cursor = cursor
    monkeypatch.setattr(sensor, "_LEFT_TO_WORKERS_S", 0)
    with at_work(daemon.stores.postgres_url, "demo"):
        assert len(daemon.tick()) == 1


def test_only_what_is_behind_is_requested_under_another_run_key(daemon: Daemon) -> None:
    land(daemon.stores.landing, "a", DAY, [1])
    land(daemon.stores.landing, "b", LATER, [1])
    [first] = daemon.tick()
    cursor, daemon.cursor = daemon.cursor, None
    assert [request.run_key for request in daemon.tick()] == [first.run_key], "a lost cursor runs nothing twice"
    daemon.cursor = cursor
    assert daemon.run(first)
    land(daemon.stores.landing, "c", DAY, [1])
    [second] = daemon.tick()
    assert days_of(second) == [DAY]
    assert second.run_key != first.run_key
    daemon.run(second)
    for table in (RawGoals, RawFiles):
        daemon.stores.lake.rebuild(table)
    daemon.stores.lake.rebuild(DayGoals)
    [third] = daemon.tick()
    assert days_of(third) == [DAY, LATER], "what was lost is made again"
    assert daemon.run(third)
    assert daemon.tick() == []


def test_a_failed_run_is_requested_again_and_one_on_its_way_is_waited_for(daemon: Daemon) -> None:
    land(daemon.stores.landing, "a", DAY, [1])
    [first] = daemon.tick()
    daemon.ended(first, Status.FAILURE)
    [second] = daemon.tick()
    assert (days_of(second), second.run_key == first.run_key) == ([DAY], False)
    daemon.ended(second, Status.STARTED)
    assert daemon.tick() == []
    land(daemon.stores.landing, "b", DAY, [1])
    assert daemon.tick() == [], "a run of this day is still on its way"
    land(daemon.stores.landing, "c", NEXT, [1])
    assert daemon.days() == [NEXT]


def after(seconds: float, action: Callable[[], object]) -> threading.Timer:
    """Does something in another thread while a tick waits."""
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


def test_an_idle_tick_waits_for_landing_files_and_ending_runs(daemon: Daemon) -> None:
    waiting = Daemon(daemon.stores, daemon.instance, waits_s=60)

    def lands() -> None:
        land(daemon.stores.landing, "a", DAY, [1])
        tell(daemon.stores.postgres_url, "landed")

    began = time.monotonic()
    timer = after(0.5, lands)
    [request] = waiting.tick()
    timer.join()
    assert days_of(request) == [DAY]
    waiting.ended(request, Status.STARTED)
    [run] = daemon.instance.get_runs()
    timer = after(0.5, lambda: daemon.instance.report_run_failed(run))
    [again] = waiting.tick()
    timer.join()
    assert (days_of(again), again.run_key == request.run_key) == ([DAY], False)
    assert time.monotonic() - began < 30


def test_a_tick_waits_no_longer_than_it_may(daemon: Daemon) -> None:
    began = time.monotonic()
    assert Daemon(daemon.stores, daemon.instance, waits_s=1).tick() == []
    assert 1 <= time.monotonic() - began < 30


def test_what_comes_goes_and_comes_again_is_requested_each_time(daemon: Daemon) -> None:
    for turn in range(3):
        if turn % 2:
            [file] = [file for file in daemon.stores.landing.files("demo", DAY) if file.unit_id == "b"]
            daemon.stores.landing.remove(file)
        else:
            land(daemon.stores.landing, "a", DAY, [1])
            land(daemon.stores.landing, "b", DAY, [1, 2])
        [request] = daemon.tick()
        assert request.run_key is not None
        assert request.run_key.endswith(" 0"), "a reason of its own"
        assert daemon.run(request)
        assert daemon.tick() == []


def test_nothing_is_requested_past_a_check_that_stops_a_day(daemon: Daemon) -> None:
    for number in range(11):
        land(daemon.stores.landing, f"m{number}", DAY, [*range(99)])
    land(daemon.stores.landing, "a", NEXT, [1])
    assert daemon.run(daemon.tick()[0])
    assert daemon.made(DayGoals) == [NEXT]
    assert daemon.tick() == []
    assert daemon.skipped is not None
    assert "1 partitions stay as they are. demo.match_goals breaks the check 'days_are_quiet'" in daemon.skipped
    for file in daemon.stores.landing.files("demo", DAY)[:5]:
        daemon.stores.landing.remove(file)
    [request] = daemon.tick()
    assert days_of(request) == [DAY]
    assert daemon.run(request)
    assert daemon.made(DayGoals) == [DAY, NEXT]
    assert daemon.tick() == []


def test_a_look_at_nothing_new_lists_no_landed_day(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (DAY, NEXT):
        land(daemon.stores.landing, "m", day, [1])
    assert daemon.run(daemon.tick()[0])
    assert daemon.tick() == []
    monkeypatch.setattr(landing_zone.Landing, "files", lambda *_: pytest.fail("a day was listed"))
    assert daemon.tick() == []
    assert daemon.skipped == "Nothing has changed."


@pytest.fixture
def beside_another(daemon: Daemon) -> Daemon:
    """The daemon over two games, the first of which cannot be looked at."""

    def fail(*_: object) -> None:
        raise OSError("no such disk")

    return Daemon(daemon.stores, daemon.instance, WatchedGame(Game("broken", [], []), before=fail))


def test_what_is_wrong_with_one_game_is_told_and_holds_up_no_other(
    beside_another: Daemon, capfd: pytest.CaptureFixture[str]
) -> None:
    land(beside_another.stores.landing, "a", DAY, [1])
    [request] = beside_another.tick()
    assert days_of(request) == [DAY]
    assert "broken cannot be looked at: no such disk" in capfd.readouterr().err
    assert beside_another.run(request)
    with pytest.raises(OSError, match="no such disk"):
        beside_another.tick()


def test_a_game_for_which_there_was_no_time_comes_first_the_next_time(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    names = ("first", "second", "third")
    games = [WatchedGame(Game(name, [], []), before=lambda *_, name=name: looked.append(name)) for name in names]
    several = Daemon(daemon.stores, daemon.instance, *games)
    monkeypatch.setattr(sensor, "_PATIENCE_S", 0)
    several.tick()
    assert looked == ["first"]
    several.tick()
    assert looked == ["first", "second"]
