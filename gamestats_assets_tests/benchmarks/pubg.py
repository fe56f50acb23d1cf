"""How fast PUBG matches go from landing to committed gold tables.

    python -m gamestats_assets_tests.benchmarks.pubg --matches 100

Distinct full-size matches are simulated once (and kept in --raw, if given), landed, and
materialised through Dagster as one run of one day: decoding, validation, every blocking
and warning check, and the commits included; simulation, landing and publication are not.
Without --everything the tables are those of single matches (see `MATCH_TABLES`); with it,
fights and tournaments too. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.metadata import asset_key
from gamestats_assets.orchestration.partitions import has_days, partitions_of
from gamestats_assets.pubg import tables
from gamestats_assets.pubg.source.files import ingest
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.pubg.matches import simulate_day

DAY = date(2026, 3, 14)
BY_DAY = tuple(table for table in tables.ALL if has_days(partitions_of(table)))
MATCH_TABLES: tuple[type[Table], ...] = (
    *(table for table in BY_DAY if table.spec.layer == "bronze"),
    tables.CirclePositions,
    tables.DamageEvents,
    tables.WeaponKills,
    tables.MatchFacts,
    tables.MatchSummaries,
    tables.Matches,
    tables.Landings,
    tables.KillPositions,
    tables.PlayerMatchWeaponDistribution,
)
"""What one match's files tell by themselves."""


class PeakMemory:
    """Largest resident memory of this process and its children together, in MB."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        this = psutil.Process()
        while not self._stop.wait(0.2):
            total = 0
            for process in [this, *this.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.peak_mb = max(self.peak_mb, total / 2**20)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def raw_matches(folder: Path | None, matches: int) -> Iterator[Path]:
    """A folder of simulated matches: the given one, filled if it lacks them, or a temporary one."""
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        if len(list(place.glob("*.telemetry.json.gz"))) != matches:
            shutil.rmtree(place)
            place.mkdir()
            simulate_day(place, DAY, matches, seed=20260314, processes=os.cpu_count() or 1)
        yield place


def stage_seconds(result: dg.ExecuteInProcessResult) -> dict[str, float]:
    """Seconds of every step of a run, longest first."""
    seconds = {
        event.step_key: event.step_success_data.duration_ms / 1000
        for event in result.all_events
        if event.is_step_success and event.step_key
    }
    return {step: round(value, 3) for step, value in sorted(seconds.items(), key=lambda item: -item[1])}


def benchmark(
    matches: int, raw: Path | None, workers: int | None, selected: tuple[type[Table], ...] = MATCH_TABLES
) -> dict[str, Any]:
    """Land and materialise one day; the figures of the module's docstring."""
    with raw_matches(raw, matches) as files, tempfile.TemporaryDirectory() as data:
        settings = Settings(data=data, workers=workers) if workers else Settings(data=data)
        stores = Stores(settings)
        started = time.perf_counter()
        ingest([files], stores.landing)
        landed = time.perf_counter() - started
        definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)})
        job = definitions.resolve_implicit_global_asset_job_def()
        with PeakMemory() as memory, dg.DagsterInstance.ephemeral() as instance:
            started = time.perf_counter()
            result = job.execute_in_process(
                instance=instance,
                partition_key=DAY.isoformat(),
                asset_selection=[asset_key(table) for table in selected],
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
            )
            seconds = time.perf_counter() - started
        checks = result.get_asset_check_evaluations()
        events = _events(stores)
        return {
            "matches": matches,
            "tables": len(selected),
            "cores": os.cpu_count(),
            "workers": settings.workers,
            "success": result.success,
            "seconds": round(seconds, 2),
            "matches_per_s": round(matches / seconds, 2),
            "events_per_s": round(events / seconds),
            "peak_rss_mb": round(memory.peak_mb),
            "landing_bytes_per_match": _size(Path(data, "landing")) // matches,
            "delta_bytes_per_match": _size(Path(data, "lake")) // matches,
            "checks_passed": sum(check.passed for check in checks),
            "checks_failed": sorted({f"{c.asset_key.path[-1]}: {c.check_name}" for c in checks if not c.passed}),
            "landing_seconds": round(landed, 2),
            "stage_seconds": stage_seconds(result),
        }


def _events(stores: Stores) -> int:
    from gamestats_assets.pubg.tables import TelemetryFiles

    return int(stores.lake.scan(TelemetryFiles).select("events").sum().collect().item())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matches", type=int, default=100)
    parser.add_argument("--raw", type=Path, help="folder of simulated files to use, and to fill when it lacks them")
    parser.add_argument("--workers", type=int, help="decoding processes; as many as cores without it")
    parser.add_argument("--everything", action="store_true", help="make every table that has days for partitions")
    arguments = parser.parse_args()
    selected = BY_DAY if arguments.everything else MATCH_TABLES
    print(json.dumps(benchmark(arguments.matches, arguments.raw, arguments.workers, selected), indent=2))


if __name__ == "__main__":
    main()
