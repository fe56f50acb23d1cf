"""Pages to edit entries, made from their declarations: lists, forms, imports, and histories.

They work without JavaScript: after a form was sent, the next page says what it did.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from psycopg import sql
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from gamestats_assets.lakehouse.entries.csv_files import Sent
from gamestats_assets.lakehouse.entries.declared import plural
from gamestats_assets.lakehouse.entries.fields import Field
from gamestats_assets.lakehouse.entries.ops import Row, rows
from gamestats_assets.lakehouse.postgres.server import has_table
from gamestats_assets.serving.editing import forms as edit_forms
from gamestats_assets.serving.editing.editor import Consequences, Edit, Editable, Editor, Effects, previewed
from gamestats_assets.serving.editing.routes import MOST_BYTES, editing
from gamestats_assets.serving.game import Game
from gamestats_assets.serving.middleware.principal import Person, csrf_token, requires
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.middleware.site import cookie_name, set_cookie
from gamestats_assets.serving.pages.rendering import Pages

Submitted = Mapping[str, Any]
"""Values of a form: texts, and the content of files."""
_PEOPLE = (("/admin/users", "Users"), ("/admin/players", "Accounts of games"), ("/admin/log", "Audit log"))
_NOTICES, _NOTICE_S = ("done", "notes", "follow"), 60
_ROWS = 1000
_FOLLOW = "The published standings follow within about 20 seconds, while gamestats up runs."


async def submitted(request: Request) -> Submitted:
    """Returns the values of a form; a dependency.

    Raises:
        ProblemError: 413 if a file is too large.
    """
    found: dict[str, Any] = {}
    for name, value in (await request.form()).items():
        if isinstance(value, UploadFile):
            content = await value.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise ProblemError(413, f"A file of entries may have at most {MOST_BYTES >> 20} MB.")
            found[name] = Sent(value.filename or "the file", content)
        else:
            found[name] = value
    return found


Form = Annotated[Submitted, Depends(submitted)]
Back = Annotated[str, Query(max_length=1000, description="The page to go on to.")]


def page(request: Request, person: Person, template: str, values: Mapping[str, Any], *, status: int = 200) -> Response:
    """Returns an admin page, with the outcome of the last form."""
    pages: Pages = request.state.pages
    games: Sequence[Game] = request.state.games
    name = cookie_name(request.state.site, request, "notices")
    sections = [*(section for game in games for section in game.admin), *(_PEOPLE if person.may("admin") else ())]
    within = [address for address, _ in sections if f"{request.url.path}/".startswith(f"{address}/")]
    section = max(within, key=len, default="")
    shell = {
        "csrf": csrf_token(request),
        "person": person,
        "sections": sections,
        "section": section,
        "notices": _read(request.cookies.get(name, "")),
        "errors": {},
        "synthetic": _is_synthetic(request, next((each for each in games if section in dict(each.admin)), None)),
    }
    answer = pages.personal(request, template, {**shell, **values}, status=status, asked=dict(request.query_params))
    if name in request.cookies:
        set_cookie(answer, request, "notices", "", 0)
    return answer


def _is_synthetic(request: Request, game: Game | None) -> bool:
    """Whether published tables of a game contain simulated data."""
    if game is None or game.synthetic is None:
        return False
    table, condition = game.synthetic
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {}) AS found")
    with request.state.writing() as conn:
        if not has_table(conn, game.name, table):
            return False
        return rows(conn, query.format(sql.Identifier(game.name, table), sql.SQL(condition)))[0]["found"]


def redirect(
    request: Request, path: str, done: Sequence[str], notes: Sequence[str] = (), *, follow: bool = False
) -> Response:
    """Redirects to a page that says what was done.

    Args:
        follow: whether to add that published tables follow.
    """
    answer = RedirectResponse(path, 303, {"Cache-Control": "no-store"})
    kept = {"done": _first(done, 6), "notes": _first(notes, 4), "follow": [_FOLLOW] if follow else []}
    set_cookie(answer, request, "notices", base64.urlsafe_b64encode(json.dumps(kept).encode()).decode(), _NOTICE_S)
    return answer


def _first(messages: Sequence[str], count: int) -> list[str]:
    """Returns as many messages as a cookie holds, and the number of the rest."""
    rest = [f"And {len(messages) - count} more."] if len(messages) > count else []
    return [*(each[:300] for each in messages[:count]), *rest]


def _read(cookie: str) -> dict[str, list[str]]:
    try:
        kept = json.loads(base64.urlsafe_b64decode(cookie)) if cookie else {}
        return {name: [str(each) for each in kept.get(name, [])] for name in _NOTICES}
    except (ValueError, AttributeError, TypeError):
        return {name: [] for name in _NOTICES}


def said(edits: Sequence[Edit]) -> tuple[list[str], list[str]]:
    """Returns what edits did, in words, and their warnings."""
    notes = [note for edit in edits for note in edit.done.notes]
    return [
        edit.done.line().replace(edit.done.outcome.ljust(10), f"{edit.done.outcome.capitalize()}: ") for edit in edits
    ], notes


def wanted(form: Submitted) -> str:
    """Returns the action of the pressed button, such as `save`, `remove`, `undo 12`."""
    return str(form.get("act", "save")).removeprefix("preview").strip() or "save"


def is_preview(form: Submitted) -> bool:
    """Whether the pressed button asks for a preview."""
    return str(form.get("act", "")).startswith("preview")


def act(
    request: Request,
    effects: Effects | None,
    form: Submitted,
    work: Callable[[Any], Sequence[Edit]],
    then: str,
    again: Callable[..., Response],
) -> Response:
    """Carries out a form, previews it, or shows its mistakes.

    Args:
        form: see `wanted` and `is_preview`.
        work: carries it out, given a connection.
        then: the page to go on to.
        again: shows the form once more, with its consequences or mistakes.
    """
    previews = is_preview(form)
    try:
        with request.state.writing() as conn:
            edits, consequences = previewed(conn, effects, lambda: work(conn)) if previews else (work(conn), None)
    except ProblemError as error:
        if error.status in (401, 403, 404):
            raise
        return again(problem=error)
    done, notes = said(edits)
    if previews:
        return again(consequences=consequences, would=done, notes=notes)
    does = any(edit.done.outcome != "unchanged" for edit in edits)
    return redirect(request, then, done, notes, follow=effects is not None and does)


def outcome(
    problem: ProblemError | None = None,
    consequences: Consequences = None,
    would: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> tuple[dict[str, Any], int]:
    """Returns the values with which a form is shown once more, and the status of the page."""
    errors = {each["name"]: each["message"] for each in problem.errors} if problem else {}
    lines = [each for each in problem.errors if "row" in each] if problem else []
    values = {
        "problem": problem.detail if problem and not lines else None,
        "mistakes": lines,
        "errors": errors,
        "would": would,
        "would_notes": notes,
        "effects": None if consequences is None else edit_forms.pairs(consequences),
    }
    return values, problem.status if problem else 200


def edit_pages(of: Editable, base: str) -> APIRouter:
    """Returns the pages of a thing.

    Args:
        base: path of the router that includes them, such as `/admin/tournaments`.
    """
    thing, path = of.thing, f"{base}/{of.path}"
    one, many = thing.kind, plural(thing.kind)
    router, may = APIRouter(prefix=f"/{of.path}", include_in_schema=False), requires(of.role, somewhere=True)
    columns = [*thing.columns]
    added = (*of.named_by, *of.added_with)
    shared: dict[str, Any] = {"of": of, "one": one, "many": many, "path": path, "outcome": None}
    shared |= dict.fromkeys(("problem", "effects"), None) | {"mistakes": [], "would": [], "would_notes": []}

    def key_of(text: str) -> int | str:
        if thing.key in {each.name for each in thing.names}:
            return text
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise ProblemError(404, f"There is no {one} {text[:80]!r}.")
        return int(text)

    def listed(request: Request, person: Person, problem: ProblemError | None = None, **others: Any) -> Response:
        with editing(request, of, person) as editor:
            found = editor.rows()
        asked = {name: value for name, value in request.query_params.items() if name in columns and value}
        shown = [(row, [edit_forms.text(value, thing.zone(row)) for value in _values(of, row)]) for row in found]
        for name, value in asked.items():
            shown = [each for each in shown if each[1][columns.index(name)].casefold() == value.casefold()]
        lines = [{"key": quote(str(row[thing.key]), safe=""), "cells": cells} for row, cells in shown]
        takes = edit_forms.controls(of.takes, "add", asked)
        result, status = outcome(problem, **others)
        values = {"columns": [edit_forms.label_of(name) for name in columns], "rows": lines[:_ROWS], "asked": asked}
        values |= {"total": len(lines), "takes": takes, "can_take": of.take is not None}
        return page(request, person, "edit_list.html", {**shared, **values, **result}, status=status)

    @router.get("")
    def rows_page(request: Request, person: Annotated[Person, Depends(may)]) -> Response:
        return listed(request, person)

    @router.post("/import")
    def take_file(request: Request, person: Annotated[Person, Depends(may)], form: Form, back: Back = "") -> Response:
        file, previews = form.get("file"), is_preview(form)
        try:
            if of.take is None or not isinstance(file, Sent) or not file.content:
                raise ProblemError(
                    422, "Choose a CSV file.", errors=[{"name": "file", "message": "Choose a CSV file."}]
                )
            asked = edit_forms.given(of.takes, form, {})
            with editing(request, of, person) as editor:
                done = editor.take(file, dry_run=previews, **asked)
        except ProblemError as error:
            if error.status in (401, 403, 404):
                raise
            return listed(request, person, problem=error)
        lines = [f"{file.name}: {number} {kind} {outcome}" for (kind, outcome), number in done.counts.items()]
        lines += [each.line() for each in done.entered if each.outcome == "changed"]
        notes = list(dict.fromkeys([*(note for each in done.entered for note in each.notes), *done.notes]))
        if previews:
            return listed(
                request, person, would=lines or ["Nothing to do: everything is entered already."], notes=notes
            )
        then = back if back.startswith(base) else path
        if not lines:
            return redirect(request, then, [f"{file.name}: everything was entered already."], notes)
        return redirect(request, then, lines, notes, follow=of.effects is not None)

    def adding(request: Request, person: Person, values: Mapping[str, Any], **others: Any) -> Response:
        result, status = outcome(**others)
        controls = edit_forms.controls(added, "add", values, must=of.named_by)
        own = {"controls": controls, "row": None, "key": None, "history": [], "title": f"New {one}"}
        return page(request, person, "edit_one.html", {**shared, **own, **result}, status=status)

    @router.get("/new")
    def new_page(request: Request, person: Annotated[Person, Depends(may)]) -> Response:
        return adding(request, person, dict(request.query_params))

    @router.post("/new")
    def add(request: Request, person: Annotated[Person, Depends(may)], form: Form) -> Response:
        def work(conn: Any) -> Sequence[Edit]:
            return [Editor(of, conn, person).add(**_of_new(of, form))]

        return act(request, of.effects, form, work, path, lambda **others: adding(request, person, form, **others))

    def changing(
        request: Request, person: Person, key: int | str, form: Submitted | None = None, **others: Any
    ) -> Response:
        result, status = outcome(**others)
        with editing(request, of, person) as editor:
            row = editor.row(key)
            history = _history(editor, key, thing.zone(row))
            values = now = edit_forms.texts(of, of.changed_by, row)
            if form is not None:
                # The user's changes over the current row.
                seen = edit_forms.texts(of, of.changed_by, editor.as_seen(key, str(form.get("version", ""))))
                own = {name: str(form[name]) for name in seen if name in form and form[name] != seen[name]}
                values = {**now, **own}
        controls = edit_forms.controls(of.changed_by, "change", values)
        what = thing.describe(row)
        own = {"controls": controls, "row": row, "key": quote(str(key), safe=""), "history": history}
        own |= {"title": what[0].upper() + what[1:], "zone": thing.zone(row).key}
        return page(request, person, "edit_one.html", {**shared, **own, **result}, status=status)

    @router.get("/{text}")
    def one_page(request: Request, person: Annotated[Person, Depends(may)], text: str) -> Response:
        return changing(request, person, key_of(text))

    @router.post("/{text}")
    def change(
        request: Request, person: Annotated[Person, Depends(may)], text: str, form: Form, back: Back = ""
    ) -> Response:
        key, version = key_of(text), str(form.get("version", ""))
        verb = wanted(form)

        def work(conn: Any) -> Sequence[Edit]:
            editor = Editor(of, conn, person)
            if verb == "remove":
                return [editor.remove(key, version)]
            if verb.startswith("undo"):
                number = verb.removeprefix("undo").strip()
                return [editor.undo(key, version, int(number) if number.isdigit() else None)]
            seen = edit_forms.texts(of, of.changed_by, editor.as_seen(key, version))
            said = edit_forms.given(of.changed_by, form, seen)
            return [editor.change(key, version, **said)]

        then = f"{path}/{quote(text, safe='')}" if verb == "save" else path
        if back.startswith(base):
            then = back
        return act(
            request, of.effects, form, work, then, lambda **others: changing(request, person, key, form, **others)
        )

    return router


def _values(of: Editable, row: Row) -> list[Any]:
    return [row[column] for column in of.thing.columns.values()]


def _of_new(of: Editable, form: Submitted) -> dict[str, Any]:
    """Returns the values of a new row; reports missing names, too."""
    texts = {name: value for name, value in form.items() if isinstance(value, str)}
    missing = [
        {"name": each.name, "message": f"{edit_forms.label_of(each.label)} is missing: {each.help}"}
        for each in _required(of)
        if not texts.get(each.name, "").strip()
    ]
    if missing:
        raise ProblemError(422, " ".join(each["message"] for each in missing), errors=missing)
    return edit_forms.given((*of.named_by, *of.added_with), texts, {})


def _required(of: Editable) -> list[Field]:
    return [*of.named_by, *(each for each in of.added_with if "add" in each.required)]


def _history(editor: Editor, key: int | str, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Returns the history of a row, in words."""
    return [
        {
            "number": entry["entry_history_id"],
            "at": entry["changed_at"],
            "by": entry["changed_by"],
            "changes": editor.changes_of(entry, zone),
            "is_first": entry["before"] is None,
        }
        for entry in editor.history(key)
    ]
