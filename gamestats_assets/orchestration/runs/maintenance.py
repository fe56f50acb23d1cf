"""Keeps the lake fast: a scheduled job that compacts, vacuums and checkpoints every table."""

from collections.abc import Sequence

import dagster as dg

from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table


class Maintenance(dg.Config):
    """How long old versions stay readable."""

    retain_hours: int = 168
    """Removes files that no version of the last so many hours needs."""


def lake_maintenance(tables: Sequence[type[Table]]) -> tuple[dg.JobDefinition, dg.ScheduleDefinition]:
    """The job over the given tables and their quarantines, and its daily schedule (04:30 UTC)."""
    games = sorted({table.spec.game for table in tables})
    everything: list[type[Table]] = [*tables, *(quarantine_of(game) for game in games)]

    @dg.op(required_resource_keys={"stores"}, description="Compact, vacuum and checkpoint every Delta table.")
    def maintain(context: dg.OpExecutionContext, config: Maintenance) -> None:
        stores: Stores = context.resources.stores
        for table in everything:
            done = stores.lake.compact(table, retain_hours=config.retain_hours)
            if done["files_before"]:
                context.log.info(
                    f"{table.spec.dotted}: {done['files_before']} files became {done['files_after']}, "
                    f"{done['files_removed']} old files removed."
                )

    @dg.job(name="lake_maintenance", description="Keeps reads and writes of the lake fast.")
    def job() -> None:
        maintain()

    schedule = dg.ScheduleDefinition(
        name="lake_maintenance_daily",
        job=job,
        cron_schedule="30 4 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return job, schedule
