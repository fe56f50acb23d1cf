"""The whole HTTP API fuzzed by hand, as nobody and as somebody: no answer may be other than it is described.

Usage:
    python -m gamestats_assets_tests.benchmarks.fuzz_serving [--requests 50000] [--header "Authorization: Bearer ..."]
        [--url http://127.0.0.1:8000]

Without an address it serves the small season of the tests from an embedded PostgreSQL of its own. Every operation is
asked equally often, half of it wrongly. Prints one JSON object; the first answer that is not as described ends it, with
the command that repeats it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from gamestats_assets.lakehouse.embedded_postgres import start_embedded, stop_embedded
from gamestats_assets.settings import Settings
from gamestats_assets_tests.postgres_fixture import database
from gamestats_assets_tests.serving.fuzzing import fuzz
from gamestats_assets_tests.serving.season import publish_season
from gamestats_assets_tests.serving.served import served


@contextmanager
def own_server() -> Iterator[str]:
    """The address of the small season, served."""
    folder = Path(tempfile.mkdtemp(prefix="gamestats-fuzz-"))
    settings = Settings(data=str(folder), postgres_url=None)
    try:
        with database(start_embedded(settings)) as url:
            publish_season(url)
            with served(url) as client:
                yield str(client.base_url).rstrip("/")
    finally:
        stop_embedded(settings)
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Fuzz, and print what was answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--header", action="append", default=[], help="of every request, such as a token")
    parser.add_argument("--url", help="of a server that runs; its limits must be off")
    arguments = parser.parse_args()
    headers = dict(each.split(": ", 1) for each in arguments.header)
    began = time.monotonic()

    def run(url: str) -> None:
        operations = sum(map(len, httpx.get(f"{url}/api/v1/openapi.json").json()["paths"].values()))
        seen = fuzz(url, arguments.requests // operations, headers=headers, seeded=False)
        told = {"operations": operations, "requests": seen.total(), "statuses": dict(sorted(seen.items()))}
        print(json.dumps({**told, "seconds": round(time.monotonic() - began, 1)}))

    if arguments.url:
        run(arguments.url)
    else:
        with own_server() as url:
            run(url)


if __name__ == "__main__":
    main()
