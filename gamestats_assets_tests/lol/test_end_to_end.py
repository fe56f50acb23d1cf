"""A simulated season from files to PostgreSQL, by the commands of a user, against its own word and plain counting."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import mean
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.assets import BY_PATCH
from gamestats_assets.simulators.lol.reference import ITEMS
from gamestats_assets.simulators.lol.seasons import season as planned
from gamestats_assets.simulators.lol.seasons import simulate, write_season
from gamestats_assets.simulators.lol.story import Story
from gamestats_assets_tests.cli.runner import Gamestats
from gamestats_assets_tests.lol.silver import silver
from gamestats_assets_tests.support.operations import ByCommands
from gamestats_assets_tests.support.postgres_fixture import database
from gamestats_assets_tests.support.published import read_published

MATCHES, SEED = 120, 11
KINDS = ("matches", "timelines")
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
        players: participants of ranked matches that count, as the files tell them, with `match_id`, `patch`, `minutes`.
        builds: items they completed, in order, as the simulator tells them: `item_ids` by match and participant.
    """

    operation: ByCommands
    folder: Path
    said: dict[str, str]
    story: Story
    documents: dict[str, Document]
    players: list[dict[str, Any]]
    builds: dict[tuple[str, int], list[int]]

    def ask(self, *arguments: str) -> list[dict[str, Any]]:
        """The rows of an answer."""
        result = self.operation("lol", "ask", *arguments, "--format", "json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def of(self, champion: str, *items: int) -> list[dict[str, Any]]:
        """Players of a champion who completed items."""
        return [
            player
            for player in self.players
            if player["championName"] == champion
            and {*items} <= {*self.builds.get((player["match_id"], player["participantId"]), ())}
        ]


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
        builds: dict[tuple[str, int], list[int]] = {}
        for row in silver(story)[t.ItemBuilds].sort("completion").to_dicts():
            builds.setdefault((row["match_id"], row["participant_id"]), []).append(row["item_id"])
        yield Season(operation, files, said, story, documents, _players(documents), builds)


def _players(documents: Mapping[str, Document]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for match_id, info in documents.items():
        if info["queueId"] != 420 or info["participants"][0]["gameEndedInEarlySurrender"]:
            continue
        patch = ".".join(info["gameVersion"].split(".")[:2])
        more = {"match_id": match_id, "patch": patch, "minutes": info["gameDuration"] / 60}
        found += [{**player, **more} for player in info["participants"]]
    return found


@pytest.fixture
def copy(season: Season, tmp_path: Path, postgres_url: str) -> Iterator[ByCommands]:
    """The same, to go on with."""
    with season.operation.copied(tmp_path / "data", postgres_url) as operation:
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
    told = silver(season.story)
    assert len(told) == 8
    for table, expected in told.items():
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


def test_statistics_count_the_games_of_the_files(season: Season) -> None:
    operation, documents = season.operation, season.documents
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
        frames = read(season.folder / "timelines" / f"{match}.json.gz")["info"]["frames"]
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
    completed = operation.rows(t.ItemBuilds).filter(core_order=1).sort("completion")
    # What an item turns into later has its place in the order too.
    bought = completed.group_by("match_id", "participant_id").agg(pl.col("item_id").first()).rows()
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


def test_postgres_holds_what_the_lake_holds(season: Season) -> None:
    operation = season.operation
    filled = 0
    for table in PUBLISHED:
        expected = operation.rows(table)
        published = read_published(operation.url, table).select(expected.columns).cast(pl.Schema(expected.schema))
        assert_frame_equal(published.sort(table.primary_key()), expected)
        filled += not expected.is_empty()
    assert filled >= 6


# ---------------------------------------------------------------------------------------------- and then


def test_of_a_list_that_comes_later_matches_of_its_patch_are_made_again_and_names_are_others(
    copy: ByCommands, season: Season, tmp_path: Path
) -> None:
    patch_of = dict(copy.rows(t.Matches).select("match_id", "patch").rows())
    day_of = dict(copy.rows(t.Matches).select("match_id", pl.col("match_date").cast(pl.String)).rows())
    assert {(day_of[match], patch_of[match]) for match in day_of} >= {(FIRST, "13.13"), (SECOND, "13.14")}

    # One more match, of the second day, and a newer list of the first patch, in which an item is called otherwise.
    write_season(tmp_path / "more", matches=6, days=2, seed=8)
    new = sorted((tmp_path / "more" / "matches").iterdir())[-1].name
    match_id = new.partition(".")[0]
    document = read(season.folder / "datadragon" / "13.13.1_en_US_item.json.gz")
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


# ---------------------------------------------------------------------------------------------- simulate


def test_a_simulation_says_what_it_planted_and_all_of_it_can_be_ingested(season: Season) -> None:
    said = season.said["simulate"]
    assert re.match(rf"{MATCHES} matches with \d\d,\d\d\d events, 2023-07-18 to 2023-07-19, patches 13.13 and ", said)
    assert "Planted: Ezreal (BOTTOM) with Manamune as core item 2: +25 points of wins" in said
    assert "Planted: the first dragon: +15 points of wins" in said
    assert said.count("Planted: ") == 4
    assert f"Next: gamestats ingest lol '{season.folder}'" in said
    assert "{" not in said
    told = json.loads((season.folder.parent / "planted.json").read_text())["effects"]
    assert {(row["kind"], row["patch"]) for row in told} >= {("item", "13.13"), ("objective", "13.14")}
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


def dpm(player: dict[str, Any]) -> float:
    return player["totalDamageDealtToChampions"] / player["minutes"]


def test_a_champion_s_numbers_are_those_of_the_files(season: Season) -> None:
    ezreal = season.of("Ezreal")
    (rate,) = season.ask("--champion", "Ezreal")
    assert (rate["games"], rate["win_rate"]) == (len(ezreal), pytest.approx(mean([each["win"] for each in ezreal])))
    assert rate["low"] < rate["win_rate"] < rate["high"]
    (damage,) = season.ask("--champion", "이즈리얼", "--metric", "dpm", "--position", "bot")
    in_lane = [each for each in ezreal if each["teamPosition"] == "BOTTOM"]
    assert len(in_lane) < len(ezreal) or len({each["teamPosition"] for each in ezreal}) == 1
    assert damage["games"] == len(in_lane)
    assert damage["dpm"] == pytest.approx(mean([dpm(each) for each in in_lane]))
    by_patch = season.ask("--champion", "ezreal", "--metric", "kills_per_game", "--by", "patch")
    assert {row["patch"]: row["games"] for row in by_patch} == {
        patch: sum(each["patch"] == patch for each in ezreal) for patch in ("13.13", "13.14")
    }
    for row in by_patch:
        kills = [each["kills"] for each in ezreal if each["patch"] == row["patch"]]
        assert row["kills_per_game"] == pytest.approx(mean(kills))


def test_items_in_english_and_korean_are_compared_with_games_that_came_as_far(season: Season) -> None:
    has = season.of("Ezreal", 3078, 3004)
    assert len(has) > 5
    question = ("--champion", "Ezreal", "--metric", "dpm", "--items")
    (row,) = season.ask(*question, "Trinity Force,Manamune")
    assert (row["games"], row["dpm"]) == (len(has), pytest.approx(mean([dpm(each) for each in has])))
    assert row["naive_effect"] == pytest.approx(row["compared"] - row["baseline"])
    assert 0 < row["compared_games"] <= row["games"]
    assert row["queue_group"] == "ranked_solo"
    assert 20 <= row["baseline_games"] <= len(season.of("Ezreal"))
    korean = f"{ITEMS[3078].name_ko},{ITEMS[3004].name_ko}"
    (same,) = season.ask("--champion", "이즈리얼", "--metric", "dpm", "--items", korean)
    assert same.pop("queue_group") == row.pop("queue_group")
    assert same == pytest.approx(row, rel=1e-9)
    said = season.operation("lol", "ask", *question, "Trinity Force,Manamune").stdout
    assert "dpm of Ezreal in ranked_solo with Trinity Force and Manamune completed" in said
    assert f"{len(has)} games." in said
    assert "95% interval" in said
    assert "Baseline: " in said
    assert "Only ranked_solo is looked at; --queue asks for another: aram (" in " ".join(said.split())


def test_the_order_of_items_counts_where_it_is_asked_for(season: Season) -> None:
    both = season.of("Ezreal", 3078, 3004)
    builds = [season.builds[each["match_id"], each["participantId"]] for each in both]
    first = sum(items.index(3078) < items.index(3004) for items in builds)
    assert 0 < first < len(both)
    question = ("--champion", "Ezreal", "--order", "--items")
    assert [row["games"] for row in season.ask(*question, "Trinity Force,Manamune")] == [first]
    assert [row["games"] for row in season.ask(*question, "Manamune,Trinity Force")] == [len(both) - first]


def test_conditions_are_joined_by_and_or_and_not(season: Season) -> None:
    ahri = season.of("Ahri")
    (row,) = season.ask("--champion", "Ahri", "--where", "kills > 5 and not deaths >= 7 or position = 'TOP'")
    wanted = [each for each in ahri if (each["kills"] > 5 and each["deaths"] < 7) or each["teamPosition"] == "TOP"]
    assert (row["games"], row["win_rate"]) == (len(wanted), pytest.approx(mean([each["win"] for each in wanted])))
    (row,) = season.ask("--where", "champion = '아리' and completed('Luden\\'s Tempest')".replace("\\'", "''"))
    luden = next(item.item_id for item in ITEMS.values() if item.name == "Luden's Tempest")
    assert row["games"] == len(season.of("Ahri", luden))


def test_everything_that_can_be_asked_for_is_listed(season: Season) -> None:
    listed = json.loads(season.operation("lol", "ask", "--metrics", "--format", "json").stdout)
    told = {row["metric"]: row["description"] for row in listed}
    assert {"win_rate", "dpm", "deaths_per_game", "vision_per_minute", "gold_at_15"} <= told.keys()
    assert all(told.values())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--champion", "Ezrael"], "Did you mean Ezreal"),
        (["--champion", "이즈리"], "Did you mean 이즈리얼?"),
        (["--items", "Trinty Force"], "Did you mean Trinity Force?"),
        (["--metric", "dmp"], "There is no metric 'dmp'. Did you mean dpm"),
        (["--by", "patsh"], "There is no column 'patsh' to group by. Did you mean patch?"),
        (["--position", "jungler"], "There is no position 'jungler'. Did you mean JUNGLE?"),
        (["--where", "kils > 3"], "kills"),
        (["--where", "kills >"], "cannot be read"),
        (["--where", "completed('Trinty Force')"], "Did you mean Trinity Force?"),
        (["--items", "Sheen"], "nobody completes it"),
        (["--patch", "9.9"], "There are patches 13.13, 13.14"),
    ],
)
def test_what_is_misspelt_gets_a_suggestion(season: Season, arguments: list[str], told: str) -> None:
    failed = season.operation("lol", "ask", *arguments)
    assert failed.exit_code == 1, failed.output
    assert told in " ".join(failed.stderr.split())
    assert failed.stdout == ""


@pytest.mark.parametrize("option", ["--items", "--by"])
def test_an_empty_list_is_refused(season: Season, option: str) -> None:
    failed = season.operation("lol", "ask", "--champion", "Ezreal", option, "")
    assert failed.exit_code == 2
    assert "It is empty" in failed.output


def test_groups_are_told_in_percent(season: Season) -> None:
    said = season.operation("lol", "ask", "--champion", "Ezreal", "--by", "patch").stdout
    (row,) = [row for row in season.ask("--champion", "Ezreal", "--by", "patch") if row["patch"] == "13.14"]
    assert f"{100 * row['win_rate']:.1f}%" in said
    assert f"{row['win_rate']:.10g}" not in said


def test_a_condition_that_no_game_meets_is_said(season: Season) -> None:
    told = season.operation("lol", "ask", "--champion", "Ezreal", "--where", "kills > 500")
    assert told.exit_code == 0
    assert f"None of {len(season.of('Ezreal'))} games meets the conditions." in told.stdout


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
