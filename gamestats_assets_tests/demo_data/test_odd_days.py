"""One odd day of a product never stops its other days, nor other products: it is set aside until it is mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.demo_data import tables as t
from gamestats_assets.demo_data.assets import game
from gamestats_assets.demo_data.logs.landing import land_logs, landing_game
from gamestats_assets.demo_data.products.entered import PRODUCT
from gamestats_assets.lakehouse.entries.ops import entering
from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.settings import Settings
from gamestats_assets_tests.demo_data.log_scenario import DAY, log, record
from gamestats_assets_tests.orchestration.bare import BareGame


@breaking_rows(of=t.Events)
def nothing_is_odd(events: dy.LazyFrame[t.Events]) -> pl.LazyFrame:
    """No event is called odd."""
    return events.filter(pl.col("event_name") == "odd")


@breaking_rows(of=t.Sessions)
def no_session_is_odd(sessions: dy.LazyFrame[t.Sessions]) -> pl.LazyFrame:
    """Nobody begins at noon."""
    return sessions.filter(pl.col("started_at").dt.hour() == 12)


@pytest.mark.parametrize("check", [nothing_is_odd, no_session_is_odd], ids=["as it landed", "made of it"])
def test_the_others_are_made_without_it_and_it_comes_back(check: Check, tmp_path: Path, ops_database: str) -> None:
    stores = Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(ops_database), workers=1))
    with entering(stores.postgres_url, "ada") as conn:
        for name in ("shop", "bank"):
            PRODUCT.add(conn, name)
    logs = {
        "shop": [record("12:00:00", name="odd"), record("11:00:00", day=1), record("11:00:00", day=2)],
        "bank": [record("11:00:00", account_id="b", distinct_id="e")],
    }
    for product, records in logs.items():
        for each in records:
            day = str(each["#time"])[:10]
            land_logs([log(tmp_path / "logs" / product, each, name=f"{day}.jsonl")], product, stores.landing)
    bare = BareGame.of(game())
    usual = bare.graph.checks
    bare.graph = replace(bare.graph, checks={**usual, check.table: [*usual[check.table], check]})

    def users() -> dict[str, list[int]]:
        daily = stores.lake.scan(t.DailyActiveUsers).sort("product", "day").collect()
        return {str(product[0]): rows["dau"].to_list() for product, rows in daily.group_by("product")}

    for _ in range(2):
        bare.run(stores)
    assert bare.behind(stores) == {}
    assert bare.stopped(stores) == {}
    assert users() == {"shop": [1, 1], "bank": [1]}
    assert bare.quarantined(stores) == {"shop": check.name}
    for file in stores.landing.files(landing_game("shop"), str(DAY)):
        stores.landing.remove(file)
    land_logs([log(tmp_path / "mended", record("11:00:00"))], "shop", stores.landing)
    for _ in range(2):
        bare.run(stores)
    assert users() == {"shop": [1, 1, 1], "bank": [1]}
    assert bare.quarantined(stores) == {}
