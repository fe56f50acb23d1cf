"""Seeded players over real HTTP and a real PostgreSQL: entered, looked for, matches fetched whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.apis import register
from gamestats_assets.lakehouse.entries.declared import ExistsAlreadyError, UnknownNameError
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.entries.ops import entering
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lol import sensors
from gamestats_assets.lol.riot import discovery
from gamestats_assets.lol.riot.api import RiotApi
from gamestats_assets.settings import Settings
from gamestats_assets_tests.lol.files import match_object, timeline
from gamestats_assets_tests.lol.riot.api_server import KEY, Listed, RiotServer
from gamestats_assets_tests.pubg.api_server import Answer

NOW = datetime.now(UTC).replace(microsecond=0)
DAYS = timedelta(days=1)


@pytest.fixture
def url(ops_database: str) -> SecretStr:
    return SecretStr(ops_database)


@pytest.fixture
def server() -> Iterator[RiotServer]:
    with RiotServer() as running:
        yield running


@pytest.fixture
def stores(tmp_path: Path, url: SecretStr, server: RiotServer) -> Stores:
    settings = Settings(
        data=str(tmp_path),
        postgres_url=url,
        riot_api_key=SecretStr(KEY),
        riot_api_url=server.template,
        data_dragon_url=server.url,
    )
    return Stores(settings)


@pytest.fixture
def api(stores: Stores, server: RiotServer) -> Iterator[RiotApi]:
    with RiotApi(SecretStr(KEY), stores.landing, base_url=server.template, attempts=1) as client:
        yield client


def execute(url: SecretStr, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
        conn.execute("SET timezone = 'UTC'")
        cursor = conn.execute(statement, parameters)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def seed(url: SecretStr, *riot_ids: str, platform: str = "na1", days: int = 30, now: datetime = NOW) -> None:
    for riot_id in riot_ids:
        with entering(url, "ada") as conn:
            discovery.add_seed(conn, riot_id, platform, days=days, now=now)


def seeds(url: SecretStr) -> list[dict[str, Any]]:
    with entering(url, "ada") as conn:
        return discovery.list_seeds(conn).to_dicts()


def state(url: SecretStr) -> dict[str, str]:
    return dict(execute(url, "SELECT match_id, state FROM ops.lol_matches_found ORDER BY match_id"))  # type: ignore[arg-type]


def plays(server: RiotServer, riot_id: str, *match_ids: str, began: datetime = NOW - DAYS, puuid: str = "") -> None:
    """Somebody's newest matches, which the server has with their timelines."""
    puuid = puuid or f"puuid-{riot_id.partition('#')[0]}"
    server.players[riot_id.lower()] = puuid
    for match_id in match_ids:
        server.add_match(match_id, match_object(match_id), timeline(match_id))
        server.listed[puuid].insert(0, Listed(match_id, int(began.timestamp())))


def queries(server: RiotServer) -> list[dict[str, str]]:
    found = [request.query for request in server.requests if request.path.endswith("/ids")]
    return [{name: values[0] for name, values in query.items()} for query in found]


def time_passes(url: SecretStr, minutes: float) -> None:
    execute(url, "UPDATE ops.lol_matches_found SET next_at = next_at - %s", [timedelta(minutes=minutes)])


# ---------------------------------------------------------------- what people enter


@pytest.mark.parametrize(
    ("riot_id", "platform", "column"),
    [("Caps", "euw1", "riot_id"), ("Caps#EUW#1", "euw1", "riot_id"), ("Caps#EUW", "euw", "platform")],
)
def test_what_cannot_be_asked_for_is_refused(url: SecretStr, riot_id: str, platform: str, column: str) -> None:
    with entering(url, "ada") as conn, pytest.raises(EntryError) as refused:
        discovery.add_seed(conn, riot_id, platform, days=1, now=NOW)
    assert refused.value.column == column
    assert seeds(url) == []


def test_nobody_is_entered_twice_on_a_platform(url: SecretStr) -> None:
    seed(url, "Caps#EUW", platform="euw1")
    seed(url, "Caps#EUW", platform="eun1")
    with entering(url, "ada") as conn, pytest.raises(ExistsAlreadyError, match="already a seeded player on euw1"):
        discovery.add_seed(conn, "CAPS#euw", "euw1", days=1, now=NOW)
    with entering(url, "ada") as conn, pytest.raises(UnknownNameError, match="is on eun1, euw1: choose one"):
        discovery.remove_seed(conn, "Caps#EUW", None, now=NOW)
    with entering(url, "ada") as conn:
        discovery.remove_seed(conn, "Caps#EUW", "EUN1", now=NOW)
        with pytest.raises(UnknownNameError, match="is not a seeded player"):
            discovery.remove_seed(conn, "Caps#EUW", "eun1", now=NOW)
    assert [row["platform"] for row in seeds(url)] == ["euw1"]


def test_a_removed_player_is_asked_for_no_more_and_goes_on_where_it_was(
    url: SecretStr, server: RiotServer, api: RiotApi
) -> None:
    plays(server, "Ann#NA1", "NA1_1")
    seed(url, "Ann#NA1")
    discovery.find(url, api, now=NOW)
    with entering(url, "ada") as conn:
        discovery.remove_seed(conn, "Ann#NA1", None, now=NOW)
    server.requests.clear()
    assert discovery.find(url, api, now=NOW + DAYS).due == 0
    assert server.requests == []
    seed(url, "Ann#NA1", days=5, now=NOW + DAYS)
    assert discovery.find(url, api, now=NOW + DAYS).due == 1
    assert queries(server)[-1]["startTime"] == str(int((NOW - timedelta(hours=6)).timestamp())), "since the last look"
    with entering(url, "ada") as conn:
        discovery.remove_seed(conn, "Ann#NA1", None, now=NOW)
    seed(url, "Ann#NA1", days=300, now=NOW)
    discovery.find(url, api, now=NOW + 2 * DAYS)
    assert queries(server)[-1]["startTime"] == str(int((NOW - 300 * DAYS).timestamp())), "more is wanted now"


# ---------------------------------------------------------------- looking


def test_a_look_lists_what_began_since_the_last_one(url: SecretStr, server: RiotServer, api: RiotApi) -> None:
    plays(server, "Ann#NA1", "NA1_0", began=NOW - timedelta(days=40))
    plays(server, "Ann#NA1", "NA1_1", "NA1_2")
    seed(url, "Ann#NA1")
    first = discovery.find(url, api, now=NOW)
    assert (first.due, sorted(first.new), sorted(first.listed), first.errors) == (
        1, ["NA1_1", "NA1_2"], ["NA1_1", "NA1_2"], [],
    )  # fmt: skip
    assert state(url) == {"NA1_1": "wanted", "NA1_2": "wanted"}
    assert discovery.find(url, api, now=NOW + timedelta(minutes=9)).due == 0, "ten minutes have not gone by"
    # Began before the last look, and ended after it.
    plays(server, "Ann#NA1", "NA1_3", began=NOW - timedelta(minutes=20))
    again = discovery.find(url, api, now=NOW + timedelta(minutes=10))
    assert again.new == ["NA1_3"]
    assert [query["startTime"] for query in queries(server)] == [
        str(int((NOW - since).timestamp())) for since in (timedelta(days=30), timedelta(hours=6))
    ]
    assert Counter(request.path.split("/")[2] for request in server.requests) == {"riot": 1, "lol": 2}, (
        "who they are is asked once"
    )


def test_who_waited_longest_is_asked_first(
    url: SecretStr, server: RiotServer, api: RiotApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"P{number}#NA1" for number in range(5)]
    for name in names:
        plays(server, name)
    seed(url, *names)
    asked: list[str] = []
    for look in range(3):
        clock = iter([0.0, 0.0, 1.0])
        monkeypatch.setattr(register, "time", SimpleNamespace(monotonic=clock.__next__))
        # The deadline is over after two players.
        found = discovery.find(url, api, now=NOW + look * timedelta(seconds=1), every=timedelta(0), deadline=0.5)
        asked += [account.riot_id for account in found.asked]
    assert asked == ["P0#NA1", "P1#NA1", "P2#NA1", "P3#NA1", "P4#NA1", "P0#NA1"]


def test_a_player_the_api_does_not_know_or_refuses_holds_up_nobody(
    url: SecretStr, server: RiotServer, api: RiotApi
) -> None:
    plays(server, "Ann#NA1", "NA1_1")
    plays(server, "Bob#NA1")
    server.answer("/americas/lol/match/v5/matches/by-puuid/puuid-Bob/ids", Answer(415))
    seed(url, "Nobody#NA1", "Bob#NA1", "Ann#NA1")
    found = discovery.find(url, api, now=NOW)
    assert (found.due, found.unknown_names, found.new) == (3, ["Nobody#NA1"], ["NA1_1"])
    (trouble,) = found.errors
    assert "415" in trouble
    result = {row["riot_id"]: row["last_error"] for row in seeds(url)}
    assert "there is none" in result["Nobody#NA1"]
    assert "415" in result["Bob#NA1"]
    assert result["Ann#NA1"] is None
    plays(server, "Nobody#NA1", "NA1_2")
    assert discovery.find(url, api, now=NOW + DAYS).new == ["NA1_2"]
    assert {row["riot_id"]: row["last_error"] for row in seeds(url)}["Nobody#NA1"] is None


def test_another_key_s_identity_is_asked_for_anew(url: SecretStr, server: RiotServer, api: RiotApi) -> None:
    plays(server, "Ann#NA1", "NA1_1")
    seed(url, "Ann#NA1")
    execute(url, "UPDATE ops.lol_seeded_players SET puuid = 'of-the-old-key'")
    server.answer("/americas/lol/match/v5/matches/by-puuid/of-the-old-key/ids", Answer(400))
    assert discovery.find(url, api, now=NOW).new == ["NA1_1"]
    assert execute(url, "SELECT puuid FROM ops.lol_seeded_players") == [("puuid-Ann",)]


# ---------------------------------------------------------------- fetching


def found(url: SecretStr, *match_ids: str) -> None:
    execute(url, "INSERT INTO ops.lol_matches_found (match_id) SELECT unnest(%s::text[])", [list(match_ids)])


def wanted(url: SecretStr) -> list[str]:
    return [match.match_id for match in discovery.pending(url)]


def test_what_became_of_matches_is_entered(url: SecretStr, server: RiotServer, api: RiotApi) -> None:
    plays(server, "Ann#NA1", "NA1_1", "NA1_2", "NA1_3")
    server.files.pop("/lol/match/v5/matches/NA1_2/timeline")
    server.answer("/americas/lol/match/v5/matches/NA1_3", Answer(500))
    found(url, "NA1_1", "NA1_2", "NA1_3", "NA1_4")
    fetched = discovery.archive(url, api, wanted(url))
    assert [match.status for match in fetched] == ["fetched", "expired", "failed", "expired"]
    assert state(url) == {"NA1_1": "archived", "NA1_2": "expired", "NA1_3": "wanted", "NA1_4": "expired"}
    assert wanted(url) == [], "what failed is not tried again at once"
    ((attempts, reason),) = execute(
        url, "SELECT attempts, last_error FROM ops.lol_matches_found WHERE match_id = 'NA1_3'"
    )
    assert "500" in reason
    assert attempts == 0, "an API that is down is no attempt"
    time_passes(url, 31)
    server.answer("/americas/lol/match/v5/matches/NA1_3", Answer(body=match_object("NA1_3")))
    discovery.archive(url, api, wanted(url))
    assert state(url)["NA1_3"] == "archived"


def test_a_match_that_fails_is_tried_later_and_later_and_then_given_up(
    url: SecretStr, server: RiotServer, api: RiotApi
) -> None:
    server.answer("/americas/lol/match/v5/matches/NA1_1", Answer(415))
    found(url, "NA1_1")
    waits = []
    while wanted(url) == ["NA1_1"]:
        discovery.archive(url, api, ["NA1_1"])
        assert wanted(url) == []
        ((next_at,),) = execute(url, "SELECT next_at FROM ops.lol_matches_found")
        waits.append(round((next_at - datetime.now(UTC)).total_seconds() / 60))
        time_passes(url, waits[-1])
    assert waits == [4, 16, 64, 256, 0]
    assert state(url) == {"NA1_1": "failed"}
    assert len(server.requests) == 5


# ---------------------------------------------------------------- the sensor


def tick(stores: Stores, instance: dg.DagsterInstance) -> Any:
    sensor = sensors.seeded_player_matches()
    return sensor(dg.build_sensor_context(instance=instance, resources={"stores": stores}))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_without_a_key_the_tick_says_what_works(tmp_path: Path, url: SecretStr, instance: dg.DagsterInstance) -> None:
    stores = Stores(Settings(data=str(tmp_path), postgres_url=url, riot_api_key=None))
    result = tick(stores, instance).skip_reason.skip_message
    assert "RIOT_API_KEY is not set" in result
    assert "work without it" in result


def test_a_refused_key_is_told_and_nothing_requested(
    stores: Stores, server: RiotServer, url: SecretStr, instance: dg.DagsterInstance
) -> None:
    seed(url, "Ann#NA1")
    found(url, "NA1_1")
    server.answer("/americas/riot/account/v1/accounts/by-riot-id/Ann/NA1", Answer(403))
    result = tick(stores, instance)
    assert "create a new one" in result.skip_reason.skip_message
    assert KEY not in result.skip_reason.skip_message
    assert not result.run_requests
