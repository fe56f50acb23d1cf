"""Declared routes: parameters, the model of the answer, and the tables that it rests on.

A plain function of a connection and the parameters makes the answer, so pages can use it as well as JSON.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from psycopg import sql
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.responses import Response

from gamestats_assets.lakehouse.published.notes import versions_of
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.serving.answers.cache import Answers, Format
from gamestats_assets.serving.answers.formats import JSON_AMONG_OTHERS, Event, calendar_of, csv_of, negotiated
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import public


class Parameters(BaseModel):
    """Parameters of a question; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")

    def key(self) -> str:
        """Returns the same text for the same parameters in any order."""
        return f"{type(self).__name__} {self.model_dump_json(exclude_none=True)}"


def _is_written_so(value: Any) -> Any:
    """Accepts only one way of writing each number."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError("should be a whole number, written in digits")
    return value


def _is_yes_or_no(value: Any) -> Any:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("should be true or false")
    return value


def _is_day(value: Any) -> Any:
    """Refuses numbers, which pydantic takes for moments."""
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("should be a day, such as 2026-10-03")
    return value


_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
Number = Annotated[int, BeforeValidator(_is_written_so), Field(ge=-(2**31), le=2**31 - 1)]
"""An integer of PostgreSQL."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
Day = Annotated[date, BeforeValidator(_is_day)]
"""A day in ISO 8601."""
Flag = Annotated[bool, BeforeValidator(_is_yes_or_no)]
"""true or false."""
Name = Annotated[str, Field(min_length=1, max_length=200)]
"""A name or an id."""


class Nothing(Parameters):
    """No parameters."""


class Page(Parameters):
    """A page of a list."""

    page: Annotated[Number, Field(ge=1, le=100_000, description="Which page.")] = 1
    page_size: Annotated[Number, Field(ge=1, le=100, description="Rows per page.")] = 20


Asked = TypeVar("Asked", bound=Parameters)
Made = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Route(Generic[Asked]):
    """A question and the function that answers it.

    Attributes:
        path: the path below the router's; names in braces are parameters.
        summary: the question in a few words; the docstring of `make` says more.
        asked: model of the parameters.
        make: makes the answer from one snapshot of PostgreSQL.
        answer: model of the answer.
        tables: all tables that it rests on.
        keeps_s: seconds for which proxies may keep an answer.
        listed: the list of the answer that is offered as CSV, and the model of its lines.
        events: makes the name and the events of a calendar, if the answer is also offered as one.
    """

    path: str
    summary: str
    asked: type[Asked]
    make: Callable[[Connection, Asked], Awaitable[Made]]
    answer: type[BaseModel]
    tables: tuple[type[Table], ...]
    keeps_s: int
    listed: tuple[str, type[BaseModel]] | None = None
    events: Callable[[Made], tuple[str, Sequence[Event]]] | None = None

    @property
    def offered(self) -> tuple[str, ...]:
        """Returns the offered media types, the default first."""
        others = {"text/csv": self.listed, "text/calendar": self.events}
        return ("application/json", *(media for media, has in others.items() if has))

    def form(self, media: str, asked: Asked) -> Format:
        """Returns the format of a media type."""
        named = [self.path, *(str(value) for value in asked.model_dump(exclude_defaults=True).values())]
        name = "_".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:60] for part in named)
        if media == "text/csv" and self.listed:
            return csv_of(self.listed[0], [*self.listed[1].model_fields], name)
        if media == "text/calendar" and self.events:
            return calendar_of(self.events, name)
        return JSON_AMONG_OTHERS


def router_of(prefix: str, routes: Sequence[Route[Any]]) -> APIRouter:
    """Returns a router for them: JSON, and the other formats by `Accept` or by an ending of the path."""
    router = APIRouter(prefix=prefix, tags=[prefix.strip("/")], dependencies=[Depends(public)])
    for route in routes:
        for media in route.offered[1:]:
            # For links and calendar programs, which send no useful `Accept`.
            path = route.path + _ENDINGS[media]
            router.add_api_route(path, _endpoint(route, media), methods=["GET"], include_in_schema=False)
    for route in routes:
        content: dict[str, Any] = {media: {"schema": {"type": "string"}} for media in route.offered[1:]}
        router.add_api_route(
            route.path,
            _endpoint(route),
            methods=["GET"],
            summary=route.summary,
            description=description_of(route.make),
            operation_id=route.make.__name__,
            responses={200: {"model": route.answer, "content": content}},
            openapi_extra={"parameters": described(route.path, route.asked)},
        )
    return router


_ENDINGS = {"text/csv": ".csv", "text/calendar": ".ics"}


def _endpoint(route: Route[Any], media: str | None = None) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        asked = ask(route.asked, request)
        chosen = media or negotiated(request.headers.get("accept", ""), route.offered)
        answers: Answers = request.state.answers

        async def make(conn: Connection) -> Made:
            made = await route.make(conn, asked)
            return made if "metadata" in made else {"metadata": await _published(conn, route.tables), **made}

        # The path, because routes may have the same parameters.
        key = f"{chosen} {route.path} {asked.key()}"
        form = route.form(chosen, asked)
        return await answers.give(request, route.tables, key, make, keeps_s=route.keeps_s, form=form, at_once=True)

    return endpoint


async def _published(conn: Connection, tables: Sequence[type[Table]]) -> Made:
    versions = versions_of(tables[0].spec.game).spec
    query = sql.SQL("SELECT max(published_at) AS timestamp FROM {} WHERE table_name = ANY(%s)").format(
        sql.Identifier(tables[0].spec.game, versions.name)
    )
    [row] = await (await conn.execute(query, [[table.spec.name for table in tables]])).fetchall()
    return row


def ask(parameters: type[Asked], request: Request, *, only_known: bool = True) -> Asked:
    """Returns the parameters of a request, from its path and query.

    Args:
        only_known: whether an unknown parameter is a mistake. Pages ignore them, since services add their own to shared
            links.

    Raises:
        RequestValidationError: if a parameter is unknown, wrong, missing or given twice.
    """
    given = [*request.path_params.items(), *request.query_params.multi_items()]
    if not only_known:
        given = [(name, value) for name, value in given if name in parameters.model_fields]
    twice = [name for name, times in Counter(name for name, _ in given).items() if times > 1]
    if twice:
        raise RequestValidationError([_error(name, "is given more than once; give it once.") for name in twice])
    return asked_of(parameters, dict(given))


def asked_of(parameters: type[Asked], given: Mapping[str, Any]) -> Asked:
    """Returns the parameters with given values.

    Raises:
        RequestValidationError: if a parameter is unknown, wrong or missing.
    """
    try:
        return parameters.model_validate(given)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_context=False)
        raise RequestValidationError([{**error, "known": [*parameters.model_fields]} for error in errors]) from None


def _error(name: str, message: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": (name,), "msg": message}


def description_of(make: Callable[..., Any]) -> str:
    """Returns the description of a route."""
    return inspect.cleandoc(make.__doc__ or "").partition("\n\nRaises:")[0]


def described(path: str, asked: type[Parameters]) -> list[Mapping[str, Any]]:
    """Returns the parameters of a route in OpenAPI's form."""
    whole = asked.model_json_schema()
    described = []
    for name, schema in whole.get("properties", {}).items():
        # Omitted parameters are null, which cannot be written in a query.
        plain = next((each for each in schema.get("anyOf", ()) if each["type"] != "null"), schema)
        rest = {key: schema[key] for key in ("examples", "default") if schema.get(key) is not None}
        hidden = ("title", "description", "anyOf")
        in_path = f"{{{name}}}" in path
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
