"""Pages about people's data: settings, the privacy notice, objections, and the progress of removals.

They work without JavaScript: a form returns to its page, which shows what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from gamestats_assets.rocket_league.privacy.consents import BALLCHASING, PURPOSES, newest_text
from gamestats_assets.rocket_league.reference.playlists import playlist_name
from gamestats_assets.rocket_league.reference.ranks import TIER_IDS, playlists, rank_name
from gamestats_assets.rocket_league.serving.context import own_account
from gamestats_assets.rocket_league.serving.pages import page
from gamestats_assets.rocket_league.serving.players import profile
from gamestats_assets.rocket_league.serving.privacy import decisions as privacy
from gamestats_assets.rocket_league.serving.privacy import objections
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.serving.accounts import invitations, players, sessions
from gamestats_assets.serving.accounts.views import VIEW_DAYS, views_of
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.editing.pages import Form, Submitted, redirect
from gamestats_assets.serving.editing.pages import page as admin_page
from gamestats_assets.serving.middleware.principal import (
    Person,
    SignedIn,
    caller,
    guards_itself,
    maybe_signed_in,
    public,
    refuse_other_origins,
)
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.middleware.site import NO_STORE, SIGN_IN, set_cookie
from gamestats_assets.serving.pages.rendering import Pages
from gamestats_assets.serving.people import routes as linking
from gamestats_assets.serving.people.own import OfPlayer, Scope, scope_of

SETTINGS, PRIVACY, OBJECTION, ERASURE = "/rocket-league/settings", "/privacy", "/objection", "/erasure"
ADMIN = "/admin/objections"
router = APIRouter()
_VISIBILITIES = ("private", "unlisted", "public")
_DONE = ("accounts", "claimed", "consents", "rank", "profile", "invited", "coach", "export")


# --- settings ------------------------------------------------------------------------------------


@router.get(SETTINGS, dependencies=[Depends(guards_itself)])
async def settings_page(request: Request, done: Annotated[str, Query(max_length=20)] = "") -> Response:
    """The settings; visitors sign in first."""
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
    shown = await run_in_threadpool(_held, request, person, scope)
    errors = {each["name"]: each["message"] for each in problem.errors} if problem else {}
    values = {**shown, "saved": done, "problem": problem and problem.detail, "errors": errors, "invited": invited}

    async def make(conn: Connection, scope: Scope) -> Mapping[str, Any]:
        return values

    return await page(
        request, person, "rocket_league/settings.html", asked, make, tables=(), holds="never", needs_player=False
    )


def _held(request: Request, person: Person, scope: Scope) -> dict[str, Any]:
    """Returns the values of the page."""
    with request.state.writing() as conn:
        consents = privacy.consents_of(conn, request.state.landing, person)
        own = next((each for each in consents if each["player_id"] == scope.player), None)
        return {
            "accounts": players.players_of(conn, person.user_id, GAME),
            "own": own,
            "texts": privacy.newest_texts(),
            "text_version": newest_text(),
            "ballchasing": BALLCHASING,
            "ranks": profile.entered_ranks(conn, scope.player or "") if own else [],
            "playlists": [(name, playlist_name(name)) for name in playlists()],
            "tiers": [(tier, rank_name(number)) for number, tier in enumerate(TIER_IDS, 1)],
            "email": profile.email_of(conn, request.state.keys, [scope.player or ""]) if own else None,
            "invitations": invitations.invitations_of(conn, person.user_id),
            "views": views_of(conn, person.user_id),
            "view_days": VIEW_DAYS,
            "exports": privacy.exports_of(conn, request, person),
            "days": request.state.settings.export_days,
            "is_fresh": sessions.is_fresh(conn, caller(request).session_id),
            "minutes": sessions.FRESH_MINUTES,
            "synthetic": False,
        }


Work = Callable[[Request, Person, str, Submitted], str | None]
"""Handles a form, for one of the user's accounts; returns what was done, if it differs from the usual."""


def _does(part: str, done: str, *, needs_account: bool = True) -> Callable[[Work], Work]:
    """Returns a decorator that handles a part's form with a function; the page then shows the result or the problem.

    Args:
        done: what the page shows.
        needs_account: whether it is about an account; if not, the function gets an empty one.
    """

    def declare(work: Work) -> Work:
        @router.post(f"{SETTINGS}/{part}", name=work.__name__)
        async def endpoint(request: Request, person: SignedIn, form: Form) -> Response:
            account = await own_account(request, person, request.query_params.get("player")) if needs_account else ""
            try:
                what = await run_in_threadpool(work, request, person, account, form) or done
            except ProblemError as error:
                if error.status in (401, 403):
                    raise
                return await _settings(request, person, problem=error)
            return _saved(request, what, part)

        return work

    return declare


def _saved(request: Request, what: str, part: str) -> Response:
    """Returns a redirect to a part of the page, which shows what was done."""
    player = request.query_params.get("player")
    query = urlencode({"done": what, **({"player": player} if player else {})})
    return RedirectResponse(f"{SETTINGS}?{query}#{part}", 303, NO_STORE)


def _number(text: str, digits: int) -> int | None:
    """Returns a whole number from a form; None if it is none or has too many digits."""
    return int(text) if text.isdecimal() and len(text) <= digits else None


@_does("accounts", "accounts", needs_account=False)
def change_accounts(request: Request, person: Person, account: str, form: Submitted) -> str | None:
    """Add an account, or remove one."""
    player = str(form.get("account", ""))
    if form.get("act") == "take":
        linking.take_player(request, person, player, GAME)
        return None
    return None if linking.add_player(request, person, player, GAME) else "claimed"


@_does("consents", "consents")
def change_consents(request: Request, person: Person, account: str, form: Submitted) -> None:
    """Allow the ticked purposes, and nothing else."""
    given: dict[str, Any] = {purpose: form.get(purpose) == "true" for purpose in (*PURPOSES, "take_me_back")}
    visibility = form.get("share_at_ballchasing", "")
    given["share_at_ballchasing"] = visibility if visibility in _VISIBILITIES else None
    given["text_version"] = _number(str(form.get("text_version", "")), 5)
    with request.state.writing() as conn:
        privacy.give_consents(conn, request, person, account, given)


@_does("ranks", "rank")
def change_ranks(request: Request, person: Person, account: str, form: Submitted) -> None:
    """Enter a rank, or remove one."""
    playlist, division = str(form.get("playlist", "")), str(form.get("division", ""))
    if form.get("act") == "take":
        profile.take_back_rank(request, account, playlist)
        return
    divided = int(division) if division in ("1", "2", "3", "4") else None
    rank = str(form.get("rank", ""))
    profile.tell_rank(
        request, account, profile.RankGiven.model_construct(playlist=playlist, rank=rank, division=divided)
    )


@_does("profile", "profile")
def change_profile(request: Request, person: Person, account: str, form: Submitted) -> None:
    """Change the name, the e-mail address, or the retention."""
    given: dict[str, Any] = {name: str(form[name]) for name in ("username", "email") if name in form}
    if days := str(form.get("retention_days", "")):
        # 0 is refused with the entry's own message.
        given["retention_days"] = _number(days, 6) or 0
    with request.state.writing() as conn:
        profile.change_profile(conn, request, person, account, given)


@_does("export", "export", needs_account=False)
def ask_export(request: Request, person: Person, account: str, form: Submitted) -> None:
    """Request an archive of all data."""
    with request.state.writing() as conn:
        privacy.ask_export(conn, person)


@router.post(f"{SETTINGS}/coach")
async def change_coaches(request: Request, person: SignedIn, form: Form) -> Response:
    """Invite a coach, with a link that is shown once; or remove an invitation."""
    try:
        if form.get("act") != "take":
            invited = await run_in_threadpool(linking.invitation_of, request, person, GAME)
            return await _settings(request, person, invited=invited)
        number = _number(str(form.get("invitation_id", "")), 18) or 0
        await run_in_threadpool(linking.end_invitation, request, person, number)
    except ProblemError as error:
        return await _settings(request, person, problem=error)
    return _saved(request, "coach", "coach")


@router.post(f"{SETTINGS}/erase")
async def erase(request: Request, person: SignedIn, form: Form) -> Response:
    """Remove everything; the next page shows the progress and needs no session."""
    if form.get("sure") != "true":
        message = "Tick the box to confirm: removed data cannot be restored."
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


@router.get(f"{ERASURE}/{{job_id}}", dependencies=[Depends(public)])
def erasure_page(request: Request, job_id: UUID) -> Response:
    """Progress of a removal, for anyone with the address."""
    pages: Pages = request.state.pages
    values = {"erasure": privacy.erasure(request, job_id)}
    return pages.personal(request, "rocket_league/erasure.html", values)


@router.get(PRIVACY, dependencies=[Depends(public)])
def privacy_page(request: Request) -> Response:
    """The privacy notice: which data are stored, why and for how long, and the rights of people."""
    pages: Pages = request.state.pages
    settings = request.state.settings
    values = {"texts": privacy.newest_texts(), "settings": settings, "session_days": sessions.SESSION_DAYS}
    return pages.personal(request, "rocket_league/privacy.html", values)


@router.get(OBJECTION, dependencies=[Depends(public)])
def objection_page(request: Request) -> Response:
    """The form for objections of people without an account."""
    return _objection(request)


def _objection(
    request: Request, given: Submitted | None = None, problem: ProblemError | None = None, number: int | None = None
) -> Response:
    pages: Pages = request.state.pages
    errors = {each["name"]: each["message"] for each in problem.errors} if problem else {}
    values = {"given": given or {}, "received": number, "errors": errors, "problem": problem and problem.detail}
    values |= {"longest": objections.LONGEST_REASON, "longest_contact": objections.LONGEST_CONTACT}
    return pages.personal(request, "rocket_league/objection.html", values, status=problem.status if problem else 200)


@router.post(OBJECTION, dependencies=[Depends(public)])
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
    """Objections, and the progress of removals."""
    return _objections(request, person)


def _objections(request: Request, person: Person, problem: ProblemError | None = None) -> Response:
    with request.state.writing(sees_all=True) as conn:
        work = objections.objections_of(conn, request.state.keys)
    values: dict[str, Any] = {**work, "title": "Objections", "problem": problem and problem.detail}
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
                number = _number(which, 18) or 0
                is_granted, note = verb == "grant", str(form.get("note", ""))[:2000]
                objections.decide(conn, request.state.keys, person, number, is_granted=is_granted, note=note)
                message = (
                    f"Objection {number} is {'granted: the player is being forgotten' if is_granted else 'refused'}."
                )
    except ProblemError as error:
        return _objections(request, person, error)
    return redirect(request, ADMIN, [message])


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ProblemError(404, objections.NOTHING_TO_TRY) from None


SECTIONS: Sequence[tuple[str, str]] = ((ADMIN, "Objections"),)
"""Section of the admins' part."""
