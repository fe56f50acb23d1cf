"""The client of ballchasing.com over real HTTP, against a local server that keeps limits and fails in every way."""

from __future__ import annotations

import gzip
import json
import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from gamestats_assets.apis.http import (
    ApiError,
    RateLimitedError,
    UnauthorisedError,
    UnexpectedAnswerError,
    UnreadableAnswerError,
)
from gamestats_assets.apis.limits import InProcessLimits, SharedLimits, windows_in_force
from gamestats_assets.lakehouse.landing.arrivals import MatchFetch, SourcePathError
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.rocket_league.ballchasing.api import (
    LIMITS,
    Account,
    BallchasingApi,
    Listed,
    RefusedUploadError,
    Tier,
    Uploaded,
    Verb,
)
from gamestats_assets.rocket_league.source import refused
from gamestats_assets_tests.pubg.api_server import Answer
from gamestats_assets_tests.rocket_league.ballchasing_server import ANN, TOKEN, BallchasingServer, details
from gamestats_assets_tests.support.clocks import FakeTime

PLAYER = f"steam_{ANN}"
DAY = "2026-03-10"
NOW = datetime(2026, 3, 12, tzinfo=UTC)
DAMAGED = b"\x00" * 16 + b"\x0f\x00\x00\x00TAGame.Replay_Soccar_TA\x00 and then nothing of a replay"


@pytest.fixture
def timer() -> FakeTime:
    return FakeTime(NOW.timestamp())


@pytest.fixture
def server(timer: FakeTime) -> Iterator[BallchasingServer]:
    with BallchasingServer() as running:
        running.clock = timer.clock
        yield running


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def new_api(server: BallchasingServer, landing: Landing, timer: FakeTime) -> Iterator[Callable[..., BallchasingApi]]:
    made: list[BallchasingApi] = []

    def new(**options: Any) -> BallchasingApi:
        given = {"clock": timer.clock, "sleep": timer.sleep, "timeout": 2, "body_deadline": 5, **options}
        made.append(BallchasingApi(SecretStr(TOKEN), landing, base_url=server.url, **given))
        return made[-1]

    yield new
    for api in made:
        api.close()


@pytest.fixture
def api(new_api: Callable[..., BallchasingApi]) -> BallchasingApi:
    return new_api()


@pytest.fixture
def pair(realdata: Path) -> tuple[dict[str, Any], bytes]:
    """What ballchasing tells of a real replay, and its bytes."""
    stem = realdata / "rocket_league" / "recent-ranked-doubles-2026-03-10"
    return json.loads(Path(f"{stem}.ballchasing.json").read_bytes()), Path(f"{stem}.replay").read_bytes()


def fetch_one(api: BallchasingApi, replay_id: str, **options: Any) -> MatchFetch:
    (fetched,) = api.fetch_replays([replay_id], **options)
    return fetched


def kinds(landing: Landing, day: str = DAY) -> list[str]:
    return sorted(file.kind for file in landing.files("rocket_league", day))


def path_of(replay_id: str) -> str:
    return f"/api/replays/{replay_id}"


# ---------------------------------------------------------------- the account


def test_a_ping_tells_whose_token_it_is(server: BallchasingServer, api: BallchasingApi) -> None:
    assert api.ping() == Account(ANN, "Can't Fly", "regular")
    (request,) = server.requests
    assert (request.path, request.headers["authorization"]) == ("/api/", TOKEN)


@pytest.mark.parametrize(("tier", "at_once"), [("gc", 16), ("champion", 8), ("diamond", 4), ("regular", 2), ("new", 2)])
def test_after_a_ping_the_limits_of_the_account_s_tier_hold(
    server: BallchasingServer, api: BallchasingApi, timer: FakeTime, tier: str, at_once: int
) -> None:
    server.tier = tier
    assert api.ping().tier == tier
    server.windows = {"list": [(at_once, 1.0)]}
    for _ in range(at_once):
        api.list_replays(PLAYER)
    assert timer.slept == []
    api.list_replays(PLAYER)
    assert sum(timer.slept) == pytest.approx(1.1, abs=0.01)
    assert not server.refused


def test_a_tier_that_a_ping_tells_holds_for_all_who_share_its_limits(
    server: BallchasingServer, ops_database: str, new_api: Callable[..., BallchasingApi]
) -> None:
    server.tier = "gold"
    new_api(limits=SharedLimits(SecretStr(ops_database))).ping()
    told = {
        verb: [(w.requests, round(w.seconds)) for w in windows_in_force(SecretStr(ops_database), f"ballchasing {verb}")]
        for verb in ("list", "get", "file", "upload")
    }
    assert told == {
        "list": [(2, 1), (1000, 3600)],
        "get": [(2, 1), (2000, 3600)],
        "file": [(2, 1), (400, 3600)],
        "upload": [(2, 1), (350, 7 * 86_400)],
    }


# ---------------------------------------------------------------- lists


def test_lists_are_read_page_by_page_in_the_order_of_dates(server: BallchasingServer, api: BallchasingApi) -> None:
    server.page = 3
    days = [4, 1, 7, 2, 6, 3, 5]
    ids = [server.add(details(day, date=f"2026-03-0{day}T12:00:00Z")) for day in days]
    server.add(details(9, player="76561198000000002"))
    listed = api.list_replays(PLAYER)
    assert [replay.id for replay in listed] == [ids[days.index(day)] for day in range(1, 8)]
    assert listed[0] == Listed(ids[1], f"{1:032X}", datetime(2026, 3, 1, 12, tzinfo=UTC), is_pending=False)
    assert server.paths() == ["/replays"] * 3
    assert all(request.headers["authorization"] == TOKEN for request in server.requests)
    assert {request.query["player-id"][0] for request in server.requests} == {f"steam:{ANN}"}
    assert {request.query["count"][0] for request in server.requests} == {"200"}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    minutes=st.lists(st.none() | st.integers(0, 40), max_size=12),
    page=st.integers(1, 5),
    bounds=st.tuples(st.none() | st.integers(0, 40), st.none() | st.integers(0, 40)),
)
def test_whatever_the_pages_every_wanted_replay_is_listed_once(
    server: BallchasingServer,
    api: BallchasingApi,
    minutes: list[int | None],
    page: int,
    bounds: tuple[int | None, int | None],
) -> None:
    server.replays.clear()
    server.page = page
    began = datetime(2026, 3, 10, tzinfo=UTC)
    created = began + timedelta(minutes=20)
    dates: dict[str, datetime] = {}
    for number, at in enumerate(minutes, start=1):
        date = None if at is None else began + timedelta(minutes=at)
        told = details(number, date=date and date.isoformat(), created=created.isoformat())
        dates[server.add(told)] = date or created
    since, until = (None if at is None else began + timedelta(minutes=at) for at in bounds)
    wanted = {
        replay_id: date
        for replay_id, date in dates.items()
        if (since is None or date >= since) and (until is None or date <= until)
    }
    listed = api.list_replays(PLAYER, since=since, until=until)
    assert {replay.id: replay.date for replay in listed} == wanted
    assert len(listed) == len(wanted)
    assert [replay.date for replay in listed] == sorted(wanted.values())


def test_times_and_playlist_are_sent_as_the_api_wants_them(server: BallchasingServer, api: BallchasingApi) -> None:
    since = datetime.fromisoformat("2026-03-01T02:00:00+02:00")
    api.list_replays(PLAYER, since=since, until=NOW, uploaded_since=NOW - timedelta(hours=1), playlist="ranked-duels")
    (request,) = server.requests
    assert {name: values[0] for name, values in request.query.items()} == {
        "player-id": f"steam:{ANN}",
        "replay-date-after": "2026-03-01T00:00:00Z",
        "replay-date-before": "2026-03-12T00:00:00Z",
        "created-after": "2026-03-11T23:00:00Z",
        "playlist": "ranked-duels",
        "count": "200",
        "sort-by": "replay-date",
        "sort-dir": "asc",
    }


def test_filters_choose_by_date_of_match_and_of_upload(server: BallchasingServer, api: BallchasingApi) -> None:
    old = server.add(details(1, date="2025-01-01T00:00:00Z", created="2026-03-11T00:00:00Z"))
    server.add(details(2, date="2026-03-09T00:00:00Z", created="2026-03-09T01:00:00Z"))
    duel = server.add(
        details(3, date="2026-03-11T00:00:00Z", created="2026-03-11T01:00:00Z", playlist_id="ranked-duels")
    )
    assert [r.id for r in api.list_replays(PLAYER, uploaded_since=datetime(2026, 3, 10, tzinfo=UTC))] == [old, duel]
    assert [r.id for r in api.list_replays(PLAYER, since=datetime(2026, 3, 10, tzinfo=UTC))] == [duel]
    assert [r.id for r in api.list_replays(PLAYER, playlist="ranked-duels")] == [duel]


def test_what_ballchasing_has_yet_to_read_is_listed_as_pending(server: BallchasingServer, api: BallchasingApi) -> None:
    server.add(details(1))
    pending = server.add(details(2, date=None, rocket_league_id=None), pending=1)
    listed = {replay.id: replay for replay in api.list_replays(PLAYER)}
    assert [replay.is_pending for replay in listed.values()] == [False, True]
    assert listed[pending].rocket_league_id is None
    assert listed[pending].date == datetime(2026, 3, 10, 18, 56, 10, 736579, tzinfo=UTC), "when it was uploaded"


def test_dates_with_an_offset_without_one_and_none_at_all_are_put_in_order(
    server: BallchasingServer, api: BallchasingApi
) -> None:
    told = [
        {"id": "none"},
        {"id": "offset", "date": "2021-04-12T01:26:47+02:00"},
        {"id": "naive", "date": "2021-04-12T00:00:00"},
        {"id": "utc", "date": "2021-04-11T23:27:00Z"},
        {"id": "wrong", "date": "yesterday", "created": "2021-04-11T23:30:00Z"},
    ]
    server.answer("/api/replays", Answer(body=json.dumps({"count": 5, "list": told}).encode()))
    listed = api.list_replays(PLAYER)
    assert [replay.id for replay in listed] == ["offset", "utc", "wrong", "naive", "none"]
    assert listed[0].date == datetime(2021, 4, 11, 23, 26, 47, tzinfo=UTC)
    assert listed[-1].date is None


def test_a_next_page_elsewhere_is_asked_for_at_the_api_s_own_address(
    server: BallchasingServer, api: BallchasingApi
) -> None:
    with BallchasingServer() as another:
        pages = [
            {"count": 2, "list": [{"id": "a"}], "next": f"{another.url}/replays?after=a&playlist=&player-id=steam:1"},
            {"count": 2, "list": [{"id": "b"}]},
        ]
        server.answer("/api/replays", *(Answer(body=json.dumps(page).encode()) for page in pages))
        assert [replay.id for replay in api.list_replays(PLAYER, playlist="hoops")] == ["a", "b"]
        assert another.requests == []
    second = server.requests[1]
    assert second.query["after"] == ["a"]
    assert (second.query["player-id"], second.query["playlist"]) == ([f"steam:{ANN}"], ["hoops"]), "no filter is lost"


@pytest.mark.parametrize("cursor", ["?after=a", "?after=a&count=200", "", "?", "#after"])
def test_pages_that_lead_in_a_circle_end(server: BallchasingServer, api: BallchasingApi, cursor: str) -> None:
    page = {"count": 2, "list": [{"id": "a"}, {"id": "b"}], "next": f"{server.url}/replays{cursor}"}
    server.answer("/api/replays", Answer(body=json.dumps(page).encode()))
    assert [replay.id for replay in api.list_replays(PLAYER)] == ["a", "b"]
    assert len(server.requests) <= 2


@pytest.mark.parametrize(
    "body", [b'{"count": 0}', b'{"count": 0, "list": null}', b'{"count": 0, "list": [], "next": ""}']
)
def test_a_player_without_replays_has_an_empty_list(
    server: BallchasingServer, api: BallchasingApi, body: bytes
) -> None:
    server.answer("/api/replays", Answer(body=body))
    assert api.list_replays(PLAYER) == []


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"\xff", b"<html>", b"", b'{"count": 1, "list": [{}]}', b"\x1f\x8bx"])
def test_a_list_that_is_none_is_told(server: BallchasingServer, api: BallchasingApi, body: bytes) -> None:
    server.answer("/api/replays", Answer(body=body))
    with pytest.raises(UnreadableAnswerError, match=rf"the replays of {PLAYER} is no good"):
        api.list_replays(PLAYER)
    assert len(server.requests) == 5


# ---------------------------------------------------------------- statistics and files


def test_a_real_replay_lands_as_it_was_sent(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, pair: tuple[dict[str, Any], bytes]
) -> None:
    told, file = pair
    fetched = fetch_one(api, server.add(told, file).upper(), files=True)
    assert (fetched.match_id, fetched.status, fetched.reason) == (told["id"], "fetched", "")
    assert {outcome.match_id for outcome in fetched.files} == {told["match_guid"]}
    assert server.paths() == [f"/replays/{told['id']}", f"/replays/{told['id']}/file"]
    landed = {file.kind: landing.read(file) for file in landing.files("rocket_league", DAY)}
    assert landed["replay"] == file
    assert landed["ballchasing"] == gzip.compress(json.dumps(told).encode(), mtime=0)
    assert len(landed) == 2


def test_without_files_only_the_statistics_are_fetched(
    server: BallchasingServer, api: BallchasingApi, landing: Landing
) -> None:
    ids = [server.add(details(number), DAMAGED) for number in range(1, 6)]
    assert [match.status for match in api.fetch_replays([*ids, ids[0]])] == ["fetched"] * 5
    assert kinds(landing) == ["ballchasing"] * 5
    assert sorted(server.paths()) == sorted(f"/replays/{replay_id}" for replay_id in ids)


def test_what_has_landed_is_not_fetched_again(
    server: BallchasingServer, new_api: Callable[..., BallchasingApi], pair: tuple[dict[str, Any], bytes]
) -> None:
    told, file = pair
    replay_id = server.add(told, file)
    known = {replay_id: told["match_guid"], "another": "F" * 32}
    assert fetch_one(new_api(), replay_id, known=known).status == "fetched", "known, but nothing of it is there"
    assert fetch_one(new_api(), replay_id, known=known).status == "known"
    assert len(server.requests) == 1
    assert fetch_one(new_api(), replay_id, known=known, files=True).status == "fetched"
    assert server.paths()[1:] == [f"/replays/{replay_id}/file"], "only what is missing"
    again = fetch_one(new_api(), replay_id, known=known, files=True)
    assert (again.status, again.files) == ("known", ())
    assert len(server.requests) == 2


def test_of_two_recordings_of_a_match_the_file_is_fetched_once(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, pair: tuple[dict[str, Any], bytes]
) -> None:
    told, file = pair
    first = server.add(told, file)
    second = server.add({**told, "id": details(7)["id"], "title": "as another player saw it"}, file)
    assert [match.status for match in api.fetch_replays([first, second], files=True, downloads=1)] == ["fetched"] * 2
    assert kinds(landing) == ["ballchasing", "ballchasing", "replay"]
    assert server.paths().count(f"/replays/{second}/file") == 0


def test_the_file_tells_the_day_of_the_match_not_when_its_replay_was_saved(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, pair: tuple[dict[str, Any], bytes]
) -> None:
    told, file = pair
    fetched = fetch_one(api, server.add({**told, "date": "2026-03-11T00:00:01Z"}, file), files=True)
    assert {outcome.day for outcome in fetched.files} == {DAY}


def test_a_pending_replay_is_delayed_until_it_is_read(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, timer: FakeTime
) -> None:
    replay_id = server.add(details(1), pending=2)
    for _ in range(2):
        waiting = fetch_one(api, replay_id, files=True)
        assert (waiting.status, waiting.is_delayed, waiting.files) == ("failed", True, ())
        assert f"has yet to read replay {replay_id}" in waiting.reason
    assert landing.days("rocket_league") == []
    assert refused(landing) == []
    assert server.paths() == [f"/replays/{replay_id}"] * 2, "not asked again at once, and not for the file"
    assert timer.slept == []
    assert fetch_one(api, replay_id).status == "fetched"


def test_a_replay_that_ballchasing_could_not_read_is_given_up(
    server: BallchasingServer, api: BallchasingApi, landing: Landing
) -> None:
    gone = fetch_one(api, server.add(details(1, status="failed")), files=True)
    assert (gone.status, gone.is_delayed) == ("expired", False)
    assert "could not read" in gone.reason
    assert len(server.requests) == 1
    assert refused(landing) == []


def test_a_replay_that_is_no_more_leaves_nothing(
    server: BallchasingServer, api: BallchasingApi, landing: Landing
) -> None:
    gone = fetch_one(api, details(1)["id"], files=True)
    assert (gone.status, gone.is_delayed) == ("expired", False)
    assert "404" in gone.reason
    assert landing.days("rocket_league") == []
    assert len(server.requests) == 1


def test_a_file_that_is_no_more_leaves_the_statistics(
    server: BallchasingServer, api: BallchasingApi, landing: Landing
) -> None:
    replay_id = server.add(details(1))
    gone = fetch_one(api, replay_id, files=True)
    assert (gone.status, [file.kind for file in gone.files]) == ("fetched", ["ballchasing"])
    assert f"the file of replay {replay_id}" in gone.reason
    assert kinds(landing) == ["ballchasing"]


def test_damaged_files_are_put_aside_and_stop_nothing(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, pair: tuple[dict[str, Any], bytes]
) -> None:
    told, file = pair
    cut = server.add(told, file[:-9000])
    ids = [
        server.add(details(1), DAMAGED),
        cut,
        server.add(details(2), b"<html>sorry</html>"),
        server.add(details(3), b""),
    ]
    fetched = api.fetch_replays(ids, files=True)
    assert {(match.status, match.is_delayed) for match in fetched} == {("failed", False)}
    assert all(match.reason for match in fetched)
    assert [[(o.kind, o.status) for o in match.files] for match in fetched] == [
        [(None, "quarantined"), ("ballchasing", "taken")]
    ] * 4
    assert kinds(landing) == ["ballchasing"] * 4
    assert {each.reason.partition(" (")[0] for each in refused(landing)} == {f"{replay_id}.replay" for replay_id in ids}
    assert len(server.requests) == 8, "the same bytes would come again"
    server.add(told, file)
    assert fetch_one(api, cut, files=True, known={cut: told["match_guid"]}).status == "fetched"
    assert sorted(Counter(kinds(landing)).items()) == [("ballchasing", 4), ("replay", 1)]


def test_a_file_of_another_match_is_put_aside(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, pair: tuple[dict[str, Any], bytes]
) -> None:
    told, file = pair
    wrong = fetch_one(api, server.add(details(1), file), files=True)
    assert wrong.status == "failed"
    assert told["match_guid"] in wrong.reason
    assert kinds(landing) == ["ballchasing"]
    assert len(refused(landing)) == 1


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(details(2)).encode(),
        json.dumps(details(1))[:-3].encode(),
        json.dumps(details(1, match_guid=None, rocket_league_id="?")).encode(),
        json.dumps(details(1, status="unheard of")).encode(),
        b"<html>sorry</html>",
        b"\x1f\x8b\x08 no gzip",
        b"[]",
        b"",
    ],
    ids=["another", "cut", "no match", "new status", "page", "broken gzip", "list", "empty"],
)
def test_an_answer_that_is_not_the_replay_asked_for_is_not_taken_for_it(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, body: bytes
) -> None:
    replay_id = server.add(details(1))
    server.answer(path_of(replay_id), Answer(body=body))
    failed = fetch_one(api, replay_id, files=True)
    assert (failed.status, failed.is_delayed) == ("failed", False)
    assert landing.days("rocket_league") == []
    assert [each.reason.partition(" (")[0] for each in refused(landing)] == [f"{replay_id}.json"]
    assert server.paths() == [f"/replays/{replay_id}"] * 5


@pytest.mark.parametrize("replay_id", ["", "7", "../upload", "2075de8d-3bc8-40c0-ac04-30dd28ba92a8/file"])
def test_what_is_no_id_is_not_asked_for(server: BallchasingServer, api: BallchasingApi, replay_id: str) -> None:
    failed = fetch_one(api, replay_id)
    assert (failed.status, failed.is_delayed) == ("failed", False)
    assert "no id of ballchasing" in failed.reason
    assert server.requests == []


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("verb", "windows", "seconds"),
    [("list", [(2, 1.0), (500, 3600.0)], 3600), ("file", [(1, 1.0), (200, 3600.0)], 3600)],
)
def test_the_limits_of_a_free_account_are_kept(
    server: BallchasingServer,
    new_api: Callable[..., BallchasingApi],
    timer: FakeTime,
    verb: str,
    windows: list[tuple[int, float]],
    seconds: float,
) -> None:
    server.windows = {verb: windows}
    replay_id = server.add(details(1))
    api = new_api(limits=InProcessLimits(clock=timer.clock, sleep=timer.sleep))
    began = timer.now
    fetch_one(api, replay_id)

    def ask() -> None:
        if verb == "list":
            api.list_replays(PLAYER)
        else:
            fetch_one(api, replay_id, files=True, known={replay_id: details(1)["match_guid"]})

    for _ in range(windows[1][0]):
        ask()
    assert timer.now - began < seconds / 2
    ask()
    assert timer.now - began == pytest.approx(seconds, abs=1)
    assert not server.refused
    assert Counter(server.paths())[f"/replays/{replay_id}/file" if verb == "file" else "/replays"] == windows[1][0] + 1


def test_the_limits_of_every_tier_are_those_ballchasing_documents() -> None:
    def told(tier: Tier, verb: Verb) -> list[tuple[int, int]]:
        return [(window.requests, round(window.seconds)) for window in LIMITS[tier][verb]]

    def hourly(verb: Verb) -> dict[str, tuple[int, int | None]]:
        both = {tier: [*told(tier, verb), (None, None)] for tier in LIMITS if tier != "legend"}
        assert all(windows[0][1] == 1 and windows[1][1] in (3600, None) for windows in both.values())
        return {tier: (windows[0][0] or 0, windows[1][0]) for tier, windows in both.items()}

    lists = {"regular": (2, 500), "gold": (2, 1000), "diamond": (4, 2000), "champion": (8, None), "gc": (16, None)}
    gets = {"regular": (2, 1000), "gold": (2, 2000), "diamond": (4, 5000), "champion": (8, None), "gc": (16, None)}
    files = {"regular": (1, 200), "gold": (2, 400), "diamond": (2, 1000), "champion": (2, 2000), "gc": (2, None)}
    assert (hourly("list"), hourly("get"), hourly("file")) == (lists, gets, files)
    assert {tier: told(tier, "upload")[-1] for tier in LIMITS} == {
        tier: (uploads, 7 * 86_400)
        for tier, uploads in {
            "regular": 70, "gold": 350, "diamond": 1050, "champion": 2800, "gc": 7000, "legend": 21_000,
        }.items()
    }  # fmt: skip


def test_verbs_have_limits_of_their_own(server: BallchasingServer, api: BallchasingApi, timer: FakeTime) -> None:
    replay_id = server.add(details(1), DAMAGED)
    api.list_replays(PLAYER)
    api.list_replays(PLAYER)
    fetch_one(api, replay_id, files=True)
    fetch_one(api, server.add(details(2)))
    api.upload(DAMAGED)
    assert timer.slept == []
    fetch_one(api, replay_id, known={replay_id: details(1)["match_guid"]}, files=True)
    assert sum(timer.slept) == pytest.approx(1.1, abs=0.01)


def test_what_does_not_fit_in_the_hour_is_delayed(
    server: BallchasingServer, new_api: Callable[..., BallchasingApi], timer: FakeTime
) -> None:
    server.windows = {"file": [(200, 3600.0)]}
    ids = [server.add(details(number), DAMAGED) for number in range(1, 204)]
    fetched = new_api(tier="gc", limits=_few_files(timer)).fetch_replays(ids, files=True)
    told = Counter((match.status, match.is_delayed) for match in fetched)
    assert told == {("failed", False): 200, ("failed", True): 3}
    assert all(match.files for match in fetched), "their statistics have landed"
    assert "ballchasing file" in next(match.reason for match in fetched if match.is_delayed)
    assert not server.refused


def _few_files(timer: FakeTime) -> InProcessLimits:
    limits = InProcessLimits(patience=600, clock=timer.clock, sleep=timer.sleep)
    limits.learn({"ballchasing file": LIMITS["regular"]["file"][1:]})
    return limits


def test_refusals_that_name_no_time_are_waited_for_longer_and_longer(
    server: BallchasingServer, api: BallchasingApi, timer: FakeTime
) -> None:
    good = Answer(body=json.dumps({"count": 0, "list": []}).encode())
    server.answer("/api/replays", *[Answer(429)] * 4, good)
    api.list_replays(PLAYER)
    assert timer.slept == [1.0, 2.0, 4.0, 8.0]
    timer.sleep(60)
    server.answer("/api/replays", Answer(429), good)
    api.list_replays(PLAYER)
    assert timer.slept[5:] == [1.0], "a good answer begins anew"


def test_a_server_that_counts_more_strictly_is_obeyed(
    server: BallchasingServer, api: BallchasingApi, timer: FakeTime
) -> None:
    server.windows = {"get": [(1, 5.0)]}
    ids = [server.add(details(number)) for number in range(1, 4)]
    assert {match.status for match in api.fetch_replays(ids, downloads=1)} == {"fetched"}
    assert server.refused["get"] > 0
    assert sum(timer.slept) >= 10


def test_a_refusal_stops_its_verb_alone(
    server: BallchasingServer, new_api: Callable[..., BallchasingApi], timer: FakeTime
) -> None:
    replay_id = server.add(details(1))
    limits = InProcessLimits(clock=timer.clock, sleep=timer.sleep)
    api = new_api(limits=limits, attempts=1)
    server.answer("/api/replays", Answer(429, headers={"Retry-After": "37"}), Answer(body=b'{"count": 0, "list": []}'))
    with pytest.raises(RateLimitedError, match="for the next 37 s"):
        api.list_replays(PLAYER)
    assert fetch_one(api, replay_id).status == "fetched"
    assert timer.slept == []
    api.list_replays(PLAYER)
    assert timer.slept == [37.0]


def test_a_refusal_for_longer_than_anybody_waits_is_told_at_once(
    server: BallchasingServer, api: BallchasingApi, timer: FakeTime
) -> None:
    server.windows, server.told_wait = {"get": [(1, 3600.0)]}, "3600"
    ids = [server.add(details(number)) for number in range(1, 5)]
    fetched = api.fetch_replays(ids, downloads=1)
    assert [(match.status, match.is_delayed) for match in fetched] == [("fetched", False)] + [("failed", True)] * 3
    assert "3600 s" in fetched[1].reason
    assert timer.slept == []
    assert len(server.requests) == 2, "nothing is asked while the refusal is in force"


# ---------------------------------------------------------------- uploads


def test_a_replay_is_uploaded_whole_and_a_second_time_it_is_known(
    server: BallchasingServer, api: BallchasingApi, pair: tuple[dict[str, Any], bytes], tmp_path: Path
) -> None:
    _, file = pair
    path = tmp_path / "Ann's goal é.replay"
    path.write_bytes(file)
    uploaded = api.upload(path, visibility="unlisted", group="my-group-1")
    assert uploaded == Uploaded(next(iter(server.replays)), is_new=True)
    kept = server.replays[uploaded.id]
    assert kept.file == file
    assert kept.sent == (path.name, "unlisted", "my-group-1")
    assert api.upload(path) == api.upload(file) == Uploaded(uploaded.id, is_new=False)
    (request, *_) = server.requests
    assert (request.path, request.headers["authorization"]) == ("/api/v2/upload", TOKEN)


def test_uploads_are_private_unless_said_otherwise(server: BallchasingServer, api: BallchasingApi) -> None:
    uploaded = api.upload(DAMAGED)
    assert server.replays[uploaded.id].sent == ("match.replay", "private", "")
    assert "group" not in server.requests[0].query


def test_a_gzipped_replay_is_uploaded_plain(server: BallchasingServer, api: BallchasingApi, tmp_path: Path) -> None:
    (tmp_path / "a.replay.gz").write_bytes(gzip.compress(DAMAGED))
    kept = server.replays[api.upload(tmp_path / "a.replay.gz").id]
    assert (kept.file, kept.sent) == (DAMAGED, ("a.replay", "private", ""))


def test_what_is_no_replay_is_refused_with_the_server_s_reason(server: BallchasingServer, api: BallchasingApi) -> None:
    with pytest.raises(RefusedUploadError, match=r"400 for the upload of match.replay: .*not a \.replay file"):
        api.upload(b"<html>")
    assert len(server.requests) == 1
    assert server.replays == {}


@pytest.mark.parametrize("body", [b"", b"no good", b'{"error": 7}', b"\x1f\x8bx"])
def test_an_upload_refused_without_a_word_is_told_too(
    server: BallchasingServer, api: BallchasingApi, body: bytes
) -> None:
    server.answer("/api/v2/upload", Answer(400, body))
    with pytest.raises(RefusedUploadError, match="finds the request wrong"):
        api.upload(DAMAGED)


def test_an_upload_is_sent_again_after_passing_trouble(landing: Landing, timer: FakeTime) -> None:
    kept: list[bytes] = []

    class Shaky(BallchasingServer):
        def answer_to(self, request: Any) -> Answer:
            answer = super().answer_to(request)
            kept.append(self._arrived.body)
            return Answer(503) if len(kept) == 1 else Answer(silent=True) if len(kept) == 2 else answer

    token = SecretStr(TOKEN)
    with (
        Shaky() as server,
        BallchasingApi(token, landing, base_url=server.url, clock=timer.clock, sleep=timer.sleep) as client,
    ):
        uploaded = client.upload(DAMAGED)
    assert uploaded == Uploaded(next(iter(server.replays)), is_new=False), "the first try had arrived"
    assert len(kept) == 3
    assert all(DAMAGED in body for body in kept)


def test_uploads_of_a_day_are_not_exceeded(server: BallchasingServer, api: BallchasingApi, timer: FakeTime) -> None:
    server.windows = {"upload": [(20, 86_400.0), (70, 7 * 86_400.0)]}
    for number in range(20):
        assert api.upload(DAMAGED + bytes([number])).is_new
    with pytest.raises(RateLimitedError, match="ballchasing upload"):
        api.upload(DAMAGED)
    timer.now += 86_400
    assert api.upload(DAMAGED).is_new
    assert not server.refused


def test_a_file_that_cannot_be_read_is_told_before_anything_is_sent(
    server: BallchasingServer, api: BallchasingApi, tmp_path: Path
) -> None:
    with pytest.raises(SourcePathError, match=r"gone\.replay cannot be read: No such file"):
        api.upload(tmp_path / "gone.replay")
    assert server.requests == []


# ---------------------------------------------------------------- trouble


def test_a_file_that_is_cut_on_its_way_is_fetched_again(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, pair: tuple[dict[str, Any], bytes]
) -> None:
    told, file = pair
    replay_id = server.add(told, file)
    server.answer(f"{path_of(replay_id)}/file", Answer(body=file, sent=5000), Answer(body=file))
    assert fetch_one(api, replay_id, files=True).status == "fetched"
    assert refused(landing) == []


@pytest.mark.parametrize("status", [302, 400, 403, 405, 415])
def test_an_answer_nobody_expects_stops_one_replay_only(
    server: BallchasingServer, api: BallchasingApi, status: int
) -> None:
    ids = [server.add(details(number)) for number in range(1, 4)]
    server.answer(path_of(ids[1]), Answer(status, headers={"Location": "/api/"}))
    fetched = api.fetch_replays(ids)
    assert [match.status for match in fetched] == ["fetched", "failed", "fetched"]
    assert (fetched[1].is_delayed, str(status) in fetched[1].reason) == (False, True)
    assert len(server.requests) == 3


def test_an_interrupted_fetch_goes_on_where_it_was(
    server: BallchasingServer, new_api: Callable[..., BallchasingApi], landing: Landing
) -> None:
    ids = [server.add(details(number)) for number in range(1, 9)]
    server.answer(path_of(ids[3]), Answer(401))
    with pytest.raises(UnauthorisedError):
        new_api().fetch_replays(ids, downloads=1)
    landed = {file.unit_id for file in landing.files("rocket_league", DAY)}
    assert landed == {details(number)["match_guid"] for number in range(1, 4)}
    assert len(server.requests) == 4, "after a refused token nothing more is asked"
    server.answer(path_of(ids[3]), Answer(body=json.dumps(details(4)).encode()))
    known = {details(number)["id"]: details(number)["match_guid"] for number in range(1, 4)}
    again = new_api().fetch_replays(ids, downloads=1, known=known)
    assert [match.status for match in again] == ["known"] * 3 + ["fetched"] * 5
    assert kinds(landing) == ["ballchasing"] * 8


def test_a_token_refused_at_the_file_leaves_the_statistics(
    server: BallchasingServer, api: BallchasingApi, landing: Landing
) -> None:
    replay_id = server.add(details(1))
    server.answer(f"{path_of(replay_id)}/file", Answer(401))
    with pytest.raises(UnauthorisedError):
        api.fetch_replays([replay_id], files=True)
    assert kinds(landing) == ["ballchasing"]


# ---------------------------------------------------------------- the token


def test_without_a_token_the_error_says_what_for_and_what_works(server: BallchasingServer, landing: Landing) -> None:
    for token in (None, SecretStr(" \n")):
        with BallchasingApi(token, landing, base_url=server.url) as api:
            for ask in (api.ping, lambda: api.list_replays(PLAYER), lambda: api.upload(DAMAGED)):
                with pytest.raises(UnauthorisedError, match=r"BALLCHASING_API_KEY.*works without it"):
                    ask()
            with pytest.raises(UnauthorisedError, match=r"https://ballchasing\.com/upload"):
                api.fetch_replays([details(1)["id"]])
    assert server.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(silent=True),
        Answer(401, f"no good: {TOKEN}".encode()),
        Answer(404),
        Answer(400, json.dumps({"error": "x" * 170 + f" your token {TOKEN} is no good"}).encode()),
        Answer(429),
        Answer(500),
        Answer(307, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
        Answer(body=f'{{"key": "{TOKEN}"}}'.encode()),
    ],
    ids=["dead", "refused", "missing", "wrong", "limited", "broken", "moved", "told back"],
)
def test_the_token_shows_in_no_log_or_error_of_an_upload(
    server: BallchasingServer, api: BallchasingApi, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    server.answer("/api/v2/upload", answer)
    caplog.set_level(logging.DEBUG)  # what the HTTP libraries log included
    with pytest.raises(ApiError) as raised:
        api.upload(DAMAGED)
    error: BaseException | None = raised.value
    told = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(api) + repr(vars(api))
    while error is not None:
        told += repr(error) + str(error)
        told += repr({name: value for name, value in vars(error).items() if name != "payload"})
        error = error.__cause__ or error.__context__
    assert "send_request_headers" in caplog.text
    assert TOKEN[:12] not in told
    assert server.requests[0].headers["authorization"] == TOKEN


def test_the_token_is_sent_to_no_other_host(server: BallchasingServer, api: BallchasingApi) -> None:
    replay_id = server.add(details(1))
    with BallchasingServer() as another:
        for path in (path_of(replay_id), "/api/v2/upload"):
            server.answer(path, Answer(307, headers={"Location": f"{another.address}{path}"}))
        assert fetch_one(api, replay_id).status == "failed"
        with pytest.raises(UnexpectedAnswerError, match="307"):
            api.upload(DAMAGED)
        assert another.requests == []
