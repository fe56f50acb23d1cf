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

from gamestats_assets.lakehouse.published.notes import forget_answers
from gamestats_assets_tests.serving.season import publish_season, publish_standings
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.support.clocks import wait_until

BOARD = "/api/v1/tournaments/leaderboard/teams?season=fall&division=Division+1"


def points(answer: httpx.Response) -> int:
    return answer.json()["data"]["teams"][0]["total_points"]


@pytest.mark.parametrize("path", [BOARD, "/"])
def test_an_answer_is_304_until_something_is_published(client: httpx.Client, season_url: str, path: str) -> None:
    publish_standings(season_url, more_points=1)
    assert wait_until(lambda: points(client.get(BOARD)) == 33), "the first points are shown"
    # The first page tells when each table was published.
    with psycopg.connect(season_url) as conn:
        conn.execute("UPDATE pubg.published_versions SET published_at = published_at - interval '1 day'")
    etag = client.get(path).headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    publish_standings(season_url, more_points=5)
    assert wait_until(lambda: client.get(path, headers={"If-None-Match": etag}).status_code == 200), (
        "the answer changes"
    )
    assert client.get(path).headers["etag"] != etag
    assert points(client.get(BOARD)) == 37


@pytest.mark.parametrize("path", [BOARD, "/tournaments?season=fall", "/healthz"])
def test_head_is_answered_as_get_without_a_body(client: httpx.Client, path: str) -> None:
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-type"):
        assert head.headers.get(name) == whole.headers.get(name)


def test_the_order_of_parameters_does_not_matter(client: httpx.Client) -> None:
    one = client.get("/api/v1/tournaments/leaderboard/teams?season=fall&division=Division+1&page=1")
    assert one.headers["cache-control"] == "public, max-age=60"
    assert client.get(BOARD).headers["etag"] == one.headers["etag"]
    assert client.get(f"{BOARD}&page=2").headers["etag"] != one.headers["etag"]


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_repeated_request_is_answered_the_same(client: httpx.Client, accept: str, encoding: str) -> None:
    """The second and third time no route is looked for."""

    def ask(**headers: str) -> tuple[int, bytes, dict[str, str]]:
        answer = client.get(BOARD, headers={"Accept": accept, "Accept-Encoding": encoding, **headers})
        kept = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date")}
        return answer.status_code, answer.content, kept

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
    assert len({client.get(BOARD).headers["x-request-id"] for _ in range(3)}) == 3
    # A header that is sent twice is remembered for nobody.
    client.get(f"{BOARD}&page=1", headers=[("Accept", ""), ("Accept", "text/csv")])
    other = client.get(f"{BOARD}&page=1", headers={"Accept": "text/csv"})
    assert other.headers["content-type"].startswith("text/csv")


def test_an_old_answer_never_follows_a_new_one(client: httpx.Client, season_url: str) -> None:
    """Many ask while one publishes: what each of them sees only grows, and follows a commit within 100 ms."""
    publish_standings(season_url, more_points=100)
    assert wait_until(lambda: points(client.get(BOARD)) == 132), "the first points are shown"
    answers: list[list[int]] = [[] for _ in range(4)]
    committed, seen = dict[int, float](), dict[int, float]()
    done = threading.Event()

    def ask(own: list[int]) -> None:
        while not done.is_set():
            own.append(points(client.get(BOARD)) - 132)
            seen.setdefault(own[-1], time.monotonic())

    threads = [threading.Thread(target=ask, args=[own]) for own in answers]
    for thread in threads:
        thread.start()
    try:
        for more in range(1, 9):
            publish_standings(season_url, more_points=100 + more)
            committed[more] = time.monotonic()
            time.sleep(0.05)
        assert wait_until(lambda: 8 in seen), "the last points are shown"
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert all(own == sorted(own) for own in answers)
    assert min(seen[more] - at for more, at in committed.items() if more in seen) < 0.1


def test_every_answer_has_an_id_and_protective_headers(client: httpx.Client) -> None:
    for path in (BOARD, "/healthz", "/nothing"):
        answer = client.get(path, headers={"X-Request-Id": "abcdefgh-1"})
        assert answer.headers["x-request-id"] == "abcdefgh-1"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
        assert "uvicorn" not in answer.headers.get("server", "")
    other = client.get(BOARD, headers={"X-Request-Id": "no\tid <script>"})
    assert len(other.headers["x-request-id"]) == 32
    assert "access-control-allow-origin" not in client.get(BOARD, headers={"Origin": "https://a.example"}).headers
    assert client.get(BOARD, headers={"Host": "evil.example.com"}).status_code == 421


def test_a_table_that_was_never_published_is_no_answer_yet(ops_database: str) -> None:
    with served(ops_database) as client:
        answer = client.get(BOARD)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        publish_season(ops_database)
        assert client.get(BOARD).status_code == 200


@pytest.fixture
def refuse_connections(season_url: str) -> Iterator[Callable[[], None]]:
    """Ends the connections to the database and lets nobody in until the test is over."""
    name = conninfo_to_dict(season_url)["dbname"]
    with psycopg.connect(make_conninfo(season_url, dbname="postgres"), autocommit=True) as server:
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")

        def refuse() -> None:
            server.execute(allow.format(sql.Identifier(str(name)), sql.SQL("false")))
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

        yield refuse
        server.execute(allow.format(sql.Identifier(str(name)), sql.SQL("true")))


def test_without_postgresql_kept_answers_are_stale_and_others_503(
    season_url: str, refuse_connections: Callable[[], None]
) -> None:
    with served(season_url) as client:
        kept = client.get(BOARD)
        refuse_connections()
        assert wait_until(lambda: "gamestats-stale" in client.get(BOARD).headers), "answers are marked stale"
        stale = client.get(BOARD)
        assert (stale.status_code, stale.content, stale.headers["cache-control"]) == (200, kept.content, "no-store")
        other = client.get(f"{BOARD}&page=2")
        assert (other.status_code, other.headers["retry-after"]) == (503, "2")
        assert other.json()["code"] == "unavailable"
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200


def test_once_somebody_was_forgotten_no_earlier_answer_is_kept(
    season_url: str, refuse_connections: Callable[[], None]
) -> None:
    with served(season_url) as client:
        for _ in range(2):
            assert client.get(BOARD).status_code == 200
        forget_answers(season_url)
        time.sleep(0.5)
        refuse_connections()
        assert client.get(BOARD).status_code == 503, "there is nothing that could be given as stale"
