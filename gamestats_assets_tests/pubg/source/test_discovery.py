"""Discovery over real HTTP and a real PostgreSQL: each match once, whoever finds it, whatever goes wrong."""

from __future__ import annotations

import json
import multiprocessing
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
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

from gamestats_assets.apis.limits import SharedLimits, Window
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.pubg import sensors
from gamestats_assets.pubg.source import discovery
from gamestats_assets.pubg.source.api import MatchFetch, Player, PubgApi, RateLimitedError, learn_limit, limit_in_force
from gamestats_assets.pubg.source.discovery import Asked, Round
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


def asking(
    url: SecretStr, limiter: str = "pubg", *, requests: int = 10, window: float = 60.0, **options: Any
) -> Callable[[], object]:
    """Waits for one request against the limit that all processes share."""
    limits = SharedLimits(url, **options)
    return lambda: limits.acquire({limiter: [Window(requests, window)]})


def answered(url: SecretStr, headers: Mapping[str, str], *, refused: bool = False) -> None:
    """An answer of the API, as the limit learns from it."""
    learn_limit(SharedLimits(url), headers, time.time(), refused=refused)


def test_processes_share_one_limit(url: SecretStr) -> None:
    limits = [asking(url, requests=5, window=600, patience=0) for _ in range(8)]

    def take(limiter: Callable[[], object]) -> bool:
        try:
            limiter()
        except RateLimitedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, limits)) == 5
    assert take(asking(url, "another key", requests=5, window=600, patience=0))


def test_a_share_of_the_limit_is_left_to_others(url: SecretStr) -> None:
    modest = asking(url, requests=5, window=600, patience=0, leave=3)
    for _ in range(2):
        modest()
    with pytest.raises(RateLimitedError, match="used up"):
        modest()
    asking(url, requests=5, window=600, patience=0)()


def test_a_refusal_holds_for_everyone_and_the_window_moves_on(url: SecretStr) -> None:
    slept: list[float] = []
    answered(url, {"Retry-After": "30"}, refused=True)
    with pytest.raises(RateLimitedError) as refused:
        asking(url, patience=5)()
    assert 25 < (refused.value.retry_after or 0) <= 30
    execute(url, "UPDATE ops.api_limits SET blocked_until = NULL")
    patient = asking(url, window=0.4, requests=1, sleep=lambda s: (slept.append(s), time.sleep(s))[0])
    patient()
    patient()
    assert slept
    assert sum(slept) >= 0.3


def test_the_limit_that_the_api_tells_is_kept(url: SecretStr) -> None:
    answered(url, {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "1"})
    told = asking(url, window=600, patience=0)
    told()
    told()
    with pytest.raises(RateLimitedError):
        told()


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


# --------------------------------------------------------------------------- matches that cannot be had at once


def time_passes(url: SecretStr, minutes: float) -> None:
    """Everything in the register happened so much earlier."""
    execute(
        url,
        "UPDATE ops.matches_discovered SET claimed_until = claimed_until - %(ago)s,"
        " settled_at = settled_at - %(ago)s, discovered_at = discovered_at - %(ago)s",
        {"ago": timedelta(minutes=minutes)},
    )


def archived_in_time(url: SecretStr, api: PubgApi, minutes: int) -> list[int]:
    """Archives as the sensor and its runs would, minute by minute; the minutes in which something was claimed."""
    tried = []
    for minute in range(minutes):
        for claim in discovery.claim(url, "tracked_players"):
            tried.append(minute)
            discovery.archive(url, api, claim.match_ids)
        time_passes(url, 1)
    return tried


@pytest.fixture
def api(stores: Stores, server: ApiServer) -> Iterator[PubgApi]:
    with PubgApi(None, stores.landing, base_url=server.url, attempts=1) as client:
        yield client


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


@pytest.mark.parametrize("down", ["matches", "telemetry"])
def test_an_hour_without_the_api_delays_the_archive_and_loses_nothing(
    server: ApiServer, url: SecretStr, api: PubgApi, realdata: Path, down: str
) -> None:
    match_id = whole_match(server, realdata)
    path = "/telemetry" if down == "telemetry" else f"/shards/steam/matches/{match_id}"
    good = server.replaced(path, Answer(503))
    discovery.register(url, "steam", [match_id], "tracked_players")
    tried = archived_in_time(url, api, 60)
    assert tried == [0, 1, 3, 7, 15, 31], "later and later"
    assert execute(url, "SELECT state, attempts, delays, last_error LIKE '%%503%%' FROM ops.matches_discovered") == [
        ("registered", 0, 6, True)
    ]
    server.replaced(path, *good)
    archived_in_time(url, api, 10)
    assert state(url)[match_id][2] == "archived"
    assert len(server.asked("/telemetry")) == (7 if down == "telemetry" else 1)


def test_a_tournament_asks_an_api_that_was_down_every_ten_minutes_at_least(
    server: ApiServer, url: SecretStr, api: PubgApi
) -> None:
    server.answer("/shards/steam/matches/m1", Answer(429))
    discovery.register(url, "steam", ["m1"], "tournament")
    discovery.register(url, "steam", ["m1"], "tracked_players")
    assert archived_in_time(url, api, 40) == [0, 1, 3, 7, 15, 25, 35]


def test_an_api_that_stays_down_is_not_asked_for_what_it_has_forgotten_by_then(
    server: ApiServer, url: SecretStr, api: PubgApi
) -> None:
    server.answer("/shards/steam/matches/m1", Answer(503))
    discovery.register(url, "steam", ["m1"], "tracked_players")
    discovery.archive(url, api, ["m1"])
    time_passes(url, 14 * 24 * 60 - 5)
    discovery.archive(url, api, ["m1"])
    assert state(url)["m1"][2] == "registered"
    time_passes(url, 10)
    discovery.archive(url, api, ["m1"])
    assert state(url)["m1"][2] == "expired"


def test_a_match_the_api_has_forgotten_is_expired_at_once(server: ApiServer, url: SecretStr, api: PubgApi) -> None:
    discovery.register(url, "steam", ["gone"], "tracked_players")
    assert archived_in_time(url, api, 100) == [0]
    assert state(url)["gone"][2] == "expired"
    assert len(server.requests) == 1


def test_a_match_that_cannot_be_had_is_given_up_in_the_end_and_taken_up_when_found_again(
    server: ApiServer, url: SecretStr, api: PubgApi
) -> None:
    server.answer("/shards/steam/matches/m1", Answer(418))
    discovery.register(url, "steam", ["m1"], "tracked_players")
    assert archived_in_time(url, api, 120) == [0, 1, 5, 21, 81]
    assert execute(url, "SELECT state, attempts, settled_at IS NULL FROM ops.matches_discovered") == [
        ("failed", 5, False)
    ]
    discovery.register(url, "steam", ["m1"], "tracked_players")
    assert state(url)["m1"][2] == "failed", "the next tick lists it again"
    time_passes(url, 6 * 60)
    discovery.register(url, "steam", ["m1"], "tracked_players")
    assert archived_in_time(url, api, 5) == [0], "one more attempt"
    assert state(url)["m1"] == ("tracked_players", [], "failed")
    discovery.register(url, "steam", ["m1"], "tournament")
    assert state(url)["m1"] == ("tracked_players", ["tournament"], "registered"), "a new finder takes it up at once"


def test_a_cut_telemetry_keeps_its_match_registered_until_it_came_whole(
    server: ApiServer, url: SecretStr, api: PubgApi, stores: Stores, realdata: Path
) -> None:
    match_id = whole_match(server, realdata)
    (whole,) = server.replaced("/telemetry", Answer(body=b'[{"_T": "LogMatchStart", "common": {}}, {"_T": "Log'))
    discovery.register(url, "steam", [match_id], "tracked_players")
    assert archived_in_time(url, api, 10) == [0, 1, 5]
    assert state(url)[match_id][2] == "registered"
    server.replaced("/telemetry", whole)
    archived_in_time(url, api, 60)
    assert state(url)[match_id][2] == "archived"
    files = [file.kind for day in stores.landing.days("pubg") for file in stores.landing.files("pubg", day)]
    assert files == ["match", "telemetry"]


def test_a_match_found_by_somebody_tracked_while_it_was_being_passed_over_is_taken_up(url: SecretStr) -> None:
    discovery.register(url, "steam", ["m1"], "tournament")
    (claim,) = discovery.claim(url, "tournament")

    class Meanwhile:
        def fetch_whole_match(self, match_id: str, *, only_types: Any = None) -> MatchFetch:
            assert only_types == discovery.TOURNAMENT_TYPES
            discovery.register(url, "steam", ["m1"], "tracked_players")
            return MatchFetch(match_id, "passed_over")

    discovery.archive(url, Meanwhile(), claim.match_ids)  # type: ignore[arg-type]
    assert state(url) == {"m1": ("tournament", ["tracked_players"], "registered")}
    (again,) = discovery.claim(url, "tracked_players")
    assert (again.match_ids, again.attempt) == (("m1",), 1)


def test_a_late_run_does_not_undo_what_another_archived(url: SecretStr) -> None:
    discovery.register(url, "steam", ["m1"], "tournament")
    discovery.settle(url, [MatchFetch("m1", "fetched")])
    discovery.settle(url, [MatchFetch("m1", "failed", reason="too late")])
    assert execute(url, "SELECT state, last_error FROM ops.matches_discovered") == [("archived", None)]


# --------------------------------------------------------------------------- claims and their runs


def test_the_newest_match_is_claimed_before_a_long_history(url: SecretStr) -> None:
    discovery.register(url, "steam", [f"old{n:04}" for n in range(1000)], "tournament")
    discovery.register(url, "steam", ["live"], "tournament")
    first = discovery.claim(url, "tournament")
    assert first[0].match_ids[:3] == ("live", "old0000", "old0001")
    assert sum(len(claim.match_ids) for claim in first) == 200


def test_what_players_list_first_is_claimed_first_whoever_was_asked_when(url: SecretStr) -> None:
    ann, bob = (Player(f"account.{n}", n, "steam", ids) for n, ids in (("a", ("a0", "x", "a2")), ("b", ("x", "b1"))))
    assert discovery.listed([ann, bob]) == {"a0": 0, "x": 0, "a2": 2, "b1": 1}
    discovery.register(url, "steam", discovery.listed([ann]), "tracked_players")
    discovery.register(url, "steam", discovery.listed([bob]), "tracked_players")
    (claim,) = discovery.claim(url, "tracked_players")
    assert claim.match_ids == ("a0", "b1", "x", "a2")


def test_claims_are_found_by_an_index(url: SecretStr) -> None:
    discovery.register(url, "steam", [f"m{n}" for n in range(5000)], "tournament")
    execute(url, "ANALYZE ops.matches_discovered")
    plan = execute(
        url,
        "EXPLAIN SELECT match_id FROM ops.matches_discovered WHERE state = 'registered'"
        " AND (discovered_by = 'tournament' OR also_seen_by @> ARRAY['tournament'])"
        " AND coalesce(claimed_until <= clock_timestamp(), true)"
        " ORDER BY listed, discovered_at DESC, match_id LIMIT 200 FOR UPDATE SKIP LOCKED",
    )
    assert "matches_discovered_newest_first" in str(plan)
    assert "Sort" not in str(plan)


def run_of(instance: dg.DagsterInstance, claim: discovery.Claim, status: dg.DagsterRunStatus) -> None:
    tags = sensors._request(claim).tags  # pyright: ignore[reportPrivateUsage]
    run = dg.DagsterRun(job_name=sensors.ARCHIVE_JOB, run_id=str(uuid.uuid4()), tags=tags, status=status)
    instance.add_run(run)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_a_match_is_not_handed_out_again_while_its_run_waits_or_works(
    stores: Stores, server: ApiServer, url: SecretStr, status: dg.DagsterRunStatus
) -> None:
    discovery.register(url, "steam", ["m1"], "tracked_players")
    sensor = sensors.tracked_player_matches()
    with dg.DagsterInstance.ephemeral() as instance:
        (claim,) = discovery.claim(url, "tracked_players")
        run_of(instance, claim, status)
        for _ in range(10):
            assert requested(tick(sensor, stores, instance)) == []
            time_passes(url, 4)
        (run,) = instance.get_runs()
        instance.delete_run(run.run_id)
        run_of(instance, claim, dg.DagsterRunStatus.FAILURE)
        assert requested(tick(sensor, stores, instance)) == [], "it may be started again"
        time_passes(url, 15)
        assert requested(tick(sensor, stores, instance)) == ["m1"], "its run ended without a word"
    assert execute(url, "SELECT attempts FROM ops.matches_discovered") == [(2,)]


def test_a_claim_whose_run_never_came_was_no_attempt(stores: Stores, server: ApiServer, url: SecretStr) -> None:
    discovery.register(url, "steam", ["m1"], "tracked_players")
    sensor = sensors.tracked_player_matches()
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(8):
            assert requested(tick(sensor, stores, instance)) == ["m1"], "the tick dies after this"
            time_passes(url, 16)
    assert execute(url, "SELECT state, attempts FROM ops.matches_discovered") == [("registered", 1)]


def test_a_match_that_kills_its_runs_is_given_up_alone(url: SecretStr) -> None:
    discovery.register(url, "steam", [f"m{n:02}" for n in range(20)], "tracked_players")
    runs = []
    for _ in range(12):
        claims = discovery.claim(url, "tracked_players")
        for claim in claims:
            runs.append(claim)
            if "m13" not in claim.match_ids:
                discovery.settle(url, [MatchFetch(match_id, "fetched") for match_id in claim.match_ids])
        time_passes(url, 16)
    killed = [claim for claim in runs if "m13" in claim.match_ids]
    assert [len(claim.match_ids) for claim in killed] == [20, 20, 5, 1, 1]
    assert [claim.attempt for claim in killed] == [1, 2, 3, 4, 5]
    assert {match_id: row[2] for match_id, row in state(url).items() if row[2] != "archived"} == {"m13": "failed"}
    assert execute(url, "SELECT last_error FROM ops.matches_discovered WHERE match_id = 'm13'") == [
        ("Its runs ended without telling what became of it.",)
    ]


# --------------------------------------------------------------------------- the limit, shared by two pipelines


def taken(limiter: Callable[[], object], tries: int = 20) -> int:
    for number in range(tries):
        try:
            limiter()
        except RateLimitedError:
            return number
    return tries


def test_a_tournament_that_plays_leaves_tracked_players_what_the_plan_says(url: SecretStr) -> None:
    plan = discovery.plan(limit=10, teams=32, tracked=50)
    assert plan.reserved == 7
    tournament = asking(url, caller="tournament", leave=1, patience=0, requests=10)
    tracked = asking(url, caller="tracked_players", leave=plan.reserved, patience=0, requests=10)
    for _ in range(plan.tournament_calls):
        tournament()
    assert taken(tracked) == 3
    assert taken(tournament) == 0, "ten are sent"


@pytest.mark.parametrize(("first", "second"), [("tournament", "tracked_players"), ("tracked_players", "tournament")])
def test_neither_pipeline_takes_the_others_share_whoever_comes_first(url: SecretStr, first: str, second: str) -> None:
    leave = {"tournament": 1, "tracked_players": 7}
    limiters = {
        caller: asking(url, caller=caller, leave=kept, patience=0, requests=10) for caller, kept in leave.items()
    }
    counts = {first: taken(limiters[first]), second: taken(limiters[second])}
    assert sum(counts.values()) == 10
    assert counts["tracked_players"] == (3 if first == "tracked_players" else 1)


def test_a_tournament_over_the_whole_limit_leaves_a_request_a_minute(
    stores: Stores, server: ApiServer, url: SecretStr
) -> None:
    stores = Stores(stores.settings.model_copy(update={"pubg_requests_per_minute": 3}))
    schedule(url, datetime.now(UTC), teams=30)
    track(url, "Ann")
    server.answer(PLAYERS, player_list(Ann=[]))
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):  # the second has lost its cursor, so it asks at once again
            tick(sensors.tournament_matches_found(), stores, instance)
        assert len(server.asked(PLAYERS)) == 2
        tick(sensors.tracked_player_matches(), stores, instance)
    (last,) = server.asked(PLAYERS)[2:]
    assert last.query["filter[playerIds]"] == ["account.ann"]


def test_a_raised_setting_counts_until_the_api_tells_its_own_limit(url: SecretStr) -> None:
    answered(url, {}, refused=True)
    execute(url, "UPDATE ops.api_limits SET blocked_until = NULL")
    assert taken(asking(url, requests=15, patience=0, window=600)) == 15
    assert limit_in_force(url, 15) == 15
    answered(url, {"X-RateLimit-Limit": "17"})
    answered(url, {}, refused=True)
    assert limit_in_force(url, 15) == 17


def test_the_plan_counts_requests_as_they_are_sent(url: SecretStr) -> None:
    track(url, *(f"P{n}" for n in range(5)))
    for shard in ("steam", "kakao"):
        execute(url, "INSERT INTO ops.tracked_players (player_name, shard) VALUES ('Nobody', %s)", [shard])
    schedule(url, NOW, teams=10)
    execute(url, "UPDATE ops.roster_entries SET account_id = NULL WHERE player_name LIKE '%%P0'")
    plan = discovery.current_plan(url, NOW, limit=10)
    assert (plan.tracked, plan.tracked_calls) == (7, 3), "steam by account, steam by name, kakao by name"
    most = max(
        len(discovery.batches(discovery.members_to_ask(discovery.playing(url, NOW), 2, turn))) for turn in range(4)
    )
    assert (plan.members, plan.tournament_calls) == (2, 3)
    assert most <= plan.tournament_calls
    fuller = discovery.current_plan(url, NOW, limit=10, teams=20)
    assert (fuller.teams, fuller.tournament_calls) == (20, 5)


# --------------------------------------------------------------------------- ticks in trouble


def test_a_group_that_the_api_refuses_holds_up_no_other(stores: Stores, server: ApiServer, url: SecretStr) -> None:
    track(url, *(f"P{n:02}" for n in range(25)))
    discovery.register(url, "steam", ["waiting"], "tracked_players")
    server.answer(PLAYERS, Answer(400), player_list(P10=["m1"]), player_list(P20=["m2"]))
    cursor, found, told = None, [], []
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(3):
            result = tick(sensors.tracked_player_matches(), stores, instance, cursor)
            cursor = result.cursor
            found.append(requested(result))
            told.append(result.skip_reason.skip_message if result.skip_reason else "")
    assert found == [["waiting"], ["m1"], ["m2"]]
    asked = [request.query["filter[playerIds]"][0].split(",")[0] for request in server.asked(PLAYERS)]
    assert asked == ["account.p00", "account.p10", "account.p20"]


def test_a_name_that_no_request_can_hold_is_told_and_holds_up_nobody(
    stores: Stores, server: ApiServer, url: SecretStr
) -> None:
    # One who was entered before names were held to this.
    execute(url, "ALTER TABLE ops.tracked_players DROP CONSTRAINT IF EXISTS tracked_players_name_without_comma")
    execute(url, "INSERT INTO ops.tracked_players (player_name) VALUES ('a,b'), ('Good')")
    discovery.register(url, "steam", ["waiting"], "tracked_players")
    server.answer(PLAYERS, player_list(Good=["m1"]))
    cursor, found, told = None, set(), []
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            result = tick(sensors.tracked_player_matches(), stores, instance, cursor)
            cursor = result.cursor
            found |= {*requested(result)}
            told.append(result.skip_reason.skip_message if result.skip_reason else "")
    assert found == {"waiting", "m1"}
    assert "For a,b: " in "".join(told)
    assert server.asked(PLAYERS)[0].query["filter[playerNames]"] == ["Good"]


@pytest.mark.parametrize("key", ["no key é", "refused"])
def test_matches_get_their_runs_whatever_the_asking_meets(
    stores: Stores, server: ApiServer, url: SecretStr, key: str
) -> None:
    track(url, "Ann")
    discovery.register(url, "steam", ["waiting"], "tracked_players")
    server.answer(PLAYERS, Answer(401))
    stores = Stores(stores.settings.model_copy(update={"pubg_api_key": SecretStr(key)}))
    with dg.DagsterInstance.ephemeral() as instance:
        assert requested(tick(sensors.tracked_player_matches(), stores, instance)) == ["waiting"]
        assert "PUBG_API_KEY" in tick(sensors.tracked_player_matches(), stores, instance).skip_reason.skip_message


def test_a_group_for_which_the_api_is_always_in_trouble_is_passed_after_some_ticks(
    stores: Stores, server: ApiServer, url: SecretStr
) -> None:
    track(url, *(f"P{n:02}" for n in range(20)))
    server.answer(PLAYERS, *[Answer(500)] * 5, player_list(P10=["m1"]))
    cursor, found = None, []
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(6):
            result = tick(sensors.tracked_player_matches(), stores, instance, cursor)
            cursor = result.cursor
            found += requested(result)
    assert found == ["m1"]


def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of limiters and clients made from now on, which are over at once."""
    slept: list[float] = []
    for waits in (SharedLimits, PubgApi):
        defaults: dict[str, Any] = waits.__init__.__kwdefaults__ or {}
        monkeypatch.setitem(defaults, "sleep", slept.append)
    return slept


def test_a_refusal_ends_the_asking_of_a_tick_at_once(
    stores: Stores, server: ApiServer, url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    track(url, *(f"P{n:02}" for n in range(200)))
    slept = sleeps(monkeypatch)
    server.answer(PLAYERS, Answer(429))
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            told = tick(sensors.tracked_player_matches(), stores, instance)
            assert "60 s" in told.skip_reason.skip_message or "used up" in told.skip_reason.skip_message
    assert len(server.asked(PLAYERS)) == 1, "the refusal holds for the next tick too"
    assert slept == []


def test_waits_of_one_tick_end_together_in_time(
    stores: Stores, server: ApiServer, url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    track(url, *(f"P{n:03}" for n in range(400)))
    slept, now = sleeps(monkeypatch), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + sum(slept))
    waits = iter([15.0, 0.0] * 9)
    monkeypatch.setattr(SharedLimits, "_take", lambda limits, limiters: (next(waits), 0.0))
    server.answer(PLAYERS, player_list(Ann=[]))
    with dg.DagsterInstance.ephemeral() as instance:
        told = tick(sensors.tracked_player_matches(), stores, instance)
    assert slept == [15.0, 15.0]
    assert "used up" in told.skip_reason.skip_message


def test_a_tick_that_is_late_makes_no_claims(
    stores: Stores, server: ApiServer, url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    track(url, "Ann")
    discovery.register(url, "steam", ["m1"], "tracked_players")
    late = [0.0]
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + late[0])

    def slowly(api: PubgApi, batch: Any) -> list[Player]:
        late[0] += 55
        return []

    monkeypatch.setattr(discovery, "ask", slowly)
    with dg.DagsterInstance.ephemeral() as instance:
        result = tick(sensors.tracked_player_matches(), stores, instance)
        assert requested(result) == []
        assert execute(url, "SELECT claim, claimed_until FROM ops.matches_discovered") == [(None, None)]
        assert requested(tick(sensors.tracked_player_matches(), stores, instance, result.cursor)) == ["m1"]


def _acquire(arguments: tuple[str, int]) -> int:
    url, tries = arguments
    limiter = asking(SecretStr(url), requests=7, window=600, patience=0)
    taken = 0
    for _ in range(tries):
        try:
            limiter()
            taken += 1
        except RateLimitedError:
            pass
    return taken


def test_two_processes_together_keep_the_limit(url: SecretStr) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        taken = pool.map(_acquire, [(url.get_secret_value(), 6)] * 2)
    assert sum(taken) == 7
