"""What a command costs before it does anything: seconds from its start to its end, each time in a fresh process.

    python -m gamestats_assets_tests.benchmarks.fixed_costs --rounds 5

Everything stands in a temporary data folder: one small table in the lake, and an embedded PostgreSQL that runs already.
`code_location` is all imports and `build_defs`, which every process of the UI begins with. What Python compiles and
what is kept for the next process is made by a first round that is not counted. Prints one JSON object: medians of the
rounds, of the time on the wall and of the processor's, which says more where others work on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gamestats_assets.demo_data.tables import Products
from gamestats_assets.lakehouse.delta import Lake
from gamestats_assets.lakehouse.embedded_postgres import start_embedded, stop_embedded
from gamestats_assets.settings import Settings

GAMESTATS = [sys.executable, "-m", "gamestats_assets.cli"]
COMMANDS: Mapping[str, Sequence[str]] = {
    "help": [*GAMESTATS, "--help"],
    "query_select_1": [*GAMESTATS, "query", "select 1"],
    "query_count_on_lake": [*GAMESTATS, "query", "select count(*) from demo_data.products"],
    "query_on_postgres": [*GAMESTATS, "query", "select 1", "--on", "postgres"],
    "tables": [*GAMESTATS, "tables"],
    "code_location": [sys.executable, "-c", "from gamestats_assets.definitions import build_defs; build_defs()"],
}


def benchmark(rounds: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """Times of the commands, of all or of those named.

    Raises:
        subprocess.CalledProcessError: when a command fails.
    """
    with tempfile.TemporaryDirectory(prefix="gamestats-fixed-costs-") as folder:
        settings = Settings(data=str(Path(folder) / "data"), postgres_url=None)
        rows = Products.sample(10)
        Lake(settings.under_data("lake")).replace(Products, rows, partitions=rows["product"].to_list())
        # There since the first run: what definitions keep is kept with Dagster's files.
        (settings.state_folder / "dagster").mkdir()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"GAMESTATS_DATA": settings.data, "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled")}
        try:
            start_embedded(settings)
            taken = {
                name: [_seconds(command, environment) for _ in range(1 + rounds)][1:]
                for name, command in COMMANDS.items()
                if not only or name in only
            }
        finally:
            stop_embedded(settings)
    return {
        "cores": os.cpu_count(),
        "rounds": rounds,
        "wall_s": {name: round(statistics.median(wall for wall, _ in each), 3) for name, each in taken.items()},
        "cpu_s": {name: round(statistics.median(cpu for _, cpu in each), 3) for name, each in taken.items()},
    }


def _seconds(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Of a command, on the wall and of the processor."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, env=dict(environment), check=True, capture_output=True)
    wall, after = time.perf_counter() - started, os.times()
    cpu = (after.children_user + after.children_system) - (before.children_user + before.children_system)
    return wall, cpu


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=[*COMMANDS], default=[])
    arguments = parser.parse_args()
    print(json.dumps(benchmark(arguments.rounds, arguments.only), indent=2))


if __name__ == "__main__":
    main()
