"""Taking what names a person out of Dagster's own storage: runs, events, ticks, backfills, partitions, logs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
from psycopg import sql

from gamestats_assets.lakehouse.postgres import DAGSTER_SCHEMA, connect
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.traces import Sought, files_with

_RUNS = """
SELECT run_id FROM {0}.runs AS t WHERE t::text ~* %s UNION SELECT run_id FROM {0}.run_tags AS t WHERE t::text ~* %s
"""
# What tells of the past alone, row by row; nothing is made from it.
_HISTORY = (
    "event_logs",
    "asset_event_tags",
    "asset_check_executions",
    "job_ticks",
    "bulk_actions",
    "backfill_tags",
    "asset_daemon_asset_evaluations",
)
# Of an asset: the last event, and which partitions are there, which is worked out again.
_REMEMBERED = ("last_materialization", "cached_status_data")


def forget_in_dagster(
    instance: dg.DagsterInstance, stores: Stores, texts: Sequence[str], partitions: Mapping[str, str]
) -> int:
    """Delete the runs and everything else that Dagster keeps in which one of the texts stands; how many rows that were.

    Runs that are going on are left: run it again when they have ended.

    Args:
        instance: Dagster's instance, whose storage is that of the stores.
        stores: the stores.
        texts: what names the person.
        partitions: keys of dynamic partitions to remove, by the name of these partitions.
    """
    sought = Sought(texts)
    schema = sql.Identifier(DAGSTER_SCHEMA)
    for name, key in partitions.items():
        if instance.has_dynamic_partition(name, key):
            instance.delete_dynamic_partition(name, key)
    gone = 0
    with connect(stores.postgres_url) as conn:
        query = sql.SQL(_RUNS).format(schema)
        for (run_id,) in conn.execute(query, [sought.pattern, sought.pattern]).fetchall():
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                instance.delete_run(run_id)
                instance.compute_log_manager.delete_logs(prefix=[run_id])
                gone += 1
        for table in _HISTORY:
            if conn.execute("SELECT to_regclass(%s)", [f"{DAGSTER_SCHEMA}.{table}"]).fetchone() != (None,):
                place = sql.Identifier(DAGSTER_SCHEMA, table)
                delete = sql.SQL("DELETE FROM {} AS t WHERE t::text ~* %s").format(place)
                gone += conn.execute(delete, [sought.pattern]).rowcount
        for column in map(sql.Identifier, _REMEMBERED):
            update = sql.SQL("UPDATE {}.asset_keys SET {} = NULL WHERE {} ~* %s").format(schema, column, column)
            gone += conn.execute(update, [sought.pattern]).rowcount
    home = stores.settings.state_folder / "dagster"
    if home.is_dir():
        # What runs wrote to the terminal.
        for path in files_with(str(home), sought):
            if not path.endswith("/"):
                Path(home, path).unlink(missing_ok=True)
                gone += 1
    return gone
