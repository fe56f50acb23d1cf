"""Claims on game accounts, for admins to decide: an API under `/api/v1/admin`, and a page."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gamestats_assets.serving.accounts import players
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.editing.pages import Form, outcome, page, redirect
from gamestats_assets.serving.middleware.principal import Person, requires
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.people.routes import game_with_accounts

api = APIRouter(prefix="/admin", tags=["admins"], dependencies=[Depends(only_known)])
pages = APIRouter(prefix="/admin", include_in_schema=False)
Admin = Annotated[Person, Depends(requires("admin"))]


class Claim(BaseModel):
    """An account that a user has, claims, or was refused."""

    user_id: int
    name: Annotated[str, Field(description="Of the user.", examples=["kim"])]
    game: Annotated[str, Field(examples=["rocket_league"])]
    player_id: Annotated[str, Field(examples=["xbox_70cf8d6afd010900"])]
    state: Literal["linked", "claimed", "refused"]
    told_by: Literal["sign_in", "person", "admin", "command_line"]
    created_at: datetime
    decided_at: datetime | None
    linked_to: Annotated[str | None, Field(description="Another user to whom it is linked.")]


class Claims(BaseModel):
    """The answer."""

    data: dict[Literal["players"], list[Claim]]


class ClaimDecision(BaseModel):
    """A decision on a user's claim."""

    model_config = ConfigDict(extra="forbid")
    user_id: Annotated[int, Field(ge=1, le=2**63 - 1, examples=[12])]
    player: Annotated[str, Field(min_length=1, max_length=200, examples=["xbox_70cf8d6afd010900"])]
    state: Annotated[Literal["linked", "refused"], Field(description="Whether the account is the user's.")]
    game: Annotated[str | None, Field(max_length=60, examples=["rocket_league"])] = None


@api.get("/players", responses={200: {"model": Claims}}, summary="Game accounts and claims")
def all_claims(request: Request, person: Admin) -> Response:
    """Linked, claimed and refused accounts of games; undecided claims come first."""
    with request.state.writing() as conn:
        return json_answer({"data": {"players": players.claims(conn)}})


@api.put("/players", responses={200: {"model": Claims}}, summary="Decide a claim")
def decide_claim(request: Request, person: Admin, body: ClaimDecision) -> Response:
    """Link a claimed account, or refuse it; refusing a linked account unlinks it."""
    _decide(request, person, body)
    with request.state.writing() as conn:
        return json_answer({"data": {"players": players.claims(conn)}})


def _decide(request: Request, person: Person, body: ClaimDecision) -> None:
    game, _ = game_with_accounts(request.state.games, body.game)
    is_right = body.state == "linked"
    with request.state.writing(sees_all=True) as conn:
        players.decide_claim(conn, person, game, body.user_id, body.player, is_right=is_right)


@pages.get("/players")
def claims_page(request: Request, person: Admin) -> Response:
    """Shows linked and claimed accounts, with buttons to decide."""
    return _page(request, person)


def _page(request: Request, person: Person, problem: ProblemError | None = None) -> Response:
    result, status = outcome(problem=problem)
    with request.state.writing() as conn:
        found = players.claims(conn)
    titles = {game.name: game.title for game in request.state.games if game.accounts is not None}
    shown = [{**claim, "account": _account(request, claim["game"], claim["player_id"])} for claim in found]
    values = {"claims": shown, "title": "Accounts of games", "titles": titles}
    return page(request, person, "admin_players.html", {**values, **result}, status=status)


def _account(request: Request, name: str, player_id: str) -> str:
    """Returns an account as people write it, or its id if its game is no longer served."""
    return next((game.account(player_id) for game in request.state.games if game.name == name), player_id)


@pages.post("/players")
def act_on_claims(request: Request, person: Admin, form: Form) -> Response:
    """Decide of one."""
    user_id, _, player = str(form.get("of", "")).partition(" ")
    state = "linked" if form.get("act") == "link" else "refused"
    number = int(user_id) if user_id.isascii() and user_id.isdigit() and len(user_id) < 19 else 0
    body = ClaimDecision.model_construct(user_id=number, player=player, state=state, game=str(form.get("game", "")))
    try:
        _decide(request, person, body)
    except ProblemError as error:
        if error.status in (401, 403):
            raise
        return _page(request, person, error)
    return redirect(request, "/admin/players", [f"{_account(request, body.game or '', player)} is {state}."])
