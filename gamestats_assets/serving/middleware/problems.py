"""Problems as answers: `application/problem+json` (RFC 9457) with stable codes, or pages."""

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
    403: ("not_allowed", "You may not do this."),
    404: ("not_found", "This does not exist."),
    405: ("method", "This cannot be done here."),
    406: ("no_such_format", "This does not come in that format."),
    409: ("conflict", "This conflicts with existing data."),
    410: ("gone", "This no longer exists."),
    412: ("changed_meanwhile", "It was changed in the meantime."),
    413: ("too_large", "The request is too large."),
    415: ("media_type", "This type of data is not accepted here."),
    421: ("host", "The request names a wrong host."),
    422: ("parameters", "A parameter is wrong."),
    428: ("version_needed", "Say which version you are changing."),
    429: ("too_many_requests", "There were too many requests."),
    500: ("failed", "Something went wrong here."),
    503: ("unavailable", "The data cannot be reached just now."),
    504: ("too_slow", "The answer took too long to make."),
}
"""Stable code and title of a problem, by status."""


class ProblemError(Exception):
    """An error with its answer.

    Args:
        detail: what was expected, what was found, what to do.
        errors: the wrong parameters: `name` and `message` of each.
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
    """Returns the answer: a page if a browser asks for one."""
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
    """Returns the pages if a request wants a page and not JSON: that of a browser, outside the API."""
    wants = not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
    return getattr(request.app.state, "pages", None) if wants else None


CONFLICTS = (ExistsAlreadyError, StillNeededError)
"""Mistakes in entries that conflict with existing data: 409."""


@contextmanager
def entry_problems() -> Iterator[None]:
    """Answers mistakes in entries: 404 for unknown names, 409 for `CONFLICTS`, else 422."""
    try:
        yield
    except (EntryError, LocalTimeError, RefusedEntryError) as error:
        status = 404 if isinstance(error, UnknownNameError) else 409 if isinstance(error, CONFLICTS) else 422
        column = error.column if isinstance(error, EntryError) else ""
        errors = [{"name": column, "message": str(error)}] if column else []
        raise ProblemError(status, str(error), errors=errors) from None


def handle_problems(app: FastAPI) -> None:
    """Makes an application answer foreseen failures with problems; `logs.RequestLog` answers the others."""

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
        detail = "PostgreSQL cannot be reached. Try again in a moment."
        return problem(request, 503, detail, headers={"Retry-After": str(RETRY_AFTER_S)})

    for each in (psycopg.OperationalError, PoolTimeout, PostgresUnavailableError):
        app.add_exception_handler(each, gone)

    @app.exception_handler(psycopg.errors.QueryCanceled)
    async def too_slow(request: Request, error: psycopg.errors.QueryCanceled) -> Response:
        return problem(request, 504, "PostgreSQL took too long. Ask for less, or try again in a moment.")

    @app.exception_handler(psycopg.DataError)
    async def unkeepable(request: Request, error: psycopg.DataError) -> Response:
        # Other errors of PostgreSQL are our own mistakes.
        if type(error) not in (psycopg.DataError, psycopg.errors.CharacterNotInRepertoire):
            raise error
        return problem(request, 422, "The input contains a character that texts here may not have.")

    @app.exception_handler(psycopg.errors.UndefinedTable)
    async def unpublished(request: Request, error: psycopg.errors.UndefinedTable) -> Response:
        detail = "The tables of this answer have not been published yet."
        return problem(request, 503, detail, headers={"Retry-After": "60"})


async def only_known(request: Request) -> None:
    """Refuses unknown parameters; a dependency, since FastAPI itself ignores them.

    Raises:
        RequestValidationError: names them.
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
"""Mistakes in plain words, by pydantic's type of error."""


def _wrong(error: Mapping[str, Any], known: Sequence[str]) -> dict[str, str]:
    # A mistake of several fields together has no place; invalid JSON has only the number of a character.
    named = [part for part in error["loc"] if isinstance(part, str)]
    name, kind = named[-1] if named else "query", "field" if named[:1] == ["body"] else "parameter"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, known, n=1)
        there = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}." if known else "there is none."
        return {"name": name, "message": f"There is no {kind} {name!r}; {there}"}
    text = _MESSAGES.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")
    return {"name": name, "message": f"{name}: {text[:1].lower()}{text[1:].rstrip('.')}."}
