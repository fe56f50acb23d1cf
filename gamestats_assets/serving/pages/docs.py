"""Documentation of the API: an OpenAPI document with all problems, and a page that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.responses import Response

from gamestats_assets.serving.game import Game
from gamestats_assets.serving.middleware.principal import public, signed_in
from gamestats_assets.serving.middleware.problems import MEDIA_TYPE, TITLES
from gamestats_assets.serving.pages.rendering import POLICY, Pages

DOCS = "/api/v1/docs"
_DESCRIPTION = f"""
Answers are JSON; some routes also offer CSV or a calendar, by `Accept` or by the ending `.csv` or `.ics` of the path.
An answer depends only on the question and the published tables: repeat the request with `If-None-Match`, and 304 says
that nothing has changed, without counting towards your limit. `Gamestats-Stale: true` marks an answer from the cache
while PostgreSQL cannot be reached.

Parameters are strict: unknown, misspelt and repeated ones are refused. Failures are problems (RFC 9457) with a stable
`code`, and the `request_id` under which the server's log has the details. The headers `RateLimit-Limit`,
`RateLimit-Remaining` and `RateLimit-Reset` show your limit; `Retry-After` comes with 429.

Fields may be added to answers at any time; existing ones keep their names and meanings under `/api/v1`. A route that
will be removed announces it half a year before, in the headers `Deprecation` and `Sunset`. [A page]({DOCS}) shows all
routes.
"""
_SIGNED_IN = [{"browser": []}, {"program": []}]
"""Security of operations for signed-in users."""
_SCHEMES = {
    "browser": {"type": "apiKey", "in": "cookie", "name": "gamestats_session"},
    "program": {"type": "http", "scheme": "bearer", "description": "An access token from `/auth/token`."},
}
_DRY_RUN = "dry_run"
_FOLDER = Path(__file__).parent
_READ = (404, 406, 422, 429, 500, 503, 504)
"""Statuses of failed reads."""
_OF_PEOPLE = (400, 401, 403, 409, 410, 412, 413, 415, 428)
"""Further statuses of failed requests of signed-in users."""


class WrongParameter(BaseModel):
    """A wrong parameter."""

    name: str
    message: str


class Problem(BaseModel):
    """What went wrong."""

    type: Annotated[str, Field(description="urn:gamestats:problem: and the code.")]
    code: Annotated[str, Field(description="Stable, unlike the wording.")]
    title: str
    status: int
    detail: Annotated[str, Field(description="What was expected, what was found, what to do.")]
    instance: Annotated[str, Field(description="The path.")]
    request_id: str
    errors: Annotated[list[WrongParameter], Field(description="The wrong parameters.")] = []


def describe(app: FastAPI, games: Sequence[Game]) -> None:
    """Adds the documentation to an application, with an example of each answer."""
    app.description = _DESCRIPTION
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _with_security(plain(), app)
            _with_problems(plain())
            _with_examples(plain(), games)
        return plain()

    app.openapi = openapi
    router = APIRouter(include_in_schema=False, dependencies=[Depends(public)])

    @router.get(DOCS)
    async def docs(request: Request) -> Response:
        """The page."""
        pages: Pages = request.state.pages
        values = {"document": openapi(), "groups": _groups(openapi()), "as_json": _as_json, "kind": _kind}
        headers = {"Content-Security-Policy": POLICY, "Vary": "Accept-Language"}
        headers |= {"Cache-Control": "public, max-age=300"}
        return Response(pages.render(request, "docs.html", values), 200, headers, "text/html; charset=utf-8")

    app.include_router(router)


def _with_security(document: dict[str, Any], app: FastAPI) -> None:
    """Adds the security schemes, and the operations that need one: those whose routes depend on `signed_in`."""
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for route in iter_route_contexts(app.routes):
        operations = document["paths"].get(route.path, {})
        for method in (route.methods or ()) if operations and _depends_on_sign_in(route.dependant) else ():
            operations[method.lower()]["security"] = _SIGNED_IN


def _depends_on_sign_in(dependant: Dependant) -> bool:
    return dependant.call is signed_in or any(map(_depends_on_sign_in, dependant.dependencies))


def _with_problems(document: dict[str, Any]) -> None:
    """Adds to every operation its possible problems."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= {"Problem": Problem.model_json_schema(ref_template="#/components/schemas/{model}")}
    schemas |= schemas["Problem"].pop("$defs")
    components["responses"] = {f"Problem{status}": _response(status) for status in TITLES}
    for path, _, operation in _operations(document):
        is_of_people = path.startswith("/api/v1/auth") or "security" in operation
        if "201" in operation["responses"] and _DRY_RUN in (each["name"] for each in operation.get("parameters", ())):
            tried = "A preview of the edit and its consequences; nothing was changed."
            operation["responses"]["200"] = {**operation["responses"]["201"], "description": tried}
        for status in (*_READ, *(_OF_PEOPLE if is_of_people else ())):
            operation["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)


def _with_examples(document: dict[str, Any], games: Sequence[Game]) -> None:
    for path in (game.folder / "examples.json" for game in games):
        examples = json.loads(path.read_bytes()) if path.exists() else {}
        for of, example in examples.items():
            document["paths"][of]["get"]["responses"]["200"]["content"]["application/json"]["example"] = example
    for path in (folder / "acts.json" for folder in (_FOLDER, *(game.folder for game in games))):
        acts = json.loads(path.read_bytes()) if path.exists() else {}
        for of, act in acts.items():
            method, _, where = of.partition(" ")
            operation = document["paths"][where][method.lower()]
            done = operation["responses"][done_with(operation)]
            content = done.setdefault("content", {}).setdefault("application/json", {})
            content["example"] = act["answer"]
            content["schema"] = content.get("schema") or {"type": "object"}
            for body in _bodies(operation):
                body["example"] = act["request"]
    schemas = document["components"]["schemas"]
    for body in (body for *_, operation in _operations(document) for body in _bodies(operation)):
        if "example" not in body and (example := _example_of(body["schema"], schemas)):
            body["example"] = example


def _bodies(operation: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    return operation.get("requestBody", {}).get("content", {}).values()


def _example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an example of a body, from the examples of its fields."""
    named = [each["$ref"].rpartition("/")[2] for each in (schema, *schema.get("anyOf", ())) if "$ref" in each]
    fields = schemas[named[0]].get("properties", {}) if named else {}
    return {name: of["examples"][0] for name, of in fields.items() if of.get("examples")}


def done_with(operation: Mapping[str, Any]) -> str:
    """Returns the status with which an operation succeeds."""
    return next(status for status in ("201", "202", "200") if status in operation["responses"])


def _response(status: int) -> dict[str, Any]:
    code, title = TITLES[status]
    example = {"type": f"urn:gamestats:problem:{code}", "code": code, "title": title, "status": status}
    example |= {"detail": title, "instance": "/api/v1/tournaments/rounds", "request_id": "3f6c0d1e2b4a49c2"}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {"description": title, "content": content}


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _groups(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Returns the operations by tag, for the page."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, method, operation in _operations(document):
        done = operation["responses"]
        content = done.get("201", done.get("202", done.get("200", {}))).get("content", {})
        shown = {**operation, "path": path, "method": method, "media": [*content]}
        shown["example"] = content.get("application/json", {}).get("example")
        groups.setdefault((operation.get("tags") or ["other"])[0], []).append(shown)
    return groups


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _kind(schema: Mapping[str, Any]) -> str:
    """Returns a parameter's type and bounds in words."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    bounds = [str(schema[name]) for name in ("minimum", "maximum") if name in schema]
    return f"{schema.get('type', '')}{f' {bounds[0]} … {bounds[1]}' if len(bounds) == 2 else ''}"
