"""The API client over real HTTP, against a local server that serves real files and fails in every way."""

import gzip
import json
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.landing.zone import Landing, decompressed
from gamestats_assets.pubg.source.api import (
    InvalidNameError,
    MatchFetch,
    PubgApi,
)
from gamestats_assets.pubg.source.files import ingest, ingest_payload, refused
from gamestats_assets_tests.pubg.api_server import Answer, ApiServer
from gamestats_assets_tests.support.clocks import FakeTime

KEY = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LWtleQ.s3cr3t-Signature_0"
PLAYERS = "/shards/steam/players"
TELEMETRY_ID = "c2fb5093-866c-4d6d-96bf-7abf755094af"
START_DAY = "2025-07-12"


def match_path(match_id: str) -> str:
    return f"/shards/steam/matches/{match_id}"


def failure(fetched: MatchFetch, *, is_delayed: bool = False) -> str:
    """Why a match could not be fetched."""
    assert (fetched.status, fetched.is_delayed) == ("failed", is_delayed)
    return fetched.reason


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as running:
        yield running


@pytest.fixture
def cdn() -> Iterator[ApiServer]:
    with ApiServer() as running:
        yield running


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def timer() -> FakeTime:
    return FakeTime()


@pytest.fixture
def api(server: ApiServer, landing: Landing, timer: FakeTime) -> Iterator[PubgApi]:
    with PubgApi(
        SecretStr(KEY),
        landing,
        base_url=server.url,
        clock=timer.clock,
        sleep=timer.sleep,
        timeout=2,
        body_deadline=5,
    ) as client:
        yield client


@pytest.fixture(scope="session")
def real_telemetry(realdata: Path) -> bytes:
    """The real telemetry file, gzipped as it stands on disk."""
    (path,) = (realdata / "pubg" / "telemetry").glob("*.json.gz")
    return path.read_bytes()


@pytest.fixture(scope="session")
def real_match(realdata: Path) -> bytes:
    return (realdata / "pubg" / "matches" / "2026-04_squad.json").read_bytes()


@pytest.fixture(scope="session")
def real_players(realdata: Path) -> bytes:
    return (realdata / "pubg" / "players" / "players_response.json").read_bytes()


def pointing_at(match: bytes, url: str | None, match_id: str = TELEMETRY_ID) -> bytes:
    """A real match object under another id, its telemetry at another address."""
    document = json.loads(match)
    document["data"]["id"] = match_id
    document["data"]["attributes"] |= {"createdAt": "2025-07-12T17:16:00Z", "duration": 260}
    assets = [included for included in document["included"] if included["type"] == "asset"]
    assert len(assets) == 1
    if url is None:
        document["included"].remove(assets[0])
    else:
        assets[0]["attributes"]["URL"] = url
    return json.dumps(document).encode()


def player_list(**matches: list[str]) -> bytes:
    return json.dumps(
        {
            "data": [
                {
                    "type": "player",
                    "id": f"account.{name}",
                    "attributes": {"name": name, "shardId": "steam"},
                    "relationships": {"matches": {"data": [{"type": "match", "id": match_id} for match_id in ids]}},
                }
                for name, ids in matches.items()
            ]
        }
    ).encode()


def encoded(body: bytes, **options: object) -> Answer:
    """An answer compressed for the way."""
    return Answer(body=gzip.compress(body, mtime=0), headers={"Content-Encoding": "gzip"}, **options)  # type: ignore[arg-type]


def kinds(landing: Landing, day: str = START_DAY) -> list[str]:
    return sorted(file.kind for file in landing.files("pubg", day))


# ---------------------------------------------------------------- players


def test_players_come_back_typed_and_their_answer_lands(
    server: ApiServer, api: PubgApi, landing: Landing, real_players: bytes
) -> None:
    server.answer(PLAYERS, encoded(real_players))
    documents = json.loads(real_players)["data"]
    names = [document["attributes"]["name"] for document in documents]
    players = api.players_by_name(names)
    assert [player.name for player in players] == names
    assert [player.account_id for player in players] == [document["id"] for document in documents]
    assert players[0].shard == "steam"
    assert players[0].match_ids[:2] == (
        "9675afb2-b8e4-4391-ae06-51410f0b0d01",
        "61b1139a-c8cd-4609-b5b1-90e1d9bac474",
    )
    assert [len(player.match_ids) for player in players] == [
        len(document["relationships"]["matches"]["data"]) for document in documents
    ]
    (request,) = server.requests
    assert request.query == {"filter[playerNames]": [",".join(names)]}
    assert request.headers["accept"] == "application/vnd.api+json"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    (file,) = landing.files("pubg", "players")
    assert decompressed(landing.read(file)) == real_players


def test_ids_are_asked_ten_a_call(server: ApiServer, api: PubgApi, real_players: bytes) -> None:
    server.answer(PLAYERS, Answer(body=real_players))
    ids = [f"account.{number}" for number in range(23)]
    api.players_by_id([*ids, ids[0]])
    asked = [request.query["filter[playerIds]"][0].split(",") for request in server.requests]
    assert [len(batch) for batch in asked] == [10, 10, 3]
    assert [one for batch in asked for one in batch] == ids


def test_names_nobody_has_give_no_players(server: ApiServer, api: PubgApi) -> None:
    server.answer(PLAYERS, Answer(404, b'{"errors": []}'))
    assert api.players_by_name(["Nobody"]) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["", " ", "a,b"])
def test_a_name_that_would_break_the_list_is_refused(server: ApiServer, api: PubgApi, name: str) -> None:
    with pytest.raises(InvalidNameError, match="cannot be a player's name"):
        api.players_by_name(["Fine", name])
    assert server.requests == []


# ---------------------------------------------------------------- the limit


def test_none_remaining_holds_back_until_the_reset(
    server: ApiServer, api: PubgApi, timer: FakeTime, real_players: bytes
) -> None:
    exhausted = {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(timer.now) + 37),
        "Date": formatdate(timer.now, usegmt=True),
    }
    server.answer(PLAYERS, Answer(body=real_players, headers=exhausted), Answer(body=real_players))
    api.players_by_name(["One"])
    api.players_by_name(["One"])
    assert sum(timer.slept) == pytest.approx(37, abs=1)


@pytest.mark.parametrize(
    ("ahead", "wait"),
    [(25, 25.0), (-3, 1.0), (9_999, 120.0)],
    ids=["until the reset", "a breath when it has passed", "never longer than the cap"],
)
def test_a_refusal_with_a_reset_waits_until_then(
    server: ApiServer, api: PubgApi, timer: FakeTime, real_players: bytes, ahead: int, wait: float
) -> None:
    # The server's clock is a day off: only the difference to its own Date counts.
    theirs = timer.now + 86_400
    headers = {"X-RateLimit-Reset": str(int(theirs) + ahead), "Date": formatdate(theirs, usegmt=True)}
    server.answer(PLAYERS, Answer(429, headers=headers), Answer(body=real_players))
    assert api.players_by_name(["One"])
    assert sum(timer.slept) == pytest.approx(wait)
    assert len(server.requests) == 2


# ---------------------------------------------------------------- matches and telemetry


def test_a_match_and_its_telemetry_land_as_sent_and_no_key_leaves(
    server: ApiServer,
    cdn: ApiServer,
    api: PubgApi,
    landing: Landing,
    real_match: bytes,
    real_telemetry: bytes,
) -> None:
    match = pointing_at(real_match, f"{cdn.url}/t/x-telemetry.json")
    server.answer(match_path(TELEMETRY_ID), encoded(match))
    cdn.answer("/t/x-telemetry.json", Answer(body=real_telemetry, headers={"Content-Encoding": "gzip"}))
    fetched = api.fetch_whole_match(TELEMETRY_ID)
    assert [(file.status, file.kind, file.match_id, file.day) for file in fetched.files] == [
        ("taken", "telemetry", TELEMETRY_ID, START_DAY),
        ("taken", "match", TELEMETRY_ID, START_DAY),
    ]
    stored = {file.kind: landing.read(file) for file in landing.files("pubg", START_DAY)}
    assert stored["telemetry"] == real_telemetry
    assert stored["match"] == gzip.compress(match, mtime=0)
    for request in [*server.requests, *cdn.requests]:
        assert "authorization" not in request.headers
        assert KEY not in str(request)


@pytest.mark.parametrize("layers", [0, 2, 3])
def test_telemetry_in_any_number_of_gzip_layers_can_be_read_from_the_landing_zone(
    server: ApiServer, api: PubgApi, landing: Landing, real_match: bytes, real_telemetry: bytes, layers: int
) -> None:
    content = decompressed(real_telemetry)
    body = content
    for _ in range(layers):
        body = gzip.compress(body, 1)
    server.answer(match_path(TELEMETRY_ID), Answer(body=pointing_at(real_match, f"{server.url}/t")))
    server.answer("/t", Answer(body=body, headers={"Content-Encoding": "gzip"} if layers else {}))
    assert api.fetch_whole_match(TELEMETRY_ID).status == "fetched"
    (file,) = [file for file in landing.files("pubg", START_DAY) if file.kind == "telemetry"]
    assert decompressed(landing.read(file)) == content
    if layers <= 2:
        assert landing.read(file) == body


@pytest.mark.parametrize("status", [403, 404])
def test_expired_telemetry_is_marked_and_never_asked_for_again(
    server: ApiServer, api: PubgApi, landing: Landing, real_match: bytes, timer: FakeTime, status: int
) -> None:
    server.answer(match_path(TELEMETRY_ID), Answer(body=pointing_at(real_match, f"{server.url}/t")))
    server.answer("/t", Answer(status))
    assert api.fetch_whole_match(TELEMETRY_ID).status == "expired"
    assert kinds(landing) == ["expired", "match"]
    (marker,) = [file for file in landing.files("pubg", START_DAY) if file.kind == "expired"]
    assert json.loads(landing.read(marker)) == {"match_id": TELEMETRY_ID, "status": status}
    assert api.fetch_whole_match(TELEMETRY_ID).status == "known"
    assert len(server.asked("/t")) == 1
    assert timer.slept == []


def test_a_match_the_api_forgot_has_expired(server: ApiServer, api: PubgApi, landing: Landing) -> None:
    forgotten = api.fetch_whole_match(TELEMETRY_ID)
    assert (forgotten.status, forgotten.is_delayed) == ("expired", False)
    assert "14 days" in forgotten.reason
    assert landing.days("pubg") == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("match_id", ["../players", "a/b", "", "x?y", "x" * 200])
def test_an_id_that_is_none_reaches_no_address(server: ApiServer, api: PubgApi, match_id: str) -> None:
    assert "cannot be a match id" in failure(api.fetch_whole_match(match_id))
    assert server.requests == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "//host/x", "x", "http://", None])
def test_a_telemetry_address_that_is_not_of_the_web_is_refused(
    server: ApiServer, api: PubgApi, real_match: bytes, landing: Landing, url: str | None
) -> None:
    server.answer(match_path(TELEMETRY_ID), Answer(body=pointing_at(real_match, url)))
    assert "the telemetry of match" in failure(api.fetch_whole_match(TELEMETRY_ID))
    assert kinds(landing) == ["match"]
    assert [request.path for request in server.requests] == [match_path(TELEMETRY_ID)]


def test_the_telemetry_decides_the_day_of_a_match_fetched_whole(
    server: ApiServer, api: PubgApi, landing: Landing, real_match: bytes, real_telemetry: bytes
) -> None:
    document = json.loads(pointing_at(real_match, f"{server.url}/t"))
    document["data"]["attributes"] |= {"createdAt": "2025-07-13T00:30:00Z", "duration": 60}
    server.answer(match_path(TELEMETRY_ID), Answer(body=json.dumps(document).encode()))
    server.answer("/t", Answer(body=real_telemetry))
    assert api.fetch_whole_match(TELEMETRY_ID).status == "fetched"
    assert landing.days("pubg") == [START_DAY]
    assert kinds(landing) == ["match", "telemetry"]


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize("flaw", ["gzip damaged", "gzip cut on the server's disk", "a page of a proxy"])
def test_a_body_that_stays_unreadable_is_kept_with_its_reason(
    server: ApiServer, api: PubgApi, landing: Landing, real_match: bytes, flaw: str
) -> None:
    zipped = gzip.compress(pointing_at(real_match, None))
    damaged = {"gzip damaged": zipped[:20] + b"\xff" * 50 + zipped[70:], "gzip cut on the server's disk": zipped[:-9]}
    body, headers = damaged.get(flaw, b"<html>sign in</html>"), {"Content-Encoding": "gzip"} if flaw in damaged else {}
    server.answer(match_path(TELEMETRY_ID), Answer(body=body, headers=headers))
    assert "unusable body" in failure(api.fetch_whole_match(TELEMETRY_ID))
    (kept,) = refused(landing)
    (file,) = landing.files("pubg", "unreadable")
    assert landing.read(file) == body
    assert kept.reason.startswith(f"{TELEMETRY_ID}.match.json (")


def test_another_match_than_asked_for_does_not_land_under_its_name(
    server: ApiServer, api: PubgApi, landing: Landing, real_match: bytes
) -> None:
    server.answer(match_path(TELEMETRY_ID), Answer(body=real_match))
    assert "4a57679f" in failure(api.fetch_whole_match(TELEMETRY_ID))
    assert landing.days("pubg") == []
    assert len(refused(landing)) == 1


# ---------------------------------------------------------------- end to end


def test_players_matches_are_fetched_past_single_failures_and_only_once(
    server: ApiServer,
    cdn: ApiServer,
    api: PubgApi,
    landing: Landing,
    real_match: bytes,
    real_telemetry: bytes,
) -> None:
    broken, gone, expired = (f"{number:08x}-2222-3333-4444-555555555555" for number in range(3))
    server.answer(PLAYERS, Answer(body=player_list(Ann=[broken, TELEMETRY_ID, gone], Bob=[TELEMETRY_ID, expired])))
    server.answer(match_path(TELEMETRY_ID), encoded(pointing_at(real_match, f"{cdn.url}/t")))
    server.answer(match_path(expired), encoded(pointing_at(real_match, f"{cdn.url}/e", expired)))
    server.answer(match_path(broken), encoded(pointing_at(real_match, f"{cdn.url}/b", broken)))
    cdn.answer("/t", Answer(body=real_telemetry))
    cdn.answer("/e", Answer(403))
    cdn.answer("/b", Answer(500))

    report = api.fetch_player_matches(["Ann", "Bob", "Cem"])
    assert [player.name for player in report.players] == ["Ann", "Bob"]
    assert report.unknown_players == ("Cem",)
    assert {match.match_id: match.status for match in report.matches} == {
        broken: "failed",
        TELEMETRY_ID: "fetched",
        gone: "expired",
        expired: "expired",
    }
    reasons = {match.match_id: match.reason for match in report.matches}
    assert "500" in reasons[broken]
    assert "14 days" in reasons[gone]
    gained = {match.match_id for match in report.matches if any(file.status == "taken" for file in match.files)}
    assert gained == {broken, TELEMETRY_ID, expired}
    assert report.days == (START_DAY,)
    assert all(match.line().startswith(match.status) for match in report.matches)
    assert kinds(landing) == ["expired", "match", "match", "match", "telemetry"]

    seen = len(server.asked(match_path(TELEMETRY_ID)))
    cdn.answer("/b", Answer(404))
    again = api.fetch_player_matches(["Ann", "Bob"])
    assert {match.match_id: match.status for match in again.matches} == {
        broken: "expired",
        TELEMETRY_ID: "known",
        gone: "expired",
        expired: "known",
    }
    assert len(server.asked(match_path(TELEMETRY_ID))) == seen == 1
    # The object that landed serves again.
    assert len(server.asked(match_path(broken))) == 1


def test_a_missing_match_object_is_fetched_beside_its_telemetry(
    server: ApiServer, api: PubgApi, landing: Landing, real_match: bytes, real_telemetry: bytes
) -> None:
    ingest_payload(real_telemetry, "t", landing)
    server.answer(match_path(TELEMETRY_ID), Answer(body=pointing_at(real_match, f"{server.url}/t")))
    assert api.fetch_whole_match(TELEMETRY_ID).status == "fetched"
    assert kinds(landing) == ["match", "telemetry"]
    assert server.asked("/t") == []


def test_one_failing_batch_of_players_does_not_stop_the_others(
    server: ApiServer, api: PubgApi, real_match: bytes
) -> None:
    names = [f"Player{number}" for number in range(12)]
    server.answer(PLAYERS, *[Answer(500)] * 5, Answer(body=player_list(Player10=[], Player11=[])))
    report = api.fetch_player_matches(names)
    assert [player.name for player in report.players] == ["Player10", "Player11"]
    assert len(report.failures) == 1
    assert "Player0" in report.failures[0]
    assert report.unknown_players == ()


# ---------------------------------------------------------------- what stays wanted


@pytest.mark.parametrize("attempts_before", [1, 2])
def test_a_telemetry_that_came_cut_is_kept_and_fetched_again_until_it_is_whole(
    server: ApiServer, api: PubgApi, landing: Landing, real_match: bytes, real_telemetry: bytes, attempts_before: int
) -> None:
    content = decompressed(real_telemetry)
    server.answer(match_path(TELEMETRY_ID), Answer(body=pointing_at(real_match, f"{server.url}/t")))
    # Cut anew at every attempt, and cut where the server itself holds no more.
    for attempt in range(attempts_before):
        server.answer("/t", Answer(body=content[: len(content) // (attempt + 2)]))
        assert "truncated" in failure(api.fetch_whole_match(TELEMETRY_ID))
    assert kinds(landing) == ["match"], "a broken telemetry is not the telemetry of the match"
    assert len(refused(landing)) == attempts_before, "and nothing that arrived is lost"
    server.answer("/t", Answer(body=content))
    assert api.fetch_whole_match(TELEMETRY_ID).status == "fetched"
    (whole,) = [file for file in landing.files("pubg", START_DAY) if file.kind == "telemetry"]
    assert landing.read(whole) == content
    assert api.fetch_whole_match(TELEMETRY_ID).status == "known"


def test_a_cut_telemetry_that_came_as_a_file_leaves_the_whole_one_wanted(
    server: ApiServer, api: PubgApi, landing: Landing, tmp_path: Path, real_match: bytes, real_telemetry: bytes
) -> None:
    match = pointing_at(real_match, f"{server.url}/t")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / f"{TELEMETRY_ID}.json").write_bytes(match)
    (tmp_path / "inbox" / f"{TELEMETRY_ID}.telemetry.json").write_bytes(decompressed(real_telemetry)[:-5000])
    ingest([tmp_path / "inbox"], landing)
    assert kinds(landing) == ["match", "telemetry"]
    server.answer("/t", Answer(body=real_telemetry))
    assert api.fetch_whole_match(TELEMETRY_ID).status == "fetched"
    assert kinds(landing) == ["match", "telemetry", "telemetry"]
    assert api.fetch_whole_match(TELEMETRY_ID).status == "known"
    assert len(server.asked("/t")) == 1
