"""Links the MMO's tables to the functions and SELECTs that make them and to the days they need, and names the published
ones."""

import functools
from datetime import date
from typing import Any

import dagster as dg

from gamestats_assets.l2m import checks, tables
from gamestats_assets.l2m.reference import csv_files
from gamestats_assets.l2m.source import GAME, delivered_logs, refused
from gamestats_assets.lakehouse.delta.ledger import combined_hash
from gamestats_assets.lakehouse.models.sql import SqlModel
from gamestats_assets.lakehouse.quality import Check
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.freshness.inputs import ALL_BEFORE
from gamestats_assets.orchestration.game import Game
from gamestats_assets.orchestration.partitions import partitions_of
from gamestats_assets.orchestration.run_requests import keys_of_run
from gamestats_assets.settings import shipped

DELIVERIES = dg.AssetKey([GAME, "deliveries"])
CHECKS: tuple[Check, ...] = checks.ALL
KNOWN: dict[str, type[Table]] = {table.spec.dotted: table for table in tables.ALL}
PUBLISHED: tuple[type[Table], ...] = tuple(table for table in tables.ALL if table.spec.published)
LANDED_VERSION = "1"
"""Raise this when the same landed files give other rows."""
DAYS_READ: dict[type[Table], dict[type[Table], int | None]] = {
    tables.CumulativeRevenue: {tables.Recharge: ALL_BEFORE},
    tables.KpiDaily: {tables.Active: 30},
    tables.Retention: {tables.Active: 31},
}
"""Days of an input that a day is made from, ending with itself, if it is more than that day."""


def _deliveries() -> dg.AssetsDefinition:
    """Returns the step that fetches logs."""

    @dg.asset(
        key=DELIVERIES,
        partitions_def=partitions_of(tables.LogCounts),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"stores"},
        group_name=tables.LogCounts.spec.group,
        owners=[f"team:{GAME}"],
        tags={"layer": "landing"},
        kinds={"python", "landing"},
        retry_policy=dg.RetryPolicy(max_retries=2, delay=60),
        code_version="1",
        description="A day's logs, fetched into the landing zone from the studio's sources in the settings: "
        "a folder (GAMESTATS_L2M_INBOX), an Iceberg catalogue (GAMESTATS_L2M_ICEBERG). A day that was fetched "
        "before and has not changed lands nothing. Without these settings, `gamestats ingest l2m` brings logs.",
    )
    def deliveries(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        """Fetches the run's days."""
        from gamestats_assets.l2m.logs.fetch import fetch_day

        stores: Stores = context.resources.stores
        delivered = broken = 0
        keys = keys_of_run(context)
        for key in keys:
            with stores.alone("l2m_deliveries", context.log.info):
                report = fetch_day(stores.settings, stores.landing, date.fromisoformat(key), context.log.info)
            for outcome in report.outcomes:
                (context.log.warning if outcome.status == "refused" else context.log.info)(outcome.line())
            delivered += report.count("delivered")
            broken += report.count("refused")
        newest = date.fromisoformat(max(keys))
        if stores.settings.fetches_l2m_logs and not delivered_logs(stores.landing, newest):
            # An empty day would show stale tables as fresh.
            raise dg.Failure(
                f"No log of {newest} has come: the sources in GAMESTATS_L2M_INBOX and GAMESTATS_L2M_ICEBERG "
                "have none (the log of this step lists them), and none was ingested. Nothing is made of the "
                "day. The sensor new_l2m_logs picks up logs of other days.",
                allow_retries=False,
            )
        return dg.MaterializeResult(metadata={"new_deliveries": delivered, "refused": broken})

    return deliveries


def _decode(*arguments: Any) -> Any:
    """Calls `logs.decode_days`, whose SQL expressions are loaded only when something is decoded."""
    from gamestats_assets.l2m.logs.decoding import decode_days

    return decode_days(*arguments)


@functools.cache
def game() -> Game:
    """Returns the game: all tables of the MMO with what makes them, and their publications."""
    l2m = Game(GAME, tables.ALL, CHECKS)
    l2m.asset(_deliveries, DELIVERIES, tables.LogCounts)
    l2m.landed(tables.LANDED_TABLES, _decode, refused=refused, deps=[DELIVERIES], code_version=LANDED_VERSION)
    l2m.entered((tables.IpWhitelist,))
    for table in tables.REFERENCE:
        version = combined_hash([csv_files.text_of(table)])[:8]
        l2m.function(csv_files.reader(table), table=table, code_version=version)
    for table in tables.MADE:
        l2m.sql(table, _model(table), days=DAYS_READ.get(table))
    l2m.publications()
    return l2m


def _model(table: type[Table]) -> SqlModel:
    return SqlModel.load(shipped("sql", GAME, f"{table.spec.name}.sql"), table, KNOWN, parameters=("ds",))
