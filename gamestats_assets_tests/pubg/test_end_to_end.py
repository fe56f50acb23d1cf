"""Real files, from a folder to PostgreSQL, against figures read from the raw JSON by plain Python."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from pydantic import SecretStr

from gamestats_assets.cli.session import Session
from gamestats_assets.cli.steps import progress_loggers
from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.freshness.snapshot import Snapshot
from gamestats_assets.orchestration.partitions import has_days, partitions_of
from gamestats_assets.orchestration.runs.behind import behind_of
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.source.files import ingest
from gamestats_assets.settings import Settings
from gamestats_assets_tests.support.published import read_published

Event = dict[str, Any]
TELEMETRY_MATCH, TELEMETRY_DAY = "c2fb5093-866c-4d6d-96bf-7abf755094af", "2025-07-12"


@pytest.fixture(scope="module")
def events(realdata: Path) -> list[Event]:
    path = realdata / "pubg" / "telemetry" / f"{TELEMETRY_MATCH}.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))


def sample(realdata: Path) -> list[Path]:
    """Every eighth real match object: of many days, modes and maps."""
    return sorted((realdata / "pubg" / "matches").rglob("*.json*"))[::8]


@pytest.fixture(scope="module")
def match_objects(realdata: Path) -> dict[str, Event]:
    """Real match objects by their id."""
    found: dict[str, Event] = {}
    for path in sample(realdata):
        payload = path.read_bytes()
        document = json.loads(gzip.decompress(payload) if path.suffix == ".gz" else payload)
        found[document["data"]["id"]] = document
    return found


@pytest.fixture(scope="module")
def processed(realdata: Path, tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Stores:
    """Real files landed, materialised and published; every run and blocking check passed."""
    data = tmp_path_factory.mktemp("real")
    stores = Stores(Settings(data=str(data), postgres_url=SecretStr(postgres_url), workers=1))
    report = ingest([*sample(realdata), realdata / "pubg" / "telemetry"], stores.landing)
    assert report.quarantined == 0
    with dg.DagsterInstance.ephemeral() as instance:
        definitions = build_defs({"stores": dg.ResourceDefinition.hardcoded_resource(stores)}, ["pubg"])
        session = Session(dg.Definitions.merge(definitions, progress_loggers()), instance, stores)
        outcomes = session.follow(dg.AssetSelection.all())
        assert [outcome for outcome in outcomes if not outcome.success] == []
        assert behind_of(game(), Snapshot(stores, game().graph, counted=True)).is_empty
    return stores


def test_every_match_object_becomes_one_published_match(processed: Stores, match_objects: dict[str, Event]) -> None:
    matches = read_published(processed.postgres_url, t.Matches)
    rows = {row["match_id"]: row for row in matches.iter_rows(named=True)}
    assert rows.keys() == {*match_objects, TELEMETRY_MATCH}
    for match_id, document in match_objects.items():
        people = [i["attributes"]["stats"] for i in document["included"] if i["type"] == "participant"]
        bots = sum(stats["playerId"].startswith("ai.") for stats in people)
        row = rows[match_id]
        assert (row["players"], row["bots"]) == (len(people) - bots, bots)
        assert row["teams"] == sum(i["type"] == "roster" for i in document["included"])
        assert (row["game_mode"], row["map_id"]) == (
            document["data"]["attributes"]["gameMode"],
            document["data"]["attributes"]["mapName"],
        )
        assert (row["telemetry_status"], row["start_source"]) == ("pending", "api")
        assert row["duration_s"] == document["data"]["attributes"]["duration"]


def test_every_event_is_accounted_for_in_the_lake(processed: Stores, events: list[Event]) -> None:
    counts = processed.lake.scan(t.TelemetryEventCounts).filter(match_id=TELEMETRY_MATCH).collect()
    assert dict(counts.select("event_type", "events").iter_rows()) == dict(Counter(e["_T"] for e in events))
    assert processed.lake.scan(quarantine_of("pubg")).collect().is_empty()


def test_published_rows_equal_the_lakes(processed: Stores) -> None:
    for table in t.ALL:
        if table.spec.published and has_days(partitions_of(table)):
            lake = processed.lake.scan(table).sort(table.primary_key()).collect()
            assert read_published(processed.postgres_url, table).sort(table.primary_key()).equals(lake), table.spec.key


def test_match_dates_are_the_utc_days_of_the_starts(processed: Stores) -> None:
    matches = processed.lake.scan(t.Matches).collect()
    days = matches.select((pl.col("started_at").dt.date() - pl.col("match_date")).alias("off")).get_column("off")
    assert set(days) == {timedelta(0)}
