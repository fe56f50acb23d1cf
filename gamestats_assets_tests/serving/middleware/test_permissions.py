"""Every route says whom it is for, refuses everybody else, and neither shows nor changes what is another person's.

Everything that can be kept of Ann is, with a text in it that stands nowhere else. Then Bob, who is signed in and plays,
too, and somebody who is not signed in ask every route for every thing of hers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import httpx
import psycopg
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.pubg.serving.game import PUBG
from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
from gamestats_assets.serving.app import create_app
from gamestats_assets.serving.middleware.principal import ROLES, guards_itself, person_in_role, public, signed_in
from gamestats_assets.settings import Settings
from gamestats_assets_tests.rocket_league.support.people_rows import publish_people
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.sign_in.signing_in import browser_of, user_named
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
    """A route and whom it says that it is for.

    Attributes:
        template: of its path, with names in braces.
    """

    template: str
    methods: tuple[str, ...]
    needs: frozenset[str]

    @property
    def path(self) -> str:
        """The path with 1 for every name."""
        return re.sub(r"\{.*?\}", "1", self.template)


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
def declared() -> list[Declared]:
    """Every route, but that of FastAPI which describes the others."""
    nowhere = SecretStr("postgresql:///none")
    app = create_app(nowhere, nowhere, [PUBG, ROCKET_LEAGUE], Settings())
    return [
        Declared(route.path, tuple(sorted(route.methods or ())), frozenset(_declared_by(route.dependant)))
        for route in iter_route_contexts(app.routes)
        if route.path is not None and route.path != "/api/v1/openapi.json"
    ]


def test_every_route_says_whom_it_is_for(declared: list[Declared]) -> None:
    assert len(declared) > 150
    known = {*ROLES, "public", "guards_itself", "signed_in"}
    for route in declared:
        assert len(route.needs) == 1, f"{route.path} has to say whom it is for: {sorted(route.needs)}"
        assert route.needs <= known
        if route.needs == {"public"}:
            assert route.path in ("/", "/rocket-league") or route.path.startswith(FOR_EVERYBODY), route.path
        if "admin" in route.path.split("/"):
            assert route.needs <= {"tournament_admin", "admin"}, route.path
    assert {route.path for route in declared if route.needs == {"guards_itself"}} == {
        "/account",
        "/api/v1/auth/refresh",
        "/api/v1/auth/token",
        "/invitation",
        "/rocket-league/settings",
        "/dagster/1",
    }


def test_others_are_refused(declared: list[Declared], site: httpx.Client, url: str) -> None:
    for route in declared:
        for method in route.methods:
            answer = site.request(method, route.path)
            if route.needs == {"public"}:
                assert answer.status_code not in (401, 403), route
            elif method == "GET" and route.path in ("/account", "/invitation", "/rocket-league/settings"):
                assert answer.headers["location"].startswith("/sign-in"), route
            else:
                # A program that goes on is known by the token that it sends, or has to send one.
                expected = 422 if route.path.endswith("/refresh") else 401
                assert answer.status_code == expected, (route, answer.text)
    premium = browser_of(site, url, "pia", "premium")
    for route in declared:
        if route.needs <= {"tournament_admin", "admin"} or route.path.startswith("/dagster"):
            for method in route.methods:
                answer = premium.request(method, route.path)
                assert answer.status_code == 403, (route, answer.text)
                assert method == "HEAD" or "it requires the role" in answer.text, route


# --- what is a person's own ----------------------------------------------------------------------

SECRET = "secret-of-ann-5f2c"
ANN, BOB, MATCH = "steam_76561190000000001", "steam_76561190000000002", "A" * 32

_NUMBERED = {
    "accounts.sessions": "session_id",
    "accounts.invitations": "invitation_id",
    "ops.training_sessions": "training_session_id",
    "ops.rl_objections": "objection_id",
    "accounts.identities": "identity_id",
}


@pytest.fixture(scope="module")
def people_url(postgres_url: str, ops_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database(postgres_url, ops_template) as found:
        publish_people(found, Objects(str(tmp_path_factory.mktemp("objects"))), [(ANN, MATCH)], SECRET)
        yield found


@pytest.fixture(scope="module")
def ann(people_url: str) -> dict[str, Any]:
    """The things of Ann, by what they are."""
    user_id, bob_id = (user_named(people_url, name)["user_id"] for name in (SECRET, "bob"))
    with psycopg.connect(people_url, row_factory=dict_row) as conn:
        for number, (table, column) in enumerate(_NUMBERED.items(), start=1):
            # So that no thing of somebody else has the number of another one of Ann.
            conn.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [table, column, 100_000 * number])

        def insert(table: str, **values: Any) -> dict[str, Any]:
            of = sql.SQL(", ").join(map(sql.Identifier, values))
            marks = sql.SQL(", ").join([sql.Placeholder()] * len(values))
            statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING *")
            query = statement.format(sql.Identifier(*table.split(".")), of, marks)
            return conn.execute(query, [*values.values()]).fetchall()[0]

        for user, player in ((user_id, ANN), (bob_id, BOB)):
            insert("accounts.players", user_id=user, game="rocket_league", player_id=player, state="linked",
                   told_by="sign_in")  # fmt: skip
        now = {"consented_at": "2026-10-03", "cohorts_at": "2026-10-03", "comparison_at": "2026-10-03"}
        insert("ops.rl_players", player_id=ANN, username=SECRET, wanted_since="2026-10-03", **now)
        insert("ops.rl_ranks", player_id=ANN, playlist="ranked-doubles", tier=7)
        trained = insert(
            "ops.training_sessions", player_id=ANN, skill="saves", completed_at="2026-10-03", duration_s=60
        )
        kept = {"payload": Jsonb({"of": SECRET}), "said": SECRET, "result": Jsonb({"of": SECRET}), "error": SECRET}
        jobs = [
            insert("ops.jobs", kind=kind, game="rocket_league", user_id=user_id, state=state, **kept)["job_id"]
            for kind, state in (("replay", "failed"), ("export", "done"), ("backfill", "processing"))
        ]
        upload = insert("ops.rl_uploads", user_id=user_id, content_hash="a" * 64, file_name=SECRET, bytes=1,
                        job_id=jobs[0], match_id=MATCH)  # fmt: skip
        invitation = insert("accounts.invitations", user_id=user_id, game="rocket_league", token_hash=b"x",
                            expires_at="2100-01-01")  # fmt: skip
        insert("accounts.shares", token="t" * 22, user_id=user_id, game="rocket_league", match_id=MATCH)
        objection = insert("ops.rl_objections", player_id=ANN, reason=SECRET)
        session = insert("accounts.sessions", user_id=user_id, token_hash=b"y" * 32, device=SECRET,
                         expires_at="2100-01-01")  # fmt: skip
    return {
        "user": user_id,
        "player": ANN,
        "match": MATCH,
        "training session": trained["training_session_id"],
        **{f"job {number}": job for number, job in enumerate(jobs)},
        "upload": upload["upload_id"],
        "invitation": invitation["invitation_id"],
        "objection": objection["objection_id"],
        "session": session["session_id"],
    }


@pytest.fixture(scope="module")
def routes(declared: list[Declared]) -> dict[tuple[str, str], frozenset[str]]:
    """Whom every route is for where people have something of their own, by method and template.

    Those of admins refuse everybody here before they do anything. Those of single things come first: nobody has
    anything then that would be called as a thing of Ann.
    """
    found = {
        (method, route.template): route.needs
        for route in declared
        for method in {*route.methods} - {"HEAD", "OPTIONS"}
        if "tournaments" not in route.template and not route.template.startswith("/dagster")
        if not route.needs <= {"tournament_admin", "admin"}
    }
    return dict(sorted(found.items(), key=lambda item: ("{" not in item[0][1], item[0])))


@pytest.fixture(scope="module")
def people_site(
    people_url: str, ann: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    with served(people_url, data=str(tmp_path_factory.mktemp("data"))) as client:
        yield client


class Bob:
    """Somebody else, who signs in again whenever he is signed out."""

    def __init__(self, site: httpx.Client, url: str) -> None:
        self._site, self._url = site, url
        self._sign_in()

    def _sign_in(self) -> None:
        self._browser = browser_of(self._site, self._url, "bob")
        with psycopg.connect(self._url) as conn:
            conn.execute("UPDATE accounts.players SET state = 'linked' WHERE player_id = %s", [BOB])

    def request(self, method: str, path: str, **sent: Any) -> httpx.Response:
        answer = self._browser.request(method, path, **sent)
        if answer.status_code == 401 or answer.headers.get("location", "").startswith("/sign-in"):
            self._sign_in()
            answer = self._browser.request(method, path, **sent)
        return answer


def asked(method: str, path: str, things: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every way to ask a route for things of Ann: in its path, in its query, in what is sent."""
    names = re.findall(r"\{(\w+)", path)
    operation = document["paths"].get(path, {}).get(method.lower(), {})
    queries = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    example = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example", {})
    for chosen in product(things.values(), repeat=len(names)):
        filled = path
        for name, thing in zip(names, chosen, strict=True):
            filled = re.sub(rf"\{{{name}(:\w+)?\}}", str(thing), filled)
        yield {"path": filled, "json": example} if example else {"path": filled}
    if names:
        return
    if method == "GET":
        for name, thing in product(sorted({*queries, "player"}), ("player", "match", "job 1")):
            yield {"path": path, "params": {name: things[thing]}}
        return
    for thing in few(things).values():
        if example:
            yield {"path": path, "json": {name: _instead(value, thing) for name, value in example.items()}}
        else:
            yield {"path": path, "data": dict.fromkeys(("player", "of", "match", "replay", "number", "id"), thing)}


def _instead(value: Any, thing: Any) -> Any:
    """A thing, where a field takes what is like it."""
    is_number = isinstance(thing, int)
    return thing if is_number and type(value) is int else f"{thing}" if not is_number and type(value) is str else value


def state(url: str) -> dict[str, list[str]]:
    """All that is kept of Ann, by table."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(url) as conn:
        tables = conn.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('ops', 'accounts', 'rocket_league')"
        ).fetchall()
        for schema, table in tables:
            rows = conn.execute(sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(schema, table)))
            own = [row for (row,) in rows if SECRET in row or ANN in row or MATCH in row]
            found[f"{schema}.{table}"] = own
    return found


def few(things: Mapping[str, Any]) -> dict[str, Any]:
    """One thing of each kind of name."""
    return {name: things[name] for name in ("player", "match", "job 1", "upload")}


@dataclass(frozen=True)
class Isolation:
    """A site with the things of Ann, and what others can ask of it."""

    site: httpx.Client
    url: str
    things: Mapping[str, Any]
    routes: Mapping[tuple[str, str], frozenset[str]]
    kept: Mapping[str, list[str]]

    def ask(self, who: Bob | httpx.Client, things: Mapping[str, Any], *, writes_only: bool = False) -> int:
        """Ask every route for things of Ann; nothing of them is shown unless only writes are asked.

        Who is not signed in asks those that are not refused before they do anything.
        """
        document, tried = self.site.get("/api/v1/openapi.json").json(), 0
        for (method, path), needs in self.routes.items():
            if who is self.site and not needs <= {"public", "guards_itself"}:
                continue
            for sent in asked(method, path, things, document) if method != "GET" or not writes_only else ():
                answer = who.request(method, sent.pop("path"), **sent)
                what = f"{method} {answer.url} {sent}: {answer.status_code} {answer.text[:300]}"
                assert SECRET not in answer.text or writes_only, what
                assert answer.status_code != 500, what
                assert "{" not in path or writes_only or not answer.is_success or who is self.site, what
                tried += 1
        return tried

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Nothing of Ann may have been changed at the end."""
        yield
        for table, rows in state(self.url).items():
            assert {*self.kept[table]} <= {*rows}, table


@pytest.fixture(scope="module")
def isolation(
    people_site: httpx.Client, people_url: str, ann: dict[str, Any], routes: dict[tuple[str, str], frozenset[str]]
) -> Isolation:
    return Isolation(people_site, people_url, ann, routes, state(people_url))


def test_a_user_gets_and_changes_nothing_of_somebody_else(isolation: Isolation) -> None:
    bob = Bob(isolation.site, isolation.url)
    with isolation.unchanged():
        assert isolation.ask(bob, isolation.things) > 300


def test_without_signing_in_nothing_is_got_or_changed(isolation: Isolation) -> None:
    with isolation.unchanged():
        assert isolation.ask(isolation.site, few(isolation.things)) > 50


def test_a_guest_sees_and_changes_nothing(isolation: Isolation) -> None:
    coach = Bob(isolation.site, isolation.url)
    with psycopg.connect(isolation.url) as conn:
        conn.execute(
            "INSERT INTO accounts.invitations (user_id, game, token_hash, guest_id, accepted_at, expires_at) "
            "SELECT %s, 'rocket_league', 'z', user_id, now(), now() FROM accounts.users WHERE name = 'bob'",
            [isolation.things["user"]],
        )
        conn.execute("DELETE FROM accounts.players WHERE state = 'claimed'")
    seen = [
        path
        for method, path in isolation.routes
        if method == "GET" and "{" not in path and path.startswith("/api")
        if SECRET in coach.request("GET", path, params={"player": ANN}).text
    ]
    # So what the others did not get was there to be had.
    assert len(seen) >= 3, seen
    with isolation.unchanged():
        isolation.ask(coach, few(isolation.things), writes_only=True)
