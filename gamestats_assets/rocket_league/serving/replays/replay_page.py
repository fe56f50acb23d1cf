"""The page of a replay: scoreboard, own analysis, and a timeline with links into the viewer.

It is visible to the match's players, to their guests, and to the sender; while it is shared, to everyone with its link.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.files.objects import MissingObjectError, Objects
from gamestats_assets.rocket_league.players.identities import has_account, is_masked
from gamestats_assets.rocket_league.replays.track_format import read_header
from gamestats_assets.rocket_league.serving.pages import CLAIMED, GAME, HOME, back, page
from gamestats_assets.rocket_league.serving.replays import shares
from gamestats_assets.rocket_league.serving.replays.replay import (
    REPLAY_TABLES,
    OfReplay,
    board_of,
    find_replay,
    one_replay,
    shown_replay,
)
from gamestats_assets.rocket_league.tables import ReplayTracks
from gamestats_assets.rocket_league.tables.gold import SKILLS
from gamestats_assets.rocket_league.tables.replays import MISTAKES
from gamestats_assets.serving.accounts import invitations
from gamestats_assets.serving.accounts.views import seen_by_link
from gamestats_assets.serving.answers.lines import are_published, rows_of
from gamestats_assets.serving.answers.routes import ask
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import SignedIn, caller, public
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.pages.charts import Mark, lanes
from gamestats_assets.serving.pages.rendering import Pages, span
from gamestats_assets.serving.pages.texts import Say
from gamestats_assets.serving.people import routes as linking
from gamestats_assets.serving.people.own import Scope, reading, scope_of, show_matches

router = APIRouter(prefix=HOME)
_TRACK = "SELECT track FROM rocket_league.replay_tracks WHERE match_id = %s"
_EVENTS = ("goal", "shot", "save", "demolition")
_ROLES = {1: "first_man", 2: "second_man", 3: "third_man"}


def speaker(request: Request) -> Say:
    """Returns a function for texts in the language of a page."""
    pages: Pages = request.state.pages
    return pages.texts.speaker(pages.language(request))


@router.get("/replays/{id}")
async def replay(request: Request, person: SignedIn) -> Response:
    """A replay."""
    asked = ask(OfReplay, request, only_known=False)
    say = speaker(request)

    async def make(conn: Connection, scope: Scope) -> dict[str, Any]:
        data = (await one_replay(conn, asked, scope))["data"]
        match_id = data["match"] and data["match"]["match_id"]
        token = await _token(conn, scope, match_id) if match_id else None
        values = await page_values(conn, request, data, say, f"{HOME}/replays/{asked.id}/watch")
        values["could_be"] = await _could_be(conn, scope, match_id) if data["upload_id"] and match_id else {}
        return {**values, "id": asked.id, "token": token, "address": f"{request.base_url}".rstrip("/") + shares.SHARED}

    return await page(
        request,
        person,
        "rocket_league/replay.html",
        asked,
        make,
        tables=REPLAY_TABLES,
        holds="never",
        needs_player=False,
    )


@router.get("/shared/{token}", dependencies=[Depends(public)])
async def shared(request: Request, token: str) -> Response:
    """A shared replay: the scoreboard and the timeline, for anyone with its link."""
    pages: Pages = request.state.pages
    say = speaker(request)
    async with reading_shared(request, token) as (conn, data):
        values = await page_values(conn, request, data, say, f"{shares.SHARED}/{token}/watch")
    return pages.personal(request, "rocket_league/shared.html", {**values, "linked": False})


@asynccontextmanager
async def reading_shared(request: Request, token: str) -> AsyncIterator[tuple[Connection, dict[str, Any]]]:
    """Yields a connection that sees the replay of a link, and the public data of the replay.

    Raises:
        ProblemError: 404 when it is not shared, or no longer.
    """

    def match_of() -> str | None:
        with request.state.writing() as conn:
            shared_match = invitations.shared_match(conn, GAME, token)
            if shared_match is not None:
                by = caller(request).person
                seen_by_link(conn, GAME, token, by and by.user_id)
            return shared_match

    match_id = await run_in_threadpool(match_of)
    if match_id is None:
        raise ProblemError(404, "This link does not work: the replay is no longer shared.")
    async with reading(request, Scope(None)) as conn:
        await show_matches(conn, [match_id])
        data = {"status": "done", "said": None, "error": None, **await shown_replay(conn, match_id, ())}
        if data["match"] is None:
            raise ProblemError(404, "This link does not work: the replay is no longer stored.")
        yield conn, data


async def _token(conn: Connection, scope: Scope, match_id: str) -> str | None:
    rows = await rows_of(conn, _SHARED, [scope.user_id, GAME, match_id])
    return rows[0]["token"] if rows else None


_SHARED = "SELECT token FROM accounts.shares WHERE user_id = %s AND game = %s AND match_id = %s"


async def _could_be(conn: Connection, scope: Scope, match_id: str) -> dict[int, Literal["open", "claimed"]]:
    """Returns which of a match's players the sender could be, by index; empty if one of their accounts played it.

    Accounts of other users are not excluded, because that would reveal them.
    """
    board = await board_of(conn, match_id, scope.players)
    if any(row["is_own"] for row in board):
        return {}
    claimed = {row["player_id"] for row in await rows_of(conn, CLAIMED, [scope.user_id, GAME])}
    return {
        row["place"]: "claimed" if row["player_id"] in claimed else "open"
        for row in board
        if has_account(row["player_id"])
    }


@router.post("/replays/{id}/claim")
async def claim(request: Request, person: SignedIn, id: str, place: Annotated[int, Form()]) -> Response:
    """Claim a player in a match that the user sent, by index: no page shows other people's ids."""
    scope = await scope_of(request, person, GAME, None, needs_player=False)
    async with reading(request, scope) as conn:
        shown = await find_replay(conn, id, scope)
        could_be = await _could_be(conn, scope, shown.match_id) if shown.upload and shown.match_id else {}
        if shown.match_id is None or place not in could_be:
            raise ProblemError(404, "You cannot be this player of the replay.")
        player_id = (await board_of(conn, shown.match_id, ()))[place]["player_id"]
    is_linked = await run_in_threadpool(linking.add_player, request, person, player_id, GAME)
    return back(f"{HOME}/replays/{id}", "accounts" if is_linked else "claimed")


@router.post("/replays/{id}/share")
def share(request: Request, person: SignedIn, id: str) -> Response:
    """Make the link of a replay's page."""
    shares.share_replay(request, person, id)
    return back(f"{HOME}/replays/{id}", "shared")


@router.post("/replays/{id}/unshare")
def unshare(request: Request, person: SignedIn, id: str) -> Response:
    """Disable the link to a replay's page."""
    shares.unshare_replay(request, person, id)
    return back(f"{HOME}/replays/{id}", "unshared")


@router.post("/replays/{id}/remove")
def remove(request: Request, person: SignedIn, id: str) -> Response:
    """Leave a match."""
    shares.remove_replay(request, person, id)
    return back(f"{HOME}/replays", "deleted")


# --------------------------------------------------------------------------- what is shown


async def page_values(
    conn: Connection, request: Request, data: Mapping[str, Any], say: Say, watch: str
) -> dict[str, Any]:
    """Returns the values of the page of a replay.

    Args:
        data: data of the answer about the replay.
        watch: address of the viewer.
    """
    match = data["match"]
    skills = [row for row in data["analysis"] if row["stat_type"].removeprefix("skill_") in SKILLS]
    features = [row for row in data["analysis"] if row not in skills]
    alone = [row for row in features if {row["usual"], row["cohort_mean"], row["percentile"]} == {None}]
    own = data["player"]
    is_anybody_masked = any(is_masked(row["player_name"]) for row in data["players"])
    values: dict[str, Any] = {
        "replay": data,
        "match": match,
        "teams": [(team, _best_first(data["players"], team)) for team in ("blue", "orange")],
        "own": None if own is None else data["players"][own],
        "skills": skills,
        "features": [row for row in features if row not in alone],
        "alone": alone,
        "watch": watch if match and match["has_track"] else None,
        "timeline": None,
        "masked": is_anybody_masked,
        # Files that name a removed player are deleted, and future ones are not kept.
        "file_gone": is_anybody_masked and data.get("upload_id") is not None,
        "could_be": {},
        "synthetic": bool(match and match["is_simulated"]),
    }
    if match is None or not (match["duration_s"] and (data["moments"] or match["has_track"])):
        return values
    header = await _header(conn, request, match["match_id"]) if match["has_track"] else None
    drawn = timeline(data["moments"], data["players"], own, header, say, values["watch"])
    seconds = max([match["duration_s"], *(row["end_s"] or row["time_s"] for row in data["moments"])])
    return {**values, "timeline": lanes(drawn, seconds, label=say("replay.timeline"))}


def _best_first(players: Sequence[Mapping[str, Any]], team: str) -> list[Mapping[str, Any]]:
    """Returns the players of a team, best first; players without a score, who left before the end, are last."""
    of_team = [row for row in players if row["team"] == team]
    return sorted(of_team, key=lambda row: -1 if row["score"] is None else row["score"], reverse=True)


async def _header(conn: Connection, request: Request, match_id: str) -> dict[str, Any] | None:
    """Returns the header of the track, which has data too large for tables."""
    rows = await rows_of(conn, _TRACK, [match_id]) if await are_published(conn, ReplayTracks) else []
    objects: Objects = request.state.objects

    def read(name: str) -> dict[str, Any] | None:
        content = b""
        try:
            for piece in objects.stream(name):
                content += piece
                try:
                    return read_header(content)
                except ValueError:
                    continue
        except MissingObjectError:
            # The track was replaced a moment ago.
            return None
        return None

    return await run_in_threadpool(read, rows[0]["track"]) if rows else None


def timeline(
    moments: Sequence[Row],
    players: Sequence[Row],
    own: int | None,
    header: Mapping[str, Any] | None,
    say: Say,
    watch: str | None,
) -> list[tuple[str, list[Mark]]]:
    """Returns the timeline in lanes: goals, shots, saves, demolitions, and the player's mistakes, boost and rotation.

    Args:
        own: index of the page's player among the players.
        header: header of the track, if there is one.
        watch: address of the viewer.
    """

    def link(at: float) -> str | None:
        # A little earlier, so that viewers see how the moment came about.
        return f"{watch}#t={max(0.0, at - 3):.1f}" if watch else None

    def name(place: int | None) -> str:
        return players[place]["player_name"] if place is not None else say("replay.somebody")

    def mark(row: Row, kind: str) -> Mark:
        label = f"{span(row['time_s'])} {say('happened.' + row['kind'], player=name(row['player']))}"
        return Mark(row["time_s"], kind, label, link(row["time_s"]), row["end_s"])

    drawn = [
        (say(f"happened.{kind}s"), [mark(row, row["team"] or "mistake") for row in moments if row["kind"] == kind])
        for kind in _EVENTS
    ]
    if own is None:
        return drawn
    mistakes = [row for row in moments if row["kind"] in MISTAKES and row["is_own"]]
    starved = [mark(row, "starved") for row in mistakes if row["end_s"] is not None]
    drawn.append((say("happened.mistakes"), [mark(row, "mistake") for row in mistakes if row["end_s"] is None]))
    pads = [
        Mark(taken, "pad big" if header["pads"][pad][3] else "pad", f"{span(taken)} {say('happened.pad')}", None)
        for pad, taken, _, player in (header or {}).get("pad_events", ())
        if player == own and header
    ]
    if pads or starved:
        drawn.append((say("happened.boost"), [*pads, *starved]))
    stints = [
        Mark(start, _ROLES[role], f"{span(start)} {say('happened.' + _ROLES[role])}", link(start + 3), end)
        for player, role, start, end in (header or {}).get("stints", ())
        if player == own and role in _ROLES
    ]
    # Stints have no links: there would be one for nearly every second.
    plain = [each._replace(href=None) for each in stints]
    return [*drawn, (say("happened.rotation"), plain)] if stints else drawn
