"""One odd day of a product never stops its other days, nor other products: it is set aside until it is mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dataframely as dy
import polars as pl
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

MADE = (t.Products, t.Events, t.Sessions, t.UserDays, t.Identities, t.ActiveDays, t.DailyActiveUsers)
"""Tables up to the one that is looked at."""


@breaking_rows(of=t.Events)
def nothing_is_odd(events: dy.LazyFrame[t.Events]) -> pl.LazyFrame:
    """No event is called odd."""
    return events.filter(pl.col("event_name") == "odd")


@breaking_rows(of=t.Sessions)
def no_session_is_odd(sessions: dy.LazyFrame[t.Sessions]) -> pl.LazyFrame:
    """Nobody begins at noon."""
    return sessions.filter(pl.col("started_at").dt.hour() == 12)


def test_the_others_are_made_without_it_and_it_comes_back(tmp_path: Path, ops_database: str) -> None:
    """A day of the shop is odd as it landed, and one of the club as sessions are made of it."""
    checks: dict[str, Check] = {"shop": nothing_is_odd, "club": no_session_is_odd}
    stores = Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(ops_database), workers=1))
    with entering(stores.postgres_url, "ada") as conn:
        for name in ("shop", "club", "bank"):
            PRODUCT.add(conn, name)
    logs = {
        "shop": [record("11:00:00", name="odd"), record("11:00:00", day=1), record("11:00:00", day=2)],
        "club": [record("12:00:00"), record("11:00:00", day=1), record("11:00:00", day=2)],
        "bank": [record("11:00:00", account_id="b", distinct_id="e")],
    }
    for product, records in logs.items():
        for each in records:
            day = str(each["#time"])[:10]
            land_logs([log(tmp_path / "logs" / product, each, name=f"{day}.jsonl")], product, stores.landing)
    bare = BareGame.of(game())
    usual = bare.graph.checks
    more = {check.table: [*usual[check.table], check] for check in checks.values()}
    bare.graph = replace(bare.graph, checks={**usual, **more})

    def users() -> dict[str, list[int]]:
        daily = stores.lake.scan(t.DailyActiveUsers).sort("product", "day").collect()
        return {str(product[0]): rows["dau"].to_list() for product, rows in daily.group_by("product")}

    for _ in range(2):
        bare.run(stores, only=MADE)
    assert not {name for name, _ in bare.behind(stores)} & {table.spec.name for table in MADE}
    assert bare.stopped(stores) == {}
    assert users() == {"shop": [1, 1], "club": [1, 1], "bank": [1]}
    assert bare.quarantined(stores) == {product: check.name for product, check in checks.items()}
    for product in checks:
        for file in stores.landing.files(landing_game(product), str(DAY)):
            stores.landing.remove(file)
        land_logs([log(tmp_path / "mended" / product, record("11:00:00"))], product, stores.landing)
    for _ in range(2):
        bare.run(stores, only=MADE)
    assert users() == {"shop": [1, 1, 1], "club": [1, 1, 1], "bank": [1]}
    assert bare.quarantined(stores) == {}
