"""What starts work on the MMO: logs that landed, days that are behind, the whitelist, and the end of a day."""

from datetime import timedelta

import dagster as dg

from gamestats_assets.l2m import tables
from gamestats_assets.l2m.assets import DELIVERIES, LANDED_VERSION, PUBLISHED, settled
from gamestats_assets.l2m.source import GAME, delivered_logs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.entered import entered_sensor
from gamestats_assets.orchestration.landed import landed_sensor
from gamestats_assets.orchestration.metadata import asset_key, publication_key
from gamestats_assets.orchestration.requests import range_tags
from gamestats_assets.orchestration.settling import settling_sensor

LOGS_LANDED, WHITELIST_ENTERED = "new_l2m_logs", "l2m_whitelist"
LATE_DAYS = 3
"""How many days before yesterday are fetched again, for logs that come late."""


def new_logs() -> dg.SensorDefinition:
    """Requests every day that gained or changed logs, from its extracts to PostgreSQL."""
    landed = {*map(asset_key, tables.LANDED_TABLES), DELIVERIES}
    return landed_sensor(
        LOGS_LANDED,
        tables.LANDED_TABLES,
        followers=[key for key in _everything() if key not in landed],
        code_version=LANDED_VERSION,
        description="Watches the landing zone and takes every day that gained logs, late ones too, from its extracts "
        "to PostgreSQL.",
    )


def days_behind() -> dg.SensorDefinition:
    """Requests the later days that a changed day concerns."""
    return settling_sensor(
        f"{GAME}_days_behind",
        settled(),
        [*map(publication_key, PUBLISHED)],
        after=[LOGS_LANDED],
        description="Requests every day that is not what its logs and the days before make of it, such as those after "
        "a corrected one, until none is.",
    )


def whitelist_entered() -> dg.SensorDefinition:
    """Takes up addresses that people whitelist."""
    return entered_sensor(
        WHITELIST_ENTERED,
        (tables.IpWhitelist,),
        [],
        lambda stores: {},
        behind_of=tables.Active,
        description="Takes up addresses that were whitelisted, or are no more.",
    )


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
    made = [*tables.LANDED_TABLES, *(each.table for each in settled())]
    return [DELIVERIES, *map(asset_key, made), *map(publication_key, PUBLISHED)]
