"""The Riot API's client over real HTTP, against a local server that keeps limits and fails in every way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from gamestats_assets.apis.limits import InProcessLimits
from gamestats_assets.lakehouse.landing.arrivals import MatchFetch
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lol.riot.api import (
    REGIONS,
    Account,
    RiotApi,
    RiotIdError,
    UnknownPlatformError,
    region_of,
    split_riot_id,
)
from gamestats_assets.lol.source import ingest, refused
from gamestats_assets_tests.lol.files import BEGAN, match_object, timeline
from gamestats_assets_tests.lol.riot.api_server import KEY, Listed, RiotServer
from gamestats_assets_tests.pubg.api_server import Answer
from gamestats_assets_tests.support.clocks import FakeTime

PUUID = "x_Y-" + "z" * 74
MATCH = "/americas/lol/match/v5/matches/NA1_47101"
DAY = "2023-07-14"
ANN = Account("Ann#NA1", PUUID, "na1")


@pytest.fixture
def server() -> Iterator[RiotServer]:
    with RiotServer() as running:
        running.players = {"ann#na1": PUUID}
        yield running


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def timer() -> FakeTime:
    return FakeTime(BEGAN.timestamp() + 30 * 86_400)


@pytest.fixture
def new_api(server: RiotServer, landing: Landing, timer: FakeTime) -> Iterator[Callable[..., RiotApi]]:
    made: list[RiotApi] = []

    def new(**options: object) -> RiotApi:
        given = {"clock": timer.clock, "sleep": timer.sleep, "timeout": 2, "body_deadline": 5, **options}
        made.append(RiotApi(SecretStr(KEY), landing, base_url=server.template, **given))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for api in made:
        api.close()


@pytest.fixture
def api(new_api: Callable[..., RiotApi]) -> RiotApi:
    return new_api()


def fetch_one(api: RiotApi, match_id: str = "NA1_47101") -> MatchFetch:
    (fetched,) = api.fetch_matches([match_id])
    return fetched


def kinds(landing: Landing, day: str = DAY) -> list[str]:
    return sorted(file.kind for file in landing.files("lol", day))


def serve(server: RiotServer, *match_ids: str) -> list[str]:
    for match_id in match_ids:
        server.add_match(match_id, match_object(match_id), timeline(match_id))
    return list(match_ids)


# ---------------------------------------------------------------- where to ask


def test_an_unknown_platform_is_told_with_those_there_are() -> None:
    with pytest.raises(UnknownPlatformError, match=r"'euw'.*br1.*euw1.*vn2"):
        region_of("euw")


@pytest.mark.parametrize("platform", sorted(REGIONS))
def test_every_request_goes_to_the_region_of_the_platform(
    server: RiotServer, api: RiotApi, landing: Landing, platform: str
) -> None:
    (match_id,) = serve(server, f"{platform.upper()}_42")
    server.listed[PUUID] = [Listed(match_id)]
    report = api.fetch_player_matches(["Ann#NA1"], platform)
    assert [match.status for match in report.matches] == ["fetched"]
    account, *of_matches = [request.path.split("/")[1] for request in server.requests]
    assert of_matches == [region_of(platform)] * 3
    assert account == ("asia" if region_of(platform) == "sea" else region_of(platform))
    assert kinds(landing) == ["match", "timeline"]


def test_an_address_without_a_region_serves_all(server: RiotServer, landing: Landing) -> None:
    serve(server, "KR_1")
    with RiotApi(SecretStr(KEY), landing, base_url=f"{server.url}/proxy/") as api:
        assert fetch_one(api, "KR_1").status == "fetched"
    assert {request.path.split("/")[1] for request in server.requests} == {"proxy"}


# ---------------------------------------------------------------- players and their lists


def test_a_player_is_found_by_riot_id_whatever_its_letters(server: RiotServer, api: RiotApi) -> None:
    server.players = {"hide / on bush?#kr1": PUUID, "갱플 %2f#한국": "p2"}
    assert api.account("Hide / on bush?#KR1", "KR") == Account("Hide / on bush?#KR1", PUUID, "kr")
    assert api.account(" 갱플 %2f # 한국 ", "kr").puuid == "p2"
    assert all(request.headers["x-riot-token"] == KEY for request in server.requests)


@pytest.mark.parametrize("riot_id", ["", "Ann", "Ann#", "#NA1", " # ", "Ann#NA1#EU", "An\nn#NA1"])
def test_what_is_no_riot_id_is_refused_before_anything_is_asked(server: RiotServer, api: RiotApi, riot_id: str) -> None:
    with pytest.raises(RiotIdError, match="Hide on bush#KR1"):
        split_riot_id(riot_id)
    with pytest.raises(RiotIdError):
        api.fetch_player_matches(["Fine#NA1", riot_id], "na1")
    assert server.requests == []


def test_lists_are_read_in_pages_of_a_hundred(server: RiotServer, api: RiotApi) -> None:
    listed = [f"NA1_{number:04}" for number in range(250, 0, -1)]
    server.listed[PUUID] = [Listed(match_id) for match_id in listed]

    def pages() -> list[tuple[str, str]]:
        asked = [(request.query["start"][0], request.query["count"][0]) for request in server.requests]
        server.requests.clear()
        return asked

    assert api.match_ids(ANN) == listed
    assert pages() == [("0", "100"), ("100", "100"), ("200", "100")]
    assert api.match_ids(ANN, most=130) == listed[:130]
    assert pages() == [("0", "100"), ("100", "30")]
    assert api.match_ids(ANN, most=100) == listed[:100]
    assert pages() == [("0", "100")]
    server.listed[PUUID] = server.listed[PUUID][:200]
    assert api.match_ids(ANN) == listed[:200]
    assert pages()[-1] == ("200", "100"), "only an empty page tells that there are no more"


def test_a_match_that_ends_while_pages_are_read_is_listed_once(server: RiotServer, api: RiotApi) -> None:
    path = f"/americas/lol/match/v5/matches/by-puuid/{PUUID}/ids"
    first, then = [f"NA1_{number}" for number in range(100)], ["NA1_99", "NA1_100"]
    server.answer(path, *(Answer(body=json.dumps(page).encode()) for page in (first, then)))
    assert api.match_ids(ANN) == [*first, "NA1_100"]


def test_times_and_queue_are_sent_as_the_api_wants_them(server: RiotServer, api: RiotApi) -> None:
    server.listed[PUUID] = [
        Listed("NA1_4", 4_000, 420), Listed("NA1_3", 3_000, 450), Listed("NA1_2", 2_000, 420), Listed("NA1_1", 1_000),
    ]  # fmt: skip
    since, until = (datetime.fromtimestamp(seconds, UTC) for seconds in (2_000, 3_500))
    assert api.match_ids(ANN, since=since, until=until, queue=420) == ["NA1_2"]
    (request,) = server.requests
    assert {name: values[0] for name, values in request.query.items()} == {
        "startTime": "2000", "endTime": "3500", "queue": "420", "start": "0", "count": "100",
    }  # fmt: skip


def test_players_are_fetched_past_unknown_ones_and_failures(server: RiotServer, api: RiotApi) -> None:
    server.players |= {"bob#na1": "b", "cem#na1": "c"}
    shared, other = serve(server, "NA1_1", "NA1_2")
    server.listed |= {PUUID: [Listed(shared)], "c": [Listed(other), Listed(shared)]}
    server.answer("/americas/lol/match/v5/matches/by-puuid/b/ids", Answer(500))
    report = api.fetch_player_matches(["Ann#NA1", "Nobody#NA1", "Bob#NA1", "Cem#NA1", "Ann#NA1"], "na1")
    assert [account.riot_id for account in report.players] == ["Ann#NA1", "Bob#NA1", "Cem#NA1"]
    assert report.unknown_players == ("Nobody#NA1",)
    assert [match.match_id for match in report.matches] == [shared, other]
    (failure,) = report.failures
    assert "500" in failure
    assert "Bob#NA1" in failure
    assert report.days == (DAY,)
    gained = {match.match_id for match in report.matches if any(file.status == "taken" for file in match.files)}
    assert gained == {shared, other}


# ---------------------------------------------------------------- matches and timelines


@pytest.mark.parametrize(("file", "missing"), [("match.json", "/timeline"), ("timeline.json", "")])
def test_only_what_is_missing_of_a_match_is_fetched(
    server: RiotServer, api: RiotApi, landing: Landing, tmp_path: Path, file: str, missing: str
) -> None:
    (tmp_path / file).write_bytes(match_object() if file == "match.json" else timeline())
    ingest([tmp_path / file], landing)
    serve(server, "NA1_47101")
    assert fetch_one(api).status == "fetched"
    assert [request.path for request in server.requests] == [MATCH + missing]
    assert kinds(landing) == ["match", "timeline"]


def test_a_match_the_api_has_forgotten_leaves_nothing(server: RiotServer, api: RiotApi, landing: Landing) -> None:
    fetched = fetch_one(api)
    assert fetched.status == "expired"
    assert "two years" in fetched.reason
    assert landing.days("lol") == []
    assert len(server.requests) == 1


def test_a_timeline_that_is_gone_is_marked_and_never_asked_for_again(
    server: RiotServer, api: RiotApi, landing: Landing, timer: FakeTime
) -> None:
    server.add_match("NA1_47101", match_object(), None)
    assert fetch_one(api).status == "expired"
    assert kinds(landing) == ["match", "timeline_gone"]
    assert fetch_one(api).status == "known"
    assert [request.path for request in server.requests] == [MATCH, f"{MATCH}/timeline"]
    assert timer.slept == []


def test_a_timeline_that_has_not_come_yet_is_asked_for_again(
    server: RiotServer, api: RiotApi, landing: Landing, timer: FakeTime
) -> None:
    timer.now = BEGAN.timestamp() + 3600
    server.add_match("NA1_47101", match_object(), None)
    waiting = fetch_one(api)
    assert (waiting.status, waiting.is_delayed) == ("failed", True)
    assert "may still appear" in waiting.reason
    assert kinds(landing) == ["match"]
    server.add_match("NA1_47101", None, timeline())
    assert fetch_one(api).status == "fetched"
    assert len(server.asked(MATCH)) == 1


def test_a_cut_timeline_is_kept_and_stays_wanted_until_it_is_whole(
    server: RiotServer, api: RiotApi, landing: Landing
) -> None:
    server.add_match("NA1_47101", match_object(), timeline()[:-9])
    cut = fetch_one(api)
    assert (cut.status, cut.is_delayed) == ("failed", False)
    assert kinds(landing) == ["match"]
    assert [each.reason.partition(" (")[0] for each in refused(landing)] == ["NA1_47101.timeline.json"]
    server.add_match("NA1_47101", None, timeline())
    assert fetch_one(api).status == "fetched"
    assert kinds(landing) == ["match", "timeline"]


@pytest.mark.parametrize(
    "body", [match_object("NA1_47102"), b"<html>sorry</html>", b"", match_object()[:-3], b'{"status": {}}']
)
def test_an_answer_that_is_not_the_match_asked_for_is_not_taken_for_it(
    server: RiotServer, api: RiotApi, landing: Landing, body: bytes
) -> None:
    server.answer(MATCH, Answer(body=body))
    failed = fetch_one(api)
    assert (failed.status, failed.is_delayed) == ("failed", False)
    assert landing.days("lol") == []
    assert len(refused(landing)) == 1
    assert len(server.requests) == 5


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("kind", "stops_the_region"), [("application", True), ("method", False), ("service", False), ("", False)]
)
def test_a_refusal_stops_what_it_is_about_for_as_long_as_it_says(
    server: RiotServer, new_api: Callable[..., RiotApi], timer: FakeTime, kind: str, stops_the_region: bool
) -> None:
    serve(server, "NA1_47101", "KR_1")
    limits = InProcessLimits(clock=timer.clock, sleep=timer.sleep)
    api = new_api(limits=limits, attempts=1)
    headers = {"Retry-After": "37", **({"X-Rate-Limit-Type": kind} if kind else {})}
    good = [Answer(body=match_object())]
    server.answer(MATCH, Answer(429, headers=headers), *good)
    refused = fetch_one(api)
    assert (refused.status, refused.is_delayed) == ("failed", True)
    assert "for the next 37 s" in refused.reason
    assert fetch_one(api, "KR_1").status == "fetched"
    assert timer.slept == [], "another region goes on"
    api.match_ids(ANN)
    assert timer.slept == ([37.0] if stops_the_region else [])
    assert fetch_one(api).status == "fetched"
    assert timer.slept == [37.0]


# ---------------------------------------------------------------- the key


def test_the_newest_matches_of_a_player_since_a_day(server: RiotServer, api: RiotApi) -> None:
    ids = serve(server, *(f"NA1_{number}" for number in range(9, 0, -1)))
    days = [BEGAN - timedelta(days=number) for number in range(9)]
    server.listed[PUUID] = [Listed(match_id, int(day.timestamp())) for match_id, day in zip(ids, days, strict=True)]
    report = api.fetch_player_matches(["ann#na1"], "na1", since=days[4], count=3)
    assert [match.match_id for match in report.matches] == ids[:3]
    everything = api.fetch_player_matches(["ann#na1"], "na1", since=days[4], count=None)
    assert Counter(match.status for match in everything.matches) == {"known": 3, "fetched": 2}
