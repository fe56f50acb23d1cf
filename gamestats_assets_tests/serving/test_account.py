"""The page about oneself, as a browser without JavaScript has it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gamestats_assets.serving import pages
from gamestats_assets.serving.middleware.problems import TITLES
from gamestats_assets.serving.pages.texts import Texts
from gamestats_assets_tests.serving.served import served
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


def test_who_is_not_signed_in_signs_in_first_and_comes_back(site: httpx.Client, url: str) -> None:
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


def test_one_calls_oneself_as_nobody_else_does(site: httpx.Client, url: str) -> None:
    park, _ = Visitor(site, url, "park"), Visitor(site, url, "choi")
    taken = park.sends("/account/name", name="Choi")
    assert taken.status_code == 409
    assert "Somebody else is called &#39;Choi&#39;." in taken.text
    assert park.sends("/account/name", name=" ").status_code == 422
    odd = "<script>alert(1)</script>"
    assert park.sends("/account/name", name=odd).headers["location"] == "/account?done=renamed"
    page = park.http.get("/account?done=renamed").text
    assert f"<bdi>{html.escape(odd)}</bdi>" in page
    assert odd not in page
    assert "You are called otherwise now." in page
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
