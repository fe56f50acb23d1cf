"""A generated product and a foreign one, from entry to PostgreSQL, against a plain reading of the logs."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster import build_sensor_context
from pydantic import SecretStr

from gamestats_assets.cli.session import Session
from gamestats_assets.cli.steps import progress_loggers
from gamestats_assets.definitions import build_defs
from gamestats_assets.demo_data import tables as t
from gamestats_assets.demo_data.assets import game
from gamestats_assets.demo_data.definitions import watched
from gamestats_assets.demo_data.logs.landing import land_logs
from gamestats_assets.demo_data.products.entered import PRODUCT, Origin
from gamestats_assets.demo_data.rules.configuration import Configuration, Dirt
from gamestats_assets.lakehouse.entries.ops import entering
from gamestats_assets.lakehouse.landing.zone import decompressed
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.run_requests import PARTITIONS_TAG
from gamestats_assets.orchestration.runs.behind import behind_of
from gamestats_assets.orchestration.runs.sensor import KIND_TAG, behind_sensor
from gamestats_assets.settings import Settings
from gamestats_assets_tests.demo_data.small_shop import RULES, TAXONOMY
from gamestats_assets_tests.support.postgres_fixture import database
from gamestats_assets_tests.support.published import read_published

pytestmark = pytest.mark.timeout(240)

EVERYTHING = dg.AssetSelection.key_prefixes(["demo_data"], ["postgres", "demo_data"])

DIRT = Dirt(late=0.03, duplicate=0.03, truncated=0.005, unknown_event=0.01, schema_drift=0.02)
RUN = Configuration(users=80, days=3, start=date(2026, 1, 5), seed=3, dirt=DIRT)
FOREIGN = [
    {"#account_id": "ann", "#distinct_id": "a-1", "#type": "track", "#time": "2026-01-06 10:00:00.000",
     "#event_name": "open", "properties": {"os": "x"}},
    {"#account_id": "ann", "#distinct_id": "a-1", "#type": "track", "#time": "2026-01-06 10:05:00.000",
     "#event_name": "pay", "properties": {"money": 7.5, "currency": "KRW"}},
    {"#account_id": "ann", "#type": "user_set", "#time": "2026-01-06 10:06:00.000", "properties": {"vip": 3}},
    {"#distinct_id": "b-1", "#type": "track", "#time": "2026-01-07 23:50:00.000", "#event_name": "open",
     "#uuid": "slow-clock", "properties": {"#zone_offset": 9}},
]  # fmt: skip


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Session]:
    """Both products entered, generated or landed, materialised and published."""
    folder = tmp_path_factory.mktemp("products")
    with database(postgres_url) as url:
        yield from _processed(folder, Settings(data=str(folder / "data"), postgres_url=SecretStr(url), workers=1))


def _processed(folder: Path, settings: Settings) -> Iterator[Session]:
    stores = Stores(settings)
    with entering(stores.postgres_url, "ann") as conn:
        PRODUCT.add(conn, "shop", context=Origin(TAXONOMY, RULES, "analyst", RUN))
        PRODUCT.add(
            conn, "foreign", payment_event="pay", amount_property="money", currency_property="currency",
            funnels=[["open", "pay"]],
        )  # fmt: skip
    log = folder / "foreign.log"
    log.write_text("".join(json.dumps(record) + "\n" for record in FOREIGN))
    land_logs([log], "foreign", stores.landing)
    made = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)}, ["demo_data"])
    with dg.DagsterInstance.ephemeral() as instance:
        session = Session(dg.Definitions.merge(made, progress_loggers()), instance, stores)
        outcomes = session.follow(EVERYTHING)
        assert [failure for outcome in outcomes for failure in outcome.failures] == []
        yield session


@pytest.fixture(scope="module")
def landed(processed: Session) -> dict[str, list[dict[str, Any]]]:
    """Records of the shop that can be read, by the day they landed under, each `#uuid` once."""
    landing = processed.stores.landing
    days: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for day in landing.days("demo_data/shop"):
        for file in sorted(landing.files("demo_data/shop", day), key=lambda file: file.unit_id):
            for line in decompressed(landing.read(file)).splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                days[day].setdefault(record["#uuid"], record)
    return {day: list(found.values()) for day, found in days.items()}


def day_of(record: dict[str, Any]) -> date:
    return datetime.fromisoformat(record["#time"]).date()


def test_everything_that_can_be_read_is_an_event_or_an_operation(
    processed: Session, landed: dict[str, list[dict[str, Any]]]
) -> None:
    events = processed.stores.lake.scan(t.Events).filter(product="shop").collect()
    wanted = {r["#uuid"]: r for of_day in landed.values() for r in of_day if r["#type"] == "track"}
    assert set(events["event_id"]) == set(wanted)
    assert len(wanted) > 2000
    for row in events.sample(200, seed=1).iter_rows(named=True):
        record = wanted[row["event_id"]]
        assert json.loads(row["properties"]) == record["properties"]
        assert (row["event_name"], row["distinct_id"]) == (record["#event_name"], record["#distinct_id"])
        assert (row["day"], row["product_day"]) == (day_of(record), f"{day_of(record)}|shop")


def test_dirt_is_counted_where_it_belongs(processed: Session) -> None:
    counts = processed.stores.lake.scan(t.RecordCounts).filter(product="shop").collect()
    landing = processed.stores.landing
    lines = [
        (file.unit_id[:8], day, line)
        for day in landing.days("demo_data/shop")
        for file in landing.files("demo_data/shop", day)
        for line in decompressed(landing.read(file)).splitlines()
    ]
    assert counts["records"].sum() == len(lines)
    readable = [(log, day, line) for log, day, line in lines if line.endswith(b"}}")]
    assert counts["quarantined"].sum() == len(lines) - len(readable) > 0
    uuids = Counter(json.loads(line)["#uuid"] for _, _, line in readable)
    assert counts["duplicates"].sum() == len(readable) - len(uuids) > 0
    late = {json.loads(line)["#uuid"] for log, day, line in readable if log > day.replace("-", "")}
    assert counts["late"].sum() == len(late) > 0


def test_a_check_warns_of_unknown_events_and_of_drift(processed: Session) -> None:
    from gamestats_assets.cli.lake.overview import check_state

    states = [check_state(processed.stores, table) for table in (t.RecordCounts, t.PropertyTypes)]
    warned = {name for state in states for name in state.warned}
    assert {"events_are_declared", "properties_have_their_declared_type", "properties_have_one_type"} <= warned
    assert not any(state.failed for state in states)


def test_active_users_and_retention_are_those_of_a_plain_reading(
    processed: Session, landed: dict[str, list[dict[str, Any]]]
) -> None:
    account = {r["#distinct_id"]: r["#account_id"] for of_day in landed.values() for r in of_day if "#account_id" in r}
    active: dict[date, set[str]] = defaultdict(set)
    for of_day in landed.values():
        for record in of_day:
            if record["#type"] == "track":
                active[day_of(record)].add(account.get(record["#distinct_id"], record["#distinct_id"]))
    url = processed.stores.postgres_url
    daily = read_published(url, t.DailyActiveUsers).filter(product="shop").sort("day")
    assert dict(zip(daily["day"], daily["dau"], strict=True)) == {day: len(users) for day, users in active.items()}
    first = min(active)
    retention = read_published(url, t.Retention).filter(product="shop", cohort_day=first).sort("day_number")
    assert retention["cohort_users"][0] == len(active[first])
    for number in (1, 2):
        back = active[first] & active[first + timedelta(days=number)]
        later = active[first] & set().union(*(active[first + timedelta(days=n)] for n in range(number, 3)))
        assert retention["strict_users"][number] == len(back)
        assert retention["rolling_users"][number] == len(later)


def test_profiles_hold_what_the_user_records_left(processed: Session, landed: dict[str, list[dict[str, Any]]]) -> None:
    bought: Counter[str] = Counter()
    for of_day in landed.values():
        for record in of_day:
            if record["#type"] == "user_add":
                bought[record["#account_id"]] += record["properties"].get("purchases", 0)
    profiles = read_published(processed.stores.postgres_url, t.UserProfiles).filter(product="shop")
    found = {row["user_id"]: json.loads(row["properties"]) for row in profiles.iter_rows(named=True)}
    assert {user: n for user, n in bought.items() if n} == {
        user: sent["purchases"] for user, sent in found.items() if "purchases" in sent
    }


def test_a_foreign_log_has_its_tables_too(processed: Session) -> None:
    url = processed.stores.postgres_url
    events = processed.stores.lake.scan(t.Events).filter(product="foreign").collect().sort("occurred_at")
    # The last one is of 23:50 in a zone nine hours ahead.
    assert events["product_day"].to_list() == ["2026-01-06|foreign"] * 2 + ["2026-01-07|foreign"]
    assert events["occurred_at"][2].hour == 14
    revenue = read_published(url, t.Revenue).filter(product="foreign").filter(revenue=7.5)
    assert (revenue["currency"][0], revenue["payers"][0], revenue["day"][0]) == ("KRW", 1, date(2026, 1, 6))
    funnels = read_published(url, t.Funnels).filter(product="foreign", day=date(2026, 1, 6)).sort("step")
    assert funnels["users"].to_list() == [1, 1]
    profile = read_published(url, t.UserProfiles).filter(product="foreign", user_id="ann")
    assert json.loads(profile["properties"][0]) == {"vip": 3}
    sessions = read_published(url, t.Sessions).filter(product="foreign").sort("started_at")
    assert sessions["duration_s"].to_list() == [300.0, 0.0]


def test_what_a_product_is_generated_from_is_in_tables(processed: Session) -> None:
    lake = processed.stores.lake
    taxonomy = lake.scan(t.DemoTaxonomy).collect()
    declared = taxonomy.filter(scope="event", event_name="buy").sort("position")["property"].to_list()
    assert declared == ["", "item_id", "price", "count", "total", "order_id"]
    rules = lake.scan(t.DemoRules).filter(section="value_ranges", name="price").collect()
    assert json.loads(rules["rule"][0])["mean"] == 20
    users = lake.scan(t.DemoUsers).collect()
    seen = lake.scan(t.Events).filter(product="shop").select("distinct_id").unique().collect().to_series()
    people = {name for name in seen if not name.startswith("system-")}
    assert users.height == 80
    assert people <= set(users["distinct_id"])
    assert set(users["lifecycle_stage"]) >= {"installed", "active"}
    korean = users.filter(country="KR")
    assert korean["name"].str.contains("[가-힣]").all()
    assert set(korean["time_zone"]) == {"Asia/Seoul"}


def test_a_products_own_properties_are_typed_columns_of_a_view(processed: Session) -> None:
    from gamestats_assets.lakehouse.postgres.server import query

    url = processed.stores.postgres_url
    sent = query(url, "select day, price, count, total, shop from demo_data.events_shop where event_name = 'buy'")
    assert sent["total"].dtype == pl.Float64
    clean = sent.drop_nulls()
    assert clean.height > 20
    assert (clean["price"] * clean["count"] - clean["total"]).abs().max() <= 0.0051
    assert set(clean["shop"]) == {"north", "south"}
    assert query(url, "select count(*) n from demo_data.events_foreign")["n"][0] == 3


def test_doing_it_again_does_nothing(processed: Session) -> None:
    assert processed.follow(EVERYTHING) == []
    assert behind_of(game(), Snapshot(processed.stores, game().graph, counted=True)).is_empty


def test_a_late_file_changes_its_day_and_unreadable_lines_hold_up_nothing(processed: Session, tmp_path: Path) -> None:
    stores = processed.stores
    before = stores.lake.scan(t.Events).filter(product="shop").collect().sort("event_id")
    late = {**FOREIGN[1], "#time": "2026-01-06 11:00:00.000", "#uuid": "0b9e1b32-6a5e-4f7c-9d29-1d6a5d8d1a11"}
    path = tmp_path / "late-2026-01-07.jsonl.gz"
    path.write_bytes(gzip.compress((json.dumps(late) + "\n" + json.dumps(late) + "\n").encode()))
    later = {**FOREIGN[0], "#time": "2026-01-06 12:00:00.000", "#uuid": "late"}
    unreadable = tmp_path / "app-2026-01-08.log"
    unreadable.write_text(json.dumps(later) + '\n{"#account_id": "ann", "#type": "tra\n')
    # The one record of the 7th, sent again with the time of the day before.
    again = tmp_path / "again-2026-01-09.log"
    again.write_text(json.dumps({**FOREIGN[3], "#time": "2026-01-06 23:50:00.000"}) + "\n")
    land_logs([path, unreadable, again], "foreign", stores.landing)
    outcomes = processed.follow(EVERYTHING)
    assert outcomes
    assert [failure for outcome in outcomes for failure in outcome.failures] == []
    assert stores.lake.scan(t.Events).filter(product="shop").collect().sort("event_id").equals(before)
    revenue = read_published(stores.postgres_url, t.Revenue).filter(product="foreign", day=date(2026, 1, 6))
    assert revenue["revenue"].sum() == 15
    counts = stores.lake.scan(t.RecordCounts).filter(product="foreign", event_name="pay").collect()
    assert (counts["late"].sum(), counts["duplicates"].sum()) == (1, 1)
    assert stores.lake.scan(t.Events).filter(product="foreign", event_id="late").collect().height == 1
    counts = stores.lake.scan(t.RecordCounts).filter(product_day="2026-01-08|foreign").collect()
    assert counts.select("event_type", "records", "quarantined").rows() == [(t.INVALID, 1, 1)]
    moved = stores.lake.scan(t.Events).filter(product="foreign", event_id="slow-clock").collect()
    assert moved["product_day"].to_list() == ["2026-01-06|foreign"]
    counts = stores.lake.scan(t.RecordCounts).filter(product_day="2026-01-07|foreign").collect()
    assert counts.select("records", "kept", "duplicates").rows() == [(1, 0, 1)]
    assert processed.follow(EVERYTHING) == []


def test_the_sensor_asks_for_a_product_that_was_entered_then_for_its_days(processed: Session) -> None:
    stores, instance = processed.stores, processed.instance
    sensor = behind_sensor([watched()])
    cursor: str | None = None

    def tick() -> list[dg.RunRequest]:
        nonlocal cursor
        context = build_sensor_context(instance=instance, resources={"stores": stores}, cursor=cursor)
        result: Any = sensor(context)
        cursor = result.cursor
        return list(result.run_requests or [])

    assert tick() == []
    second = RUN.model_copy(update={"seed": 4, "days": 2})
    with entering(stores.postgres_url, "ann") as conn:
        PRODUCT.add(conn, "second", context=Origin(TAXONOMY, RULES, "a", second))
    (asked,) = tick()
    assert (asked.tags[KIND_TAG], asked.partition_key) == ("product", "second")
    assert asked.asset_selection
    of_product = dg.AssetSelection.assets(*asked.asset_selection)
    assert {asset_key(t.Products), asset_key(t.DemoTaxonomy)} <= {*asked.asset_selection}
    assert asset_key(t.DemoLogs) not in asked.asset_selection
    assert processed.run(of_product, ["second"]).success
    (asked,) = tick()
    assert (asked.tags[KIND_TAG], asked.partition_key) == ("day_product", "2026-01-05|second")
    assert asked.tags[PARTITIONS_TAG] == "2026-01-05|second,2026-01-06|second"
    assert {asset_key(t.DemoLogs), asset_key(t.Events)} <= {*(asked.asset_selection or ())}
    with entering(stores.postgres_url, "ann") as conn:
        PRODUCT.change(conn, "second", is_active=False)
    processed.follow(dg.AssetSelection.assets(asset_key(t.Products)))
    # Nothing of it is to be generated any more; other tables still follow from what was entered.
    assert not any(asset_key(t.DemoLogs) in (each.asset_selection or ()) for each in tick())
