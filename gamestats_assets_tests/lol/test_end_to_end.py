"""A simulated season from files to PostgreSQL, by the commands of a user, against its own word and plain counting."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.assets import BY_PATCH
from gamestats_assets.simulators.lol.seasons import season as planned
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets.simulators.lol.story import Story
from gamestats_assets_tests.cli.runner import Gamestats
from gamestats_assets_tests.lol.silver import silver
from gamestats_assets_tests.support.operations import ByCommands
from gamestats_assets_tests.support.postgres_fixture import database
from gamestats_assets_tests.support.published import read_published

MATCHES, SEED = 120, 11
FIRST, SECOND = "2023-07-18", "2023-07-19"
Document = dict[str, Any]
PUBLISHED = [table for table in t.ALL if table.spec.published]
OF_PATCHES = tuple(
    next(table for table in t.ALL if table.spec.dotted == f"lol.{function.__name__}") for function in BY_PATCH
)
pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Season:
    """A season that was simulated, ingested and materialised by commands.

    Attributes:
        operation: the command line over it.
        folder: its files.
        said: output of `simulate`, `ingest` and `materialize`.
        story: what was simulated.
        documents: `info` of every match object by match id, read plainly.
    """

    operation: ByCommands
    folder: Path
    said: dict[str, str]
    story: Story
    documents: dict[str, Document]


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str) -> Iterator[Season]:
    folder = tmp_path_factory.mktemp("lol")
    files, truth = folder / "a season", folder / "planted.json"
    commands = {
        "simulate": ("lol", "simulate", str(files), "--matches", str(MATCHES), "--days", "2", "--seed", str(SEED),
                     "--truth", str(truth)),
        "ingest": ("ingest", "lol", str(files)),
        "materialize": ("materialize", "--select", "lol"),
    }  # fmt: skip
    with database(postgres_url, ops_template) as url:
        operation = ByCommands(Gamestats(folder / "data"), url, "lol")
        said = {name: operation.does(*command) for name, command in commands.items()}
        story = simulate(planned(matches=MATCHES, first_day=date(2023, 7, 18), days=2, seed=SEED))
        documents = {path.name.partition(".")[0]: read(path)["info"] for path in sorted((files / "matches").iterdir())}
        yield Season(operation, files, said, story, documents)


def read(path: Path) -> Document:
    return json.loads(gzip.decompress(path.read_bytes()))


# ---------------------------------------------------------------------------------------------- once


def test_a_whole_season_goes_through_every_check_and_running_again_does_nothing(
    season: Season,
) -> None:
    operation, said = season.operation, season.said["materialize"]
    (runs, passed, checks) = re.findall(r"(\d+) runs in [\d.]+ s, (\d+) of (\d+) checks passed\.", said)[0]
    assert passed == checks
    assert int(checks) > 80
    assert int(runs) <= 5
    assert "2 days to process: 2023-07-18 to 2023-07-19" in said
    assert operation.stores.lake.scan(quarantine_of("lol")).collect().is_empty()
    assert "Everything is up to date: 2 days landed, processed and published." in operation.materialises()


def test_silver_is_what_the_simulator_tells(season: Season) -> None:
    result = silver(season.story)
    assert len(result) == 8
    for table, expected in result.items():
        found = season.operation.rows(table)
        if table is t.Objectives:
            # Where an event stands in its timeline the story does not know.
            order = ["match_id", "at_s", "objective", "team_id", "number_in_match"]
            found, expected = (each.drop("event_index").sort(order) for each in (found, expected))
        else:
            expected = expected.sort(table.primary_key())
        assert_frame_equal(found.select(expected.columns), expected, abs_tol=1e-9, rel_tol=1e-9)


def test_remakes_bots_and_aram_are_kept_apart(season: Season) -> None:
    operation, documents = season.operation, season.documents
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


def test_postgres_holds_what_the_lake_holds(season: Season) -> None:
    operation = season.operation
    filled = 0
    for table in PUBLISHED:
        expected = operation.rows(table)
        published = read_published(operation.url, table).select(expected.columns).cast(pl.Schema(expected.schema))
        assert_frame_equal(published.sort(table.primary_key()), expected)
        filled += not expected.is_empty()
    assert filled >= 6


# ---------------------------------------------------------------------------------------------- simulate


def test_a_simulation_says_what_it_planted_and_all_of_it_can_be_ingested(season: Season) -> None:
    said = season.said["simulate"]
    assert re.match(rf"{MATCHES} matches with \d\d,\d\d\d events, 2023-07-18 to 2023-07-19, patches 13.13 and ", said)
    assert "Planted: Ezreal (BOTTOM) with Manamune as core item 2: +25 points of wins" in said
    assert "Planted: the first dragon: +15 points of wins" in said
    assert said.count("Planted: ") == 4
    assert f"Next: gamestats ingest lol '{season.folder}'" in said
    assert "{" not in said
    result = json.loads((season.folder.parent / "planted.json").read_text())["effects"]
    assert {(row["kind"], row["patch"]) for row in result} >= {("item", "13.13"), ("objective", "13.14")}
    taken = season.said["ingest"]
    assert f"{2 * MATCHES + 8} files: {2 * MATCHES + 8} taken, 0 known, 0 quarantined." in taken


def test_a_simulation_never_mixes_with_what_is_there(season: Season, tmp_path: Path) -> None:
    refused = season.operation("lol", "simulate", str(season.folder))
    assert refused.exit_code == 2
    assert "is there and not empty; give a new folder." in " ".join(refused.output.replace("│", " ").split())
    few = season.operation("lol", "simulate", str(tmp_path / "few"), "--matches", "2", "--start", "2024-02-29")
    assert "2 matches with" in few.stdout
    assert "2024-02-29" in few.stdout
    assert "Planted" not in few.stdout
    assert sorted(path.name for path in (tmp_path / "few").iterdir()) == ["datadragon", "matches", "timelines"]


# ---------------------------------------------------------------------------------------------- ask


def test_an_answer_is_a_sentence_or_rows(season: Season) -> None:
    question = ("lol", "ask", "--champion", "이즈리얼", "--metric", "dpm", "--items", "Trinity Force,Manamune")
    (row,) = json.loads(season.operation(*question, "--format", "json").stdout)
    assert row["games"] > 5
    said = season.operation(*question).stdout
    assert "dpm of 이즈리얼 in ranked_solo with Trinity Force and Manamune completed" in said
    assert f"{row['games']} games." in said
    assert "Only ranked_solo is used; --queue selects another: aram (" in " ".join(said.split())


def test_everything_that_can_be_asked_for_is_listed(season: Season) -> None:
    listed = json.loads(season.operation("lol", "ask", "--metrics", "--format", "json").stdout)
    result = {row["metric"]: row["description"] for row in listed}
    assert {"win_rate", "dpm", "deaths_per_game", "vision_per_minute", "gold_at_15"} <= result.keys()
    assert all(result.values())


@pytest.mark.parametrize("option", ["--items", "--by"])
def test_an_empty_list_is_refused(season: Season, option: str) -> None:
    failed = season.operation("lol", "ask", "--champion", "Ezreal", option, "")
    assert failed.exit_code == 2
    assert "It is empty" in failed.output


def test_before_anything_is_materialised_it_says_what_to_do(tmp_path: Path) -> None:
    failed = Gamestats(tmp_path)("lol", "ask", "--champion", "Ezreal")
    assert failed.exit_code == 1
    assert "gamestats ingest lol PATH, then gamestats materialize" in " ".join(failed.stderr.split())
    report = Gamestats(tmp_path)("lol", "report", "--out", str(tmp_path / "report.html"))
    assert report.exit_code == 1
    assert "gamestats materialize" in " ".join(report.stderr.split())
    assert not (tmp_path / "report.html").exists()


# ---------------------------------------------------------------------------------------------- report


def test_the_report_is_one_file_about_the_newest_patch(season: Season, tmp_path: Path) -> None:
    out = tmp_path / "patterns.html"
    done = season.operation("lol", "report", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert f"Written: {out}" in done.stdout
    page = out.read_text()
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "13.14" in page
    older = season.operation("lol", "report", "--patch", "13.13", "--champion", "이즈리얼", "--out", str(out))
    assert older.exit_code == 0, older.output
    assert "13.13" in out.read_text()
    assert "Ezreal" in out.read_text()
    failed = season.operation("lol", "report", "--patch", "9.9", "--out", str(out))
    assert failed.exit_code == 1
    assert "13.14" in failed.stderr
    folder = season.operation("lol", "report", "--out", str(tmp_path))
    assert folder.exit_code == 2
    assert "is a folder; give a file" in " ".join(folder.output.replace("│", " ").split())
