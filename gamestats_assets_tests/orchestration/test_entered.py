"""What people enter reaches the lake when it changed, and the days it concerns are requested with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration import requests
from gamestats_assets.orchestration.entered import entered_sensor, entered_tables, is_current
from gamestats_assets.orchestration.io_manager import lake_io_manager
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.pubg.tables import Divisions, Matches, Seasons
from gamestats_assets.settings import Settings

TABLES = (Seasons, Divisions)


@pytest.fixture
def stores(tmp_path: Path, fresh_database: str) -> Stores:
    return Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(fresh_database)))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def execute(stores: Stores, statement: LiteralString, *values: Any) -> None:
    with psycopg.connect(stores.postgres_url.get_secret_value(), autocommit=True) as conn:
        conn.execute(statement, values)


def enter_season(stores: Stores, season: str) -> None:
    migrate(stores.postgres_url)
    execute(stores, "INSERT INTO ops.seasons (season, name, time_zone) VALUES (%s, 'S', 'UTC')", season)


def take(stores: Stores, instance: dg.DagsterInstance) -> set[str]:
    """Take snapshots; the tables that were made anew."""
    result = dg.materialize(
        [entered_tables(TABLES, {Seasons: ("season", "season")})],
        instance=instance,
        resources={
            "stores": dg.ResourceDefinition.hardcoded_resource(stores),
            "lake": lake_io_manager({asset_key(table): table for table in TABLES}),
        },
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}


def test_only_tables_that_somebody_changed_are_made_anew(stores: Stores, instance: dg.DagsterInstance) -> None:
    assert take(stores, instance) == {"seasons", "divisions"}, "the first time, empty as they are"
    assert take(stores, instance) == set()
    enter_season(stores, "s1")
    assert not is_current(stores, Seasons)
    assert take(stores, instance) == {"seasons"}
    assert is_current(stores, Seasons)
    assert stores.lake.scan(Seasons).collect().get_column("season").to_list() == ["s1"]
    execute(stores, "UPDATE ops.seasons SET kill_points = 2")
    assert take(stores, instance) == {"seasons"}
    assert stores.lake.scan(Seasons).collect().get_column("kill_points").to_list() == [2]
    execute(stores, "DELETE FROM ops.seasons")
    assert take(stores, instance) == {"seasons"}
    assert stores.lake.scan(Seasons).collect().is_empty()


def test_a_season_becomes_a_partition_and_stays_one(stores: Stores, instance: dg.DagsterInstance) -> None:
    for season in ("s1", "s2"):
        enter_season(stores, season)
        take(stores, instance)
    assert list(instance.get_dynamic_partitions("season")) == ["s1", "s2"]


@dataclass
class Ticking:
    """The sensor, over days that a test says are behind, and its cursor."""

    stores: Stores
    instance: dg.DagsterInstance
    behind: dict[str, str] = field(default_factory=dict)
    looked: int = 0
    cursor: str | None = None

    def _behind(self, stores: Stores) -> dict[str, str]:
        self.looked += 1
        return self.behind

    def tick(self) -> list[dg.RunRequest]:
        sensor = entered_sensor(
            "entries",
            TABLES,
            [asset_key(Matches)],
            self._behind,
            behind_of=Matches,
            after=["landed"],
            description=".",
            interval_s=0,
        )
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, resources={"stores": self.stores})
        result: Any = sensor(context)
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def placing(self) -> list[dg.RunRequest]:
        """Requests for days; snapshots are left out."""
        return [request for request in self.tick() if request.asset_selection == [asset_key(Matches)]]

    def end(self, requests: list[dg.RunRequest], status: dg.DagsterRunStatus) -> None:
        """Have the requested runs ended."""
        for request in requests:
            run = dg.DagsterRun(job_name="j", run_id=str(uuid4()), tags=dict(request.tags), status=status)
            self.instance.add_run(run)


@pytest.fixture
def ticking(stores: Stores, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Ticking:
    monkeypatch.setattr(requests, "_FIRST_WAIT", timedelta(0))
    return Ticking(stores, instance)


def days_of(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    ends = ("start", "end")
    return [tuple(request.tags[f"dagster/asset_partition_range_{end}"] for end in ends) for request in requests]  # type: ignore[misc]


def test_snapshots_are_asked_for_until_a_run_took_them(ticking: Ticking) -> None:
    first = ticking.tick()
    assert [request.asset_selection for request in first] == [[asset_key(table) for table in TABLES]]
    ticking.end(first, dg.DagsterRunStatus.FAILURE)
    second = ticking.tick()
    assert [request.run_key for request in second] != [request.run_key for request in first]
    take(ticking.stores, ticking.instance)
    assert ticking.tick() == []
    enter_season(ticking.stores, "s1")
    assert len(ticking.tick()) == 1


def test_a_partition_that_a_killed_run_did_not_make_is_made_by_the_next(
    stores: Stores, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_season(stores, "s1")
    with monkeypatch.context() as patched:
        patched.setattr(instance, "add_dynamic_partitions", lambda *_: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            take(stores, instance)
    take(stores, instance)
    assert list(instance.get_dynamic_partitions("season")) == ["s1"]


def test_days_that_are_behind_are_asked_for_until_they_are_not(ticking: Ticking) -> None:
    ticking.behind = {"2026-03-02": "a", "2026-03-01": "a", "2026-03-05": "a"}
    first = ticking.placing()
    assert days_of(first) == [("2026-03-01", "2026-03-02"), ("2026-03-05", "2026-03-05")]
    ticking.end(first, dg.DagsterRunStatus.FAILURE)
    second = ticking.placing()
    assert days_of(second) == days_of(first)
    assert {request.run_key for request in second}.isdisjoint({request.run_key for request in first})
    ticking.behind = {}
    ticking.end(second, dg.DagsterRunStatus.SUCCESS)
    assert ticking.placing() == []
    looked = ticking.looked
    assert ticking.placing() == []
    assert ticking.looked == looked, "nothing was entered since"


def test_what_is_entered_taken_back_and_entered_again_is_asked_for_each_time(ticking: Ticking) -> None:
    for turn in range(4):
        enter_season(ticking.stores, f"s{turn}")
        take(ticking.stores, ticking.instance)
        ticking.behind = {"2026-03-01": "there" if turn % 2 else "gone"}
        asked = ticking.placing()
        assert days_of(asked) == [("2026-03-01", "2026-03-01")]
        assert asked[0].run_key.endswith(" 0"), "a reason of its own"
        ticking.behind = {}
        ticking.end(asked, dg.DagsterRunStatus.SUCCESS)
        assert ticking.placing() == []


def test_runs_that_make_the_same_days_are_waited_for(ticking: Ticking) -> None:
    ticking.behind = {"2026-03-01": "a"}
    tags = {"gamestats/requested_by": "landed"}
    going = dg.DagsterRun(job_name="j", run_id=str(uuid4()), tags=tags, status=dg.DagsterRunStatus.STARTED)
    ticking.instance.add_run(going)
    assert (ticking.placing(), ticking.looked) == ([], 0)
    ticking.instance.delete_run(going.run_id)
    assert days_of(ticking.placing()) == [("2026-03-01", "2026-03-01")]
