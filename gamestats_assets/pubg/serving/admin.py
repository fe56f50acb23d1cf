"""`/api/v1/admin/tournaments`: entering tournament data, deciding on matches, tracking players."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

import psycopg
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict
from pydantic import Field as Described
from starlette.responses import Response

from gamestats_assets.pubg.players.entered import TRACKED_PLAYER
from gamestats_assets.pubg.serving import admin_lists, editables
from gamestats_assets.pubg.serving.editables import OVERRIDES, PLAYERS, ROUNDS, SLOTS
from gamestats_assets.pubg.tournament.entered import SLOT
from gamestats_assets.serving.answers.formats import json_answer
from gamestats_assets.serving.editing.editor import Edit, Editable, Editor
from gamestats_assets.serving.editing.routes import (
    DryRun,
    Edited,
    EditedAll,
    IfMatch,
    do,
    edited,
    edited_all,
    editing,
    editing_routes,
    given_of,
    model_of,
    version_of,
)
from gamestats_assets.serving.middleware.principal import Person, requires
from gamestats_assets.serving.middleware.problems import ProblemError, only_known

router = APIRouter(prefix="/admin/tournaments", tags=["tournament admins"], dependencies=[Depends(only_known)])
Admin = Annotated[Person, Depends(requires("tournament_admin", somewhere=True))]
RoundId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the round.")]
SlotId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the slot on the schedule.")]
PlayerId = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the tracked player.")]
_IDS = Annotated[int | None, Described(ge=1, le=2**63 - 1)]
_OPEN = ConfigDict(extra="forbid")

_SlotFields: Any = model_of("SlotFields", SLOTS, [SLOT.own], SLOTS.added_with, "add")
_OverrideFields: Any = model_of("OverrideFields", OVERRIDES, (), OVERRIDES.added_with, "add")
_PlayerFields: Any = model_of("PlayerFields", PLAYERS, [TRACKED_PLAYER.own], PLAYERS.added_with, "add")


class NewSlot(_SlotFields):
    """A match to add to the schedule of a round."""


class Decision(_OverrideFields):
    """A decision on a match; fields that are not given keep their derived values."""

    round_id: Annotated[_IDS, Described(description="Round it counts for, instead of season, division and round.")] = (
        None
    )
    scheduled_match_id: Annotated[_IDS, Described(description="Slot it takes, instead of round and match number.")] = (
        None
    )


class NewPlayer(_PlayerFields):
    """A player to track."""

    auto_backfill: Annotated[bool, Described(description="Whether the days before are backfilled too.")] = True
    team_id: Annotated[_IDS, Described(description="Team whose roster the player joins as well.")] = None
    valid_from: Annotated[date | None, Described(description="First day on that roster; today by default.")] = None


class Link(BaseModel):
    """A match to assign to a slot."""

    model_config = _OPEN
    match_id: Annotated[str, Described(max_length=200, examples=["2c1f6a9e-0000-4000-8000-000000000001"])]
    reason: Annotated[
        str, Described(max_length=1000, description="Reason; by default that it was assigned by hand.")
    ] = ""


class Remake(BaseModel):
    """The failure of a slot's match, with the reason."""

    model_config = _OPEN
    reason: Annotated[str, Described(min_length=1, max_length=1000, examples=["server crash"])]
    new_match_id: Annotated[str | None, Described(max_length=200, description="The match played instead.")] = None


class Delay(BaseModel):
    """Minutes by which a slot moves."""

    model_config = _OPEN
    minutes: Annotated[int, Described(ge=-10_080, le=10_080, examples=[20])]
    following: Annotated[bool, Described(description="Whether later slots of that day move too.")] = True


class RoundCopy(BaseModel):
    """A round with the schedule of another one."""

    model_config = _OPEN
    round: Annotated[int, Described(ge=1, le=999_999, description="Number of the new round.", examples=[2])]
    first_day: Annotated[date, Described(description="Its first day.", examples=["2026-10-10"])]


# --- rounds and slots ----------------------------------------------------------------------------


@router.get("/rounds/{round_id}/schedule", summary="Slots of a round")
def slots_of(request: Request, person: Admin, round_id: RoundId) -> Response:
    """Returns the slots of a round with the match of each, assigned by time or by hand."""
    with request.state.writing() as conn:
        Editor(ROUNDS, conn, person).row(round_id)
        rows = Editor(SLOTS, conn, person).rows(round_id=round_id)
        played = admin_lists.played_in(conn, round_id)
    slots = [{**SLOTS.shown(row), "played": played.get(row[SLOT.key])} for row in rows]
    return json_answer({"data": {"schedule": slots, "total_count": len(slots)}})


def _done(
    request: Request,
    of: Editable,
    dry_run: bool,
    act: Callable[..., Edit | list[Edit]],
    *given: Any,
    status: int = 200,
    **named: Any,
) -> Response:
    """Runs an act in a transaction, or only tries it; returns what was done and its consequences."""
    with request.state.writing() as conn:
        edits: list[Edit | list[Edit]] = []

        def work() -> list[Edit]:
            edits.append(found := act(conn, *given, **named))
            return found if isinstance(found, list) else [found]

        done = do(conn, of, work, dry_run=dry_run)
    answer = edited_all if isinstance(edits[0], list) else edited
    return answer(done, of, 200 if dry_run else status)


@router.post(
    "/rounds/{round_id}/schedule", status_code=201, responses={201: {"model": Edited}}, summary="Add a slot to a round"
)
def add_slot(request: Request, person: Admin, round_id: RoundId, body: NewSlot, dry_run: DryRun = False) -> Response:
    """Adds a match to the schedule of a round."""

    def act(conn: psycopg.Connection) -> Edit:
        of = Editor(ROUNDS, conn, person).row(round_id)
        names = {"season": of["season"], "division": of["division"], "group": of["group_name"]}
        return Editor(SLOTS, conn, person).add(**given_of(body), **names, round=of["round_number"])

    return _done(request, SLOTS, dry_run, act, status=201)


@router.post(
    "/rounds/{round_id}/copy", status_code=201, responses={201: {"model": EditedAll}}, summary="Copy a round's schedule"
)
def copy(request: Request, person: Admin, round_id: RoundId, body: RoundCopy, dry_run: DryRun = False) -> Response:
    """Adds a round with the schedule of this one, at the same local times of other days."""
    given = (person, round_id, body.round, body.first_day)
    return _done(request, SLOTS, dry_run, editables.copy_round, *given, status=201)


@router.post("/schedule/{slot_id}/delay", responses={200: {"model": EditedAll}}, summary="Delay a slot")
def delay(
    request: Request, person: Admin, slot_id: SlotId, body: Delay, if_match: IfMatch = None, dry_run: DryRun = False
) -> Response:
    """Moves a slot and, if requested, the later ones of that day."""
    given = (person, slot_id, version_of(if_match), body.minutes)
    return _done(request, SLOTS, dry_run, editables.delay, *given, following=body.following)


@router.post("/schedule/{slot_id}/link", responses={200: {"model": Edited}}, summary="Link a match to a slot")
def link(
    request: Request, person: Admin, slot_id: SlotId, body: Link, if_match: IfMatch = None, dry_run: DryRun = False
) -> Response:
    """Assigns a match to a slot by hand. If-Match refers to the override of the match, if it has one."""
    given = (person, slot_id, body.match_id, _version_or_none(if_match), body.reason)
    return _done(request, OVERRIDES, dry_run, editables.link, *given)


@router.delete("/schedule/{slot_id}/link", responses={200: {"model": Edited}}, summary="Unlink a slot's match")
def unlink(
    request: Request,
    person: Admin,
    slot_id: SlotId,
    reason: Annotated[str, Query(max_length=1000, description="Reason; by default that it was assigned by hand.")] = "",
    dry_run: DryRun = False,
) -> Response:
    """Removes a slot's match, whether assigned by hand or by time."""
    return _done(request, OVERRIDES, dry_run, editables.unlink, person, slot_id, reason)


@router.post("/schedule/{slot_id}/remake", responses={200: {"model": Edited}}, summary="Mark a slot's match as remade")
def remake(
    request: Request, person: Admin, slot_id: SlotId, body: Remake, if_match: IfMatch = None, dry_run: DryRun = False
) -> Response:
    """Records that the slot's match failed and is played again. It is kept but no longer counts."""
    given = (person, slot_id, version_of(if_match), body.reason, body.new_match_id)
    return _done(request, SLOTS, dry_run, editables.remake, *given)


# --- matches -------------------------------------------------------------------------------------


@router.get("/matches", responses={200: {"model": admin_lists.Validation}}, summary="Matches by validation status")
def matches(request: Request, person: Admin, asked: Annotated[admin_lists.MatchesAsked, Query()]) -> Response:
    """Returns matches with roster members or decisions, newest first, with the problems that need a person.

    With a division, matches of the season without a division are included.
    """
    with request.state.writing() as conn:
        found, total = admin_lists.matches(conn, person, asked)
    return json_answer({"data": {"matches": found, "total_count": total}})


MatchId = Annotated[str, Path(max_length=200, description="Match id as PUBG writes it.")]


@router.get("/matches/{match_id}/override", summary="The decision on a match")
def override(request: Request, person: Admin, match_id: MatchId) -> Response:
    """Returns the override of a match, with its version."""
    with editing(request, OVERRIDES, person) as editor:
        row = editor.row(match_id.lower())
    return json_answer({"data": OVERRIDES.shown(row)}, version=row["version"])


@router.put("/matches/{match_id}/override", responses={200: {"model": Edited}}, summary="Decide on a match")
def decide(
    request: Request,
    person: Admin,
    match_id: MatchId,
    body: Decision,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
) -> Response:
    """Decides on a match, replacing an earlier decision; If-Match refers to that one, if it exists."""
    given = given_of(body)
    ids = {name: given.pop(name, None) for name in ("round_id", "scheduled_match_id")}
    version = _version_or_none(if_match)

    def act(conn: psycopg.Connection) -> Edit:
        is_placed = any(value is not None for value in ids.values())
        place = editables.place_of(conn, ids["round_id"], ids["scheduled_match_id"]) if is_placed else {}
        return editables.decide(conn, person, match_id.lower(), version, **given, **place)

    return _done(request, OVERRIDES, dry_run, act)


@router.delete("/matches/{match_id}/override", responses={200: {"model": Edited}}, summary="Revoke a decision")
def undecide(
    request: Request, person: Admin, match_id: MatchId, if_match: IfMatch = None, dry_run: DryRun = False
) -> Response:
    """Removes a decision, so the derived values apply again."""
    version = version_of(if_match)
    act = lambda conn: Editor(OVERRIDES, conn, person).remove(match_id.lower(), version)  # noqa: E731
    return _done(request, OVERRIDES, dry_run, act)


def _version_or_none(if_match: str | None) -> str:
    return "" if if_match is None else version_of(if_match)


# --- tracked players -----------------------------------------------------------------------------


@router.get("/players/preview", responses={200: {"model": admin_lists.Preview}}, summary="Known facts about a player")
def preview(
    request: Request,
    person: Admin,
    name: Annotated[str, Query(min_length=1, max_length=100, description="In-game name or account id.")],
    days: Annotated[int, Query(ge=0, le=3650, description="Number of days back from today.")] = 180,
) -> Response:
    """Returns the number of a player's matches, and of those with telemetry, before the player is added."""
    with request.state.writing() as conn:
        return json_answer({"data": admin_lists.preview(conn, name, days)})


@router.post("/players", status_code=201, responses={201: {"model": EditedAll}}, summary="Track a player")
def track(request: Request, person: Admin, body: NewPlayer, dry_run: DryRun = False) -> Response:
    """Tracks a player and, if a team is given, adds the player to its roster."""
    return _done(request, PLAYERS, dry_run, editables.track, person, status=201, **given_of(body))


@router.delete("/players/{player_id}", responses={200: {"model": Edited}}, summary="Stop tracking a player")
def untrack(
    request: Request, person: Admin, player_id: PlayerId, if_match: IfMatch = None, dry_run: DryRun = False
) -> Response:
    """Makes a player inactive; backfilled matches are kept. A player without known matches is removed."""
    return _done(request, PLAYERS, dry_run, editables.untrack, person, player_id, version_of(if_match))


@router.get("/backfills", responses={200: {"model": admin_lists.Backfills}}, summary="Backfills and their progress")
def backfills(
    request: Request,
    person: Admin,
    state: Annotated[Literal["all", "unfinished"], Query(description="Whether finished ones are included.")] = "all",
) -> Response:
    """Returns the backfills of tracked players, newest first."""
    with editing(request, PLAYERS, person) as editor:
        found = admin_lists.backfills(editor.conn, [row["tracked_player_id"] for row in editor.rows()])
    shown = [row for row in found if state == "all" or row["state"] not in ("completed", "cancelled")]
    return json_answer({"data": {"backfills": shown, "total_count": len(shown)}})


@router.get(
    "/players/{player_id}/backfill", responses={200: {"model": admin_lists.Backfills}}, summary="A player's backfills"
)
def backfill(request: Request, person: Admin, player_id: PlayerId) -> Response:
    """Returns the backfills of a tracked player, newest first."""
    with editing(request, PLAYERS, person) as editor:
        editor.row(player_id)
        found = admin_lists.backfills(editor.conn, [player_id])
    return json_answer({"data": {"backfills": found, "total_count": len(found)}})


@router.post("/players/{player_id}/backfill", status_code=201, summary="Backfill a player's history")
def start_backfill(request: Request, person: Admin, player_id: PlayerId, body: admin_lists.NewBackfill) -> Response:
    """Requests days of history."""
    with request.state.writing() as conn:
        row = Editor(PLAYERS, conn, person).hold(player_id)
        number = admin_lists.start(conn, person, row, body)
        found = admin_lists.backfills(conn, [player_id])
    return json_answer({"data": next(each for each in found if each["backfill_id"] == number)}, 201)


@router.delete("/players/{player_id}/backfill", summary="Cancel a player's backfills")
def cancel_backfill(request: Request, person: Admin, player_id: PlayerId) -> Response:
    """Cancels every unfinished backfill of a player; backfilled matches are kept."""
    with request.state.writing() as conn:
        row = Editor(PLAYERS, conn, person).hold(player_id)
        cancelled = admin_lists.cancel(conn, person, row)
    if not cancelled:
        raise ProblemError(409, f"{row['player_name']} has no active backfill.")
    return json_answer({"data": {"cancelled": cancelled}})


# Fixed routes come before those with keys.
for _of in editables.ALL:
    router.include_router(editing_routes(_of, without=("add", "remove") if _of is PLAYERS else ()))
