"""The sensors in the order in which the daemon asks them: files, entries and players become runs, each once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from gamestats_assets.lakehouse.entries.ops import entering, migrate
from gamestats_assets.orchestration import run_requests
from gamestats_assets.orchestration.runs.sensor import KIND_TAG, SENSOR
from gamestats_assets.rocket_league import sensors
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.players import entered
from gamestats_assets.rocket_league.source import ingest
from gamestats_assets.simulators.rocket_league.seasons import simulate_season, write_season
from gamestats_assets_tests.rocket_league.support.ballchasing_server import TOKEN, BallchasingServer
from gamestats_assets_tests.support.operations import BySensors, names
from gamestats_assets_tests.support.published import read_published

WHOLE, DAY, PLAYER = "", "day", "rl_player"
FIRST, SECOND = "2026-01-05", "2026-01-06"
NOW = datetime.now(UTC)
pytestmark = pytest.mark.timeout(240)


class Operation(BySensors):
    """The game's part of the code location."""

    game = "rocket_league"

    def ingest(self, *paths: Path) -> None:
        """Take files, all of which can be read."""
        assert ingest([*paths], self.stores.landing).quarantined == 0

    def track(self, player_id: str, **given: Any) -> None:
        """Track a player."""
        migrate(self.stores.postgres_url)
        with entering(self.stores.postgres_url, "ada") as conn:
            told = {"retention_days": 36_500, **given}
            entered.PLAYER.take(conn, player_id.replace("_", ":", 1), context=entered.Custody(now=NOW), **told)

    def asks(self, kind: str) -> list[dg.RunRequest]:
        """What is asked for of a kind of partitions, once what comes before is done."""
        while requests := self.tick(SENSOR):
            if requests[0].tags[KIND_TAG] == kind:
                return requests
            for request in requests:
                self.run(request)
            self.an_hour_passes()
        return []

    def settles(self) -> Counter[str]:
        """Everything that is asked for is done, until nothing is; how many runs of each kind of partitions."""
        asked: Counter[str] = Counter()
        for _ in range(12):
            self.an_hour_passes()
            requests = self.tick(SENSOR)
            if not requests:
                return asked
            for request in requests:
                self.run(request)
                asked[request.tags[KIND_TAG]] += 1
        raise AssertionError(f"It does not settle: {asked}")


def days(request: dg.RunRequest) -> list[str]:
    """Days that a request is for."""
    return request.tags.get(run_requests.PARTITIONS_TAG, str(request.partition_key)).split(",")


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Matches of four players on two days, by time."""
    season = simulate_season(
        seed=3, players=4, matches=6, first_day=date(2026, 1, 5), days=2, playlists=["ranked-doubles"]
    )
    return write_season(tmp_path_factory.mktemp("season"), season)


@pytest.fixture
def operation(tmp_path: Path, ops_database: str) -> Iterator[Operation]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Operation(tmp_path, ops_database, instance)


def of_day(paths: list[Path], day: str) -> list[Path]:
    return [path for path in paths if json.loads(path.read_bytes())["date"].startswith(day)]


def everybody(path: Path) -> list[str]:
    match = json.loads(path.read_bytes())
    ids = [player["id"] for team in ("blue", "orange") for player in match[team]["players"]]
    return [f"{each['platform']}_{each['id']}".lower() for each in ids]


def test_files_and_entries_become_tables_and_what_is_taken_back_leaves(
    operation: Operation, season: list[Path]
) -> None:
    first, second = of_day(season, FIRST)[:1], of_day(season, SECOND)[:2]
    assert len(second) == 2
    operation.ingest(*first, *second[1:])
    players = short, unwilling = everybody(second[0])[:2]
    for player in players:
        operation.track(player, consents=True)

    (entered,) = operation.tick(SENSOR)
    assert entered.tags[KIND_TAG] == WHOLE
    assert {f"rocket_league.{name}" for name in ("rl_players", "rl_ranks", "training_sessions")} <= names(entered)
    assert operation.tick(SENSOR) == [], "what was asked for is on its way"
    operation.run(entered)
    (request,) = operation.asks(DAY)
    assert days(request) == [FIRST, SECOND]
    whole_way = {
        "raw_replays", "raw_player_stats", "replay_frames", "replay_events", "replay_figures", "match_facts", "touches",
        "player_match_stats", "player_match_features",
    }  # fmt: skip
    assert {f"rocket_league.{name}" for name in whole_way} <= names(request)
    assert "postgres.rocket_league.player_match_features" in names(request)
    assert not {name for name in names(request) if "users" in name or "cohorts" in name}
    operation.run(request)
    assert operation.rows(t.PlayerMatchFeatures)["match_id"].n_unique() == 2

    assert operation.settles().keys() == {WHOLE, PLAYER}
    published = read_published(operation.stores.postgres_url, t.Matches)
    played = operation.rows(t.Participants).select("player_id", "match_id").filter(pl.col("player_id").is_in(players))
    assert {*published.select("player_id", "match_id").rows()} == {*played.rows()}

    # One player is kept for a day, and another takes the consent back.
    operation.track(short, retention_days=1)
    operation.track(unwilling, consents=False)
    assert operation.settles().keys() == {WHOLE, DAY, PLAYER}
    assert dict(operation.rows(t.Retention).select("player_id", "kept_from").rows())[short] > date(2026, 1, 6)
    # The matches stay, and so does everybody else in them.
    left = {*operation.rows(t.Participants)["player_id"]}
    assert {*everybody(second[0])} - left == {short}
    assert operation.rows(t.MatchFacts).height == 2
    for table in (t.Matches, t.PlayerStats, t.Weaknesses):
        assert operation.rows(table).is_empty(), table
        assert read_published(operation.stores.postgres_url, table).is_empty(), table
    assert {*read_published(operation.stores.postgres_url, t.Users)["player_id"]} == {short}

    # What a lost cursor forgets is not made again.
    operation.cursors.clear()
    assert operation.settles() == {}

    # One more file of the second day asks for that day alone.
    operation.ingest(second[0])
    (again,) = operation.tick(SENSOR)
    assert (again.tags[KIND_TAG], days(again)) == (DAY, [SECOND])


# ---------------------------------------------------------------------------------------------- ballchasing


def test_without_a_key_the_look_says_so_and_everything_else_works(operation: Operation, season: list[Path]) -> None:
    operation.track(everybody(season[0])[0])
    assert operation.tick(sensors.PLAYERS_SENSOR) == []
    assert operation.said.startswith("BALLCHASING_API_KEY is not set")
    assert "work without it" in operation.said
    operation.ingest(season[0])
    assert len(operation.asks(DAY)) == 1


def test_replays_of_tracked_players_are_looked_for_and_fetched_for_their_days(
    tmp_path: Path, ops_database: str, season: list[Path]
) -> None:
    match = json.loads(season[0].read_bytes())
    with BallchasingServer() as server, dg.DagsterInstance.ephemeral() as instance:
        server.add(match | {"status": "ok", "created": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"})
        operation = Operation(
            tmp_path, ops_database, instance, ballchasing_api_key=TOKEN, ballchasing_api_url=server.url
        )
        assert operation.tick(sensors.PLAYERS_SENSOR) == []
        assert "0 players" in operation.said
        # All that was played since.
        age = (NOW.date() - date(2026, 1, 1)).days + 1
        operation.track(everybody(season[0])[0], days=min(age, 3650), consents=True)
        (fetching,) = operation.tick(sensors.PLAYERS_SENSOR)
        config = fetching.run_config["ops"]["fetch_rocket_league_replays"]["config"]
        assert config == {"ballchasing_ids": [match["id"]]}
        operation.run(fetching, sensors.ARCHIVE_JOB)
        assert operation.tick(sensors.PLAYERS_SENSOR) == [], "asked less than ten minutes ago, and all is here"
        (day,) = operation.asks(DAY)
        assert days(day) == [match["date"][:10]]
