"""Routes to edit entries, made from their declarations: lists, single rows, verbs, imports, history."""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import psycopg
from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, create_model
from pydantic import Field as Described
from starlette.responses import Response

from gamestats_assets.lakehouse.entries.csv_files import Sent
from gamestats_assets.lakehouse.entries.declared import plural
from gamestats_assets.lakehouse.entries.fields import Field
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.editing.editor import Consequences, Edit, Editable, Editor, previewed
from gamestats_assets.serving.middleware.principal import Person, requires
from gamestats_assets.serving.middleware.problems import ProblemError

MOST_BYTES = 2 << 20
"""Largest size of a file of entries."""
DryRun = Annotated[bool, Query(description="Only preview the edit and its consequences.")]
IfMatch = Annotated[str | None, Header(description="Version of the row, from its ETag.", examples=['"9f8e..."'])]


class Entry(BaseModel):
    """A completed edit."""

    outcome: Literal["created", "changed", "unchanged", "removed"]
    what: Annotated[str, Described(description="The row, in words.", examples=["match 3 of Round 1"])]
    changes: Annotated[list[str], Described(description="What differs.", examples=[["status scheduled -> completed"]])]
    notes: Annotated[list[str], Described(description="Warnings.")]
    row: Annotated[dict[str, Any] | None, Described(description="The row now, with its version; null if removed.")]


class Effects(BaseModel):
    """Consequences of edits."""

    effects: Annotated[
        list[dict[str, Any]] | None,
        Described(description="Standings that would change; only in a dry run."),
    ] = None


class OneEntry(Entry, Effects):
    """An edit and its consequences."""


class Edited(BaseModel):
    """The answer."""

    data: OneEntry


class Entries(Effects):
    """Edits of one request."""

    edits: list[Entry]


class EditedAll(BaseModel):
    """The answer."""

    data: Entries


class Change(BaseModel):
    """A change of a row."""

    entry_history_id: int
    before: Annotated[dict[str, Any] | None, Described(description="The row before; null if it was added.")]
    after: Annotated[dict[str, Any] | None, Described(description="The row after; null if it was removed.")]
    changed_at: str
    changed_by: str


class History(BaseModel):
    """The answer."""

    data: dict[Literal["changes"], list[Change]]


class TakenFile(BaseModel):
    """The outcome of an import."""

    rows: int
    counts: Annotated[list[str], Described(examples=[["12 roster entry created"]])]
    changes: list[str]
    notes: list[str]


class Import(BaseModel):
    """The answer."""

    data: TakenFile


def edited(done: tuple[Sequence[Edit], Consequences], of: Editable, status: int = 200) -> Response:
    """Returns the answer to an edit."""
    [edit], effects = done
    return json_answer(
        {"data": {**_as_json(edit, of), "effects": effects}}, status, edit.row["version"] if edit.row else None
    )


def edited_all(done: tuple[Sequence[Edit], Consequences], of: Editable, status: int = 200) -> Response:
    """Returns the answer to a request that edits several rows; it leaves out rows of other things."""
    edits, effects = done
    return json_answer({"data": {"edits": [_as_json(edit, of) for edit in edits], "effects": effects}}, status)


def _as_json(edit: Edit, of: Editable) -> dict[str, Any]:
    done, row = edit.done, edit.row
    words = {"outcome": done.outcome, "what": done.what, "changes": done.changes, "notes": done.notes}
    return {**words, "row": of.shown(row) if row and of.thing.key in row and done.kind == of.thing.kind else None}


def version_of(if_match: str | None) -> str:
    """Returns the version that a request names.

    Raises:
        ProblemError: 428 if it names none.
    """
    version = (if_match or "").strip().removeprefix("W/").strip('"')
    if not version or version == "*":
        raise ProblemError(428, "Send the row's version, from its ETag, in the header If-Match.")
    return version


@contextmanager
def editing(request: Request, of: Editable, person: Person) -> Iterator[Editor]:
    """An editor in a transaction of its own."""
    with request.state.writing() as conn:
        yield Editor(of, conn, person)


def do(
    conn: psycopg.Connection, of: Editable, work: Callable[[], Sequence[Edit]], *, dry_run: bool
) -> tuple[Sequence[Edit], Consequences]:
    """Carries out edits, or previews them with their consequences."""
    return previewed(conn, of.effects, work) if dry_run else (work(), None)


def model_of(name: str, of: Editable, required: Sequence[Field], fields: Sequence[Field], verb: str) -> type[BaseModel]:
    """Returns the model of a verb's body, with the declared fields; others are refused."""
    columns: dict[str, Any] = {}
    for each in (*required, *fields):
        must = each in required or verb in each.required
        kind: Any = Literal[tuple(each.kind.options)] if each.kind.options and each.kind.type is str else each.kind.type
        kind = kind | None if each.lacks or not must else kind
        text = each.help if not each.default else f"{each.help} By default {each.default}."
        described = Described(None, description=text) if not must else Described(description=text)
        columns[each.name] = (Annotated[kind, described], ... if must else None)
    model = create_model(name, __config__=ConfigDict(extra="forbid"), **columns)
    model.__doc__ = f"Fields of {of.thing.kind}."
    return model


def given_of(body: BaseModel) -> dict[str, Any]:
    """Returns the given fields of a body."""
    return {name: getattr(body, name) for name in body.model_fields_set}


def editing_routes(of: Editable, *, without: Collection[str] = ()) -> APIRouter:
    """Returns the routes of a thing, below its path.

    Args:
        without: verbs with routes of their own.
    """
    thing, one, many = of.thing, of.thing.kind, plural(of.thing.kind)
    router, camel = APIRouter(prefix=f"/{of.path}"), "".join(part.title() for part in of.thing.table.split("_"))
    may = Depends(requires(of.role, somewhere=True))
    number = thing.key not in {each.name for each in thing.names}
    one_key = {
        "key": (
            Annotated[int, Path(ge=1, le=2**63 - 1, description=f"Number of the {one}.")]
            if number
            else Annotated[str, Path(max_length=200, description=f"Name of the {one}.")],
            _MUST,
        )
    }
    addition: Any = model_of(f"New{camel}", of, of.named_by, of.added_with, "add")
    change: Any = model_of(f"{camel}Change", of, (), of.changed_by, "change")
    filters = _filters(of)

    def rows(request: Request, person: Annotated[Person, may], page: int, page_size: int, **where: Any) -> Response:
        """The rows that you may edit, page by page, each with its version."""
        with editing(request, of, person) as editor:
            found = editor.rows()
        for name, wanted in where.items():
            found = [row for row in found if wanted is None or _same(row[filters[name]], wanted)]
        shown = [of.shown(row) for row in found[(page - 1) * page_size : page * page_size]]
        return json_answer({"data": {of.path: shown, "total_count": len(found)}})

    narrowing: dict[str, tuple[Any, Any]] = {
        name: (Annotated[str | None, Query(description=f"Only those of this {name.replace('_', ' ')}.")], None)
        for name in filters
    }
    _with_parameters(rows, {**narrowing, **_PAGE})
    router.get("", summary=f"{many.capitalize()}")(rows)

    def add(request: Request, person: Annotated[Person, may], body: BaseModel, dry_run: DryRun = False) -> Response:
        """Add a row. With `dry_run` nothing is entered; the answer has the consequences."""
        with editing(request, of, person) as editor:
            done = do(editor.conn, of, lambda: [editor.add(**given_of(body))], dry_run=dry_run)
        return edited(done, of, 200 if dry_run else 201)

    if "add" not in without:
        _with_parameters(add, {"body": (Annotated[addition, Body()], _MUST)})
        router.post("", status_code=201, responses={201: {"model": Edited}}, summary=f"Add one: {one}")(add)
    if of.take is not None:
        router.post(
            "/import",
            responses={200: {"model": Import}},
            summary=f"Take a CSV file of {many}",
            openapi_extra={"requestBody": {"content": {"text/csv": {"schema": {"type": "string"}}}, "required": True}},
        )(_importing(of, may))

    def single(request: Request, person: Annotated[Person, may], key: int | str) -> Response:
        """A row with its version, which changes and removals must send in `If-Match`."""
        with editing(request, of, person) as editor:
            row = editor.row(key)
        return json_answer({"data": of.shown(row)}, version=row["version"])

    _with_parameters(single, one_key)
    router.get("/{key}", summary=f"One: {one}")(single)

    def alter(
        request: Request,
        person: Annotated[Person, may],
        key: int | str,
        body: BaseModel,
        if_match: IfMatch = None,
        dry_run: DryRun = False,
    ) -> Response:
        """Change the given fields of a row; the others stay.

        `If-Match` names the version that you saw. If the row has changed since, the answer says how, and nothing is
        overwritten.
        """
        version, given = version_of(if_match), given_of(body)
        if not given:
            raise ProblemError(422, "There is nothing to do: name the fields to change.")
        with editing(request, of, person) as editor:
            done = do(editor.conn, of, lambda: [editor.change(key, version, **given)], dry_run=dry_run)
        return edited(done, of)

    _with_parameters(alter, {**one_key, "body": (Annotated[change, Body()], _MUST)})
    router.patch("/{key}", responses={200: {"model": Edited}}, summary=f"Change one: {one}")(alter)

    def remove(
        request: Request,
        person: Annotated[Person, may],
        key: int | str,
        if_match: IfMatch = None,
        dry_run: DryRun = False,
    ) -> Response:
        """Remove a row of the version in `If-Match`. It stays in the history, from which it can be restored."""
        version = version_of(if_match)
        with editing(request, of, person) as editor:
            done = do(editor.conn, of, lambda: [editor.remove(key, version)], dry_run=dry_run)
        return edited(done, of)

    if "remove" not in without:
        _with_parameters(remove, one_key)
        router.delete("/{key}", responses={200: {"model": Edited}}, summary=f"Remove one: {one}")(remove)

    def history(request: Request, person: Annotated[Person, may], key: int | str) -> Response:
        """Every change of a row, the newest first: before, after, who changed it and when."""
        with editing(request, of, person) as editor:
            return json_answer({"data": {"changes": editor.history(key)}})

    _with_parameters(history, one_key)
    router.get("/{key}/history", responses={200: {"model": History}}, summary=f"History of one {one}")(history)

    def undo(
        request: Request,
        person: Annotated[Person, may],
        key: int | str,
        entry_history_id: Annotated[
            int | None, Query(ge=1, le=2**63 - 1, description="The change to undo, together with all later ones.")
        ] = None,
        if_match: IfMatch = None,
        dry_run: DryRun = False,
    ) -> Response:
        """Restore a row to its state before its last change, or before a given one.

        A removed row comes back; it has no version, so leave `If-Match` out.
        """
        with editing(request, of, person) as editor:
            # A removed row has no version.
            version = (if_match or "").strip('"') if if_match else ""
            done = do(editor.conn, of, lambda: [editor.undo(key, version, entry_history_id)], dry_run=dry_run)
        return edited(done, of)

    _with_parameters(undo, one_key)
    router.post("/{key}/undo", responses={200: {"model": Edited}}, summary=f"Undo a change of one {one}")(undo)
    return router


_MUST = inspect.Parameter.empty
_PAGE: Mapping[str, tuple[Any, Any]] = {
    "page": (Annotated[int, Query(ge=1, le=100_000, description="Page of the list, from 1.")], 1),
    "page_size": (Annotated[int, Query(ge=1, le=100, description="Rows per page.")], 100),
}


def _filters(of: Editable) -> dict[str, str]:
    """Returns the filters of a list: what its rows belong to, by the columns that hold it."""
    named = [each.name for each in (*of.thing.names[:-1], *of.thing.beside)]
    return {name: of.thing.columns[name] for name in named if name in of.thing.columns}


def _same(value: Any, wanted: str) -> bool:
    return str(value).casefold() == wanted.strip().casefold()


def _with_parameters(route: Callable[..., Any], parameters: Mapping[str, tuple[Any, Any]]) -> None:
    """Adds parameters to a route that only its declaration knows."""
    own = [each for each in inspect.signature(route).parameters.values() if each.kind is not each.VAR_KEYWORD]
    kept = [each for each in own if each.name not in parameters]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in parameters.items()
    ]
    route.__signature__ = inspect.Signature([*kept, *more])  # type: ignore[attr-defined]


def _importing(of: Editable, may: Any) -> Callable[..., Response]:
    def take(
        request: Request, person: Annotated[Person, may], sent: Annotated[Sent, Depends(sent_file)], **asked: Any
    ) -> Response:
        """Import all rows of a file, or none. Mistakes are reported by row and column."""
        dry_run = asked.pop("dry_run")
        given = {name: value for name, value in asked.items() if value is not None}
        with editing(request, of, person) as editor:
            done = editor.take(sent, dry_run=dry_run, **given)
        notes = [*(note for each in done.entered for note in each.notes), *done.notes]
        counts = [f"{number} {kind} {outcome}" for (kind, outcome), number in done.counts.items()]
        changes = [each.line() for each in done.entered if each.outcome == "changed"]
        return json_answer({"data": {"rows": done.rows, "counts": counts, "changes": changes, "notes": notes}})

    asked: dict[str, tuple[Any, Any]] = {"dry_run": (DryRun, False)}
    for each in of.takes:
        must, described = "add" in each.required, Query(description=each.help)
        kind = each.kind.type if must else each.kind.type | None
        asked[each.name] = Annotated[kind, described], _MUST if must else None
    _with_parameters(take, asked)
    return take


async def sent_file(request: Request) -> Sent:
    """Returns the body of a request as a file.

    Raises:
        ProblemError: 413 if it is too large.
    """
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise ProblemError(413, f"A file of entries may have at most {MOST_BYTES >> 20} MB.")
    return Sent("the file", content)
