"""Whatever somebody else asks of whatever route, nothing of a person comes out, and nothing of it is changed.

Everything that can be kept of Ann is, with a text in it that stands nowhere else. Then Bob, who is signed in and plays,
too, and somebody who is not signed in ask every route that there is for every thing of hers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import httpx
import psycopg
import pytest
from fastapi.routing import iter_route_contexts
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from gamestats_assets.lakehouse.files.objects import Objects
from gamestats_assets.rocket_league.serving.game import ROCKET_LEAGUE
from gamestats_assets.serving.app import create_app
from gamestats_assets.settings import Settings
from gamestats_assets_tests.rocket_league.people_rows import publish_people
from gamestats_assets_tests.serving.served import KEY, served
from gamestats_assets_tests.serving.signing_in import AUTH, browser_of, user_named
from gamestats_assets_tests.support.postgres_fixture import database

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
def url(postgres_url: str, ops_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database(postgres_url, ops_template) as found:
        publish_people(found, Objects(str(tmp_path_factory.mktemp("objects"))), [(ANN, MATCH)], SECRET)
        yield found


@pytest.fixture(scope="module")
def ann(url: str) -> dict[str, Any]:
    """The things of Ann, by what they are."""
    user_id, bob_id = (user_named(url, name)["user_id"] for name in (SECRET, "bob"))
    with psycopg.connect(url, row_factory=dict_row) as conn:
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
        told = {"payload": Jsonb({"of": SECRET}), "said": SECRET, "result": Jsonb({"of": SECRET}), "error": SECRET}
        jobs = [
            insert("ops.jobs", kind=kind, game="rocket_league", user_id=user_id, state=state, **told)["job_id"]
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
def routes() -> list[tuple[str, str]]:
    """Every route that there is where people have something of their own, by method and path.

    Those of single things come first: nobody has anything then that would be called as a thing of Ann.
    """
    nowhere = SecretStr("postgresql:///none")
    app = create_app(nowhere, nowhere, [ROCKET_LEAGUE], Settings(encryption_key=KEY))
    found = [
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        for method in sorted({*(route.methods or ())} - {"HEAD", "OPTIONS"})
        if route.path is not None and not route.path.startswith("/dagster")
    ]
    assert len(found) > 60
    return sorted(found, key=lambda route: "{" not in route[1])


@pytest.fixture(scope="module")
def site(url: str, ann: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with served(url, games=[ROCKET_LEAGUE], data=str(tmp_path_factory.mktemp("data"))) as client:
        yield client


class Bob:
    """Somebody else, who is signed in whatever he did before."""

    def __init__(self, site: httpx.Client, url: str) -> None:
        self._site, self._url = site, url
        self._browser: httpx.Client | None = None
        self._acted = False

    def request(self, method: str, path: str, **sent: Any) -> httpx.Response:
        # Only what he does, and not what he asks, signs him out.
        if self._browser is None or (self._acted and self._browser.get(f"{AUTH}/me").status_code != 200):
            self._browser = browser_of(self._site, self._url, "bob")
            linked = "UPDATE accounts.players SET state = 'linked' WHERE player_id = %s"
            with psycopg.connect(self._url) as conn:
                conn.execute(linked, [BOB])
        self._acted = method != "GET"
        return self._browser.request(method, path, **sent)


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
    for thing in things.values():
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


def test_who_is_signed_in_gets_and_changes_nothing_of_somebody_else(
    site: httpx.Client, url: str, ann: dict[str, Any], routes: list[tuple[str, str]]
) -> None:
    document, bob, before = site.get("/api/v1/openapi.json").json(), Bob(site, url), state(url)
    tried = 0
    for method, path in routes:
        for sent in asked(method, path, ann, document):
            answer = bob.request(method, sent.pop("path"), **sent)
            what = f"{method} {answer.url} {sent}: {answer.status_code} {answer.text[:300]}"
            assert SECRET not in answer.text, what
            assert answer.status_code != 500, what
            if "{" in path:
                assert not answer.is_success, what
            tried += 1
    assert tried > 500
    for table, rows in state(url).items():
        assert {*before[table]} <= {*rows}, table


def test_nobody_who_is_not_signed_in_gets_or_changes_anything(
    site: httpx.Client, url: str, ann: dict[str, Any], routes: list[tuple[str, str]]
) -> None:
    document, before = site.get("/api/v1/openapi.json").json(), state(url)
    for method, path in routes:
        for sent in asked(method, path, {name: ann[name] for name in ("player", "match", "job 1", "upload")}, document):
            answer = site.request(method, sent.pop("path"), **sent)
            what = f"{method} {answer.url} {sent}: {answer.status_code} {answer.text[:300]}"
            assert SECRET not in answer.text, what
            assert answer.status_code != 500, what
    for table, rows in state(url).items():
        assert {*before[table]} <= {*rows}, table


def test_whom_a_person_lets_see_it_sees_it_and_changes_nothing(
    site: httpx.Client, url: str, ann: dict[str, Any], routes: list[tuple[str, str]]
) -> None:
    document, coach = site.get("/api/v1/openapi.json").json(), Bob(site, url)
    with psycopg.connect(url) as conn:
        conn.execute(
            "INSERT INTO accounts.invitations (user_id, game, token_hash, guest_id, accepted_at, expires_at) "
            "SELECT %s, 'rocket_league', 'z', user_id, now(), now() FROM accounts.users WHERE name = 'bob'",
            [ann["user"]],
        )
        conn.execute("DELETE FROM accounts.players WHERE state = 'claimed'")
    before = state(url)
    seen = [
        path
        for method, path in routes
        if method == "GET" and "{" not in path and path.startswith("/api")
        if SECRET in coach.request("GET", path, params={"player": ANN}).text
    ]
    # So what the others did not get was there to be had.
    assert len(seen) >= 3, seen
    for method, path in routes:
        for sent in asked(method, path, ann, document) if method != "GET" else ():
            coach.request(method, sent.pop("path"), **sent)
    for table, rows in state(url).items():
        assert {*before[table]} <= {*rows}, table
