"""Users, roles and the audit log, for admins: an API under `/api/v1/admin`, and pages under `/admin`."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import psycopg
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.serving.accounts import users
from gamestats_assets.serving.accounts.audit import audit, audited
from gamestats_assets.serving.accounts.sessions import LINK_MINUTES, make_link
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.editing.pages import Form, Submitted, outcome, page, redirect
from gamestats_assets.serving.middleware.principal import Person, requires
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.middleware.site import Site, link_address

api = APIRouter(prefix="/admin", tags=["admins"], dependencies=[Depends(only_known)])
pages = APIRouter(prefix="/admin", include_in_schema=False)
Admin = Annotated[Person, Depends(requires("admin"))]
Anyone = Annotated[Person, Depends(requires("tournament_admin", somewhere=True))]
UserId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the user.")]
_Id = Annotated[int | None, Field(ge=1, le=2**63 - 1)]
_ACTS = 100


class Place(BaseModel):
    """A role, everywhere or in one season or division."""

    model_config = ConfigDict(extra="forbid")
    role: Annotated[Literal["premium", "tournament_admin", "admin"], Field(description="Which one.")]
    season_id: Annotated[_Id, Field(description="Limits a tournament_admin to this season.")] = None
    division_id: Annotated[_Id, Field(description="Limits a tournament_admin to this division.")] = None


class NewUser(BaseModel):
    """A new user."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=200, examples=["kim"])]


class User(BaseModel):
    """A user."""

    user_id: int
    name: str
    roles: Annotated[list[str], Field(description="In words.", examples=[["tournament_admin of fall-2026"]])]
    issuers: Annotated[list[str], Field(description="Providers of the user's sign-in accounts.")]
    created_at: datetime
    last_seen_at: datetime | None


class Users(BaseModel):
    """The answer."""

    data: dict[Literal["users"], list[User]]


class Act(BaseModel):
    """An act of the audit log."""

    audit_id: int
    at: datetime
    who: str
    act: str
    what: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Acts(BaseModel):
    """The answer."""

    data: dict[Literal["acts"], list[Act]]


def _user(conn: psycopg.Connection, user_id: int) -> Row:
    found = [row for row in users.list_users(conn) if row["user_id"] == user_id]
    if not found:
        raise ProblemError(404, f"There is no user numbered {user_id}.")
    return found[0]


# --- API -----------------------------------------------------------------------------------------


@api.get("/users", responses={200: {"model": Users}}, summary="Users")
def all_users(request: Request, person: Admin) -> Response:
    """All users by name, with their roles."""
    with request.state.writing() as conn:
        found = users.list_users(conn)
    shown = [{name: row[name] for name in User.model_fields} for row in found]
    return json_answer({"data": {"users": shown}})


@api.post("/users", status_code=201, responses={201: {"model": Users}}, summary="Add a user")
def add_user(request: Request, person: Admin, body: NewUser) -> Response:
    """Add a user, who first signs in by a one-time link."""
    with request.state.writing() as conn:
        row = users.add_user(conn, person, body.name)
    return json_answer({"data": {"users": [{name: row[name] for name in User.model_fields}]}}, 201)


def _change_role(request: Request, person: Person, user_id: int, body: Place, change: Callable[..., bool]) -> Response:
    with request.state.writing() as conn:
        change(conn, person, _user(conn, user_id), body.role, body.season_id, body.division_id)
        row = _user(conn, user_id)
    return json_answer({"data": {"users": [{name: row[name] for name in User.model_fields}]}})


@api.put("/users/{user_id}/roles", responses={200: {"model": Users}}, summary="Give a role")
def give_role(request: Request, person: Admin, user_id: UserId, body: Place) -> Response:
    """Give a user a role; nothing changes if the user has it."""
    return _change_role(request, person, user_id, body, users.give_role)


@api.delete("/users/{user_id}/roles", responses={200: {"model": Users}}, summary="Take a role")
def take_role(request: Request, person: Admin, user_id: UserId, asked: Annotated[Place, Query()]) -> Response:
    """Take a role from a user; nothing changes if the user lacks it."""
    return _change_role(request, person, user_id, asked, users.take_role)


@api.get("/audit", responses={200: {"model": Acts}}, summary="The audit log")
def audit_log(
    request: Request,
    person: Admin,
    before_id: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Only acts before this one.")] = None,
    about: Annotated[
        str | None, Query(max_length=200, description="Only acts or things that contain this text.")
    ] = None,
) -> Response:
    """The newest hundred acts of admins, or those before `before_id`."""
    with request.state.writing() as conn:
        found = audited(conn, before_id=before_id, most=_ACTS, about=_text(about))
    return json_answer({"data": {"acts": found}})


def _text(text: str | None) -> str | None:
    return text.replace("\0", "") if text else None


# --- pages ---------------------------------------------------------------------------------------


@pages.get("")
def home(request: Request, person: Anyone) -> Response:
    """Redirects to the first admin page of a game."""
    first = next((section for game in request.state.games for section in game.admin), ("/admin/users", ""))
    return RedirectResponse(first[0], 303, {"Cache-Control": "no-store"})


def _people(request: Request, person: Person, link: str = "", leaving: Row | None = None, **others: Any) -> Response:
    result, status = outcome(**others)
    with request.state.writing() as conn:
        found = users.list_users(conn)
        places = _places(conn)
        held = ops.rows(conn, "SELECT user_id, role, season_id, division_id FROM accounts.roles ORDER BY 1, 2")
    roles: dict[int, list[tuple[str, str]]] = {}
    words = {value: text for value, text in places}
    for each in held:
        place = _place(each["season_id"], each["division_id"])
        text = f"{each['role']} of {words.get(place, place)}" if place else each["role"]
        roles.setdefault(each["user_id"], []).append((f"{each['role']} {place}".strip(), text))
    values = {"users": found, "roles": roles, "places": places, "given": users.GIVEN_ROLES, "title": "Users and roles"}
    values |= {"link": link, "minutes": LINK_MINUTES, "leaving": leaving}
    return page(request, person, "admin_users.html", {**values, **result}, status=status)


def _place(season_id: int | None, division_id: int | None) -> str:
    return f"division {division_id}" if division_id else f"season {season_id}" if season_id else ""


def _places(conn: psycopg.Connection) -> list[tuple[str, str]]:
    """Returns seasons and divisions as pairs of value and text."""
    seasons = ops.rows(conn, "SELECT season_id, season FROM ops.seasons ORDER BY season_id DESC")
    divisions = ops.rows(conn, "SELECT division_id, season_id, division FROM ops.divisions ORDER BY division_id")
    places: list[tuple[str, str]] = []
    for season in seasons:
        places.append((f"season {season['season_id']}", season["season"]))
        own = [each for each in divisions if each["season_id"] == season["season_id"]]
        places += [(f"division {each['division_id']}", f"{season['season']}, {each['division']}") for each in own]
    return places


@pages.get("/users")
def users_page(request: Request, person: Admin) -> Response:
    """Shows users, with forms to add and remove them, give and take roles, and make sign-in links."""
    return _people(request, person)


@pages.post("/users")
def act_on_users(request: Request, person: Admin, form: Form) -> Response:
    """Adds a user, gives or takes a role, makes a one-time link, or removes a user after confirmation."""
    verb = str(form.get("act", ""))
    link, leaving, messages = "", None, []
    try:
        with request.state.writing() as conn:
            if verb == "link":
                row = _user(conn, _number(form, "user_id"))
                site: Site = request.state.site
                link = link_address(site.address(request), make_link(conn, row["user_id"]))
                audit(conn, person, "user.link", f"user {row['user_id']}")
            elif verb == "remove":
                leaving = _user(conn, _number(form, "user_id"))
            else:
                messages = _done(conn, person, form, verb)
    except ProblemError as error:
        if error.status in (401, 403):
            raise
        return _people(request, person, problem=error)
    if link or leaving:
        return _people(request, person, link=link, leaving=leaving)
    return redirect(request, "/admin/users", messages)


def _done(conn: psycopg.Connection, person: Person, form: Submitted, verb: str) -> list[str]:
    if verb == "add":
        row = users.add_user(conn, person, str(form.get("name", "")))
        return [f"{row['name']} was added and can sign in by a link."]
    row = _user(conn, _number(form, "user_id"))
    if verb == "give":
        role, place = str(form.get("role", "")), str(form.get("place", ""))
        users.give_role(conn, person, row, role, *_numbers(place))
        return [f"{row['name']} now has the role {role}."]
    if verb == "remove for good":
        users.remove_user(conn, person, row)
        return [f"{row['name']} is removed."]
    role, _, place = verb.removeprefix("take ").partition(" ")
    users.take_role(conn, person, row, role, *_numbers(place))
    return [f"{row['name']} no longer has the role {role}."]


def _numbers(place: str) -> tuple[int | None, int | None]:
    """Returns the season and division that a form names."""
    kind, _, text = place.partition(" ")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    return (number if kind == "season" else None, number if kind == "division" else None)


def _number(form: Submitted, name: str) -> int:
    text = str(form.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


@pages.get("/log")
def log_page(
    request: Request,
    person: Admin,
    before_id: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    about: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Shows the audit log, the newest act first."""
    with request.state.writing() as conn:
        found = audited(conn, before_id=before_id, most=_ACTS, about=_text(about))
        names = {f"user {row['user_id']}": row["name"] for row in users.list_users(conn)}
    next_id = found[-1]["audit_id"] if len(found) == _ACTS else None
    values = {
        "acts": found,
        "next_id": next_id,
        "about": about,
        "title": "Audit log",
        "differences": _differences,
        "names": names,
    }
    return page(request, person, "admin_log.html", values)


def _differences(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[str]:
    """Returns the differences between two states in words."""
    before, after = before or {}, after or {}
    return [
        f"{name} {_shown(before.get(name))} → {_shown(after.get(name))}"
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)[:200]
