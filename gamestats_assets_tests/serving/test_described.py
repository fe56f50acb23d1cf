"""The API is what its description says: examples, failures, a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from gamestats_assets.pubg.serving.tournaments import ROUTES
from gamestats_assets_tests.postgres_fixture import database
from gamestats_assets_tests.serving.examples import EXAMPLES, answers
from gamestats_assets_tests.serving.fuzzing import fuzz
from gamestats_assets_tests.serving.season import publish_season
from gamestats_assets_tests.serving.served import served

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
        assert operation["summary"]
        for parameter in operation["parameters"]:
            assert parameter["description"], (route.path, parameter["name"])


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
    statuses = fuzz(str(client.base_url).rstrip("/"), 12, only=ROOT)
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
