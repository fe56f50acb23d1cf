"""The API is what its description says: examples, failures, a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from gamestats_assets.pubg.tournament.serving.tournaments import ROUTES
from gamestats_assets.serving.pages.docs import done_with
from gamestats_assets_tests.pubg.tournament.season import SimulatedSeason
from gamestats_assets_tests.serving.admin_examples import acts_done
from gamestats_assets_tests.serving.examples import EXAMPLES, acts_of, answers
from gamestats_assets_tests.serving.fuzzing import fuzz
from gamestats_assets_tests.serving.season import publish_season
from gamestats_assets_tests.serving.served import served
from gamestats_assets_tests.serving.signing_in import admins, browser_of
from gamestats_assets_tests.serving.simulated import enter_and_publish
from gamestats_assets_tests.support.postgres_fixture import database

ROOT = "/api/v1/tournaments"


@pytest.fixture(scope="module")
def client(postgres_url: str) -> Iterator[httpx.Client]:
    with database(postgres_url) as url:
        publish_season(url)
        with served(url) as client:
            yield client


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


@pytest.fixture(scope="module")
def office(postgres_url: str, ops_template: str) -> Iterator[tuple[httpx.Client, str]]:
    with database(postgres_url, ops_template) as url:
        enter_and_publish(url, SimulatedSeason())
        with served(url) as site:
            yield site, url


def test_acts_of_admins_are_described_with_what_is_asked_and_answered(office: tuple[httpx.Client, str]) -> None:
    """To write them anew: python -m gamestats_assets_tests.serving.examples"""
    site, url = office
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


def test_admins_are_answered_as_described_whatever_they_ask(office: tuple[httpx.Client, str]) -> None:
    site, url = office
    statuses, _ = fuzz(str(site.base_url).rstrip("/"), 2, only="/api/v1/a", headers=admins(site, url))
    assert statuses["200"]
    assert statuses["422"]
    with closing(browser_of(site, url, "bea", "admin")) as bea:
        wrong = bea.get("/api/v1/admin/tournaments/seasons", params={"pagesize": 2}).json()["detail"]
        answer = bea.put("/api/v1/admin/users/1/roles", json={"role": "tournament_admin", "division_id": 99})
    assert wrong == "There is no parameter 'pagesize'; did you mean page_size?"
    assert (answer.status_code, answer.json()["detail"]) == (422, "There is no division numbered 99.")


def test_every_operation_says_what_it_does_what_its_parameters_are_and_what_is_sent(document: dict[str, Any]) -> None:
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
            for status, told in operation["responses"].items():
                if status >= "400":
                    response = components["responses"][told["$ref"].rpartition("/")[2]]
                    assert [*response["content"]] == ["application/problem+json"], (path, status)
            assert {"404", "422", "429", "503"} <= operation["responses"].keys()
    codes = [
        each["content"]["application/problem+json"]["example"]["code"] for each in components["responses"].values()
    ]
    assert len(codes) == len({*codes})


def test_answers_are_as_described_whatever_is_asked(client: httpx.Client) -> None:
    statuses, _ = fuzz(str(client.base_url).rstrip("/"), 12, only=ROOT)
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
