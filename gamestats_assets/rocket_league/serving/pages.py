"""Pages of a player: the dashboard, skills, playlists, comparison, training, packs and replays, and their forms.

Each is made of the functions that answer the API and of `standings`. They are about one of the person's own accounts,
or about one of somebody who let the person see it (`player`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, ValidationError
from starlette.responses import RedirectResponse, Response

from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.analysis.skills import SKILL_FEATURES
from gamestats_assets.rocket_league.analysis.training_packs import CATEGORIES
from gamestats_assets.rocket_league.identities import written_id
from gamestats_assets.rocket_league.serving import analytics, replay, replays, standings, training
from gamestats_assets.rocket_league.serving.context import Chosen, OfPlaylist, choose, own_account, playlists_of
from gamestats_assets.rocket_league.serving.standings import Standing
from gamestats_assets.rocket_league.serving.uploads import Refused, take_uploads, uploads_of
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.rocket_league.tables import Matches, TrainingPacks, Users
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.rocket_league.tables.replays import KINDS_OF_MOMENT, MISTAKES
from gamestats_assets.serving.answers.lines import are_published, rows_of
from gamestats_assets.serving.answers.routes import Name, ask, asked_of
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import Person, SignedIn, maybe_signed_in, public
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.middleware.site import NO_STORE, own_path
from gamestats_assets.serving.pages.rendering import Pages, Place
from gamestats_assets.serving.people.own import Holds, OfPlayer, Scope, own_page, reading, scope_of

HOME = "/rocket-league"
router = APIRouter(prefix=HOME)
SECTIONS = (
    (HOME, "dashboard"),
    (f"{HOME}/replays", "replays"),
    (f"{HOME}/training", "training"),
    (f"{HOME}/compare", "compare"),
    (f"{HOME}/clips", "clips"),
    (f"{HOME}/settings", "settings"),
)
TABLES = (*standings.TABLES, Matches, TrainingPacks, Users)
MINUTES = (10, 20, 30, 60)
"""Lengths of a session that is logged by one more click."""
_RECENT = 8
Text = Annotated[str, Form(max_length=300)]
SEND_PATH = f"{HOME}/replays"
"""Where a form sends replays to."""
_SHOWN = 8
Read = TypeVar("Read")
Maker = Callable[[Connection, Scope], Awaitable[Mapping[str, Any]]]


def back(path: str, done: str) -> Response:
    """Back to a page of ours, which tells what was done."""
    place = own_path(path) if path else HOME
    return RedirectResponse(f"{place}{'&' if '?' in place else '?'}done={done}", 303, NO_STORE)


async def page(
    request: Request,
    person: Person,
    template: str,
    asked: OfPlayer,
    make: Maker,
    *,
    tables: Sequence[type[Table]] = TABLES,
    holds: Holds = "player",
    needs_player: bool = True,
    entered: object = None,
) -> Response:
    """A page in the shell of a player's pages.

    Args:
        make: gives what is the page's own; it is not asked about somebody without an account, whom the page tells how
            to begin.
        entered: what people entered that it is made of; see `own_page`.
    """
    if asked.player is None and not person.players.get(GAME):
        # How far such a person is was entered, and nothing tells when that changes.
        holds = "never"

    async def values(conn: Connection, scope: Scope) -> dict[str, Any]:
        found = await seen(conn, scope)
        whom = next((each for each in found if each["player_id"] == scope.player), None)
        shell = {"sections": SECTIONS, "seen": found, "whom": whom, "to": leading(asked.player), "linked": True}
        shell["done"] = request.query_params.get("done")
        if scope.player is None and needs_player:
            return {**shell, "steps": await steps(conn, scope), "synthetic": False}
        return {**shell, "steps": None, **await make(conn, scope)}

    return await own_page(request, person, GAME, template, asked, values, tables=tables, holds=holds, entered=entered)


@dataclass(frozen=True, slots=True)
class Entered:
    """What was entered of a player that pages are made of.

    Attributes:
        sessions: what was trained, the oldest first.
        begins: how far the player is; see `steps`.
        done: what a page is to tell that was done.
    """

    sessions: Sequence[Row]
    begins: Row
    done: str | None


async def entered_of(request: Request, person: Person, asked: OfPlayer) -> Entered:
    """What was entered of the player whom a page is about."""

    async def read(conn: Connection, scope: Scope) -> Entered:
        trained = await standings.sessions(conn, scope.player) if scope.player else []
        return Entered(trained, await steps(conn, scope), request.query_params.get("done"))

    return await entered_by(request, person, asked, read)


async def entered_by(
    request: Request, person: Person, asked: OfPlayer, read: Callable[[Connection, Scope], Awaitable[Read]]
) -> Read:
    """What people entered, read before the page that is made of it, so that this can be kept meanwhile."""
    scope = await scope_of(request, person, GAME, asked.player, needs_player=False)
    async with reading(request, scope) as conn:
        return await read(conn, scope)


def leading(player: str | None) -> Callable[..., str]:
    """What makes links that stay with a player."""

    def to(path: str, **asked: Any) -> str:
        given = {name: value for name, value in asked.items() if value is not None}
        return Place(path, given if player is None else {**given, "player": player}).link()

    return to


_NAMES = """
SELECT player_id, CASE WHEN username = player_id THEN last.name ELSE username END AS name
FROM rocket_league.users LEFT JOIN LATERAL (
    SELECT replay_data::json ->> 'player_name' AS name FROM rocket_league.matches
    WHERE matches.player_id = users.player_id ORDER BY created_at DESC LIMIT 1
) AS last ON true WHERE player_id = ANY (%s)
"""


async def seen(conn: Connection, scope: Scope) -> list[Row]:
    """The players that the person may see, own ones first, as somebody named them, or as in the last match."""
    named = await rows_of(conn, _NAMES, [[*scope.may_see]]) if await are_published(conn, Users, Matches) else []
    names = {row["player_id"]: row["name"] for row in named if row["name"]}
    return [
        {"player_id": each, "name": names.get(each, written_id(each)), "is_own": each in scope.players}
        for each in scope.may_see
    ]


_AGREED = "SELECT bool_or(consented_at IS NOT NULL) AS has FROM ops.rl_players WHERE player_id = ANY (%s)"
_SENT = """
SELECT match_id FROM ops.rl_uploads WHERE user_id = %s AND match_id IS NOT NULL ORDER BY created_at DESC LIMIT 1
"""
CLAIMED = """
SELECT player_id FROM accounts.players WHERE user_id = %s AND game = %s AND state = 'claimed' ORDER BY created_at
"""


async def steps(conn: Connection, scope: Scope) -> Row:
    """How far somebody is who begins: whether an account is linked, which wait for an administrator, whether they may
    be analysed, and the match of the last replay that was sent.
    """
    [agreed] = await rows_of(conn, _AGREED, [[*scope.players]])
    claimed = [row["player_id"] for row in await rows_of(conn, CLAIMED, [scope.user_id, GAME])]
    sent = next((row["match_id"] for row in await rows_of(conn, _SENT, [scope.user_id])), None)
    return {"is_linked": bool(scope.players), "claimed": claimed, "has_agreed": bool(agreed["has"]), "sent": sent}


async def chosen_playlist(conn: Connection, scope: Scope, playlist: str | None) -> Chosen:
    """The playlists of a player, once there is something to show of them, and the one that a page is about.

    Args:
        playlist: that one; without it the ranked one played most.

    Raises:
        ProblemError: 404 for a playlist of which no match is known.
    """
    chosen = await choose(conn, playlist, scope, standings.OWN_TABLES)
    if playlist is not None and chosen.played is None:
        raise ProblemError(404, f"No match in {playlist[:80]} is known of this player.")
    return chosen


async def standing_page(
    request: Request,
    person: Person,
    template: str,
    asked: OfPlaylist,
    make: Callable[[Connection, Scope, Entered, Standing | None], Awaitable[Mapping[str, Any]]],
) -> Response:
    """A page about how a player stands in a playlist, where one is played; `make` gives what it shows besides."""
    entered = await entered_of(request, person, asked)

    async def values(conn: Connection, scope: Scope) -> dict[str, Any]:
        chosen = await chosen_playlist(conn, scope, asked.playlist)
        of = None
        if chosen.played is not None:
            of = await standings.standing(conn, scope.player or "", chosen.played, entered.sessions)
        shown = {"playlists": chosen.playlists, "of": of, "synthetic": of is not None and of.is_simulated}
        return {**shown, **await make(conn, scope, entered, of)}

    return await page(request, person, template, asked, values, entered=entered)


# --------------------------------------------------------------------------- the dashboard


@router.get("", dependencies=[Depends(public)])
async def dashboard(request: Request) -> Response:
    """Where a player stands, what to train next, and the last replays; for anybody else what this is."""
    person = await maybe_signed_in(request)
    if person is None:
        pages: Pages = request.state.pages
        return pages.personal(request, "rocket_league/welcome.html", {})
    asked = ask(OfPlaylist, request, only_known=False)

    async def make(conn: Connection, scope: Scope, entered: Entered, of: Standing | None) -> dict[str, Any]:
        advice = (await training.recommendations(conn, OfPlayer(), scope))["data"]
        recent = await replays.recent_replays(conn, replays.NewestReplays(limit=_RECENT, player=scope.player), scope)
        return {
            "recommended": _first_of_each(advice["recommendations"]),
            "note": advice["note"],
            "slips": [] if advice["recommendations"] else await _slips(conn, scope),
            "replays": recent["data"]["replays"],
            "minutes": MINUTES,
            "begins": None if recent["data"]["replays"] else entered.begins,
        }

    return await standing_page(request, person, "rocket_league/dashboard.html", asked, make)


async def _slips(conn: Connection, scope: Scope) -> list[Row]:
    """The player's mistakes by kind, the most frequent first: what one match tells already."""
    if scope.player is None or not await are_published(conn, *replays.CLIP_TABLES):
        return []
    counted = [row for row in await rows_of(conn, _KINDS, [scope.player]) if row["kind"] in MISTAKES]
    return sorted(counted, key=lambda row: (-row["moments"], row["kind"]))


def _first_of_each(recommended: Sequence[Row], most: int = 3) -> list[Row]:
    """The first packs, at first one for each skill."""
    firsts = list({row["skill"]: row for row in reversed(recommended)}.values())
    firsts.sort(key=lambda row: row["rank"])
    return [*firsts, *(row for row in recommended if row not in firsts)][:most]


# --------------------------------------------------------------------------- a skill, a playlist, others


class OfSkill(OfPlaylist):
    """A skill of a player."""

    skill: Name


@router.get("/skills/{skill}")
async def skill(request: Request, person: SignedIn) -> Response:
    """A skill: where it stands, what shows it, how its features went, and packs that train it."""
    asked = ask(OfSkill, request, only_known=False)
    if asked.skill not in SKILLS:
        raise ProblemError(404, f"There is no skill {asked.skill[:80]}; there are {', '.join(SKILLS)}.")

    async def make(conn: Connection, scope: Scope, entered: Entered, of: Standing | None) -> dict[str, Any]:
        values: dict[str, Any] = {"skill": asked.skill, "skills": SKILLS}
        if of is None:
            return values
        names = [name for name, _ in SKILL_FEATURES[asked.skill]]
        bound = {"player": scope.player, "playlist": of.playlist, "is_simulated": of.is_simulated}
        advice = (await training.recommendations(conn, OfPlayer(), scope))["data"]
        row = next((row for row in of.skills if row["skill"] == asked.skill), None)
        return {
            **values,
            "row": row,
            "course": next((each for each in of.courses.skills if each.skill == asked.skill), None),
            "features": await standings.features(conn, bound, names, row["rank_tier"] if row else None),
            "training": next((each for each in of.training if each["skill"] == asked.skill), None),
            "packs": [row for row in advice["recommendations"] if row["skill"] == asked.skill],
            "sessions": [each for each in reversed(entered.sessions) if each["skill"] == asked.skill][:10],
            "minutes": MINUTES,
        }

    return await standing_page(request, person, "rocket_league/skill.html", asked, make)


@router.get("/playlists/{playlist}")
async def playlist(request: Request, person: SignedIn) -> Response:
    """A playlist: everything that is told of it, and what that rests on."""
    asked = ask(OfPlaylist, request, only_known=False)

    async def make(conn: Connection, scope: Scope, entered: Entered, of: Standing | None) -> dict[str, Any]:
        newest = replays.NewestReplays(limit=_RECENT, playlist=asked.playlist, player=scope.player)
        return {"replays": (await replays.recent_replays(conn, newest, scope))["data"]["replays"]}

    return await standing_page(request, person, "rocket_league/playlist.html", asked, make)


@router.get("/compare")
async def compare(request: Request, person: SignedIn) -> Response:
    """A player beside players of the rank, beside those who play most alike, and beside the own past."""
    asked = ask(OfPlaylist, request, only_known=False)

    async def make(conn: Connection, scope: Scope, entered: Entered, of: Standing | None) -> dict[str, Any]:
        data: dict[str, Any] = {"stats": [], "past": []}
        if of is not None:
            given = asked_of(OfPlaylist, {"playlist": of.playlist, "player": scope.player})
            data = (await analytics.comparison(conn, given, scope))["data"]
        allowed = of is not None or entered.begins["has_agreed"] or not scope.is_own
        return {"stats": data["stats"], "past": data["past"], "allowed": allowed}

    return await standing_page(request, person, "rocket_league/compare.html", asked, make)


# --------------------------------------------------------------------------- training


class OfTraining(OfPlaylist):
    """What was trained, from a place of the list on."""

    before: Annotated[str | None, Field(max_length=300)] = None
    code: Annotated[str | None, Field(max_length=50)] = None
    skill: Annotated[str | None, Field(max_length=50)] = None


@router.get("/training")
async def trained(request: Request, person: SignedIn) -> Response:
    """Sessions, what they did, what to train next, and a form to log one."""
    asked = ask(OfTraining, request, only_known=False)
    return await training_page(request, person, asked)


async def training_page(
    request: Request, person: Person, asked: OfTraining, wrong: ProblemError | None = None, given: Any = None
) -> Response:
    """The page of training; with what is wrong with a session that was to be logged."""

    async def read(conn: Connection, scope: Scope) -> dict[str, Any]:
        newest = asked_of(training.NewestSessions, {"player": scope.player, "before": asked.before, "limit": 20})
        return (await training.training_sessions(conn, newest, scope))["data"]

    logged = await entered_by(request, person, asked, read)
    form = {
        "given": {"code": asked.code, "skill": asked.skill, **(given or {})},
        "errors": {each["name"]: each["message"] for each in wrong.errors} if wrong else {},
        "wrong": wrong and wrong.detail,
    }

    async def make(conn: Connection, scope: Scope) -> dict[str, Any]:
        chosen = await chosen_playlist(conn, scope, asked.playlist)
        of = chosen.played
        plan = await training.suggested_session(conn, training.OfPlan(player=scope.player), scope)
        return {
            "playlists": chosen.playlists,
            "of": of and {**of, "name": "p1", "training": await standings.helped(conn, scope.player or "", of)},
            "sessions": logged["sessions"],
            "next": logged["next"],
            "plan": plan["data"],
            "packs": await rows_of(conn, _PACKS, []) if await are_published(conn, TrainingPacks) else [],
            "categories": CATEGORIES,
            "minutes": MINUTES,
            **form,
            "synthetic": of is not None and of["is_simulated"],
        }

    entered = (logged, form, request.query_params.get("done"))
    return await page(request, person, "rocket_league/training.html", asked, make, entered=entered)


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
        return await training_page(request, person, asked, _named(wrong), given)
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


_PACKS = "SELECT code, name, category FROM rocket_league.training_packs ORDER BY category, difficulty, name"


@router.get("/packs", dependencies=[Depends(public)])
async def packs(request: Request) -> Response:
    """Training packs, to be searched; for everybody."""
    asked = ask(training.SoughtPacks, request, only_known=False)
    pages: Pages = request.state.pages

    async def make(conn: Connection) -> dict[str, Any]:
        found = (await training.training_packs(conn, asked))["data"]
        return {"found": found["packs"], "total": found["total_count"], "sought": asked, "categories": CATEGORIES}

    given = asked.model_dump(exclude_defaults=True, exclude_none=True)
    return await pages.answer(request, "rocket_league/packs.html", training.PACK_TABLES, make, asked=given)


# --------------------------------------------------------------------------- replays


class OfReplays(OfPlaylist):
    """A part of the list of replays."""

    before: Annotated[str | None, Field(max_length=300)] = None


@router.get("/replays")
async def replay_list(request: Request, person: SignedIn) -> Response:
    """The matches of a player, the newest first, and what becomes of replays that were uploaded."""
    return await replay_page(request, person, ask(OfReplays, request, only_known=False))


async def replay_page(
    request: Request, person: Person, asked: OfReplays, wrong: str | None = None, refused: Sequence[Refused] = ()
) -> Response:
    """The page of matches and uploads; with what was wrong with files that were to be uploaded.

    Args:
        wrong: with all of them.
        refused: files of them that were not taken.
    """
    refusals = {"wrong": wrong, "refused": [each.model_dump() for each in refused]}

    async def read(conn: Connection, scope: Scope) -> list[Row]:
        return await uploads_of(conn, scope.user_id) if scope.is_own or scope.player is None else []

    sent = await entered_by(request, person, asked, read)

    async def make(conn: Connection, scope: Scope) -> dict[str, Any]:
        if scope.player is None:
            # What was sent can be watched before anybody is known to have played it.
            values = {"replays": [], "next": None, "found": [], "asked_for": asked, "begins": await steps(conn, scope)}
            return {**values, **refusals, "uploads": sent, "synthetic": False}
        given = {"player": scope.player, "playlist": asked.playlist, "before": asked.before, "limit": 20}
        newest = asked_of(replays.NewestReplays, {name: value for name, value in given.items() if value is not None})
        listed = (await replays.recent_replays(conn, newest, scope))["data"]
        found = await playlists_of(conn, scope.player)
        values = {"replays": listed["replays"], "next": listed["next"], "found": found, "asked_for": asked}
        values |= {"uploads": sent, "begins": None}
        return {**values, **refusals, "synthetic": bool(found) and all(row["is_simulated"] for row in found)}

    entered = (sent, refusals, request.query_params.get("done"))
    template = "rocket_league/replays.html"
    return await page(request, person, template, asked, make, needs_player=False, entered=entered)


@router.get("/uploads")
async def uploads(request: Request, person: SignedIn, done: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """What becomes of the last uploads; a part of other pages, which ask for it again while something is being done.

    Args:
        done: how many of them had ended when it was asked for the last time.
    """

    async def make(conn: Connection, scope: Scope) -> dict[str, Any]:
        found = await uploads_of(conn, scope.user_id, most=_SHOWN)
        ended = sum(each["state"] in ("done", "failed") for each in found)
        in_work = ended < len(found)
        # What has ended is told for as long as anything is being done, and once more.
        listed = found if in_work or done is not None else []
        has_new = done is not None and ended > done
        return {"uploads": listed, "in_work": in_work, "ended": ended, "has_new": has_new, "to": leading(None)}

    template = "rocket_league/uploads.html"
    return await own_page(request, person, GAME, template, OfPlayer(), make, tables=(), holds="never")


@router.post("/replays")
async def send(request: Request, person: SignedIn) -> Response:
    """Send replays from a form; what of it is refused, and why, is told there."""
    try:
        taken = await take_uploads(request, person)
    except ProblemError as wrong:
        if wrong.status not in (413, 422, 429):
            raise
        return await replay_page(request, person, OfReplays(), wrong=wrong.detail)
    if taken.refused:
        return await replay_page(request, person, OfReplays(), refused=taken.refused)
    return back(f"{HOME}/replays", "sent")


class OfClips(OfReplays):
    """Moments of a kind."""

    kind: replay.Kind = "conceded"


@router.get("/clips")
async def clips(request: Request, person: SignedIn) -> Response:
    """The player's moments of a kind over all matches that can be watched, as a list that can be played."""
    asked = ask(OfClips, request, only_known=False)
    begins = await entered_by(request, person, asked, steps)

    async def make(conn: Connection, scope: Scope) -> dict[str, Any]:
        given = asked.model_dump(exclude_none=True)
        answer = await replays.clips(conn, asked_of(replays.NewestClips, {**given, "player": scope.player}), scope)
        has_moments = await are_published(conn, *replays.CLIP_TABLES)
        counted = await rows_of(conn, _KINDS, [scope.player]) if has_moments else []
        return {
            "kinds": (*MISTAKES, *(kind for kind in KINDS_OF_MOMENT if kind not in MISTAKES)),
            "kind": asked.kind,
            "counts": {row["kind"]: row["moments"] for row in counted},
            "clips": answer["data"]["clips"],
            "next": answer["data"]["next"],
            "asked_for": asked,
            "allowed": begins["has_agreed"] or not scope.is_own,
        }

    tables = replays.CLIP_TABLES
    return await page(request, person, "rocket_league/clips.html", asked, make, tables=tables, entered=begins)


_KINDS = """
SELECT kind, count(*) AS moments
FROM (
    SELECT player_id, match_id, kind FROM rocket_league.replay_moments
    UNION ALL SELECT player_id, match_id, kind FROM rocket_league.player_mistakes
) AS moments JOIN rocket_league.matches USING (player_id, match_id)
WHERE player_id = %s GROUP BY kind
"""
