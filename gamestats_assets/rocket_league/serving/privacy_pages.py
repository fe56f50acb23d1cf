"""Pages about what is held on people: their settings, what is held and why, objections, and how far an erasure is.

They work without JavaScript: a form goes back to the page, which tells what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from gamestats_assets.lakehouse.entries.ops import rows
from gamestats_assets.lakehouse.postgres.encryption import EncryptionKeyError
from gamestats_assets.rocket_league.entered import RANK
from gamestats_assets.rocket_league.playlists import playlist_name
from gamestats_assets.rocket_league.privacy.consents import BALLCHASING, PURPOSES, newest_text
from gamestats_assets.rocket_league.ranks import TIER_IDS, playlists, rank_name
from gamestats_assets.rocket_league.serving import objections, privacy, profile
from gamestats_assets.rocket_league.serving.context import own_account
from gamestats_assets.rocket_league.serving.pages import page
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.serving import invitations, linking, players, sessions
from gamestats_assets.serving.account import NO_STORE, set_cookie
from gamestats_assets.serving.answers import Connection
from gamestats_assets.serving.edit_pages import Form, Submitted, gone_on
from gamestats_assets.serving.edit_pages import page as admin_page
from gamestats_assets.serving.own import OfPlayer, Scope, scope_of
from gamestats_assets.serving.pages import Pages
from gamestats_assets.serving.problems import ProblemError, entry_problems
from gamestats_assets.serving.site import SIGN_IN
from gamestats_assets.serving.views import VIEW_DAYS, views_of
from gamestats_assets.serving.who import (
    Person,
    SignedIn,
    anybody,
    asking,
    asks_itself,
    maybe_signed_in,
    refuse_other_origins,
)

SETTINGS, PRIVACY, OBJECTION, ERASURE = "/rocket-league/settings", "/privacy", "/objection", "/erasure"
ADMIN = "/admin/objections"
router = APIRouter()
_VISIBILITIES = ("private", "unlisted", "public")
_DONE = ("accounts", "claimed", "consents", "rank", "profile", "invited", "coach", "export")


# --- settings ------------------------------------------------------------------------------------


@router.get(SETTINGS, dependencies=[Depends(asks_itself)])
async def settings_page(request: Request, done: Annotated[str, Query(max_length=20)] = "") -> Response:
    """What somebody decides; whoever is not signed in signs in first."""
    person = await maybe_signed_in(request)
    if person is None:
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': SETTINGS})}", 303, NO_STORE)
    return await _settings(request, person, done=done if done in _DONE else "")


async def _settings(
    request: Request,
    person: Person,
    *,
    done: str = "",
    problem: ProblemError | None = None,
    invited: linking.NewInvitation | None = None,
) -> Response:
    asked = OfPlayer(player=request.query_params.get("player") or None)
    scope = await scope_of(request, person, GAME, asked.player, needs_player=False)
    found = await run_in_threadpool(_held, request, person, scope)
    errors = {each["name"]: each["message"] for each in problem.errors} if problem else {}
    values = {**found, "saved": done, "problem": problem and problem.detail, "errors": errors, "invited": invited}

    async def make(conn: Connection, scope: Scope) -> Mapping[str, Any]:
        return values

    return await page(
        request, person, "rocket_league/settings.html", asked, make, tables=(), holds="never", needs_player=False
    )


def _held(request: Request, person: Person, scope: Scope) -> dict[str, Any]:
    """What the page shows."""
    with request.state.writing() as conn:
        consents = privacy.consents_of(conn, request.state.landing, person)
        own = next((each for each in consents if each["player_id"] == scope.player), None)
        return {
            "accounts": players.players_of(conn, person.user_id, GAME),
            "own": own,
            "texts": privacy.newest_texts(),
            "text_version": newest_text(),
            "ballchasing": BALLCHASING,
            "ranks": _ranks(conn, scope.player) if own else [],
            "playlists": [(name, playlist_name(name)) for name in playlists()],
            "tiers": [(tier, rank_name(number)) for number, tier in enumerate(TIER_IDS, 1)],
            "email": _email(request, conn, scope.player) if own else None,
            "invitations": invitations.invitations_of(conn, person.user_id),
            "views": views_of(conn, person.user_id),
            "view_days": VIEW_DAYS,
            "exports": privacy.exports_of(conn, request, person),
            "days": request.state.settings.export_days,
            "is_fresh": sessions.is_fresh(conn, asking(request).session_id),
            "minutes": sessions.FRESH_MINUTES,
            "synthetic": False,
        }


def _ranks(conn: psycopg.Connection, player_id: str | None) -> list[dict[str, Any]]:
    return [{**row, "name": rank_name(row["tier"])} for row in RANK.rows(conn, player_id=player_id)]


def _email(request: Request, conn: psycopg.Connection, player_id: str | None) -> str | None:
    found = rows(conn, "SELECT email_encrypted FROM ops.rl_players WHERE player_id = %s", [player_id])
    token = found[0]["email_encrypted"] if found else None
    try:
        return request.state.keys.decrypt(token) if token else None
    except EncryptionKeyError:
        return None


async def _done(request: Request, person: Person, what: str, anchor: str, work: Callable[[], str | None]) -> Response:
    """Do something, and go back to the page, which tells it, or what `work` says; or tell there why it cannot be."""
    try:
        what = await run_in_threadpool(work) or what
    except ProblemError as error:
        if error.status in (401, 403):
            raise
        return await _settings(request, person, problem=error)
    player = request.query_params.get("player")
    query = urlencode({"done": what, **({"player": player} if player else {})})
    return RedirectResponse(f"{SETTINGS}?{query}#{anchor}", 303, NO_STORE)


@router.post(f"{SETTINGS}/accounts")
async def change_accounts(request: Request, person: SignedIn, form: Form) -> Response:
    """Add an account, or take one back."""
    player, verb = str(form.get("account", "")), str(form.get("act", ""))

    def work() -> str | None:
        if verb == "take":
            linking.take_player(request, person, player, GAME)
            return None
        return None if linking.add_player(request, person, player, GAME) else "claimed"

    return await _done(request, person, "accounts", "accounts", work)


@router.post(f"{SETTINGS}/consents")
async def change_consents(request: Request, person: SignedIn, form: Form) -> Response:
    """Allow what is ticked, and nothing else."""
    given: dict[str, Any] = {purpose: form.get(purpose) == "true" for purpose in PURPOSES}
    visibility = str(form.get("share_at_ballchasing", ""))
    given["share_at_ballchasing"] = visibility if visibility in _VISIBILITIES else None
    given["take_me_back"] = form.get("take_me_back") == "true"
    version = str(form.get("text_version", ""))
    given["text_version"] = int(version) if version.isdecimal() and len(version) < 6 else None
    player = await own_account(request, person, request.query_params.get("player"))

    def work() -> None:
        with entry_problems(), request.state.writing() as conn:
            privacy.give_consents(conn, request, person, player, given)

    return await _done(request, person, "consents", "consents", work)


@router.post(f"{SETTINGS}/ranks")
async def change_ranks(request: Request, person: SignedIn, form: Form) -> Response:
    """Tell a rank, or take one back."""
    player = await own_account(request, person, request.query_params.get("player"))
    playlist, division = str(form.get("playlist", "")), str(form.get("division", ""))

    def work() -> None:
        if form.get("act") == "take":
            profile.take_back_rank(request, player, playlist)
            return
        divided = int(division) if division in ("1", "2", "3", "4") else None
        rank = str(form.get("rank", ""))
        entry = profile.RankGiven.model_construct(playlist=playlist, rank=rank, division=divided)
        profile.tell_rank(request, player, entry)

    return await _done(request, person, "rank", "ranks", work)


@router.post(f"{SETTINGS}/profile")
async def change_profile(request: Request, person: SignedIn, form: Form) -> Response:
    """Change the name, the e-mail address, or how long matches are kept."""
    days = str(form.get("retention_days", ""))
    given: dict[str, Any] = {name: str(form[name]) for name in ("username", "email") if name in form}
    if days:
        # What is no number of days is refused with its own words.
        given["retention_days"] = int(days) if days.isdecimal() and len(days) < 7 else 0
    player = await own_account(request, person, request.query_params.get("player"))

    def work() -> None:
        with entry_problems(), request.state.writing() as conn:
            profile.change_profile(conn, request, person, player, given)

    return await _done(request, person, "profile", "profile", work)


@router.post(f"{SETTINGS}/coach")
async def change_coaches(request: Request, person: SignedIn, form: Form) -> Response:
    """Invite a coach, whose link is shown once; or take an invitation back."""
    number = str(form.get("invitation_id", ""))
    if form.get("act") == "take":
        taken = int(number) if number.isdecimal() and len(number) < 19 else 0
        work = lambda: linking.end_invitation(request, person, taken)  # noqa: E731
        return await _done(request, person, "coach", "coach", work)
    try:
        invited = await run_in_threadpool(linking.invitation_of, request, person, GAME)
    except ProblemError as error:
        return await _settings(request, person, problem=error)
    return await _settings(request, person, invited=invited)


@router.post(f"{SETTINGS}/export")
async def ask_export(request: Request, person: SignedIn) -> Response:
    """Have an archive of everything made."""

    def work() -> None:
        with request.state.writing() as conn:
            privacy.ask_export(conn, person)

    return await _done(request, person, "export", "export", work)


@router.post(f"{SETTINGS}/erase")
async def erase(request: Request, person: SignedIn, form: Form) -> Response:
    """Remove everything; the page that follows tells how far it is, and needs no session."""
    if form.get("sure") != "true":
        message = "Tick that you mean it: nothing brings back what is removed."
        return await _settings(
            request, person, problem=ProblemError(422, message, errors=[{"name": "sure", "message": message}])
        )
    try:
        job_id = await run_in_threadpool(privacy.go, request, person)
    except ProblemError as error:
        if error.status == 401:
            raise
        return await _settings(request, person, problem=error)
    answer = RedirectResponse(f"{ERASURE}/{job_id}", 303, NO_STORE)
    set_cookie(answer, request, "session", "", 0)
    return answer


# --- for everybody -------------------------------------------------------------------------------


@router.get(f"{ERASURE}/{{job_id}}", dependencies=[Depends(anybody)])
def erasure_page(request: Request, job_id: UUID) -> Response:
    """How far the removal of everything is, to whoever has the address."""
    pages: Pages = request.state.pages
    values = {"erasure": privacy.erasure(request, job_id)}
    return pages.personal(request, "rocket_league/erasure.html", values)


@router.get(PRIVACY, dependencies=[Depends(anybody)])
def privacy_page(request: Request) -> Response:
    """What is held, why, for how long; and what one can do about it."""
    pages: Pages = request.state.pages
    settings = request.state.settings
    values = {"texts": privacy.newest_texts(), "settings": settings, "session_days": sessions.SESSION_DAYS}
    return pages.personal(request, "rocket_league/privacy.html", values)


@router.get(OBJECTION, dependencies=[Depends(anybody)])
def objection_page(request: Request) -> Response:
    """The form by which somebody without an account objects."""
    return _objection(request)


def _objection(
    request: Request, given: Submitted | None = None, problem: ProblemError | None = None, number: int | None = None
) -> Response:
    pages: Pages = request.state.pages
    errors = {each["name"]: each["message"] for each in problem.errors} if problem else {}
    values = {"given": given or {}, "received": number, "errors": errors, "problem": problem and problem.detail}
    values |= {"longest": objections.LONGEST_REASON, "longest_contact": objections.LONGEST_CONTACT}
    return pages.personal(request, "rocket_league/objection.html", values, status=problem.status if problem else 200)


@router.post(OBJECTION, dependencies=[Depends(anybody)])
def objected(request: Request, form: Form) -> Response:
    """Take an objection."""
    refuse_other_origins(request)
    texts = {name: str(form.get(name, "")).strip() for name in ("player", "reason", "contact")}
    try:
        given = objections.checked(texts)
        with request.state.writing() as conn:
            number = objections.object_to(conn, request.state.keys, given)
    except ProblemError as error:
        return _objection(request, texts, error)
    return _objection(request, number=number)


# --- admins --------------------------------------------------------------------------------------


@router.get(ADMIN)
def objections_page(request: Request, person: objections.Admin) -> Response:
    """Who does not want to be in the data, and how far removals are."""
    return _objections(request, person)


def _objections(request: Request, person: Person, problem: ProblemError | None = None) -> Response:
    with request.state.writing(sees_all=True) as conn:
        found = objections.objections_of(conn, request.state.keys)
    values: dict[str, Any] = {**found, "title": "Objections", "problem": problem and problem.detail}
    return admin_page(
        request, person, "rocket_league/admin_objections.html", values, status=problem.status if problem else 200
    )


@router.post(ADMIN)
def decide_objection(request: Request, person: objections.Admin, form: Form) -> Response:
    """Grant or refuse an objection, or have a removal tried again."""
    verb, _, which = str(form.get("act", "")).partition(" ")
    try:
        with request.state.writing(sees_all=True) as conn:
            if verb == "again":
                objections.try_again(conn, person, _uuid(which))
                message = "The removal is tried again."
            else:
                number = int(which) if which.isdecimal() and len(which) < 19 else 0
                is_granted, note = verb == "grant", str(form.get("note", ""))[:2000]
                objections.decide(conn, request.state.keys, person, number, is_granted=is_granted, note=note)
                message = (
                    f"Objection {number} is {'granted: the player is being forgotten' if is_granted else 'refused'}."
                )
    except ProblemError as error:
        return _objections(request, person, error)
    return gone_on(request, ADMIN, [message])


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ProblemError(404, objections.NOTHING_TO_TRY) from None


SECTIONS: Sequence[tuple[str, str]] = ((ADMIN, "Objections"),)
"""Of the admins' part."""
