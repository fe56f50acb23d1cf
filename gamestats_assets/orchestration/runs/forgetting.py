"""Removes everything that names a person from Dagster's own storage: runs, events, ticks, backfills, partitions and
logs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
from psycopg import sql

from gamestats_assets.lakehouse.postgres.server import DAGSTER_SCHEMA, connect
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.traces import Sought, files_with

_RUNS = """
SELECT run_id FROM {0}.runs AS t WHERE t::text ~* %s UNION SELECT run_id FROM {0}.run_tags AS t WHERE t::text ~* %s
"""
# Tables that only record the past, row by row; nothing is made from them.
_HISTORY = (
    "event_logs",
    "asset_event_tags",
    "asset_check_executions",
    "job_ticks",
    "bulk_actions",
    "backfill_tags",
    "asset_daemon_asset_evaluations",
)
# Columns of an asset: its last event and its cached partitions. Dagster computes both again.
_REMEMBERED = ("last_materialization", "cached_status_data")


def forget_in_dagster(
    instance: dg.DagsterInstance, stores: Stores, texts: Sequence[str], partitions: Mapping[str, str]
) -> int:
    """Deletes the runs and all other records of Dagster that contain one of the texts.

    Runs in progress are kept: call this again when they have ended.

    Args:
        instance: Dagster's instance, whose storage is that of the stores.
        stores: the stores.
        texts: texts that name the person.
        partitions: keys of dynamic partitions to remove, by the name of these partitions.

    Returns:
        Number of rows and files changed or deleted.
    """
    sought = Sought(texts)
    schema = sql.Identifier(DAGSTER_SCHEMA)
    for name, key in partitions.items():
        if instance.has_dynamic_partition(name, key):
            instance.delete_dynamic_partition(name, key)
    deleted = 0
    with connect(stores.postgres_url) as conn:
        query = sql.SQL(_RUNS).format(schema)
        for (run_id,) in conn.execute(query, [sought.pattern, sought.pattern]).fetchall():
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                instance.delete_run(run_id)
                instance.compute_log_manager.delete_logs(prefix=[run_id])
                deleted += 1
        for table in _HISTORY:
            if conn.execute("SELECT to_regclass(%s)", [f"{DAGSTER_SCHEMA}.{table}"]).fetchone() != (None,):
                place = sql.Identifier(DAGSTER_SCHEMA, table)
                delete = sql.SQL("DELETE FROM {} AS t WHERE t::text ~* %s").format(place)
                deleted += conn.execute(delete, [sought.pattern]).rowcount
        for column in map(sql.Identifier, _REMEMBERED):
            update = sql.SQL("UPDATE {}.asset_keys SET {} = NULL WHERE {} ~* %s").format(schema, column, column)
            deleted += conn.execute(update, [sought.pattern]).rowcount
    home = stores.settings.state_folder / "dagster"
    if home.is_dir():
        # Terminal output of runs.
        for path in files_with(str(home), sought):
            if not path.endswith("/"):
                Path(home, path).unlink(missing_ok=True)
                deleted += 1
    return deleted
