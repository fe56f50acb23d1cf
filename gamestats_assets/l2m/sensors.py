"""What starts work on the MMO besides what is behind: the end of a day."""

from datetime import timedelta

import dagster as dg

from gamestats_assets.l2m import tables
from gamestats_assets.l2m.assets import game
from gamestats_assets.l2m.source import delivered_logs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.behind import order_of
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.requests import range_tags

LATE_DAYS = 3
"""How many days before yesterday are fetched again, for logs that come late."""


def every_night() -> dg.ScheduleDefinition:
    """Fetches the day that has ended, and what came late of those before it."""
    everything = _everything()

    @dg.schedule(
        name="l2m_daily",
        cron_schedule="30 0-3 * * *",
        execution_timezone="UTC",
        target=dg.AssetSelection.assets(*everything),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Half an hour after a day has ended: fetches its logs, and again those of the three days before, "
        "and makes every table of what has changed, to PostgreSQL. Three times more while a log of the day is lacking.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, stores: dg.ResourceParam[Stores]
    ) -> dg.RunRequest | dg.SkipReason:
        if not stores.settings.fetches_l2m_logs:
            return dg.SkipReason(
                "There is nowhere to fetch logs from: set GAMESTATS_L2M_INBOX or GAMESTATS_L2M_ICEBERG. Logs that are "
                "ingested are taken up as they land."
            )
        at = context.scheduled_execution_time
        yesterday = (at - timedelta(days=1)).date()
        if at.hour and delivered_logs(stores.landing, yesterday) == {*tables.ETL}:
            return dg.SkipReason(f"Every log of {yesterday} has come. Late ones are fetched tomorrow.")
        days = range_tags(str(yesterday - timedelta(days=LATE_DAYS)), str(yesterday))
        return dg.RunRequest(run_key=f"l2m {yesterday} {at.hour}", tags=days, asset_selection=everything)

    return schedule


def _everything() -> list[dg.AssetKey]:
    """Every asset of a day, and those without days that are made from them."""
    return [key for key in order_of(game()) if key != asset_key(tables.IpWhitelist)]
