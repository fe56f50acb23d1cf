"""How fast League of Legends files go from landing to committed bronze and silver tables.

    python -m gamestats_assets_tests.benchmarks.lol_timelines --matches 20000

Matches are simulated (or read from --pairs, a folder with `matches` and `timelines` of real ones) and repeated under
ids of their own until there are as many as asked for, landed on one day, and materialised through Dagster as one run:
decoding, validation, every check, and the commits included; simulation, landing, statistics and publication are not.
Prints one JSON object; events are those of the timelines.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
from isal import igzip

from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.landing.zone import Landing, decompressed
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lol import tables
from gamestats_assets.lol.source import GAME, ingest
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import has_days, partitions_of
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.lol.seasons import write_season
from gamestats_assets_tests.benchmarks.pubg import PeakMemory, stage_seconds

DAY = date(2023, 7, 18)
DISTINCT = 400
"""Matches that are simulated; the others repeat them."""
BEFORE = tuple(table for table in tables.ALL if partitions_of(table) is None and table.spec.layer != "gold")
BRONZE_AND_SILVER = tuple(
    table for table in tables.ALL if has_days(partitions_of(table)) and table.spec.layer in ("bronze", "silver")
)


def land(pairs: Path, landing: Landing, matches: int) -> int:
    """Land matches of a folder again and again under other ids; bytes that landed."""
    files = [(path, pairs / "timelines" / path.name) for path in sorted((pairs / "matches").glob("*.json*"))]
    size = 0
    for number in range(matches):
        match, timeline = files[number % len(files)]
        was = match.name.partition(".")[0].encode()
        match_id = f"{was.decode().partition('_')[0]}_{7_000_000_000 + number}"
        for kind, path in (("match", match), ("timeline", timeline)):
            content = decompressed(path.read_bytes()).replace(was, match_id.encode())
            payload = igzip.compress(content, compresslevel=1, mtime=0)
            landing.put(GAME, DAY, match_id, kind, payload, content)
            size += len(payload)
    return size


def benchmark(matches: int, pairs: Path | None = None, workers: int | None = None) -> dict[str, Any]:
    """Land and materialise one day; the figures of the module's docstring."""
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as raw:
        settings = Settings(data=data, workers=workers) if workers else Settings(data=data)
        stores = Stores(settings)
        folder = pairs or Path(raw)
        if pairs is None:
            write_season(folder, matches=min(matches, DISTINCT), first_day=DAY, days=1, seed=7)
        ingest([folder / "datadragon"], stores.landing)
        size = land(folder, stores.landing, matches)
        definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)})
        job = definitions.resolve_implicit_global_asset_job_def()
        quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
        with PeakMemory() as memory, dg.DagsterInstance.ephemeral() as instance:
            job.execute_in_process(
                instance=instance, asset_selection=[asset_key(table) for table in BEFORE], run_config=quiet
            )
            started = time.perf_counter()
            result = job.execute_in_process(
                instance=instance,
                partition_key=DAY.isoformat(),
                asset_selection=[asset_key(table) for table in BRONZE_AND_SILVER],
                raise_on_error=False,
                run_config=quiet,
            )
            seconds = time.perf_counter() - started
        checks = result.get_asset_check_evaluations()
        events = stores.lake.state(tables.TimelineEvents)
        rows = events.rows if events else 0
        return {
            "matches": matches,
            "events": rows,
            "landed_mb": round(size / 2**20),
            "cores": os.cpu_count(),
            "workers": settings.workers,
            "success": result.success,
            "seconds": round(seconds, 2),
            "events_per_s": round(rows / seconds),
            "matches_per_s": round(matches / seconds, 1),
            "peak_rss_mb": round(memory.peak_mb),
            "checks_passed": sum(check.passed for check in checks),
            "checks_failed": sorted({check.check_name for check in checks if not check.passed}),
            "stage_seconds": stage_seconds(result),
        }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matches", type=int, default=2_000)
    parser.add_argument("--pairs", type=Path, help="folder of real matches and timelines instead of simulated ones")
    parser.add_argument("--workers", type=int, help="processes that decode; as the settings say by default")
    print(json.dumps(benchmark(**vars(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
