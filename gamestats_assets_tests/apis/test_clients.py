"""What every client of an API keeps, over real HTTP: its key is nowhere shown, and trouble is outlived.

What is special to an API (its limits, its documents) is tested with that API.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gamestats_assets.apis.clients import ApiClient
from gamestats_assets.apis.http import ApiError, NotFoundError, UnauthorisedError, UnavailableError
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lol.riot.api import RiotApi
from gamestats_assets.pubg.source.api import PubgApi
from gamestats_assets.rocket_league.ballchasing.api import BallchasingApi
from gamestats_assets_tests.lol.riot.api_server import KEY as RIOT_KEY
from gamestats_assets_tests.pubg.api_server import Answer, ApiServer
from gamestats_assets_tests.rocket_league.support.ballchasing_server import TOKEN
from gamestats_assets_tests.support.clocks import FakeTime

PUBG_KEY = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LWtleQ.s3cr3t-Signature_0"


@dataclass(frozen=True)
class Subject:
    """A client, and something that it asks its API with the key.

    Attributes:
        setting: that holds the key.
        header: that sends it, in lower case, with what stands before the key.
        path: that is asked.
        good: a body that is a good answer.
        refused: statuses that say that a key is not accepted; ballchasing's 403 is about a replay.
        missing: whether a 404 is an error; it is none where the API knows nobody of a name, as PUBG's says.
        help: an address where one gets a key; empty where the message names none.
    """

    make: Callable[..., ApiClient]
    ask: Callable[[Any], object]
    setting: str
    key: str
    header: tuple[str, str]
    path: str
    good: object
    refused: tuple[int, ...] = (401, 403)
    missing: bool = True
    help: str = ""


SUBJECTS = {
    "pubg": Subject(
        PubgApi,
        lambda api: api.players_by_name(["One"]),
        "PUBG_API_KEY",
        PUBG_KEY,
        ("authorization", "Bearer "),
        "/shards/steam/players",
        {"data": [{"type": "player", "id": "account.1", "attributes": {"name": "One"}}]},
        missing=False,
    ),
    "riot": Subject(
        RiotApi,
        lambda api: api.account("Ann#NA1", "na1"),
        "RIOT_API_KEY",
        RIOT_KEY,
        ("x-riot-token", ""),
        "/riot/account/v1/accounts/by-riot-id/Ann/NA1",
        {"puuid": "x", "gameName": "Ann", "tagLine": "NA1"},
        help="https://developer.riotgames.com",
    ),
    "ballchasing": Subject(
        BallchasingApi,
        lambda api: api.ping(),
        "BALLCHASING_API_KEY",
        TOKEN,
        ("authorization", ""),
        "/",
        {"steam_id": "7", "name": "Ann", "type": "regular"},
        refused=(401,),
        help="https://ballchasing.com/upload",
    ),
}


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return SUBJECTS[request.param]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as running:
        yield running


@pytest.fixture
def timer() -> FakeTime:
    return FakeTime()


@pytest.fixture
def new(subject: Subject, server: ApiServer, tmp_path: Path, timer: FakeTime) -> Iterator[Callable[..., ApiClient]]:
    made: list[ApiClient] = []

    def make(key: str | None = subject.key, **options: Any) -> ApiClient:
        given = {"clock": timer.clock, "sleep": timer.sleep, "timeout": 2, "body_deadline": 5, **options}
        secret = None if key is None else SecretStr(key)
        made.append(subject.make(secret, Landing(tmp_path / "landing"), base_url=f"{server.url}/", **given))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(new: Callable[..., ApiClient]) -> ApiClient:
    return new()


@pytest.fixture
def good(subject: Subject) -> Answer:
    return Answer(body=json.dumps(subject.good).encode())


class TestTheKey:
    @pytest.mark.parametrize("key", [None, " \n"])
    def test_without_one_the_error_names_the_setting_and_what_works(
        self, subject: Subject, server: ApiServer, new: Callable[..., ApiClient], key: str | None
    ) -> None:
        with pytest.raises(UnauthorisedError, match=rf"{subject.setting}.*works? without it"):
            subject.ask(new(key))
        assert server.requests == []

    def test_a_refused_key_is_reported_at_once_and_never_sent_again(
        self, subject: Subject, server: ApiServer, new: Callable[..., ApiClient], timer: FakeTime
    ) -> None:
        for status in subject.refused:
            server.requests.clear()
            server.answer(subject.path, Answer(status))
            client = new()
            for _ in range(2):
                with pytest.raises(UnauthorisedError, match=rf"{subject.setting} is not accepted.*{subject.help}"):
                    subject.ask(client)
            assert (len(server.requests), timer.slept) == (1, [])

    def test_white_space_around_it_is_left_out(
        self, subject: Subject, server: ApiServer, new: Callable[..., ApiClient], good: Answer
    ) -> None:
        server.answer(subject.path, good)
        subject.ask(new(f" {subject.key}\n"))
        header, before = subject.header
        assert server.requests[0].headers[header] == f"{before}{subject.key}"

    @pytest.mark.parametrize("form", ["{key}\n{key}", "'{key}'", "{key}é", "Bearer {key}"])
    def test_a_malformed_one_is_refused_without_showing_it(
        self, subject: Subject, new: Callable[..., ApiClient], form: str
    ) -> None:
        with pytest.raises(UnauthorisedError, match=subject.setting) as error:
            new(form.format(key=subject.key))
        assert subject.key not in "".join(traceback.format_exception(error.value))

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(silent=True),
            Answer(401, b"no good: {key}"),
            Answer(404),
            Answer(400, b'{"error": "your key {key} is no good"}'),
            Answer(429),
            Answer(500),
            Answer(307, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
            Answer(body=b'{"key": "{key}"}'),
        ],
        ids=["dead", "refused", "missing", "wrong", "limited", "broken", "moved", "told back"],
    )
    def test_it_shows_in_no_log_error_or_repr(
        self, subject: Subject, server: ApiServer, client: ApiClient, caplog: pytest.LogCaptureFixture, answer: Answer
    ) -> None:
        body = answer.body.replace(b"{key}", subject.key.encode())
        server.answer(subject.path, Answer(answer.status, body, answer.headers, silent=answer.silent))
        caplog.set_level(logging.DEBUG)  # what the HTTP libraries log included
        error: BaseException | None = None
        try:
            subject.ask(client)
        except ApiError as raised:
            error = raised
        assert (error is None) == (answer.status == 404 and not subject.missing)
        shown = "".join(traceback.format_exception(error)) + caplog.text + repr(client) + repr(vars(client))
        while error is not None:
            shown += repr(error) + str(error)
            shown += repr({name: value for name, value in vars(error).items() if name != "payload"})
            error = error.__cause__ or error.__context__
        assert "send_request_headers" in caplog.text
        assert subject.key[:12] not in shown

    def test_it_is_sent_to_no_other_host(self, subject: Subject, server: ApiServer, client: ApiClient) -> None:
        with ApiServer() as another:
            server.answer(subject.path, Answer(307, headers={"Location": f"{another.url}{subject.path}"}))
            with pytest.raises(ApiError, match="307"):
                subject.ask(client)
            assert another.requests == []


class TestTrouble:
    def test_temporary_failures_are_retried(
        self, subject: Subject, server: ApiServer, client: ApiClient, timer: FakeTime, good: Answer
    ) -> None:
        server.answer(
            subject.path,
            Answer(503, headers={"Retry-After": "7"}),
            Answer(silent=True),
            Answer(502),
            Answer(body=good.body, sent=10),
            good,
        )
        subject.ask(client)
        assert len(server.requests) == 5
        assert timer.slept[0] == 7.0
        assert all(0.5 <= wait <= 10 for wait in timer.slept[1:])

    def test_permanent_failures_name_the_host_but_not_the_address(
        self, subject: Subject, server: ApiServer, client: ApiClient
    ) -> None:
        server.answer(subject.path, Answer(504))
        with pytest.raises(UnavailableError, match=r"^127\.0\.0\.1:\d+ answered 504 for "):
            subject.ask(client)
        assert len(server.requests) == 5

    @pytest.mark.parametrize("status", [302, 405, 415])
    def test_an_unexpected_answer_is_not_retried(
        self, subject: Subject, server: ApiServer, client: ApiClient, timer: FakeTime, status: int
    ) -> None:
        server.answer(subject.path, Answer(status, headers={"Location": subject.path}))
        with pytest.raises(ApiError, match=str(status)):
            subject.ask(client)
        assert (len(server.requests), timer.slept) == (1, [])

    def test_an_answer_that_trickles_is_given_up_at_the_deadline(
        self, subject: Subject, server: ApiServer, new: Callable[..., ApiClient]
    ) -> None:
        server.answer(subject.path, Answer(body=b"x" * 900, seconds_a_byte=0.05))
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="too slow"):
            subject.ask(new(attempts=1, body_deadline=0.3))
        assert time.monotonic() - began < 3

    def test_after_the_deadline_nothing_is_asked_for(
        self, subject: Subject, server: ApiServer, new: Callable[..., ApiClient]
    ) -> None:
        with pytest.raises(UnavailableError, match="The time is over before the request"):
            subject.ask(new(deadline=time.monotonic() - 1, attempts=1))
        assert server.requests == []

    def test_a_refusal_is_waited_for_as_long_as_it_says(
        self, subject: Subject, server: ApiServer, client: ApiClient, timer: FakeTime, good: Answer
    ) -> None:
        server.answer(
            subject.path, Answer(429, headers={"Retry-After": "3"}), Answer(429, headers={"Retry-After": "11"}), good
        )
        subject.ask(client)
        assert timer.slept == [3.0, 11.0]

    def test_missing_things_are_reported(self, subject: Subject, server: ApiServer, client: ApiClient) -> None:
        server.answer(subject.path, Answer(404))
        if subject.missing:
            with pytest.raises(NotFoundError):
                subject.ask(client)
        else:
            assert subject.ask(client) == []
        assert len(server.requests) == 1
