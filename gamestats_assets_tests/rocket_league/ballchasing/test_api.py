"""The client of ballchasing.com over real HTTP, against a local server that keeps limits and fails in every way."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from gamestats_assets.apis.http import UnreadableAnswerError
from gamestats_assets.lakehouse.landing.arrivals import MatchFetch, SourcePathError
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.rocket_league.ballchasing.api import (
    Account,
    BallchasingApi,
    RefusedUploadError,
    Uploaded,
)
from gamestats_assets.rocket_league.source import refused
from gamestats_assets_tests.pubg.api_server import Answer
from gamestats_assets_tests.rocket_league.support.ballchasing_server import ANN, TOKEN, BallchasingServer, details
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


@pytest.mark.parametrize(("tier", "at_once"), [("gc", 16), ("regular", 2), ("new", 2)])
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


# ---------------------------------------------------------------- lists


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
        found = details(number, date=date and date.isoformat(), created=created.isoformat())
        dates[server.add(found)] = date or created
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


def test_what_ballchasing_has_yet_to_read_is_listed_as_pending(server: BallchasingServer, api: BallchasingApi) -> None:
    server.add(details(1))
    server.add(details(2, date=None, rocket_league_id=None), pending=1)
    read, pending = api.list_replays(PLAYER)
    assert (read.is_pending, pending.is_pending, pending.rocket_league_id) == (False, True, None)
    assert pending.date == datetime(2026, 3, 10, 18, 56, 10, 736579, tzinfo=UTC), "when it was uploaded"


def test_dates_with_an_offset_without_one_and_none_at_all_are_put_in_order(
    server: BallchasingServer, api: BallchasingApi
) -> None:
    found = [
        {"id": "none"},
        {"id": "offset", "date": "2021-04-12T01:26:47+02:00"},
        {"id": "naive", "date": "2021-04-12T00:00:00"},
        {"id": "utc", "date": "2021-04-11T23:27:00Z"},
        {"id": "wrong", "date": "yesterday", "created": "2021-04-11T23:30:00Z"},
    ]
    server.answer("/api/replays", Answer(body=json.dumps({"count": 5, "list": found}).encode()))
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


@pytest.mark.parametrize("cursor", ["?after=a", "", "#after"])
def test_pages_that_lead_in_a_circle_end(server: BallchasingServer, api: BallchasingApi, cursor: str) -> None:
    page = {"count": 2, "list": [{"id": "a"}, {"id": "b"}], "next": f"{server.url}/replays{cursor}"}
    server.answer("/api/replays", Answer(body=json.dumps(page).encode()))
    assert [replay.id for replay in api.list_replays(PLAYER)] == ["a", "b"]
    assert len(server.requests) <= 2


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"count": 1, "list": [{}]}', b"\x1f\x8bx"])
def test_a_malformed_list_is_reported(server: BallchasingServer, api: BallchasingApi, body: bytes) -> None:
    server.answer("/api/replays", Answer(body=body))
    with pytest.raises(UnreadableAnswerError, match=rf"the replays of {PLAYER} is unusable"):
        api.list_replays(PLAYER)
    assert len(server.requests) == 5


# ---------------------------------------------------------------- statistics and files


def test_a_real_replay_lands_as_it_was_sent(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, pair: tuple[dict[str, Any], bytes]
) -> None:
    found, file = pair
    fetched = fetch_one(api, server.add(found, file).upper(), files=True)
    assert (fetched.match_id, fetched.status, fetched.reason) == (found["id"], "fetched", "")
    assert {outcome.match_id for outcome in fetched.files} == {found["match_guid"]}
    assert server.paths() == [f"/replays/{found['id']}", f"/replays/{found['id']}/file"]
    landed = {file.kind: landing.read(file) for file in landing.files("rocket_league", DAY)}
    assert landed["replay"] == file
    assert landed["ballchasing"] == gzip.compress(json.dumps(found).encode(), mtime=0)
    assert len(landed) == 2


def test_what_has_landed_is_not_fetched_again(
    server: BallchasingServer, new_api: Callable[..., BallchasingApi], pair: tuple[dict[str, Any], bytes]
) -> None:
    found, file = pair
    replay_id = server.add(found, file)
    known = {replay_id: found["match_guid"], "another": "F" * 32}
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
    found, file = pair
    first = server.add(found, file)
    second = server.add({**found, "id": details(7)["id"], "title": "as another player saw it"}, file)
    assert [match.status for match in api.fetch_replays([first, second], files=True, downloads=1)] == ["fetched"] * 2
    assert kinds(landing) == ["ballchasing", "ballchasing", "replay"]
    assert server.paths().count(f"/replays/{second}/file") == 0


def test_the_file_tells_the_day_of_the_match_not_when_its_replay_was_saved(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, pair: tuple[dict[str, Any], bytes]
) -> None:
    found, file = pair
    fetched = fetch_one(api, server.add({**found, "date": "2026-03-11T00:00:01Z"}, file), files=True)
    assert {outcome.day for outcome in fetched.files} == {DAY}


@pytest.mark.parametrize(
    ("kept", "status", "is_delayed", "reason", "asked"),
    [
        # Ballchasing has yet to read it.
        ({"document": details(1), "pending": 2}, "failed", True, "has not processed replay", 1),
        ({"document": details(1, status="failed")}, "expired", False, "could not read", 1),
        (None, "expired", False, "404", 1),
        # The file alone is no more.
        ({"document": details(1)}, "fetched", False, "the file of replay", 2),
    ],
)
def test_what_cannot_be_had_is_delayed_or_given_up_with_the_reason(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, timer: FakeTime, kept: dict[str, Any] | None,
    status: str, is_delayed: bool, reason: str, asked: int,
) -> None:  # fmt: skip
    if kept is not None:
        server.add(**kept)
    fetched = fetch_one(api, details(1)["id"], files=True)
    assert (fetched.status, fetched.is_delayed) == (status, is_delayed)
    assert reason in fetched.reason
    assert kinds(landing) == (["ballchasing"] if status == "fetched" else [])
    assert refused(landing) == []
    # Nothing is asked for again at once.
    assert (len(server.requests), timer.slept) == (asked, [])


def test_damaged_files_are_put_aside_and_stop_nothing(
    server: BallchasingServer, api: BallchasingApi, landing: Landing, pair: tuple[dict[str, Any], bytes]
) -> None:
    found, file = pair
    cut = server.add(found, file[:-9000])
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
    server.add(found, file)
    assert fetch_one(api, cut, files=True, known={cut: found["match_guid"]}).status == "fetched"
    assert sorted(Counter(kinds(landing)).items()) == [("ballchasing", 4), ("replay", 1)]


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


# ---------------------------------------------------------------- uploads


def test_a_replay_is_uploaded_whole_and_a_second_time_it_is_known(
    server: BallchasingServer, api: BallchasingApi, pair: tuple[dict[str, Any], bytes], tmp_path: Path
) -> None:
    _, file = pair
    path = tmp_path / "Ann's goal é.replay.gz"
    path.write_bytes(gzip.compress(file))
    uploaded = api.upload(path, visibility="unlisted", group="my-group-1")
    assert uploaded == Uploaded(next(iter(server.replays)), is_new=True)
    kept = server.replays[uploaded.id]
    assert kept.file == file
    assert kept.sent == (path.stem, "unlisted", "my-group-1")
    assert api.upload(path) == api.upload(file) == Uploaded(uploaded.id, is_new=False)
    (request, *_) = server.requests
    assert (request.path, request.headers["authorization"]) == ("/api/v2/upload", TOKEN)


def test_what_is_no_replay_is_refused_with_the_reason(
    server: BallchasingServer, api: BallchasingApi, tmp_path: Path
) -> None:
    with pytest.raises(RefusedUploadError, match=r"400 for the upload of match.replay: .*not a \.replay file"):
        api.upload(b"<html>")
    with pytest.raises(SourcePathError, match=r"gone\.replay cannot be read: No such file"):
        api.upload(tmp_path / "gone.replay")
    assert len(server.requests) == 1
    assert server.replays == {}


@pytest.mark.parametrize("body", [b"no good", b'{"error": 7}'])
def test_an_upload_refused_without_a_reason_is_reported(
    server: BallchasingServer, api: BallchasingApi, body: bytes
) -> None:
    server.answer("/api/v2/upload", Answer(400, body))
    with pytest.raises(RefusedUploadError, match="finds the request wrong"):
        api.upload(DAMAGED)
