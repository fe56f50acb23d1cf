"""Pages for watching replays: one from beginning to end, or clips from several, one after another.

A page contains its data as JSON, except for the track, which the browser loads and shows as it arrives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from gamestats_assets.rocket_league.analysis.wording import day_words
from gamestats_assets.rocket_league.reference.playlists import playlist_name
from gamestats_assets.rocket_league.serving.replays import listing as replays
from gamestats_assets.rocket_league.serving.replays.replay import (
    REPLAY_TABLES,
    OfReplay,
    find_replay,
    shown_replay,
    track_of,
)
from gamestats_assets.rocket_league.serving.replays.replay_page import reading_shared, speaker
from gamestats_assets.rocket_league.serving.replays.shares import SHARED
from gamestats_assets.rocket_league.serving.replays.uploads import GAME
from gamestats_assets.rocket_league.serving.words import score_words
from gamestats_assets.rocket_league.tables.replays import KINDS_OF_MOMENT
from gamestats_assets.serving.answers.lines import rows_of
from gamestats_assets.serving.answers.routes import ask
from gamestats_assets.serving.database import Connection
from gamestats_assets.serving.middleware.principal import SignedIn, public
from gamestats_assets.serving.middleware.problems import ProblemError
from gamestats_assets.serving.pages.rendering import Column, Pages, span
from gamestats_assets.serving.pages.texts import Say
from gamestats_assets.serving.people.own import Scope, own_page

HOME = "/rocket-league"
router = APIRouter(prefix=HOME)
_BEFORE_S = 5.0
"""Seconds before a moment at which the table of moments opens the viewer."""
_COLUMNS = tuple(
    Column(f"moment_{name}", kind, None)
    for name, kind in (("time", "number"), ("what", "text"), ("player", "text"), ("team", "text"))
)
_SAID = (
    "loading", "failed", "cut_off", "play", "pause", "copied", "in_address", "supersonic", "off_field", "ball_cam",
    "car_cam", "until", "first_man", "second_man", "third_man", "last_man", "blue", "orange",
)  # fmt: skip
_OF_MOMENT = ("kind", "time_s", "end_s", "team", "player", "other_player")
Made = dict[str, Any]


@router.get("/replays/{id}/watch")
async def watch_replay(request: Request, person: SignedIn) -> Response:
    """A replay from its first frame to its last."""
    asked = ask(OfReplay, request, only_known=False)
    say = speaker(request)

    async def make(conn: Connection, scope: Scope) -> Made:
        shown = await find_replay(conn, asked.id, scope)
        data = await shown_replay(conn, shown.match_id, shown.players)
        if data["match"] is None:
            raise ProblemError(404, "The replay has not been read yet; its page shows the progress.")
        match_id = data["match"]["match_id"]
        page = f"{HOME}/replays/{match_id}"
        return {
            **of_replay(say, data, f"/api/v1/replays/{match_id}/track"),
            "back": page,
            "back_text": say("watch.back"),
        }

    return await own_page(
        request, person, GAME, "rocket_league/watch.html", asked, make, tables=REPLAY_TABLES, holds="never"
    )


@router.get("/clips/watch")
async def watch_clips(request: Request, person: SignedIn) -> Response:
    """Moments of one kind from the user's own replays, newest first, played one after another."""
    asked = ask(replays.NewestClips, request, only_known=False)
    say = speaker(request)

    async def make(conn: Connection, scope: Scope) -> Made:
        newest = (await replays.clips(conn, asked, scope))["data"]["clips"]
        kept = {"kind": asked.kind, "playlist": asked.playlist, "player": asked.player}
        query = urlencode({name: value for name, value in kept.items() if value is not None})
        return {
            **_page(say, say("watch.clips_of", what=say(f"kind.{asked.kind}")), [_clip(each) for each in newest]),
            "rows": [
                {**_row(say, {**each, "team": None}, None), "address": f"#clip={number}", "day": each["started_at"]}
                for number, each in enumerate(newest, start=1)
            ],
            "synthetic": await _are_simulated(conn, [each["match_id"] for each in newest]),
            "back": f"{HOME}/clips?{query}",
            "back_text": say("watch.back_clips"),
        }

    return await own_page(
        request, person, GAME, "rocket_league/watch.html", asked, make, tables=replays.CLIP_TABLES, holds="never"
    )


@router.get("/shared/{token}/watch", dependencies=[Depends(public)])
async def watch_shared(request: Request, token: str) -> Response:
    """A shared replay, for anyone with its link."""
    pages: Pages = request.state.pages
    say = speaker(request)
    async with reading_shared(request, token) as (_, data):
        shown = of_replay(say, data, f"{SHARED}/{token}/track")
    back = {"back": f"{SHARED}/{token}", "back_text": say("watch.back")}
    return pages.personal(request, "rocket_league/watch.html", {**shown, **back})


@router.get("/shared/{token}/track", dependencies=[Depends(public)])
async def shared_track(request: Request, token: str) -> Response:
    """The track of a shared replay."""
    async with reading_shared(request, token) as (conn, data):
        return await track_of(request, conn, data["match"]["match_id"])


def of_replay(say: Say, data: Mapping[str, Any], track: str) -> Made:
    """Returns the values of the page of a replay.

    Args:
        data: result of `shown_replay`.
        track: address of the track.
    """
    match, players, moments = data["match"], data["players"], data["moments"]
    team = None if data["player"] is None else players[data["player"]]["team"]
    score, result = score_words(match, team), match["result"]
    if team is None:
        score = f"{say('replay.blue')} {score} {say('replay.orange')}"
    ended = f"{say(f'replay.{result}')} {score}" if result else score
    heading = f"{playlist_name(match['playlist'])}, {ended}"
    clip = {
        "track": track,
        "title": heading,
        "whole": None,
        "moments": [{name: each[name] for name in _OF_MOMENT} for each in moments],
        "own": [each["place"] for each in players if each["is_own"]],
        "player": data["player"],
        "from_s": None,
        "to_s": None,
    }
    names = {each["place"]: each["player_name"] for each in players}
    rows = [_row(say, each, names.get(each["player"])) for each in moments]
    shown = _page(say, heading, [clip] if match["has_track"] else [])
    return {**shown, "rows": rows, "synthetic": match["is_simulated"]}


async def _are_simulated(conn: Connection, matches: Sequence[str]) -> bool:
    if not matches:
        return False
    query = "SELECT bool_or(is_simulated) AS any FROM rocket_league.match_facts WHERE match_id = ANY (%s)"
    return (await rows_of(conn, query, [[*matches]]))[0]["any"]


def _page(say: Say, heading: str, clips: Sequence[Made]) -> Made:
    texts = {name: say(f"watch.{name}") for name in _SAID}
    texts |= {kind: say(f"kind.{kind}") for kind in KINDS_OF_MOMENT}
    return {"heading": heading, "clips": clips, "texts": texts, "columns": _COLUMNS}


def _clip(found: Mapping[str, Any]) -> Made:
    moment = {name: found.get(name) for name in _OF_MOMENT}
    return {
        "track": f"/api/v1/replays/{found['match_id']}/track",
        "title": f"{day_words(found['started_at'])}, {span(found['time_s'])}",
        "whole": f"{HOME}/replays/{found['match_id']}/watch?t={found['from_s']:.1f}",
        "moments": [moment],
        "own": [found["player"]],
        "player": found["player"],
        "from_s": found["from_s"],
        "to_s": found["to_s"],
    }


def _row(say: Say, moment: Mapping[str, Any], player: str | None) -> Made:
    return {
        "address": f"#t={max(0.0, moment['time_s'] - _BEFORE_S):.1f}",
        "time_s": moment["time_s"],
        "what": say(f"kind.{moment['kind']}"),
        "player": player,
        "team": moment["team"] and say(f"watch.{moment['team']}"),
        "day": None,
    }
