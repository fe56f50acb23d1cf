"""Examples of the API's answers: those of the small season. Run as a module, this writes them into the package.

python -m gamestats_assets_tests.serving.examples
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.lakehouse.postgres.embedded import start_embedded, stop_embedded
from gamestats_assets.pubg.serving.game import PUBG
from gamestats_assets.pubg.tournament.serving.tournaments import ROUTES
from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
from gamestats_assets.serving.pages import docs as describing
from gamestats_assets.settings import Settings
from gamestats_assets_tests.rocket_league.serving.trainer import trained_by
from gamestats_assets_tests.rocket_league.serving.trainer_examples import ACTS
from gamestats_assets_tests.serving.admin_examples import acts_done
from gamestats_assets_tests.serving.season import publish_season
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of
from gamestats_assets_tests.serving.simulated import own_server
from gamestats_assets_tests.support.postgres_fixture import database

EXAMPLES = PUBG.folder / "examples.json"
TRAINED = ROCKET_LEAGUE.folder / "acts.json"
PUBLISHED_AT = "2026-10-10T18:31:00Z"
"""When the season of the examples was published."""


def asked(operation: dict[str, Any], path: str) -> tuple[str, dict[str, Any]]:
    """The path and the query that a description gives as examples."""
    query: dict[str, Any] = {}
    for parameter in operation.get("parameters", ()):
        for example in parameter["schema"].get("examples", ())[:1]:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", str(example))
            else:
                query[parameter["name"]] = example
    return path, query


def answers(client: httpx.Client) -> dict[str, Any]:
    """What each route answers to what its description asks, by its path."""
    document = client.get("/api/v1/openapi.json").json()
    found: dict[str, Any] = {}
    for route in ROUTES:
        whole = f"/api/v1/tournaments{route.path}"
        path, query = asked(document["paths"][whole]["get"], whole)
        answer = client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        found[whole] = answer.json()
        if "metadata" in found[whole]:
            found[whole]["metadata"]["timestamp"] = PUBLISHED_AT
    return found


def acts_of(acts: Mapping[str, Any]) -> dict[Path, dict[str, Any]]:
    """Acts by the file that has them."""
    games = {of: act for of, act in acts.items() if "/tournaments" in of}
    rest = {of: act for of, act in acts.items() if of not in games}
    return {PUBG.folder / "acts.json": games, Path(describing.__file__).parent / "acts.json": rest}


def write() -> None:
    """Write the examples anew."""
    folder = Path(tempfile.mkdtemp(prefix="gamestats-examples-"))
    settings = Settings(data=str(folder), postgres_url=None)
    try:
        with database(start_embedded(settings)) as url:
            publish_season(url)
            with served(url) as client:
                found = answers(client)
        with (
            database(start_embedded(settings)) as url,
            served(url, data=str(folder)) as client,
            closing(trained_by(client, url, Objects(folder / "objects"))) as ann,
        ):
            trained = acts_done(ann, ACTS)
    finally:
        stop_embedded(settings)
        shutil.rmtree(folder, ignore_errors=True)
    with own_server() as (client, url), closing(browser_of(client, url, "ann", "admin")) as ann:
        acts = acts_done(ann)
    for path, own in {**acts_of(acts), TRAINED: {**json.loads(TRAINED.read_bytes()), **trained}}.items():
        path.write_text(json.dumps(own, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    EXAMPLES.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
