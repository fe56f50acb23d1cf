"""The sensors in the order in which the daemon asks them: files, lists, patches and players become runs, each once."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from gamestats_assets.lol import sensors
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.source import ingest
from gamestats_assets.orchestration.run_requests import PARTITION_TAG, partitions_of_run
from gamestats_assets.orchestration.runs.sensor import SENSOR
from gamestats_assets.simulators.lol.files import write
from gamestats_assets.simulators.lol.plan import Plan
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets_tests.lol.riot.api_server import KEY, RiotServer
from gamestats_assets_tests.lol.riot.test_discovery import plays, seed
from gamestats_assets_tests.support.operations import BySensors, names
from gamestats_assets_tests.support.published import read_published

PLAN = Plan(
    matches=12,
    first_day=date(2023, 7, 18),
    days=2,
    patches=(("13.13", 1), ("13.14", 1)),
    # Two of each position: who plays plays often.
    champions={
        "TOP": ("Aatrox", "Darius"),
        "JUNGLE": ("Hecarim", "Vi"),
        "MIDDLE": ("Ahri", "Zed"),
        "BOTTOM": ("Ezreal", "Jinx"),
        "UTILITY": ("Lulu", "Nami"),
    },
    seed=5,
)
pytestmark = pytest.mark.timeout(240)


class Operation(BySensors):
    """The game's part of the code location."""

    game = "lol"

    def ingest(self, *paths: Path) -> None:
        """Take files, all of which can be read."""
        assert ingest([*paths], self.stores.landing).quarantined == 0

    def settles(self) -> None:
        """Everything that is still asked for is done, whatever waits an hour too."""
        for _ in range(4):
            self.an_hour_passes()
            requests = self.tick(SENSOR)
            if not requests:
                return
            for request in requests:
                self.run(request)
        raise AssertionError("It does not end.")

    def stand_in(self) -> set[tuple[str, str, str]]:
        """Patches, the version of the lists that their matches were made with, and how near that is."""
        return {*self.rows(t.Matches).select("patch", "data_dragon_version", "version_is").rows()}  # type: ignore[misc]


def asked_for(request: dg.RunRequest) -> list[str]:
    """Partitions that a request is for."""
    return partitions_of_run(
        dg.DagsterRun(job_name="asked", tags={PARTITION_TAG: request.partition_key or "", **request.tags})
    )


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("season")
    write(simulate(PLAN), folder)
    return folder


@pytest.fixture
def operation(tmp_path: Path, ops_database: str) -> Iterator[Operation]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Operation(tmp_path, ops_database, instance)


def days_of_patches(operation: Operation) -> dict[str, set[str]]:
    """Days on which each patch was played."""
    found: dict[str, set[str]] = defaultdict(set)
    for patch, day in operation.rows(t.Matches).select("patch", pl.col("match_date").cast(pl.String)).rows():
        found[patch].add(day)
    return found


def test_files_become_days_lists_become_matches_made_again_and_both_become_patches(
    operation: Operation, season: Path
) -> None:
    operation.ingest(season / "matches", season / "timelines", *season.glob("datadragon/13.13*"))
    # Lists first, so that no match is made twice.
    (lists,) = operation.tick(SENSOR)
    assert {"lol.data_dragon_items", "lol.items", "lol.champions", "lol.queues"} <= names(lists)
    assert "lol.matches" not in names(lists)
    operation.run(lists)

    (days,) = operation.tick(SENSOR)
    assert asked_for(days) == [f"2023-07-{day}" for day in (18, 19)]
    assert "lol.patches" not in names(days)
    going = operation.instance.create_run_for_job(
        operation.definitions.resolve_job_def(days.job_name or ""),
        tags=dict(days.tags),
        status=dg.DagsterRunStatus.STARTED,
    )
    operation.an_hour_passes()
    assert operation.tick(SENSOR) == [], "what was asked for is on its way, and patches wait for it"
    operation.instance.delete_run(going.run_id)
    operation.run(days)
    assert operation.stand_in() == {("13.13", "13.13.1", "exact"), ("13.14", "13.13.1", "earlier")}

    (undated,) = operation.tick(SENSOR)
    assert "lol.patches" in names(undated)
    assert "lol.item_build_stats" not in names(undated), "which patches there are comes first"
    operation.run(undated)
    (named,) = operation.tick(SENSOR)
    assert asked_for(named) == ["13.13", "13.14"]
    assert {"lol.item_build_stats", "postgres.lol.item_build_stats", "lol.discovered_patterns"} <= names(named)
    operation.run(named)
    assert {*operation.rows(t.SkillOrderStats).get_column("patch")} == {"13.13", "13.14"}
    for request in operation.tick(SENSOR):
        assert "lol.pattern_history" in names(request)
        operation.run(request)
    assert operation.tick(SENSOR) == []

    # The list of the other patch comes late.
    before = operation.contents(t.Matches), operation.contents(t.ParticipantFeatures)
    stands = operation.files(t.SkillOrderStats, "patch", "13.13")
    operation.ingest(*season.glob("datadragon/13.14*"))
    (lists,) = operation.tick(SENSOR)
    assert "lol.items" in names(lists)
    operation.run(lists)
    (again,) = operation.tick(SENSOR)
    assert {*asked_for(again)} >= days_of_patches(operation)["13.14"]
    operation.run(again)
    assert operation.stand_in() == {("13.13", "13.13.1", "exact"), ("13.14", "13.14.1", "exact")}
    patch_of = dict(operation.rows(t.Matches).select("match_id", "patch").rows())
    matches, features = (operation.contents(table) for table in (t.Matches, t.ParticipantFeatures))
    changed = {
        patch_of[unit] for day, units in matches.items() for unit in units if before[0][day][unit] != units[unit]
    }
    assert changed == {"13.14"}
    assert features == before[1], "both lists say the same of the items that were bought"

    (undated,) = operation.tick(SENSOR)
    operation.run(undated)
    assert operation.tick(SENSOR) == [], "statistics were made less than an hour ago"
    operation.an_hour_passes()
    (named,) = operation.tick(SENSOR)
    assert asked_for(named) == ["13.14"]
    operation.run(named)
    assert operation.files(t.SkillOrderStats, "patch", "13.13") == stands
    operation.settles()
    # What a lost cursor forgets is not made again.
    operation.cursors.clear()
    assert operation.tick(SENSOR) == []
    for table in (each for each in t.ALL if each.spec.published):
        held, published = operation.rows(table), read_published(operation.stores.postgres_url, table)
        assert published.height == held.height, table


def _plain(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def test_a_seeded_player_s_matches_are_fetched_with_their_lists_and_become_days(
    tmp_path: Path, ops_database: str, season: Path
) -> None:
    match = sorted((season / "matches").iterdir())[-1]
    match_id = match.name.partition(".")[0]
    with RiotServer() as server, dg.DagsterInstance.ephemeral() as instance:
        plays(server, "Ann#NA1", match_id)
        server.add_match(match_id, _plain(match), _plain(season / "timelines" / match.name))
        server.files["/api/versions.json"] = b'["13.14.1", "13.13.1"]'
        for path in season.glob("datadragon/13.14*"):
            language, document = path.name.removeprefix("13.14.1_")[:5], path.name.split("_")[-1].removesuffix(".gz")
            server.files[f"/cdn/13.14.1/data/{language}/{document}"] = _plain(path)
        operation = Operation(
            tmp_path, ops_database, instance, riot_api_key=KEY, riot_api_url=server.template, data_dragon_url=server.url
        )
        url = operation.stores.postgres_url
        assert operation.tick(sensors.PLAYERS_SENSOR) == []
        seed(url, "Ann#NA1")
        (fetching,) = operation.tick(sensors.PLAYERS_SENSOR)
        operation.run(fetching, sensors.ARCHIVE_JOB)
        (lists,) = operation.tick(SENSOR)
        operation.run(lists)
        (day,) = operation.tick(SENSOR)
        operation.run(day)
        assert operation.rows(t.Matches).select("match_id", "data_dragon_version").rows() == [(match_id, "13.14.1")]
        assert operation.tick(sensors.PLAYERS_SENSOR) == []
