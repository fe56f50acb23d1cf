"""Answers hold as long as what is published stands, and no longer; what every request meets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lakehouse.published.notes import forget_answers
from gamestats_assets_tests.serving.season import publish_season, publish_standings
from gamestats_assets_tests.serving.served import served

BOARD = "/api/v1/tournaments/leaderboard/teams?season=fall&division=Division+1"


@pytest.fixture
def url(ops_database: str) -> str:
    publish_season(ops_database)
    return ops_database


def points(answer: httpx.Response) -> int:
    return answer.json()["data"]["teams"][0]["total_points"]


def test_an_answer_that_still_holds_is_304_and_another_one_once_something_is_published(url: str) -> None:
    with served(url) as client:
        first = client.get(BOARD)
        assert first.headers["cache-control"] == "public, max-age=60"
        etag = first.headers["etag"]
        again = client.get(BOARD, headers={"If-None-Match": f'"other", {etag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        publish_standings(url, more_points=5)
        deadline = time.monotonic() + 2
        while (newer := client.get(BOARD, headers={"If-None-Match": etag})).status_code == 304:
            assert time.monotonic() < deadline
        assert points(newer) == points(first) + 5
        assert newer.headers["etag"] != etag


@pytest.mark.parametrize("path", [BOARD, "/tournaments?season=fall", "/healthz"])
def test_head_is_answered_as_get_is_without_a_body(url: str, path: str) -> None:
    with served(url) as client:
        whole, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert {name: head.headers.get(name) for name in ("etag", "content-type")} == {
            name: whole.headers.get(name) for name in ("etag", "content-type")
        }


def test_the_first_page_holds_until_anything_of_any_game_is_published(url: str) -> None:
    with psycopg.connect(url) as conn:
        conn.execute("UPDATE pubg.published_versions SET published_at = published_at - interval '1 day'")
    with served(url) as client:
        etag = client.get("/").headers["etag"]
        assert client.get("/", headers={"If-None-Match": etag}).status_code == 304
        publish_standings(url, more_points=5)
        deadline = time.monotonic() + 2
        while client.get("/", headers={"If-None-Match": etag}).status_code == 304:
            assert time.monotonic() < deadline


def test_the_same_parameters_in_another_order_are_the_same_question(url: str) -> None:
    with served(url) as client:
        one = client.get("/api/v1/tournaments/leaderboard/teams?season=fall&division=Division+1&page=1")
        assert client.get(BOARD).headers["etag"] == one.headers["etag"]
        assert client.get(f"{BOARD}&page=2").headers["etag"] != one.headers["etag"]


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_what_is_asked_again_with_the_same_words_is_answered_the_same(url: str, accept: str, encoding: str) -> None:
    """The second and third time no route is looked for."""
    with served(url) as client:

        def ask(**headers: str) -> tuple[int, bytes, dict[str, str]]:
            answer = client.get(BOARD, headers={"Accept": accept, "Accept-Encoding": encoding, **headers})
            own = ("x-request-id", "date")
            return answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k not in own}

        first = ask()
        assert first == ask() == ask()
        etag = first[2]["etag"]
        unchanged = ask(**{"If-None-Match": etag})
        assert (unchanged[0], unchanged[1], unchanged[2]["etag"]) == (304, b"", etag)
        assert unchanged == ask(**{"If-None-Match": etag})
        # Another tag, several, or any.
        assert ask(**{"If-None-Match": '"other"'}) == first
        assert ask(**{"If-None-Match": f'"other", {etag}'})[0] == ask(**{"If-None-Match": "*"})[0] == 304
        assert client.post(BOARD).status_code == 405
        ids = {client.get(BOARD).headers["x-request-id"] for _ in range(3)}
        assert len(ids) == 3
        # What is said twice is remembered for nobody.
        client.get(f"{BOARD}&page=1", headers=[("Accept", ""), ("Accept", "text/csv")])
        other = client.get(f"{BOARD}&page=1", headers={"Accept": "text/csv"})
        assert other.headers["content-type"].startswith("text/csv")


def test_what_is_asked_again_is_counted_and_told_as_ever(url: str) -> None:
    with served(url, requests_a_minute=4) as client:
        found = [client.get(BOARD) for _ in range(5)]
        assert [each.status_code for each in found] == [200, 200, 200, 200, 429]
        assert [each.headers["ratelimit-remaining"] for each in found] == ["3", "2", "1", "0", "0"]
        assert found[3].headers["x-content-type-options"] == "nosniff"
        assert client.get(BOARD, headers={"Host": "evil.example.com"}).status_code == 421


def test_never_is_an_old_answer_given_after_a_new_one(url: str) -> None:
    """Many ask while one publishes: what each of them is told only grows, and follows a commit within 100 ms."""
    told: dict[int, list[int]] = {number: [] for number in range(4)}
    committed: dict[int, float] = {}
    seen: dict[int, float] = {}
    done = threading.Event()
    with served(url) as client:
        began = points(client.get(BOARD))

        def ask(number: int) -> None:
            while not done.is_set():
                found = points(client.get(BOARD)) - began
                seen.setdefault(found, time.monotonic())
                told[number].append(found)

        threads = [threading.Thread(target=ask, args=[number]) for number in told]
        for thread in threads:
            thread.start()
        try:
            for more in range(1, 9):
                publish_standings(url, more_points=more)
                committed[more] = time.monotonic()
                time.sleep(0.05)
            deadline = time.monotonic() + 5
            while 8 not in seen and time.monotonic() < deadline:
                time.sleep(0.01)
        finally:
            done.set()
            for thread in threads:
                thread.join()
    for answers in told.values():
        assert answers == sorted(answers)
    assert max(seen) == 8
    assert min(seen[more] - at for more, at in committed.items() if more in seen) < 0.1


@pytest.fixture
def refuse_connections(url: str) -> Iterator[Callable[[], None]]:
    """Ends the connections to the database and lets nobody in until the test is over."""
    name = conninfo_to_dict(url)["dbname"]
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as server:
        identifier = sql.Identifier(str(name))
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")

        def refuse() -> None:
            server.execute(allow.format(identifier, sql.SQL("false")))
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

        yield refuse
        server.execute(allow.format(identifier, sql.SQL("true")))


def test_while_postgresql_is_gone_kept_answers_are_marked_stale_and_others_are_503(
    url: str, refuse_connections: Callable[[], None]
) -> None:
    with served(url) as client:
        kept = client.get(BOARD)
        refuse_connections()
        deadline = time.monotonic() + 5
        while "gamestats-stale" not in (stale := client.get(BOARD)).headers:
            assert time.monotonic() < deadline
        assert (stale.status_code, stale.content, stale.headers["cache-control"]) == (200, kept.content, "no-store")
        other = client.get(f"{BOARD}&page=2")
        assert (other.status_code, other.headers["retry-after"]) == (503, "2")
        assert other.json()["code"] == "unavailable"
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200


def test_once_somebody_was_forgotten_nothing_of_before_is_kept_in_memory(
    url: str, refuse_connections: Callable[[], None]
) -> None:
    with served(url) as client:
        for _ in range(2):
            assert client.get(BOARD).status_code == 200
        forget_answers(url)
        time.sleep(0.5)
        refuse_connections()
        assert client.get(BOARD).status_code == 503, "there is nothing that could be given as stale"


def test_an_address_that_asks_too_often_is_refused_and_unchanged_answers_cost_nothing(url: str) -> None:
    with served(url, requests_a_minute=5) as client:
        first = client.get(BOARD)
        assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("5", "4")
        for _ in range(10):
            assert client.get(BOARD, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        assert [client.get(BOARD).status_code for _ in range(5)] == [200, 200, 200, 200, 429]
        refused = client.get(BOARD)
        assert refused.json()["code"] == "too_many_requests"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert client.get("/healthz").status_code == 200


def test_every_answer_has_an_id_and_headers_that_keep_browsers_from_harm(url: str) -> None:
    with served(url) as client:
        for path in (BOARD, "/healthz", "/nothing"):
            answer = client.get(path, headers={"X-Request-Id": "abcdefgh-1"})
            assert answer.headers["x-request-id"] == "abcdefgh-1"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "unsafe-inline" not in answer.headers["content-security-policy"]
            assert "server" not in answer.headers or "uvicorn" not in answer.headers["server"]
        other = client.get(BOARD, headers={"X-Request-Id": "no\tid <script>"})
        assert len(other.headers["x-request-id"]) == 32
        assert "access-control-allow-origin" not in client.get(BOARD, headers={"Origin": "https://a.example"}).headers


def test_a_table_that_was_never_published_is_no_answer_yet(ops_database: str) -> None:
    with served(ops_database) as client:
        answer = client.get(BOARD)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        publish_season(ops_database)
        assert client.get(BOARD).status_code == 200


def test_the_reader_s_connections_cannot_write(url: str) -> None:
    with connect(url) as conn:
        before = conn.execute("SELECT count(*) FROM pubg.seasons").fetchone()
    with served(url) as client:
        assert client.post(BOARD).status_code == 405
        assert client.delete(BOARD).status_code == 405
    with connect(url) as conn:
        assert conn.execute("SELECT count(*) FROM pubg.seasons").fetchone() == before
