"""Routes that answer questions, declared: what may be asked, what is answered, and of which tables it is made.

What answers a question is a plain function of a connection and of what is asked, so that a page can be made of it as
well as JSON.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.serving.answers import Answers, Connection


class Parameters(BaseModel):
    """What may be asked: parameters of which every one is known."""

    model_config = ConfigDict(extra="forbid")

    def key(self) -> str:
        """The same text for the same parameters, whatever their order."""
        return f"{type(self).__name__} {self.model_dump_json(exclude_none=True)}"


class Nothing(Parameters):
    """No parameters."""


class Page(Parameters):
    """A page of a list."""

    page: Annotated[int, Field(ge=1, le=100_000, description="Which page.")] = 1
    page_size: Annotated[int, Field(ge=1, le=100, description="Rows of a page.")] = 20


Asked = TypeVar("Asked", bound=Parameters)
Made = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Route(Generic[Asked]):
    """A question and what answers it.

    Attributes:
        path: below the router's; names in braces are parameters.
        summary: what is answered, in a few words; the docstring of `make` says more.
        asked: the parameters.
        make: answers of what one snapshot of PostgreSQL holds.
        answer: the model of what is answered.
        tables: all that it is made of.
        keeps_s: seconds for which proxies may keep an answer.
    """

    path: str
    summary: str
    asked: type[Asked]
    make: Callable[[Connection, Asked], Awaitable[Made]]
    answer: type[BaseModel]
    tables: tuple[type[Table], ...]
    keeps_s: int


def router_of(prefix: str, routes: Sequence[Route[Any]]) -> APIRouter:
    """A router that answers them with JSON."""
    router = APIRouter(prefix=prefix, tags=[prefix.strip("/")])
    for route in routes:
        router.add_api_route(
            route.path,
            _endpoint(route),
            methods=["GET"],
            summary=route.summary,
            description=inspect.cleandoc(route.make.__doc__ or "").partition("\n\nRaises:")[0],
            operation_id=route.make.__name__,
            responses={200: {"model": route.answer}},
            openapi_extra={"parameters": _described(route)},
        )
    return router


def _endpoint(route: Route[Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        asked = ask(route.asked, request)
        answers: Answers = request.state.answers

        async def make(conn: Connection) -> Made:
            return await route.make(conn, asked)

        # The path tells apart what has the same parameters.
        return await answers.give(request, route.tables, f"{route.path} {asked.key()}", make, keeps_s=route.keeps_s)

    return endpoint


def ask(parameters: type[Asked], request: Request) -> Asked:
    """What a request asks, by its path and its query.

    Raises:
        RequestValidationError: when a parameter is unknown, wrong, missing or given twice.
    """
    given = [*request.path_params.items(), *request.query_params.multi_items()]
    twice = [name for name, times in Counter(name for name, _ in given).items() if times > 1]
    if twice:
        raise RequestValidationError([_error(name, "is given more than once; give it once.") for name in twice])
    return asked_of(parameters, dict(given))


def asked_of(parameters: type[Asked], given: Mapping[str, Any]) -> Asked:
    """What is asked, by the values of its parameters.

    Raises:
        RequestValidationError: when a parameter is unknown, wrong or missing.
    """
    try:
        return parameters.model_validate(given)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_context=False)
        raise RequestValidationError([{**error, "known": [*parameters.model_fields]} for error in errors]) from None


def _error(name: str, message: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": (name,), "msg": message}


def _described(route: Route[Any]) -> list[Mapping[str, Any]]:
    """The parameters, as OpenAPI writes them."""
    whole = route.asked.model_json_schema()
    described = []
    for name, schema in whole.get("properties", {}).items():
        # What is left out is null; nobody can write that.
        plain = next((each for each in schema.get("anyOf", ()) if each["type"] != "null"), schema)
        rest = {key: schema[key] for key in ("examples", "default") if schema.get(key) is not None}
        hidden = ("title", "description", "anyOf")
        in_path = f"{{{name}}}" in route.path
        described.append(
            {
                "name": name,
                "in": "path" if in_path else "query",
                "required": in_path or name in whole.get("required", ()),
                "description": schema.get("description", ""),
                "schema": {key: value for key, value in {**plain, **rest}.items() if key not in hidden},
            }
        )
    return described
