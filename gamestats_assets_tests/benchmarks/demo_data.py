"""How fast demo data are generated: records a second written as JSON lines, and the memory it takes.

    python -m gamestats_assets_tests.benchmarks.demo_data --records 10000000 --processes 2

Prints one JSON object. Users are as many as give about the asked number of records; a run of a tenth as many users
and one of three times as many days tell how memory depends on both.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.generator.generate import generate
from gamestats_assets.demo_data.rules.configuration import Configuration, ProductInfo
from gamestats_assets.demo_data.taxonomies.reader import read_taxonomy
from gamestats_assets.settings import shipped

_PILOT = 400


def run(taxonomy: str, users: int, days: int, processes: int, folder: Path) -> dict[str, Any]:
    """One run, in a process of its own so that its memory can be told."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, taxonomy, users, days, processes, str(folder)))
    process.start()
    # Only the child holds the sending end now, so that its death is seen.
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()
        shutil.rmtree(folder, ignore_errors=True)


def _run(sender: Any, taxonomy: str, users: int, days: int, processes: int, folder: str) -> None:
    told = read_taxonomy(shipped("data", "taxonomies", taxonomy))
    rules = analyse(told, ProductInfo(industry=taxonomy))
    made = generate(told, rules, Configuration(users=users, days=days), Path(folder), processes=processes)
    peak = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    sender.send(
        {
            "taxonomy": taxonomy,
            "users": users,
            "days": days,
            "processes": processes,
            "records": made.records,
            "megabytes": round(made.size_bytes / 1e6, 1),
            "seconds": round(made.seconds, 2),
            "records_per_second": round(made.records / made.seconds),
            "records_per_second_and_process": round(made.records / made.seconds / processes),
            "peak_memory_of_a_process_mb": round(max(peak)),
        }
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--taxonomy", default="game", choices=["game", "ecommerce", "saas", "health", "l2m"])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--only", action="store_true", help="leave out the runs that tell how memory grows")
    given = parser.parse_args()
    out = given.folder / "gamestats-benchmark-demo-data"
    pilot = run(given.taxonomy, _PILOT, given.days, 1, out)
    users = max(1, round(given.records / pilot["records"] * _PILOT))
    runs = [run(given.taxonomy, users, given.days, given.processes, out)]
    if not given.only:
        runs += [
            run(given.taxonomy, users, given.days, 1, out),
            run(given.taxonomy, max(users // 10, 1), given.days, 1, out),
            run(given.taxonomy, max(users // 10, 1), given.days * 3, 1, out),
        ]
    print(json.dumps({"python": platform.python_version(), "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
