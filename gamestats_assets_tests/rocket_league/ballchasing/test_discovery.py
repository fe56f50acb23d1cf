"""Tracked players' replays over real HTTP and a real PostgreSQL: looked for and fetched, whatever goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from gamestats_assets.apis.http import UnauthorisedError
from gamestats_assets.apis.limits import SharedLimits, Window
from gamestats_assets.apis.register import Register
from gamestats_assets.lakehouse.entries.ops import entering
from gamestats_assets.lakehouse.landing.arrivals import MatchFetch, SourcePathError, UnrecognisedContentError
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.rocket_league.ballchasing import discovery
from gamestats_assets.rocket_league.ballchasing.api import BallchasingApi
from gamestats_assets.rocket_league.players.entered import PLAYER, Custody
from gamestats_assets.rocket_league.privacy.naming import accounts_in_replay
from gamestats_assets.rocket_league.privacy.tombstones import bury
from gamestats_assets_tests.pubg.api_server import Answer, Request
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.ballchasing_server import ANN, TOKEN, BallchasingServer, details

NOW = datetime(2026, 3, 12, tzinfo=UTC)
MINUTES, DAYS = timedelta(minutes=1), timedelta(days=1)
BOB, CLEO = "76561198000000002", "76561198000000003"
DAY = "2026-03-10"
enter = Register.add


class Server(BallchasingServer):
    """Calls `meddle` when it is asked for a list, before it answers."""

    meddle: Callable[[], object] | None = None

    def answer_to(self, request: Request) -> Answer:
        if self.meddle and request.path == "/api/replays":
            self.meddle()
        return super().answer_to(request)


@pytest.fixture
def url(ops_database: str) -> SecretStr:
    return SecretStr(ops_database)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def client(address: str, landing: Landing, **options: Any) -> BallchasingApi:
    # The tier that need not wait between requests.
    return BallchasingApi(SecretStr(TOKEN), landing, **{"base_url": address, "attempts": 1, "tier": "gc", **options})


@pytest.fixture
def api(server: Server, landing: Landing) -> Iterator[BallchasingApi]:
    with client(server.url, landing) as running:
        yield running


def execute(url: SecretStr, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
        conn.execute("SET timezone = 'UTC'")
        cursor = conn.execute(statement, parameters)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def track(
    url: SecretStr, *accounts: str, days: int | None = None, now: datetime = NOW, consents: bool | None = True
) -> None:
    for account in accounts:
        with entering(url, "ada") as conn:
            found = {name: value for name, value in (("days", days), ("consents", consents)) if value is not None}
            PLAYER.take(conn, f"steam:{account}", context=Custody(now=now), **found)


def found(url: SecretStr, *ids: str) -> None:
    execute(url, "INSERT INTO ops.rl_replays_found (ballchasing_id) SELECT unnest(%s::text[])", [list(ids)])


def wanted(url: SecretStr) -> list[str]:
    return [replay.match_id for replay in discovery.pending(url)]


def states(url: SecretStr) -> dict[str, str]:
    return dict(execute(url, "SELECT ballchasing_id, state FROM ops.rl_replays_found ORDER BY 1"))  # type: ignore[arg-type]


def errors(url: SecretStr) -> dict[str, str | None]:
    return dict(execute(url, "SELECT replace(player_id, 'steam_', ''), last_error FROM ops.rl_looks"))  # type: ignore[arg-type]


def time_passes(url: SecretStr, wait: timedelta) -> None:
    execute(url, "UPDATE ops.rl_replays_found SET found_at = found_at - %(w)s, next_at = next_at - %(w)s", {"w": wait})


def listings(server: Server) -> list[dict[str, str]]:
    queries = [request.query for request in server.requests if request.path == "/api/replays"]
    return [{name: values[0] for name, values in query.items()} for query in queries]


def asked_players(server: Server) -> list[str]:
    return [query["player-id"].removeprefix("steam:") for query in listings(server)]


def kinds(landing: Landing, day: str = DAY) -> Counter[str]:
    return Counter(file.kind for file in landing.files("rocket_league", day))


def id_of(number: int) -> str:
    return details(number)["id"]


# ---------------------------------------------------------------- looking


def test_tracking_a_player_finds_the_history_and_then_whatever_is_uploaded(
    url: SecretStr, server: Server, api: BallchasingApi
) -> None:
    server.page = 2
    for number, date in enumerate(["2026-02-01", "2026-02-12", "2026-03-01", "2026-03-11"], start=1):
        server.add(details(number, date=f"{date}T12:00:00Z", created="2026-03-11T00:05:00Z"))
    track(url, ANN)
    first = discovery.find(url, api, now=NOW)
    assert (first.due, first.asked, first.errors) == (1, [f"steam_{ANN}"], [])
    assert sorted(first.new) == sorted(first.listed) == [id_of(2), id_of(3), id_of(4)], "a month of them"
    assert states(url) == dict.fromkeys([id_of(2), id_of(3), id_of(4)], "wanted")

    uploaded = (NOW + 5 * MINUTES).isoformat()
    server.add(details(5, date="2026-03-12T00:01:00Z", created=uploaded))
    server.add(details(6, date="2026-02-20T12:00:00Z", created=uploaded))  # long after it was played
    server.add(details(7, date="2026-01-20T12:00:00Z", created=uploaded))  # from before what is wanted
    assert sorted(discovery.find(url, api, now=NOW + 10 * MINUTES).new) == [id_of(5), id_of(6)]
    assert discovery.find(url, api, now=NOW + 3 * DAYS).listed == [id_of(6), id_of(5)], "the oldest first"
    assert {query["replay-date-after"] for query in listings(server)} == {"2026-02-10T00:00:00Z"}
    assert list(dict.fromkeys(query.get("created-after") for query in listings(server))) == [
        None, "2026-03-11T00:00:00Z", "2026-03-11T00:10:00Z",
    ]  # fmt: skip


def test_a_player_is_looked_for_every_ten_minutes_while_active(
    url: SecretStr, server: Server, api: BallchasingApi
) -> None:
    track(url, ANN, BOB)
    with entering(url, "ada") as conn:
        PLAYER.remove(conn, f"steam_{BOB}")
    dues = [discovery.find(url, api, now=NOW + minutes * MINUTES).due for minutes in (0, 9, 10, 19, 20)]
    assert dues == [1, 0, 1, 0, 1]
    assert set(asked_players(server)) == {ANN}
    track(url, BOB)
    assert discovery.find(url, api, now=NOW + 21 * MINUTES).asked == [f"steam_{BOB}"]


def test_who_did_not_agree_or_does_not_any_more_is_not_looked_for(
    url: SecretStr, server: Server, api: BallchasingApi
) -> None:
    track(url, ANN)
    track(url, BOB, consents=None)
    assert (discovery.find(url, api, now=NOW).due, asked_players(server)) == (1, [ANN])
    track(url, ANN, consents=False)
    assert discovery.find(url, api, now=NOW + 10 * MINUTES).due == 0
    track(url, BOB)
    assert discovery.find(url, api, now=NOW + 10 * MINUTES).asked == [f"steam_{BOB}"]
    assert asked_players(server) == [ANN, BOB]


def test_when_more_history_is_wanted_it_is_listed_once(url: SecretStr, server: Server, api: BallchasingApi) -> None:
    server.add(details(1, date="2025-06-01T00:00:00Z", created="2025-06-02T00:00:00Z"))
    track(url, ANN, days=10)
    assert discovery.find(url, api, now=NOW).new == []
    track(url, ANN, days=365)
    assert discovery.find(url, api, now=NOW + 10 * MINUTES).new == [id_of(1)]
    track(url, ANN, days=20)
    discovery.find(url, api, now=NOW + 20 * MINUTES)
    assert ["created-after" in query for query in listings(server)] == [False, False, True]


def test_a_look_that_fails_leaves_what_it_did_not_list_to_the_next(
    url: SecretStr, server: Server, api: BallchasingApi
) -> None:
    track(url, ANN, days=10)
    for days, wanted_days in ((0, 10), (2, 10), (4, 10), (5, 300), (6, 300)):
        track(url, ANN, days=wanted_days + days, now=NOW + days * DAYS)
        server.answer("/api/replays", Answer(500) if days in (2, 5) else Answer(body=b'{"count": 0}'))
        discovery.find(url, api, now=NOW + days * DAYS)
    assert [query.get("created-after") for query in listings(server)] == [
        None, "2026-03-11T00:00:00Z", "2026-03-11T00:00:00Z", None, None,
    ]  # fmt: skip


def test_a_player_who_is_taken_out_while_asked_for_leaves_no_trace_of_it(
    url: SecretStr, server: Server, api: BallchasingApi
) -> None:
    track(url, ANN, BOB)
    server.meddle = lambda: execute(url, "DELETE FROM ops.rl_players WHERE player_id = %s", [f"steam_{ANN}"])
    assert len(discovery.find(url, api, now=NOW).asked) == 2
    assert errors(url) == {BOB: None}


def test_a_player_ballchasing_refuses_or_does_not_know_holds_up_nobody(
    url: SecretStr, server: Server, api: BallchasingApi
) -> None:
    track(url, ANN, BOB, CLEO)
    page = Answer(body=b'{"count": 1, "list": [{"id": "%s"}]}' % id_of(0xABC).upper().encode())
    server.answer("/api/replays", Answer(404), Answer(415), page)
    looked = discovery.find(url, api, now=NOW)
    assert (looked.due, looked.unknown_names, looked.new) == (3, [f"steam_{ANN}"], [id_of(0xABC)])
    (trouble,) = looked.errors
    assert "415" in trouble
    found = errors(url)
    assert ("404" in str(found[ANN]), "415" in str(found[BOB]), found[CLEO]) == (True, True, None)
    server.answer("/api/replays", page)
    assert len(discovery.find(url, api, now=NOW + 10 * MINUTES).asked) == 3
    assert errors(url) == {ANN: None, BOB: None, CLEO: None}
    assert ["created-after" in query for query in listings(server)] == [False] * 5 + [True], "history was owed to two"


def test_a_limit_that_is_used_up_ends_the_look_and_loses_nobody(
    url: SecretStr, server: Server, landing: Landing
) -> None:
    server.add(details(1, player=ANN))
    server.add(details(2, player=BOB))
    track(url, ANN, BOB)
    limits = SharedLimits(url, patience=0.0)
    limits.learn({"ballchasing list": [Window(1, 3600)]})
    with client(server.url, landing, limits=limits) as api:
        looked = discovery.find(url, api, now=NOW)
        assert (looked.new, len(looked.errors)) == ([id_of(1)], 1)
        assert "used up" in looked.errors[0]
        execute(url, "DELETE FROM ops.api_calls")
        again = discovery.find(url, api, now=NOW)
    assert (again.asked, again.new) == ([f"steam_{BOB}"], [id_of(2)])
    assert errors(url) == {ANN: None, BOB: None}


def test_a_token_that_is_not_accepted_ends_the_look(url: SecretStr, server: Server, landing: Landing) -> None:
    track(url, ANN, BOB)
    with (
        BallchasingApi(SecretStr("old"), landing, base_url=server.url) as api,
        pytest.raises(UnauthorisedError, match="BALLCHASING_API_KEY"),
    ):
        discovery.find(url, api, now=NOW)
    assert len(server.requests) == 1
    assert errors(url) == {}


# ---------------------------------------------------------------- fetching


def test_what_became_of_replays_is_entered(
    url: SecretStr, server: Server, api: BallchasingApi, landing: Landing
) -> None:
    server.add(details(1))
    server.add(details(2, status="failed"))
    server.add(details(3))
    server.answer(f"/api/replays/{id_of(3)}", Answer(500), Answer(body=json.dumps(details(3)).encode()))
    found(url, *map(id_of, (1, 2, 3, 4)), "no-id")
    fetched = discovery.archive(url, api, wanted(url))
    assert {replay.match_id: replay.status for replay in fetched} == {
        id_of(1): "fetched", id_of(2): "expired", id_of(3): "failed", id_of(4): "expired", "no-id": "failed",
    }  # fmt: skip
    assert states(url) == {
        id_of(1): "archived", id_of(2): "expired", id_of(3): "wanted", id_of(4): "expired", "no-id": "wanted",
    }  # fmt: skip
    assert kinds(landing) == {"ballchasing": 1}
    result = {key: rest for key, *rest in execute(
        url, "SELECT ballchasing_id, attempts, match_id, last_error FROM ops.rl_replays_found"
    )}  # fmt: skip
    assert result[id_of(1)] == [0, details(1)["match_guid"], None]
    assert result[id_of(3)][:2] == [0, None], "an API that is down is no attempt"
    assert "500" in result[id_of(3)][2]
    assert "could not read" in result[id_of(2)][2]
    assert result["no-id"][0] == 1
    assert wanted(url) == [], "what failed is not tried again at once"
    time_passes(url, 5 * MINUTES)
    assert sorted(wanted(url)) == [id_of(3), "no-id"]
    discovery.archive(url, api, [id_of(3)])
    assert states(url)[id_of(3)] == "archived"
    assert execute(url, "SELECT last_error FROM ops.rl_replays_found WHERE state = 'archived'") == [(None,)] * 2


def test_files_are_fetched_where_they_are_wanted(
    url: SecretStr, server: Server, api: BallchasingApi, landing: Landing, realdata: Path
) -> None:
    stem = realdata / "rocket_league" / "recent-ranked-doubles-2026-03-10"
    result, file = json.loads(Path(f"{stem}.ballchasing.json").read_bytes()), Path(f"{stem}.replay").read_bytes()
    replay_id = server.add(result, file)
    found(url, replay_id)
    server.answer(f"/api/replays/{replay_id}/file", Answer(503), Answer(body=file))
    discovery.archive(url, api, wanted(url), files=True)
    assert (states(url), kinds(landing)) == ({replay_id: "wanted"}, {"ballchasing": 1})
    time_passes(url, 3 * MINUTES)
    discovery.archive(url, api, wanted(url), files=True)
    assert (states(url), kinds(landing)) == ({replay_id: "archived"}, {"ballchasing": 1, "replay": 1})
    assert server.paths() == [f"/replays/{replay_id}", f"/replays/{replay_id}/file", f"/replays/{replay_id}/file"], (
        "the statistics are not asked for again"
    )


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(answers=st.lists(st.sampled_from(["fetched", "known", "expired", "failed", "delayed"]), min_size=1, max_size=9))
def test_whatever_comes_in_whatever_order_a_replay_ends_and_what_landed_is_archived(
    url: SecretStr, answers: list[Any]
) -> None:
    replays = Register("rl_replays_found", "ballchasing_id")
    execute(url, "DELETE FROM ops.rl_replays_found")
    assert replays.add(url, ["a", "a"]) == ["a"]
    assert replays.add(url, ["a"]) == []
    for number, answer in enumerate(answers, start=1):
        fetched = MatchFetch("a", "failed" if answer == "delayed" else answer, is_delayed=answer == "delayed")
        replays.record_outcomes(url, [fetched, MatchFetch("b", "fetched")])
        before = answers[:number]
        if {"fetched", "known"} & {*before}:
            expected = "archived"
        elif answer == "expired" or (answer == "failed" and before.count("failed") >= 5):
            expected = answer
        else:
            expected = "wanted"
        assert states(url) == {"a": expected}
        time_passes(url, timedelta(hours=6))
        assert wanted(url) == (["a"] if expected == "wanted" else []), "nothing waits for more than six hours"


def test_what_nobody_found_is_fetched_and_not_entered(
    url: SecretStr, server: Server, api: BallchasingApi, landing: Landing
) -> None:
    assert [replay.status for replay in discovery.archive(url, api, [server.add(details(1))])] == ["fetched"]
    assert kinds(landing) == {"ballchasing": 1}
    assert states(url) == {}


def test_players_are_looked_for_and_fetched_at_once_when_somebody_asks(
    url: SecretStr, server: Server, api: BallchasingApi
) -> None:
    server.add(details(1))
    server.add(details(2, player=BOB))
    server.add(details(3, player=CLEO))
    track(url, ANN, BOB)
    report = discovery.find_and_fetch(url, api, now=NOW)
    assert (report.players, report.unknown_players, report.failures) == ((f"steam_{ANN}", f"steam_{BOB}"), (), ())
    assert {replay.match_id: replay.status for replay in report.matches} == {id_of(1): "fetched", id_of(2): "fetched"}
    assert report.days == (DAY,)
    again = discovery.find_and_fetch(url, api, now=NOW)
    assert (len(again.players), again.matches) == (2, ())


# ---------------------------------------------------------------- uploading


def test_a_shared_replay_is_fetched_once_ballchasing_has_read_it(
    realdata: Path, url: SecretStr, server: Server, landing: Landing
) -> None:
    (_, path) = real_files.paths(realdata, real_files.PAIRS[0])
    with client(server.url, landing) as api:
        uploaded = discovery.share(url, api, landing, path, visibility="unlisted")
        assert uploaded.is_new
        assert server.replays[uploaded.id].sent == (path.name, "unlisted", "")
        assert wanted(url) == [uploaded.id]
        (pending,) = discovery.archive(url, api, wanted(url))
        assert (pending.status, states(url)) == ("failed", {uploaded.id: "wanted"}), "it is not read yet"
        again = discovery.share(url, api, landing, path)
        assert (again.id, again.is_new, states(url)) == (uploaded.id, False, {uploaded.id: "wanted"})


def test_what_is_no_replay_or_names_somebody_forgotten_is_not_sent(
    realdata: Path, url: SecretStr, server: Server, landing: Landing, tmp_path: Path
) -> None:
    statistics, replay = real_files.paths(realdata, real_files.PAIRS[0])
    (tmp_path / "x.replay").write_bytes(b"nothing")
    bury(landing, "rocket_league", min(accounts_in_replay(replay.read_bytes())), NOW.date())
    with client(server.url, landing) as api:
        for path, found in (
            (statistics, "not a replay"),
            (replay, "forgotten on request"),
            (tmp_path / "x.replay", "Neither a replay"),
        ):
            with pytest.raises(UnrecognisedContentError, match=found):
                discovery.share(url, api, landing, path)
        with pytest.raises(SourcePathError, match="cannot be read"):
            discovery.share(url, api, landing, tmp_path / "none.replay")
    assert server.requests == []
    assert states(url) == {}


def test_of_a_file_that_names_somebody_forgotten_no_id_of_its_match_is_kept(
    url: SecretStr, server: Server, landing: Landing
) -> None:
    server.add(details(1))
    bury(landing, "rocket_league", f"steam_{ANN}", NOW.date())
    found(url, id_of(1))
    with client(server.url, landing) as api:
        (fetched,) = discovery.archive(url, api, [id_of(1)])
    assert (fetched.status, [file.kind for file in fetched.files]) == ("fetched", ["masked"])
    assert execute(url, "SELECT match_id FROM ops.rl_replays_found") == [(None,)]
