"""`/api/v1/users/players` and `/users/invitations`: a user's accounts of games, and who may see the user's pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import psycopg
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gamestats_assets.serving.accounts import invitations, players, users
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.game import Game, PlayerAccounts
from gamestats_assets.serving.middleware.principal import Person, SignedIn
from gamestats_assets.serving.middleware.problems import ProblemError, only_known
from gamestats_assets.serving.middleware.site import Site
from gamestats_assets.serving.sign_in.providers import Provider

router = APIRouter(prefix="/users", tags=["users"], dependencies=[Depends(only_known)])
INVITATION = "/invitation"
"""The page on which an invitation is accepted."""
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_GameName = Annotated[
    str | None,
    Field(
        max_length=60,
        description="Name of the game; by default the one with accounts.",
        examples=["rocket_league"],
    ),
]


OwnPlayer = Annotated[str, Path(max_length=200, description="The account, as it is listed.")]


class Player(BaseModel):
    """An account of a game."""

    game: Annotated[str, Field(examples=["rocket_league"])]
    player_id: Annotated[str, Field(examples=["steam_76561190000000001"])]
    state: Annotated[
        Literal["linked", "claimed"], Field(description="linked; or claimed without proof, until an admin decides.")
    ]
    told_by: Literal["sign_in", "person", "admin", "command_line"]
    created_at: datetime
    decided_at: datetime | None


class Players(BaseModel):
    """The answer."""

    data: dict[Literal["players"], list[Player]]


class ClaimedPlayer(BaseModel):
    """An account that a user claims."""

    model_config = ConfigDict(extra="forbid")
    player: Annotated[_Name, Field(description="Platform and account.", examples=["xbox:70cf8d6afd010900"])]
    game: _GameName = None


class Invitation(BaseModel):
    """An invitation."""

    invitation_id: int
    game: str
    is_mine: Annotated[bool, Field(description="Whether you sent it; else you received it.")]
    name: Annotated[str | None, Field(description="Name of the other user; null until it is accepted.")]
    created_at: datetime
    accepted_at: datetime | None
    expires_at: Annotated[datetime | None, Field(description="When it expires.")]


class Invitations(BaseModel):
    """The answer."""

    data: dict[Literal["invitations"], list[Invitation]]


class NewInvitation(BaseModel):
    """An invitation with the address that accepts it."""

    invitation_id: int
    address: Annotated[str, Field(description="Address of the page on which it is accepted; shown only once.")]
    token: str
    days: Annotated[int, Field(description="Days until it expires.")]


class Invited(BaseModel):
    """The answer."""

    data: NewInvitation


class Asked(BaseModel):
    """Of which game."""

    model_config = ConfigDict(extra="forbid")
    game: _GameName = None


class Accepted(BaseModel):
    """The token that accepts an invitation."""

    model_config = ConfigDict(extra="forbid")
    token: Annotated[_Name, Field(description="The token in the invitation's address.", examples=["aBk3Wf..."])]


# --- shared with pages ---------------------------------------------------------------------------


def game_with_accounts(games: Sequence[Game], name: str | None = None) -> tuple[Game, PlayerAccounts]:
    """Returns the game of a name, or the only one that has accounts.

    Raises:
        ProblemError: 422 if there is none.
    """
    known = {game.name: (game, game.accounts) for game in games if game.accounts is not None}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name not in known:
        message = f"Name one of the games that have accounts: {', '.join(known) or 'there is none'}."
        raise ProblemError(422, message, errors=[{"name": "game", "message": message}])
    return known[name]


def add_player(request: Request, person: Person, player: str, game: str | None = None) -> bool:
    """Links an account if the person signs in with it, else claims it; returns whether it is linked.

    Raises:
        ProblemError: 409 if another user has proved to own it, 422 if it is no valid account.
    """
    of, accounts = game_with_accounts(request.state.games, game)
    with request.state.writing() as conn:
        player_id = accounts.player_id(player)
        if player_id in proved(request, conn, person, accounts):
            players.link_player(conn, of, person.user_id, player_id, "sign_in")
            return True
        players.claim_player(conn, of, person.user_id, player_id)
        return player_id in person.players.get(of.name, ())


def proved(request: Request, conn: psycopg.Connection, person: Person, accounts: PlayerAccounts) -> set[str]:
    """Returns the accounts of a game that a person signs in with."""
    providers: dict[str, Provider] = request.state.providers
    platforms = {each.issuer: each.platform for each in providers.values() if each.platform in accounts.platforms}
    return {
        accounts.player_id(f"{platforms[row['issuer']]}:{row['subject']}")
        for row in users.identities_of(conn, request.state.keys, person.user_id)
        if row["issuer"] in platforms
    }


def take_player(request: Request, person: Person, player: str, game: str | None = None) -> None:
    """Unlinks an account of a person, or withdraws a claim.

    Raises:
        ProblemError: 404 if the person has no such account.
    """
    of, _ = game_with_accounts(request.state.games, game)
    with request.state.writing() as conn:
        if not players.unlink_player(conn, of, person.user_id, player, "person"):
            raise ProblemError(404, f"You have no account {player}.")


def invitation_of(request: Request, person: Person, game: str | None = None) -> NewInvitation:
    """Makes an invitation to see a person's pages.

    Raises:
        ProblemError: 409 while too many invitations are open.
    """
    of, _ = game_with_accounts(request.state.games, game)
    with request.state.writing() as conn:
        made = invitations.invite(conn, person.user_id, of.name)
    if made is None:
        raise ProblemError(409, "Too many of your invitations are open. Take some of them back first.")
    site: Site = request.state.site
    address = f"{site.address(request)}{INVITATION}?{urlencode({'token': made[1]})}"
    return NewInvitation(invitation_id=made[0], address=address, token=made[1], days=invitations.INVITATION_DAYS)


def end_invitation(request: Request, person: Person, invitation_id: int) -> None:
    """Ends an invitation that the person sent or accepted.

    Raises:
        ProblemError: 404 if it is not the person's.
    """
    with request.state.writing() as conn:
        if not invitations.take_back(conn, person.user_id, invitation_id):
            raise ProblemError(404, f"You have no invitation numbered {invitation_id}.")


def accept_invitation(request: Request, person: Person, token: str) -> None:
    """Accepts an invitation.

    Raises:
        ProblemError: 404 if it is not open.
    """
    with request.state.writing() as conn:
        if not invitations.accept(conn, person.user_id, token):
            detail = "The invitation was accepted or taken back already, is too old, or is your own. Ask for another."
            raise ProblemError(404, detail)


# --- accounts ------------------------------------------------------------------------------------


def _listed(request: Request, person: Person) -> dict[str, Any]:
    with request.state.writing() as conn:
        return {"data": {"players": players.players_of(conn, person.user_id)}}


@router.get("/players", responses={200: {"model": Players}}, summary="Your accounts")
def own_players(request: Request, person: SignedIn) -> Response:
    """Your linked and claimed accounts of games."""
    return json_answer(_listed(request, person))


@router.post("/players", status_code=201, responses={201: {"model": Players}}, summary="Add an account")
def add_own_player(request: Request, person: SignedIn, body: ClaimedPlayer) -> Response:
    """Claim an account. It is linked at once if you sign in with it; else an admin decides.

    Matches that were already collected become yours, and are analysed once you consent to it.
    """
    add_player(request, person, body.player, body.game)
    return json_answer(_listed(request, person), 201)


@router.delete("/players/{player}", status_code=204, summary="Unlink an account")
def take_own_player(request: Request, person: SignedIn, player: OwnPlayer) -> None:
    """Unlink an account or withdraw a claim; your consents for the account end."""
    take_player(request, person, player)


# --- invitations ---------------------------------------------------------------------------------


@router.get("/invitations", responses={200: {"model": Invitations}}, summary="Invitations")
def own_invitations(request: Request, person: SignedIn) -> Response:
    """Invitations to your pages, and those to the pages of others that you accepted."""
    with request.state.writing() as conn:
        return json_answer({"data": {"invitations": invitations.invitations_of(conn, person.user_id)}})


@router.post("/invitations", status_code=201, responses={201: {"model": Invited}}, summary="Invite a coach")
def add_invitation(request: Request, person: SignedIn, body: Asked | None = None) -> Response:
    """Make an invitation link. The first user who accepts may see your pages, but change nothing, until you end it."""
    made = invitation_of(request, person, body.game if body else None)
    return json_answer({"data": made.model_dump()}, 201)


@router.post("/invitations/accept", status_code=204, summary="Accept an invitation")
def accept_own_invitation(request: Request, person: SignedIn, body: Accepted) -> None:
    """Accept another user's invitation."""
    accept_invitation(request, person, body.token)


@router.delete("/invitations/{invitation_id}", status_code=204, summary="End an invitation")
def take_invitation(
    request: Request,
    person: SignedIn,
    invitation_id: Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the invitation, from the list.")],
) -> None:
    """End an invitation that you sent or accepted."""
    end_invitation(request, person, invitation_id)
