"""Pages of a player: the dashboard, skills, playlists, comparison, training, packs and replays, and their forms.

Pages use the functions behind the API and `standings`. They are about one of the user's own accounts, or about an
account of a player who invited the user (`player`).
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
from gamestats_assets.rocket_league.players.identities import written_id
from gamestats_assets.rocket_league.serving.context import Chosen, OfPlaylist, choose, own_account, playlists_of
from gamestats_assets.rocket_league.serving.players import analytics, standings, training
from gamestats_assets.rocket_league.serving.players.standings import Standing
from gamestats_assets.rocket_league.serving.replays import listing as replays
from gamestats_assets.rocket_league.serving.replays import replay
from gamestats_assets.rocket_league.serving.replays.uploads import Refused, take_uploads, uploads_of
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
"""Session lengths that can be logged with one more click."""
_RECENT = 8
Text = Annotated[str, Form(max_length=300)]
SEND_PATH = f"{HOME}/replays"
"""Path to which a form sends replays."""
_SHOWN = 8
Read = TypeVar("Read")
Maker = Callable[[Connection, Scope], Awaitable[Mapping[str, Any]]]


def back(path: str, done: str) -> Response:
    """Returns a redirect to one of our pages, which shows what was done."""
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
    """Returns a page in the shell of a player's pages.

    Args:
        make: returns the page's own values; not called for a user without an account, who gets the first steps.
        entered: people's entries that the page depends on; see `own_page`.
    """
    if asked.player is None and not person.players.get(GAME):
        # The steps depend on entries, whose changes are not announced.
        holds = "never"

    async def values(conn: Connection, scope: Scope) -> dict[str, Any]:
        visible = await seen(conn, scope)
        whom = next((each for each in visible if each["player_id"] == scope.player), None)
        shell = {"sections": SECTIONS, "seen": visible, "whom": whom, "to": leading(asked.player), "linked": True}
        shell["done"] = request.query_params.get("done")
        if scope.player is None and needs_player:
            return {**shell, "steps": await steps(conn, scope), "synthetic": False}
        return {**shell, "steps": None, **await make(conn, scope)}

    return await own_page(request, person, GAME, template, asked, values, tables=tables, holds=holds, entered=entered)


@dataclass(frozen=True, slots=True)
class Entered:
    """Entries of a player that pages depend on.

    Attributes:
        sessions: training sessions, oldest first.
        begins: the player's first steps; see `steps`.
        done: what the page says was done.
    """

    sessions: Sequence[Row]
    begins: Row
    done: str | None


async def entered_of(request: Request, person: Person, asked: OfPlayer) -> Entered:
    """Returns the entries of the player that a page is about."""

    async def read(conn: Connection, scope: Scope) -> Entered:
        trained = await standings.sessions(conn, scope.player) if scope.player else []
        return Entered(trained, await steps(conn, scope), request.query_params.get("done"))

    return await entered_by(request, person, asked, read)


async def entered_by(
    request: Request, person: Person, asked: OfPlayer, read: Callable[[Connection, Scope], Awaitable[Read]]
) -> Read:
    """Returns people's entries, read before the page that depends on them, so that the page can be cached."""
    scope = await scope_of(request, person, GAME, asked.player, needs_player=False)
    async with reading(request, scope) as conn:
        return await read(conn, scope)


def leading(player: str | None) -> Callable[..., str]:
    """Returns a function that makes links which keep the player."""

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
    """Returns the players that the user may see, own ones first, named as entered, else as in the last match."""
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
    """Returns a user's first steps: whether an account is linked, accounts that wait for an administrator, whether the
    analysis is allowed, and the match of the last upload.
    """
    [agreed] = await rows_of(conn, _AGREED, [[*scope.players]])
    claimed = [row["player_id"] for row in await rows_of(conn, CLAIMED, [scope.user_id, GAME])]
    sent = next((row["match_id"] for row in await rows_of(conn, _SENT, [scope.user_id])), None)
    return {"is_linked": bool(scope.players), "claimed": claimed, "has_agreed": bool(agreed["has"]), "sent": sent}


async def chosen_playlist(conn: Connection, scope: Scope, playlist: str | None) -> Chosen:
    """Returns a player's playlists, once there is something to show, and the playlist that a page is about.

    Args:
        playlist: that playlist; by default the ranked playlist with most matches.

    Raises:
        ProblemError: 404 for a playlist without known matches.
    """
    chosen = await choose(conn, playlist, scope, standings.OWN_TABLES)
    if playlist is not None and chosen.played is None:
        raise ProblemError(404, f"This player has no known match in {playlist[:80]}.")
    return chosen


async def standing_page(
    request: Request,
    person: Person,
    template: str,
    asked: OfPlaylist,
    make: Callable[[Connection, Scope, Entered, Standing | None], Awaitable[Mapping[str, Any]]],
) -> Response:
    """Returns a page about a player's standing in a playlist, if one is played; `make` returns further values."""
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
    """The dashboard: standing, training and last replays; for visitors the welcome page."""
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
    """Returns the player's mistakes by kind, most frequent first; a single match is enough for them."""
    if scope.player is None or not await are_published(conn, *replays.CLIP_TABLES):
        return []
    counted = [row for row in await rows_of(conn, _KINDS, [scope.player]) if row["kind"] in MISTAKES]
    return sorted(counted, key=lambda row: (-row["moments"], row["kind"]))


def _first_of_each(recommended: Sequence[Row], most: int = 3) -> list[Row]:
    """Returns the first packs, beginning with one per skill."""
    firsts = list({row["skill"]: row for row in reversed(recommended)}.values())
    firsts.sort(key=lambda row: row["rank"])
    return [*firsts, *(row for row in recommended if row not in firsts)][:most]


# --------------------------------------------------------------------------- a skill, a playlist, others


class OfSkill(OfPlaylist):
    """A skill of a player."""

    skill: Name


@router.get("/skills/{skill}")
async def skill(request: Request, person: SignedIn) -> Response:
    """A skill: its standing, evidence, features over time, and packs that train it."""
    asked = ask(OfSkill, request, only_known=False)
    if asked.skill not in SKILLS:
        raise ProblemError(404, f"There is no skill {asked.skill[:80]}; skills are {', '.join(SKILLS)}.")

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
    """A playlist: all results, and their basis."""
    asked = ask(OfPlaylist, request, only_known=False)

    async def make(conn: Connection, scope: Scope, entered: Entered, of: Standing | None) -> dict[str, Any]:
        newest = replays.NewestReplays(limit=_RECENT, playlist=asked.playlist, player=scope.player)
        return {"replays": (await replays.recent_replays(conn, newest, scope))["data"]["replays"]}

    return await standing_page(request, person, "rocket_league/playlist.html", asked, make)


@router.get("/compare")
async def compare(request: Request, person: SignedIn) -> Response:
    """A player compared with players of the rank, the most similar players, and the player's past."""
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
    """Training sessions, from a place in the list on."""

    before: Annotated[str | None, Field(max_length=300)] = None
    code: Annotated[str | None, Field(max_length=50)] = None
    skill: Annotated[str | None, Field(max_length=50)] = None


@router.get("/training")
async def trained(request: Request, person: SignedIn) -> Response:
    """Sessions, their effect, what to train next, and a form to log one."""
    asked = ask(OfTraining, request, only_known=False)
    return await training_page(request, person, asked)


async def training_page(
    request: Request, person: Person, asked: OfTraining, wrong: ProblemError | None = None, given: Any = None
) -> Response:
    """Returns the page of training, with the errors of a session that could not be logged."""

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
    """Log a training session."""
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
    """Returns the session for the API from the fields of the form.

    Raises:
        ProblemError: 422 with the wrong fields.
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
    """Returns a problem with its fields named as in the form."""
    errors = [{**each, "name": {"duration_s": "minutes"}.get(each["name"], each["name"])} for each in wrong.errors]
    return ProblemError(wrong.status, wrong.detail, errors=errors)


@router.post("/training/{training_session_id}/remove")
def take_out(request: Request, person: SignedIn, training_session_id: int) -> Response:
    """Remove a session."""
    training.take_back_session(request, person, training_session_id)
    return back(f"{HOME}/training", "taken")


_PACKS = "SELECT code, name, category FROM rocket_league.training_packs ORDER BY category, difficulty, name"


@router.get("/packs", dependencies=[Depends(public)])
async def packs(request: Request) -> Response:
    """Search for training packs, open to everyone."""
    asked = ask(training.SoughtPacks, request, only_known=False)
    pages: Pages = request.state.pages

    async def make(conn: Connection) -> dict[str, Any]:
        catalogue = (await training.training_packs(conn, asked))["data"]
        return {
            "found": catalogue["packs"],
            "total": catalogue["total_count"],
            "sought": asked,
            "categories": CATEGORIES,
        }

    given = asked.model_dump(exclude_defaults=True, exclude_none=True)
    return await pages.answer(request, "rocket_league/packs.html", training.PACK_TABLES, make, asked=given)


# --------------------------------------------------------------------------- replays


class OfReplays(OfPlaylist):
    """A part of the list of replays."""

    before: Annotated[str | None, Field(max_length=300)] = None


@router.get("/replays")
async def replay_list(request: Request, person: SignedIn) -> Response:
    """The matches of a player, newest first, and the state of uploads."""
    return await replay_page(request, person, ask(OfReplays, request, only_known=False))


async def replay_page(
    request: Request, person: Person, asked: OfReplays, wrong: str | None = None, refused: Sequence[Refused] = ()
) -> Response:
    """Returns the page of matches and uploads, with the errors of files that could not be uploaded.

    Args:
        wrong: error that concerns all files.
        refused: rejected files.
    """
    refusals = {"wrong": wrong, "refused": [each.model_dump() for each in refused]}

    async def read(conn: Connection, scope: Scope) -> list[Row]:
        return await uploads_of(conn, scope.user_id) if scope.is_own or scope.player is None else []

    sent = await entered_by(request, person, asked, read)

    async def make(conn: Connection, scope: Scope) -> dict[str, Any]:
        if scope.player is None:
            # Uploads can be watched before anyone is known to have played them.
            values = {"replays": [], "next": None, "found": [], "asked_for": asked, "begins": await steps(conn, scope)}
            return {**values, **refusals, "uploads": sent, "synthetic": False}
        given = {"player": scope.player, "playlist": asked.playlist, "before": asked.before, "limit": 20}
        newest = asked_of(replays.NewestReplays, {name: value for name, value in given.items() if value is not None})
        listed = (await replays.recent_replays(conn, newest, scope))["data"]
        played = await playlists_of(conn, scope.player)
        values = {"replays": listed["replays"], "next": listed["next"], "found": played, "asked_for": asked}
        values |= {"uploads": sent, "begins": None}
        return {**values, **refusals, "synthetic": bool(played) and all(row["is_simulated"] for row in played)}

    entered = (sent, refusals, request.query_params.get("done"))
    template = "rocket_league/replays.html"
    return await page(request, person, template, asked, make, needs_player=False, entered=entered)


@router.get("/uploads")
async def uploads(request: Request, person: SignedIn, done: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """State of the last uploads, as a part of other pages, which reload it while uploads are in progress.

    Args:
        done: number of finished uploads at the previous request.
    """

    async def make(conn: Connection, scope: Scope) -> dict[str, Any]:
        newest = await uploads_of(conn, scope.user_id, most=_SHOWN)
        ended = sum(each["state"] in ("done", "failed") for each in newest)
        in_work = ended < len(newest)
        # Finished uploads are shown while any is in progress, and once more afterwards.
        listed = newest if in_work or done is not None else []
        has_new = done is not None and ended > done
        return {"uploads": listed, "in_work": in_work, "ended": ended, "has_new": has_new, "to": leading(None)}

    template = "rocket_league/uploads.html"
    return await own_page(request, person, GAME, template, OfPlayer(), make, tables=(), holds="never")


@router.post("/replays")
async def send(request: Request, person: SignedIn) -> Response:
    """Send replays from a form; the page shows rejected files with the reason."""
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
    """The player's moments of one kind from all watchable matches, as a playable list."""
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
