"""Who is who: one-time links, sessions, tokens of programs, forged requests, limits by who asks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from gamestats_assets.lakehouse.entries.encryption import Keys
from gamestats_assets_tests.serving.served import KEY, served
from gamestats_assets_tests.serving.signing_in import AUTH, SIGN_IN, browser_of, link_for
from gamestats_assets_tests.support.postgres_fixture import database


@pytest.fixture(scope="module")
def url(postgres_url: str, ops_template: str) -> Iterator[str]:
    with database(postgres_url, ops_template) as found:
        yield found


@pytest.fixture(scope="module")
def site(url: str) -> Iterator[httpx.Client]:
    with served(url) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def asked(site: httpx.Client, token: str) -> httpx.Response:
    """Who a program is, by an access token and nothing else."""
    return httpx.get(f"{site.base_url}{AUTH}/me", headers=bearer(token))


def program(browser: httpx.Client) -> dict[str, Any]:
    """Tokens of a program that is let in from a browser."""
    answer = browser.post(f"{AUTH}/token")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    return answer.json()


def refreshed(site: httpx.Client, token: str) -> httpx.Response:
    return httpx.post(f"{site.base_url}{AUTH}/refresh", json={"refresh_token": token})


# --- one-time links ------------------------------------------------------------------------------


def test_a_link_signs_in_once_and_only_by_its_button(site: httpx.Client, url: str) -> None:
    token = link_for(url, "kim")
    page = site.get(f"{SIGN_IN}/link", params={"token": token, "next": "/tournaments"})
    assert page.status_code == 200
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    used = httpx.post(f"{site.base_url}{SIGN_IN}/link", data={"token": token, "next": "/tournaments"})
    assert (used.status_code, used.headers["location"]) == (303, "/tournaments")
    again = httpx.post(f"{site.base_url}{SIGN_IN}/link", data={"token": token})
    assert (again.status_code, again.json()["code"]) == (401, "sign_in")
    assert "gamestats user link" in again.json()["detail"]
    assert "set-cookie" not in again.headers


def test_of_many_who_use_a_link_at_once_one_is_signed_in(site: httpx.Client, url: str) -> None:
    token = link_for(url, "kim")
    with ThreadPoolExecutor(6) as threads:
        send = [threads.submit(httpx.post, f"{site.base_url}{SIGN_IN}/link", data={"token": token}) for _ in range(6)]
    assert sorted(sent.result().status_code for sent in send) == [303, *[401] * 5]


def test_a_link_is_over_after_15_minutes(site: httpx.Client, url: str) -> None:
    token = link_for(url, "kim")
    with psycopg.connect(url) as conn:
        moved = "UPDATE accounts.links SET expires_at = expires_at - interval '15 min' WHERE used_at IS NULL"
        assert conn.execute(moved).rowcount >= 1
    assert httpx.post(f"{site.base_url}{SIGN_IN}/link", data={"token": token}).status_code == 401


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "http:evil.example"),
        *("javascript:alert(1)", "/\tevil", "/\n/evil.example", " //evil.example", "evil.example", ""),
    ],
)
def test_after_signing_in_a_browser_stays_here(site: httpx.Client, url: str, elsewhere: str) -> None:
    used = httpx.post(f"{site.base_url}{SIGN_IN}/link", data={"token": link_for(url, "kim"), "next": elsewhere})
    assert used.headers["location"] == "/rocket-league"


def test_who_asks_for_no_page_goes_on_to_the_own_ones_and_who_administers_alone_to_the_first(
    site: httpx.Client, url: str
) -> None:
    def onward(name: str, *roles: str) -> str:
        sent = {"token": link_for(url, name, *roles)}
        return httpx.post(f"{site.base_url}{SIGN_IN}/link", data=sent).headers["location"]

    assert onward("somebody new") == "/rocket-league"
    assert onward("an admin", "admin") == "/"
    with psycopg.connect(url) as conn:
        conn.execute(
            "INSERT INTO accounts.players (user_id, game, player_id, state, told_by) SELECT user_id, 'rocket_league', "
            "'steam_1', 'linked', 'admin' FROM accounts.users WHERE name = 'an admin'"
        )
    assert onward("an admin") == "/rocket-league"


def test_a_page_elsewhere_signs_nobody_in(site: httpx.Client, url: str) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        sent = httpx.post(f"{site.base_url}{SIGN_IN}/link", data={"token": link_for(url, "kim")}, headers=headers)
        assert (sent.status_code, "set-cookie" in sent.headers) == (403, False)


# --- sessions ------------------------------------------------------------------------------------


def test_a_cookie_is_for_this_site_alone_and_only_its_hash_is_kept(site: httpx.Client, url: str) -> None:
    used = httpx.post(f"{site.base_url}{SIGN_IN}/link", data={"token": link_for(url, "kim")})
    cookie = used.headers["set-cookie"].lower()
    assert all(f"; {each}" in cookie for each in ("httponly", "samesite=lax", "path=/", "max-age=2592000"))
    assert "domain" not in cookie
    token = used.cookies["gamestats_session"]
    with psycopg.connect(url) as conn:
        kept = conn.execute("SELECT to_jsonb(s) FROM accounts.sessions s").fetchall()
        assert token not in str(kept)
        found = "SELECT count(*) FROM accounts.sessions WHERE token_hash = %s"
        assert conn.execute(found, [hashlib.sha256(token.encode()).digest()]).fetchone() == (1,)


def test_signing_in_gives_another_session_and_ends_the_one_before(site: httpx.Client, url: str) -> None:
    browser, chosen = httpx.Client(base_url=site.base_url, timeout=30), "chosen-by-somebody-else"
    cookie = {"Cookie": f"gamestats_session={chosen}"}
    browser.post(f"{SIGN_IN}/link", data={"token": link_for(url, "lee")}, headers=cookie)
    first = browser.cookies["gamestats_session"]
    assert first != chosen
    browser.post(f"{SIGN_IN}/link", data={"token": link_for(url, "kim")})
    assert browser.get(f"{AUTH}/me").json()["name"] == "kim"
    kept = httpx.get(f"{site.base_url}{AUTH}/me", cookies={"gamestats_session": first})
    assert kept.status_code == 401


def test_sessions_are_listed_and_ended_one_by_one_and_nobody_elses(site: httpx.Client, url: str) -> None:
    here, there, other = (browser_of(site, url, name) for name in ("park", "park", "choi"))
    program(there)
    found = here.get(f"{AUTH}/sessions").json()["sessions"]
    assert [(each["kind"], each["is_this"]) for each in found].count(("browser", True)) == 1
    assert sorted((each["kind"], each["device"]) for each in found) == [
        *[("browser", "Firefox on Linux")] * 2,
        ("program", "Firefox on Linux"),
    ]
    [elsewhere] = [each["session_id"] for each in found if each["kind"] == "browser" and not each["is_this"]]
    assert other.delete(f"{AUTH}/sessions/{elsewhere}").status_code == 404
    assert here.delete(f"{AUTH}/sessions/{elsewhere}").status_code == 204
    assert there.get(f"{AUTH}/me").status_code == 401
    # The program was let in from there.
    assert [each["is_this"] for each in here.get(f"{AUTH}/sessions").json()["sessions"]] == [True]


def test_signing_out_ends_the_session_and_what_it_let_in(site: httpx.Client, url: str) -> None:
    browser = browser_of(site, url, "kim")
    cookie, tokens = browser.cookies["gamestats_session"], program(browser)
    assert asked(site, tokens["access_token"]).json()["name"] == "kim"
    assert browser.post(f"{AUTH}/logout").status_code == 204
    assert "gamestats_session" not in browser.cookies
    assert httpx.get(f"{site.base_url}{AUTH}/me", cookies={"gamestats_session": cookie}).status_code == 401
    assert asked(site, tokens["access_token"]).status_code == 401
    assert refreshed(site, tokens["refresh_token"]).status_code == 401


def test_a_session_is_over_after_30_days_or_with_its_user(site: httpx.Client, url: str) -> None:
    old, removed = browser_of(site, url, "old"), browser_of(site, url, "removed")
    with psycopg.connect(url) as conn:
        name = "(SELECT user_id FROM accounts.users WHERE name = 'old')"
        conn.execute(f"UPDATE accounts.sessions SET expires_at = now() WHERE user_id = {name}")  # noqa: S608
        conn.execute("UPDATE accounts.users SET ended_at = now(), name = NULL, name_key = NULL WHERE name = 'removed'")
    assert old.get(f"{AUTH}/me").status_code == 401
    assert removed.get(f"{AUTH}/me").status_code == 401


# --- forged requests -----------------------------------------------------------------------------


def test_what_changes_something_needs_the_sessions_token_and_our_own_page(site: httpx.Client, url: str) -> None:
    browser = browser_of(site, url, "kim")
    good = browser.headers.pop("X-CSRF-Token")
    others = browser_of(site, url, "lee").headers["X-CSRF-Token"]
    own = {"X-CSRF-Token": good}

    def rename(**headers: str) -> int:
        return browser.patch(f"{AUTH}/me", json={"name": "kim"}, headers=headers).status_code

    assert rename() == 403
    assert rename(**{"X-CSRF-Token": ""}) == 403
    assert rename(**{"X-CSRF-Token": others}) == 403
    assert rename(**own, Origin="https://evil.example") == 403
    assert rename(**own, Origin="null") == 403
    assert rename(**own, **{"Sec-Fetch-Site": "same-site"}) == 403
    assert rename(**own, Origin=str(site.base_url).rstrip("/")) == 204
    assert rename(**own) == 204
    # A form has it as a field.
    assert browser.post(f"{AUTH}/logout", data={"csrf_token": others}).status_code == 403
    assert browser.post(f"{AUTH}/logout", data={"csrf_token": good}).status_code == 204


# --- programs ------------------------------------------------------------------------------------


def test_an_access_token_is_good_for_15_minutes_and_says_nothing_of_the_person(site: httpx.Client, url: str) -> None:
    given = program(browser_of(site, url, "kim"))
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 900)
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "===")) for part in given["access_token"].split(".")[:2]
    )
    assert (header["alg"], header["typ"]) == ("Ed25519", "at+jwt")
    assert claims["exp"] - claims["iat"] == 900
    assert claims.keys() == {"iss", "aud", "sub", "sid", "iat", "exp", "jti"}
    # A program needs no CSRF token, and lets no other in.
    assert asked(site, given["access_token"]).json()["csrf_token"] == ""
    again = httpx.post(f"{site.base_url}{AUTH}/token", headers=bearer(given["access_token"]))
    assert again.status_code == 403


def test_a_token_that_is_not_ours_or_was_changed_is_refused(site: httpx.Client, url: str) -> None:
    given = program(browser_of(site, url, "kim"))["access_token"]
    header, claims, signature = given.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "==="))
    kid = json.loads(base64.urlsafe_b64decode(header + "==="))["kid"]
    with psycopg.connect(url) as conn:
        found = conn.execute("SELECT private_key FROM accounts.signing_keys WHERE key_id = %s", [kid]).fetchone()
    assert found is not None
    ours, theirs = OKPKey.import_key(json.loads(Keys(KEY).decrypt(found[0]))), OKPKey.generate_key("Ed25519")

    def signed(claims: dict[str, Any], key: Any = ours, **header: str) -> str:
        head = {"alg": "Ed25519", "typ": "at+jwt", "kid": kid, **header}
        return jwt.encode(head, claims, key, algorithms=[head["alg"]])

    def plain(part: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")

    assert asked(site, signed(said)).status_code == 200
    symmetric = f"{plain({'alg': 'HS256', 'typ': 'at+jwt', 'kid': kid})}.{claims}"
    public = ours.as_bytes(encoding="PEM", private=False)
    forged = base64.urlsafe_b64encode(hmac.digest(public, symmetric.encode(), "sha256")).decode().rstrip("=")
    bad = {
        "no signature": f"{plain({'alg': 'none', 'typ': 'at+jwt', 'kid': kid})}.{claims}.",
        "an empty signature": f"{header}.{claims}.",
        "signed with the public key": f"{symmetric}.{forged}",
        "another key": signed(said, theirs),
        "a key that nobody knows": signed(said, theirs, kid="unknown"),
        "changed": f"{header}.{plain({**said, 'sid': said['sid'] + 1})}.{signature}",
        "too old": signed({**said, "exp": said["iat"] - 1}),
        "without an end": signed({name: value for name, value in said.items() if name != "exp"}),
        "of another issuer": signed({**said, "iss": "https://other.example"}),
        "for others": signed({**said, "aud": "others"}),
        "another kind of token": signed(said, typ="JWT"),
        "of a browser's session": signed({**said, "sid": 1}),
        "no token": "x",
    }
    answers = {why: asked(site, token) for why, token in bad.items()}
    assert {why: answer.status_code for why, answer in answers.items()} == dict.fromkeys(bad, 401)
    assert "15 minutes" in answers["too old"].json()["detail"]
    assert answers["changed"].headers["www-authenticate"].startswith("Bearer")


def test_a_refresh_token_is_used_once_and_twice_ends_all_that_came_of_it(site: httpx.Client, url: str) -> None:
    browser = browser_of(site, url, "kim")
    first, other = program(browser), program(browser)
    second = refreshed(site, first["refresh_token"]).json()
    assert asked(site, second["access_token"]).status_code == 200
    third = refreshed(site, second["refresh_token"]).json()
    assert refreshed(site, first["refresh_token"]).status_code == 401
    for tokens in (first, second, third):
        assert asked(site, tokens["access_token"]).status_code == 401
        assert refreshed(site, tokens["refresh_token"]).status_code == 401
    assert asked(site, other["access_token"]).status_code == 200
    assert browser.get(f"{AUTH}/me").status_code == 200


def test_keys_are_made_anew_every_30_days_and_old_tokens_end_with_their_key(site: httpx.Client, url: str) -> None:
    browser = browser_of(site, url, "kim")
    before = program(browser)["access_token"]
    with psycopg.connect(url) as conn:
        conn.execute("UPDATE accounts.signing_keys SET created_at = now() - interval '30 days 1 minute'")
    after = program(browser)["access_token"]
    kids = [json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==="))["kid"] for token in (before, after)]
    assert kids[0] != kids[1]
    # What was signed before holds out its 15 minutes.
    assert [asked(site, token).status_code for token in (before, after)] == [200, 200]
