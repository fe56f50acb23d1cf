"""The commands around League of Legends' raw files: taken from disks, fetched over real HTTP, players seeded."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gamestats_assets.cli.games.lol import lol_app
from gamestats_assets.cli.lake.fetch import fetch_app
from gamestats_assets.cli.lake.ingest import ingest_app
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.settings import Settings
from gamestats_assets_tests.lol.files import champion, champions, item, items, match_object, timeline
from gamestats_assets_tests.lol.riot.api_server import KEY, Listed, RiotServer

APPS = {"ingest": ingest_app, "fetch": fetch_app, "lol": lol_app}


class Gamestats:
    """The commands of a user with a data folder of their own, a key, and the addresses of a local server."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, server: RiotServer) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch
        for name in list(os.environ):
            if name.startswith(("GAMESTATS_", "RIOT_", "DATA_DRAGON_")):
                monkeypatch.delenv(name)
        self.set(GAMESTATS_DATA=str(folder), RIOT_API_KEY=KEY, RIOT_API_URL=server.template, DATA_DRAGON_URL=server.url)

    def set(self, **variables: str) -> None:
        """Set variables of the environment."""
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def __call__(self, group: str, *arguments: str) -> Result:
        result = CliRunner().invoke(APPS[group], list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert KEY not in result.output
        return result

    @property
    def landing(self) -> Landing:
        return Landing(self.folder / "landing")

    def kinds(self) -> dict[str, int]:
        """Landed files by kind."""
        found: dict[str, int] = {}
        for place in [*self.landing.days("lol"), *self.landing.undated_kinds("lol")]:
            for file in self.landing.files("lol", place):
                found[file.kind] = found.get(file.kind, 0) + 1
        return found


@pytest.fixture
def server() -> Iterator[RiotServer]:
    with RiotServer() as running:
        running.players["ann#na1"] = "puuid-ann"
        for number in range(3):
            match_id = f"NA1_{number}"
            running.add_match(match_id, match_object(match_id), timeline(match_id))
            running.listed["puuid-ann"].insert(0, Listed(match_id, 1_700_000_000 + number * 86_400, 420 + 20 * number))
        running.files["/api/versions.json"] = b'["13.14.1", "13.10.1"]'
        for version in ("13.14.1", "13.10.1"):
            for language in ("en_US", "ko_KR", "de_DE"):
                place = f"/cdn/{version}/data/{language}"
                running.files[f"{place}/item.json"] = items(version, i1001=item(language))
                annie = champion("Annie", 1, language, (5, 5, 5, 3))
                running.files[f"{place}/championFull.json"] = champions(annie, version=version)
        yield running


@pytest.fixture
def gamestats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: RiotServer) -> Gamestats:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Gamestats(tmp_path / "data", monkeypatch, server)


# ---------------------------------------------------------------- ingest lol


def test_a_mixed_folder_is_taken_and_what_is_not_is_told(gamestats: Gamestats) -> None:
    files = {
        "inbox/NA1_47101.json": match_object(),
        "inbox/timelines/NA1_47101.json.gz": gzip.compress(timeline()),
        "inbox/13.14.1/data/ko_KR/item.json": items(),
        "inbox/13.14.1_en_US_championFull.json": champions(),
        "inbox/item.json": items(),
        "inbox/versions.json": b'["13.14.1"]',
    }
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    done = gamestats("ingest", "lol", "inbox")
    assert done.exit_code == 0, done.output
    assert "6 files: 4 taken, 0 known, 2 quarantined." in done.stdout
    assert "inbox/item.json: The item document of version 13.14.1 does not contain its language" in done.stdout
    assert "1 match on 2023-07-14 gained files. Next: gamestats materialize" in done.stdout
    assert "Lists of items or champions came." in done.stdout
    assert 'gamestats query "from lol.quarantine"' in done.stdout
    assert gamestats.kinds() == {
        "match": 1, "timeline": 1, "items_ko_kr": 1, "champions_en_us": 1, "unreadable": 2, "unreadable_reason": 2,
    }  # fmt: skip
    lake = Stores(Settings(data=str(gamestats.folder))).lake
    reasons = lake.scan(quarantine_of("lol")).collect().get_column("reason").to_list()
    assert sorted("item.json" in reason for reason in reasons) == [False, True]
    again = gamestats("ingest", "lol", "inbox", "--all")
    assert "6 files: 0 taken, 4 known, 2 quarantined." in again.stdout
    assert "Next: gamestats materialize" not in again.stdout


# ---------------------------------------------------------------- fetch lol


def test_a_player_s_matches_come_with_the_lists_of_their_patch(gamestats: Gamestats, server: RiotServer) -> None:
    done = gamestats("fetch", "lol", "--player", "Ann#NA1", "--platform", "na1", "--count", "2")
    assert done.exit_code == 0, done.output
    assert "1 player, 2 matches: 2 fetched, 0 known, 0 expired, 0 failed." in done.stdout
    assert "Data Dragon, 1 patch: 4 fetched, 0 known, 0 failed." in done.stdout
    assert gamestats.kinds() == {
        "match": 2, "timeline": 2, "items_en_us": 1, "items_ko_kr": 1, "champions_en_us": 1, "champions_ko_kr": 1,
    }  # fmt: skip
    server.requests.clear()
    again = gamestats("fetch", "lol", "--player", "ann#na1", "--platform", "NA1")
    assert "1 player, 3 matches: 1 fetched, 2 known, 0 expired, 0 failed." in again.stdout
    assert "Data Dragon, 1 patch: 0 fetched, 4 known, 0 failed." in again.stdout
    assert len(server.requests) == 4


def test_options_reach_the_api_and_the_platform_can_be_a_setting(gamestats: Gamestats, server: RiotServer) -> None:
    gamestats.set(RIOT_PLATFORM="kr")
    done = gamestats(
        "fetch", "lol", "--player", "Ann#NA1", "--queue", "440", "--since", "2023-11-15", "--no-data-dragon"
    )
    assert done.exit_code == 0, done.output
    assert "1 player, 1 match: 1 fetched" in done.stdout
    (ids,) = [request for request in server.requests if request.path.endswith("/ids")]
    assert ids.path.startswith("/asia/")
    assert (ids.query["queue"], ids.query["startTime"], ids.query["count"]) == (["440"], ["1700006400"], ["20"])
    assert not any(request.path.startswith(("/cdn", "/api")) for request in server.requests)


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "message"),
    [
        (["--player", "Ann#NA1"], {}, 2, "RIOT_PLATFORM"),
        (["--player", "Ann#NA1", "--platform", "euw"], {}, 1, "There is no platform 'euw'"),
        (["--player", "Ann", "--platform", "na1"], {}, 1, "such as Hide on bush#KR1; found 'Ann'"),
        (["--player", "Ann#NA1", "--platform", "na1"], {"RIOT_API_KEY": ""}, 1, "set RIOT_API_KEY"),
        (["--player", "Ann#NA1", "--platform", "na1"], {"RIOT_API_KEY": "RGAPI-old"}, 1, "create a new one at"),
        (["--player", "Bob#NA1", "--platform", "na1"], {}, 1, "unknown     player Bob#NA1; see the tag after the #"),
        (["--queue", "420"], {}, 2, "go with --player"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    gamestats: Gamestats, arguments: list[str], variables: dict[str, str], code: int, message: str
) -> None:
    gamestats.set(**variables)
    failed = gamestats("fetch", "lol", *arguments)
    assert failed.exit_code == code
    assert message in " ".join(failed.stderr.replace("│", " ").split()) or message in failed.stderr
    assert gamestats.landing.days("lol") == []


# ---------------------------------------------------------------- fetch data-dragon


def test_data_dragon_is_fetched_without_a_key_and_says_what_stands_for_what(
    gamestats: Gamestats, server: RiotServer
) -> None:
    gamestats.set(RIOT_API_KEY="")
    done = gamestats("fetch", "data-dragon", "13.14", "13.12", "--language", "de_DE")
    assert done.exit_code == 0, done.output
    assert "Data Dragon does not list patch 13.12: 13.10.1 (earlier) stands for it." in done.stdout
    assert "Data Dragon, 2 patches: 4 fetched, 0 known, 0 failed." in done.stdout
    assert gamestats.kinds() == {"items_de_de": 2, "champions_de_de": 2}
    broken = gamestats("fetch", "data-dragon", "13.14", "--language", "fr_FR")
    assert broken.exit_code == 1
    assert "the items of version 13.14.1 in fr_FR: there is none" in broken.stderr


@pytest.mark.parametrize("arguments", [["13.14.1"], ["latest"], ["13.14", "--language", "english"]])
def test_what_is_no_patch_or_language_is_refused(gamestats: Gamestats, arguments: list[str]) -> None:
    refused = gamestats("fetch", "data-dragon", *arguments)
    assert refused.exit_code == 2
    assert "such as 13.14" in refused.stderr or "en_US" in refused.stderr


# ---------------------------------------------------------------- lol seed, and the matches of seeded players


def test_seeded_players_are_entered_and_their_new_matches_fetched(
    gamestats: Gamestats, server: RiotServer, ops_database: str
) -> None:
    gamestats.set(GAMESTATS_POSTGRES_URL=ops_database)
    nobody = gamestats("fetch", "lol")
    assert "Nobody is a seeded player" in nobody.stdout
    assert gamestats("lol", "seed", "add", "Ann#NA1").exit_code == 2
    added = gamestats("lol", "seed", "add", "Ann#NA1", "--platform", "na1", "--days", "730")
    assert added.exit_code == 0, added.output
    assert "created   seeded player Ann#NA1 (na1)" in added.stdout
    (row,) = json.loads(gamestats("lol", "seed", "list", "--format", "json").stdout)
    assert (row["riot_id"], row["platform"], row["listed_at"]) == ("Ann#NA1", "na1", None)
    server.listed["puuid-ann"] = [Listed("NA1_0", 2**33), Listed("NA1_1", 0)]
    done = gamestats("fetch", "lol")
    assert done.exit_code == 0, done.output
    assert "1 player, 1 match: 1 fetched" in done.stdout
    assert gamestats.kinds()["items_ko_kr"] == 1
    removed = gamestats("lol", "seed", "remove", "ANN#na1")
    assert "removed   seeded player Ann#NA1 (na1)" in removed.stdout
    assert json.loads(gamestats("lol", "seed", "list", "--format", "json").stdout) == []
    failed = gamestats("lol", "seed", "remove", "Ann#NA1")
    assert (failed.exit_code, "is not a seeded player" in failed.stderr) == (1, True)
    mistaken = gamestats("lol", "seed", "add", "Ann", "--platform", "na1")
    assert (mistaken.exit_code, "such as Hide on bush#KR1" in mistaken.stderr) == (1, True)
