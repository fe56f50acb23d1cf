"""The commands around Rocket League: files taken, players tracked, ranks and training entered, packs searched."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.rocket_league.analysis.training_packs import training_packs
from gamestats_assets_tests.cli.runner import Admin, Gamestats
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.ballchasing_server import TOKEN, BallchasingServer, details

HAWK = "steam:76561198385053346"
HAWKS_ID = "steam_76561198385053346"


# ---------------------------------------------------------------- files


def test_simulated_matches_are_ingested_by_the_command_that_is_named(gamestats: Gamestats) -> None:
    done = gamestats("rocket-league", "simulate", "a season", "--matches", "30", "--players", "40", "--days", "3")
    assert done.exit_code == 0, done.output
    assert "30 matches of 40 players: a season" in done.stdout
    assert "Next: gamestats ingest rocket-league 'a season'" in done.stdout
    files = sorted(Path("a season").iterdir())
    # It names one whom to track: nobody is in more of the files.
    (named,) = re.findall(
        r"Played most \((\d+) matches\): gamestats rocket-league track \w+:(\S+) --consent", done.stdout
    )
    times = Counter(
        player["id"]["id"]
        for match in (json.loads(file.read_bytes()) for file in files)
        for player in (*match["blue"]["players"], *match["orange"]["players"])
    )
    assert int(named[0]) == times[named[1]] == max(times.values())
    assert len(files) == 30
    assert all(json.loads(file.read_bytes())["gamestats_simulated"] is True for file in files)
    taken = gamestats("ingest", "rocket-league", "a season")
    assert taken.exit_code == 0, taken.output
    assert "30 files: 30 taken, 0 known, 0 quarantined." in taken.stdout
    days = {json.loads(file.read_bytes())["date"][:10] for file in files}
    assert f"30 matches on {min(days)} to {max(days)} gained files." in taken.stdout
    again = gamestats("ingest", "rocket-league", "a season")
    assert "30 files: 0 taken, 30 known, 0 quarantined." in again.stdout
    refused = gamestats("rocket-league", "simulate", "a season")
    assert refused.exit_code == 2
    assert "is there and not empty" in " ".join(refused.stderr.split())


def test_what_is_neither_replay_nor_json_is_kept_and_explained(gamestats: Gamestats) -> None:
    Path("holiday.replay").write_bytes(b"not a replay at all")
    output = gamestats("ingest", "rocket-league", "holiday.replay")
    assert output.exit_code == 1
    assert "quarantined unreadable holiday.replay: Neither a replay nor whole JSON" in " ".join(output.output.split())


# ---------------------------------------------------------------- players


def test_a_player_is_tracked_agrees_and_is_listed(admin: Admin) -> None:
    output = admin.does("rocket-league", "track", HAWK, "--name", "Hawk", "--keep-days", "365")
    assert output.startswith(f"created   player {HAWKS_ID}")
    [row] = admin.lists("rocket-league", "players")
    assert (row["player_id"], row["username"], row["retention_days"]) == (HAWKS_ID, "Hawk", 365)
    assert row["consented_at"] is None
    assert "consented_at" in admin.does("rocket-league", "track", HAWK, "--consent")
    [row] = admin.lists("rocket-league", "players")
    assert row["consented_at"] is not None
    assert row["username"] == "Hawk"
    assert "is_active yes -> no" in admin.does("rocket-league", "untrack", "hawk")


def test_who_did_not_agree_is_told_of_before_anything_is_made(admin: Admin, tmp_path: Path) -> None:
    output = admin("rocket-league", "track", HAWK, "--name", "Hawk")
    assert "gamestats neither looks for replays nor builds tables" in " ".join(output.stderr.split())
    page = str(tmp_path / "report.html")
    assert f"{HAWKS_ID} has not agreed" in admin.fails("rocket-league", "report", "hawk", "--out", page)
    admin.does("rocket-league", "track", HAWK, "--consent", "--name", "Falcon")
    # By the name of now, though no table has it yet.
    assert f"The tables of {HAWKS_ID} do not exist yet" in admin.fails(
        "rocket-league", "report", "falcon", "--out", page
    )
    assert "Hawk is no tracked player" in admin.fails("rocket-league", "report", "Hawk", "--out", page)
    assert not Path(page).exists()


def test_an_address_is_kept_encrypted_and_shown_nowhere(tmp_path: Path, ops_database: str) -> None:
    key = Fernet.generate_key().decode()
    admin = Admin(tmp_path / "data", ops_database)
    output = admin("rocket-league", "track", HAWK, "--email", "hawk@example.org", GAMESTATS_ENCRYPTION_KEY=key)
    assert output.exit_code == 0, output.output
    assert "hawk@example.org" not in output.output
    with connect(SecretStr(ops_database)) as conn:
        [stored] = conn.execute("SELECT email_encrypted FROM ops.rl_players").fetchall()
    assert "hawk" not in stored[0]
    assert Fernet(key).decrypt(stored[0].encode()) == b"hawk@example.org"
    assert "email" not in admin.does("rocket-league", "players", "--format", "csv").splitlines()[0]


def test_an_address_is_asked_for_and_stands_on_no_command_line(tmp_path: Path, ops_database: str) -> None:
    key = Fernet.generate_key().decode()
    output = Admin(tmp_path / "data", ops_database)(
        "rocket-league", "track", HAWK, "--email", "-", typed="hawk@example.org\n", GAMESTATS_ENCRYPTION_KEY=key
    )
    assert output.exit_code == 0, output.output
    with connect(SecretStr(ops_database)) as conn:
        [stored] = conn.execute("SELECT email_encrypted FROM ops.rl_players").fetchall()
    assert Fernet(key).decrypt(stored[0].encode()) == b"hawk@example.org"


def test_ranks_and_training_are_entered_by_name(admin: Admin) -> None:
    admin.does("rocket-league", "track", HAWK, "--name", "Hawk", "--consent")
    assert "Champion II" in admin.does(
        "rocket-league", "rank", "Hawk", "ranked-doubles", "champion-2", "--division", "3"
    )
    assert "tier 17 -> 16" in admin.does(
        "rocket-league", "rank", "Hawk", "ranked-doubles", "champion-1", "--division", "3"
    )
    pack = training_packs().filter(category="saves").row(0, named=True)
    options = ("--pack", pack["code"].lower(), "--minutes", "20", "--attempts", "50", "--successes", "31")
    assert "saves" in admin.does("rocket-league", "train", "Hawk", *options, "--at", "2026-03-14T18:30")
    admin.does("rocket-league", "train", "Hawk", "--skill", "aerials", "--minutes", "0.5", "--at", "2026-03-15")
    sessions = admin.lists("rocket-league", "sessions", "Hawk")
    assert [(row["skill"], row["code"], row["duration_s"]) for row in sessions] == [
        ("aerials", None, 30),
        ("saves", pack["code"], 1200),
    ]
    assert "removed" in admin.does("rocket-league", "sessions", "--remove", str(sessions[0]["training_session_id"]))
    assert len(admin.lists("rocket-league", "sessions")) == 1


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("track", "Hawk"), "write the platform and the account"),
        (("track", "gamecube:1"), "'gamecube' is no platform"),
        (("rank", "Nobody", "ranked-doubles", "champion-2"), "Nobody is no tracked player"),
        (("train", "Nobody", "--skill", "saves", "--minutes", "5"), "Nobody is no tracked player"),
        (("untrack", HAWK), "is no tracked player"),
        (("export", "Nobody"), "Nobody is no tracked player"),
        (("forget", "Nobody", "--yes"), "Nobody is no tracked player"),
        (("export", "gamecube:1"), "'gamecube' is no platform"),
    ],
)
def test_a_mistake_is_explained_without_a_traceback(admin: Admin, arguments: tuple[str, ...], output: str) -> None:
    refused = admin("rocket-league", *arguments)
    assert refused.exit_code == 1
    assert output in " ".join(refused.output.split())
    assert "Traceback" not in refused.output


# ---------------------------------------------------------------- packs


def packs(gamestats: Gamestats, *arguments: str) -> list[dict[str, Any]]:
    found = gamestats("rocket-league", "packs", *arguments, "--format", "json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_the_examples_of_the_help_find_packs(gamestats: Gamestats) -> None:
    shown = gamestats("rocket-league", "packs", "--help").output
    examples = [shlex.split(each) for each in re.findall(r"gamestats rocket-league packs (-[^\n]+|\w[^\n]+)", shown)]
    assert len(examples) == 2
    assert all(packs(gamestats, *each) for each in examples)


def test_packs_are_searched_by_category_difficulty_and_words(gamestats: Gamestats) -> None:
    everything = packs(gamestats)
    assert len(everything) == training_packs().height
    saves = packs(gamestats, "--category", "saves", "--difficulty", "3-5")
    assert saves
    assert {row["code"] for row in saves} == {
        row["code"] for row in everything if row["category"] == "saves" and 3 <= row["difficulty"] <= 5
    }
    words = packs(gamestats, "backboard")
    assert all("backboard" in json.dumps(row).lower() for row in words)
    assert {row["difficulty"] for row in packs(gamestats, "--difficulty", "7")} == {7}
    none = gamestats("rocket-league", "packs", "kickoff", "--tag", "backboards", "--format", "csv")
    assert none.exit_code == 0
    assert "is like that. Tags, the most frequent first: " in " ".join(none.stderr.split())
    assert {tag for row in everything for tag in row["tags"]} <= {*re.split(r"[\s,]+", none.stderr)}
    wrong = gamestats("rocket-league", "packs", "--category", "savs")
    assert wrong.exit_code == 1
    assert "saves" in wrong.output
    assert gamestats("rocket-league", "packs", "--difficulty", "hard").exit_code == 2


# ---------------------------------------------------------------- ballchasing


def test_replays_of_tracked_players_are_fetched_once(admin: Admin) -> None:
    with BallchasingServer() as server:
        yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
        for number in (1, 2):
            server.add(details(number, date=yesterday, created=yesterday, player="76561198385053346"))
        settings = {"BALLCHASING_API_KEY": TOKEN, "BALLCHASING_API_URL": server.url}
        nobody = admin("fetch", "rocket-league", **settings)
        assert "Nobody is tracked" in nobody.output
        admin.does("rocket-league", "track", HAWK, "--consent", "--days", "7")
        output = admin("fetch", "rocket-league", **settings)
        assert output.exit_code == 0, output.output
        assert "1 player, 2 matches: 2 fetched, 0 known" in output.output
        assert TOKEN not in output.output
        assert "Next: gamestats materialize" in output.output
        again = admin("fetch", "rocket-league", **settings)
        assert "1 player, 0 matches" in again.output
    without = admin("fetch", "rocket-league")
    assert without.exit_code == 1
    assert "BALLCHASING_API_KEY" in without.output


def test_replays_are_uploaded_and_what_ballchasing_tells_of_them_is_wanted(
    admin: Admin, realdata: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "replays"
    folder.mkdir()
    for number, pair in enumerate(real_files.PAIRS):
        shutil.copy(real_files.paths(realdata, pair)[-1], folder / f"{number}.replay")
    (folder / "notes.txt").write_text("mine")
    (folder / "broken.replay").write_bytes(b"nothing")
    with BallchasingServer() as server:
        settings = {"BALLCHASING_API_KEY": TOKEN, "BALLCHASING_API_URL": server.url}
        output = admin("rocket-league", "upload", str(folder), **settings)
        assert output.exit_code == 1
        assert "3 replays: 2 uploaded, 1 not uploaded." in output.output
        assert "broken.replay: Neither a replay" in " ".join(output.stderr.split())
        assert {kept.sent for kept in server.replays.values()} == {
            (f"{number}.replay", "private", "") for number in range(2)
        }
        again = admin("rocket-league", "upload", str(folder / "0.replay"), **settings)
        assert again.exit_code == 0, again.output
        assert "1 replay: 1 known." in again.output
        with connect(SecretStr(admin.url)) as conn:
            wanted = conn.execute("SELECT ballchasing_id FROM ops.rl_replays_found WHERE state = 'wanted'").fetchall()
        assert {replay_id for (replay_id,) in wanted} == {*server.replays}
    refused = admin("rocket-league", "upload", str(folder))
    assert refused.exit_code == 1
    assert "BALLCHASING_API_KEY" in refused.output
