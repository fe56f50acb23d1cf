"""People who sign in, for tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing

import httpx
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.ops import Row, entering
from gamestats_assets.serving.accounts import sessions, users

AUTH, SIGN_IN = "/api/v1/auth", "/sign-in"


def user_named(url: str, name: str, *roles: str, season_id: int | None = None, division_id: int | None = None) -> Row:
    """A user with some roles, who is added where there is none."""
    with entering(SecretStr(url), "tests") as conn:
        try:
            row = users.add_user(conn, "tests", name)
        except users.ExistsAlreadyError:
            row = users.find_user(conn, name)
        for role in roles:
            users.give_role(conn, "tests", row, role, season_id, division_id)
        return row


def link_for(url: str, name: str, *roles: str) -> str:
    """The token of a link that signs a user in."""
    user_id = user_named(url, name, *roles)["user_id"]
    with entering(SecretStr(url), "tests") as conn:
        return sessions.make_link(conn, user_id)


def browser_of(site: httpx.Client, url: str, name: str, *roles: str) -> httpx.Client:
    """A browser in which a user is signed in, whose writes carry the session's CSRF token."""
    browser = httpx.Client(
        base_url=site.base_url, headers={"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}, timeout=90
    )
    answer = browser.post(f"{SIGN_IN}/link", data={"token": link_for(url, name, *roles)})
    assert answer.status_code == 303, answer.text
    browser.headers["X-CSRF-Token"] = browser.get(f"{AUTH}/me").json()["csrf_token"]
    return browser


def admins(site: httpx.Client, url: str) -> Callable[[], dict[str, str]]:
    """Gives the headers of an admin who signs in anew, each time another one: what one does may end it for that one."""
    numbers = itertools.count(1)

    def headers() -> dict[str, str]:
        with closing(browser_of(site, url, f"admin {next(numbers)}", "admin")) as browser:
            cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            return {"Cookie": cookies, "X-CSRF-Token": browser.headers["X-CSRF-Token"]}

    return headers
