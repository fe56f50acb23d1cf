"""What a person does on the pages: logging training, taking it out. Forms that work without JavaScript;
each goes back to the page that it came from, which tells what was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from gamestats_assets.rocket_league.serving import pages, training
from gamestats_assets.rocket_league.serving.context import own_account
from gamestats_assets.rocket_league.serving.pages import HOME, OfTraining
from gamestats_assets.serving.account import NO_STORE
from gamestats_assets.serving.problems import ProblemError
from gamestats_assets.serving.site import own_path
from gamestats_assets.serving.who import SignedIn

router = APIRouter(prefix=HOME)
Text = Annotated[str, Form(max_length=300)]


def back(path: str, done: str) -> Response:
    """Back to a page of ours, which tells what was done."""
    place = own_path(path) if path else HOME
    return RedirectResponse(f"{place}{'&' if '?' in place else '?'}done={done}", 303, NO_STORE)


@router.post("/training")
async def log_session(
    request: Request,
    person: SignedIn,
    minutes: Text = "",
    code: Text = "",
    skill: Text = "",
    attempts: Text = "",
    successes: Text = "",
    player: Text = "",
    next: Text = "",
) -> Response:
    """Log what was trained."""
    given = {"code": code, "skill": skill, "minutes": minutes, "attempts": attempts, "successes": successes}
    asked = OfTraining(player=player or None)
    try:
        own = await own_account(request, person, player or None)
        session = _session(given)
        await run_in_threadpool(training.log_session, request, own, session)
    except ProblemError as wrong:
        if wrong.status not in (409, 422):
            raise
        return await pages.training_page(request, person, asked, _named(wrong), given)
    return back(next or f"{HOME}/training", "logged")


def _session(given: Mapping[str, str]) -> training.SessionGiven:
    """A session as the API takes it, of what stands in the form.

    Raises:
        ProblemError: 422 that names what is wrong.
    """
    fields: dict[str, Any] = {name: value for name, value in given.items() if value and name != "minutes"}
    try:
        seconds = round(60 * float(given["minutes"]))
    except (ValueError, OverflowError):
        wrong = [{"name": "minutes", "message": "Say how long it was, in minutes, such as 20."}]
        raise ProblemError(422, wrong[0]["message"], errors=wrong) from None
    try:
        return training.SessionGiven.model_validate({**fields, "duration_s": seconds})
    except ValidationError as wrong:
        errors = [{"name": str(each["loc"][0]), "message": each["msg"]} for each in wrong.errors()]
        raise ProblemError(422, errors[0]["message"], errors=errors) from None


def _named(wrong: ProblemError) -> ProblemError:
    """Of what is wrong the fields as the form has them."""
    errors = [{**each, "name": {"duration_s": "minutes"}.get(each["name"], each["name"])} for each in wrong.errors]
    return ProblemError(wrong.status, wrong.detail, errors=errors)


@router.post("/training/{training_session_id}/remove")
def take_out(request: Request, person: SignedIn, training_session_id: int) -> Response:
    """Take a session out."""
    training.take_back_session(request, person, training_session_id)
    return back(f"{HOME}/training", "taken")
