"""How long a day of an MMO's logs takes, from the landing zone to committed gold, and the memory it takes.

    python -m gamestats_assets_tests.benchmarks.l2m --rows 5000000 50000000 200000000
    python -m gamestats_assets_tests.benchmarks.l2m --rows 50000000 --publish --spark

Prints one JSON object. A day of about so many log rows is simulated straight to Parquet and landed; then one run of
Dagster makes every table of the day with every check. With `--publish` a run of its own publishes what is published,
timed apart; then each table's day is replaced once more and compared with a bare COPY of the same rows into a table of
the same definition. With `--spark` every SQL model runs over the same lake on DuckDB and on Spark, and their rows are
compared. Each part is measured in a process of its own, so that its memory can be told.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import shutil
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gamestats_assets_tests.benchmarks import publication, spark

if TYPE_CHECKING:
    from gamestats_assets.lakehouse.stores import Stores

DAY = date(2026, 3, 1)
ACTIONS = 100.0
"""Mean number of gains and spendings of an account that plays."""
_ROWS_OF_AN_ACCOUNT = 38.5
"""Rows of the day for each account of the plan, as simulated; not all of them play."""


def _simulate(rows: int, folder: Path) -> int:
    from gamestats_assets.simulators.l2m.logs import Plan, simulate

    plan = Plan(accounts=max(200, round(rows / _ROWS_OF_AN_ACCOUNT)), days=1, start=DAY, actions=ACTIONS)
    truth = simulate(plan, folder, rates=True)
    return sum(truth.days[0].rows.values())


def measure(rows: int, folder: Path, publish: bool, spark_memory: str | None) -> dict[str, Any]:
    """One day, each part in a process of its own."""
    context = multiprocessing.get_context("spawn")
    shutil.rmtree(folder, ignore_errors=True)
    with context.Pool(1) as pool:
        simulated = pool.apply(_simulate, (rows, folder / "logs"))
    with context.Pool(1) as pool:
        pool.apply(_land, (folder,))
    told: dict[str, Any] = {"log_rows": simulated}
    with context.Pool(1) as pool:
        told |= pool.apply(_process, (folder, publish))
    if spark_memory:
        with context.Pool(1) as pool:
            told["spark"] = pool.apply(
                spark.report, (folder / "data" / "lake", "l2m", {"ds": DAY}, 2, spark_memory, folder)
            )
    return told


def _land(folder: Path) -> None:
    from gamestats_assets.l2m.source import deliver
    from gamestats_assets.lakehouse.stores import Stores

    os.environ["GAMESTATS_DATA"] = str(folder / "data")
    deliver([folder / "logs"], Stores().landing)
    shutil.rmtree(folder / "logs")


def _process(folder: Path, publish: bool) -> dict[str, Any]:
    os.environ["GAMESTATS_DATA"] = str(folder / "data")
    import dagster as dg

    from gamestats_assets.definitions import build_defs
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.orchestration.runs.instance import dagster_instance, run_here

    stores = Stores()
    definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)})
    day = (DAY.isoformat(), DAY.isoformat())
    groups = dg.AssetSelection.groups("l2m")
    published = dg.AssetSelection.key_prefixes(["postgres", "l2m"])
    told: dict[str, Any] = {}
    with dagster_instance(stores) as instance:
        for what, selection in {
            "to_gold": groups - published,
            **({"publishing": published} if publish else {}),
        }.items():
            started, used = time.perf_counter(), time.process_time()
            result = run_here(definitions, instance, selection, partitions=day)
            told[f"{what}_s"] = round(time.perf_counter() - started, 1)
            told[f"{what}_cpu_s"] = round(time.process_time() - used, 1)
            told[f"{what}_succeeded"] = result.success
            steps = {
                event.step_key: round((event.step_success_data.duration_ms or 0) / 1000, 1)
                for event in result.all_events
                if event.is_step_success
            }
            told[f"{what}_steps_s"] = dict(sorted(steps.items(), key=lambda step: -step[1]))
            told[f"peak_memory_after_{what}_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        if publish:
            told |= _replaced_and_copied(stores)
    return told


def _replaced_and_copied(stores: Stores) -> dict[str, Any]:
    """What replacing the day of each published table takes, beside a bare COPY of the same rows."""
    from gamestats_assets.l2m.assets import PUBLISHED
    from gamestats_assets.lakehouse.published.publication import publish

    url, seconds = stores.postgres_url.get_secret_value(), dict[str, tuple[int, float, float]]()
    for table in PUBLISHED:
        days = [DAY] if table.spec.partitioned_by else None
        rows = stores.lake.scan(table, days).collect()
        publication.empty_bare_table(url, table)
        started = time.perf_counter()
        publication.bare_copy(url, table, rows)
        copied = time.perf_counter()
        publish(url, table, days, rows)
        seconds[table.spec.name] = (rows.height, copied - started, time.perf_counter() - copied)
    in_all = [sum(column) for column in zip(*seconds.values(), strict=True)]
    names = ("rows", "bare_copy_s", "replacing_s")
    return {
        "replacing": {
            name: {**dict(zip(names, (round(one, 2) for one in of), strict=True)), "share": round(of[1] / of[2], 2)}
            for name, of in {"in_all": in_all, **seconds}.items()
        }
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000_000, 50_000_000, 200_000_000])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "gamestats-benchmark-l2m")
    parser.add_argument("--publish", action="store_true", help="publish as well, and compare with a bare COPY")
    parser.add_argument("--spark", action="store_true", help="run the models on Spark as well, and compare the rows")
    parser.add_argument("--spark-memory", default="10g", help="of Spark, and of DuckDB beside it")
    given = parser.parse_args()
    runs = []
    for rows in given.rows:
        runs.append(measure(rows, given.folder, given.publish, given.spark_memory if given.spark else None))
        shutil.rmtree(given.folder, ignore_errors=True)
    print(
        json.dumps(
            {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "runs": runs}, indent=1
        )
    )


if __name__ == "__main__":
    main()
