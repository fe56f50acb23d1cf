"""Links the tables of event logs to the functions and SELECTs that make them, and names the published ones."""

import functools
from collections.abc import Generator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.demo_data import tables
from gamestats_assets.demo_data.activity.days import payments, sessions, user_days
from gamestats_assets.demo_data.activity.funnel_progress import funnel_progress, funnel_steps
from gamestats_assets.demo_data.activity.profiles import user_profiles
from gamestats_assets.demo_data.products.generated import demo_rules, demo_taxonomy, demo_users
from gamestats_assets.demo_data.tables import checks
from gamestats_assets.lakehouse.landing.decoding import Decoded
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.models.sql import SqlModel
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.inputs import Fingerprints
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import is_partition_day, partitions_of
from gamestats_assets.orchestration.run_requests import keys_of_run
from gamestats_assets.settings import shipped

GAME = "demo_data"
VIEWS = dg.AssetKey(["postgres", GAME, "event_views"])
CHECKS: tuple[Check, ...] = checks.ALL
KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in tables.ALL}
LANDED: tuple[type[Table], ...] = tuple(table for table in tables.ALL if table.spec.made_by == "logs")
LANDED_VERSION = "3"
"""Raise this when the same landed files give other rows."""
# Tables of a product, from its settings.
BY_PRODUCT = (demo_taxonomy, demo_rules, demo_users, funnel_steps, user_profiles)
# Tables of a day, from it and so many days around it: neighbouring days decide the user of a record, and a session may
# last past midnight.
BY_DAY = {sessions: 2, payments: 1, user_days: 1, funnel_progress: 2}
SQL_TABLES: tuple[type[Table], ...] = (
    tables.Identities,
    tables.ObservedProperties,
    tables.ActiveDays,
    tables.DailyActiveUsers,
    tables.Retention,
    tables.Funnels,
    tables.Revenue,
    tables.Segments,
)


def _decode(landing: Landing, batches: Sequence[Sequence[LandedFile]], workers: int) -> Generator[Decoded, None, None]:
    from gamestats_assets.demo_data.logs.records import DECODER
    from gamestats_assets.lakehouse.landing.decoding import decode_batches

    return decode_batches(DECODER, landing, batches, workers=workers)


def _demo_logs(snapshot: Snapshot, keys: Sequence[str]) -> Decoded:
    """Generates the run of each product once, and lands the requested days."""
    from gamestats_assets.demo_data.products.generated import generated_products, land_generated

    wanted: dict[str, list[str]] = {}
    for key in keys:
        day, _, product = key.partition("|")
        wanted.setdefault(product, []).append(day)
    known = {of.product: of for of in generated_products(snapshot.lake.scan(tables.Products).collect())}
    rows = []
    for product, days in wanted.items():
        land_generated(known[product], days, snapshot.stores.landing, processes=snapshot.stores.settings.workers)
        run = known[product].run_identity()
        rows += [(f"{day}|{product}", product, date.fromisoformat(day), run) for day in days]
    return Decoded({tables.DemoLogs: pl.LazyFrame(rows, schema=tables.DemoLogs.schema(), orient="row")})


def _event_views() -> dg.AssetsDefinition:
    """Returns the step that makes the views of products' events."""

    @dg.asset(
        key=VIEWS,
        deps=[asset_key(tables.DemoTaxonomy)],
        partitions_def=partitions_of(tables.DemoTaxonomy),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"stores"},
        group_name=tables.DemoTaxonomy.spec.group,
        owners=[f"team:{GAME}"],
        tags={"layer": "published"},
        kinds={"postgres"},
        retry_policy=dg.RetryPolicy(max_retries=1, delay=5),
        code_version="1",
        description="PostgreSQL views `demo_data.events_<product>`: a product's published events with a typed column "
        "for each property of its taxonomy.",
    )
    def event_views(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        from gamestats_assets.demo_data.products.event_views import replace_view, view_name

        stores: Stores = context.resources.stores
        contents = stores.lake.ledger(tables.DemoTaxonomy).content()
        columns: dict[str, int] = {}
        for product in keys_of_run(context):
            taxonomy = stores.lake.scan(tables.DemoTaxonomy, [product]).collect()
            named = view_name(product)
            columns[named] = replace_view(stores.postgres_url, product, taxonomy, contents.get(product, ""))
        return dg.MaterializeResult(metadata={"typed_columns": dg.MetadataValue.json(columns)})

    return event_views


def _views_behind(snapshot: Snapshot) -> Mapping[str, str]:
    """Returns the products whose view does not match their taxonomy, with the reason."""
    from gamestats_assets.demo_data.products.event_views import contents_of_views

    made = contents_of_views(snapshot.stores.postgres_url)
    wanted = snapshot.content(tables.DemoTaxonomy)
    return {product: "its taxonomy changed" for product, content in wanted.items() if made.get(product) != content}


def _generated_runs(snapshot: Snapshot) -> Mapping[str, str]:
    """Returns the run of every day of every generated product by partition key, without days outside the partitions."""
    return {key: run for key, run in _generated_days(snapshot.stores).items() if _is_partition(key)}


def logs_outside(stores: Stores) -> list[str]:
    """Returns the days of generated products outside the partitions, in order: future days, or before the first one."""
    return sorted(key for key in _generated_days(stores) if not _is_partition(key))


def _is_partition(key: str) -> bool:
    return is_partition_day(key, tables.DemoLogs.spec.first_day)


def _generated_days(stores: Stores) -> dict[str, str]:
    """Returns the run of every day of every generated product by key."""
    from gamestats_assets.demo_data.products.generated import generated_products

    products: pl.DataFrame = stores.lake.scan(tables.Products).collect()
    runs = {of.product: (of.run_identity(), of.days) for of in generated_products(products)}
    return {f"{day}|{product}": run for product, (run, days) in runs.items() for day in days}


@functools.cache
def game() -> Game:
    """Returns the game: all tables of event logs with what makes them, and their publications."""
    demo = Game(GAME, tables.ALL, CHECKS)
    demo.entered((tables.Products,))
    for function in BY_PRODUCT:
        demo.function(function)
    generated = (tables.Products, tables.DemoTaxonomy, tables.DemoRules, tables.DemoUsers)
    runs = Fingerprints("products to generate", _generated_runs)
    demo.external((tables.DemoLogs,), [runs], _demo_logs, also_reads=generated)
    demo.landed(LANDED, _decode, deps=[asset_key(tables.DemoLogs)], code_version=LANDED_VERSION)
    for function, around in BY_DAY.items():
        demo.function(function, whole_partitions=True, days_around=around, code_version="3")
    for table in SQL_TABLES:
        demo.sql(table, SqlModel.load(shipped("sql", GAME, f"{table.spec.name}.sql"), table, KNOWN))
    demo.asset(_event_views, VIEWS, tables.DemoTaxonomy, deps=[asset_key(tables.DemoTaxonomy)], behind=_views_behind)
    demo.publications()
    return demo
