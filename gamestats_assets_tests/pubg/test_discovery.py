"""Discovery over real HTTP and a real PostgreSQL: each match once, whoever finds it, whatever goes wrong."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gamestats_assets.lakehouse.ops import migrate
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.pubg import discovery, sensors
from gamestats_assets.pubg.api import PubgApi, RateLimitedError
from gamestats_assets.pubg.discovery import Asked, Round
from gamestats_assets.pubg.limit import SharedLimiter
from gamestats_assets.settings import Settings
from gamestats_assets_tests.pubg.api_server import Answer, ApiServer

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
PLAYERS = "/shards/steam/players"


@pytest.fixture
def url(fresh_database: str) -> SecretStr:
    secret = SecretStr(fresh_database)
    migrate(secret)
    return secret


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


def test_other_members_are_asked_for_at_every_turn() -> None:
    roster = [Asked("steam", f"account.{n}", f"p{n}", team_id=n // 4) for n in range(8)]
    turns = [{p.player_name for p in discovery.members_to_ask(roster, 2, turn)} for turn in range(2)]
    assert [len(turn) for turn in turns] == [4, 4]
    assert turns[0] | turns[1] == {f"p{n}" for n in range(8)}


def test_requests_ask_for_ten_players_of_one_shard_by_account_or_by_name() -> None:
    players = [Asked("steam", f"account.{n}", f"p{n}") for n in range(12)]
    players += [Asked("kakao", None, "x"), Asked("steam", None, "y"), players[0]]
    sizes = sorted((group[0].shard, group[0].account_id is None, len(group)) for group in discovery.batches(players))
    assert sizes == [("kakao", True, 1), ("steam", False, 2), ("steam", False, 10), ("steam", True, 1)]


def test_a_round_asks_for_every_group_once_and_waits_for_its_time() -> None:
    groups = [[Asked("steam", None, f"p{n}")] for n in range(25)]
    told, asked, ticks = Round(), [], 0
    for tick in range(11):
        told = told.begun(len(groups), NOW + timedelta(seconds=60 * tick), 600)
        due = told.due(groups, 600)
        for _ in due:
            told = told.advanced()
        asked += [group[0].player_name for group in due]
        ticks += bool(due)
    assert asked[:25] == [f"p{n}" for n in range(25)]
    assert len(asked) == 28, "the second round begins after ten minutes"
    assert told.turn == 2


# --------------------------------------------------------------------------- the limit


def test_processes_share_one_limit(url: SecretStr) -> None:
    limits = [SharedLimiter(url, "pubg", requests=5, window=600, patience=0) for _ in range(8)]

    def take(limiter: SharedLimiter) -> bool:
        try:
            limiter.acquire()
        except RateLimitedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, limits)) == 5
    assert take(SharedLimiter(url, "another key", requests=5, window=600, patience=0))


def test_a_share_of_the_limit_is_left_to_others(url: SecretStr) -> None:
    modest = SharedLimiter(url, "pubg", requests=5, window=600, patience=0, leave=3)
    for _ in range(2):
        modest.acquire()
    with pytest.raises(RateLimitedError, match="used up"):
        modest.acquire()
    SharedLimiter(url, "pubg", requests=5, window=600, patience=0).acquire()


def test_a_refusal_holds_for_everyone_and_the_window_moves_on(url: SecretStr) -> None:
    slept: list[float] = []
    one = SharedLimiter(url, "pubg", window=0.4, requests=1, sleep=slept.append)
    one.observe({"Retry-After": "30"}, refused=True)
    with pytest.raises(RateLimitedError) as refused:
        SharedLimiter(url, "pubg", patience=5).acquire()
    assert 25 < (refused.value.retry_after or 0) <= 30
    execute(url, "UPDATE ops.api_limits SET blocked_until = NULL")
    import time

    patient = SharedLimiter(url, "pubg", window=0.4, requests=1, sleep=lambda s: (slept.append(s), time.sleep(s))[0])
    patient.acquire()
    patient.acquire()
    assert slept
    assert sum(slept) >= 0.3


def test_the_limit_that_the_api_tells_is_kept(url: SecretStr) -> None:
    SharedLimiter(url, "pubg").observe({"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "1"})
    told = SharedLimiter(url, "pubg", window=600, patience=0)
    told.acquire()
    told.acquire()
    with pytest.raises(RateLimitedError):
        told.acquire()


# --------------------------------------------------------------------------- the register


def test_the_first_finder_has_the_match_and_the_second_is_noted(url: SecretStr) -> None:
    assert discovery.register(url, "steam", ["b", "a", "a"], "tracked_players") == ["a", "b"]
    assert discovery.register(url, "steam", ["a", "c"], "tournament") == ["c"]
    assert discovery.register(url, "steam", ["a", "c"], "tournament") == []
    assert state(url) == {
        "a": ("tracked_players", ["tournament"], "registered"),
        "b": ("tracked_players", [], "registered"),
        "c": ("tournament", [], "registered"),
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


def test_a_match_is_claimed_by_one_run_at_a_time_and_comes_back_when_the_run_never_came(url: SecretStr) -> None:
    discovery.register(url, "steam", [f"m{n}" for n in range(5)], "tournament")
    first = discovery.claim(url, "tournament", size=2)
    assert sorted(match for claim in first for match in claim.match_ids) == [f"m{n}" for n in range(5)]
    assert {claim.priority for claim in first} == {"high"}
    assert discovery.claim(url, "tournament") == []
    execute(url, "UPDATE ops.matches_discovered SET claimed_until = now() - interval '1 s' WHERE match_id = 'm3'")
    (again,) = discovery.claim(url, "tournament")
    assert again.match_ids == ("m3",)
    assert sensors._request(again).run_key != sensors._request(first[0]).run_key  # pyright: ignore[reportPrivateUsage]


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
    for name in names:
        execute(
            url,
            "INSERT INTO ops.tracked_players (account_id, player_name, shard) VALUES (%s, %s, 'steam')",
            [f"account.{name.lower()}", name],
        )


def tick(sensor: dg.SensorDefinition, stores: Stores, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"stores": stores})
    return sensor(context)


def requested(result: Any) -> list[str]:
    return sorted(
        match
        for request in result.run_requests or []
        for match in request.run_config["ops"]["archive_matches"]["config"]["match_ids"]
    )


def test_a_tick_registers_and_requests_each_match_once(stores: Stores, server: ApiServer, url: SecretStr) -> None:
    track(url, "Ann", "Bob")
    server.answer(PLAYERS, player_list(Ann=["m1", "m2"], Bob=["m2"]))
    sensor = sensors.tracked_player_matches()
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(sensor, stores, instance)
        assert requested(first) == ["m1", "m2"]
        assert {request.tags["dagster/priority"] for request in first.run_requests} == {"0"}
        again = tick(sensor, stores, instance, first.cursor)
        assert requested(again) == []
        lost_cursor = tick(sensor, stores, instance)
        assert requested(lost_cursor) == []
    assert len(server.asked(PLAYERS)) == 2, "ten minutes have not gone by, but a lost cursor asks again"


def test_a_tick_that_died_after_registering_loses_nothing(stores: Stores, server: ApiServer, url: SecretStr) -> None:
    track(url, "Ann")
    server.answer(PLAYERS, player_list(Ann=["m1"]))
    discovery.register(url, "steam", ["m1", "m2"], "tracked_players")
    with dg.DagsterInstance.ephemeral() as instance:
        assert requested(tick(sensors.tracked_player_matches(), stores, instance)) == ["m1", "m2"]


def test_an_api_that_is_down_leaves_the_round_where_it_is(stores: Stores, server: ApiServer, url: SecretStr) -> None:
    track(url, *(f"P{n}" for n in range(3)))
    server.answer(PLAYERS, Answer(503))
    sensor = sensors.tracked_player_matches()
    with dg.DagsterInstance.ephemeral() as instance:
        down = tick(sensor, stores, instance)
        assert "503" in down.skip_reason.skip_message
        server.answer(PLAYERS, player_list(P0=["m1"]))
        assert requested(tick(sensor, stores, instance, down.cursor)) == ["m1"]


def test_without_a_key_the_tick_says_so(tmp_path: Path, url: SecretStr) -> None:
    stores = Stores(Settings(data=str(tmp_path), postgres_url=url))
    track(url, "Ann")
    with dg.DagsterInstance.ephemeral() as instance:
        told = tick(sensors.tracked_player_matches(), stores, instance)
    assert "PUBG_API_KEY" in told.skip_reason.skip_message


def schedule(url: SecretStr, at: datetime, teams: int = 2) -> None:
    """A season with one division, one round and one slot."""
    season = execute(
        url, "INSERT INTO ops.seasons (season, name, time_zone) VALUES ('s', 'S', 'UTC') RETURNING season_id"
    )[0][0]
    division = execute(
        url, "INSERT INTO ops.divisions (season_id, division) VALUES (%s, 'D') RETURNING division_id", [season]
    )[0][0]
    for team in range(teams):
        team_id = execute(
            url,
            "INSERT INTO ops.teams (division_id, team_name) VALUES (%s, %s) RETURNING team_id",
            [division, f"T{team}"],
        )[0][0]
        for number in range(4):
            execute(
                url,
                "INSERT INTO ops.roster_entries (team_id, account_id, player_name, valid_from) "
                "VALUES (%s, %s, %s, '2026-01-01')",
                [team_id, f"account.t{team}p{number}", f"T{team}P{number}"],
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


@pytest.mark.parametrize(
    ("offset_min", "is_open"), [(-46, False), (-44, True), (0, True), (60, True), (104, True), (106, False)]
)
def test_teams_are_asked_for_only_while_a_match_may_be_played(url: SecretStr, offset_min: int, is_open: bool) -> None:
    schedule(url, NOW)
    found = discovery.playing(url, NOW + timedelta(minutes=offset_min))
    assert len(found) == (8 if is_open else 0)


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
    stores: Stores, server: ApiServer, url: SecretStr, realdata: Path
) -> None:
    real = next(iter(sorted((realdata / "pubg" / "matches").rglob("*.json"))))
    match = json.loads(real.read_text())
    match_id = match["data"]["id"]
    for included in match["included"]:
        if included["type"] == "asset":
            included["attributes"]["URL"] = f"{server.url}/telemetry"
    server.answer(f"/shards/steam/matches/{match_id}", Answer(body=json.dumps(match).encode()))
    server.answer("/telemetry", Answer(403))
    with PubgApi(None, stores.landing, base_url=server.url) as api:
        discovery.register(url, "steam", [match_id], "tournament")
        assert [m.status for m in discovery.archive(url, api, [match_id])] == ["passed_over"]
        assert stores.landing.days("pubg") == []
        assert state(url)[match_id] == ("tournament", [], "passed_over")
        discovery.register(url, "steam", [match_id], "tracked_players")
        assert state(url)[match_id][2] == "registered"
        assert [m.status for m in discovery.archive(url, api, [match_id])] == ["expired"]
    assert state(url)[match_id][2] == "expired"
    assert len(stores.landing.days("pubg")) == 1


def test_a_match_that_cannot_be_had_is_tried_later_and_given_up_in_the_end(
    stores: Stores, server: ApiServer, url: SecretStr
) -> None:
    discovery.register(url, "steam", ["m1"], "tournament")
    with PubgApi(None, stores.landing, base_url=server.url, attempts=1) as api:
        for attempt in range(1, 6):
            assert [m.status for m in discovery.archive(url, api, ["m1"])] == ["failed"]
            row = execute(url, "SELECT attempts, state, claimed_until > now() FROM ops.matches_discovered")[0]
            assert row[:2] == (attempt, "failed" if attempt == 5 else "registered")
            assert row[2]
    assert discovery.claim(url, "tournament") == []


def _acquire(arguments: tuple[str, int]) -> int:
    url, tries = arguments
    limiter = SharedLimiter(SecretStr(url), "pubg", requests=7, window=600, patience=0)
    taken = 0
    for _ in range(tries):
        try:
            limiter.acquire()
            taken += 1
        except RateLimitedError:
            pass
    return taken


def test_two_processes_together_keep_the_limit(url: SecretStr) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        taken = pool.map(_acquire, [(url.get_secret_value(), 6)] * 2)
    assert sum(taken) == 7
