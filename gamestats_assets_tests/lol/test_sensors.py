"""The sensors in the order in which the daemon asks them: files, lists, patches and players become runs, each once."""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from gamestats_assets.lakehouse.postgres import read_published
from gamestats_assets.lol import sensors
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.assets import PUBLISHED
from gamestats_assets.lol.simulate import Plan, simulate, write
from gamestats_assets.lol.source import ingest
from gamestats_assets.orchestration.requests import REQUESTED_BY_TAG, partition_range
from gamestats_assets_tests.lol.api_server import KEY, RiotServer
from gamestats_assets_tests.lol.test_discovery import plays, seed
from gamestats_assets_tests.operations import BySensors, names

PATCHES = "lol_patches_behind"
PLAN = Plan(
    matches=24,
    first_day=date(2023, 7, 18),
    days=3,
    patches=(("13.13", 1), ("13.14", 2)),
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

    def ingest(self, *paths: Path) -> None:
        """Take files, all of which can be read."""
        assert ingest([*paths], self.stores.landing).quarantined == 0

    def nothing_is_asked_for(self) -> bool:
        """Whether none of the sensors that follow what landed requests anything."""
        return not any(self.tick(name) for name in (sensors.MATCHES_LANDED, sensors.LISTS_LANDED, PATCHES))

    def stand_in(self) -> set[tuple[str, str, str]]:
        """Patches, the version of the lists that their matches were made with, and how near that is."""
        return {*self.rows(t.Matches).select("patch", "data_dragon_version", "version_is").rows()}  # type: ignore[misc]


def asked_for(requests: Sequence[dg.RunRequest]) -> list[tuple[str, str]]:
    """First and last partition of each."""
    return [
        (request.partition_key, request.partition_key)
        if request.partition_key
        else partition_range(dg.DagsterRun(job_name="asked", tags=dict(request.tags)))
        for request in requests
    ]


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
    (lists,) = operation.tick(sensors.LISTS_LANDED)
    assert {"lol.data_dragon_items", "lol.items", "lol.champions", "lol.queues"} <= names(lists)
    operation.run(lists)
    assert operation.tick(sensors.LISTS_LANDED) == []

    days = operation.tick(sensors.MATCHES_LANDED)
    assert asked_for(days) == [(f"2023-07-{day}",) * 2 for day in (18, 19, 20)]
    assert operation.tick(sensors.MATCHES_LANDED) == [], "what was asked for is on its way"
    going = operation.instance.create_run_for_job(
        operation.definitions.resolve_implicit_global_asset_job_def(),
        tags={REQUESTED_BY_TAG: sensors.MATCHES_LANDED},
        status=dg.DagsterRunStatus.STARTED,
    )
    assert operation.tick(PATCHES) == [], "matches are still coming"
    operation.instance.report_run_canceled(going)
    for day in days:
        operation.run(day)
    assert operation.tick(sensors.MATCHES_LANDED) == []
    assert operation.tick(sensors.LISTS_LANDED) == []
    assert operation.stand_in() == {("13.13", "13.13.1", "exact"), ("13.14", "13.13.1", "earlier")}

    (undated,) = operation.tick(PATCHES)
    assert "lol.patches" in names(undated)
    assert "lol.item_build_stats" not in names(undated), "which patches there are comes first"
    operation.run(undated)
    (named,) = operation.tick(PATCHES)
    assert asked_for([named]) == [("13.13", "13.14")]
    assert {"lol.item_build_stats", "postgres.lol.item_build_stats", "lol.discovered_patterns"} <= names(named)
    operation.run(named)
    assert {*operation.rows(t.SkillOrderStats).get_column("patch")} == {"13.13", "13.14"}
    assert operation.nothing_is_asked_for()
    for table in PUBLISHED:
        held, published = operation.rows(table), read_published(operation.stores.postgres_url, table)
        assert published.height == held.height, table

    # The list of the other patch comes late.
    before = operation.ledger(t.Matches), operation.ledger(t.ParticipantFeatures)
    stands = operation.files(t.SkillOrderStats, "patch", "13.13")
    operation.ingest(*season.glob("datadragon/13.14*"))
    assert operation.tick(sensors.MATCHES_LANDED) == []
    (lists,) = operation.tick(sensors.LISTS_LANDED)
    operation.run(lists)
    again = operation.tick(sensors.LISTS_LANDED)
    of = days_of_patches(operation)
    assert asked_for(again) == [(min(of["13.14"]), max(of["13.14"]))]
    for request in again:
        operation.run(request)
    assert operation.tick(sensors.LISTS_LANDED) == []
    assert operation.stand_in() == {("13.13", "13.13.1", "exact"), ("13.14", "13.14.1", "exact")}
    patch_of = dict(operation.rows(t.Matches).select("match_id", "patch").rows())
    for table, old in zip((t.Matches, t.ParticipantFeatures), before, strict=True):
        new = operation.ledger(table)
        made = {patch_of[unit] for day, units in new.items() for unit in units if old[day][unit] != units[unit]}
        kept = {patch_of[unit] for day, units in new.items() for unit in units if old[day][unit] == units[unit]}
        assert (made, kept) == ({"13.14"}, {"13.13"}), table

    (undated,) = operation.tick(PATCHES)
    operation.run(undated)
    assert operation.tick(PATCHES) == [], "statistics were made less than an hour ago"
    operation.an_hour_passes()
    (named,) = operation.tick(PATCHES)
    assert asked_for([named]) == [("13.14", "13.14")]
    operation.run(named)
    assert operation.files(t.SkillOrderStats, "patch", "13.13") == stands
    operation.an_hour_passes()
    assert operation.nothing_is_asked_for()


def _plain(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def test_what_a_lost_cursor_forgets_is_not_made_again(operation: Operation, season: Path) -> None:
    first = sorted((season / "matches").iterdir())[0].name
    operation.ingest(season / "matches" / first, season / "timelines" / first, season / "datadragon")
    seen: Counter[str] = Counter()
    for _ in range(6):
        for name in (sensors.LISTS_LANDED, sensors.MATCHES_LANDED, PATCHES):
            for request in operation.tick(name):
                operation.run(request)
                seen[name] += 1
    assert seen == {sensors.LISTS_LANDED: 1, sensors.MATCHES_LANDED: 1, PATCHES: 2}
    operation.cursors.clear()
    assert operation.nothing_is_asked_for()


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
        assert operation.tick(sensors.MATCHES_LANDED) == []
        operation.run(fetching, sensors.ARCHIVE_JOB)
        (lists,) = operation.tick(sensors.LISTS_LANDED)
        (day,) = operation.tick(sensors.MATCHES_LANDED)
        operation.run(lists)
        operation.run(day)
        assert operation.rows(t.Matches).select("match_id", "data_dragon_version").rows() == [(match_id, "13.14.1")]
        assert operation.tick(sensors.PLAYERS_SENSOR) == operation.tick(sensors.LISTS_LANDED) == []
        assert operation.tick(sensors.MATCHES_LANDED) == []
