"""The commands around League of Legends over a simulated season: questions, the report, and the simulation itself."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gamestats_assets.lol import simulate as simulator
from gamestats_assets.lol.simulate import silver, simulate
from gamestats_assets.lol.simulate_reference import ITEMS
from gamestats_assets_tests.test_cli import Gamestats, data_folder

MATCHES, SEED = 120, 11
pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Season:
    """A season that was simulated, ingested and materialised by commands.

    Attributes:
        said: output of `simulate`, `ingest` and `materialize`.
        players: participants of ranked matches that count, as the files tell them, with `match_id`, `patch`, `minutes`.
        builds: items they completed, in order, as the simulator tells them: `item_ids` by match and participant.
    """

    gamestats: Gamestats
    folder: Path
    said: dict[str, str]
    players: list[dict[str, Any]]
    builds: dict[tuple[str, int], list[int]]

    def ask(self, *arguments: str) -> list[dict[str, Any]]:
        """The rows of an answer."""
        result = self.gamestats("lol", "ask", *arguments, "--format", "json")
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


@pytest.fixture(scope="session")
def season(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Season]:
    folder = tmp_path_factory.mktemp("lol")
    files, truth = folder / "a season", folder / "planted.json"
    with data_folder() as gamestats:
        commands = {
            "simulate": ("lol", "simulate", str(files), "--matches", str(MATCHES), "--days", "2", "--seed", str(SEED),
                         "--truth", str(truth)),
            "ingest": ("ingest", "lol", str(files)),
            "materialize": ("materialize", "--select", "lol"),
        }  # fmt: skip
        said: dict[str, str] = {}
        for name, command in commands.items():
            result = gamestats(*command)
            assert result.exit_code == 0, result.output
            said[name] = result.output
        story = simulate(simulator.season(matches=MATCHES, first_day=date(2023, 7, 18), days=2, seed=SEED))
        builds: dict[tuple[str, int], list[int]] = {}
        for row in silver(story)["item_builds"].sort("completion").to_dicts():
            builds.setdefault((row["match_id"], row["participant_id"]), []).append(row["item_id"])
        yield Season(gamestats, files, said, _players(files), builds)


def _players(files: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted((files / "matches").iterdir()):
        info = json.loads(gzip.decompress(path.read_bytes()))["info"]
        if info["queueId"] != 420 or info["participants"][0]["gameEndedInEarlySurrender"]:
            continue
        more = {
            "match_id": path.name.partition(".")[0],
            "patch": ".".join(info["gameVersion"].split(".")[:2]),
            "minutes": info["gameDuration"] / 60,
        }
        found += [{**player, **more} for player in info["participants"]]
    return found


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def dpm(player: dict[str, Any]) -> float:
    return player["totalDamageDealtToChampions"] / player["minutes"]


# ---------------------------------------------------------------- simulate


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
    refused = season.gamestats("lol", "simulate", str(season.folder))
    assert refused.exit_code == 2
    assert "is there and not empty; give a new folder." in " ".join(refused.output.replace("│", " ").split())
    few = season.gamestats("lol", "simulate", str(tmp_path / "few"), "--matches", "2", "--start", "2024-02-29")
    assert "2 matches with" in few.stdout
    assert "2024-02-29" in few.stdout
    assert "Planted" not in few.stdout
    assert sorted(path.name for path in (tmp_path / "few").iterdir()) == ["datadragon", "matches", "timelines"]


# ---------------------------------------------------------------- ask


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
    said = season.gamestats("lol", "ask", *question, "Trinity Force,Manamune").stdout
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
    listed = json.loads(season.gamestats("lol", "ask", "--metrics", "--format", "json").stdout)
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
    failed = season.gamestats("lol", "ask", *arguments)
    assert failed.exit_code == 1, failed.output
    assert told in " ".join(failed.stderr.split())
    assert failed.stdout == ""


@pytest.mark.parametrize("option", ["--items", "--by"])
def test_an_empty_list_is_refused(season: Season, option: str) -> None:
    failed = season.gamestats("lol", "ask", "--champion", "Ezreal", option, "")
    assert failed.exit_code == 2
    assert "It is empty" in failed.output


def test_groups_are_told_in_percent(season: Season) -> None:
    said = season.gamestats("lol", "ask", "--champion", "Ezreal", "--by", "patch").stdout
    (row,) = [row for row in season.ask("--champion", "Ezreal", "--by", "patch") if row["patch"] == "13.14"]
    assert f"{100 * row['win_rate']:.1f}%" in said
    assert f"{row['win_rate']:.10g}" not in said


def test_a_condition_that_no_game_meets_is_said(season: Season) -> None:
    told = season.gamestats("lol", "ask", "--champion", "Ezreal", "--where", "kills > 500")
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


# ---------------------------------------------------------------- report


def test_the_report_is_one_file_about_the_newest_patch(season: Season, tmp_path: Path) -> None:
    out = tmp_path / "patterns.html"
    done = season.gamestats("lol", "report", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert f"Written: {out}" in done.stdout
    page = out.read_text()
    assert page.lstrip().lower().startswith("<!doctype html")
    assert "13.14" in page
    older = season.gamestats("lol", "report", "--patch", "13.13", "--champion", "이즈리얼", "--out", str(out))
    assert older.exit_code == 0, older.output
    assert "13.13" in out.read_text()
    assert "Ezreal" in out.read_text()
    failed = season.gamestats("lol", "report", "--patch", "9.9", "--out", str(out))
    assert failed.exit_code == 1
    assert "13.14" in failed.stderr
    folder = season.gamestats("lol", "report", "--out", str(tmp_path))
    assert folder.exit_code == 2
    assert "is a folder; give a file" in " ".join(folder.output.replace("│", " ").split())
