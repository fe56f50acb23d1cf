"""The whole HTTP API fuzzed by hand, as nobody and as somebody: no answer may be other than it is described.

Usage:
    python -m gamestats_assets_tests.benchmarks.fuzz_serving [--requests 50000] [--as admin] [--only /api/v1/admin]

Serves a simulated season, with what was entered for it, from an embedded PostgreSQL of its own. Every operation is
asked equally often, half of it wrongly; an admin signs in anew for each. Prints one JSON object, with the command that
repeats it for every request of which the answer was not as described.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from functools import partial

import httpx
import schemathesis

from gamestats_assets_tests.serving.fuzzing import fuzz
from gamestats_assets_tests.serving.sign_in.signing_in import admins
from gamestats_assets_tests.serving.simulated import own_server


def at_what_there_is(client: httpx.Client, headers: Mapping[str, str], case: schemathesis.Case) -> None:
    """Have most requests be of rows that there are, in the version that they have."""
    for name, value in case.path_parameters.items():
        if isinstance(value, int) and value % 4:
            case.path_parameters[name] = 1 + value % 30
    given = case.path_parameters.get("key", case.path_parameters.get("slot_id"))
    if given is not None and isinstance(given, int) and given % 5 and case.method != "GET":
        thing = "schedule" if "slot_id" in case.path_parameters else case.path.split("/")[5]
        row = client.get(f"/api/v1/admin/tournaments/{thing}/{given}", headers=headers)
        if "etag" in row.headers:
            case.headers["If-Match"] = row.headers["etag"]


def main() -> None:
    """Fuzz, and print what was answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--as", dest="who", choices=("nobody", "admin"), default="admin")
    parser.add_argument("--only", default="", help="what paths begin with")
    arguments = parser.parse_args()
    began = time.monotonic()
    with own_server() as (client, url):
        paths = client.get("/api/v1/openapi.json").json()["paths"]
        operations = sum(len(methods) for path, methods in paths.items() if path.startswith(arguments.only))
        headers = admins(client, url) if arguments.who == "admin" else dict
        seen, wrong = fuzz(
            str(client.base_url).rstrip("/"),
            arguments.requests // operations,
            headers=headers,
            only=arguments.only,
            seeded=False,
            stops=False,
            aim=partial(at_what_there_is, client, admins(client, url)()),
        )
    told = {"operations": operations, "requests": seen.total(), "statuses": dict(sorted(seen.items())), "wrong": wrong}
    print(json.dumps({**told, "seconds": round(time.monotonic() - began, 1)}, indent=1))


if __name__ == "__main__":
    main()
