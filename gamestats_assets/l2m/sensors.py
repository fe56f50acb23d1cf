"""The schedule that fetches logs after the end of a day."""

from datetime import timedelta

import dagster as dg

from gamestats_assets.l2m import tables
from gamestats_assets.l2m.assets import DELIVERIES
from gamestats_assets.l2m.source import delivered_logs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.run_requests import partitions_tags

LATE_DAYS = 3
"""Days before yesterday that are fetched again, for late logs."""


def every_night() -> dg.ScheduleDefinition:
    """Returns the schedule that fetches the day that has ended, and late logs of the days before."""

    @dg.schedule(
        name="l2m_daily",
        cron_schedule="30 0-3 * * *",
        execution_timezone="UTC",
        target=dg.AssetSelection.assets(DELIVERIES),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Half an hour after the end of a day, fetches its logs, and again those of the three days before. "
        "Three more times while a log of the day is missing. A sensor updates what they change.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, stores: dg.ResourceParam[Stores]
    ) -> dg.RunRequest | dg.SkipReason:
        if not stores.settings.fetches_l2m_logs:
            return dg.SkipReason(
                "No source of logs is configured: set GAMESTATS_L2M_INBOX or GAMESTATS_L2M_ICEBERG. Logs that are "
                "ingested are processed as they land."
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
