"""The API is what its description says: examples, failures, a page."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from gamestats_assets.pubg.tournament.serving.tournaments import ROUTES
from gamestats_assets.serving.pages.docs import done_with
from gamestats_assets_tests.serving.admin_examples import acts_done
from gamestats_assets_tests.serving.examples import EXAMPLES, acts_of, answers
from gamestats_assets_tests.serving.fuzzing import fuzz
from gamestats_assets_tests.serving.sign_in.signing_in import admins, browser_of

ROOT = "/api/v1/tournaments"
OF_ADMINS = (
    *("/api/v1/auth", "/api/v1/admin/users", "/api/v1/admin/audit", "/api/v1/admin/players"),
    *(f"/api/v1/admin/tournaments/{kind}" for kind in ("backfills", "matches", "players", "schedule")),
)
"""Paths of admins that are fuzzed: of the routes that all entered things have, those of some things."""


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    return client.get("/api/v1/openapi.json").json()


def test_examples_are_what_is_answered(client: httpx.Client) -> None:
    """To write them anew: python -m gamestats_assets_tests.serving.examples"""
    assert answers(client) == json.loads(EXAMPLES.read_bytes())


def test_every_route_is_described_with_an_example_that_fits_its_model(document: dict[str, Any]) -> None:
    for route in ROUTES:
        operation = document["paths"][ROOT + route.path]["get"]
        content = operation["responses"]["200"]["content"]
        assert set(content) == set(route.offered)
        model = {**content["application/json"]["schema"], "components": document["components"]}
        Draft202012Validator(model).validate(content["application/json"]["example"])
        assert operation["description"]


def test_acts_of_admins_are_described_with_examples(entered_site: httpx.Client, entered_url: str) -> None:
    """To write them anew: python -m gamestats_assets_tests.serving.examples"""
    site, url = entered_site, entered_url
    with closing(browser_of(site, url, "ann", "admin")) as ann:
        done = acts_done(ann)
    for path, acts in acts_of(done).items():
        assert json.loads(path.read_bytes()) == acts, path
    document = site.get("/api/v1/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path.startswith(ROOT) or {"204", "303"} & {*operation["responses"]}:
                continue
            answered = operation["responses"][done_with(operation)]
            # What is no JSON, such as the track of a replay, is described where it is made.
            if (content := answered["content"].get("application/json")) is not None:
                model = {**content["schema"], "components": document["components"]}
                Draft202012Validator(model).validate(content["example"])


def test_admins_are_answered_as_described_whatever_they_ask(entered_site: httpx.Client, entered_url: str) -> None:
    site, url = entered_site, entered_url
    statuses, _ = fuzz(str(site.base_url).rstrip("/"), 2, only=OF_ADMINS, headers=admins(site, url))
    assert statuses["200"]
    assert statuses["422"]
    with closing(browser_of(site, url, "bea", "admin")) as bea:
        wrong = bea.get("/api/v1/admin/tournaments/seasons", params={"pagesize": 2}).json()["detail"]
        answer = bea.put("/api/v1/admin/users/1/roles", json={"role": "tournament_admin", "division_id": 99})
    assert wrong == "There is no parameter 'pagesize'; did you mean page_size?"
    assert (answer.status_code, answer.json()["detail"]) == (422, "There is no division numbered 99.")


def test_every_operation_its_parameters_and_bodies_are_described(document: dict[str, Any]) -> None:
    asked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation.get("description"), (method, path)
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), (method, path, parameter["name"])
            for kind, body in operation.get("requestBody", {}).get("content", {}).items():
                assert body.get("example"), (method, path, kind)
                if kind == "application/json":
                    asked += 1
                    schema = {**body["schema"], "components": document["components"]}
                    Draft202012Validator(schema).validate(body["example"])
    assert asked > 40


def test_every_failure_is_a_problem(document: dict[str, Any]) -> None:
    components = document["components"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, problem in operation["responses"].items():
                if status >= "400":
                    response = components["responses"][problem["$ref"].rpartition("/")[2]]
                    assert [*response["content"]] == ["application/problem+json"], (path, status)
            assert {"404", "422", "429", "503"} <= operation["responses"].keys()
    codes = [
        each["content"]["application/problem+json"]["example"]["code"] for each in components["responses"].values()
    ]
    assert len(codes) == len({*codes})


def test_answers_are_as_described_whatever_is_asked(client: httpx.Client) -> None:
    statuses, _ = fuzz(str(client.base_url).rstrip("/"), 2, only=ROOT)
    assert statuses.keys() <= {"200", "404", "422"}
    assert statuses["200"]
    assert statuses["422"]


def test_a_page_shows_all_routes_without_anything_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/api/v1/docs", headers={"Accept": "text/html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert all(f"GET {ROOT}{route.path}" in page.text for route in ROUTES)
    assert "&lt;script&gt;Gamma" in page.text
    assert "<script>Gamma" not in page.text
    assert "//" not in page.text.replace("http://" + client.base_url.netloc.decode(), "").split("<main")[0]
    assert "unsafe-inline" not in page.headers["content-security-policy"]
