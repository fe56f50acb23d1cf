"""Signing in with accounts from elsewhere: as the protocols have it, and every attack that they name."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import psycopg
import pytest
from joserfc import jwt
from pydantic import SecretStr, ValidationError

from gamestats_assets.settings import Settings, SignInProvider
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.sign_in_providers import (
    Claims,
    Issuer,
    SteamLike,
    algorithm,
    new_key,
    plain,
    with_secret,
)
from gamestats_assets_tests.serving.sign_in.signing_in import AUTH, SIGN_IN, browser_of, link_for

# The name that most issuers still have for it.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
issuer, other, steam = Issuer(), Issuer(lambda: new_key("EC")), SteamLike()


@pytest.fixture(scope="module")
def site(url: str) -> Iterator[httpx.Client]:
    with issuer.running(), other.running(), steam.running():
        sign_in = (
            SignInProvider(name="steam", title="Steam", issuer=steam.issuer),
            *(SignInProvider(**each.settings(name)) for name, each in (("epic", issuer), ("other", other))),
        )
        kept = dict.fromkeys(("epic", "other"), SecretStr(Issuer.SECRET))
        with served(url, sign_in=sign_in, sign_in_secrets=kept) as client:
            yield client


@pytest.fixture(autouse=True)
def _all_behave() -> None:
    for each in (issuer, other, steam):
        each.behave()


def browser_at(site: httpx.Client) -> httpx.Client:
    return httpx.Client(base_url=site.base_url, headers={"Accept": "text/html"}, timeout=30)


def sent_back(browser: httpx.Client, name: str, **asked: str) -> str:
    """Where a browser is sent by a provider that it was sent to."""
    sent = browser.get(f"{SIGN_IN}/with/{name}", params=asked)
    assert sent.status_code == 303, sent.text
    return httpx.get(sent.headers["location"]).headers["location"]


def changed(address: str, **parameters: str | None) -> str:
    parts = urlsplit(address)
    query = {**dict(parse_qsl(parts.query)), **{name.replace("__", "."): each for name, each in parameters.items()}}
    return parts._replace(query=urlencode({n: each for n, each in query.items() if each is not None})).geturl()


def is_signed_in(browser: httpx.Client) -> bool:
    return browser.get(f"{AUTH}/me").status_code == 200


def refused(browser: httpx.Client, answer: httpx.Response, status: int = 401) -> bool:
    """Whether a page says why nobody is signed in, and nobody is."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    return not is_signed_in(browser)


# --- as it should be -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["steam", "epic", "other"])
def test_an_account_from_elsewhere_signs_in_the_same_user_every_time(site: httpx.Client, url: str, name: str) -> None:
    names = []
    for _ in range(2):
        browser = browser_at(site)
        back = browser.get(sent_back(browser, name, next="/tournaments?tab=players"))
        assert (back.status_code, back.headers["location"]) == (303, "/tournaments?tab=players")
        assert "gamestats_attempt" not in browser.cookies
        me = browser.get(f"{AUTH}/me").json()
        assert len(me["identities"]) == 1
        names.append(me["name"])
    assert names[0] == names[1]
    assert names[0] == "Kim" if name == "epic" else names[0].startswith("user-")


def test_a_browser_is_sent_with_what_the_protocols_ask_for(site: httpx.Client) -> None:
    browser = browser_at(site)
    sent = browser.get(f"{SIGN_IN}/with/epic")
    cookie = sent.headers["set-cookie"].lower()
    assert all(f"; {each}" in cookie for each in ("httponly", "samesite=lax", "path=/", "max-age=600"))
    asked = {name: each for name, [each] in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    callback = f"{site.base_url}{SIGN_IN}/with/epic/callback".replace("//sign-in", "/sign-in")
    assert (asked["response_type"], asked["redirect_uri"]) == ("code", callback)
    assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
    assert len({asked[name] for name in ("state", "nonce", "code_challenge")}) == 3
    assert "openid" in asked["scope"].split()
    again = httpx.get(f"{site.base_url}{SIGN_IN}/with/epic").headers["location"]
    assert not {asked["state"], asked["nonce"]} & {each for [each] in parse_qs(urlsplit(again).query).values()}
    to_steam = parse_qs(urlsplit(browser.get(f"{SIGN_IN}/with/steam").headers["location"]).query)
    assert to_steam["openid.realm"] == [f"{site.base_url}".rstrip("/") + "/"]
    assert to_steam["openid.return_to"][0].startswith(to_steam["openid.realm"][0])


@pytest.mark.parametrize("kind", ["RSA", "EC", "OKP"])
def test_keys_may_change_and_old_ones_are_worth_nothing(site: httpx.Client, kind: str) -> None:
    before, issuer.keys = issuer.keys, [new_key(kind)]
    browser = browser_at(site)
    assert browser.get(sent_back(browser, "epic")).status_code == 303
    issuer.sign = lambda claims: issuer.signed(claims, before[-1])
    browser = browser_at(site)
    assert refused(browser, browser.get(sent_back(browser, "epic")))


def test_an_issuer_that_tells_no_iss_is_taken_without_it(site: httpx.Client, url: str) -> None:
    quiet = Issuer()
    quiet.about, quiet.back = {"authorization_response_iss_parameter_supported": False}, {"iss": None}
    with quiet.running():
        kept = {"quiet": SecretStr(Issuer.SECRET)}
        with served(url, sign_in=(SignInProvider(**quiet.settings("quiet")),), sign_in_secrets=kept) as here:
            browser = browser_at(here)
            assert browser.get(sent_back(browser, "quiet")).status_code == 303
            quiet.back = {"iss": "https://evil.example"}
            browser = browser_at(here)
            assert refused(browser, browser.get(sent_back(browser, "quiet")))


# --- ID tokens -----------------------------------------------------------------------------------

NOW = int(time.time())
CLAIMS: dict[str, Claims] = {
    "for others": {"aud": "others"},
    "for others, too": {"aud": [Issuer.CLIENT_ID, "others"]},
    "for others, and given to them": {"aud": [Issuer.CLIENT_ID, "others"], "azp": "others"},
    "given to others": {"azp": "others"},
    "for nobody": {"aud": None},
    "of another issuer": {"iss": "https://evil.example"},
    "of no issuer": {"iss": None},
    "expired": {"exp": NOW - 120},
    "without an end": {"exp": None},
    "of tomorrow": {"iat": NOW + 86_400, "exp": NOW + 90_000},
    "not yet good": {"nbf": NOW + 3600},
    "for another sign-in": {"nonce": "another"},
    "for no sign-in": {"nonce": None},
    "of nobody": {"sub": None},
    "of an empty name": {"sub": ""},
    "of a number": {"sub": 7},
    "of a very long name": {"sub": "x" * 256},
}


@pytest.mark.parametrize("why", CLAIMS)
def test_an_id_token_that_says_something_else_signs_nobody_in(site: httpx.Client, why: str) -> None:
    issuer.claims = CLAIMS[why]
    browser = browser_at(site)
    assert refused(browser, browser.get(sent_back(browser, "epic")))


def _unsigned(claims: Claims) -> str:
    return f"{plain({'alg': 'none'})}.{plain(claims)}."


def _cut(claims: Claims) -> str:
    return issuer.signed(claims).rpartition(".")[0] + "."


def _with_our_secret(claims: Claims) -> str:
    return with_secret(claims, Issuer.SECRET.encode(), issuer.keys[-1].kid)


def _with_the_public_key(claims: Claims) -> str:
    key = issuer.keys[-1]
    return with_secret(claims, key.as_bytes(encoding="PEM", private=False), key.kid)


def _with_another_key(claims: Claims) -> str:
    return issuer.signed(claims, new_key(issuer.keys[-1].key_type), kid=issuer.keys[-1].kid)


def _with_a_key_that_it_brings(claims: Claims) -> str:
    key = new_key("EC")
    head: dict[str, Any] = {"alg": algorithm(key), "jwk": key.as_dict(private=False)}
    return jwt.encode(head, claims, key, algorithms=[head["alg"]])


def _changed(claims: Claims) -> str:
    head, _, signature = issuer.signed(claims).split(".")
    return f"{head}.{plain({**claims, 'sub': 'admin'})}.{signature}"


@pytest.mark.parametrize(
    "sign",
    [
        *(_unsigned, _cut, _changed, _with_our_secret, _with_the_public_key, _with_another_key),
        *(_with_a_key_that_it_brings, lambda _: "x", lambda _: ""),
    ],
)
def test_an_id_token_that_the_issuer_did_not_sign_signs_nobody_in(
    site: httpx.Client, sign: Callable[[Claims], str]
) -> None:
    issuer.sign = sign
    browser = browser_at(site)
    assert refused(browser, browser.get(sent_back(browser, "epic")))


# --- the way of the browser ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["steam", "epic"])
def test_the_api_tells_where_to_sign_in_and_takes_who_comes_back(site: httpx.Client, name: str) -> None:
    browser = browser_at(site)
    address = browser.post(f"{AUTH}/{name}-login", params={"next": "/account"}).json()["address"]
    sent = browser.get(address)
    back = urlsplit(httpx.get(sent.headers["location"]).headers["location"])
    answer = browser.get(f"{AUTH}/{name}/callback?{back.query}")
    assert (answer.status_code, urlsplit(answer.headers["location"]).path) == (303, back.path)
    assert browser.get(answer.headers["location"]).headers["location"] == "/account"
    assert is_signed_in(browser)
    assert browser.post(f"{AUTH}/psn-login").status_code == 404


@pytest.mark.parametrize("name", ["steam", "epic"])
def test_only_the_browser_that_began_ends_a_sign_in_and_once(site: httpx.Client, name: str) -> None:
    victim, attacker = browser_at(site), browser_at(site)
    theirs = sent_back(attacker, name)
    assert refused(victim, victim.get(theirs))
    # Nor with an attempt of its own.
    sent_back(victim, name)
    assert refused(victim, victim.get(theirs))
    browser = browser_at(site)
    back = sent_back(browser, name)
    cookies = dict(browser.cookies)
    assert browser.get(back).status_code == 303
    browser = browser_at(site)
    browser.cookies.update(cookies)
    assert refused(browser, browser.get(back))


def test_a_state_is_needed_and_good_for_10_minutes(site: httpx.Client, url: str) -> None:
    for state in (None, "", "x"):
        browser = browser_at(site)
        assert refused(browser, browser.get(changed(sent_back(browser, "epic"), state=state)))
    browser = browser_at(site)
    back = sent_back(browser, "epic")
    with psycopg.connect(url) as conn:
        assert "state" not in str(conn.execute("SELECT to_jsonb(a) - 'state_hash' FROM accounts.sign_in_attempts a"))
        conn.execute("UPDATE accounts.sign_in_attempts SET expires_at = expires_at - interval '10 minutes'")
    assert refused(browser, browser.get(back))


def test_an_answer_of_one_issuer_is_not_taken_for_anothers(site: httpx.Client) -> None:
    # Sent to one, and back to where the other's answers go: the other one does not even get the code.
    for said in (issuer.address, other.address):
        browser, before = browser_at(site), len(other.codes)
        back = changed(sent_back(browser, "epic"), iss=said).replace("/with/epic/", "/with/other/")
        assert refused(browser, browser.get(back))
        assert len(other.codes) == before
    for said in (other.address, None, "", issuer.address + "/"):
        browser = browser_at(site)
        assert refused(browser, browser.get(changed(sent_back(browser, "epic"), iss=said)))
    # One that is attacked hands out the token of another.
    issuer.sign = lambda claims: other.signed({**claims, "iss": other.address})
    browser = browser_at(site)
    assert refused(browser, browser.get(sent_back(browser, "epic")))


def test_a_code_of_another_sign_in_is_worth_nothing(site: httpx.Client) -> None:
    attacker, victim = browser_at(site), browser_at(site)
    theirs = dict(parse_qsl(urlsplit(sent_back(attacker, "epic")).query))["code"]
    assert refused(victim, victim.get(changed(sent_back(victim, "epic"), code=theirs)))
    assert refused(victim, victim.get(changed(sent_back(victim, "epic"), code=None)))


def test_cancelling_is_said_without_repeating_foreign_text(site: httpx.Client) -> None:
    browser = browser_at(site)
    text = "<script>alert(1)</script>"
    back = changed(sent_back(browser, "epic"), code=None, error="access_denied", error_description=text)
    answer = browser.get(back)
    assert refused(browser, answer)
    assert "cancelled" in answer.text
    assert "alert(1)" not in answer.text
    browser = browser_at(site)
    answer = browser.get(changed(sent_back(browser, "steam"), openid__mode="cancel"))
    assert refused(browser, answer)
    assert "cancelled" in answer.text


def test_a_parameter_that_is_given_twice_is_refused(site: httpx.Client) -> None:
    for name, twice in (("epic", "code=x"), ("steam", "openid.claimed_id=x")):
        browser = browser_at(site)
        assert refused(browser, browser.get(f"{sent_back(browser, name)}&{twice}"), 400)


@pytest.mark.parametrize("elsewhere", ["//evil.example", SIGN_IN])
def test_after_signing_in_a_browser_stays_here(site: httpx.Client, elsewhere: str) -> None:
    browser = browser_at(site)
    assert browser.get(sent_back(browser, "steam", next=elsewhere)).headers["location"] == "/rocket-league"
    # Nor does the page for it lead there, to who is signed in and to who is not.
    assert browser.get(SIGN_IN, params={"next": elsewhere}).headers["location"] == "/rocket-league"
    page = browser_at(site).get(SIGN_IN, params={"next": elsewhere}).text
    assert re.findall(r"[?&;]next=([^&\"]*)", page) == ["%2F"] * 3


def test_signing_in_gives_another_session_and_ends_the_one_before(site: httpx.Client, url: str) -> None:
    browser = browser_at(site)
    browser.post(f"{SIGN_IN}/link", data={"token": link_for(url, "lee")})
    before = browser.cookies["gamestats_session"]
    browser.get(sent_back(browser, "steam"))
    assert browser.cookies["gamestats_session"] != before
    assert httpx.get(f"{site.base_url}{AUTH}/me", cookies={"gamestats_session": before}).status_code == 401
    # A session that somebody else chose is none.
    browser = browser_at(site)
    back = sent_back(browser, "steam")
    attempt = browser.cookies["gamestats_attempt"]
    fixed = httpx.get(back, headers={"Cookie": f"gamestats_attempt={attempt}; gamestats_session=chosen"})
    assert fixed.status_code == 303
    assert fixed.cookies["gamestats_session"] != "chosen"


# --- Steam's assertions --------------------------------------------------------------------------

STEAM = "{steam}/id/76561197960287930"
SAYS: dict[str, dict[str, str]] = {
    "of an account elsewhere": dict.fromkeys(("claimed_id", "identity"), "https://evil.example/openid/id/7656"),
    "of a longer name": dict.fromkeys(("claimed_id", "identity"), "{steam}.evil.example/id/7656"),
    "of something below": dict.fromkeys(("claimed_id", "identity"), STEAM + "/x"),
    "of no number": dict.fromkeys(("claimed_id", "identity"), "{steam}/id/kim"),
    "of a line more": dict.fromkeys(("claimed_id", "identity"), STEAM + "\n"),
    "of digits of another script": dict.fromkeys(("claimed_id", "identity"), "{steam}/id/٧٦٥٦"),
    "of two": {"identity": "{steam}/id/1"},
    "of nobody": {"claimed_id": "", "identity": ""},
    "of another endpoint": {"op_endpoint": "https://evil.example/openid/login"},
    "for another site": {"return_to": "https://evil.example/?state=x"},
    "of an old protocol": {"ns": "http://openid.net/signon/1.1"},
    "without the account signed": {"signed": "signed,op_endpoint,identity,return_to,response_nonce,assoc_handle"},
    "without the way back signed": {"signed": "signed,op_endpoint,claimed_id,identity,response_nonce,assoc_handle"},
    "without the nonce signed": {"signed": "signed,op_endpoint,claimed_id,identity,return_to,assoc_handle"},
    "of last year": {"response_nonce": "2025-11-24T12:00:00Zx"},
    "of no time": {"response_nonce": "2026-99-24T12:00:00Zx"},
    "without a nonce": {"response_nonce": ""},
    "that says nothing": {"mode": "setup_needed"},
}


@pytest.mark.parametrize("why", SAYS)
def test_an_assertion_that_says_something_else_signs_nobody_in(site: httpx.Client, why: str) -> None:
    """Even if the provider vouches for it."""
    browser = browser_at(site)
    sent = browser.get(f"{SIGN_IN}/with/steam")
    state = dict(parse_qsl(dict(parse_qsl(urlsplit(sent.headers["location"]).query))["openid.return_to"].split("?")[1]))
    steam.says = {name: value.replace("{steam}", steam.issuer) for name, value in SAYS[why].items()}
    steam.forgets = True
    query = urlsplit(httpx.get(sent.headers["location"]).headers["location"]).query
    answer = browser.get(f"{SIGN_IN}/with/steam/callback", params={**dict(parse_qsl(query)), **state})
    assert refused(browser, answer)
    assert "cannot be trusted" in answer.text


CHANGES: dict[str, Mapping[str, str | None]] = {
    "account": dict.fromkeys(("openid__claimed_id", "openid__identity"), "{steam}/id/1"),
    "nonce": {"openid__response_nonce": "{now}other"},
    "handle": {"openid__assoc_handle": "2"},
    "signature": {"openid__sig": "x"},
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_assertion_that_was_changed_is_not_steams(site: httpx.Client, what: str) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    filled = {"{steam}": steam.issuer, "{now}": now}
    changes = {
        name: value and re.sub("{.*}", lambda mark: filled[mark[0]], value) for name, value in CHANGES[what].items()
    }
    browser, before = browser_at(site), steam.checked
    answer = browser.get(changed(sent_back(browser, "steam"), **changes))
    assert refused(browser, answer)
    assert "did not confirm the answer" in answer.text
    assert steam.checked == before + 1


def test_an_assertion_is_taken_once_even_if_steam_forgets_that_it_was(site: httpx.Client) -> None:
    steam.forgets = True
    steam.says = {"response_nonce": f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}again"}
    browser = browser_at(site)
    assert browser.get(sent_back(browser, "steam")).status_code == 303
    browser = browser_at(site)
    answer = browser.get(sent_back(browser, "steam"))
    assert refused(browser, answer)
    assert "was used before" in answer.text


# --- providers that are not as they should be ----------------------------------------------------


@pytest.mark.parametrize("name", ["steam", "epic"])
def test_a_provider_that_does_not_answer_is_told_with_when_to_try_again(site: httpx.Client, name: str) -> None:
    browser = browser_at(site)
    back = sent_back(browser, name)
    {"steam": steam, "epic": issuer}[name].is_down = True
    assert refused(browser, browser.get(back), 503)


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_an_issuer_that_says_something_wrong_of_itself_is_not_gone_to(url: str, about: dict[str, Any]) -> None:
    wrong = Issuer(lambda: new_key("EC"))
    wrong.about = about
    with wrong.running(), served(url, sign_in=(SignInProvider(**wrong.settings("wrong")),)) as here:
        browser = browser_at(here)
        assert refused(browser, browser.get(f"{SIGN_IN}/with/wrong"), 503)


def test_providers_need_https_and_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMESTATS_SIGN_IN", '[{"name": "x", "issuer": "http://sso.example.org", "client_id": "y"}]')
    monkeypatch.setenv("GAMESTATS_SIGN_IN_SECRETS", '{"x": "hidden"}')
    with pytest.raises(ValidationError, match="https://"):
        Settings()
    monkeypatch.setenv("GAMESTATS_SIGN_IN", '[{"name": "x", "issuer": "https://sso.example.org", "client_id": "y"}]')
    assert "hidden" not in repr(Settings())


# --- several accounts of one user ----------------------------------------------------------------


def account_page(browser: httpx.Client) -> str:
    page = browser.get("/account")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    return page.text


def to_add(browser: httpx.Client, name: str) -> dict[str, str]:
    """What the account page's link to add an account asks for."""
    [query] = re.findall(rf'href="{SIGN_IN}/with/{name}\?([^"]*)"', account_page(browser))
    return dict(parse_qsl(query.replace("&amp;", "&")))


def test_several_accounts_sign_in_one_user_and_the_last_one_stays(site: httpx.Client, url: str) -> None:
    issuer.claims, other.claims = {"sub": "a1"}, {"sub": "a2"}
    browser = browser_of(site, url, "many")
    for name in ("epic", "other"):
        done = browser.get(sent_back(browser, name, **to_add(browser, name)))
        assert done.headers["location"] == "/account?done=added"
    again = browser.get(sent_back(browser, "epic", **to_add(browser, "epic")))
    assert again.headers["location"] == "/account?done=had"
    for name in ("epic", "other"):
        elsewhere = browser_at(site)
        elsewhere.get(sent_back(elsewhere, name))
        assert elsewhere.get(f"{AUTH}/me").json()["name"] == "many"
    # Somebody else cannot have it, too.
    lee = browser_of(site, url, "lee")
    assert lee.get(sent_back(lee, "epic", **to_add(lee, "epic"))).status_code == 409
    assert lee.get(f"{AUTH}/me").json()["identities"] == []
    first, second = (each["identity_id"] for each in browser.get(f"{AUTH}/me").json()["identities"])
    csrf = {"csrf_token": browser.headers["X-CSRF-Token"]}
    assert lee.post(f"/account/identities/{first}").status_code == 404
    taken = browser.post(f"/account/identities/{first}", data=csrf)
    assert taken.headers["location"] == "/account?done=taken"
    assert browser.post(f"/account/identities/{second}", data=csrf).status_code == 409
    # Whoever has the account that was taken away is a user of their own with it.
    elsewhere = browser_at(site)
    elsewhere.get(sent_back(elsewhere, "epic"))
    assert elsewhere.get(f"{AUTH}/me").json()["name"] != "many"


def test_only_a_link_of_ones_own_page_adds_an_account(site: httpx.Client, url: str) -> None:
    kim, lee = browser_of(site, url, "kim"), browser_of(site, url, "lee")
    token = to_add(kim, "epic")["add"]
    # It stands in an address, so it is good for nothing else.
    assert token != kim.headers["X-CSRF-Token"]
    for browser, add in ((lee, token), (kim, "x"), (kim, kim.headers["X-CSRF-Token"]), (browser_at(site), token)):
        assert browser.get(f"{SIGN_IN}/with/epic", params={"add": add}).status_code == 403
    # Whoever has signed out meanwhile has nothing added, nor has who is signed in then.
    issuer.claims = {"sub": "b1"}
    back = sent_back(kim, "epic", add=token)
    cookies = {"gamestats_attempt": kim.cookies["gamestats_attempt"]}
    for others in ({}, {"gamestats_session": lee.cookies["gamestats_session"]}):
        assert httpx.get(back, cookies={**cookies, **others}).status_code == 403
        back = sent_back(kim, "epic", add=token)
        cookies = {"gamestats_attempt": kim.cookies["gamestats_attempt"]}
    assert lee.get(f"{AUTH}/me").json()["identities"] == []
