"""Real and simulated matches from files to PostgreSQL, by the commands of a user."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.assets import BY_PLAYER
from gamestats_assets.rocket_league.replays.track_format import read_header
from gamestats_assets.simulators.rocket_league.players import Planted, Player
from gamestats_assets.simulators.rocket_league.seasons import Season, simulate_season, write_season
from gamestats_assets_tests.cli.runner import Gamestats
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.support.operations import ByCommands
from gamestats_assets_tests.support.postgres_fixture import database
from gamestats_assets_tests.support.published import read_published

PLAYLIST = "ranked-doubles"
OF_PLAYERS = tuple(real_files.made_by(function) for function in BY_PLAYER)
REAL_PLAYER = "steam_76561198385053346"
"""Who plays in the real match of three against three."""
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
        operation.does("rocket-league", "track", real, "--consent", "--keep-days", "36500")
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
    # Nobody trained.
    assert operation.rows(t.TrainingProgress).is_empty()
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
