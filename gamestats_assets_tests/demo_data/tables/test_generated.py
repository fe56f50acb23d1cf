"""Which days of generated products are to be generated now."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from gamestats_assets.demo_data import tables as t
from gamestats_assets.demo_data.assets import game, logs_outside
from gamestats_assets.demo_data.rules.configuration import Configuration
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.settings import Settings
from gamestats_assets_tests.demo_data.log_scenario import product
from gamestats_assets_tests.demo_data.small_shop import RULES, TAXONOMY


def with_run(folder: Path, start: date, days: int) -> Stores:
    """Stores with a generated product of that run."""
    stores = Stores(Settings(data=str(folder), postgres_url=SecretStr("unused")))
    entered = product(
        is_generated=True,
        taxonomy=TAXONOMY.model_dump_json(),
        rules=RULES.model_dump_json(),
        configuration=Configuration(users=5, days=days, start=start).model_dump_json(),
    )
    stores.lake.replace(t.Products, entered, partitions=entered["product"].to_list())
    return stores


def days_to_generate(stores: Stores) -> list[str]:
    """Days of products that are there to be generated, and were not."""
    graph = game().graph
    return sorted(graph.steps[t.DemoLogs].behind(Snapshot(stores, graph)))


def test_days_still_to_come_are_left_out_until_they_are_there(tmp_path: Path) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    stores = with_run(tmp_path, yesterday, 4)
    keys = [f"{yesterday + timedelta(days=number)}|shop" for number in range(4)]
    assert days_to_generate(stores) == keys[:2]
    assert logs_outside(stores) == keys[2:]


def test_a_run_in_the_future_has_nothing_to_generate(tmp_path: Path) -> None:
    stores = with_run(tmp_path, datetime.now(UTC).date() + timedelta(days=400), 2)
    assert days_to_generate(stores) == []
    assert len(logs_outside(stores)) == 2
