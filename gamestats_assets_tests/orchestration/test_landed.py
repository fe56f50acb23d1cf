"""The landing sensor requests every day that gained files, once, whatever happens in between."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration import requests
from gamestats_assets.orchestration.assets import landed_tables
from gamestats_assets.orchestration.landed import changed_days, landed_sensor
from gamestats_assets.settings import Settings
from gamestats_assets_tests.orchestration.goals import RawFiles, RawGoals, decode, land

Tick = Callable[[str | None], tuple[list[tuple[str, str]], str | None]]


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(Settings(data=str(tmp_path)))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def tick(stores: Stores, instance: dg.DagsterInstance) -> Tick:
    """One evaluation: (run key, day) of every request, and the cursor it leaves."""
    sensor = landed_sensor("new_goals", [RawGoals, RawFiles], description="d")

    def evaluate(cursor: str | None) -> tuple[list[tuple[str, str]], str | None]:
        result = sensor(dg.build_sensor_context(instance=instance, cursor=cursor, resources={"stores": stores}))
        assert isinstance(result, dg.SensorResult)
        return [(str(r.run_key), str(r.partition_key)) for r in result.run_requests or ()], result.cursor

    return evaluate


def test_a_day_that_gained_files_is_requested_once(stores: Stores, tick: Tick) -> None:
    land(stores.landing, "a", "2026-01-01", [1])
    first, cursor = tick(None)
    assert [day for _, day in first] == ["2026-01-01"]
    assert tick(cursor)[0] == []


def test_a_file_for_an_old_day_requests_that_day_again_under_another_run_key(stores: Stores, tick: Tick) -> None:
    land(stores.landing, "a", "2026-01-01", [1])
    land(stores.landing, "b", "2026-02-01", [1])
    first, cursor = tick(None)
    land(stores.landing, "c", "2026-01-01", [1])
    second, _ = tick(cursor)
    assert [day for _, day in second] == ["2026-01-01"]
    assert second[0][0] not in {key for key, _ in first}


def test_a_lost_cursor_gives_the_same_run_keys_so_that_nothing_runs_twice(stores: Stores, tick: Tick) -> None:
    land(stores.landing, "a", "2026-01-01", [1])
    land(stores.landing, "b", "2026-02-01", [1])
    assert tick(None)[0] == tick(None)[0]


def test_the_same_content_landed_again_requests_nothing(stores: Stores, tick: Tick) -> None:
    land(stores.landing, "a", "2026-01-01", [1])
    _, cursor = tick(None)
    land(stores.landing, "a", "2026-01-01", [1])
    assert tick(cursor)[0] == []


def test_many_days_are_requested_over_several_ticks_without_missing_one(stores: Stores, tick: Tick) -> None:
    days = [f"2026-{month:02}-{day:02}" for month in range(1, 6) for day in range(1, 26)]
    for day in days:
        land(stores.landing, f"m{day}", day, [1])
    requested: list[str] = []
    cursor: str | None = None
    while True:
        found, cursor = tick(cursor)
        if not found:
            break
        requested += [day for _, day in found]
    assert requested == sorted(days)


def test_a_day_that_was_processed_already_is_not_requested(stores: Stores, tick: Tick) -> None:
    land(stores.landing, "a", "2026-01-01", [1])
    land(stores.landing, "b", "2026-01-02", [1])
    assert dg.materialize(
        [landed_tables([RawGoals, RawFiles], decode)],
        resources={"stores": dg.ResourceDefinition.hardcoded_resource(stores)},
        partition_key="2026-01-01",
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    ).success
    found, cursor = tick(None)
    assert [day for _, day in found] == ["2026-01-02"]
    land(stores.landing, "c", "2026-01-01", [2])
    assert [day for _, day in tick(cursor)[0]] == ["2026-01-01"]


def test_a_day_whose_run_failed_is_requested_again(
    stores: Stores, tick: Tick, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(key: str, status: dg.DagsterRunStatus) -> None:
        tags = {requests.REASON_TAG: key.rsplit(" ", 1)[0]}
        instance.add_run(dg.DagsterRun(job_name="j", run_id=str(uuid.uuid4()), tags=tags, status=status))

    monkeypatch.setattr(requests, "_FIRST_WAIT", timedelta(0))
    land(stores.landing, "a", "2026-01-01", [1])
    first, cursor = tick(None)
    run(first[0][0], dg.DagsterRunStatus.FAILURE)
    second, cursor = tick(cursor)
    assert [day for _, day in second] == ["2026-01-01"]
    assert second[0][0] != first[0][0]
    run(second[0][0], dg.DagsterRunStatus.STARTED)
    found, cursor = tick(cursor)
    assert found == []
    land(stores.landing, "b", "2026-01-01", [1])
    assert [day for _, day in tick(cursor)[0]] == ["2026-01-01"]


DIGESTS = st.dictionaries(st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-03"]), st.sampled_from("abc"))


@given(seen=DIGESTS, found=DIGESTS)
@settings(max_examples=50)
def test_changed_days_are_exactly_those_whose_listing_differs(seen: dict[str, str], found: dict[str, str]) -> None:
    assert set(changed_days(seen, found)) == {day for day in found if (day, found[day]) not in seen.items()}
