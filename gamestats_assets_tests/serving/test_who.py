"""Who is who: links, sessions, forgery, roles, and what the database lets each role do."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.ops import entering
from gamestats_assets.serving import sessions, users
from gamestats_assets_tests.postgres_fixture import database
from gamestats_assets_tests.serving.served import served

AUTH = "/api/v1/auth"


@pytest.fixture(scope="module")
def url(postgres_url: str, ops_template: str) -> Iterator[str]:
    with database(postgres_url, ops_template) as found:
        yield found


@pytest.fixture(scope="module")
def site(url: str) -> Iterator[httpx.Client]:
    with served(url) as client:
        yield client


def link_of(url: str, name: str) -> str:
    with entering(SecretStr(url), "tests") as conn:
        try:
            row = users.add_user(conn, "tests", name)
        except users.ExistsAlreadyError:
            row = users.find_user(conn, name)
        return sessions.make_link(conn, row["user_id"])


def browser(site: httpx.Client, url: str, name: str) -> httpx.Client:
    client = httpx.Client(base_url=site.base_url)
    answer = client.post(f"{AUTH}/link", data={"token": link_of(url, name)})
    assert answer.status_code == 303, answer.text
    return client


def test_first(site: httpx.Client, url: str) -> None:
    kim = browser(site, url, "kim")
    me = kim.get(f"{AUTH}/me").json()
    assert me["name"] == "kim"
    assert len(kim.get(f"{AUTH}/sessions").json()["sessions"]) == 1
    assert kim.post(f"{AUTH}/logout").status_code == 403
    assert kim.post(f"{AUTH}/logout", data={"csrf_token": me["csrf_token"]}).status_code == 204
    assert kim.get(f"{AUTH}/me").status_code == 401
