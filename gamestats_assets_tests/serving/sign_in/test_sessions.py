"""One-time links, sessions, forged requests, tokens of programs, and the account page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
from joserfc import jwt
from joserfc.jwk import OKPKey

from gamestats_assets.lakehouse.entries.encryption import Keys
from gamestats_assets.serving import pages
from gamestats_assets.serving.middleware.problems import TITLES
from gamestats_assets.serving.middleware.site import own_path
from gamestats_assets.serving.pages.texts import Texts
from gamestats_assets_tests.serving.served import KEY
from gamestats_assets_tests.serving.sign_in.signing_in import AUTH, SIGN_IN, browser_of, link_for


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


def test_only_paths_of_ours_are_gone_on_to() -> None:
    for elsewhere in (
        *("https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "http:evil.example"),
        *("javascript:alert(1)", "/\tevil", "/\n/evil.example", " //evil.example", "evil.example", ""),
    ):
        assert own_path(elsewhere) == "/", elsewhere
    assert own_path("/tournaments?tab=players") == "/tournaments?tab=players"


def test_after_signing_in_players_and_admins_go_to_their_pages(site: httpx.Client, url: str) -> None:
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


def test_an_access_token_lasts_15_minutes_and_names_nobody(site: httpx.Client, url: str) -> None:
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


def test_signing_keys_are_replaced_every_30_days(site: httpx.Client, url: str) -> None:
    browser = browser_of(site, url, "kim")
    before = program(browser)["access_token"]
    with psycopg.connect(url) as conn:
        conn.execute("UPDATE accounts.signing_keys SET created_at = now() - interval '30 days 1 minute'")
    after = program(browser)["access_token"]
    kids = [json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==="))["kid"] for token in (before, after)]
    assert kids[0] != kids[1]
    # What was signed before holds out its 15 minutes.
    assert [asked(site, token).status_code for token in (before, after)] == [200, 200]


# --- the page about oneself, as a browser without JavaScript has it ---------------------------------


class Visitor:
    """A browser in which somebody is signed in, that sends the forms of the page."""

    def __init__(self, site: httpx.Client, url: str, name: str, *roles: str) -> None:
        signed_in = browser_of(site, url, name, *roles)
        headers = {"Accept": "text/html", "User-Agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0"}
        self.http = httpx.Client(base_url=site.base_url, headers=headers, cookies=signed_in.cookies, timeout=30)

    def page(self) -> str:
        found = self.http.get("/account")
        assert found.status_code == 200
        return found.text

    def sends(self, action: str, page: str | None = None, **fields: str) -> httpx.Response:
        """Send the form of an action, with what it has and what is written in it."""
        form = re.findall(rf'<form action="({action})" method="post".*?</form>', page or self.page(), re.DOTALL)
        assert form, action
        csrf = re.findall(r'name="csrf_token" value="([^"]+)"', page or self.page())
        return self.http.post(form[0], data={"csrf_token": csrf[0], **fields})


def test_a_visitor_signs_in_first_and_comes_back(site: httpx.Client, url: str) -> None:
    browser = httpx.Client(base_url=site.base_url, headers={"Accept": "text/html"}, timeout=30)
    sent = browser.get("/account")
    assert (sent.status_code, sent.headers["location"]) == (303, f"{SIGN_IN}?next=%2Faccount")
    page = browser.get(sent.headers["location"])
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert f'href="{SIGN_IN}/with/steam?next=%2Faccount"' in page.text
    # Whoever may not see a page finds the way, too.
    refused = browser.get("/admin/users")
    assert refused.status_code == 401
    assert f'href="{SIGN_IN}?next=%2Fadmin%2Fusers"' in refused.text
    token = link_for(url, "kim")
    assert browser.post(f"{SIGN_IN}/link", data={"token": token, "next": "/account"}).headers["location"] == "/account"
    assert browser.get("/account").status_code == 200
    assert browser.get(sent.headers["location"]).headers["location"] == "/account"


def test_each_form_needs_the_token_of_the_session(site: httpx.Client, url: str) -> None:
    kim, lee = Visitor(site, url, "kim"), Visitor(site, url, "lee")
    actions = {*re.findall(r'<form action="([^"]+)"', kim.page())} | {"/account/identities/1"}
    assert len(actions) >= 5
    others = re.findall(r'name="csrf_token" value="([^"]+)"', lee.page())[0]
    for action in actions:
        for fields in ({}, {"csrf_token": ""}, {"csrf_token": others}):
            assert kim.http.post(action, data={"name": "x", **fields}).status_code == 403, action
        assert httpx.post(f"{site.base_url}{action}", data={"name": "x"}).status_code == 401, action
    assert kim.http.get(f"{AUTH}/me").json()["name"] == "kim"


def test_names_are_unique_and_shown_as_text(site: httpx.Client, url: str) -> None:
    park, _ = Visitor(site, url, "park"), Visitor(site, url, "choi")
    taken = park.sends("/account/name", name="Choi")
    assert taken.status_code == 409
    assert "Another user is called &#39;Choi&#39;." in taken.text
    assert park.sends("/account/name", name=" ").status_code == 422
    odd = "<script>alert(1)</script>"
    assert park.sends("/account/name", name=odd).headers["location"] == "/account?done=renamed"
    page = park.http.get("/account?done=renamed").text
    assert f"<bdi>{html.escape(odd)}</bdi>" in page
    assert odd not in page
    assert "Your name was changed." in page
    # Nothing else can be put on the page by its address.
    assert "evil" not in park.http.get("/account", params={"done": "evil"}).text


def test_a_program_is_let_in_and_ends_with_the_browser(site: httpx.Client, url: str) -> None:
    visitor = Visitor(site, url, "kim")
    given = visitor.sends("/account/programs", program="Stream \N{RIGHT-TO-LEFT OVERRIDE}bot")
    assert (given.status_code, given.headers["cache-control"]) == (200, "no-store")
    access, refresh = (re.findall(rf'id="{kind}-token">([^<]+)<', given.text)[0] for kind in ("access", "refresh"))
    bearer = {"Authorization": f"Bearer {access}"}
    assert httpx.get(f"{site.base_url}{AUTH}/me", headers=bearer).json()["name"] == "kim"
    page = visitor.page()
    assert access not in page
    assert refresh not in page
    assert "<bdi>Stream bot</bdi>" in page
    out = visitor.sends("/account/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, f"{SIGN_IN}?out=true")
    assert "gamestats_session" not in visitor.http.cookies
    assert "You are signed out" in visitor.http.get(out.headers["location"]).text
    assert httpx.get(f"{site.base_url}{AUTH}/me", headers=bearer).status_code == 401
    again = httpx.post(f"{site.base_url}{AUTH}/token", json={"refresh_token": refresh})
    assert again.status_code == 401


def test_sessions_are_ended_one_by_one_and_this_one_is_signing_out(site: httpx.Client, url: str) -> None:
    here, there, other = (Visitor(site, url, name) for name in ("seo", "seo", "han"))
    ids = [int(each) for each in re.findall(r"/account/sessions/(\d+)", here.page())]
    this = here.http.get(f"{AUTH}/me").json()["session_id"]
    assert len(ids) == 2
    [elsewhere] = {*ids} - {this}
    theirs = other.page()
    csrf = re.findall(r'name="csrf_token" value="([^"]+)"', theirs)[0]
    assert other.http.post(f"/account/sessions/{elsewhere}", data={"csrf_token": csrf}).status_code == 404
    assert here.sends(f"/account/sessions/{elsewhere}").headers["location"] == "/account?done=ended"
    assert there.http.get("/account").status_code == 303
    assert here.sends(f"/account/sessions/{this}").headers["location"] == f"{SIGN_IN}?out=true"
    assert here.http.get("/account").status_code == 303


def test_the_ways_to_admin_pages_are_for_admins(site: httpx.Client, url: str) -> None:
    shown = {}
    for name, *roles in (("u",), ("p", "premium"), ("t", "tournament_admin"), ("a", "admin")):
        shown[name] = re.findall(r'href="(/admin|/dagster/)"', Visitor(site, url, name, *roles).page())
    assert shown == {"u": [], "p": [], "t": ["/admin"], "a": ["/admin", "/dagster/"]}


def test_every_failure_has_words_on_a_page() -> None:
    say = Texts([Path(pages.__file__).parent / "texts"]).speaker("en")
    assert all(say(f"problem.title_{status}") for status in TITLES)
