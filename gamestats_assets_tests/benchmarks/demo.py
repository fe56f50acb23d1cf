"""The demo as people run it: how long it takes, what it found, and whether every published table has rows.

    python -m gamestats_assets_tests.benchmarks.demo

It runs in a process of its own over a new data folder. Prints one JSON object; `empty` names published tables without
rows, and ends the benchmark with 1 where there are any.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gamestats_assets.cli.demo.command import empty_tables, findings
from gamestats_assets.lakehouse.postgres.embedded import stop_embedded
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.settings import Settings


def main() -> None:
    """Run the demo and print what came of it."""
    folder = Path(tempfile.mkdtemp(prefix="gamestats-benchmark-"))
    stores = Stores(Settings(data=str(folder), postgres_url=None))
    try:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "gamestats_assets.cli", "demo"],
            env={**os.environ, "GAMESTATS_DATA": str(folder)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds = time.perf_counter() - started
        empty = empty_tables(stores)
        found = [finding.sentence for finding in findings(stores)]
        print(json.dumps({"seconds": round(seconds, 1), "empty": empty, "found": found}, indent=1))
    finally:
        stop_embedded(stores.settings)
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(bool(empty))


if __name__ == "__main__":
    main()
