"""What went wrong, as an answer: `application/problem+json` (RFC 9457) with a code that stays the same, or a page."""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gamestats_assets.lakehouse.entries.declared import ExistsAlreadyError, StillNeededError, UnknownNameError
from gamestats_assets.lakehouse.entries.fields import EntryError
from gamestats_assets.lakehouse.entries.local_times import LocalTimeError
from gamestats_assets.lakehouse.entries.ops import RefusedEntryError
from gamestats_assets.lakehouse.postgres.server import PostgresUnavailableError

if TYPE_CHECKING:
    from gamestats_assets.serving.pages.rendering import Pages

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
_LOG = logging.getLogger("gamestats.serving")
TITLES = {
    400: ("bad_request", "The request cannot be understood."),
    401: ("sign_in", "Sign in first."),
    403: ("not_allowed", "This is not yours to do."),
    404: ("not_found", "There is no such thing."),
    405: ("method", "This cannot be done here."),
    406: ("no_such_format", "There is no such format of this."),
    409: ("conflict", "This does not go with what there is."),
    410: ("gone", "This is not there any more."),
    412: ("changed_meanwhile", "Somebody changed it meanwhile."),
    413: ("too_large", "The request is too large."),
    415: ("media_type", "Data of this type are not taken here."),
    421: ("host", "This is asked for under a wrong name."),
    422: ("parameters", "A parameter is wrong."),
    428: ("version_needed", "Say which version is changed."),
    429: ("too_many_requests", "There were too many requests."),
    500: ("failed", "Something went wrong here."),
    503: ("unavailable", "The data cannot be reached just now."),
    504: ("too_slow", "The answer took too long to make."),
}
"""By status, the code of a problem, which stays the same, and its title."""


class ProblemError(Exception):
    """An answer that says what went wrong.

    Args:
        detail: what was expected, what was found, what to do.
        errors: the parameters that are wrong: `name` and `message` of each.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, errors, dict(headers or {})


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer: a page, where a browser asks for one."""
    sent = {**(headers or {}), "Cache-Control": "no-store"}
    if pages := page_for(request):
        say = pages.texts.speaker(pages.language(request))
        values = {
            "status": status,
            "title": say(f"problem.title_{status if status in TITLES else 400 if status < 500 else 500}"),
            "detail": detail,
            "errors": errors,
            "again": f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
            "request_id": request.scope.get("request_id", ""),
        }
        return pages.personal(request, "problem.html", values, status=status, headers=sent)
    code, title = TITLES.get(status, ("error", "The request failed."))
    body: dict[str, Any] = {
        "type": f"urn:gamestats:problem:{code}",
        "code": code,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": request.scope.get("request_id", ""),
    }
    if errors:
        body["errors"] = list(errors)
    content = json.dumps(body, ensure_ascii=False)
    return Response(content, status, sent, MEDIA_TYPE)


def page_for(request: Request) -> Pages | None:
    """The pages, where a request wants one rather than JSON: a browser's, of what is no part of the API."""
    wants = not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
    return getattr(request.app.state, "pages", None) if wants else None


CONFLICTS = (ExistsAlreadyError, StillNeededError)
"""Mistakes in what somebody enters that would be none if other things were not as they are: 409."""


@contextmanager
def entry_problems() -> Iterator[None]:
    """Answer mistakes in what somebody enters: 404 for what there is not, 409 for `CONFLICTS`, else 422."""
    try:
        yield
    except (EntryError, LocalTimeError, RefusedEntryError) as error:
        status = 404 if isinstance(error, UnknownNameError) else 409 if isinstance(error, CONFLICTS) else 422
        column = error.column if isinstance(error, EntryError) else ""
        errors = [{"name": column, "message": str(error)}] if column else []
        raise ProblemError(status, str(error), errors=errors) from None


def handle_problems(app: FastAPI) -> None:
    """Answer every failure that is foreseen so; what nobody foresaw, `logs.RequestLog` answers."""

    @app.exception_handler(ProblemError)
    async def problem_of(request: Request, error: ProblemError) -> Response:
        return problem(request, error.status, error.detail, errors=error.errors, headers=error.headers)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return problem(request, error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: RequestValidationError) -> Response:
        known = {part: _parameters_of(request, part) for part in ("query", "body")}
        errors = [
            _wrong(each, each.get("known", known["body" if each["loc"][:1] == ("body",) else "query"]))
            for each in error.errors()
        ]
        return problem(request, 422, " ".join(each["message"] for each in errors), errors=errors)

    async def gone(request: Request, error: Exception) -> Response:
        _LOG.warning("PostgreSQL cannot be reached", extra={"fields": {"error": type(error).__name__}})
        detail = "PostgreSQL cannot be reached. Ask again in a moment."
        return problem(request, 503, detail, headers={"Retry-After": str(RETRY_AFTER_S)})

    for each in (psycopg.OperationalError, PoolTimeout, PostgresUnavailableError):
        app.add_exception_handler(each, gone)

    @app.exception_handler(psycopg.errors.QueryCanceled)
    async def too_slow(request: Request, error: psycopg.errors.QueryCanceled) -> Response:
        return problem(request, 504, "PostgreSQL took longer than it may. Ask for less, or again in a moment.")

    @app.exception_handler(psycopg.DataError)
    async def unkeepable(request: Request, error: psycopg.DataError) -> Response:
        # What else PostgreSQL finds wrong is our own doing.
        if type(error) not in (psycopg.DataError, psycopg.errors.CharacterNotInRepertoire):
            raise error
        return problem(request, 422, "What is given holds a character that no text here may have.")

    @app.exception_handler(psycopg.errors.UndefinedTable)
    async def unpublished(request: Request, error: psycopg.errors.UndefinedTable) -> Response:
        detail = "What this is made of has not been published yet."
        return problem(request, 503, detail, headers={"Retry-After": "60"})


async def only_known(request: Request) -> None:
    """Refuse parameters that a route does not have; a dependency, as FastAPI itself lets them pass.

    Raises:
        RequestValidationError: it names them.
    """
    unknown = [name for name in request.query_params if name not in _parameters_of(request)]
    if unknown:
        raise RequestValidationError([{"type": "extra_forbidden", "loc": (name,), "msg": ""} for name in unknown])


def _parameters_of(request: Request, part: str = "query") -> list[str]:
    waiting = [getattr(request.scope.get("route"), "dependant", None)]
    known: list[str] = []
    for dependant in waiting:
        waiting += getattr(dependant, "dependencies", ())
        for field in getattr(dependant, f"{part}_params", ()):
            model = getattr(field.field_info.annotation, "model_fields", None)
            known += [field.alias] if model is None else [*model]
    return known


_MESSAGES = {
    "missing": "is missing",
    "too_short": "should not be empty",
    "string_too_short": "should not be empty",
    "json_invalid": "should be JSON",
    "model_attributes_type": "should be a JSON object",
    "dict_type": "should be a JSON object",
    "int_parsing": "should be a whole number, written in digits",
    "int_type": "should be a whole number",
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "string_type": "should be a text",
}
"""What mistakes are called in words of people."""


def _wrong(error: Mapping[str, Any], known: Sequence[str]) -> dict[str, str]:
    # What is wrong with several together has no place, and of what is no JSON only a number of a character is known.
    named = [part for part in error["loc"] if isinstance(part, str)]
    name, kind = named[-1] if named else "query", "field" if named[:1] == ["body"] else "parameter"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, known, n=1)
        there = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}." if known else "there is none."
        return {"name": name, "message": f"There is no {kind} {name!r}; {there}"}
    text = _MESSAGES.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")
    return {"name": name, "message": f"{name}: {text[:1].lower()}{text[1:].rstrip('.')}."}
