"""Real and simulated matches from files to PostgreSQL, and a player who is forgotten, by the commands of a user."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.runs.instance import dagster_instance
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.assets import BY_PLAYER
from gamestats_assets.rocket_league.players.identities import FORGOTTEN, FORGOTTEN_NAME
from gamestats_assets.rocket_league.privacy.erasure import player_columns, traces
from gamestats_assets.rocket_league.replays.track_format import read_header
from gamestats_assets.rocket_league.tables.rows import RL_PLAYER
from gamestats_assets.simulators.rocket_league.players import Planted, Player
from gamestats_assets.simulators.rocket_league.seasons import Season, simulate_season, write_season
from gamestats_assets_tests.cli.runner import Admin, Gamestats, replaced_environment
from gamestats_assets_tests.rocket_league.replays.opened import opened
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.support.operations import ByCommands
from gamestats_assets_tests.support.postgres_fixture import database
from gamestats_assets_tests.support.published import read_published

PLAYLIST = "ranked-doubles"
OF_PLAYERS = tuple(real_files.made_by(function) for function in BY_PLAYER)
REAL_PLAYER = "epic_14d2c197a569431cbd227f56203b852e"
"""Who plays in the real match of two against two."""
REAL_NAME, CALLED = "Quantavious1234", "quanta"
"""What the player is called in the match, and as a user."""
TEXTS = [REAL_PLAYER, REAL_PLAYER.partition("_")[2], REAL_NAME, CALLED]
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def season() -> Season:
    """A season of two days, about a month's end, in which one player is bad at saves and another average."""
    return simulate_season(
        seed=11,
        players=40,
        matches=90,
        first_day=date(2026, 1, 31),
        days=2,
        playlists=[PLAYLIST],
        tiers=(13, 13),
        planted=[Planted("Sieve", tier=13, skills={"saves": -4.0}, matches=40), Planted("Quiet", tier=13, matches=10)],
    )


@pytest.fixture(scope="module")
def processed(
    season: Season, realdata: Path, tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str
) -> Iterator[tuple[ByCommands, str]]:
    """Both kinds of matches ingested, players tracked, everything materialised and published; and what that said."""
    folder = tmp_path_factory.mktemp("season")
    write_season(folder, season)
    with database(postgres_url, ops_template) as url:
        operation = ByCommands(Gamestats(tmp_path_factory.mktemp("processed") / "data"), url, "rocket_league")
        operation.does("ingest", "rocket-league", str(folder), *map(str, real_files.paths(realdata, *real_files.PAIRS)))
        (folder.parent / "holiday.replay").write_bytes(b"no replay at all")
        assert operation("ingest", "rocket-league", str(folder.parent / "holiday.replay")).exit_code == 1
        sieve, quiet = (player.player_id.replace("_", ":", 1) for player in season.players[:2])
        operation.does("rocket-league", "track", sieve, "--consent", "--name", "Sieve", "--keep-days", "36500")
        operation.does("rocket-league", "track", quiet)
        real = REAL_PLAYER.replace("_", ":", 1)
        operation.does("rocket-league", "track", real, "--consent", "--name", CALLED, "--keep-days", "36500")
        operation.does("rocket-league", "rank", CALLED, PLAYLIST, "champion-1")
        operation.does("rocket-league", "train", CALLED, "--skill", "saves", "--minutes", "20")
        yield operation, operation.materialises()


@pytest.fixture(scope="module")
def sieve(season: Season) -> Player:
    return season.players[0]


def test_everything_goes_through_every_check_and_running_again_does_nothing(processed: tuple[ByCommands, str]) -> None:
    operation, said = processed
    (passed, checks) = re.findall(r"(\d+) of (\d+) checks passed\.", said)[-1]
    assert passed == checks
    assert int(checks) > 80
    # What nobody could read is told by the first step, and stays told.
    kept = operation.stores.lake.scan(quarantine_of("rocket_league")).collect()
    assert kept["destination"].to_list() == ["landing@unreadable"]
    again = operation.materialises()
    assert "Everything is up to date" in again, again


def test_every_match_is_there_with_everybody_who_played(processed: tuple[ByCommands, str], season: Season) -> None:
    operation, _ = processed
    players = {player.player_id for player in season.players}
    facts = operation.rows(t.MatchFacts)
    assert dict(facts.group_by("is_simulated", "has_frames").len().select("is_simulated", "len").rows()) == {
        True: 90,
        False: 2,
    }
    features = operation.rows(t.PlayerMatchFeatures)
    counted = Counter(features.filter("is_simulated")["player_id"])
    told = Counter(
        f"{who['id']['platform']}_{who['id']['id']}".lower()
        for match in season.matches
        for team in ("blue", "orange")
        for who in match[team]["players"]
    )
    assert counted == told
    assert counted.keys() <= players
    assert features.filter(~pl.col("is_simulated")).height == 10
    assert (features.filter(~pl.col("is_simulated"))["stats_source"] == "replay").all()
    assert operation.rows(t.Touches)["match_id"].n_unique() == 2


def test_simulated_and_real_are_apart_in_every_table(processed: tuple[ByCommands, str], season: Season) -> None:
    operation, _ = processed
    players = {player.player_id for player in season.players}
    labelled = [table for table in t.ALL if {"is_simulated", "player_id"} <= {*table.column_names()}]
    assert len(labelled) >= 10
    filled = 0
    for table in labelled:
        kinds = {*operation.rows(table).select("player_id", "is_simulated").rows()}
        assert {who for who, is_simulated in kinds if is_simulated} <= players, table
        assert not {who for who, is_simulated in kinds if not is_simulated} & players, table
        filled += len({is_simulated for _, is_simulated in kinds}) == 2
    assert filled >= 6
    others = operation.rows(t.PlayerComparison).filter("is_simulated")["other_player_id"]
    assert {*others} <= players
    # Ten players are no cohort.
    assert operation.rows(t.RankCohorts)["is_simulated"].all()


def test_matches_with_a_replay_can_be_watched(processed: tuple[ByCommands, str]) -> None:
    operation, _ = processed
    tracks, moments = operation.rows(t.ReplayTracks), operation.rows(t.ReplayMoments)
    has_frames = {*operation.rows(t.MatchFacts).filter("has_frames")["match_id"]}
    assert {*tracks["match_id"]} == {*moments["match_id"]} == {*operation.rows(t.ReplayFrames)["match_id"]}
    assert {*tracks["match_id"]} <= has_frames
    names = read_header(tracks.filter(pl.col("players") == 6)["track"][0])["players"]
    of_match = operation.rows(t.Participants).filter(pl.col("match_id").is_in([*has_frames]))
    assert [each["name"] for each in names] == [
        *of_match.filter(pl.col("player_id").n_unique().over("match_id") == 6).sort("team", "player_id")["player_name"]
    ]


def test_who_agreed_has_tables_and_who_did_not_has_none(processed: tuple[ByCommands, str], season: Season) -> None:
    operation, _ = processed
    sieve, quiet = (player.player_id for player in season.players[:2])
    for table in OF_PLAYERS:
        rows = operation.rows(table)
        assert {*rows["player_id"]} <= {sieve, REAL_PLAYER}, table
    assert {*operation.rows(t.TrackedPlayers)["player_id"]} == {sieve, REAL_PLAYER}
    for table in (t.Users, t.Matches, t.PlayerStats, t.Weaknesses, t.RankPredictions):
        assert {*operation.rows(table)["player_id"]} == {sieve, REAL_PLAYER}, table
    for table in (t.TrainingRecommendations, t.PlayerComparison):
        assert {*operation.rows(table)["player_id"]} == {sieve}, table
    assert {*operation.rows(t.PlayerMistakes)["player_id"]} == {REAL_PLAYER}, "the only one with a replay"
    assert operation.rows(t.Moments)["player_id"].n_unique() > 1
    assert {*operation.rows(t.TrainingProgress)["player_id"]} <= {REAL_PLAYER}, "who alone trained"
    assert quiet in {*operation.rows(t.PlayerMatchFeatures)["player_id"]}


def test_the_planted_weakness_is_found_and_packs_for_it_are_named(
    processed: tuple[ByCommands, str], sieve: Player
) -> None:
    operation, _ = processed
    weak = {row["skill"]: row for row in operation.rows(t.Weaknesses).filter(player_id=sieve.player_id).to_dicts()}
    assert {skill for skill, row in weak.items() if row["is_weakness"]} == {"saves"}
    assert weak["saves"]["percentile"] < 15
    assert weak["saves"]["state"] == "measured"
    named = operation.rows(t.TrainingRecommendations).filter(player_id=sieve.player_id).sort("rank")
    assert named["skill"][0] == "saves"
    (user,) = operation.rows(t.Users).filter(player_id=sieve.player_id).to_dicts()
    assert (user["username"], user["current_rank_tier"], user["is_simulated"]) == ("Sieve", 13, True)
    # Of a player with one match nothing is measured, and it is said why.
    real = operation.rows(t.Weaknesses).filter(player_id=REAL_PLAYER)
    assert (real["state"] == "refused").all()
    assert real["reason"].null_count() == 0


def test_postgres_holds_what_the_lake_holds_in_its_months(processed: tuple[ByCommands, str], sieve: Player) -> None:
    operation, _ = processed
    filled = 0
    for table in (each for each in t.ALL if each.spec.published):
        expected = operation.rows(table)
        published = read_published(operation.url, table, objects=operation.stores.objects)
        published = published.select(expected.columns).cast(pl.Schema(expected.schema))
        if table is t.Matches:
            # PostgreSQL keeps what a document says, not how it is written.
            said, expected_said = (
                [json.loads(text) for text in frame.sort(table.primary_key())["replay_data"]]
                for frame in (published, expected)
            )
            assert said == expected_said
            published, expected = published.drop("replay_data"), expected.drop("replay_data")
        assert_frame_equal(published.sort(table.primary_key()), expected)
        filled += not expected.is_empty()
    assert filled >= 9
    stats = operation.rows(t.PlayerStats).filter(player_id=sieve.player_id)
    with psycopg.connect(operation.url) as connection:
        sums = connection.execute(
            "SELECT count(*), sum((replay_data ->> 'saves')::int) FROM rocket_league.matches WHERE player_id = %s",
            [sieve.player_id],
        ).fetchone()
    own = operation.rows(t.Matches).filter(player_id=sieve.player_id)["replay_data"]
    assert sums == (len(own), sum(json.loads(text).get("saves", 0) for text in own))
    months = Counter(f"{at:%Y%m}" for at in stats["time"])
    assert len(months) == 2
    with psycopg.connect(operation.url) as connection:
        held = connection.execute(
            "SELECT tableoid::regclass::text, to_char(min(time) AT TIME ZONE 'UTC', 'YYYYMM'),"
            " to_char(max(time) AT TIME ZONE 'UTC', 'YYYYMM'), count(*) FROM rocket_league.player_stats"
            " WHERE player_id = %s GROUP BY 1",
            [sieve.player_id],
        ).fetchall()
    assert {first: count for _, first, _, count in held} == months
    assert all(first == last for _, first, last, _ in held)
    assert len({name for name, *_ in held}) == 2


def held(stores: Stores, table: type[Table]) -> pl.DataFrame:
    """Rows of a table by match: the player called as nobody is, so that what is of others can be compared."""
    frame, names = stores.lake.scan(table).collect(), player_columns(table)
    nobody = {
        each: "nobody"
        for name in names
        for each in frame[name].unique().drop_nulls()
        if each == REAL_PLAYER or each.startswith(FORGOTTEN)
    }
    frame = frame.with_columns(pl.col(names).replace(nobody)) if names else frame
    # The name, and what the player chose, are hidden in the player's own rows.
    return frame.sort([*table.primary_key(), *names])


def expect_everything_exported(admin: Admin, written: str) -> None:
    """The player takes the own rows along, and nobody else's."""
    found = admin.does("rocket-league", "export", CALLED)
    assert f"{REAL_PLAYER}.zip" in found
    with zipfile.ZipFile(f"{REAL_PLAYER}.zip") as archive:
        assert json.loads(archive.read("entry.json"))["player_id"] == REAL_PLAYER
        assert pl.read_csv(archive.read("tables/participants.csv"))["player_id"].to_list() == [REAL_PLAYER]
    assert "is a folder" in admin.fails("rocket-league", "export", written, "--out", ".", code=2)
    Path(f"{REAL_PLAYER}.zip").unlink()


def track_of_two(stores: Stores) -> bytes:
    """The published track of the match of two against two."""
    tracks = read_published(stores.postgres_url, t.ReplayTracks, objects=stores.objects)
    (track,) = tracks.filter(pl.col("players") == 4)["track"]
    return track


def expect_the_track_without_the_name(stores: Stores, before: bytes) -> None:
    """The match can be watched as before: all that moves is the same, and one of those who move is nobody."""
    track = track_of_two(stores)
    assert len(stores.objects.list("rocket_league")) == 2
    was, now = opened(before), opened(track)
    names = [player["name"] for player in was.header["players"]]
    masked = [FORGOTTEN_NAME if name == REAL_NAME else name for name in names]
    now_names = [player["name"] for player in now.header["players"]]
    assert sorted(now_names) == sorted(masked)
    assert [now.players[now_names.index(name)] for name in masked] == was.players
    assert (now.ball, now.time_ms) == (was.ball, was.time_ms)
    assert now.header["players"][now_names.index(FORGOTTEN_NAME)] == {
        "name": FORGOTTEN_NAME, "team": "blue", "car_id": None, "hitbox": "octane", "camera": None,
    }  # fmt: skip


def test_a_tracked_player_takes_everything_along_and_is_forgotten_everywhere(
    processed: tuple[ByCommands, str],
    season: Season,
    realdata: Path,
    tmp_path: Path,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with processed[0].copied(tmp_path / "data", postgres_url) as operation:
        expect_forgotten_everywhere(
            Admin(tmp_path / "data", operation.url),
            operation.stores,
            [str(path) for path in real_files.paths(realdata, real_files.PAIRS[0])],
            *(player.player_id for player in season.players[:2]),
        )


def expect_forgotten_everywhere(admin: Admin, stores: Stores, files: list[str], sieve: str, quiet: str) -> None:
    """The player is forgotten by a command: nothing is left, others lose nothing, and files bring nothing back."""
    written = REAL_PLAYER.replace("_", ":", 1)
    places = traces(stores, TEXTS)
    for part in ("landing: rocket_league/2026-03-10/", "lake: rocket_league/replay_frames/match_date=",
                 "lake: rocket_league/users/player_id=", "lake: rocket_league/touches/match_date=",
                 "lake: rocket_league/users/_delta_log/", "PostgreSQL: ops.rl_players",
                 "PostgreSQL: rocket_league.users", "PostgreSQL: rocket_league.player_stats_2026_03",
                 "PostgreSQL: rocket_league.published_partitions", "PostgreSQL: dagster.dynamic_partitions",
                 "PostgreSQL: dagster.event_logs", "objects: rocket_league/replay_tracks/2026-03-10/"):  # fmt: skip
        assert any(place.startswith(part) for place in places), part
    by_match = [table for table in t.ALL if table.spec.partitioned_by == "match_date" and table is not t.ReplayTracks]
    watched = track_of_two(stores)
    before = {table: held(stores, table) for table in by_match}
    assert all(before[table].height for table in by_match)
    of_other = read_published(stores.postgres_url, t.Users, [sieve])
    expect_everything_exported(admin, written)

    assert "give --yes" in admin.fails("rocket-league", "forget", written, code=2)
    assert {row["player_id"] for row in admin.lists("rocket-league", "players")} == {REAL_PLAYER, sieve, quiet}
    found = admin.does("rocket-league", "forget", written, "--yes")
    assert f"Forgotten: masked in 1 match; nothing is found of {REAL_PLAYER} any more." in found
    assert traces(stores, TEXTS) == []
    for table in by_match:
        after = held(stores, table)
        own = pl.col("player_id") == "nobody" if "player_id" in after.columns else pl.lit(False)
        kept = [name for name in after.columns if name not in ("title", "replay_id", "ballchasing_id")]
        assert_frame_equal(after.filter(~own.fill_null(False)).select(kept),
                           before[table].filter(~own.fill_null(False)).select(kept), check_exact=True)  # fmt: skip
        assert after.height == before[table].height
    expect_the_track_without_the_name(stores, watched)
    own = stores.lake.scan(t.Participants).filter(pl.col("player_id").str.starts_with(FORGOTTEN)).collect()
    assert own["player_name"].to_list() == [FORGOTTEN_NAME]
    assert not own["has_account"].any()
    assert {*stores.lake.scan(t.PlayerProfiles).collect()["player_id"]} & {*own["player_id"]} == set()
    assert read_published(stores.postgres_url, t.Users).equals(of_other)
    environment = Gamestats(Path(stores.settings.data)).environment({"GAMESTATS_POSTGRES_URL": admin.url})
    with replaced_environment(environment), dagster_instance(stores) as instance:
        assert instance.get_dynamic_partitions(RL_PLAYER) == [sieve]
    with psycopg.connect(admin.url) as conn:
        assert conn.execute("SELECT DISTINCT player_id FROM rocket_league.player_stats").fetchall() == [(sieve,)]
    assert {row["player_id"] for row in admin.lists("rocket-league", "players")} == {sieve, quiet}

    # The match is there, and the files that name the player add nothing to it.
    again = admin("ingest", "rocket-league", *files)
    assert "2 files: 0 taken, 2 known, 0 quarantined." in again.output
    assert "forgotten on request and stands masked" in again.output
    assert "forgotten on request" in admin.fails("rocket-league", "track", written)
    assert "Nothing is held on" in admin.fails("rocket-league", "forget", "steam:1", "--yes")
    assert "Nothing is held on" in admin.fails("rocket-league", "export", "steam:1")
    admin.does("materialize", "--select", "rocket_league")
    assert traces(stores, TEXTS) == []
