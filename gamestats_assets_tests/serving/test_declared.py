"""Every route says whom it is for, and refuses everybody else; one that says nothing fails here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr

from gamestats_assets.pubg.serving.game import PUBG
from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
from gamestats_assets.serving.app import create_app
from gamestats_assets.serving.middleware.principal import ROLES, guards_itself, person_in_role, public, signed_in
from gamestats_assets.settings import Settings
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.signing_in import browser_of
from gamestats_assets_tests.support.postgres_fixture import database

FOR_EVERYBODY = (
    *("/tournaments", "/api/v1/tournaments/", "/sign-in", "/static/", "/healthz", "/readyz", "/api/v1/docs"),
    # Signing in: 1 is the provider's name.
    *("/api/v1/auth/1-login", "/api/v1/auth/1/start", "/api/v1/auth/1/callback"),
    # What is of nobody, and what whoever has the link may see.
    *("/rocket-league/packs", "/api/v1/training/packs", "/rocket-league/shared/1"),
    # For people who never signed in, or cannot any more.
    *("/privacy", "/objection", "/api/v1/objections", "/erasure/1", "/api/v1/erasures/1"),
)
"""What paths begin with that may be for everybody; `/` and the start of Rocket League are, too."""


@dataclass(frozen=True)
class Declared:
    """A route and whom it says that it is for."""

    path: str
    methods: tuple[str, ...]
    needs: frozenset[str]


def _declared_by(dependant: Dependant) -> Iterator[str]:
    call: Any = dependant.call
    if isinstance(call, partial) and call.func is person_in_role:
        # Who needs a role is signed in, too.
        yield call.args[0]
        return
    if call in (public, guards_itself, signed_in):
        yield call.__name__
        return
    for each in dependant.dependencies:
        yield from _declared_by(each)


@pytest.fixture(scope="module")
def routes() -> list[Declared]:
    nowhere = SecretStr("postgresql:///none")
    app = create_app(nowhere, nowhere, [PUBG, ROCKET_LEAGUE], Settings())
    found = []
    for route in iter_route_contexts(app.routes):
        assert route.path is not None
        # FastAPI's own route, which describes the others.
        if route.path == "/api/v1/openapi.json":
            continue
        path = re.sub(r"\{.*?\}", "1", route.path)
        found.append(Declared(path, tuple(sorted(route.methods or ())), frozenset(_declared_by(route.dependant))))
    return found


@pytest.fixture(scope="module")
def site(postgres_url: str) -> Iterator[tuple[httpx.Client, str]]:
    with database(postgres_url) as url, served(url) as client:
        yield client, url


def test_every_route_says_once_whom_it_is_for(routes: list[Declared]) -> None:
    assert len(routes) > 150
    known = {*ROLES, "public", "guards_itself", "signed_in"}
    for route in routes:
        assert len(route.needs) == 1, f"{route.path} has to say whom it is for: {sorted(route.needs)}"
        assert route.needs <= known
        if route.needs == {"public"}:
            assert route.path in ("/", "/rocket-league") or route.path.startswith(FOR_EVERYBODY), route.path
        if "admin" in route.path.split("/"):
            assert route.needs <= {"tournament_admin", "admin"}, route.path
    assert {route.path for route in routes if route.needs == {"guards_itself"}} == {
        "/account",
        "/api/v1/auth/refresh",
        "/api/v1/auth/token",
        "/invitation",
        "/rocket-league/settings",
        "/dagster/1",
    }


def test_nobody_else_comes_in(routes: list[Declared], site: tuple[httpx.Client, str]) -> None:
    nobody, url = site
    for route in routes:
        for method in route.methods:
            answer = nobody.request(method, route.path)
            if route.needs == {"public"}:
                assert answer.status_code not in (401, 403), route
            elif method == "GET" and route.path in ("/account", "/invitation", "/rocket-league/settings"):
                assert answer.headers["location"].startswith("/sign-in"), route
            else:
                # A program that goes on is known by the token that it sends, or has to send one.
                expected = 422 if route.path.endswith("/refresh") else 401
                assert answer.status_code == expected, (route, answer.text)
    signed = [browser_of(nobody, url, "uma"), browser_of(nobody, url, "pia", "premium")]
    for route in routes:
        if route.needs <= {"tournament_admin", "admin"} or route.path.startswith("/dagster"):
            for person in signed:
                for method in route.methods:
                    answer = person.request(method, route.path)
                    assert answer.status_code == 403, (route, answer.text)
                    assert method == "HEAD" or "it takes the role" in answer.text, route
