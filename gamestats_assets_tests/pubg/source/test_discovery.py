"""Discovery over real HTTP and a real PostgreSQL: each match once, whoever finds it, whatever goes wrong.

How outcomes of fetches become states and waits, and how limits are shared, is tested with the shared register and
limits.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gamestats_assets.apis.limits import SharedLimits, Window
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.runs import polling
from gamestats_assets.pubg import sensors
from gamestats_assets.pubg.source import discovery
from gamestats_assets.pubg.source.api import MatchFetch, PubgApi, RateLimitedError, learn_limit, limit_in_force
from gamestats_assets.pubg.source.discovery import Asked
from gamestats_assets.settings import Settings
from gamestats_assets_tests.pubg.api_server import Answer, ApiServer

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
PLAYERS = "/shards/steam/players"


@pytest.fixture
def url(ops_database: str) -> SecretStr:
    return SecretStr(ops_database)


def execute(url: SecretStr, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
        cursor = conn.execute(statement, parameters)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def state(url: SecretStr) -> dict[str, tuple[str, list[str], str]]:
    """Match id to (first finder, the others, state)."""
    rows = execute(url, "SELECT match_id, discovered_by, also_seen_by, state FROM ops.matches_discovered")
    return {row[0]: row[1:] for row in rows}


# --------------------------------------------------------------------------- the plan


@given(limit=st.integers(1, 100), teams=st.integers(0, 400), tracked=st.integers(0, 5000))
def test_the_plan_never_asks_for_more_than_the_limit(limit: int, teams: int, tracked: int) -> None:
    plan = discovery.plan(limit=limit, teams=teams, tracked=tracked)
    a_minute = plan.tournament_calls * 60 / plan.tournament_every_s
    assert a_minute <= max(limit - 1, 1)
    if limit > 1:
        assert a_minute + plan.tracked_calls * 60 / plan.tracked_every_s <= limit
    assert plan.tournament_calls * 10 >= teams * plan.members
    assert plan.tracked_calls * 10 >= tracked
    assert (plan.tournament_every_s >= 60, plan.tracked_every_s >= 600) == (True, True)


def test_two_members_of_sixteen_teams_fit_and_a_hundred_teams_are_asked_for_less_often() -> None:
    few, many = (discovery.plan(limit=10, teams=teams, tracked=30) for teams in (16, 128))
    assert (few.members, few.tournament_calls, few.tournament_every_s) == (2, 4, 60)
    assert (many.members, many.tournament_calls, many.tournament_every_s) == (1, 13, 120)


def test_members_asked_longest_ago_are_next_and_teams_wait_for_their_turn() -> None:
    roster = [Asked("steam", f"account.{n}", f"p{n}", team_id=n // 4) for n in range(8)]
    first = discovery.members_due(roster, 2, NOW)
    assert [player.player_name for player in first] == ["p0", "p1", "p4", "p5"]
    later = [replace(player, asked_at=NOW) if player in first else player for player in roster]
    ordered = sorted(later, key=lambda player: player.asked_at is not None)
    assert discovery.members_due(ordered, 2, NOW - timedelta(seconds=1)) == []
    assert [player.player_name for player in discovery.members_due(ordered, 2, NOW)] == ["p2", "p3", "p6", "p7"]


def test_requests_ask_for_ten_players_of_one_shard_by_account_or_by_name() -> None:
    players = [Asked("steam", f"account.{n}", f"p{n}") for n in range(12)]
    players += [Asked("kakao", None, "x"), Asked("steam", None, "y"), players[0]]
    sizes = sorted((group[0].shard, group[0].account_id is None, len(group)) for group in discovery.batches(players))
    assert sizes == [("kakao", True, 1), ("steam", False, 2), ("steam", False, 10), ("steam", True, 1)]


# --------------------------------------------------------------------------- the limit


def taken(limits: SharedLimits, requests: int = 10) -> int:
    """How many requests of the next twenty may be sent at once."""
    for number in range(20):
        try:
            limits.acquire({"pubg": [Window(requests, 60)]})
        except RateLimitedError:
            return number
    return 20


def test_a_limit_counts_as_set_until_the_api_reports_its_own(url: SecretStr) -> None:
    limits = SharedLimits(url, patience=0)
    learn_limit(limits, {}, time.time(), refused=True)
    assert taken(limits, 15) == 0, "a refusal holds for everybody"
    execute(url, "UPDATE ops.api_limits SET blocked_until = NULL")
    assert (taken(limits, 15), limit_in_force(url, 15)) == (15, 15)
    learn_limit(limits, {"X-RateLimit-Limit": "17", "X-RateLimit-Remaining": "2"}, time.time())
    assert (taken(limits, 15), limit_in_force(url, 15)) == (2, 17)


@pytest.mark.parametrize(("first", "second"), [("tournament", "tracked_players"), ("tracked_players", "tournament")])
def test_neither_finder_takes_the_others_share(url: SecretStr, first: str, second: str) -> None:
    plan = discovery.plan(limit=10, teams=32, tracked=50)
    leave = {"tournament": 1, "tracked_players": plan.reserved}
    limits = {caller: SharedLimits(url, caller=caller, patience=0).leaving(kept) for caller, kept in leave.items()}
    counts = {first: taken(limits[first]), second: taken(limits[second])}
    assert sum(counts.values()) == 10
    assert counts["tracked_players"] == (3 if first == "tracked_players" else 1)


# --------------------------------------------------------------------------- the register


def test_the_first_finder_has_the_match_and_the_second_is_noted(url: SecretStr) -> None:
    assert discovery.register(url, "steam", ["b", "a", "a"], "tracked_players") == ["a", "b"]
    assert discovery.register(url, "steam", ["a", "c"], "tournament") == ["c"]
    assert discovery.register(url, "steam", ["a", "c"], "tournament") == []
    assert state(url) == {
        "a": ("tracked_players", ["tournament"], "wanted"),
        "b": ("tracked_players", [], "wanted"),
        "c": ("tournament", [], "wanted"),
    }
    assert execute(url, "SELECT priority FROM ops.matches_discovered WHERE match_id = 'a'") == [("high",)]


def test_two_pipelines_at_once_register_each_match_once(url: SecretStr) -> None:
    ids = [f"m{number}" for number in range(60)]

    def find(finder: discovery.Finder) -> list[str]:
        return discovery.register(url, "steam", ids if finder == "tournament" else ids[::-1], finder)

    with ThreadPoolExecutor(8) as pool:
        new = [match for found in pool.map(find, ["tournament", "tracked_players"] * 4) for match in found]
    assert sorted(new) == sorted(ids)
    assert all({first, *others} == {"tournament", "tracked_players"} for first, others, _ in state(url).values())


# --------------------------------------------------------------------------- the sensors


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


@pytest.fixture
def stores(tmp_path: Path, url: SecretStr, server: ApiServer) -> Stores:
    return Stores(
        Settings(data=str(tmp_path), postgres_url=url, pubg_api_key=SecretStr("key"), pubg_api_url=server.url)
    )


def player_list(**matches: list[str]) -> Answer:
    resources = [
        {
            "type": "player",
            "id": f"account.{name}",
            "attributes": {"name": name, "shardId": "steam"},
            "relationships": {"matches": {"data": [{"type": "match", "id": match} for match in found]}},
        }
        for name, found in matches.items()
    ]
    return Answer(body=json.dumps({"data": resources}).encode())


def track(url: SecretStr, *names: str) -> None:
    execute(
        url,
        "INSERT INTO ops.tracked_players (account_id, player_name, shard) "
        "SELECT 'account.' || lower(name), name, 'steam' FROM unnest(%s::text[]) AS name",
        [[*names]],
    )


def tick(sensor: dg.SensorDefinition, stores: Stores, instance: dg.DagsterInstance) -> Any:
    return sensor(dg.build_sensor_context(instance=instance, resources={"stores": stores}))


def time_passes(url: SecretStr, minutes: float) -> None:
    """Everything that was polled and registered happened so much earlier."""
    ago = {"ago": timedelta(minutes=minutes)}
    execute(
        url,
        "WITH polls AS (UPDATE ops.pubg_polls SET asked_at = asked_at - %(ago)s) "
        "UPDATE ops.matches_discovered SET next_at = next_at - %(ago)s, found_at = found_at - %(ago)s",
        ago,
    )


def asked_for(server: ApiServer) -> list[str]:
    """The first player of every request."""
    values = [next(iter(request.query.values()))[0] for request in server.asked(PLAYERS)]
    return [value.split(",")[0] for value in values]


def requested(result: Any) -> list[str]:
    return sorted(
        match
        for request in result.run_requests or []
        for match in request.run_config["ops"]["archive_matches"]["config"]["match_ids"]
    )


def test_a_tick_registers_and_requests_each_match_once(stores: Stores, server: ApiServer, url: SecretStr) -> None:
    track(url, "Ann", "Bob")
    server.answer(PLAYERS, player_list(Ann=["m1", "m2"], Bob=["m2"]))
    discovery.register(url, "steam", ["m0"], "tracked_players")  # by a tick that died then
    sensor = sensors.tracked_player_matches()
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(sensor, stores, instance)
        assert requested(first) == ["m0", "m1", "m2"]
        assert {request.tags["dagster/priority"] for request in first.run_requests} == {"0"}
        run = dg.DagsterRun(job_name=sensors.ARCHIVE_JOB, tags=first.run_requests[0].tags)
        instance.add_run(run)
        assert requested(tick(sensor, stores, instance)) == [], "the run is on its way"
        assert len(server.asked(PLAYERS)) == 1
        time_passes(url, 10)
        tick(sensor, stores, instance)
    assert len(server.asked(PLAYERS)) == 2


def schedule(url: SecretStr, at: datetime, teams: int = 2) -> None:
    """A season with one division, one round and one slot."""
    season = execute(
        url, "INSERT INTO ops.seasons (season, name, time_zone) VALUES ('s', 'S', 'UTC') RETURNING season_id"
    )[0][0]
    division = execute(
        url, "INSERT INTO ops.divisions (season_id, division) VALUES (%s, 'D') RETURNING division_id", [season]
    )[0][0]
    execute(
        url,
        """WITH added AS (
               INSERT INTO ops.teams (division_id, team_name)
               SELECT %s, 'T' || team FROM generate_series(0, %s) AS team RETURNING team_id, team_name
           )
           INSERT INTO ops.roster_entries (team_id, account_id, player_name, valid_from)
           SELECT team_id, 'account.' || lower(team_name) || 'p' || player, team_name || 'P' || player, '2026-01-01'
           FROM added, generate_series(0, 3) AS player ORDER BY team_id, player""",
        [division, teams - 1],
    )
    round_id = execute(
        url,
        "INSERT INTO ops.rounds (division_id, round_number, round_name, first_day, last_day) "
        "VALUES (%s, 1, 'R', %s, %s) RETURNING round_id",
        [division, at.date(), at.date()],
    )[0][0]
    execute(
        url,
        "INSERT INTO ops.scheduled_matches (round_id, match_number, scheduled_at) VALUES (%s, 1, %s)",
        [round_id, at],
    )


def test_teams_are_asked_for_only_while_a_match_may_be_played(url: SecretStr) -> None:
    schedule(url, NOW)
    found = {minute: len(discovery.playing(url, NOW + timedelta(minutes=minute))) for minute in (-46, -44, 0, 104, 106)}
    assert found == {-46: 0, -44: 8, 0: 8, 104: 8, 106: 0}


def test_the_tournament_pipeline_asks_at_high_priority(stores: Stores, server: ApiServer, url: SecretStr) -> None:
    schedule(url, datetime.now(UTC))
    server.answer(PLAYERS, player_list(A=["m1"]))
    with dg.DagsterInstance.ephemeral() as instance:
        result = tick(sensors.tournament_matches_found(), stores, instance)
    assert requested(result) == ["m1"]
    assert result.run_requests[0].tags["dagster/priority"] == "10"
    (request,) = server.asked(PLAYERS)
    assert request.query["filter[playerIds]"][0].count("account.") == 4, "two members of each team"


def test_a_tournament_finder_passes_over_public_matches_until_somebody_tracked_plays(
    stores: Stores, server: ApiServer, url: SecretStr, client: Callable[[str], PubgApi], realdata: Path
) -> None:
    real = next(iter(sorted((realdata / "pubg" / "matches").rglob("*.json"))))
    match = json.loads(real.read_text())
    match_id = match["data"]["id"]
    for included in match["included"]:
        if included["type"] == "asset":
            included["attributes"]["URL"] = f"{server.url}/telemetry"
    server.answer(f"/shards/steam/matches/{match_id}", Answer(body=json.dumps(match).encode()))
    server.answer("/telemetry", Answer(403))
    discovery.register(url, "steam", [match_id], "tournament")
    assert [m.status for m in discovery.archive(url, client, [match_id])] == ["passed_over"]
    assert stores.landing.days("pubg") == []
    assert state(url)[match_id] == ("tournament", [], "passed_over")
    discovery.register(url, "steam", [match_id], "tracked_players")
    assert state(url)[match_id][2] == "wanted"
    assert [m.status for m in discovery.archive(url, client, [match_id])] == ["expired"]
    assert state(url)[match_id][2] == "expired"
    assert len(stores.landing.days("pubg")) == 1


# --------------------------------------------------------------------------- matches that cannot be had at once


@pytest.fixture
def client(stores: Stores, server: ApiServer) -> Callable[[str], PubgApi]:
    return lambda shard: PubgApi(None, stores.landing, base_url=server.url, shard=shard, attempts=1)


def whole_match(server: ApiServer, realdata: Path) -> str:
    """The real match of the real telemetry, served; its id. The match object is another's, under its id."""
    (telemetry,) = (realdata / "pubg" / "telemetry").glob("*.json.gz")
    match_id = "c2fb5093-866c-4d6d-96bf-7abf755094af"
    match = json.loads((realdata / "pubg" / "matches" / "2026-04_squad.json").read_text())
    match["data"]["id"] = match_id
    for included in match["included"]:
        if included["type"] == "asset":
            included["attributes"]["URL"] = f"{server.url}/telemetry"
    server.answer(f"/shards/steam/matches/{match_id}", Answer(body=json.dumps(match).encode()))
    server.answer("/telemetry", Answer(body=telemetry.read_bytes()))
    return match_id


def archived_in_time(url: SecretStr, client: Callable[[str], PubgApi], minutes: int, every: int = 1) -> list[int]:
    """Archives as the sensor and its runs would, every minute; the minutes in which something was fetched."""
    tried = []
    for minute in range(0, minutes, every):
        if pending := discovery.MATCHES.pending(url, priority="normal"):
            tried.append(minute)
            discovery.archive(url, client, [match.match_id for match in pending])
        time_passes(url, every)
    return tried


@pytest.mark.parametrize("down", ["matches", "telemetry"])
def test_an_outage_delays_the_archive_and_loses_nothing(
    server: ApiServer, url: SecretStr, client: Callable[[str], PubgApi], realdata: Path, down: str
) -> None:
    match_id = whole_match(server, realdata)
    path = "/telemetry" if down == "telemetry" else f"/shards/steam/matches/{match_id}"
    good = server.replaced(path, Answer(503))
    discovery.register(url, "steam", [match_id], "tracked_players")
    tried = archived_in_time(url, client, 60)
    waits = [later - earlier for earlier, later in pairwise(tried)]
    assert (waits[0], waits) == (2, sorted(waits)), "later and later"
    assert waits[-1] in (10, 11), "up to ten minutes"
    assert execute(url, "SELECT state, attempts, last_error LIKE '%%503%%' FROM ops.matches_discovered") == [
        ("wanted", 0, True)
    ]
    server.replaced(path, *good)
    archived_in_time(url, client, 10)
    assert state(url)[match_id][2] == "archived"


def test_what_cannot_be_had_is_given_up_and_taken_up_again_by_another_finder(
    server: ApiServer, url: SecretStr, client: Callable[[str], PubgApi]
) -> None:
    server.answer("/shards/steam/matches/m1", Answer(418))
    discovery.register(url, "steam", ["m1", "gone"], "tracked_players")
    assert archived_in_time(url, client, 400, every=4) == [0, 4, 20, 84, 340]
    assert {match_id: row[2] for match_id, row in state(url).items()} == {"m1": "failed", "gone": "expired"}
    assert len(server.asked("/shards/steam/matches/gone")) == 1
    discovery.register(url, "steam", ["m1"], "tournament")
    assert state(url)["m1"] == ("tracked_players", ["tournament"], "wanted")


def test_a_match_that_a_tracked_player_was_in_meanwhile_is_not_passed_over(url: SecretStr) -> None:
    discovery.register(url, "steam", ["m1"], "tournament")
    discovery.register(url, "steam", ["m1"], "tracked_players")
    discovery.record_outcomes(url, [MatchFetch("m1", "passed_over")])
    assert state(url) == {"m1": ("tournament", ["tracked_players"], "wanted")}


def test_a_tournament_over_the_whole_limit_leaves_a_request_a_minute(
    stores: Stores, server: ApiServer, url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_PATIENCE_S", 0.0)
    stores = Stores(stores.settings.model_copy(update={"pubg_requests_per_minute": 3}))
    schedule(url, datetime.now(UTC), teams=30)
    track(url, "Ann")
    server.answer(PLAYERS, player_list(Ann=[]))
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            tick(sensors.tournament_matches_found(), stores, instance)
        assert len(server.asked(PLAYERS)) == 2
        tick(sensors.tracked_player_matches(), stores, instance)
    assert asked_for(server)[2:] == ["account.ann"]


def test_the_plan_counts_requests_as_they_are_sent(url: SecretStr) -> None:
    track(url, *(f"P{n}" for n in range(5)))
    for shard in ("steam", "kakao"):
        execute(url, "INSERT INTO ops.tracked_players (player_name, shard) VALUES ('Nobody', %s)", [shard])
    schedule(url, NOW, teams=10)
    execute(url, "UPDATE ops.roster_entries SET account_id = NULL WHERE player_name LIKE '%%P0'")
    plan = discovery.current_plan(url, NOW, limit=10)
    assert (plan.tracked, plan.tracked_calls) == (7, 3), "steam by account, steam by name, kakao by name"
    playing = discovery.playing(url, NOW)
    turns = [discovery.members_due(playing[turn:] + playing[:turn], 2, NOW) for turn in range(4)]
    most = max(len(discovery.batches(turn)) for turn in turns)
    assert (plan.members, plan.tournament_calls) == (2, 3)
    assert most <= plan.tournament_calls
    fuller = discovery.current_plan(url, NOW, limit=10, teams=20)
    assert (fuller.teams, fuller.tournament_calls) == (20, 5)


# --------------------------------------------------------------------------- ticks in trouble


@pytest.mark.parametrize(
    ("status", "ticks"),
    [
        pytest.param(400, [["account.p00", "account.p10", "account.p20"], []], id="what one group met is its own"),
        pytest.param(503, [["account.p00"], ["account.p10", "account.p20"]], id="an API that is down ends the tick"),
        pytest.param(429, [["account.p00"], []], id="a refusal holds for the next tick too"),
    ],
)
def test_a_group_in_trouble_holds_up_no_other(
    stores: Stores,
    server: ApiServer,
    url: SecretStr,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    ticks: list[list[str]],
) -> None:
    monkeypatch.setattr(polling, "_PATIENCE_S", 0.0)
    track(url, *(f"P{n:02}" for n in range(25)))
    discovery.register(url, "steam", ["waiting"], "tracked_players")
    server.answer(PLAYERS, Answer(status), player_list(P10=["m1"]), player_list(P20=["m2"]))
    asked: list[list[str]] = []
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in ticks:
            result = tick(sensors.tracked_player_matches(), stores, instance)
            asked.append(asked_for(server)[sum(map(len, asked)) :])
            assert "waiting" in requested(result)
    assert asked == ticks
    assert set(state(url)) == {"waiting"} | ({"m1", "m2"} if status != 429 else set())


def test_a_name_that_no_request_can_hold_holds_up_nobody(stores: Stores, server: ApiServer, url: SecretStr) -> None:
    # One who was entered before names were held to this.
    execute(url, "ALTER TABLE ops.tracked_players DROP CONSTRAINT IF EXISTS tracked_players_name_without_comma")
    execute(url, "INSERT INTO ops.tracked_players (player_name) VALUES ('a,b'), ('good')")
    server.answer(PLAYERS, player_list(good=["m1"]))
    with dg.DagsterInstance.ephemeral() as instance:
        assert requested(tick(sensors.tracked_player_matches(), stores, instance)) == ["m1"]
    assert asked_for(server) == ["good"]
    assert execute(url, "SELECT account_id FROM ops.tracked_players WHERE player_name = 'good'") == [("account.good",)]


@pytest.mark.parametrize("key", ["no key é", "refused", None])
def test_registered_matches_are_fetched_without_a_good_key(
    stores: Stores, server: ApiServer, url: SecretStr, key: str | None
) -> None:
    track(url, "Ann")
    server.answer(PLAYERS, Answer(401))
    stores = Stores(stores.settings.model_copy(update={"pubg_api_key": SecretStr(key) if key else None}))
    with dg.DagsterInstance.ephemeral() as instance:
        assert "PUBG_API_KEY" in tick(sensors.tracked_player_matches(), stores, instance).skip_reason.skip_message
        discovery.register(url, "steam", ["waiting"], "tracked_players")
        time_passes(url, 10)
        assert requested(tick(sensors.tracked_player_matches(), stores, instance)) == ["waiting"]
