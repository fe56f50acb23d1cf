"""Which function or SELECT makes which table of event logs, and what is published."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import dagster as dg
import polars as pl

from gamestats_assets.demo_data import checks, tables
from gamestats_assets.demo_data.activity import user_days
from gamestats_assets.demo_data.funnel_progress import funnel_progress, funnel_steps
from gamestats_assets.demo_data.generated import demo_rules, demo_taxonomy, demo_users
from gamestats_assets.demo_data.payments import payments
from gamestats_assets.demo_data.profiles import user_profiles
from gamestats_assets.demo_data.sessions import sessions
from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lakehouse.ledger import Ledger
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.sql import SqlModel
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.assets import (
    Decoded,
    landed_tables,
    publication,
    sql_asset,
    table_asset,
    upstream_of,
)
from gamestats_assets.orchestration.automation import ON_CHECKED_INPUTS
from gamestats_assets.orchestration.entered import entered_tables
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import is_partition_day, partition_mapping, partitions_of
from gamestats_assets.settings import shipped

GAME = "demo_data"
LOGS = dg.AssetKey([GAME, "demo_logs"])
VIEWS = dg.AssetKey(["postgres", GAME, "event_views"])
CHECKS: tuple[Check, ...] = checks.ALL
KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in tables.ALL}
PUBLISHED: tuple[type[Table], ...] = tuple(table for table in tables.ALL if table.spec.published)
LANDED: tuple[type[Table], ...] = tuple(table for table in tables.ALL if table.spec.made_by == "logs")
LANDED_VERSION = "3"
"""To be raised when the same landed files give other rows."""
# Of a product, from what was entered.
BY_PRODUCT = (demo_taxonomy, demo_rules, demo_users, funnel_steps, user_profiles)
# Of a day, from it and so many days around it: whose a record is, those next to its own tell, and a session may go
# on past midnight.
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
    from gamestats_assets.demo_data.logs.records import decode_batches

    return decode_batches(landing, batches, workers=workers)


def _generated_logs() -> dg.AssetsDefinition:
    """The step that generates log files."""

    @dg.asset(
        key=LOGS,
        deps=[
            dg.AssetDep(asset_key(source), partition_mapping=partition_mapping(source, tables.Events))
            for source in (tables.Products, tables.DemoTaxonomy, tables.DemoRules, tables.DemoUsers)
        ],
        partitions_def=partitions_of(tables.Events),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"stores"},
        group_name=GAME,
        owners=[f"team:{GAME}"],
        tags={"layer": "landing"},
        kinds={"python", "landing"},
        pool="demo_data_demo_logs",
        code_version="1",
        description="Log files of generated products, in the landing zone. A day is generated with all of its run, for "
        "it follows from the days before; a range of days takes as long as one. The same run lands the same files.",
    )
    def demo_logs(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        """Generate the run of each product and land the days asked for."""
        from gamestats_assets.demo_data.generated import generated_products, land_generated

        stores: Stores = context.resources.stores
        wanted: dict[str, list[str]] = {}
        for key in map(str, context.partition_keys):
            day, _, product = key.partition("|")
            wanted.setdefault(product, []).append(day)
        known = {of.product: of for of in generated_products(stores.lake.scan(tables.Products).collect())}
        ledger = Ledger(stores.lake, GAME, "demo_logs")
        records = size = pieces = 0
        for product, days in wanted.items():
            if product not in known:
                context.log.info(f"The logs of {product} are not generated here; they are taken as they land.")
                continue
            of = known[product]
            beyond = sorted(set(days) - set(of.days))
            if beyond:
                span = f"{of.days[0]} to {of.days[-1]}"
                context.log.warning(f"The run of {product} is from {span}; {beyond[0]} is not in it.")
            landed = land_generated(of, days, stores.landing, processes=stores.settings.workers)
            for day, told in landed.items():
                key = f"{day}|{product}"
                context.add_asset_metadata({**told}, LOGS, key)
                records, size, pieces = records + told["records"], size + told["size_bytes"], pieces + told["pieces"]
            ledger.record({f"{day}|{product}": {product: of.run_identity()} for day in days})
        return dg.MaterializeResult(metadata={"records": records, "size_bytes": size, "new_pieces": pieces})

    return demo_logs


def _event_views() -> dg.AssetsDefinition:
    """The step that makes the views of products' events."""

    @dg.asset(
        key=VIEWS,
        deps=[asset_key(tables.DemoTaxonomy)],
        partitions_def=partitions_of(tables.DemoTaxonomy),
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=ON_CHECKED_INPUTS,
        required_resource_keys={"stores"},
        group_name=GAME,
        owners=[f"team:{GAME}"],
        tags={"layer": "published"},
        kinds={"postgres"},
        pool="postgres_demo_data_event_views",
        retry_policy=dg.RetryPolicy(max_retries=1, delay=5),
        code_version="1",
        description="In PostgreSQL the view `demo_data.events_<product>`: its published events with a typed column for "
        "each property of its taxonomy. Make it again after the table demo_data.events was rebuilt.",
    )
    def event_views(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        from gamestats_assets.demo_data.event_views import replace_view, view_name

        stores: Stores = context.resources.stores
        columns: dict[str, int] = {}
        for product in map(str, context.partition_keys):
            taxonomy = stores.lake.scan(tables.DemoTaxonomy, [product]).collect()
            columns[view_name(product)] = replace_view(stores.postgres_url, product, taxonomy)
        return dg.MaterializeResult(metadata={"typed_columns": dg.MetadataValue.json(columns)})

    return event_views


def logs_behind(stores: Stores) -> dict[str, str]:
    """Days of generated products whose logs have not landed as they would be now, by key, with their run.

    Days that are no partitions, such as those still to come, are none of them (see `logs_outside`).
    """
    wanted = {key: run for key, run in _generated_days(stores).items() if is_partition_day(key)}
    done = Ledger(stores.lake, GAME, "demo_logs").entries()
    return {key: run for key, run in wanted.items() if done.get(key, {}).get(key.partition("|")[2]) != run}


def logs_outside(stores: Stores) -> list[str]:
    """Days of generated products that are no partitions: still to come, or before the first one; in order."""
    return sorted(key for key in _generated_days(stores) if not is_partition_day(key))


def _generated_days(stores: Stores) -> dict[str, str]:
    """Every day of every generated product by key, with its run."""
    from gamestats_assets.demo_data.generated import generated_products

    products: pl.DataFrame = stores.lake.scan(tables.Products).collect()
    runs = {of.product: (of.run_identity(), of.days) for of in generated_products(products)}
    return {f"{day}|{product}": run for product, (run, days) in runs.items() for day in days}


def assets() -> list[dg.AssetsDefinition]:
    """Every asset of event logs: generated files, bronze, silver, gold, and the publications."""
    made = [
        entered_tables((tables.Products,)),
        _generated_logs(),
        _event_views(),
        landed_tables(LANDED, _decode, deps=[LOGS], code_version=LANDED_VERSION),
        *(table_asset(function) for function in BY_PRODUCT),
        *(table_asset(function, jointly=True, days_around=days, code_version="3") for function, days in BY_DAY.items()),
        *(sql_asset(table, _model(table), KNOWN) for table in SQL_TABLES),
    ]
    return [*made, *(publication(table, CHECKS, upstream_of(table, made, KNOWN)) for table in PUBLISHED)]


def _model(table: type[Table]) -> SqlModel:
    return SqlModel.load(shipped("sql", table.spec.game, f"{table.spec.name}.sql"), table, KNOWN)


def followers() -> Iterator[dg.AssetKey]:
    """Assets of single days that are made from the landed ones, to be made in the same run."""
    from gamestats_assets.orchestration.metadata import publication_key

    of_days = [tables.Sessions, tables.Payments, tables.UserDays, tables.FunnelProgress]
    yield from map(asset_key, of_days)
    yield from (publication_key(table) for table in of_days if table.spec.published)
