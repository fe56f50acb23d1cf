"""What a request may cost, by who asks; and under which address the application is reached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.roles import serving_urls
from gamestats_assets.serving.middleware.limits import InProcess
from gamestats_assets.settings import Settings
from gamestats_assets_tests.serving.season import publish_season
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import AUTH, SIGN_IN, browser_of, link_for, user_named

ME = f"{AUTH}/me"
MANY = {"requests_a_minute": 1000}


def statuses(client: httpx.Client, n: int, path: str = "/", **headers: str) -> list[int]:
    return [client.get(path, headers=headers).status_code for _ in range(n)]


# --- how often -----------------------------------------------------------------------------------


def test_limits_depend_on_roles(url: str) -> None:
    with psycopg.connect(url) as conn:
        added = "INSERT INTO ops.seasons (season, name, time_zone) VALUES ('fall', 'Fall', 'UTC') RETURNING season_id"
        found = conn.execute(added).fetchone()
    assert found is not None
    user_named(url, "of-a-season", "tournament_admin", season_id=found[0])
    limits = {"requests_a_minute": 7, "requests_a_minute_of_user": 4, "requests_a_minute_of_admin": 30}
    with served(url, **limits) as site:
        limits = {}
        for name, *roles in (("u",), ("p", "premium"), ("of-a-season",), ("a", "admin"), ("both", "premium", "admin")):
            browser = browser_of(site, url, name, *roles)
            limits[name] = int(browser.get(ME).headers["ratelimit-limit"])
        assert limits == {"u": 4, "p": 20, "of-a-season": 30, "a": 30, "both": 30}
        # Five of seven are used by the links above.
        assert statuses(site, 3) == [200, 200, 429]
        refused = site.get("/")
        assert (refused.headers["ratelimit-limit"], refused.headers["ratelimit-remaining"]) == ("7", "0")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["code"] == "too_many_requests"
        assert statuses(site, 3, "/healthz") == [200] * 3


def test_beyond_the_limit_unchanged_answers_are_still_304(url: str) -> None:
    """Open pages behind one address go on, though a neighbour uses up what is theirs together."""
    publish_season(url)
    with served(url, requests_a_minute=6) as site:
        pages = ("/tournaments?season=fall", "/api/v1/tournaments/seasons")
        tags = [site.get(path).headers["etag"] for path in pages]
        assert statuses(site, 5)[-1] == 429
        for path, tag in zip(pages, tags, strict=True):
            assert statuses(site, 2, path, **{"If-None-Match": tag}) == [304, 304]
            assert statuses(site, 1, path, **{"If-None-Match": '"another"'}) == [429]


def test_a_user_is_counted_once_wherever_they_ask_from(url: str) -> None:
    with served(url, **MANY, requests_a_minute_of_user=6) as site:
        here, there = browser_of(site, url, "kim"), browser_of(site, url, "kim")
        # Both have asked who they are.
        token = here.post(f"{AUTH}/token").json()["access_token"]
        program = httpx.Client(base_url=site.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        assert statuses(program, 2, ME) == [200, 200]
        assert statuses(there, 2, ME) == [200, 429]
        assert statuses(program, 1, ME) == [429]
        assert statuses(browser_of(site, url, "lee"), 1, ME) == [200]


def test_guessing_links_and_tokens_is_stopped(url: str) -> None:
    with served(url, **MANY, guesses_a_minute=3) as site:
        good = link_for(url, "kim")
        for path, asked in (("/link", {"data": {"token": "x"}}), ("", {"json": {"refresh_token": "x"}})):
            sent = site.post(f"{SIGN_IN}/link" if path else f"{AUTH}/token", **asked)
            assert sent.status_code == 401
        # What is good is no guess.
        assert httpx.post(f"{site.base_url}{SIGN_IN}/link", data={"token": good}).status_code == 303
        assert site.post(f"{SIGN_IN}/link", data={"token": "y"}).status_code == 401
        stopped = site.post(f"{SIGN_IN}/link", data={"token": link_for(url, "kim")})
        assert stopped.status_code == 429
        assert int(stopped.headers["retry-after"]) <= 60
        assert site.get(SIGN_IN).status_code == 200


def test_files_are_counted_by_the_hour(url: str) -> None:
    with served(url, **MANY, files_an_hour=2) as site:
        file = {"file": ("a.csv", b"x")}

        def sends(browser: httpx.Client, n: int) -> list[bool]:
            data = {"csrf_token": browser.headers["X-CSRF-Token"], "name": "x"}
            sent = [browser.post("/account/name", data=data, files=file) for _ in range(n)]
            return [each.status_code != 429 for each in sent]

        assert sends(browser_of(site, url, "u"), 3) == [True, True, False]
        assert sends(browser_of(site, url, "p", "premium"), 11) == [True] * 10 + [False]
        assert sends(browser_of(site, url, "t", "tournament_admin"), 12) == [True] * 12
        anyone = [site.post("/account/name", files=file) for _ in range(3)]
        assert [each.status_code for each in anyone] == [401, 401, 429]
        assert "2 files an hour" in anyone[-1].json()["detail"]
        assert int(anyone[-1].headers["retry-after"]) > 3000


def test_only_configured_proxies_tell_the_address_behind_them(url: str) -> None:
    def ask(client: httpx.Client, *addresses: str) -> list[int]:
        return [client.get("/", headers={"X-Forwarded-For": each}).status_code for each in addresses]

    with served(url, requests_a_minute=2) as site:
        assert ask(site, "198.51.100.1", "198.51.100.2", "198.51.100.3") == [200, 200, 429]
    with served(url, requests_a_minute=2, trusted_proxies=("10.0.0.0/8",)) as site:
        assert ask(site, "198.51.100.1", "198.51.100.2", "198.51.100.3") == [200, 200, 429]
    with served(url, requests_a_minute=2, trusted_proxies=("10.0.0.0/8", "127.0.0.1")) as site:
        assert ask(site, *["198.51.100.1"] * 3, "198.51.100.2") == [200, 200, 429, 200]
        # What a client itself puts before what the proxy adds is not believed.
        assert ask(site, "203.0.113.1, 198.51.100.1", "203.0.113.1, 10.1.1.1, 198.51.100.1") == [429, 429]
        # Whoever has an address of IPv6 has the network.
        assert ask(site, "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1") == [200, 200, 429, 200]


# --- how large, how long -------------------------------------------------------------------------


def test_a_request_may_have_so_much_whether_it_says_so_or_not(url: str) -> None:
    with served(url, largest_request_mb=1) as site:
        large = {"token": "x" * (1 << 20)}
        assert site.post(f"{SIGN_IN}/link", data=large).status_code == 413

        def pieces() -> Iterator[bytes]:
            yield b'{"refresh_token": "'
            for _ in range(20):
                yield b"x" * 100_000

        answer = site.post(f"{AUTH}/token", content=pieces(), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_request_is_given_up_in_time(url: str) -> None:
    with served(url, longest_request_s=0.5) as site, psycopg.connect(url) as conn:
        browser = browser_of(site, url, "kim")
        conn.execute("LOCK TABLE accounts.sessions")
        began = time.monotonic()
        assert browser.get(ME).status_code == 504
        assert time.monotonic() - began < 3
        conn.rollback()
        assert browser.get(ME).status_code == 200


# --- under which address -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["by its setting", "by a proxy"])
def test_behind_https_cookies_are_for_https_alone(url: str, how: str) -> None:
    by_setting = how == "by its setting"
    settings = {"public_url": "https://stats.example.org"} if by_setting else {"trusted_proxies": ("127.0.0.1",)}
    with served(url, **settings) as site:
        sent = {} if by_setting else {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.1"}
        used = site.post(f"{SIGN_IN}/link", data={"token": link_for(url, "kim")}, headers=sent)
        cookie = used.headers["set-cookie"]
        assert cookie.startswith("__Host-gamestats_session=")
        assert "; secure" in cookie.lower()
        session = cookie.split(";")[0]
        assert httpx.get(f"{site.base_url}{ME}", headers={**sent, "Cookie": session}).status_code == 200
        # One that another name of the domain could have set is none.
        planted = session.removeprefix("__Host-")
        assert httpx.get(f"{site.base_url}{ME}", headers={**sent, "Cookie": planted}).status_code == 401
        if by_setting:
            to_steam = httpx.URL(site.get(f"{SIGN_IN}/with/steam").headers["location"])
            assert to_steam.params["openid.realm"] == "https://stats.example.org/"
            assert to_steam.params["openid.return_to"].startswith(
                "https://stats.example.org/sign-in/with/steam/callback"
            )


# --- as whom PostgreSQL is asked -----------------------------------------------------------------


def test_database_roles_may_do_no_more_than_they_need(url: str) -> None:
    public, writer = (each.get_secret_value() for each in serving_urls(Settings(postgres_url=SecretStr(url))))
    user_named(url, "logged", "premium")
    refused = {
        public: ["SELECT 1 FROM ops.seasons", "SELECT 1 FROM accounts.users", "SELECT 1 FROM accounts.sessions"],
        writer: [
            "UPDATE accounts.audit_log SET act = 'x'",
            "DELETE FROM accounts.audit_log",
            "TRUNCATE accounts.audit_log",
            "UPDATE ops.entry_history SET after = NULL",
            # Of other games, or of nobody who signs in.
            *("SELECT 1 FROM ops.products", "SELECT 1 FROM ops.rl_replays_found"),
        ],
    }
    for where, statements in refused.items():
        for statement in [*statements, "CREATE TABLE public.mine (a int)", "CREATE SCHEMA mine"]:
            with psycopg.connect(where) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)
    # Nor does the owner by mistake.
    with psycopg.connect(url) as conn, pytest.raises(psycopg.errors.RestrictViolation):
        conn.execute("DELETE FROM accounts.audit_log")


def test_old_counts_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    storage = InProcess()

    async def ask(*who: str) -> list[bool]:
        return [await storage.acquire_entry(each, limit=1, expiry=60) for each in who]

    async def asked() -> None:
        assert await ask("ann", "bob", "ann") == [True, True, False]
        now[0] += 30
        assert await ask("ann") == [False]
        now[0] += 40
        assert await ask("ann") == [True]
        assert {*storage.events} == {*storage.locks} == {"ann"}

    asyncio.run(asked())
