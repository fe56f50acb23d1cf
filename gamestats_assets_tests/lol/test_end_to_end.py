"""A simulated season from files to PostgreSQL, by the commands of a user, against its own word and plain counting."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import simulate as simulator
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.assets import BY_PATCH, game
from gamestats_assets.lol.simulate import silver, simulate
from gamestats_assets_tests.operations import ByCommands
from gamestats_assets_tests.postgres_fixture import database
from gamestats_assets_tests.published import read_published
from gamestats_assets_tests.test_cli import Gamestats

MATCHES, SEED = 60, 7
KINDS = ("matches", "timelines")
FIRST, SECOND = "2023-07-18", "2023-07-19"
Document = dict[str, Any]
PUBLISHED = game().published
OF_PATCHES = tuple(
    next(table for table in t.ALL if table.spec.dotted == f"lol.{function.__name__}") for function in BY_PATCH
)
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("season") / "files"
    simulator.write_season(folder, matches=MATCHES, days=2, seed=SEED)
    return folder


@pytest.fixture(scope="module")
def documents(season: Path) -> dict[str, Document]:
    """`info` of every match object by match id, read plainly."""
    return {path.name.partition(".")[0]: read(path)["info"] for path in sorted((season / "matches").iterdir())}


@pytest.fixture(scope="module")
def told(season: Path) -> dict[str, pl.DataFrame]:
    """Silver tables as the simulator tells them at once."""
    return silver(simulate(simulator.season(matches=MATCHES, first_day=date(2023, 7, 18), days=2, seed=SEED)))


@pytest.fixture(scope="module")
def processed(
    season: Path, tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str
) -> Iterator[tuple[ByCommands, str]]:
    """The season ingested, materialised and published; and what that said."""
    with database(postgres_url, ops_template) as url:
        operation = ByCommands(Gamestats(tmp_path_factory.mktemp("processed") / "data"), url, "lol")
        operation.does("ingest", "lol", str(season))
        yield operation, operation.materialises()


@pytest.fixture
def copy(processed: tuple[ByCommands, str], tmp_path: Path, postgres_url: str) -> Iterator[ByCommands]:
    """The same, to go on with."""
    with processed[0].copied(tmp_path / "data", postgres_url) as operation:
        yield operation


def read(path: Path) -> Document:
    return json.loads(gzip.decompress(path.read_bytes()))


def put(path: Path, document: Document) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(document).encode()))
    return path


def fingerprints(operation: ByCommands, table: type[Table]) -> dict[str, str]:
    """By match, a fingerprint of its rows."""
    held = operation.stores.lake.ledger(table).partitions.values()
    return {match: rows for of_day in held for match, rows in of_day.rows_of.items()}


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Matches whose rows are new, others or gone."""
    return {match for match in {*before, *after} if before.get(match) != after.get(match)}


# ---------------------------------------------------------------------------------------------- once


def test_a_whole_season_goes_through_every_check_and_running_again_does_nothing(
    processed: tuple[ByCommands, str],
) -> None:
    operation, said = processed
    (runs, passed, checks) = re.findall(r"(\d+) runs in [\d.]+ s, (\d+) of (\d+) checks passed\.", said)[0]
    assert passed == checks
    assert int(checks) > 80
    assert int(runs) <= 5
    assert "2 days to process: 2023-07-18 to 2023-07-19" in said
    assert operation.stores.lake.scan(quarantine_of("lol")).collect().is_empty()
    assert "Everything is up to date: 2 days landed, processed and published." in operation.materialises()


def test_silver_is_what_the_simulator_tells(processed: tuple[ByCommands, str], told: dict[str, pl.DataFrame]) -> None:
    assert len(told) == 8
    for name, expected in told.items():
        (table,) = (table for table in t.ALL if table.spec.dotted == f"lol.{name}")
        found = processed[0].rows(table)
        if table is t.Objectives:
            # Where an event stands in its timeline the story does not know.
            order = ["match_id", "at_s", "objective", "team_id", "number_in_match"]
            found, expected = (each.drop("event_index").sort(order) for each in (found, expected))
        else:
            expected = expected.sort(table.primary_key())
        assert_frame_equal(found.select(expected.columns), expected, abs_tol=1e-9, rel_tol=1e-9)


def test_remakes_bots_and_aram_are_kept_apart(
    processed: tuple[ByCommands, str], documents: dict[str, Document]
) -> None:
    operation, _ = processed
    remakes = {match for match, info in documents.items() if info["participants"][0]["gameEndedInEarlySurrender"]}
    of_queue = {queue: {match for match, info in documents.items() if info["queueId"] == queue} for queue in (450, 840)}
    assert min(map(len, (remakes, *of_queue.values()))) > 0
    rows = {row["match_id"]: row for row in operation.rows(t.Matches).to_dicts()}
    assert {match for match, row in rows.items() if row["is_remake"]} == remakes
    assert {match for match, row in rows.items() if not row["in_statistics"]} == remakes | of_queue[840]
    features = operation.rows(t.ParticipantFeatures)
    assert {*features["match_id"]} == documents.keys() - remakes - of_queue[840]
    aram = features.filter(pl.col("match_id").is_in([*of_queue[450]]))
    assert {*aram.select("queue_group", "position").rows()} == {("aram", None)}
    for table in OF_PATCHES:
        rows_of = operation.rows(table)
        assert {*rows_of["queue_group"]} <= {"ranked_solo", "aram"}
        if "position" in rows_of.columns:
            of_aram = rows_of.filter(queue_group="aram")
            assert {*of_aram["position"]} <= {"ALL"}, table


def test_statistics_count_the_games_of_the_files(
    processed: tuple[ByCommands, str], documents: dict[str, Document], season: Path
) -> None:
    operation, _ = processed
    ranked = {
        match: info
        for match, info in documents.items()
        if info["queueId"] == 420 and not info["participants"][0]["gameEndedInEarlySurrender"]
    }
    patch_of = {match: ".".join(info["gameVersion"].split(".")[:2]) for match, info in ranked.items()}
    patches = {row["patch"]: row for row in operation.rows(t.Patches).to_dicts()}
    everything = Counter(".".join(info["gameVersion"].split(".")[:2]) for info in documents.values())
    assert {patch: row["matches_played"] for patch, row in patches.items()} == everything

    # First dragons: of each team that slew one, whether it won.
    games, wins = Counter[str](), Counter[str]()
    for match, info in ranked.items():
        frames = read(season / "timelines" / f"{match}.json.gz")["info"]["frames"]
        slain = [
            event
            for frame in frames
            for event in frame["events"]
            if event["type"] == "ELITE_MONSTER_KILL" and event["monsterType"] == "DRAGON"
        ]
        if slain:
            games[patch_of[match]] += 1
            wins[patch_of[match]] += {team["teamId"]: team["win"] for team in info["teams"]}[slain[0]["killerTeamId"]]
    rows = operation.rows(t.FirstObjectiveStats).filter(objective="dragon", queue_group="ranked_solo").to_dicts()
    assert {row["patch"]: (row["games"], row["wins"]) for row in rows} == {
        patch: (games[patch], wins[patch]) for patch in games
    }

    # First core items: of each champion in a position, whether the player won.
    bought = operation.rows(t.ItemBuilds).filter(core_order=1).select("match_id", "participant_id", "item_id").rows()
    first: dict[tuple[Any, ...], list[bool]] = defaultdict(list)
    for match, number, item in bought:
        if match in ranked:
            player = ranked[match]["participants"][number - 1]
            first[patch_of[match], player["teamPosition"], player["championId"], str(item)].append(player["win"])
    stats = operation.rows(t.ItemBuildStats).filter(pl.col("items") == 1, queue_group="ranked_solo").to_dicts()
    found = {
        (row["patch"], row["position"], row["champion_id"], row["build"]): (row["games"], row["wins"]) for row in stats
    }
    expected = {key: (len(won), sum(won)) for key, won in first.items() if len(won) >= 5}
    assert len(expected) > 20
    assert {key: counts for key, counts in found.items() if key[1] != "ALL"} == expected

    # Vision and deaths of a position.
    people = Counter(
        (patch_of[match], player["teamPosition"]) for match, info in ranked.items() for player in info["participants"]
    )
    vision = operation.rows(t.VisionSurvival).filter(pl.col("position") != "ALL", queue_group="ranked_solo").to_dicts()
    assert vision
    assert all(row["games"] == people[row["patch"], row["position"]] for row in vision)


def test_postgres_holds_what_the_lake_holds(processed: tuple[ByCommands, str]) -> None:
    operation, _ = processed
    filled = 0
    for table in game().published:
        expected = operation.rows(table)
        published = read_published(operation.url, table).select(expected.columns).cast(pl.Schema(expected.schema))
        assert_frame_equal(published.sort(table.primary_key()), expected)
        filled += not expected.is_empty()
    assert filled >= 6


# ---------------------------------------------------------------------------------------------- and then


def test_of_a_list_that_comes_later_matches_of_its_patch_are_made_again_and_names_are_others(
    copy: ByCommands, season: Path, tmp_path: Path
) -> None:
    patch_of = dict(copy.rows(t.Matches).select("match_id", "patch").rows())
    day_of = dict(copy.rows(t.Matches).select("match_id", pl.col("match_date").cast(pl.String)).rows())
    assert {(day_of[match], patch_of[match]) for match in day_of} >= {(FIRST, "13.13"), (SECOND, "13.14")}

    # One more match, of the second day, and a newer list of the first patch, in which an item is called otherwise.
    simulator.write_season(tmp_path / "more", matches=6, days=2, seed=8)
    new = sorted((tmp_path / "more" / "matches").iterdir())[-1].name
    match_id = new.partition(".")[0]
    document = read(season / "datadragon" / "13.13.1_en_US_item.json.gz")
    document["version"] = "13.13.2"
    document["data"]["3078"]["name"] = "Quadrinity Force"
    newer = put(tmp_path / "lists" / "13.13.2_en_US_item.json.gz", document)
    before = {table: fingerprints(copy, table) for table in (t.RawMatches, t.Matches, t.ParticipantFeatures)}
    of_first_day = copy.written(t.ParticipantFeatures, "match_date", FIRST)
    told = copy.does("ingest", "lol", str(newer), *(str(tmp_path / "more" / kind / new) for kind in KINDS))
    assert "1 match on 2023-07-19 gained files" in told
    said = copy.materialises()
    assert "2 partitions to process: 13.13, 13.14" in said
    of_list = {match for match, patch in patch_of.items() if patch == "13.13"}
    assert changed(before[t.RawMatches], fingerprints(copy, t.RawMatches)) == {match_id}
    assert changed(before[t.Matches], fingerprints(copy, t.Matches)) == of_list | {match_id}
    assert changed(before[t.ParticipantFeatures], fingerprints(copy, t.ParticipantFeatures)) == {match_id}
    assert copy.written(t.ParticipantFeatures, "match_date", FIRST) == of_first_day
    assert copy.rows(t.Patches)["matches_played"].sum() == MATCHES + 1
    assert {*copy.rows(t.Matches).select("patch", "data_dragon_version").rows()} == {
        ("13.13", "13.13.2"),
        ("13.14", "13.14.1"),
    }
    named = read_published(copy.url, t.ItemBuildStats).filter(patch="13.13", build="3078")["build_name"].unique()
    assert named.to_list() == ["Quadrinity Force"]
