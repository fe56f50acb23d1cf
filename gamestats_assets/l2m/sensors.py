"""What starts work on the MMO besides what is behind: the end of a day, when its logs are fetched."""

from datetime import timedelta

import dagster as dg

from gamestats_assets.l2m import tables
from gamestats_assets.l2m.assets import DELIVERIES
from gamestats_assets.l2m.source import delivered_logs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.run_requests import partitions_tags

LATE_DAYS = 3
"""How many days before yesterday are fetched again, for logs that come late."""


def every_night() -> dg.ScheduleDefinition:
    """Fetches the day that has ended, and what came late of those before it."""

    @dg.schedule(
        name="l2m_daily",
        cron_schedule="30 0-3 * * *",
        execution_timezone="UTC",
        target=dg.AssetSelection.assets(DELIVERIES),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Half an hour after a day has ended: fetches its logs, and again those of the three days before. "
        "Three times more while a log of the day is lacking. What they change the sensor has made anew.",
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
        days = [str(yesterday - timedelta(days=back)) for back in reversed(range(LATE_DAYS + 1))]
        return dg.RunRequest(
            run_key=f"l2m {yesterday} {at.hour}",
            partition_key=days[0],
            tags=partitions_tags(days),
            asset_selection=[DELIVERIES],
        )

    return schedule
